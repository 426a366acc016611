//! Walks every path of a plan, breadth first, on the machine that real runs use: each attempt succeeds, fails, runs out of time and
//! ends unknown, each decision is granted, rejected and expires, each condition that is not known goes both ways.
//!
//! Ways that can only go on alike are merged, so that a procedure without branches is walked in time that grows with its length.
//! What is found is found on a shortest path. The walk is bounded in places and in work. Where it comes to its bound it begins anew, with
//! the paths on which nothing goes wrong, then those on which one thing does, and so on; it says how far it came so, and says nothing
//! of what lies behind.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use super::finding::{Finding, Kind};
use super::left::is_well;
use super::must::Watch;
use super::story::{Story, Told};
use super::turn::{Turn, What};
use super::way::{Choice, Seen, Way};
use crate::document::procedure::ProcedureKind;
use crate::id::Digest;
use crate::limits;
use crate::plan::{Plan, StepIx, Verb};
use crate::run::essence::{Reads, UndoOrder};
use crate::run::event::{Identity, Means, OutcomeKind, Part, RunStarted};
use crate::run::{Fact, IllegalEvent, Run};
use crate::value::Value;

/// Everything that was walked.
#[derive(Clone, Debug)]
pub struct Walk {
    pub plan: Arc<Plan>,
    /// In the order of the file, at most [`DIAGNOSTICS`](limits::DIAGNOSTICS) of them: properties that are not kept before all others.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub found: usize,
    pub extent: Extent,
    pub(super) places: Vec<Place>,
}

/// How far the walk went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Extent {
    /// Places at which something is decided, or the run has ended.
    pub places: usize,
    /// False where the walk came to its bound: what follows there is not proved.
    pub complete: bool,
    /// Of a walk that is not complete: every path was walked on which at most so many things go wrong. Where branches run side by side,
    /// their changes are taken back in one of the orders in which they can have been made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most_wrong: Option<u32>,
}

/// Which paths are walked first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    /// Those with the fewest turns.
    Shortest,
    /// Those on which the fewest things go wrong.
    Smoothest,
}

/// A state at which something is decided, or at which the run has ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// The shortest way to it: the place before, and the turn taken there.
    pub came: Option<(u32, Turn)>,
    /// Where the best turn leads.
    pub on: Option<(Turn, u32)>,
    /// Where the other turns lead.
    pub others: Vec<(Turn, u32)>,
    pub end: Option<OutcomeKind>,
    /// The state, but for how parts of it have ended that still go on.
    pub state: Option<Digest>,
}

/// How far a walk goes at most.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub places: usize,
    /// Parts of runs that are copied, and those that are held at once.
    pub work: usize,
    pub held: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { places: limits::EXPLORE_PLACES, work: limits::EXPLORE_WORK, held: limits::EXPLORE_HELD }
    }
}

/// Walks `plan`, whatever its inputs are.
pub fn walk(plan: &Arc<Plan>) -> Result<Walk, IllegalEvent> {
    walk_within(plan, Bounds::default())
}

pub fn walk_within(plan: &Arc<Plan>, bounds: Bounds) -> Result<Walk, IllegalEvent> {
    let shortest = Walker::new(plan, bounds, First::Shortest).walk()?;
    if shortest.extent.complete {
        return Ok(shortest);
    }
    let mut walk = smoothest(plan, bounds)?;
    let known: BTreeSet<Kind> = walk.findings.iter().map(|finding| finding.kind).collect();
    walk.extent.complete = false;
    let more = shortest.findings.into_iter().filter(|finding| !known.contains(&finding.kind));
    walk.findings.extend(more);
    Ok(walk.in_order())
}

/// Walks the paths in the order of how many things go wrong on them.
pub fn smoothest(plan: &Arc<Plan>, bounds: Bounds) -> Result<Walk, IllegalEvent> {
    Walker::new(plan, bounds, First::Smoothest).walk()
}

/// A state that was met.
struct Met {
    place: u32,
    /// How many things had gone wrong.
    wrong: u32,
    /// What else was there that a finding may tell.
    loose: BTreeSet<Told>,
}

struct Walker {
    bounds: Bounds,
    first: First,
    plan: Arc<Plan>,
    reads: Reads,
    places: Vec<Place>,
    /// By how many things have gone wrong, where these are counted.
    open: BTreeMap<u32, VecDeque<(u32, Way, Vec<Choice>)>>,
    known: HashMap<Digest, Vec<Met>>,
    /// How many things have gone wrong on the way that is gone on with.
    wrong: u32,
    findings: BTreeMap<Kind, Finding>,
    reached: BTreeSet<StepIx>,
    branches: BTreeSet<(StepIx, u32)>,
    /// Of each approval, where a yes and a no led, as often as that was not the same state.
    matters: BTreeMap<StepIx, Vec<(u32, u32)>>,
    /// Undos that have been tried in this state of what they read.
    tried: BTreeSet<Digest>,
    complete: bool,
    /// Some way did not come to its next choice.
    unsettled: bool,
    /// Parts of runs copied so far, and those that wait for their turn.
    work: usize,
    held: usize,
}

impl Walker {
    fn new(plan: &Arc<Plan>, bounds: Bounds, first: First) -> Walker {
        Walker {
            bounds,
            first,
            plan: plan.clone(),
            reads: Reads::of(plan),
            places: Vec::new(),
            open: BTreeMap::new(),
            known: HashMap::new(),
            wrong: 0,
            findings: BTreeMap::new(),
            reached: BTreeSet::new(),
            branches: BTreeSet::new(),
            matters: BTreeMap::new(),
            tried: BTreeSet::new(),
            complete: true,
            unsettled: false,
            work: 0,
            held: 0,
        }
    }

    fn walk(mut self) -> Result<Walk, IllegalEvent> {
        self.begin()?;
        while let Some(mut level) = self.open.first_entry() {
            let wrong = *level.key();
            let Some((from, way, choices)) = level.get_mut().pop_front() else {
                level.remove();
                continue;
            };
            self.wrong = wrong;
            self.held = self.held.saturating_sub(way.run.weight());
            self.expand(from, way, &choices)?;
            if self.spent() {
                self.complete = false;
                break;
            }
        }
        Ok(self.finish())
    }

    fn begin(&mut self) -> Result<(), IllegalEvent> {
        let mut way = Way::new(Run::new(self.plan.clone()), Story::new(Watch::of(&self.plan)));
        way.record(Fact::RunStarted(Box::new(started(&self.plan))))?;
        self.places.push(Place::default());
        let Some(choices) = self.settled(&mut way)? else { return Ok(()) };
        self.arrive(0, &way, &choices);
        self.look(&mut way, 0, None)?;
        self.open.entry(0).or_default().push_back((0, way, choices));
        Ok(())
    }

    fn spent(&self) -> bool {
        self.places.len() >= self.bounds.places || self.work >= self.bounds.work || self.held >= self.bounds.held
    }

    fn settled(&mut self, way: &mut Way) -> Result<Option<Vec<Choice>>, IllegalEvent> {
        let mut choices = way.settle()?;
        // Whether a failed step has given something matters to those alone who ask for it.
        if let Some(choices) = &mut choices {
            let read = |step: StepIx| self.plan.step(step).id.as_ref().is_some_and(|id| self.reads.anywhere(id));
            choices.retain(|choice| choice.turn.what != What::GivesNothing || read(choice.turn.step));
        }
        self.unsettled |= choices.is_none();
        self.complete &= choices.is_some();
        Ok(choices)
    }

    fn expand(&mut self, from: u32, way: Way, choices: &[Choice]) -> Result<(), IllegalEvent> {
        // What a yes and a no to the same question lead to.
        let mut answers: Vec<(StepIx, What, Vec<u8>, u32)> = Vec::new();
        // Where a failure has led, which a time that runs out leads to as well, but for a look at what an unknown end has done.
        let mut failed: Option<(StepIx, u32)> = None;
        let mut way = Some(way);
        for (number, choice) in choices.iter().enumerate() {
            if let (What::TimesOut, Some((step, to))) = (choice.turn.what, failed)
                && step == choice.turn.step
            {
                self.lead(from, number, choice, to);
                continue;
            }
            if self.spent() {
                return Ok(());
            }
            let last = number + 1 == choices.len();
            let Some(mut next) = (if last { way.take() } else { way.clone() }) else { continue };
            let nothing = next.times_out_with_nothing(&choice.turn.path);
            self.work += if last { 1 } else { next.run.weight() };
            next.take(choice)?;
            let Some(after) = self.settled(&mut next)? else { continue };
            let answered = self.is_approval(choice).then(|| next.run.essence(&self.reads, &next.assumed).0);
            self.look(&mut next, from, Some(&choice.turn))?;
            self.work += std::mem::take(&mut next.cost);
            let worsens = self.first == First::Smoothest && number > 0 && !is_well(&self.plan, &choice.turn);
            let to = self.place(from, &choice.turn, next, after, self.wrong + u32::from(worsens));
            answers.extend(answered.map(|essence| (choice.turn.step, choice.turn.what, essence, to)));
            let alike = choice.turn.what == What::Fails || choice.turn.what == What::GivesNothing && nothing;
            if alike && !choice.turn.path.as_str().contains("~verify") {
                failed = Some((choice.turn.step, to));
            }
            self.lead(from, number, choice, to);
        }
        for (step, _, yes, granted) in answers.iter().filter(|(_, what, ..)| *what == What::Granted) {
            let noes = answers.iter().filter(|(of, what, no, _)| of == step && *what == What::Rejected && no != yes);
            self.matters.entry(*step).or_default().extend(noes.map(|(.., rejected)| (*granted, *rejected)));
        }
        Ok(())
    }

    /// Keeps where a turn leads; the first is the best.
    fn lead(&mut self, from: u32, number: usize, choice: &Choice, to: u32) {
        let Some(place) = self.places.get_mut(from as usize) else { return };
        let turn = choice.turn.clone();
        match number {
            0 => place.on = Some((turn, to)),
            _ => place.others.push((turn, to)),
        }
    }

    fn is_approval(&self, choice: &Choice) -> bool {
        let asked = matches!(choice.turn.what, What::Granted | What::Rejected);
        asked && self.plan.steps.get(choice.turn.step.0 as usize).is_some_and(|step| matches!(step.verb, Verb::Approve(_)))
    }

    /// The place that a way has come to: a known one, or a new one to go on from.
    fn place(&mut self, from: u32, turn: &Turn, way: Way, choices: Vec<Choice>, wrong: u32) -> u32 {
        let order = if self.first == First::Shortest { UndoOrder::AsMade } else { UndoOrder::Any };
        let (mut essence, own) = way.run.essence_with(&self.reads, &way.assumed, order);
        self.work += essence.len() / 8;
        let state = essence.get(..own).map(Digest::of_bytes);
        let reported = |told| self.findings.contains_key(&Kind::from(told));
        way.story.write(reported, &mut essence);
        let loose = way.story.loose(reported);
        let met = self.known.entry(Digest::of_bytes(&essence)).or_default();
        // Each of them goes on by itself, so they need not have been there together.
        let before: Vec<&Met> = met.iter().filter(|met| met.wrong <= wrong).collect();
        if let Some(first) = before.iter().find(|met| met.loose == loose).or(before.first())
            && loose.iter().all(|told| before.iter().any(|met| met.loose.contains(told)))
        {
            return first.place;
        }
        let ix = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        met.push(Met { place: ix, wrong, loose });
        self.places.push(Place { came: Some((from, turn.clone())), state, ..Place::default() });
        self.arrive(ix, &way, &choices);
        if !choices.is_empty() {
            self.held += way.run.weight();
            self.open.entry(wrong).or_default().push_back((ix, way, choices));
        }
        ix
    }

    fn find(&mut self, kind: Kind, at: u32, turn: Option<&Turn>, why: String) {
        let finding = || Finding { kind, at, turn: turn.cloned(), path: Vec::new(), why };
        self.findings.entry(kind).or_insert_with(finding);
    }

    /// What a way has come by since it was last looked at.
    fn look(&mut self, way: &mut Way, from: u32, turn: Option<&Turn>) -> Result<(), IllegalEvent> {
        for seen in std::mem::take(&mut way.seen) {
            match seen {
                Seen::Reached(step) => {
                    self.reached.insert(step);
                }
                Seen::Branch(step, branch) => {
                    self.branches.insert((step, branch));
                }
                Seen::Unapproved(step) => self.find(Kind::Unapproved(step), from, turn, String::new()),
                Seen::UndoLacks(step, why) => self.find(Kind::UndoLacks(step), from, turn, why),
                Seen::Broken(number) => self.find(Kind::Broken(number), from, turn, String::new()),
            }
        }
        for run in std::mem::take(&mut way.undoable) {
            let Some(names) = run.undo_essence(&self.reads) else { continue };
            if !self.tried.insert(Digest::of_bytes(&names)) {
                continue;
            }
            for seen in way.undone(&run)? {
                match seen {
                    Seen::Reached(step) => {
                        self.reached.insert(step);
                    }
                    Seen::Branch(step, branch) => {
                        self.branches.insert((step, branch));
                    }
                    Seen::UndoLacks(step, why) => self.find(Kind::UndoLacks(step), from, turn, why),
                    Seen::Unapproved(_) | Seen::Broken(_) => {}
                }
            }
        }
        Ok(())
    }

    /// What the state itself shows, when it is met for the first time.
    fn arrive(&mut self, ix: u32, way: &Way, choices: &[Choice]) {
        for (one, other, what) in way.clashes(choices) {
            self.find(Kind::Clash(one.min(other), one.max(other)), ix, None, what);
        }
        for step in way.waits_for_ever() {
            self.find(Kind::Endless(step), ix, None, String::new());
        }
        let Some(outcome) = way.run.outcome() else { return };
        let (kind, message) = (outcome.kind, outcome.message.clone());
        if let Some(place) = self.places.get_mut(ix as usize) {
            place.end = Some(kind);
        }
        match kind {
            OutcomeKind::Succeeded => {
                if let Some(step) = way.story.unverified {
                    self.find(Kind::Unverified(step), ix, None, String::new());
                }
                for step in way.story.hidden.clone() {
                    let read = self.plan.step(step).id.as_ref().is_some_and(|id| self.reads.anywhere(id));
                    if !read {
                        self.find(Kind::Hidden(step), ix, None, String::new());
                    }
                }
            }
            OutcomeKind::Failed if !way.story.mended && !outcome.step.as_ref().is_some_and(|step| way.run.is_told(step)) => {
                let left: Vec<StepIx> = way.run.undoable_steps().map(|view| view.step_ix()).collect();
                for step in left {
                    self.find(Kind::Left(step), ix, None, message.clone());
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Walk {
        for (step, answers) in std::mem::take(&mut self.matters) {
            if self.complete && answers.iter().all(|(yes, no)| self.goes_alike(*yes, *no)) {
                self.find(Kind::Idle(step), 0, None, String::new());
            }
        }
        if self.complete {
            self.unreached();
        }
        // Where it was cut, what is open with the fewest things wrong was not gone on with.
        let cut = self.open.keys().next().map_or(self.wrong, |open| self.wrong.min(*open));
        let walked = if self.complete { Some(self.wrong) } else { cut.checked_sub(1) };
        let at_most_wrong = walked.filter(|_| self.first == First::Smoothest && !self.unsettled);
        let extent = Extent { places: self.places.len(), complete: self.complete, at_most_wrong };
        let findings: Vec<Finding> = self.findings.into_values().collect();
        let mut walk = Walk { plan: self.plan, findings, found: 0, extent, places: self.places };
        let paths: Vec<Vec<Turn>> = walk.findings.iter().map(|finding| walk.turns_of(finding)).collect();
        walk.findings.iter_mut().zip(paths).for_each(|(finding, path)| finding.path = path);
        walk.in_order()
    }

    /// Whether all that follows two places is the same: how a part has ended may be asked by nobody.
    fn goes_alike(&self, one: u32, other: u32) -> bool {
        let mut known = BTreeSet::from([(one, other)]);
        let mut open = vec![(one, other)];
        while let Some((one, other)) = open.pop() {
            if one == other {
                continue;
            }
            let (Some(one), Some(other)) = (self.places.get(one as usize), self.places.get(other as usize)) else { return false };
            let turns =
                |place: &'_ Place| place.on.iter().chain(&place.others).map(|(turn, to)| (turn.clone(), *to)).collect::<Vec<_>>();
            let (ones, others) = (turns(one), turns(other));
            let same = one.state.is_some() && (&one.state, one.end, ones.len()) == (&other.state, other.end, others.len());
            if !same || known.len() > limits::EXPLORE_PLACES {
                return false;
            }
            for ((turn, to), (as_well, and)) in ones.into_iter().zip(others) {
                if (turn.step, turn.what) != (as_well.step, as_well.what) {
                    return false;
                }
                if known.insert((to, and)) {
                    open.push((to, and));
                }
            }
        }
        true
    }

    /// Steps and branches of the procedure itself that no path comes to. What it calls may be made for others too.
    fn unreached(&mut self) {
        let main = self.plan.main();
        let mut open: Vec<StepIx> = [&main.body, &main.on_failure, &main.finally].into_iter().flatten().rev().copied().collect();
        let plan = self.plan.clone();
        while let Some(ix) = open.pop() {
            let step = plan.step(ix);
            if !self.reached.contains(&ix) {
                // The exit code of a failure is taken to be 1, so what asks for another is not judged.
                let asks = |source: &str| source.contains("exit_code");
                if !step.condition.as_ref().is_some_and(|condition| asks(&condition.source)) {
                    self.find(Kind::Unreached(ix), 0, None, String::new());
                }
                continue;
            }
            if let Verb::Choose(branches) = &step.verb {
                let known =
                    |branch: &crate::plan::Branch| branch.when.as_ref().is_none_or(|when| !when.source.contains("exit_code"));
                let judged = branches.iter().all(known);
                for (number, branch) in (0..).zip(branches) {
                    if self.branches.contains(&(ix, number)) {
                        open.extend(&branch.body);
                    } else if judged {
                        self.find(Kind::Branch(ix, number), 0, None, String::new());
                    }
                }
            } else {
                open.extend(step.inner());
            }
        }
    }
}

impl Walk {
    /// The turns of the path to a finding.
    pub fn path(&self, finding: &Finding) -> Vec<Turn> {
        finding.path.clone()
    }

    fn turns_of(&self, finding: &Finding) -> Vec<Turn> {
        let mut turns: Vec<Turn> = self.turns_to(finding.at).into_iter().cloned().collect();
        turns.extend(finding.turn.clone());
        turns
    }

    /// With its findings counted, as many of them as are told, in the order of the file.
    fn in_order(mut self) -> Walk {
        let findings = &mut self.findings;
        self.found = self.found.max(findings.len());
        findings.sort_by_key(|finding| finding.kind.step().is_some());
        findings.truncate(limits::DIAGNOSTICS);
        findings.sort_by_key(|finding| (finding.origin(&self.plan), finding.kind.code()));
        self
    }

    /// The shortest way to a place.
    pub(super) fn turns_to(&self, place: u32) -> Vec<&Turn> {
        let mut turns = Vec::new();
        let mut at = place;
        while let Some((before, turn)) = self.places.get(at as usize).and_then(|place| place.came.as_ref()) {
            turns.push(turn);
            at = *before;
        }
        turns.reverse();
        turns
    }
}

/// A run whose inputs may be anything.
pub(super) fn started(plan: &Plan) -> RunStarted {
    let main = plan.main();
    let unknown = |name: &str| Value::Unknown(format!("inputs.{name}"));
    RunStarted {
        procedure: main.name.clone(),
        version: main.version,
        plan: Digest::of_bytes(b""),
        semantics: plan.semantics,
        inputs: main.inputs.iter().map(|spec| (spec.name.to_string(), unknown(spec.name.as_str()))).collect(),
        event: (main.kind == ProcedureKind::Playbook).then(|| Value::Unknown("event".to_owned())),
        environment: plan.policy.environment.as_ref().map(|environment| environment.name.clone()),
        requested_by: Identity { person: "operator".to_owned(), means: Means::Engine },
        seed: 0,
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        lock: main.lock.as_ref().map(|lock| lock.source.clone()),
        root: None,
    }
}

impl From<Told> for Kind {
    fn from(told: Told) -> Kind {
        match told {
            Told::Unverified(step) => Kind::Unverified(step),
            Told::Hidden(step) => Kind::Hidden(step),
            Told::Broken(number) => Kind::Broken(number),
        }
    }
}
