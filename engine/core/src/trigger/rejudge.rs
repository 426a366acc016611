//! Recorded events judged again by other triggers, with the ends of runs and the passing of time played as they would have been.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::{Decision, Incoming, Judge, Ruling, TriggerName};
use crate::id::RunId;

/// The last decision of each event and trigger by the time `now`. Events are taken in the order of their numbers, each judged as it is
/// received; `lasts` says how long the run of a ruling goes on.
pub fn rejudged<'a>(
    judge: &mut Judge,
    events: impl IntoIterator<Item = Incoming<'a>>,
    lasts: impl Fn(&Ruling) -> Duration,
    now: Timestamp,
) -> BTreeMap<(u64, TriggerName), Ruling> {
    let mut play = Play { judge, lasts, ends: BTreeSet::new(), last: BTreeMap::new() };
    for incoming in events {
        play.until(incoming.received);
        let rulings = play.judge.receive(&incoming);
        play.note(rulings);
    }
    play.until(now);
    play.last
}

struct Play<'j, L> {
    judge: &'j mut Judge,
    lasts: L,
    /// When runs that were started end.
    ends: BTreeSet<(Timestamp, RunId)>,
    last: BTreeMap<(u64, TriggerName), Ruling>,
}

impl<L: Fn(&Ruling) -> Duration> Play<'_, L> {
    /// Lets everything happen that is due by then.
    fn until(&mut self, then: Timestamp) {
        loop {
            let end = self.ends.first().cloned();
            let due = self.judge.next_due();
            let at = match (&end, due) {
                (Some((end, _)), Some(due)) => due.min(*end),
                (Some((end, _)), None) => *end,
                (None, Some(due)) => due,
                (None, None) => return,
            };
            if at > then {
                return;
            }
            // A key is freed before it is asked for.
            let rulings = match end {
                Some((end, run)) if end == at => {
                    self.ends.pop_first();
                    self.judge.ended(&run, at)
                }
                _ => self.judge.wake(at),
            };
            self.note(rulings);
        }
    }

    fn note(&mut self, rulings: Vec<Ruling>) {
        for ruling in rulings {
            if let Decision::Ran { run } = &ruling.decision {
                let end = ruling.at.checked_add((self.lasts)(&ruling)).unwrap_or(Timestamp::MAX);
                self.ends.insert((end, run.clone()));
            }
            self.last.insert((ruling.event, ruling.trigger.clone()), ruling);
        }
    }
}
