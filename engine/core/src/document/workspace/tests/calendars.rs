//! Rotations that are kept in a calendar.

use jiff::Timestamp;

use super::read;
use crate::diagnostic::Source;
use crate::policy::Rotation;

const WORKSPACE: &str = "people: {ana: {name: Ana Ruiz, mail: ana@example.org}, ben: {mail: Ben@Example.org}, caro: {}}\n\
                         rotations: {web: {calendar: web.ics, zone: Europe/Paris}}";

/// A calendar of these lines.
fn calendar(lines: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n", lines.replace('\n', "\r\n"))
}

/// The rotation, and what is wrong: code, line and message.
fn taken(lines: &str) -> (Rotation, Vec<String>) {
    let (workspace, faults) = read(WORKSPACE);
    assert_eq!(faults, Vec::<String>::new());
    let mut workspace = workspace.unwrap();
    let source = Source::new("web.ics", calendar(lines));
    let found = workspace.take_calendar("web", &source).into_sorted();
    let told =
        found.iter().map(|fault| format!("{} {} {}", fault.code.as_str(), source.position(fault.span.start).line, fault.message));
    let told = told.collect();
    (workspace.people.rotations["web"].clone(), told)
}

/// The first shifts from a moment on: who, and until when.
fn told(rotation: &Rotation, from: &str, count: usize) -> Vec<String> {
    let shifts = rotation.shifts(from.parse::<Timestamp>().unwrap()).take(count);
    let one = |shift: crate::policy::Shift<'_>| {
        format!("{} {}", shift.who.unwrap_or("nobody"), shift.to.map_or("ever".to_owned(), |to| to.to_string()))
    };
    shifts.map(one).collect()
}

/// Three people, a week each, as calendars of the field write it.
const WEEKS: &str = "\
BEGIN:VTIMEZONE
TZID:Europe/Paris
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Paris:20261005T090000
DTEND;TZID=Europe/Paris:20261012T090000
RRULE:FREQ=WEEKLY;INTERVAL=3
SUMMARY:Ana Ruiz
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;TZID=\"Europe/Paris\":20261012T090000
DURATION:P1W
RRULE:FREQ=WEEKLY;INTERVAL=3;BYDAY=MO;WKST=SU
EXDATE;TZID=Europe/Paris:20261214T090000
SUMMARY:On call
ATTENDEE;CN=\"Ode; Ben\";PARTSTAT=ACCEPTED:mailto:ben@exam
 ple.org
BEGIN:VALARM
TRIGGER:-PT30M
SUMMARY:nobody
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART:20261019T090000
DTEND:20261026T090000
RRULE:FREQ=WEEKLY;INTERVAL=3;UNTIL=20261231T000000Z
SUMMARY:caro
END:VEVENT";

#[test]
fn whose_turn_it_is_stands_in_a_calendar() {
    let (rotation, faults) = taken(WEEKS);
    assert_eq!(faults, ["RB0324 1 nobody is on call from 2026-12-14 09:00 to 2026-12-21 09:00 (Europe/Paris)"]);
    // By the wall clock over the end of summer time on 25 October.
    assert_eq!(
        told(&rotation, "2026-10-01T00:00:00Z", 6),
        [
            "nobody 2026-10-05T07:00:00Z",
            "ana 2026-10-12T07:00:00Z",
            "ben 2026-10-19T07:00:00Z",
            "caro 2026-10-26T08:00:00Z",
            "ana 2026-11-02T08:00:00Z",
            "ben 2026-11-09T08:00:00Z"
        ]
    );
    assert_eq!(rotation.members(), ["ana", "ben", "caro"]);
    for (at, who) in [
        ("2026-12-14T07:59:59Z", Some("ana")),
        ("2026-12-14T08:00:00Z", None),
        ("2026-12-21T08:00:00Z", Some("caro")),
        ("2027-01-05T00:00:00Z", Some("ben")),
        // Its time was over.
        ("2027-01-12T00:00:00Z", None),
        ("2027-01-20T00:00:00Z", Some("ana")),
    ] {
        assert_eq!(rotation.shift_at(at.parse().unwrap()).who, who, "{at}");
    }
}

#[test]
fn days_that_are_moved_called_off_and_stood_in_for() {
    let (rotation, faults) = taken(
        "\
BEGIN:VEVENT
UID:a
DTSTART;VALUE=DATE:20260105
DTEND;VALUE=DATE:20260106
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:ana
END:VEVENT
BEGIN:VEVENT
UID:a
RECURRENCE-ID;VALUE=DATE:20260107
DTSTART:20260107T120000Z
DTEND:20260107T180000Z
SUMMARY:ben
END:VEVENT
BEGIN:VEVENT
UID:a
RECURRENCE-ID;VALUE=DATE:20260109
STATUS:CANCELLED
DTSTART;VALUE=DATE:20260109
SUMMARY:ana
END:VEVENT
BEGIN:VEVENT
UID:b
DTSTART:20260105T200000
DTEND:20260105T220000
SUMMARY:caro
END:VEVENT",
    );
    assert_eq!(faults, ["RB0324 1 nobody is on call from 2026-01-07 00:00 to 2026-01-07 13:00 (Europe/Paris)"]);
    assert_eq!(
        told(&rotation, "2026-01-05T00:00:00Z", 9),
        [
            "ana 2026-01-05T19:00:00Z",
            "caro 2026-01-05T21:00:00Z",
            "ana 2026-01-05T23:00:00Z",
            "ana 2026-01-06T23:00:00Z",
            "nobody 2026-01-07T12:00:00Z",
            "ben 2026-01-07T18:00:00Z",
            "nobody 2026-01-07T23:00:00Z",
            "ana 2026-01-08T23:00:00Z",
            "nobody ever"
        ]
    );
}

#[test]
fn what_would_change_who_is_on_call_and_is_not_understood_is_a_fault() {
    const EVENT: &str = "BEGIN:VEVENT\nDTSTART:20260105T090000\nDTEND:20260112T090000\nSUMMARY:ana\nEND:VEVENT";
    assert_eq!(taken(EVENT).1, Vec::<String>::new());
    for (from, to, fault) in [
        ("SUMMARY:ana", "SUMMARY:Zoe", "6 `Zoe` is not a person of the workspace"),
        (
            "SUMMARY:ana",
            "ATTENDEE:mailto:ana@example.org\nATTENDEE:mailto:ben@example.org",
            "4 `ana` and `ben` attend, and one person is on call",
        ),
        ("DTSTART:20260105T090000", "X-NOTHING:1", "4 the event does not say when it begins"),
        ("DTEND:20260112T090000\n", "", "4 the event does not say when it ends"),
        ("DTEND:20260112T090000", "DTEND:20260105T090000", "4 the event ends before it begins"),
        ("DTEND:20260112T090000", "DURATION:a week", "5 `a week` is not a duration"),
        ("DTSTART:20260105T090000", "DTSTART:2026-01-05", "4 `2026-01-05` is not a time"),
        ("DTSTART:20260105T090000", "DTSTART:20260230T090000", "4 `20260230T090000` is not a time"),
        (
            "DTSTART:20260105T090000",
            "DTSTART;TZID=W. Europe Standard Time:20260105T090000",
            "4 `W. Europe Standard Time` is not a time zone",
        ),
        ("SUMMARY:ana", "RRULE:FREQ=MONTHLY\nSUMMARY:ana", "6 `FREQ=MONTHLY` of a repetition is not understood"),
        ("SUMMARY:ana", "RRULE:FREQ=WEEKLY;BYDAY=1MO\nSUMMARY:ana", "6 `BYDAY=1MO` of a repetition is not understood"),
        ("SUMMARY:ana", "RRULE:FREQ=WEEKLY;BYDAY=TU\nSUMMARY:ana", "6 the event begins on a day that its repetition does not name"),
        ("SUMMARY:ana", "RRULE:INTERVAL=2\nSUMMARY:ana", "6 the repetition does not say by what"),
        ("SUMMARY:ana", "RRULE:FREQ=DAILY;INTERVAL=0\nSUMMARY:ana", "6 `INTERVAL=0` of a repetition is not understood"),
        ("SUMMARY:ana", "RDATE:20260201T090000\nSUMMARY:ana", "6 `RDATE` is not understood"),
        ("SUMMARY:ana", "RECURRENCE-ID:20260105T090000\nSUMMARY:ana", "6 no event that repeats has this `UID`"),
        ("SUMMARY:ana", "no colon\nSUMMARY:ana", "6 this is not a line of a calendar"),
        ("END:VEVENT", "", "8 this ends what has not begun"),
        ("BEGIN:VEVENT", "END:VALARM\nBEGIN:VEVENT", "3 this ends what has not begun"),
    ] {
        let (_, faults) = taken(&EVENT.replacen(from, to, 1));
        assert_eq!(faults, [format!("RB0323 {fault}")], "{to}");
    }
    let mut workspace = read(WORKSPACE).0.unwrap();
    for (text, fault) in [("", "this is not a calendar"), ("BEGIN:VCALENDAR\nBEGIN:VEVENT", "`VCALENDAR`, `VEVENT` has no end")] {
        let found = workspace.take_calendar("web", &Source::new("web.ics", text)).into_sorted();
        assert_eq!(found.iter().map(|fault| fault.message.as_str()).collect::<Vec<_>>(), [fault]);
    }
}

#[test]
fn a_rotation_is_kept_in_one_way() {
    for (text, expect) in [
        ("rotations: {r: {calendar: r.ics, members: []}}", "RB0023 1:34 a rotation has `calendar` or `members`, not both"),
        ("rotations: {r: {calendar: r.ics, starts: 2026-01-05}}", "RB0023 1:34 a rotation has `calendar` or `starts`, not both"),
        ("rotations: {r: {zone: UTC}}", "RB0011 1:17 a rotation does not say who is on call"),
    ] {
        let (_, faults) = read(text);
        assert!(faults.iter().any(|fault| fault.starts_with(expect)), "{faults:?}");
    }
}
