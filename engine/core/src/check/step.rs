//! One step on its way into the plan: the keys that any step may have. What its verb does is for [`verb`](super::verb).

use std::ops::Range;
use std::rc::Rc;

use super::field::Scope;
use super::procedure::{Checked, Settings, flip};
use super::tree::{NodeIx, Slot};
use crate::diagnostic::{Code, Spanned};
use crate::document;
use crate::effect::Effect;
use crate::id::Id;
use crate::limits;
use crate::plan::{self, Block, StepIx, Verify};

impl<'c> Checked<'_, 'c> {
    /// Checks the steps of a block in order; gives the highest effect among them.
    pub fn block(&mut self, range: Range<NodeIx>, settings: &Settings) -> Effect {
        range.fold(Effect::None, |effect, ix| effect.max(self.step(ix, settings)))
    }

    /// The block of `ix` in this slot, with the highest effect inside.
    pub fn inner(&mut self, ix: NodeIx, slot: Slot, settings: &Settings) -> (Block, Effect) {
        let range = self.tree.block(ix, slot);
        let effect = self.block(range.clone(), settings);
        (self.indexes(range), effect)
    }

    fn step(&mut self, ix: NodeIx, outer: &Settings) -> Effect {
        let Some((step, place_in_list)) = self.tree.get(ix).map(|node| (node.step, node.index + 1)) else {
            return Effect::None;
        };
        let before = Scope::at(self.tree.place(ix));
        let condition = step.condition.as_ref().map(|c| self.condition(c, &before));
        let name = step.name.as_ref().map(|t| self.text(t, &before));
        let why = step.why.as_ref().map(|t| self.text(t, &before));
        let by_hand = step.by_hand.as_ref().map(|t| self.text(t, &before));
        let dir = step.dir.as_ref().map(|t| self.text(t, &before));

        let acts = super::verb::acts(&step.verb.value);
        let env = self.env(&step.env, &outer.env, &before);
        let settings = Settings {
            bytes: if Rc::ptr_eq(&env, &outer.env) { outer.bytes } else { super::procedure::bytes(&env) },
            env,
            dir: dir.clone().flatten().or_else(|| outer.dir.clone()),
            retry: step.retry.as_ref().map(|r| r.value).or(outer.retry),
            timeout: outer.timeout,
            shell: outer.shell,
        };
        let lowered = self.verb(ix, step, &before, &settings);
        let inside = lowered.inside;
        let effect = match &step.effect {
            Some(declared) => declared.value.max(inside),
            None => lowered.default_effect.max(inside),
        };

        self.owes(ix, step, effect, inside, acts);

        let gates = self.gates(ix, step, effect);
        self.result = lowered.result.clone();
        let (outputs, types) = self.named(&step.outputs, &before.result());
        if let Some(slot) = self.types.get_mut(ix) {
            *slot = Some(super::types::overlay(&lowered.result, types));
        }
        let verify = step.verify.as_ref().map(|verify| self.verify(ix, verify, &settings));
        let undo = self.inner(ix, Slot::Undo, &settings).0;
        let next = step.next.as_ref().map(|next| self.jump(ix, next));
        let on_failure = self.on_failure(ix, step);
        let own_timeout = step.timeout.as_ref().map(|t| t.value);
        let timeout = if acts { own_timeout.or(outer.timeout).or(Some(limits::STEP_TIMEOUT)) } else { own_timeout };

        let around = settings.bytes + settings.dir.as_ref().map_or(0, |dir| dir.source.len());
        let added = (if acts { around } else { 0 }) + gates.iter().map(super::procedure::bytes_of_gate).sum::<usize>();
        if !self.build.take(added, &self.procedure.source, step.span) {
            return effect;
        }
        let complete = (|| {
            Some(plan::Step {
                label: match &step.id {
                    Some(id) => id.value.as_str().to_owned(),
                    None => format!("{}-{place_in_list}", step.verb.value.key()),
                },
                id: step.id.as_ref().map(|id| id.value.clone()),
                at: self.origin(step.span),
                name: flip(name)?,
                why: flip(why)?,
                by_hand: flip(by_hand)?,
                owner: step.owner.as_ref().map(|o| o.value.clone()),
                condition: flip(condition)?,
                effect,
                idempotent: step.idempotent.as_ref().is_some_and(|i| i.value),
                undo,
                irreversible: step.irreversible.as_ref().map(|i| i.value.clone()),
                verify: flip(verify)?,
                timeout,
                retry: if acts { settings.retry } else { None },
                on_failure: on_failure?,
                outputs: outputs?,
                env: if acts { settings.env.as_ref().clone() } else { Vec::new() },
                dir: flip(dir)?.or_else(|| settings.dir.clone()).filter(|_| acts),
                example: step.example.as_ref().map(super::literal::plain),
                next: flip(next)?,
                gates,
                verb: lowered.verb?,
            })
        })();
        if let Some(complete) = complete {
            let at = self.index(ix);
            self.build.set(at, complete);
        }
        effect
    }

    fn verify(&mut self, ix: NodeIx, verify: &'c document::step::Verify, settings: &Settings) -> Option<Verify> {
        match verify {
            document::step::Verify::Expression(expression) => {
                let scope = Scope::at(self.tree.place(ix));
                self.condition(expression, &scope).map(Verify::Expression)
            }
            document::step::Verify::Step(_) => {
                let (block, _) = self.inner(ix, Slot::Verify, settings);
                block.first().copied().map(Verify::Step)
            }
        }
    }

    fn on_failure(&mut self, ix: NodeIx, step: &document::Step) -> Option<plan::OnFailure> {
        Some(match step.on_failure.as_ref().map(|f| &f.value) {
            None | Some(document::step::OnFailure::Stop) => plan::OnFailure::Stop,
            Some(document::step::OnFailure::Continue) => plan::OnFailure::Continue,
            Some(document::step::OnFailure::Rollback) => plan::OnFailure::Rollback,
            Some(document::step::OnFailure::Next(id)) => plan::OnFailure::Next(self.jump(ix, id)?),
        })
    }

    /// The later step of the same list that a jump names.
    fn jump(&mut self, ix: NodeIx, id: &Spanned<Id>) -> Option<StepIx> {
        let name = id.value.as_str();
        if let Some(to) = self.tree.target(ix, name) {
            return Some(self.index(to));
        }
        let later: Vec<&str> = self.later_ids(ix);
        let fault = match self.tree.find(name).and_then(|to| Some((to, self.tree.get(to)?))) {
            None => {
                let near = self.nearest(name, self.tree.ids());
                let fault = self.new_fault(Code::RB0202, id.span, format!("there is no step `{name}` to go on with"));
                match near {
                    Some(near) => fault.help(format!("did you mean `{near}`?")).replace(id.span, near),
                    None => fault.help(match later.as_slice() {
                        [] => "no later step of this list has an id; give one to the step to go on with".to_owned(),
                        ids => format!("later steps of this list are {}", ids.join(", ")),
                    }),
                }
            }
            Some((to, node)) if self.tree.siblings(ix).contains(&to) => self
                .new_fault(Code::RB0203, id.span, format!("`{name}` does not come later"))
                .reason("jumps only go forward, so that every run ends")
                .label(node.step.span, format!("`{name}` is here"))
                .help("to do steps again, put them into `repeat` or `each`"),
            Some((_, node)) => self
                .new_fault(Code::RB0204, id.span, format!("`{name}` stands in another list of steps"))
                .reason("a jump stays within its list")
                .label(node.step.span, format!("`{name}` is here"))
                .help("name a later step of this list, or move the step into it"),
        };
        self.report(fault);
        None
    }

    fn later_ids(&self, ix: NodeIx) -> Vec<&'c str> {
        let range = self.tree.siblings(ix);
        let later = (ix + 1..range.end).filter_map(|n| self.tree.get(n)).filter_map(|n| n.step.id.as_ref());
        later.take(5).map(|id| id.value.as_str()).collect()
    }
}
