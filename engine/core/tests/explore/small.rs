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
    /// Its time may run out: of what holds steps.
    pub timed: bool,
}

#[derive(Clone, Debug)]
pub enum Does {
    Read,
    /// `command`: what it runs, so that two may be the same.
    Change {
        command: u64,
        repeatable: bool,
        undo: Undo,
        attempts: u64,
        /// Written as a script.
        script: bool,
        verify: Verify,
    },
    Destroy(Verify),
    Approve(Quorum),
    Ask {
        within: bool,
    },
    Manual {
        within: bool,
        undo: Undo,
    },
    Sleep(Sleep),
    /// That this input holds.
    Check(u64),
    /// Ends its procedure: whether as it should.
    Finish(bool),
    /// Until a condition holds that nobody knows; the id is that of what it looks with.
    Poll(Option<String>),
    /// At most so often, until a condition holds that nobody knows.
    Repeat(u64, Vec<Step>),
    Group(Vec<Step>),
    /// The first list, if this input holds, else the second.
    Choose(u64, Vec<Step>, Option<Vec<Step>>),
    /// Over a list that is not known; so many items may fail; `beside`: all of them at once.
    Each {
        failures: u64,
        beside: bool,
        body: Vec<Step>,
    },
    Parallel(Branch, Branch),
    Call(Box<Procedure>),
    /// The procedure that the call of this id calls, once more.
    Again(String, Box<Procedure>),
}

/// A list that runs beside another; where it is that of a called procedure, the id of the call, and the number of its lock.
#[derive(Clone, Debug)]
pub struct Branch {
    pub steps: Vec<Step>,
    pub call: Option<(String, u64)>,
}

/// What tells whether an attempt did its work whose end nobody saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Verify {
    None,
    /// The step of this id.
    Step(String),
    /// A condition that nobody knows.
    Condition,
}

/// How long a wait takes, which has an hour at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sleep {
    Short,
    Unknown,
    Long,
}

/// How an approval, or a gate, asks.
#[derive(Clone, Copy, Debug)]
pub struct Quorum {
    pub count: u64,
    pub within: bool,
    pub on_timeout: OnTimeout,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OnTimeout {
    Fail,
    Reject,
    Escalate,
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
pub struct Procedure {
    pub steps: Vec<Step>,
    /// What puts something right after a failure, and what tidies up in the end.
    pub mends: Option<Step>,
    pub tidies: Option<Step>,
    /// The number of the first of its two inputs.
    pub inputs: u64,
    pub lock: bool,
    /// Its time may run out: of the run alone.
    pub timed: bool,
}

/// What the workspace asks before each step of an effect.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Only of what destroys.
    pub destructive: bool,
    pub quorum: Quorum,
}

/// A property of all paths.
#[derive(Clone, Debug)]
pub enum Must {
    Never(Moment, Option<Moment>),
    AlwaysBefore(Moment, Moment),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    Step(String, When),
    Effect(Effect, When),
    Verb(&'static str, When),
    Ends(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    Begins,
    Succeeded,
    Failed,
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Effect {
    None,
    Read,
    Change,
    Destructive,
}

#[derive(Clone, Debug)]
pub struct Book {
    pub main: Procedure,
    pub gates: Vec<Gate>,
    /// What the procedure says of all its paths, and what the workspace does.
    pub musts: Vec<Must>,
    pub demanded: Vec<Must>,
}

impl Step {
    pub fn effect(&self) -> Effect {
        match self.does {
            Does::Read | Does::Poll(Some(_)) => Effect::Read,
            Does::Change { .. } | Does::Manual { .. } => Effect::Change,
            Does::Destroy(_) => Effect::Destructive,
            _ => Effect::None,
        }
    }

    pub fn verb(&self) -> &'static str {
        match self.does {
            Does::Approve(_) => "approve",
            Does::Ask { .. } => "ask",
            Does::Manual { .. } => "manual",
            Does::Check(_) => "check",
            _ => "",
        }
    }

    /// How many steps stand in one another. What is around has more time than whatever is in it together, as the checker takes it.
    fn levels(&self) -> u32 {
        let inside = self.inside().into_iter().flatten().map(Step::levels).max();
        inside.map_or(0, |levels| levels + 1)
    }

    /// The lists of steps inside.
    pub fn inside(&self) -> Vec<&[Step]> {
        match &self.does {
            Does::Group(body) | Does::Each { body, .. } | Does::Repeat(_, body) => vec![body],
            Does::Choose(_, body, otherwise) => std::iter::once(body).chain(otherwise).map(Vec::as_slice).collect(),
            Does::Parallel(one, other) => vec![&one.steps, &other.steps],
            Does::Call(procedure) | Does::Again(_, procedure) => {
                let aside = [&procedure.mends, &procedure.tidies].into_iter().flatten().map(std::slice::from_ref);
                [procedure.steps.as_slice()].into_iter().chain(aside).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Book {
    /// Those of the procedure, and then those of the workspace, which are of procedures that at least read.
    pub fn properties(&self) -> Vec<Must> {
        fn acts(list: &[Step]) -> bool {
            list.iter().any(|step| step.effect() > Effect::None || step.inside().into_iter().any(acts))
        }
        let aside = self.main.mends.is_some() || self.main.tidies.is_some();
        let demanded = self.demanded.iter().filter(|_| aside || acts(&self.main.steps));
        self.musts.iter().chain(demanded).cloned().collect()
    }
}

// As documents.

impl Book {
    /// The files of a catalogue, the procedure itself first.
    pub fn documents(&self) -> Vec<(String, String)> {
        let mut main = self.main.document("small");
        if !self.musts.is_empty() {
            main["must"] = self.musts.iter().map(must).collect();
        }
        let mut files = vec![("small.yaml".to_owned(), main.to_string())];
        called(&self.main.steps, &mut files);
        let mut policies: Vec<Json> = (0..).zip(&self.gates).map(|(n, gate)| policy(n, gate)).collect();
        if !self.demanded.is_empty() {
            let demanded: Json = self.demanded.iter().map(must).collect();
            policies.push(json!({"name": "demands", "when": {"effect": "read"}, "require": {"must": demanded}}));
        }
        let workspace = json!({
            "apiVersion": "runbook/v1", "kind": "Workspace", "name": "w",
            "people": {"anna": {}, "ben": {}, "carl": {}},
            "groups": {"ops": ["anna", "ben", "carl"]},
            "policies": policies,
            "escalations": {"night": {"steps": [{"to": ["carl"], "after": "10m"}, {"to": ["ops"], "after": "10m"}]}},
        });
        files.push(("workspace.yaml".to_owned(), workspace.to_string()));
        files
    }

    pub fn written(&self) -> String {
        self.documents().into_iter().map(|(name, text)| format!("{name}: {text}\n")).collect()
    }
}

fn called(list: &[Step], files: &mut Vec<(String, String)>) {
    for step in list {
        match &step.does {
            Does::Call(procedure) => {
                let name = format!("of-{}", step.id);
                files.push((format!("{name}.yaml"), procedure.document(&name).to_string()));
            }
            Does::Parallel(one, other) => {
                for branch in [one, other] {
                    if let Some((id, _)) = &branch.call {
                        let procedure = json!({
                            "apiVersion": "runbook/v1", "kind": "Runbook", "name": format!("of-{id}"), "version": "1.0.0",
                            "inputs": {"n": {"type": "integer"}, "done": {"type": "boolean"}},
                            "lock": "disk/{{inputs.n}}",
                            "steps": steps(&branch.steps),
                        });
                        files.push((format!("of-{id}.yaml"), procedure.to_string()));
                    }
                }
            }
            _ => {}
        }
        // What is called again has its files already.
        if !matches!(step.does, Does::Again(..)) {
            step.inside().into_iter().for_each(|list| called(list, files));
        }
    }
}

impl Procedure {
    fn document(&self, name: &str) -> Json {
        let mut inputs = json!({"hosts": {"type": "list"}, "done": {"type": "boolean"}, "pause": {"type": "duration"}});
        for number in [self.inputs, self.inputs + 1] {
            inputs[format!("b{number}")] = json!({"type": "boolean"});
        }
        let mut document = json!({
            "apiVersion": "runbook/v1", "kind": "Runbook", "name": name, "version": "1.0.0", "escalation": "night",
            "inputs": inputs, "steps": steps(&self.steps),
        });
        if let Some(mends) = &self.mends {
            document["on_failure"] = json!([step(mends)]);
        }
        if let Some(tidies) = &self.tidies {
            document["finally"] = json!([step(tidies)]);
        }
        if self.timed {
            document["timeout"] = json!("40000h");
        }
        if self.lock {
            document["lock"] = json!(format!("whole/{name}"));
        }
        document
    }
}

fn policy(number: usize, gate: &Gate) -> Json {
    let effect = if gate.destructive { "destructive" } else { "change" };
    json!({"name": format!("gate-{number}"), "when": {"effect": effect}, "require": {"approve": asked(&gate.quorum)}})
}

fn asked(quorum: &Quorum) -> Json {
    let mut asked = json!({"from": ["ops"], "count": quorum.count});
    if quorum.within {
        asked["within"] = json!("1h");
        asked["on_timeout"] = json!(match quorum.on_timeout {
            OnTimeout::Fail => "fail",
            OnTimeout::Reject => "reject",
            OnTimeout::Escalate => "escalate",
        });
    }
    asked
}

fn must(must: &Must) -> Json {
    match must {
        Must::Never(what, None) => json!({"never": moment(what)}),
        Must::Never(what, Some(after)) => json!({"never": moment(what), "after": moment(after)}),
        Must::AlwaysBefore(what, comes) => json!({"always_before": moment(what), "comes": moment(comes)}),
    }
}

fn moment(moment: &Moment) -> Json {
    let (mut json, when) = match moment {
        Moment::Step(id, when) => (json!({"step": id}), *when),
        Moment::Effect(effect, when) => {
            let name = match effect {
                Effect::None | Effect::Read => "read",
                Effect::Change => "change",
                Effect::Destructive => "destructive",
            };
            (json!({"effect": name}), *when)
        }
        Moment::Verb(verb, when) => (json!({"verb": verb}), *when),
        Moment::Ends(end) => return json!({"run": end}),
    };
    match when {
        When::Begins => {}
        When::Succeeded => json["ends"] = json!("succeeded"),
        When::Failed => json["ends"] = json!("failed"),
        When::Skipped => json["ends"] = json!("skipped"),
    }
    json
}

fn steps(list: &[Step]) -> Json {
    list.iter().map(step).collect()
}

fn taken_back(json: &mut Json, undo: &Undo) {
    match undo {
        Undo::None => json["irreversible"] = json!("nobody minds"),
        Undo::Plain => json["undo"] = json!({"exec": ["back"], "idempotent": true}),
        Undo::Reads(id) => {
            json["undo"] = json!({"exec": ["back", format!("{{{{steps.{id}.stdout}}}}")], "idempotent": true});
        }
    }
}

fn verified(json: &mut Json, verify: &Verify) {
    match verify {
        Verify::None => {}
        Verify::Step(id) => json["verify"] = json!({"id": id, "exec": ["look"], "effect": "read"}),
        Verify::Condition => json["verify"] = json!("inputs.done"),
    }
}

fn step(step: &Step) -> Json {
    let mut json = match &step.does {
        Does::Read => json!({"exec": ["look"], "effect": "read"}),
        Does::Destroy(verify) => {
            let mut json = json!({"exec": ["destroy"], "effect": "destructive", "irreversible": "it is old"});
            verified(&mut json, verify);
            json
        }
        Does::Approve(quorum) => {
            let mut approve = asked(quorum);
            approve["question"] = json!("Go?");
            json!({"approve": approve})
        }
        Does::Ask { within } => {
            let mut ask = json!({"question": "How large?", "fields": {"size": {"type": "integer"}}});
            if *within {
                ask["within"] = json!("1h");
            }
            json!({"ask": ask})
        }
        Does::Manual { within, undo } => {
            let mut manual = json!({"do": "Move the cable."});
            if *within {
                manual["within"] = json!("1h");
            }
            let mut json = json!({"manual": manual});
            taken_back(&mut json, undo);
            json
        }
        Does::Change { command, repeatable, undo, attempts, script, verify } => {
            let mut json = match script {
                true => json!({"run": format!("change '{command}'")}),
                false => json!({"exec": ["change", command.to_string()]}),
            };
            json["idempotent"] = json!(repeatable);
            taken_back(&mut json, undo);
            verified(&mut json, verify);
            if *attempts > 1 {
                json["retry"] = json!({"attempts": attempts, "delay": "5s"});
            }
            json
        }
        Does::Sleep(sleep) => {
            let time = match sleep {
                Sleep::Short => "5m",
                Sleep::Unknown => "inputs.pause",
                Sleep::Long => "2h",
            };
            json!({"wait": {"for": time, "within": "1h"}})
        }
        Does::Check(input) => json!({"check": [{"that": format!("inputs.b{input}")}]}),
        Does::Finish(well) => json!({"finish": {"outcome": if *well { "succeeded" } else { "failed" }, "message": "Enough."}}),
        Does::Poll(None) => json!({"wait": {"until": "inputs.done", "every": "5s", "within": "1h"}}),
        Does::Poll(Some(probe)) => {
            let probe = json!({"id": probe, "exec": ["look"], "effect": "read"});
            json!({"wait": {"until": "inputs.done", "every": "5s", "within": "1h", "probe": probe}})
        }
        Does::Repeat(times, body) => json!({"repeat": {"until": "inputs.done", "times": times, "steps": steps(body)}}),
        Does::Group(body) => json!({"group": steps(body)}),
        Does::Choose(input, body, otherwise) => {
            let first = json!({"when": format!("inputs.b{input}"), "steps": steps(body)});
            let otherwise = otherwise.iter().map(|body| json!({"otherwise": steps(body)}));
            json!({"choose": std::iter::once(first).chain(otherwise).collect::<Vec<_>>()})
        }
        Does::Each { failures, beside, body } => json!({
            "each": {
                "in": "inputs.hosts", "as": "host", "max_parallel": if *beside { 7 } else { 1 }, "max_failures": failures,
                "steps": steps(body),
            },
        }),
        Does::Parallel(one, other) => json!({"parallel": {"one": branch(one), "other": branch(other)}}),
        Does::Call(procedure) | Does::Again(_, procedure) => {
            let mut with = json!({"hosts": "inputs.hosts", "done": "inputs.done", "pause": "inputs.pause"});
            for (number, given) in [(procedure.inputs, "inputs.b0"), (procedure.inputs + 1, "inputs.b1")] {
                with[format!("b{number}")] = json!(given);
            }
            let of = if let Does::Again(first, _) = &step.does { first } else { &step.id };
            json!({"call": format!("of-{of}@^1"), "with": with})
        }
    };
    json["id"] = json!(step.id);
    if step.timed {
        json["timeout"] = json!(format!("{}h", 3 * 10_u32.pow(step.levels())));
    }
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

fn branch(branch: &Branch) -> Json {
    match &branch.call {
        Some((id, lock)) => {
            json!([{"id": id, "call": format!("of-{id}@^1"), "with": {"n": lock.to_string(), "done": "inputs.done"}}])
        }
        None => steps(&branch.steps),
    }
}
