//! Small random procedures, as a model that knows nothing of the language but how it is written.

use serde_json::{Value as Json, json};

/// A step of the small model.
#[derive(Clone, Debug)]
pub struct Step {
    pub id: String,
    pub does: Does,
    pub policy: Policy,
    pub by_hand: bool,
    pub runs: Runs,
}

#[derive(Clone, Debug)]
pub enum Does {
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
pub enum Undo {
    None,
    Plain,
    /// It reads what the step of this id printed.
    Reads(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    Stop,
    Continue,
    Rollback,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Runs {
    Always,
    Never,
    If(u64),
}

#[derive(Clone, Debug)]
pub struct Book {
    pub steps: Vec<Step>,
    /// Whether the procedure puts something right after a failure.
    pub mends: bool,
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

pub struct Author {
    dice: Dice,
    ids: u64,
    /// Steps that may still be written.
    left: u64,
    /// Ids of steps before, which an undo may read.
    before: Vec<String>,
}

impl Author {
    pub fn book(seed: u64) -> Book {
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

pub fn document(book: &Book) -> String {
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
