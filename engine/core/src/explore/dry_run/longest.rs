//! The longest time that a step can take, and of one that holds steps, the longest that those take together: one after the other, side by
//! side as many as are allowed, once for each item and each round. Nothing is guessed: where it is not known how often something is
//! done, that is said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::seen::History;
use super::{PredictedRequest, PredictedStep, Verdict};
use crate::document::step::{OnTimeout, Retry};
use crate::id::StepPath;
use crate::limits;
use crate::plan::{Plan, Procedure, Step, StepIx, Verb, WaitFor};
use crate::run::decision::Purpose;
use crate::value::format_duration;

/// The longest time that a step can take, the time for people to answer included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Longest {
    Time(Duration),
    /// It has an end, and how often its parts are done before it is not known.
    Unknown,
    WithoutEnd,
}

impl Longest {
    const NONE: Longest = Longest::Time(Duration::ZERO);

    fn then(self, next: Longest) -> Longest {
        match (self, next) {
            (Longest::Time(time), Longest::Time(more)) => Longest::Time(time.saturating_add(more)),
            (one, other) => one.max(other),
        }
    }

    fn times(self, count: u32) -> Longest {
        match self {
            Longest::Time(time) => Longest::Time(time.saturating_mul(count)),
            other => other,
        }
    }
}

impl std::fmt::Display for Longest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Longest::Time(time) => f.write_str(&format_duration(*time)),
            Longest::Unknown => f.write_str("cannot be known"),
            Longest::WithoutEnd => f.write_str("without end"),
        }
    }
}

impl Serialize for Longest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The longest time that a step itself can take; that of what stands inside it is theirs.
pub(crate) fn longest(step: &Step, requests: &[PredictedRequest], waits: Option<Duration>) -> Option<Longest> {
    let own = match &step.verb {
        Verb::Listen(listen) => Some(Longest::Time(listen.within)),
        verb if verb.acts() => {
            let timeout = step.timeout.unwrap_or(limits::STEP_TIMEOUT);
            // All channels at once.
            let most = if matches!(verb, Verb::Notify { .. }) { limits::DELIVERY_TIME } else { Duration::MAX };
            Some(Longest::Time(attempts(timeout.min(most), step.retry.as_ref())))
        }
        Verb::Wait(wait) => {
            let within = wait.within.or(step.timeout);
            Some([waits, within].into_iter().flatten().min().map_or(Longest::WithoutEnd, Longest::Time))
        }
        Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_) => Some(Longest::NONE),
        _ => step.timeout.map(Longest::Time),
    };
    let asked = requests.iter().fold(own.unwrap_or(Longest::NONE), |longest, asked| {
        let rungs: Duration = asked.escalation.iter().map(|rung| rung.within).sum();
        let within = asked.request.within.map_or(Longest::WithoutEnd, |within| {
            Longest::Time(match asked.request.on_timeout {
                OnTimeout::Escalate => within.saturating_add(rungs),
                OnTimeout::Fail | OnTimeout::Reject => within,
            })
        });
        longest.then(if matches!(asked.purpose, Purpose::Gate { .. }) { within } else { ended(step, within) })
    });
    (own.is_some() || !requests.is_empty()).then_some(asked)
}

/// How long a step waits for people at most: its timeout ends that too.
fn ended(step: &Step, within: Longest) -> Longest {
    match step.timeout {
        Some(timeout) if step.verb.asks() => within.min(Longest::Time(timeout)),
        _ => within,
    }
}

/// The same of a step that no way comes to, where a failure may: whom it asks is then known by the plan alone.
pub(super) fn unseen(step: &Step) -> Option<Longest> {
    let asks = match &step.verb {
        Verb::Approve(approve) => Some((approve.within, approve.on_timeout)),
        Verb::Ask(ask) => Some((ask.within, ask.on_timeout)),
        Verb::Manual(manual) => Some((manual.within, manual.on_timeout)),
        _ => None,
    };
    let time = |(within, on_timeout)| match (within, on_timeout) {
        (None, _) => Longest::WithoutEnd,
        (Some(_), OnTimeout::Escalate) => Longest::Unknown,
        (Some(within), OnTimeout::Fail | OnTimeout::Reject) => Longest::Time(within),
    };
    let asks = asks.into_iter().map(|asked| ended(step, time(asked)));
    let gates = step.gates.iter().map(|gate| time((gate.within, gate.on_timeout)));
    let own = match &step.verb {
        // How long it waits is a value.
        Verb::Wait(wait) if matches!(wait.what, WaitFor::Duration(_)) && wait.within.or(step.timeout).is_none() => {
            Some(Longest::Unknown)
        }
        _ => longest(step, &[], None),
    };
    asks.chain(gates).fold(own, |sum, asked| Some(sum.unwrap_or(Longest::NONE).then(asked)))
}

/// Every attempt to its timeout, and the whole back-off between them.
fn attempts(timeout: Duration, retry: Option<&Retry>) -> Duration {
    let Some(retry) = retry else { return timeout };
    let delays = (1..retry.attempts).map(|tries| {
        let grown = retry.delay.as_secs_f64() * retry.backoff.powi(i32::try_from(tries - 1).unwrap_or(i32::MAX));
        Duration::try_from_secs_f64(grown.min(retry.max_delay.as_secs_f64())).unwrap_or(retry.max_delay)
    });
    delays.fold(timeout.saturating_mul(retry.attempts), Duration::saturating_add)
}

/// Says of each step that holds others how long these take at most, and how long all of them do. `cut`: the number of the first step of
/// which nothing is claimed.
pub(super) fn of_wholes(plan: &Plan, steps: &mut [PredictedStep], history: &History, cut: Option<usize>) -> Option<Longest> {
    let (complete, claimed) = (cut.is_none(), cut.unwrap_or(steps.len()));
    let (places, rounds, found) = Default::default();
    let mut whole = Whole { plan, places, steps, history, rounds, complete, claimed, found };
    whole.places = whole.steps.iter().enumerate().map(|(place, step)| ((step.path.clone(), step.step), place)).collect();
    whole.look_for_rounds();
    // The innermost first: what stands inside a step stands behind it.
    for place in (0..whole.steps.len()).rev() {
        let Some(step) = whole.steps.get(place) else { continue };
        if plan.step(step.step).verb.is_container() && !matches!(step.verdict, Verdict::WouldSkip { .. }) {
            let (path, ix) = (step.path.clone(), step.step);
            let longest = if place < whole.claimed { whole.inside(place, ix, &path) } else { Longest::Unknown };
            whole.found.insert((path, ix), longest);
        }
    }
    let main = plan.main();
    let all = whole.procedure(main, main.timeout, "").then(whole.undone());
    let found = whole.found;
    for step in steps {
        if let Some(longest) = found.get(&(step.path.clone(), step.step)).filter(|longest| **longest != Longest::NONE) {
            step.longest = Some(*longest);
        }
    }
    Some(all).filter(|all| *all != Longest::NONE)
}

struct Whole<'p> {
    plan: &'p Plan,
    /// Steps of several branches may have one path.
    places: BTreeMap<(StepPath, StepIx), usize>,
    steps: &'p [PredictedStep],
    history: &'p History,
    /// Of each `repeat`, the rounds that are shown.
    rounds: BTreeMap<String, BTreeSet<u32>>,
    complete: bool,
    /// How many of the steps come before anything that is not claimed.
    claimed: usize,
    found: BTreeMap<(StepPath, StepIx), Longest>,
}

impl Whole<'_> {
    fn look_for_rounds(&mut self) {
        for step in self.steps {
            for (start, _) in step.path.as_str().match_indices('[') {
                let number = step.path.as_str().get(start + 1..).and_then(|rest| rest.split(']').next()?.parse().ok());
                if let (Some(around), Some(number)) = (step.path.as_str().get(..start), number) {
                    self.rounds.entry(around.to_owned()).or_default().insert(number);
                }
            }
        }
    }

    /// Of what is surely taken back, or perhaps: it has no end by the time of the run.
    fn undone(&self) -> Longest {
        let undo =
            |step: &&PredictedStep| step.path.as_str().contains("~undo") && !matches!(step.verdict, Verdict::WouldSkip { .. });
        let shown = self.steps.iter().take(self.claimed).filter(undo);
        shown.fold(Longest::NONE, |sum, step| sum.then(step.longest.unwrap_or(Longest::NONE)))
    }

    /// Of one step; none where no way comes to it, or it is skipped.
    fn step(&self, ix: StepIx, prefix: &str) -> Longest {
        let at = (StepPath::within(prefix, &self.plan.step(ix).label), ix);
        match self.places.get(&at).and_then(|place| self.steps.get(*place).filter(|_| *place < self.claimed)) {
            None if self.complete => Longest::NONE,
            None => Longest::Unknown,
            Some(step) if matches!(step.verdict, Verdict::WouldSkip { .. }) => Longest::NONE,
            Some(step) => self.found.get(&at).copied().or(step.longest).unwrap_or(Longest::NONE),
        }
    }

    fn list(&self, steps: &[StepIx], prefix: &str) -> Longest {
        steps.iter().fold(Longest::NONE, |sum, ix| sum.then(self.step(*ix, prefix)))
    }

    /// The same where a time that is over leads there, even if no way that is shown does.
    fn comes(&self, steps: &[StepIx], prefix: &str) -> Longest {
        let one = |ix: &StepIx| {
            let step = self.plan.step(*ix);
            let shown = self.places.contains_key(&(StepPath::within(prefix, &step.label), *ix));
            match &step.verb {
                _ if shown => self.step(*ix, prefix),
                Verb::Wait(wait) => wait.within.or(step.timeout).map_or(Longest::Unknown, Longest::Time),
                verb if verb.is_container() => Longest::Unknown,
                _ => unseen(step).unwrap_or(Longest::NONE),
            }
        };
        steps.iter().fold(Longest::NONE, |sum, ix| sum.then(one(ix)))
    }

    /// Its body, to the end of its time, and what follows that.
    fn procedure(&self, of: &Procedure, timeout: Option<Duration>, path: &str) -> Longest {
        let beside = |list: &str| if path.is_empty() { list.to_owned() } else { format!("{path}/{list}") };
        let body = self.list(&of.body, path);
        let mends = match timeout.is_some_and(|timeout| body > Longest::Time(timeout)) {
            true => self.comes(&of.on_failure, &beside("~on_failure")),
            false => self.list(&of.on_failure, &beside("~on_failure")),
        };
        let body = stopped(body, timeout, || self.after_stop(&of.body, path));
        body.then(mends).then(self.list(&of.finally, &beside("~finally")))
    }

    /// What one of these steps still does when it is stopped: no time ends what called procedures do about that.
    fn after_stop(&self, steps: &[StepIx], prefix: &str) -> Longest {
        steps.iter().map(|ix| self.step_after_stop(*ix, prefix)).max().unwrap_or(Longest::NONE)
    }

    fn step_after_stop(&self, ix: StepIx, prefix: &str) -> Longest {
        let step = self.plan.step(ix);
        let path = StepPath::within(prefix, &step.label);
        let Some(place) = self.places.get(&(path.clone(), ix)) else {
            let unknown = step.verb.is_container() && !self.complete;
            return if unknown { Longest::Unknown } else { Longest::NONE };
        };
        let inside = |body: &[StepIx], inner: &str| self.after_stop(body, inner);
        match &step.verb {
            _ if self.steps.get(*place).is_some_and(|step| matches!(step.verdict, Verdict::WouldSkip { .. })) => Longest::NONE,
            Verb::Group(body) => inside(body, path.as_str()),
            Verb::Choose(branches) => branches.iter().map(|b| inside(&b.body, path.as_str())).max().unwrap_or(Longest::NONE),
            Verb::Parallel { branches, .. } => {
                branches.iter().map(|(name, body)| inside(body, &format!("{path}.{name}"))).max().unwrap_or(Longest::NONE)
            }
            Verb::Each(each) => {
                let most = self.steps.len();
                let items = (0..most).map(|item| format!("{path}[{item}]"));
                let shown = items.take_while(|item| self.is_shown(&each.body, item));
                shown.map(|item| inside(&each.body, &item)).max().unwrap_or(Longest::NONE)
            }
            Verb::Repeat { body, .. } => {
                let rounds = self.rounds.get(path.as_str()).into_iter().flatten();
                rounds.map(|round| inside(body, &format!("{path}[{round}]"))).max().unwrap_or(Longest::NONE)
            }
            Verb::Call { procedure, .. } => {
                let called = self.plan.procedure(*procedure);
                let mends = self.comes(&called.on_failure, &format!("{path}/~on_failure"));
                let tidies = self.list(&called.finally, &format!("{path}/~finally"));
                inside(&called.body, path.as_str()).then(mends).then(tidies)
            }
            _ => Longest::NONE,
        }
    }

    fn is_shown(&self, steps: &[StepIx], prefix: &str) -> bool {
        steps.iter().any(|ix| self.places.contains_key(&(StepPath::within(prefix, &self.plan.step(*ix).label), *ix)))
    }

    fn inside(&self, place: usize, ix: StepIx, path: &StepPath) -> Longest {
        let step = self.plan.step(ix);
        match &step.verb {
            Verb::Call { procedure, .. } => self.procedure(self.plan.procedure(*procedure), step.timeout, path.as_str()),
            _ => {
                let prefix = path.as_str().rsplit_once('/').map_or("", |(prefix, _)| prefix);
                stopped(self.parts(place, ix, path), step.timeout, || self.step_after_stop(ix, prefix))
            }
        }
    }

    fn parts(&self, place: usize, ix: StepIx, path: &StepPath) -> Longest {
        match &self.plan.step(ix).verb {
            Verb::Group(body) => self.list(body, path.as_str()),
            Verb::Choose(branches) => branches.iter().map(|b| self.list(&b.body, path.as_str())).max().unwrap_or(Longest::NONE),
            Verb::Parallel { branches, max_parallel } => {
                let branches = branches.iter().map(|(name, body)| self.list(body, &format!("{path}.{name}")));
                side_by_side(branches, *max_parallel as usize)
            }
            Verb::Each(each) => {
                let ways = self.history.get(place).map(|seen| seen.does.as_slice()).unwrap_or_default();
                // Where no way comes to it, nobody knows its items either.
                let ways = if ways.is_empty() { vec![None] } else { ways.iter().map(|doing| doing.waves.as_ref()).collect() };
                let all = ways.into_iter().map(|waves| match waves {
                    Some(waves) => {
                        let mut items = (0_u32..).map(|item| self.list(&each.body, &format!("{path}[{item}]")));
                        let wave = |size: &u32| side_by_side(items.by_ref().take(*size as usize), each.max_parallel as usize);
                        waves.iter().map(wave).fold(Longest::NONE, Longest::then)
                    }
                    // Any number of nothing is nothing.
                    None => match self.list(&each.body, &format!("{path}[0]")) {
                        Longest::Time(time) if !time.is_zero() => Longest::Unknown,
                        other => other,
                    },
                });
                all.max().unwrap_or(Longest::NONE)
            }
            Verb::Repeat { times, every, body, .. } => {
                let rounds = self.rounds.get(path.as_str()).into_iter().flatten();
                let round = rounds.map(|round| self.list(body, &format!("{path}[{round}]"))).max().unwrap_or(Longest::NONE);
                let pauses = every.unwrap_or_default().saturating_mul(times.saturating_sub(1));
                round.times(*times).then(Longest::Time(pauses))
            }
            _ => Longest::NONE,
        }
    }
}

/// At most its time, and what a stop does not end.
fn stopped(whole: Longest, timeout: Option<Duration>, after_stop: impl FnOnce() -> Longest) -> Longest {
    match timeout {
        Some(timeout) if whole > Longest::Time(timeout) => whole.min(Longest::Time(timeout).then(after_stop())),
        _ => whole,
    }
}

/// So many at once, in this order, each as soon as there is room.
fn side_by_side(parts: impl Iterator<Item = Longest>, most: usize) -> Longest {
    let mut ends: Vec<Longest> = Vec::new();
    for part in parts {
        let room = ends.len() < most;
        match ends.iter_mut().min().filter(|_| !room) {
            Some(first) => *first = first.then(part),
            None => ends.push(part),
        }
    }
    ends.into_iter().max().unwrap_or(Longest::NONE)
}
