//! What a step may turn out to do, as far as that can be told before a real run. Nothing is guessed: where a step rests on
//! something that only a real run can tell, that is named, and where whether it runs at all rests on it, there is a prospect for
//! each possibility.

use jiff::Timestamp;

use crate::document::input::accept_all;
use crate::expr::{Destination, EvalError, Names, Template};
use crate::id::StepPath;
use crate::plan::{Branch, EnvValue, HeaderValue, Http, HttpBody, JsonTemplate, Step, Verb, WaitFor};
use crate::value::{Map, Value};

use super::Run;
use super::event::Resolution;
use super::names::InScope;
use super::resolve::{Truth, asked, truth};
use super::state::NodeIx;

/// One thing that a step may turn out to do.
#[derive(Clone, Debug)]
pub struct Prospect {
    pub resolution: Resolution,
    /// Why it is not the only one.
    pub because: Option<String>,
    /// What cannot be known about it, each a clause: `it depends on steps.look.size`.
    pub open: Vec<String>,
}

impl Prospect {
    fn sure(resolution: Resolution) -> Prospect {
        Prospect { resolution, because: None, open: Vec::new() }
    }
}

impl Run {
    /// What the step at `path`, which wants to be resolved, may do: one prospect where that is sure, one for each possibility
    /// where it rests on something unknown.
    pub fn prospects(&self, path: &StepPath, now: Timestamp) -> Vec<Prospect> {
        let Some(node) = self.by_path.get(path).copied() else { return Vec::new() };
        // At the step's own turn: what has run is known by then, so that what has not is absent.
        let names = InScope { lenient: false, now: Some(now), ..self.foreseen(self.node(node).scope) };
        let Some(condition) = &self.step_of(node).condition else { return self.doing(node, &names, now) };
        match truth(condition, &names) {
            Ok(Truth::Yes) => self.doing(node, &names, now),
            Ok(Truth::No) => {
                vec![Prospect::sure(Resolution::Skip { reason: format!("`{}` does not hold", condition.source.trim()) })]
            }
            Err(error) => vec![self.failing(error)],
            Ok(Truth::Unknown(name)) => {
                let because = format!("`{}` depends on {name}", condition.source.trim());
                let skip = Resolution::Skip { reason: because.clone() };
                let mut prospects = vec![Prospect { resolution: skip, because: Some(because.clone()), open: Vec::new() }];
                let doing = self.doing(node, &names, now);
                prospects.extend(doing.into_iter().map(|p| Prospect { because: p.because.or(Some(because.clone())), ..p }));
                prospects
            }
        }
    }

    fn failing(&self, error: EvalError) -> Prospect {
        Prospect::sure(Resolution::Fail { error: self.failure(error) })
    }

    /// The prospects of a step that runs.
    fn doing(&self, node: NodeIx, names: &InScope<'_>, now: Timestamp) -> Vec<Prospect> {
        let step = self.step_of(node);
        if let Verb::Choose(branches) = &step.verb {
            return self.choosing(branches, names);
        }
        let mut prospect = self.only(node, step, names, now).unwrap_or_else(|error| self.failing(error));
        let changes = !step.verb.is_container() && step.effect.changes() && !matches!(step.verb, Verb::Notify { .. });
        if changes && let Err(closed) = self.plan.policy.may_change_at(now) {
            prospect.open.push(format!("a change may not start now: {closed}"));
        }
        vec![prospect]
    }

    fn choosing(&self, branches: &[Branch], names: &InScope<'_>) -> Vec<Prospect> {
        let mut prospects: Vec<Prospect> = Vec::new();
        let mut because: Option<String> = None;
        for (place, branch) in branches.iter().enumerate() {
            let resolution = Resolution::Branch(u32::try_from(place).ok());
            let open = because.iter().cloned().collect();
            match branch.when.as_ref().map(|when| (when, truth(when, names))) {
                None | Some((_, Ok(Truth::Yes))) => {
                    prospects.push(Prospect { resolution, because, open });
                    return prospects;
                }
                Some((when, Ok(Truth::Unknown(name)))) => {
                    let doubt = format!("`{}` depends on {name}", when.source.trim());
                    prospects.push(Prospect { resolution, because: Some(doubt.clone()), open: vec![doubt.clone()] });
                    because = Some(doubt);
                }
                Some((_, Ok(Truth::No))) => {}
                Some((_, Err(error))) => {
                    prospects.push(Prospect { because, open, ..self.failing(error) });
                    return prospects;
                }
            }
        }
        let open = because.iter().cloned().collect();
        prospects.push(Prospect { resolution: Resolution::Branch(None), because, open });
        prospects
    }

    /// The one thing that a step without branches does.
    fn only(&self, node: NodeIx, step: &Step, names: &InScope<'_>, now: Timestamp) -> Result<Prospect, EvalError> {
        let (resolution, open) = match &step.verb {
            Verb::Check(assertions) => {
                let (mut failures, mut open) = (Vec::new(), Vec::new());
                for assertion in assertions {
                    let source = assertion.that.source.trim();
                    match truth(&assertion.that, names)? {
                        Truth::Yes => {}
                        Truth::Unknown(name) => open.push(format!("whether `{source}` holds depends on {name}")),
                        Truth::No => failures.push(match &assertion.otherwise {
                            Some(text) => text.render(Destination::Plain, names)?.0,
                            None => format!("`{source}` does not hold"),
                        }),
                    }
                }
                (Resolution::Checked { failures }, open)
            }
            Verb::Each(each) => match each.items.evaluate(names)? {
                Value::Unknown(name) => {
                    let items = vec![Value::Unknown(each.r#as.to_string())];
                    (Resolution::Items { items, waves: vec![1] }, depends("how often its steps run", &[name]))
                }
                _ => (self.resolution_or_failure(node, now), Vec::new()),
            },
            Verb::Wait(wait) => {
                let (WaitFor::Duration(time) | WaitFor::Until { until: time, .. }) = &wait.what;
                let probed = matches!(&wait.what, WaitFor::Until { probe: Some(_), .. });
                match if probed { Value::Null } else { time.evaluate(names)? } {
                    Value::Unknown(name) => (Resolution::Wait { until: Some(now) }, depends("how long it waits", &[name])),
                    _ => (Resolution::Wait { until: self.wait_until(&wait.what, names, now)? }, Vec::new()),
                }
            }
            Verb::Call { procedure, with } => {
                let given = self.evaluate_all(with, names)?;
                let open = depends("what it is given", &unknown_in(&given));
                match accept_all(&self.plan.procedure(*procedure).inputs, given) {
                    Ok(inputs) => (Resolution::Call { inputs }, open),
                    Err(_) => (self.resolution_or_failure(node, now), Vec::new()),
                }
            }
            Verb::Set(values) => {
                let values = self.evaluate_all(values, names)?;
                let open = depends("what it gives", &unknown_in(&values));
                (Resolution::Values(values), open)
            }
            Verb::Finish { outcome, message } => {
                let (message, unknown) = match message {
                    Some(text) => text.render(Destination::Plain, names)?,
                    None => Default::default(),
                };
                (Resolution::Finish { outcome: *outcome, message }, depends("what it says", &unknown))
            }
            Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_) => {
                (Resolution::Ask, depends("what is asked", &unknown_texts(asked(&step.verb), names)?))
            }
            Verb::Run { .. } | Verb::Exec(_) | Verb::Rhai(_) | Verb::Http(_) | Verb::Notify { .. } => {
                let work = self.work(step, self.node(node).scope, names)?;
                (Resolution::Work(Box::new(work)), depends("it", &unknown_of(step, names)?))
            }
            Verb::Group(_) | Verb::Parallel { .. } | Verb::Repeat { .. } | Verb::Choose(_) => (Resolution::Enter, Vec::new()),
        };
        Ok(Prospect { resolution, because: None, open })
    }
}

fn depends(what: &str, on: &[String]) -> Vec<String> {
    if on.is_empty() { Vec::new() } else { vec![format!("{what} depends on {}", on.join(", "))] }
}

fn add(names: &mut Vec<String>, found: impl IntoIterator<Item = String>) {
    for name in found {
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

fn unknown_in(values: &Map) -> Vec<String> {
    let mut unknown = Vec::new();
    add(&mut unknown, values.values().filter_map(Value::first_unknown).map(str::to_owned));
    unknown
}

fn unknown_texts<'t>(texts: impl IntoIterator<Item = &'t Template>, names: &dyn Names) -> Result<Vec<String>, EvalError> {
    let mut unknown = Vec::new();
    for text in texts {
        add(&mut unknown, text.render(Destination::Plain, names)?.1);
    }
    Ok(unknown)
}

/// The names without a value that the work of a step is made from.
fn unknown_of(step: &Step, names: &dyn Names) -> Result<Vec<String>, EvalError> {
    let mut unknown = match &step.verb {
        Verb::Run { script, .. } => script.render(names)?.1,
        Verb::Exec(argv) => unknown_texts(argv, names)?,
        Verb::Rhai(script) => unknown_in(&script.scope(names)?),
        Verb::Http(http) => {
            let mut unknown = unknown_texts(texts_of(http), names)?;
            if let Some(HttpBody::Json(json)) = &http.body {
                unknown_in_json(json, names, &mut unknown)?;
            }
            unknown
        }
        Verb::Notify { subject, message, .. } => unknown_texts(subject.iter().chain([message]), names)?,
        _ => Vec::new(),
    };
    add(&mut unknown, unknown_texts(&step.dir, names)?);
    for (_, value) in &step.env {
        if let EnvValue::Expression(expression) = value {
            add(&mut unknown, expression.evaluate(names)?.first_unknown().map(str::to_owned));
        }
    }
    Ok(unknown)
}

fn texts_of(http: &Http) -> Vec<&Template> {
    let mut texts = vec![&http.url];
    texts.extend(http.query.iter().map(|(_, text)| text));
    texts.extend(http.headers.iter().filter_map(|(_, value)| match value {
        HeaderValue::Text(text) => Some(text),
        HeaderValue::Secret(_) => None,
    }));
    match &http.body {
        Some(HttpBody::Form(fields)) => texts.extend(fields.iter().map(|(_, text)| text)),
        Some(HttpBody::Raw(text)) => texts.push(text),
        Some(HttpBody::Json(_)) | None => {}
    }
    texts
}

fn unknown_in_json(json: &JsonTemplate, names: &dyn Names, unknown: &mut Vec<String>) -> Result<(), EvalError> {
    match json {
        JsonTemplate::Value(_) => {}
        JsonTemplate::Text(text) if text.is_name() => add(unknown, text.value(names)?.first_unknown().map(str::to_owned)),
        JsonTemplate::Text(text) => add(unknown, text.render(Destination::Plain, names)?.1),
        JsonTemplate::List(items) => items.iter().try_for_each(|item| unknown_in_json(item, names, unknown))?,
        JsonTemplate::Map(entries) => entries.iter().try_for_each(|(_, value)| unknown_in_json(value, names, unknown))?,
    }
    Ok(())
}
