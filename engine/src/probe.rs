//! The world of a dry run that looks: steps of effect `read`, and what computes only, are really performed, once, and nothing above
//! them is. What they give is kept nowhere but in what the dry run says.
//!
//! A step is looked at only where a real run would surely come to it and find what there is now: not behind a condition that is not known,
//! and not after a step that changes something, which has changed nothing here.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use runbook_core::effect::Effect;
use runbook_core::explore::{Later, Sight, Told, World};
use runbook_core::plan::Verb;
use runbook_core::run::event::AttemptEnd;
use runbook_core::value::{Map, Value};
use runbook_core::{Digest, Plan, Run, RunId, StepPath};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::action::{self, Job, NetworkPolicy, Output};
use crate::driver::local::{PlanSecrets, leakable};
use crate::hold::Hold;
use crate::secret::SecretStore;

/// See the module.
pub struct Probe {
    runtime: Runtime,
    /// Under which the world outside knows what is done; no run has it.
    id: RunId,
    plan: Arc<Plan>,
    root: PathBuf,
    secrets: Arc<SecretStore>,
    stop: CancellationToken,
    /// What was seen: a further attempt would see no more.
    seen: BTreeMap<(StepPath, Option<Digest>), AttemptEnd>,
    /// The loops whose first look did not end them. What the last one finds nobody knows.
    unsettled: BTreeSet<StepPath>,
}

impl Probe {
    /// `stop` ends what is under way, and lets nothing further begin.
    pub fn new(
        runtime: Runtime,
        id: RunId,
        plan: Arc<Plan>,
        root: PathBuf,
        secrets: Arc<SecretStore>,
        stop: CancellationToken,
    ) -> Probe {
        let store = secrets.clone();
        // What lies open is hidden from the start, whoever prints it.
        leakable(&plan).iter().for_each(|source| drop(store.get(source)));
        Probe { runtime, id, plan, root, secrets, stop, seen: BTreeMap::new(), unsettled: BTreeSet::new() }
    }

    /// Predicts with what is found, and once more without what was found inside a loop that it did not end.
    pub fn predict<T>(&mut self, predict: impl Fn(&mut Probe) -> T) -> T {
        loop {
            let known = self.unsettled.len();
            let predicted = predict(self);
            if self.unsettled.len() == known {
                return predicted;
            }
        }
    }

    fn perform(&self, run: &Run, path: &StepPath) -> Option<AttemptEnd> {
        let work = run.find_step(path)?.work()?.clone();
        let job = Job {
            id: format!("{}/{path}/1", self.id),
            work: (*work).clone(),
            before: Value::Null,
            secrets: Arc::new(PlanSecrets { plan: self.plan.clone(), store: self.secrets.clone() }),
            output: Box::new(Unkept),
            stop: self.stop.clone(),
            hold: Hold::default(),
            root: self.root.clone(),
            programs: Arc::default(),
            facts: Map::new(),
            channels: Arc::default(),
            network: NetworkPolicy::Open,
        };
        Some(self.runtime.block_on(action::perform(job)))
    }
}

impl World for Probe {
    fn attempt(&mut self, run: &Run, path: &StepPath, sight: Sight) -> Told {
        let because = |note: String| Told { end: None, note: Some(note), ..Told::default() };
        let Some(view) = run.find_step(path) else { return Told::default() };
        if view.step().effect > Effect::Read || matches!(view.step().verb, Verb::Notify { .. } | Verb::Listen(_)) {
            return Told::default();
        }
        if self.unsettled.iter().any(|around| is_inside(path, around)) {
            return because(
                "looked at once, and what it gave did not end the loop around it: what the last look gives is not known".to_owned(),
            );
        }
        let key = (path.clone(), view.work().and_then(|work| Digest::of_json(&**work).ok()));
        let end = match (self.seen.get(&key), sight) {
            (Some(end), _) => end.clone(),
            (None, Sight::Doubtful) => return because("not looked at: nobody knows whether a run comes to it".to_owned()),
            (None, Sight::Open) => return because("not looked at: something that it is given is not known".to_owned()),
            (None, Sight::Changed(by)) => return because(format!("not looked at: `{by}` changes something before or beside it")),
            (None, Sight::Clear) => {
                let Some(end) = self.perform(run, path) else { return Told::default() };
                self.seen.entry(key).or_insert(end).clone()
            }
        };
        let tried_again = view.step().retry.as_ref().is_some_and(|retry| retry.attempts > 1);
        match &end {
            AttemptEnd::Failed { failure, .. } | AttemptEnd::TimedOut { failure, .. } if tried_again => because(format!(
                "looked at once, it failed: {}; a run tries it again, and may find something else",
                failure.message
            )),
            _ => Told { end: Some(end), note: Some("what it gives was looked up for this dry run".to_owned()), ..Told::default() },
        }
    }

    fn later(&mut self, _: &Run, path: &StepPath) -> Later {
        if self.seen.keys().any(|(of, _)| is_inside(of, path)) {
            self.unsettled.insert(path.clone());
        }
        Later::Same
    }
}

/// Whether a step stands in a round of a loop.
fn is_inside(path: &StepPath, around: &StepPath) -> bool {
    path.as_str().strip_prefix(around.as_str()).is_some_and(|rest| rest.starts_with('['))
}

struct Unkept;

impl Output for Unkept {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}
