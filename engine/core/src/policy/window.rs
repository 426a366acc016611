//! When an environment may be changed: freezes, and windows outside of which no change starts.
//!
//! Time zones come from the database compiled into the program, so the answer is the same on every machine. A window
//! lasts from one wall-clock time to another; where a change of the clock skips or repeats one of them, it opens and
//! closes at the first instant that the clock shows it, or would have shown it.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::PolicyContext;
use crate::limits;
use crate::markdown::quoted;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    pub name: String,
    /// Production is where controls tighten; a rule may name it.
    pub production: bool,
    pub freeze: Vec<Window>,
    /// Where not empty, changes may start only inside one of them.
    pub change_windows: Vec<Window>,
}

/// A span of time in which changes are frozen, or allowed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// From one instant to another.
    Once { from: Timestamp, to: Timestamp, reason: String },
    /// On days of the week (1 = Monday … 7 = Sunday), between minutes of the day, in a time zone of the IANA database.
    /// Where `to_minute` is not after `from_minute`, it lasts into the next day.
    Weekly { days: Vec<u8>, from_minute: u16, to_minute: u16, zone: String, reason: String },
}

/// No change may start now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Closed {
    pub environment: String,
    pub reason: String,
    /// When changes may start again, if that is known.
    pub opens_at: Option<Timestamp>,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not be changed now: {}", quoted(&self.environment), self.reason)?;
        match self.opens_at {
            Some(at) => write!(f, "; changes may start again at {at}"),
            None => write!(f, "; no later time is free, so change the windows of {} in workspace.yaml", quoted(&self.environment)),
        }
    }
}

/// A zone of the IANA database, by name.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// A time of the wall clock: one that is left out comes as much later, and of one that comes twice the first counts.
pub fn at_wall_clock(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(local).compatible().ok()
}

/// A moment as people write it: an instant; or, by the wall clock of a zone, a time, or the beginning of the day so many days after the one that is
/// named.
pub fn moment(text: &str, zone: &str, days_after: i64) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    let local = match text.parse::<Date>() {
        Ok(date) if !text.contains([':', 'T', ' ']) => add_days(date, days_after)?.to_datetime(Time::midnight()),
        _ => text.parse::<DateTime>().ok()?,
    };
    at_wall_clock(local, &time_zone(zone)?)
}

/// One opening of a window: from the first instant to before the second.
type Interval = (Timestamp, Timestamp);

impl Window {
    fn reason(&self) -> &str {
        match self {
            Window::Once { reason, .. } | Window::Weekly { reason, .. } => reason,
        }
    }

    /// The opening that `at` lies in.
    fn opening_at(&self, at: Timestamp) -> Option<Interval> {
        self.openings(at, 1).find(|(from, to)| *from <= at && at < *to)
    }

    /// The first opening that begins after `at`.
    fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.openings(at, limits::WINDOW_DAYS).map(|(from, _)| from).find(|from| *from > at)
    }

    /// Openings in order, from those that may hold `at` to those that begin at most `days` days later.
    fn openings(&self, at: Timestamp, days: i64) -> Box<dyn Iterator<Item = Interval> + '_> {
        match self {
            Window::Once { from, to, .. } => Box::new(std::iter::once((*from, *to))),
            Window::Weekly { days: weekdays, from_minute, to_minute, zone, .. } => {
                let Some(zone) = time_zone(zone) else { return Box::new(std::iter::empty()) };
                let today = zone.to_datetime(at).date();
                // Two days back: an opening may last into the next day, and a clock change may shift that day.
                Box::new((-2..=days).filter_map(move |offset| {
                    let date = add_days(today, offset)?;
                    let weekday = u8::try_from(date.weekday().to_monday_one_offset()).ok()?;
                    if !weekdays.contains(&weekday) {
                        return None;
                    }
                    let last = if to_minute <= from_minute { add_days(date, 1)? } else { date };
                    Some((instant(date, *from_minute, &zone)?, instant(last, *to_minute, &zone)?))
                }))
            }
        }
    }
}

fn add_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

pub(super) fn instant(date: Date, minute: u16, zone: &TimeZone) -> Option<Timestamp> {
    let date = if minute >= 1440 { add_days(date, 1)? } else { date };
    let minute = minute % 1440;
    let time = Time::new(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0).ok()?;
    at_wall_clock(date.to_datetime(time), zone)
}

impl Environment {
    /// Whether a change may start at `at`.
    pub fn may_change_at(&self, at: Timestamp) -> Result<(), Closed> {
        let closed = |reason: String| Closed { environment: self.name.clone(), reason, opens_at: self.opens_after(at) };
        if let Some(frozen) = self.freeze.iter().find(|window| window.opening_at(at).is_some()) {
            return Err(closed(format!("frozen: {}", frozen.reason())));
        }
        if !self.change_windows.is_empty() && !self.change_windows.iter().any(|window| window.opening_at(at).is_some()) {
            return Err(closed("outside its change windows".to_owned()));
        }
        Ok(())
    }

    /// The first instant after `at` at which a change may start. It jumps from freeze to window to freeze, a bounded
    /// number of times.
    fn opens_after(&self, at: Timestamp) -> Option<Timestamp> {
        let mut at = at;
        for _ in 0..limits::WINDOW_JUMPS {
            if let Some((_, thawed)) = self.freeze.iter().find_map(|window| window.opening_at(at)) {
                at = thawed;
            } else if self.change_windows.is_empty() || self.change_windows.iter().any(|w| w.opening_at(at).is_some()) {
                return Some(at);
            } else {
                at = self.change_windows.iter().filter_map(|window| window.next_after(at)).min()?;
            }
        }
        None
    }
}

/// When the times that these windows name are over, and the reason of the one that is open; `None` where none is.
pub fn quiet_until(windows: &[Window], at: Timestamp) -> Option<(Timestamp, &str)> {
    let open = |at: Timestamp| windows.iter().find_map(|window| Some((window.opening_at(at)?.1, window.reason())));
    let (mut until, reason) = open(at)?;
    // Windows that follow one another are one time.
    for _ in 0..limits::WINDOW_JUMPS {
        match open(until) {
            Some((later, _)) => until = later,
            None => break,
        }
    }
    Some((until, reason))
}

impl PolicyContext {
    /// Whether there are times at which a change may not start.
    pub fn has_hours(&self) -> bool {
        self.environment
            .as_ref()
            .is_some_and(|environment| !environment.freeze.is_empty() || !environment.change_windows.is_empty())
    }

    /// Whether a change may start at `at` in the environment of the run. Without an environment nothing is closed.
    pub fn may_change_at(&self, at: Timestamp) -> Result<(), Closed> {
        self.environment.as_ref().map_or(Ok(()), |environment| environment.may_change_at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_as_people_write_them() {
        for (text, expect) in [
            ("2026-12-24", Some("2026-12-23T23:00:00Z")),
            ("2026-12-24T18:00", Some("2026-12-24T17:00:00Z")),
            ("2026-12-24 18:00", Some("2026-12-24T17:00:00Z")),
            ("2026-12-24T18:00Z", Some("2026-12-24T18:00:00Z")),
            ("tomorrow", None),
            ("18:00", None),
        ] {
            assert_eq!(moment(text, "Europe/Paris", 0).map(|at| at.to_string()).as_deref(), expect, "{text}");
        }
        assert_eq!(moment("2026-12-24", "Europe/Paris", 1), moment("2026-12-25", "Europe/Paris", 0));
    }

    fn weekly(days: &[u8], from: (u16, u16), to: (u16, u16), zone: &str) -> Window {
        Window::Weekly {
            days: days.to_vec(),
            from_minute: from.0 * 60 + from.1,
            to_minute: to.0 * 60 + to.1,
            zone: zone.into(),
            reason: "weekly".into(),
        }
    }

    fn once(from: &str, to: &str) -> Window {
        Window::Once { from: from.parse().unwrap(), to: to.parse().unwrap(), reason: "year end".into() }
    }

    #[track_caller]
    fn check(environment: &Environment, cases: &[(&str, Option<&str>)]) {
        for (at, opens) in cases {
            let found = environment.may_change_at(at.parse().unwrap());
            match (found, opens) {
                (Ok(()), None) => {}
                (Err(closed), Some(opens)) => {
                    assert_eq!(closed.opens_at.map(|t| t.to_string()).as_deref().unwrap_or("never"), *opens, "{at}")
                }
                (found, _) => panic!("{at}: {found:?}, expected {opens:?}"),
            }
        }
    }

    #[test]
    fn a_freeze_closes_to_its_end() {
        let environment = Environment {
            name: "production".into(),
            freeze: vec![
                once("2026-12-20T00:00:00Z", "2027-01-04T00:00:00Z"),
                once("2027-01-04T00:00:00Z", "2027-01-05T00:00:00Z"),
            ],
            ..Environment::default()
        };
        check(
            &environment,
            &[
                ("2026-12-19T23:59:59Z", None),
                ("2026-12-20T00:00:00Z", Some("2027-01-05T00:00:00Z")),
                ("2027-01-04T12:00:00Z", Some("2027-01-05T00:00:00Z")),
                ("2027-01-05T00:00:00Z", None),
            ],
        );
    }

    #[test]
    fn change_windows_follow_the_wall_clock() {
        // Berlin leaves summer time on 2026-10-25 and enters it on 2027-03-28.
        let office = Environment {
            name: "production".into(),
            change_windows: vec![weekly(&[1, 2, 3, 4, 5], (9, 0), (17, 0), "Europe/Berlin")],
            ..Environment::default()
        };
        check(
            &office,
            &[
                ("2026-10-23T06:59:59Z", Some("2026-10-23T07:00:00Z")),
                ("2026-10-23T07:00:00Z", None),
                ("2026-10-23T14:59:59Z", None),
                ("2026-10-23T15:00:00Z", Some("2026-10-26T08:00:00Z")),
                ("2026-10-26T07:30:00Z", Some("2026-10-26T08:00:00Z")),
                ("2026-10-26T15:59:59Z", None),
                ("2027-03-26T16:00:00Z", Some("2027-03-29T07:00:00Z")),
            ],
        );
    }

    #[test]
    fn nights_and_the_hours_that_the_clock_skips_or_repeats() {
        let night = Environment {
            name: "production".into(),
            change_windows: vec![weekly(&[6, 7], (22, 0), (2, 30), "Europe/Berlin")],
            ..Environment::default()
        };
        check(
            &night,
            &[
                // Saturday 2026-10-24, 22:00 in summer time, to Sunday 02:30 the first time the clock shows it.
                ("2026-10-24T19:59:00Z", Some("2026-10-24T20:00:00Z")),
                ("2026-10-24T20:00:00Z", None),
                ("2026-10-25T00:29:00Z", None),
                ("2026-10-25T00:30:00Z", Some("2026-10-25T21:00:00Z")),
                // Sunday into Monday, in winter time.
                ("2026-10-26T01:29:00Z", None),
                ("2026-10-26T01:30:00Z", Some("2026-10-31T21:00:00Z")),
                // 2027-03-28 has no 02:30; the window lasts as long as ever.
                ("2027-03-28T01:29:00Z", None),
                ("2027-03-28T01:30:00Z", Some("2027-03-28T20:00:00Z")),
            ],
        );
        let skipped = Environment {
            name: "production".into(),
            change_windows: vec![weekly(&[7], (2, 15), (4, 0), "Europe/Berlin")],
            ..Environment::default()
        };
        check(
            &skipped,
            &[
                ("2027-03-28T00:59:00Z", Some("2027-03-28T01:15:00Z")),
                ("2027-03-28T01:15:00Z", None),
                ("2027-03-28T02:00:00Z", Some("2027-04-04T00:15:00Z")),
            ],
        );
    }

    #[test]
    fn whole_days_freezes_inside_windows_and_windows_that_never_open() {
        let whole = Environment {
            name: "e".into(),
            freeze: vec![weekly(&[5], (12, 0), (24, 0), "UTC"), once("2026-11-23T00:00:00Z", "2026-11-23T10:00:00Z")],
            change_windows: vec![weekly(&[1, 5], (0, 0), (24, 0), "UTC")],
            ..Environment::default()
        };
        check(
            &whole,
            &[
                ("2026-11-20T11:00:00Z", None),
                ("2026-11-20T12:00:00Z", Some("2026-11-23T10:00:00Z")),
                ("2026-11-22T12:00:00Z", Some("2026-11-23T10:00:00Z")),
                ("2026-11-23T23:59:59Z", None),
            ],
        );
        for never in [
            Environment {
                name: "e".into(),
                freeze: vec![weekly(&[1, 2, 3, 4, 5, 6, 7], (0, 0), (24, 0), "UTC")],
                ..Environment::default()
            },
            Environment { name: "e".into(), change_windows: vec![weekly(&[], (9, 0), (10, 0), "UTC")], ..Environment::default() },
            Environment {
                name: "e".into(),
                change_windows: vec![weekly(&[1], (9, 0), (10, 0), "Mars/Base")],
                ..Environment::default()
            },
            Environment {
                name: "e".into(),
                change_windows: vec![once("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")],
                ..Environment::default()
            },
        ] {
            check(&never, &[("2026-11-20T11:00:00Z", Some("never"))]);
        }
    }

    #[test]
    fn what_a_person_reads() {
        let environment = Environment {
            name: "production".into(),
            freeze: vec![once("2026-12-20T00:00:00Z", "2027-01-04T00:00:00Z")],
            ..Environment::default()
        };
        let closed = environment.may_change_at("2026-12-24T00:00:00Z".parse().unwrap()).unwrap_err();
        assert_eq!(
            closed.to_string(),
            "`production` may not be changed now: frozen: year end; changes may start again at 2027-01-04T00:00:00Z"
        );
    }
}
