//! `runbook lsp`, as an editor meets it: over its standard streams, with documents that are being typed.

#[path = "../harness/mod.rs"]
mod harness;

mod neovim;
mod protocol;

use std::path::PathBuf;

use serde_json::{Value, json};

use harness::editor::{Editor, uri};
use harness::program::Runbook;

const BOOK: &str = "\
apiVersion: runbook/v1
kind: Runbook
name: book
version: 1.0.0
inputs:
  host: {type: host, default: web-1, description: Where it runs}
steps:
  - id: look
    name: Look 🔭 at {{inputs.host}}
    run: echo 🔭{{inputs.host}}
    effect: read
  - id: deep
    call: other@^1
  - check: [{that: steps.look.exit_code == 0}]
";

const OTHER: &str = "\
apiVersion: runbook/v1
kind: Runbook
name: other
version: 1.0.0
steps:
  - id: inside
    run: echo hello
    effect: read
";

const TEST: &str = "\
apiVersion: runbook/v1
kind: Test
procedure: book
cases:
  - name: one
    steps: {look: {stdout: x}, deep/inside: ok}
    expect: {outcome: succeeded, steps: [look, deep/inside]}
";

const WORKSPACE: &str = "apiVersion: runbook/v1\nkind: Workspace\nname: shelf\n";

/// A catalogue of files, and an editor that has some of them open.
struct Shelf {
    program: Runbook,
    editor: Editor,
    version: u32,
}

impl Shelf {
    fn new() -> Shelf {
        let program = Runbook::alone();
        let folder = program.scratch.folder("shelf");
        for (name, text) in [("book.yaml", BOOK), ("other.yaml", OTHER), ("book.test.yaml", TEST), ("workspace.yaml", WORKSPACE)] {
            std::fs::write(folder.join(name), text).expect("a file is written");
        }
        let (editor, able) = Editor::start(&mut program.command(["lsp"]), &folder);
        assert_eq!(able["capabilities"]["positionEncoding"], "utf-16");
        Shelf { program, editor, version: 10 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.program.scratch.join("shelf").join(name)
    }

    fn uri(&self, name: &str) -> String {
        uri(&self.path(name))
    }

    /// Opens a file, and gives what is wrong with it.
    fn open(&mut self, name: &str, text: &str) -> Vec<String> {
        let uri = self.uri(name);
        self.editor.open(&uri, text);
        self.faults(name)
    }

    /// Writes a file anew, and gives what is wrong with that.
    fn write(&mut self, name: &str, text: &str) -> Vec<String> {
        self.version += 1;
        let uri = self.uri(name);
        self.editor.change(&uri, self.version, text);
        loop {
            let told = self.editor.told("textDocument/publishDiagnostics", Some(&uri));
            if told["version"] == self.version {
                return said(&told["diagnostics"]);
            }
        }
    }

    /// The code and place of each fault.
    fn faults(&mut self, name: &str) -> Vec<String> {
        let uri = self.uri(name);
        said(&Value::from(self.editor.diagnostics(&uri)))
    }

    /// Asks about the first place where `what` stands in a text.
    fn at(&mut self, method: &str, name: &str, text: &str, what: &str, more: Value) -> Value {
        let uri = self.uri(name);
        let mut params = json!({"textDocument": {"uri": uri}, "position": place(text, what)});
        if let (Some(params), Some(more)) = (params.as_object_mut(), more.as_object()) {
            params.extend(more.clone());
        }
        self.editor.request(&format!("textDocument/{method}"), params)
    }
}

fn said(faults: &Value) -> Vec<String> {
    let place = |at: &Value| format!("{}:{}", at["line"], at["character"]);
    let said = |fault: &Value| {
        let (start, end) = (place(&fault["range"]["start"]), place(&fault["range"]["end"]));
        format!("{} {start}-{end}", fault["code"].as_str().unwrap_or_default())
    };
    faults.as_array().expect("a list").iter().map(said).collect()
}

/// Where a text begins in another, counted by nothing of ours.
fn place(text: &str, what: &str) -> Value {
    let at = text.find(what).unwrap_or_else(|| panic!("{what:?} does not stand there"));
    let line = text[..at].matches('\n').count();
    let column: usize = text[..at].chars().rev().take_while(|c| *c != '\n').map(char::len_utf16).sum();
    json!({"line": line, "character": column})
}

/// What a text becomes by edits, the last first.
fn edited(text: &str, edits: &Value) -> String {
    let offset = |at: &Value| {
        let (line, mut column) = (at["line"].as_u64().expect("a line"), at["character"].as_u64().expect("a column"));
        let start: usize = text.split_inclusive('\n').take(usize::try_from(line).expect("a line")).map(str::len).sum();
        let mut end = start;
        for c in text[start..].chars() {
            if column == 0 {
                break;
            }
            column -= c.len_utf16() as u64;
            end += c.len_utf8();
        }
        end
    };
    let mut edits: Vec<(usize, usize, &str)> = edits
        .as_array()
        .expect("a list")
        .iter()
        .map(|e| (offset(&e["range"]["start"]), offset(&e["range"]["end"]), e["newText"].as_str().expect("a text")))
        .collect();
    edits.sort_unstable();
    let mut text = text.to_owned();
    edits.iter().rev().for_each(|(from, to, new)| text.replace_range(*from..*to, new));
    text
}

#[test]
fn faults_are_told_as_one_types() {
    let mut shelf = Shelf::new();
    assert_eq!(shelf.open("book.yaml", BOOK), Vec::<String>::new());
    // Behind a character of two units.
    let wrong = BOOK.replace("🔭{{inputs.host}}", "🔭{{inputs.hst}}");
    assert_eq!(shelf.write("book.yaml", &wrong), ["RB0102 9:18-9:28"]);
    // As editors write: a piece of it.
    let uri = shelf.uri("book.yaml");
    let change = json!({"range": {"start": {"line": 9, "character": 26}, "end": {"line": 9, "character": 26}}, "text": "o"});
    shelf.editor.notify("textDocument/didChange", json!({"textDocument": {"uri": uri, "version": 9}, "contentChanges": [change]}));
    assert_eq!(shelf.faults("book.yaml"), Vec::<String>::new());
    // A broken file, and a mended one.
    assert_eq!(shelf.write("book.yaml", "apiVersion: runbook/v1\nkind: [\n")[0].split(' ').next(), Some("RB0001"));
    assert_eq!(shelf.write("book.yaml", BOOK), Vec::<String>::new());
    // The workspace, and what it makes of the others.
    let strict = format!("{WORKSPACE}environments: {{a: {{}}, b: {{}}}}\ngroups: {{nobody: []}}\n");
    assert_eq!(shelf.open("workspace.yaml", &strict), ["RB0407 4:9-4:15"]);
    assert_eq!(shelf.editor.close(), Some(0));
}

#[test]
fn what_is_open_counts_and_not_what_is_on_the_disk() {
    let mut shelf = Shelf::new();
    assert_eq!(shelf.open("book.yaml", BOOK), Vec::<String>::new());
    assert_eq!(shelf.open("other.yaml", OTHER), Vec::<String>::new());
    // Whoever calls what is being written is told.
    let _ = shelf.faults("book.yaml");
    assert_eq!(shelf.write("other.yaml", &OTHER.replace("1.0.0", "2.0.0")), Vec::<String>::new());
    assert_eq!(shelf.faults("book.yaml"), ["RB0302 12:10-12:18"]);
    // Closed, it is again what is on the disk.
    let uri = shelf.uri("other.yaml");
    shelf.editor.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}}));
    assert_eq!(shelf.faults("other.yaml"), Vec::<String>::new());
    assert_eq!(shelf.faults("book.yaml"), Vec::<String>::new());
    // What another program writes is told by the editor.
    std::fs::write(shelf.path("other.yaml"), OTHER.replace("1.0.0", "2.0.0")).expect("a file is written");
    shelf.editor.notify("workspace/didChangeWatchedFiles", json!({"changes": []}));
    assert_eq!(shelf.faults("book.yaml"), ["RB0302 12:10-12:18"]);
    // A file that is not there yet, in a catalogue that is.
    let new = BOOK.replace("name: book", "name: new").replace("call: other@^1", "call: other@^2");
    assert_eq!(shelf.open("new.yaml", &new), Vec::<String>::new());
}

#[test]
fn a_calendar_is_there_again_when_its_name_is() {
    let mut shelf = Shelf::new();
    let calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n\
        DTSTART:20260105T090000Z\r\nDTEND:20260112T090000Z\r\nSUMMARY:ada\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    std::fs::write(shelf.path("web.ics"), calendar).expect("a file is written");
    assert_eq!(shelf.open("workspace.yaml", WORKSPACE), Vec::<String>::new());
    let kept = |name: &str| format!("{WORKSPACE}people: {{ada: {{}}}}\nrotations: {{web: {{calendar: {name}, zone: UTC}}}}\n");
    assert_eq!(shelf.write("workspace.yaml", &kept("web.ics")), Vec::<String>::new());
    assert_eq!(shelf.write("workspace.yaml", &kept("web.icsx"))[0].split(' ').next(), Some("RB0323"));
    assert_eq!(shelf.write("workspace.yaml", "apiVersion: runbook/v1\nkind: [\n")[0].split(' ').next(), Some("RB0001"));
    assert_eq!(shelf.write("workspace.yaml", &kept("web.ics")), Vec::<String>::new());
}

#[test]
fn what_is_unsaved_moves_with_its_folder() {
    let mut shelf = Shelf::new();
    std::fs::remove_file(shelf.path("workspace.yaml")).expect("it is there");
    std::fs::create_dir(shelf.path("sub")).expect("a folder");
    std::fs::write(shelf.path("sub/other.yaml"), OTHER).expect("a file is written");
    assert_eq!(shelf.open("sub/book.yaml", BOOK), Vec::<String>::new());
    assert_eq!(shelf.open("sub/other.yaml", OTHER), Vec::<String>::new());
    let wrong = BOOK.replace("other@^1", "other@^9");
    assert_eq!(shelf.write("sub/book.yaml", &wrong), ["RB0302 12:10-12:18"]);
    // The folder above becomes their home.
    std::fs::remove_file(shelf.path("book.yaml")).expect("it is there");
    std::fs::remove_file(shelf.path("other.yaml")).expect("it is there");
    std::fs::write(shelf.path("workspace.yaml"), WORKSPACE).expect("a file is written");
    let _ = shelf.write("sub/other.yaml", &OTHER.replace("echo hello", "echo you"));
    assert_eq!(shelf.faults("sub/book.yaml"), ["RB0302 12:10-12:18"]);
}

#[test]
fn a_file_of_a_folder_that_is_not_there_yet_and_one_behind_a_link() {
    let mut shelf = Shelf::new();
    assert_eq!(shelf.open("other.yaml", OTHER), Vec::<String>::new());
    std::os::unix::fs::symlink(shelf.path("book.yaml"), shelf.path("link.yaml")).expect("a link");
    assert_eq!(shelf.open("link.yaml", BOOK), Vec::<String>::new());
    std::fs::remove_file(shelf.path("workspace.yaml")).expect("it is there");
    let wrong = OTHER.replace("effect: read", "effekt: read");
    assert_eq!(shelf.open("new/one.yaml", &wrong), ["RB0206 6:4-6:7", "RB0010 7:4-7:10"]);
}

#[test]
fn of_twins_the_first_by_name_is_the_one_that_counts() {
    let mut shelf = Shelf::new();
    assert_eq!(shelf.open("other.yaml", OTHER), Vec::<String>::new());
    // One that is not on the disk yet, and stands before the other all the same.
    let _ = shelf.open("a.yaml", OTHER);
    let uri = shelf.uri("other.yaml");
    let told = shelf.editor.told("textDocument/publishDiagnostics", Some(&uri));
    assert!(told["diagnostics"][0]["message"].as_str().expect("a message").contains("a.yaml"), "{told}");
}

#[test]
fn what_is_said_of_a_step_has_its_last_values() {
    let mut shelf = Shelf::new();
    let _ = shelf.open("book.yaml", BOOK);
    let before = shelf.at("hover", "book.yaml", BOOK, "look.exit", json!({}));
    let text = before["contents"]["value"].as_str().expect("a text");
    assert!(text.contains("- `exit_code`: integer") && !text.contains("Last time"), "{text}");
    assert!(!shelf.program.state().exists(), "a question makes no state folder");

    let ran = shelf.program.run(["exec", "--yes", &shelf.path("book.yaml").to_string_lossy(), "-i", "host=db-1"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let after = shelf.at("hover", "book.yaml", BOOK, "look.exit", json!({}));
    let text = after["contents"]["value"].as_str().expect("a text");
    assert!(text.contains("Last time, in run") && text.contains("- `stdout`: `🔭db-1`"), "{text}");
    assert!(!text.contains("`log`"), "no expression may read it: {text}");
    assert_eq!(after["range"]["start"]["line"], 13);

    const NOTHING: &str = "apiVersion: runbook/v1\nkind: Runbook\nname: nothing\nversion: 1.0.0\nsteps:\n  - id: known\n    set: {one: '()', \
                           two: '\"\"'}\n  - check: [{that: steps.known.one == ()}]\n";
    let path = shelf.path("nothing.yaml");
    std::fs::write(&path, NOTHING).expect("a file is written");
    let ran = shelf.program.run(["exec", "--yes", &path.to_string_lossy()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let _ = shelf.open("nothing.yaml", NOTHING);
    let after = shelf.at("hover", "nothing.yaml", NOTHING, "known.one", json!({}));
    let text = after["contents"]["value"].as_str().expect("a text");
    assert!(text.contains("- `one`: `()`\n- `two`: "), "{text}");
}

#[test]
fn last_values_have_no_secrets() {
    const HUSH: &str = "apiVersion: runbook/v1\nkind: Runbook\nname: hush\nversion: 1.0.0\nsecrets: {word: {env: WORD}}\nsteps:\n  \
                        - id: look\n    run: echo it is $WORD\n    env: {WORD: secrets.word}\n    effect: read\n    outputs: {said: \
                        result.stdout.trim()}\n  - check: [{that: steps.look.said != \"\"}]\n";
    let mut shelf = Shelf::new();
    let path = shelf.path("hush.yaml");
    std::fs::write(&path, HUSH).expect("a file is written");
    let mut ran = shelf.program.command(["exec", "--yes"]);
    assert!(ran.arg(&path).env("WORD", "canary-of-hover").status().expect("the program starts").success());
    assert_eq!(shelf.open("hush.yaml", HUSH), Vec::<String>::new());
    let found = shelf.at("hover", "hush.yaml", HUSH, "look.said", json!({}));
    let text = found["contents"]["value"].as_str().expect("a text");
    assert!(text.contains("- `said`: `it is ***`") && !text.contains("canary"), "{text}");
}

#[test]
fn one_goes_to_what_is_named() {
    let mut shelf = Shelf::new();
    let _ = shelf.open("book.yaml", BOOK);
    let _ = shelf.open("book.test.yaml", TEST);
    for (name, text, what, file, place_of) in [
        ("book.yaml", BOOK, "other@^1", "other.yaml", place(OTHER, "other\n")),
        ("book.yaml", BOOK, "look.exit", "book.yaml", place(BOOK, "look\n")),
        ("book.yaml", BOOK, "host}}\n    effect", "book.yaml", place(BOOK, "host: {type")),
        ("book.test.yaml", TEST, "inside: ok", "other.yaml", place(OTHER, "inside")),
        ("book.test.yaml", TEST, "look: {", "book.yaml", place(BOOK, "look\n")),
    ] {
        let found = shelf.at("definition", name, text, what, json!({}));
        assert_eq!((&found["uri"], &found["range"]["start"]), (&json!(shelf.uri(file)), &place_of), "{what}");
    }
    assert_eq!(shelf.at("definition", "book.yaml", BOOK, "echo", json!({})), Value::Null);
    let all = shelf.at("references", "book.yaml", BOOK, "look\n", json!({"context": {"includeDeclaration": true}}));
    assert_eq!(all.as_array().map(Vec::len), Some(4), "{all}");
}

#[test]
fn a_step_has_another_name_everywhere() {
    let mut shelf = Shelf::new();
    let _ = shelf.open("book.yaml", BOOK);
    let asked = shelf.at("prepareRename", "book.yaml", BOOK, "look.exit", json!({}));
    assert_eq!(asked["placeholder"], "look");
    let edits = shelf.at("rename", "book.yaml", BOOK, "look.exit", json!({"newName": "seen"}));
    let changed = |name: &str, text: &str| edited(text, &edits["changes"][uri(&shelf.path(name))]);
    assert_eq!(changed("book.yaml", BOOK), BOOK.replace("id: look", "id: seen").replace("steps.look", "steps.seen"));
    assert_eq!(changed("book.test.yaml", TEST), TEST.replace("look", "seen"));
    assert_eq!(edits["changes"].as_object().map(serde_json::Map::len), Some(2));

    let uri = shelf.uri("book.yaml");
    let params = json!({"textDocument": {"uri": uri}, "position": place(BOOK, "look.exit"), "newName": "Look"});
    let refused = shelf.editor.ask("textDocument/rename", params);
    assert!(refused["error"]["message"].as_str().is_some_and(|why| why.contains("is not an identifier")), "{refused}");
}

#[test]
fn names_and_keys_are_offered() {
    let mut shelf = Shelf::new();
    let typed = BOOK.replace("steps.look.exit_code == 0", "steps.look.");
    let _ = shelf.open("book.yaml", &typed);
    let offered = shelf.at("completion", "book.yaml", &typed, "}]", json!({}));
    let labels: Vec<&str> = offered.as_array().expect("a list").iter().filter_map(|item| item["label"].as_str()).collect();
    assert_eq!(labels[..4], ["exit_code", "json", "stderr", "stdout"]);
    let item = offered.as_array().and_then(|items| items.iter().find(|item| item["label"] == "exit_code"));
    assert_eq!(edited(&typed, &json!([item.expect("it is offered")["textEdit"]])), typed.replace("look.", "look.exit_code"));

    let typed = BOOK.replace("    effect: read\n  - id: deep", "    ef\n  - id: deep");
    let _ = shelf.write("book.yaml", &typed);
    let offered = shelf.at("completion", "book.yaml", &typed, "\n  - id: deep", json!({}));
    let item = offered.as_array().and_then(|items| items.iter().find(|item| item["label"] == "effect")).expect("it is offered");
    assert_eq!(item["documentation"]["value"], "What it does to the world; by default that of the verb");
    assert_eq!(edited(&typed, &json!([item["textEdit"]])), typed.replace("    ef\n", "    effect: \n"));
}

#[test]
fn a_fault_is_mended_and_a_document_laid_out() {
    let mut shelf = Shelf::new();
    let typed = BOOK.replace("    effect: read\n  - id: deep", "    efect: read\n  - id: deep");
    assert!(shelf.open("book.yaml", &typed).contains(&"RB0010 10:4-10:9".to_owned()));
    let uri = shelf.uri("book.yaml");
    let range = json!({"start": place(&typed, "fect: read"), "end": place(&typed, "fect: read")});
    let actions = shelf
        .editor
        .request("textDocument/codeAction", json!({"textDocument": {"uri": uri}, "range": range, "context": {"diagnostics": []}}));
    assert_eq!(actions[0]["title"], "write `effect`");
    assert_eq!(edited(&typed, &actions[0]["edit"]["changes"][&uri]), BOOK);

    // Of a longer name, the part that is wrong; written in another way, none.
    for (wrong, right) in [("steps.lok.exit_code", "steps.look.exit_code"), ("inputs.hst == \"a\"", "inputs.host == \"a\"")] {
        let asking = |condition: &str| BOOK.replace("that: steps.look.exit_code == 0", &format!("that: '{condition}'"));
        let typed = asking(wrong);
        let _ = shelf.write("book.yaml", &typed);
        let at = place(&typed, wrong);
        let range = json!({"start": at, "end": at});
        let params = json!({"textDocument": {"uri": uri}, "range": range, "context": {"diagnostics": []}});
        let actions = shelf.editor.request("textDocument/codeAction", params);
        assert_eq!(edited(&typed, &actions[0]["edit"]["changes"][&uri]), asking(right));
    }

    let loose = BOOK
        .replace("    name: Look", "    # of the name\n    name:   Look")
        .replace("  - id", "    - id")
        .replace("  - check", "    - check");
    let loose = loose
        .replace("    name", "      name")
        .replace("    run", "      run")
        .replace("    effect", "      effect")
        .replace("    call", "      call");
    assert_eq!(shelf.write("book.yaml", &loose), Vec::<String>::new());
    let edits = shelf.editor.request("textDocument/formatting", json!({"textDocument": {"uri": uri}, "options": {}}));
    assert_eq!(edited(&loose, &edits), BOOK.replace("    name: Look", "    # of the name\n    name: Look"));
    let _ = shelf.write("book.yaml", BOOK);
    assert_eq!(shelf.editor.request("textDocument/formatting", json!({"textDocument": {"uri": uri}, "options": {}})), json!([]));
}

#[test]
fn of_other_yaml_nothing_is_said() {
    let mut shelf = Shelf::new();
    let compose = "services:\n  web: {image: nginx}\n  : [\n";
    assert_eq!(shelf.open("compose.yaml", compose), Vec::<String>::new());
    let pod = "apiVersion: v1\nkind: Pod\nsteps: inputs\n";
    assert_eq!(shelf.open("pod.yaml", pod), Vec::<String>::new());
    let uri = shelf.uri("pod.yaml");
    for method in ["hover", "completion", "definition"] {
        assert_eq!(shelf.at(method, "pod.yaml", pod, "Pod", json!({})), Value::Null, "{method}");
    }
    assert_eq!(shelf.editor.request("textDocument/formatting", json!({"textDocument": {"uri": uri}})), Value::Null);
    // In a catalogue, a file that is only beginning.
    assert_eq!(shelf.open("new.yaml", "a"), Vec::<String>::new());
    let offered = shelf.at("completion", "new.yaml", "a", "a", json!({})).to_string();
    assert!(offered.contains("apiVersion"), "{offered}");
}

#[test]
fn a_lens_shows_a_dry_run() {
    let mut shelf = Shelf::new();
    let _ = shelf.open("book.yaml", BOOK);
    let _ = shelf.open("book.test.yaml", TEST);
    let lenses = |shelf: &mut Shelf, name: &str| {
        let uri = shelf.uri(name);
        shelf.editor.request("textDocument/codeLens", json!({"textDocument": {"uri": uri}}))
    };
    let case = lenses(&mut shelf, "book.test.yaml")[0].clone();
    assert_eq!(case["range"]["start"], place(TEST, "one"));
    let told = shelf.editor.request("workspace/executeCommand", case["command"].clone()).to_string();
    assert!(told.contains("from the case `one`"), "{told}");
    let _ = shelf.editor.told("window/showDocument", None);
    // What has to be given is taken from the first case.
    let _ = shelf.write("book.yaml", &BOOK.replace("default: web-1, ", ""));
    assert_eq!(lenses(&mut shelf, "book.yaml")[0]["command"]["title"], "dry run: one");
    let _ = shelf.write("book.yaml", BOOK);
    let lens = lenses(&mut shelf, "book.yaml")[0].clone();
    assert_eq!((&lens["command"]["title"], &lens["range"]["start"]), (&json!("dry run"), &place(BOOK, "book\nversion")));
    let told = shelf.editor.request("workspace/executeCommand", lens["command"].clone());
    let told = told.as_str().expect("a text");
    assert!(told.contains("would run") && told.contains("web-1") && !told.contains("as it is saved"), "{told}");
    let shown = shelf.editor.told("window/showDocument", None);
    // Only what is saved can be run, and that is said.
    let _ = shelf.write("book.yaml", &format!("{BOOK}# more\n"));
    let unsaved = shelf.editor.request("workspace/executeCommand", lens["command"].clone()).to_string();
    assert!(unsaved.contains("book.yaml as it is saved: what was typed since then") && unsaved.contains("would run"), "{unsaved}");
    let _ = shelf.write("book.yaml", BOOK);
    let _ = shelf.editor.told("window/showDocument", None);
    let again = shelf.editor.request("workspace/executeCommand", lens["command"].clone());
    assert_eq!(again, told);
    let path = PathBuf::from(shown["uri"].as_str().and_then(|uri| uri.strip_prefix("file://")).expect("a file"));
    assert_eq!(std::fs::read_to_string(&path).expect("it is shown while the server is there"), told);
    // An example is no prediction: nobody asked for it.
    let sampled = BOOK.replace("    effect: read\n", "    effect: read\n    example: {stdout: sample, exit_code: 0}\n");
    let sampled =
        sampled.replace("check: [{that: steps.look.exit_code == 0}]", "exec: [echo, '{{steps.look.stdout}}']\n    effect: read");
    std::fs::write(shelf.path("book.yaml"), &sampled).expect("a file is written");
    let _ = shelf.write("book.yaml", &sampled);
    let told_sampled = shelf.editor.request("workspace/executeCommand", lens["command"].clone()).to_string();
    assert!(told_sampled.contains("‹steps.look.stdout›") && !told_sampled.contains("sample"), "{told_sampled}");
    assert_eq!(shelf.editor.close(), Some(0));
    assert!(!path.exists(), "it goes with the server");
}
