//! What decides whether something is held back, or a change is made: the inputs and the values of steps that such a condition reads,
//! itself or through others, and what those come from: whether such a step runs at all, the items that a loop goes through, the
//! outputs of a called procedure. Whoever changes one of these changes that condition without touching it.
//!
//! What a program, a server or a person says is not looked behind: only a run can tell what it is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::guard::Calls;
use crate::effect::Effect;
use crate::expr::{Expression, Reference};
use crate::plan::{Plan, Procedure, ProcedureIx, StepIx, Verb, Verify, WaitFor, inside};

/// Of each procedure of a plan, by its number.
pub(super) struct Deciders(Vec<Names>);

/// What decides in one procedure.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    inputs: BTreeSet<String>,
    /// Its outputs, where a caller reads them.
    outputs: BTreeSet<String>,
    /// Which step reads which; of an output of the procedure there is none.
    readers: BTreeSet<(StepIx, Option<StepIx>)>,
    /// What is read of them: a member, or all of it.
    read: BTreeSet<Member>,
    /// The same of what the verbs of steps give, beneath their `outputs`.
    values: BTreeSet<Member>,
    /// What else of a step decides, as a comparison calls it: `if`, `branches`, `items`, `script`.
    parts: BTreeSet<(StepIx, &'static str)>,
    /// Inputs of the procedure that a step calls.
    given: BTreeSet<(StepIx, String)>,
    /// Outputs of called procedures.
    called: BTreeSet<(ProcedureIx, String)>,
}

type Member = (StepIx, Option<String>);

impl Names {
    pub fn input(&self, name: &str) -> bool {
        self.inputs.contains(name)
    }

    pub fn output(&self, name: &str) -> bool {
        self.outputs.contains(name)
    }

    /// Who reads a step, if what it gives decides, or whether it ran.
    pub fn readers(&self, step: StepIx) -> impl Iterator<Item = Option<StepIx>> {
        self.readers.range((step, None)..).take_while(move |(read, _)| *read == step).map(|(_, by)| *by)
    }

    /// Whether one of a step's `outputs` decides.
    pub fn output_of(&self, step: StepIx, name: &str) -> bool {
        has(&self.read, step, name)
    }

    /// Whether a member of what its verb gives decides.
    pub fn value_of(&self, step: StepIx, name: &str) -> bool {
        has(&self.values, step, name)
    }

    pub fn part(&self, step: StepIx, what: &str) -> bool {
        self.parts.contains(&(step, what))
    }

    /// Whether an input that a call gives decides there, or what the call gives back of it does here.
    pub fn given(&self, step: StepIx, input: &str) -> bool {
        self.given.contains(&(step, input.to_owned()))
    }

    fn add(&mut self, other: &Names) {
        self.inputs.extend(other.inputs.iter().cloned());
        self.readers.extend(&other.readers);
        self.read.extend(other.read.iter().cloned());
        self.values.extend(other.values.iter().cloned());
        self.parts.extend(&other.parts);
        self.given.extend(other.given.iter().cloned());
    }
}

fn has(members: &BTreeSet<Member>, step: StepIx, name: &str) -> bool {
    members.contains(&(step, None)) || members.contains(&(step, Some(name.to_owned())))
}

impl Deciders {
    pub fn of(plan: &Plan) -> Deciders {
        let mut search = Search::of(plan);
        let mut all: Vec<Names> =
            (0..).zip(&plan.procedures).map(|(number, _)| (*search.own(ProcedureIx(number))).clone()).collect();
        // What a caller reads decides in the procedure that it is read of.
        let mut open: Vec<_> = all.iter().flat_map(|names| names.called.clone()).collect();
        let mut known = BTreeSet::new();
        while let Some((procedure, output)) = open.pop() {
            if !known.insert((procedure, output.clone())) {
                continue;
            }
            let behind = search.behind(procedure, &output);
            open.extend(behind.called.iter().cloned());
            if let Some(names) = all.get_mut(procedure.0 as usize) {
                names.add(&behind);
                names.outputs.insert(output);
            }
        }
        Deciders(all)
    }

    /// Of a procedure of that plan.
    pub fn in_procedure(&self, plan: &Plan, procedure: &Procedure) -> Option<&Names> {
        let place = plan.procedures.iter().position(|other| std::ptr::eq(other, procedure));
        place.and_then(|place| self.0.get(place))
    }
}

/// Where a step stands: what it stands in, and the list there.
type Home<'p> = (Option<StepIx>, &'p [StepIx]);

struct Search<'p> {
    plan: &'p Plan,
    calls: Calls<'p>,
    /// Of each step of the plan.
    homes: Vec<Home<'p>>,
    /// The steps of each procedure.
    ids: Vec<BTreeMap<&'p str, StepIx>>,
    own: HashMap<ProcedureIx, Rc<Names>>,
    /// What decides in a procedure because of one of its outputs.
    behind: HashMap<(ProcedureIx, String), Rc<Names>>,
}

/// What was found in one procedure, and what is still to be followed: each name with the step that reads it.
struct Trail {
    procedure: ProcedureIx,
    found: Names,
    open: Vec<Mention>,
}

/// A name, and the step that reads it.
struct Mention {
    by: Option<StepIx>,
    reference: Reference,
    /// Whether it only asks whether there is such a thing: `"lag" in steps`.
    asks: bool,
}

/// What an expression reads.
fn mentions(by: Option<StepIx>, expression: &Expression) -> impl Iterator<Item = Mention> + use<> {
    let asked = expression.asks();
    expression.reads().into_iter().map(move |reference| Mention { by, asks: asked.contains(&reference), reference })
}

impl Trail {
    fn new(procedure: ProcedureIx) -> Trail {
        Trail { procedure, found: Names::default(), open: Vec::new() }
    }

    fn read<'e>(&mut self, by: StepIx, expressions: impl IntoIterator<Item = &'e Expression>) {
        self.open.extend(expressions.into_iter().flat_map(|expression| mentions(Some(by), expression)));
    }

    /// A part of a step that decides, and what is written there.
    fn part<'e>(&mut self, of: StepIx, what: &'static str, expressions: impl IntoIterator<Item = &'e Expression>) {
        if self.found.parts.insert((of, what)) {
            self.read(of, expressions);
        }
    }
}

impl<'p> Search<'p> {
    fn of(plan: &'p Plan) -> Search<'p> {
        let mut homes: Vec<Home> = vec![(None, &[]); plan.steps.len()];
        let mut ids = Vec::new();
        for procedure in &plan.procedures {
            let mut open: Vec<Home> =
                [&procedure.body, &procedure.on_failure, &procedure.finally].map(|block| (None, block.as_slice())).to_vec();
            let mut found = BTreeMap::new();
            while let Some(home) = open.pop() {
                for ix in home.1 {
                    let step = plan.step(*ix);
                    homes[ix.0 as usize] = home;
                    found.extend(step.id.as_ref().map(|id| (id.as_str(), *ix)));
                    open.extend(inside(step).into_iter().chain([step.undo.as_slice()]).map(|list| (Some(*ix), list)));
                    if let Some(Verify::Step(look)) = &step.verify {
                        open.push((Some(*ix), std::slice::from_ref(look)));
                    }
                }
            }
            ids.push(found);
        }
        Search { plan, calls: Calls::of(plan), homes, ids, own: HashMap::new(), behind: HashMap::new() }
    }

    /// What the conditions of a procedure itself rest on.
    fn own(&mut self, ix: ProcedureIx) -> Rc<Names> {
        if let Some(known) = self.own.get(&ix) {
            return known.clone();
        }
        let (plan, mut trail) = (self.plan, Trail::new(ix));
        let procedure = plan.procedure(ix);
        for block in [&procedure.body, &procedure.on_failure, &procedure.finally] {
            self.block(block, false, &mut trail);
        }
        let names = Rc::new(self.followed(trail));
        self.own.insert(ix, names.clone());
        names
    }

    /// What an output of a procedure rests on.
    fn behind(&mut self, ix: ProcedureIx, output: &str) -> Rc<Names> {
        let key = (ix, output.to_owned());
        if let Some(known) = self.behind.get(&key) {
            return known.clone();
        }
        let mut trail = Trail::new(ix);
        let values = self.plan.procedure(ix).outputs.iter().filter(|(name, _)| name.as_str() == output);
        trail.open.extend(values.flat_map(|(_, value)| mentions(None, value)));
        let names = Rc::new(self.followed(trail));
        self.behind.insert(key, names.clone());
        names
    }

    /// Notes what the conditions in a block read; whether it holds back what stands behind it.
    fn block(&mut self, block: &'p [StepIx], undoes: bool, trail: &mut Trail) -> bool {
        let holding: Vec<bool> = block.iter().map(|ix| self.step(*ix, undoes, trail)).collect();
        holding.contains(&true)
    }

    fn step(&mut self, ix: StepIx, undoes: bool, trail: &mut Trail) -> bool {
        let step = self.plan.step(ix);
        let mut holds = self.calls.holds_back(step);
        for list in inside(step) {
            holds |= self.block(list, undoes, trail);
        }
        self.block(&step.undo, true, trail);
        if let Some(Verify::Step(look)) = &step.verify {
            self.block(std::slice::from_ref(look), undoes, trail);
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
            Verb::Listen(listen) => read.extend(&listen.when),
            Verb::Http(http) => read.extend(&http.expect),
            Verb::Call { procedure, .. } => {
                let inputs = self.own(*procedure);
                self.gives(ix, &inputs.inputs, trail);
            }
            _ => {}
        }
        trail.read(ix, read);
        holds
    }

    /// Everything that the names of a trail rest on.
    fn followed(&mut self, mut trail: Trail) -> Names {
        let plan = self.plan;
        while let Some(Mention { by, reference, asks }) = trail.open.pop() {
            let mut path = reference.path.into_iter();
            match (path.next().as_deref(), path.next(), path.next()) {
                (Some("inputs"), Some(name), _) => _ = trail.found.inputs.insert(name),
                (Some("inputs"), None, _) => {
                    let inputs = &plan.procedure(trail.procedure).inputs;
                    trail.found.inputs.extend(inputs.iter().map(|input| input.name.as_str().to_owned()));
                }
                (Some("steps"), id, member) => {
                    let Some(ids) = self.ids.get(trail.procedure.0 as usize) else { continue };
                    let steps: Vec<StepIx> = match id {
                        Some(id) => ids.get(id.as_str()).copied().into_iter().collect(),
                        None => ids.values().copied().collect(),
                    };
                    for ix in steps {
                        if asks {
                            self.step_is_asked_for(ix, by, &mut trail);
                        } else {
                            self.step_is_read(ix, member.clone(), by, &mut trail);
                        }
                    }
                }
                (Some("result"), member, _) => {
                    if let Some(by) = by {
                        self.value_is_read(by, member, &mut trail);
                    }
                }
                (Some(name), ..) => {
                    let each = |ix: &StepIx| matches!(&plan.step(*ix).verb, Verb::Each(each) if name == "index" || each.r#as.as_str() == name);
                    let around = std::iter::successors(by.and_then(|by| self.owner(by)), |ix| self.owner(*ix)).find(each);
                    if let Some(around) = around {
                        self.items(around, &mut trail);
                    }
                }
                (None, ..) => {}
            }
        }
        trail.found
    }

    fn home(&self, ix: StepIx) -> Home<'p> {
        self.homes.get(ix.0 as usize).copied().unwrap_or_default()
    }

    fn owner(&self, ix: StepIx) -> Option<StepIx> {
        self.home(ix).0
    }

    fn items(&self, ix: StepIx, trail: &mut Trail) {
        if let Verb::Each(each) = &self.plan.step(ix).verb {
            trail.part(ix, "items", [&each.items]);
        }
    }

    /// Whether it ran, and nothing of what it gives.
    fn step_is_asked_for(&self, ix: StepIx, by: Option<StepIx>, trail: &mut Trail) {
        if trail.found.readers.insert((ix, by)) {
            self.run_of(ix, by, trail);
        }
    }

    /// What a step rests on that is read, whether it ran included.
    fn step_is_read(&mut self, ix: StepIx, member: Option<String>, by: Option<StepIx>, trail: &mut Trail) {
        self.step_is_asked_for(ix, by, trail);
        if !trail.found.read.insert((ix, member.clone())) {
            return;
        }
        let outputs = self.plan.step(ix).outputs.iter();
        let mut read = outputs.filter(|(name, _)| member.as_deref().is_none_or(|member| name.as_str() == member)).peekable();
        // They lie over what the verb gives.
        let is_covered = member.is_some() && read.peek().is_some();
        trail.read(ix, read.map(|(_, value)| value));
        if !is_covered {
            self.value_is_read(ix, member, trail);
        }
    }

    /// What decides whether a step has run where its reader does: nothing that stands around both. What an `each` gives is read as a
    /// whole, or in the same item.
    fn run_of(&self, ix: StepIx, by: Option<StepIx>, trail: &mut Trail) {
        let around_reader: Vec<StepIx> = std::iter::successors(by, |by| self.owner(*by)).collect();
        let mut at = ix;
        loop {
            trail.part(at, "if", &self.plan.step(at).condition);
            let (owner, list) = self.home(at);
            for jumper in self.jumpers(list, at, &around_reader) {
                trail.part(jumper, "if", &self.plan.step(jumper).condition);
            }
            let Some(owner) = owner.filter(|owner| !around_reader.contains(owner)) else { return };
            match &self.plan.step(owner).verb {
                Verb::Each(_) => return,
                Verb::Choose(branches) => {
                    trail.part(owner, "branches", branches.iter().filter_map(|branch| branch.when.as_ref()));
                }
                _ => {}
            }
            at = owner;
        }
    }

    /// The steps of a list from which a run can go on behind one of them without it, and come by a reader.
    fn jumpers(&self, list: &'p [StepIx], over: StepIx, around_reader: &[StepIx]) -> Vec<StepIx> {
        let place = |step: StepIx| list.iter().position(|other| *other == step);
        let Some(at) = place(over) else { return Vec::new() };
        let reader = around_reader.iter().find_map(|step| place(*step)).unwrap_or(list.len());
        let lands = |to: StepIx| place(to).is_some_and(|to| to > at && to <= reader);
        list.iter().take(at).copied().filter(|before| self.plan.step(*before).jumps().any(lands)).collect()
    }

    /// What a member of that rests on which the verb of a step gives.
    fn value_is_read(&mut self, ix: StepIx, member: Option<String>, trail: &mut Trail) {
        if !trail.found.values.insert((ix, member.clone())) {
            return;
        }
        let is_read = |name: &str| member.as_deref().is_none_or(|member| name == member);
        match &self.plan.step(ix).verb {
            Verb::Set(values) => trail.read(ix, values.iter().filter(|(name, _)| is_read(name.as_str())).map(|(_, value)| value)),
            Verb::Rhai(script) => {
                trail.found.parts.insert((ix, "script"));
                trail.open.extend(script.references().into_iter().map(|reference| Mention {
                    by: Some(ix),
                    reference,
                    asks: false,
                }));
            }
            Verb::Each(each) => {
                self.items(ix, trail);
                let mut open: Vec<&[StepIx]> = vec![&each.body];
                while let Some(list) = open.pop() {
                    for inner in list {
                        open.extend(inside(self.plan.step(*inner)));
                        self.step_is_read(*inner, None, Some(ix), trail);
                    }
                }
            }
            Verb::Call { procedure, .. } => {
                let outputs = &self.plan.procedure(*procedure).outputs;
                for (output, _) in outputs.iter().filter(|(name, _)| is_read(name.as_str())) {
                    trail.found.called.insert((*procedure, output.as_str().to_owned()));
                    let behind = self.behind(*procedure, output.as_str());
                    self.gives(ix, &behind.inputs, trail);
                }
            }
            _ => {}
        }
    }

    /// Inputs of a called procedure that decide, and what the call gives for them.
    fn gives(&self, ix: StepIx, inputs: &BTreeSet<String>, trail: &mut Trail) {
        let Verb::Call { with, .. } = &self.plan.step(ix).verb else { return };
        trail.found.given.extend(inputs.iter().map(|input| (ix, input.clone())));
        trail.read(ix, with.iter().filter(|(name, _)| inputs.contains(name.as_str())).map(|(_, value)| value));
    }
}
