//! Writes random procedures whose steps pass values on: every verb that needs no other machine, conditions that can be told before a run
//! and others that cannot, and what goes on after a failure.

use serde_json::{Value as Json, json};

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn of(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len())].clone()
    }
}

/// What a step before has given, and as what it can be read.
#[derive(Clone)]
struct Given {
    id: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Outputs `word` and `n` of a program.
    Program,
    /// A value that is known before the run, and one that is made of what is not.
    Set,
    Approved,
    Answered,
    Listed,
}

struct Author {
    dice: Dice,
    ids: u32,
    left: u32,
    /// How a list inside this one names what each item is.
    item: Option<&'static str>,
    calls: bool,
}

/// The texts of the procedure, of one that it may call, and of their workspace.
pub fn write(seed: u64) -> [String; 3] {
    let mut author = Author { dice: Dice::of(seed), ids: 0, left: 4, item: None, calls: false };
    let inner = author.procedure("inner");
    (author.left, author.calls) = (4 + author.dice.roll(12) as u32, true);
    let main = author.procedure("main");
    let workspace = author.workspace();
    [main.to_string(), inner.to_string(), workspace.to_string()]
}

const EXCEPT_FINISH: [&str; 3] = ["finish", "approve", "ask"];

impl Author {
    /// People, and perhaps one or two rules by which they are asked before each change.
    fn workspace(&mut self) -> Json {
        let policies: Vec<Json> = (0..self.dice.roll(3))
            .map(|number| {
                let count = 1 + self.dice.roll(2);
                let approve = json!({"from": ["ops"], "count": count, "within": "1h"});
                let effect = self.dice.pick(&["change", "change", "destructive", "read"]);
                json!({"name": format!("rule-{number}"), "when": {"effect": effect}, "require": {"approve": approve}})
            })
            .collect();
        json!({
            "apiVersion": "runbook/v1", "kind": "Workspace",
            "people": {"operator": {"users": ["operator"]}, "second": {"users": ["second"]}},
            "groups": {"ops": ["operator", "second"]},
            "policies": policies,
        })
    }

    fn procedure(&mut self, name: &str) -> Json {
        let mut known = Vec::new();
        let mut steps = self.steps(0, &mut known);
        while steps.len() < 3 {
            steps.extend(self.steps(0, &mut known));
        }
        let mut procedure = json!({
            "apiVersion": "runbook/v1", "kind": "Runbook", "name": name, "version": "1.0.0",
            "inputs": {
                "n": {"type": "integer"},
                "word": {"type": "string"},
                "notes": {"type": "path"},
            },
            "secrets": {"token": {"env": "TOKEN"}, "other": {"env": "OTHER"}},
            "defaults": {"env": {"NOTES": "inputs.notes"}},
            "steps": steps,
            "outputs": {"n": "inputs.n + 1"},
        });
        if self.dice.one_in(3) {
            // Now and then with conditions and jumps of its own.
            let steps = if self.dice.one_in(2) { vec![self.program(&known)] } else { self.steps(2, &mut known.clone()) };
            procedure["on_failure"] = json!(steps);
        }
        if self.dice.one_in(2) {
            let mut last = self.program(&known);
            let when =
                self.dice.pick(&["run.outcome == \"succeeded\"", "inputs.n > 3", "\"x1\" in steps", "run.outcome != \"failed\""]);
            last["if"] = json!(when);
            procedure["finally"] = json!([last, self.program(&known)]);
        }
        procedure
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        format!("x{}", self.ids)
    }

    fn steps(&mut self, depth: u32, known: &mut Vec<Given>) -> Vec<Json> {
        let count = 1 + self.dice.roll(3);
        let mut steps: Vec<Json> = (0..count).map(|_| self.step(depth, known)).collect();
        let jumps = self.dice.one_in(9);
        if jumps {
            self.fail_over(&mut steps, known);
        }
        let targets: Vec<Json> = steps.iter().map(|step| step["id"].clone()).collect();
        let last = steps.len() - 1;
        for (place, step) in steps.iter_mut().enumerate().take(last) {
            let plain = EXCEPT_FINISH.iter().all(|verb| step.get(verb).is_none());
            if plain && step.get("on_failure").is_none() && self.dice.one_in(if jumps { 2 } else { 8 }) {
                let target = place + 1 + self.dice.roll(last - place);
                let Some(target) = targets.get(target) else { continue };
                let key = self.dice.pick(&["on_failure", "next"]);
                step[key] = if key == "next" { json!(target) } else { json!({"next": target}) };
            }
        }
        steps
    }

    /// Before the others a step that fails and goes on with one of them, and behind them one that asks which of them were done.
    fn fail_over(&mut self, steps: &mut Vec<Json>, known: &[Given]) {
        let ids: Vec<String> = steps.iter().filter_map(|step| step["id"].as_str()).map(str::to_owned).collect();
        let mut fails = json!({"id": self.id(), "exec": ["./note", "1", "no"], "effect": "read"});
        fails["on_failure"] = json!({"next": self.dice.pick(&ids)});
        let mut asks = self.program(known);
        asks["if"] = json!(format!("\"{}\" in steps", self.dice.pick(&ids)));
        steps.insert(0, fails);
        steps.push(asks);
    }

    /// A name with a value, as an expression: of a step before, an input, an item.
    fn name(&mut self, known: &[Given]) -> String {
        let mut all: Vec<String> = vec!["inputs.n".to_owned(), "inputs.word".to_owned(), "run.name".to_owned()];
        all.extend(self.item.map(str::to_owned));
        for given in known.iter().rev().take(4) {
            let members: &[&str] = match given.kind {
                Kind::Program => &["word", "n", "exit_code", "stdout"],
                Kind::Set => &["sure", "made"],
                Kind::Approved => &["granted", "by"],
                Kind::Answered => &["size"],
                Kind::Listed => continue,
            };
            all.push(format!("steps.{}.{}", given.id, self.dice.pick(members)));
        }
        if self.dice.one_in(12) {
            all.push("run.id".to_owned());
        }
        self.dice.pick(&all)
    }

    /// An expression that gives a text: of a name, or by the way that the run took.
    fn made(&mut self, known: &[Given]) -> String {
        let listed = known.iter().rev().find(|given| given.kind == Kind::Listed);
        match (self.dice.roll(3), listed, self.ids) {
            (0, Some(given), _) => format!("`${{steps.{}.len()}} of them`", given.id),
            (1, _, 1..) => {
                let other = 1 + self.dice.roll(self.ids as usize);
                format!("if \"x{other}\" in steps {{ \"with {other}\" }} else {{ \"without\" }}")
            }
            _ => format!("`${{{}}}`", self.name(known)),
        }
    }

    fn condition(&mut self, known: &[Given]) -> String {
        let plain = ["inputs.n > 3", "inputs.n % 2 == 0", "inputs.word == \"one\"", "now > time(\"2020-01-01T00:00:00Z\")"];
        if known.is_empty() || self.dice.one_in(4) {
            return self.dice.pick(&plain).to_owned();
        }
        let of = &known[known.len() - 1 - self.dice.roll(known.len().min(5))];
        let id = &of.id;
        let some = match of.kind {
            Kind::Program => vec![
                format!("steps.{id}.word == \"yes\""),
                format!("steps.{id}.n > 2"),
                format!("steps.{id}.exit_code == 0"),
                format!("\"{id}\" in steps"),
                format!("inputs.n > 2 || steps.{id}.n > 2"),
                format!("inputs.n > 2 && steps.{id}.word.len() > 2"),
            ],
            Kind::Set => vec![format!("steps.{id}.sure > 4"), format!("steps.{id}.made == \"1\""), format!("\"{id}\" in steps")],
            Kind::Approved => vec![format!("steps.{id}.granted"), format!("!steps.{id}.granted")],
            Kind::Answered => vec![format!("steps.{id}.size > 2")],
            Kind::Listed => vec![format!("steps.{id}.len() > 1"), format!("steps.{id}.len() == 3")],
        };
        self.dice.pick(&some)
    }

    /// A program that notes what it was given, says a word and ends as it is told to, attempt by attempt.
    fn program(&mut self, known: &[Given]) -> Json {
        let id = self.id();
        let secret = self.dice.one_in(4);
        // Now and then it says the secret that it was given.
        let says = match secret && self.dice.one_in(3) {
            true => "SECRET",
            false => self.dice.pick(&["yes", "no", "1", "3", "[1, 2]", "[]", "[\"a\"]"]),
        };
        let ends = self.dice.pick(&[
            "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "10", "110", "9", "9", "9",
        ]);
        let count = 1 + self.dice.roll(3);
        let names: Vec<String> = (0..count).map(|_| self.name(known)).collect();
        let mut step = json!({"id": id, "outputs": {
            "word": "result.stdout.trim()",
            "n": "result.stdout.trim().len()",
        }});
        if self.dice.one_in(3) {
            let texts: Vec<String> = names
                .iter()
                .enumerate()
                .map(|(n, name)| match n % 3 {
                    0 => format!("{{{{{name}}}}}"),
                    1 => format!("\"<{{{{{name}}}}}>\""),
                    _ => format!("'{{{{{name}}}}} it'"),
                })
                .collect();
            step["run"] = json!(format!("./note {ends} '{says}' {}", texts.join(" ")));
            if self.dice.one_in(4) {
                step["shell"] = json!("bash");
            }
        } else {
            let mut argv = vec!["./note".to_owned(), ends.to_owned(), says.to_owned()];
            argv.extend(names.iter().map(|name| format!("a {{{{{name}}}}}'\"$b")));
            step["exec"] = json!(argv);
        }
        match self.dice.roll(5) {
            0 | 1 => step["effect"] = json!("read"),
            2 => step["idempotent"] = json!(true),
            3 => step["irreversible"] = json!("it is noted"),
            _ => {
                step["undo"] =
                    json!([{"exec": ["./note", "0", "undone", format!("{{{{{}}}}}", self.name(known))], "idempotent": true}])
            }
        }
        if !ends.ends_with('0') && !self.dice.one_in(3) {
            step["on_failure"] = json!("continue");
        }
        let mut env = json!({});
        if self.dice.one_in(4) {
            env["MADE"] = json!(self.name(known));
        }
        if secret {
            env["SECRET"] = json!(self.dice.pick(&["secrets.token", "secrets.other"]));
        }
        if env != json!({}) {
            step["env"] = env;
        }
        if ends.len() > 1 || self.dice.one_in(6) {
            step["retry"] = json!({"attempts": 1 + self.dice.roll(3), "delay": "1s"});
        }
        step
    }

    fn step(&mut self, depth: u32, known: &mut Vec<Given>) -> Json {
        self.left = self.left.saturating_sub(1);
        let deep = depth < 3 && self.left > 0;
        let (mut step, gives) = match self.dice.roll(if deep { 24 } else { 14 }) {
            0..=6 => (self.program(known), Some(Kind::Program)),
            7 => {
                let made = self.made(known);
                (json!({"id": self.id(), "set": {"sure": "inputs.n + 2", "made": made}}), Some(Kind::Set))
            }
            8 if self.dice.one_in(2) => {
                (json!({"id": self.id(), "check": [{"that": self.condition(known), "else": "no"}], "on_failure": "continue"}), None)
            }
            8 => (json!({"id": self.id(), "check": [{"that": "inputs.n >= 0"}, {"that": self.condition(known)}]}), None),
            9 => {
                let question = format!("Go on with {{{{{}}}}}?", self.name(known));
                (json!({"id": self.id(), "approve": {"question": question, "within": "1h"}}), Some(Kind::Approved))
            }
            10 => {
                let fields = json!({"size": {"type": "integer"}});
                (
                    json!({"id": self.id(), "ask": {"question": format!("How large is {{{{{}}}}}?", self.name(known)), "fields": fields, "within": "1h"}}),
                    Some(Kind::Answered),
                )
            }
            11 => (json!({"id": self.id(), "wait": {"for": "5s", "within": "1m"}}), None),
            12 => {
                let outcome = self.dice.pick(&["succeeded", "failed"]);
                let when = self.condition(known);
                let message = format!("it is {{{{{}}}}}", self.name(known));
                return json!({"id": self.id(), "if": when, "finish": {"outcome": outcome, "message": message}});
            }
            13 if self.dice.one_in(3) => {
                let until = self.condition(known);
                (json!({"id": self.id(), "wait": {"until": until, "every": "3s", "within": "10s"}}), None)
            }
            14 | 15 => {
                let id = self.id();
                let mut group = json!({"id": id, "group": self.steps(depth + 1, known)});
                if self.dice.one_in(6) {
                    // A wait takes longer.
                    group["timeout"] = json!("4s");
                }
                (group, None)
            }
            16 => {
                let id = self.id();
                let (mut one, mut other) = (known.clone(), known.clone());
                let mut branches = json!({"left": self.steps(depth + 1, &mut one), "right": self.steps(depth + 1, &mut other)});
                if self.dice.one_in(3) {
                    branches = json!({"left": branches["left"], "right": branches["right"], "mid": self.steps(depth + 1, &mut known.clone())});
                }
                let before = known.len();
                known.extend(one.drain(before..));
                (json!({"id": id, "parallel": branches}), None)
            }
            17 | 18 => {
                let id = self.id();
                let lists: Vec<String> = known
                    .iter()
                    .filter(|given| given.kind == Kind::Program)
                    .map(|given| format!("steps.{}.json", given.id))
                    .collect();
                let items = match self.dice.roll(6) {
                    0 => format!("if \"x{}\" in steps {{ [1] }} else {{ [1, 2] }}", 1 + self.dice.roll(self.ids as usize)),
                    1 | 2 if !lists.is_empty() => self.dice.pick(&lists),
                    _ => "[1, 2, inputs.n]".to_owned(),
                };
                let outer = self.item.replace("item");
                let steps = self.steps(depth + 1, &mut known.clone());
                self.item = outer;
                let each =
                    json!({"in": items, "max_parallel": 1 + self.dice.roll(3), "max_failures": self.dice.roll(2), "steps": steps});
                (json!({"id": id, "each": each}), Some(Kind::Listed))
            }
            19 => {
                let id = self.id();
                let mut inner = known.clone();
                let mut steps = self.steps(depth + 1, &mut inner);
                let last = self.program(&inner);
                let until = match self.dice.one_in(3) {
                    true => self.condition(known),
                    false => {
                        let last = last["id"].as_str().unwrap_or_default();
                        format!("steps.{last}.{}", self.dice.pick(&["word == \"yes\"", "n > 1"]))
                    }
                };
                steps.push(last);
                let mut repeat = json!({"until": until, "times": 1 + self.dice.roll(3), "steps": steps});
                if self.dice.one_in(2) {
                    repeat["every"] = json!("2s");
                }
                (json!({"id": id, "repeat": repeat}), None)
            }
            20 => {
                let id = self.id();
                let probe = json!({"id": self.id(), "exec": ["./note", self.dice.pick(&["0", "1"]), self.dice.pick(&["yes", "no"])], "effect": "read"});
                let until = format!("steps.{}.stdout.trim() == \"yes\"", probe["id"].as_str().unwrap_or_default());
                (json!({"id": id, "wait": {"until": until, "every": "3s", "within": "10s", "probe": probe}}), None)
            }
            21 | 22 => {
                let id = self.id();
                let mut branches = vec![json!({"when": self.condition(known), "steps": self.steps(depth + 1, &mut known.clone())})];
                if self.dice.one_in(2) {
                    branches.push(json!({"when": self.condition(known), "steps": self.steps(depth + 1, &mut known.clone())}));
                }
                if self.dice.one_in(2) {
                    branches.push(json!({"otherwise": self.steps(depth + 1, &mut known.clone())}));
                }
                (json!({"id": id, "choose": branches}), None)
            }
            23 if self.calls => {
                let with =
                    json!({"n": self.dice.pick(&["inputs.n", "inputs.n + 3"]), "word": "inputs.word", "notes": "inputs.notes"});
                (json!({"id": self.id(), "call": "inner@^1", "with": with}), None)
            }
            _ => (self.program(known), Some(Kind::Program)),
        };
        match self.dice.roll(14) {
            0 | 1 => step["on_failure"] = json!("continue"),
            2 if step.get("on_failure").is_none() => step["on_failure"] = json!("rollback"),
            3 | 4 if step.get("if").is_none() => step["if"] = json!(self.condition(known)),
            _ => {}
        }
        // Mostly, what may have been skipped is not read.
        let sure = step.get("if").is_none() || self.dice.one_in(4);
        if let (Some(kind), Some(id), true) = (gives, step["id"].as_str(), sure) {
            known.push(Given { id: id.to_owned(), kind });
        }
        step
    }
}
