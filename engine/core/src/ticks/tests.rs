use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(cron: &str, zone: &str, missed: Missed) -> (Schedule, Timetable) {
    let timetable = Timetable::of(cron, zone).unwrap();
    (Schedule { cron: cron.to_owned(), zone: zone.to_owned(), late: Duration::from_secs(300), missed }, timetable)
}

/// Each event in short: `tick 2026-…`, `late 2026-…`, `missed 3 2026-…/2026-…`.
fn short(events: &[CloudEvent]) -> Vec<String> {
    let one = |event: &CloudEvent| match missed(event) {
        Some(ticks) => format!("missed {ticks} {}", event.id.trim_start_matches("missed/")),
        None if event.data.get("late") == Some(&Value::Bool(true)) => format!("late {}", event.id),
        None => format!("tick {}", event.id),
    };
    events.iter().map(one).collect()
}

#[test]
fn a_change_of_the_clocks_leaves_no_day_out_and_takes_none_twice() {
    let days = |cron: &str, zone: &str, after: &str, until: &str| -> Vec<String> {
        let timetable = Timetable::of(cron, zone).unwrap();
        timetable.between(at(after), at(until)).map(|tick| tick.to_string()).collect()
    };
    // Berlin goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October.
    assert_eq!(
        days("30 2 * * *", "Europe/Berlin", "2026-03-27T22:00:00Z", "2026-03-30T22:00:00Z"),
        ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        days("30 2 * * *", "Europe/Berlin", "2026-10-23T22:00:00Z", "2026-10-26T22:00:00Z"),
        ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    // One of many is left out with its hour, and comes twice with it.
    assert_eq!(
        days("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z"),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
    );
    assert_eq!(days("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", "2026-10-25T02:00:00Z").len(), 4);
}

#[test]
fn a_tick_counts_once_and_what_nobody_saw_is_told() {
    let (skip, hourly) = schedule("0 * * * *", "UTC", Missed::Skip);
    let (once, _) = schedule("0 * * * *", "UTC", Missed::Once);
    let told = |schedule: &Schedule, seen: &str, now: &str| short(&schedule.ticks(&hourly, "it", at(seen), at(now)));
    assert_eq!(told(&skip, "2026-01-01T00:00:00Z", "2026-01-01T00:59:59Z"), Vec::<String>::new());
    assert_eq!(told(&skip, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"), ["tick 2026-01-01T01:00:00Z"]);
    // Five minutes late it still counts, and not a moment later.
    assert_eq!(told(&skip, "2026-01-01T00:00:00Z", "2026-01-01T01:05:00Z"), ["tick 2026-01-01T01:00:00Z"]);
    let gone = "missed 1 2026-01-01T01:00:00Z/2026-01-01T01:00:00Z";
    assert_eq!(told(&skip, "2026-01-01T00:00:00Z", "2026-01-01T01:05:00.001Z"), [gone]);
    assert_eq!(told(&once, "2026-01-01T00:00:00Z", "2026-01-01T01:05:00.001Z"), ["late 2026-01-01T01:00:00Z"]);
    // Several are told together; the last one counts where one is to, unless a newer one is in time.
    let three = "missed 3 2026-01-01T01:00:00Z/2026-01-01T03:00:00Z";
    assert_eq!(told(&skip, "2026-01-01T00:00:00Z", "2026-01-01T03:30:00Z"), [three]);
    let two = "missed 2 2026-01-01T01:00:00Z/2026-01-01T02:00:00Z";
    assert_eq!(told(&once, "2026-01-01T00:00:00Z", "2026-01-01T03:30:00Z"), [two, "late 2026-01-01T03:00:00Z"]);
    assert_eq!(told(&once, "2026-01-01T00:00:00Z", "2026-01-01T03:01:00Z"), [two, "tick 2026-01-01T03:00:00Z"]);
}

#[test]
fn a_clock_that_jumps_by_a_year_costs_no_year_of_ticks() {
    let (skip, minutely) = schedule("* * * * *", "UTC", Missed::Skip);
    let events = skip.ticks(&minutely, "it", at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:30Z"));
    let first = events.first().unwrap();
    assert_eq!(first.id, "missed/2026-01-01T00:01:00Z/2026-12-31T23:55:00Z");
    assert_eq!(missed(first), Some(limits::TICKS_COUNTED + 1));
    assert_eq!(first.data.get("more"), Some(&Value::Bool(true)));
    assert_eq!(events.len(), 1 + 5, "those of the last five minutes are in time");
}

#[test]
fn what_is_no_time_is_told_and_found_soon() {
    for (cron, why) in [
        ("", "empty"),
        ("* * * *", "Pattern"),
        ("* * * * * *", "Pattern"),
        ("60 * * * *", "out of bounds"),
        ("0 0 30 2 *", "there is no such day"),
        ("@reboot", "5 fields"),
        ("x y z * *", "illegal"),
        ("é * * * *", "illegal"),
        ("0 0 1-999999999999 * *", ""),
        ("*/0 * * * *", ""),
        (&format!("{} * * * *", "1,".repeat(200)), "longer"),
    ] {
        let error = Timetable::of(cron, "UTC").unwrap_err();
        assert!(error.contains(why), "{cron}: {error}");
    }
    assert!(Timetable::of("0 0 29 2 *", "UTC").is_ok() && Timetable::of("@daily", "UTC").is_ok());
    assert_eq!(Timetable::of("@daily", "Europe/Berln").unwrap_err(), "`Europe/Berln` is not a time zone");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// However often the process stops, and wherever its clock stands: each tick is told once, as a tick or as missed.
    #[test]
    fn each_tick_is_told_once(
        cron in prop::sample::select(vec!["*/7 * * * *", "0 * * * *", "30 2 * * *", "15 3 * * sun", "59 23 28-31 * *"]),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]),
        begin in 1_700_000_000_i64..1_800_000_000,
        looks in prop::collection::vec(1_i64..200_000, 1..20),
        once in any::<bool>(),
    ) {
        let (schedule, timetable) = schedule(cron, zone, if once { Missed::Once } else { Missed::Skip });
        let begin = Timestamp::from_second(begin).unwrap();
        let mut told = BTreeSet::new();
        let (mut seen, mut now) = (begin, begin);
        for look in looks {
            now = now.checked_add(jiff::SignedDuration::from_secs(look)).unwrap();
            for event in schedule.ticks(&timetable, "it", seen, now) {
                let last = event.time.unwrap();
                match event.data.get("from") {
                    Some(Value::Time(from)) => {
                        let just_before = from.checked_sub(jiff::SignedDuration::from_nanos(1)).unwrap();
                        let until = last.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap();
                        for tick in timetable.between(just_before, until) {
                            prop_assert!(told.insert(tick), "{tick} is told twice");
                        }
                    }
                    _ => prop_assert!(told.insert(last), "{last} is told twice"),
                }
                seen = seen.max(last);
            }
        }
        let end = now.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap();
        let all: BTreeSet<Timestamp> = timetable.between(begin, end).collect();
        prop_assert_eq!(told, all);
    }
}
