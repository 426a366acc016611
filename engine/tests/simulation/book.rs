//! Procedures as the simulator's own small tree: what is printed for the engine to read, what the judges know of a run
//! without asking the engine, and what a failing seed is shrunk by. All ids are unique over all procedures of a book, so
//! the last part of any path names one step. Times are in milliseconds.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// The procedures of one simulation. The first is run; it may call the others.
#[derive(Clone, Debug)]
pub struct Book {
    pub procedures: Vec<Procedure>,
    pub gate: Option<Gate>,
    /// Every decision must come from another person than the one who asked for the run.
    pub four_eyes: bool,
}

/// A policy: people must agree before each step that changes something.
#[derive(Clone, Debug)]
pub struct Gate {
    pub from: &'static str,
    pub count: u32,
    pub within: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Procedure {
    pub name: &'static str,
    pub lock: bool,
    pub timeout: Option<u64>,
    pub steps: Vec<Step>,
    pub on_failure: Vec<Step>,
    pub finally: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub id: String,
    pub verb: Verb,
    pub condition: Option<String>,
    /// Where it differs from the verb's own.
    pub effect: Option<&'static str>,
    pub idempotent: bool,
    pub irreversible: bool,
    pub undo: Vec<Step>,
    pub verify: Option<Verify>,
    pub timeout: Option<u64>,
    pub retry: Option<Retry>,
    pub on_failure: OnFailure,
    pub next: Option<String>,
    /// An output that a result without text does not give.
    pub outputs: bool,
}

#[derive(Clone, Debug)]
pub enum Verify {
    Expression(String),
    Step(Box<Step>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum OnFailure {
    Stop,
    Continue,
    Rollback,
    Next(String),
}

#[derive(Clone, Copy, Debug)]
pub struct Retry {
    pub attempts: u32,
    pub delay: u64,
    pub backoff: u32,
    pub max_delay: u64,
    /// In hundredths.
    pub jitter: u32,
}

/// What people are asked, and for how long.
#[derive(Clone, Debug)]
pub struct People {
    pub from: Option<&'static str>,
    pub count: u32,
    pub within: Option<u64>,
    /// `fail`, `reject` or `escalate`.
    pub on_timeout: &'static str,
    pub not_requester: bool,
}

#[derive(Clone, Debug)]
pub enum Verb {
    Run,
    /// The text of an argument, beside the step's id.
    Exec(Option<String>),
    Rhai,
    Http(&'static str),
    Notify,
    Check(Vec<String>),
    Set(String),
    WaitFor(u64),
    WaitUntil {
        until: String,
        every: u64,
        within: u64,
        probe: Option<Box<Step>>,
    },
    Approve(People),
    Ask(People),
    Manual(People),
    Group(Vec<Step>),
    Choose(Vec<(Option<String>, Vec<Step>)>),
    Parallel {
        branches: Vec<(&'static str, Vec<Step>)>,
        most: Option<u32>,
    },
    Each {
        items: u32,
        most: Option<u32>,
        batches: Vec<&'static str>,
        failures: u32,
        steps: Vec<Step>,
    },
    Repeat {
        until: String,
        times: u32,
        every: Option<u64>,
        steps: Vec<Step>,
    },
    Call(&'static str),
    Finish {
        failed: bool,
    },
}

/// The rungs of the escalation that every procedure names: who, and after how long.
pub const LADDER: [(&str, u64); 2] = [("ops", 8_000), ("cleo", 6_000)];

/// Groups and their people. Everybody is the operating-system user of the same name.
pub const GROUPS: [(&str, &[&str]); 2] = [("dba", &["anna", "bob"]), ("ops", &["anna", "bob", "cleo", "dora"])];
pub const PEOPLE: [&str; 4] = ["anna", "bob", "cleo", "dora"];

/// Who belongs to a name.
pub fn members(name: &str) -> Vec<&'static str> {
    let group = GROUPS.iter().find(|(group, _)| *group == name).map(|(_, people)| people.to_vec());
    group.unwrap_or_else(|| PEOPLE.into_iter().filter(|person| *person == name).collect())
}

impl Verb {
    pub fn key(&self) -> &'static str {
        match self {
            Verb::Run => "run",
            Verb::Exec(_) => "exec",
            Verb::Rhai => "rhai",
            Verb::Http(_) => "http",
            Verb::Notify => "notify",
            Verb::Check(_) => "check",
            Verb::Set(_) => "set",
            Verb::WaitFor(_) | Verb::WaitUntil { .. } => "wait",
            Verb::Approve(_) => "approve",
            Verb::Ask(_) => "ask",
            Verb::Manual(_) => "manual",
            Verb::Group(_) => "group",
            Verb::Choose(_) => "choose",
            Verb::Parallel { .. } => "parallel",
            Verb::Each { .. } => "each",
            Verb::Repeat { .. } => "repeat",
            Verb::Call(_) => "call",
            Verb::Finish { .. } => "finish",
        }
    }

    pub fn acts(&self) -> bool {
        matches!(self, Verb::Run | Verb::Exec(_) | Verb::Rhai | Verb::Http(_) | Verb::Notify)
    }

    pub fn people(&self) -> Option<&People> {
        match self {
            Verb::Approve(people) | Verb::Ask(people) | Verb::Manual(people) => Some(people),
            _ => None,
        }
    }

    pub fn holds_steps(&self) -> bool {
        matches!(
            self,
            Verb::Group(_) | Verb::Choose(_) | Verb::Parallel { .. } | Verb::Each { .. } | Verb::Repeat { .. } | Verb::Call(_)
        )
    }

    /// The lists of steps inside.
    pub fn lists(&self) -> Vec<&Vec<Step>> {
        match self {
            Verb::Group(steps) | Verb::Each { steps, .. } | Verb::Repeat { steps, .. } => vec![steps],
            Verb::Choose(branches) => branches.iter().map(|(_, steps)| steps).collect(),
            Verb::Parallel { branches, .. } => branches.iter().map(|(_, steps)| steps).collect(),
            _ => Vec::new(),
        }
    }

    pub fn lists_mut(&mut self) -> Vec<&mut Vec<Step>> {
        match self {
            Verb::Group(steps) | Verb::Each { steps, .. } | Verb::Repeat { steps, .. } => vec![steps],
            Verb::Choose(branches) => branches.iter_mut().map(|(_, steps)| steps).collect(),
            Verb::Parallel { branches, .. } => branches.iter_mut().map(|(_, steps)| steps).collect(),
            _ => Vec::new(),
        }
    }
}

impl Step {
    pub fn new(id: String, verb: Verb) -> Step {
        Step {
            id,
            verb,
            condition: None,
            effect: None,
            idempotent: false,
            irreversible: false,
            undo: Vec::new(),
            verify: None,
            timeout: None,
            retry: None,
            on_failure: OnFailure::Stop,
            next: None,
            outputs: false,
        }
    }

    /// Of a step that acts, or of a `manual`.
    pub fn effect(&self) -> &'static str {
        self.effect.unwrap_or(match self.verb {
            Verb::Run | Verb::Exec(_) | Verb::Notify | Verb::Manual(_) => "change",
            Verb::Http(method) if method != "GET" => "change",
            Verb::Http(_) => "read",
            _ => "none",
        })
    }

    pub fn changes(&self) -> bool {
        matches!(self.effect(), "change" | "destructive")
    }

    /// Whether doing it once more after an unknown end is declared to be harmless.
    pub fn repeatable(&self) -> bool {
        self.idempotent || !self.changes()
    }

    /// Steps beside the verb's own: the undo, the probe, the verification.
    pub fn beside(&self) -> Vec<&Step> {
        let mut beside: Vec<&Step> = self.undo.iter().collect();
        if let Verb::WaitUntil { probe: Some(probe), .. } = &self.verb {
            beside.push(probe);
        }
        if let Some(Verify::Step(step)) = &self.verify {
            beside.push(step);
        }
        beside
    }

    fn visit<'s>(&'s self, visit: &mut impl FnMut(&'s Step)) {
        visit(self);
        for step in self.beside().into_iter().chain(self.verb.lists().into_iter().flatten()) {
            step.visit(visit);
        }
    }

    fn json(&self) -> Json {
        let mut step = json!({"id": self.id});
        self.print_verb(&mut step);
        if let Some(condition) = &self.condition {
            step["if"] = json!(condition);
        }
        if let Some(effect) = self.effect {
            step["effect"] = json!(effect);
        }
        if self.idempotent {
            step["idempotent"] = json!(true);
        }
        if self.irreversible {
            step["irreversible"] = json!("it counts");
        }
        if !self.undo.is_empty() {
            step["undo"] = steps(&self.undo);
        }
        match &self.verify {
            Some(Verify::Expression(expression)) => step["verify"] = json!(expression),
            Some(Verify::Step(look)) => step["verify"] = look.json(),
            None => {}
        }
        if let Some(timeout) = self.timeout {
            step["timeout"] = ms(timeout);
        }
        if let Some(Retry { attempts, delay, backoff, max_delay, jitter }) = self.retry {
            step["retry"] = json!({
                "attempts": attempts, "delay": ms(delay), "backoff": backoff, "max_delay": ms(max_delay),
                "jitter": f64::from(jitter) / 100.0,
            });
        }
        match &self.on_failure {
            OnFailure::Stop => {}
            OnFailure::Continue => step["on_failure"] = json!("continue"),
            OnFailure::Rollback => step["on_failure"] = json!("rollback"),
            OnFailure::Next(id) => step["on_failure"] = json!({"next": id}),
        }
        if let Some(next) = &self.next {
            step["next"] = json!(next);
        }
        if self.outputs {
            step["outputs"] = json!({"word": "result.stdout.trim()"});
        }
        step
    }

    fn print_verb(&self, step: &mut Json) {
        let id = &self.id;
        match &self.verb {
            Verb::Run => step["run"] = json!(format!("work {id}")),
            Verb::Exec(None) => step["exec"] = json!(["work", id]),
            Verb::Exec(Some(text)) => step["exec"] = json!(["work", id, text]),
            Verb::Rhai => step["rhai"] = json!("inputs.n + 1"),
            Verb::Http(method) => step["http"] = json!({"method": method, "url": format!("https://api.example.org/{id}")}),
            Verb::Notify => step["notify"] = json!({"to": ["ops-channel"], "message": format!("{id} in {{{{run.name}}}}")}),
            Verb::Check(all) => step["check"] = all.iter().map(|that| json!({"that": that})).collect(),
            Verb::Set(value) => step["set"] = json!({"x": value}),
            Verb::WaitFor(time) => step["wait"] = json!({"for": ms(*time)}),
            Verb::WaitUntil { until, every, within, probe } => {
                step["wait"] = json!({"until": until, "every": ms(*every), "within": ms(*within)});
                if let Some(probe) = probe {
                    step["wait"]["probe"] = probe.json();
                }
            }
            Verb::Approve(people) => {
                step["approve"] = asked(people, json!({"question": format!("{id}?"), "count": people.count}));
                if people.not_requester {
                    step["approve"]["not_requester"] = json!(true);
                }
            }
            Verb::Ask(people) => {
                let fields = json!({"size": {"type": "integer", "min": 1, "max": 9}});
                step["ask"] = asked(people, json!({"question": format!("How large is {id}?"), "fields": fields}));
            }
            Verb::Manual(people) => step["manual"] = asked(people, json!({"do": format!("Turn {id}")})),
            Verb::Group(inside) => step["group"] = steps(inside),
            Verb::Choose(branches) => {
                let branch = |(when, inside): &(Option<String>, Vec<Step>)| match when {
                    Some(when) => json!({"when": when, "steps": steps(inside)}),
                    None => json!({"otherwise": steps(inside)}),
                };
                step["choose"] = branches.iter().map(branch).collect();
            }
            Verb::Parallel { branches, most } => {
                step["parallel"] = branches.iter().map(|(name, inside)| ((*name).to_owned(), steps(inside))).collect();
                if let Some(most) = most {
                    step["max_parallel"] = json!(most);
                }
            }
            Verb::Each { items, most, batches, failures, steps: inside } => {
                let items: Vec<u32> = (1..=*items).collect();
                step["each"] = json!({"in": format!("{items:?}"), "max_failures": failures, "steps": steps(inside)});
                if let Some(most) = most {
                    step["each"]["max_parallel"] = json!(most);
                }
                if !batches.is_empty() {
                    let size = |batch: &&str| batch.parse::<u32>().map_or_else(|_| json!(batch), |count| json!(count));
                    step["each"]["batches"] = batches.iter().map(size).collect();
                }
            }
            Verb::Repeat { until, times, every, steps: inside } => {
                step["repeat"] = json!({"until": until, "times": times, "steps": steps(inside)});
                if let Some(every) = every {
                    step["repeat"]["every"] = ms(*every);
                }
            }
            Verb::Call(name) => {
                step["call"] = json!(format!("{name}@^1"));
                step["with"] = json!({"n": "inputs.n"});
            }
            Verb::Finish { failed } => step["finish"] = json!({"outcome": if *failed { "failed" } else { "succeeded" }}),
        }
    }
}

fn asked(people: &People, mut verb: Json) -> Json {
    if let Some(from) = people.from {
        verb["from"] = json!([from]);
    }
    if let Some(within) = people.within {
        verb["within"] = ms(within);
        verb["on_timeout"] = json!(people.on_timeout);
    }
    verb
}

fn ms(time: u64) -> Json {
    json!(format!("{time}ms"))
}

fn steps(steps: &[Step]) -> Json {
    steps.iter().map(Step::json).collect()
}

impl Procedure {
    fn json(&self) -> Json {
        let mut procedure = json!({
            "apiVersion": "runbook/v1", "kind": "Runbook", "name": self.name, "version": "1.0.0", "escalation": "ladder",
            "inputs": {"n": {"type": "integer"}},
            "steps": steps(&self.steps),
        });
        if self.lock {
            procedure["lock"] = json!("the-lock");
        }
        if let Some(timeout) = self.timeout {
            procedure["timeout"] = ms(timeout);
        }
        if !self.on_failure.is_empty() {
            procedure["on_failure"] = steps(&self.on_failure);
        }
        if !self.finally.is_empty() {
            procedure["finally"] = steps(&self.finally);
        }
        procedure
    }
}

impl Book {
    pub fn main(&self) -> &Procedure {
        &self.procedures[0]
    }

    /// Each file as JSON, which is YAML; the workspace is the last.
    pub fn files(&self) -> Vec<Json> {
        let mut files: Vec<Json> = self.procedures.iter().map(Procedure::json).collect();
        let rungs: Vec<Json> = LADDER.iter().map(|(to, after)| json!({"to": [to], "after": ms(*after)})).collect();
        let people: BTreeMap<&str, Json> = PEOPLE.into_iter().map(|name| (name, json!({"users": [name]}))).collect();
        let mut workspace = json!({
            "apiVersion": "runbook/v1", "kind": "Workspace", "name": "team",
            "people": people, "groups": BTreeMap::from(GROUPS),
            "escalations": {"ladder": {"steps": rungs}},
            "channels": {"ops-channel": {"log": {}}},
        });
        let mut policies = Vec::new();
        if let Some(gate) = &self.gate {
            let mut approve = json!({"from": [gate.from], "count": gate.count});
            if let Some(within) = gate.within {
                approve["within"] = ms(within);
            }
            policies.push(json!({"name": "changes", "when": {"effect": "change"}, "require": {"approve": approve}}));
        }
        if self.four_eyes {
            policies.push(json!({"name": "eyes", "when": {"effect": "change"}, "require": {"four_eyes": true}}));
        }
        if !policies.is_empty() {
            workspace["policies"] = json!(policies);
        }
        files.push(workspace);
        files
    }

    /// Every step that a run comes to by itself, with its path, without numbers of items and rounds.
    pub fn paths(&self) -> Vec<(String, &Step)> {
        fn within<'b>(book: &'b Book, prefix: &str, steps: &'b [Step], found: &mut Vec<(String, &'b Step)>) {
            for step in steps {
                let path = format!("{prefix}{}", step.id);
                match &step.verb {
                    Verb::Parallel { branches, .. } => {
                        branches.iter().for_each(|(name, inside)| within(book, &format!("{path}.{name}/"), inside, found));
                    }
                    Verb::Call(called) => {
                        let called = book.procedures.iter().find(|procedure| procedure.name == *called);
                        called.into_iter().for_each(|called| within(book, &format!("{path}/"), &called.steps, found));
                    }
                    verb => verb.lists().into_iter().for_each(|inside| within(book, &format!("{path}/"), inside, found)),
                }
                found.push((path, step));
            }
        }
        let mut found = Vec::new();
        within(self, "", &self.main().steps, &mut found);
        found
    }

    /// Every step by its id.
    pub fn by_id(&self) -> BTreeMap<&str, &Step> {
        let mut found = BTreeMap::new();
        for procedure in &self.procedures {
            for step in procedure.steps.iter().chain(&procedure.on_failure).chain(&procedure.finally) {
                step.visit(&mut |step| {
                    found.insert(step.id.as_str(), step);
                });
            }
        }
        found
    }
}
