//! Texts: rendered strictly, escaped for where they go, bounded.

use proptest::prelude::*;
use runbook_core::expr::{Destination, Names, ShellScript, Template};
use runbook_core::plan::Origin;
use runbook_core::value::{Map, Value, parse_duration};

struct Fixture(Map);

impl Names for Fixture {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        let value = self.0.get(root).ok_or_else(|| format!("there is no `{root}`"))?;
        match member {
            None => Ok(value.clone()),
            Some(member) => value.get(member).cloned().ok_or_else(|| format!("`{root}.{member}` has no value")),
        }
    }
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn fixture() -> Fixture {
    let hosts = Value::List(vec![map(&[("name", Value::text("a"))]), map(&[("name", Value::text("b"))])]);
    let inputs = map(&[
        ("host", Value::text("db/1 x?")),
        ("hosts", hosts),
        ("lag", Value::Float(420.0)),
        ("wait", Value::Duration(parse_duration("90s").unwrap())),
        ("since", Value::Time("2026-01-02T03:04:05Z".parse().unwrap())),
        ("none", Value::Null),
        ("gaps", Value::List(vec![Value::Null])),
        ("rows", Value::List(vec![map(&[("name", Value::Null)])])),
        ("no", Value::Bool(false)),
        ("words", Value::List(vec![Value::text("x"), Value::Int(2)])),
        ("tags", map(&[("tier", Value::text("db"))])),
        ("evil", Value::text("{{inputs.host}} <b>&")),
        ("up", Value::text("..")),
        ("server", Value::text("example.org")),
    ]);
    let steps =
        map(&[("later", Value::Unknown("steps.later".to_owned())), ("list", Value::List((0..2000).map(Value::Int).collect()))]);
    Fixture(Map::from([("inputs".to_owned(), inputs), ("steps".to_owned(), steps)]))
}

fn render(source: &str, destination: Destination) -> Result<String, String> {
    let template = Template::parse(source, Origin::default()).map_err(|error| format!("parse@{}: {error}", error.offset))?;
    template.render(destination, &fixture()).map(|(text, _)| text).map_err(|error| error.to_string())
}

/// Nobody knows any value yet.
struct Nobody;

impl Names for Nobody {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        Ok(Value::Unknown(member.map_or_else(|| root.to_owned(), |member| format!("{root}.{member}"))))
    }
}

#[test]
fn before_there_are_values_names_stand_in_their_place_and_all_else_is_what_a_run_writes() {
    for source in [
        "psql -h {{inputs.host}}",
        "{{ inputs.host }}{{now}}",
        "\\{{inputs.host}} and {{inputs.host}}",
        "docker ps --format '\\{{.Names}}' {{inputs.host}} \\{{",
        "C:\\\\{{inputs.host}}",
        "a {{! note }}b{{!-- {{x}} --}}c\n",
        "{{! alone on its line }}\nnext",
        "a {{~inputs.host~}} b",
        "no name",
        "",
    ] {
        let template = Template::parse(source, Origin::default()).unwrap();
        let (rendered, _) = template.render(Destination::Plain, &Nobody).unwrap();
        assert_eq!(template.written(), rendered, "{source:?}");
    }
    for (source, shown) in [
        ("{{ steps.a.b }} and {{default inputs.x \"none\"}}", "‹steps.a.b› and ‹default inputs.x \"none\"›"),
        ("{{#if inputs.x}}a{{else}}b{{/if}}", "{{#if inputs.x}}a{{else}}b{{/if}}"),
        (
            "{{#if inputs.x}}{{inputs.x}} \\{{y{{else if inputs.z}}{{! no }}b{{/if}}",
            "{{#if inputs.x}}‹inputs.x› {{y{{else if inputs.z}}b{{/if}}",
        ),
        ("{{#each inputs.l}}{{@index}}{{this}}{{/each}}", "{{#each inputs.l}}‹@index›‹this›{{/each}}"),
        ("{{#if inputs.x}}C:\\\\{{inputs.x}} \\{{y\\\\{{/if}}\\n", "{{#if inputs.x}}C:\\‹inputs.x› {{y\\{{/if}}\\n"),
    ] {
        assert_eq!(Template::parse(source, Origin::default()).unwrap().written(), shown, "{source}");
    }
    // What is chosen changes nothing of the text in it.
    for text in ["\\\\{{inputs.host}}", "\\\\\\{{inputs.host}}", "\\\\\\\\{{inputs.host}}", "a\\b {{inputs.host}} \\\\"] {
        let written = |source: &str| Template::parse(source, Origin::default()).unwrap().written();
        let chosen = written(&format!("{text}{{{{#if inputs.x}}}}{{{{/if}}}}"));
        let plain = written(&format!("{text}{{{{inputs.x}}}}"));
        assert_eq!(chosen, plain.replace("‹inputs.x›", "{{#if inputs.x}}{{/if}}"), "{text}");
    }
    for (source, shown) in [
        ("grep -F -- {{inputs.host}} '{{ inputs.x }}'\n", "grep -F -- ‹inputs.host› '‹inputs.x›'\n"),
        ("# {{inputs.host}}\ndocker ps --format '\\{{.Names}}'", "# {{inputs.host}}\ndocker ps --format '{{.Names}}'"),
    ] {
        assert_eq!(ShellScript::parse(source, Origin::default()).unwrap().written(), shown, "{source}");
    }
}

#[test]
fn texts() {
    for (source, expect) in [
        ("plain", "plain"),
        ("", ""),
        ("on {{inputs.host}}.", "on db/1 x?."),
        ("${{ inputs.lag }} s", "$420 s"),
        ("{{inputs.wait}} since {{inputs.since}}", "1m 30s since 2026-01-02T03:04:05Z"),
        ("{{#if inputs.none}}on {{inputs.none}}{{/if}}{{json inputs.none}}", "null"),
        ("{{inputs.words}} {{inputs.tags}}", "[\"x\",2] {\"tier\":\"db\"}"),
        ("{{inputs.evil}}", "{{inputs.host}} <b>&"),
        ("\\{{inputs.host}}", "{{inputs.host}}"),
        ("{{! note }}a{{!-- {{x}} --}}b", "ab"),
        ("{{#if inputs.no}}a{{else}}b{{/if}}", "b"),
        ("{{#unless inputs.no}}a{{/unless}}", "a"),
        ("{{#if inputs.none}}a{{else if inputs.lag}}b{{else}}c{{/if}}", "b"),
        ("{{#each inputs.hosts}}{{@index}}{{this.name}} {{inputs.lag}};{{/each}}", "0a 420;1b 420;"),
        ("{{#each inputs.hosts as |h i|}}{{i}}:{{h.name}}{{#unless @last}}, {{/unless}}{{/each}}", "0:a, 1:b"),
        ("{{#each inputs.tags}}{{@key}}={{this}}{{/each}}", "tier=db"),
        ("{{#each inputs.none}}x{{else}}empty{{/each}}", "empty"),
        ("{{#each inputs.words as |w|}}{{#each inputs.hosts as |h|}}{{w}}{{h.name}} {{/each}}{{/each}}", "xa xb 2a 2b "),
        ("{{upper inputs.server}} {{join inputs.words \"-\"}} {{json inputs.host}}", "EXAMPLE.ORG x-2 \"db/1 x?\""),
        ("{{default inputs.none \"nobody\"}} {{date inputs.since}} {{len inputs.words}}", "nobody 2026-01-02 2"),
        ("{{#if (eq inputs.server \"example.org\")}}same{{/if}}", "same"),
        ("{{upper (default inputs.none \"x\")}}", "X"),
        ("{{inputs.words.0}}{{inputs.hosts.[1].name}}", "xb"),
        ("a\n{{#if inputs.lag}}\nb\n{{/if}}\nc\n", "a\nb\nc\n"),
        ("{{~ inputs.server ~}} ", "example.org"),
        ("wait {{steps.later.x}} or {{upper steps.later}}", "wait ‹steps.later› or ‹steps.later›"),
    ] {
        assert_eq!(render(source, Destination::Plain), Ok(expect.to_owned()), "{source}");
    }
}

#[test]
fn urls() {
    for (source, expect) in [
        (
            "https://{{inputs.server}}/a/{{inputs.host}}?q={{inputs.host}}",
            Some("https://example.org/a/db%2F1%20x%3F?q=db%2F1%20x%3F"),
        ),
        ("https://h/{{upper inputs.host}}", Some("https://h/DB%2F1%20X%3F")),
        ("https://{{inputs.host}}/", None),
        ("https://h/{{inputs.up}}/x", None),
        ("https://h/.{{inputs.none}}./x", None),
        ("https://h/?x={{inputs.up}}", Some("https://h/?x=..")),
        ("{{inputs.host}}", None),
        ("https://h/../x", Some("https://h/../x")),
    ] {
        assert_eq!(render(source, Destination::Url).ok().as_deref(), expect, "{source}");
    }
}

#[test]
fn strict_everywhere() {
    for (source, expect) in [
        ("{{inputs.nowhere}}", "`inputs.nowhere` has no value"),
        ("{{#if inputs.nowhere}}x{{/if}}", "`inputs.nowhere` has no value"),
        ("{{#unless inputs.nowhere}}x{{/unless}}", "`inputs.nowhere` has no value"),
        ("{{#each inputs.nowhere}}x{{/each}}", "`inputs.nowhere` has no value"),
        ("{{inputs.tags.teir}}", "did you mean `tier`?"),
        ("{{#each inputs.hosts}}{{this.nam}}{{/each}}", "did you mean `name`?"),
        ("{{#each inputs.hosts}}{{name}}{{/each}}", "there is no `name`"),
        ("{{#each inputs.server}}x{{/each}}", "`#each` needs a list or a map"),
        ("{{join inputs.server \",\"}}", "`join` needs a list"),
        ("{{#each steps.list}}{{#each steps.list}}x{{/each}}{{/each}}", "pieces"),
        ("{{#each steps.list as |a|}}{{#each steps.list as |b|}}{{/each}}{{/each}}", "pieces"),
        ("{{#each steps.list}}{{json steps.list}}{{/each}}", "longer than"),
        ("{{#each steps.list}}{{#each steps.list}}{{#if (eq steps.list steps.list)}}{{/if}}{{/each}}{{/each}}", "too much"),
    ] {
        let error = render(source, Destination::Plain).unwrap_err();
        assert!(error.contains(expect) && !error.starts_with("parse"), "{source}: {error}");
    }
}

#[test]
fn nothing_is_no_text() {
    let said = "is nothing, and nothing is no text: ";
    for (source, expect) in [
        ("rm -rf {{inputs.none}}/", "`inputs.none` "),
        ("{{upper inputs.none}}", "`inputs.none` "),
        ("{{join inputs.none \",\"}}", "`inputs.none` "),
        ("{{len inputs.none}}", "`inputs.none` "),
        ("{{default inputs.none inputs.none}}", "this "),
        ("{{#if inputs.lag}}{{inputs.none}}{{/if}}", "`inputs.none` "),
        ("{{#each inputs.gaps}}{{this}}{{/each}}", "`this` "),
        ("{{#each inputs.rows as |row|}}{{row.name}}{{/each}}", "`this.name` "),
    ] {
        for destination in [Destination::Plain, Destination::Url] {
            let error = render(source, destination).unwrap_err();
            assert!(error.starts_with(&format!("{expect}{said}")), "{source}: {error}");
        }
    }
    let way_out = render("rm -rf {{inputs.none}}/", Destination::Plain).unwrap_err();
    assert!(way_out.ends_with("write `default inputs.none \"…\"`, or ask first whether there is one"), "{way_out}");
    let gap = render("{{join inputs.gaps \",\"}}", Destination::Plain).unwrap_err();
    assert_eq!(gap, "`join` needs a value in each place, and element 0 of the list is nothing");
    let script = ShellScript::parse("rm -rf \"{{inputs.none}}\"/", Origin::default()).unwrap();
    assert!(script.render(&fixture()).unwrap_err().message.contains(said));
}

#[test]
fn what_has_to_have_a_value_is_known_before() {
    for (source, expect) in [
        ("{{inputs.a}} {{upper inputs.b}}", "inputs.a inputs.b"),
        ("{{default inputs.a inputs.b}} {{upper (default inputs.a \"x\")}}", "inputs.b"),
        ("{{json inputs.a}}{{eq inputs.a 1}}{{not inputs.a}}", ""),
        ("{{#if inputs.a}}{{inputs.a}}{{else}}{{inputs.a}}{{/if}}", "inputs.a"),
        ("{{#unless inputs.a}}{{inputs.b}}{{else}}{{inputs.a}}{{/unless}}", "inputs.b"),
        ("{{#if (not inputs.a)}}x{{else}}{{inputs.a}}{{/if}}", ""),
        ("{{#if (eq inputs.a \"x\")}}{{inputs.a}}{{/if}}{{#if (upper inputs.a)}}x{{/if}}", "inputs.a"),
        ("{{#each inputs.a}}{{this}}{{inputs.a}}{{/each}}{{inputs.a}}", "inputs.a"),
    ] {
        let needed = Template::parse(source, Origin::default()).unwrap().needed();
        let needed: Vec<String> = needed.iter().map(|reference| reference.path.join(".")).collect();
        assert_eq!(needed.join(" "), expect, "{source}");
    }
    let script = ShellScript::parse("echo {{inputs.a}} '{{default inputs.b \"x\"}}'", Origin::default()).unwrap();
    assert_eq!(script.needed().len(), 1);
}

#[test]
fn what_could_reach_around_the_rules_is_refused() {
    for (source, expect) in [
        ("a {{{inputs.host}}}", "parse@2: raw output"),
        ("{{&inputs.host}}", "parse@0: raw output"),
        ("{{> part}}", "parse@0: partials"),
        ("{{#> part}}{{/part}}", "parse@0: decorators and partials"),
        ("{{* deco}}", "parse@0: decorators"),
        ("{{{{raw}}}}{{{{/raw}}}}", "parse@0: raw output"),
        ("{{#with inputs}}{{/with}}", "there is no block `#with`"),
        ("{{#echa inputs.hosts}}{{/echa}}", "did you mean `#each`?"),
        ("{{lookup inputs \"x\"}}", "there is no helper `lookup`"),
        ("{{uper inputs.host}}", "parse@2: there is no helper `uper`; did you mean `upper`?"),
        ("{{upper a b}}", "is used as"),
        ("{{../x}}", "looked up from the top"),
        ("{{@root.x}}", "looked up from the top"),
        ("{{this}}", "only inside `#each`"),
        ("{{@index}}", "only inside `#each`"),
        ("a {{", "parse@2: `{{` is never closed"),
        ("{{}}", "a name is missing"),
        ("{{#if inputs.no}}", "parse@"),
        ("{{#if inputs.no}}{{/each}}", "is closed by"),
        ("{{#if}}x{{/if}}", "one argument"),
        ("{{upper inputs.host style=1}}", "no named arguments"),
    ] {
        let error = render(source, Destination::Plain).unwrap_err();
        assert!(error.contains(expect), "{source}: {error}");
    }
    for (open, close) in [
        ("{{#if a}}", "{{/if}}"),
        ("{{#each a}}", "{{/each}}"),
        ("{{upper ", "}}"),
        ("{{a (", ""),
        ("{{a [", ""),
        ("{{", ""),
        ("{{#", ""),
    ] {
        for count in [100, 5_000] {
            let source = format!("{}{}", open.repeat(count), close.repeat(count));
            assert!(Template::parse(&source, Origin::default()).is_err(), "{open} {count}");
        }
    }
    let nested = format!("{{{{a {}{}}}}}", "(upper ".repeat(100), ")".repeat(100));
    assert!(Template::parse(&nested, Origin::default()).unwrap_err().message.contains("nested too deeply"));
}

#[test]
fn references_carry_their_places() {
    for (source, expect) in [
        ("inputs.a {{inputs.a}} é {{ upper inputs.b }}", "inputs.a@11 inputs.b@34"),
        ("{{#if inputs.a}}inputs.b{{else if inputs.b}}{{inputs.c}}{{/if}}", "inputs.a@6 inputs.b@34 inputs.c@46"),
        ("{{#each inputs.hosts as |host|}}{{host.name}}{{inputs.x}}{{/each}}", "inputs.hosts@8 inputs.x@47"),
        ("{{! inputs.z }}{{a.b}}{{a.b.c}}", "a.b@17 a.b.c@24"),
    ] {
        let found = Template::parse(source, Origin::default()).unwrap().references();
        let found: Vec<String> = found.iter().map(|found| format!("{}@{}", found.path.join("."), found.offset)).collect();
        assert_eq!(found.join(" "), expect, "{source}");
    }
}

#[test]
fn a_text_that_is_one_reference_keeps_its_type() {
    for (source, expect) in [
        ("{{inputs.lag}}", Value::Float(420.0)),
        ("{{ inputs.words }}", Value::List(vec![Value::text("x"), Value::Int(2)])),
        ("{{inputs.lag}} ", Value::text("420 ")),
        ("{{inputs.none}}", Value::Null),
        ("{{upper inputs.server}}", Value::text("EXAMPLE.ORG")),
        ("a {{steps.later}}", Value::Unknown("steps.later".to_owned())),
        ("x", Value::text("x")),
    ] {
        assert_eq!(Template::parse(source, Origin::default()).unwrap().value(&fixture()).unwrap(), expect, "{source}");
    }
}

#[test]
fn unknown_names_are_listed_once() {
    let template = Template::parse("{{steps.later.a}} {{steps.later.b}} {{#if steps.later}}x{{/if}}", Origin::default()).unwrap();
    let (text, unknown) = template.render(Destination::Url, &fixture()).unwrap();
    assert_eq!((text.as_str(), unknown), ("‹steps.later› ‹steps.later› ‹steps.later›", vec!["steps.later".to_owned()]));
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("{{"),
        Just("}}"),
        Just("{{inputs.host}}"),
        Just("{{#if inputs.no}}"),
        Just("{{/if}}"),
        Just("{{else}}"),
        Just("{{#each inputs.hosts}}"),
        Just("{{/each}}"),
        Just("{{this.name}}"),
        Just("{{{"),
        Just("}}}"),
        Just("{{!--"),
        Just("--}}"),
        Just("\\"),
        Just("\""),
        Just("'"),
        Just("`"),
        Just("$"),
        Just("$("),
        Just(")"),
        Just("("),
        Just("<<E"),
        Just("\nE\n"),
        Just("\n"),
        Just(" "),
        Just("#"),
        Just("a"),
        Just("é"),
        Just("~"),
        Just("[["),
        Just("${"),
        Just("}"),
        Just("eval "),
        Just("case "),
        Just("<<-'E'"),
        Just("$'"),
        Just("(("),
        Just("))"),
        Just("x="),
        Just(";"),
        Just("{{upper inputs.host}}"),
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_source_makes_it_panic(source in prop_oneof![words(), any::<String>()]) {
        if let Ok(template) = Template::parse(&source, Origin::default()) {
            for reference in template.references() {
                prop_assert!(source.get(reference.offset..).is_some_and(|rest| rest.starts_with(&reference.path[0]) || rest.starts_with('[')), "{:?}", reference);
            }
            let _ = template.render(Destination::Plain, &fixture());
            let _ = template.render(Destination::Url, &fixture());
            let _ = template.value(&fixture());
        }
        if let Ok(script) = ShellScript::parse(&source, Origin::default()) {
            let _ = script.references();
            if let Ok((rendered, _)) = script.render(&fixture()) {
                // No part of a value is ever part of the text.
                prop_assert!(!rendered.script.contains("db/1 x?"));
            }
        }
    }

    #[test]
    fn a_text_without_braces_is_itself(source in words().prop_map(|text| text.replace('{', "{ "))) {
        prop_assert_eq!(render(&source, Destination::Plain), Ok(source));
    }
}
