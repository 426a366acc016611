//! What a procedure and a step say, one thing at a time and in words: what two versions of them are compared by.

use serde::Serialize;

use crate::expr::{Expression, Template};
use crate::id::Digest;
use crate::plan::must::PolicyMust;
use crate::plan::{
    EnvValue, HeaderValue, HttpBody, InputSpec, JsonTemplate, OnFailure, Plan, Procedure, Step, ValueSpec, Verb, Verify, WaitFor,
};
use crate::policy::{Gate, Window};
use crate::trigger::Trigger;
use crate::value::{Value, format_duration};

/// One thing that is said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub what: String,
    pub text: String,
    /// What the words come from, where their weight depends on more than that they are others.
    pub measure: Measure,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Measure {
    Words,
    Count(u64),
    Input(Box<ValueSpec>),
    /// Whom it asks or tells; nobody by name is whoever may operate.
    Names(Vec<String>),
    /// The same, with what proves who they are.
    People {
        from: Vec<String>,
        all: Digest,
    },
    Statuses(Vec<u16>),
    Gate(Box<Gate>),
    Trigger(Box<Trigger>),
}

impl Part {
    /// Whom an approval that policy adds asks.
    pub fn asked(&self) -> Option<&[String]> {
        if let Measure::Gate(gate) = &self.measure { Some(&gate.from) } else { None }
    }

    pub fn says_the_same(&self, other: &Part) -> bool {
        let people = match (&self.measure, &other.measure) {
            (Measure::People { all, .. }, Measure::People { all: others, .. }) => all == others,
            _ => true,
        };
        self.text == other.text && people
    }
}

struct Parts(Vec<Part>);

impl Parts {
    fn say(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.measured(what, text, Measure::Words);
    }

    fn measured(&mut self, what: impl Into<String>, text: impl Into<String>, measure: Measure) {
        self.0.push(Part { what: what.into(), text: text.into(), measure });
    }

    fn maybe(&mut self, what: &str, text: Option<impl Into<String>>) {
        if let Some(text) = text {
            self.say(what, text);
        }
    }

    fn text(&mut self, what: &str, text: Option<&Template>) {
        self.maybe(what, text.map(|text| text.source.as_str()));
    }

    fn duration(&mut self, what: &str, duration: Option<std::time::Duration>) {
        self.maybe(what, duration.map(format_duration));
    }

    fn asked(&mut self, from: &[String]) {
        let text = if from.is_empty() { "whoever may operate".to_owned() } else { from.join(", ") };
        self.measured("asked", text, Measure::Names(from.to_vec()));
    }

    fn flag(&mut self, what: &str, is: bool) {
        if is {
            self.say(what, "yes");
        }
    }
}

/// A word of the language for a value of a closed set.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// `called`: whether it is only called by the one that the plan is of.
pub(super) fn of_procedure(plan: &Plan, procedure: &Procedure, called: bool) -> Vec<Part> {
    let mut parts = Parts(Vec::new());
    parts.say("kind", word(&procedure.kind));
    parts.say("name", procedure.name.as_str());
    parts.maybe("title", procedure.title.as_deref());
    parts.maybe("description", procedure.description.as_deref());
    parts.maybe("owner", procedure.owner.as_deref());
    parts.say("impact", word(&procedure.impact));
    for (name, value) in &procedure.labels {
        parts.say(format!("label {name}"), value);
    }
    if !procedure.contacts.is_empty() {
        parts.say("contacts", procedure.contacts.join("\n"));
    }
    for input in &procedure.inputs {
        parts.measured(format!("input {}", input.name), value_spec(&input.value), Measure::Input(Box::new(input.value.clone())));
    }
    for (name, source) in &procedure.secrets {
        parts.say(format!("secret {name}"), word(source));
    }
    parts.text("lock", procedure.lock.as_ref());
    parts.duration("timeout", procedure.timeout);
    for (name, expression) in &procedure.outputs {
        parts.say(format!("output {name}"), &expression.source);
    }
    if let Some(escalation) = &procedure.escalation {
        let rungs = escalation.rungs.iter().enumerate().map(|(number, rung)| {
            let told = all_at_once(rung.to.iter().chain(&rung.channels));
            // A run goes by the impact of what was started.
            let pace = escalation.pace_of(number, plan.main().impact).unwrap_or(rung.after);
            format!("{told}, {} each", format_duration(pace))
        });
        let told =
            if escalation.channels.is_empty() { String::new() } else { format!("{}; then ", all_at_once(&escalation.channels)) };
        let text = told + &rungs.collect::<Vec<_>>().join("; then ");
        let to = escalation.rungs.iter().flat_map(|rung| rung.to.clone());
        parts.measured("escalation", text, Measure::Names(to.collect()));
    }
    for must in &procedure.must {
        // A property is what it says, wherever it stands in the list.
        parts.say(format!("must {}", must.rule.written(plan)), must.why.as_deref().unwrap_or("yes"));
    }
    if let Some(environment) = plan.policy.environment.as_ref().filter(|_| !called) {
        parts.say("environment", &environment.name);
    }
    parts.0
}

/// Of an environment itself, beside what rules ask for in it.
pub(super) const OF_PLACES: [&str; 3] = ["production", "freeze", "change windows"];

/// What the workspace asks for in the environment of the plan, of the run as a whole.
pub(super) fn of_rules(plan: &Plan) -> Vec<Part> {
    let mut parts = Parts(Vec::new());
    let demands = plan.demands();
    parts.flag("four eyes", demands.four_eyes);
    parts.flag("signed decisions", demands.signed);
    for PolicyMust { policy, must } in &plan.policy_must {
        parts.say(format!("policy {policy} must {}", must.rule.written(plan)), must.why.as_deref().unwrap_or("yes"));
    }
    if let Some(environment) = &plan.policy.environment {
        let [production, freeze, change_windows] = OF_PLACES;
        parts.flag(production, environment.production);
        for (what, windows) in [(freeze, &environment.freeze), (change_windows, &environment.change_windows)] {
            let windows: Vec<String> = windows.iter().map(window).collect();
            parts.maybe(what, (!windows.is_empty()).then(|| windows.join("\n")));
        }
    }
    parts.0
}

/// The approvals that the workspace's policies add before a step in the environment of the plan.
pub(super) fn of_gates(step: &Step) -> Vec<Part> {
    let mut parts = Parts(Vec::new());
    for gate in &step.gates {
        parts.measured(format!("gate {}", gate.rule), gate_text(gate), Measure::Gate(Box::new(gate.clone())));
    }
    parts.0
}

/// Their order says nothing.
fn all_at_once<'t>(told: impl IntoIterator<Item = &'t String>) -> String {
    told.into_iter().map(String::as_str).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

pub(super) fn window(window: &Window) -> String {
    match window {
        Window::Once { from, to, reason } => format!("from {from} to {to}: {reason}"),
        Window::Weekly { days, from_minute, to_minute, zone, reason } => {
            const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let day = |day: &u8| usize::from(*day).checked_sub(1).and_then(|day| DAYS.get(day)).copied();
            let days: Vec<&str> = days.iter().filter_map(day).collect();
            let clock = |minute: &u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            format!("{} from {} to {}, {zone}: {reason}", days.join(", "), clock(from_minute), clock(to_minute))
        }
    }
}

/// A type and what else must hold, on one line.
fn value_spec(spec: &ValueSpec) -> String {
    let mut words = vec![word(&spec.r#type)];
    if let (Some(items), Some(first)) = (&spec.items, words.first_mut()) {
        // Whether one of them is given is never a question.
        let of = value_spec(&ValueSpec { required: false, ..(**items).clone() });
        *first = if of.contains(", ") { format!("{first} of ({of})") } else { format!("{first} of {of}") };
    }
    if spec.required {
        words.push("required".to_owned());
    }
    let said = |value: &Value| crate::expr::to_json(value);
    words.extend(spec.default.as_ref().map(|value| format!("default {}", said(value))));
    words.extend(spec.pattern.as_ref().map(|pattern| format!("pattern {pattern}")));
    words.extend(spec.min.as_ref().map(|value| format!("at least {}", said(value))));
    words.extend(spec.max.as_ref().map(|value| format!("at most {}", said(value))));
    if !spec.choices.is_empty() {
        words.push(format!("one of {}", spec.choices.iter().map(said).collect::<Vec<_>>().join(", ")));
    }
    words.join(", ")
}

pub(super) fn of_step(plan: &Plan, step: &Step) -> Vec<Part> {
    let mut parts = Parts(Vec::new());
    parts.say("verb", step.verb.key());
    verb(plan, &step.verb, &mut parts);
    parts.measured("effect", step.effect.to_string(), Measure::Count(step.effect as u64));
    parts.maybe("if", step.condition.as_ref().map(|condition| &condition.source));
    parts.text("name", step.name.as_ref());
    parts.text("why", step.why.as_ref());
    parts.text("by hand", step.by_hand.as_ref());
    parts.maybe("owner", step.owner.as_deref());
    parts.flag("idempotent", step.idempotent);
    parts.maybe("irreversible", step.irreversible.as_deref());
    if !step.undo.is_empty() {
        // What it does stands in its steps.
        parts.say("undo", "yes");
    }
    match &step.verify {
        Some(Verify::Expression(expression)) => parts.say("verify", &expression.source),
        Some(Verify::Step(_)) => parts.say("verify", "a step"),
        None => {}
    }
    parts.duration("timeout", step.timeout);
    if let Some(retry) = &step.retry {
        let (delay, most) = (format_duration(retry.delay), format_duration(retry.max_delay));
        parts.say(
            "retry",
            format!("{} attempts, {delay} between them, × {} to {most}, jitter {}", retry.attempts, retry.backoff, retry.jitter),
        );
    }
    parts.maybe(
        "on failure",
        match step.on_failure {
            OnFailure::Stop => None,
            OnFailure::Continue => Some("continue".to_owned()),
            OnFailure::Rollback => Some("rollback".to_owned()),
            OnFailure::Next(to) => Some(format!("next {}", plan.step(to).label)),
        },
    );
    parts.maybe("next", step.next.map(|to| plan.step(to).label.clone()));
    for (name, expression) in &step.outputs {
        parts.say(format!("output {name}"), &expression.source);
    }
    for (name, value) in &step.env {
        let text = match value {
            EnvValue::Expression(expression) => expression.source.clone(),
            EnvValue::Secret(secret) => format!("secrets.{secret}"),
        };
        parts.say(format!("env {name}"), text);
    }
    parts.text("dir", step.dir.as_ref());
    parts.maybe("example", step.example.as_ref().map(crate::expr::to_json));
    parts.0
}

fn gate_text(gate: &Gate) -> String {
    let from = if gate.from.is_empty() { "whoever may operate".to_owned() } else { gate.from.join(", ") };
    let mut words = vec![format!("{} of {from}", gate.count)];
    words.extend(gate.within.map(|within| format!("within {}", format_duration(within))));
    words.extend(gate.not_requester.then(|| "not the requester".to_owned()));
    words.extend(gate.signed.then(|| "signed".to_owned()));
    words.push(format!("on timeout {}", word(&gate.on_timeout)));
    words.join(", ")
}

fn verb(plan: &Plan, verb: &Verb, parts: &mut Parts) {
    let lines = |texts: &mut dyn Iterator<Item = &str>| texts.collect::<Vec<_>>().join("\n");
    let pairs = |parts: &mut Parts, what: &str, pairs: &[(crate::id::Id, Expression)]| {
        pairs.iter().for_each(|(name, expression)| parts.say(format!("{what} {name}"), &expression.source));
    };
    match verb {
        Verb::Run { script, shell } => {
            parts.say("script", &script.source);
            parts.say("shell", word(shell));
        }
        Verb::Exec(arguments) => {
            let arguments: Vec<&str> = arguments.iter().map(|argument| argument.source.as_str()).collect();
            parts.say("command", word(&arguments));
        }
        Verb::Rhai(script) => parts.say("script", &script.source),
        Verb::Http(http) => {
            parts.say("request", format!("{} {}", http.method, http.url.source));
            for (name, text) in &http.query {
                parts.say(format!("query {name}"), &text.source);
            }
            for (name, value) in &http.headers {
                let text = match value {
                    HeaderValue::Text(text) => text.source.clone(),
                    HeaderValue::Secret(secret) => format!("secrets.{secret}"),
                };
                parts.say(format!("header {name}"), text);
            }
            parts.maybe("body", http.body.as_ref().map(body));
            if !http.expect_status.is_empty() {
                parts.measured("expected status", word(&http.expect_status), Measure::Statuses(http.expect_status.clone()));
            }
            parts.maybe("expect", http.expect.as_ref().map(|expect| &expect.source));
        }
        Verb::Check(assertions) => {
            for assertion in assertions {
                // An assertion is what it says, wherever it stands in the list.
                let otherwise = assertion.otherwise.as_ref().map_or("yes", |text| &text.source);
                parts.say(format!("assertion {}", assertion.that.source), otherwise);
            }
        }
        Verb::Set(values) => pairs(parts, "value", values),
        Verb::Wait(wait) => {
            match &wait.what {
                WaitFor::Duration(duration) => parts.say("wait for", &duration.source),
                WaitFor::Until { until, probe } => {
                    parts.say("wait until", &until.source);
                    parts.flag("probe", probe.is_some());
                    parts.say("every", format_duration(wait.every));
                }
            }
            parts.duration("within", wait.within);
        }
        Verb::Listen(listen) => {
            parts.say("wait for an event of", &listen.source);
            parts.maybe("event when", listen.when.as_ref().map(|when| &when.source));
            parts.say("events since", word(&listen.since));
            parts.duration("within", Some(listen.within));
        }
        Verb::Approve(approve) => {
            parts.say("question", &approve.question.source);
            parts.asked(&approve.from);
            parts.measured("approvals", approve.count.to_string(), Measure::Count(approve.count.into()));
            parts.duration("within", approve.within);
            parts.say("on timeout", word(&approve.on_timeout));
            parts.flag("not the requester", approve.not_requester);
        }
        Verb::Ask(ask) => {
            parts.say("question", &ask.question.source);
            for InputSpec { name, value } in &ask.fields {
                parts.measured(format!("field {name}"), value_spec(value), Measure::Input(Box::new(value.clone())));
            }
            parts.asked(&ask.from);
            parts.duration("within", ask.within);
            parts.say("on timeout", word(&ask.on_timeout));
        }
        Verb::Manual(manual) => {
            parts.say("instruction", &manual.instruction.source);
            parts.text("expect", manual.expect.as_ref());
            parts.text("evidence", manual.evidence.as_ref());
            parts.asked(&manual.from);
            parts.duration("within", manual.within);
            parts.say("on timeout", word(&manual.on_timeout));
        }
        Verb::Notify { to, subject, message } => {
            parts.say("channels", to.join(", "));
            parts.text("subject", subject.as_ref());
            parts.say("message", &message.source);
        }
        Verb::Call { procedure, with } => {
            let called = plan.procedure(*procedure);
            parts.say("procedure", format!("{} {}", called.name, called.version));
            pairs(parts, "with", with);
        }
        Verb::Choose(branches) => {
            let whens = &mut branches.iter().map(|branch| branch.when.as_ref().map_or("otherwise", |when| &when.source));
            parts.say("branches", lines(whens));
        }
        Verb::Parallel { branches, max_parallel } => {
            parts.say("branches", lines(&mut branches.iter().map(|(name, _)| name.as_str())));
            parts.measured("at once", max_parallel.to_string(), Measure::Count((*max_parallel).into()));
        }
        Verb::Each(each) => {
            parts.say("items", &each.items.source);
            parts.say("as", each.r#as.as_str());
            parts.measured("at once", each.max_parallel.to_string(), Measure::Count(each.max_parallel.into()));
            if !each.batches.is_empty() {
                parts.say("batches", word(&each.batches));
            }
            parts.measured("failures tolerated", each.max_failures.to_string(), Measure::Count(each.max_failures.into()));
        }
        Verb::Repeat { until, times, every, body: _ } => {
            parts.say("until", &until.source);
            parts.say("times", times.to_string());
            parts.duration("every", *every);
        }
        Verb::Group(_) => {}
        Verb::Finish { outcome, message } => {
            parts.say("outcome", word(outcome));
            parts.text("message", message.as_ref());
        }
    }
}

fn body(body: &HttpBody) -> String {
    match body {
        HttpBody::Json(json) => self::json(json).to_string(),
        HttpBody::Form(fields) => {
            fields.iter().map(|(name, text)| format!("{name}={}", text.source)).collect::<Vec<_>>().join("\n")
        }
        HttpBody::Raw(text) => text.source.clone(),
    }
}

pub(super) fn json(template: &JsonTemplate) -> serde_json::Value {
    match template {
        JsonTemplate::Value(value) => serde_json::to_value(value).unwrap_or_default(),
        JsonTemplate::Text(text) => text.source.clone().into(),
        JsonTemplate::List(items) => items.iter().map(json).collect(),
        JsonTemplate::Map(entries) => entries.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}
