//! A keystroke in a large file, from the editor's side: from the change that is sent to the faults that are told.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::editor::{Editor, uri};
use crate::{PAIRS, RUNBOOK, Reach, Row, fastest, procedure, timed};

/// 2,000 steps, each with a name and a script with a value in them, an output, and a condition that reads that of the one before.
fn large() -> String {
    let step = |n: usize| {
        let before = n
            .checked_sub(1)
            .map(|before| format!("\"step_{before}\" in steps && steps.step_{before}.said.len() > 0 && "))
            .unwrap_or_default();
        format!(
            "- id: step_{n}\n  name: Look at {{{{inputs.host}}}}, number {n}\n  if: '{before}inputs.size > 1'\n  \
             run: echo {{{{inputs.host}}}} again\n  effect: read\n  outputs: {{said: result.stdout.trim()}}\n"
        )
    };
    let steps: String = (0..2_000).map(step).collect();
    procedure(&steps).replacen("steps:", "inputs: {host: {type: host}, size: {type: integer}}\nsteps:", 1)
}

pub fn keystroke(folder: &Path) -> Row {
    let folder = folder.join("typing");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("bench.yaml");
    let text = large();
    std::fs::write(&path, &text).expect("a file");
    let (mut editor, _) = Editor::start(Command::new(RUNBOOK).arg("lsp"), &folder);
    let file = uri(&path);
    editor.open(&file, &text);
    assert!(editor.diagnostics(&file).is_empty(), "the file has faults");
    // Somebody types in the name of a step in the middle.
    let line = text.lines().position(|line| line.contains("number 500")).expect("the step is there");
    let mut version = 1;
    let times = (0..3 * PAIRS).map(|_| {
        version += 1;
        let place = json!({"line": line, "character": 10});
        let change = json!({"range": {"start": place, "end": place}, "text": "x"});
        timed(&mut || {
            let document = json!({"uri": file, "version": version});
            editor.notify("textDocument/didChange", json!({"textDocument": document, "contentChanges": [change]}));
            assert!(editor.diagnostics(&file).is_empty(), "the file has faults");
        })
    });
    let measured = Some(fastest(times.map(|time| time.as_secs_f64() * 1e3).collect()));
    editor.close();
    let what = "a keystroke among 2,000 steps";
    Row { what, against: "until its faults are told", measured, unit: "ms", reach: Reach::AtMost(50.0) }
}
