//! Two runs of a procedure beside one another: what they were given, what they were of, and which steps, decisions and times came out otherwise. Steps are the
//! same where their paths are. Made from the records alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::run::decision::{Decision, Standing as DecisionStanding};
use runbook_core::run::view::{Standing, StepView};
use runbook_core::{Run, RunId, StepPath};
use serde::Serialize;

use super::ended::{run_word, standing_word, why_ended};
use super::request;
use crate::journal::RunRow;
use crate::words::{self, between};

/// What of it is another in the other run; what is the same in both is only counted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TwoRuns {
    pub run: RunId,
    pub other: RunId,
    /// Whether they are of one plan: of the same version, with all that it calls, under the same policies.
    pub same_plan: bool,
    /// What is told of both, the same or not.
    pub facts: Vec<Pair>,
    pub inputs: Vec<Pair>,
    pub steps: Vec<StepPair>,
    pub same_steps: u64,
    pub decisions: Vec<Pair>,
    pub same_decisions: u64,
}

/// One thing; absent where a run has nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    pub what: String,
    pub of_run: Option<String>,
    pub of_other: Option<String>,
}

impl Pair {
    pub fn differs(&self) -> bool {
        self.of_run != self.of_other
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepPair {
    pub path: StepPath,
    pub number: String,
    pub title: String,
    /// Absent where the run has not come to it.
    pub of_run: Option<StepOfRun>,
    pub of_other: Option<StepOfRun>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepOfRun {
    /// How it ended, or how it stands.
    pub word: &'static str,
    pub attempts: u32,
    /// In milliseconds; absent before its end.
    pub took: Option<u64>,
    /// Why it failed or was skipped.
    pub message: Option<String>,
}

/// A step took another time where one took this much longer than the other, and this many times as long.
const LONGER: Duration = Duration::from_secs(1);
const TIMES: u64 = 2;

impl StepOfRun {
    fn of(view: &StepView<'_>) -> StepOfRun {
        let standing = view.standing();
        let took = view.ended().filter(|_| matches!(standing, Standing::Ended(_))).map(|ended| between(view.began(), ended));
        StepOfRun {
            word: standing_word(standing),
            attempts: view.attempt(),
            took: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            message: view.note().map(|note| note.message.clone()),
        }
    }

    fn is_like(&self, other: &StepOfRun) -> bool {
        self.word == other.word && self.attempts == other.attempts && self.message == other.message && !self.took_other_than(other)
    }

    /// Whether one of them took notably longer.
    pub fn took_other_than(&self, other: &StepOfRun) -> bool {
        let (Some(one), Some(two)) = (self.took, other.took) else { return self.took.is_some() != other.took.is_some() };
        let (least, most) = (one.min(two), one.max(two));
        u128::from(most - least) >= LONGER.as_millis() && most >= least.saturating_mul(TIMES)
    }
}

impl TwoRuns {
    /// Of two runs as they stand at the ends of their records.
    pub fn of((run, row): (&Run, &RunRow), (other, other_row): (&Run, &RunRow), now: Timestamp) -> TwoRuns {
        let (steps, same_steps) = steps(run, other);
        let (decisions, same_decisions) = decisions(run, other);
        let both = |what: &str, told: &dyn Fn(&Run, &RunRow) -> Option<String>| Pair {
            what: what.to_owned(),
            of_run: told(run, row),
            of_other: told(other, other_row),
        };
        let facts = vec![
            both("version", &|_, row| Some(row.summary.version.to_string())),
            both("plan", &|_, row| Some(row.plan.short().to_owned())),
            both("environment", &|_, row| row.summary.environment.clone()),
            both("asked for by", &|run, _| Some(run.start()?.requested_by.person.clone())),
            both("outcome", &|run, _| {
                Some(run.outcome().map_or("has not ended".to_owned(), |end| format!("{}{}", run_word(end.kind), why_ended(end))))
            }),
            both("took", &|_, row| Some(words::elapsed(between(row.summary.started_at, row.summary.ended_at.unwrap_or(now))))),
        ];
        TwoRuns {
            run: row.run.clone(),
            other: other_row.run.clone(),
            same_plan: row.plan == other_row.plan,
            facts,
            inputs: inputs(run, other),
            steps,
            same_steps,
            decisions,
            same_decisions,
        }
    }
}

fn inputs(run: &Run, other: &Run) -> Vec<Pair> {
    let of = |run: &Run| -> BTreeMap<String, String> {
        let inputs = run.start().map(|started| &started.inputs).into_iter().flatten();
        inputs.map(|(name, value)| (name.clone(), words::value(value))).collect()
    };
    let (one, two) = (of(run), of(other));
    let names: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
    let pair = |name: &String| Pair { what: name.clone(), of_run: one.get(name).cloned(), of_other: two.get(name).cloned() };
    names.into_iter().map(pair).filter(Pair::differs).collect()
}

/// Those of which something is another, in the order of the one run; what only the other came to stands behind what it came to before.
fn steps(run: &Run, other: &Run) -> (Vec<StepPair>, u64) {
    let of_other: HashMap<&StepPath, StepView<'_>> = other.steps().map(|view| (view.path(), view)).collect();
    let mut behind: HashMap<Option<StepPath>, Vec<StepView<'_>>> = HashMap::new();
    let mut last = None;
    for view in other.steps() {
        match run.find_step(view.path()) {
            Some(_) => last = Some(view.path().clone()),
            None => behind.entry(last.clone()).or_default().push(view),
        }
    }
    let pair = |one: Option<&StepView<'_>>, two: Option<&StepView<'_>>| {
        let view = one.or(two)?;
        let (of_run, of_other) = (one.map(StepOfRun::of), two.map(StepOfRun::of));
        let is_same = matches!((&of_run, &of_other), (Some(one), Some(two)) if one.is_like(two));
        (!is_same).then(|| StepPair { path: view.path().clone(), number: view.number(), title: view.title(), of_run, of_other })
    };
    let (mut pairs, mut same) = (Vec::new(), 0);
    let mut only_other = |pairs: &mut Vec<StepPair>, after: Option<&StepPath>| {
        let views = behind.remove(&after.cloned()).unwrap_or_default();
        pairs.extend(views.iter().filter_map(|view| pair(None, Some(view))));
    };
    only_other(&mut pairs, None);
    for view in run.steps() {
        match pair(Some(&view), of_other.get(view.path())) {
            Some(pair) => pairs.push(pair),
            None => same += 1,
        }
        only_other(&mut pairs, Some(view.path()));
    }
    (pairs, same)
}

/// Questions are the same where they are of one step and for the same, the first with the first.
fn decisions(run: &Run, other: &Run) -> (Vec<Pair>, u64) {
    let of = |run: &Run| {
        let mut count: HashMap<String, u32> = HashMap::new();
        let mut found = Vec::new();
        for decision in run.decisions().iter() {
            let place = decision.path.as_ref().map_or_else(|| "the run".to_owned(), ToString::to_string);
            let what = format!("{place} ({})", request::kind(&decision.purpose));
            let times = count.entry(what.clone()).or_default();
            *times += 1;
            found.push((if *times > 1 { format!("{what}, the {times}. time") } else { what }, came_out(decision)));
        }
        found
    };
    let (one, mut two) = (of(run), of(other));
    let (mut pairs, mut same) = (Vec::new(), 0);
    for (what, told) in one {
        let place = two.iter().position(|(of_other, _)| *of_other == what);
        let pair = Pair { what, of_run: Some(told), of_other: place.map(|place| two.remove(place).1) };
        if pair.differs() { pairs.push(pair) } else { same += 1 }
    }
    pairs.extend(two.into_iter().map(|(what, told)| Pair { what, of_run: None, of_other: Some(told) }));
    (pairs, same)
}

/// How a question came out, and by whom; not when, and not by which of their keys.
fn came_out(decision: &Decision) -> String {
    let votes: Vec<String> = decision
        .votes
        .iter()
        .map(|vote| {
            let answers = words::values(&vote.answers);
            let answers = if answers.is_empty() { String::new() } else { format!(" ({})", answers.join(", ")) };
            format!("{} by {}{answers}", vote.choice.name(), vote.by.person)
        })
        .collect();
    let word = match decision.standing {
        DecisionStanding::Granted | DecisionStanding::Rejected | DecisionStanding::Answered if !votes.is_empty() => {
            return votes.join(", ");
        }
        DecisionStanding::Open => "nobody has answered",
        DecisionStanding::Granted => "granted",
        DecisionStanding::Rejected => "rejected",
        DecisionStanding::Answered => "answered",
        DecisionStanding::Expired => "nobody decided in time",
        DecisionStanding::Voided => "void",
        DecisionStanding::Withdrawn => "withdrawn",
    };
    votes.iter().map(String::as_str).chain([word]).collect::<Vec<_>>().join(", ")
}
