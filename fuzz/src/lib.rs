//! What the fuzz targets do with their bytes, and what must hold of it. Nothing here needs the fuzzer, so that the suite runs
//! every kept input again with the ordinary compiler (`engine/tests/corpora.rs`).

pub mod events;
pub mod records;

use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::render::{self, Look};
use runbook_core::diagnostic::{Diagnostic, Source};
use runbook_core::document::step::{Step, Verb};
use runbook_core::document::{Document, load_bytes, load_value};
use runbook_core::expr::{Destination, Expression, Names, Script, ShellScript, Template, Type, Types, is_whole};
use runbook_core::layout::lay_out;
use runbook_core::plan::{InputSpec, Origin};
use runbook_core::value::{Map, Value};
use runbook_engine::draft::{Commands, Wanted, from_history, from_markdown};

/// A file is answered with a document or with a fault, every place of a fault can be shown, and nothing of the file reaches the
/// terminal raw. What is valid becomes a plan that is read back as it was written.
pub fn loader(data: &[u8]) {
    let (source, document, diagnostics) = load_bytes("fuzz.yaml", data);
    let right = !diagnostics.has_errors();
    let faults = diagnostics.into_sorted();
    assert!(document.is_some() || !faults.is_empty());
    shown(&faults, &source);
    let Some(Document::Procedure(procedure)) = document else { return };
    let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
    // A step that could not be read makes no plan, and its fault was told before.
    assert!(plan.is_some() || found.has_errors() || !right);
    shown(&found.into_sorted(), &source);
    // A document with faults is checked as far as it was understood, and nobody runs its plan.
    if let Some(plan) = plan.filter(|_| right) {
        let written = serde_json::to_string(&plan).expect("a plan is written");
        let read: runbook_core::Plan = serde_json::from_str(&written).expect("a plan is read back");
        assert_eq!(read.digest().ok(), plan.digest().ok());
    }
}

fn shown(faults: &[Diagnostic], source: &Source) {
    for fault in faults.iter().take(20) {
        let text = render::to_text(fault, source, Look::Plain);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(render::to_json(fault, source).is_object());
        if let Some(suggestion) = &fault.suggestion {
            let range = suggestion.span.start as usize..suggestion.span.end as usize;
            assert!(source.text.get(range).is_some(), "{fault:?}");
        }
    }
}

/// An expression gives a value or a fault; its inferred type is that of the value; what it gives can be written down.
pub fn expressions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Script::parse(text, Origin::default()).map(|script| script.references());
    let Ok(expression) = Expression::parse(text, Origin::default()) else { return };
    let names = names();
    let _ = expression.references();
    let (inferred, faults) = expression.infer(&names);
    let Ok(value) = expression.evaluate(&names) else { return };
    let written = serde_json::to_string(&value).expect("a value is written");
    assert_eq!(serde_json::from_str::<Value>(&written).ok().as_ref(), Some(&value), "{text:?}");
    if faults.is_empty() && !matches!(value, Value::Unknown(_)) {
        let found = Type::of_value(&value);
        assert!(inferred.may_be(&found), "{text:?} is {inferred:?}, and gave {found:?}");
    }
}

/// A text is rendered or refused, in one pass: what a value holds is never read as a template.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(template) = Template::parse(text, Origin::default()) else { return };
    let names = names();
    let _ = template.references();
    for destination in [Destination::Plain, Destination::Url] {
        if let Ok((rendered, _)) = template.render(destination, &names) {
            assert!(rendered.len() <= runbook_core::limits::TEXT_BYTES);
        }
    }
    let _ = template.value(&names);
}

/// No value becomes part of a script: with two different values its text is the same.
pub fn shell(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(script) = ShellScript::parse(text, Origin::default()) else { return };
    let rendered = |value: &str| script.render(&Everything(Value::text(value))).map(|(rendered, _)| rendered);
    let (Ok(one), Ok(other)) = (rendered("one"), rendered("other")) else { return };
    assert_eq!(one.script, other.script, "{text:?}");
}

/// A declaration is read or refused, and a value it takes is taken again as it became.
pub fn inputs(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (declared, given) = text.split_once('\n').unwrap_or((text, ""));
    let head = "apiVersion: runbook/v1\nkind: Runbook\nname: a\nversion: 1.0.0\nsteps: [{set: {b: '1'}}]\ninputs:\n  x: ";
    let (_, document, diagnostics) = load_bytes("fuzz.yaml", format!("{head}{declared}\n").as_bytes());
    let Some(Document::Procedure(procedure)) = document.filter(|_| !diagnostics.has_errors()) else { return };
    let Some((name, input)) = procedure.inputs.first() else { return };
    let spec = InputSpec::of(name.value.clone(), input).value;
    let values =
        [spec.accept_text(given).ok(), load_value(&Source::new("given", given)).0.and_then(|value| spec.accept(&value).ok())];
    for value in values.into_iter().flatten() {
        assert_eq!(spec.accept(&value).ok(), Some(value), "{text:?}");
    }
}

/// A page or a history (behind `!`) becomes a draft or is refused. A draft is in form, is valid, and each script in it is whole: none has a
/// command that was torn.
pub fn drafts(data: &[u8]) {
    let name = "fuzz".parse().expect("a name");
    let drafted = match data.strip_prefix(b"!") {
        Some(history) => Commands::read(history, Wanted::default()).and_then(|commands| from_history(&name, "`a`", &commands)),
        None => from_markdown(&name, "`a`", data),
    };
    let Ok(draft) = drafted else { return };
    let source = Source::new("fuzz.yaml", draft.text);
    assert_eq!(lay_out(&source).expect("a draft is laid out"), *source.text);
    let (_, document, found) = load_bytes("fuzz.yaml", source.text.as_bytes());
    assert!(!found.has_errors(), "{}", source.text);
    let Some(Document::Procedure(procedure)) = document else { panic!("no procedure: {}", source.text) };
    procedure.steps.iter().for_each(whole);
}

fn whole(step: &Step) {
    match &step.verb.value {
        Verb::Run(run) => assert!(is_whole(&run.script.value), "{}", run.script.value),
        Verb::Group(steps) => steps.iter().for_each(whole),
        _ => {}
    }
    step.undo.iter().flat_map(|undo| &undo.value).for_each(whole);
}

/// One value for every name.
struct Everything(Value);

impl Names for Everything {
    fn value(&self, _: &str, _: Option<&str>) -> Result<Value, String> {
        Ok(self.0.clone())
    }
}

/// A few values of every type: `inputs.list`, `inputs.map`, `steps.later` (unknown), `now`.
struct Known(Map);

fn names() -> Known {
    let map = |entries: &[(&str, Value)]| Value::Map(entries.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect());
    let time = Value::Time(jiff::Timestamp::UNIX_EPOCH);
    let inputs = map(&[
        ("int", Value::Int(7)),
        ("float", Value::Float(0.5)),
        ("text", Value::text("a {{inputs.int}} ü\n")),
        ("yes", Value::Bool(true)),
        ("lag", Value::Duration(std::time::Duration::from_secs(90))),
        ("time", time.clone()),
        ("list", Value::List(vec![Value::Int(1), Value::Int(2)])),
        ("map", map(&[("a", Value::Int(1)), ("b", Value::text("x"))])),
        ("none", Value::Null),
    ]);
    let steps = map(&[("later", Value::Unknown("steps.later".to_owned())), ("done", map(&[("stdout", Value::text("5\n"))]))]);
    Known(Map::from([("inputs".to_owned(), inputs), ("steps".to_owned(), steps), ("now".to_owned(), time)]))
}

impl Names for Known {
    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        let found = self.0.get(root).ok_or("no such name")?;
        match member {
            None => Ok(found.clone()),
            Some(member) => found.get(member).cloned().ok_or_else(|| "no such member".to_owned()),
        }
    }
}

impl Types for Known {
    fn of(&self, root: &str, member: Option<&str>) -> Result<Type, String> {
        Ok(self.value(root, member).map_or(Type::Any, |value| Type::of_value(&value)))
    }
}
