use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `ann`, `ben` and `cleo`, in turn.
fn rotation(zone: &str, starts: &str, days: &[u8], time: (u16, u16), every: u32) -> Rotation {
    Rotation {
        zone: zone.to_owned(),
        turns: Turns::Members {
            members: ["ann", "ben", "cleo"].map(str::to_owned).to_vec(),
            starts: starts.parse().unwrap(),
            hand_over: HandOver { days: days.to_vec(), minute: time.0 * 60 + time.1, every },
        },
        overrides: Vec::new(),
    }
}

/// The first day from this one on that is one of these of the week.
fn first_of(days: &[u8], from: &str) -> String {
    let from: Date = from.parse().unwrap();
    let is_one = |day: &Date| days.contains(&u8::try_from(day.weekday().to_monday_one_offset()).unwrap());
    (0..7).map(|day| from.checked_add(jiff::Span::new().days(day)).unwrap()).find(is_one).unwrap().to_string()
}

fn stands_in(who: &str, from: &str, to: &str) -> Override {
    Override { who: who.to_owned(), from: at(from), to: at(to), reason: None }
}

/// The first shifts from a moment on: who, and until when.
fn told(rotation: &Rotation, from: &str, count: usize) -> Vec<String> {
    let one = |shift: Shift<'_>| {
        let to = shift.to.map_or("ever".to_owned(), |to| to.to_string());
        format!("{} {to}", shift.who.unwrap_or("nobody"))
    };
    rotation.shifts(at(from)).take(count).map(one).collect()
}

#[test]
fn turns_follow_the_wall_clock() {
    // Paris leaves summer time on 2026-10-25 and enters it on 2027-03-28.
    let weekly = rotation("Europe/Paris", "2026-10-12", &[1], (9, 0), 1);
    assert_eq!(
        told(&weekly, "2026-10-10T00:00:00Z", 5),
        [
            "nobody 2026-10-12T07:00:00Z",
            "ann 2026-10-19T07:00:00Z",
            "ben 2026-10-26T08:00:00Z",
            "cleo 2026-11-02T08:00:00Z",
            "ann 2026-11-09T08:00:00Z"
        ]
    );
    assert_eq!(told(&weekly, "2027-03-29T06:59:59Z", 2), ["cleo 2027-03-29T07:00:00Z", "ann 2027-04-05T07:00:00Z"]);
    for (rotation, from, expect) in [
        // Each second Monday.
        (
            rotation("UTC", "2026-01-05", &[1], (9, 0), 2),
            "2026-01-12T09:00:00Z",
            ["ann 2026-01-19T09:00:00Z", "ben 2026-02-02T09:00:00Z"],
        ),
        // Twice a week, begun on the second of the days.
        (
            rotation("UTC", "2026-01-08", &[1, 4], (9, 0), 1),
            "2026-01-08T09:00:00Z",
            ["ann 2026-01-12T09:00:00Z", "ben 2026-01-15T09:00:00Z"],
        ),
        // Daily, but the weekend is one turn.
        (
            rotation("UTC", "2026-01-09", &[1, 2, 3, 4, 5], (0, 0), 1),
            "2026-01-10T00:00:00Z",
            ["ann 2026-01-12T00:00:00Z", "ben 2026-01-13T00:00:00Z"],
        ),
        // At the end of the day.
        (
            rotation("UTC", "2026-01-05", &[1], (24, 0), 1),
            "2026-01-06T00:00:00Z",
            ["ann 2026-01-13T00:00:00Z", "ben 2026-01-20T00:00:00Z"],
        ),
    ] {
        assert_eq!(told(&rotation, from, 2), expect, "{rotation:?}");
    }
}

#[test]
fn a_time_that_the_clock_skips_or_repeats_is_one_hand_over() {
    let daily = rotation("Europe/Paris", "2026-10-23", &[1, 2, 3, 4, 5, 6, 7], (2, 30), 1);
    // 02:30 comes twice on 2026-10-25: the first counts.
    assert_eq!(
        told(&daily, "2026-10-24T00:30:00Z", 3),
        ["ben 2026-10-25T00:30:00Z", "cleo 2026-10-26T01:30:00Z", "ann 2026-10-27T01:30:00Z"]
    );
    // And not at all on 2027-03-28: it comes as 03:30.
    assert_eq!(told(&daily, "2027-03-28T01:29:59Z", 1)[0].split_once(' ').unwrap().1, "2027-03-28T01:30:00Z");
    // Samoa had no 30 December 2011. Whose turn would have begun on that day has none.
    let apia = rotation("Pacific/Apia", "2011-12-29", &[1, 2, 3, 4, 5, 6, 7], (9, 0), 1);
    assert_eq!(told(&apia, "2011-12-29T19:00:00Z", 2), ["ann 2011-12-30T19:00:00Z", "cleo 2011-12-31T19:00:00Z"]);
}

#[test]
fn overrides_stand_in_and_the_later_one_counts() {
    let mut rotation = rotation("UTC", "2026-01-05", &[1], (9, 0), 1);
    rotation.overrides = vec![
        stands_in("dora", "2026-01-11T00:00:00Z", "2026-01-13T00:00:00Z"),
        stands_in("ann", "2026-01-12T00:00:00Z", "2026-01-12T12:00:00Z"),
        stands_in("emil", "2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z"),
    ];
    assert_eq!(
        told(&rotation, "2025-12-01T00:00:00Z", 8),
        [
            "nobody 2025-12-31T00:00:00Z",
            "emil 2026-01-01T00:00:00Z",
            "nobody 2026-01-05T09:00:00Z",
            "ann 2026-01-11T00:00:00Z",
            "dora 2026-01-12T00:00:00Z",
            "ann 2026-01-12T12:00:00Z",
            "dora 2026-01-13T00:00:00Z",
            "ben 2026-01-19T09:00:00Z"
        ]
    );
    // From inside as from before.
    let inside = rotation.shift_at(at("2026-01-12T18:00:00Z"));
    assert_eq!((inside.from, inside.to), (Some(at("2026-01-12T12:00:00Z")), Some(at("2026-01-13T00:00:00Z"))));
    assert_eq!(rotation.shift_at(at("2026-01-14T00:00:00Z")).from, Some(at("2026-01-13T00:00:00Z")));
    assert_eq!(rotation.people().collect::<Vec<_>>(), ["ann", "ben", "cleo", "dora", "ann", "emil"]);
}

#[test]
fn an_override_beside_the_workspace_swaps_people_and_brings_in_nobody() {
    let mut rotation = rotation("UTC", "2026-01-05", &[1], (9, 0), 1);
    rotation.overrides = vec![stands_in("dora", "2026-01-11T00:00:00Z", "2026-01-12T00:00:00Z")];
    let made = [
        stands_in("cleo", "2026-01-10T00:00:00Z", "2026-01-11T12:00:00Z"),
        stands_in("mallory", "2026-01-05T00:00:00Z", "2027-01-01T00:00:00Z"),
        stands_in("dora", "2026-01-12T00:00:00Z", "2026-01-12T06:00:00Z"),
    ];
    assert_eq!(
        told(&rotation.with(&made), "2026-01-06T00:00:00Z", 5),
        [
            "ann 2026-01-10T00:00:00Z",
            "cleo 2026-01-11T12:00:00Z",
            "dora 2026-01-12T00:00:00Z",
            "dora 2026-01-12T06:00:00Z",
            "ann 2026-01-12T09:00:00Z"
        ]
    );
}

/// The wall clock at a moment, as far as a hand-over goes: day of the week and minute.
fn local(at: Timestamp, zone: &str) -> (u8, u16) {
    let local = time_zone(zone).unwrap().to_datetime(at);
    let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
    (u8::try_from(local.weekday().to_monday_one_offset()).unwrap(), u16::try_from(minute).unwrap())
}

const ZONES: [&str; 7] =
    ["UTC", "Europe/Paris", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Chatham"];

/// A month and a year over two changes of the clocks: shifts without gap and overlap, each of them found from any moment inside it, hand-overs at
/// their time of the wall clock, and turns in order.
#[test]
fn a_year_of_shifts_has_no_gap_and_no_overlap() {
    for zone in ZONES {
        for (days, time) in [(&[1][..], (9, 0)), (&[1, 2, 3, 4, 5, 6, 7], (2, 30)), (&[2, 5], (0, 0)), (&[7], (1, 45))] {
            let rotation = rotation(zone, &first_of(days, "2026-01-06"), days, time, 1);
            let begin = rotation.shift_at(at("2025-12-01T00:00:00Z")).to.unwrap();
            let end = begin.checked_add(SignedDuration::from_hours(24 * 366)).unwrap();
            let mut before: Option<Shift<'_>> = None;
            let mut count = 0_usize;
            for shift in rotation.shifts(begin).take_while(|shift| shift.from.unwrap() < end) {
                let (from, to) = (shift.from.unwrap(), shift.to.unwrap());
                assert!(from < to, "{zone} {shift:?}");
                assert_eq!(shift.who, Some(rotation.members()[count % 3]), "{zone} {shift:?}");
                if let Some(before) = &before {
                    assert_eq!(before.to, Some(from), "{zone}: between {before:?} and {shift:?}");
                }
                for inside in [
                    from,
                    from.checked_add(to.duration_since(from) / 2).unwrap(),
                    to.checked_sub(SignedDuration::from_nanos(1)).unwrap(),
                ] {
                    assert_eq!(rotation.shift_at(inside), shift, "{zone} at {inside}");
                }
                let (weekday, minute) = local(from, zone);
                assert!(days.contains(&weekday), "{zone} {shift:?}");
                let skipped = minute != time.0 * 60 + time.1;
                // A time that is not there comes later by what the clocks leave out.
                assert!(!skipped || (minute > time.0 * 60 + time.1 && minute <= time.0 * 60 + time.1 + 60), "{zone} {shift:?}");
                (before, count) = (Some(shift), count + 1);
            }
            assert!(count >= days.len() * 52, "{zone}: {count} shifts");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    /// Whatever the rotation and its overrides: shifts join one another, are the same from wherever they are looked at, and the last override in the
    /// list that holds is who is on call.
    #[test]
    fn shifts_join(
        zone in prop::sample::select(ZONES.to_vec()),
        days in prop::sample::subsequence(vec![1_u8, 2, 3, 4, 5, 6, 7], 1..=7),
        minute in 0_u16..=1440,
        every in 1_u32..5,
        overrides in prop::collection::vec((0_i64..60, 1_i64..200, 0_usize..3), 0..6),
        look in 0_i64..1440,
    ) {
        let mut rotation = rotation(zone, &first_of(&days, "2026-10-05"), &days, (minute / 60, minute % 60), every);
        let hours = |count: i64| at("2026-10-01T00:00:00Z").checked_add(SignedDuration::from_hours(count)).unwrap();
        rotation.overrides = overrides.iter().map(|(day, length, who)| Override {
            who: rotation.members()[*who].to_owned(), from: hours(day * 24), to: hours(day * 24 + length), reason: None,
        }).collect();
        let moment = hours(look);
        let shift = rotation.shift_at(moment);
        prop_assert!(shift.from.is_none_or(|from| from <= moment) && shift.to.is_none_or(|to| moment < to));
        prop_assert_eq!(shift.by, rotation.overrides.iter().rev().find(|one| one.holds(moment)));
        if let Some(from) = shift.from {
            prop_assert_eq!(&rotation.shift_at(from), &shift);
            prop_assert_eq!(rotation.shift_at(from.checked_sub(SignedDuration::from_nanos(1)).unwrap()).to, Some(from));
        }
        if let Some(to) = shift.to {
            prop_assert_eq!(rotation.shift_at(to).from, Some(to));
        }
    }
}
