//! Decisions: what people are asked, frozen as it was shown, and how votes add up to an answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::input::accept_all;
use crate::document::step::OnTimeout;
use crate::effect::Effect;
use crate::id::{DecisionId, Digest, StepPath};
use crate::plan::InputSpec;
use crate::policy::{Asked, Escalation, OnCall, Overrides, Rung};
use crate::value::{Map, Value};

use super::acknowledgement::Acknowledgement;
use super::event::{Failure, Means, Timer, Vote};
use super::state::{Doubt, End, FailKind, FrameIx, NodeIx, Stage, State};
use super::task::Work;
use super::{Asker, Command, Fact, Key, Run};

/// Why people are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An `approve` step.
    Approve,
    /// An `ask` step.
    Ask,
    /// A `manual` step.
    Manual,
    /// A gate that the rule of this name adds before a step.
    Gate { rule: String },
    /// `--step`: before each step.
    Step,
    /// `--from`, `--only`: before a run that is not the whole procedure.
    Part,
    /// A step was started and nothing says how it ended.
    Unknown,
    /// An undo failed.
    UndoFailed,
}

/// What a vote can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Go: approve, answer, confirm the work of a `manual`.
    Approve,
    /// No go: reject; of a `manual`, it could not be done.
    Reject,
    /// Unknown outcome: look again.
    Probe,
    /// Unknown outcome: it did happen. Failed undo: it was done by hand.
    Done,
    /// Unknown outcome and failed undo: once more.
    Again,
    /// Failed undo: stop undoing and leave the rest to people.
    Leave,
}

/// A request as it was shown. The digest is over everything else in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub question: String,
    /// Names of people, groups and rotations; empty: whoever may operate.
    pub from: Vec<String>,
    /// Who was on call in each of those rotations when it was asked: they may decide, whoever is on call by then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub on_call: OnCall,
    pub count: u32,
    pub not_requester: bool,
    pub signed: bool,
    pub choices: Vec<Choice>,
    /// Of an `ask`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<InputSpec>,
    /// Of a `manual`: what to hand in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// The steps that run next if the answer is yes, in order, up to the next decision.
    pub next: Vec<Upcoming>,
    /// What is known so far: outputs that the question and the next steps rest on.
    pub known: Vec<(String, String)>,
    /// What is not known yet: names that the next steps read and nothing has given.
    pub unknown: Vec<String>,
    /// How long there is, and what follows when nobody answers.
    pub within: Option<Duration>,
    pub on_timeout: OnTimeout,
    pub digest: Digest,
}

/// One step that would run next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upcoming {
    pub path: StepPath,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    pub effect: Effect,
    /// The step with every known text rendered; names that are not known stand as `‹steps.x.y›`. Absent for a container.
    pub work: Option<Work>,
    /// Of a work that is too long to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Why it may not run.
    pub condition: Option<String>,
    /// What the steps of an `each` are done for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    pub undo: Undo,
}

/// Whether what would run now is what was shown.
fn still_shown(shown: &[Upcoming], mut now: Vec<Upcoming>) -> bool {
    // A record of before showed of an undo the titles, which do not change.
    for (shown, now) in shown.iter().zip(&mut now).filter(|(shown, _)| matches!(shown.undo, Undo::Steps(_))) {
        if matches!(now.undo, Undo::Does(_)) {
            now.undo = shown.undo.clone();
        }
    }
    now == shown
}

/// What takes a step back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Titles of the undo's steps, in records of before the rest of them was shown.
    Steps(Vec<String>),
    Does(Vec<UndoStep>),
    Irreversible(String),
    /// Nothing was declared.
    None,
    /// Nothing to take back.
    NotNeeded,
}

/// One step of an undo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UndoStep {
    /// The one that its author gave it, or what it is called where nothing else is said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// With every known text rendered. Absent for a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Box<Work>>,
    /// Of a work that is too long to be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl UndoStep {
    /// The same without its command.
    pub(super) fn shortened(mut self) -> UndoStep {
        self.digest = self.work.take().and_then(|work| Digest::of_json(&*work).ok()).or(self.digest);
        self
    }
}

impl Purpose {
    /// Whether it is asked so that another person looks: what the workspace demands of approvals holds for it.
    pub(super) fn is_guarded(&self) -> bool {
        matches!(self, Purpose::Approve | Purpose::Gate { .. } | Purpose::Part)
    }
}

impl Choice {
    pub fn name(self) -> &'static str {
        match self {
            Choice::Approve => "approve",
            Choice::Reject => "reject",
            Choice::Probe => "probe",
            Choice::Done => "done",
            Choice::Again => "again",
            Choice::Leave => "leave",
        }
    }

    /// Whether a vote for it must say why.
    pub fn needs_reason(self) -> bool {
        matches!(self, Choice::Reject | Choice::Done | Choice::Again | Choice::Leave)
    }
}

/// One decision of a run: what was asked, and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub id: DecisionId,
    pub(super) asker: Asker,
    pub path: Option<StepPath>,
    pub purpose: Purpose,
    pub request: Arc<Request>,
    pub requested_at: Timestamp,
    pub deadline: Option<Timestamp>,
    /// Escalations so far.
    pub rung: u32,
    /// Everybody who has been asked by now; of a rotation whoever was on call, if anybody was.
    pub asked: Vec<String>,
    /// Of each rotation that has been asked, who was on call.
    pub on_call: OnCall,
    /// Who is at it, where anybody has said so and the next were not asked since.
    pub acknowledged: Option<Acknowledgement>,
    pub votes: Vec<Vote>,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Open,
    Granted,
    Rejected,
    /// Answered in another way than yes or no.
    Answered,
    Expired,
    /// What would run changed; it was asked again.
    Voided,
    /// The question has no object any more.
    Withdrawn,
}

impl Decision {
    pub fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    /// The answers of a vote as they are recorded: of the types that were asked for, with defaults.
    fn answers(&self, vote: &Vote) -> Result<Map, Refusal> {
        let wanted = vote.choice == Choice::Approve;
        match self.purpose {
            Purpose::Ask if wanted => {
                let answers = accept_all(&self.request.fields, vote.answers.clone()).map_err(|faults| {
                    let faults: Vec<String> = faults.into_iter().map(|(name, why)| format!("answer `{name}`: {why}")).collect();
                    Refusal::Answers(faults.join("; "))
                })?;
                // A signature is over the answers as they were given.
                match vote.signature.is_some() && answers != vote.answers {
                    true => Err(Refusal::Answers("the signed answers leave something out that was asked for".to_owned())),
                    false => Ok(answers),
                }
            }
            Purpose::Manual if wanted => match (&self.request.evidence, vote.answers.get("evidence")) {
                (Some(_), Some(Value::Text(given))) if !given.trim().is_empty() => Ok(vote.answers.clone()),
                (Some(wanted), _) => {
                    Err(Refusal::Answers(format!("evidence is wanted: {}; give it with `--evidence TEXT`", wanted.trim())))
                }
                (None, _) => Ok(vote.answers.clone()),
            },
            _ if vote.answers.is_empty() => Ok(Map::new()),
            _ => Err(Refusal::Answers("this request asks for no answers".to_owned())),
        }
    }
}

/// Why a message to a run is not taken. Nothing was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no decision {0} in this run")]
    NoSuchDecision(DecisionId),
    #[error("{by} has decided this already: {choice}")]
    Conflict { by: String, choice: &'static str },
    #[error("decision {0} is no longer open: {1}")]
    Closed(DecisionId, &'static str),
    #[error("this request cannot be answered with `{0}`")]
    NotOffered(&'static str),
    #[error("a reason is needed to answer `{0}`")]
    NeedsReason(&'static str),
    #[error("the vote is about something else than what is asked: it names {voted}, the request is {asked}")]
    OtherDigest { voted: String, asked: String },
    #[error("{0}")]
    Answers(String),
    #[error("{0}")]
    NotNow(String),
}

/// What a vote leads to.
#[allow(clippy::large_enum_variant, reason = "it lives for one call")]
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Record this.
    Record(Fact),
    /// The same person said the same before; nothing to record, and nothing wrong.
    AlreadySaid,
}

impl Run {
    pub fn decisions(&self) -> &[Arc<Decision>] {
        &self.decisions
    }

    pub fn decision(&self, id: DecisionId) -> Option<&Decision> {
        self.decisions.get((id.0 as usize).checked_sub(1)?).map(|decision| &**decision)
    }

    /// What a decision asks of whoever takes it, by its request and by the rules of the workspace.
    pub fn asked<'a>(&self, decision: &'a Decision) -> Asked<'a> {
        let four_eyes = decision.purpose.is_guarded() && self.plan.demands().four_eyes;
        Asked { from: &decision.asked, not_requester: decision.request.not_requester, four_eyes }
    }

    pub(super) fn open_decision(&self, id: DecisionId) -> Option<&Decision> {
        self.decision(id).filter(|d| d.is_open())
    }

    /// Judges a vote against the state: what to record, or why not. Who may vote is for
    /// [`policy`](crate::policy) to say first.
    pub fn check_vote(&self, id: DecisionId, vote: &Vote) -> Result<Verdict, Refusal> {
        let decision = self.decision(id).ok_or(Refusal::NoSuchDecision(id))?;
        let vote = &Vote { answers: decision.answers(vote)?, ..vote.clone() };
        if let Some(earlier) = decision.votes.iter().find(|v| v.by.person == vote.by.person) {
            let same = earlier.choice == vote.choice && earlier.answers == vote.answers;
            let conflict = Refusal::Conflict { by: earlier.by.person.clone(), choice: earlier.choice.name() };
            return if same { Ok(Verdict::AlreadySaid) } else { Err(conflict) };
        }
        if !decision.is_open() {
            return match (decision.standing, decision.votes.last()) {
                (Standing::Granted | Standing::Rejected | Standing::Answered, Some(last)) => {
                    if last.choice == vote.choice {
                        Ok(Verdict::AlreadySaid)
                    } else {
                        Err(Refusal::Conflict { by: last.by.person.clone(), choice: last.choice.name() })
                    }
                }
                (Standing::Expired, _) => Err(Refusal::Closed(id, "its time is over")),
                (Standing::Voided, _) => Err(Refusal::Closed(id, "what would run has changed, and it was asked again")),
                _ => Err(Refusal::Closed(id, "its question has no object any more")),
            };
        }
        if !decision.request.choices.contains(&vote.choice) {
            return Err(Refusal::NotOffered(vote.choice.name()));
        }
        if vote.choice.needs_reason() && vote.reason.as_ref().is_none_or(|r| r.trim().is_empty()) {
            return Err(Refusal::NeedsReason(vote.choice.name()));
        }
        if vote.digest != decision.request.digest {
            let (voted, asked) = (vote.digest.short().to_owned(), decision.request.digest.short().to_owned());
            return Err(Refusal::OtherDigest { voted, asked });
        }
        let now = self.request(decision.path.as_ref(), &decision.purpose, decision.requested_at);
        if let Some(Fact::DecisionRequested { request, .. }) = now
            && !still_shown(&decision.request.next, request.next)
        {
            let reason = "what is about to run is no longer what was shown".to_owned();
            return Ok(Verdict::Record(Fact::DecisionVoided { decision: id, reason }));
        }
        Ok(Verdict::Record(Fact::Decided { decision: id, vote: vote.clone() }))
    }

    /// Whose question this is.
    pub(super) fn asker(&self, path: Option<&StepPath>, purpose: &Purpose) -> Result<Asker, String> {
        match (path, purpose) {
            (None, _) => Ok(Asker::Run),
            (Some(_), Purpose::UndoFailed) => Ok(Asker::Undo),
            (Some(path), _) => self.find(path).map(Asker::Node),
        }
    }

    pub(super) fn take_request(&mut self, id: DecisionId, path: Option<&StepPath>, purpose: &Purpose, request: &Request) {
        let Ok(asker) = self.asker(path, purpose) else { return };
        self.unwant(&Key::Request(asker));
        let deadline = request.within.map(|within| self.time_after(within));
        self.decisions.push(Arc::new(Decision {
            id,
            asker,
            path: path.cloned(),
            purpose: purpose.clone(),
            request: Arc::new(request.clone()),
            requested_at: self.now,
            deadline,
            rung: 0,
            asked: asked(&request.from, &request.on_call).map(str::to_owned).collect(),
            on_call: request.on_call.clone(),
            acknowledged: None,
            votes: Vec::new(),
            standing: Standing::Open,
        }));
        self.asked.insert(asker, id);
        if let Asker::Node(node) = asker {
            let node = self.node_mut(node);
            node.state = match node.state {
                State::Gated { gate, .. } => State::Gated { gate, decision: Some(id) },
                State::InDoubt(_) => State::InDoubt(Doubt::Asking(Some(id))),
                _ => State::Deciding(Some(id)),
            };
        }
        self.want(Key::Await(id), Command::Await { decision: id });
        if let Some(within) = request.within {
            self.wake(Timer::Decision { decision: id, rung: 0 }, within);
        }
    }

    pub(super) fn take_vote(&mut self, id: DecisionId, vote: &Vote) {
        let Some(decision) = self.decision_mut(id) else { return };
        decision.votes.push(vote.clone());
        // Whoever has answered is no longer at it.
        decision.acknowledged.take_if(|taken| taken.holder() == vote.by.person);
        let approvals = decision.votes.iter().filter(|v| v.choice == Choice::Approve).count();
        let enough = approvals >= decision.request.count as usize;
        match vote.choice {
            Choice::Approve if enough => self.answer(id, Standing::Granted, Choice::Approve),
            Choice::Approve => {}
            Choice::Reject => self.answer(id, Standing::Rejected, Choice::Reject),
            other => self.answer(id, Standing::Answered, other),
        }
    }

    pub(super) fn decision_mut(&mut self, id: DecisionId) -> Option<&mut Decision> {
        self.decisions.get_mut((id.0 as usize).checked_sub(1)?).map(Arc::make_mut)
    }

    pub(super) fn close_decision(&mut self, id: DecisionId, standing: Standing) {
        let Some(decision) = self.decision_mut(id) else { return };
        decision.standing = standing;
        let (asker, rung) = (decision.asker, decision.rung);
        self.asked.remove(&asker);
        self.unwant(&Key::Await(id));
        self.unwant(&Key::Wake(Timer::Decision { decision: id, rung }));
    }

    fn answer(&mut self, id: DecisionId, standing: Standing, choice: Choice) {
        self.close_decision(id, standing);
        let Some(decision) = self.decision(id).cloned() else { return };
        match decision.asker {
            Asker::Run if choice == Choice::Approve => self.open_stage(FrameIx(0), Stage::Body),
            Asker::Run => self.part_rejected(&decision),
            Asker::Undo => self.undo_answered(choice),
            Asker::Node(node) => self.node_answered(node, &decision, choice),
        }
    }

    fn part_rejected(&mut self, decision: &Decision) {
        let failure = rejection(decision);
        let step = StepPath::within("", &self.plan.main().name.as_str().replace('-', "_"));
        self.frame_mut(FrameIx(0)).end = Some(End::Failed { kind: FailKind::Rejected, failure, step, rollback: false });
        self.open_stage(FrameIx(0), Stage::Closed);
    }

    fn node_answered(&mut self, node: NodeIx, decision: &Decision, choice: Choice) {
        match (self.node(node).state, choice) {
            (State::Gated { gate, .. }, Choice::Approve) => self.pass_gates(node, gate + 1),
            (State::Deciding(_), Choice::Approve) => self.complete(node, self.decided_result(node, decision)),
            (State::InDoubt(_), Choice::Probe) => self.verify(node),
            (State::InDoubt(_), Choice::Done) => self.happened(node),
            (State::InDoubt(_), Choice::Again) => self.again(node),
            (State::Deciding(_), _) => {
                self.node_mut(node).result = self.decided_result(node, decision);
                self.fail(node, FailKind::Rejected, rejection(decision));
            }
            _ => self.fail(node, FailKind::Rejected, rejection(decision)),
        }
    }

    pub(super) fn take_void(&mut self, id: DecisionId) {
        self.close_decision(id, Standing::Voided);
        let Some(decision) = self.decision(id).cloned() else { return };
        if let Asker::Node(node) = decision.asker {
            let node = self.node_mut(node);
            node.state = match node.state {
                State::Gated { gate, .. } => State::Gated { gate, decision: None },
                State::InDoubt(_) => State::InDoubt(Doubt::Asking(None)),
                _ => State::Deciding(None),
            };
        }
        self.want(Key::Request(decision.asker), Command::Request { path: decision.path, purpose: decision.purpose });
    }

    /// Who is asked if nobody answers in time, and how long they have: a rung of the escalation that the step's own
    /// procedure names, else of that of the run's, at the pace of the run's impact.
    pub fn next_rung(&self, decision: &Decision) -> Option<(&Rung, Duration)> {
        let (escalation, place) = (self.escalation(decision)?, decision.rung as usize);
        Some((escalation.rungs.get(place)?, escalation.pace_of(place, self.plan.main().impact)?))
    }

    /// The rung that was asked last.
    pub fn present_rung(&self, decision: &Decision) -> Option<&Rung> {
        self.rung(decision, decision.rung)
    }

    /// Who is asked by a rung, counted from 1: those of the request are rung 0.
    pub fn rung(&self, decision: &Decision, rung: u32) -> Option<&Rung> {
        self.escalation(decision)?.rungs.get((rung as usize).checked_sub(1)?)
    }

    /// Whether others are asked once this time is over.
    pub(super) fn asks_others_next(&self, timer: &Timer) -> bool {
        let Timer::Decision { decision, rung } = timer else { return false };
        self.open_decision(*decision).is_some_and(|asked| asked.rung == *rung && self.next_rung(asked).is_some())
    }

    /// The channels that are told when a rung is asked; of rung 0 those of the escalation itself.
    pub fn told_by(&self, decision: &Decision, rung: u32) -> &[String] {
        match rung {
            0 => self.told_first(decision),
            _ => self.rung(decision, rung).map_or(&[], |rung| &rung.channels),
        }
    }

    /// The channels that are told as soon as somebody is asked.
    pub fn told_first(&self, decision: &Decision) -> &[String] {
        self.own_escalation(decision).map_or(&[], |escalation| &escalation.channels)
    }

    /// Everybody who is asked after those of the request if nobody answers, in order, with the time that each has.
    pub fn rungs<'a>(&'a self, decision: &Decision) -> impl Iterator<Item = (&'a Rung, Duration)> {
        let escalation = self.escalation(decision);
        let impact = self.plan.main().impact;
        let rungs =
            escalation.into_iter().flat_map(|escalation| (0..).zip(&escalation.rungs).map(move |(n, r)| (escalation, n, r)));
        rungs.filter_map(move |(escalation, number, rung)| Some((rung, escalation.pace_of(number, impact)?)))
    }

    fn escalation(&self, decision: &Decision) -> Option<&Escalation> {
        self.own_escalation(decision).filter(|_| decision.request.on_timeout == OnTimeout::Escalate)
    }

    /// That of the procedure in which the question stands, else of the run's.
    fn own_escalation(&self, decision: &Decision) -> Option<&Escalation> {
        let own = match decision.asker {
            Asker::Node(node) => self.plan.procedure(self.frame_of(self.node(node).scope).procedure).escalation.as_ref(),
            Asker::Run | Asker::Undo => None,
        };
        own.or(self.plan.main().escalation.as_ref())
    }

    /// Nobody answered in time: the next rung is asked, or the question has failed. Never a yes.
    pub(super) fn decision_expired(&mut self, id: DecisionId, rung: u32, on_call: &OnCall) {
        let Some(decision) = self.open_decision(id).cloned() else { return };
        if let Some((next, pace)) = self.next_rung(&decision) {
            let to = next.to.clone();
            let deadline = self.time_after(pace);
            if let Some(decision) = self.decision_mut(id) {
                decision.rung = rung + 1;
                decision.deadline = Some(deadline);
                decision.acknowledged = None;
                for who in asked(&to, on_call) {
                    if !decision.asked.iter().any(|other| other == who) {
                        decision.asked.push(who.to_owned());
                    }
                }
                decision.on_call.extend(on_call.clone());
            }
            return self.wake(Timer::Decision { decision: id, rung: rung + 1 }, pace);
        }
        self.close_decision(id, Standing::Expired);
        let message = "nobody decided in time".to_owned();
        let kind = match decision.request.on_timeout {
            OnTimeout::Reject => FailKind::Rejected,
            OnTimeout::Fail | OnTimeout::Escalate => FailKind::TimedOut,
        };
        if let Asker::Node(node) = decision.asker {
            self.fail(node, kind, Failure { message, at: None, detail: None });
        }
    }

    /// The result of an `approve`, `ask` or `manual`.
    fn decided_result(&self, node: NodeIx, decision: &Decision) -> Value {
        let mut result = decision.votes.last().map(|v| v.answers.clone()).unwrap_or_default();
        if decision.purpose == Purpose::Ask {
            return Value::Map(result);
        }
        let by: Vec<&str> = decision.votes.iter().map(|v| v.by.person.as_str()).collect();
        let reasons: Vec<&str> = decision.votes.iter().filter_map(|v| v.reason.as_deref()).collect();
        // In a prediction nobody has said anything, and where the run goes on after a no, only people know.
        let made_up = self.is_imagined() && decision.votes.iter().all(|vote| vote.by.means == Means::Engine);
        let told = |member: &str, value: Value, sure: bool| match made_up && !sure {
            true => Value::Unknown(format!("steps.{}.{member}", self.node(node).path.label())),
            false => value,
        };
        let granted = Value::Bool(decision.standing == Standing::Granted);
        let sure = !self.is_predicted() || !made_up || !self.survives_failure(&self.node(node).path);
        result.insert("granted".to_owned(), told("granted", granted, sure));
        result.insert("by".to_owned(), told("by", Value::Text(by.join(", ")), false));
        result.insert("reason".to_owned(), told("reason", Value::Text(reasons.join("; ")), false));
        Value::Map(result)
    }
}

/// Whom these names ask: of a rotation whoever is on call. Where nobody is, the rotation's name stands for everybody in it, so that
/// no question is put to nobody, and never to anybody.
fn asked<'a>(names: &'a [String], on_call: &'a OnCall) -> impl Iterator<Item = &'a str> {
    let of = |name: &'a String| match on_call.get(name).map(Vec::as_slice) {
        None | Some([]) => std::slice::from_ref(name),
        Some(people) => people,
    };
    names.iter().flat_map(of).map(String::as_str)
}

impl Fact {
    /// The same with who is on call at this moment in the rotations that it asks. It is written down, so that a replay asks no calendar.
    #[must_use]
    pub fn asking_those_on_call(self, run: &Run, at: Timestamp, made: &Overrides) -> Fact {
        let people = &run.plan.policy.people;
        match self {
            Fact::DecisionRequested { decision, path, purpose, mut request } => {
                request.on_call = people.on_call(&request.from, at, made);
                if !request.on_call.is_empty()
                    && let Some(digest) = request.compute_digest()
                {
                    request.digest = digest;
                }
                Fact::DecisionRequested { decision, path, purpose, request }
            }
            Fact::TimerFired { timer: Timer::Decision { decision, rung }, unreached, .. } => {
                let next = run.open_decision(decision).and_then(|decision| run.next_rung(decision));
                let on_call = next.map(|(next, _)| people.on_call(&next.to, at, made)).unwrap_or_default();
                Fact::TimerFired { timer: Timer::Decision { decision, rung }, on_call, unreached }
            }
            fact => fact,
        }
    }
}

fn rejection(decision: &Decision) -> Failure {
    let (by, reason) = match decision.votes.last() {
        Some(vote) => (vote.by.person.clone(), vote.reason.clone().unwrap_or_default()),
        None => ("nobody".to_owned(), String::new()),
    };
    let message = if reason.is_empty() { format!("rejected by {by}") } else { format!("rejected by {by}: {reason}") };
    Failure { message, at: None, detail: None }
}
