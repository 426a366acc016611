//! Writes the small procedures, from a seed.

use super::small::{
    Book, Branch, Does, Effect, Gate, Moment, Must, OnTimeout, Policy, Procedure, Quorum, Runs, Sleep, Step, Undo, Verify, When,
};

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

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len() as u64) as usize].clone()
    }
}

pub struct Author {
    dice: Dice,
    ids: u64,
    /// Steps that may still be written.
    left: u64,
    /// Ids of steps before, which an undo may read.
    before: Vec<String>,
    /// Ids of the procedure itself, which a property may name.
    own: Vec<String>,
    /// The first input of the procedure that is being written.
    inputs: u64,
    calls: bool,
    /// What the procedure itself calls, and may call once more, with the id of the call.
    called: Option<(String, Procedure)>,
}

impl Author {
    pub fn book(seed: u64) -> Book {
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut author =
            Author { dice, ids: 0, left: 5, before: Vec::new(), own: Vec::new(), inputs: 0, calls: true, called: None };
        // The first throws of neighbouring seeds are alike.
        for _ in 0..20 {
            author.dice.roll(2);
        }
        let main = author.procedure("", 0);
        let gates = match author.dice.roll(6) {
            0 | 4 => vec![author.gate(false)],
            1 => vec![author.gate(false), author.gate(true)],
            2 => vec![author.gate(true)],
            _ => Vec::new(),
        };
        let musts = (0..author.dice.roll(3)).map(|_| author.must(true)).collect();
        let demanded = (0..author.dice.roll(2)).map(|_| author.must(false)).collect();
        Book { main, gates, musts, demanded }
    }

    fn procedure(&mut self, tag: &str, depth: u64) -> Procedure {
        let timed = depth == 0 && self.dice.one_in(6);
        let steps = self.list(depth);
        let aside = |id: &str, command| Step {
            id: format!("{id}{tag}"),
            does: Does::Change { command, repeatable: true, undo: Undo::None, attempts: 1, script: false, verify: Verify::None },
            policy: Policy::Stop,
            by_hand: false,
            runs: Runs::Always,
            timed: false,
        };
        Procedure {
            steps,
            mends: self.dice.one_in(if depth == 0 { 5 } else { 2 }).then(|| aside("mend", 7)),
            tidies: self.dice.one_in(if depth == 0 { 5 } else { 3 }).then(|| aside("tidy", 8)),
            inputs: self.inputs,
            lock: self.dice.one_in(4),
            timed,
        }
    }

    fn quorum(&mut self) -> Quorum {
        let on_timeout = self.dice.pick(&[OnTimeout::Fail, OnTimeout::Reject, OnTimeout::Escalate]);
        Quorum { count: 1 + self.dice.roll(3), within: !self.dice.one_in(4), on_timeout }
    }

    fn gate(&mut self, destructive: bool) -> Gate {
        Gate { destructive, quorum: self.quorum() }
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        let id = format!("s{}", self.ids);
        if self.inputs == 0 {
            self.own.push(id.clone());
        }
        id
    }

    fn list(&mut self, depth: u64) -> Vec<Step> {
        let most = 1 + self.dice.roll(if depth == 0 { 4 } else { 2 });
        let mut steps = Vec::new();
        while steps.is_empty() || (self.left > 0 && (steps.len() as u64) < most) {
            steps.push(self.step(depth));
            // Nothing can stand behind it.
            if steps.last().is_some_and(ends) {
                break;
            }
        }
        steps
    }

    fn step(&mut self, depth: u64) -> Step {
        self.left = self.left.saturating_sub(1);
        let inner = depth < 2 && self.left > 0;
        let id = self.id();
        // Of what holds steps.
        let timed = self.dice.one_in(4);
        let again = if self.inputs == 0 && self.dice.one_in(2) { self.called.take() } else { None };
        if let Some((first, procedure)) = again {
            let id = format!("again{}", self.ids);
            if let Some(own) = self.own.last_mut() {
                own.clone_from(&id);
            }
            return self.with_policy(id, Does::Again(first, Box::new(procedure)), timed);
        }
        let does = match self.dice.roll(if inner { 36 } else { 18 }) {
            0 | 1 => Does::Read,
            2..=6 => self.change(&id),
            7 | 8 => Does::Destroy(self.verify(&id)),
            9..=11 | 35 => Does::Approve(self.quorum()),
            12 => Does::Ask { within: !self.dice.one_in(4) },
            13 => {
                let undo = if self.dice.one_in(2) { Undo::Plain } else { Undo::None };
                Does::Manual { within: !self.dice.one_in(4), undo }
            }
            14 => Does::Poll(self.dice.one_in(2).then(|| format!("p{id}"))),
            15 => Does::Sleep(self.dice.pick(&[Sleep::Short, Sleep::Unknown, Sleep::Long])),
            16 => Does::Finish(self.dice.one_in(2)),
            17 => Does::Check(self.inputs + self.dice.roll(2)),
            18 | 19 => Does::Group(self.list(depth + 1)),
            20 | 21 => {
                let before = self.before.clone();
                let (input, body) = (self.inputs + self.dice.roll(2), self.list(depth + 1));
                // One branch cannot read what another does.
                let inside = std::mem::replace(&mut self.before, before);
                let otherwise = self.dice.one_in(2).then(|| self.list(depth + 1));
                self.before.extend(inside);
                Does::Choose(input, body, otherwise)
            }
            22 | 23 => {
                let beside = self.dice.one_in(4);
                let failures = self.dice.roll(if beside { 2 } else { 3 });
                Does::Each { failures, beside, body: self.apart(beside) }
            }
            24 | 25 => Does::Repeat(1 + self.dice.roll(3), self.apart(false)),
            26..=29 if self.calls => self.call(&id, depth),
            30 => Does::Each { failures: self.dice.roll(2), beside: true, body: self.apart(true) },
            _ => {
                let locked = self.dice.one_in(2);
                let (one, other) = (self.branch(locked), self.branch(locked));
                Does::Parallel(one, other)
            }
        };
        if matches!(does, Does::Read | Does::Change { .. }) {
            self.before.push(id.clone());
        }
        self.with_policy(id, does, timed)
    }

    fn with_policy(&mut self, id: String, does: Does, timed: bool) -> Step {
        let policy = match self.dice.roll(6) {
            0 | 1 => Policy::Continue,
            2 => Policy::Rollback,
            _ => Policy::Stop,
        };
        let runs = match self.dice.roll(12) {
            0 => Runs::Never,
            1 | 2 => Runs::If(self.inputs + self.dice.roll(2)),
            _ => Runs::Always,
        };
        let step = Step { id, does, policy, by_hand: self.dice.one_in(4), runs, timed: false };
        Step { timed: timed && !step.inside().is_empty(), ..step }
    }

    fn verify(&mut self, id: &str) -> Verify {
        match self.dice.roll(4) {
            0 => Verify::Step(format!("v{id}")),
            1 => Verify::Condition,
            _ => Verify::None,
        }
    }

    fn change(&mut self, id: &str) -> Does {
        let undo = match self.dice.roll(5) {
            0 => Undo::None,
            1 => Undo::Reads(id.to_owned()),
            2 if !self.before.is_empty() => Undo::Reads(self.dice.pick(&self.before)),
            _ => Undo::Plain,
        };
        let attempts = if self.dice.one_in(3) { 2 + self.dice.roll(3) } else { 1 };
        Does::Change {
            command: self.dice.roll(2),
            repeatable: self.dice.one_in(2),
            undo,
            attempts,
            script: self.dice.one_in(3),
            verify: self.verify(id),
        }
    }

    fn call(&mut self, id: &str, depth: u64) -> Does {
        let before = std::mem::take(&mut self.before);
        (self.inputs, self.calls) = (2, false);
        let procedure = self.procedure(&format!("_{id}"), depth + 1);
        (self.inputs, self.before) = (0, before);
        self.called = Some((id.to_owned(), procedure.clone()));
        Does::Call(Box::new(procedure))
    }

    fn branch(&mut self, locked: bool) -> Branch {
        let id = locked.then(|| self.id());
        let inputs = self.inputs;
        // What is inside a call is no step of the procedure itself.
        self.inputs += u64::from(locked);
        let steps = self.apart(true);
        self.inputs = inputs;
        Branch { steps, call: id.map(|id| (id, self.dice.roll(2))) }
    }

    /// One or two steps that run beside others, or again and again: nothing in them asks people, but gates do.
    fn apart(&mut self, beside: bool) -> Vec<Step> {
        let before = self.before.clone();
        let count = 1 + self.dice.roll(2);
        let mut steps = Vec::new();
        for _ in 0..count {
            let id = self.id();
            let does = match self.dice.roll(9) {
                0..=2 => Does::Read,
                3 | 4 => match self.dice.roll(6) {
                    // Where it stands first, nothing beside it begins.
                    0 | 1 if !steps.is_empty() => Does::Finish(self.dice.one_in(2)),
                    1..=3 => Does::Sleep(Sleep::Short),
                    _ => Does::Poll(self.dice.one_in(2).then(|| format!("p{id}"))),
                },
                _ => {
                    let undo = if self.dice.one_in(3) { Undo::None } else { Undo::Plain };
                    let repeatable = beside || self.dice.one_in(2);
                    Does::Change {
                        command: self.dice.roll(2),
                        repeatable,
                        undo,
                        attempts: 1 + self.dice.roll(2),
                        script: self.dice.one_in(3),
                        verify: Verify::None,
                    }
                }
            };
            let policy = [Policy::Stop, Policy::Continue, Policy::Rollback][self.dice.roll(3) as usize];
            steps.push(Step { id, does, policy, by_hand: self.dice.one_in(4), runs: Runs::Always, timed: false });
            if steps.last().is_some_and(ends) {
                break;
            }
        }
        self.before = before;
        steps
    }

    /// `own`: it is of the procedure, so that it can name steps.
    fn must(&mut self, own: bool) -> Must {
        match self.dice.roll(4) {
            0 => Must::Never(self.moment(own, true), None),
            1 | 2 => Must::Never(self.moment(own, true), Some(self.moment(own, false))),
            _ => Must::AlwaysBefore(self.moment(own, true), self.moment(own, false)),
        }
    }

    /// `first`: it is what must not come, so that a step may only begin.
    fn moment(&mut self, own: bool, first: bool) -> Moment {
        let when = match self.dice.roll(4) {
            0 | 1 if first => When::Begins,
            2 => When::Failed,
            3 if own => When::Skipped,
            _ => When::Succeeded,
        };
        match self.dice.roll(6) {
            0..=2 if own && !self.own.is_empty() => Moment::Step(self.dice.pick(&self.own), when),
            3 => Moment::Ends(self.dice.pick(&["succeeded", "failed", "rejected", "rolled_back", "needs_attention"])),
            4 => Moment::Verb(self.dice.pick(&["approve", "ask", "manual", "check"]), when),
            _ => Moment::Effect(self.dice.pick(&[Effect::Read, Effect::Change, Effect::Destructive]), when),
        }
    }
}

/// Whether a step ends its procedure on every path.
fn ends(step: &Step) -> bool {
    let all = |list: &[Step]| list.iter().any(ends);
    step.runs == Runs::Always
        && match &step.does {
            Does::Finish(_) => true,
            Does::Group(body) | Does::Repeat(_, body) => all(body),
            Does::Parallel(one, other) => [one, other].iter().any(|branch| branch.call.is_none() && all(&branch.steps)),
            Does::Choose(_, body, Some(otherwise)) => all(body) && all(otherwise),
            _ => false,
        }
}
