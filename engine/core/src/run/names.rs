//! Answers the names of the small languages from the state of a run.

use jiff::Timestamp;

use crate::document::procedure::ProcedureKind;
use crate::expr::{Expression, Names};
use crate::id::Id;
use crate::markdown::quoted;
use crate::plan::Verb;
use crate::value::{Map, Value};

use super::Run;
use super::state::{End, Scope, ScopeIx, ScopeKind, Stage};
use super::view::StepView;

pub(super) struct InScope<'a> {
    pub run: &'a Run,
    pub scope: ScopeIx,
    /// Absent where it is asked what will run later.
    pub now: Option<Timestamp>,
    /// The verb's result, for `outputs` and `expect`.
    pub result: Option<&'a Value>,
    /// Predictions: a step that has given nothing is unknown instead of absent.
    pub lenient: bool,
    /// Predictions: what a run may lack is absent, instead of unknown or there.
    pub least: bool,
}

impl InScope<'_> {
    /// From the innermost to that of the procedure.
    fn scope_ixs(&self) -> impl Iterator<Item = ScopeIx> {
        std::iter::successors(Some(self.scope), |at| {
            let scope = self.run.scope(*at);
            match scope.kind {
                ScopeKind::Item { .. } | ScopeKind::Round => scope.parent,
                ScopeKind::Procedure { .. } => None,
            }
        })
    }

    fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.scope_ixs().map(|scope| self.run.scope(scope))
    }

    /// Whether what the step of this name gives here is as it stays, until it is done again.
    pub(super) fn is_settled(&self, name: &str) -> bool {
        let settled = |id: Id| self.scopes().any(|scope| scope.steps.contains_key(&id) || scope.absent.contains_key(&id));
        name.parse().is_ok_and(settled)
    }

    /// What the step of this id has given here.
    fn given(&self, id: &Id) -> Option<&Value> {
        self.scopes().find_map(|scope| scope.steps.get(id)).map(|value| &**value)
    }

    fn step(&self, name: &str) -> Result<Value, String> {
        let Ok(id) = name.parse::<Id>() else { return Err(format!("{} is not the id of a step", quoted(name))) };
        let cut = self.least && self.may_be_cut(&id);
        if let Some(value) = self.given(&id).filter(|_| !cut) {
            return Ok(match () {
                () if self.may_be_another(&id) => named(value, &id),
                () if self.is_after_failures() => uncertain(value, &id),
                () => value.clone(),
            });
        }
        let why = self.scopes().find_map(|scope| scope.absent.get(&id));
        let perhaps = !self.least && self.is_jumped(Some(&id));
        if self.lenient && why.is_none() || perhaps || !cut && !self.least && self.is_after_survived() {
            return Ok(Value::Unknown(format!("steps.{id}")));
        }
        Err(match why {
            _ if cut => format!("step `{id}` gives nothing where it was ended by what stands beside it"),
            Some(why) => format!("step `{id}` gives nothing: {why}"),
            None => format!("step `{id}` has not run"),
        })
    }

    /// Whether this is a prediction, read where any step before it may have failed in a real run.
    fn is_after_failures(&self) -> bool {
        self.run.is_predicted() && self.run.frame_of(self.scope).stage != Stage::Body
    }

    /// The same where the body goes on after some failures, and may so come to steps that this prediction has not come to.
    fn is_after_survived(&self) -> bool {
        self.is_after_failures() && self.run.plan.survives_failures(self.run.frame_of(self.scope).procedure)
    }

    /// Whether a real run could have something else here than this prediction has: what a step gives may be absent after a failure that
    /// the run survives, and after an end that nobody saw.
    fn may_differ(&self) -> bool {
        let present = |view: &StepView<'_>| view.step().id.as_ref().is_some_and(|id| self.given(id).is_some());
        self.is_after_failures() || self.is_jumped(None) || self.run.steps().any(|view| present(&view) && self.may_fail(&view))
    }

    /// Whether this is a prediction, and a step that fails in a real run can make a difference to whether the step of this id, or any,
    /// has given something, because of where it leads.
    fn is_jumped(&self, id: Option<&Id>) -> bool {
        let procedure = self.run.frame_of(self.scope).procedure;
        let any = || self.run.jumped.get(procedure.0 as usize) == Some(&true);
        self.run.is_predicted() && any() && (id.is_none() || self.run.plan.is_jumped(procedure, id))
    }

    /// Whether this is a prediction, and a run that goes like it may lack something that is there or unknown here.
    pub fn may_lack(&self) -> bool {
        let cut = || self.scope_ixs().any(|scope| self.run.cut_in(scope).next().is_some());
        // After the body, what a success jumps over is unknown anyway.
        let jumped = || !self.is_after_failures() && self.is_jumped(None);
        self.run.is_predicted() && (jumped() || cut() || self.is_after_survived())
    }

    /// Whether the step of this id may have been ended before it gave anything here.
    fn may_be_cut(&self, id: &Id) -> bool {
        self.cut_of(id).is_some()
    }

    /// Whether what it gave here may be what it gave in another round.
    fn may_be_another(&self, id: &Id) -> bool {
        self.cut_of(id) == Some(true)
    }

    fn cut_of(&self, id: &Id) -> Option<bool> {
        self.scope_ixs().find_map(|scope| self.run.cut.get(&(scope, id.clone())).copied())
    }

    /// Whether what a step gives here may be absent in a real run that goes on.
    fn may_fail(&self, view: &StepView<'_>) -> bool {
        let step = view.step();
        // Where somebody says how it ends, it is missing only where a run does not come to it.
        if self.run.foretold.contains(view.path()) {
            return self.run.around(view.path()).next().is_some_and(|around| self.run.survives_failure(around.path()));
        }
        let uncertain = !step.idempotent && step.verb.acts() && step.effect.changes();
        uncertain || self.run.survives_failure(view.path())
    }

    /// Whether the step of this id has given something here; unknown where a real run could have it otherwise than this prediction.
    fn has_step(&self, name: &str) -> Value {
        if self.lenient {
            return Value::Unknown("steps".to_owned());
        }
        let Ok(id) = name.parse::<Id>() else { return Value::Bool(false) };
        let there = self.given(&id).is_some() && !(self.least && self.may_be_cut(&id));
        let own = |view: &StepView<'_>| view.step().id.as_ref() == Some(&id);
        let differs = || {
            self.is_after_failures()
                || !self.least && self.is_jumped(Some(&id))
                || there && self.run.steps().any(|view| own(&view) && self.may_fail(&view))
        };
        if self.run.is_predicted() && differs() { Value::Unknown(format!("steps.{name}")) } else { Value::Bool(there) }
    }

    /// Everything that has given something here.
    fn steps(&self) -> Map {
        let mut found = Map::new();
        for (id, value) in self.scopes().flat_map(|scope| &scope.steps) {
            found.entry(id.as_str().to_owned()).or_insert_with(|| (**value).clone());
        }
        found
    }

    fn run_member(&self, name: &str) -> Option<Value> {
        let started = self.run.started()?;
        // Who starts it, and how it ends once steps may have failed, is not known before a real run.
        let ends = name == "outcome" && self.is_after_failures();
        if ends && self.run.is_predicted() || self.run.is_imagined() && matches!(name, "id" | "started_at" | "requested_by") {
            return Some(Value::Unknown(format!("run.{name}")));
        }
        Some(match name {
            "id" => Value::text(self.run.id()?.as_str()),
            "name" => Value::text(started.procedure.as_str()),
            "version" => Value::text(started.version.to_string()),
            "started_at" => Value::Time(self.run.started_at()?),
            "requested_by" => Value::text(&started.requested_by.person),
            "environment" => started.environment.as_ref().map_or(Value::Null, Value::text),
            "outcome" => Value::text(self.outcome()),
            _ => return None,
        })
    }

    fn outcome(&self) -> &'static str {
        let frame = self.run.frame_of(self.scope);
        match &frame.end {
            None => "running",
            Some(End::Completed | End::Finished { failed: false, .. }) => "succeeded",
            Some(end) => self.run.outcome_kind(end).name(),
        }
    }
}

/// What a step gives, of which only the names are known.
fn named(value: &Value, id: &Id) -> Value {
    match value {
        Value::Map(map) => {
            Value::Map(map.keys().map(|name| (name.clone(), Value::Unknown(format!("steps.{id}.{name}")))).collect())
        }
        _ => Value::Unknown(format!("steps.{id}")),
    }
}

/// What a step gives, without what only its success makes known.
fn uncertain(value: &Value, id: &Id) -> Value {
    let Value::Map(map) = value else { return value.clone() };
    let mut map = map.clone();
    for name in ["exit_code", "granted"] {
        if let Some(value) = map.get_mut(name) {
            *value = Value::Unknown(format!("steps.{id}.{name}"));
        }
    }
    Value::Map(map)
}

impl Names for InScope<'_> {
    fn has(&self, root: &str, member: &str) -> Option<Value> {
        (root == "steps").then(|| self.has_step(member))
    }

    fn has_key(&self, root: &str, member: &str, key: &str) -> Option<Value> {
        let id: Id = member.parse().ok().filter(|_| root == "steps" && self.run.is_predicted())?;
        self.given(&id)?;
        let own = |view: &StepView<'_>| view.step().id.as_ref() == Some(&id) && view.result().first_unknown().is_some();
        let view = self.run.steps().filter(own).last()?;
        let surely: &[&str] = match &view.step().verb {
            Verb::Run { .. } | Verb::Exec(_) => &["stdout", "stderr", "exit_code"],
            Verb::Http(_) => &["status", "headers", "body"],
            _ => return None,
        };
        let gives = |output: &(Id, Expression)| output.0.as_str() == key;
        let has = surely.contains(&key) || view.step().outputs.iter().any(gives);
        Some(match has && !self.run.survives_failure(view.path()) {
            true => Value::Bool(true),
            false => Value::Unknown(format!("steps.{id}")),
        })
    }

    fn value(&self, root: &str, member: Option<&str>) -> Result<Value, String> {
        let whole = |map: Map| Ok(Value::Map(map));
        match (root, member) {
            // No real run is at this time.
            ("now", _) if self.run.is_imagined() => Ok(Value::Unknown("now".to_owned())),
            ("now", _) => Ok(self.now.map_or_else(|| Value::Unknown("now".to_owned()), Value::Time)),
            ("result", _) => self.result.cloned().ok_or_else(|| "`result` is known only in `outputs` and `expect`".to_owned()),
            ("inputs", Some(name)) => {
                let inputs = &self.run.frame_of(self.scope).inputs;
                inputs.get(name).cloned().ok_or_else(|| format!("there is no input {}", quoted(name)))
            }
            ("inputs", None) => whole(self.run.frame_of(self.scope).inputs.clone()),
            ("steps", Some(name)) => self.step(name),
            ("steps", None) if self.lenient || self.run.is_predicted() && self.may_differ() => {
                Ok(Value::Unknown("steps".to_owned()))
            }
            ("steps", None) => whole(self.steps()),
            ("run", Some(name)) => self.run_member(name).ok_or_else(|| format!("`run` has no {}", quoted(name))),
            ("run", None) => {
                let names = ["id", "name", "version", "started_at", "requested_by", "environment", "outcome"];
                whole(names.iter().filter_map(|n| Some(((*n).to_owned(), self.run_member(n)?))).collect())
            }
            ("event", _) => {
                let event = self.run.started().and_then(|s| s.event.as_ref());
                let comes = self.run.is_predicted() && self.run.plan.main().kind == ProcedureKind::Playbook;
                match event {
                    Some(event) => Ok(event.clone()),
                    // Whether an event starts it, and which, is not known before.
                    None if comes => Ok(Value::Unknown("event".to_owned())),
                    None => Err("this run was not started by an event".to_owned()),
                }
            }
            (name, _) => {
                let mut at = Some(self.scope);
                while let Some(ix) = at {
                    let scope = self.run.scope(ix);
                    at = match &scope.kind {
                        // An item that stands for all of them has no place among them.
                        ScopeKind::Item { item: Value::Unknown(of), .. } if name == "index" && self.run.is_imagined() => {
                            return Ok(Value::Unknown(format!("index of {of}")));
                        }
                        ScopeKind::Item { index, .. } if name == "index" => return Ok(Value::Int(i64::from(*index))),
                        ScopeKind::Item { name: own, item, .. } if name == own.as_str() || name == "item" => {
                            return Ok(item.clone());
                        }
                        ScopeKind::Item { .. } | ScopeKind::Round => scope.parent,
                        ScopeKind::Procedure { .. } => None,
                    };
                }
                Err(format!("there is no {} here", quoted(name)))
            }
        }
    }
}
