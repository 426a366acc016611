//! What is told of a procedure to whoever has to know it: the same in every form, in the order in which it is asked for at three in the
//! morning. What depends on the day is not part of it.

mod html;
mod index;
mod man;
mod manual;
mod markdown;
mod mermaid;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::document::input::InputType;
use runbook_core::document::procedure::{Beyond, OnResolved, ProcedureKind, Second, Trigger};
use runbook_core::document::step::{BatchSize, FinishOutcome, OnTimeout};
use runbook_core::effect::Effect;
use runbook_core::explore::Longest;
use runbook_core::guide::{self, Entry, Guide, Lead, written};
use runbook_core::plan::{
    EnvValue, HeaderValue, Http, HttpBody, InputSpec, JsonTemplate, OnFailure, Procedure, SecretSource, ValueSpec, Verb, Verify,
    WaitFor,
};
use runbook_core::policy::Escalation;
use runbook_core::value::{Value, format_duration};

use super::asked::{Asked, asked, whom};
use super::dry_run::{language, shell_word};
use super::said::{Said, block, code, prose, text};

pub use html::to_html;
pub use index::{Row, index_in_html, index_in_markdown};
pub use man::to_man;
pub use manual::to_manual;
pub use markdown::to_markdown;

/// What writes these pages, by which it knows its own.
const WRITER: &str = "runbook docs";

/// Whether a page was written here, and may be written anew.
pub fn is_ours(page: &str) -> bool {
    let head = page.lines().take(20);
    [format!("Written by {WRITER};"), format!("Written by `{WRITER}`;"), html::GENERATOR.to_owned()]
        .iter()
        .any(|mark| head.clone().any(|line| line.contains(mark.as_str())))
}

/// The name and version, and the title where there is one.
fn heading(guide: &Guide<'_>) -> String {
    let main = guide.plan.main();
    format!("{} {}", main.name, main.version)
}

/// What a step is for, in a few words.
fn heading_of(guide: &Guide<'_>, entry: &Entry) -> String {
    let step = guide.step(entry);
    // What is called ends, and whoever called it goes on.
    if let (Verb::Finish { outcome, .. }, None, Some((call, _))) = (&step.verb, &step.name, entry.number.rsplit_once('.')) {
        return format!("End {call} here: {}", ends(*outcome));
    }
    guide::title(guide.plan, guide.step(entry))
}

/// Where a step stands in another one, in words: which, and which way of it begins.
fn place(entry: &Entry) -> Option<String> {
    let within = entry.within.as_ref()?;
    Some(match &entry.lead {
        None => format!("part of {within}"),
        Some(Lead::When(when)) => format!("{within}, if `{when}`"),
        Some(Lead::Otherwise) => format!("{within}, otherwise"),
        Some(Lead::Branch(name)) => format!("{within}, {name}: at once with the other branches"),
        Some(Lead::Probe) => format!("{within}, the look that is taken again and again"),
        Some(Lead::InPlaceOf(parts)) => format!("where all of {within} succeeded, in place of {}", parts.join(", ")),
        Some(Lead::PartOf(whole)) => format!("only where {whole} did not succeed as a whole"),
    })
}

/// What is told of the whole, in the order in which it is looked for.
fn facts(guide: &Guide<'_>) -> Vec<Said> {
    let (main, document) = (guide.plan.main(), guide.document);
    let kind = match main.kind {
        ProcedureKind::Runbook => "runbook",
        ProcedureKind::Playbook => "playbook",
    };
    let mut facts = vec![text("kind", format!("{kind}, impact {}", impact(main)))];
    facts.extend(main.owner.as_ref().map(|owner| text("owner", owner)));
    facts.extend((!main.contacts.is_empty()).then(|| text("contacts", main.contacts.join(", "))));
    let effect = guide.plan.highest_effect();
    facts.push(text("strongest effect", effect.name()));
    facts.extend(guide.environment.map(|environment| text("environment", environment)));
    if let Some(reviewed) = &document.reviewed {
        let every = document.review_every.as_ref();
        let due = every.and_then(|every| reviewed.value.checked_add(every.value).ok());
        let due = due.map(|due| format!(", to be reviewed again by {due}")).unwrap_or_default();
        facts.push(text("reviewed", format!("{}{due}", reviewed.value)));
    }
    facts.extend(document.exercise_every.as_ref().map(|every| text("exercised", format!("every {}", days(every.value)))));
    facts.extend(main.lock.as_ref().map(|lock| code("lock", written(&lock.source))));
    facts.extend(main.timeout.map(|timeout| text("the whole takes at most", format_duration(timeout))));
    for (name, value) in &main.labels {
        facts.push(code("label", format!("{name}: {value}")));
    }
    facts.extend(document.triggers.iter().map(|trigger| text("starts by itself", self::trigger(trigger))));
    facts
}

/// A time in days, where it is whole days.
pub fn days(time: std::time::Duration) -> String {
    let day = 24 * 60 * 60;
    match (time.as_secs() / day, time.as_secs() % day) {
        (1, 0) => "day".to_owned(),
        (days, 0) if days > 0 => format!("{days} days"),
        _ => format_duration(time),
    }
}

fn impact(main: &Procedure) -> &'static str {
    use runbook_core::document::procedure::Impact;
    match main.impact {
        Impact::Low => "low",
        Impact::Medium => "medium",
        Impact::High => "high",
        Impact::Critical => "critical",
    }
}

fn trigger(trigger: &Trigger) -> String {
    let mut text = format!("on an event of {}", trigger.source.value);
    text.extend(trigger.when.iter().map(|when| format!(" when `{}`", when.value.trim())));
    if !trigger.inputs.is_empty() {
        let inputs = trigger.inputs.iter().map(|(name, value)| format!("{} = `{}`", name.value, value.value.trim()));
        text.push_str(&format!(", with {}", inputs.collect::<Vec<_>>().join(", ")));
    }
    if let Some(dedup) = &trigger.dedup {
        text.push_str(&format!("; once for the same `{}` within {}", dedup.key.value, format_duration(dedup.window.value)));
    }
    if let Some(limit) = &trigger.limit {
        let then = match limit.then.as_ref().map(|then| then.value).unwrap_or_default() {
            Beyond::Drop => "then dropped",
            Beyond::Defer => "then later",
            Beyond::Escalate => "then people are told",
        };
        text.push_str(&format!("; at most {} runs in {}, {then}", limit.runs.value, format_duration(limit.per.value)));
    }
    match trigger.on_resolved.as_ref().map(|on| on.value) {
        Some(OnResolved::CancelIfWaiting) => text.push_str("; cancelled if it still waits when the event is over"),
        Some(OnResolved::Annotate) => text.push_str("; noted when the event is over"),
        Some(OnResolved::Ignore) | None => {}
    }
    if let Some(concurrency) = &trigger.concurrency {
        let then = match concurrency.then.as_ref().map(|then| then.value).unwrap_or_default() {
            Second::Queue => "waits for the first",
            Second::Skip => "is left out",
            Second::Replace => "takes the place of the first",
        };
        text.push_str(&format!("; a second one for the same `{}` {then}", concurrency.key.value));
    }
    text
}

/// One declared value: its name, its type, what it is if nobody says, and what it is for.
struct Wanted {
    name: String,
    r#type: String,
    /// Absent where it has to be given.
    default: Option<String>,
    description: String,
}

fn wanted(specs: &[InputSpec]) -> Vec<Wanted> {
    let default = |value: &ValueSpec| match &value.default {
        Some(value) => Some(as_typed(value)),
        None => (!value.required).then(|| "(none)".to_owned()),
    };
    let wanted = |spec: &InputSpec| Wanted {
        name: spec.name.to_string(),
        r#type: takes(&spec.value),
        default: default(&spec.value),
        description: spec.value.description.clone().unwrap_or_default(),
    };
    specs.iter().map(wanted).collect()
}

fn as_typed(value: &Value) -> String {
    match value.to_plain_json() {
        serde_json::Value::String(text) => text,
        json => json.to_string(),
    }
}

/// What a value has to be.
fn takes(spec: &ValueSpec) -> String {
    let mut text = match InputType::ALL.iter().find(|(_, known)| *known == spec.r#type) {
        Some((name, _)) => (*name).to_owned(),
        None => String::new(),
    };
    if !spec.choices.is_empty() {
        text = format!("one of {}", spec.choices.iter().map(as_typed).collect::<Vec<_>>().join(", "));
    }
    text.extend(spec.items.as_ref().map(|items| format!(" of {}", takes(items))));
    text.extend(spec.min.as_ref().map(|min| format!(", at least {}", as_typed(min))));
    text.extend(spec.max.as_ref().map(|max| format!(", at most {}", as_typed(max))));
    text.extend(spec.pattern.as_ref().map(|pattern| format!(", like {pattern}")));
    text
}

/// Where each secret comes from, those of called procedures behind their name.
fn secrets(guide: &Guide<'_>) -> Vec<(String, String)> {
    let mut secrets = Vec::new();
    for (place, procedure) in guide.plan.procedures.iter().enumerate() {
        for (name, source) in &procedure.secrets {
            let of = if place == 0 { String::new() } else { format!(" of {}", procedure.name) };
            let from = match source {
                SecretSource::Env(name) => format!("the variable {name}"),
                SecretSource::File(path) => format!("the file {path}"),
                SecretSource::Command(argv) => argv.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "),
                SecretSource::Age { file, key, .. } => format!("{key} in the encrypted file {file}"),
            };
            secrets.push((format!("{name}{of}"), from));
        }
    }
    secrets
}

/// Decisions that the same people take.
struct Decides {
    /// The numbers of the steps, in the order in which they come up.
    steps: Vec<String>,
    who: String,
}

/// Every decision: those of the first step first.
fn decisions(guide: &Guide<'_>) -> Vec<Decides> {
    let mut found: Vec<Decides> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for entry in guide.entries() {
        for who in gates(guide, entry).into_iter().chain(decides(guide, entry)) {
            let place = *places.entry(who.clone()).or_insert(found.len());
            match found.get_mut(place) {
                Some(known) => known.steps.push(entry.number.clone()),
                None => found.push(Decides { steps: vec![entry.number.clone()], who }),
            }
        }
    }
    found
}

/// Who decides in a step that asks.
fn decides(guide: &Guide<'_>, entry: &Entry) -> Option<String> {
    let demands = guide.plan.demands();
    let (from, count, within, on_timeout, not_requester, guarded) = match &guide.step(entry).verb {
        Verb::Approve(a) => (&a.from, a.count, a.within, a.on_timeout, a.not_requester, true),
        Verb::Ask(a) => (&a.from, 1, a.within, a.on_timeout, false, false),
        Verb::Manual(m) => (&m.from, 1, m.within, m.on_timeout, false, false),
        _ => return None,
    };
    let who = Asked {
        from,
        count,
        not_requester: not_requester || (guarded && demands.four_eyes),
        signed: guarded && demands.signed,
        within,
        on_timeout,
        rungs: rungs(guide, entry, on_timeout),
        rule: None,
    };
    Some(asked(&who, &guide.plan.policy.people))
}

/// Who approves before a step because of a rule of the workspace.
fn gates(guide: &Guide<'_>, entry: &Entry) -> Vec<String> {
    let gates = entry.gates.iter().map(|found| {
        let gate = &found.gate;
        let who = Asked {
            from: &gate.from,
            count: gate.count,
            not_requester: gate.not_requester,
            signed: gate.signed,
            within: gate.within,
            on_timeout: gate.on_timeout,
            rungs: rungs(guide, entry, gate.on_timeout),
            rule: Some(&gate.rule),
        };
        let place = if found.environments.is_empty() { String::new() } else { format!("in {}: ", found.environments.join(", ")) };
        format!("{place}{}", asked(&who, &guide.plan.policy.people))
    });
    gates.collect()
}

fn escalation<'g>(guide: &'g Guide<'_>, entry: &Entry) -> Option<&'g Escalation> {
    guide.plan.procedure(entry.procedure).escalation.as_ref().or(guide.plan.main().escalation.as_ref())
}

fn rungs<'g>(guide: &'g Guide<'_>, entry: &Entry, on_timeout: OnTimeout) -> Vec<(&'g [String], std::time::Duration)> {
    let Some(escalation) = escalation(guide, entry).filter(|_| on_timeout == OnTimeout::Escalate) else { return Vec::new() };
    let pace = |(place, rung): (usize, _)| Some((rung, escalation.pace_of(place, guide.plan.main().impact)?));
    let rungs = escalation.rungs.iter().enumerate().filter_map(pace);
    rungs.map(|(rung, within): (&runbook_core::policy::Rung, _)| (rung.to.as_slice(), within)).collect()
}

/// Whom the procedure's escalation asks, one after the other.
fn ladder(guide: &Guide<'_>) -> Vec<String> {
    let main = guide.plan.main();
    let Some(escalation) = &main.escalation else { return Vec::new() };
    let rung = |(place, rung): (usize, &runbook_core::policy::Rung)| {
        let told = if rung.channels.is_empty() { String::new() } else { format!("; told in {}", rung.channels.join(", ")) };
        let has = escalation.pace_of(place, main.impact).map(|time| format!("; has {}", format_duration(time))).unwrap_or_default();
        format!("{}{told}{has}", whom(&rung.to, &guide.plan.policy.people))
    };
    escalation.rungs.iter().enumerate().map(rung).collect()
}

/// Everybody whom the guide names, with how they are reached.
fn roster(guide: &Guide<'_>) -> Vec<(String, String)> {
    let people = &guide.plan.policy.people;
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for entry in guide.entries() {
        let own: &[String] = match &guide.step(entry).verb {
            Verb::Approve(a) => &a.from,
            Verb::Ask(a) => &a.from,
            Verb::Manual(m) => &m.from,
            _ => &[],
        };
        names.extend(own.iter().chain(entry.gates.iter().flat_map(|gate| &gate.gate.from)).flat_map(|name| people.members(name)));
    }
    let ladder = guide.plan.main().escalation.iter().flat_map(|escalation| &escalation.rungs).flat_map(|rung| &rung.to);
    names.extend(ladder.flat_map(|name| people.members(name)));
    let person = |name: &str| {
        let known = people.people.get(name);
        let told = known.into_iter().flat_map(|person| [person.name.clone(), person.mail.clone()]).flatten();
        (name.to_owned(), told.collect::<Vec<_>>().join(", "))
    };
    names.into_iter().map(person).collect()
}

/// What is told of a step below its heading.
fn said(guide: &Guide<'_>, entry: &Entry) -> Vec<Said> {
    let step = guide.step(entry);
    let mut said = Vec::new();
    said.extend(step.why.as_ref().map(|why| prose("why", written(&why.source))));
    said.extend(step.condition.as_ref().map(|condition| code("only if", condition.source.trim())));
    said.extend(gates(guide, entry).into_iter().map(|who| text("approved first", who)));
    said.extend(does(guide, entry));
    said.extend(step.dir.as_ref().map(|dir| code("in", written(&dir.source))));
    said.extend(step.outputs.iter().map(|(name, value)| code("gives", format!("{name} = {}", value.source.trim()))));
    said.extend(took_place(guide, entry));
    said.extend(after(guide, entry));
    said.extend(step.by_hand.as_ref().map(|by_hand| prose("by hand", written(&by_hand.source))));
    said.extend(step.owner.as_ref().map(|owner| text("owner", owner)));
    said
}

/// How it is known whether a step took place.
fn took_place(guide: &Guide<'_>, entry: &Entry) -> Vec<Said> {
    match &guide.step(entry).verify {
        None => Vec::new(),
        Some(Verify::Expression(holds)) => vec![code("took place if", holds.source.trim())],
        Some(Verify::Step(ix)) => {
            let look = Entry { step: *ix, lead: None, gates: Vec::new(), ..entry.clone() };
            let (own, dir) = (does(guide, entry), &guide.plan.step(*ix).dir);
            let dir = dir.as_ref().filter(|dir| guide.step(entry).dir.as_ref().is_none_or(|own| own.source != dir.source));
            let told = does(guide, &look).into_iter().filter(|said| !(said.name == "variable" && own.contains(said)));
            let told = told
                .map(|said| if said.name == "variable" { said } else { Said { name: "it took place if this succeeds", ..said } });
            told.chain(dir.map(|dir| code("in", written(&dir.source)))).collect()
        }
    }
}

/// What may follow: another attempt, an undo, another step.
fn after(guide: &Guide<'_>, entry: &Entry) -> Vec<Said> {
    let step = guide.step(entry);
    let mut said = Vec::new();
    if let Some(retry) = &step.retry {
        let tries = format!("up to {} attempts, {} apart at first", retry.attempts, format_duration(retry.delay));
        said.push(text("tried again", tries));
    }
    said.extend(guide::longest(step).map(|longest| match longest {
        Longest::Time(time) => text("takes at most", format_duration(time)),
        Longest::WithoutEnd => text("takes at most", "it may wait without end"),
    }));
    let undo = guide.undo_of(entry);
    match (undo.as_slice(), &step.irreversible) {
        (_, Some(reason)) => said.push(prose("cannot be undone", written(reason))),
        ([], None) => {
            let acts = (step.verb.acts() || matches!(step.verb, Verb::Manual(_))) && step.effect.changes();
            let repeatable = step.idempotent || matches!(step.verb, Verb::Notify { .. });
            said.extend((acts && !repeatable && !entry.number.contains('U')).then(|| text("undo", "none is declared")));
        }
        (undo, None) => {
            let told: Vec<String> = undo
                .iter()
                .map(|(number, step)| match &step.name {
                    Some(_) => format!("{number} ({})", guide::title(guide.plan, step)),
                    None => number.clone(),
                })
                .collect();
            said.push(text("undo", told.join(", then ")));
        }
    }
    said.extend(step.idempotent.then(|| text("again", "it is safe to do again")));
    match step.on_failure {
        OnFailure::Stop => {}
        OnFailure::Continue => said.push(text("if it fails", "go on with the next step")),
        OnFailure::Rollback => said.push(text("if it fails", "take everything back, the last change first")),
        OnFailure::Next(ix) => said.push(text("if it fails", format!("go on with step {}", guide.number_beside(entry, ix)))),
    }
    said.extend(step.next.map(|ix| text("then", format!("go on with step {}", guide.number_beside(entry, ix)))));
    said
}

/// What a step does, as it is written.
fn does(guide: &Guide<'_>, entry: &Entry) -> Vec<Said> {
    let step = guide.step(entry);
    let mut said = Vec::new();
    match &step.verb {
        Verb::Run { script, shell } => said.push(block("run", language(*shell), written(&script.source))),
        Verb::Exec(argv) => {
            let words = argv.iter().map(|word| shell_word(&written(&word.source)));
            said.push(code("run", words.collect::<Vec<_>>().join(" ")));
        }
        Verb::Rhai(script) => said.push(block("rhai", "rhai", script.source.as_str())),
        Verb::Http(http) => request(http, &mut said),
        Verb::Check(assertions) => {
            for assertion in assertions {
                said.push(code("holds", assertion.that.source.trim()));
                said.extend(assertion.otherwise.as_ref().map(|told| text("else", written(told.source.trim()))));
            }
        }
        Verb::Set(values) => {
            said.extend(values.iter().map(|(name, value)| code("set", format!("{name} = {}", value.source.trim()))))
        }
        Verb::Wait(wait) => {
            match &wait.what {
                WaitFor::Duration(time) => said.push(code("wait for", time.source.trim())),
                WaitFor::Until { until, .. } => {
                    said.push(code("wait until", until.source.trim()));
                    said.push(text("looked at", format!("every {}", format_duration(wait.every))));
                }
            }
            said.extend(wait.within.map(|within| text("within", format_duration(within))));
        }
        Verb::Approve(approve) => said.push(question(&written(&approve.question.source))),
        Verb::Ask(ask) => {
            said.push(question(&written(&ask.question.source)));
            for field in wanted(&ask.fields) {
                let or = field.default.map(|default| format!("; else {default}")).unwrap_or_default();
                let what = if field.description.is_empty() { String::new() } else { format!("; {}", field.description) };
                said.push(text("answer", format!("{} ({}{or}){what}", field.name, field.r#type)));
            }
        }
        Verb::Manual(manual) => {
            said.push(prose("do", written(&manual.instruction.source)));
            said.extend(manual.expect.as_ref().map(|expect| prose("expect", written(&expect.source))));
            said.extend(manual.evidence.as_ref().map(|evidence| text("hand in", written(evidence.source.trim()))));
        }
        Verb::Notify { to, subject, message } => {
            said.push(text("tell", to.join(", ")));
            said.extend(subject.as_ref().map(|subject| text("subject", written(subject.source.trim()))));
            said.push(question_as("message", &written(&message.source)));
        }
        Verb::Call { procedure, with } => {
            let called = guide.plan.procedure(*procedure);
            said.push(text("do", format!("the procedure {} {}", called.name, called.version)));
            said.extend(with.iter().map(|(name, value)| code("with", format!("{name} = {}", value.source.trim()))));
            for (when, list) in [("after a failure", &called.on_failure), ("in the end", &called.finally)] {
                let calls = [entry.calls.as_slice(), &[entry.step]].concat();
                let told = list
                    .iter()
                    .map(|ix| format!("{} ({})", guide.plan.number(&calls, *ix), guide::title(guide.plan, guide.plan.step(*ix))));
                let told: Vec<String> = told.collect();
                said.extend((!told.is_empty()).then(|| text(when, format!("it does {}: see its own manual", told.join(", ")))));
            }
        }
        Verb::Choose(branches) => {
            let open = branches.iter().all(|branch| branch.when.is_some());
            let none = if open { "; none of them, where no condition holds" } else { "" };
            said.push(text("choose", format!("the first way whose condition holds{none}")));
        }
        Verb::Parallel { branches, max_parallel } => {
            let names = branches.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let bound =
                if (*max_parallel as usize) < branches.len() { format!(", {max_parallel} at a time") } else { String::new() };
            said.push(text("at once", format!("{names}{bound}")));
        }
        Verb::Each(each) => {
            said.push(code("for each of", each.items.source.trim()));
            said.push(text("called", each.r#as.as_str()));
            said.push(text("at a time", each.max_parallel.to_string()));
            if !each.batches.is_empty() {
                let size = |batch: &BatchSize| match batch {
                    BatchSize::Count(count) => count.to_string(),
                    BatchSize::Percent(percent) => format!("{percent}%"),
                };
                said.push(text("in waves of", each.batches.iter().map(size).collect::<Vec<_>>().join(", then ")));
            }
            said.extend((each.max_failures > 0).then(|| text("may fail", each.max_failures.to_string())));
        }
        Verb::Repeat { until, times, every, .. } => {
            said.push(code("repeat until", until.source.trim()));
            let every = every.map(|every| format!(", {} apart", format_duration(every))).unwrap_or_default();
            said.push(text("times", format!("{times} at most{every}")));
        }
        Verb::Group(_) => {}
        Verb::Finish { message, .. } => {
            said.extend(message.as_ref().map(|message| question_as("message", &written(&message.source))));
        }
    }
    said.extend(decides(guide, entry).map(|who| text("decides", who)));
    let own = step.env.iter().map(|(name, value)| match value {
        EnvValue::Expression(value) => format!("{name} = {}", value.source.trim()),
        EnvValue::Secret(secret) => format!("{name} = secrets.{secret}"),
    });
    said.extend(own.filter(|line| !entry.calls.is_empty() || !guide.variables.contains(line)).map(|line| code("variable", line)));
    said
}

fn question(asked: &str) -> Said {
    question_as("question", asked)
}

/// A text that is shown to people as it stands.
fn question_as(name: &'static str, shown: &str) -> Said {
    let shown = shown.trim();
    if shown.contains('\n') { block(name, "", shown) } else { text(name, shown) }
}

fn request(http: &Http, said: &mut Vec<Said>) {
    said.push(code("request", format!("{} {}", http.method, written(&http.url.source))));
    said.extend(http.query.iter().map(|(name, value)| code("query", format!("{name}={}", written(&value.source)))));
    said.extend(http.headers.iter().map(|(name, value)| match value {
        HeaderValue::Text(value) => code("header", format!("{name}: {}", written(&value.source))),
        HeaderValue::Secret(secret) => code("header", format!("{name}: ‹secret {secret}›")),
    }));
    match &http.body {
        Some(HttpBody::Json(json)) => {
            said.push(block("body", "json", serde_json::to_string_pretty(&body(json)).unwrap_or_default()));
        }
        Some(HttpBody::Form(fields)) => {
            said.extend(fields.iter().map(|(name, value)| code("field", format!("{name}={}", written(&value.source)))));
        }
        Some(HttpBody::Raw(raw)) => said.push(block("body", "", written(&raw.source))),
        None => {}
    }
    if !http.expect_status.is_empty() {
        let statuses: Vec<String> = http.expect_status.iter().map(ToString::to_string).collect();
        said.push(text("succeeds with", statuses.join(", ")));
    }
    said.extend(http.expect.as_ref().map(|that| code("succeeds if", that.source.trim())));
}

fn body(json: &JsonTemplate) -> serde_json::Value {
    match json {
        JsonTemplate::Value(value) => value.to_plain_json(),
        JsonTemplate::Text(text) => written(&text.source).into(),
        JsonTemplate::List(items) => items.iter().map(body).collect(),
        JsonTemplate::Map(members) => {
            let members: BTreeMap<&str, serde_json::Value> =
                members.iter().map(|(name, json)| (name.as_str(), body(json))).collect();
            serde_json::json!(members)
        }
    }
}

/// A sentence on what is not here, where there is more than is told.
const CUT: &str = "There are more steps than are told here. Each procedure that is called has a guide of its own.";

/// The parts with their headings, those that have steps.
fn parts<'g>(guide: &'g Guide<'_>) -> Vec<(&'static str, &'static str, &'g [Entry])> {
    let parts = [
        (
            "Steps",
            "A step that fails ends the work, unless it says otherwise. Nothing is taken back by itself.",
            guide.body.as_slice(),
        ),
        ("After a failure", "Done first, before anything is taken back.", guide.on_failure.as_slice()),
        (
            "To take it back",
            "Where a step says so, or whoever leads decides it: the last change first, and only what was done.",
            guide.undo.as_slice(),
        ),
        ("In the end", "Done however it ends.", guide.finally.as_slice()),
    ];
    parts.into_iter().filter(|(_, _, entries)| !entries.is_empty()).collect()
}

/// What the title of a `finish` without a name begins with.
const END: &str = "End here";

fn ends(outcome: FinishOutcome) -> &'static str {
    match outcome {
        FinishOutcome::Succeeded => "succeeded",
        FinishOutcome::Failed => "failed",
    }
}

/// The effect as a tag of a heading: none is not worth one.
fn tag(effect: Effect) -> Option<&'static str> {
    (effect > Effect::None).then(|| effect.name())
}

#[cfg(test)]
mod tests;
