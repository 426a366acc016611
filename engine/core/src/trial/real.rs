//! A case against real systems: what starts and ends them as procedures of their own, what of the case still stands in for steps, what
//! people answer, and what is expected, judged as it is where a case is played.

use std::collections::BTreeMap;
use std::time::Duration;

use super::play::vote;
use super::stand_in::{End, come_to, stand_in, whole};
use super::{expect, select, strangers};
use crate::diagnostic::{Diagnostic, Source, Spanned};
use crate::document::procedure::{Defaults, Procedure, ProcedureKind, Version};
use crate::document::step::{OnFailure, Step};
use crate::document::test::{Case, StandInEnd, Test};
use crate::document::{Scalar, input};
use crate::id::{Id, ProcedureName, StepPath};
use crate::plan::{Plan, Verb};
use crate::run::decision::Decision;
use crate::run::event::{AttemptEnd, Identity, Vote};
use crate::run::task::Work;
use crate::run::{Event, Run};

/// The setup of a case as a procedure whose outputs are the inputs that it gives; `None` where there is none.
pub fn setup(test: &Test, case: &Case) -> Option<Procedure> {
    (!case.around.setup.is_empty())
        .then(|| procedure(test, case, "setup", case.around.setup.clone(), case.around.from_setup.clone()))
}

/// The teardown of a case: each of its steps is tried, whatever became of those before.
pub fn teardown(test: &Test, case: &Case) -> Option<Procedure> {
    let mut steps = case.around.teardown.clone();
    for step in &mut steps {
        step.on_failure.get_or_insert(Spanned::new(OnFailure::Continue, step.span));
    }
    (!steps.is_empty()).then(|| procedure(test, case, "teardown", steps, Vec::new()))
}

fn procedure(test: &Test, case: &Case, name: &str, steps: Vec<Step>, outputs: Vec<(Spanned<Id>, Scalar)>) -> Procedure {
    let name = name.parse().unwrap_or_else(|_| ProcedureName::unnamed());
    let none: Vec<(Spanned<Id>, input::Input)> = Vec::new();
    Procedure {
        source: test.source.clone(),
        span: case.span,
        kind: Spanned::new(ProcedureKind::Runbook, case.name.span),
        name: Spanned::new(name, case.name.span),
        version: Spanned::new(Version { major: 1, minor: 0, patch: 0 }, case.name.span),
        title: None,
        description: None,
        owner: None,
        impact: None,
        reviewed: None,
        review_every: None,
        exercise_every: None,
        escalation: None,
        labels: Vec::new(),
        contacts: Vec::new(),
        triggers: Vec::new(),
        inputs: none,
        secrets: Vec::new(),
        lock: None,
        defaults: Defaults::default(),
        timeout: None,
        steps,
        on_failure: Vec::new(),
        finally: Vec::new(),
        outputs,
        must: Vec::new(),
        concurrency: None,
    }
}

/// What a case says while it is run for real.
pub struct Script {
    case: Case,
    begun: BTreeMap<String, usize>,
    used: BTreeMap<String, usize>,
}

/// What people answer to a question.
pub enum Said {
    /// These, each so long after the one before.
    Votes(Vec<(Duration, Vote)>),
    /// Some of them, and then nobody.
    Nobody(Vec<(Duration, Vote)>),
    /// The case does not say, or says what cannot be.
    Fault(Box<Diagnostic>),
}

impl Script {
    pub fn of(case: &Case) -> Script {
        Script { case: case.clone(), begun: BTreeMap::new(), used: BTreeMap::new() }
    }

    /// What is wrong with the case before anything is started: names that no step has, and stand-ins that a real run cannot have.
    pub fn faults(case: &Case, source: &Source, plan: &Plan) -> Vec<Diagnostic> {
        let mut faults = strangers(case, source, plan);
        let labels = select::Labels::of(plan);
        for (name, list) in &case.setting.steps {
            let called = select::performed(&name.value, plan, &labels);
            if called.iter().any(|step| matches!(step.verb, Verb::Listen(_))) {
                let message = format!("no event can be made up for `{}` where a case is run for real", name.value);
                let fault = Diagnostic::new(crate::diagnostic::Code::RB0502, source, name.span, message);
                faults.push(fault.help("let its time run out, or play the case without `--real`"));
            }
            let word = list.iter().find_map(|one| match one.end {
                StandInEnd::Crash => Some("crash"),
                StandInEnd::CrashAfter => Some("crash_after"),
                StandInEnd::Example => Some("example"),
                _ => None,
            });
            if let Some(word) = word {
                let message = format!("`{word}` cannot stand in for `{}` where a case is run for real", name.value);
                let fault = Diagnostic::new(crate::diagnostic::Code::RB0502, source, name.span, message);
                faults.push(fault.help("say what the step gives, or let it run"));
            }
        }
        faults
    }

    /// Who asks for the run.
    pub fn requester(&self, plan: &Plan) -> Identity {
        super::play::requester(&self.case, plan)
    }

    /// How the next attempt of a step ends and when, where something stands in for it. `work` is that of the attempt.
    pub fn stands_in(&mut self, path: &StepPath, work: &Work, plan: &Plan) -> Option<(AttemptEnd, Duration)> {
        let begun = self.begun.entry(without_rounds(plan, path)).or_default();
        *begun += 1;
        let given = stand_in(&self.case, path, *begun - 1)?;
        match come_to(Some(given), Some(work), path) {
            (End::As(end) | End::Then(end), takes) => Some((end, takes)),
            (End::Crash | End::Never, _) => None,
        }
    }

    /// What people answer to a question that was asked just now.
    pub fn answers(&mut self, run: &Run, asked: &Decision, source: &Source) -> Said {
        let path = asked.path.clone().unwrap_or_else(|| StepPath::within("", "run"));
        let whole = whole(run, &path);
        let used = self.used.get(&whole).copied().unwrap_or_default();
        let left = select::best(&self.case.setting.answers, &path).and_then(|list| list.get(used..)).unwrap_or_default();
        if asked.request.signed && !left.is_empty() {
            let message = format!("what people say to `{path}` has to be signed, and a case for real systems signs nothing");
            let help = "name an environment in the case whose rules do not ask for `signed`, or play it without `--real`";
            let fault = super::Incomplete { at: None, message, help: help.to_owned() };
            return Said::Fault(Box::new(fault.told(&self.case, source)));
        }
        let mut open = asked.clone();
        let mut votes = Vec::new();
        for answer in left.iter().take((asked.request.count as usize).max(1)) {
            *self.used.entry(whole.clone()).or_default() += 1;
            let vote = match vote(run, &open, answer) {
                Ok(Some(vote)) => vote,
                Ok(None) => return Said::Nobody(votes),
                Err(incomplete) => return Said::Fault(Box::new(incomplete.told(&self.case, source))),
            };
            open.votes.push(vote.clone());
            let last = vote.choice != crate::run::decision::Choice::Approve;
            votes.push((answer.after, vote));
            if last {
                break;
            }
        }
        if votes.is_empty() {
            let message = format!("nothing says what people answer `{path}`: {}", asked.request.question.trim());
            let fault = super::Incomplete { at: None, message, help: "answer it under `answers`, or say `nobody`".to_owned() };
            return Said::Fault(Box::new(fault.told(&self.case, source)));
        }
        Said::Votes(votes)
    }
}

/// As [`whole`], by the plan alone.
pub(super) fn without_rounds(plan: &Plan, path: &StepPath) -> String {
    let is_each = |label: &str| plan.steps.iter().any(|step| step.label == label && matches!(step.verb, Verb::Each(_)));
    let mut out = String::new();
    for piece in path.as_str().split_inclusive(']') {
        let name = piece.split('[').next().unwrap_or(piece);
        let label = name.rsplit(['/', '.', '~']).next().unwrap_or(name);
        out.push_str(if is_each(label) { piece } else { name });
    }
    out
}

/// What does not hold of a case after its run.
pub fn judged(case: &Case, source: &Source, run: &Run, events: &[Event]) -> Vec<Diagnostic> {
    expect::unmet(case, run, events).into_iter().map(|unmet| unmet.told(source)).collect()
}
