//! The verbs, each in the shape that the format gives it.

use super::{Fields, Reading, input, scalar, step};
use crate::diagnostic::{Code, Span, Spanned};
use crate::document::step::{
    ApproveStep, AskStep, Assertion, BatchSize, Branch, CallStep, EachStep, EventStep, FinishOutcome, FinishStep, HttpBody,
    HttpExpect, HttpStep, ManualStep, NotifyStep, OnTimeout, ParallelStep, RepeatStep, RunStep, Since, Step, Verb, WaitFor,
    WaitStep,
};
use crate::document::{Node, NodeKind, Scalar};
use crate::id::Id;
use crate::limits;

const ON_TIMEOUT: [(&str, OnTimeout); 3] =
    [("fail", OnTimeout::Fail), ("reject", OnTimeout::Reject), ("escalate", OnTimeout::Escalate)];

const SINCE: [(&str, Since); 2] = [("run", Since::Run), ("step", Since::Step)];

const METHODS: [(&str, &str); 7] = [
    ("GET", "GET"),
    ("HEAD", "HEAD"),
    ("POST", "POST"),
    ("PUT", "PUT"),
    ("PATCH", "PATCH"),
    ("DELETE", "DELETE"),
    ("OPTIONS", "OPTIONS"),
];

const BODIES: [&str; 3] = ["json", "form", "body"];

/// Reads the verb at `key`, and the keys that stand beside it for this verb alone.
pub(super) fn decode(fields: &mut Fields, key: &Scalar) -> Option<Verb> {
    let reading = fields.reading;
    let verb = Verb::KEYS.into_iter().find(|verb| *verb == key.value)?;
    let shell = (verb == "run").then(|| fields.word("shell", &step::SHELLS)).flatten();
    let with = if verb == "call" { fields.expressions("with") } else { Vec::new() };
    let max_parallel = (verb == "parallel").then(|| fields.count("max_parallel", 1, most_parallel())).flatten();
    if verb != "parallel" {
        misplaced(fields, verb, "max_parallel", "parallel");
    }
    if verb != "run" {
        misplaced(fields, verb, "shell", "run");
    }
    if verb != "call" {
        misplaced(fields, verb, "with", "call");
    }
    let node = fields.take(verb)?;
    Some(match verb {
        "run" => Verb::Run(RunStep { script: scalar::script(reading, node, verb, limits::SHELL_BYTES)?, shell }),
        "exec" => Verb::Exec(step::arguments(reading, node, verb)),
        "rhai" => Verb::Rhai(scalar::script(reading, node, verb, limits::SCRIPT_BYTES)?),
        "http" => Verb::Http(Box::new(http(reading, node)?)),
        "check" => Verb::Check(check(fields, node)?),
        "set" => Verb::Set(fields.expressions(verb)),
        "wait" => Verb::Wait(Box::new(wait(reading, node)?)),
        "approve" => Verb::Approve(Box::new(approve(reading, node)?)),
        "ask" => Verb::Ask(Box::new(ask(reading, node)?)),
        "manual" => Verb::Manual(Box::new(manual(reading, node)?)),
        "notify" => Verb::Notify(Box::new(notify(reading, node)?)),
        "call" => Verb::Call(CallStep { procedure: scalar::text(reading, node, verb)?, with }),
        "choose" => Verb::Choose(choose(fields, node)?),
        "parallel" => Verb::Parallel(ParallelStep { branches: parallel(reading, node)?, max_parallel }),
        "each" => Verb::Each(each(reading, node)?),
        "repeat" => Verb::Repeat(repeat(reading, node)?),
        "group" => Verb::Group(group(reading, node)?),
        _ => Verb::Finish(finish(reading, node)?),
    })
}

fn most_parallel() -> u32 {
    u32::try_from(limits::PARALLEL).unwrap_or(u32::MAX)
}

/// Reports a key that stands beside the wrong verb.
fn misplaced(fields: &mut Fields, verb: &str, key: &'static str, belongs: &str) {
    let Some(written) = fields.keys().find(|name| name.value == key) else { return };
    fields.entry(key);
    let reading = fields.reading;
    let help = match (key, verb) {
        ("max_parallel", "each") => "move it into `each`".to_owned(),
        _ => format!("remove it, or use `{belongs}`"),
    };
    reading.report(
        reading
            .diagnostic(Code::RB0023, written.span, format!("`{key}` belongs beside `{belongs}`, not beside `{verb}`"))
            .help(help),
    );
}

fn http(reading: &Reading, node: &Node) -> Option<HttpStep> {
    let mut fields = Fields::of(reading, node, "`http`")?;
    let url = fields.require_text("url");
    let mut bodies = fields.keys().filter(|key| BODIES.contains(&key.value.as_str()));
    if let (Some(first), Some(second)) = (bodies.next(), bodies.next()) {
        fields.exclude(first, second);
    }
    let json = fields.entry("json").map(|(_, node)| node.clone());
    if let Some(json) = &json {
        step::data(reading, json);
    }
    let form = pairs(&mut fields, "form");
    let raw = fields.text("body");
    let body = fields.keys().find(|key| BODIES.contains(&key.value.as_str()));
    if let Some(body) = body.filter(|_| !fields.has("method")) {
        let fault = reading.diagnostic(Code::RB0011, body.span, "a request with a body does not say its method");
        reading.report(
            fault.reason("without one it is a `GET`, and taken to change nothing").help("add `method: POST`, or what it is"),
        );
    }
    let method = fields.word("method", &METHODS).map(|method| method.map(str::to_owned));
    let body = match (json, fields.has("form"), raw) {
        (Some(json), _, _) => Some(HttpBody::Json(json)),
        (None, true, _) => Some(HttpBody::Form(form)),
        (None, false, raw) => raw.map(HttpBody::Raw),
    };
    let http = HttpStep {
        method,
        query: pairs(&mut fields, "query"),
        headers: headers(&mut fields),
        body,
        expect: fields.take("expect").and_then(|node| expect(reading, node)),
        url: url?,
    };
    fields.finish();
    Some(http)
}

/// Name → text.
fn pairs(fields: &mut Fields, key: &'static str) -> Vec<(Spanned<String>, Scalar)> {
    let reading = fields.reading;
    let entries = fields.entries(key).iter();
    entries
        .filter_map(|(name, node)| Some((Spanned::new(name.value.clone(), name.span), scalar::text(reading, node, &name.value)?)))
        .collect()
}

fn headers(fields: &mut Fields) -> Vec<(Spanned<String>, Scalar)> {
    let reading = fields.reading;
    let headers = pairs(fields, "headers");
    for (name, _) in &headers {
        header_name(reading, &name.value, name.span);
    }
    headers
}

/// Reports what is not the name of a header.
pub(in crate::document) fn header_name(reading: &Reading, name: &str, span: Span) {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        let fault = reading.diagnostic(Code::RB0014, span, format!("`{}` is not the name of a header", scalar::clipped(name)));
        reading.report(fault.help("use letters, digits and `-`"));
    }
}

fn expect(reading: &Reading, node: &Node) -> Option<HttpExpect> {
    let mut fields = Fields::of(reading, node, "`expect`")?;
    let one = |node: &Node| {
        let status = scalar::count(reading, node, "status", 100, 599)?;
        Some(status.map(|status| u16::try_from(status).unwrap_or_default()))
    };
    let status = match fields.take("status") {
        Some(Node { kind: NodeKind::List(items), .. }) => items.iter().filter_map(one).collect(),
        Some(node) => one(node).into_iter().collect(),
        None => Vec::new(),
    };
    let expect = HttpExpect { span: node.span, status, that: fields.expression("that") };
    fields.finish();
    Some(expect)
}

fn check(fields: &Fields, node: &Node) -> Option<Vec<Assertion>> {
    let reading = fields.reading;
    let items = fields.as_list("check", node)?;
    if items.is_empty() {
        reading.fault(Code::RB0019, node.span, "`check` asserts nothing");
    }
    let one = |node: &Node| {
        let mut fields = Fields::of(reading, node, "an assertion")?;
        if !fields.has("that") {
            fields.missing("that");
        }
        let that = fields.expression("that");
        let otherwise = fields.text("else");
        fields.finish();
        Some(Assertion { span: node.span, that: that?, otherwise })
    };
    Some(items.iter().filter_map(one).collect())
}

fn wait(reading: &Reading, node: &Node) -> Option<WaitStep> {
    if let Some(text) = node.scalar() {
        let mended = format!("{{for: {}}}", text.value);
        let mut diagnostic = reading.diagnostic(Code::RB0012, scalar::shown(reading, node.span), "`wait` is a map");
        if crate::value::parse_duration(&text.value).is_ok() {
            diagnostic = diagnostic.help(format!("write `wait: {mended}`")).replace(node.span, mended);
        }
        reading.report(diagnostic);
        return None;
    }
    let mut fields = Fields::of(reading, node, "`wait`")?;
    let mut kinds = fields.keys().filter(|key| ["for", "until", "event"].contains(&key.value.as_str()));
    let (first, second) = (kinds.next(), kinds.next());
    if let (Some(first), Some(second)) = (first, second) {
        fields.exclude(first, second);
    }
    let every = fields.period("every");
    let within = fields.period("within");
    let duration = fields.expression("for");
    let until = fields.expression("until");
    let event = fields.take("event").and_then(|node| event(reading, node));
    let probe = fields.take("probe").and_then(|node| step::decode(reading, node));
    let first = first.map(|key| key.value.as_str());
    for key in ["every", "probe"] {
        if let Some(written) = fields.keys().find(|name| name.value == key)
            && first != Some("until")
        {
            let diagnostic = reading.diagnostic(Code::RB0023, written.span, format!("`{key}` belongs to a `wait` with `until`"));
            reading.report(diagnostic.help(format!("remove `{key}`")));
        }
    }
    let what = match first {
        Some("for") => duration.map(WaitFor::Duration),
        Some("until") => until.map(|until| WaitFor::Until { until, probe: probe.map(Box::new) }),
        Some(_) => event.map(|event| WaitFor::Event(Box::new(event))),
        None => {
            if reading.is_whole(fields.span()) {
                let diagnostic = reading.diagnostic(Code::RB0011, fields.head(), "`wait` does not say what for");
                reading.report(diagnostic.help("add `for`, `until` or `event`"));
            }
            None
        }
    };
    fields.finish();
    Some(WaitStep { span: node.span, what: what?, every, within })
}

fn event(reading: &Reading, node: &Node) -> Option<EventStep> {
    let mut fields = Fields::of(reading, node, "`event`")?;
    let source = fields.require_text("source");
    let when = fields.expression("when");
    let since = fields.word("since", &SINCE);
    fields.finish();
    Some(EventStep { span: node.span, source: source?, when, since })
}

fn approve(reading: &Reading, node: &Node) -> Option<ApproveStep> {
    let mut fields = Fields::of(reading, node, "`approve`")?;
    let question = fields.require_text("question");
    let approve = ApproveStep {
        span: node.span,
        from: fields.some_texts("from"),
        count: fields.count("count", 1, limits::APPROVALS),
        within: fields.period("within"),
        on_timeout: fields.word("on_timeout", &ON_TIMEOUT),
        not_requester: fields.boolean("not_requester").is_some_and(|flag| flag.value),
        question: question?,
    };
    fields.finish();
    Some(approve)
}

fn ask(reading: &Reading, node: &Node) -> Option<AskStep> {
    let mut fields = Fields::of(reading, node, "`ask`")?;
    let question = fields.require_text("question");
    if !fields.has("fields") {
        fields.missing("fields");
    }
    let ask = AskStep {
        span: node.span,
        fields: input::decode_all(reading, fields.entries("fields")),
        from: fields.some_texts("from"),
        within: fields.period("within"),
        on_timeout: fields.word("on_timeout", &ON_TIMEOUT),
        question: question?,
    };
    fields.finish();
    Some(ask)
}

fn manual(reading: &Reading, node: &Node) -> Option<ManualStep> {
    if let Some(instruction) = node.scalar() {
        let (from, within, on_timeout) = (Vec::new(), None, None);
        let instruction = instruction.clone();
        return Some(ManualStep { span: node.span, instruction, expect: None, evidence: None, from, within, on_timeout });
    }
    let mut fields = Fields::of(reading, node, "`manual`")?;
    let instruction = fields.require_text("do");
    let manual = ManualStep {
        span: node.span,
        expect: fields.text("expect"),
        evidence: fields.text("evidence"),
        from: fields.some_texts("from"),
        within: fields.period("within"),
        on_timeout: fields.word("on_timeout", &ON_TIMEOUT),
        instruction: instruction?,
    };
    fields.finish();
    Some(manual)
}

fn notify(reading: &Reading, node: &Node) -> Option<NotifyStep> {
    let mut fields = Fields::of(reading, node, "`notify`")?;
    let message = fields.require_text("message");
    if !fields.has("to") {
        fields.missing("to");
    }
    let notify = NotifyStep { span: node.span, to: fields.some_texts("to"), subject: fields.text("subject"), message: message? };
    fields.finish();
    Some(notify)
}

fn choose(fields: &Fields, node: &Node) -> Option<Vec<Branch>> {
    let reading = fields.reading;
    let items = fields.as_list("choose", node)?;
    if items.is_empty() {
        reading.fault(Code::RB0019, node.span, "`choose` has no branch");
    }
    let mut branches = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let Some(mut fields) = Fields::of(reading, item, "a branch of `choose`") else { continue };
        if fields.has("otherwise") {
            if place + 1 < items.len() {
                let diagnostic = reading.diagnostic(Code::RB0023, fields.head(), "branches behind `otherwise` are never taken");
                reading.report(diagnostic.help("move `otherwise` to the end"));
            }
            let steps = fields.take("otherwise").map(|node| step::decode_list(reading, node, "otherwise")).unwrap_or_default();
            fields.finish();
            branches.push(Branch { span: item.span, when: None, steps });
            continue;
        }
        if !fields.has("when") {
            fields.missing("when");
        }
        let when = fields.expression("when");
        let steps = fields.require("steps").map(|node| step::decode_list(reading, node, "steps")).unwrap_or_default();
        fields.entry("otherwise");
        fields.finish();
        if when.is_some() {
            branches.push(Branch { span: item.span, when, steps });
        }
    }
    Some(branches)
}

fn parallel(reading: &Reading, node: &Node) -> Option<Vec<(Spanned<Id>, Vec<Step>)>> {
    let NodeKind::Map(entries) = &node.kind else {
        let diagnostic = reading.diagnostic(
            Code::RB0012,
            scalar::shown(reading, node.span),
            format!("`parallel` is a map of named branches, not {}", node.describe()),
        );
        reading.report(diagnostic.help("name each branch and put its list of steps behind the name"));
        return None;
    };
    if entries.is_empty() {
        reading.fault(Code::RB0019, node.span, "`parallel` has no branch");
    }
    let mut branches = Vec::new();
    for (name, node) in entries {
        let id = scalar::parsed::<Id>(reading, name);
        let steps = step::decode_list(reading, node, &scalar::clipped(&name.value));
        branches.extend(id.map(|id| (id, steps)));
    }
    Some(branches)
}

fn each(reading: &Reading, node: &Node) -> Option<EachStep> {
    let mut fields = Fields::of(reading, node, "`each`")?;
    if !fields.has("in") {
        fields.missing("in");
    }
    let items = fields.expression("in");
    let most = u32::try_from(limits::ITEMS).unwrap_or(u32::MAX);
    let each = EachStep {
        span: node.span,
        r#as: fields.parsed::<Id>("as"),
        steps: fields.require("steps").map(|node| step::decode_list(reading, node, "steps")).unwrap_or_default(),
        max_parallel: fields.count("max_parallel", 1, most_parallel()),
        batches: fields.list("batches").unwrap_or_default().iter().filter_map(|node| batch(reading, node)).collect(),
        max_failures: fields.count("max_failures", 0, most),
        items: items?,
    };
    fields.finish();
    Some(each)
}

/// `10` or `10%`.
fn batch(reading: &Reading, node: &Node) -> Option<Spanned<BatchSize>> {
    if matches!(node.kind, NodeKind::Int(..)) {
        let most = u32::try_from(limits::ITEMS).unwrap_or(u32::MAX);
        return Some(scalar::count(reading, node, "batches", 1, most)?.map(BatchSize::Count));
    }
    let percent = node.scalar().and_then(|text| text.value.strip_suffix('%')).and_then(|text| text.parse::<f64>().ok());
    match percent {
        Some(percent) if percent > 0.0 && percent <= 100.0 => Some(Spanned::new(BatchSize::Percent(percent), node.span)),
        _ => {
            let diagnostic = reading.diagnostic(Code::RB0018, scalar::shown(reading, node.span), "this is not the size of a batch");
            reading.report(diagnostic.help("write a number of items, such as `5`, or a share of them, such as `10%`"));
            None
        }
    }
}

fn repeat(reading: &Reading, node: &Node) -> Option<RepeatStep> {
    let mut fields = Fields::of(reading, node, "`repeat`")?;
    if !fields.has("until") {
        fields.missing("until");
    }
    let until = fields.expression("until");
    let times = fields.count("times", 1, limits::ROUNDS);
    let every = fields.duration("every");
    let steps = fields.require("steps").map(|node| step::decode_list(reading, node, "steps")).unwrap_or_default();
    fields.finish();
    Some(RepeatStep { span: node.span, until: until?, times, every, steps })
}

fn group(reading: &Reading, node: &Node) -> Option<Vec<Step>> {
    if !matches!(node.kind, NodeKind::Map(_)) {
        return Some(step::decode_list(reading, node, "group"));
    }
    let mut fields = Fields::of(reading, node, "`group`")?;
    let steps = fields.require("steps").map(|node| step::decode_list(reading, node, "steps")).unwrap_or_default();
    fields.finish();
    Some(steps)
}

fn finish(reading: &Reading, node: &Node) -> Option<FinishStep> {
    let mut fields = Fields::of(reading, node, "`finish`")?;
    if !fields.has("outcome") {
        fields.missing("outcome");
    }
    let words = [("succeeded", FinishOutcome::Succeeded), ("failed", FinishOutcome::Failed)];
    let outcome = fields.word("outcome", &words);
    let message = fields.text("message");
    fields.finish();
    Some(FinishStep { span: node.span, outcome: outcome?, message })
}
