//! Hostile files: each is answered by the program with a line, within bounds of memory and work, without a panic or an abort.
//! The files are made here, from a table of families and their sizes; none is kept.
//!
//! `cargo test --release -p runbook --test hostile -- --ignored --nocapture` prints what the worst file of each family costs.

#[path = "../harness/mod.rs"]
mod harness;

mod families;
mod paths;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use families::{Answer, Case};
use harness::Scratch;

/// What an answer may take: of memory, which no build needs more of than another, and of the processor, which an unoptimised
/// build needs much more of. A file whose cost grew faster than its size would come nowhere near.
const MEMORY_BYTES: usize = 256 * 1024 * 1024;
const PROCESSOR: Duration = Duration::from_secs(60);
/// What an answer may take where it is measured, in a release build.
const ELAPSED: Duration = Duration::from_secs(1);

/// `runbook check FILE`, or another command, within the bounds.
fn bounded(command: &str, folder: &Path, file: &Path) -> Command {
    let name = command;
    let mut command = Command::new("prlimit");
    harness::program::plain(&mut command, folder);
    command.arg(format!("--data={MEMORY_BYTES}")).arg(format!("--cpu={}", PROCESSOR.as_secs())).arg("--core=0");
    command.arg(env!("CARGO_BIN_EXE_runbook")).arg(name).arg(file).current_dir(folder).env("RUST_BACKTRACE", "0");
    command
}

/// How long a program took, and the most memory that it had, in MiB. What this test has at its start counts too: a smaller program does
/// not show.
#[expect(clippy::zombie_processes, reason = "`wait4` collects it")]
fn measured(mut command: Command) -> (Duration, u64) {
    let begun = Instant::now();
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    let pid = libc::pid_t::try_from(child.id()).expect("a process id");
    let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both places are ours, and nobody else waits for this child.
    let usage = unsafe {
        assert_eq!(libc::wait4(pid, &mut status, 0, usage.as_mut_ptr()), pid);
        usage.assume_init()
    };
    (begun.elapsed(), usage.ru_maxrss.unsigned_abs() / 1024)
}

/// What is wrong with an answer.
fn judged(case: &Case, output: &Output) -> Option<String> {
    let (told, aside) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let shown = |what: &str| {
        let head = |text: &str| text.chars().take(600).collect::<String>();
        Some(format!("{} {}: {what}\n{:?}\n{}\n{}", case.family, case.name, output.status, head(&told), head(&aside)))
    };
    if told.contains("panicked") || aside.contains("panicked") {
        return shown("a panic");
    }
    if std::str::from_utf8(&output.stdout).is_err() || told.chars().any(|c| (c.is_control() && c != '\n') || is_hidden(c)) {
        return shown("the file reaches the terminal raw");
    }
    if told.len() > 1024 * 1024 {
        return shown("the answer is longer than the largest file");
    }
    match (output.status.code(), &case.answer) {
        (Some(0 | 2), Answer::Any) => {}
        (Some(0), Answer::Valid) => {}
        (Some(2), Answer::Fault(code)) if told.contains(&format!("[{code}]")) => {}
        _ => return shown(&format!("not the answer {:?}", case.answer)),
    }
    // A line: where, in a fault; how many files, in the tally.
    let has_place = told.lines().any(|line| {
        let mut parts = line.trim().rsplit(':');
        line.contains("--> ") && parts.next().is_some_and(is_number) && parts.next().is_some_and(is_number)
    });
    if output.status.code() == Some(2) && !has_place {
        return shown("no line and column");
    }
    if !aside.contains("checked") { shown("no answer") } else { None }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_hidden(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// What is wrong with how a file was laid out. Whatever it said, it says the same after.
fn judged_as_laid_out(case: &Case, output: &Output, file: &Path, again: Option<&Output>) -> Option<String> {
    let aside = String::from_utf8_lossy(&output.stderr);
    let left = || std::fs::read(file).is_ok_and(|bytes| bytes == case.bytes());
    let changes = again.is_some_and(|again| again.status.code() != Some(0) || !again.stdout.is_empty());
    let what = match output.status.code() {
        _ if aside.contains("panicked") => "a panic",
        _ if aside.contains("something else") => "it cannot be laid out",
        Some(0) if !changes => return None,
        Some(0) => "laid out twice it is not as laid out once",
        Some(2) if left() => return None,
        Some(2) => "it is refused, and changed",
        _ => "no answer",
    };
    let head: String = aside.chars().take(600).collect();
    Some(format!("{} {}: {what}\n{:?}\n{head}", case.family, case.name, output.status))
}

/// Judges cases, two at a time, each worker with a file of its own.
fn each_of(cases: Vec<Case>, judge: impl Fn(&Case, &Path, &Path) -> Option<String> + Sync) {
    let (next, troubles) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let (cases, next, troubles, judge) = (&cases, &next, &troubles, &judge);
            scope.spawn(move || {
                let folder = Scratch::new();
                let file = folder.join(format!("hostile-{worker}.yaml"));
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    std::fs::write(&file, case.bytes()).expect("the file is written");
                    let trouble = judge(case, folder.path(), &file);
                    troubles.lock().expect("no worker panics").extend(trouble);
                }
            });
        }
    });
    let troubles = troubles.into_inner().expect("no worker panics");
    assert!(troubles.is_empty(), "{} of {}:\n{}", troubles.len(), cases.len(), troubles.join("\n\n"));
}

#[test]
fn every_hostile_file_is_answered() {
    let cases = families::all();
    assert!(cases.len() >= 500, "{}", cases.len());
    each_of(cases, |case, folder, file| judged(case, &bounded("check", folder, file).output().expect("the program starts")));
}

/// A sample: the measurement below takes all.
#[test]
fn hostile_files_are_laid_out_or_left() {
    let cases = families::all().into_iter().enumerate().filter_map(|(n, case)| (n % 5 == 0).then_some(case)).collect();
    each_of(cases, |case, folder, file| {
        let ran = || bounded("fmt", folder, file).output().expect("the program starts");
        let first = ran();
        let again = if first.stdout.is_empty() { None } else { Some(ran()) };
        judged_as_laid_out(case, &first, file, again.as_ref())
    });
}

/// The forms of a dry run, one after the other.
const FORMS: [&str; 4] = ["text", "markdown", "html", "json"];

fn dry_run(form: &str, folder: &Path, file: &Path) -> Command {
    let mut command = bounded("dry-run", folder, file);
    command.args(["--format", form]);
    command
}

/// What is wrong with a dry run or a guide of a file, which is one of a procedure that is valid and wants no inputs, or is refused.
fn judged_as_foreseen(case: &Case, form: &str, output: &Output) -> Option<String> {
    let (told, aside) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let acts = |c: char| (c.is_control() && c != '\n') || (is_hidden(c) && form != "json");
    let what = match output.status.code() {
        _ if told.contains("panicked at") || aside.contains("panicked at") => "a panic",
        Some(0 | 2) if told.chars().any(acts) => "the file reaches the reader raw",
        Some(0) if form == "html" && told.contains("<script") => "the page holds what a browser would run",
        Some(0) if told.trim().is_empty() => "no answer",
        Some(0 | 2) => return None,
        _ => "no answer",
    };
    let head: String = aside.chars().take(600).collect();
    Some(format!("{} {} as {form}: {what}\n{:?}\n{head}", case.family, case.name, output.status))
}

/// A sample in one form each: the measurement below takes all, in all.
#[test]
fn hostile_files_are_foreseen_or_refused() {
    let cases = families::all().into_iter().enumerate().filter_map(|(n, case)| (n % 5 == 1).then_some(case)).collect();
    let turn = AtomicUsize::new(0);
    each_of(cases, |case, folder, file| {
        let form = FORMS[turn.fetch_add(1, Ordering::Relaxed) % FORMS.len()];
        judged_as_foreseen(case, form, &dry_run(form, folder, file).output().expect("the program starts"))
    });
}

/// The forms of a guide, one after the other.
const GUIDES: [&str; 4] = ["md", "html", "man", "manual"];

fn guide(form: &str, folder: &Path, file: &Path) -> Command {
    let mut command = bounded("docs", folder, file);
    command.args(["--format", form]);
    command
}

/// A sample in one form each, of other files than the dry run: the measurement below takes all, in all.
#[test]
fn hostile_files_are_written_about_or_refused() {
    let cases = families::all().into_iter().enumerate().filter_map(|(n, case)| (n % 5 == 2).then_some(case)).collect();
    let turn = AtomicUsize::new(0);
    each_of(cases, |case, folder, file| {
        let form = GUIDES[turn.fetch_add(1, Ordering::Relaxed) % GUIDES.len()];
        let dress = if form == "manual" { "html" } else { form };
        judged_as_foreseen(case, dress, &guide(form, folder, file).output().expect("the program starts"))
    });
}

/// A sample, as a document that is open and asked about. One server answers for all of them.
#[test]
fn hostile_files_are_answered_in_an_editor() {
    let folder = Scratch::new();
    let (file, place) = (folder.join("hostile.yaml"), |line: usize| serde_json::json!({"line": line, "character": 9}));
    let uri = harness::editor::uri(&file);
    let mut command = Command::new("prlimit");
    harness::program::plain(&mut command, folder.path());
    command.arg(format!("--data={MEMORY_BYTES}")).arg("--core=0").arg(env!("CARGO_BIN_EXE_runbook")).arg("lsp");
    let (mut editor, _) = harness::editor::Editor::start(&mut command, folder.path());
    for case in families::all().into_iter().skip(3).step_by(17) {
        let Ok(text) = String::from_utf8(case.bytes()) else { continue };
        editor.open(&uri, &text);
        let faults = editor.diagnostics(&uri);
        assert!(!matches!(case.answer, Answer::Fault(_)) || !faults.is_empty(), "{} {}: no fault", case.family, case.name);
        let lines = text.lines().count();
        for method in ["hover", "completion", "definition", "references", "prepareRename", "formatting", "codeLens"] {
            let document = serde_json::json!({"uri": uri});
            let params = serde_json::json!({"textDocument": document, "position": place(lines * 2 / 3), "options": {}});
            let answer = editor.ask(&format!("textDocument/{method}"), params);
            let fine = answer.get("error").is_none_or(|error| method == "formatting" && error["code"] == -32803);
            assert!(fine, "{} {}: {method}: {answer}", case.family, case.name);
        }
        editor.notify("textDocument/didClose", serde_json::json!({"textDocument": {"uri": uri}}));
        assert!(editor.diagnostics(&uri).is_empty());
    }
    assert_eq!(editor.close(), Some(0));
}

/// What is wrong with how a file was explored: it is refused as `check` does, or it is said how far the walk went.
fn judged_as_explored(case: &Case, output: &Output) -> Option<String> {
    let (told, aside) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let extent = told.contains("walked ") || told.contains("stopped at");
    let what = match output.status.code() {
        _ if aside.contains("panicked") => "a panic",
        _ if told.chars().any(|c| (c.is_control() && c != '\n') || is_hidden(c)) => "the file reaches the terminal raw",
        Some(0 | 1) if extent => return None,
        Some(2) => return None,
        _ => "no answer",
    };
    let head: String = aside.chars().take(600).collect();
    Some(format!("{} {}: {what}\n{:?}\n{head}", case.family, case.name, output.status))
}

/// A sample of all families, and every file of more paths than can be walked.
#[test]
fn hostile_files_are_explored_or_refused() {
    let sample = families::all().into_iter().enumerate().filter_map(|(n, case)| (n % 5 == 1).then_some(case));
    each_of(sample.chain(paths::all()).collect(), |case, folder, file| {
        judged_as_explored(case, &bounded("explore", folder, file).output().expect("the program starts"))
    });
}

/// What is wrong with a draft of a file: it is refused, or what was written can be read.
fn judged_as_drafted(case: &Case, folder: &Path, file: &Path) -> Option<String> {
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let mut draft = bounded("new", folder, Path::new("draft"));
    let output = draft.arg("--from").arg(file).arg("-C").arg(folder).output().expect("the program starts");
    let drafted = folder.join("draft.yaml");
    let what = match output.status.code() {
        _ if told(&output).contains("panicked") => "a panic",
        Some(2) if !drafted.exists() => return None,
        Some(2) => "it is refused, and something is written",
        Some(0) if bounded("check", folder, &drafted).output().expect("the program starts").status.code() == Some(0) => "",
        Some(0) => "what is written is not valid",
        _ => "no answer",
    };
    let _ = std::fs::remove_file(drafted);
    let head: String = told(&output).chars().take(600).collect();
    (!what.is_empty()).then(|| format!("{} {} as {}: {what}\n{:?}\n{head}", case.family, case.name, file.display(), output.status))
}

/// A sample, as a page of Markdown and as the history of a shell.
#[test]
fn hostile_files_are_drafted_or_refused() {
    let cases = families::all().into_iter().enumerate().filter_map(|(n, case)| (n % 20 == 2).then_some(case)).collect();
    each_of(cases, |case, _, file| {
        let folder = Scratch::new();
        ["page.md", "history"].iter().find_map(|name| {
            let source = folder.join(name);
            std::fs::copy(file, &source).expect("the file is copied");
            judged_as_drafted(case, folder.path(), &source)
        })
    });
}

/// A measurement, which says nothing in an unoptimised build or beside other work.
#[test]
#[ignore = "measures; see the head of this file"]
fn what_the_worst_file_of_each_family_costs() {
    let folder = Scratch::new();
    let file = folder.join("hostile.yaml");
    println!("{:<24} {:>5} {:>9} {:>9}  {:<40}", "family", "files", "worst ms", "peak MiB", "the slowest");
    let (mut slow, mut cases) = (Vec::new(), families::all());
    cases.extend(paths::all());
    cases.sort_by_key(|case| case.family);
    for family in cases.chunk_by(|a, b| a.family == b.family) {
        let (mut worst, mut peak, mut name) = (Duration::ZERO, 0, "");
        for case in family {
            std::fs::write(&file, case.bytes()).expect("the file is written");
            let (took, resident) = measured(bounded("check", folder.path(), &file));
            let (laid_out, laid_out_in) = measured(bounded("fmt", folder.path(), &file));
            let (took, resident) = (took.max(laid_out), resident.max(laid_out_in));
            let forms = FORMS.map(|form| measured(dry_run(form, folder.path(), &file)));
            let (took, resident) = forms.into_iter().fold((took, resident), |(t, r), (took, most)| (t.max(took), r.max(most)));
            let guides = GUIDES.map(|form| measured(guide(form, folder.path(), &file)));
            let (took, resident) = guides.into_iter().fold((took, resident), |(t, r), (took, most)| (t.max(took), r.max(most)));
            let (explored, explored_in) = measured(bounded("explore", folder.path(), &file));
            let (took, resident) = (took.max(explored), resident.max(explored_in));
            if took > worst {
                (worst, name) = (took, &case.name);
            }
            peak = peak.max(resident);
            if took > ELAPSED || resident > MEMORY_BYTES as u64 / 1024 / 1024 {
                slow.push(format!("{} {}: {took:?}, {resident} MiB", case.family, case.name));
            }
        }
        println!("{:<24} {:>5} {:>9} {:>9}  {:<40}", family[0].family, family.len(), worst.as_millis(), peak, name);
    }
    assert!(slow.is_empty(), "{slow:#?}");
}
