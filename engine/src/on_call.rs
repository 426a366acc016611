//! Who is on call: as it is written down when somebody is asked, and as it is told, in a terminal, to programs, and on a page.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use runbook_core::policy::{Override, Overrides, Rotation, Shift, time_zone};
use runbook_core::run::event::Timer;
use runbook_core::{Fact, Run, limits};
use serde::{Deserialize, Serialize};

use crate::journal::{Journal, JournalError, KeptOverride, OverrideId};

/// A fact with who is on call where it asks a rotation, by the overrides of this moment.
pub(crate) fn asking(fact: Fact, run: &Run, at: Timestamp, journal: &dyn Journal) -> Result<Fact, JournalError> {
    let asks = matches!(fact, Fact::DecisionRequested { .. } | Fact::TimerFired { timer: Timer::Decision { .. }, .. });
    if !asks || run.plan().policy.people.rotations.is_empty() {
        return Ok(fact);
    }
    let mut made = Overrides::new();
    for kept in journal.overrides(at)? {
        made.entry(kept.made.rotation).or_default().push(kept.made.stands_in);
    }
    Ok(fact.asking_those_on_call(run, at, &made))
}

/// One rotation, with the overrides that were made beside the workspace.
pub struct Called<'r> {
    name: &'r str,
    rotation: Rotation,
    made: Vec<&'r KeptOverride>,
}

/// How one rotation stands at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// `null`: nobody.
    pub on_call: Option<String>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Whether somebody stands in for whoever's turn it is.
    pub is_override: bool,
    /// Of an override that was made beside the workspace.
    pub override_id: Option<OverrideId>,
    pub reason: Option<String>,
}

impl<'r> Called<'r> {
    pub fn new(name: &'r str, rotation: &Rotation, kept: &'r [KeptOverride]) -> Called<'r> {
        let made: Vec<&KeptOverride> = kept.iter().filter(|kept| kept.made.rotation == name).collect();
        let overrides: Vec<Override> = made.iter().map(|kept| kept.made.stands_in.clone()).collect();
        Called { name, rotation: rotation.with(&overrides), made }
    }

    pub fn standing(&self, at: Timestamp) -> Standing {
        let now = self.told(self.rotation.shift_at(at));
        let coming = self.rotation.shifts(at).skip(1).take(limits::SHIFTS_AHEAD).map(|shift| self.told(shift)).collect();
        Standing { rotation: self.name.to_owned(), zone: self.rotation.zone.clone(), now, coming }
    }

    /// The shifts that begin before `until`, with the one that is under way at `at`.
    pub fn shifts(&self, at: Timestamp, until: Timestamp) -> Vec<Told> {
        let begins = |shift: &Shift<'_>| shift.from.is_none_or(|from| from <= at || from < until);
        self.rotation.shifts(at).take_while(begins).map(|shift| self.told(shift)).collect()
    }

    fn told(&self, shift: Shift<'_>) -> Told {
        // The last one that was made counts.
        let kept = shift.by.and_then(|by| self.made.iter().rev().find(|kept| kept.made.stands_in == *by));
        Told {
            on_call: shift.who.map(str::to_owned),
            from: shift.from,
            to: shift.to,
            is_override: shift.by.is_some(),
            override_id: kept.map(|kept| kept.id),
            reason: shift.by.and_then(|by| by.reason.clone()),
        }
    }
}

impl Told {
    /// Why it is not whoever's turn it is.
    pub fn why(&self) -> Option<String> {
        match &self.reason {
            Some(reason) => Some(format!("stands in: {reason}")),
            None => self.is_override.then(|| "stands in".to_owned()),
        }
    }
}

/// An instant by the wall clock of a rotation: `Mon 2026-11-30 09:00 CET`.
pub fn local(at: Timestamp, zone: &str) -> String {
    let zone = time_zone(zone).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_told_by_the_wall_clock_of_the_rotation() {
        assert_eq!(local("2026-12-24T18:00:00Z".parse().unwrap(), "Europe/Paris"), "Thu 2026-12-24 19:00 CET");
    }
}
