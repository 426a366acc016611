//! A procedure for whoever has to know it, or to do it by hand: its steps in order with the numbers that a run gives them, what takes
//! them back, and what its workspace adds. Nothing is evaluated: texts stay as they are written, with names in the place of values.
//!
//! A guide depends on the procedure and its workspace alone, never on the day, the machine or what has run, so that what is written
//! of it stays as it is until one of these changes. Whether a date is past is asked apart, of [`Freshness`].

mod chart;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use crate::document;
use crate::document::step::FinishOutcome;
use crate::explore::{self, Longest};
use crate::id::Digest;
use crate::limits;
use crate::plan::{self, Plan, ProcedureIx, Step, StepIx, Verb, WaitFor};
use crate::policy::{Gate, PolicyContext};

pub use chart::{Chart, Fails, Item, Lane, Shape, charted};

/// A procedure with what it calls.
pub struct Guide<'p> {
    pub plan: &'p Plan,
    /// As it is written: what of it no run needs.
    pub document: &'p document::Procedure,
    /// Of the plan.
    pub digest: Digest,
    /// What the procedure gives to every step that does not say otherwise, a line each.
    pub variables: BTreeSet<String>,
    pub body: Vec<Entry>,
    /// What is done however the run ends.
    pub finally: Vec<Entry>,
    pub on_failure: Vec<Entry>,
    /// What takes back what was done, the last change first.
    pub undo: Vec<Entry>,
    /// The one environment that it is for.
    pub environment: Option<&'p str>,
    /// Whether there is more than [`limits::GUIDE_STEPS`], which is left out.
    pub cut: bool,
}

/// One step in its place.
#[derive(Clone, Debug)]
pub struct Entry {
    pub number: String,
    pub step: StepIx,
    /// The calls that lead to it, the outermost first.
    pub calls: Vec<StepIx>,
    /// Whose step it is.
    pub procedure: ProcedureIx,
    /// How many steps it stands in.
    pub depth: usize,
    /// The number of the step that it stands in.
    pub within: Option<String>,
    /// The way that it stands on.
    pub lead: Option<Lead>,
    pub gates: Vec<GateIn>,
}

/// Which way through the step around it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    When(String),
    Otherwise,
    /// One of several at once.
    Branch(String),
    /// The look that a wait takes again and again.
    Probe,
    /// Undo of a whole, where all of it succeeded; these are then left.
    InPlaceOf(Arc<[String]>),
    /// Undo of a part, where the whole with this number did not succeed.
    PartOf(String),
}

/// An approval that a rule of the workspace adds.
#[derive(Clone, Debug)]
pub struct GateIn {
    pub gate: Gate,
    /// Where; empty: everywhere that is meant.
    pub environments: Vec<String>,
}

impl<'p> Guide<'p> {
    /// `document` is that of the plan's own procedure. Where `all_environments`, the gates of each are shown, with its name; else those of
    /// the plan's.
    pub fn new(plan: &'p Plan, document: &'p document::Procedure, all_environments: bool) -> Result<Guide<'p>, serde_json::Error> {
        let policy = all_environments.then(|| PolicyContext { environment: None, ..plan.policy.clone() });
        let digest = plan.digest()?;
        let environment = plan.policy.environment.as_ref().map(|environment| environment.name.as_str());
        let environment = environment.filter(|_| !all_environments);
        let env = document.defaults.env.iter();
        let variables = env.map(|entry| format!("{} = {}", entry.name.value, entry.value.value.trim())).collect();
        let (body, finally, on_failure, undo) = (vec![], vec![], vec![], vec![]);
        let mut guide = Guide { plan, document, digest, variables, body, finally, on_failure, undo, environment, cut: false };
        let mut walk = Walk { plan, policy, calls: Vec::new(), procedure: ProcedureIx(0), left: limits::GUIDE_STEPS, cut: false };
        let main = plan.main();
        guide.body = walk.list(&main.body);
        guide.finally = walk.list(&main.finally);
        guide.on_failure = walk.list(&main.on_failure);
        let done: Vec<&Entry> = guide.body.iter().chain(&guide.on_failure).chain(&guide.finally).collect();
        let leads = guide.wholes_and_parts(&done);
        let mut undo = Vec::new();
        for entry in done.iter().rev() {
            // An undo has none: what takes a step back was approved with the step.
            walk.policy = None;
            walk.calls.clone_from(&entry.calls);
            walk.procedure = entry.procedure;
            let lead = leads.get(entry.number.as_str());
            let within = lead.is_some().then_some(entry.number.as_str());
            walk.steps(&plan.step(entry.step).undo, 0, within, lead, &mut undo);
        }
        guide.undo = undo;
        guide.cut = walk.cut;
        Ok(guide)
    }

    /// Every step, in the order of the parts.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.body.iter().chain(&self.finally).chain(&self.on_failure).chain(&self.undo)
    }

    pub fn step(&self, entry: &Entry) -> &'p Step {
        self.plan.step(entry.step)
    }

    /// The number of another step of the same procedure as this one.
    pub fn number_beside(&self, entry: &Entry, step: StepIx) -> String {
        self.plan.number(&entry.calls, step)
    }

    /// How the undo of each step that holds others stands to those of its parts, by the number of the step: one or the other is done.
    fn wholes_and_parts(&self, done: &[&Entry]) -> BTreeMap<String, Lead> {
        let by_number: BTreeMap<&str, &Entry> = done.iter().map(|entry| (entry.number.as_str(), *entry)).collect();
        let around = |inner: &Entry| inner.within.as_deref().and_then(|within| by_number.get(within).copied());
        let mut leads = BTreeMap::new();
        let mut parts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for entry in done.iter().rev() {
            let undo: Vec<String> = self.undo_of(entry).into_iter().map(|(number, _)| number).collect();
            if undo.is_empty() {
                continue;
            }
            for whole in std::iter::successors(around(entry), |outer| around(outer)).filter(|e| !self.step(e).undo.is_empty()) {
                leads.entry(entry.number.clone()).or_insert_with(|| Lead::PartOf(whole.number.clone()));
                parts.entry(&whole.number).or_default().extend(undo.iter().cloned());
            }
        }
        for (whole, parts) in parts {
            leads.entry(whole.to_owned()).or_insert_with(|| Lead::InPlaceOf(parts.into()));
        }
        leads
    }

    /// What takes a step back, each with its number.
    pub fn undo_of(&self, entry: &Entry) -> Vec<(String, &'p Step)> {
        let undo = &self.step(entry).undo;
        undo.iter().map(|ix| (self.plan.number(&entry.calls, *ix), self.plan.step(*ix))).collect()
    }
}

struct Walk<'p> {
    plan: &'p Plan,
    policy: Option<PolicyContext>,
    calls: Vec<StepIx>,
    procedure: ProcedureIx,
    left: usize,
    cut: bool,
}

impl Walk<'_> {
    fn list(&mut self, list: &[StepIx]) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.steps(list, 0, None, None, &mut entries);
        entries
    }

    fn steps(&mut self, list: &[StepIx], depth: usize, within: Option<&str>, lead: Option<&Lead>, entries: &mut Vec<Entry>) {
        let plan = self.plan;
        for ix in list {
            let Some(left) = self.left.checked_sub(1) else {
                self.cut = true;
                return;
            };
            self.left = left;
            let (step, calls) = (plan.step(*ix), self.calls.clone());
            let number = plan.number(&calls, *ix);
            let (procedure, gates) = (self.procedure, self.gates(step));
            let here = number.clone();
            let within = within.map(str::to_owned);
            entries.push(Entry { number, step: *ix, calls, procedure, depth, within, lead: lead.cloned(), gates });
            match &step.verb {
                Verb::Call { procedure, .. } => {
                    let caller = std::mem::replace(&mut self.procedure, *procedure);
                    self.calls.push(*ix);
                    // What it does however it ends, and after a failure, stands in a manual of its own.
                    self.steps(&plan.procedure(*procedure).body, depth + 1, Some(&here), None, entries);
                    self.calls.pop();
                    self.procedure = caller;
                }
                verb => {
                    for (list, lead) in plan::inside(step).into_iter().zip(leads(verb)) {
                        self.steps(list, depth + 1, Some(&here), lead.as_ref(), entries);
                    }
                }
            }
        }
    }

    /// As `check` gives them to the step; the plan's own where there is no policy to ask.
    fn gates(&self, step: &Step) -> Vec<GateIn> {
        let Some(policy) = &self.policy else {
            return step.gates.iter().map(|gate| GateIn { gate: gate.clone(), environments: Vec::new() }).collect();
        };
        if step.verb.is_container() || matches!(step.verb, Verb::Notify { .. }) {
            return Vec::new();
        }
        let labels = [&self.plan.main().labels, &self.plan.procedure(self.procedure).labels];
        let environments = |rule: &str| policy.rules.iter().find(|r| r.name == rule).map(|r| r.environments.clone());
        let gates = policy.gates_for(&labels, step.effect).into_iter();
        gates.map(|gate| GateIn { environments: environments(&gate.rule).unwrap_or_default(), gate }).collect()
    }
}

/// What each list inside a step begins with.
fn leads(verb: &Verb) -> Vec<Option<Lead>> {
    match verb {
        Verb::Choose(branches) => {
            let lead = |when: &Option<crate::expr::Expression>| match when {
                Some(when) => Lead::When(when.source.trim().to_owned()),
                None => Lead::Otherwise,
            };
            branches.iter().map(|branch| Some(lead(&branch.when))).collect()
        }
        Verb::Parallel { branches, .. } => branches.iter().map(|(name, _)| Some(Lead::Branch(name.to_string()))).collect(),
        Verb::Wait(wait) => match wait.what {
            WaitFor::Until { probe: Some(_), .. } => vec![Some(Lead::Probe)],
            _ => vec![None],
        },
        _ => vec![None],
    }
}

/// The longest time that a step itself can take, that of people not counted; `None` of a step that takes none.
pub fn longest(step: &Step) -> Option<Longest> {
    let people = matches!(step.verb, Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_));
    if people { None } else { explore::longest(step, &[], None) }
}

/// How long ago something was to be done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nobody said how often.
    Unasked,
    /// It is due on this day.
    Due(Date),
    Overdue(Date),
    /// It was never done.
    Never,
}

impl Freshness {
    /// Of what was last done on a day and is to be done again after a time.
    pub fn of(last: Option<Date>, every: Option<Duration>, today: Date) -> Freshness {
        let Some(every) = every else { return Freshness::Unasked };
        match last.map(|last| last.checked_add(every)) {
            None => Freshness::Never,
            Some(Ok(due)) if due < today => Freshness::Overdue(due),
            Some(Ok(due)) => Freshness::Due(due),
            Some(Err(_)) => Freshness::Unasked,
        }
    }

    pub fn is_stale(self) -> bool {
        matches!(self, Freshness::Overdue(_) | Freshness::Never)
    }
}

/// A text as its reader sees it before there are values: `{{inputs.host}}` as `‹inputs.host›`. What is more than the name of a value
/// stands as its author wrote it.
pub fn written(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, behind)) = rest.split_once("{{") {
        let Some((inner, after)) = behind.split_once("}}") else { break };
        out.push_str(before);
        let name = inner.trim().trim_matches('~').trim();
        let is_value = !name.is_empty()
            && !before.ends_with('\\')
            && name != "else"
            && !name.starts_with(['#', '/', '!', '>', '{', '&', '^'])
            && !name.contains(['{', '}', '\n']);
        match is_value {
            true => out.extend(["‹", name, "›"]),
            false => out.extend(["{{", inner, "}}"]),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What a step is for, in a few words: its name as it is written, else what its verb and its id say.
pub fn title(plan: &Plan, step: &Step) -> String {
    if let Some(name) = &step.name {
        return written(name.source.trim());
    }
    match &step.verb {
        Verb::Call { procedure, .. } => format!("Do {}", plan.procedure(*procedure).name),
        Verb::Finish { outcome: FinishOutcome::Succeeded, .. } => "End here: succeeded".to_owned(),
        Verb::Finish { outcome: FinishOutcome::Failed, .. } => "End here: failed".to_owned(),
        Verb::Notify { to, .. } => format!("Tell {}", to.join(", ")),
        Verb::Choose(_) => "Choose a way".to_owned(),
        verb => {
            let words = match verb {
                Verb::Check(_) => "Check",
                Verb::Approve(_) => "Ask for an approval",
                Verb::Ask(_) => "Ask",
                Verb::Manual(_) => "By hand",
                Verb::Wait(_) => "Wait",
                Verb::Each(_) | Verb::Repeat { .. } => "Again and again",
                Verb::Parallel { .. } => "At once",
                verb => return step.id.as_ref().map_or_else(|| verb.key().to_owned(), |id| id.as_str().replace('_', " ")),
            };
            let id = step.id.as_ref().map(|id| format!(": {}", id.as_str().replace('_', " "))).unwrap_or_default();
            format!("{words}{id}")
        }
    }
}

#[cfg(test)]
mod tests;
