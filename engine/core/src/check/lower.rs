//! The plan under construction: its arena of steps, its procedures, and the calls between them. Each procedure is placed
//! once, whoever calls it, and the steps of one block have neighbouring indexes in the order in which they run.

use std::collections::{BTreeMap, HashMap};

use super::call::{Reference, Requirement};
use super::parsed::Parsed;
use super::procedure::Checked;
use super::survey::Survey;
use super::types::Members;
use super::{Catalogue, CheckOptions, Judgement};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, nearest};
use crate::document::procedure::Version;
use crate::document::{Procedure, Scalar};
use crate::effect::Effect;
use crate::id::Digest;
use crate::limits;
use crate::plan::must::PolicyMust;
use crate::plan::sound::Unsound;
use crate::plan::{self, Plan, PlanFile, ProcedureIx, StepIx};
use crate::policy::PolicyContext;
use crate::trigger::Trigger;

pub(super) struct Build<'c> {
    pub catalogue: &'c Catalogue<'c>,
    pub options: &'c CheckOptions,
    pub diagnostics: Diagnostics,
    pub policy: PolicyContext,
    /// Of the procedure that the plan is of: what it calls is under its rules too.
    pub labels: BTreeMap<String, String>,
    /// What is noted for an editor, where one asks.
    pub survey: Option<Survey>,
    pub parsed: &'c mut Parsed,
    /// Those of the procedure that the plan is of.
    triggers: Vec<Trigger>,
    files: Vec<PlanFile>,
    /// `None` while a procedure is being checked, and for good where it has errors.
    procedures: Vec<Option<plan::Procedure>>,
    steps: Vec<Option<plan::Step>>,
    placed: HashMap<(&'c str, Version), ProcedureIx>,
    effects: Vec<Effect>,
    outputs: Vec<Members>,
    /// How many calls follow one another at most below each procedure.
    heights: Vec<usize>,
    /// The procedures between the first and the one at hand.
    calling: Vec<&'c Procedure>,
    full: bool,
    /// What steps may still have from around them.
    room: Option<usize>,
}

impl<'c> Build<'c> {
    pub fn new(
        catalogue: &'c Catalogue<'c>,
        options: &'c CheckOptions,
        policy: PolicyContext,
        parsed: &'c mut Parsed,
    ) -> Build<'c> {
        parsed.begin();
        Build {
            catalogue,
            options,
            diagnostics: Diagnostics::default(),
            policy,
            labels: BTreeMap::new(),
            survey: None,
            parsed,
            triggers: Vec::new(),
            files: Vec::new(),
            procedures: Vec::new(),
            steps: Vec::new(),
            placed: HashMap::new(),
            effects: Vec::new(),
            outputs: Vec::new(),
            heights: Vec::new(),
            calling: Vec::new(),
            full: false,
            room: Some(limits::PLAN_SETTINGS_BYTES),
        }
    }

    /// Checks a procedure for what is noted on the way.
    pub fn survey(mut self, procedure: &'c Procedure, survey: Survey) -> Survey {
        self.survey = Some(survey);
        self.place(procedure);
        self.survey.unwrap_or_default()
    }

    pub fn finish(mut self, procedure: &'c Procedure) -> Judgement {
        self.labels = procedure.labels.iter().map(|(key, value)| (key.value.clone(), value.value.clone())).collect();
        self.place(procedure);
        let Build { catalogue, diagnostics: mut found, policy, triggers, files, procedures, steps, .. } = self;
        let names = files.iter().map(|file| file.name.clone()).collect();
        let procedures: Option<Vec<plan::Procedure>> = procedures.into_iter().collect();
        let steps: Option<Vec<plan::Step>> = steps.into_iter().collect();
        let plan = procedures.zip(steps).filter(|_| !found.has_errors());
        let plan = plan.map(|(procedures, steps)| Plan {
            semantics: plan::SEMANTICS,
            files,
            procedures,
            steps,
            policy,
            policy_must: Vec::new(),
            numbers: Default::default(),
        });
        let plan = plan.map(|plan| Plan { policy_must: demanded(catalogue, &plan), ..plan });
        let plan = plan.filter(|plan| match plan.prove() {
            Ok(()) => true,
            Err(unsound) => {
                fault_of(&unsound, plan, procedure).into_iter().for_each(|fault| found.push(fault));
                false
            }
        });
        let triggers = if plan.is_some() { triggers } else { Vec::new() };
        Judgement { plan, found, triggers, files: names }
    }

    /// Checks a procedure, unless it has been, and says where in the plan it stands.
    fn place(&mut self, procedure: &'c Procedure) -> ProcedureIx {
        if let Some(ix) = self.placed.get(&key(procedure)) {
            return *ix;
        }
        let ix = ProcedureIx(index(self.procedures.len()));
        self.placed.insert(key(procedure), ix);
        self.procedures.push(None);
        self.effects.push(Effect::None);
        self.outputs.push(Members::new());
        self.heights.push(0);
        self.calling.push(procedure);
        let file = self.file(&procedure.source);
        if let Some(twin) = self.catalogue.twin_of(procedure) {
            self.diagnostics.push(twins(procedure, twin));
        }
        let (lowered, effect, outputs) = Checked::new(self, procedure, file).lower();
        self.calling.pop();
        if let Some(slot) = self.procedures.get_mut(ix.0 as usize) {
            *slot = lowered;
        }
        if let Some(slot) = self.effects.get_mut(ix.0 as usize) {
            *slot = effect;
        }
        if let Some(slot) = self.outputs.get_mut(ix.0 as usize) {
            *slot = outputs;
        }
        ix
    }

    fn file(&mut self, source: &Source) -> u32 {
        let known = self.files.iter().position(|file| file.name == *source.name);
        index(known.unwrap_or_else(|| {
            self.files.push(PlanFile { name: source.name.to_string(), digest: Digest::of_bytes(source.text.as_bytes()) });
            self.files.len() - 1
        }))
    }

    /// What events start is the procedure itself; one that it calls is a part of it.
    pub fn started_by(&mut self, triggers: Vec<Trigger>) {
        if self.calling.len() == 1 {
            self.triggers = triggers;
        }
    }

    /// Makes room for the variables, the folder and the approvals of one step. False where all steps together would have more than a plan may.
    pub fn take(&mut self, bytes: usize, source: &Source, at: Span) -> bool {
        let Some(room) = self.room else { return false };
        self.room = room.checked_sub(bytes);
        if self.room.is_none() {
            let message = format!(
                "the steps of the plan have more than {} bytes of variables, folders and approvals",
                limits::PLAN_SETTINGS_BYTES
            );
            let fault = Diagnostic::new(Code::RB0219, source, at, message)
                .reason("each step has all of `defaults`, of the steps around it and of the workspace's policies")
                .help("give variables to the steps that read them, and ask one group in place of many rules");
            self.diagnostics.push(fault);
        }
        self.room.is_some()
    }

    pub fn is_full(&self) -> bool {
        self.room.is_none()
    }

    /// Makes room for the steps of a procedure. `None` where the plan would be larger than a plan may be.
    pub fn reserve(&mut self, count: usize, at: &Procedure) -> Option<u32> {
        let first = self.steps.len();
        if first + count > limits::PLAN_STEPS {
            if !self.full {
                self.full = true;
                self.diagnostics.push(
                    Diagnostic::new(
                        Code::RB0219,
                        &at.source,
                        at.name.span,
                        format!("the plan has more than {} steps", limits::PLAN_STEPS),
                    )
                    .help("split the work into procedures that are started on their own"),
                );
            }
            return None;
        }
        self.steps.resize_with(first + count, || None);
        Some(index(first))
    }

    pub fn set(&mut self, ix: StepIx, step: plan::Step) {
        if let Some(slot) = self.steps.get_mut(ix.0 as usize) {
            *slot = Some(step);
        }
    }

    pub fn effect_of(&self, ix: ProcedureIx) -> Effect {
        self.effects.get(ix.0 as usize).copied().unwrap_or_default()
    }

    /// The types of what a caller of the procedure gets.
    pub fn outputs_of(&self, ix: ProcedureIx) -> Members {
        self.outputs.get(ix.0 as usize).cloned().unwrap_or_default()
    }

    /// The procedure that a `call` names, checked and placed, with its index.
    pub fn call(&mut self, source: &Source, call: &Scalar) -> Option<(ProcedureIx, &'c Procedure)> {
        let fault = |code, message: String| Diagnostic::new(code, source, call.span, message);
        let reference: Reference = match call.value.parse() {
            Ok(reference) => reference,
            Err(why) => {
                self.diagnostics.push(
                    fault(Code::RB0303, format!("`{}` names no procedure and version", call.value.escape_debug()))
                        .reason(why)
                        .help("write the name and the range of versions, such as `call: pg-rebuild-replica@^2`"),
                );
                return None;
            }
        };
        let name = reference.name.as_str();
        let Some(newest) = self.catalogue.newest(name) else {
            let mut fault = fault(Code::RB0301, format!("there is no procedure `{name}`"));
            fault = match nearest(name, self.catalogue.names()) {
                Some(near) => {
                    let rest = call.value.strip_prefix(name).unwrap_or_default();
                    fault.help(format!("did you mean `{near}`?")).replace(call.span, format!("{near}{rest}"))
                }
                None => fault.help("add its file to the catalogue, or correct the name"),
            };
            self.diagnostics.push(fault);
            return None;
        };
        let Some(requirement) = reference.requirement else {
            let pinned = format!("{name}@{}", Requirement::of(newest.version.value));
            self.diagnostics.push(
                fault(Code::RB0303, format!("the call of `{name}` is not pinned to a version"))
                    .reason("a later version of it could do something else")
                    .help(format!("write `{pinned}`"))
                    .replace(call.span, pinned),
            );
            return None;
        };
        let Some(called) = self.catalogue.versions(name).rev().find(|p| requirement.allows(p.version.value)) else {
            let versions: Vec<String> = self.catalogue.versions(name).map(|p| p.version.value.to_string()).collect();
            let range = Requirement::of(newest.version.value);
            self.diagnostics.push(
                fault(Code::RB0302, format!("no version of `{name}` meets `{}`", call.value))
                    .reason(format!("the catalogue has {}", versions.join(", ")))
                    .help(format!("write `{name}@{range}`, or add the version to the catalogue")),
            );
            return None;
        };
        let again = |p: &&Procedure| p.name.value == called.name.value && p.version.value == called.version.value;
        if let Some(start) = self.calling.iter().position(again) {
            let mut names: Vec<&str> = self.calling.iter().skip(start).map(|p| p.name.value.as_str()).collect();
            names.push(name);
            self.diagnostics.push(
                fault(Code::RB0304, format!("`{name}` ends up calling itself"))
                    .reason(names.join(" → "))
                    .help("every run has to end: repeat steps with `repeat` or `each`"),
            );
            return None;
        }
        // What was checked under another caller may be deep itself.
        if self.calling.len() + self.height_of(called) >= limits::CALL_DEPTH {
            self.diagnostics.push(
                fault(Code::RB0305, format!("procedures call one another more than {} deep", limits::CALL_DEPTH))
                    .help("call the inner procedures from one that is nearer to the first"),
            );
            return None;
        }
        let ix = self.place(called);
        let height = 1 + self.height_of(called);
        let caller = self.calling.last().and_then(|caller| self.placed.get(&key(caller)));
        if let Some(slot) = caller.and_then(|caller| self.heights.get_mut(caller.0 as usize)) {
            *slot = height.max(*slot);
        }
        Some((ix, called))
    }

    fn height_of(&self, procedure: &'c Procedure) -> usize {
        self.placed.get(&key(procedure)).and_then(|ix| self.heights.get(ix.0 as usize)).copied().unwrap_or_default()
    }
}

/// What the workspace's policies demand of the paths of this plan.
fn demanded(catalogue: &Catalogue, plan: &Plan) -> Vec<PolicyMust> {
    let demands = catalogue.workspace().map(|workspace| workspace.demands.as_slice()).unwrap_or_default();
    let environment = plan.policy.environment.as_ref().map(|environment| environment.name.as_str());
    let (labels, highest) = (&plan.main().labels, plan.highest_effect());
    let applies = demands.iter().filter(|demand| demand.of.applies(environment, labels, highest));
    applies.map(|demand| PolicyMust { policy: demand.of.name.clone(), must: demand.must.clone() }).collect()
}

/// Why nobody could read this plan again; nothing where reading a file has said it.
fn fault_of(unsound: &Unsound, plan: &Plan, procedure: &Procedure) -> Option<Diagnostic> {
    let message = match unsound {
        // Stands where a step could not be read.
        Unsound::EmptyList(_) => return None,
        Unsound::Path(ix) => {
            let (step, most) = (plan.step(*ix), limits::PATH_BYTES);
            format!("the path of step `{}` ({}) is longer than {most} bytes", step.label, plan.locate(&step.at))
        }
        other => other.to_string(),
    };
    let fault = Diagnostic::new(Code::RB0219, &procedure.source, procedure.name.span, message)
        .reason("the ids of all steps around it, through all calls, are part of it")
        .help("nest and call less deep, or give the steps around it shorter ids");
    Some(fault)
}

/// Two files with one name and version: a call, a person or an approval could mean either.
fn twins(procedure: &Procedure, twin: &Procedure) -> Diagnostic {
    let (name, version) = (&procedure.name.value, procedure.version.value);
    let message = format!("`{name}` {version} stands in {} too", twin.source.name);
    let fault = Diagnostic::new(Code::RB0002, &procedure.source, procedure.name.span, message);
    fault.help("give one of them another name or version, or remove it")
}

fn key(procedure: &Procedure) -> (&str, Version) {
    (procedure.name.value.as_str(), procedure.version.value)
}

pub(super) fn index(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
