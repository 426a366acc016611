//! The pure questions of a run: what a step will do, what its outputs are, whether a condition holds. Each gives the fact
//! to record; nothing here changes the run.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::document::input::accept_all;
use crate::document::step::BatchSize;
use crate::expr::{Destination, EvalError, Expression, Template, percent_encode};
use crate::id::{Id, StepPath};
use crate::limits;
use crate::markdown::quoted;
use crate::plan::{EnvValue, HeaderValue, Http, HttpBody, JsonTemplate, Step, Verb, Verify, WaitFor};
use crate::value::{Map, Value};

use super::event::{Evaluated, Fact, Failure, Resolution};
use super::listen::OF_EVENT;
use super::names::InScope;
use super::state::{Inner, NodeIx, ScopeIx, State};
use super::task::{EnvText, EventTask, HttpContent, HttpTask, News, SecretName, Task, Work};
use super::{Key, Run};

impl Run {
    pub(super) fn names<'a>(&'a self, scope: ScopeIx, now: Timestamp, result: Option<&'a Value>, lenient: bool) -> InScope<'a> {
        InScope { run: self, scope, now: Some(now), result, lenient, least: false }
    }

    pub(super) fn failure(&self, error: EvalError) -> Failure {
        Failure { message: error.message, at: Some(self.plan.locate(&error.at)), detail: None }
    }

    /// What the step at `path`, which wants to be resolved, will do. `None` where it does not want to.
    pub fn resolve(&self, path: &StepPath, now: Timestamp) -> Option<Fact> {
        let node = self.node_at(path)?;
        self.wants.get(&Key::Resolve(node))?;
        let resolution = self.resolution(node, now).unwrap_or_else(|error| Resolution::Fail { error: self.failure(error) });
        Some(Fact::StepResolved { path: path.clone(), resolution })
    }

    fn resolution(&self, node: NodeIx, now: Timestamp) -> Result<Resolution, EvalError> {
        let step = self.step_of(node);
        let scope = self.node(node).scope;
        let names = self.names(scope, now, None, false);
        if let Some(condition) = &step.condition {
            match truth(condition, &names)? {
                Truth::Yes => {}
                Truth::No => return Ok(Resolution::Skip { reason: format!("{} does not hold", quoted(condition.source.trim())) }),
                Truth::Unknown(name) => return Err(unknown(condition, &name)),
            }
        }
        self.may_start(node, now)?;
        self.does(node, &names, now)
    }

    /// What a step does whose condition holds.
    pub(super) fn does(&self, node: NodeIx, names: &InScope<'_>, now: Timestamp) -> Result<Resolution, EvalError> {
        let step = self.step_of(node);
        let scope = self.node(node).scope;
        Ok(match &step.verb {
            Verb::Run { .. } | Verb::Exec(_) | Verb::Rhai(_) | Verb::Http(_) | Verb::Notify { .. } | Verb::Listen(_) => {
                Resolution::Work(Box::new(self.possible_work(step, scope, names)?))
            }
            Verb::Check(assertions) => {
                let mut failures = Vec::new();
                for assertion in assertions {
                    let holds = match truth(&assertion.that, names)? {
                        Truth::Yes => true,
                        Truth::No => false,
                        Truth::Unknown(name) => return Err(unknown(&assertion.that, &name)),
                    };
                    if !holds {
                        failures.push(match &assertion.otherwise {
                            Some(text) => text.render(Destination::Plain, names)?.0,
                            None => format!("{} does not hold", quoted(assertion.that.source.trim())),
                        });
                    }
                }
                Resolution::Checked { failures }
            }
            Verb::Set(values) => Resolution::Values(self.evaluate_all(values, names)?),
            Verb::Choose(branches) => {
                let mut chosen = None;
                for (place, branch) in branches.iter().enumerate() {
                    let holds = match &branch.when {
                        None => true,
                        Some(when) => match truth(when, names)? {
                            Truth::Yes => true,
                            Truth::No => false,
                            Truth::Unknown(name) => return Err(unknown(when, &name)),
                        },
                    };
                    if holds {
                        chosen = u32::try_from(place).ok();
                        break;
                    }
                }
                Resolution::Branch(chosen)
            }
            Verb::Each(each) => match each.items.evaluate(names)? {
                Value::List(items) if items.len() > limits::ITEMS => {
                    return Err(error(
                        &each.items,
                        format!("{} items are more than the {} that one `each` may have", items.len(), limits::ITEMS),
                    ));
                }
                Value::List(items) => {
                    let waves = waves(&each.batches, items.len());
                    Resolution::Items { items, waves }
                }
                Value::Unknown(name) => return Err(unknown(&each.items, &name)),
                other => return Err(error(&each.items, format!("`in` gives a {}, not a list", other.type_name()))),
            },
            Verb::Call { procedure, with } => {
                let given = self.evaluate_all(with, names)?;
                let inputs = accept_all(&self.plan.procedure(*procedure).inputs, given).map_err(|faults| {
                    let all: Vec<String> = faults.into_iter().map(|(name, fault)| format!("{name}: {fault}")).collect();
                    let message = format!("the called procedure does not take these inputs: {}", all.join("; "));
                    EvalError { message, at: step.at.clone() }
                })?;
                Resolution::Call { inputs }
            }
            Verb::Wait(wait) => Resolution::Wait { until: self.wait_until(&wait.what, names, now)? },
            Verb::Group(_) | Verb::Parallel { .. } | Verb::Repeat { .. } => Resolution::Enter,
            Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_) => {
                // A question whose text cannot be rendered fails the step before anybody is asked.
                for text in asked(&step.verb) {
                    text.render(Destination::Plain, names)?;
                }
                Resolution::Ask
            }
            Verb::Finish { outcome, message } => {
                let message = match message {
                    Some(text) => text.render(Destination::Plain, names)?.0,
                    None => String::new(),
                };
                Resolution::Finish { outcome: *outcome, message }
            }
        })
    }

    /// Whether the windows of the environment let a step start.
    fn may_start(&self, node: NodeIx, now: Timestamp) -> Result<(), EvalError> {
        let step = self.step_of(node);
        let acts = !step.verb.is_container() && step.effect.changes() && !matches!(step.verb, Verb::Notify { .. });
        // Neither taking a change back nor telling people is ever frozen.
        if !acts || self.node(node).path.as_str().contains("~undo") {
            return Ok(());
        }
        let open = self.plan.policy.may_change_at(now);
        open.map_err(|closed| EvalError { message: format!("a change may not start now: {closed}"), at: step.at.clone() })
    }

    /// Why an attempt that is ready may not start after all: it waited for people, for its turn or for a retry, and a window has
    /// closed meanwhile. `None` where it may.
    pub fn too_late(&self, path: &StepPath, now: Timestamp) -> Option<Fact> {
        let node = self.node_at(path)?;
        self.wants.get(&Key::Perform(node))?;
        let error = self.may_start(node, now).err()?;
        Some(Fact::StepResolved { path: path.clone(), resolution: Resolution::Fail { error: self.failure(error) } })
    }

    pub(super) fn wait_until(&self, what: &WaitFor, names: &InScope<'_>, now: Timestamp) -> Result<Option<Timestamp>, EvalError> {
        match what {
            WaitFor::Duration(expression) => match expression.evaluate(names)? {
                Value::Duration(duration) => Ok(Some(super::later(now, duration))),
                Value::Unknown(name) => Err(unknown(expression, &name)),
                other => Err(error(expression, format!("`for` gives a {}, not a duration", other.type_name()))),
            },
            // With a probe the condition rests on what the probe gives, so it is judged only after it.
            WaitFor::Until { probe: Some(_), .. } => Ok(None),
            WaitFor::Until { until, probe: None } => match until.evaluate(names)? {
                Value::Time(time) => Ok(Some(time)),
                Value::Bool(_) => Ok(None),
                Value::Unknown(name) => Err(unknown(until, &name)),
                other => Err(error(until, format!("`until` gives a {}, neither a time nor true or false", other.type_name()))),
            },
        }
    }

    pub(super) fn evaluate_all(&self, values: &[(Id, Expression)], names: &InScope<'_>) -> Result<Map, EvalError> {
        values.iter().map(|(id, expression)| Ok((id.as_str().to_owned(), expression.evaluate(names)?))).collect()
    }

    /// The step with every text rendered, where an attempt at it can begin.
    pub(super) fn possible_work(&self, step: &Step, scope: ScopeIx, names: &InScope<'_>) -> Result<Work, EvalError> {
        let work = self.work(step, scope, names)?;
        match work.impossible(&self.plan.policy.channels) {
            Some(message) => Err(EvalError { message, at: step.at.clone() }),
            None => Ok(work),
        }
    }

    /// The step with every text rendered.
    pub(super) fn work(&self, step: &Step, scope: ScopeIx, names: &InScope<'_>) -> Result<Work, EvalError> {
        let plain = |text: &Template| Ok::<String, EvalError>(text.render(Destination::Plain, names)?.0);
        let procedure = self.frame_of(scope).procedure.0;
        let secret = |name: &Id| EnvText::Secret(SecretName { procedure, name: name.clone() });
        let task = match &step.verb {
            Verb::Run { script, shell } => {
                let (rendered, _) = script.render(names)?;
                Task::Run { shell: *shell, script: rendered.script, values: rendered.values }
            }
            Verb::Exec(argv) => Task::Exec { argv: argv.iter().map(plain).collect::<Result<_, _>>()? },
            Verb::Rhai(script) => Task::Rhai { script: script.source.clone(), scope: script.scope(names)? },
            Verb::Http(http) => Task::Http(Box::new(http_task(http, names, &secret)?)),
            Verb::Notify { to, subject, message } => Task::Notify {
                to: to.clone(),
                subject: match subject {
                    Some(subject) => plain(subject)?,
                    None => String::new(),
                },
                message: plain(message)?,
                news: News::New,
            },
            Verb::Listen(listen) => Task::Event(Box::new(EventTask {
                source: listen.source.clone(),
                when: listen.when.as_ref().map(|when| when.source.trim().to_owned()),
                names: match &listen.when {
                    Some(when) => when.capture(names, &OF_EVENT)?,
                    None => Map::new(),
                },
                since: listen.since,
            })),
            _ => return Err(EvalError { message: format!("`{}` is not a step that acts", step.verb.key()), at: step.at.clone() }),
        };
        let mut env = BTreeMap::new();
        for (name, value) in &step.env {
            let value = match value {
                EnvValue::Secret(id) => secret(id),
                EnvValue::Expression(expression) => EnvText::Plain(text_of(&expression.evaluate(names)?).ok_or_else(|| {
                    let source = expression.source.trim();
                    let way_out = format!("write {}, or ask first whether there is one", quoted(&format!("{source} ?? \"…\"")));
                    error(expression, format!("`{name}` in `env` is nothing, and nothing is no text: {way_out}"))
                })?),
            };
            env.insert(name.clone(), value);
        }
        Ok(Work {
            title: self.title(step, names),
            task,
            effect: step.effect,
            env,
            dir: step.dir.as_ref().map(plain).transpose()?,
            timeout: match &step.verb {
                Verb::Listen(listen) => listen.within,
                _ => step.timeout.unwrap_or(limits::STEP_TIMEOUT),
            },
        })
    }

    /// The step's name as people read it; where it cannot be rendered, its label.
    pub(super) fn title(&self, step: &Step, names: &InScope<'_>) -> String {
        let name = step.name.as_ref().and_then(|name| name.render(Destination::Plain, names).ok());
        name.map_or_else(|| step.label.clone(), |(text, _)| text)
    }

    /// A text for people, as it is written where a name in it has no value: it must not be missing when it is needed.
    pub(super) fn told(&self, text: &Template, names: &InScope<'_>) -> String {
        text.render(Destination::Plain, names).map_or_else(|_| text.source.clone(), |(text, _)| text)
    }

    /// The outputs of a step that has done its work, evaluated. `None` where none are wanted.
    pub fn conclude(&self, path: &StepPath, now: Timestamp) -> Option<Fact> {
        let node = self.node_at(path)?;
        self.wants.get(&Key::Conclude(node))?;
        let outputs = match self.outputs_of(node, now, false) {
            Ok(outputs) => Evaluated::Value(outputs),
            Err(failure) => Evaluated::Failed(failure),
        };
        Some(Fact::StepConcluded { path: path.clone(), outputs })
    }

    /// Why a prediction of what a step gives fails in a run that lacks what it may lack.
    pub fn concludes_without(&self, path: &StepPath, now: Timestamp) -> Option<Failure> {
        let node = self.node_at(path)?;
        self.wants.get(&Key::Conclude(node))?;
        let scopes = [Some(self.node(node).scope), self.called_scope(node)];
        let lacks = scopes.into_iter().flatten().any(|scope| self.names(scope, now, None, false).may_lack());
        if lacks { self.outputs_of(node, now, true).err() } else { None }
    }

    /// Whether a step with this result fails for what it should give.
    pub fn fails_by(&self, path: &StepPath, result: Value, now: Timestamp) -> bool {
        self.node_at(path).is_some_and(|node| self.outputs_by(node, result, now, false).is_err())
    }

    fn outputs_of(&self, node: NodeIx, now: Timestamp, least: bool) -> Result<Map, Failure> {
        self.outputs_by(node, self.node(node).result.clone(), now, least)
    }

    fn outputs_by(&self, node: NodeIx, mut result: Value, now: Timestamp, least: bool) -> Result<Map, Failure> {
        let step = self.step_of(node);
        let mut outputs = Map::new();
        if let (Verb::Call { procedure, .. }, Some(called)) = (&step.verb, self.called_scope(node)) {
            let inner = InScope { least, ..self.names(called, now, None, false) };
            let values = self.evaluate_all(&self.plan.procedure(*procedure).outputs, &inner).map_err(|e| self.failure(e))?;
            result = Value::Map(values.clone());
            outputs = values;
        }
        let names = InScope { least, ..self.names(self.node(node).scope, now, Some(&result), false) };
        if let Verb::Http(http) = &step.verb
            && let Some(expect) = &http.expect
        {
            match truth(expect, &names).map_err(|e| self.failure(e))? {
                Truth::Yes => {}
                Truth::No => {
                    let message = format!("the response is not as expected: {} does not hold", quoted(expect.source.trim()));
                    return Err(Failure { message, at: Some(self.plan.locate(&expect.at)), detail: None });
                }
                Truth::Unknown(_) => {}
            }
        }
        outputs.extend(self.evaluate_all(&step.outputs, &names).map_err(|e| self.failure(e))?);
        Ok(outputs)
    }

    fn called_scope(&self, node: NodeIx) -> Option<ScopeIx> {
        self.frames.iter().rev().find(|f| f.caller == Some(node)).map(|f| f.scope)
    }

    /// Whether the condition of a round will hold; `None` where that cannot be known.
    pub fn foresee(&self, path: &StepPath, now: Timestamp) -> Result<Option<bool>, Failure> {
        let Some((condition, node)) = self.judged(path) else { return Ok(None) };
        let names = self.names(self.node(node).scope, now, None, false);
        match truth(condition, &names) {
            Ok(Truth::Yes) => Ok(Some(true)),
            Ok(Truth::No) => Ok(Some(false)),
            Ok(Truth::Unknown(_)) => Ok(None),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Why the judgement of a round fails in a run that lacks what it may lack.
    pub fn judges_without(&self, path: &StepPath, now: Timestamp) -> Option<Failure> {
        let (condition, node) = self.judged(path)?;
        let names = self.names(self.node(node).scope, now, None, false);
        if !names.may_lack() {
            return None;
        }
        truth(condition, &InScope { least: true, ..names }).err().map(|error| self.failure(error))
    }

    /// Whether the condition of a round holds. `None` where nothing is to be judged.
    pub fn judge(&self, path: &StepPath, now: Timestamp) -> Option<Fact> {
        let (condition, node) = self.judged(path)?;
        let in_doubt = matches!(self.node(node).state, State::InDoubt(_));
        let round = match self.node(node).inner {
            Inner::Rounds { round, .. } if !in_doubt => round,
            _ => self.node(node).verifications,
        };
        let names = self.names(self.node(node).scope, now, None, false);
        let holds = match truth(condition, &names) {
            Ok(Truth::Yes) => Evaluated::Value(true),
            Ok(Truth::No) => Evaluated::Value(false),
            Ok(Truth::Unknown(name)) => Evaluated::Failed(self.failure(unknown(condition, &name))),
            Err(error) => Evaluated::Failed(self.failure(error)),
        };
        Some(Fact::ConditionJudged { path: path.clone(), round, holds })
    }

    /// The condition that wants to be judged at a step.
    fn judged(&self, path: &StepPath) -> Option<(&Expression, NodeIx)> {
        let node = self.node_at(path)?;
        self.wants.get(&Key::Judge(node))?;
        let step = self.step_of(node);
        let in_doubt = matches!(self.node(node).state, State::InDoubt(_));
        let condition = match (&step.verb, &step.verify) {
            (_, Some(Verify::Expression(verify))) if in_doubt => verify,
            (Verb::Repeat { until, .. }, _) => until,
            (Verb::Wait(wait), _) => match &wait.what {
                WaitFor::Until { until, .. } => until,
                WaitFor::Duration(_) => return None,
            },
            _ => return None,
        };
        Some((condition, node))
    }

    pub(super) fn lenient<'a>(&'a self, scope: ScopeIx, now: Timestamp) -> InScope<'a> {
        self.names(scope, now, None, true)
    }

    /// Names as a step will see them that runs at a time which is not known.
    pub(super) fn foreseen<'a>(&'a self, scope: ScopeIx) -> InScope<'a> {
        InScope { run: self, scope, now: None, result: None, lenient: true, least: false }
    }
}

/// Every text that people are asked by.
pub(super) fn asked(verb: &Verb) -> Vec<&Template> {
    match verb {
        Verb::Approve(approve) => vec![&approve.question],
        Verb::Ask(ask) => vec![&ask.question],
        Verb::Manual(manual) => std::iter::once(&manual.instruction).chain(&manual.expect).chain(&manual.evidence).collect(),
        _ => Vec::new(),
    }
}

pub(super) enum Truth {
    Yes,
    No,
    Unknown(String),
}

pub(super) fn truth(expression: &Expression, names: &InScope<'_>) -> Result<Truth, EvalError> {
    match expression.evaluate(names)? {
        Value::Bool(true) => Ok(Truth::Yes),
        Value::Bool(false) => Ok(Truth::No),
        Value::Unknown(name) => Ok(Truth::Unknown(name)),
        other => Err(error(
            expression,
            format!("{} gives a {}, neither true nor false", quoted(expression.source.trim()), other.type_name()),
        )),
    }
}

fn error(expression: &Expression, message: String) -> EvalError {
    EvalError { message, at: expression.at.clone() }
}

fn unknown(expression: &Expression, name: &str) -> EvalError {
    error(expression, format!("{} cannot be known", quoted(name)))
}

fn http_task(http: &Http, names: &InScope<'_>, secret: &dyn Fn(&Id) -> EnvText) -> Result<HttpTask, EvalError> {
    let plain = |text: &Template| Ok::<String, EvalError>(text.render(Destination::Plain, names)?.0);
    let mut url = http.url.render(Destination::Url, names)?.0;
    if !http.query.is_empty() {
        let (head, fragment) = url.split_once('#').map_or((url.clone(), None), |(h, f)| (h.to_owned(), Some(f.to_owned())));
        url = head;
        for (name, value) in &http.query {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&percent_encode(name));
            url.push('=');
            url.push_str(&value.render(Destination::Query, names)?.0);
        }
        if let Some(fragment) = fragment {
            url.push('#');
            url.push_str(&fragment);
        }
    }
    let mut headers = Vec::new();
    for (name, value) in &http.headers {
        let value = match value {
            HeaderValue::Secret(id) => secret(id),
            HeaderValue::Text(text) => EnvText::Plain(plain(text)?),
        };
        headers.push((name.clone(), value));
    }
    let body = match &http.body {
        None => None,
        Some(HttpBody::Json(json)) => Some(HttpContent::Json(json_value(json, names)?)),
        Some(HttpBody::Form(fields)) => {
            let fields = fields.iter().map(|(name, text)| Ok((name.clone(), plain(text)?))).collect::<Result<_, EvalError>>()?;
            Some(HttpContent::Form(fields))
        }
        Some(HttpBody::Raw(text)) => Some(HttpContent::Raw(plain(text)?)),
    };
    Ok(HttpTask { method: http.method.clone(), url, headers, body, expect_status: http.expect_status.clone() })
}

fn json_value(json: &JsonTemplate, names: &InScope<'_>) -> Result<Value, EvalError> {
    Ok(match json {
        JsonTemplate::Value(value) => value.clone(),
        JsonTemplate::Text(text) => text.value(names)?,
        JsonTemplate::List(items) => Value::List(items.iter().map(|i| json_value(i, names)).collect::<Result<_, _>>()?),
        JsonTemplate::Map(entries) => {
            Value::Map(entries.iter().map(|(k, v)| Ok((k.clone(), json_value(v, names)?))).collect::<Result<_, EvalError>>()?)
        }
    })
}

/// A value as a variable of the environment holds it; nothing is none.
fn text_of(value: &Value) -> Option<String> {
    match value.to_plain_json() {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        json => Some(json.to_string()),
    }
}

/// Sizes of the waves over `total` items. A share is rounded up; the last size repeats; what it cannot fill is one more.
fn waves(batches: &[BatchSize], total: usize) -> Vec<u32> {
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    let mut left = total;
    let mut waves = Vec::new();
    let mut place = 0;
    while left > 0 {
        let size = match batches.get(place).or(batches.last()) {
            None => left,
            Some(BatchSize::Count(count)) => *count,
            Some(BatchSize::Percent(percent)) => (f64::from(total) * percent / 100.0).ceil() as u32,
        };
        let size = size.clamp(1, left);
        waves.push(size);
        left -= size;
        place += 1;
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_cover_every_item_once() {
        for (batches, total, expect) in [
            (vec![], 5, vec![5]),
            (vec![BatchSize::Count(1), BatchSize::Percent(10.0), BatchSize::Percent(100.0)], 20, vec![1, 2, 17]),
            (vec![BatchSize::Count(2)], 5, vec![2, 2, 1]),
            (vec![BatchSize::Percent(1.0)], 3, vec![1, 1, 1]),
            (vec![BatchSize::Count(1)], 0, vec![]),
        ] {
            assert_eq!(waves(&batches, total), expect, "{batches:?} of {total}");
        }
    }
}
