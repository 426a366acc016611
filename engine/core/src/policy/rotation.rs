//! Who is on call: people who take turns, handed over at a time of the wall clock, and those who stand in for them.
//!
//! A turn lasts from one hand-over to the next, whatever the clocks do in between. A hand-over at a time that a change of the clocks leaves out comes
//! later by as much, and one at a time that comes twice is at the first. So somebody's turn ends where another one's begins, and of every moment
//! it can be told who is on call, or that nobody is.

mod calendar;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::time_zone;
use super::window::instant;
pub use calendar::{Entry, Repeats, Unit};

/// Days of the week, as they are written: Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// People who take turns at being on call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rotation {
    /// A zone of the IANA database: that of the hand-overs.
    pub zone: String,
    #[serde(flatten)]
    pub turns: Turns,
    /// Of two for the same time the later one in the list counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// Whose turn it is, whoever stands in for them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, rename_all = "snake_case")]
pub enum Turns {
    Members {
        /// People, in the order of their turns.
        members: Vec<String>,
        /// The day of the hand-over to the first of them. Before it nobody is on call.
        starts: Date,
        hand_over: HandOver,
    },
    /// As a calendar says. Where it says nothing, nobody is on call.
    Calendar { calendar: Vec<Entry> },
}

/// When one turn ends and the next begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// Days of the week, 1 = Monday … 7 = Sunday, in order, each once.
    pub days: Vec<u8>,
    /// Of the day, in the zone of the rotation.
    pub minute: u16,
    /// A turn ends at every so manieth of these times.
    pub every: u32,
}

/// Somebody is on call instead of whoever's turn it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub who: String,
    pub from: Timestamp,
    /// The first instant at which they no longer are.
    pub to: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Those that were made beside the workspace, by rotation.
pub type Overrides = BTreeMap<String, Vec<Override>>;

/// A time through which the same person is on call for the same reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift<'r> {
    /// `None`: nobody is.
    pub who: Option<&'r str>,
    /// `None`: ever since.
    pub from: Option<Timestamp>,
    /// The first instant that is no longer of it; `None`: for ever.
    pub to: Option<Timestamp>,
    /// By which they are on call although it is not their turn.
    pub by: Option<&'r Override>,
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.turns {
            Turns::Members { members, starts, hand_over: HandOver { days, minute, every } } => {
                let days: Vec<&str> = days.iter().filter_map(|day| DAYS.get(usize::from(*day).checked_sub(1)?).copied()).collect();
                write!(f, "{} in turn from {starts} on, handed over ", members.join(", "))?;
                write!(f, "{} at {:02}:{:02} ({})", days.join(", "), minute / 60, minute % 60, self.zone)?;
                if *every > 1 {
                    write!(f, ", at one in {every} of these times")?;
                }
            }
            Turns::Calendar { calendar } => {
                let entries: Vec<String> = calendar.iter().map(Entry::to_string).collect();
                write!(f, "by a calendar: {}", entries.join("; "))?;
            }
        }
        self.overrides.iter().try_for_each(|one| write!(f, "; {} from {} to {}", one.who, one.from, one.to))
    }
}

impl Override {
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

impl HandOver {
    /// The day of the hand-over of this number, counted from that on the day `starts`.
    fn day(&self, starts: Date, number: i64) -> Option<Date> {
        let length = i64::try_from(self.days.len()).ok().filter(|length| *length > 0)?;
        let weekday = u8::try_from(starts.weekday().to_monday_one_offset()).ok()?;
        let first = i64::try_from(self.days.iter().position(|day| *day == weekday)?).ok()?;
        let (week, place) = ((first + number).div_euclid(length), (first + number).rem_euclid(length));
        let day = i64::from(*self.days.get(usize::try_from(place).ok()?)?);
        let days = week.checked_mul(7)?.checked_add(day - i64::from(weekday))?;
        starts.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
    }

    /// When the turn of this number begins.
    fn begins(&self, turn: i64, starts: Date, zone: &TimeZone) -> Option<Timestamp> {
        let number = turn.checked_mul(i64::from(self.every.max(1)))?;
        instant(self.day(starts, number)?, self.minute, zone)
    }
}

impl Rotation {
    /// With overrides that were made beside the workspace, which count more than its own. They only let those who are in the rotation stand in for one
    /// another: who may decide at all is for the workspace to say.
    #[must_use]
    pub fn with(&self, made: &[Override]) -> Rotation {
        let mut rotation = self.clone();
        rotation.overrides.extend(made.iter().filter(|one| self.has(&one.who)).cloned());
        rotation
    }

    /// Whether somebody is on call at some time.
    pub fn has(&self, who: &str) -> bool {
        self.people().any(|person| person == who)
    }

    /// Who is on call at a moment, from when to when.
    pub fn shift_at(&self, at: Timestamp) -> Shift<'_> {
        let by = self.overrides.iter().rposition(|one| one.holds(at));
        let mut shift = match by.and_then(|place| self.overrides.get(place)) {
            Some(one) => Shift { who: Some(&one.who), from: Some(one.from), to: Some(one.to), by: Some(one) },
            None => self.turn_at(at),
        };
        // What counts more than this one bounds it.
        let above = by.map_or(0, |place| place + 1);
        for edge in self.overrides.iter().skip(above).flat_map(|one| [one.from, one.to]) {
            if edge > at {
                shift.to = Some(shift.to.map_or(edge, |to| to.min(edge)));
            } else {
                shift.from = Some(shift.from.map_or(edge, |from| from.max(edge)));
            }
        }
        shift
    }

    /// Those from a moment on, the one that it lies in first.
    pub fn shifts(&self, from: Timestamp) -> impl Iterator<Item = Shift<'_>> {
        std::iter::successors(Some(self.shift_at(from)), |shift| shift.to.map(|to| self.shift_at(to)))
    }

    /// Everybody who is on call at some time.
    pub fn people(&self) -> impl Iterator<Item = &str> {
        self.members().into_iter().chain(self.overrides.iter().map(|one| one.who.as_str()))
    }

    /// Those who take turns, each once.
    pub fn members(&self) -> Vec<&str> {
        let all = match &self.turns {
            Turns::Members { members, .. } => members.iter().map(String::as_str).collect::<Vec<_>>(),
            Turns::Calendar { calendar } => calendar.iter().map(|entry| entry.who.as_str()).collect(),
        };
        let mut members = Vec::new();
        for who in all {
            if !members.contains(&who) {
                members.push(who);
            }
        }
        members
    }

    /// Whose turn it is, whoever stands in for them.
    fn turn_at(&self, at: Timestamp) -> Shift<'_> {
        match &self.turns {
            Turns::Members { members, starts, hand_over } => self.turn_of(members, *starts, hand_over, at),
            Turns::Calendar { calendar } => calendar::shift_at(calendar, at),
        }
    }

    fn turn_of<'r>(&self, members: &'r [String], starts: Date, hand_over: &HandOver, at: Timestamp) -> Shift<'r> {
        let nobody = |to| Shift { who: None, from: None, to, by: None };
        let Some(zone) = time_zone(&self.zone) else { return nobody(None) };
        let begins = |turn: i64| hand_over.begins(turn, starts, &zone);
        let first = begins(0);
        if first.is_none_or(|first| at < first) {
            return nobody(first);
        }
        // No earlier than the right one: the last whose day is not after the day of `at`, and some to spare for days that a zone skips.
        let days = zone.to_datetime(at).date().since((jiff::Unit::Day, starts)).map_or(0, |span| i64::from(span.get_days()));
        let length = i64::try_from(hand_over.days.len()).unwrap_or(1);
        let latest = (days.saturating_add(9).saturating_mul(length) / 7 + length) / i64::from(hand_over.every.max(1)) + 1;
        let turn = (0..=latest).rev().find(|turn| begins(*turn).is_some_and(|begin| begin <= at)).unwrap_or(0);
        let count = i64::try_from(members.len()).unwrap_or(i64::MAX).max(1);
        let who = usize::try_from(turn % count).ok().and_then(|place| members.get(place));
        Shift { who: who.map(String::as_str), from: begins(turn), to: begins(turn + 1), by: None }
    }
}

#[cfg(test)]
mod tests;
