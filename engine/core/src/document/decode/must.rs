//! The properties of `must`.

use super::{Fields, Reading, scalar};
use crate::diagnostic::Code;
use crate::document::must::{Moment, Must, Rule, RunEnd, StepMoment, Subject};
use crate::document::{Node, NodeKind};
use crate::effect::Effect;
use crate::id::Id;
use crate::plan::{self, Origin};

const EFFECTS: [(&str, Effect); 3] = [("read", Effect::Read), ("change", Effect::Change), ("destructive", Effect::Destructive)];

const VERBS: [(&str, &str); 5] =
    [("approve", "approve"), ("ask", "ask"), ("manual", "manual"), ("check", "check"), ("notify", "notify")];

const STEP_ENDS: [(&str, StepMoment); 4] = [
    ("succeeded", StepMoment::Succeeded),
    ("failed", StepMoment::Failed),
    ("unknown", StepMoment::Unknown),
    ("skipped", StepMoment::Skipped),
];

const RUN_ENDS: [(&str, RunEnd); 5] = [
    ("succeeded", RunEnd::Succeeded),
    ("failed", RunEnd::Failed),
    ("rejected", RunEnd::Rejected),
    ("rolled_back", RunEnd::RolledBack),
    ("needs_attention", RunEnd::NeedsAttention),
];

/// Whose properties they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Procedure,
    /// It is about many procedures and knows no step.
    Policy,
}

pub(super) fn decode_all(fields: &mut Fields) -> Vec<Must> {
    let items = fields.list("must").unwrap_or_default();
    all(fields.reading, items, Whose::Procedure)
}

/// The properties of a policy; `None` where it demands none. One that is wrong is a demand too: it has been told.
pub(crate) fn of_policy(fields: &mut Fields) -> Option<Vec<plan::must::Must>> {
    let reading = fields.reading;
    let is_there = fields.has("must");
    let items = fields.list("must");
    if !is_there || items.is_some_and(<[Node]>::is_empty) {
        return None;
    }
    let lowered = |must: Must| {
        let at = Origin { file: Origin::WORKSPACE, position: reading.source().position(must.span.start) };
        Some(plan::must::Must { at, rule: must.rule.lower(|_| None)?, why: must.why.map(|why| why.value) })
    };
    Some(all(reading, items.unwrap_or_default(), Whose::Policy).into_iter().filter_map(lowered).collect())
}

fn all(reading: &Reading, items: &[Node], whose: Whose) -> Vec<Must> {
    items.iter().filter_map(|node| property(reading, node, whose)).collect()
}

fn property(reading: &Reading, node: &Node, whose: Whose) -> Option<Must> {
    let what = match whose {
        Whose::Procedure => "a property of `must`",
        Whose::Policy => "a property of `must` in a policy",
    };
    let mut fields = Fields::of(reading, node, what)?;
    let key = |name: &str| fields.keys().find(|key| key.value == name);
    let (never, before) = (key("never"), key("always_before"));
    if let (Some(never), Some(before)) = (never, before) {
        fields.exclude(never, before);
    }
    if never.is_none() && before.is_none() {
        fields.missing("never");
    }
    let misplaced = [("after", never.is_none(), "never"), ("comes", before.is_none(), "always_before")];
    for (name, alone, beside) in misplaced {
        if let Some(key) = fields.keys().find(|key| key.value == name).filter(|_| alone && (never.is_some() || before.is_some())) {
            let fault = reading.diagnostic(Code::RB0023, key.span, format!("`{name}` stands beside `{beside}`"));
            reading.report(fault.help(format!("remove `{name}`, or write `{beside}`")));
        }
    }
    let mut moment = |name: &'static str| fields.take(name).and_then(|node| self::moment(reading, node, whose));
    let (never_moment, before_moment) = (moment("never"), moment("always_before"));
    let (after, comes) = (moment("after"), moment("comes"));
    if before.is_some() && !fields.has("comes") {
        fields.missing("comes");
    }
    let why = fields.text("why");
    let lost = fields.has("after") && after.is_none();
    fields.finish();
    let rule = match (never_moment, before_moment) {
        (Some(moment), None) if !lost => Rule::Never { moment, after },
        (None, Some(moment)) => Rule::AlwaysBefore { moment, comes: comes? },
        _ => return None,
    };
    Some(Must { span: node.span, rule, why })
}

/// The id of a step, or a map that names a step, an effect, a verb or the end of the run.
fn moment(reading: &Reading, node: &Node, whose: Whose) -> Option<Moment> {
    let what = match whose {
        Whose::Procedure => "a moment of `must`",
        Whose::Policy => "a moment of `must` in a policy",
    };
    if !matches!(node.kind, NodeKind::Map(_)) {
        let name = scalar::text(reading, node, "must")?;
        if whose == Whose::Policy {
            let message = format!("a policy knows no step `{}`", scalar::clipped(&name.value));
            let fault = reading.diagnostic(Code::RB0103, name.span, message).reason("it is about many procedures");
            reading.report(fault.help("name an `effect`, a `verb` or how the `run` ends"));
            return None;
        }
        let id = scalar::parsed::<Id>(reading, &name)?;
        return Some(Moment { span: node.span, of: Subject::Step(id), ends: None });
    }
    let mut fields = Fields::of(reading, node, what)?;
    let mut subjects = fields.keys().filter(|key| ["step", "effect", "verb", "run"].contains(&key.value.as_str()));
    let (first, second) = (subjects.next(), subjects.next());
    if let (Some(first), Some(second)) = (first, second) {
        fields.exclude(first, second);
    }
    if first.is_none() {
        fields.missing(if whose == Whose::Policy { "effect" } else { "step" });
    }
    let step = match whose {
        Whose::Procedure => fields.parsed::<Id>("step").map(Subject::Step),
        Whose::Policy => None,
    };
    let effect = fields.word("effect", &EFFECTS).map(|effect| Subject::Effect(effect.value));
    let verb = fields.word("verb", &VERBS).map(|verb| Subject::Verb(verb.value));
    let run = fields.word("run", &RUN_ENDS).map(|end| Subject::Run(end.value));
    let ends = fields.word("ends", &STEP_ENDS);
    if let (Some(_), Some(ends)) = (&run, &ends) {
        let fault = reading.diagnostic(Code::RB0023, ends.span, "`run` says already how it ends");
        reading.report(fault.help("remove `ends`"));
    }
    fields.finish();
    let of = step.or(effect).or(verb).or(run).filter(|_| second.is_none())?;
    Some(Moment { span: node.span, of, ends: ends.map(|ends| ends.value) })
}
