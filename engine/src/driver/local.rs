//! The performer of real runs: actions on this machine, their output in the logs of the state folder, secrets from where the
//! plan says.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use runbook_core::Run;
use runbook_core::plan::{Plan, ProcedureIx, SecretSource};
use runbook_core::run::event::AttemptEnd;
use runbook_core::run::task::SecretName;
use runbook_core::value::{Map, Value};
use secrecy::{ExposeSecret, SecretString};

use super::perform::{Assignment, Performer};
use crate::action::{self, Job, Mask, NetworkPolicy, Output, Programs, Secrets};
use crate::log::{LogSeal, LogWriter, Logs};
use crate::process;
use crate::secret::{Masker, SecretStore};

/// Performs attempts on this machine.
pub struct LocalPerformer {
    /// The catalogue's root: where children run.
    root: PathBuf,
    logs: Logs,
    secrets: Arc<SecretStore>,
    programs: Arc<Programs>,
}

impl LocalPerformer {
    pub fn new(root: PathBuf, logs: Logs, secrets: Arc<SecretStore>) -> LocalPerformer {
        LocalPerformer { root, logs, secrets, programs: Arc::default() }
    }
}

impl Performer for LocalPerformer {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        let Assignment { run, path, attempt, .. } = &assignment;
        let log = Arc::new(Mutex::new(Some(self.logs.writer(run, path, *attempt))));
        let job = Job {
            id: assignment.id(),
            work: (*assignment.work).clone(),
            before: assignment.before.clone(),
            secrets: Arc::new(PlanSecrets { plan: assignment.plan.clone(), store: self.secrets.clone() }),
            output: Box::new(LogOutput(log.clone())),
            stop: assignment.stop.clone(),
            hold: assignment.hold.clone(),
            root: self.root.clone(),
            programs: self.programs.clone(),
            facts: facts(&assignment),
            channels: Arc::new(assignment.plan.policy.channels.clone()),
            network: if assignment.by_event {
                NetworkPolicy::Public { allow: assignment.plan.policy.http_allow.clone() }
            } else {
                NetworkPolicy::Open
            },
        };
        Box::pin(async move {
            let end = action::perform(job).await;
            let writer = log.lock().unwrap_or_else(PoisonError::into_inner).take();
            let seal = match writer {
                Some(writer) if writer.is_long() => tokio::task::spawn_blocking(|| writer.seal()).await.ok(),
                writer => writer.map(LogWriter::seal),
            };
            match seal {
                Some(seal) => sealed(end, &seal),
                None => end,
            }
        })
    }

    /// Fetches what can leak before a step of this process asks for it: secrets that lie in files and variables, and those that
    /// earlier processes gave to steps of the run. One that cannot be had is missed by the step that needs it, not here.
    fn prepare(&self, run: &Run) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let plan = run.plan();
        let mut sources = leakable(plan);
        for work in run.steps().filter(|step| step.attempt() > 0).filter_map(|step| step.work().cloned()) {
            for name in work.secrets() {
                let procedure = plan.procedures.get(name.procedure as usize);
                sources.extend(procedure.and_then(|procedure| procedure.secrets.get(&name.name)).cloned());
            }
        }
        let store = self.secrets.clone();
        Box::pin(async move {
            if !sources.is_empty() {
                let fetched = tokio::task::spawn_blocking(move || sources.iter().for_each(|source| drop(store.get(source))));
                let _ = fetched.await;
            }
        })
    }

    fn left_running(&self, attempt: &str) -> Vec<String> {
        process::named(&process::survivors(attempt))
    }
}

/// Secrets that lie in files and variables, where the steps of a plan can read them without asking.
pub(crate) fn leakable(plan: &Plan) -> Vec<SecretSource> {
    let mut sources: Vec<SecretSource> = plan.procedures.iter().flat_map(|p| p.secrets.values()).cloned().collect();
    sources.extend(plan.policy.channels.values().flat_map(|channel| channel.secrets.values()).cloned());
    sources.retain(|source| !matches!(source, SecretSource::Command(_)));
    sources
}

/// `run` as the texts of channels see it.
fn facts(assignment: &Assignment) -> Map {
    let plan = &assignment.plan;
    let mut facts = Map::from([
        ("id".to_owned(), Value::text(assignment.run.as_str())),
        ("requested_by".to_owned(), Value::text(assignment.requested_by.as_str())),
    ]);
    let environment = plan.policy.environment.as_ref().map_or(Value::Null, |environment| Value::text(environment.name.as_str()));
    facts.insert("environment".to_owned(), environment);
    let place = assignment.path.as_str().strip_prefix("~escalation/");
    let page = place.map(|decision| format!("/decisions/{decision}")).unwrap_or_default();
    let url = plan.policy.url.as_ref();
    let url = url.map_or(Value::Null, |url| Value::text(format!("{url}/runs/{}{page}", assignment.run)));
    facts.insert("url".to_owned(), url);
    if let Some(procedure) = plan.procedures.first() {
        facts.insert("name".to_owned(), Value::text(procedure.name.as_str()));
        facts.insert("version".to_owned(), Value::text(procedure.version.to_string()));
    }
    facts
}

/// The end of an attempt with what its log came to, where there was any output.
fn sealed(mut end: AttemptEnd, seal: &LogSeal) -> AttemptEnd {
    let result = match &mut end {
        AttemptEnd::Succeeded { result }
        | AttemptEnd::Failed { result, .. }
        | AttemptEnd::TimedOut { result, .. }
        | AttemptEnd::Cancelled { result, .. } => result,
        AttemptEnd::Unknown { .. } => return end,
    };
    if seal.bytes + seal.dropped > 0 {
        if *result == Value::Null {
            *result = Value::Map(Map::new());
        }
        if let Value::Map(map) = result {
            map.insert("log".to_owned(), seal.to_value());
        }
    }
    end
}

struct LogOutput(Arc<Mutex<Option<LogWriter>>>);

impl Output for LogOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(writer) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            writer.write(bytes);
        }
        Ok(())
    }
}

/// The secrets that a plan names, from the store.
pub(crate) struct PlanSecrets {
    pub plan: Arc<Plan>,
    pub store: Arc<SecretStore>,
}

impl Secrets for PlanSecrets {
    fn reveal<'a>(&'a self, name: &'a SecretName) -> BoxFuture<'a, Result<SecretString, String>> {
        Box::pin(async move {
            let declared = self
                .plan
                .procedures
                .get(name.procedure as usize)
                .and_then(|_| self.plan.procedure(ProcedureIx(name.procedure)).secrets.get(&name.name).cloned());
            let source = declared.ok_or_else(|| format!("the procedure declares no secret `{}`", name.name))?;
            let store = self.store.clone();
            // A provider may be a file or a program.
            let fetched = tokio::task::spawn_blocking(move || store.get(&source)).await;
            let secret = fetched.map_err(|e| e.to_string())?.map_err(|e| format!("secret `{}`: {e}", name.name))?;
            Ok(SecretString::from(secret.expose_secret().to_owned()))
        })
    }

    fn fetch<'a>(&'a self, source: &'a SecretSource) -> BoxFuture<'a, Result<SecretString, String>> {
        let (store, source) = (self.store.clone(), source.clone());
        Box::pin(async move {
            let fetched = tokio::task::spawn_blocking(move || store.get(&source)).await;
            let secret = fetched.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
            Ok(SecretString::from(secret.expose_secret().to_owned()))
        })
    }

    fn mask(&self) -> Box<dyn Mask + Send> {
        match self.store.masker() {
            Ok(masker) => Box::new(masker),
            Err(_) => Box::new(Nothing),
        }
    }
}

impl Mask for Masker {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        Masker::push(self, bytes, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        Masker::finish(self, out);
    }
}

/// Shows nothing: what cannot be masked is not kept.
struct Nothing;

impl Mask for Nothing {
    fn push(&mut self, _bytes: &[u8], _out: &mut Vec<u8>) {}

    fn finish(&mut self, _out: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use runbook_core::Digest;
    use runbook_core::run::event::Failure;

    use super::*;

    /// Whatever an attempt came to, the record names the digest of what it wrote.
    #[test]
    fn every_end_that_is_known_names_its_log() {
        let failure = || Failure { message: "no".into(), at: None, detail: None };
        let some = Value::Map(Map::from([("exit_code".to_owned(), Value::Int(1))]));
        let seal = |bytes| LogSeal { bytes, dropped: 0, digest: Digest::of_bytes(b"x"), failed: None };
        for result in [Value::Null, some] {
            for end in [
                AttemptEnd::Succeeded { result: result.clone() },
                AttemptEnd::Failed { failure: failure(), result: result.clone() },
                AttemptEnd::TimedOut { failure: failure(), result: result.clone() },
                AttemptEnd::Cancelled { failure: failure(), result },
            ] {
                assert_eq!(sealed(end.clone(), &seal(0)), end, "nothing was written");
                let (AttemptEnd::Succeeded { result }
                | AttemptEnd::Failed { result, .. }
                | AttemptEnd::TimedOut { result, .. }
                | AttemptEnd::Cancelled { result, .. }) = sealed(end, &seal(7))
                else {
                    panic!("it became unknown")
                };
                assert_eq!(LogSeal::of_result(&result), Some(seal(7)));
            }
        }
    }
}
