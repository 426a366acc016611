//! What an editor may ask, and the answer to it. A question about a document that is not open, or that has no answer, gets none.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use runbook_core::diagnostic::{Diagnostic, Source, Span};
use runbook_core::document::Document;
use runbook_core::document::test::Case;
use runbook_core::editor::{self, Lines};
use runbook_core::layout::{Unlaid, lay_out};
use runbook_core::limits;
use serde_json::{Value, json};

use super::desk::{Desk, Page};
use super::wire::Refusal;
use super::{history, say};
use crate::settings::Settings;

type Answer = Result<Value, (Refusal, String)>;

const DRY_RUN: &str = "runbook.dryRun";

/// What this server can do.
pub fn abilities() -> Value {
    json!({
        "serverInfo": {"name": "runbook", "version": env!("CARGO_PKG_VERSION")},
        "capabilities": {
            "positionEncoding": "utf-16",
            "textDocumentSync": {"openClose": true, "change": 2, "save": {"includeText": false}},
            "hoverProvider": true,
            "definitionProvider": true,
            "referencesProvider": true,
            "completionProvider": {"triggerCharacters": [".", "{", " ", "\"", "-"]},
            "renameProvider": {"prepareProvider": true},
            "codeActionProvider": {"codeActionKinds": ["quickfix"]},
            "codeLensProvider": {"resolveProvider": false},
            "documentFormattingProvider": true,
            "executeCommandProvider": {"commands": [DRY_RUN]},
        },
    })
}

/// The files that the editor should tell about when something else changes them.
pub fn watched() -> Value {
    let watchers = json!([{"globPattern": "**/*.yaml"}, {"globPattern": "**/*.yml"}]);
    let method = "workspace/didChangeWatchedFiles";
    json!({"registrations": [{"id": "files", "method": method, "registerOptions": {"watchers": watchers}}]})
}

pub fn request(method: &str, params: &Value, desk: &mut Desk, settings: &Settings) -> Answer {
    let known =
        ["hover", "definition", "references", "completion", "prepareRename", "rename", "codeAction", "codeLens", "formatting"];
    let Some(question) = method.strip_prefix("textDocument/").filter(|question| known.contains(question)) else {
        return Err((Refusal::NoSuchMethod, format!("`{method}` is not known")));
    };
    let Some(uri) = params["textDocument"]["uri"].as_str() else {
        return Err((Refusal::WrongParameters, "no document is named".to_owned()));
    };
    let Some(path) = say::path_of(uri) else { return Ok(Value::Null) };
    let Some(page) = desk.page(&path).filter(|page| page.is_ours) else { return Ok(Value::Null) };
    let answer = match question {
        "codeLens" => lenses(&page, uri),
        "codeAction" => actions(&page, uri, params, settings),
        "formatting" => formatted(page.source)?,
        _ => {
            let Some(point) = say::point_of(&params["position"]) else {
                return Err((Refusal::WrongParameters, "no place is named".to_owned()));
            };
            let at = page.offset(point);
            match question {
                "hover" => hover(&page, at, settings),
                "definition" => {
                    page.ask(|source, around| editor::definition(source, at, around)).and_then(|at| say::location(&page, &at))
                }
                "references" => {
                    let found = page.ask(|source, around| editor::references(source, at, around));
                    Some(found.iter().filter_map(|at| say::location(&page, at)).collect())
                }
                "completion" => {
                    let lines = Lines::new(&page.source.text);
                    let offers = page.ask(|source, around| editor::complete(source, at, around));
                    Some(offers.iter().enumerate().map(|(place, offer)| say::offer(offer, place, &lines)).collect())
                }
                "prepareRename" => {
                    let lines = Lines::new(&page.source.text);
                    let found = page.ask(|source, around| editor::renamed(source, at, around));
                    found.map(|(span, name)| json!({"range": say::range(&lines, span), "placeholder": name}))
                }
                _ => {
                    let Some(to) = params["newName"].as_str() else {
                        return Err((Refusal::WrongParameters, "no new name is given".to_owned()));
                    };
                    let edits = page.ask(|source, around| editor::rename(source, at, to, around));
                    Some(changes(&page, &edits.map_err(|why| (Refusal::Failed, why.to_string()))?))
                }
            }
        }
    };
    Ok(answer.unwrap_or(Value::Null))
}

fn hover(page: &Page, at: u32, settings: &Settings) -> Option<Value> {
    let found = page.ask(|source, around| editor::hover(source, at, around))?;
    let mut text = found.text;
    if let Some((procedure, step)) = &found.step
        && let Some(last) = history::last_values(procedure, step, settings)
    {
        text.push_str(&format!("\n\n{last}"));
    }
    let range = say::range(&Lines::new(&page.source.text), found.span);
    Some(json!({"contents": {"kind": "markdown", "value": text}, "range": range}))
}

fn changes(page: &Page, edits: &[editor::Edit]) -> Value {
    let mut of: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for edit in edits {
        if let Some(place) = say::location(page, &edit.at)
            && let Some(uri) = place["uri"].as_str()
        {
            of.entry(uri.to_owned()).or_default().push(json!({"range": place["range"], "newText": edit.text}));
        }
    }
    json!({"changes": of})
}

/// A dry run of a procedure, above its name, and of each case of a test, above that. A procedure that has to be given something takes it
/// from the first case of its tests.
fn lenses(page: &Page, uri: &str) -> Option<Value> {
    let file = page.catalogue.files().iter().find(|file| file.source.name == page.source.name)?;
    let lines = Lines::new(&page.source.text);
    let lens = |span: Span, title: String, arguments: Value| json!({"range": say::range(&lines, span), "command": {"title": title, "command": DRY_RUN, "arguments": arguments}});
    let uri_of = |source: &Source| page.file(&source.name).map(|(path, _)| say::uri_of(path));
    Some(match &file.document {
        Some(Document::Procedure(procedure)) => {
            let of = |test: &&_| page.catalogue.tested(test).0.is_some_and(|of| of.source.name == page.source.name);
            let case = || page.catalogue.tests().filter(of).find_map(|test| Some((test, test.cases.first()?)));
            let case = procedure.inputs.iter().any(|(_, input)| input.required).then(case).flatten();
            let span = procedure.name.span;
            match case.and_then(|(test, case)| Some((uri_of(&test.source)?, &case.name.value))) {
                Some((test, case)) => json!([lens(span, format!("dry run: {case}"), json!([uri, test, case]))]),
                None => json!([lens(span, "dry run".to_owned(), json!([uri]))]),
            }
        }
        Some(Document::Test(test)) => {
            let procedure = uri_of(&page.catalogue.tested(test).0?.source)?;
            let of = |case: &Case| lens(case.name.span, "dry run".to_owned(), json!([procedure, uri, case.name.value]));
            test.cases.iter().map(of).collect()
        }
        _ => json!([]),
    })
}

/// What the faults in a range say would mend them.
fn actions(page: &Page, uri: &str, params: &Value, settings: &Settings) -> Option<Value> {
    let (from, to) = say::range_of(&params["range"])?;
    let lines = Lines::new(&page.source.text);
    let touches = |fault: &&Diagnostic| lines.point(fault.span.start) <= to && from <= lines.point(fault.span.end);
    let path = say::path_of(uri)?;
    let action = |fault: &Diagnostic| {
        let mend = fault.suggestion.as_ref()?;
        let edit = json!({"range": say::range(&lines, mend.span), "newText": mend.replacement});
        let changes = BTreeMap::from([(uri, [edit])]);
        let shown: String = mend.replacement.chars().take(60).collect();
        Some(json!({"title": format!("write `{shown}`"), "kind": "quickfix", "isPreferred": true,
            "diagnostics": [say::diagnostic(fault, page.source, &path, &lines)], "edit": {"changes": changes}}))
    };
    Some(page.faults(settings).iter().filter(touches).filter_map(action).collect())
}

fn formatted(source: &Source) -> Result<Option<Value>, (Refusal, String)> {
    match lay_out(source) {
        Ok(text) if *text == *source.text => Ok(Some(json!([]))),
        Ok(text) => {
            let whole = say::range(&Lines::new(&source.text), Span::new(0, source.text.len()));
            Ok(Some(json!([{"range": whole, "newText": text}])))
        }
        // Its faults are shown where they stand.
        Err(Unlaid::Unread(_) | Unlaid::Foreign) => Ok(None),
        Err(why @ Unlaid::Unkept(_)) => Err((Refusal::Failed, format!("left as it is, because {why}"))),
    }
}

/// Carries out a command of a lens: what `runbook dry-run` prints of the files as they are saved. What was typed since then is not in
/// it, and that is said.
pub fn command(params: &Value, desk: &Desk, settings: &Settings) -> Result<(PathBuf, String), (Refusal, String)> {
    if params["command"] != DRY_RUN {
        return Err((Refusal::WrongParameters, "there is no such command".to_owned()));
    }
    let file = |place: usize| params["arguments"][place].as_str().and_then(say::path_of);
    let path = file(0).ok_or((Refusal::WrongParameters, "no file is named".to_owned()))?;
    let case = file(1).zip(params["arguments"][2].as_str());
    let files = [Some(&path), case.as_ref().map(|(test, _)| test)];
    let unsaved = files.into_iter().flatten().find(|file| desk.is_unsaved(file));
    let unsaved = unsaved
        .and_then(|file| file.file_name())
        .map(|name| format!("{} as it is saved: what was typed since then is not in this dry run.\n\n", name.to_string_lossy()));
    let told = printed(&path, case, settings).map_err(|why| (Refusal::Failed, format!("cannot start the dry run: {why}")))?;
    Ok((path, unsaved.unwrap_or_default() + &told))
}

fn printed(path: &Path, case: Option<(PathBuf, &str)>, settings: &Settings) -> std::io::Result<String> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["dry-run", "--color", "never"]);
    if let Ok(state) = settings.state() {
        command.arg("--state").arg(&state.value);
    }
    if let Some((test, case)) = case {
        command.arg("--with").arg(format!("{}:{case}", test.display()));
    }
    let mut child = command.arg("--").arg(path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let read = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                let _ = stream.by_ref().take(limits::EDITOR_TOLD_BYTES as u64).read_to_end(&mut bytes);
                // What is not told is read all the same, so that the child ends.
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = read(out.map(|out| Box::new(out) as Box<dyn Read + Send>));
    let err = read(err.map(|err| Box::new(err) as Box<dyn Read + Send>));
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > limits::EDITOR_COMMAND {
            child.kill()?;
            child.wait()?;
            break;
        }
        std::thread::sleep(limits::WAIT_POLL);
    }
    let told = [out.join().unwrap_or_default(), err.join().unwrap_or_default()];
    Ok(told.map(|text| text.trim_end().to_owned()).join("\n"))
}
