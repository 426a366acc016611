//! `kind: Test`: cases of a procedure. A case says what stands in for the world (results of steps, answers of people, faults),
//! and what must come of it; [`trial`](crate::trial) plays it on the machine itself.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{Scalar, Step};
use crate::cloud_event::CloudEvent;
use crate::diagnostic::{Source, Span, Spanned};
use crate::id::Id;
use crate::run::decision::Choice;
use crate::run::event::OutcomeKind;
use crate::value::{Map, Value};

#[derive(Clone, Debug)]
pub struct Test {
    pub source: Source,
    pub span: Span,
    /// The procedure that the cases are of: its name, or `name@range`.
    pub procedure: Scalar,
    /// What all cases share.
    pub defaults: Setting,
    pub cases: Vec<Case>,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub span: Span,
    pub name: Scalar,
    pub setting: Setting,
    /// It is for real systems alone.
    pub real: bool,
    pub around: Around,
    pub expect: Expect,
}

/// What starts and ends the systems that a case is for, where it is run for real.
#[derive(Clone, Debug, Default)]
pub struct Around {
    pub setup: Vec<Step>,
    pub teardown: Vec<Step>,
    /// Input → expression of what the setup gave.
    pub from_setup: Vec<(Spanned<Id>, Scalar)>,
}

impl Case {
    /// The event that starts it, as expressions read it.
    pub fn event(&self) -> Option<Value> {
        self.setting.event.as_ref().map(|event| event.value.to_value())
    }

    /// Whether it can be run for real.
    pub fn is_for_real(&self) -> bool {
        self.real || !self.around.setup.is_empty()
    }
}

/// What stands around a case, given by itself or for all cases of the file.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    pub inputs: Map,
    pub environment: Option<Scalar>,
    /// When the run starts; its clock is its own.
    pub at: Option<Timestamp>,
    /// Who starts it: a person of the workspace, or a user.
    pub requested_by: Option<Scalar>,
    /// The event that starts it, of a playbook.
    pub event: Option<Spanned<CloudEvent>>,
    /// Step → what each of its attempts comes to. The last goes on for all further ones.
    pub steps: Vec<(Scalar, Vec<StandIn>)>,
    /// Step → what people say, one vote after the other.
    pub answers: Vec<(Scalar, Vec<Answer>)>,
    pub cancel: Option<Cancel>,
}

/// Somebody ends the run early.
#[derive(Clone, Debug)]
pub struct Cancel {
    /// How long after its start.
    pub after: Duration,
    pub by: Option<Scalar>,
    /// What was changed is taken back.
    pub undo: bool,
    pub reason: Option<Scalar>,
}

impl Case {
    /// The case with what it shares with others. They are kept apart until it is played: together they would be as large as all
    /// that is shared, times the number of cases.
    pub fn with(&self, defaults: &Setting) -> Case {
        Case { setting: self.setting.clone().or(defaults), ..self.clone() }
    }
}

impl Setting {
    /// What is not given here is as it is there; of inputs and steps, each by its name.
    fn or(mut self, other: &Setting) -> Setting {
        for (name, value) in &other.inputs {
            self.inputs.entry(name.clone()).or_insert_with(|| value.clone());
        }
        fill(&mut self.steps, &other.steps);
        fill(&mut self.answers, &other.answers);
        Setting {
            environment: self.environment.or_else(|| other.environment.clone()),
            at: self.at.or(other.at),
            requested_by: self.requested_by.or_else(|| other.requested_by.clone()),
            event: self.event.or_else(|| other.event.clone()),
            cancel: self.cancel.or_else(|| other.cancel.clone()),
            ..self
        }
    }
}

fn fill<T: Clone>(own: &mut Vec<(Scalar, T)>, others: &[(Scalar, T)]) {
    let known: BTreeSet<String> = own.iter().map(|(name, _)| name.value.clone()).collect();
    own.extend(others.iter().filter(|(name, _)| !known.contains(&name.value)).cloned());
}

/// What stands in for one attempt of a step.
#[derive(Clone, Debug)]
pub struct StandIn {
    pub end: StandInEnd,
    /// What is known of the verb's result: its members, or, of a script, all of it.
    pub result: Value,
    /// How long the attempt takes. Longer than its timeout, it times out.
    pub takes: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandInEnd {
    /// As the result says: an exit code other than 0, or a status that is not expected, is a failure.
    Result,
    /// The step's own `example` stands for what it gives.
    Example,
    Fails(String),
    TimesOut,
    /// Nobody knows how it ended.
    Unknown,
    /// The engine stops while the attempt is under way, and the run is taken up again.
    Crash,
    /// The attempt succeeds, the engine stops right after, and the run is taken up again.
    CrashAfter,
}

/// What one person says.
#[derive(Clone, Debug)]
pub struct Answer {
    pub span: Span,
    /// `None`: nobody says anything.
    pub say: Option<Choice>,
    pub by: Option<Scalar>,
    pub reason: Option<Scalar>,
    /// How long after the question, or after the answer before.
    pub after: Duration,
    /// The fields of an `ask`; `evidence` of a `manual`.
    pub with: Map,
}

/// What must come of a case. What is absent is not looked at.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    pub span: Span,
    pub outcome: Option<Spanned<Ended>>,
    /// Text that the outcome's message holds.
    pub message: Option<Scalar>,
    /// The steps that began, all of them, in order.
    pub steps: Option<Spanned<Vec<Scalar>>>,
    /// Steps that did not begin.
    pub skipped: Vec<Scalar>,
    /// Step → what it would run.
    pub commands: Vec<(Scalar, Spanned<Command>)>,
    /// Step → values that it gives, or the members of them that are named.
    pub gives: Vec<(Scalar, Spanned<Value>)>,
    /// Outputs of the procedure.
    pub outputs: Vec<(Scalar, Spanned<Value>)>,
    /// Step → who was asked. Where it is there and names no step, nobody was asked anything.
    pub asked: Option<Spanned<Vec<(Scalar, Asked)>>>,
    /// The steps that were taken back, all of them, in order.
    pub undone: Option<Spanned<Vec<Scalar>>>,
    /// The changes that stay, all of them, the first change first.
    pub left: Option<Spanned<Vec<Scalar>>>,
    /// Kind of event → how many the record has.
    pub record: Vec<(Scalar, Spanned<u32>)>,
    /// The longest that it may take, by the clock of the run.
    pub within: Option<Spanned<Duration>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Exactly these arguments.
    Argv(Vec<String>),
    /// This text is part of what the dry run shows of the step.
    Part(String),
}

/// How a case ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    As(OutcomeKind),
    /// It waits for people, and nobody will answer.
    Waiting,
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub span: Span,
    /// Names of people, groups and rotations, as the request has them, escalations included.
    pub from: Option<Vec<Scalar>>,
    pub count: Option<u32>,
    pub within: Option<Duration>,
    /// Text that the question holds.
    pub question: Option<Scalar>,
    /// The rule of the workspace that adds it.
    pub rule: Option<Scalar>,
}
