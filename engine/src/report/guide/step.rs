//! What is told of a step: what it does, with what, and what may follow.

use std::collections::BTreeMap;

use runbook_core::document::step::{BatchSize, Retry, Shell, Since};
use runbook_core::explore::Longest;
use runbook_core::expr::Expression;
use runbook_core::guide::{self, Entry, Guide, Lead, Part};
use runbook_core::id::Id;
use runbook_core::plan::{
    EnvValue, HeaderValue, Http, HttpBody, JsonTemplate, OnFailure, Procedure, Step, StepIx, Verb, Verify, WaitFor,
};
use runbook_core::value::format_duration;

use super::super::dry_run::{language, shell_word};
use super::super::prose::Piece;
use super::told::{Role, Told, block, code, prose, shown, text, value};
use super::whole::{as_typed, decides, gates, wanted};

/// What is told of a step below its heading.
pub fn told(guide: &Guide<'_>, entry: &Entry) -> Vec<Told> {
    let step = guide.step(entry);
    let mut told = Vec::new();
    told.extend(step.why.as_ref().map(|why| prose("why", why.written()).playing(Role::Why)));
    if let Some(condition) = &step.condition {
        let inside = entry.inside.as_ref();
        let if_not = inside.map(|(first, last)| text("if not", format!("leave out {} as well", steps(first, last))));
        let only_if = code("only if", condition.source.trim());
        told.extend(std::iter::once(only_if).chain(if_not).map(|told| told.playing(Role::Condition)));
    }
    if !entry.rounds.is_empty() {
        let of = entry.rounds.join(" and of ");
        told.push(text("how often", format!("once for each round of {of} in which it was done, the last one first")));
    }
    told.extend(gates(guide, entry).into_iter().map(|who| text("approved first", who).playing(Role::Gate)));
    told.extend(does(guide, entry));
    told.extend(
        step.outputs.iter().map(|(name, is)| value("gives", name.as_str(), is.source.trim(), known_as(step, name.as_str()))),
    );
    told.extend(took_place(guide, entry));
    told.extend(after(guide, entry));
    told.extend(step.by_hand.as_ref().map(|by_hand| prose("by hand", by_hand.written()).playing(Role::ByHand)));
    told.extend(step.owner.as_ref().map(|owner| text("owner", owner)));
    told
}

fn steps(first: &str, last: &str) -> String {
    if first == last { format!("step {first}") } else { format!("steps {first} to {last}") }
}

/// How later steps name a value that a step gives.
fn known_as(step: &Step, name: &str) -> Vec<Piece> {
    let of = step.id.as_ref().map_or_else(String::new, |id| format!("steps.{id}."));
    vec![Piece::Code(format!("‹{of}{name}›"))]
}

/// How it is known whether a step took place.
fn took_place(guide: &Guide<'_>, entry: &Entry) -> Vec<Told> {
    match &guide.step(entry).verify {
        None => Vec::new(),
        Some(Verify::Expression(holds)) => vec![code("took place if", holds.source.trim())],
        Some(Verify::Step(ix)) => {
            let look = Entry { step: *ix, lead: None, inside: None, gates: Vec::new(), ..entry.clone() };
            let own = does(guide, entry);
            let told = does(guide, &look).into_iter().filter(|told| !(told.role == Role::Setting && own.contains(told)));
            let told = told.map(|told| match told.role {
                Role::Setting => told,
                _ => told.called("it took place if this succeeds"),
            });
            told.map(|told| told.playing(Role::Plain)).collect()
        }
    }
}

/// What may follow: another attempt, an undo, another step.
fn after(guide: &Guide<'_>, entry: &Entry) -> Vec<Told> {
    let step = guide.step(entry);
    let mut told = Vec::new();
    told.extend(step.retry.as_ref().filter(|retry| retry.attempts > 1).map(|retry| text("tried again", attempts(retry))));
    let at_most = if step.verb.is_container() { "the whole takes at most" } else { "takes at most" };
    told.extend(guide::longest(step).map(|longest| match longest {
        Longest::Time(time) => text(at_most, format_duration(time)),
        Longest::Unknown => text(at_most, "how long cannot be known"),
        Longest::WithoutEnd => text(at_most, "it may wait without end"),
    }));
    let undo = guide.undo_of(entry);
    match (undo.as_slice(), &step.irreversible) {
        (_, Some(reason)) => told.push(prose("cannot be undone", reason.as_str())),
        ([], None) => {
            let acts = (step.verb.acts() || matches!(step.verb, Verb::Manual(_))) && step.effect.changes();
            let repeatable = step.idempotent || matches!(step.verb, Verb::Notify { .. });
            told.extend((acts && !repeatable && !entry.number.contains('U')).then(|| text("undo", "none is declared")));
        }
        (undo, None) => {
            let steps = undo.iter().map(|(number, step)| match &step.name {
                Some(_) => format!("{number} ({})", guide::title(guide.plan, step)),
                None => number.clone(),
            });
            told.push(text("undo", steps.collect::<Vec<_>>().join(", then ")));
        }
    }
    told.extend(step.idempotent.then(|| text("again", "it is safe to do again")));
    told.extend(failure(guide, entry));
    told.extend(step.next.map(|ix| text("then", format!("go on with step {}", guide.number_beside(entry, ix)))));
    told
}

/// How often a step is tried, and how long is waited between.
fn attempts(retry: &Retry) -> String {
    let mut told = format!("up to {} attempts, {} apart", retry.attempts, format_duration(retry.delay));
    // Between two attempts there is one pause, which grows no more.
    if retry.attempts > 2 && retry.backoff > 1.0 && retry.max_delay > retry.delay {
        let (times, most) = (retry.backoff, format_duration(retry.max_delay));
        told.push_str(&format!(" at first, then each time {times} times as long, at most {most}"));
    }
    if retry.jitter > 0.0 {
        told.push_str(&format!("; each pause by up to {}% shorter, at random", (retry.jitter * 100.0).round()));
    }
    told
}

/// What follows where the step fails, where that is not the end of everything.
fn failure(guide: &Guide<'_>, entry: &Entry) -> Option<Told> {
    let step = guide.step(entry);
    if entry.lead == Some(Lead::Probe) {
        return Some(text("if it fails", "what is waited for does not hold yet: look again"));
    }
    let holds = entry.inside.is_some() && !matches!(step.verb, Verb::Wait(_));
    // There all go on, which is told once for the procedure's own.
    if guide.goes_on(entry) {
        let alone = (entry.depth > 0).then(|| text("if it fails", "go on with the next step"));
        return if holds { Some(text("if a step inside fails", "leave out the rest of it and go on behind it")) } else { alone };
    }
    let follows = match step.on_failure {
        OnFailure::Continue => "go on with the next step".to_owned(),
        OnFailure::Next(ix) => format!("go on with step {}", guide.number_beside(entry, ix)),
        OnFailure::Rollback if entry.part == Part::Body => "take everything back, the last change first".to_owned(),
        OnFailure::Stop | OnFailure::Rollback if holds => return None,
        OnFailure::Stop | OnFailure::Rollback => {
            let around = entry.caught_by.as_ref()?;
            return Some(text("if it fails", format!("leave out the rest of {around}: what follows is told there")));
        }
    };
    Some(match (holds, &step.on_failure) {
        (false, _) => text("if it fails", follows),
        (true, OnFailure::Continue) => text("if a step inside fails", "leave out the rest of it and go on behind it"),
        (true, _) => text("if a step inside fails", format!("leave out the rest of it and {follows}")),
    })
}

/// What a step does, as it is written.
fn does(guide: &Guide<'_>, entry: &Entry) -> Vec<Told> {
    let step = guide.step(entry);
    let mut told = Vec::new();
    // What it is done with comes before it.
    let own = step.env.iter().map(|(name, value)| match value {
        EnvValue::Expression(value) => format!("{name} = {}", value.source.trim()),
        EnvValue::Secret(secret) => format!("{name} = secrets.{secret}"),
    });
    let own = own.filter(|line| !entry.calls.is_empty() || !guide.variables.contains(line));
    let settings = own.map(|line| code("variable", line)).chain(step.dir.as_ref().map(|dir| code("in", dir.written())));
    told.extend(settings.map(|told| told.playing(Role::Setting)));
    match &step.verb {
        Verb::Run { script, shell } => {
            let name = if *shell == Shell::Bash { "run in bash" } else { "run" };
            told.push(block(name, language(*shell), script.written()).playing(Role::Work));
        }
        Verb::Exec(argv) => {
            let words = argv.iter().map(|word| shell_word(&word.written()));
            told.push(code("run", words.collect::<Vec<_>>().join(" ")).playing(Role::Work));
        }
        Verb::Rhai(script) => told.push(block("rhai", "rhai", script.source.as_str()).playing(Role::Work)),
        Verb::Http(http) => request(http, &mut told),
        Verb::Check(assertions) => {
            for assertion in assertions {
                told.push(code("holds", assertion.that.source.trim()));
                told.extend(assertion.otherwise.as_ref().map(|otherwise| text("else", otherwise.written().trim())));
            }
        }
        Verb::Set(values) => {
            let set = values.iter().map(|(name, is)| value("set", name.as_str(), is.source.trim(), known_as(step, name.as_str())));
            told.extend(set);
        }
        Verb::Wait(wait) => {
            match &wait.what {
                WaitFor::Duration(time) => told.push(code("wait for", time.source.trim())),
                WaitFor::Until { until, .. } => {
                    told.push(code("wait until", until.source.trim()));
                    told.push(text("looked at", format!("every {}", format_duration(wait.every))));
                }
            }
            told.extend(wait.within.map(|within| text("within", format_duration(within))));
        }
        Verb::Listen(listen) => {
            told.push(text("wait for an event of", listen.source.as_str()));
            told.extend(listen.when.as_ref().map(|when| code("one for which", when.source.trim())));
            told.extend((listen.since == Since::Step).then(|| text("since", "it waits")));
            told.push(text("within", format_duration(listen.within)));
        }
        Verb::Approve(approve) => told.push(shown("question", &approve.question.written()).playing(Role::Question)),
        Verb::Ask(ask) => {
            told.push(shown("question", &ask.question.written()).playing(Role::Question));
            told.extend(wanted(&ask.fields).iter().map(|field| text("answer", field.to_string()).playing(Role::Answer)));
        }
        Verb::Manual(manual) => {
            told.push(prose("do", manual.instruction.written()));
            told.extend(manual.expect.as_ref().map(|expect| prose("expect", expect.written())));
            told.extend(manual.evidence.as_ref().map(|evidence| text("hand in", evidence.written().trim())));
        }
        Verb::Notify { to, subject, message } => {
            told.push(text("tell", to.join(", ")));
            told.extend(subject.as_ref().map(|subject| text("subject", subject.written().trim())));
            told.push(shown("message", &message.written()));
        }
        Verb::Call { procedure, with } => called(guide, entry, guide.plan.procedure(*procedure), with, &mut told),
        Verb::Choose(branches) => {
            let open = branches.iter().all(|branch| branch.when.is_some());
            let none = if open { "; none of them, where no condition holds" } else { "" };
            told.push(text("choose", format!("the first way whose condition holds{none}")));
        }
        Verb::Parallel { branches, max_parallel } => {
            let names = branches.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let bound =
                if (*max_parallel as usize) < branches.len() { format!(", {max_parallel} at a time") } else { String::new() };
            told.push(text("at once", format!("{names}{bound}")));
        }
        Verb::Each(each) => {
            told.push(code("for each of", each.items.source.trim()));
            told.push(text("called", each.r#as.as_str()));
            told.push(text("at a time", each.max_parallel.to_string()));
            told.extend((!each.batches.is_empty()).then(|| text("in waves of", waves(&each.batches))));
            let fail = |most| format!("{most} of them, and the others go on; at one more, no further one begins");
            told.extend((each.max_failures > 0).then(|| text("may fail", fail(each.max_failures))));
        }
        Verb::Repeat { until, times, every, .. } => {
            told.push(code("repeat until", until.source.trim()));
            let every = every.map(|every| format!(", {} apart", format_duration(every))).unwrap_or_default();
            told.push(text("times", format!("{times} at most{every}")));
        }
        Verb::Group(_) => {}
        Verb::Finish { message, .. } => told.extend(message.as_ref().map(|message| shown("message", &message.written()))),
    }
    told.extend(decides(guide, entry).map(|who| text("decides", who).playing(Role::Decides)));
    told
}

fn waves(batches: &[BatchSize]) -> String {
    let size = |batch: &BatchSize| match batch {
        BatchSize::Count(count) => count.to_string(),
        BatchSize::Percent(percent) => format!("{percent}%"),
    };
    let sizes = batches.iter().map(size).collect::<Vec<_>>().join(", then ");
    let again = if batches.len() > 1 { " The last size is that of all further waves." } else { "" };
    format!("{sizes}. A wave begins when all of the one before have ended.{again}")
}

/// What is told of a call: whom it calls, with what, and what that gives.
fn called(guide: &Guide<'_>, entry: &Entry, called: &Procedure, with: &[(Id, Expression)], told: &mut Vec<Told>) {
    let (name, version, here) = (&called.name, called.version, &entry.number);
    told.push(text("do", format!("the procedure {name} {version}")));
    let known_as = |name: &str| vec![Piece::Code(format!("‹inputs.{name}›")), Piece::Text(format!(" of {here}"))];
    for input in &called.inputs {
        let name = input.name.as_str();
        match (with.iter().find(|(given, _)| given.as_str() == name), &input.value.default) {
            (Some((_, is)), _) => told.push(value("with", name, is.source.trim(), known_as(name))),
            (None, Some(default)) => told.push(value("by default with", name, &as_typed(default), known_as(name))),
            (None, None) => {}
        }
    }
    if let Some((first, last)) = &entry.inside {
        let inside = format!("inside, in {}, `inputs` and `steps` are its own", steps(first, last));
        told.push(text("names", inside));
    } else if guide.unopened.contains(here) {
        told.push(text("left out", format!("its steps, and what takes them back: see the guide of {name} {version}")));
        let calls = [entry.calls.as_slice(), &[entry.step]].concat();
        for (when, list) in [("after a failure", &called.on_failure), ("in the end", &called.finally)] {
            let step =
                |ix: &StepIx| format!("{} ({})", guide.plan.number(&calls, *ix), guide::title(guide.plan, guide.plan.step(*ix)));
            let list: Vec<String> = list.iter().map(step).collect();
            told.extend((!list.is_empty()).then(|| text(when, format!("it does {}: see there", list.join(", ")))));
        }
    }
    let own = guide.step(entry);
    told.extend(
        called.outputs.iter().map(|(name, is)| value("gives", name.as_str(), is.source.trim(), self::known_as(own, name.as_str()))),
    );
}

fn request(http: &Http, told: &mut Vec<Told>) {
    told.push(code("request", format!("{} {}", http.method, http.url.written())));
    told.extend(http.query.iter().map(|(name, value)| code("query", format!("{name}={}", value.written()))));
    told.extend(http.headers.iter().map(|(name, value)| match value {
        HeaderValue::Text(value) => code("header", format!("{name}: {}", value.written())),
        HeaderValue::Secret(secret) => code("header", format!("{name}: ‹secret {secret}›")),
    }));
    match &http.body {
        Some(HttpBody::Json(json)) => {
            let mut values = Vec::new();
            let mut text = serde_json::to_string_pretty(&body(json, &mut values)).unwrap_or_default();
            // A name alone is sent as the value that it has, without quotes where that has none.
            for (number, name) in values.iter().enumerate() {
                text = text.replacen(&serde_json::json!(place_of(number)).to_string(), name, 1);
            }
            told.push(block("body", "json", text));
        }
        Some(HttpBody::Form(fields)) => {
            told.extend(fields.iter().map(|(name, value)| code("field", format!("{name}={}", value.written()))));
        }
        Some(HttpBody::Raw(raw)) => told.push(block("body", "", raw.written())),
        None => {}
    }
    if !http.expect_status.is_empty() {
        let statuses: Vec<String> = http.expect_status.iter().map(ToString::to_string).collect();
        told.push(text("succeeds with", statuses.join(", ")));
    }
    told.extend(http.expect.as_ref().map(|that| code("succeeds if", that.source.trim())));
}

/// A body with places in it for names that are sent as values.
fn body(json: &JsonTemplate, values: &mut Vec<String>) -> serde_json::Value {
    match json {
        JsonTemplate::Value(value) => value.to_plain_json(),
        JsonTemplate::Text(text) if text.is_name() => {
            values.push(text.written());
            place_of(values.len() - 1).into()
        }
        JsonTemplate::Text(text) => text.written().into(),
        JsonTemplate::List(items) => items.iter().map(|item| body(item, values)).collect(),
        JsonTemplate::Map(members) => {
            let members: BTreeMap<&str, serde_json::Value> =
                members.iter().map(|(name, json)| (name.as_str(), body(json, values))).collect();
            serde_json::json!(members)
        }
    }
}

/// A text that no document holds: it has a character that none may.
fn place_of(number: usize) -> String {
    format!("\u{0}{number}\u{0}")
}
