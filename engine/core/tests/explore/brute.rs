//! Explore against brute force: small random procedures, each walked by a checker of its own that knows nothing of the machine, the
//! plan or the explorer. It goes down every path by plain recursion, merges nothing and keeps all that happened in a list. Both must
//! find the same, on paths of the same length.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use runbook_core::explore::Kind;
use serde_json::{Value as Json, json};

use super::{plan_of, walked};

const PROCEDURES: u64 = 600;

/// A step of the small model.
#[derive(Clone, Debug)]
struct Step {
    id: String,
    does: Does,
    policy: Policy,
    by_hand: bool,
    runs: Runs,
}

#[derive(Clone, Debug)]
enum Does {
    Read,
    /// `command`: what it runs, so that two may be the same.
    Change {
        command: u64,
        repeatable: bool,
        undo: Undo,
    },
    Destroy,
    Approve {
        within: bool,
    },
    Group(Vec<Step>),
    /// The list, if this input holds.
    Choose(u64, Vec<Step>),
    /// Over a list that is not known.
    Each(Vec<Step>),
    Parallel(Vec<Step>, Vec<Step>),
}

#[derive(Clone, Debug, PartialEq, Hash)]
enum Undo {
    None,
    Plain,
    /// It reads what the step of this id printed.
    Reads(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Stop,
    Continue,
    Rollback,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Runs {
    Always,
    Never,
    If(u64),
}

#[derive(Clone, Debug)]
struct Book {
    steps: Vec<Step>,
    /// Whether the procedure puts something right after a failure.
    mends: bool,
}

// Writing.

/// Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

struct Author {
    dice: Dice,
    ids: u64,
    /// Steps that may still be written.
    left: u64,
    /// Ids of steps before, which an undo may read.
    before: Vec<String>,
}

impl Author {
    fn book(seed: u64) -> Book {
        let mut author = Author { dice: Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1), ids: 0, left: 5, before: Vec::new() };
        // The first throws of neighbouring seeds are alike.
        for _ in 0..20 {
            author.dice.roll(2);
        }
        let steps = author.list(0);
        Book { steps, mends: author.dice.one_in(5) }
    }

    fn list(&mut self, depth: u64) -> Vec<Step> {
        let most = 1 + self.dice.roll(if depth == 0 { 4 } else { 2 });
        let mut steps = Vec::new();
        while steps.is_empty() || (self.left > 0 && (steps.len() as u64) < most) {
            steps.push(self.step(depth));
        }
        steps
    }

    fn step(&mut self, depth: u64) -> Step {
        self.left = self.left.saturating_sub(1);
        let inner = depth < 2 && self.left > 0;
        self.ids += 1;
        let id = format!("s{}", self.ids);
        let does = match self.dice.roll(if inner { 14 } else { 9 }) {
            0 | 1 => Does::Read,
            2..=5 => self.change(&id),
            6 => Does::Destroy,
            7 | 8 => Does::Approve { within: !self.dice.one_in(4) },
            9 | 10 => Does::Group(self.list(depth + 1)),
            11 => Does::Choose(self.dice.roll(2), self.list(depth + 1)),
            12 => Does::Each(self.apart(false)),
            _ => {
                let (one, other) = (self.apart(true), self.apart(true));
                Does::Parallel(one, other)
            }
        };
        let policy = match self.dice.roll(6) {
            0 | 1 => Policy::Continue,
            2 => Policy::Rollback,
            _ => Policy::Stop,
        };
        let runs = match self.dice.roll(12) {
            0 => Runs::Never,
            1 | 2 => Runs::If(self.dice.roll(2)),
            _ => Runs::Always,
        };
        if matches!(does, Does::Read | Does::Change { .. }) {
            self.before.push(id.clone());
        }
        Step { id, does, policy, by_hand: self.dice.one_in(4), runs }
    }

    fn change(&mut self, id: &str) -> Does {
        let undo = match self.dice.roll(5) {
            0 => Undo::None,
            1 => Undo::Reads(id.to_owned()),
            2 if !self.before.is_empty() => {
                let one = self.dice.roll(self.before.len() as u64);
                Undo::Reads(self.before[one as usize].clone())
            }
            _ => Undo::Plain,
        };
        Does::Change { command: self.dice.roll(2), repeatable: self.dice.one_in(2), undo }
    }

    /// One or two plain steps that run beside others, or again and again: nothing in them waits for people.
    fn apart(&mut self, beside: bool) -> Vec<Step> {
        let before = self.before.clone();
        let count = 1 + self.dice.roll(2);
        let steps = (0..count).map(|_| {
            self.ids += 1;
            let id = format!("s{}", self.ids);
            let does = match self.dice.roll(3) {
                0 => Does::Read,
                _ => {
                    let undo = if self.dice.one_in(3) { Undo::None } else { Undo::Plain };
                    Does::Change { command: self.dice.roll(2), repeatable: beside || self.dice.one_in(2), undo }
                }
            };
            let policy = [Policy::Stop, Policy::Continue, Policy::Rollback][self.dice.roll(3) as usize];
            Step { id, does, policy, by_hand: self.dice.one_in(4), runs: Runs::Always }
        });
        let steps = steps.collect();
        self.before = before;
        steps
    }
}

// As a document.

fn document(book: &Book) -> String {
    let mut document = json!({
        "apiVersion": "runbook/v1", "kind": "Runbook", "name": "small", "version": "1.0.0",
        "inputs": {"b0": {"type": "boolean"}, "b1": {"type": "boolean"}, "hosts": {"type": "list"}},
        "steps": steps(&book.steps),
    });
    if book.mends {
        document["on_failure"] = json!([{"id": "mend", "exec": ["mend"], "idempotent": true}]);
    }
    document.to_string()
}

fn steps(list: &[Step]) -> Json {
    list.iter().map(step).collect()
}

fn step(step: &Step) -> Json {
    let mut json = match &step.does {
        Does::Read => json!({"exec": ["look"], "effect": "read"}),
        Does::Destroy => json!({"exec": ["destroy"], "effect": "destructive", "irreversible": "it is old"}),
        Does::Approve { within } => {
            let mut approve = json!({"question": "Go?"});
            if *within {
                approve["within"] = json!("1h");
            }
            json!({"approve": approve})
        }
        Does::Change { command, repeatable, undo } => {
            let mut json = json!({"exec": ["change", command.to_string()], "idempotent": repeatable});
            match undo {
                Undo::None => json["irreversible"] = json!("nobody minds"),
                Undo::Plain => json["undo"] = json!({"exec": ["back"], "idempotent": true}),
                Undo::Reads(id) => {
                    json["undo"] = json!({"exec": ["back", format!("{{{{steps.{id}.stdout}}}}")], "idempotent": true})
                }
            }
            json
        }
        Does::Group(body) => json!({"group": steps(body)}),
        Does::Choose(input, body) => json!({"choose": [{"when": format!("inputs.b{input}"), "steps": steps(body)}]}),
        Does::Each(body) => json!({"each": {"in": "inputs.hosts", "as": "host", "max_parallel": 1, "steps": steps(body)}}),
        Does::Parallel(one, other) => json!({"parallel": {"one": steps(one), "other": steps(other)}}),
    };
    json["id"] = json!(step.id);
    match step.policy {
        Policy::Stop => {}
        Policy::Continue => json["on_failure"] = json!("continue"),
        Policy::Rollback => json["on_failure"] = json!("rollback"),
    }
    if step.by_hand {
        json["by_hand"] = json!("Call somebody.");
    }
    match step.runs {
        Runs::Always => {}
        Runs::Never => json["if"] = json!("1 > 2"),
        Runs::If(input) => json["if"] = json!(format!("inputs.b{input}")),
    }
    json
}

// The checker.

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
}

impl Checker {
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
                self.list(body, path, &mut |checker, path, end| match end {
                    End::Done => checker.list(body, path, &mut ended),
                    failed => ended(checker, path, failed),
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
        let no = Path { approved: path.approved || self.slip == Slip::ANoIsAYes, ..path.clone() };
        then(self, no, End::Failed { told: false, rollback: false, rejected: true });
        let after_no = std::mem::replace(&mut self.told, before).finish();
        *self.matters.entry(step.id.clone()).or_default() |= after_yes != after_no;
        (after_yes, after_no).hash(&mut self.told);
        if within {
            then(self, path, End::Failed { told: false, rollback: false, rejected: false });
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
        then(self, printed, End::Failed { told: false, rollback: false, rejected: false });
        let repeatable = match step.does {
            Does::Read => true,
            Does::Change { repeatable, .. } => repeatable,
            _ => false,
        };
        if !repeatable {
            let mut asked = Path { turns: path.turns + 1, ..path };
            if self.slip == Slip::DoneIsPrinted {
                asked.printed.insert(step.id.clone());
            }
            self.succeed(step, asked.clone(), then);
            if again {
                self.attempt(step, asked, false, then);
            }
        }
    }

    fn succeed(&mut self, step: &Step, mut path: Path, then: Then<'_>) {
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
                checker.succeeded(&path);
            }
            End::Failed { told, rollback, rejected } => {
                (&path.changes, told, rollback, rejected).hash(&mut checker.told);
                // What mends may itself succeed or fail; both take one turn, and both count.
                let path = if book.mends { Path { turns: path.turns + 1, ..path } } else { path };
                if book.mends {
                    checker.reached.insert("mend".to_owned());
                }
                // What a rollback takes back could be read when it was done, and can be now.
                let taken_back = rollback && checker.slip != Slip::RollbackLeaves;
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
    checker.found
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
