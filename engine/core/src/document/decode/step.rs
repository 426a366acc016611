//! One step: exactly one verb, and the keys that any step may have.

use std::time::Duration;

use super::{Fields, Reading, procedure, scalar, verb};
use crate::diagnostic::{Code, Span, Spanned};
use crate::document::step::{OnFailure, Retry, Shell, Step, Verb, Verify};
use crate::document::{Node, NodeKind, Scalar};
use crate::effect::Effect;
use crate::id::Id;
use crate::limits;

pub(super) const SHELLS: [(&str, Shell); 2] = [("sh", Shell::Sh), ("bash", Shell::Bash)];

const EFFECTS: [(&str, Effect); 4] =
    [("none", Effect::None), ("read", Effect::Read), ("change", Effect::Change), ("destructive", Effect::Destructive)];

/// A list of steps, which may not be empty.
pub(super) fn decode_list(reading: &Reading, node: &Node, key: &str) -> Vec<Step> {
    let NodeKind::List(items) = &node.kind else {
        let mut diagnostic = reading.diagnostic(
            Code::RB0012,
            scalar::shown(reading, node.span),
            format!("`{key}` is a list of steps, not {}", node.describe()),
        );
        if matches!(node.kind, NodeKind::Map(_)) {
            diagnostic = diagnostic.help("put `- ` before the first key of each step");
        }
        reading.report(diagnostic);
        return Vec::new();
    };
    if items.is_empty() && reading.is_whole(node.span) {
        reading.report(
            reading.diagnostic(Code::RB0019, node.span, format!("`{key}` has no step")).help(format!("add one, or remove `{key}`")),
        );
    }
    items.iter().filter_map(|item| decode(reading, item)).collect()
}

/// One step, or a list of them.
fn one_or_many(reading: &Reading, node: &Node, key: &str) -> Vec<Step> {
    match &node.kind {
        NodeKind::Map(_) => decode(reading, node).into_iter().collect(),
        _ => decode_list(reading, node, key),
    }
}

pub(super) fn decode(reading: &Reading, node: &Node) -> Option<Step> {
    let mut fields = Fields::of(reading, node, "a step")?;
    let verb = find_verb(&mut fields);
    reading.secrets.borrow_mut().extend(procedure::secrets(reading, fields.entries("secrets")));
    let step = Step {
        span: node.span,
        id: fields.parsed::<Id>("id"),
        name: fields.text("name"),
        why: fields.text("why"),
        owner: fields.text("owner"),
        condition: fields.expression("if"),
        effect: fields.word("effect", &EFFECTS),
        idempotent: fields.boolean("idempotent"),
        undo: fields.take("undo").map(|node| Spanned::new(one_or_many(reading, node, "undo"), node.span)),
        irreversible: fields.text("irreversible"),
        verify: fields.take("verify").and_then(|node| verify(reading, node)),
        timeout: fields.period("timeout"),
        retry: fields.take("retry").and_then(|node| retry(reading, node)),
        on_failure: fields.take("on_failure").and_then(|node| on_failure(reading, node)),
        outputs: fields.expressions("outputs"),
        env: procedure::environment(&mut fields),
        on: fields.take("on").cloned(),
        dir: fields.text("dir"),
        example: fields.take("example").cloned(),
        by_hand: fields.text("by_hand"),
        next: fields.parsed::<Id>("next"),
        verb,
    };
    if let Some(example) = &step.example {
        data(reading, example);
    }
    fields.finish();
    Some(step)
}

/// Reports what in a node is no data: a number that does not fit.
pub(super) fn data(reading: &Reading, node: &Node) {
    if let Err((span, message)) = node.to_value() {
        reading.fault(Code::RB0018, span, message);
    }
}

/// Reads the step's verb. A step without one stands as an empty group, so that its id is still known.
fn find_verb(fields: &mut Fields) -> Spanned<Verb> {
    let reading = fields.reading;
    let mut verbs = fields.keys().filter(|key| Verb::KEYS.contains(&key.value.as_str()));
    let Some(first) = verbs.next() else {
        no_verb(fields);
        return Spanned::new(Verb::Group(Vec::new()), fields.head());
    };
    for second in verbs {
        reading.report(
            reading
                .diagnostic(Code::RB0021, second.span, format!("a step with two verbs: `{}` and `{}`", first.value, second.value))
                .label(first.span, "the first verb")
                .help("make two steps of it"),
        );
    }
    let decoded = verb::decode(fields, first);
    // The other verbs have been reported; they are not unknown keys.
    for key in Verb::KEYS {
        fields.entry(key);
    }
    Spanned::new(decoded.unwrap_or(Verb::Group(Vec::new())), first.span)
}

fn no_verb(fields: &mut Fields) {
    let reading = fields.reading;
    if !reading.is_whole(fields.span()) {
        return;
    }
    let near = fields
        .keys()
        .filter(|key| !STEP_KEYS.contains(&key.value.as_str()))
        .find_map(|key| super::fields::meant(&key.value, Verb::KEYS.into_iter()).map(|verb| (key, verb)));
    let diagnostic = reading.diagnostic(Code::RB0020, near.map_or(fields.head(), |(key, _)| key.span), "a step without a verb");
    reading.report(match near {
        Some((key, verb)) => {
            fields.take_as_meant(key);
            diagnostic.help(format!("did you mean `{verb}`?")).replace(key.span, verb)
        }
        None => diagnostic.help(format!("the verbs are {}", scalar::listed(&Verb::KEYS))),
    });
}

/// The keys that any step may have.
const STEP_KEYS: [&str; 21] = [
    "id",
    "name",
    "why",
    "owner",
    "if",
    "effect",
    "idempotent",
    "undo",
    "irreversible",
    "verify",
    "timeout",
    "retry",
    "on_failure",
    "outputs",
    "env",
    "on",
    "dir",
    "example",
    "by_hand",
    "next",
    "shell",
];

fn verify(reading: &Reading, node: &Node) -> Option<Verify> {
    match &node.kind {
        NodeKind::Map(_) => decode(reading, node).map(|step| Verify::Step(Box::new(step))),
        _ => scalar::expression(reading, node, "verify").map(Verify::Expression),
    }
}

/// `retry`: two attempts or more, one second between them unless it says otherwise, never more than a minute.
pub(super) fn retry(reading: &Reading, node: &Node) -> Option<Spanned<Retry>> {
    if let NodeKind::Int(attempts, _) = &node.kind {
        let mended = format!("{{attempts: {attempts}}}");
        reading.report(
            reading
                .diagnostic(Code::RB0012, node.span, "`retry` is a map, not a whole number")
                .help(format!("write `retry: {mended}`"))
                .replace(node.span, mended),
        );
        return None;
    }
    let mut fields = Fields::of(reading, node, "`retry`")?;
    let attempts = fields.require("attempts").and_then(|node| scalar::count(reading, node, "attempts", 1, limits::ATTEMPTS));
    let delay = fields.duration("delay").map_or(Duration::from_secs(1), |delay| delay.value);
    let max_delay = fields.duration("max_delay");
    if let Some(max) = &max_delay
        && max.value < delay
    {
        reading.fault(Code::RB0023, max.span, "`max_delay` is shorter than `delay`");
    }
    let retry = Retry {
        attempts: attempts.map_or(1, |attempts| attempts.value),
        delay,
        backoff: fields.number("backoff", 1.0, 100.0).map_or(1.0, |backoff| backoff.value),
        max_delay: max_delay.map_or(delay.max(Duration::from_secs(60)), |max| max.value),
        jitter: fields.number("jitter", 0.0, 1.0).map_or(0.0, |jitter| jitter.value),
    };
    fields.finish();
    Some(Spanned::new(retry, node.span))
}

fn on_failure(reading: &Reading, node: &Node) -> Option<Spanned<OnFailure>> {
    if matches!(node.kind, NodeKind::Map(_)) {
        let mut fields = Fields::of(reading, node, "`on_failure`")?;
        let next = fields.require("next").and_then(|node| scalar::text(reading, node, "next"));
        let next = next.and_then(|text| scalar::parsed::<Id>(reading, &text));
        fields.finish();
        return next.map(|next| Spanned::new(OnFailure::Next(next), node.span));
    }
    let words = [("stop", 0u8), ("continue", 1), ("rollback", 2)];
    let word = scalar::word(reading, node, "on_failure", &words)?;
    Some(word.map(|word| match word {
        0 => OnFailure::Stop,
        1 => OnFailure::Continue,
        _ => OnFailure::Rollback,
    }))
}

/// The arguments of a program: a list of texts, the first of which is the program.
pub(in crate::document) fn arguments(reading: &Reading, node: &Node, key: &str) -> Vec<Scalar> {
    let NodeKind::List(items) = &node.kind else {
        let mut diagnostic = reading.diagnostic(
            Code::RB0012,
            scalar::shown(reading, node.span),
            format!("`{key}` is a list of arguments, not {}", node.describe()),
        );
        if let Some(text) = node.scalar() {
            let words: Vec<&str> = text.value.split_whitespace().collect();
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=+".contains(c);
            if !words.is_empty() && words.iter().all(|word| word.chars().all(plain)) {
                let list = format!("[{}]", words.join(", "));
                diagnostic = diagnostic.help(format!("write `{list}`")).replace(node.span, list);
            } else {
                diagnostic = diagnostic.help("write one item for each argument; for a line of shell, use `run`");
            }
        }
        reading.report(diagnostic);
        return Vec::new();
    };
    if items.is_empty() {
        reading.fault(Code::RB0019, node.span, format!("`{key}` names no program"));
    }
    if items.len() > limits::ARGUMENTS {
        let span = Span::new(node.span.start as usize, node.span.start as usize + 1);
        reading.fault(Code::RB0018, span, format!("`{key}` has more than {} arguments", limits::ARGUMENTS));
        return Vec::new();
    }
    let arguments: Vec<Scalar> = items.iter().filter_map(|item| scalar::text(reading, item, key)).collect();
    for argument in &arguments {
        scalar::seen(reading, argument);
    }
    arguments
}
