//! `runbook report`: the account of a run, whatever it was, says what the record says and nothing that a text in it would like it to.

use super::{APPROVAL, Desk, procedure};

const BACK: &str = "title: Move a thing
owner: movers
inputs: {ok: {type: boolean, default: true}}
steps:
  - {id: look, name: Look where it is, run: 'true', effect: read}
  - {id: move, name: Move it, run: touch moved, undo: {name: Move it back, run: rm moved}}
  - {id: works, if: '!inputs.ok', run: 'exit 3', effect: read, on_failure: rollback, by_hand: Read `moved`. Then ask the *movers*.}
";

/// The parts of a report, each without its heading.
fn part<'r>(report: &'r str, heading: &str) -> &'r str {
    let (_, rest) = report.split_once(&format!("## {heading}\n")).unwrap_or_else(|| panic!("{heading} of {report}"));
    rest.split("\n## ").next().unwrap_or(rest).trim()
}

/// What the rows of the time line say.
fn told(report: &str) -> Vec<&str> {
    part(report, "What happened")
        .lines()
        .skip(2)
        .filter_map(|row| row.trim_end_matches(" |").rsplit_once(" | "))
        .map(|(_, what)| what)
        .collect()
}

#[test]
fn what_was_taken_back_is_told_with_what_led_there() {
    let desk = Desk::new(&[("try.yaml", &procedure(BACK))]);
    desk.run("exec try -y").exits(0);
    let report = desk.run("report last").exits(0).out;
    assert!(report.starts_with("# Move a thing: succeeded\n\nOn "), "{report}");
    assert!(report.contains("\nIt made 1 change, which stays.\n"), "{report}");
    assert_eq!(part(&report, "Changes").lines().last(), Some("| Move it (`2. move`) | `touch moved` | stays |"));
    assert_eq!(part(&report, "What is left to do"), "- Nothing.");
    assert!(told(&report).contains(&"`3. works` is skipped: `!inputs.ok` does not hold"), "{report}");

    desk.run("exec try -y --input ok=false").exits(1);
    let report = desk.run("report last").exits(0).out;
    assert!(report.starts_with("# Move a thing: rolled back\n"), "{report}");
    assert!(report.contains(", at `3. works`: `sh` ended with exit code 3.\n"), "{report}");
    assert!(report.contains("\nIt made 1 change, which was taken back.\n"), "{report}");
    let ends: Vec<String> = told(&report).iter().map(|told| told.split(" in ").next().unwrap_or_default().to_owned()).collect();
    let expect = ["Look where it is (`1. look`) succeeded", "Move it (`2. move`) succeeded"];
    assert_eq!(ends[1..3], expect, "{report}");
    assert!(ends[3].starts_with("`3. works` failed after ") && ends[3].ends_with(": `sh` ended with exit code 3"), "{report}");
    assert_eq!(ends[4], "Move it back (`U2. move~undo/run-1`) succeeded");
    assert_eq!(ends[5], "The run ends **rolled back**: `sh` ended with exit code 3");
    assert_eq!(part(&report, "Changes").lines().last(), Some("| Move it (`2. move`) | `touch moved` | taken back |"));
    assert_eq!(part(&report, "What is left to do"), "- `3. works` failed; by hand: Read `moved`. Then ask the \\*movers\\*.");
    let head = desk.run("verify last").exits(0).out;
    let head = head.lines().find_map(|line| line.trim().strip_prefix("head ")).expect("a head").to_owned();
    assert!(part(&report, "What proves it").contains(&format!("`{head}`")), "{report}");
}

#[test]
fn what_waits_for_people_and_what_they_said_is_told() {
    let desk = Desk::new(&[("try.yaml", &procedure(APPROVAL))]);
    desk.run("exec try").exits(3);
    let run = desk.last();
    let report = desk.run("report last").exits(0).out;
    assert!(report.contains(": has not ended\n") && report.contains("It has not ended. People were asked once"), "{report}");
    assert_eq!(part(&report, "What is left to do"), format!("- Answer `1. go`: `runbook decisions {run}`"));
    desk.run(&format!("reject {run} d1 --reason no")).exits(0);
    desk.run(&format!("resume {run}")).exits(4);
    let report = desk.run("report last").exits(0).out;
    assert!(part(&report, "Decisions").contains("asked whoever may operate: Write it? — **reject** by"), "{report}");
    assert!(report.contains("It changed nothing.") && report.contains("It was rejected after"), "{report}");
}

#[test]
fn nothing_in_a_record_acts_in_a_report() {
    let hostile = "<img src=x onerror=alert(1)> | ](javascript:x) `\\u001b[31m\\u202e";
    let keys = format!(
        "title: \"{hostile}\"\nsteps:\n  - id: a\n    name: \"{hostile}\"\n    run: \"echo '{hostile}' >&2; exit 1\"\n    irreversible: \"{hostile}\"\n    by_hand: \"{hostile}\"\n"
    );
    let desk = Desk::new(&[("try.yaml", &procedure(&keys))]);
    desk.run("exec try -y").exits(1);
    let markdown = desk.run("report last").exits(0).out;
    let html = desk.run("report last --format html").exits(0).out;
    for report in [&markdown.replace("\\<", ""), &html] {
        assert!(!["<img", "\u{1b}", "\u{202e}"].iter().any(|sign| report.contains(sign)), "{report}");
    }
    assert!(!markdown.replace("\\]", "").contains("](javascript") && html.contains("Content-Security-Policy"), "{markdown}");
    // A table has as many cells as it has columns, whatever stands in them.
    for row in part(&markdown, "Changes").lines() {
        assert_eq!(row.matches(" | ").count(), 2, "{row}");
    }
    // A file is made anew, for its owner alone.
    desk.run("report last --format html --output r.html").exits(0).says("wrote");
    assert_eq!(std::fs::read_to_string(desk.path("r.html")).expect("the report").trim_end(), html.trim_end());
    desk.run("report last --output r.html").exits(1).says("r.html");
}
