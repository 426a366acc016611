//! The checker that explore is held against. It knows nothing of the machine, the plan or the explorer: it goes down every path by
//! plain recursion, merges nothing and keeps all that happened in lists. What can go on without end is cut short where more of it
//! could only lengthen a path: a wait looks once more, people have a step done once more, one undo of a path fails.

mod beside;
mod loops;
mod people;
mod procedures;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash};

use beside::{Head, Sides};

use super::small::{Book, Does, Effect, Gate, Moment, Must, Policy, Runs, Step, Undo, Verify, When};

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
    /// It is in a procedure that is called again.
    again: bool,
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
    /// Whatever it is in whose time may run out, the outermost first, by name; the run itself has none.
    clocks: Vec<Option<String>>,
    /// The time that came while a call did what follows its body, which that does not end; whether the outermost step has a `by_hand`.
    over: Option<(usize, bool)>,
    /// Nobody knows whether a step did its work.
    doubtful: bool,
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
        self.tagged(&step.id, self.item)
    }

    fn tagged(&self, id: &str, item: Option<u64>) -> String {
        tagged(&self.called(id), item)
    }

    /// A step, apart from the same one of the first call of its procedure.
    fn called(&self, id: &str) -> String {
        format!("{id}{}", if self.again { AGAIN } else { "" })
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

/// What stands behind the id of a step whose procedure is called again.
pub const AGAIN: &str = " again";

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
    Failed {
        told: bool,
        rollback: bool,
        rejected: bool,
    },
    /// A `finish`, which ends the procedure.
    Finished {
        well: bool,
    },
    /// The time of this clock is over, and everything in it ends. `told`: the outermost step has a `by_hand`.
    Late {
        clock: usize,
        told: bool,
        rollback: bool,
    },
}

const FAILED: End = End::Failed { told: false, rollback: false, rejected: false };
/// That an author has it end so tells whoever runs it.
const FINISHED: End = End::Failed { told: true, rollback: false, rejected: false };
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
    /// Whatever fails has printed something.
    FailuresPrint,
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
    TimesNeverCome,
    TimesStopNothing,
    OtherwiseNever,
    FinishesDoNothing,
    VerifiesAskPeople,
    ItemsTakeTurns,
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
    fn moment_of(&mut self, path: &mut Path, call: Option<&(String, u64)>, now: When) {
        if let Some((call, _)) = call {
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
        // Each call is given its own.
        let number = if path.again { number + 10 } else { number };
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
                        if turned && !matches!(step.does, Does::Each { .. } | Does::Sleep(_) | Does::Check(_)) {
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
        let (touched, depth, before) = (path.touched.len(), path.clocks.len(), path.turns);
        // A list that fails is gone on after, or not, as one step is.
        let mut ended = |checker: &mut Checker, path: Path, end: End| checker.ended(step, (touched, depth), path, end, then);
        match &step.does {
            Does::Choose(number, body, otherwise) => self.input(*number, turn, path, &mut |checker, mut path, holds| {
                checker.opens(step, &mut path);
                if path.turns != before {
                    path.works(path.name(step));
                }
                let otherwise = otherwise.as_ref().filter(|_| checker.slip != Slip::OtherwiseNever);
                let branch = if holds { Some((0, body)) } else { otherwise.map(|body| (1, body)) };
                match branch {
                    Some((number, body)) => {
                        checker.reached.insert(format!("{}/{number}", step.id));
                        checker.list(body, path, &mut ended);
                    }
                    None => ended(checker, path, End::Done),
                }
            }),
            Does::Each { failures, beside, body } => {
                let mut path = Path { turns: path.turns + usize::from(turn), ..path };
                self.opens(step, &mut path);
                ended(self, path.clone(), End::Done);
                path.works(path.name(step));
                let mut outside = |checker: &mut Checker, path: Path, end: End| ended(checker, Path { item: None, ..path }, end);
                match beside {
                    true if self.slip != Slip::ItemsTakeTurns => {
                        self.items_beside(*failures, body, path, &mut outside);
                    }
                    _ => self.items(0, *failures, (0, End::Done), body, path, &mut outside),
                }
            }
            Does::Read | Does::Destroy(_) | Does::Change { .. } => self.acts(step, path, &mut ended),
            Does::Sleep(sleep) => self.sleep(step, *sleep, turn, path, &mut ended),
            Does::Check(number) => self.checks(step, *number, turn, path, &mut ended),
            does => {
                self.opens(step, &mut path);
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
                            self.moment_of(&mut path, branch.call.as_ref(), When::Begins);
                        }
                        self.beside([Head::of(one), Head::of(other)], Sides::STRICT, path, &mut ended);
                    }
                    Does::Call(procedure) => self.frame(procedure, Some(depth), path, &mut ended),
                    Does::Again(_, procedure) => {
                        path.again = true;
                        let mut outside =
                            |checker: &mut Checker, path: Path, end: End| ended(checker, Path { again: false, ..path }, end);
                        self.frame(procedure, Some(depth), path, &mut outside);
                    }
                    Does::Approve(quorum) => self.approve(quorum, step, path, &mut ended),
                    Does::Ask { within } => self.ask(step, *within, path, &mut ended),
                    Does::Manual { within, undo } => self.by_hand(step, *within, undo, path, &mut ended),
                    Does::Poll(probe) => self.poll(step, probe.as_ref(), true, path, &mut ended),
                    Does::Finish(well) if self.slip != Slip::FinishesDoNothing => {
                        ended(self, path, End::Finished { well: *well });
                    }
                    _ => ended(self, path, End::Done),
                }
            }
        }
    }

    /// A step that does not act begins, and its time with it.
    fn opens(&mut self, step: &Step, path: &mut Path) {
        self.moment(path, step, When::Begins);
        if step.timed {
            path.clocks.push(Some(path.name(step)));
        }
    }

    /// `before`: how much had been changed, and how many times could run out, before it began.
    fn ended(&mut self, step: &Step, before: (usize, usize), mut path: Path, end: End, then: Then<'_>) {
        let (touched, depth) = before;
        let call = matches!(step.does, Does::Call(_) | Does::Again(..));
        path.clocks.truncate(depth);
        path.over = path.over.filter(|(clock, _)| *clock < depth).map(|(clock, _)| (clock, step.by_hand));
        let (told, rollback, rejected) = match end {
            End::Done => {
                self.moment(&mut path, step, When::Succeeded);
                return self.unless_over(step, path, end, then);
            }
            End::Finished { well } => {
                let well = well || matches!(step.does, Does::Finish(_));
                self.moment(&mut path, step, if well { When::Succeeded } else { When::Failed });
                return then(self, path, end);
            }
            // Something around it has no time left.
            End::Late { clock, rollback, .. } if clock < depth => {
                let clock = path.over.take().map_or(clock, |(clock, _)| clock);
                return then(self, path, End::Late { clock, told: step.by_hand, rollback });
            }
            End::Late { rollback, .. } => {
                if !rollback || call {
                    self.moment(&mut path, step, When::Failed);
                }
                (false, rollback, false)
            }
            // It has failed, and was stopped before anybody was told.
            End::Failed { rollback: false, .. } if path.over.is_some() => return self.unless_over(step, path, end, then),
            End::Failed { told, rollback, rejected } => {
                self.moment(&mut path, step, When::Failed);
                (told, rollback, rejected)
            }
        };
        if step.policy == Policy::Continue && !rollback {
            let whole = !matches!(step.does, Does::Read | Does::Destroy(_) | Does::Change { .. } | Does::Approve { .. });
            if path.touched.len() > touched && !(whole && self.slip == Slip::GroupsHideNothing) {
                path.hidden.insert(step.id.clone());
                path.unseen = None;
            }
            return self.unless_over(step, path, End::Done, then);
        }
        let rollback = rollback || step.policy == Policy::Rollback;
        let failed = End::Failed { told: told || step.by_hand, rollback, rejected };
        if rollback { then(self, path, failed) } else { self.unless_over(step, path, failed, then) }
    }

    /// A step has ended, and what it stands in is stopped where a time around that is over.
    fn unless_over(&mut self, step: &Step, mut path: Path, end: End, then: Then<'_>) {
        match path.over.take() {
            Some((clock, _)) => then(self, path, End::Late { clock, told: step.by_hand, rollback: false }),
            None => then(self, path, end),
        }
    }

    /// Each time that may run out now, outside a step that is in doubt. `begun`: attempts that have begun by then.
    fn late(&mut self, begun: &[(Option<u64>, &Step)], path: &Path, then: Then<'_>) {
        self.late_in(begun, false, path, then);
    }

    fn late_in(&mut self, begun: &[(Option<u64>, &Step)], rollback: bool, path: &Path, then: Then<'_>) {
        if self.slip == Slip::TimesNeverCome || path.list != List::Body {
            return;
        }
        for clock in 0..path.clocks.len() {
            let mut late = path.turn();
            for (item, step) in begun {
                late.item = *item;
                self.starts(step, &mut late);
            }
            let name = path.clocks[clock].clone().unwrap_or_else(|| "run".to_owned());
            (&name, "late").hash(&mut self.told);
            let end = if self.slip == Slip::TimesStopNothing { FAILED } else { End::Late { clock, told: false, rollback } };
            then(self, Path { item: path.item, ..late.falls(name, "runs out of time") }, end);
        }
    }

    /// Each time that may run out while a procedure does what follows its body: it ends no such thing, and nothing goes on behind it.
    fn over(&mut self, path: &Path) -> Vec<Path> {
        if self.slip == Slip::TimesNeverCome || path.list == List::Body {
            return Vec::new();
        }
        let mut all = Vec::new();
        for clock in 0..path.clocks.len() {
            let name = path.clocks[clock].clone().unwrap_or_else(|| "run".to_owned());
            (&name, "over").hash(&mut self.told);
            let mut late = path.turn();
            late.clocks.truncate(clock);
            late.over = Some((clock, false));
            all.push(late.falls(name, "runs out of time"));
        }
        all
    }

    fn looked(&self, path: &mut Path) {
        if self.slip != Slip::LooksAreBlind {
            path.unseen = None;
        }
        path.hidden.clear();
    }

    fn whole(&mut self, book: &Book) {
        let path = Path { come: vec![false; self.musts.len()], ..Path::default() };
        self.frame(&book.main, None, path, &mut |checker, mut path, end| {
            checker.paths += 1;
            let ends = match end {
                _ if path.left_to_people || path.doubtful => "needs_attention",
                End::Done | End::Finished { well: true } => "succeeded",
                End::Failed { rollback: true, .. } if checker.slip != Slip::RollbackLeaves => "rolled_back",
                End::Failed { rejected: true, .. } => "rejected",
                End::Failed { .. } | End::Finished { .. } | End::Late { .. } => "failed",
            };
            checker.come(&mut path, |moment| matches!(moment, Moment::Ends(end) if *end == ends));
            checker.leave(&path, ends);
            match end {
                _ if ends == "succeeded" => checker.succeeded(&path),
                End::Failed { told, .. } if ends == "failed" && !told && !path.mended => {
                    for (step, ..) in &path.changes {
                        checker.find(format!("RB0602 {step}"), path.turns);
                    }
                }
                _ => {}
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
            Does::Choose(..) => {
                for (number, body) in step.inside().into_iter().enumerate() {
                    match checker.reached.contains(&format!("{}/{number}", step.id)) {
                        true => unreached(body, checker),
                        false => checker.find(format!("RB0605 {} {}", step.id, number + 1), 0),
                    }
                }
            }
            // Nobody looks whether a step did its work that is simply done again.
            Does::Change { verify: Verify::Step(id), .. } if !checker.reached.contains(id) => {
                checker.find(format!("RB0605 {id}"), 0);
            }
            Does::Call(_) | Does::Again(..) => {}
            Does::Parallel(one, other) => {
                let own = [one, other].into_iter().filter(|branch| branch.call.is_none());
                own.for_each(|branch| unreached(&branch.steps, checker));
            }
            _ => step.inside().into_iter().for_each(|list| unreached(list, checker)),
        }
    }
}
