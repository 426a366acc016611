//! The checker that explore is held against. It knows nothing of the machine, the plan or the explorer: it goes down every path by
//! plain recursion, merges nothing and keeps all that happened in lists. What can go on without end is cut short where more of it
//! could only lengthen a path: a wait looks once more, people have a step done once more, one undo of a path fails.

mod beside;
mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash};

use beside::Head;

use super::small::{Book, Branch, Does, Effect, Gate, Moment, Must, Policy, Procedure, Runs, Step, Undo, When};

/// Everything that happened on one path, as far as anything rests on it.
#[derive(Clone, Debug, Default)]
struct Path {
    turns: usize,
    /// What each input was taken to be, by its number.
    inputs: BTreeMap<u64, bool>,
    /// Steps that printed something.
    printed: BTreeSet<String>,
    approved: bool,
    unseen: Option<String>,
    hidden: BTreeSet<String>,
    /// Changes that can be taken back, in order: by id, and by name.
    changes: Vec<(String, String, Undo)>,
    /// Every change that began or was done.
    touched: Vec<String>,
    /// The item of a loop that it is in, or the round.
    item: Option<u64>,
    list: List,
    /// What is there, by name.
    there: BTreeSet<String>,
    /// Something was put right after a failure, or people had enough of taking back.
    mended: bool,
    left_to_people: bool,
    /// An undo has failed.
    stuck: bool,
    /// Of each property, whether what it waits for has come.
    come: Vec<bool>,
    /// How often something has gone wrong, and what did so last.
    worse: usize,
    last: Option<Fall>,
    /// What has happened since then, and with which step it went on.
    since: BTreeSet<String>,
    on: Option<String>,
}

/// In which list of its procedure a step stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum List {
    #[default]
    Body,
    OnFailure,
    Finally,
}

/// A step, with the item of the loop that it stands in, and how it goes wrong.
pub type Fall = (String, &'static str);

impl Path {
    fn name(&self, step: &Step) -> String {
        tagged(&step.id, self.item)
    }

    fn turn(&self) -> Path {
        Path { turns: self.turns + 1, ..self.clone() }
    }

    fn falls(&self, name: String, how: &'static str) -> Path {
        Path { worse: self.worse + 1, last: Some((name, how)), since: BTreeSet::new(), on: None, ..self.clone() }
    }

    /// A step of a body does something well.
    fn works(&mut self, name: String) {
        let own = self.last.as_ref().is_some_and(|(last, _)| *last == name);
        if self.list == List::Body && !own {
            self.on.get_or_insert(name);
        }
    }

    /// People are asked about a step, and say yes.
    fn asks(&mut self, who: &str, name: &str) {
        self.since.insert(format!("asks {who} about {name}"));
    }

    /// Something that nobody hopes for, and that is no fall of a step.
    fn worsens(&self) -> Path {
        Path { worse: self.worse + 1, last: None, ..self.clone() }
    }
}

pub fn tagged(id: &str, item: Option<u64>) -> String {
    format!("{id}{}", item.map(|item| format!(" of item {item}")).unwrap_or_default())
}

/// What is left after a fall, where nothing else goes wrong afterwards and as little as can be before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left {
    worse: usize,
    /// On some path, and on each.
    pub some: BTreeSet<String>,
    pub each: BTreeSet<String>,
    /// How the run ends then, what happens before that on some path and on each, and with what it goes on.
    pub ends: BTreeSet<&'static str>,
    pub since: BTreeSet<String>,
    pub always: BTreeSet<String>,
    pub on: BTreeSet<Option<String>>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Done,
    Failed { told: bool, rollback: bool, rejected: bool },
}

const FAILED: End = End::Failed { told: false, rollback: false, rejected: false };
const REJECTED: End = End::Failed { told: false, rollback: false, rejected: true };

/// Who is asked where nobody else is named.
const ANYBODY: &str = "whoever may operate";

/// An error that the checker is made to have, to see that it is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slip {
    None,
    ANoIsAYes,
    RollbackLeaves,
    LooksAreBlind,
    BranchesTakeTurns,
    DoneIsPrinted,
    InputsChangeTheirMind,
    GroupsHideNothing,
    GatesAreOpen,
    GatesApproveNothing,
    SilenceIsNoRefusal,
    OneRound,
    WaitsAlwaysEnd,
    NothingIsTolerated,
    CallsMendNothing,
    TidyingLooks,
    ManualsChangeNothing,
    LocksAreOfNoUse,
    UndosNeverFail,
    PropertiesForget,
    PropertiesSeeNoSkips,
}

/// A procedure with more paths is not checked.
pub const PATHS: usize = 3_000;

/// The length of the shortest path to each finding.
pub type Found = BTreeMap<String, usize>;
type Then<'t> = &'t mut dyn FnMut(&mut Checker, Path, End);
type On<'t> = &'t mut dyn FnMut(&mut Checker, Path);

pub struct Checker {
    pub found: Found,
    pub reached: BTreeSet<String>,
    pub left: BTreeMap<Fall, Left>,
    /// How many paths it has gone down; of more than [`PATHS`] it says nothing.
    pub paths: usize,
    /// Two gates were open at once.
    pub side_by_side: bool,
    slip: Slip,
    gates: Vec<Gate>,
    musts: Vec<Must>,
    /// Ids of steps that are read.
    read: BTreeSet<String>,
    /// Of each approval, whether a no ever leads to something else than a yes.
    matters: BTreeMap<String, bool>,
    /// Everything that has happened on all paths so far.
    told: DefaultHasher,
}

impl Checker {
    fn leave(&mut self, path: &Path, ends: &'static str) {
        let Some(last) = &path.last else { return };
        let there = &path.there;
        let new = Left {
            worse: path.worse,
            some: there.clone(),
            each: there.clone(),
            ends: BTreeSet::from([ends]),
            since: path.since.clone(),
            always: path.since.clone(),
            on: BTreeSet::from([path.on.clone()]),
        };
        let known = self.left.entry(last.clone()).or_insert_with(|| new.clone());
        if path.worse < known.worse {
            *known = new;
        } else if path.worse == known.worse {
            known.some.extend(there.iter().cloned());
            known.each.retain(|name| there.contains(name));
            known.ends.insert(ends);
            known.since.extend(path.since.iter().cloned());
            known.always.retain(|what| path.since.contains(what));
            known.on.insert(path.on.clone());
        }
    }

    fn find(&mut self, what: String, turns: usize) {
        let shortest = self.found.entry(what).or_insert(turns);
        *shortest = turns.min(*shortest);
    }

    // Properties.

    /// A moment has come: whatever that breaks, and then whatever waits for it.
    fn come(&mut self, path: &mut Path, is: impl Fn(&Moment) -> bool) {
        for number in 0..self.musts.len() {
            let come = path.come[number];
            let (broken, waits) = match &self.musts[number] {
                Must::Never(moment, None) => (is(moment), false),
                Must::Never(moment, Some(after)) => (is(moment) && come, is(after)),
                Must::AlwaysBefore(moment, comes) => (is(moment) && !come, is(comes)),
            };
            if broken {
                self.find(format!("RB0610 {number}"), path.turns);
            }
            path.come[number] |= waits && self.slip != Slip::PropertiesForget;
        }
    }

    fn moment(&mut self, path: &mut Path, step: &Step, now: When) {
        let effect = if matches!(step.does, Does::Poll(_)) { Effect::None } else { step.effect() };
        let verb = step.verb();
        self.come(path, |moment| match moment {
            Moment::Step(id, when) => *id == step.id && *when == now,
            Moment::Effect(least, when) => *when == now && effect > Effect::None && effect >= *least,
            Moment::Verb(of, when) => *when == now && *of == verb,
            Moment::Ends(_) => false,
        });
    }

    /// The same of a call that stands for nothing but its id.
    fn moment_of(&mut self, path: &mut Path, branch: &Branch, now: When) {
        if let Some((call, _)) = &branch.call {
            self.come(path, |moment| matches!(moment, Moment::Step(id, when) if id == call && *when == now));
        }
    }

    // Lists and steps.

    fn list(&mut self, steps: &[Step], path: Path, then: Then<'_>) {
        if self.paths > PATHS {
            return;
        }
        let Some((first, rest)) = steps.split_first() else { return then(self, path, End::Done) };
        self.step(first, path, &mut |checker, path, end| match end {
            End::Done => checker.list(rest, path, then),
            failed => then(checker, path, failed),
        });
    }

    /// `turn`: whether this takes a turn of its own, where it is not known.
    fn input(&mut self, number: u64, turn: bool, path: Path, then: &mut dyn FnMut(&mut Checker, Path, bool)) {
        if let Some(known) = path.inputs.get(&number).copied().filter(|_| self.slip != Slip::InputsChangeTheirMind) {
            return then(self, path, known);
        }
        for holds in [true, false] {
            let mut path = path.clone();
            (number, holds).hash(&mut self.told);
            path.turns += usize::from(turn);
            path.inputs.insert(number, holds);
            then(self, path, holds);
        }
    }

    fn step(&mut self, step: &Step, mut path: Path, then: Then<'_>) {
        match step.runs {
            Runs::Always => self.begin(step, true, path, then),
            Runs::Never => {
                self.skipped(step, &mut path);
                then(self, path, End::Done);
            }
            Runs::If(number) => {
                let before = path.turns;
                self.input(number, true, path, &mut |checker, mut path, holds| match holds {
                    // Whether a step runs and what it then turns out to do is one turn.
                    true => {
                        let turned = path.turns != before;
                        if turned && !matches!(step.does, Does::Each(..)) {
                            path.works(path.name(step));
                        }
                        checker.begin(step, !turned, path, then);
                    }
                    false => {
                        checker.skipped(step, &mut path);
                        then(checker, path, End::Done);
                    }
                });
            }
        }
    }

    fn skipped(&mut self, step: &Step, path: &mut Path) {
        if self.slip != Slip::PropertiesSeeNoSkips {
            self.moment(path, step, When::Skipped);
        }
    }

    fn begin(&mut self, step: &Step, turn: bool, mut path: Path, then: Then<'_>) {
        self.reached.insert(step.id.clone());
        let (touched, before) = (path.touched.len(), path.turns);
        // A list that fails is gone on after, or not, as one step is.
        let mut ended = |checker: &mut Checker, path: Path, end: End| checker.ended(step, touched, path, end, then);
        match &step.does {
            Does::Choose(number, body) => self.input(*number, turn, path, &mut |checker, mut path, holds| {
                checker.moment(&mut path, step, When::Begins);
                if path.turns != before {
                    path.works(path.name(step));
                }
                match holds {
                    true => {
                        checker.reached.insert(format!("{}/0", step.id));
                        checker.list(body, path, &mut ended);
                    }
                    false => ended(checker, path, End::Done),
                }
            }),
            Does::Each(failures, body) => {
                let mut path = Path { turns: path.turns + usize::from(turn), ..path };
                self.moment(&mut path, step, When::Begins);
                ended(self, path.clone(), End::Done);
                path.works(path.name(step));
                let mut outside = |checker: &mut Checker, path: Path, end: End| ended(checker, Path { item: None, ..path }, end);
                self.items(0, *failures, (0, End::Done), body, path, &mut outside);
            }
            Does::Read | Does::Destroy | Does::Change { .. } => self.acts(step, path, &mut ended),
            does => {
                self.moment(&mut path, step, When::Begins);
                match does {
                    Does::Group(body) => self.list(body, path, &mut ended),
                    Does::Repeat(times, body) => {
                        let mut outside =
                            |checker: &mut Checker, path: Path, end: End| ended(checker, Path { item: None, ..path }, end);
                        self.round(1, *times, step, body, path, &mut outside);
                    }
                    Does::Parallel(one, other) => {
                        for branch in [one, other] {
                            self.reached.extend(branch.call.iter().map(|(id, _)| id.clone()));
                            self.moment_of(&mut path, branch, When::Begins);
                        }
                        self.beside(Head::of(one), Head::of(other), path, &mut ended);
                    }
                    Does::Call(procedure) => self.frame(procedure, false, path, &mut ended),
                    Does::Approve(quorum) => self.approve(quorum, step, path, &mut ended),
                    Does::Ask { within } => self.ask(step, *within, path, &mut ended),
                    Does::Manual { within, undo } => self.by_hand(step, *within, undo, path, &mut ended),
                    Does::Poll(probe) => self.poll(step, probe.as_ref(), true, path, &mut ended),
                    _ => ended(self, path, End::Done),
                }
            }
        }
    }

    fn ended(&mut self, step: &Step, touched: usize, mut path: Path, end: End, then: Then<'_>) {
        let End::Failed { told, rollback, rejected } = end else {
            self.moment(&mut path, step, When::Succeeded);
            return then(self, path, end);
        };
        self.moment(&mut path, step, When::Failed);
        if step.policy == Policy::Continue && !rollback {
            let whole = !matches!(step.does, Does::Read | Does::Destroy | Does::Change { .. } | Does::Approve { .. });
            if path.touched.len() > touched && !(whole && self.slip == Slip::GroupsHideNothing) {
                path.hidden.insert(step.id.clone());
                path.unseen = None;
            }
            return then(self, path, End::Done);
        }
        let rollback = rollback || step.policy == Policy::Rollback;
        then(self, path, End::Failed { told: told || step.by_hand, rollback, rejected });
    }

    fn looked(&self, path: &mut Path) {
        if self.slip != Slip::LooksAreBlind {
            path.unseen = None;
        }
        path.hidden.clear();
    }

    // Loops.

    /// An item of a loop, and those after it. `so_far`: how many have failed, and how the first did.
    fn items(&mut self, item: u64, tolerated: u64, so_far: (u64, End), body: &[Step], path: Path, then: Then<'_>) {
        let tolerated = if self.slip == Slip::NothingIsTolerated { 0 } else { tolerated };
        if item == (tolerated + 1).max(2) {
            return then(self, path, End::Done);
        }
        self.list(body, Path { item: Some(item), ..path }, &mut |checker, path, end| {
            let (failures, first) = match end {
                End::Done => so_far,
                // That concerns the whole run.
                End::Failed { rollback: true, .. } => return then(checker, path, end),
                failed if so_far.0 == 0 => (1, failed),
                End::Failed { .. } => (so_far.0 + 1, so_far.1),
            };
            if failures > tolerated {
                return then(checker, path, first);
            }
            checker.items(item + 1, tolerated, (failures, first), body, path, then);
        });
    }

    fn round(&mut self, round: u64, times: u64, step: &Step, body: &[Step], path: Path, then: Then<'_>) {
        self.list(body, Path { item: Some(round), ..path }, &mut |checker, path, end| {
            if let End::Failed { .. } = end {
                return then(checker, path, end);
            }
            let path = path.turn();
            (&step.id, round).hash(&mut checker.told);
            let mut holds = path.clone();
            holds.works(step.id.clone());
            checker.looked(&mut holds);
            then(checker, holds, End::Done);
            // Two rounds, and then past the last one.
            if round < times.min(2) && checker.slip != Slip::OneRound {
                checker.round(round + 1, times, step, body, path.clone(), then);
            }
            then(checker, path.falls(step.id.clone(), "never holds"), FAILED);
        });
    }

    fn poll(&mut self, step: &Step, probe: Option<&String>, again: bool, path: Path, then: Then<'_>) {
        step.id.hash(&mut self.told);
        let judged = |checker: &mut Checker, path: &Path, then: Then<'_>| {
            let mut holds = path.turn();
            holds.works(holds.name(step));
            checker.looked(&mut holds);
            then(checker, holds, End::Done);
            checker.not_yet(step, probe, again, path.turn(), then);
        };
        let Some(id) = probe else { return judged(self, &path, then) };
        let probe = Step { id: id.clone(), does: Does::Read, policy: Policy::Stop, by_hand: false, runs: Runs::Always };
        self.reached.insert(id.clone());
        let mut path = path.turn();
        self.moment(&mut path, &probe, When::Begins);
        let name = tagged(id, Some(1));
        let mut looked = path.clone();
        looked.works(name.clone());
        self.looked(&mut looked);
        self.moment(&mut looked, &probe, When::Succeeded);
        judged(self, &looked, then);
        let mut fails = path.falls(name, "fails");
        self.moment(&mut fails, &probe, When::Failed);
        self.not_yet(step, Some(id), again, fails, then);
        // The time comes while it looks.
        self.out_of_time(step, path, then);
    }

    fn not_yet(&mut self, step: &Step, probe: Option<&String>, again: bool, path: Path, then: Then<'_>) {
        let path = path.turn();
        if again {
            self.poll(step, probe, false, path.clone(), then);
        }
        self.out_of_time(step, path, then);
    }

    fn out_of_time(&mut self, step: &Step, path: Path, then: Then<'_>) {
        if self.slip != Slip::WaitsAlwaysEnd {
            then(self, path.falls(path.name(step), "runs out of time"), FAILED);
        }
    }

    // Work.

    fn acts(&mut self, step: &Step, path: Path, then: Then<'_>) {
        self.gated(0, step, path, &mut |checker, path, end| match end {
            End::Done => checker.attempt(step, path, true, then),
            no => then(checker, path, no),
        });
    }

    /// As often as it is tried. `again`: whether people may have it done once more.
    fn attempt(&mut self, step: &Step, path: Path, again: bool, then: Then<'_>) {
        step.id.hash(&mut self.told);
        let mut path = path.turn();
        self.moment(&mut path, step, When::Begins);
        let changes = !matches!(step.does, Does::Read);
        if matches!(step.does, Does::Destroy) && !path.approved {
            self.find(format!("RB0601 {}", step.id), path.turns);
        }
        if changes {
            path.touched.push(step.id.clone());
        }
        let mut printed = path.clone();
        printed.printed.insert(step.id.clone());
        let mut works = printed.clone();
        works.works(works.name(step));
        if works.list == List::OnFailure {
            works.since.insert(format!("runs {}", step.id));
        }
        self.succeed(step, works, then);
        // It fails, or runs out of time: a turn of its own, and the same follows.
        then(self, printed.falls(path.name(step), "fails"), FAILED);
        let repeatable = match step.does {
            Does::Read => true,
            Does::Change { repeatable, .. } => repeatable,
            _ => false,
        };
        if !repeatable {
            let mut asked = path.falls(path.name(step), "unknown").turn();
            if self.slip == Slip::DoneIsPrinted {
                asked.printed.insert(step.id.clone());
            }
            let mut done = asked.clone();
            done.asks(ANYBODY, &done.name(step));
            self.succeed(step, done, then);
            if again {
                self.attempt(step, asked.worsens(), false, then);
            }
        }
    }

    fn succeed(&mut self, step: &Step, mut path: Path, then: Then<'_>) {
        let tidies = path.list == List::Finally && self.slip != Slip::TidyingLooks;
        if !matches!(step.does, Does::Read) && !tidies {
            path.there.insert(path.name(step));
        }
        match &step.does {
            Does::Change { undo, .. } if *undo != Undo::None => {
                path.unseen = Some(step.id.clone());
                path.changes.push((step.id.clone(), path.name(step), undo.clone()));
                if !readable(undo, &path) {
                    self.find(format!("RB0603 {}", step.id), path.turns);
                }
            }
            _ if path.list != List::Body && !(self.slip == Slip::TidyingLooks) => {}
            Does::Read => self.looked(&mut path),
            _ => path.unseen = Some(step.id.clone()),
        }
        then(self, path, End::Done);
    }

    // Procedures.

    /// A procedure to its end; what takes back is done in the outermost.
    fn frame(&mut self, of: &Procedure, main: bool, path: Path, then: Then<'_>) {
        self.list(&of.steps, path, &mut |checker, path, end| {
            if main {
                (&path.changes, format!("{end:?}")).hash(&mut checker.told);
            }
            let mut closes = |checker: &mut Checker, path: Path| {
                checker.aside(of.tidies.as_ref(), List::Finally, path, &mut |checker, path| then(checker, path, end));
            };
            let mut mended = |checker: &mut Checker, path: Path| match end {
                End::Failed { rollback: true, .. } if main && checker.slip != Slip::RollbackLeaves => {
                    checker.take_back(path, &mut closes);
                }
                _ => closes(checker, path),
            };
            match end {
                End::Done => mended(checker, path),
                End::Failed { .. } => checker.aside(of.mends.as_ref(), List::OnFailure, path, &mut mended),
            }
        });
    }

    /// What a procedure does after a failure, or in the end: whatever comes of it, it goes on.
    fn aside(&mut self, step: Option<&Step>, list: List, path: Path, then: On<'_>) {
        let Some(step) = step else { return then(self, path) };
        self.reached.insert(step.id.clone());
        self.acts(step, Path { list, ..path }, &mut |checker, mut path, end| {
            let now = if matches!(end, End::Done) { When::Succeeded } else { When::Failed };
            checker.moment(&mut path, step, now);
            // Where even that fails, at least it was thought of.
            path.mended |= list == List::OnFailure && !(checker.slip == Slip::CallsMendNothing && step.id != "mend");
            then(checker, Path { list: List::Body, ..path });
        });
    }

    /// Takes everything back, the last change first.
    fn take_back(&mut self, mut path: Path, then: On<'_>) {
        let Some((_, name, undo)) = path.changes.pop() else { return then(self, path) };
        let gone = |path: &Path| {
            let mut path = path.turn();
            path.there.remove(&name);
            path.since.insert(format!("takes back {name}"));
            path
        };
        let fails = |checker: &mut Checker, path: Path, again: bool, then: On<'_>| {
            let mut by_hand = gone(&path);
            by_hand.asks(ANYBODY, &name);
            checker.take_back(by_hand, then);
            then(checker, Path { left_to_people: true, ..path.turn().worsens() });
            if again {
                checker.take_back(gone(&path.turn().worsens()), then);
            }
        };
        // Without what it reads nothing is tried.
        if !readable(&undo, &path) {
            return fails(self, path, false, then);
        }
        self.take_back(gone(&path), then);
        if !path.stuck && self.slip != Slip::UndosNeverFail {
            let failed = path.falls(format!("{name}~undo"), "fails").turn();
            fails(self, Path { stuck: true, ..failed }, true, then);
        }
    }

    fn whole(&mut self, book: &Book) {
        let path = Path { come: vec![false; self.musts.len()], ..Path::default() };
        self.frame(&book.main, true, path, &mut |checker, mut path, end| {
            checker.paths += 1;
            let ends = match end {
                _ if path.left_to_people => "needs_attention",
                End::Done => "succeeded",
                End::Failed { rollback: true, .. } if checker.slip != Slip::RollbackLeaves => "rolled_back",
                End::Failed { rejected: true, .. } => "rejected",
                End::Failed { .. } => "failed",
            };
            checker.come(&mut path, |moment| matches!(moment, Moment::Ends(end) if *end == ends));
            checker.leave(&path, ends);
            match end {
                End::Done => checker.succeeded(&path),
                End::Failed { told, .. } if ends == "failed" && !told && !path.mended => {
                    for (step, ..) in &path.changes {
                        checker.find(format!("RB0602 {step}"), path.turns);
                    }
                }
                End::Failed { .. } => {}
            }
        });
    }

    fn succeeded(&mut self, path: &Path) {
        if let Some(step) = &path.unseen {
            self.find(format!("RB0604 {step}"), path.turns);
        }
        for step in path.hidden.iter().filter(|step| !self.read.contains(*step)).cloned().collect::<Vec<_>>() {
            self.find(format!("RB0609 {step}"), path.turns);
        }
    }
}

fn readable(undo: &Undo, path: &Path) -> bool {
    !matches!(undo, Undo::Reads(id) if !path.printed.contains(id))
}

/// A finding of two steps, whichever is named first.
pub fn pair(code: &str, one: &str, other: &str) -> String {
    format!("{code} {} {}", one.min(other), one.max(other))
}

pub fn checked(book: &Book, slip: Slip) -> Checker {
    fn read(steps: &[Step], found: &mut BTreeSet<String>) {
        for step in steps {
            if let Does::Change { undo: Undo::Reads(id), .. } = &step.does {
                found.insert(id.clone());
            }
            step.inside().into_iter().for_each(|list| read(list, found));
        }
    }
    let mut checker = Checker {
        found: Found::new(),
        reached: BTreeSet::new(),
        left: BTreeMap::new(),
        paths: 0,
        side_by_side: false,
        slip,
        gates: book.gates.clone(),
        musts: book.properties(),
        read: BTreeSet::new(),
        matters: BTreeMap::new(),
        told: DefaultHasher::new(),
    };
    read(&book.main.steps, &mut checker.read);
    checker.whole(book);
    for (step, _) in std::mem::take(&mut checker.matters).into_iter().filter(|(_, matters)| !matters) {
        checker.find(format!("RB0606 {step}"), 0);
    }
    unreached(&book.main.steps, &mut checker);
    for aside in [&book.main.mends, &book.main.tidies].into_iter().flatten() {
        unreached(std::slice::from_ref(aside), &mut checker);
    }
    checker
}

/// Of what is never reached, the outermost; what is called may be made for others.
fn unreached(steps: &[Step], checker: &mut Checker) {
    for step in steps {
        if !checker.reached.contains(&step.id) {
            checker.find(format!("RB0605 {}", step.id), 0);
            continue;
        }
        match &step.does {
            Does::Choose(_, _) if !checker.reached.contains(&format!("{}/0", step.id)) => {
                checker.find(format!("RB0605 {} 1", step.id), 0);
            }
            Does::Call(_) => {}
            Does::Parallel(one, other) => {
                let own = [one, other].into_iter().filter(|branch| branch.call.is_none());
                own.for_each(|branch| unreached(&branch.steps, checker));
            }
            _ => step.inside().into_iter().for_each(|list| unreached(list, checker)),
        }
    }
}
