//! What is shown to whoever decides: the question, the steps that run next with their commands, what takes them back, what is
//! known and what is not, and the digest over all of it.
//!
//! The preview is a function of the state, so that it can be made again when the answer comes and compared. The time at which a
//! step will run is not known yet, whatever the clock says while people are asked. What is too long for the record is
//! shown by its digest.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::document::step::OnTimeout;
use crate::expr::{Destination, Expression, Names, Reference, Template};
use crate::id::{DecisionId, Digest, StepPath};
use crate::limits;
use crate::plan::{Each, InputSpec, Step, StepIx, Verb, WaitFor};
use crate::value::{Map, Value};

use super::decision::{Choice, Purpose, Request, Undo, UndoStep, Upcoming};
use super::event::{Fact, Part};
use super::listen::OF_EVENT;
use super::names::InScope;
use super::resolve::{Truth, truth};
use super::state::{BlockRef, Frame, FrameIx, NodeIx, Owner, Scope, ScopeIx, ScopeKind, Stage};
use super::{Asker, Run};

/// What of a request depends on its purpose.
struct Ask {
    question: String,
    from: Vec<String>,
    count: u32,
    not_requester: bool,
    signed: bool,
    choices: Vec<Choice>,
    fields: Vec<InputSpec>,
    evidence: Option<String>,
    within: Option<Duration>,
    on_timeout: OnTimeout,
}

impl Ask {
    fn new(question: String, choices: &[Choice]) -> Ask {
        Ask {
            question,
            from: Vec::new(),
            count: 1,
            not_requester: false,
            signed: false,
            choices: choices.to_vec(),
            fields: Vec::new(),
            evidence: None,
            within: None,
            on_timeout: OnTimeout::Fail,
        }
    }

    /// The question alone: nothing is shown beside it, and its digest is of nothing yet.
    fn into_request(self) -> Request {
        Request {
            question: self.question,
            from: self.from,
            on_call: BTreeMap::new(),
            count: self.count.max(1),
            not_requester: self.not_requester,
            signed: self.signed,
            choices: self.choices,
            fields: self.fields,
            evidence: self.evidence,
            next: Vec::new(),
            known: Vec::new(),
            unknown: Vec::new(),
            within: self.within,
            on_timeout: self.on_timeout,
            digest: Digest::of_bytes(b""),
        }
    }
}

const GO: [Choice; 2] = [Choice::Approve, Choice::Reject];

impl Run {
    /// The request for a decision, as it is to be recorded. `None` where the run has nobody to ask this for.
    pub fn request(&self, path: Option<&StepPath>, purpose: &Purpose, now: Timestamp) -> Option<Fact> {
        let asker = self.asker(path, purpose).ok()?;
        let ask = self.ask(asker, purpose, now)?;
        let mut preview = Preview { run: Cow::Borrowed(self), next: Vec::new(), unknown: BTreeSet::new(), bytes: 0 };
        match asker {
            Asker::Run => {
                let scope = self.frame(FrameIx(0)).scope;
                let body: Vec<StepIx> = self.plan.main().body.iter().copied().filter(|s| !self.is_left_out(*s)).collect();
                preview.steps(&body, scope, "");
            }
            Asker::Undo => {
                for undoable in self.undoable.iter().rev() {
                    let (path, scope) = (self.node(undoable.node).path.clone(), self.node(undoable.node).scope);
                    preview.steps(&self.step_of(undoable.node).undo, scope, &format!("{path}~undo"));
                }
            }
            Asker::Node(node) => preview.after(node, purpose),
        }
        let Preview { next, mut unknown, .. } = preview;
        let mut known = self.known(asker);
        if let Some(more) = known.len().checked_sub(limits::PREVIEW_KNOWN).filter(|more| *more > 0) {
            unknown.insert(format!("further values: {} are shown, and {more} more values are known", limits::PREVIEW_KNOWN));
            known.truncate(limits::PREVIEW_KNOWN);
        }
        let mut request = ask.into_request();
        request.next = next;
        request.known = known;
        request.unknown = unknown.into_iter().take(limits::PREVIEW_KNOWN).collect();
        request.digest = request.compute_digest()?;
        let decision = DecisionId(u32::try_from(self.decisions().len() + 1).ok()?);
        Some(Fact::DecisionRequested { decision, path: path.cloned(), purpose: purpose.clone(), request: Box::new(request) })
    }

    /// The same without what is shown beside the question: for a walk over all that people can answer, where nobody reads it.
    pub(crate) fn bare_request(&self, path: Option<&StepPath>, purpose: &Purpose, now: Timestamp) -> Option<Fact> {
        let request = self.ask(self.asker(path, purpose).ok()?, purpose, now)?.into_request();
        let decision = DecisionId(u32::try_from(self.decisions().len() + 1).ok()?);
        Some(Fact::DecisionRequested { decision, path: path.cloned(), purpose: purpose.clone(), request: Box::new(request) })
    }

    fn ask(&self, asker: Asker, purpose: &Purpose, now: Timestamp) -> Option<Ask> {
        let node = match asker {
            Asker::Node(node) => Some(node),
            Asker::Undo => self.undoable.last().map(|u| u.node),
            Asker::Run => None,
        };
        let names = self.lenient(node.map_or(self.frame(FrameIx(0)).scope, |n| self.node(n).scope), now);
        let text = |template: &Template| match template.render(Destination::Plain, &names) {
            Ok((text, _)) => cut(&text, limits::QUESTION_BYTES),
            Err(error) => format!("(the text cannot be rendered: {})", error.message),
        };
        let title = node.map(|n| short(&self.title(self.step_of(n), &names))).unwrap_or_default();
        let strict = self.plan.demands();
        let mut ask = match purpose {
            Purpose::Approve | Purpose::Ask | Purpose::Manual => match &self.step_of(node?).verb {
                Verb::Approve(approve) => Ask {
                    from: approve.from.clone(),
                    count: approve.count,
                    not_requester: approve.not_requester,
                    within: approve.within,
                    on_timeout: approve.on_timeout,
                    ..Ask::new(text(&approve.question), &GO)
                },
                Verb::Ask(ask) => Ask {
                    from: ask.from.clone(),
                    fields: ask.fields.clone(),
                    within: ask.within,
                    on_timeout: ask.on_timeout,
                    ..Ask::new(text(&ask.question), &GO)
                },
                Verb::Manual(manual) => {
                    let mut question = text(&manual.instruction);
                    if let Some(expect) = &manual.expect {
                        question.push_str("\nExpect: ");
                        question.push_str(&text(expect));
                    }
                    Ask {
                        from: manual.from.clone(),
                        evidence: manual.evidence.as_ref().map(text),
                        within: manual.within,
                        on_timeout: manual.on_timeout,
                        ..Ask::new(question, &GO)
                    }
                }
                _ => return None,
            },
            Purpose::Gate { rule } => {
                let gate = self.step_of(node?).gates.iter().find(|g| g.rule == *rule)?;
                Ask {
                    from: gate.from.clone(),
                    count: gate.count,
                    not_requester: gate.not_requester,
                    signed: gate.signed,
                    within: gate.within,
                    on_timeout: gate.on_timeout,
                    ..Ask::new(format!("{title}: may it run? (asked by the rule “{rule}”)"), &GO)
                }
            }
            Purpose::Step => Ask::new(format!("Run this step? {title}"), &GO),
            Purpose::Part => Ask::new(self.part_question(), &GO),
            Purpose::Unknown => {
                let node = node?;
                let why = self.node(node).note.as_ref().map(|n| n.message.clone()).unwrap_or_default();
                let question = format!("Did `{title}` do its work? It was started, and nothing says how it ended: {why}.");
                Ask::new(question, &[Choice::Probe, Choice::Done, Choice::Again])
            }
            Purpose::UndoFailed => {
                let why = self.unwinding.failure.as_ref().map(|n| n.message.clone()).unwrap_or_default();
                Ask::new(format!("The undo of {title} failed: {why}"), &[Choice::Again, Choice::Done, Choice::Leave])
            }
        };
        ask.not_requester |= strict.four_eyes && purpose.is_guarded();
        ask.signed |= strict.signed;
        for (name, text) in self.remarks(node, purpose) {
            ask.question = cut(&format!("{}\n{name}: {}", ask.question, self.told(text, &names).trim()), limits::QUESTION_BYTES);
        }
        Some(ask)
    }

    /// What the author says beside a question: why it is asked, and what a person does where only a person can go on.
    fn remarks(&self, node: Option<NodeIx>, purpose: &Purpose) -> Vec<(&'static str, &Template)> {
        let Some(step) = node.map(|node| self.step_of(node)) else { return Vec::new() };
        match purpose {
            Purpose::Approve | Purpose::Ask => step.why.iter().map(|why| ("Why", why)).collect(),
            Purpose::Unknown => step.by_hand.iter().map(|text| ("By hand", text)).collect(),
            Purpose::UndoFailed => {
                let undo = step.undo.iter().filter_map(|ix| self.plan.step(*ix).by_hand.as_ref());
                undo.map(|text| ("By hand", text)).collect()
            }
            // The step itself is shown below the question.
            Purpose::Manual | Purpose::Gate { .. } | Purpose::Step | Purpose::Part => Vec::new(),
        }
    }

    fn part_question(&self) -> String {
        let skipped: Vec<&str> =
            self.plan.main().body.iter().filter(|s| self.is_left_out(**s)).map(|s| self.plan.step(*s).label.as_str()).collect();
        let left_out = if skipped.is_empty() { "none".to_owned() } else { skipped.join(", ") };
        format!("Run only a part of {}? These steps are left out: {left_out}", self.plan.main().name)
    }

    /// Whether a run of a part leaves this step of the outermost list out.
    pub(super) fn is_left_out(&self, step: StepIx) -> bool {
        let id = self.plan.step(step).id.as_ref();
        match self.started().map(|s| &s.part) {
            None | Some(Part::Whole) => false,
            Some(Part::Only(ids)) => !id.is_some_and(|id| ids.contains(id)),
            Some(Part::From(first)) => {
                let body = &self.plan.main().body;
                let start = body.iter().position(|s| self.plan.step(*s).id.as_ref() == Some(first));
                body.iter().position(|s| *s == step) < start
            }
        }
    }

    /// What is known where the question stands, as text: the item it is about, and outputs given so far.
    fn known(&self, asker: Asker) -> Vec<(String, String)> {
        let mut at = Some(match asker {
            Asker::Node(node) => self.node(node).scope,
            Asker::Run | Asker::Undo => self.frame(FrameIx(0)).scope,
        });
        let mut known = Vec::new();
        while let Some(ix) = at {
            let scope = self.scope(ix);
            if let ScopeKind::Item { name, item, .. } = &scope.kind {
                known.push((name.to_string(), short(&item.to_plain_json().to_string())));
            }
            for (id, value) in &scope.steps {
                match &**value {
                    Value::Map(map) => {
                        let raw = ["exit_code", "status"].iter().any(|key| map.contains_key(*key));
                        let shown = map.iter().filter(|(k, v)| is_plain(v) && (!raw || says_something(k, v)));
                        known.extend(
                            shown.map(|(k, v)| (format!("steps.{id}.{}", short(k)), short(&v.to_plain_json().to_string()))),
                        );
                    }
                    other => known.push((format!("steps.{id}"), short(&other.to_plain_json().to_string()))),
                }
            }
            at = if let ScopeKind::Procedure { .. } = scope.kind { None } else { scope.parent };
        }
        known
    }

    /// Whether a condition holds, as far as that is known before its step comes up.
    fn foreseen_truth(&self, condition: &Expression, scope: ScopeIx) -> Option<bool> {
        match truth(condition, &self.foreseen(scope)) {
            Ok(Truth::Yes) => Some(true),
            Ok(Truth::No) => Some(false),
            Ok(Truth::Unknown(_)) | Err(_) => None,
        }
    }

    /// What a step's own texts read.
    fn reads(&self, step: &Step) -> Vec<Reference> {
        let mut references = Vec::new();
        match &step.verb {
            Verb::Run { script, .. } => references.extend(script.references()),
            Verb::Exec(argv) => references.extend(argv.iter().flat_map(Template::references)),
            Verb::Rhai(script) => references.extend(script.references()),
            Verb::Http(http) => references.extend(http.url.references()),
            Verb::Notify { message, .. } => references.extend(message.references()),
            Verb::Wait(wait) => match &wait.what {
                WaitFor::Duration(expression) | WaitFor::Until { until: expression, .. } => {
                    references.extend(expression.references())
                }
            },
            // The event, and the time at which it comes, are known to nobody.
            Verb::Listen(listen) => {
                let when = listen.when.iter().flat_map(|when| when.references());
                references.extend(when.filter(|name| name.path.first().is_none_or(|root| !OF_EVENT.contains(&root.as_str()))));
            }
            Verb::Each(each) => references.extend(each.items.references()),
            Verb::Call { with, .. } => references.extend(with.iter().flat_map(|(_, value)| value.references())),
            _ => {}
        }
        references
    }

    /// Steps with those of groups in the place of the groups.
    pub(super) fn grouped(&self, steps: &[StepIx]) -> Vec<StepIx> {
        let inside = |ix: &StepIx| match &self.plan.step(*ix).verb {
            Verb::Group(body) => self.grouped(body),
            _ => vec![*ix],
        };
        steps.iter().flat_map(inside).collect()
    }

    fn undo_of(&self, step: &Step, scope: ScopeIx, names: &InScope<'_>) -> Undo {
        let undo = |ix: StepIx| {
            let step = self.plan.step(ix);
            let title = short(&self.title(step, names));
            let work = self.work(step, scope, names).ok().filter(|_| step.verb.acts()).map(Box::new);
            let is_named = step.name.is_some() || step.id.is_some() || work.is_none();
            UndoStep { title: is_named.then_some(title), work, digest: None }
        };
        match (&step.irreversible, step.undo.is_empty()) {
            (_, false) => Undo::Does(self.grouped(&step.undo).into_iter().map(undo).collect()),
            (Some(reason), true) => Undo::Irreversible(short(reason)),
            (None, true) if step.effect.changes() && !step.idempotent && !step.verb.is_container() => Undo::None,
            (None, true) => Undo::NotNeeded,
        }
    }
}

impl Request {
    /// The digest over everything else that is shown.
    pub fn compute_digest(&self) -> Option<Digest> {
        let mut json = serde_json::to_value(self).ok()?;
        json.as_object_mut()?.remove("digest");
        Digest::of_json(&json).ok()
    }
}

/// Collects what an answer would start.
struct Preview<'r> {
    /// The run as it is; a copy of it once a scope is entered that the run itself has not opened yet.
    run: Cow<'r, Run>,
    next: Vec<Upcoming>,
    unknown: BTreeSet<String>,
    /// Of all that is shown.
    bytes: usize,
}

impl Preview<'_> {
    /// From a step that waits, through the rest of its list and of the lists around it, up to the next decision.
    fn after(&mut self, node: NodeIx, purpose: &Purpose) {
        let run = self.run.clone();
        let (step, at) = (run.step_of(node), run.node(node));
        let asks = step.verb.asks();
        let last_gate = step.gates.last().map(|gate| gate.rule.as_str());
        let asked_again = match purpose {
            Purpose::Step => asks || last_gate.is_some(),
            Purpose::Gate { rule } => asks || last_gate != Some(rule),
            _ => false,
        };
        if asked_again || !matches!(step.verb, Verb::Approve(_) | Verb::Ask(_)) {
            let mut shown = self.upcoming(at.step, &at.path, at.scope);
            // What a step was resolved to is what it does.
            shown.work = at.work.as_deref().cloned().or(shown.work);
            if !self.push(shown) {
                return;
            }
        }
        if asked_again {
            return;
        }
        let mut lane = Some(at.lane);
        while let Some(ix) = lane {
            let here = run.lane(ix);
            let list = if let BlockRef::One(_) = here.block { return } else { run.list(here.block) };
            if !self.steps(list.get(here.next..).unwrap_or_default(), here.scope, &here.prefix) {
                return;
            }
            lane = match here.owner {
                Owner::Frame(_) | Owner::Undo => None,
                Owner::Node(owner) => match run.step_of(owner).verb {
                    // What follows a loop or a fork does not follow from this answer alone.
                    Verb::Each(_) | Verb::Parallel { .. } | Verb::Repeat { .. } | Verb::Wait(_) => None,
                    _ => Some(run.node(owner).lane),
                },
            };
        }
    }

    /// False where a decision, or the bound, ends the preview.
    fn steps(&mut self, steps: &[StepIx], scope: ScopeIx, prefix: &str) -> bool {
        let plan = self.run.plan.clone();
        for ix in steps {
            let step = plan.step(*ix);
            let path = StepPath::within(prefix, &step.label);
            let shown = self.upcoming(*ix, &path, scope);
            let shown = self.push(shown);
            let decides = step.verb.asks() || !step.gates.is_empty();
            if !shown || decides || !self.inside(step, &path, scope) {
                return false;
            }
        }
        true
    }

    /// The steps inside a step. False where they end the preview.
    fn inside(&mut self, step: &Step, path: &StepPath, scope: ScopeIx) -> bool {
        let plan = self.run.plan.clone();
        match &step.verb {
            Verb::Group(body) => self.steps(body, scope, path.as_str()),
            Verb::Repeat { body, .. } => self.steps(body, scope, &format!("{path}[1]")),
            Verb::Parallel { branches, .. } => {
                // All of them start, so a decision in one does not hide the others.
                branches.iter().fold(true, |open, (name, body)| self.steps(body, scope, &format!("{path}.{name}")) && open)
            }
            Verb::Choose(branches) => {
                let mut open = true;
                for branch in branches {
                    let holds = branch.when.as_ref().map_or(Some(true), |when| self.run.foreseen_truth(when, scope));
                    if holds == Some(false) {
                        continue;
                    }
                    let first = self.next.len();
                    open &= self.steps(&branch.body, scope, path.as_str());
                    if holds == Some(true) {
                        break;
                    }
                    let when = branch.when.as_ref().map(|when| short(when.source.trim()));
                    self.next.iter_mut().skip(first).for_each(|s| s.condition = s.condition.take().or(when.clone()));
                }
                open
            }
            Verb::Each(each) => {
                let item = Value::Unknown(each.r#as.to_string());
                let kind = ScopeKind::Item { name: each.r#as.clone(), item, index: 0 };
                let inner = self.run.to_mut().add_scope(scope_of(Some(scope), kind));
                self.steps(&each.body, inner, &format!("{path}[0]"))
            }
            Verb::Call { procedure, with } => {
                let called = plan.procedure(*procedure);
                let mut inputs: Map =
                    called.inputs.iter().filter_map(|i| Some((i.name.to_string(), i.value.default.clone()?))).collect();
                let names = self.run.foreseen(scope);
                for (name, value) in with {
                    let value = value.evaluate(&names).unwrap_or_else(|_| Value::Unknown(format!("inputs.{name}")));
                    inputs.insert(name.to_string(), value);
                }
                let run = self.run.to_mut();
                let frame = FrameIx(run.frames.len() as u32);
                let inner = run.add_scope(scope_of(None, ScopeKind::Procedure { frame }));
                run.frames.push(Frame {
                    procedure: *procedure,
                    caller: None,
                    scope: inner,
                    inputs,
                    prefix: path.as_str().into(),
                    stage: Stage::Body,
                    lane: None,
                    end: None,
                });
                self.steps(&called.body, inner, path.as_str())
            }
            _ => true,
        }
    }

    /// Adds a step, without its commands where they are too long, those of the undo first. False where there is no room left.
    fn push(&mut self, mut step: Upcoming) -> bool {
        let size = |step: &Upcoming| serde_json::to_vec(step).map_or(0, |json| json.len());
        if self.bytes.saturating_add(size(&step)) > limits::PREVIEW_WORK_BYTES
            && let Undo::Does(steps) = &mut step.undo
        {
            *steps = std::mem::take(steps).into_iter().map(UndoStep::shortened).collect();
        }
        if self.bytes.saturating_add(size(&step)) > limits::PREVIEW_WORK_BYTES {
            step.digest = step.work.take().and_then(|work| Digest::of_json(&work).ok());
        }
        self.bytes = self.bytes.saturating_add(size(&step));
        if self.next.len() == limits::PREVIEW_STEPS || self.bytes > limits::PREVIEW_BYTES {
            self.unknown.insert(format!("further steps: {} are shown, and there are more", self.next.len()));
            return false;
        }
        self.next.push(step);
        true
    }

    fn upcoming(&mut self, ix: StepIx, path: &StepPath, scope: ScopeIx) -> Upcoming {
        let run = &*self.run;
        let (step, names) = (run.plan.step(ix), run.foreseen(scope));
        let mut unknown = BTreeSet::new();
        for reference in run.reads(step) {
            let (root, member) = (reference.path.first(), reference.path.get(1));
            let Some(root) = root.filter(|root| ["steps", "inputs", "now"].contains(&root.as_str())) else { continue };
            if let Ok(Value::Unknown(name)) = names.value(root, member.map(String::as_str)) {
                unknown.insert(name);
            }
        }
        let shown = Upcoming {
            path: path.clone(),
            title: short(&run.title(step, &names)),
            why: step.why.as_ref().map(|why| cut(run.told(why, &names).trim(), limits::PREVIEW_WHY_BYTES)),
            effect: step.effect,
            work: if step.verb.acts() { run.work(step, scope, &names).ok() } else { None },
            digest: None,
            condition: step.condition.as_ref().map(|c| short(c.source.trim())),
            items: if let Verb::Each(each) = &step.verb { items(each, &names) } else { None },
            undo: run.undo_of(step, scope, &names),
        };
        self.unknown.append(&mut unknown);
        shown
    }
}

/// A scope that nothing has been given in yet.
fn scope_of(parent: Option<ScopeIx>, kind: ScopeKind) -> Scope {
    Scope { parent, kind, steps: BTreeMap::new(), absent: BTreeMap::new() }
}

/// What the steps of an `each` are done for: all of it, or its beginning and the digest of all of it.
fn items(each: &Each, names: &InScope<'_>) -> Option<String> {
    match each.items.evaluate(names).ok()? {
        Value::List(items) => {
            let text = Value::List(items.clone()).to_plain_json().to_string();
            let digest = Digest::of_bytes(text.as_bytes());
            let count = if items.len() == 1 { "1 item".to_owned() } else { format!("{} items", items.len()) };
            Some(match text.len() > limits::PREVIEW_ITEMS_BYTES {
                true => format!("{count}: {} ({})", cut(&text, limits::PREVIEW_ITEMS_BYTES), digest.short()),
                false => format!("{count}: {text}"),
            })
        }
        Value::Unknown(name) => Some(format!("‹{name}›")),
        _ => None,
    }
}

/// Of the result of a program or a request: leaves out the raw output, and that it succeeded.
fn says_something(name: &str, value: &Value) -> bool {
    match name {
        "stdout" | "stderr" | "body" | "json" => false,
        "exit_code" => *value != Value::Int(0),
        _ => true,
    }
}

fn is_plain(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_) | Value::Null | Value::Unknown(_))
}

fn short(text: &str) -> String {
    cut(text, limits::PREVIEW_TEXT_BYTES)
}

/// At most so many bytes of a text; what is left out shows.
fn cut(text: &str, bytes: usize) -> String {
    match text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= bytes).last() {
        Some(end) if end < text.len() => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}
