//! Explore against brute force: small random procedures, each walked by a checker of its own that knows nothing of the machine, the
//! plan or the explorer. It goes down every path by plain recursion, merges nothing and keeps all that happened in a list. Both must
//! find the same, on paths of the same length.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::small::{Author, Book, Does, Policy, Runs, Step, Undo, document};
use super::{plan_of, walked};
use runbook_core::explore::{Kind, What};

const PROCEDURES: u64 = 600;

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
    /// Changes that can be taken back, in order.
    changes: Vec<(String, Undo)>,
    /// Every change that began or was done.
    touched: Vec<String>,
    /// The item of a loop that it is in.
    item: Option<usize>,
    /// What is there, by name, and whether it can be taken back.
    there: BTreeMap<String, bool>,
    /// How often something has gone wrong, and what did so last.
    worse: usize,
    last: Option<Fall>,
}

/// A step, with the item of the loop that it stands in, and how it goes wrong.
type Fall = (String, &'static str);

impl Path {
    fn name(&self, step: &Step) -> String {
        tagged(&step.id, self.item)
    }

    fn falls(&self, step: &Step, how: &'static str) -> Path {
        Path { worse: self.worse + 1, last: Some((self.name(step), how)), ..self.clone() }
    }
}

fn tagged(id: &str, item: Option<usize>) -> String {
    format!("{id}{}", item.map(|item| format!(" of item {item}")).unwrap_or_default())
}

/// What is left after a fall, where nothing else goes wrong afterwards and as little as can be before.
#[derive(Clone, Debug, Default)]
struct Left {
    worse: usize,
    /// On some path, and on each.
    some: BTreeSet<String>,
    each: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Done,
    Failed { told: bool, rollback: bool, rejected: bool },
}

/// An error that the checker is made to have, to see that it is seen.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Slip {
    None,
    ANoIsAYes,
    RollbackLeaves,
    LooksAreBlind,
    BranchesTakeTurns,
    DoneIsPrinted,
    InputsChangeTheirMind,
    GroupsHideNothing,
}

/// The length of the shortest path to each finding.
type Found = BTreeMap<String, usize>;
type Then<'t> = &'t mut dyn FnMut(&mut Checker, Path, End);

struct Checker {
    found: Found,
    reached: BTreeSet<String>,
    slip: Slip,
    read: BTreeSet<String>,
    /// Of each approval, whether a no ever leads to something else than a yes.
    matters: BTreeMap<String, bool>,
    /// Everything that has happened on all paths so far.
    told: DefaultHasher,
    left: BTreeMap<Fall, Left>,
}

impl Checker {
    fn leave(&mut self, path: &Path) {
        let Some(last) = &path.last else { return };
        let there: BTreeSet<String> = path.there.keys().cloned().collect();
        let new = Left { worse: path.worse, some: there.clone(), each: there.clone() };
        let known = self.left.entry(last.clone()).or_insert_with(|| new.clone());
        if path.worse < known.worse {
            *known = new;
        } else if path.worse == known.worse {
            known.some.extend(there.iter().cloned());
            known.each.retain(|name| there.contains(name));
        }
    }

    fn find(&mut self, what: String, turns: usize) {
        let shortest = self.found.entry(what).or_insert(turns);
        *shortest = turns.min(*shortest);
    }

    fn list(&mut self, steps: &[Step], path: Path, then: Then<'_>) {
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

    fn step(&mut self, step: &Step, path: Path, then: Then<'_>) {
        match step.runs {
            Runs::Always => self.begin(step, true, path, then),
            Runs::Never => then(self, path, End::Done),
            Runs::If(number) => {
                let before = path.turns;
                self.input(number, true, path, &mut |checker, path, holds| match holds {
                    // Whether a step runs and what it then turns out to do is one turn.
                    true => checker.begin(step, path.turns == before, path, then),
                    false => then(checker, path, End::Done),
                });
            }
        }
    }

    fn begin(&mut self, step: &Step, turn: bool, path: Path, then: Then<'_>) {
        self.reached.insert(step.id.clone());
        let touched = path.touched.len();
        // A list that fails is gone on after, or not, as one step is.
        let mut ended = |checker: &mut Checker, path: Path, end: End| checker.ended(step, touched, path, end, then);
        match &step.does {
            Does::Group(body) => self.list(body, path, &mut ended),
            Does::Choose(number, body) => self.input(*number, turn, path, &mut |checker, path, holds| match holds {
                true => {
                    checker.reached.insert(format!("{}/0", step.id));
                    checker.list(body, path, &mut ended);
                }
                false => ended(checker, path, End::Done),
            }),
            Does::Each(body) => {
                let path = Path { turns: path.turns + usize::from(turn), ..path };
                ended(self, path.clone(), End::Done);
                let mut outside = |checker: &mut Checker, path: Path, end: End| ended(checker, Path { item: None, ..path }, end);
                self.list(body, Path { item: Some(0), ..path }, &mut |checker, path, end| match end {
                    End::Done => checker.list(body, Path { item: Some(1), ..path }, &mut outside),
                    failed => outside(checker, path, failed),
                });
            }
            Does::Parallel(one, other) => self.beside(one, other, path, &mut ended),
            Does::Approve { within } => self.ask(*within, step, path, &mut ended),
            Does::Read | Does::Destroy | Does::Change { .. } => self.attempt(step, path, true, &mut ended),
        }
    }

    fn ended(&mut self, step: &Step, touched: usize, mut path: Path, end: End, then: Then<'_>) {
        let End::Failed { told, rollback, rejected } = end else { return then(self, path, end) };
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

    fn ask(&mut self, within: bool, step: &Step, path: Path, then: Then<'_>) {
        step.id.hash(&mut self.told);
        if !within {
            self.find(format!("RB0608 {}", step.id), path.turns);
        }
        let path = Path { turns: path.turns + 1, ..path };
        let mut yes = path.clone();
        yes.approved = true;
        self.looked(&mut yes);
        let before = std::mem::take(&mut self.told);
        then(self, yes, End::Done);
        let after_yes = std::mem::take(&mut self.told).finish();
        let no = Path { approved: path.approved || self.slip == Slip::ANoIsAYes, ..path.falls(step, "rejected") };
        then(self, no, End::Failed { told: false, rollback: false, rejected: true });
        let after_no = std::mem::replace(&mut self.told, before).finish();
        *self.matters.entry(step.id.clone()).or_default() |= after_yes != after_no;
        (after_yes, after_no).hash(&mut self.told);
        if within {
            then(self, path.falls(step, "expires"), End::Failed { told: false, rollback: false, rejected: false });
        }
    }

    /// `again`: whether people may have it done once more.
    fn attempt(&mut self, step: &Step, path: Path, again: bool, then: Then<'_>) {
        step.id.hash(&mut self.told);
        let mut path = Path { turns: path.turns + 1, ..path };
        let changes = !matches!(step.does, Does::Read);
        if matches!(step.does, Does::Destroy) && !path.approved {
            self.find(format!("RB0601 {}", step.id), path.turns);
        }
        if changes {
            path.touched.push(step.id.clone());
        }
        let mut printed = path.clone();
        printed.printed.insert(step.id.clone());
        self.succeed(step, printed.clone(), then);
        // It fails, or runs out of time: a turn of its own, and the same follows.
        then(self, printed.falls(step, "fails"), End::Failed { told: false, rollback: false, rejected: false });
        let repeatable = match step.does {
            Does::Read => true,
            Does::Change { repeatable, .. } => repeatable,
            _ => false,
        };
        if !repeatable {
            let mut asked = Path { turns: path.turns + 1, ..path.falls(step, "unknown") };
            if self.slip == Slip::DoneIsPrinted {
                asked.printed.insert(step.id.clone());
            }
            self.succeed(step, asked.clone(), then);
            if again {
                self.attempt(step, Path { worse: asked.worse + 1, last: None, ..asked }, false, then);
            }
        }
    }

    fn succeed(&mut self, step: &Step, mut path: Path, then: Then<'_>) {
        if !matches!(step.does, Does::Read) {
            let undo = matches!(&step.does, Does::Change { undo, .. } if *undo != Undo::None);
            path.there.insert(path.name(step), undo);
        }
        match &step.does {
            Does::Read => self.looked(&mut path),
            Does::Change { undo, .. } => {
                path.unseen = Some(step.id.clone());
                if *undo != Undo::None {
                    path.changes.push((step.id.clone(), undo.clone()));
                    self.can_be_read(&step.id, undo, &path);
                }
            }
            _ => path.unseen = Some(step.id.clone()),
        }
        then(self, path, End::Done);
    }

    fn can_be_read(&mut self, of: &str, undo: &Undo, path: &Path) -> bool {
        match undo {
            Undo::Reads(id) if !path.printed.contains(id) => {
                self.find(format!("RB0603 {of}"), path.turns);
                false
            }
            _ => true,
        }
    }

    /// Two lists at once: every order. The first that fails keeps the other from going on.
    fn beside(&mut self, one: &[Step], other: &[Step], path: Path, then: Then<'_>) {
        let command = |list: &[Step]| match list.first().map(|step| (&step.does, step.id.clone())) {
            Some((Does::Change { command, .. }, id)) => Some((*command, id)),
            _ => None,
        };
        if let (Some((a, first)), Some((b, second))) = (command(one), command(other))
            && a == b
        {
            self.find(format!("RB0607 {first} {second}"), path.turns);
        }
        match (one.split_first(), other.split_first()) {
            (None, None) => then(self, path, End::Done),
            (Some((first, rest)), None) | (None, Some((first, rest))) => {
                self.step(first, path, &mut |checker, path, end| match end {
                    End::Done => checker.beside(rest, &[], path, then),
                    failed => then(checker, path, failed),
                });
            }
            (Some((first, rest)), Some((second, others))) => {
                self.step(first, path.clone(), &mut |checker, path, end| match end {
                    End::Done => checker.beside(rest, other, path, then),
                    failed => then(checker, path, failed),
                });
                if self.slip != Slip::BranchesTakeTurns {
                    self.step(second, path, &mut |checker, path, end| match end {
                        End::Done => checker.beside(one, others, path, then),
                        failed => then(checker, path, failed),
                    });
                }
            }
        }
    }

    fn whole(&mut self, book: &Book) {
        self.list(&book.steps, Path::default(), &mut |checker, path, end| match end {
            End::Done => {
                (&path.changes, "done").hash(&mut checker.told);
                checker.leave(&path);
                checker.succeeded(&path);
            }
            End::Failed { told, rollback, rejected } => {
                (&path.changes, told, rollback, rejected).hash(&mut checker.told);
                // What mends may itself succeed or fail; both take one turn, and both count.
                let mut path = if book.mends { Path { turns: path.turns + 1, ..path } } else { path };
                if book.mends {
                    checker.reached.insert("mend".to_owned());
                    path.there.insert("mend".to_owned(), false);
                }
                // What a rollback takes back could be read when it was done, and can be now.
                let taken_back = rollback && checker.slip != Slip::RollbackLeaves;
                path.there.retain(|_, undo| !(taken_back && *undo));
                checker.leave(&path);
                if !taken_back && !told && !rejected && !book.mends {
                    for (step, _) in &path.changes {
                        checker.find(format!("RB0602 {step}"), path.turns);
                    }
                }
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

fn brute(book: &Book, slip: Slip) -> Found {
    checked(book, slip).found
}

fn checked(book: &Book, slip: Slip) -> Checker {
    fn read(steps: &[Step], found: &mut BTreeSet<String>) {
        for step in steps {
            match &step.does {
                Does::Change { undo: Undo::Reads(id), .. } => {
                    found.insert(id.clone());
                }
                Does::Group(body) | Does::Each(body) | Does::Choose(_, body) => read(body, found),
                Does::Parallel(one, other) => [one, other].into_iter().for_each(|list| read(list, found)),
                _ => {}
            }
        }
    }
    let mut checker = Checker {
        found: Found::new(),
        reached: BTreeSet::new(),
        slip,
        read: BTreeSet::new(),
        matters: BTreeMap::new(),
        told: DefaultHasher::new(),
        left: BTreeMap::new(),
    };
    read(&book.steps, &mut checker.read);
    checker.whole(book);
    for (step, _) in std::mem::take(&mut checker.matters).into_iter().filter(|(_, matters)| !matters) {
        checker.find(format!("RB0606 {step}"), 0);
    }
    unreached(&book.steps, &mut checker);
    if book.mends && !checker.reached.contains("mend") {
        checker.find("RB0605 mend".to_owned(), 0);
    }
    checker
}

/// Of what is never reached, the outermost.
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
            Does::Group(body) | Does::Each(body) | Does::Choose(_, body) => unreached(body, checker),
            Does::Parallel(one, other) => [one, other].into_iter().for_each(|list| unreached(list, checker)),
            _ => {}
        }
    }
}

fn explored(book: &Book) -> Found {
    let plan = plan_of(&document(book));
    let walk = walked(&plan);
    assert!(walk.extent.complete, "{book:#?}");
    let label = |ix| plan.step(ix).label.clone();
    let found = walk.findings.iter().map(|finding| {
        let of = match finding.kind {
            Kind::Clash(one, other) => format!("{} {}", label(one), label(other)),
            Kind::Branch(step, branch) => format!("{} {}", label(step), branch + 1),
            kind => label(kind.step().unwrap()),
        };
        (format!("{} {of}", finding.kind.code().as_str()), walk.path(finding).len())
    });
    found.collect()
}

#[test]
fn explore_agrees_with_brute_force() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 1..=PROCEDURES {
        let book = Author::book(seed);
        let (ours, theirs) = (brute(&book, Slip::None), explored(&book));
        assert_eq!(ours, theirs, "seed {seed} (left: brute force, right: explore)\n{}", document(&book));
        for what in ours.keys() {
            *kinds.entry(what.split(' ').next().unwrap().to_owned()).or_default() += 1;
        }
    }
    // Each kind of finding is there often enough for its absence to be noticed.
    for code in ["RB0601", "RB0602", "RB0603", "RB0604", "RB0605", "RB0606", "RB0607", "RB0608", "RB0609"] {
        assert!(kinds.get(code).is_some_and(|times| *times >= 20), "{code}: {kinds:?}");
    }
}

/// A step as it is named here: by its id, and the item of a loop that it stands in.
fn name(path: &str) -> String {
    let id = path.rsplit(['/', '.']).next().unwrap();
    tagged(id, path.split_once('[').map(|(_, rest)| rest.split(']').next().unwrap().parse().unwrap()))
}

#[test]
fn what_is_left_agrees_with_brute_force() {
    let (mut rows, mut unsure) = (0, 0);
    for seed in 1..=PROCEDURES {
        let book = Author::book(seed);
        let ours = checked(&book, Slip::None).left;
        let mut told = BTreeSet::new();
        for fall in walked(&plan_of(&document(&book))).pre_mortem() {
            if fall.path.as_str().contains('~') {
                continue;
            }
            assert!(!fall.more);
            for what in &fall.when {
                let how = match what {
                    What::Fails | What::TimesOut => "fails",
                    What::Rejected => "rejected",
                    What::Expires => "expires",
                    What::EndsUnknown => "unknown",
                    _ => panic!("{fall:#?}"),
                };
                let key = (name(fall.path.as_str()), how);
                let some: BTreeSet<String> = fall.left.iter().map(|path| name(path.as_str())).collect();
                let perhaps: BTreeSet<String> = fall.perhaps.iter().map(|path| name(path.as_str())).collect();
                let left = ours.get(&key).unwrap_or_else(|| panic!("{key:?} is not known, seed {seed}"));
                let unlike: BTreeSet<String> = left.some.difference(&left.each).cloned().collect();
                let document = document(&book);
                assert_eq!((&left.some, &unlike), (&some, &perhaps), "{key:?}, seed {seed} (left: brute force)\n{document}");
                told.insert((fall.step.0, how));
                (rows, unsure) = (rows + 1, unsure + usize::from(!perhaps.is_empty()));
            }
        }
        let steps: BTreeSet<(&str, &str)> = ours.keys().map(|(name, how)| (name.split(' ').next().unwrap(), *how)).collect();
        assert_eq!(told.len(), steps.len(), "seed {seed}\n{}", document(&book));
    }
    assert!(rows > 2_000 && unsure > 200, "{rows} rows, {unsure} of them with what is left on some paths only");
}

/// An error in either of them would be seen: the checker is made to err in one way at a time.
#[test]
fn an_error_would_be_seen() {
    for slip in [
        Slip::ANoIsAYes,
        Slip::RollbackLeaves,
        Slip::LooksAreBlind,
        Slip::BranchesTakeTurns,
        Slip::DoneIsPrinted,
        Slip::InputsChangeTheirMind,
        Slip::GroupsHideNothing,
    ] {
        let seen = (1..=PROCEDURES).any(|seed| {
            let book = Author::book(seed);
            brute(&book, slip) != brute(&book, Slip::None)
        });
        assert!(seen, "{slip:?} makes no difference");
    }
}
