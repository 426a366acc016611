//! What each verb does, with every field parsed and every default decided.

use std::time::Duration;

use super::field::Scope;
use super::procedure::{Checked, Settings, flip};
use super::tree::{NodeIx, Slot};
use super::types;
use crate::diagnostic::{Code, Span, Spanned};
use crate::document::step::{self, HttpStep, OnTimeout, WaitFor};
use crate::document::{Node, NodeKind, Scalar, Step};
use crate::effect::Effect;
use crate::expr::{Expression, Names, Type};
use crate::id::Id;
use crate::limits;
use crate::plan::{self, Http, HttpBody, JsonTemplate, Verb};
use crate::value::Value;

/// A verb in the plan, and the effects that follow from it.
pub(super) struct Lowered {
    pub verb: Option<Verb>,
    /// Where the step declares none.
    pub default_effect: Effect,
    /// The highest of the steps inside.
    pub inside: Effect,
    /// What `result` gives.
    pub result: Type,
}

/// Whether a verb touches the world itself, through an action.
pub(super) fn acts(verb: &step::Verb) -> bool {
    use step::Verb;
    matches!(verb, Verb::Run(_) | Verb::Exec(_) | Verb::Rhai(_) | Verb::Http(_) | Verb::Notify(_))
}

fn default_effect(verb: &step::Verb) -> Effect {
    use step::Verb;
    match verb {
        Verb::Run(_) | Verb::Exec(_) | Verb::Manual(_) | Verb::Notify(_) => Effect::Change,
        Verb::Http(http) if matches!(method(http), "GET" | "HEAD") => Effect::Read,
        Verb::Http(_) => Effect::Change,
        _ => Effect::None,
    }
}

/// What the result of a verb is, where the verb alone says it.
pub(super) fn result_of(verb: &step::Verb) -> Type {
    use step::Verb;
    match verb {
        Verb::Run(_) | Verb::Exec(_) => types::of_program(),
        Verb::Http(_) => types::of_response(),
        Verb::Approve(_) => types::of_decision(false),
        Verb::Manual(manual) => types::of_decision(manual.evidence.is_some()),
        Verb::Ask(ask) => {
            Type::with(ask.fields.iter().map(|(name, field)| (name.value.to_string(), types::of_input(field))).collect())
        }
        Verb::Notify(_) => Type::Map(None),
        Verb::Each(_) => Type::List(Box::new(Type::Map(None))),
        Verb::Wait(wait) if matches!(wait.what, WaitFor::Event(_)) => types::of_awaited(),
        Verb::Repeat(_) | Verb::Wait(_) => types::members([("rounds", Type::Integer)]),
        Verb::Rhai(_) | Verb::Call(_) | Verb::Set(_) => Type::Any,
        Verb::Check(_) | Verb::Choose(_) | Verb::Parallel(_) | Verb::Group(_) | Verb::Finish(_) => Type::Null,
    }
}

fn method(http: &HttpStep) -> &str {
    http.method.as_ref().map_or("GET", |m| m.value.as_str())
}

impl<'c> Checked<'_, 'c> {
    pub fn verb(&mut self, ix: NodeIx, step: &'c Step, scope: &Scope, settings: &Settings) -> Lowered {
        use step::Verb as Doc;
        let verb = &step.verb.value;
        let mut inside = Effect::None;
        let mut result = result_of(verb);
        let lowered = match verb {
            Doc::Run(run) => {
                let shell = run.shell.as_ref().map_or(settings.shell, |s| s.value);
                self.shell_script(&run.script, scope).map(|script| Verb::Run { script, shell })
            }
            Doc::Exec(argv) => self.exec(argv, scope),
            Doc::Rhai(script) => self.rhai_script(script, scope).map(Verb::Rhai),
            Doc::Http(http) => self.http(http, scope),
            Doc::Check(assertions) => self.assertions(assertions, scope),
            Doc::Set(values) => {
                let (values, types) = self.named(values, scope);
                result = Type::with(types);
                values.map(Verb::Set)
            }
            Doc::Wait(wait) => {
                inside = self
                    .tree
                    .block(ix, Slot::Probe)
                    .fold(inside, |effect, probe| effect.max(self.block(probe..probe + 1, settings)));
                self.wait(ix, step.verb.span, wait, scope)
            }
            Doc::Approve(approve) => {
                self.has_an_end(step.verb.span, "approve", approve.within.as_ref());
                self.approve(approve, scope)
            }
            Doc::Ask(ask) => {
                self.has_an_end(step.verb.span, "ask", ask.within.as_ref());
                self.ask(ask, scope)
            }
            Doc::Manual(manual) => {
                self.has_an_end(step.verb.span, "manual", manual.within.as_ref());
                self.manual(manual, scope)
            }
            Doc::Notify(notify) => {
                self.channels(&notify.to);
                let subject = notify.subject.as_ref().map(|t| self.text(t, scope));
                let message = self.text(&notify.message, scope);
                let to = notify.to.iter().map(|t| t.value.clone()).collect();
                flip(subject).zip(message).map(|(subject, message)| Verb::Notify { to, subject, message })
            }
            Doc::Call(call) => {
                let source = &self.procedure.source;
                let called = self.build.call(source, &call.procedure);
                let (with, given) = self.named(&call.with, scope);
                called.and_then(|(procedure, called)| {
                    inside = self.build.effect_of(procedure);
                    result = Type::with(self.build.outputs_of(procedure));
                    self.handed(call, called, &given);
                    self.unlocked(call, called);
                    Some(Verb::Call { procedure, with: with? })
                })
            }
            Doc::Choose(branches) => {
                let mut lowered = Vec::new();
                for (n, branch) in branches.iter().enumerate() {
                    let when = branch.when.as_ref().map(|when| self.condition(when, scope));
                    let (body, effect) = self.inner(ix, Slot::Case(n), settings);
                    inside = inside.max(effect);
                    lowered.push(flip(when).map(|when| plan::Branch { when, body }));
                }
                lowered.into_iter().collect::<Option<Vec<_>>>().map(Verb::Choose)
            }
            Doc::Parallel(parallel) => {
                let mut branches = Vec::new();
                for (n, (name, _)) in parallel.branches.iter().enumerate() {
                    let (body, effect) = self.inner(ix, Slot::Branch(n), settings);
                    inside = inside.max(effect);
                    branches.push((name.value.clone(), body));
                }
                let max_parallel = at_once(parallel.max_parallel.as_ref(), limits::PARALLEL_DEFAULT);
                Some(Verb::Parallel { branches, max_parallel })
            }
            Doc::Each(each) => {
                let items = self.typed(&each.items, scope);
                let of = self.item_type(&each.items, items.as_ref().map(|(_, of)| of));
                let items = items.map(|(items, _)| items);
                if let Some(name) = &each.r#as {
                    self.item_name(name);
                }
                let name = each.r#as.as_ref().map_or("item", |name| name.value.as_str());
                let known = items.as_ref().and_then(written_out);
                self.items.push(super::procedure::Item { name, of, known });
                let (body, effect) = self.inner(ix, Slot::Item, settings);
                self.items.pop();
                inside = effect;
                // Waves say how many start together; without them a list is read as a loop, one after another.
                let usual = if each.batches.is_empty() { 1 } else { limits::PARALLEL_DEFAULT };
                let max_parallel = at_once(each.max_parallel.as_ref(), usual);
                items.zip(name.parse::<Id>().ok()).map(|(items, r#as)| {
                    Verb::Each(Box::new(plan::Each {
                        items,
                        r#as,
                        body,
                        max_parallel,
                        batches: each.batches.iter().map(|b| b.value).collect(),
                        max_failures: each.max_failures.as_ref().map_or(0, |m| m.value),
                    }))
                })
            }
            Doc::Repeat(repeat) => {
                let (body, effect) = self.inner(ix, Slot::Round, settings);
                inside = effect;
                let until = self.condition(&repeat.until, &Scope::at(self.tree.end_of(ix, Slot::Round)));
                let times = self.times(step.verb.span, repeat.times.as_ref());
                let every = repeat.every.as_ref().map(|e| e.value);
                until.zip(times).map(|(until, times)| Verb::Repeat { until, times, every, body })
            }
            Doc::Group(_) => {
                let (body, effect) = self.inner(ix, Slot::Group, settings);
                inside = effect;
                Some(Verb::Group(body))
            }
            Doc::Finish(finish) => {
                self.finish_allowed(ix, step.verb.span);
                if finish.outcome.value == step::FinishOutcome::Succeeded {
                    self.ends.push(ix);
                }
                let message = finish.message.as_ref().map(|t| self.text(t, scope));
                flip(message).map(|message| Verb::Finish { outcome: finish.outcome.value, message })
            }
        };
        let lowered = lowered.filter(|lowered| self.can_be_recorded(lowered, step.verb.span));
        Lowered { verb: lowered, default_effect: default_effect(verb), inside, result }
    }

    fn exec(&mut self, argv: &[Scalar], scope: &Scope) -> Option<Verb> {
        self.arguments(argv, scope).map(Verb::Exec)
    }

    fn http(&mut self, http: &HttpStep, scope: &Scope) -> Option<Verb> {
        self.result = types::of_response();
        let url = self.text(&http.url, scope);
        let query = self.pairs(&http.query, scope);
        let headers: Vec<_> = http.headers.iter().map(|(n, v)| Some((n.value.clone(), self.header(v, scope)?))).collect();
        let body = http.body.as_ref().map(|body| match body {
            step::HttpBody::Json(node) => self.json(node, scope).map(HttpBody::Json),
            step::HttpBody::Form(fields) => self.pairs(fields, scope).map(HttpBody::Form),
            step::HttpBody::Raw(text) => self.text(text, scope).map(HttpBody::Raw),
        });
        let (expect_status, that) = match &http.expect {
            Some(expect) => (
                expect.status.iter().map(|s| s.value).collect(),
                expect.that.as_ref().map(|that| self.condition(that, &scope.result())),
            ),
            None => (Vec::new(), None),
        };
        Some(Verb::Http(Box::new(Http {
            method: method(http).to_owned(),
            url: url?,
            query: query?,
            headers: headers.into_iter().collect::<Option<_>>()?,
            body: flip(body)?,
            expect_status,
            expect: flip(that)?,
        })))
    }

    fn json(&mut self, node: &Node, scope: &Scope) -> Option<JsonTemplate> {
        match &node.kind {
            NodeKind::Text(text) if text.value.contains("{{") => self.json_text(text, scope).map(JsonTemplate::Text),
            NodeKind::List(items) => {
                let parsed: Vec<_> = items.iter().map(|item| self.json(item, scope)).collect();
                parsed.into_iter().collect::<Option<_>>().map(JsonTemplate::List)
            }
            NodeKind::Map(entries) => {
                let parsed: Vec<_> =
                    entries.iter().map(|(key, value)| Some((key.value.clone(), self.json(value, scope)?))).collect();
                parsed.into_iter().collect::<Option<_>>().map(JsonTemplate::Map)
            }
            _ => Some(JsonTemplate::Value(super::literal::plain(node))),
        }
    }

    fn assertions(&mut self, assertions: &[step::Assertion], scope: &Scope) -> Option<Verb> {
        let parsed: Vec<Option<plan::Assertion>> = assertions
            .iter()
            .map(|assertion| {
                let that = self.condition(&assertion.that, scope);
                let otherwise = assertion.otherwise.as_ref().map(|t| self.text(t, scope));
                Some(plan::Assertion { that: that?, otherwise: flip(otherwise)? })
            })
            .collect();
        parsed.into_iter().collect::<Option<_>>().map(Verb::Check)
    }

    fn wait(&mut self, ix: NodeIx, at: Span, wait: &step::WaitStep, scope: &Scope) -> Option<Verb> {
        let what = match &wait.what {
            WaitFor::Duration(duration) => {
                let parsed = match crate::value::parse_duration(&duration.value) {
                    Ok(fixed) => {
                        let text = crate::value::format_duration(fixed);
                        Expression::parse(&format!("duration(\"{text}\")"), self.origin(duration.span)).ok()
                    }
                    Err(_) => self.of_type(duration, scope, &[Type::Duration], "`for` is a duration"),
                };
                parsed.map(plan::WaitFor::Duration)
            }
            WaitFor::Until { until, probe } => {
                let scope = if probe.is_some() { Scope::at(self.tree.end_of(ix, Slot::Probe)) } else { *scope };
                let probe = self.indexes(self.tree.block(ix, Slot::Probe)).first().copied();
                let wanted = [Type::Boolean, Type::Time];
                let until = self.of_type(until, &scope, &wanted, "`until` is a condition or a time");
                until.map(|until| plan::WaitFor::Until { until, probe })
            }
            WaitFor::Event(event) => return self.listen(at, event, wait.within.as_ref(), scope),
        };
        let fixed = matches!(wait.what, WaitFor::Duration(_));
        if wait.within.is_none() && !fixed {
            self.endless(at);
        }
        Some(Verb::Wait(Box::new(plan::Wait {
            what: what?,
            every: wait.every.as_ref().map_or(limits::POLL_EVERY, |e| e.value),
            within: wait.within.as_ref().map(|w| w.value),
        })))
    }

    fn listen(&mut self, at: Span, event: &step::EventStep, within: Option<&Spanned<Duration>>, scope: &Scope) -> Option<Verb> {
        self.event_source(&event.source, Code::RB0320);
        let when = event.when.as_ref().map(|when| self.condition(when, &scope.awaited()));
        if within.is_none() {
            self.endless(at);
        }
        Some(Verb::Listen(Box::new(plan::Listen {
            source: event.source.value.clone(),
            when: flip(when)?,
            since: event.since.as_ref().map(|since| since.value).unwrap_or_default(),
            within: within?.value,
        })))
    }

    fn endless(&mut self, at: Span) {
        let fault = self
            .new_fault(Code::RB0212, at, "this wait has no end")
            .reason("every wait says how long it may last")
            .help("add `within`, such as `within: 20m`");
        self.report(fault);
    }

    fn approve(&mut self, approve: &step::ApproveStep, scope: &Scope) -> Option<Verb> {
        self.asked(&approve.from, approve.count.as_ref(), approve.on_timeout.as_ref());
        let question = self.text(&approve.question, scope);
        Some(Verb::Approve(Box::new(plan::Approve {
            question: question?,
            from: names(&approve.from),
            count: approve.count.as_ref().map_or(1, |c| c.value),
            within: approve.within.as_ref().map(|w| w.value),
            on_timeout: on_timeout(approve.on_timeout.as_ref()),
            not_requester: approve.not_requester,
        })))
    }

    fn ask(&mut self, ask: &step::AskStep, scope: &Scope) -> Option<Verb> {
        self.asked(&ask.from, None, ask.on_timeout.as_ref());
        let question = self.text(&ask.question, scope);
        let fields = self.specs(&ask.fields);
        Some(Verb::Ask(Box::new(plan::Ask {
            question: question?,
            fields: fields?,
            from: names(&ask.from),
            within: ask.within.as_ref().map(|w| w.value),
            on_timeout: on_timeout(ask.on_timeout.as_ref()),
        })))
    }

    fn manual(&mut self, manual: &step::ManualStep, scope: &Scope) -> Option<Verb> {
        self.asked(&manual.from, None, manual.on_timeout.as_ref());
        let instruction = self.text(&manual.instruction, scope);
        let expect = manual.expect.as_ref().map(|t| self.text(t, scope));
        let evidence = manual.evidence.as_ref().map(|t| self.text(t, scope));
        Some(Verb::Manual(Box::new(plan::Manual {
            instruction: instruction?,
            expect: flip(expect)?,
            evidence: flip(evidence)?,
            from: names(&manual.from),
            within: manual.within.as_ref().map(|w| w.value),
            on_timeout: on_timeout(manual.on_timeout.as_ref()),
        })))
    }

    fn times(&mut self, at: Span, declared: Option<&Spanned<u32>>) -> Option<u32> {
        let Some(times) = declared else {
            let fault = self
                .new_fault(Code::RB0214, at, "this `repeat` has no limit")
                .reason("every loop says how often it may go round")
                .help("add `times`, such as `times: 10`");
            self.report(fault);
            return None;
        };
        Some(times.value)
    }
}

fn names(list: &[Scalar]) -> Vec<String> {
    list.iter().map(|name| name.value.clone()).collect()
}

fn on_timeout(declared: Option<&Spanned<OnTimeout>>) -> OnTimeout {
    declared.map(|t| t.value).unwrap_or_default()
}

fn at_once(declared: Option<&Spanned<u32>>, usual: usize) -> u32 {
    declared.map_or(super::lower::index(usual), |declared| declared.value)
}

/// The items of a list that the author wrote out: nothing is read and nothing called in it.
fn written_out(items: &Expression) -> Option<Vec<Value>> {
    struct Nothing;
    impl Names for Nothing {
        fn value(&self, root: &str, _: Option<&str>) -> Result<Value, String> {
            Err(format!("`{root}` is not read here"))
        }
    }
    let literal = items.source.trim_start().starts_with('[') && !items.source.contains('(') && items.references().is_empty();
    match literal.then(|| items.evaluate(&Nothing)) {
        Some(Ok(Value::List(items))) => Some(items),
        _ => None,
    }
}
