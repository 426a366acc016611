//! What is told of a procedure as a whole: what it is and asks for, who answers for it, and who decides.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::document::input::InputType;
use runbook_core::document::procedure::{Beyond, OnResolved, ProcedureKind, Second, Trigger};
use runbook_core::document::step::OnTimeout;
use runbook_core::guide::{Entry, Guide};
use runbook_core::plan::{InputSpec, Procedure, SecretSource, ValueSpec, Verb};
use runbook_core::policy::{Demanded, Escalation};
use runbook_core::value::{Value, format_duration};

use super::super::asked::{Asked, asked, whom};
use super::super::dry_run::shell_word;
use super::super::prose::Piece;
use super::told::{Role, Told, code, line, text};

/// What is told of the whole, in the order in which it is looked for.
pub fn facts(guide: &Guide<'_>) -> Vec<Told> {
    let (main, document) = (guide.plan.main(), guide.document);
    let kind = match main.kind {
        ProcedureKind::Runbook => "runbook",
        ProcedureKind::Playbook => "playbook",
    };
    let reading = |told: Told| told.playing(Role::Reading);
    let mut facts = vec![reading(text("kind", format!("{kind}, impact {}", impact(main))))];
    facts.extend(main.owner.as_ref().map(|owner| text("owner", owner)));
    facts.extend((!main.contacts.is_empty()).then(|| text("contacts", main.contacts.join(", "))));
    facts.push(reading(text("strongest effect", guide.plan.highest_effect().name())));
    facts.extend(guide.environment.map(|environment| text("environment", environment)));
    if let Some(reviewed) = &document.reviewed {
        let every = document.review_every.as_ref();
        let due = every.and_then(|every| reviewed.value.checked_add(every.value).ok());
        let due = due.map(|due| format!(", to be reviewed again by {due}")).unwrap_or_default();
        facts.push(text("reviewed", format!("{}{due}", reviewed.value)));
    }
    facts.extend(document.exercise_every.as_ref().map(|every| reading(text("exercised", format!("every {}", days(every.value))))));
    facts.extend(main.lock.as_ref().map(|lock| {
        line(
            "lock",
            vec![Piece::Code(lock.written()), Piece::Text(": while one run has it, no other with the same begins".to_owned())],
        )
    }));
    let follows =
        if main.on_failure.is_empty() && main.finally.is_empty() { "" } else { "; what follows them has times of its own" };
    facts.extend(main.timeout.map(|timeout| text("its steps take at most", format!("{}{follows}", format_duration(timeout)))));
    facts.extend(folder(guide));
    for (name, value) in &main.labels {
        facts.push(reading(code("label", format!("{name}: {value}"))));
    }
    facts.extend(document.triggers.iter().map(|trigger| reading(line("starts by itself", self::trigger(trigger)))));
    let outputs = main.outputs.iter().map(|(name, value)| code("gives", format!("{name} = {}", value.source.trim())));
    facts.extend(outputs.map(reading));
    facts
}

/// Where commands are run, and how.
fn folder(guide: &Guide<'_>) -> Vec<Told> {
    let any = |is: fn(&Verb) -> bool| guide.entries().any(|entry| is(&guide.step(entry).verb));
    let scripts = any(|verb| matches!(verb, Verb::Run { .. }));
    let mut told = Vec::new();
    if scripts || any(|verb| matches!(verb, Verb::Exec(_))) {
        let file = guide.plan.files.first().map(|file| file.name.clone()).unwrap_or_default();
        let place = [
            Piece::Text("the folder with ".to_owned()),
            Piece::Code("workspace.yaml".to_owned()),
            Piece::Text(" (without one, that with ".to_owned()),
            Piece::Code(file),
            Piece::Text("), unless a step names one".to_owned()),
        ];
        told.push(line("folder of commands", place.to_vec()));
    }
    told.extend(scripts.then(|| text("scripts", "end at the first command that fails: `sh -eu`, `bash -eu -o pipefail`")));
    told
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

fn trigger(trigger: &Trigger) -> Vec<Piece> {
    let text = |text: String| Piece::Text(text);
    let code = |code: &str| Piece::Code(code.trim().to_owned());
    let mut told = vec![text(format!("on an event of {}", trigger.source.value))];
    if let Some(when) = &trigger.when {
        told.extend([text(" when ".to_owned()), code(&when.value)]);
    }
    for (place, (name, value)) in trigger.inputs.iter().enumerate() {
        let with = if place == 0 { ", with " } else { ", " };
        told.extend([text(format!("{with}{} = ", name.value)), code(&value.value)]);
    }
    if let Some(dedup) = &trigger.dedup {
        let within = format!(" within {}", format_duration(dedup.window.value));
        told.extend([text("; once for the same ".to_owned()), code(&dedup.key.value), text(within)]);
    }
    if let Some(limit) = &trigger.limit {
        let then = match limit.then.as_ref().map(|then| then.value).unwrap_or_default() {
            Beyond::Drop => "then dropped",
            Beyond::Defer => "then later",
            Beyond::Escalate => "then people are told",
        };
        told.push(text(format!("; at most {} runs in {}, {then}", limit.runs.value, format_duration(limit.per.value))));
    }
    match trigger.on_resolved.as_ref().map(|on| on.value) {
        Some(OnResolved::CancelIfWaiting) => told.push(text("; cancelled if it still waits when the event is over".to_owned())),
        Some(OnResolved::Annotate) => told.push(text("; noted when the event is over".to_owned())),
        Some(OnResolved::Ignore) | None => {}
    }
    if let Some(concurrency) = &trigger.concurrency {
        let then = match concurrency.then.as_ref().map(|then| then.value).unwrap_or_default() {
            Second::Queue => " waits for the first",
            Second::Skip => " is left out",
            Second::Replace => " takes the place of the first",
        };
        told.extend([text("; a second one for the same ".to_owned()), code(&concurrency.key.value), text(then.to_owned())]);
    }
    told
}

/// One declared value: its name, its type, what it is if nobody says, and what it is for.
pub struct Wanted {
    pub name: String,
    pub r#type: String,
    /// Absent where it has to be given.
    pub default: Option<String>,
    pub description: String,
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let or = self.default.as_ref().map(|default| format!("; else {default}")).unwrap_or_default();
        let what = if self.description.is_empty() { String::new() } else { format!("; {}", self.description) };
        write!(f, "{} ({}{or}){what}", self.name, self.r#type)
    }
}

pub fn wanted(specs: &[InputSpec]) -> Vec<Wanted> {
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

pub fn as_typed(value: &Value) -> String {
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
pub fn secrets(guide: &Guide<'_>) -> Vec<(String, String)> {
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
            let secret = (format!("{name}{of}"), from);
            // Of two versions that are called.
            if !secrets.contains(&secret) {
                secrets.push(secret);
            }
        }
    }
    secrets
}

/// Decisions that the same people take.
pub struct Decides {
    /// The numbers of the steps, in the order in which they come up.
    pub steps: Vec<String>,
    pub who: String,
}

/// Every decision: those of the first step first.
pub fn decisions(guide: &Guide<'_>) -> Vec<Decides> {
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
pub fn decides(guide: &Guide<'_>, entry: &Entry) -> Option<String> {
    let (from, count, within, on_timeout, not_requester, guarded) = match &guide.step(entry).verb {
        Verb::Approve(a) => (&a.from, a.count, a.within, a.on_timeout, a.not_requester, true),
        Verb::Ask(a) => (&a.from, 1, a.within, a.on_timeout, false, false),
        Verb::Manual(m) => (&m.from, 1, m.within, m.on_timeout, false, false),
        _ => return None,
    };
    let who = Asked {
        from,
        count,
        not_requester: match (not_requester, guarded) {
            (true, _) => Demanded::Everywhere,
            (_, true) => guide.four_eyes.clone(),
            _ => Demanded::Nowhere,
        },
        signed: guide.signed.clone(),
        within,
        on_timeout,
        rungs: rungs(guide, entry, on_timeout),
        rule: None,
    };
    Some(asked(&who, &guide.plan.policy.people))
}

/// Who approves before a step because of a rule of the workspace.
pub fn gates(guide: &Guide<'_>, entry: &Entry) -> Vec<String> {
    let gates = entry.gates.iter().map(|found| {
        let gate = &found.gate;
        let who = Asked {
            from: &gate.from,
            count: gate.count,
            not_requester: if gate.not_requester { Demanded::Everywhere } else { guide.four_eyes.among(&found.environments) },
            signed: if gate.signed { Demanded::Everywhere } else { guide.signed.among(&found.environments) },
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
pub fn ladder(guide: &Guide<'_>) -> Vec<String> {
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
pub fn roster(guide: &Guide<'_>) -> Vec<(String, String)> {
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
        let told: Vec<String> = told.collect();
        (name.to_owned(), if told.is_empty() { "the workspace does not say how to reach them".to_owned() } else { told.join(", ") })
    };
    names.into_iter().map(person).collect()
}
