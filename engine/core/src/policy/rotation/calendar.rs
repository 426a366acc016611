//! Who is on call by a calendar: entries that happen once, or again and again by the wall clock.
//!
//! An entry lasts from one time of the wall clock to another, also where the clocks change in between. Of several at one moment the one that began last
//! counts, so that an entry for a day stands in for one of a week.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{DAYS, Shift};
use crate::policy::{at_wall_clock, time_zone};

/// Somebody is on call, once or again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub who: String,
    /// By the wall clock of the zone.
    pub begins: DateTime,
    pub ends: DateTime,
    /// A zone of the IANA database.
    pub zone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
    /// Beginnings at which it does not happen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<DateTime>,
}

/// When an entry happens again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    pub unit: Unit,
    /// Each so manieth day or week.
    pub every: u32,
    /// Of weeks: days of the week, 1 = Monday, in order. That of the first beginning is among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<u8>,
    /// The last moment at which it may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How often it happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Day,
    Week,
}

/// Who is on call by these entries at a moment, from when to when.
pub(super) fn shift_at(entries: &[Entry], at: Timestamp) -> Shift<'_> {
    let mut shift = Shift { who: None, from: None, to: None, by: None };
    let mut begun: Option<Timestamp> = None;
    for entry in entries {
        for (begin, end) in entry.around(at) {
            for edge in [begin, end] {
                if edge > at {
                    shift.to = Some(shift.to.map_or(edge, |to| to.min(edge)));
                } else {
                    shift.from = Some(shift.from.map_or(edge, |from| from.max(edge)));
                }
            }
            if begin <= at && at < end && begun.is_none_or(|before| before <= begin) {
                (shift.who, begun) = (Some(entry.who.as_str()), Some(begin));
            }
        }
    }
    shift
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} to {} ({})", self.who, self.begins, self.ends, self.zone)?;
        if let Some(Repeats { unit, every, days, until, count }) = &self.repeats {
            let days: Vec<&str> = days.iter().filter_map(|day| DAYS.get(usize::from(*day).checked_sub(1)?).copied()).collect();
            let unit = if *unit == Unit::Day { "days" } else { "weeks" };
            write!(f, ", again every {every} {unit} {}", days.join(", "))?;
            until.iter().try_for_each(|until| write!(f, " until {until}"))?;
            count.iter().try_for_each(|count| write!(f, " {count} times"))?;
        }
        self.except.iter().try_for_each(|except| write!(f, ", not at {except}"))
    }
}

impl Entry {
    /// When it begins first.
    pub fn first(&self) -> Option<Timestamp> {
        at_wall_clock(self.begins, &time_zone(&self.zone)?)
    }

    /// The last time that it begins at a moment or before, the one before that, and the next one.
    fn around(&self, at: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let Some(zone) = time_zone(&self.zone) else { return Vec::new() };
        let today = zone.to_datetime(at).date();
        let mut number = self.latest(today, &zone);
        while number > 0 && self.begin(number, &zone).is_none_or(|begin| begin > at) {
            number -= 1;
        }
        let mut found = Vec::new();
        let before = (0..=number).rev().filter_map(|number| self.happens(number, &zone));
        found.extend(before.filter(|(begin, _)| *begin <= at).take(2));
        let behind = (number..).take(self.except.len() + 2).filter_map(|number| self.happens(number, &zone));
        found.extend(behind.filter(|(begin, _)| *begin > at).take(1));
        found
    }

    /// No earlier than the number of the last time that begins on this day or before.
    fn latest(&self, day: Date, zone: &TimeZone) -> i64 {
        let Some(repeats) = &self.repeats else { return 0 };
        let day = repeats.until.map_or(day, |until| day.min(zone.to_datetime(until).date()));
        let days = day.since((jiff::Unit::Day, self.begins.date())).map_or(0, |span| i64::from(span.get_days())).max(0) + 2;
        let every = i64::from(repeats.every.max(1));
        let number = match repeats.unit {
            Unit::Day => days / every,
            Unit::Week => (days / 7 / every + 2).saturating_mul(i64::try_from(repeats.days.len()).unwrap_or(7)),
        };
        repeats.count.map_or(number, |count| number.min(i64::from(count).saturating_sub(1)))
    }

    /// The day of the time of this number, which is counted from 0.
    fn day(&self, number: i64) -> Option<Date> {
        let first = self.begins.date();
        let days = match &self.repeats {
            None => return (number == 0).then_some(first),
            Some(repeats) if repeats.count.is_some_and(|count| number >= i64::from(count)) => return None,
            Some(repeats) => match repeats.unit {
                Unit::Day => number.checked_mul(i64::from(repeats.every.max(1)))?,
                Unit::Week => {
                    let weekday = u8::try_from(first.weekday().to_monday_one_offset()).ok()?;
                    let length = i64::try_from(repeats.days.len()).ok().filter(|length| *length > 0)?;
                    let place = number + i64::try_from(repeats.days.iter().position(|day| *day == weekday)?).ok()?;
                    let day = i64::from(*repeats.days.get(usize::try_from(place % length).ok()?)?);
                    (place / length).checked_mul(7 * i64::from(repeats.every.max(1)))? + day - i64::from(weekday)
                }
            },
        };
        first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
    }

    fn begin(&self, number: i64, zone: &TimeZone) -> Option<Timestamp> {
        at_wall_clock(self.day(number)?.to_datetime(self.begins.time()), zone)
    }

    /// When it happens for this time; not at all where it is excepted, or over.
    fn happens(&self, number: i64, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let begins = self.day(number)?.to_datetime(self.begins.time());
        let from = at_wall_clock(begins, zone)?;
        let is_over = self.repeats.as_ref().and_then(|repeats| repeats.until).is_some_and(|until| from > until);
        if is_over || self.except.contains(&begins) {
            return None;
        }
        let lasts = self.ends.date().since((jiff::Unit::Day, self.begins.date())).ok()?;
        let ends = begins.date().checked_add(lasts).ok()?.to_datetime(self.ends.time());
        let to = at_wall_clock(ends, zone)?;
        (from < to).then_some((from, to))
    }
}
