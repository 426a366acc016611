//! `kind: Test`: cases, what stands in for the world in them, and what must come of them.

use std::time::Duration;

use jiff::Timestamp;

use super::{Fields, Reading, scalar, step};
use crate::cloud_event::{CloudEvent, Status};
use crate::diagnostic::{Code, Spanned, nearest};
use crate::document::test::{Answer, Around, Asked, Cancel, Case, Command, Ended, Expect, Setting, StandIn, StandInEnd, Test};
use crate::document::{Node, NodeKind, Scalar};
use crate::run::Fact;
use crate::run::decision::Choice;
use crate::run::event::OutcomeKind;
use crate::value::{Map, Value};

const OUTCOMES: [(&str, Ended); 7] = [
    ("succeeded", Ended::As(OutcomeKind::Succeeded)),
    ("failed", Ended::As(OutcomeKind::Failed)),
    ("rejected", Ended::As(OutcomeKind::Rejected)),
    ("cancelled", Ended::As(OutcomeKind::Cancelled)),
    ("rolled_back", Ended::As(OutcomeKind::RolledBack)),
    ("needs_attention", Ended::As(OutcomeKind::NeedsAttention)),
    ("waiting", Ended::Waiting),
];

/// How an attempt ends, in one word.
#[derive(Clone, Copy)]
enum End {
    Ok,
    Example,
    Fails,
    TimesOut,
    Unknown,
    Crash,
    CrashAfter,
}

const ENDS: [(&str, End); 7] = [
    ("ok", End::Ok),
    ("example", End::Example),
    ("fails", End::Fails),
    ("times_out", End::TimesOut),
    ("unknown", End::Unknown),
    ("crash", End::Crash),
    ("crash_after", End::CrashAfter),
];

const SAYS: [(&str, Option<Choice>); 7] = [
    ("approve", Some(Choice::Approve)),
    ("reject", Some(Choice::Reject)),
    ("probe", Some(Choice::Probe)),
    ("done", Some(Choice::Done)),
    ("again", Some(Choice::Again)),
    ("leave", Some(Choice::Leave)),
    ("nobody", None),
];

/// What an event is called, where it comes from, and what it is about, where a case does not say.
const MADE_UP: &str = "test";

/// Members of results that are texts, whatever they look like.
const TEXTS: [&str; 3] = ["stdout", "stderr", "body"];

pub(super) fn decode(mut fields: Fields) -> Option<Test> {
    let reading = fields.reading;
    fields.describe("a test");
    let procedure = fields.require_text("procedure");
    let nodes = match fields.require("cases") {
        Some(node) => fields.as_list("cases", node).unwrap_or_default(),
        None => &[],
    };
    let defaults = fields.map("defaults", "what all cases share").map(|mut fields| {
        let setting = setting(&mut fields);
        fields.finish();
        setting
    });
    let defaults = defaults.unwrap_or_default();
    let cases: Vec<Case> = nodes.iter().filter_map(|node| case(reading, node)).collect();
    let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
    names.sort_by(|a, b| (&a.value, a.span).cmp(&(&b.value, b.span)));
    for pair in names.windows(2) {
        if let [first, second] = pair
            && first.value == second.value
        {
            let diagnostic = reading.diagnostic(Code::RB0002, second.span, "two cases have the same name");
            reading.report(diagnostic.label(first.span, "first here").help("rename one of them"));
        }
    }
    let test = Test { source: reading.source().clone(), span: fields.span(), defaults, cases, procedure: procedure? };
    fields.finish();
    Some(test)
}

fn setting(fields: &mut Fields) -> Setting {
    let reading = fields.reading;
    Setting {
        inputs: values(reading, fields.entries("inputs")),
        environment: fields.text("environment"),
        at: fields.text("at").and_then(|text| time(reading, &text)),
        requested_by: fields.text("requested_by"),
        event: event(fields),
        steps: by_step(reading, fields.entries("steps"), stand_in),
        answers: by_step(reading, fields.entries("answers"), answer),
        cancel: cancel(fields),
    }
}

/// What an event has that a case says nothing of is made up.
fn event(fields: &mut Fields) -> Option<Spanned<CloudEvent>> {
    let reading = fields.reading;
    let span = fields.keys().find(|key| key.value == "event")?.span;
    let mut fields = fields.map("event", "the event that starts it")?;
    let text = |fields: &mut Fields, key| fields.text(key).map(|text| text.value);
    let or_made_up = |fields: &mut Fields, key| text(fields, key).unwrap_or_else(|| MADE_UP.to_owned());
    let event = CloudEvent {
        id: or_made_up(&mut fields, "id"),
        source: or_made_up(&mut fields, "source"),
        kind: or_made_up(&mut fields, "type"),
        subject: text(&mut fields, "subject"),
        time: fields.text("time").and_then(|text| time(reading, &text)),
        data: fields.take("data").and_then(|node| value(reading, node)).unwrap_or_default(),
        extensions: values(reading, fields.entries("extensions")),
        key: or_made_up(&mut fields, "key"),
        status: fields.word("status", &Status::ALL).map_or(Status::Once, |status| status.value),
    };
    fields.finish();
    Some(Spanned::new(event, span))
}

fn cancel(fields: &mut Fields) -> Option<Cancel> {
    let mut fields = fields.map("cancel", "somebody who ends the run")?;
    let after = fields.require("after").and_then(|node| scalar::duration(fields.reading, node, "after"));
    let (by, reason) = (fields.text("by"), fields.text("reason"));
    let undo = fields.boolean("undo").is_some_and(|undo| undo.value);
    fields.finish();
    Some(Cancel { after: after?.value, by, undo, reason })
}

fn case(reading: &Reading, node: &Node) -> Option<Case> {
    let mut fields = Fields::of(reading, node, "a case")?;
    let name = fields.require_text("name");
    let setting = setting(&mut fields);
    let real = fields.boolean("real").is_some_and(|real| real.value);
    let around = around(&mut fields);
    let expect = fields.require("expect").and_then(|node| expect(reading, node));
    fields.finish();
    Some(Case { span: node.span, name: name?, setting, real, around, expect: expect.unwrap_or_default() })
}

fn around(fields: &mut Fields) -> Around {
    let reading = fields.reading;
    let mut steps = |key| fields.take(key).map(|node| step::decode_list(reading, node, key)).unwrap_or_default();
    let (setup, teardown) = (steps("setup"), steps("teardown"));
    if let Some(key) = fields.keys().find(|key| key.value == "from_setup" && setup.is_empty()) {
        let fault = reading.diagnostic(Code::RB0023, key.span, "`from_setup` stands without `setup`");
        reading.report(fault.help("say under `setup` what starts the systems"));
    }
    Around { setup, teardown, from_setup: fields.expressions("from_setup") }
}

/// Step → one of something, or a list of them.
fn by_step<T>(reading: &Reading, entries: &[(Scalar, Node)], read: impl Fn(&Reading, &Node) -> Option<T>) -> Vec<(Scalar, Vec<T>)> {
    let of = |node: &Node| match &node.kind {
        NodeKind::List(items) => items.iter().filter_map(|item| read(reading, item)).collect(),
        _ => read(reading, node).into_iter().collect(),
    };
    entries.iter().map(|(step, node)| (step.clone(), of(node))).collect()
}

fn stand_in(reading: &Reading, node: &Node) -> Option<StandIn> {
    if node.scalar().is_some() {
        let end = scalar::word(reading, node, "steps", &ENDS)?;
        return Some(StandIn { end: ended(end.value, None), result: Value::Map(Map::new()), takes: Duration::ZERO });
    }
    let mut fields = Fields::of(reading, node, "what stands in for a step")?;
    let end = fields.word("end", &ENDS).map(|end| end.value);
    let fails = fields.entry("fails").map(|(key, node)| (key, scalar::text(reading, node, "fails")));
    if let (Some((key, _)), Some(other)) = (&fails, fields.keys().find(|key| key.value == "end")) {
        fields.exclude(other, key);
    }
    let message = fails.and_then(|(_, message)| message).map(|message| message.value);
    let takes = fields.duration("takes").map_or(Duration::ZERO, |takes| takes.value);
    let mut result = Map::new();
    for key in TEXTS {
        if let Some(text) = fields.text(key) {
            result.insert(key.to_owned(), Value::Text(text.value));
        }
    }
    for key in ["exit_code", "status", "headers", "json"] {
        if let Some(node) = fields.take(key)
            && let Some(value) = value(reading, node)
        {
            result.insert(key.to_owned(), value);
        }
    }
    // Of what left nothing behind, `null` says so.
    let result = match fields.entry("gives").and_then(|(_, node)| value(reading, node)) {
        Some(Value::Map(gives)) => {
            result.extend(gives);
            Value::Map(result)
        }
        Some(gives) => gives,
        None => Value::Map(result),
    };
    fields.finish();
    let end = match &message {
        Some(_) => End::Fails,
        None => end.unwrap_or(End::Ok),
    };
    Some(StandIn { end: ended(end, message), result, takes })
}

fn ended(end: End, message: Option<String>) -> StandInEnd {
    match end {
        End::Ok => StandInEnd::Result,
        End::Example => StandInEnd::Example,
        End::Fails => StandInEnd::Fails(message.unwrap_or_else(|| "it fails in this case".to_owned())),
        End::TimesOut => StandInEnd::TimesOut,
        End::Unknown => StandInEnd::Unknown,
        End::Crash => StandInEnd::Crash,
        End::CrashAfter => StandInEnd::CrashAfter,
    }
}

fn answer(reading: &Reading, node: &Node) -> Option<Answer> {
    if node.scalar().is_some() {
        let say = scalar::word(reading, node, "answers", &SAYS)?.value;
        return Some(Answer { span: node.span, say, by: None, reason: None, after: Duration::ZERO, with: Map::new() });
    }
    let mut fields = Fields::of(reading, node, "an answer")?;
    let say = fields.word("say", &SAYS).map_or(Some(Choice::Approve), |say| say.value);
    let mut with = values(reading, fields.entries("with"));
    if let Some(evidence) = fields.text("evidence") {
        with.insert("evidence".to_owned(), Value::Text(evidence.value));
    }
    let answer = Answer {
        span: node.span,
        say,
        by: fields.text("by"),
        reason: fields.text("reason"),
        after: fields.duration("after").map_or(Duration::ZERO, |after| after.value),
        with,
    };
    fields.finish();
    Some(answer)
}

fn expect(reading: &Reading, node: &Node) -> Option<Expect> {
    let mut fields = Fields::of(reading, node, "what is expected")?;
    let expect = Expect {
        span: scalar::shown(reading, node.span),
        outcome: fields.word("outcome", &OUTCOMES),
        message: fields.text("message"),
        steps: spanned_texts(&mut fields, "steps"),
        skipped: fields.texts("skipped"),
        commands: fields
            .entries("commands")
            .iter()
            .filter_map(|(step, node)| Some((step.clone(), Spanned::new(command(reading, node)?, node.span))))
            .collect(),
        gives: spanned_values(reading, fields.entries("gives")),
        outputs: spanned_values(reading, fields.entries("outputs")),
        asked: asked(&mut fields),
        undone: spanned_texts(&mut fields, "undone"),
        left: spanned_texts(&mut fields, "left"),
        record: fields
            .entries("record")
            .iter()
            .filter_map(|(kind, node)| {
                event_kind(reading, kind)?;
                Some((kind.clone(), scalar::count(reading, node, &kind.value, 0, u32::MAX)?))
            })
            .collect(),
        within: fields.duration("within"),
    };
    if fields.keys().next().is_none() {
        let fault = reading.diagnostic(Code::RB0011, fields.head(), "a case expects nothing");
        reading.report(fault.help("say at least how it ends: `expect: {outcome: succeeded}`"));
    }
    fields.finish();
    Some(expect)
}

fn spanned_texts(fields: &mut Fields, key: &'static str) -> Option<Spanned<Vec<Scalar>>> {
    let span = fields.keys().find(|name| name.value == key)?.span;
    Some(Spanned::new(fields.texts(key), span))
}

fn spanned_values(reading: &Reading, entries: &[(Scalar, Node)]) -> Vec<(Scalar, Spanned<Value>)> {
    let read = |(name, node): &(Scalar, Node)| Some((name.clone(), Spanned::new(value(reading, node)?, node.span)));
    entries.iter().filter_map(read).collect()
}

fn command(reading: &Reading, node: &Node) -> Option<Command> {
    match &node.kind {
        NodeKind::List(items) => {
            let argv = items.iter().map(|item| scalar::text(reading, item, "commands").map(|text| text.value));
            Some(Command::Argv(argv.collect::<Option<_>>()?))
        }
        _ => scalar::text(reading, node, "commands").map(|text| Command::Part(text.value)),
    }
}

fn asked(fields: &mut Fields) -> Option<Spanned<Vec<(Scalar, Asked)>>> {
    let reading = fields.reading;
    let span = fields.keys().find(|name| name.value == "asked")?.span;
    let read = |(step, node): &(Scalar, Node)| {
        let mut fields = Fields::of(reading, node, "who is asked")?;
        let from = fields.has("from").then(|| fields.texts("from"));
        let asked = Asked {
            span: scalar::shown(reading, step.span),
            from,
            count: fields.count("count", 1, u32::MAX).map(|count| count.value),
            within: fields.duration("within").map(|within| within.value),
            question: fields.text("question"),
            rule: fields.text("rule"),
        };
        fields.finish();
        Some((step.clone(), asked))
    };
    Some(Spanned::new(fields.entries("asked").iter().filter_map(read).collect(), span))
}

fn event_kind(reading: &Reading, kind: &Scalar) -> Option<()> {
    if Fact::KINDS.contains(&kind.value.as_str()) {
        return Some(());
    }
    let message = format!("the record has no `{}`", scalar::clipped(&kind.value));
    let fault = reading.diagnostic(Code::RB0013, kind.span, message);
    reading.report(match nearest(&kind.value, Fact::KINDS) {
        Some(near) => fault.help(format!("did you mean `{near}`?")).replace(kind.span, near),
        None => fault.help(format!("the kinds of events are {}", scalar::listed(&Fact::KINDS))),
    });
    None
}

fn time(reading: &Reading, text: &Scalar) -> Option<Timestamp> {
    let parsed = text.value.parse().ok();
    if parsed.is_none() {
        let message = format!("`{}` is not a time", scalar::clipped(&text.value));
        let fault = reading.diagnostic(Code::RB0018, text.span, message);
        reading.report(fault.help("write it as `2026-11-21T10:00:00Z`"));
    }
    parsed
}

fn values(reading: &Reading, entries: &[(Scalar, Node)]) -> Map {
    entries.iter().filter_map(|(name, node)| Some((name.value.clone(), value(reading, node)?))).collect()
}

fn value(reading: &Reading, node: &Node) -> Option<Value> {
    match node.to_value() {
        Ok(value) => Some(value),
        Err((span, message)) => {
            reading.fault(Code::RB0018, span, message);
            None
        }
    }
}
