//! What decides whether something is held back, or a change is made: the inputs and the values of steps that such a condition reads,
//! itself or through others. Whoever changes what an input is where nobody gives it, or what a step says, changes that condition
//! without touching it.
//!
//! What a program, a server or a person says is not looked behind: only a run can tell what it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::guard::Calls;
use crate::effect::Effect;
use crate::expr::{Expression, Reference};
use crate::id::Id;
use crate::plan::{Plan, Procedure, ProcedureIx, Step, StepIx, Verb, Verify, WaitFor};

/// Of each procedure of a plan, by its number.
pub(super) struct Deciders(Vec<Rc<Names>>);

/// The names of one procedure that decide.
#[derive(Debug, Default)]
pub(super) struct Names {
    inputs: BTreeSet<String>,
    /// A member of what a step gives, or all of it.
    steps: BTreeSet<(String, Option<String>)>,
}

impl Names {
    pub fn input(&self, name: &str) -> bool {
        self.inputs.contains(name)
    }

    /// Whether this member of what a step gives decides.
    pub fn member(&self, step: Option<&Id>, member: &str) -> bool {
        let read = |member| step.is_some_and(|id| self.steps.contains(&(id.as_str().to_owned(), member)));
        read(None) || read(Some(member.to_owned()))
    }
}

impl Deciders {
    pub fn of(plan: &Plan) -> Deciders {
        let mut search = Search { plan, calls: Calls::of(plan), known: HashMap::new(), behind: HashMap::new() };
        let all = (0..).zip(&plan.procedures).map(|(number, _)| search.of(ProcedureIx(number)));
        Deciders(all.collect())
    }

    pub fn called(&self, procedure: ProcedureIx) -> Rc<Names> {
        self.0.get(procedure.0 as usize).cloned().unwrap_or_default()
    }

    pub fn in_procedure(&self, plan: &Plan, procedure: &Procedure) -> Rc<Names> {
        let place = plan.procedures.iter().position(|other| std::ptr::eq(other, procedure));
        place.and_then(|place| self.0.get(place)).cloned().unwrap_or_default()
    }
}

struct Search<'p> {
    plan: &'p Plan,
    calls: Calls<'p>,
    known: HashMap<ProcedureIx, Rc<Names>>,
    /// The inputs behind an output of a procedure.
    behind: HashMap<(ProcedureIx, &'p str), Rc<BTreeSet<String>>>,
}

impl<'p> Search<'p> {
    fn of(&mut self, ix: ProcedureIx) -> Rc<Names> {
        if let Some(known) = self.known.get(&ix) {
            return known.clone();
        }
        let (plan, mut open) = (self.plan, Vec::new());
        let procedure = plan.procedure(ix);
        for block in [&procedure.body, &procedure.on_failure, &procedure.finally] {
            self.block(block, false, &mut open);
        }
        let names = Rc::new(self.names_behind(procedure, open));
        self.known.insert(ix, names.clone());
        names
    }

    /// Notes what the conditions in a block read; whether it holds back what stands behind it.
    fn block(&mut self, block: &'p [StepIx], undoes: bool, open: &mut Vec<Reference>) -> bool {
        let holding: Vec<bool> = block.iter().map(|ix| self.step(self.plan.step(*ix), undoes, open)).collect();
        holding.contains(&true)
    }

    fn step(&mut self, step: &'p Step, undoes: bool, open: &mut Vec<Reference>) -> bool {
        let mut holds = self.calls.holds_back(step);
        let mut inside = |block: &'p [StepIx]| holds |= self.block(block, undoes, open);
        match &step.verb {
            Verb::Group(body) | Verb::Repeat { body, .. } => inside(body),
            Verb::Each(each) => inside(&each.body),
            Verb::Choose(branches) => branches.iter().for_each(|branch| inside(&branch.body)),
            Verb::Parallel { branches, .. } => branches.iter().for_each(|(_, body)| inside(body)),
            Verb::Wait(wait) => {
                if let WaitFor::Until { probe: Some(probe), .. } = &wait.what {
                    inside(std::slice::from_ref(probe));
                }
            }
            _ => {}
        }
        self.block(&step.undo, true, open);
        if let Some(Verify::Step(look)) = &step.verify {
            self.block(std::slice::from_ref(look), undoes, open);
        }
        let (mut read, changes) = (Vec::new(), step.effect >= Effect::Change);
        if holds || changes || undoes {
            read.extend(&step.condition);
        }
        if let Some(Verify::Expression(verify)) = &step.verify {
            read.push(verify);
        }
        match &step.verb {
            Verb::Choose(branches) if holds || changes => read.extend(branches.iter().filter_map(|branch| branch.when.as_ref())),
            Verb::Each(each) if holds => read.push(&each.items),
            Verb::Check(assertions) => read.extend(assertions.iter().map(|assertion| &assertion.that)),
            Verb::Repeat { until, .. } => read.push(until),
            Verb::Wait(wait) => {
                if let WaitFor::Until { until, .. } = &wait.what {
                    read.push(until);
                }
            }
            Verb::Http(http) => read.extend(&http.expect),
            Verb::Call { procedure, with } => {
                let names = self.of(*procedure);
                read.extend(with.iter().filter(|(name, _)| names.input(name.as_str())).map(|(_, value)| value));
            }
            _ => {}
        }
        open.extend(read.into_iter().flat_map(Expression::reads));
        holds
    }

    /// Everything in a procedure that these references rest on.
    fn names_behind(&mut self, procedure: &'p Procedure, mut open: Vec<Reference>) -> Names {
        let steps = self.by_id(procedure);
        let mut names = Names::default();
        while let Some(reference) = open.pop() {
            let mut path = reference.path.into_iter();
            match (path.next().as_deref(), path.next(), path.next()) {
                (Some("inputs"), Some(name), _) => _ = names.inputs.insert(name),
                (Some("inputs"), None, _) => {
                    names.inputs.extend(procedure.inputs.iter().map(|input| input.name.as_str().to_owned()));
                }
                (Some("steps"), Some(id), member) => {
                    let Some(step) = steps.get(id.as_str()).copied() else { continue };
                    if names.steps.insert((id, member.clone())) {
                        self.behind_step(step, member.as_deref(), &mut open);
                    }
                }
                _ => {}
            }
        }
        names
    }

    fn by_id(&self, procedure: &Procedure) -> BTreeMap<&'p str, &'p Step> {
        let mut open: Vec<StepIx> =
            [&procedure.body, &procedure.on_failure, &procedure.finally].into_iter().flatten().copied().collect();
        let mut found = BTreeMap::new();
        while let Some(ix) = open.pop() {
            let step = self.plan.step(ix);
            found.extend(step.id.as_ref().map(|id| (id.as_str(), step)));
            open.extend(step.inner());
        }
        found
    }

    /// What a step rests on that is read, whether it is there included.
    fn behind_step(&mut self, step: &'p Step, member: Option<&str>, open: &mut Vec<Reference>) {
        let is_read = |name: &Id| member.is_none_or(|member| name.as_str() == member);
        let mut read: Vec<&Expression> = step.condition.iter().collect();
        let outputs = step.outputs.iter().filter(|(name, _)| is_read(name));
        read.extend(outputs.map(|(_, value)| value));
        match &step.verb {
            Verb::Set(values) => read.extend(values.iter().filter(|(name, _)| is_read(name)).map(|(_, value)| value)),
            Verb::Rhai(script) => open.extend(script.references()),
            Verb::Call { procedure, with } => {
                let outputs = &self.plan.procedure(*procedure).outputs;
                for (output, value) in outputs.iter().filter(|(name, _)| is_read(name)) {
                    let inputs = self.behind_output(*procedure, output, value);
                    read.extend(with.iter().filter(|(name, _)| inputs.contains(name.as_str())).map(|(_, value)| value));
                }
            }
            _ => {}
        }
        open.extend(read.into_iter().flat_map(Expression::reads));
    }

    fn behind_output(&mut self, ix: ProcedureIx, output: &'p Id, value: &'p Expression) -> Rc<BTreeSet<String>> {
        if let Some(known) = self.behind.get(&(ix, output.as_str())) {
            return known.clone();
        }
        let names = self.names_behind(self.plan.procedure(ix), value.reads());
        let inputs = Rc::new(names.inputs);
        self.behind.insert((ix, output.as_str()), inputs.clone());
        inputs
    }
}
