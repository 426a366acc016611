//! What a procedure has around it: what events start it, where its messages go, and which private addresses its requests may reach.

use std::collections::BTreeSet;

use super::Raise;
use super::deciders::Names;
use super::part::{Measure, Part, window, word};
use super::weigh::{DECIDES, Weight, major, plainly};
use crate::document::procedure::{Beyond, OnResolved, Second};
use crate::expr::{Expression, Template};
use crate::id::Digest;
use crate::plan::{HeaderValue, Plan, SecretSource, Verb};
use crate::policy::{Channel, ChannelSpec, Words};
use crate::trigger::{Limit, Trigger};
use crate::value::format_duration;

pub(super) const HTTP_ALLOW: &str = "http allow";

/// One line for each thing that a trigger says.
pub(super) fn of_triggers(triggers: &[Trigger]) -> Vec<Part> {
    let part = |trigger: &Trigger| {
        let lines: Vec<String> = said(trigger).into_iter().map(|(what, text)| format!("{what}: {text}")).collect();
        let (what, measure) = (format!("trigger {}", trigger.name.id), Measure::Trigger(Box::new(trigger.clone())));
        Part { what, text: lines.join("\n"), measure }
    };
    triggers.iter().map(part).collect()
}

fn said(trigger: &Trigger) -> Vec<(String, String)> {
    let mut said = vec![("source".to_owned(), trigger.source.clone())];
    let mut say = |what: &str, text: Option<String>| said.extend(text.map(|text| (what.to_owned(), text)));
    let source = |expression: &Expression| expression.source.trim().to_owned();
    say("when", trigger.when.as_ref().map(source));
    say("environment", trigger.environment.as_ref().map(|environment| environment.source.clone()));
    for (name, value) in &trigger.inputs {
        say(&format!("input {name}"), Some(source(value)));
    }
    say("dedup", trigger.dedup.as_ref().map(|dedup| format!("{} within {}", source(&dedup.key), format_duration(dedup.window))));
    say(
        "accumulate",
        trigger.accumulate.as_ref().map(|all| {
            let key = all.key.as_ref().map(|key| format!(" of one {}", source(key))).unwrap_or_default();
            format!("{} events{key} within {}", all.events, format_duration(all.within))
        }),
    );
    let quiet: Vec<String> = trigger.quiet.iter().map(window).collect();
    say("quiet", (!quiet.is_empty()).then(|| quiet.join("; ")));
    say(
        "limit",
        trigger.limit.map(|limit| {
            let beyond = match limit.then {
                Beyond::Drop => "drop",
                Beyond::Defer => "defer",
                Beyond::Escalate => "escalate",
            };
            format!("{} runs per {}, then {beyond}", limit.runs, format_duration(limit.per))
        }),
    );
    say("correlate", trigger.correlate.as_ref().map(source));
    say(
        "on resolved",
        match trigger.on_resolved {
            OnResolved::Ignore => None,
            OnResolved::Annotate => Some("annotate".to_owned()),
            OnResolved::CancelIfWaiting => Some("cancel_if_waiting".to_owned()),
        },
    );
    say(
        "concurrency",
        trigger.concurrency.as_ref().map(|one| {
            let second = match one.then {
                Second::Queue => "queue",
                Second::Skip => "skip",
                Second::Replace => "replace",
            };
            format!("one for {}, then {second}", source(&one.key))
        }),
    );
    said
}

/// The channels that a procedure and its escalation name, and where what is sent to them goes. What may be a secret is told by its
/// name, or by a digest where it has none.
pub(super) fn of_channels(plan: &Plan) -> Vec<Part> {
    let notified = plan.steps.iter().flat_map(|step| match &step.verb {
        Verb::Notify { to, .. } => to.as_slice(),
        _ => &[],
    });
    let escalations = plan.procedures.iter().filter_map(|procedure| procedure.escalation.as_ref());
    let escalated = escalations.flat_map(|escalation| escalation.told());
    let names: BTreeSet<&String> = notified.chain(escalated).collect();
    let part = |name: &&String| {
        let channel = plan.policy.channels.get(*name)?;
        Some(Part { what: format!("channel {name}"), text: address(channel), measure: Measure::Words })
    };
    let mut parts: Vec<Part> = names.iter().filter_map(part).collect();
    // The links in what they are told.
    if let (Some(url), false) = (&plan.policy.url, parts.is_empty()) {
        parts.push(Part { what: "url".to_owned(), text: url.clone(), measure: Measure::Words });
    }
    parts
}

fn address(spec: &ChannelSpec) -> String {
    let mut lines = Vec::new();
    match &spec.channel {
        Channel::Log { file: None } => lines.push("the record alone".to_owned()),
        Channel::Log { file: Some(file) } => lines.push(format!("log to {file}")),
        Channel::Command(arguments) => {
            let words: Vec<&str> = arguments.iter().map(|argument| argument.source.as_str()).collect();
            lines.push(format!("command {}", program(&words)));
        }
        Channel::Http { url, headers, json } => {
            lines.push(format!("http to {}", place(url)));
            lines.extend(headers.iter().map(|(name, value)| format!("header {name}: {}", hidden(value))));
            lines.push(format!("json {}", digest(&super::part::json(json).to_string())));
        }
        Channel::Mail(mail) => {
            lines.push(format!("mail to {} from {}", mail.to.join(", "), mail.from));
            lines.push(format!("by {}:{}, {}", mail.host, mail.port, word(&mail.security)));
            lines.extend(mail.login.as_ref().map(|(user, secret)| format!("as {user} with secrets.{secret}")));
        }
        Channel::Slack(chat) => {
            lines.push(format!("slack by secrets.{}", chat.webhook));
            lines.extend(worded(&chat.words));
        }
        Channel::Teams(chat) => {
            lines.push(format!("teams by secrets.{}", chat.webhook));
            lines.extend(worded(&chat.words));
        }
        Channel::Ntfy(ntfy) => {
            lines.push(format!("ntfy of {}, priority {}", ntfy.server, ntfy.priority));
            lines.push(format!("topic {}", hidden(&ntfy.topic)));
            lines.extend(ntfy.token.as_ref().map(|token| format!("with secrets.{token}")));
            lines.extend(worded(&ntfy.words));
        }
        Channel::Pagerduty(duty) => {
            lines.push(format!("pagerduty of {} with secrets.{}, {}", duty.server, duty.key, word(&duty.severity)));
            lines.extend(worded(&duty.words));
        }
    }
    lines.extend(spec.secrets.iter().map(|(name, source)| match source {
        SecretSource::Command(words) => format!("secrets.{name}: command {}", program(words)),
        source => format!("secrets.{name}: {}", word(source)),
    }));
    lines.join("\n")
}

/// The words of the workspace, which hold no secrets.
fn worded(words: &Words) -> impl Iterator<Item = String> {
    let named = [("subject", &words.subject), ("message", &words.message)];
    named.into_iter().filter_map(|(name, text)| Some(format!("{name}: {}", text.as_ref()?.source)))
}

/// What a command starts; its arguments may be as good as a password.
fn program<S: AsRef<str>>(words: &[S]) -> String {
    let Some((program, rest)) = words.split_first() else { return String::new() };
    let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
    if rest.is_empty() { program.as_ref().to_owned() } else { format!("{} ({})", program.as_ref(), digest(&rest.join("\0"))) }
}

/// The host of an address; its path and its user may be as good as a password.
fn place(url: &HeaderValue) -> String {
    match url {
        HeaderValue::Secret(secret) => format!("secrets.{secret}"),
        HeaderValue::Text(Template { source, .. }) => {
            let (scheme, rest) = source.split_once("://").map_or((None, source.as_str()), |(scheme, rest)| (Some(scheme), rest));
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            let scheme = scheme.map(|scheme| format!("{scheme}://")).unwrap_or_default();
            format!("{scheme}{host} ({})", digest(source))
        }
    }
}

fn hidden(value: &HeaderValue) -> String {
    match value {
        HeaderValue::Secret(secret) => format!("secrets.{secret}"),
        HeaderValue::Text(text) => digest(&text.source),
    }
}

fn digest(text: &str) -> String {
    Digest::of_bytes(text.as_bytes()).short().to_string()
}

/// The private hosts and networks that steps may reach, of a plan that sends requests.
pub(super) fn of_network(plan: &Plan) -> Vec<Part> {
    let sends = plan.steps.iter().any(|step| matches!(step.verb, Verb::Http(_)));
    let allowed = &plan.policy.http_allow;
    if !sends || allowed.is_empty() {
        return Vec::new();
    }
    vec![Part { what: HTTP_ALLOW.to_owned(), text: allowed.join("\n"), measure: Measure::Names(allowed.clone()) }]
}

pub(super) fn network(old: Option<&Part>, new: Option<&Part>) -> Weight {
    let names = |part: Option<&Part>| match part.map(|part| &part.measure) {
        Some(Measure::Names(names)) => names.clone(),
        _ => Vec::new(),
    };
    let then = names(old);
    let wider = names(new).iter().any(|name| !then.contains(name));
    if wider { major("a request may reach what it could not") } else { plainly(Raise::Minor) }
}

const MORE: &str = "events may start it that did not";
const FEWER: &str = "events start it no longer";
const ELSEWHERE: &str = "what an event starts is in another environment";

/// Of a trigger: what lets more events through loosens what held them back, and whoever relied on one that went waits in vain.
pub(super) fn trigger(deciders: &Names, old: Option<&Part>, new: Option<&Part>) -> Weight {
    fn trigger(part: Option<&Part>) -> Option<&Trigger> {
        match &part?.measure {
            Measure::Trigger(trigger) => Some(trigger),
            _ => None,
        }
    }
    let (then, now) = match (trigger(old), trigger(new)) {
        (Some(then), Some(now)) => (then, now),
        (None, _) => return major(MORE),
        (_, None) => return major(FEWER),
    };
    let another = |then: Option<&Expression>, now: Option<&Expression>| {
        then.is_some() && then.map(|then| then.source.trim()) != now.map(|now| now.source.trim())
    };
    let environment = |trigger: &Trigger| trigger.environment.as_ref().map(|environment| environment.source.clone());
    let looser = then.source != now.source
        || another(then.when.as_ref(), now.when.as_ref())
        || another(then.dedup.as_ref().map(|dedup| &dedup.key), now.dedup.as_ref().map(|dedup| &dedup.key))
        || then.dedup.as_ref().zip(now.dedup.as_ref()).is_some_and(|(then, now)| now.window < then.window)
        || another(then.concurrency.as_ref().map(|one| &one.key), now.concurrency.as_ref().map(|one| &one.key))
        || then.accumulate.as_ref().is_some_and(|then| {
            let fewer = |now: &crate::trigger::Accumulate| now.events < then.events || now.within > then.within;
            now.accumulate.as_ref().is_none_or(fewer)
                || another(then.key.as_ref(), now.accumulate.as_ref().and_then(|now| now.key.as_ref()))
        })
        || then.quiet.iter().any(|window| !now.quiet.contains(window))
        || then.concurrency.as_ref().zip(now.concurrency.as_ref()).is_some_and(|(then, now)| {
            // What was dropped, or cancelled for another, has its turn.
            then.then != now.then && then.then != Second::Queue
        })
        || then.limit.is_some_and(|then| now.limit.is_none_or(|now| is_higher(then, now)));
    if environment(then) != environment(now) {
        major(ELSEWHERE)
    } else if looser {
        major(MORE)
    } else if gives_otherwise(deciders, then, now) {
        major(DECIDES)
    } else {
        plainly(Raise::Minor)
    }
}

/// Whether an input that decides is given as something else, or no longer, or now.
fn gives_otherwise(deciders: &Names, then: &Trigger, now: &Trigger) -> bool {
    let given = |trigger: &Trigger| {
        let decides = trigger.inputs.iter().filter(|(name, _)| deciders.input(name.as_str()));
        decides.map(|(name, value)| (name.as_str().to_owned(), value.source.trim().to_owned())).collect::<BTreeSet<_>>()
    };
    given(then) != given(now)
}

/// Whether a limit lets through, at any time, more than another did.
fn is_higher(then: Limit, now: Limit) -> bool {
    // What was over it waits for its turn.
    let later = then.then != Beyond::Defer && now.then == Beyond::Defer;
    // As often as the shorter time begins within the longer.
    let times = then.per.as_millis().div_ceil(now.per.as_millis().max(1)).max(1);
    later || u128::from(now.runs) * times > u128::from(then.runs)
}
