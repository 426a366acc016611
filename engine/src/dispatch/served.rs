//! What of a catalogue events can start: its triggers, and a plan for each environment in which one of them may run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_core::check::{CheckOptions, awaited_by};
use runbook_core::diagnostic::Diagnostic;
use runbook_core::trigger::Trigger;
use runbook_core::{Digest, Plan, ProcedureName};

use crate::catalogue::Catalogue;

/// A catalogue at one moment. Runs that it starts keep their plan, whatever becomes of the files.
#[derive(Clone, Debug)]
pub struct Served {
    triggers: Vec<Trigger>,
    /// Sources for whose events a step of any procedure waits.
    awaited: BTreeSet<String>,
    plans: BTreeMap<(ProcedureName, Option<String>), Arc<Plan>>,
    root: PathBuf,
    digest: Digest,
}

impl Served {
    /// The faults are those that keep a playbook from being started.
    pub fn of(catalogue: &Catalogue) -> (Served, Vec<Diagnostic>) {
        let (triggers, mut errors) = catalogue.triggers(&CheckOptions::default());
        let mut plans = BTreeMap::new();
        let names: Vec<String> =
            catalogue.workspace().into_iter().flat_map(|workspace| workspace.environments.iter().map(|e| e.name.clone())).collect();
        for trigger in &triggers {
            let environments: Vec<Option<String>> = match &trigger.environment {
                None => vec![None],
                Some(text) if text.references().is_empty() => vec![Some(text.source.clone())],
                Some(_) => names.iter().cloned().map(Some).collect(),
            };
            for environment in environments {
                let key = (trigger.name.procedure.clone(), environment.clone());
                if plans.contains_key(&key) {
                    continue;
                }
                let Some(procedure) = catalogue.procedure(trigger.name.procedure.as_str()) else { continue };
                let named = environment.or_else(|| default_environment(catalogue));
                match catalogue.plan(procedure, &CheckOptions { environment: named, today: None }) {
                    (Some(plan), _) => drop(plans.insert(key, Arc::new(plan))),
                    (None, found) => errors.extend(found.into_iter().filter(|fault| !errors.contains(fault)).collect::<Vec<_>>()),
                }
            }
        }
        let root = catalogue.root();
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        let awaited = catalogue.procedures().flat_map(awaited_by).map(str::to_owned).collect();
        (Served { triggers, awaited, plans, root, digest: catalogue.digest() }, errors)
    }

    pub fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        self.triggers.iter()
    }

    /// Whether events of a source may start a run, or end a wait.
    pub fn wants(&self, source: &str) -> bool {
        self.awaited.contains(source) || self.triggers.iter().any(|trigger| trigger.source == source)
    }

    /// Where steps run.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Of all files of the catalogue.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(super) fn plan(&self, trigger: &Trigger, environment: Option<&str>) -> Result<Arc<Plan>, String> {
        let procedure = &trigger.name.procedure;
        let plan = self.plans.get(&(procedure.clone(), environment.map(str::to_owned)));
        plan.cloned().ok_or_else(|| match environment {
            Some(environment) => {
                format!("`{procedure}` is not valid in `{environment}`; `runbook check {procedure} --env {environment}` says why")
            }
            None => format!("`{procedure}` is not valid; `runbook check {procedure}` says why"),
        })
    }
}

/// What a run is in where its trigger does not say.
fn default_environment(catalogue: &Catalogue) -> Option<String> {
    catalogue.workspace()?.environment(None).ok().flatten().map(|environment| environment.name.clone())
}
