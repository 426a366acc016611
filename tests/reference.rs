//! What `docs/format.md` says is so: each of its examples is checked, and each word of the language stands in it.
//!
//! A block fenced `yaml` is a whole document; `yaml keys` are keys at the top of a procedure; `yaml steps` are steps. The parts stand
//! in a procedure that declares what they name, in the workspace that the reference itself shows.

use std::path::Path;

use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::{Code, Diagnostic, Source};
use runbook_core::document::input::InputType;
use runbook_core::document::step::Verb;
use runbook_core::document::{Document, Procedure, Workspace, load};
use runbook_core::effect::Effect;
use runbook_core::vocabulary::{self, Type};

/// Keys of a procedure around a part, each left out where the part has its own.
const AROUND: [(&str, &str); 6] = [
    ("version", "version: 1.0.0"),
    ("owner", "owner: team"),
    ("impact", "impact: high"),
    ("escalation", "escalation: database"),
    ("secrets", "secrets: {token: {env: API_TOKEN}}"),
    (
        "inputs",
        "inputs: {replica: {type: host}, max_lag: {type: duration}, path: {type: path}, service: {type: string}, \
         ticket: {type: string}, count: {type: integer}, hosts: {type: list, items: {type: host}}}",
    ),
];

const BEFORE: &str = "\
steps:
  - id: lag
    run: echo 4
    effect: read
    outputs: {seconds: result.stdout.trim().parse_float()}
";

const CALLED: &str = "\
apiVersion: runbook/v1
kind: Runbook
name: pg-rebuild-replica
version: 2.1.0
inputs: {replica: {type: host}}
steps: [{run: 'echo {{inputs.replica}}', effect: read}]
";

fn page(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above its crates");
    std::fs::read_to_string(root.join(name)).expect("a page of the repository")
}

/// The blocks of a page whose fence begins with `yaml`: what is behind that, the line of the fence, and the text.
fn blocks(page: &str) -> Vec<(String, usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```yaml") else { continue };
        let text = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```").collect::<Vec<_>>().join("\n");
        blocks.push((kind.trim().to_owned(), number + 1, text + "\n"));
    }
    blocks
}

/// The document of a block, with what it needs around it.
fn whole(kind: &str, text: &str) -> String {
    let mut document = "apiVersion: runbook/v1\nkind: Runbook\nname: part\n".to_owned();
    let own = |key: &str| text.lines().any(|line| line.starts_with(&format!("{key}:")));
    match kind {
        "" => return text.to_owned(),
        "keys" | "steps" => {
            for (_, line) in AROUND.iter().filter(|(key, _)| kind == "steps" || !own(key)) {
                document.push_str(line);
                document.push('\n');
            }
            if kind == "keys" {
                document.push_str(text);
            }
            document.push_str(BEFORE);
            if kind == "steps" {
                text.lines().for_each(|line| document.push_str(&format!("  {line}\n")));
            }
        }
        other => panic!("no block is called `yaml {other}`"),
    }
    document
}

fn said(faults: impl IntoIterator<Item = Diagnostic>) -> Vec<String> {
    // What only the text around a part leaves unused is no fault of the part.
    let of_around = [Code::RB0216, Code::RB0217];
    faults.into_iter().filter(|d| !of_around.contains(&d.code)).map(|d| format!("{} {}", d.code.as_str(), d.message)).collect()
}

fn procedure(name: &str, text: &str) -> (Option<Procedure>, Vec<String>) {
    let (document, faults) = load(&Source::new(name, text));
    match document {
        Some(Document::Procedure(procedure)) => (Some(*procedure), said(faults.into_sorted())),
        _ => (None, said(faults.into_sorted())),
    }
}

fn workspace_of(name: &str) -> Option<Workspace> {
    let (_, _, text) = blocks(&page(name)).into_iter().find(|(_, _, text)| text.contains("kind: Workspace"))?;
    match load(&Source::new("workspace.yaml", text)) {
        (Some(Document::Workspace(workspace)), faults) => {
            assert_eq!(said(faults.into_sorted()), Vec::<String>::new());
            Some(*workspace)
        }
        _ => panic!("the workspace of {name} is not one"),
    }
}

/// The keys of the first table behind a heading.
fn table<'p>(page: &'p str, heading: &str) -> Vec<&'p str> {
    let (_, section) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split(", ")).map(|key| key.trim().trim_matches('`')).collect()
}

#[test]
fn keys_stand_in_their_canonical_order() {
    let page = page("docs/format.md");
    let member = |of: &'static Type, key: &str| of.member(key).unwrap_or_else(|| panic!("there is no {key}"));
    let playbook = vocabulary::of_kind(Some("Playbook"));
    let (Some(step), Type::Map(_, input)) = (member(playbook, "steps").item(), member(playbook, "inputs")) else { panic!() };
    let trigger = member(playbook, "triggers").item().expect("triggers are a list");
    let tables = [
        ("## The top of a procedure", playbook),
        ("### Triggers", trigger),
        ("## Inputs", *input),
        ("## Steps", step),
        ("## wait", member(step, "wait")),
        ("## approve", member(step, "approve")),
        ("## each", member(step, "each")),
    ];
    for (heading, of) in tables {
        // Verbs have sections of their own, and so has what stands beside them.
        let elsewhere = |key: &&vocabulary::Key| heading == "## Steps" && (Verb::KEYS.contains(&key.name) || key.beside.is_some());
        let keys = of.shape().expect("it has keys").keys.iter().filter(|key| !elsewhere(key));
        assert_eq!(table(&page, heading), keys.map(|key| key.name).collect::<Vec<_>>(), "{heading}");
    }
}

#[test]
fn every_example_is_right() {
    let called = procedure("called", CALLED).0.expect("a procedure to call");
    let mut wrong = Vec::new();
    for name in ["docs/format.md", "README.md", "CONTRIBUTING.md"] {
        let workspace = workspace_of(name).or_else(|| workspace_of("docs/format.md")).expect("the reference shows a workspace");
        for (kind, line, text) in blocks(&page(name)) {
            let text = whole(&kind, &text);
            let place = format!("{name}:{line}");
            let (found, mut faults) = procedure(&place, &text);
            if let Some(found) = found {
                let catalogue = Catalogue::new([&found, &called], Some(&workspace));
                faults.extend(said(check(&found, &catalogue, &CheckOptions::default()).1.into_sorted()));
            }
            wrong.extend(faults.into_iter().map(|fault| format!("{place}: {fault}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_word_of_the_language_is_there() {
    let reference = page("docs/format.md");
    let verbs = Verb::KEYS.iter().map(|verb| format!("\n## {verb}\n"));
    let types = InputType::ALL.iter().map(|(name, _)| format!("\n| `{name}` |"));
    let effects = Effect::ALL.iter().map(|effect| format!("\n| `{effect}` |"));
    let words = verbs.chain(types).chain(effects);
    let missing: Vec<String> = words.filter(|word| !reference.contains(word)).collect();
    assert!(missing.is_empty(), "not in docs/format.md: {missing:?}");
}

#[test]
fn every_link_leads_somewhere() {
    let reference = page("docs/format.md");
    let anchors: Vec<String> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("## ").or(line.strip_prefix("### ")))
        .map(|title| format!("#{}", title.to_lowercase().replace(' ', "-")))
        .collect();
    let links = reference.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|link| link.starts_with('#'));
    let lost: Vec<&str> = links.filter(|link| !anchors.iter().any(|anchor| anchor == link)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn every_dependency_has_its_reason() {
    let reasons = page("CONTRIBUTING.md");
    let mut silent = Vec::new();
    for manifest in ["engine/core/Cargo.toml", "engine/Cargo.toml", "engine/server/Cargo.toml", "cli/Cargo.toml"] {
        let mut inside = false;
        for line in page(manifest).lines() {
            if line.starts_with('[') {
                inside = line.ends_with("dependencies]");
            } else if inside
                && let Some((name, _)) = line.split_once(" = ")
                && !name.starts_with("runbook-")
                && !reasons.contains(&format!("`{name}`"))
            {
                silent.push(format!("{manifest}: {name}"));
            }
        }
    }
    assert!(silent.is_empty(), "say in CONTRIBUTING.md why:\n{}", silent.join("\n"));
}

/// Whether a file has this test, one that is not left out; or, of the simulation, this judge, whom every seed is brought before.
fn tries(text: &str, name: &str) -> bool {
    if text.contains(&format!("pub fn {name}(case: &Case<'_>)")) {
        return true;
    }
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let begins = |line: &str| line.trim_start_matches("async ").starts_with(&format!("fn {name}()"));
    let Some(place) = lines.iter().position(|line| begins(line)) else { return false };
    let said: Vec<&&str> = lines[..place].iter().rev().take_while(|line| line.starts_with("#[")).collect();
    let has = |word: &str| said.iter().any(|line| line.starts_with(word));
    (has("#[test]") || has("#[tokio::test")) && !has("#[ignore")
}

#[test]
fn every_promise_has_its_tests() {
    let promises = page("tests/promises.md");
    let named = promises.split('`').skip(1).step_by(2).filter_map(|name| name.split_once("::"));
    let (mut lost, mut count) = (Vec::new(), 0);
    for (file, test) in named {
        count += 1;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        if !std::fs::read_to_string(path).is_ok_and(|text| tries(&text, test)) {
            lost.push(format!("{file}::{test}"));
        }
    }
    assert!(lost.is_empty(), "no tests: {lost:#?}");
    let rows = promises.lines().filter(|line| line.starts_with("| ")).count();
    let tried = promises.lines().filter(|line| line.starts_with("| ") && line.contains("::")).count();
    assert!(tried > 40 && tried == rows - 1 && count >= tried, "{tried} of {rows} rows name a test");
}
