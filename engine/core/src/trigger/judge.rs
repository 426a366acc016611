//! The judge of all triggers of a catalogue. What it decides it puts into a [`Ruling`], and only taking a ruling changes it; so it is the
//! same after a restart as before.
//!
//! No two runs of one procedure with the same `concurrency` key are ever started at once; a run holds its key from the ruling that
//! started it to [`Judge::ended`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::ruling::{Counterpart, Decision, Deferral, Drop, Join, Keys, Ruling};
use super::{Limit, Trigger, TriggerName, Unreadable};
use crate::cloud_event::{CloudEvent, Status};
use crate::document::procedure::{Beyond, OnResolved, Second, Version};
use crate::id::{ProcedureName, RunId};
use crate::limits;
use crate::policy::quiet_until;
use crate::{ends, ticks};

/// An event that was written down.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Counts up over all events of the store.
    pub number: u64,
    /// The name of its source in the workspace.
    pub source: &'a str,
    pub event: &'a CloudEvent,
    pub received: Timestamp,
    /// When it is judged: later than it was received, where nobody was there to do so.
    pub now: Timestamp,
}

#[derive(Debug, Default)]
pub struct Judge {
    bench: Vec<Seat>,
    by_source: HashMap<String, Vec<usize>>,
    by_name: HashMap<TriggerName, usize>,
    /// Runs that were started and have not ended.
    live: HashMap<RunId, Live>,
    /// The same by the trigger and what they are about, and by its `correlate` key.
    about: HashMap<(usize, String), BTreeSet<RunId>>,
    correlated: HashMap<(usize, String), BTreeSet<RunId>>,
    /// Which run holds a key of `concurrency`.
    held: HashMap<Slot, RunId>,
    /// Who waits for it, the oldest event first.
    queues: HashMap<Slot, BTreeSet<(u64, usize)>>,
    /// When something that was deferred is looked at again.
    due: BTreeSet<(Timestamp, u64, usize)>,
}

/// A procedure and the key of its `concurrency`.
type Slot = (ProcedureName, String);

#[derive(Debug)]
struct Live {
    procedure: ProcedureName,
    /// Its trigger, where that is still there.
    seat: Option<usize>,
    event: u64,
    keys: Keys,
}

/// One trigger and what it remembers.
#[derive(Debug)]
struct Seat {
    trigger: Trigger,
    /// Key of `dedup` → the event that was taken, and until when it stands for others.
    taken: HashMap<String, (u64, Timestamp)>,
    /// When marks of `taken` end, to forget them.
    ends: BTreeSet<(Timestamp, String)>,
    /// When runs were started, the last ones that `limit` counts.
    starts: BTreeSet<(Timestamp, u64)>,
    /// Key of `accumulate` → events that were counted.
    counted: HashMap<String, BTreeSet<u64>>,
    waiting: BTreeMap<u64, Waiting>,
    /// The same by what they are about.
    about: HashMap<String, BTreeSet<u64>>,
    /// How many of them wait for the limit.
    over_limit: usize,
    /// When people were last to be told that the limit is reached.
    told: Option<Timestamp>,
}

/// An event whose turn has not come.
#[derive(Clone, Debug)]
struct Waiting {
    version: Version,
    received: Timestamp,
    keys: Keys,
    why: Deferral,
}

/// An event at one trigger, as far as it was read.
struct Case<'a> {
    number: u64,
    received: Timestamp,
    keys: &'a Keys,
}

impl Judge {
    pub fn new(triggers: impl IntoIterator<Item = Trigger>) -> Judge {
        let mut judge = Judge::default();
        for trigger in triggers {
            let place = judge.bench.len();
            judge.by_source.entry(trigger.source.clone()).or_default().push(place);
            judge.by_name.insert(trigger.name.clone(), place);
            judge.bench.push(Seat::new(trigger));
        }
        judge
    }

    /// The triggers of a source, in the order of the catalogue.
    pub fn triggers_of(&self, source: &str) -> impl Iterator<Item = &Trigger> {
        self.by_source.get(source).into_iter().flatten().filter_map(|place| self.bench.get(*place)).map(|seat| &seat.trigger)
    }

    pub fn trigger(&self, name: &TriggerName) -> Option<&Trigger> {
        self.bench.get(*self.by_name.get(name)?).map(|seat| &seat.trigger)
    }

    /// When [`Judge::wake`] has something to decide, unless something comes before.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, ..)| *at)
    }

    /// Runs that were started and have not ended, as far as the judge was told.
    pub fn live(&self) -> impl Iterator<Item = &RunId> {
        self.live.keys()
    }

    pub fn is_live(&self, run: &RunId) -> bool {
        self.live.contains_key(run)
    }

    /// Judges an event. The rulings are taken already: exactly one of each trigger of its source, and before it those on earlier events
    /// that it settles.
    pub fn receive(&mut self, incoming: &Incoming<'_>) -> Vec<Ruling> {
        let mut rulings = Vec::new();
        let Some(places) = self.by_source.get(incoming.source).cloned() else { return rulings };
        let value = incoming.event.to_value();
        for place in places {
            let Some(seat) = self.bench.get(place) else { continue };
            let mut keys = seat.trigger.first_keys(incoming.event, incoming.received);
            let decision = if let Some(ticks) = ticks::missed(incoming.event) {
                Decision::Dropped(Drop::Missed { ticks })
            } else if let Some(runs) = ends::too_long(incoming.source, incoming.event) {
                Decision::Dropped(Drop::ChainTooLong { runs })
            } else if incoming.event.status == Status::Resolved {
                self.resolved(place, incoming, &value, &mut keys, &mut rulings)
            } else {
                self.begun(place, incoming, &value, &mut keys, &mut rulings)
            };
            let case = Case { number: incoming.number, received: incoming.received, keys: &keys };
            self.rule(place, &case, incoming.now, decision, &mut rulings);
        }
        rulings
    }

    /// As [`Judge::receive`], for an event that may have been judged elsewhere: nothing follows from it.
    pub fn set_aside(&mut self, incoming: &Incoming<'_>) -> Vec<Ruling> {
        let mut rulings = Vec::new();
        for place in self.by_source.get(incoming.source).cloned().unwrap_or_default() {
            let Some(seat) = self.bench.get(place) else { continue };
            let keys = seat.trigger.first_keys(incoming.event, incoming.received);
            let case = Case { number: incoming.number, received: incoming.received, keys: &keys };
            self.rule(place, &case, incoming.now, Decision::Dropped(Drop::Restored), &mut rulings);
        }
        rulings
    }

    /// A run has ended: its key is free for who waits for it.
    pub fn ended(&mut self, run: &RunId, at: Timestamp) -> Vec<Ruling> {
        let mut rulings = Vec::new();
        let Some(live) = self.live.remove(run) else { return rulings };
        if let Some(seat) = live.seat {
            unlist(&mut self.about, (seat, live.keys.about.clone()), run);
            if let Some(key) = &live.keys.correlate {
                unlist(&mut self.correlated, (seat, key.clone()), run);
            }
        }
        if let Some(slot) = live.keys.concurrency.map(|key| (live.procedure, key))
            && self.held.get(&slot) == Some(run)
        {
            self.held.remove(&slot);
            self.next_in(&slot, at, &mut rulings);
        }
        rulings
    }

    /// A run that was decided upon could not be started: the event is dropped, and stands in nobody's way.
    pub fn not_started(&mut self, ruling: &Ruling, why: String, now: Timestamp) -> Vec<Ruling> {
        let decision = Decision::Dropped(Drop::Unreadable { what: "the start of its run".to_owned(), why });
        let dropped = Ruling { at: now, decision, ..ruling.clone() };
        if let Some(place) = self.by_name.get(&ruling.trigger).copied() {
            self.take(place, &dropped);
            if let Some(seat) = self.bench.get_mut(place) {
                seat.starts.remove(&(ruling.at, ruling.event));
            }
        }
        let mut rulings = vec![dropped];
        rulings.extend(self.ended(&ruling.keys.run, now));
        rulings
    }

    /// Decides what was deferred until now.
    pub fn wake(&mut self, now: Timestamp) -> Vec<Ruling> {
        let mut rulings = Vec::new();
        while let Some((at, number, place)) = self.due.first().copied()
            && at <= now
        {
            self.due.pop_first();
            let Some(waiting) = self.bench.get(place).and_then(|seat| seat.waiting.get(&number)).cloned() else { continue };
            let case = Case { number, received: waiting.received, keys: &waiting.keys };
            let decision = match waiting.why {
                Deferral::Accumulating { seen, of, .. } => Decision::Dropped(Drop::TooFew { seen, of }),
                _ => self.turned(place, &case, now, &mut rulings),
            };
            self.rule(place, &case, now, decision, &mut rulings);
        }
        rulings
    }

    /// Takes what was recorded: the last ruling of each event and trigger, in the order in which they were made. Gives what follows for
    /// those that waited at a trigger which is no longer there.
    pub fn recall(&mut self, recorded: &[Ruling], now: Timestamp) -> Vec<Ruling> {
        let mut rulings = Vec::new();
        for ruling in recorded {
            match self.by_name.get(&ruling.trigger) {
                Some(place) => self.take(*place, ruling),
                // Its run goes on all the same, and keeps its key.
                None if matches!(ruling.decision, Decision::Ran { .. }) => self.started(None, ruling),
                None if ruling.is_final() => {}
                None => rulings.push(Ruling { at: now, decision: Decision::Dropped(Drop::TriggerGone), ..ruling.clone() }),
            }
        }
        rulings
    }

    /// How far back rulings bear on what comes.
    pub fn horizon(&self) -> std::time::Duration {
        let of = |trigger: &Trigger| {
            let dedup = trigger.dedup.as_ref().map(|dedup| dedup.window);
            let accumulate = trigger.accumulate.as_ref().map(|accumulate| accumulate.within);
            [dedup, accumulate, trigger.limit.map(|limit| limit.per)].into_iter().flatten().max().unwrap_or_default()
        };
        self.bench.iter().map(|seat| of(&seat.trigger)).max().unwrap_or_default()
    }

    fn begun(
        &mut self,
        place: usize,
        incoming: &Incoming<'_>,
        value: &crate::value::Value,
        keys: &mut Keys,
        rulings: &mut Vec<Ruling>,
    ) -> Decision {
        let Some(seat) = self.bench.get(place) else { return Decision::Dropped(Drop::TriggerGone) };
        match seat.trigger.is_meant(value, incoming.received) {
            Ok(true) => {}
            Ok(false) => return Decision::Dropped(Drop::NotMeant),
            Err(error) => return unreadable(error),
        }
        match seat.trigger.read(incoming.event, value, incoming.received) {
            Ok(reading) => *keys = reading.keys,
            Err(error) => return unreadable(error),
        }
        if let Some(run) = self.correlated_run(place, keys) {
            return Decision::Joined { to: Counterpart::Run(run), why: Join::Correlated };
        }
        let Some(seat) = self.bench.get_mut(place) else { return Decision::Dropped(Drop::TriggerGone) };
        seat.forget(incoming.received);
        if let Some((of, until)) = keys.dedup.as_ref().and_then(|key| seat.taken.get(key)) {
            return Decision::Dropped(Drop::Duplicate { of: *of, until: *until });
        }
        let case = Case { number: incoming.number, received: incoming.received, keys };
        let counted = match self.counted(place, &case) {
            Ok(counted) => counted,
            Err(decision) => return decision,
        };
        for number in counted {
            let decision = Decision::Joined { to: Counterpart::Event(case.number), why: Join::Accumulated };
            self.settle(place, number, incoming.now, decision, rulings);
        }
        self.admitted(place, &case, incoming.now, rulings)
    }

    /// As [`Judge::admitted`], for an event that waited: meanwhile there may be a run that it belongs to.
    fn turned(&mut self, place: usize, case: &Case<'_>, now: Timestamp, rulings: &mut Vec<Ruling>) -> Decision {
        match self.correlated_run(place, case.keys) {
            Some(run) => Decision::Joined { to: Counterpart::Run(run), why: Join::Correlated },
            None => self.admitted(place, case, now, rulings),
        }
    }

    /// The events for which this one makes the number full; or the decision, where it does not.
    fn counted(&self, place: usize, case: &Case<'_>) -> Result<Vec<u64>, Decision> {
        let Some(seat) = self.bench.get(place) else { return Err(Decision::Dropped(Drop::TriggerGone)) };
        let (Some(accumulate), Some(key)) = (&seat.trigger.accumulate, &case.keys.accumulate) else { return Ok(Vec::new()) };
        // One that is too old is still there until somebody wakes the judge.
        let fresh = |number: &&u64| {
            let waiting = seat.waiting.get(number);
            waiting.is_some_and(|waiting| waiting.why.until().is_none_or(|until| case.received < until))
        };
        let before: Vec<u64> = seat.counted.get(key).into_iter().flatten().filter(fresh).copied().collect();
        let seen = u32::try_from(before.len() + 1).unwrap_or(u32::MAX);
        if seen >= accumulate.events {
            return Ok(before);
        }
        if let Some(full) = seat.full() {
            return Err(full);
        }
        let until = case.received.checked_add(accumulate.within).unwrap_or(Timestamp::MAX);
        Err(Decision::Deferred(Deferral::Accumulating { seen, of: accumulate.events, until }))
    }

    /// What is left to ask of an event that may start a run: whether it is quiet, the limit, the key.
    fn admitted(&mut self, place: usize, case: &Case<'_>, now: Timestamp, rulings: &mut Vec<Ruling>) -> Decision {
        let Some(seat) = self.bench.get_mut(place) else { return Decision::Dropped(Drop::TriggerGone) };
        let full = if seat.waiting.contains_key(&case.number) { None } else { seat.full() };
        if let Some((until, reason)) = quiet_until(&seat.trigger.quiet, now) {
            return full.unwrap_or(Decision::Deferred(Deferral::Quiet { until, reason: reason.to_owned() }));
        }
        if let Some(limit) = seat.trigger.limit
            && let Some(until) = seat.over(limit, now, case.number)
        {
            return match limit.then {
                Beyond::Defer => full.unwrap_or(Decision::Deferred(Deferral::OverLimit { until })),
                then => Decision::Dropped(Drop::OverLimit {
                    runs: limit.runs,
                    per_ms: u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX),
                    // A storm of events is none of messages.
                    escalates: then == Beyond::Escalate
                        && seat.told.is_none_or(|told| told.checked_add(limit.per).is_ok_and(|over| over <= now)),
                    told: None,
                }),
            };
        }
        let then = seat.trigger.concurrency.as_ref().map(|concurrency| concurrency.then).unwrap_or_default();
        let started = Decision::Ran { run: case.keys.run.clone() };
        let Some(slot) = self.slot(place, case.keys) else { return started };
        let Some(run) = self.held.get(&slot).cloned() else { return started };
        match then {
            Second::Skip => Decision::Dropped(Drop::Busy { run }),
            Second::Queue => full.unwrap_or(Decision::Deferred(Deferral::Busy { run })),
            Second::Replace => {
                let holder = self.live.get(&run).map(|live| live.event);
                let waits = self.queues.get(&slot).and_then(|queue| queue.last()).map(|(number, _)| *number);
                // The newest is the one to run, whenever each has its turn.
                if let Some(by) = holder.into_iter().chain(waits).find(|number| *number > case.number) {
                    return Decision::Dropped(Drop::Replaced { by });
                }
                let older: Vec<(u64, usize)> =
                    self.queues.get(&slot).into_iter().flatten().filter(|(number, _)| *number != case.number).copied().collect();
                for (number, place) in older {
                    let decision = Decision::Dropped(Drop::Replaced { by: case.number });
                    self.settle(place, number, now, decision, rulings);
                }
                Decision::Deferred(Deferral::Replacing { run })
            }
        }
    }

    fn resolved(
        &mut self,
        place: usize,
        incoming: &Incoming<'_>,
        value: &crate::value::Value,
        keys: &mut Keys,
        rulings: &mut Vec<Ruling>,
    ) -> Decision {
        let Some(seat) = self.bench.get(place) else { return Decision::Dropped(Drop::TriggerGone) };
        let then = seat.trigger.on_resolved;
        if then == OnResolved::Ignore {
            return Decision::Dropped(Drop::ResolvedIgnored);
        }
        // A resolution need not hold all that a run is started with; without a key it is matched by what it is about.
        keys.correlate = seat.trigger.correlation(value, incoming.received).unwrap_or_default();
        if then == OnResolved::CancelIfWaiting {
            let before: Vec<u64> = seat.about.get(&keys.about).into_iter().flatten().copied().collect();
            for number in before {
                let decision = Decision::Dropped(Drop::ResolvedBefore { by: incoming.number });
                self.settle(place, number, incoming.now, decision, rulings);
            }
        }
        let of_it = self.about.get(&(place, keys.about.clone())).and_then(BTreeSet::last).cloned();
        match of_it.or_else(|| self.correlated_run(place, keys)) {
            Some(run) => {
                let why = match then {
                    OnResolved::CancelIfWaiting => Join::ResolvedAndNotNeeded,
                    OnResolved::Annotate | OnResolved::Ignore => Join::Resolved,
                };
                Decision::Joined { to: Counterpart::Run(run), why }
            }
            None => Decision::Dropped(Drop::NothingToResolve),
        }
    }

    /// The newest run of this trigger that has the same `correlate` key.
    fn correlated_run(&self, place: usize, keys: &Keys) -> Option<RunId> {
        self.correlated.get(&(place, keys.correlate.clone()?))?.last().cloned()
    }

    /// Gives a key that is free to who has waited for it longest.
    fn next_in(&mut self, slot: &Slot, now: Timestamp, rulings: &mut Vec<Ruling>) {
        while !self.held.contains_key(slot)
            && let Some((number, place)) = self.queues.get(slot).and_then(|queue| queue.first().copied())
        {
            let Some(waiting) = self.bench.get(place).and_then(|seat| seat.waiting.get(&number)).cloned() else { return };
            let case = Case { number, received: waiting.received, keys: &waiting.keys };
            let decision = self.turned(place, &case, now, rulings);
            self.rule(place, &case, now, decision, rulings);
        }
    }

    /// Decides on an event that waited.
    fn settle(&mut self, place: usize, number: u64, now: Timestamp, decision: Decision, rulings: &mut Vec<Ruling>) {
        let Some(waiting) = self.bench.get(place).and_then(|seat| seat.waiting.get(&number)).cloned() else { return };
        let case = Case { number, received: waiting.received, keys: &waiting.keys };
        self.rule(place, &case, now, decision, rulings);
    }

    fn rule(&mut self, place: usize, case: &Case<'_>, at: Timestamp, decision: Decision, rulings: &mut Vec<Ruling>) {
        let Some(seat) = self.bench.get(place) else { return };
        let ruling = Ruling {
            event: case.number,
            trigger: seat.trigger.name.clone(),
            version: seat.waiting.get(&case.number).map_or(seat.trigger.version, |waiting| waiting.version),
            received: case.received,
            at,
            keys: case.keys.clone(),
            decision,
        };
        self.take(place, &ruling);
        rulings.push(ruling);
    }

    /// The only way in which anything here changes.
    fn take(&mut self, place: usize, ruling: &Ruling) {
        let slot = self.slot(place, &ruling.keys);
        let Some(seat) = self.bench.get_mut(place) else { return };
        if let Some(waiting) = seat.leave(ruling.event) {
            if let Some(until) = waiting.why.until() {
                self.due.remove(&(until, ruling.event, place));
            }
            if let Some(slot) = &slot {
                unlist(&mut self.queues, slot.clone(), &(ruling.event, place));
            }
        }
        match &ruling.decision {
            Decision::Ran { run } => {
                seat.mark(ruling);
                seat.started(ruling.at, ruling.event);
                self.about.entry((place, ruling.keys.about.clone())).or_default().insert(run.clone());
                if let Some(key) = &ruling.keys.correlate {
                    self.correlated.entry((place, key.clone())).or_default().insert(run.clone());
                }
                self.started(Some(place), ruling);
            }
            Decision::Deferred(why) => {
                if !matches!(why, Deferral::Accumulating { .. }) {
                    seat.mark(ruling);
                }
                if let Some(until) = why.until() {
                    self.due.insert((until, ruling.event, place));
                } else if let Some(slot) = slot {
                    self.queues.entry(slot).or_default().insert((ruling.event, place));
                }
                seat.wait(ruling, why);
            }
            Decision::Dropped(Drop::OverLimit { escalates: true, .. }) => {
                seat.told = seat.told.max(Some(ruling.at));
                seat.unmark(ruling);
            }
            Decision::Joined { .. } | Decision::Dropped(_) => seat.unmark(ruling),
        }
    }

    /// A run of this ruling goes on, and holds its key.
    fn started(&mut self, seat: Option<usize>, ruling: &Ruling) {
        let run = &ruling.keys.run;
        let procedure = ruling.trigger.procedure.clone();
        if let Some(key) = &ruling.keys.concurrency {
            self.held.insert((procedure.clone(), key.clone()), run.clone());
        }
        self.live.insert(run.clone(), Live { procedure, seat, event: ruling.event, keys: ruling.keys.clone() });
    }

    fn slot(&self, place: usize, keys: &Keys) -> Option<Slot> {
        let seat = self.bench.get(place)?;
        Some((seat.trigger.name.procedure.clone(), keys.concurrency.clone()?))
    }
}

impl Seat {
    fn new(trigger: Trigger) -> Seat {
        Seat {
            trigger,
            taken: HashMap::new(),
            ends: BTreeSet::new(),
            starts: BTreeSet::new(),
            counted: HashMap::new(),
            waiting: BTreeMap::new(),
            about: HashMap::new(),
            over_limit: 0,
            told: None,
        }
    }

    fn full(&self) -> Option<Decision> {
        let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        (self.waiting.len() >= limits::DEFERRED_EVENTS).then_some(Decision::Dropped(Drop::QueueFull { waiting }))
    }

    /// Forgets marks whose time is over.
    fn forget(&mut self, now: Timestamp) {
        while let Some((until, key)) = self.ends.first()
            && *until <= now
        {
            self.taken.remove(key);
            self.ends.pop_first();
        }
    }

    fn mark(&mut self, ruling: &Ruling) {
        let (Some(dedup), Some(key)) = (&self.trigger.dedup, &ruling.keys.dedup) else { return };
        let until = ruling.received.checked_add(dedup.window).unwrap_or(Timestamp::MAX);
        // A newer one of the key may have been taken while this one waited.
        if self.taken.get(key).is_some_and(|(_, marked)| *marked > until) {
            return;
        }
        if let Some((_, before)) = self.taken.insert(key.clone(), (ruling.event, until)) {
            self.ends.remove(&(before, key.clone()));
        }
        self.ends.insert((until, key.clone()));
    }

    /// An event that starts nothing stands for no other.
    fn unmark(&mut self, ruling: &Ruling) {
        let Some(key) = &ruling.keys.dedup else { return };
        if let Some((of, until)) = self.taken.get(key).copied()
            && of == ruling.event
        {
            self.taken.remove(key);
            self.ends.remove(&(until, key.clone()));
        }
    }

    fn started(&mut self, at: Timestamp, event: u64) {
        let Some(limit) = self.trigger.limit else { return };
        self.starts.insert((at, event));
        while self.starts.len() > limit.runs as usize {
            self.starts.pop_first();
        }
    }

    /// When a run of this event is within the limit, where it is not now: behind those that wait already.
    fn over(&self, limit: Limit, now: Timestamp, number: u64) -> Option<Timestamp> {
        let frees = |(start, _): &(Timestamp, u64)| start.checked_add(limit.per).unwrap_or(Timestamp::MAX);
        let counted: Vec<Timestamp> = self.starts.iter().map(frees).filter(|frees| *frees > now).collect();
        let runs = limit.runs as usize;
        let free = runs.saturating_sub(counted.len());
        // One that waited for the limit was given its turn, and asks for nobody else's.
        let own = self.waiting.get(&number).is_some_and(|waiting| matches!(waiting.why, Deferral::OverLimit { .. }));
        let ahead = if own { 0 } else { self.over_limit };
        if ahead < free {
            return None;
        }
        // What is free goes to those before it.
        let turn = (ahead % runs).checked_sub(free).and_then(|place| counted.get(place).copied()).unwrap_or(now);
        let rounds = u32::try_from(ahead / runs).unwrap_or(u32::MAX);
        Some(turn.checked_add(limit.per.saturating_mul(rounds)).unwrap_or(Timestamp::MAX))
    }

    fn wait(&mut self, ruling: &Ruling, why: &Deferral) {
        if let (Deferral::Accumulating { .. }, Some(key)) = (why, &ruling.keys.accumulate) {
            self.counted.entry(key.clone()).or_default().insert(ruling.event);
        }
        self.about.entry(ruling.keys.about.clone()).or_default().insert(ruling.event);
        self.over_limit += usize::from(matches!(why, Deferral::OverLimit { .. }));
        let waiting = Waiting { version: ruling.version, received: ruling.received, keys: ruling.keys.clone(), why: why.clone() };
        self.waiting.insert(ruling.event, waiting);
    }

    fn leave(&mut self, event: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&event)?;
        self.over_limit -= usize::from(matches!(waiting.why, Deferral::OverLimit { .. }));
        unlist(&mut self.about, waiting.keys.about.clone(), &event);
        if let Some(key) = &waiting.keys.accumulate {
            unlist(&mut self.counted, key.clone(), &event);
        }
        Some(waiting)
    }
}

/// Takes an entry off a list, and the list away with its last one.
fn unlist<K: Eq + std::hash::Hash, V: Ord>(lists: &mut HashMap<K, BTreeSet<V>>, key: K, entry: &V) {
    if let std::collections::hash_map::Entry::Occupied(mut list) = lists.entry(key) {
        list.get_mut().remove(entry);
        if list.get().is_empty() {
            list.remove();
        }
    }
}

fn unreadable(error: Unreadable) -> Decision {
    Decision::Dropped(Drop::Unreadable { what: error.what, why: error.why })
}
