//! Who is on call, as it is told: in a terminal, to programs, and on a page.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use runbook_core::limits;
use runbook_core::policy::{Rotation, Shift, time_zone};
use serde::Serialize;

/// How one rotation stands at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub rotation: String,
    /// That of the hand-overs.
    pub zone: String,
    #[serde(flatten)]
    pub now: Told,
    /// What follows, some shifts of it.
    pub coming: Vec<Told>,
}

/// One shift.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// `null`: nobody.
    pub on_call: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Whether somebody stands in for whoever's turn it is.
    pub is_override: bool,
    pub reason: Option<String>,
}

impl From<Shift<'_>> for Told {
    fn from(shift: Shift<'_>) -> Told {
        Told {
            on_call: shift.who.map(str::to_owned),
            from: shift.from,
            to: shift.to,
            is_override: shift.by.is_some(),
            reason: shift.by.and_then(|by| by.reason.clone()),
        }
    }
}

pub fn standing(name: &str, rotation: &Rotation, at: Timestamp) -> Standing {
    let coming = rotation.shifts(at).skip(1).take(limits::SHIFTS_AHEAD).map(Told::from).collect();
    Standing { rotation: name.to_owned(), zone: rotation.zone.clone(), now: rotation.shift_at(at).into(), coming }
}

/// The shifts that begin before `until`, with the one that is under way at `at`.
pub fn shifts(rotation: &Rotation, at: Timestamp, until: Timestamp) -> Vec<Told> {
    let coming = rotation.shifts(at).take_while(|shift| shift.from.is_none_or(|from| from <= at || from < until));
    coming.map(Told::from).collect()
}

/// An instant by the wall clock of a rotation: `Mon 2026-11-30 09:00 CET`.
pub fn local(at: Timestamp, zone: &str) -> String {
    let zone = time_zone(zone).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
}

/// A moment as people write it: an instant, or a day or a time of the wall clock of a rotation.
pub fn moment(text: &str, zone: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse() {
        return Some(instant);
    }
    let local = match text.parse::<Date>() {
        Ok(date) if !text.contains([':', 'T', ' ']) => date.to_datetime(Time::midnight()),
        _ => text.parse::<DateTime>().ok()?,
    };
    time_zone(zone)?.to_ambiguous_timestamp(local).compatible().ok()
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
            assert_eq!(moment(text, "Europe/Paris").map(|at| at.to_string()).as_deref(), expect, "{text}");
        }
        assert_eq!(local("2026-12-24T18:00:00Z".parse().unwrap(), "Europe/Paris"), "Thu 2026-12-24 19:00 CET");
    }
}
