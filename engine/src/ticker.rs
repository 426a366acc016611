//! Looks at the clock for the schedules of a workspace, and writes their ticks down as events.
//!
//! A look may be late, be cut off, or be taken by several processes at once: a tick is called by its time, so it is written down once,
//! and what nobody saw is told by the next look. A clock that was set back ticks again from where it stands, and a tick that was there
//! before counts as the same.

use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::event_source::{EventSource, Schedule, SourceKind};
use runbook_core::ticks::Timetable;

use crate::clock::Clock;
use crate::intake::{Accepted, Arrival, Intake, Seen};
use crate::journal::JournalError;

pub struct Ticker {
    intake: Arc<Intake>,
    clock: Arc<dyn Clock>,
    schedules: Vec<Ticking>,
}

struct Ticking {
    source: String,
    schedule: Schedule,
    timetable: Timetable,
    /// What it ticks by, as it is written down: of another rule nobody has looked yet.
    rule: String,
    /// As it is written down; `None` before the first look.
    seen: Option<Seen>,
    /// The last tick that was written down while the clock stood behind `seen`.
    again: Option<Timestamp>,
}

impl Ticker {
    /// For the schedules among these sources.
    pub fn of<'a>(
        sources: impl IntoIterator<Item = (&'a String, &'a EventSource)>,
        intake: Arc<Intake>,
        clock: Arc<dyn Clock>,
    ) -> Ticker {
        let schedules = sources.into_iter().filter_map(|(source, declared)| {
            let SourceKind::Schedule(schedule) = &declared.kind else { return None };
            // What does not say when to tick was refused with its workspace.
            let timetable = Timetable::of(&schedule.cron, &schedule.zone).ok()?;
            let (source, schedule) = (source.clone(), schedule.clone());
            let rule = format!("{} {}", schedule.cron, schedule.zone);
            Some(Ticking { source, schedule, timetable, rule, seen: None, again: None })
        });
        Ticker { schedules: schedules.collect(), intake, clock }
    }

    /// Writes down the ticks there were since the last look, of this process or of one before it. Gives how many events are new.
    pub async fn look(&mut self) -> Result<usize, JournalError> {
        let now = self.clock.now();
        let mut new = 0;
        for ticking in &mut self.schedules {
            let Ticking { source, schedule, timetable, rule, seen, again } = ticking;
            if seen.is_none() {
                *seen = self.intake.seen(source)?;
            }
            let until = match seen {
                Some(known) if known.rule == *rule => known.until,
                // The first look, or the first at this rule: it ticks from here on.
                _ => {
                    let begun = Seen { rule: rule.clone(), until: now };
                    self.intake.tick(source.clone(), begun.clone(), Vec::new()).await?;
                    (*seen, *again) = (Some(begun), None);
                    continue;
                }
            };
            // Where the clock was set back, what comes is told as it comes, and nothing of what was is missed.
            let from =
                if now < until { again.filter(|at| *at <= now).max(schedule.still_in_time(now)).unwrap_or(now) } else { until };
            let events = schedule.ticks(timetable, source, from, now);
            let Some(last) = events.iter().filter_map(|event| event.time).max() else { continue };
            let arrivals = events.into_iter().map(|event| Arrival { source: source.clone(), event, received: now }).collect();
            let told = Seen { rule: rule.clone(), until: until.max(last) };
            let accepted = self.intake.tick(source.clone(), told.clone(), arrivals).await?;
            new += accepted.iter().filter(|accepted| matches!(accepted, Accepted::New(_))).count();
            (*seen, *again) = (Some(told), (now < until).then_some(last));
        }
        Ok(new)
    }

    /// When the next tick is due. Before the first look it is now.
    pub fn next_due(&self) -> Option<Timestamp> {
        let now = self.clock.now();
        let next = |ticking: &Ticking| match &ticking.seen {
            None => Some(now),
            Some(seen) if seen.until <= now => ticking.timetable.next(seen.until),
            Some(_) => ticking.timetable.next(now),
        };
        self.schedules.iter().filter_map(next).min()
    }
}

#[cfg(test)]
mod tests;
