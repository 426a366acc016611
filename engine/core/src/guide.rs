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
use crate::plan::{self, OnFailure, Plan, ProcedureIx, Step, StepIx, Verb, WaitFor, number};
use crate::policy::{Demanded, Gate, PolicyContext};

pub use chart::{Chart, Fails, Item, Lane, Shape, Stands, charted, charted_within};

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
    /// The calls whose steps, and what takes those back, are left out, so that there are no more than [`limits::GUIDE_STEPS`]. The
    /// procedure's own steps are never left out, and neither are those of calls nearer to it.
    pub unopened: Vec<String>,
    /// How many approvals of the workspace's rules are left out, beyond [`limits::GUIDE_GATES`].
    pub ungated: usize,
    /// Where the rules want somebody else than whoever asked for the run to decide.
    pub four_eyes: Demanded,
    /// Where they want every decision of a run signed.
    pub signed: Demanded,
}

/// Which part of a guide a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Body,
    OnFailure,
    Undo,
    Finally,
}

/// One step in its place.
#[derive(Clone, Debug)]
pub struct Entry {
    pub number: String,
    pub step: StepIx,
    pub part: Part,
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
    /// The next step around it that may be left out with all that is in it. The condition of the way that it stands on itself is its
    /// `lead`.
    pub left_out_with: Option<String>,
    /// The step around it that says what follows where it fails, in place of the end of everything.
    pub caught_by: Option<String>,
    /// Of a step that takes another back: the loops around that, the outermost first. It is done for each of their rounds.
    pub rounds: Vec<String>,
    /// The first and the last of the steps inside it.
    pub inside: Option<(String, String)>,
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
    /// What a called procedure does after a failure.
    OnFailure,
    /// What it does however it ends.
    Finally,
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
        let digest = plan.digest()?;
        let environment = plan.policy.environment.as_ref().map(|environment| environment.name.as_str());
        let environment = environment.filter(|_| !all_environments);
        let env = document.defaults.env.iter();
        let variables = env.map(|entry| format!("{} = {}", entry.name.value, entry.value.value.trim())).collect();
        let (body, finally, on_failure, undo) = (vec![], vec![], vec![], vec![]);
        let four_eyes = plan.demanded_in(environment, |rule| rule.four_eyes);
        let signed = plan.demanded_in(environment, |rule| rule.signed);
        let mut guide = Guide {
            plan,
            document,
            digest,
            variables,
            body,
            finally,
            on_failure,
            undo,
            environment,
            unopened: Vec::new(),
            ungated: 0,
            four_eyes,
            signed,
        };
        // A plan bounds its own steps: where no call is opened, there are no more.
        let fits = |calls: &usize| *calls == 0 || guide.counted(*calls) <= limits::GUIDE_STEPS;
        let opened = (0..=limits::CALL_DEPTH).rev().find(fits).unwrap_or_default();
        let policy = all_environments.then(|| PolicyContext { environment: None, ..plan.policy.clone() });
        guide.told(opened, policy);
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

    /// Whether the next step follows where this one fails, because of the list that it stands in.
    pub fn goes_on(&self, entry: &Entry) -> bool {
        stands_beside(entry.part, entry.depth, entry.lead.as_ref())
    }

    /// What takes a step back, each with its number.
    pub fn undo_of(&self, entry: &Entry) -> Vec<(String, &'p Step)> {
        let undo = &self.step(entry).undo;
        undo.iter().map(|ix| (self.plan.number(&entry.calls, *ix), self.plan.step(*ix))).collect()
    }

    /// How many steps there are where so many calls lie around a step at most; some more than [`limits::GUIDE_STEPS`] where there are more.
    fn counted(&self, calls: usize) -> usize {
        let main = self.plan.main();
        let mut count = 0;
        let mut open: Vec<(&[StepIx], usize)> =
            [&main.body, &main.finally, &main.on_failure].map(|list| (list.as_slice(), 0)).to_vec();
        while let Some((list, depth)) = open.pop() {
            for ix in list {
                count += 1;
                if count > limits::GUIDE_STEPS {
                    return count;
                }
                let step = self.plan.step(*ix);
                open.push((&step.undo, depth));
                match &step.verb {
                    Verb::Call { .. } if depth == calls => {}
                    Verb::Call { procedure, .. } => {
                        let called = self.plan.procedure(*procedure);
                        open.extend([&called.body, &called.on_failure, &called.finally].map(|list| (list.as_slice(), depth + 1)));
                    }
                    _ => open.extend(plan::inside(step).into_iter().map(|list| (list, depth))),
                }
            }
        }
        count
    }

    fn told(&mut self, opened: usize, policy: Option<PolicyContext>) {
        let (plan, main) = (self.plan, self.plan.main());
        let mut walk = Walk {
            plan,
            policy,
            opened,
            calls: Vec::new(),
            procedure: ProcedureIx(0),
            around: Vec::new(),
            unopened: Vec::new(),
            gates: 0,
            ungated: 0,
        };
        self.body = walk.part(Part::Body, &main.body);
        self.finally = walk.part(Part::Finally, &main.finally);
        self.on_failure = walk.part(Part::OnFailure, &main.on_failure);
        let done: Vec<&Entry> = self.body.iter().chain(&self.on_failure).chain(&self.finally).collect();
        let leads = self.wholes_and_parts(&done);
        let by_number: BTreeMap<&str, &Entry> = done.iter().map(|entry| (entry.number.as_str(), *entry)).collect();
        let mut undo = Vec::new();
        // An undo has no gates: what takes a step back was approved with the step.
        walk.policy = None;
        for entry in done.iter().rev() {
            walk.calls.clone_from(&entry.calls);
            walk.procedure = entry.procedure;
            let lead = leads.get(entry.number.as_str());
            let place = Place { part: Part::Undo, depth: 0, within: lead.is_some().then_some(entry.number.as_str()), lead };
            let first = undo.len();
            walk.steps(&plan.step(entry.step).undo, place, &mut undo);
            let rounds = self.loops_around(entry, &by_number);
            undo.iter_mut().skip(first).filter(|undo| undo.depth == 0).for_each(|undo| undo.rounds.clone_from(&rounds));
        }
        self.undo = undo;
        self.unopened = walk.unopened;
        self.ungated = walk.ungated;
    }

    /// The numbers of the loops around a step, the outermost first.
    fn loops_around(&self, entry: &Entry, by_number: &BTreeMap<&str, &Entry>) -> Vec<String> {
        let around = |inner: &Entry| inner.within.as_deref().and_then(|within| by_number.get(within).copied());
        let loops = std::iter::successors(around(entry), |outer| around(outer))
            .filter(|outer| matches!(self.step(outer).verb, Verb::Each(_) | Verb::Repeat { .. }));
        let mut loops: Vec<String> = loops.map(|outer| outer.number.clone()).collect();
        loops.reverse();
        loops
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
}

/// Where a list stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    part: Part,
    depth: usize,
    within: Option<&'a str>,
    lead: Option<&'a Lead>,
}

/// What a step means for those inside it.
struct Around {
    number: String,
    conditional: bool,
    chooses: bool,
    /// Whether something else than the end follows where one of them fails.
    catches: bool,
}

struct Walk<'p> {
    plan: &'p Plan,
    policy: Option<PolicyContext>,
    /// How many calls may lie around a step.
    opened: usize,
    calls: Vec<StepIx>,
    procedure: ProcedureIx,
    around: Vec<Around>,
    unopened: Vec<String>,
    /// How many approvals there were, and how many were too many.
    gates: usize,
    ungated: usize,
}

impl Walk<'_> {
    fn part(&mut self, part: Part, list: &[StepIx]) -> Vec<Entry> {
        let mut entries = Vec::new();
        self.steps(list, Place { part, depth: 0, within: None, lead: None }, &mut entries);
        entries
    }

    fn steps(&mut self, list: &[StepIx], place: Place<'_>, entries: &mut Vec<Entry>) {
        let plan = self.plan;
        for ix in list {
            let step = plan.step(*ix);
            let number = plan.number(&self.calls, *ix);
            // The way that it stands on itself is told with it.
            let left_out_with =
                self.around.iter().rev().enumerate().find(|(out, outer)| outer.conditional || (outer.chooses && *out > 0));
            let left_out_with = left_out_with.map(|(_, outer)| outer.number.clone());
            let caught_by = self.around.iter().rfind(|outer| outer.catches).map(|outer| outer.number.clone());
            let at = entries.len();
            entries.push(Entry {
                number: number.clone(),
                step: *ix,
                part: place.part,
                calls: self.calls.clone(),
                procedure: self.procedure,
                depth: place.depth,
                within: place.within.map(str::to_owned),
                lead: place.lead.cloned(),
                left_out_with,
                caught_by,
                rounds: Vec::new(),
                inside: None,
                gates: self.gates(step),
            });
            let beside = stands_beside(place.part, place.depth, place.lead);
            self.around.push(Around {
                number: number.clone(),
                conditional: step.condition.is_some(),
                chooses: matches!(step.verb, Verb::Choose(_)),
                catches: beside || catches(step, place.part),
            });
            let inner = Place { depth: place.depth + 1, within: Some(&number), lead: None, ..place };
            match &step.verb {
                Verb::Call { .. } if self.calls.len() >= self.opened => self.unopened.push(number.clone()),
                Verb::Call { procedure, .. } => {
                    let caller = std::mem::replace(&mut self.procedure, *procedure);
                    self.calls.push(*ix);
                    let called = plan.procedure(*procedure);
                    self.steps(&called.body, inner, entries);
                    // No procedure's own list is left out of the sheet that whoever works by hand has before them.
                    for (part, lead, list) in
                        [(Part::OnFailure, Lead::OnFailure, &called.on_failure), (Part::Finally, Lead::Finally, &called.finally)]
                    {
                        self.steps(list, Place { part, lead: Some(&lead), ..inner }, entries);
                    }
                    self.calls.pop();
                    self.procedure = caller;
                }
                verb => {
                    for (list, lead) in plan::inside(step).into_iter().zip(leads(verb)) {
                        self.steps(list, Place { lead: lead.as_ref(), ..inner }, entries);
                    }
                }
            }
            self.around.pop();
            // What a called procedure does after a failure comes before what it does in the end, and has the higher numbers.
            let last = entries.get(at + 1..).unwrap_or_default().iter().max_by_key(|entry| number::order(&entry.number));
            let inside = entries.get(at + 1).zip(last).map(|(first, last)| (first.number.clone(), last.number.clone()));
            if let Some(entry) = entries.get_mut(at) {
                entry.inside = inside;
            }
        }
    }

    fn gates(&mut self, step: &Step) -> Vec<GateIn> {
        let mut gates = self.gates_of(step);
        let room = limits::GUIDE_GATES.saturating_sub(self.gates);
        self.ungated += gates.len().saturating_sub(room);
        gates.truncate(room);
        self.gates += gates.len();
        gates
    }

    /// As `check` gives them to the step; the plan's own where there is no policy to ask.
    fn gates_of(&self, step: &Step) -> Vec<GateIn> {
        let Some(policy) = &self.policy else {
            return step.gates.iter().map(|gate| GateIn { gate: gate.clone(), environments: Vec::new() }).collect();
        };
        if step.verb.is_container() || matches!(step.verb, Verb::Notify { .. }) {
            return Vec::new();
        }
        let labels = [&self.plan.main().labels, &self.plan.procedure(self.procedure).labels];
        // What the rules demand of every decision is told beside, for it may hold in other environments.
        let rule = |gate: &Gate| policy.rules.iter().find(|rule| rule.name == gate.rule);
        let gates = policy.gates_for(&labels, step.effect).into_iter();
        let own = gates.filter_map(|gate| {
            let rule = rule(&gate)?;
            Some(GateIn { gate: rule.gate.clone()?, environments: rule.environments.clone() })
        });
        own.collect()
    }
}

/// Whether a step stands in a list of which nothing that fails keeps the rest from running: one of the procedure's own, or of a called one.
fn stands_beside(part: Part, depth: usize, lead: Option<&Lead>) -> bool {
    matches!(lead, Some(Lead::OnFailure | Lead::Finally)) || depth == 0 && matches!(part, Part::OnFailure | Part::Finally)
}

/// Whether anything but the end follows where something inside the step fails.
fn catches(step: &Step, part: Part) -> bool {
    // Everywhere else a rollback is a failure like any other.
    let rolls_back = matches!(step.on_failure, OnFailure::Rollback) && part == Part::Body;
    step.on_failure.goes_on() || rolls_back || step.verb.tolerates()
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
    let people = step.verb.asks();
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

/// What a step is for, in a few words: its name as it is written, else what its verb and its id say.
pub fn title(plan: &Plan, step: &Step) -> String {
    if let Some(name) = &step.name {
        return name.written().trim().to_owned();
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
                Verb::Wait(_) | Verb::Listen(_) => "Wait",
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
