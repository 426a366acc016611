//! `runbook oncall`, those who stand in, and questions that are put to whoever is on call.

use serde_json::Value;

use super::{Desk, procedure};

const WORKSPACE: &str = "apiVersion: runbook/v1
kind: Workspace
timezone: Europe/Paris
people: {anna: {name: Anna Meier}, ben: {}, cleo: {}}
rotations:
  database:
    members: [anna, ben]
    starts: 2026-01-05
    hand_over: {days: mon, at: '09:00'}
    overrides: [{who: cleo, dates: [2026-12-25], reason: public holiday}]
  web: {members: [cleo], starts: 2026-01-05, hand_over: {days: mon-sun, at: '00:00'}, zone: America/New_York}
";

#[test]
fn who_is_on_call_until_when_and_who_is_next() {
    let desk = Desk::new(&[("workspace.yaml", WORKSPACE)]);
    desk.run("oncall --at 2026-12-24T12:00").exits(0).prints(
        "rotation  on call            since                     until                     then
database  anna (Anna Meier)  Mon 2026-12-21 09:00 CET  Fri 2026-12-25 00:00 CET  cleo (stands in: public holiday)
web       cleo               Thu 2026-12-24 00:00 EST  Fri 2026-12-25 00:00 EST  cleo
",
    );
    desk.run("oncall database --at 2026-12-24T12:00 --days 5").exits(0).prints(
        "rotation  from                      to                        on call
database  Mon 2026-12-21 09:00 CET  Fri 2026-12-25 00:00 CET  anna (Anna Meier)
database  Fri 2026-12-25 00:00 CET  Sat 2026-12-26 00:00 CET  cleo (stands in: public holiday)
database  Sat 2026-12-26 00:00 CET  Mon 2026-12-28 09:00 CET  anna (Anna Meier)
database  Mon 2026-12-28 09:00 CET  Mon 2027-01-04 09:00 CET  ben
",
    );
    let told: Value = serde_json::from_str(&desk.run("oncall database --at 2026-12-25 --json").exits(0).out).unwrap();
    assert_eq!(told["rotation"], "database");
    assert_eq!((&told["on_call"], &told["is_override"]), (&Value::from("cleo"), &Value::from(true)));
    assert_eq!((&told["from"], &told["coming"][0]["on_call"]), (&Value::from("2026-12-24T23:00:00Z"), &Value::from("anna")));
    let lines = desk.run("oncall --at 2025-01-01 --days 1 --json").exits(0).out;
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&first["on_call"], &first["from"], &first["to"]),
        (&Value::Null, &Value::Null, &Value::from("2026-01-05T08:00:00Z"))
    );
    desk.run("oncall --at 2025-01-01").exits(0).prints("nobody");
}

#[test]
fn what_cannot_be_told_says_what_to_do() {
    let desk = Desk::new(&[("workspace.yaml", WORKSPACE)]);
    desk.run("oncall databse").exits(2).says("no rotation `databse`").says("next: runbook oncall database");
    desk.run("oncall --at soon").exits(2).says("`soon` is no time").says("next: write a day");
    desk.run("oncall --days 0").exits(2);
    let faulty = Desk::new(&[("workspace.yaml", &WORKSPACE.replace("[anna, ben]", "[anna, bne]"))]);
    faulty.run("oncall").exits(2).says("`bne` is not a person");
    let none = Desk::new(&[("workspace.yaml", "apiVersion: runbook/v1\nkind: Workspace\n")]);
    none.run("oncall").exits(2).says("no `rotations`").says("next: runbook docs format");
}

/// The person at this machine is on call, and the screen says in what.
#[test]
fn a_question_says_who_was_on_call() {
    let workspace = "apiVersion: runbook/v1
kind: Workspace
people: {me: {users: [USER]}, ben: {}}
rotations:
  now: {members: [me], starts: 2026-01-05, hand_over: {days: mon, at: '09:00'}}
  never: {members: [ben], starts: 2126-01-07, hand_over: {days: mon, at: '09:00'}}
";
    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let asks = procedure("steps:\n  - id: go\n    approve: {question: Really?, from: [now, never]}\n");
    let desk = Desk::new(&[("workspace.yaml", &workspace.replace("USER", user.trim())), ("try.yaml", &asks)]);
    desk.run("check").exits(0);
    desk.run("dry-run try").exits(0).prints("asks now (who is on call of me), never (who is on call of ben)");
    desk.run("exec try --yes").exits(3);
    desk.run("decisions last").exits(0).prints("may decide   me (on call in now), never (nobody was on call: everybody in it)");
    let asked = desk.run("show last --json").exits(0).out;
    assert!(asked.contains(r#""on_call":{"never":[],"now":["me"]}"#), "{asked}");
    desk.approve("last", "x");
    desk.run("resume last --yes").exits(0);
    desk.run("verify last").exits(0);
}

#[test]
fn somebody_of_the_rotation_stands_in_until_it_is_cancelled() {
    let desk = Desk::new(&[("workspace.yaml", WORKSPACE)]);
    let made = desk.run("oncall override database --who ben --until 8h --reason 'Anna is ill'").exits(0);
    made.says("override 1: ben is on call in database from ").says("next: runbook oncall database");
    desk.run("oncall override database --who anna --from 2h --until 4h --json")
        .exits(0)
        .prints(r#""id":2,"#)
        .prints(r#""who":"anna""#);
    desk.run("oncall database")
        .exits(0)
        .prints("ben (stands in: Anna is ill; override 1)")
        .prints("anna (Anna Meier; stands in; override 2)");
    let told: Value = serde_json::from_str(&desk.run("oncall database --json").exits(0).out).unwrap();
    assert_eq!((&told["override_id"], &told["coming"][0]["override_id"]), (&Value::from(1), &Value::from(2)));
    desk.run("audit").exits(0).prints("override_make").prints("database").prints("anna from ");

    desk.run("oncall cancel 1").exits(0).says("ben no longer stands in");
    desk.run("oncall cancel 2").exits(0);
    desk.run("oncall cancel 2").exits(2).says("no override 2").says("next: runbook oncall --days 28");
    assert!(!desk.run("oncall").exits(0).out.contains("override"));
    desk.run("audit -n 1").exits(0).prints("override_cancel");

    for (words, why, next) in [
        ("database --who mallory --until 8h", "`mallory` is not in the rotation `database`", "add an entry to `overrides`"),
        ("database --who bne --until 8h", "`bne` is not in the rotation", "did you mean `ben`?"),
        ("web --who anna --until 8h", "only who is can stand in", "add an entry"),
        ("databse --who ben --until 8h", "no rotation `databse`", "runbook oncall database"),
        ("database --who ben --until 2020-01-01", "an override ends after it begins", "give a later --until"),
        ("database --who ben --from 4h --until 2h", "an override ends after it begins", "give a later --until"),
        ("database --who ben --until 400d", "an override ends after it begins", "give a later --until"),
        ("database --who ben --until soon", "`soon` is no time", "write a day"),
    ] {
        desk.run(&format!("oncall override {words}")).exits(2).says(why).says(&format!("next: {next}"));
    }
}

/// Faults of a calendar are told with its lines, and no procedure of the catalogue is run with one.
#[test]
fn a_rotation_is_kept_in_a_calendar_of_the_catalogue() {
    let workspace = "apiVersion: runbook/v1
kind: Workspace
people: {anna: {name: Anna Meier}, ben: {}}
rotations: {web: {calendar: web.ics, zone: Europe/Paris}}
";
    let event = |from: &str, to: &str, who: &str| {
        format!(
            "BEGIN:VEVENT\r\nDTSTART:{from}T090000\r\nDTEND:{to}T090000\r\nRRULE:FREQ=WEEKLY;INTERVAL=2\r\nSUMMARY:{who}\r\nEND:VEVENT\r\n"
        )
    };
    let weeks = [event("20260105", "20260112", "Anna Meier"), event("20260112", "20260119", "ben")].concat();
    let calendar = format!("BEGIN:VCALENDAR\r\n{weeks}END:VCALENDAR\r\n");
    let asks = procedure("steps:\n  - id: go\n    approve: {question: Really?, from: [web], within: 1h}\n");
    let desk = Desk::new(&[("workspace.yaml", workspace), ("try.yaml", &asks), ("web.ics", &calendar), ("other.ics", "")]);
    desk.run("check").exits(0).says("valid: 3 files checked, no faults");
    desk.run("oncall --at 2026-12-24").exits(0).prints("web       anna (Anna Meier)  Mon 2026-12-21 09:00 CET");
    desk.run("dry-run try").exits(0).prints("asks web (who is on call of anna, ben)");

    std::fs::write(desk.path("web.ics"), calendar.replace("WEEKLY;INTERVAL=2\r\nSUMMARY:ben", "YEARLY\r\nSUMMARY:ben")).unwrap();
    desk.run("check").exits(2).prints("RB0323").prints("web.ics:11:1").prints("`FREQ=YEARLY` of a repetition is not understood");
    desk.run("exec try --yes").exits(2).says("web.ics:11:1");
    desk.run("oncall").exits(2).says("web.ics:11:1");
    std::fs::write(desk.path("web.ics"), calendar.replace("SUMMARY:ben", "SUMMARY:Ben")).unwrap();
    desk.run("check").exits(2).prints("`Ben` is not a person of the workspace");
    std::fs::write(desk.path("web.ics"), calendar.replace("DTSTART:20260112", "DTSTART:20260113")).unwrap();
    desk.run("check")
        .exits(0)
        .prints("RB0324")
        .prints("nobody is on call from 2026-01-12 09:00 to 2026-01-13 09:00 (Europe/Paris)");
    std::fs::remove_file(desk.path("web.ics")).unwrap();
    desk.run("check").exits(2).prints("the calendar of the rotation `web` cannot be read").prints("workspace.yaml:4:");
}
