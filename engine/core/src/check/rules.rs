//! What a step owes to whoever has to live with it: a way back or a reason why there is none, an effect that is not played
//! down, a place that some path reaches, and no key that would quietly do nothing.

use super::procedure::Checked;
use super::tree::{NodeIx, Slot};
use crate::diagnostic::{Code, Span};
use crate::document::Step;
use crate::document::step::{Verb, Verify, WaitFor};
use crate::effect::Effect;
use crate::policy::Gate;

impl Checked<'_, '_> {
    /// Ids that stand twice, and steps that no path reaches.
    pub fn shape(&mut self) {
        let twice = std::mem::take(&mut self.tree.twice);
        for (ix, first) in twice {
            let (Some(step), Some(first)) = (self.tree.get(ix).map(|n| n.step), self.tree.get(first).map(|n| n.step)) else {
                continue;
            };
            let (Some(id), Some(first)) = (&step.id, &first.id) else { continue };
            let fault = self
                .new_fault(Code::RB0201, id.span, format!("a second step is called `{}`", id.value))
                .label(first.span, "the first one is here")
                .help("give one of them another id: ids are unique in a procedure");
            self.report(fault);
        }
        let mut last = None;
        for ix in 0..self.tree.len() {
            let Some(node) = self.tree.get(ix) else { continue };
            let before = (node.parent, node.slot, node.index.wrapping_sub(1));
            let unreached = !node.reachable;
            // One report for a row of them.
            if unreached && last != Some(before) {
                let fault = self
                    .new_fault(Code::RB0205, node.step.verb.span, "no path leads to this step")
                    .reason("every path ends or jumps over it before")
                    .help("remove it, or give the step that jumps or ends an `if`");
                self.build.diagnostics.push(fault);
            }
            if unreached {
                last = Some((node.parent, node.slot, node.index));
            }
        }
    }

    /// The rules for one step, once its effect is known.
    pub fn owes(&mut self, ix: NodeIx, step: &Step, effect: Effect, inside: Effect, acts: bool) {
        let verb = &step.verb.value;
        let container = is_container(verb);
        if let Some(declared) = &step.effect
            && declared.value < inside
        {
            let fault = self
                .new_fault(
                    Code::RB0208,
                    declared.span,
                    format!("the effect is `{}`, but a step inside is `{inside}`", declared.value),
                )
                .reason("a heading cannot make its steps less dangerous")
                .help(format!("write `effect: {inside}`, or leave the key away"));
            self.report(fault);
        }
        let slots = self.tree.place(ix);
        let looked_at =
            self.tree.around(slots).map(|(_, slot)| slot).chain([slots.slot]).find(|s| matches!(s, Slot::Verify | Slot::Probe));
        if effect.changes() && looked_at.is_some() && !container {
            let what = if looked_at == Some(Slot::Probe) { "probe" } else { "verify" };
            let fault = self
                .new_fault(
                    Code::RB0209,
                    step.verb.span,
                    format!("a `{what}` step only looks, and the effect of this one is `{effect}`"),
                )
                .reason("it may run any number of times")
                .help("write `effect: read` if it changes nothing");
            self.report(fault);
            return;
        }
        let undoes = self.tree.around(slots).any(|(_, slot)| slot == Slot::Undo) || slots.slot == Slot::Undo;
        let idempotent = step.idempotent.as_ref().is_some_and(|i| i.value);
        let way_back = step.undo.is_some() || step.irreversible.is_some();
        // A message cannot be taken back, and everybody knows it.
        let says = matches!(verb, Verb::Notify(_));
        if !container && !undoes && !says && !way_back {
            if effect == Effect::Destructive {
                let fault = self
                    .new_fault(Code::RB0207, step.verb.span, "this step destroys something, and nothing says how to get it back")
                    .help("add `undo`, or `irreversible: <why that is acceptable>`");
                self.report(fault);
            } else if effect == Effect::Change && !idempotent {
                let fault = self
                    .new_fault(Code::RB0206, step.verb.span, "this step changes something and has no way back")
                    .help("add `undo`, `irreversible: <reason>` or `idempotent: true`; `effect: read` if it only looks");
                self.report(fault);
            }
        }
        let tried_again = step.retry.as_ref().map(|r| (r.span, r.value.attempts)).or_else(|| {
            let defaults = self.procedure.defaults.retry.as_ref()?;
            acts.then_some((step.verb.span, defaults.value.attempts))
        });
        if let Some((span, attempts)) = tried_again
            && attempts > 1
            && acts
            && effect.changes()
            && !idempotent
            && !says
        {
            let fault = self
                .new_fault(Code::RB0210, span, "a change is tried again after it failed")
                .reason("a failed attempt may have done half of it")
                .help("add `idempotent: true` if doing it twice is the same as doing it once, or remove `retry`");
            self.report(fault);
        }
        if let Some(on) = &step.on {
            self.no_targets(on.span);
        }
        self.keys(ix, step, acts, container);
    }

    pub fn no_targets(&mut self, at: Span) {
        let fault = self
            .new_fault(Code::RB0211, at, "`on` needs targets, which are not built yet")
            .help("reach the host from the step itself (`ssh`, `psql -h`), or use `each` over a list of hosts");
        self.report(fault);
    }

    /// Keys that the verb has no use for.
    fn keys(&mut self, ix: NodeIx, step: &Step, acts: bool, container: bool) {
        // What a called procedure does is its own business.
        let shares = holds_steps(step) || (container && !matches!(step.verb.value, Verb::Call(_)));
        let process = matches!(step.verb.value, Verb::Run(_) | Verb::Exec(_)) || shares;
        let retried = acts || shares;
        let beside = self.tree.get(ix).is_some_and(|node| matches!(node.slot, Slot::OnFailure | Slot::Finally));
        // Only what acts, or a person does by hand, can be left with an outcome that nobody knows.
        let doubted = acts || matches!(step.verb.value, Verb::Manual(_));
        let verb = step.verb.value.key();
        let verify = step.verify.as_ref().map(|verify| match verify {
            Verify::Expression(expression) => expression.span,
            Verify::Step(step) => step.verb.span,
        });
        let finish = matches!(step.verb.value, Verb::Finish(_));
        let people = matches!(step.verb.value, Verb::Approve(_) | Verb::Ask(_) | Verb::Manual(_));
        let unused: [(Option<Span>, &str, &str); 9] = [
            (step.env.first().filter(|_| !process).map(|e| e.name.span), "env", "only `run` and `exec` start programs"),
            (step.dir.as_ref().filter(|_| !process).map(|d| d.span), "dir", "only `run` and `exec` start programs"),
            (step.retry.as_ref().filter(|_| !retried).map(|r| r.span), "retry", "only steps that act are tried again"),
            (step.undo.as_ref().filter(|_| finish).map(|u| u.span), "undo", "there is nothing to take back"),
            (step.next.as_ref().filter(|_| finish).map(|n| n.span), "next", "nothing follows the end"),
            (step.timeout.as_ref().filter(|_| people).map(|t| t.span), "timeout", "people have the time that `within` says"),
            (verify.filter(|_| !doubted), "verify", "its outcome is always known"),
            (step.idempotent.as_ref().filter(|_| !doubted).map(|i| i.span), "idempotent", "its outcome is always known"),
            (
                step.on_failure.as_ref().filter(|_| beside).map(|f| f.span),
                "on_failure",
                "each step of this list goes on after a failure",
            ),
        ];
        for (span, key, reason) in unused {
            let Some(span) = span else { continue };
            let fault = self
                .new_fault(Code::RB0215, span, format!("`{key}` does nothing on `{verb}`"))
                .reason(reason)
                .help(format!("remove `{key}`"));
            self.report(fault);
        }
    }

    /// The approvals that the workspace's policy wants before the step. An undo has none: what takes a step back was
    /// shown, and approved, with the step. A `notify` has none: the channels are the workspace's own, and news of a run
    /// must not wait for a person. Rules for what calls a procedure and rules for itself both hold in it.
    pub fn gates(&self, ix: NodeIx, step: &Step, effect: Effect) -> Vec<Gate> {
        let place = self.tree.place(ix);
        let undoes = place.slot == Slot::Undo || self.tree.around(place).any(|(_, slot)| slot == Slot::Undo);
        if is_container(&step.verb.value) || undoes || matches!(step.verb.value, Verb::Notify(_)) {
            return Vec::new();
        }
        self.build.policy.gates_for(&[&self.build.labels, &self.labels], effect)
    }

    /// `finish` where no run can end.
    pub fn finish_allowed(&mut self, ix: NodeIx, at: Span) {
        let place = self.tree.place(ix);
        let slot = self
            .tree
            .around(place)
            .map(|(_, slot)| slot)
            .chain([place.slot])
            .find(|slot| matches!(slot, Slot::Undo | Slot::Verify | Slot::Probe));
        let outermost = self.tree.around(place).last().map_or(Some(place.slot), |(ix, _)| self.tree.get(ix).map(|n| n.slot));
        let where_ = match (slot, outermost) {
            (Some(Slot::Undo), _) => "an `undo`",
            (Some(Slot::Verify), _) => "a `verify`",
            (Some(Slot::Probe), _) => "a `probe`",
            (_, Some(Slot::Finally)) => "`finally`",
            _ => return,
        };
        let fault = self
            .new_fault(Code::RB0218, at, format!("`finish` cannot stand in {where_}"))
            .reason("the outcome of the run is decided elsewhere")
            .help("remove the step; leave others out with `if`");
        self.report(fault);
    }

    /// Declarations that nothing uses, and a review that is overdue.
    pub fn leftovers(&mut self) {
        let procedure = self.procedure;
        self.review();
        if self.unread {
            return;
        }
        for (name, _) in procedure.inputs.iter().filter(|(name, _)| !self.used_inputs.contains(name.value.as_str())) {
            let fault = self
                .new_fault(Code::RB0217, name.span, format!("nothing reads the input `{}`", name.value))
                .help(format!("use `inputs.{}`, or remove it", name.value));
            self.build.diagnostics.push(fault);
        }
        for (name, _) in procedure.secrets.iter().filter(|(name, _)| !self.used_secrets.contains(name.value.as_str())) {
            let fault = self
                .new_fault(Code::RB0216, name.span, format!("nothing uses the secret `{}`", name.value))
                .help(format!("give it to a step: `env: {{NAME: secrets.{}}}`, or remove it", name.value));
            self.build.diagnostics.push(fault);
        }
    }

    fn review(&mut self) {
        let procedure = self.procedure;
        if let (Some(today), Some(reviewed), Some(every)) = (self.build.options.today, &procedure.reviewed, &procedure.review_every)
            && let Ok(due) = reviewed.value.checked_add(every.value)
            && due < today
        {
            let fault = self
                .new_fault(Code::RB0316, reviewed.span, format!("the review was due on {due}"))
                .reason(format!("it was reviewed on {} and is reviewed every {}", reviewed.value, days(every.value)))
                .help("read it through against the system as it is, then set `reviewed` to that day");
            self.report(fault);
        }
    }
}

fn days(period: std::time::Duration) -> String {
    crate::value::format_duration(period)
}

pub(super) fn is_container(verb: &Verb) -> bool {
    matches!(verb, Verb::Call(_) | Verb::Choose(_) | Verb::Parallel(_) | Verb::Each(_) | Verb::Repeat(_) | Verb::Group(_))
}

/// Steps beside the verb's own, which share the settings of the step.
fn holds_steps(step: &Step) -> bool {
    let probe = matches!(&step.verb.value, Verb::Wait(wait) if matches!(wait.what, WaitFor::Until { probe: Some(_), .. }));
    probe || step.undo.is_some() || matches!(step.verify, Some(Verify::Step(_)))
}
