//! What a step reads: every name in its conditions, texts and expressions, those of the steps inside it left to them.

use super::{Assertion, Branch, EnvValue, HeaderValue, Http, HttpBody, JsonTemplate, Step, StepIx, Verb, Verify, WaitFor};
use crate::expr::{Expression, Reference, Template};
use crate::id::Id;

impl Step {
    /// The conditions that are the same wherever they are written again: of the step, of its branches, of what it checks.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Expression> {
        let (branches, checked): (&[Branch], &[Assertion]) = match &self.verb {
            Verb::Choose(branches) => (branches, &[]),
            Verb::Check(assertions) => (&[], assertions),
            _ => (&[], &[]),
        };
        let when = branches.iter().filter_map(|branch| branch.when.as_ref());
        self.condition.iter().chain(when).chain(checked.iter().map(|assertion| &assertion.that))
    }

    /// Whether one of the expressions that decide what the step does, before it does anything, may have no value: a text that is no
    /// number, an element that is not there.
    pub(crate) fn may_not_resolve(&self) -> bool {
        let valued = |values: &[(Id, Expression)]| values.iter().any(|(_, value)| value.may_fail());
        // What cannot be checked does not hold.
        let of_verb = match &self.verb {
            Verb::Choose(branches) => branches.iter().filter_map(|branch| branch.when.as_ref()).any(Expression::may_fail),
            Verb::Each(each) => each.items.may_fail(),
            Verb::Set(values) | Verb::Call { with: values, .. } => valued(values),
            Verb::Wait(wait) => match &wait.what {
                WaitFor::Duration(time) | WaitFor::Until { until: time, probe: None } => time.may_fail(),
                WaitFor::Until { probe: Some(_), .. } => false,
            },
            _ => false,
        };
        of_verb || self.condition.as_ref().is_some_and(Expression::may_fail)
    }

    /// Every name that the step itself reads, in no order that matters.
    pub fn reads(&self) -> Vec<Reference> {
        let mut found = Found::default();
        found.texts(self.name.iter().chain(&self.why).chain(&self.by_hand).chain(&self.dir));
        found.expressions(self.condition.iter().chain(self.outputs.iter().map(|(_, value)| value)));
        found.expressions(self.env.iter().filter_map(|(_, value)| match value {
            EnvValue::Expression(expression) => Some(expression),
            EnvValue::Secret(_) => None,
        }));
        if let Some(Verify::Expression(expression)) = &self.verify {
            found.expressions([expression]);
        }
        found.verb(&self.verb);
        found.0
    }

    /// The steps that stand inside it, and those that look after it: its undo, what verifies it, the probe of a wait.
    pub fn inner(&self) -> Vec<StepIx> {
        let mut inner = self.undo.clone();
        if let Some(Verify::Step(step)) = &self.verify {
            inner.push(*step);
        }
        match &self.verb {
            Verb::Group(body) | Verb::Repeat { body, .. } => inner.extend(body),
            Verb::Each(each) => inner.extend(&each.body),
            Verb::Choose(branches) => inner.extend(branches.iter().flat_map(|branch| &branch.body)),
            Verb::Parallel { branches, .. } => inner.extend(branches.iter().flat_map(|(_, body)| body)),
            Verb::Wait(wait) => {
                if let WaitFor::Until { probe: Some(probe), .. } = &wait.what {
                    inner.push(*probe);
                }
            }
            _ => {}
        }
        inner
    }
}

#[derive(Default)]
struct Found(Vec<Reference>);

impl Found {
    fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t Template>) {
        texts.into_iter().for_each(|text| self.0.extend(text.references()));
    }

    fn expressions<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expression>) {
        expressions.into_iter().for_each(|expression| self.0.extend(expression.reads()));
    }

    fn verb(&mut self, verb: &Verb) {
        match verb {
            Verb::Run { script, .. } => self.0.extend(script.references()),
            Verb::Exec(argv) => self.texts(argv),
            Verb::Rhai(script) => self.0.extend(script.references()),
            Verb::Http(http) => self.http(http),
            Verb::Check(assertions) => {
                self.expressions(assertions.iter().map(|assertion| &assertion.that));
                self.texts(assertions.iter().filter_map(|assertion| assertion.otherwise.as_ref()));
            }
            Verb::Set(values) | Verb::Call { with: values, .. } => self.expressions(values.iter().map(|(_, value)| value)),
            Verb::Wait(wait) => {
                let (WaitFor::Duration(time) | WaitFor::Until { until: time, .. }) = &wait.what;
                self.expressions([time]);
            }
            // Whatever is read of the event is known when one comes.
            Verb::Listen(listen) => self.expressions(&listen.when),
            Verb::Approve(approve) => self.texts([&approve.question]),
            Verb::Ask(ask) => self.texts([&ask.question]),
            Verb::Manual(manual) => {
                self.texts(std::iter::once(&manual.instruction).chain(&manual.expect).chain(&manual.evidence));
            }
            Verb::Notify { subject, message, .. } => self.texts(subject.iter().chain([message])),
            Verb::Choose(branches) => self.expressions(branches.iter().filter_map(|branch| branch.when.as_ref())),
            Verb::Each(each) => self.expressions([&each.items]),
            Verb::Repeat { until, .. } => self.expressions([until]),
            Verb::Finish { message, .. } => self.texts(message),
            Verb::Parallel { .. } | Verb::Group(_) => {}
        }
    }

    fn http(&mut self, http: &Http) {
        self.texts([&http.url]);
        self.texts(http.query.iter().map(|(_, text)| text));
        self.texts(http.headers.iter().filter_map(|(_, value)| match value {
            HeaderValue::Text(text) => Some(text),
            HeaderValue::Secret(_) => None,
        }));
        self.expressions(&http.expect);
        match &http.body {
            Some(HttpBody::Json(json)) => self.json(json),
            Some(HttpBody::Form(fields)) => self.texts(fields.iter().map(|(_, text)| text)),
            Some(HttpBody::Raw(text)) => self.texts([text]),
            None => {}
        }
    }

    fn json(&mut self, json: &JsonTemplate) {
        match json {
            JsonTemplate::Value(_) => {}
            JsonTemplate::Text(text) => self.texts([text]),
            JsonTemplate::List(items) => items.iter().for_each(|item| self.json(item)),
            JsonTemplate::Map(entries) => entries.iter().for_each(|(_, value)| self.json(value)),
        }
    }
}
