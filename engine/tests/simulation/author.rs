//! Writes random procedures: every verb, nested, with every key that changes what happens.

use crate::book::{Book, Gate, OnFailure, People, Procedure, Retry, Step, Verb, Verify};
use crate::dice::Dice;

/// How deep steps nest in one procedure.
const DEPTH: u32 = 3;

struct Author {
    dice: Dice,
    ids: u32,
    /// Procedures that may be called.
    calls: Vec<&'static str>,
    /// Steps that may still be written.
    left: u32,
}

pub fn write(seed: u64) -> Book {
    let mut author = Author { dice: Dice::of(seed, "book"), ids: 0, calls: Vec::new(), left: 0 };
    let mut procedures = vec![author.procedure("inner", 3, &[]), author.procedure("outer", 4, &["inner"])];
    procedures.push(author.procedure("main", 11, &["outer", "inner"]));
    procedures.reverse();
    let dice = &mut author.dice;
    let gate = dice.one_in(4).then(|| Gate {
        from: dice.pick(&["dba", "ops"]),
        count: if dice.one_in(3) { 2 } else { 1 },
        within: if dice.one_in(2) { Some(dice.between(5, 40) * 1_000) } else { None },
    });
    let four_eyes = dice.one_in(8);
    let mut book = Book { procedures, gate, four_eyes };
    book.procedures[0].lock = author.dice.one_in(4);
    leave_out_uncalled(&mut book);
    // Without the one who asked for the run, enough of those who are asked must be left.
    let everybody = |from: Option<&str>| matches!(from, None | Some("ops"));
    let asked = book.by_id().values().all(|step| step.verb.people().is_none_or(|people| everybody(people.from)));
    book.four_eyes &= asked && book.gate.as_ref().is_none_or(|gate| everybody(Some(gate.from)));
    book
}

/// A procedure that nothing calls would only be in the way of whoever reads a failure.
pub fn leave_out_uncalled(book: &mut Book) {
    for name in ["outer", "inner"] {
        let called = book.by_id().values().any(|step| matches!(step.verb, Verb::Call(called) if called == name));
        if !called {
            book.procedures.retain(|procedure| procedure.name != name);
        }
    }
}

impl Author {
    fn procedure(&mut self, name: &'static str, left: u32, calls: &[&'static str]) -> Procedure {
        (self.left, self.calls) = (left, calls.to_vec());
        let own = name == "main";
        let mut steps = self.steps(0);
        if steps.len() < 2 {
            steps.extend(self.steps(0));
        }
        let mut procedure = Procedure { name, lock: false, timeout: None, steps, on_failure: Vec::new(), finally: Vec::new() };
        if self.dice.one_in(3) {
            procedure.on_failure = vec![self.change(), self.look()];
        }
        if own || self.dice.one_in(2) {
            procedure.finally = vec![self.look()];
        }
        if own && self.dice.one_in(5) {
            procedure.timeout = Some(self.dice.between(6, 60) * 1_000);
        }
        procedure
    }

    fn id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}{}", self.ids)
    }

    /// One list, with jumps forward inside it.
    fn steps(&mut self, depth: u32) -> Vec<Step> {
        let count = self.dice.between(1, 3);
        let mut steps: Vec<Step> = (0..count).map(|_| self.step(depth)).collect();
        let last = steps.last().map(|step| step.id.clone()).unwrap_or_default();
        let before = steps.len() - 1;
        for step in steps.iter_mut().take(before) {
            let finishes = matches!(step.verb, Verb::Finish { .. });
            if !finishes && self.dice.one_in(12) {
                step.on_failure = OnFailure::Next(last.clone());
            }
            if !finishes && self.dice.one_in(16) {
                step.condition = Some("inputs.n > 3".to_owned());
                step.next = Some(last.clone());
            }
        }
        steps
    }

    fn step(&mut self, depth: u32) -> Step {
        self.left = self.left.saturating_sub(1);
        let deep = depth < DEPTH && self.left > 0;
        let mut step = match self.dice.roll(if deep { 46 } else { 28 }) {
            0..=2 => self.look(),
            3..=8 => self.change(),
            9 | 10 => self.repeatable(),
            11..=13 => self.known_by_looking(),
            14 => {
                let id = self.id("rhai");
                Step::new(id, Verb::Rhai)
            }
            15 => {
                let id = self.id("http");
                let method = self.dice.pick(&["GET", "POST"]);
                Step { irreversible: method == "POST", ..Step::new(id, Verb::Http(method)) }
            }
            16 => {
                let id = self.id("notify");
                Step::new(id, Verb::Notify)
            }
            17 => {
                let id = self.id("check");
                let mut all = vec!["inputs.n > 0".to_owned()];
                if self.dice.one_in(2) {
                    all.push("inputs.n < 7".to_owned());
                }
                Step::new(id, Verb::Check(all))
            }
            18 => {
                let id = self.id("set");
                Step::new(id, Verb::Set("10 / inputs.n".to_owned()))
            }
            19 | 20 => self.wait(),
            21..=24 => {
                let id = self.id("approve");
                let people = self.people(true);
                Step::new(id, Verb::Approve(people))
            }
            25 => {
                let id = self.id("ask");
                let people = self.people(false);
                Step::new(id, Verb::Ask(people))
            }
            26 => {
                let id = self.id("manual");
                let people = self.people(false);
                let undo = if self.dice.one_in(3) { self.undo() } else { Vec::new() };
                Step { irreversible: undo.is_empty(), undo, ..Step::new(id, Verb::Manual(people)) }
            }
            27 => {
                let id = self.id("finish");
                let failed = self.dice.one_in(2);
                Step { condition: Some("inputs.n > 4".to_owned()), ..Step::new(id, Verb::Finish { failed }) }
            }
            28..=30 => {
                let id = self.id("group");
                let inside = self.steps(depth + 1);
                let undo = if self.dice.one_in(2) { self.undo() } else { Vec::new() };
                Step { undo, ..Step::new(id, Verb::Group(inside)) }
            }
            31..=34 => {
                let id = self.id("parallel");
                let branches = ["left", "mid", "right"].into_iter().take(self.dice.between(2, 3) as usize);
                let branches: Vec<_> = branches.map(|name| (name, self.steps(depth + 1))).collect();
                let most = if self.dice.one_in(2) { Some(self.dice.between(1, 2) as u32) } else { None };
                Step::new(id, Verb::Parallel { branches, most })
            }
            35..=38 => self.each(depth),
            39 | 40 => self.repeat(depth),
            41 | 42 => {
                let id = self.id("choose");
                let mut branches = vec![(Some("inputs.n > 5".to_owned()), self.steps(depth + 1))];
                branches.push((Some("inputs.n > 2".to_owned()), self.steps(depth + 1)));
                if self.dice.one_in(2) {
                    branches.push((None, self.steps(depth + 1)));
                }
                Step::new(id, Verb::Choose(branches))
            }
            _ if self.calls.is_empty() => self.change(),
            _ => {
                let id = self.id("call");
                let called = self.dice.pick(&self.calls.clone());
                Step::new(id, Verb::Call(called))
            }
        };
        self.manners(&mut step);
        step
    }

    /// Keys that any step may have.
    fn manners(&mut self, step: &mut Step) {
        if matches!(step.verb, Verb::Finish { .. }) {
            return;
        }
        if step.verb.acts() && (step.repeatable() || self.dice.one_in(5)) && self.dice.one_in(2) {
            step.retry = Some(self.retry());
        }
        if step.verb.acts() && self.dice.one_in(4) {
            step.timeout = Some(self.dice.between(4, 30) * 100);
        }
        if matches!(step.verb, Verb::Run | Verb::Exec(_)) && self.dice.one_in(6) {
            step.outputs = true;
        }
        if step.verb.holds_steps() && self.dice.one_in(3) {
            step.timeout = Some(self.dice.between(10, 120) * 100);
        }
        match self.dice.roll(16) {
            0 | 1 => step.on_failure = OnFailure::Rollback,
            2 | 3 => step.on_failure = OnFailure::Continue,
            4 if step.condition.is_none() => step.condition = Some("inputs.n > 2".to_owned()),
            _ => {}
        }
    }

    fn look(&mut self) -> Step {
        let id = self.id("look");
        Step { effect: Some("read"), ..Step::new(id, Verb::Exec(None)) }
    }

    /// A change that must not happen twice.
    fn change(&mut self) -> Step {
        let kind = self.dice.pick(&["gone", "done", "done", "done"]);
        let id = self.id(kind);
        let verb = if self.dice.one_in(3) { Verb::Run } else { Verb::Exec(None) };
        let mut step = Step::new(id, verb);
        if self.dice.one_in(10) {
            step.effect = Some("destructive");
        }
        if kind == "gone" {
            step.irreversible = true;
        } else {
            step.undo = self.undo();
        }
        step
    }

    fn repeatable(&mut self) -> Step {
        let id = self.id("same");
        let undo = if self.dice.one_in(3) { self.undo() } else { Vec::new() };
        Step { idempotent: true, undo, ..Step::new(id, Verb::Run) }
    }

    /// A change whose unknown end is decided by looking.
    fn known_by_looking(&mut self) -> Step {
        let id = self.id("seen");
        let undo = if self.dice.one_in(2) { self.undo() } else { Vec::new() };
        let verify = if self.dice.one_in(5) {
            Verify::Expression("inputs.n > 3".to_owned())
        } else {
            let mut look = self.look();
            if self.dice.one_in(2) {
                look.retry = Some(self.retry());
            }
            Verify::Step(Box::new(look))
        };
        Step { irreversible: undo.is_empty(), undo, verify: Some(verify), ..Step::new(id, Verb::Exec(None)) }
    }

    fn undo(&mut self) -> Vec<Step> {
        let count = if self.dice.one_in(5) { 2 } else { 1 };
        (0..count)
            .map(|_| {
                let id = self.id("back");
                let mut step = Step { idempotent: self.dice.one_in(3), ..Step::new(id, Verb::Exec(None)) };
                if self.dice.one_in(3) {
                    step.retry = Some(self.retry());
                }
                if self.dice.one_in(4) {
                    step.timeout = Some(self.dice.between(4, 20) * 100);
                }
                step
            })
            .collect()
    }

    fn retry(&mut self) -> Retry {
        let delay = self.dice.between(2, 20) * 100;
        Retry {
            attempts: self.dice.between(2, 4) as u32,
            delay,
            backoff: self.dice.between(1, 3) as u32,
            max_delay: delay * self.dice.between(1, 4),
            jitter: self.dice.pick(&[0, 0, 50, 100]),
        }
    }

    fn people(&mut self, counted: bool) -> People {
        let from = self.dice.pick(&[None, Some("dba"), Some("ops"), Some("anna")]);
        let most = from.map_or(2, |name| crate::book::members(name).len().min(2) as u64);
        let within = if self.dice.one_in(2) { Some(self.dice.between(20, 300) * 100) } else { None };
        let on_timeout = self.dice.pick(&["fail", "reject", "escalate"]);
        let count = if counted { self.dice.between(1, most) as u32 } else { 1 };
        // Whoever asked for the run may not be the only one who is asked.
        let not_requester = counted && count == 1 && from != Some("anna") && self.dice.one_in(3);
        People { from, count, within, on_timeout, not_requester }
    }

    fn wait(&mut self) -> Step {
        let id = self.id("wait");
        let within = self.dice.between(20, 100) * 100;
        let every = self.dice.between(5, 20) * 100;
        let verb = match self.dice.roll(4) {
            0 | 1 => Verb::WaitFor(self.dice.between(1, 60) * 100),
            2 => Verb::WaitUntil { until: "inputs.n > 3".to_owned(), every, within, probe: None },
            _ => {
                let probe = self.look();
                let until = format!(r#"steps.{}.stdout.trim() == "yes""#, probe.id);
                Verb::WaitUntil { until, every, within, probe: Some(Box::new(probe)) }
            }
        };
        Step::new(id, verb)
    }

    fn each(&mut self, depth: u32) -> Step {
        let id = self.id("each");
        let items = self.dice.between(1, 5) as u32;
        let batches = match self.dice.roll(4) {
            0 => vec!["1", "50%"],
            1 => vec!["2"],
            _ => Vec::new(),
        };
        let most = if self.dice.one_in(3) { None } else { Some(self.dice.between(1, 3) as u32) };
        let failures = self.dice.roll(3) as u32;
        let steps = self.steps(depth + 2);
        Step::new(id, Verb::Each { items, most, batches, failures, steps })
    }

    fn repeat(&mut self, depth: u32) -> Step {
        let id = self.id("repeat");
        let mut steps = self.steps(depth + 2);
        let look = self.look();
        let until = if self.dice.one_in(3) {
            "inputs.n > 4".to_owned()
        } else {
            format!(r#""{0}" in steps && steps.{0}.stdout.trim() == "yes""#, look.id)
        };
        steps.push(look);
        let every = if self.dice.one_in(2) { Some(self.dice.between(2, 20) * 100) } else { None };
        Step::new(id, Verb::Repeat { until, times: self.dice.between(1, 3) as u32, every, steps })
    }
}
