//! `runbook docs` of procedures: in each form with the numbers of a run, in a folder that is kept fresh, and as a list of all.

use super::{Desk, procedure};
use std::process::Command;

const STEPS: &str = "title: Restart it
owner: team-a
reviewed: 2020-01-01
review_every: 30d
exercise_every: 30d
steps:
  - id: look
    name: Look at it
    run: echo seen
    effect: read
  - choose:
      - when: steps.look.stdout == \"other\"
        steps: [{id: other, run: 'true', effect: read}]
      - otherwise:
          - {id: turn, name: Turn it, run: echo on >> told, undo: {name: Turn it back, run: echo off >> told}}
  - {id: again, name: Do the other one, call: other@^1}
  - {id: broken, name: Break, run: exit 1, effect: read, on_failure: rollback}
finally:
  - {id: tidy, name: Tidy up, run: 'true', idempotent: true}
";

fn desk() -> Desk {
    let other = procedure("steps: [{id: inner, name: The inner one, run: echo in >> told, undo: {run: echo out >> told}}]\n");
    Desk::new(&[("try.yaml", &procedure(STEPS)), ("other.yaml", &other.replace("name: try", "name: other"))])
}

/// `number. path · title` of each step that a text shows.
fn numbered(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = text
        .split(['\n', ':'])
        .filter_map(|line| {
            let (before, title) = line.split_once(" · ")?;
            let number = before.split_whitespace().find_map(|word| word.strip_suffix('.'))?;
            let title = title.split(['(', '[']).next()?.trim_end();
            Some((number.to_owned(), title.to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn a_failed_run_can_be_finished_by_hand_with_the_numbers_it_showed() {
    let desk = desk();
    let ran = desk.run("exec try --yes").exits(1);
    let told = numbered(&ran.err);
    let expect = [
        ("1", "Look at it"),
        ("4", "Turn it"),
        ("5", "Do the other one"),
        ("5.1", "The inner one"),
        ("6", "Break"),
        ("7", "Tidy up"),
        ("U4", "Turn it back"),
    ];
    let expect = expect.map(|(number, title)| (number.to_owned(), title.to_owned())).to_vec();
    assert_eq!(told, expect, "{}", ran.err);
    assert!(ran.err.contains("5.U1. again/inner~undo/run-1"), "{}", ran.err);
    assert_eq!(numbered(&desk.run("show last").exits(0).out), expect);
    for (number, title) in numbered(&desk.run("dry-run try").exits(0).out) {
        assert!(expect.contains(&(number.clone(), title.clone())), "{number} {title}");
    }
    for (form, shown) in [
        ("md", |number: &str, title: &str| format!("### {number}. {title}")),
        ("html", |number: &str, title: &str| format!("<h3>{number}. {title}")),
        ("man", |number: &str, title: &str| format!(".SS \"{number}. {title}")),
        ("manual", |number: &str, title: &str| format!("<td class=\"number\">{number}</td>\n<td class=\"do\">...<h3>{title}")),
    ] as [(&str, fn(&str, &str) -> String); 4]
    {
        let page = desk.run(&format!("docs try --format {form}")).exits(0).says("stale: try: the review was due on 2020-01-31").out;
        for (number, title) in &expect {
            let shown = shown(number, title);
            let (first, second) = shown.split_once("...").unwrap_or((&shown, ""));
            let rest = page.split_once(first).unwrap_or_else(|| panic!("{form} has no {number}:\n{page}")).1;
            assert!(rest.contains(second), "{form}: {number} {title}");
        }
        let plan = desk.run("docs try").out;
        let digest = plan.split("sha256:").nth(1).and_then(|rest| rest.get(..64)).expect("a digest").to_owned();
        assert!(page.contains(&digest), "{form} names the plan");
    }
}

#[test]
fn a_folder_is_written_and_held_to_what_would_be_written_now() {
    let desk = desk();
    for (form, names) in [
        ("md", &["index.md", "other.md", "try.md"][..]),
        ("html", &["index.html", "other.html", "try.html"]),
        ("man", &["other.7", "try.7"]),
        ("manual", &["index.html", "other.manual.html", "try.manual.html"]),
    ] {
        let line = format!("docs --format {form} --out {form}-pages");
        desk.run(&format!("{line} --check")).exits(1).prints(&format!("missing: {form}-pages/{}", names[0]));
        let written = desk.run(&line).exits(0).out;
        assert_eq!(
            written.lines().collect::<Vec<_>>(),
            names.iter().map(|name| format!("{form}-pages/{name}")).collect::<Vec<_>>()
        );
        assert_eq!(desk.run(&line).exits(0).out, "", "what is fresh is left");
        desk.run(&format!("{line} --check")).exits(0).says("fresh: ").says("stale: try: the review was due");
    }
    let changed = procedure(STEPS).replace("Look at it", "Look twice");
    std::fs::write(desk.path("try.yaml"), changed).unwrap();
    std::fs::rename(desk.path("md-pages/other.md"), desk.path("md-pages/gone.md")).unwrap();
    std::fs::write(desk.path("md-pages/README.md"), "# Ours\n").unwrap();
    let told = desk.run("docs --out md-pages --check").exits(1).says("next: runbook docs --out md-pages").out;
    assert_eq!(told, "missing: md-pages/other.md\nstale: md-pages/try.md\nleft over: md-pages/gone.md\n");
    desk.run("docs try --out md-pages --check")
        .exits(1)
        .prints("stale: md-pages/try.md")
        .says("next: runbook docs try --out md-pages");
    desk.run("docs --out md-pages").exits(0).says("left over: md-pages/gone.md");
    std::fs::remove_file(desk.path("md-pages/gone.md")).unwrap();
    desk.run("docs --out md-pages --check").exits(0);
    std::fs::write(desk.path("md-pages/try.md"), "# Somebody else's\n").unwrap();
    desk.run("docs --out md-pages").exits(1).says("md-pages/try.md was not written by `runbook docs`");
    assert_eq!(std::fs::read_to_string(desk.path("md-pages/try.md")).unwrap(), "# Somebody else's\n");
    // Another report of ours is none of these pages.
    let report = desk.run("dry-run try --format html").exits(0).out;
    std::fs::write(desk.path("html-pages/try.html"), &report).unwrap();
    desk.run("docs --format html --out html-pages").exits(1).says("html-pages/try.html was not written by `runbook docs`");
    assert_eq!(std::fs::read_to_string(desk.path("html-pages/try.html")).unwrap(), report);
}

#[test]
fn the_list_of_all_tells_what_is_overdue_today_and_what_was_done_here() {
    let desk = desk();
    let list = || desk.run("docs --index").exits(0).out;
    assert!(
        list().contains("| `try` | Restart it | team-a | change | 1.0.0 | **2020-01-01, stale since 2020-01-31** | **never** |")
    );
    desk.run("exec try --yes").exits(1);
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    assert!(list().contains(&format!("| {today}, again by ")), "{}", list());
    let kept = desk.run("docs --out pages").exits(0);
    drop(kept);
    let kept = std::fs::read_to_string(desk.path("pages/index.md")).unwrap();
    assert!(
        kept.contains("| [try](try.md) | Restart it | team-a | change | 1.0.0 | 2020-01-01, again by 2020-01-31 | every 30 days |"),
        "{kept}"
    );
}

#[test]
fn a_name_is_a_procedure_or_a_page_and_never_both() {
    let format = procedure("steps: [{run: 'true', effect: read}]\n").replace("name: try", "name: format");
    let desk = Desk::new(&[("format.yaml", &format), ("bad.yaml", "apiVersion: runbook/v1\nkind: Runbook\nname: bad\n")]);
    desk.run("docs").exits(0).prints("runbook/v1");
    desk.run("docs dry-run").exits(0).prints("# The dry run");
    desk.run("docs format").exits(2).says("a page of the reference and a procedure").says("next: runbook docs ");
    desk.run("docs format.yaml").exits(0).prints("# format");
    desk.run("docs nothing").exits(2).says("there is no procedure and no file `nothing`").says("use one of: bad, format");
    desk.run("docs format.yaml bad").exits(2);
    desk.run("docs format.yaml format.yaml").exits(2).says("several pages need a folder").says("--out DIR");
    desk.run("docs bad.yaml").exits(2).says("next: runbook check");
    desk.run("docs --check").exits(2).says("--out");
}

#[test]
fn a_page_of_the_manual_is_what_groff_expects() {
    let hostile = ".so x\\n'br\\n\\\\fB - \\\" `a -b` **c**\\n\\n- d\\n1. e\\n```\\n.f\\n```";
    let steps = format!(
        "title: \"{hostile}\"\ndescription: \"{hostile}\"\nsteps: [{{name: \"{hostile}\", exec: [a, \"{hostile}\"], by_hand: \"{hostile}\", effect: read}}]\n"
    );
    let desk = Desk::new(&[
        ("try.yaml", &procedure(&steps)),
        ("long.yaml", &procedure(STEPS).replace("other@^1", "try@^1").replace("name: try", "name: long")),
    ]);
    for file in ["try", "long"] {
        desk.run(&format!("docs {file}.yaml --format man --out pages")).exits(0);
        let page = std::fs::File::open(desk.path(&format!("pages/{file}.7"))).unwrap();
        let groff = Command::new("groff")
            .args(["-man", "-Tutf8", "-ww", "-Wbreak", "-P-cbou"])
            .stdin(page)
            .output()
            .expect("tests/setup.sh installs groff");
        let (shown, warned) = (String::from_utf8_lossy(&groff.stdout), String::from_utf8_lossy(&groff.stderr));
        assert!(groff.status.success() && warned.is_empty(), "{file}: {warned}");
        assert!(
            shown.contains(&format!("{}(7)", file.to_uppercase())) && shown.contains(&format!("runbook exec {file}")),
            "{shown}"
        );
        assert!(file != "try" || shown.matches(".so x").count() > 3 && shown.contains("\\fB"), "{shown}");
    }
}

/// In CI too: what this repository holds of its own procedures is what would be written now.
#[test]
fn the_pages_of_what_is_shipped_are_fresh() {
    let repository = crate::repository();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command.current_dir(&repository).args(arguments).env("RUNBOOK_STATE", repository.join("target/none"));
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
    };
    run(&["-C", "runbooks", "docs", "--out", "docs/runbooks", "--check"]);
    let mut examples: Vec<String> = Vec::new();
    for folder in std::fs::read_dir(repository.join("examples")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let name = file.file_name().into_string().unwrap();
            if name.ends_with(".yaml") && !name.ends_with(".test.yaml") && name != "workspace.yaml" {
                examples.push(format!("examples/{}/{name}", folder.file_name().to_string_lossy()));
            }
        }
    }
    assert!(examples.len() >= 8, "{examples:?}");
    let mut arguments = vec!["docs", "--out", "docs/examples", "--check"];
    arguments.extend(examples.iter().map(String::as_str));
    run(&arguments);
}
