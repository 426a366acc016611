//! What a step may turn out to do, as far as that can be told before a real run. Nothing is guessed: where a step rests on
//! something that only a real run can tell, that is named, and where whether it runs at all rests on it, there is a prospect for
//! each possibility.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::document::input::accept_all;
use crate::expr::{Destination, EvalError, Expression, Names, Reference, Template};
use crate::id::{Id, StepPath};
use crate::limits;
use crate::markdown::quoted;
use crate::plan::{Assertion, Branch, EnvValue, HeaderValue, Http, HttpBody, JsonTemplate, Step, Verb, WaitFor};
use crate::value::{Map, Value, format_duration};

use super::Run;
use super::event::Resolution;
use super::listen::OF_EVENT;
use super::names::InScope;
use super::resolve::{Truth, asked, truth};
use super::state::{NodeIx, Owner};

/// One thing that a step may turn out to do.
#[derive(Clone, Debug)]
pub struct Prospect {
    pub resolution: Resolution,
    /// Why it is not the only one.
    pub because: Option<String>,
    /// What cannot be known about it, each a clause: `it depends on steps.look.size`.
    pub open: Vec<String>,
    /// Of an `each`: its list is not known, and one item stands for all, or there is none.
    pub is_pattern: bool,
    /// Why it may not start at this hour, whatever else is known.
    pub closed: Option<String>,
    /// What is taken to hold, and not to hold, where this is what the step does.
    pub assumes: Assumed,
    /// Of a `check` that rests on something unknown: what is so where it holds, and where it does not.
    pub holds: Assumed,
    pub denied: Assumed,
}

impl Prospect {
    pub fn sure(resolution: Resolution) -> Prospect {
        let (because, open, closed) = (None, Vec::new(), None);
        Prospect {
            resolution,
            because,
            open,
            is_pattern: false,
            closed,
            assumes: Assumed::default(),
            holds: Assumed::default(),
            denied: Assumed::default(),
        }
    }
}

/// Conditions that cannot be judged and were taken to hold, or not: where the same names are read in the same words again, they hold,
/// or do not, again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assumed(pub(super) BTreeMap<(String, String), bool>);

impl Assumed {
    pub fn extend(&mut self, other: Assumed) {
        self.0.extend(other.0);
    }

    /// What both take to be so.
    pub fn common(&self, other: &Assumed) -> Assumed {
        Assumed(self.0.iter().filter(|(key, holds)| other.0.get(*key) == Some(*holds)).map(|(k, h)| (k.clone(), *h)).collect())
    }

    /// Whether they agree on every condition that is still to be judged.
    pub fn agrees(&self, other: &Assumed, left: &dyn Fn(&str) -> bool) -> bool {
        let says = |(key, holds): &(&(String, String), &bool), all: &Assumed| !left(&key.1) || all.0.get(*key) == Some(*holds);
        self.0.iter().all(|said| says(&said, other)) && other.0.iter().all(|said| says(&said, self))
    }
}

impl Run {
    /// What the step at `path`, which wants to be resolved, may do: one prospect where that is sure, one for each possibility
    /// where it rests on something unknown.
    pub fn prospects(&self, path: &StepPath, now: Timestamp, assumed: &Assumed) -> Vec<Prospect> {
        let Some(node) = self.node_at(path) else { return Vec::new() };
        // At the step's own turn: what has run is known by then, so that what has not is absent.
        let names = self.names(self.node(node).scope, now, None, false);
        let mut prospects = self.prospects_by(node, &names, now, assumed);
        let fails = |prospect: &Prospect| matches!(prospect.resolution, Resolution::Fail { .. });
        if names.may_lack() && !prospects.iter().any(fails) {
            let least = self.prospects_by(node, &InScope { least: true, ..names }, now, assumed);
            prospects.extend(least.into_iter().filter(fails).map(|mut fails| {
                if let Resolution::Fail { error } = &fails.resolution {
                    fails.because = Some(format!("`{}` fails on some ways: {}", path.label(), error.message));
                }
                fails
            }));
        }
        prospects
    }

    fn prospects_by(&self, node: NodeIx, names: &InScope<'_>, now: Timestamp, assumed: &Assumed) -> Vec<Prospect> {
        let Some(condition) = &self.step_of(node).condition else { return self.doing(node, names, now, assumed) };
        match self.judgement(condition, node, names, assumed) {
            Ok(Truth::Yes) => self.doing(node, names, now, assumed),
            Ok(Truth::No) => {
                vec![Prospect::sure(Resolution::Skip { reason: format!("{} does not hold", quoted(condition.source.trim())) })]
            }
            Err(error) => vec![self.failing(error)],
            Ok(Truth::Unknown(name)) => {
                let because = format!("{} depends on {name}", quoted(condition.source.trim()));
                let assume = |holds| self.assumption(condition, node, holds);
                let skip = Prospect::sure(Resolution::Skip { reason: because.clone() });
                let mut prospects = vec![Prospect { because: Some(because.clone()), assumes: assume(false), ..skip }];
                let mut here = assumed.clone();
                here.extend(assume(true));
                for mut prospect in self.doing(node, names, now, &here) {
                    prospect.because.get_or_insert_with(|| because.clone());
                    prospect.assumes.extend(assume(true));
                    prospects.push(prospect);
                }
                prospects
            }
        }
    }

    /// Whether a condition holds, as far as that is known or was assumed.
    fn judgement(&self, condition: &Expression, at: NodeIx, names: &InScope<'_>, assumed: &Assumed) -> Result<Truth, EvalError> {
        let judged = truth(condition, names)?;
        let Truth::Unknown(_) = judged else { return Ok(judged) };
        let key = (self.place_of_names(at), condition.source.trim().to_owned());
        Ok(match assumed.0.get(&key) {
            Some(true) => Truth::Yes,
            Some(false) => Truth::No,
            None => judged,
        })
    }

    /// That a condition holds, or does not, wherever it is judged again on the same names.
    fn assumption(&self, condition: &Expression, at: NodeIx, holds: bool) -> Assumed {
        let names = self.foreseen(self.node(at).scope);
        let changes = |name: &Reference| match (name.path.first().map(String::as_str), name.path.get(1)) {
            (Some("now" | "run"), _) | (Some("steps"), None) => true,
            (Some("steps"), Some(id)) => !names.is_settled(id),
            _ => false,
        };
        if condition.references().iter().any(changes) {
            return Assumed::default();
        }
        Assumed(BTreeMap::from([((self.place_of_names(at), condition.source.trim().to_owned()), holds)]))
    }

    /// The outermost list around a step that has the same names as the step.
    fn place_of_names(&self, node: NodeIx) -> String {
        let mut lane = self.lane(self.node(node).lane);
        while let Owner::Node(owner) = lane.owner
            && self.node(owner).scope == lane.scope
        {
            lane = self.lane(self.node(owner).lane);
        }
        lane.prefix.to_string()
    }

    fn failing(&self, error: EvalError) -> Prospect {
        Prospect::sure(Resolution::Fail { error: self.failure(error) })
    }

    /// The prospects of a step that runs.
    fn doing(&self, node: NodeIx, names: &InScope<'_>, now: Timestamp, assumed: &Assumed) -> Vec<Prospect> {
        let step = self.step_of(node);
        match &step.verb {
            Verb::Choose(branches) => return self.choosing(node, branches, names, assumed),
            Verb::Check(assertions) => {
                let checked = self.checking(node, assertions, names, assumed);
                return vec![checked.unwrap_or_else(|error| self.failing(error))];
            }
            Verb::Each(each) => {
                if let Ok(Value::Unknown(name)) = each.items.evaluate(names) {
                    return pattern(&each.r#as, &name);
                }
            }
            _ => {}
        }
        let mut prospect = self.only(node, step, names, now).unwrap_or_else(|error| self.failing(error));
        let undoes = self.node(node).path.as_str().contains("~undo");
        let changes = !step.verb.is_container() && step.effect.changes() && !matches!(step.verb, Verb::Notify { .. }) && !undoes;
        if changes && let Err(closed) = self.plan.policy.may_change_at(now) {
            prospect.closed = Some(format!("a change may not start now: {closed}"));
        }
        vec![prospect]
    }

    fn choosing(&self, node: NodeIx, branches: &[Branch], names: &InScope<'_>, assumed: &Assumed) -> Vec<Prospect> {
        let mut prospects: Vec<Prospect> = Vec::new();
        let mut because: Option<String> = None;
        // That every branch so far is passed over.
        let mut passed = Assumed::default();
        let few = branches.len() <= limits::ASSUMED_BRANCHES;
        for (place, branch) in branches.iter().enumerate() {
            let sure = Prospect::sure(Resolution::Branch(u32::try_from(place).ok()));
            let open = because.iter().cloned().collect();
            match branch.when.as_ref().map(|when| (when, self.judgement(when, node, names, assumed))) {
                None | Some((_, Ok(Truth::Yes))) => {
                    prospects.push(Prospect { because, open, assumes: passed, ..sure });
                    return prospects;
                }
                Some((when, Ok(Truth::Unknown(name)))) => {
                    let doubt = format!("{} depends on {name}", quoted(when.source.trim()));
                    let mut assumes = passed.clone();
                    assumes.extend(self.assumption(when, node, true));
                    prospects.push(Prospect { because: Some(doubt.clone()), open: vec![doubt.clone()], assumes, ..sure });
                    if few {
                        passed.extend(self.assumption(when, node, false));
                    }
                    because = Some(doubt);
                }
                Some((_, Ok(Truth::No))) => {}
                Some((_, Err(error))) => {
                    prospects.push(Prospect { because, open, assumes: passed, ..self.failing(error) });
                    return prospects;
                }
            }
        }
        let open = because.iter().cloned().collect();
        prospects.push(Prospect { because, open, assumes: passed, ..Prospect::sure(Resolution::Branch(None)) });
        prospects
    }

    fn checking(
        &self,
        node: NodeIx,
        assertions: &[Assertion],
        names: &InScope<'_>,
        assumed: &Assumed,
    ) -> Result<Prospect, EvalError> {
        let (mut failures, mut open) = (Vec::new(), Vec::new());
        let (mut holds, mut denied) = (Assumed::default(), Assumed::default());
        for assertion in assertions {
            let source = quoted(assertion.that.source.trim());
            match self.judgement(&assertion.that, node, names, assumed)? {
                Truth::Yes => {}
                Truth::Unknown(name) => {
                    open.push(format!("whether {source} holds depends on {name}"));
                    holds.extend(self.assumption(&assertion.that, node, true));
                    denied.extend(self.assumption(&assertion.that, node, false));
                }
                Truth::No => failures.push(match &assertion.otherwise {
                    Some(text) => text.render(Destination::Plain, names)?.0,
                    None => format!("{source} does not hold"),
                }),
            }
        }
        // Of several, nobody knows which does not hold; and beside one that surely does not, all others may.
        if open.len() > 1 || !failures.is_empty() {
            denied = Assumed::default();
        }
        Ok(Prospect { open, holds, denied, ..Prospect::sure(Resolution::Checked { failures }) })
    }

    /// The one thing that a step without branches does.
    fn only(&self, node: NodeIx, step: &Step, names: &InScope<'_>, now: Timestamp) -> Result<Prospect, EvalError> {
        let (resolution, open) = match &step.verb {
            Verb::Each(_) => (self.does(node, names, now)?, Vec::new()),
            Verb::Wait(wait) => {
                let (WaitFor::Duration(time) | WaitFor::Until { until: time, .. }) = &wait.what;
                let probed = matches!(&wait.what, WaitFor::Until { probe: Some(_), .. });
                match if probed { Value::Null } else { time.evaluate(names)? } {
                    Value::Unknown(name) => {
                        // It may be a condition, which is judged, in rounds that nobody has counted.
                        let until = matches!(wait.what, WaitFor::Duration(_)).then_some(now);
                        (Resolution::Wait { until }, depends("how long it waits", &[name]))
                    }
                    _ => (Resolution::Wait { until: self.wait_until(&wait.what, names, now)? }, Vec::new()),
                }
            }
            Verb::Call { procedure, with } => {
                let given = self.evaluate_all(with, names)?;
                let open = depends("what it is given", &unknown_in(&given));
                match accept_all(&self.plan.procedure(*procedure).inputs, given) {
                    Ok(inputs) => (Resolution::Call { inputs }, open),
                    Err(_) => (self.does(node, names, now)?, Vec::new()),
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
                let mut unknown = unknown_texts(asked(&step.verb), names)?;
                // What cannot be told of why it is asked is no reason not to ask.
                let why = step.why.as_ref().filter(|_| !matches!(step.verb, Verb::Manual(_)));
                let why = why.and_then(|why| why.render(Destination::Plain, names).ok());
                why.into_iter().for_each(|(_, names)| add(&mut unknown, names));
                (Resolution::Ask, depends("what is asked", &unknown))
            }
            Verb::Listen(listen) => {
                let work = self.work(step, self.node(node).scope, names)?;
                let mut open = depends("which event ends it", &unknown_of(step, names)?);
                open.push(may_not_come(listen.within));
                (Resolution::Work(Box::new(work)), open)
            }
            Verb::Run { .. } | Verb::Exec(_) | Verb::Rhai(_) | Verb::Http(_) | Verb::Notify { .. } => {
                let work = self.possible_work(step, self.node(node).scope, names)?;
                (Resolution::Work(Box::new(work)), depends("it", &unknown_of(step, names)?))
            }
            Verb::Group(_) | Verb::Parallel { .. } | Verb::Repeat { .. } | Verb::Choose(_) | Verb::Check(_) => {
                (Resolution::Enter, Vec::new())
            }
        };
        Ok(Prospect { open, ..Prospect::sure(resolution) })
    }
}

/// What is not known of a wait for an event, where nobody says what comes.
pub(crate) fn may_not_come(within: Duration) -> String {
    format!("whether such an event comes within {} only a real run can tell", format_duration(within))
}

/// Of a list that is not known: that there is nothing in it, and one item for all.
fn pattern(item: &Id, list: &str) -> Vec<Prospect> {
    let open = depends("how often its steps run", &[list.to_owned()]);
    let items = [Vec::new(), vec![Value::Unknown(item.to_string())]];
    let prospects = items.into_iter().map(|items| {
        let waves = items.iter().map(|_| 1).collect();
        let sure = Prospect::sure(Resolution::Items { items, waves });
        Prospect { because: open.first().cloned(), open: open.clone(), is_pattern: true, ..sure }
    });
    prospects.collect()
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

/// What is unknown of what a script reads.
fn unknown_to(reads: &[Reference], scope: &Map) -> Vec<String> {
    let mut unknown = Vec::new();
    for reference in reads {
        let Some((root, path)) = reference.path.split_first() else { continue };
        let Some(mut value) = scope.get(root) else { continue };
        for name in path {
            let Value::Map(members) = value else { break };
            let Some(member) = members.get(name) else { break };
            value = member;
        }
        add(&mut unknown, value.first_unknown().map(str::to_owned));
    }
    // It may read more than is known by name.
    if unknown.is_empty() { unknown_in(scope) } else { unknown }
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
        Verb::Rhai(script) => unknown_to(&script.reads(), &script.scope(names)?),
        Verb::Http(http) => {
            let mut unknown = unknown_texts(texts_of(http), names)?;
            if let Some(HttpBody::Json(json)) = &http.body {
                unknown_in_json(json, names, &mut unknown)?;
            }
            unknown
        }
        Verb::Notify { subject, message, .. } => unknown_texts(subject.iter().chain([message]), names)?,
        Verb::Listen(listen) => match &listen.when {
            Some(when) => unknown_to(&when.reads(), &when.capture(names, &OF_EVENT)?),
            None => Vec::new(),
        },
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
