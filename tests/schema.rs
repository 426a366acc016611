//! The JSON Schema of the language against the decoder: what one of them takes, and which keys it refuses. And against the editor's
//! own program: `yaml-language-server` completes verbs by it, and refuses what is no key.

mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use runbook_core::diagnostic::{Code, Diagnostics, Source};
use runbook_core::document::{load, load_value};
use runbook_core::vocabulary;
use serde_json::{Value, json};

use crate::harness::editor::{Editor, uri};
use crate::harness::program::Runbook;
use crate::harness::{Scratch, find_program};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above its crates").to_owned()
}

/// Every document of the repository that the decoder takes, as JSON.
fn documents() -> Vec<(String, Value)> {
    let mut open =
        ["runbooks", "examples", "cli/src/commands/init", "engine/core/src/vocabulary/tests"].map(|f| root().join(f)).to_vec();
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).expect("a folder of the repository").map(|e| e.expect("its entries").path()));
        } else if path.extension().is_some_and(|e| e == "yaml") {
            let source = Source::new(path.to_string_lossy(), std::fs::read_to_string(&path).expect("a file of the repository"));
            assert!(!load(&source).1.has_errors(), "{}: {:?}", path.display(), load(&source).1);
            let value = load_value(&source).0.expect("what is a document is data");
            found.push((path.display().to_string(), serde_json::to_value(value).expect("data is JSON")));
        }
    }
    assert!(found.len() > 20, "there are {} documents", found.len());
    found
}

fn validator() -> Validator {
    jsonschema::draft7::new(&vocabulary::schema()).expect("the schema is one")
}

fn decoded(document: &Value) -> Diagnostics {
    load(&Source::new("mutant.yaml", document.to_string())).1
}

/// The places of a document: maps and other values.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| places(value, &format!("{at}/{}", escaped(key)), found)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, value)| places(value, &format!("{at}/{n}"), found)),
        _ => {}
    }
}

/// Changes the document at each place in turn.
fn mutants(document: &Value, mut change: impl FnMut(&mut Value) -> bool, mut judge: impl FnMut(&Value, &str)) -> usize {
    let mut all = Vec::new();
    places(document, "", &mut all);
    let mut made = 0;
    for place in all {
        let mut mutant = document.clone();
        if change(mutant.pointer_mut(&place).expect("the place is there")) {
            judge(&mutant, &place);
            made += 1;
        }
    }
    made
}

#[test]
fn what_the_decoder_takes_the_schema_takes() {
    let schema = validator();
    for (name, document) in documents() {
        let faults: Vec<String> = schema.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}

#[test]
fn an_unknown_key_is_refused_by_both_or_by_none() {
    let schema = validator();
    let mut made = 0;
    for (name, document) in documents() {
        let unknown = |value: &mut Value| value.as_object_mut().map(|map| map.insert("strange".to_owned(), json!("x"))).is_some();
        made += mutants(&document, unknown, |mutant, place| {
            // Names that exist are beyond a schema; the codes of the first hundred are about the shape of a document.
            let faults = decoded(mutant);
            let misshapen = faults.iter().any(|fault| fault.code < Code::RB0101);
            assert_eq!(schema.is_valid(mutant), !misshapen, "{name}{place}: {faults:?}");
        });
    }
    assert!(made > 500, "{made} keys were tried");
}

#[test]
fn the_schema_refuses_nothing_that_the_decoder_takes() {
    let schema = validator();
    let mut refused = 0;
    // These hold every key.
    for (name, document) in documents().into_iter().filter(|(name, _)| name.contains("vocabulary")) {
        for other in
            [json!(5), json!(-1), json!(0.5), json!(true), json!("x"), json!("10%"), json!([]), json!([{}]), json!({}), json!(null)]
        {
            let replace = |value: &mut Value| {
                *value = other.clone();
                true
            };
            mutants(&document, replace, |mutant, place| {
                if !schema.is_valid(mutant) {
                    refused += 1;
                    assert!(decoded(mutant).has_errors(), "{name}{place}: the schema refuses {other}, and the decoder does not");
                }
            });
        }
        let remove = |value: &mut Value| {
            let Some(map) = value.as_object_mut() else { return false };
            let first = map.keys().next().cloned();
            first.and_then(|first| map.remove(&first)).is_some()
        };
        mutants(&document, remove, |mutant, place| {
            if !schema.is_valid(mutant) {
                assert!(decoded(mutant).has_errors(), "{name}{place}: a key that may be left out");
            }
        });
    }
    assert!(refused > 1000, "{refused} values were refused");
}

#[test]
fn an_editor_completes_verbs_by_it_and_refuses_what_is_no_key() {
    let catalogue = Scratch::new();
    let made = Runbook::over(catalogue.path()).run(["init".into(), catalogue.path().as_os_str().to_owned()]);
    assert_eq!(made.code, 0, "{made:?}");
    let program = root().join("target/editors/node_modules/yaml-language-server/bin/yaml-language-server");
    assert!(program.is_file(), "run tests/setup.sh");
    let (mut editor, _) = Editor::start(Command::new(find_program("node")).arg(program).arg("--stdio"), catalogue.path());
    let path = catalogue.join("hello.yaml");
    let (file, hello) = (uri(&path), std::fs::read_to_string(&path).expect("init wrote it"));
    editor.open(&file, &hello);
    assert_eq!(editor.diagnostics(&file), Vec::<Value>::new(), "what `init` writes");

    let wrongs = [
        ("effect: read", "efect: read", "Property efect is not allowed."),
        ("effect: read", "effect: reed", "Value is not accepted."),
        ("approve:", "aprove:", "Property aprove is not allowed."),
        ("kind: Runbook", "kind: Playbook", "Missing property \"triggers\"."),
        ("version: 1.0.0", "version: 1.0", "Incorrect type."),
    ];
    for (version, (from, to, said)) in (2..).zip(wrongs) {
        editor.change(&file, version, &hello.replacen(from, to, 1));
        harness::eventually(said, || {
            let faults = editor.diagnostics(&file);
            faults.iter().any(|fault| fault["message"].as_str().is_some_and(|message| message.starts_with(said))).then_some(())
        });
    }

    let typed = format!("{hello}  - w");
    editor.change(&file, 9, &typed);
    let place = json!({"line": typed.lines().count() - 1, "character": 5});
    let offered = editor.request("textDocument/completion", json!({"textDocument": {"uri": file}, "position": place}));
    let labels: Vec<&str> = offered["items"].as_array().expect("a list").iter().filter_map(|item| item["label"].as_str()).collect();
    for verb in runbook_core::document::step::Verb::KEYS {
        assert!(labels.contains(&verb), "`{verb}` is not offered: {labels:?}");
    }
    let hover = json!({"textDocument": {"uri": file}, "position": {"line": hello.lines().position(|l| l.contains("undo:")), "character": 6}});
    assert!(editor.request("textDocument/hover", hover).to_string().contains("How it is taken back"));
}
