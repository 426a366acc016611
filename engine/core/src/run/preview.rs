//! What is shown to whoever decides: the question, the steps that run next with their commands, what takes them back, what is
//! known and what is not, and the digest over all of it.
//!
//! The preview is a function of the state and of the instant at which it was asked for, so that it can be made again when
//! the answer comes and compared.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::document::step::OnTimeout;
use crate::expr::{Destination, Template};
use crate::id::{DecisionId, Digest, StepPath};
use crate::limits;
use crate::plan::{InputSpec, Step, StepIx, Verb, WaitFor};
use crate::value::Value;

use super::decision::{Choice, Purpose, Request, Undo, Upcoming};
use super::event::{Fact, Part};
use super::names::InScope;
use super::state::{BlockRef, FrameIx, LaneIx, NodeIx, Owner, ScopeIx};
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
}

const GO: [Choice; 2] = [Choice::Approve, Choice::Reject];

impl Run {
    /// The request for a decision, as it is to be recorded. `None` where the run has nobody to ask this for.
    pub fn request(&self, path: Option<&StepPath>, purpose: &Purpose, now: Timestamp) -> Option<Fact> {
        let asker = self.asker(path, purpose).ok()?;
        let ask = self.ask(asker, purpose, now)?;
        let mut next = Vec::new();
        let mut unknown = BTreeSet::new();
        match asker {
            Asker::Run => {
                let scope = self.frame(FrameIx(0)).scope;
                let body: Vec<StepIx> = self.plan.main().body.iter().copied().filter(|s| !self.is_left_out(*s)).collect();
                self.preview_steps(&body, scope, "", now, &mut next, &mut unknown);
            }
            Asker::Undo => {
                for undoable in self.undoable.iter().rev() {
                    let (path, scope) = (self.node(undoable.node).path.clone(), self.node(undoable.node).scope);
                    let undo = self.step_of(undoable.node).undo.clone();
                    self.preview_steps(&undo, scope, &format!("{path}~undo"), now, &mut next, &mut unknown);
                }
            }
            Asker::Node(node) => self.preview_from(node, now, &mut next, &mut unknown),
        }
        let mut request = Request {
            question: ask.question,
            from: ask.from,
            count: ask.count.max(1),
            not_requester: ask.not_requester,
            signed: ask.signed,
            choices: ask.choices,
            fields: ask.fields,
            evidence: ask.evidence,
            next,
            known: self.known(asker),
            unknown: unknown.into_iter().collect(),
            within: ask.within,
            on_timeout: ask.on_timeout,
            digest: Digest::of_bytes(b""),
        };
        request.digest = request.compute_digest()?;
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
            Ok((text, _)) => text,
            Err(error) => format!("(the text cannot be rendered: {})", error.message),
        };
        let title = node.map(|n| self.title(self.step_of(n), &names)).unwrap_or_default();
        let main = self.plan.main();
        let strict = self.plan.policy.requirements_for(&main.labels, self.plan.highest_effect());
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
        ask.not_requester |= strict.four_eyes && matches!(purpose, Purpose::Approve | Purpose::Gate { .. } | Purpose::Part);
        ask.signed |= strict.signed;
        Some(ask)
    }

    fn part_question(&self) -> String {
        let skipped: Vec<&str> =
            self.plan.main().body.iter().filter(|s| self.is_left_out(**s)).map(|s| self.plan.step(*s).label.as_str()).collect();
        format!("Run only a part of {}? These steps are left out: {}", self.plan.main().name, skipped.join(", "))
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

    /// Outputs given so far in the scope of the question, as text.
    fn known(&self, asker: Asker) -> Vec<(String, String)> {
        let scope = match asker {
            Asker::Node(node) => self.node(node).scope,
            Asker::Run | Asker::Undo => self.frame(FrameIx(0)).scope,
        };
        let mut known = Vec::new();
        for (id, value) in &self.scope(scope).steps {
            match value {
                Value::Map(map) => {
                    let plain = |v: &Value| {
                        matches!(
                            v,
                            Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) | Value::Duration(_) | Value::Time(_)
                        )
                    };
                    let shown = map.iter().filter(|(k, v)| plain(v) && !["stdout", "stderr", "body"].contains(&k.as_str()));
                    known.extend(shown.map(|(k, v)| (format!("steps.{id}.{k}"), short(&v.to_plain_json().to_string()))));
                }
                other => known.push((format!("steps.{id}"), short(&other.to_plain_json().to_string()))),
            }
        }
        known.truncate(limits::PREVIEW_STEPS);
        known
    }

    /// From a step that waits, through the rest of its list and of the lists around it, up to the next decision.
    fn preview_from(&self, node: NodeIx, now: Timestamp, out: &mut Vec<Upcoming>, unknown: &mut BTreeSet<String>) {
        let step = self.step_of(node);
        let decides = matches!(step.verb, Verb::Approve(_) | Verb::Ask(_));
        if !decides {
            let names = self.lenient(self.node(node).scope, now);
            out.push(self.upcoming(self.node(node).step, &self.node(node).path, self.node(node).scope, &names, unknown));
        }
        let mut at = Some(self.node(node).lane);
        while let Some(lane) = at {
            if !self.preview_rest(lane, now, out, unknown) {
                return;
            }
            at = match self.lane(lane).owner {
                Owner::Frame(_) | Owner::Undo => None,
                Owner::Node(owner) => match self.step_of(owner).verb {
                    // What follows a loop or a fork does not follow from this answer alone.
                    Verb::Each(_) | Verb::Parallel { .. } | Verb::Repeat { .. } | Verb::Wait(_) => None,
                    _ => Some(self.node(owner).lane),
                },
            };
        }
    }

    fn preview_rest(&self, lane: LaneIx, now: Timestamp, out: &mut Vec<Upcoming>, unknown: &mut BTreeSet<String>) -> bool {
        let lane = self.lane(lane);
        if let BlockRef::One(_) = lane.block {
            return false;
        }
        let rest: Vec<StepIx> = self.list(lane.block).iter().skip(lane.next).copied().collect();
        self.preview_steps(&rest, lane.scope, &lane.prefix, now, out, unknown)
    }

    /// False where a decision, or the bound, ends the preview.
    fn preview_steps(
        &self,
        steps: &[StepIx],
        scope: ScopeIx,
        prefix: &str,
        now: Timestamp,
        out: &mut Vec<Upcoming>,
        unknown: &mut BTreeSet<String>,
    ) -> bool {
        let names = self.lenient(scope, now);
        for ix in steps {
            if out.len() >= limits::PREVIEW_STEPS {
                return false;
            }
            let step = self.plan.step(*ix);
            let path = StepPath::within(prefix, &step.label);
            let decides = matches!(step.verb, Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_)) || !step.gates.is_empty();
            out.push(self.upcoming(*ix, &path, scope, &names, unknown));
            if decides {
                return false;
            }
            let inner: Vec<(&[StepIx], String)> = match &step.verb {
                Verb::Group(body) => vec![(body, path.to_string())],
                Verb::Repeat { body, .. } => vec![(body, format!("{path}[1]"))],
                Verb::Choose(branches) => branches.iter().map(|b| (b.body.as_slice(), path.to_string())).collect(),
                Verb::Parallel { branches, .. } => branches.iter().map(|(n, b)| (b.as_slice(), format!("{path}.{n}"))).collect(),
                // Their names have values of their own that are not there yet: shown as one line.
                _ => Vec::new(),
            };
            let mut open = true;
            for (body, prefix) in inner {
                open &= self.preview_steps(body, scope, &prefix, now, out, unknown);
            }
            if !open {
                return false;
            }
        }
        true
    }

    fn upcoming(
        &self,
        ix: StepIx,
        path: &StepPath,
        scope: ScopeIx,
        names: &InScope<'_>,
        unknown: &mut BTreeSet<String>,
    ) -> Upcoming {
        let step = self.plan.step(ix);
        let acts = step.verb.acts();
        let work = if acts { self.work(step, scope, names).ok() } else { None };
        for name in self.reads(step) {
            if let Ok(Value::Unknown(name)) = crate::expr::Names::value(names, "steps", Some(&name)) {
                unknown.insert(name);
            }
        }
        Upcoming {
            path: path.clone(),
            title: self.title(step, names),
            effect: step.effect,
            work,
            condition: step.condition.as_ref().map(|c| c.source.trim().to_owned()),
            undo: self.undo_of(step, names),
        }
    }

    /// The steps whose outputs a step's own texts read.
    fn reads(&self, step: &Step) -> Vec<String> {
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
            Verb::Each(each) => references.extend(each.items.references()),
            _ => {}
        }
        references
            .into_iter()
            .filter(|r| r.path.first().is_some_and(|p| p == "steps"))
            .filter_map(|r| r.path.get(1).cloned())
            .collect()
    }

    fn undo_of(&self, step: &Step, names: &InScope<'_>) -> Undo {
        match (&step.irreversible, step.undo.is_empty()) {
            (_, false) => Undo::Steps(step.undo.iter().map(|u| self.title(self.plan.step(*u), names)).collect()),
            (Some(reason), true) => Undo::Irreversible(reason.clone()),
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

fn short(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
