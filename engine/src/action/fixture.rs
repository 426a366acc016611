//! What the tests of all actions share: jobs, a log in memory, secrets that are known.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use runbook_core::effect::Effect;
use runbook_core::plan::SecretSource;
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::{SecretName, Task, Work};
use runbook_core::value::Value;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::{Job, Mask, Output, Secrets};
use crate::hold::Hold;

/// A log in memory, seen by the test and the action.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

impl Output for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(())
    }
}

/// A mask that hides nothing.
pub struct Blind;

impl Mask for Blind {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(bytes);
    }

    fn finish(&mut self, _: &mut Vec<u8>) {}
}

/// Every secret's value is `hunter2-<name>`; every `hunter2` in a text is hidden, where it stands in one piece.
pub struct Known;

struct Hunter(Vec<u8>);

impl Mask for Hunter {
    fn push(&mut self, bytes: &[u8], _: &mut Vec<u8>) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(&self.0).replace("hunter2", "•••");
        out.extend_from_slice(text.as_bytes());
    }
}

impl Secrets for Known {
    fn reveal<'a>(&'a self, name: &'a SecretName) -> BoxFuture<'a, Result<SecretString, String>> {
        Box::pin(async move {
            if name.name.as_str() == "missing" {
                return Err("the variable `MISSING` is not set; set it".to_owned());
            }
            Ok(SecretString::from(format!("hunter2-{}", name.name)))
        })
    }

    fn fetch<'a>(&'a self, source: &'a SecretSource) -> BoxFuture<'a, Result<SecretString, String>> {
        Box::pin(async move {
            match source {
                SecretSource::Env(name) => Ok(SecretString::from(format!("hunter2-{name}"))),
                other => Err(format!("{other:?} is not known here")),
            }
        })
    }

    fn mask(&self) -> Box<dyn Mask + Send> {
        Box::new(Hunter(Vec::new()))
    }
}

pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn reveal<'a>(&'a self, _: &'a SecretName) -> BoxFuture<'a, Result<SecretString, String>> {
        Box::pin(async { Err("there are none".to_owned()) })
    }

    fn fetch<'a>(&'a self, _: &'a SecretSource) -> BoxFuture<'a, Result<SecretString, String>> {
        Box::pin(async { Err("there are none".to_owned()) })
    }

    fn mask(&self) -> Box<dyn Mask + Send> {
        Box::new(Blind)
    }
}

/// An id that no other test has.
pub fn fresh_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test{}/step/{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn work(task: Task) -> Work {
    Work {
        title: "A step".to_owned(),
        task,
        effect: Effect::Change,
        env: Default::default(),
        dir: None,
        timeout: Duration::from_secs(60),
    }
}

/// A job in the folder of temporary files, and its log.
pub fn job(task: Task) -> (Job, Log) {
    let log = Log::default();
    let job = Job {
        id: fresh_id(),
        work: work(task),
        before: Value::Null,
        secrets: Arc::new(NoSecrets),
        output: Box::new(log.clone()),
        stop: CancellationToken::new(),
        hold: Hold::default(),
        root: std::env::temp_dir(),
        programs: Default::default(),
        facts: Default::default(),
        channels: Default::default(),
        network: Default::default(),
    };
    (job, log)
}

pub fn script(script: &str) -> Task {
    Task::Run { shell: Default::default(), script: script.to_owned(), values: Default::default() }
}

pub fn succeeded(end: AttemptEnd) -> Value {
    match end {
        AttemptEnd::Succeeded { result } => result,
        other => panic!("{other:?}"),
    }
}

pub fn failed(end: AttemptEnd) -> (Failure, Value) {
    match end {
        AttemptEnd::Failed { failure, result } => (failure, result),
        other => panic!("{other:?}"),
    }
}

pub fn text<'a>(result: &'a Value, key: &str) -> &'a str {
    match result.get(key) {
        Some(Value::Text(text)) => text,
        other => panic!("{key}: {other:?}"),
    }
}
