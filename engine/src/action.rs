//! Actions: one attempt of one step's [`Work`] is performed, once. Retries, order and time belong to the machine.
//!
//! [`perform`] never fails: every trouble is an [`AttemptEnd`] whose failure says what happened, why, and what to do next.
//! Secrets are revealed here, at the last moment, and whatever an action reads passes the mask before it is kept.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use runbook_core::plan::SecretSource;
use runbook_core::policy::ChannelSpec;
use runbook_core::run::event::{AttemptEnd, Failure};
use runbook_core::run::task::{EnvText, SecretName, Task, Work};
use runbook_core::value::{Map, Value};
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::hold::Hold;

pub(crate) mod child;
mod exec;
mod http;
pub mod notify;
mod output;
mod program;
pub mod rhai;
mod run;

pub use http::{NetworkPolicy, install_provider};
pub use program::Programs;

/// One attempt to be performed.
pub struct Job {
    /// `run/path/attempt`: the idempotency key of the attempt everywhere outside. Children carry it as
    /// `RUNBOOK_ATTEMPT`, requests as `Idempotency-Key`, mails in their `Message-ID`.
    pub id: String,
    pub work: Work,
    /// What the attempt before this one came to, where that is known.
    pub before: Value,
    pub secrets: Arc<dyn Secrets>,
    /// Takes every byte of output, masked, in the order of arrival.
    pub output: Box<dyn Output + Send>,
    pub stop: CancellationToken,
    /// Whether the run is still ours, at the last moment.
    pub hold: Hold,
    /// The catalogue's root: where children run and what `dir` is relative to.
    pub root: PathBuf,
    /// What this run has found before.
    pub programs: Arc<Programs>,
    /// `run` in the texts of channels: `id`, `name`, `version`, `environment`, `requested_by`, `url`.
    pub facts: Map,
    /// The channels of the workspace, by name.
    pub channels: Arc<BTreeMap<String, ChannelSpec>>,
    /// Where `http` may go.
    pub network: NetworkPolicy,
}

/// Where output goes. An error ends the recording, not the attempt.
pub trait Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Where the values of secrets come from.
pub trait Secrets: Send + Sync {
    /// The error says in one line why there is no value, and never holds one.
    fn reveal<'a>(&'a self, name: &'a SecretName) -> BoxFuture<'a, Result<SecretString, String>>;

    /// The same for a secret that is not a procedure's but a channel's.
    fn fetch<'a>(&'a self, source: &'a SecretSource) -> BoxFuture<'a, Result<SecretString, String>>;

    /// A mask for one stream, of every secret that was revealed so far.
    fn mask(&self) -> Box<dyn Mask + Send>;
}

/// Hides secrets in one stream of bytes, also where they are split over writes.
pub trait Mask {
    /// Appends to `out` what may be shown of the stream so far; a possible beginning of a secret is held back.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>);

    /// Appends what was held back: the stream has ended.
    fn finish(&mut self, out: &mut Vec<u8>);
}

/// Performs one attempt to its end, its timeout, or a stop.
pub async fn perform(job: Job) -> AttemptEnd {
    if job.stop.is_cancelled() {
        return AttemptEnd::Cancelled { failure: failure("cancelled before it began; nothing was started"), result: Value::Null };
    }
    let secrets = job.secrets.clone();
    let end = match &job.work.task {
        Task::Run { .. } => run::perform(job).await,
        Task::Exec { .. } => exec::perform(job).await,
        Task::Rhai { .. } => rhai::perform(job).await,
        Task::Http(_) => http::perform(job).await,
        Task::Notify { .. } => notify::perform(job).await,
        Task::Event(_) => Err(failure("nobody can perform a wait for an event; it ends when one comes")),
    };
    clean(end.unwrap_or_else(|failure| AttemptEnd::Failed { failure, result: Value::Null }), &*secrets)
}

/// Masks every text of an end: one that was decoded from what passed the mask may hold a secret again.
fn clean(mut end: AttemptEnd, secrets: &dyn Secrets) -> AttemptEnd {
    let mask = |text: &mut String| *text = masked(secrets, text);
    match &mut end {
        AttemptEnd::Succeeded { result } => *result = clean_value(std::mem::take(result), secrets),
        AttemptEnd::Failed { failure, result }
        | AttemptEnd::TimedOut { failure, result }
        | AttemptEnd::Cancelled { failure, result } => {
            mask(&mut failure.message);
            failure.detail.iter_mut().for_each(mask);
            *result = clean_value(std::mem::take(result), secrets);
        }
        AttemptEnd::Unknown { why } => mask(why),
    }
    end
}

fn clean_value(value: Value, secrets: &dyn Secrets) -> Value {
    match value {
        Value::Text(text) => Value::Text(masked(secrets, &text)),
        Value::List(items) => Value::List(items.into_iter().map(|item| clean_value(item, secrets)).collect()),
        Value::Map(map) => {
            Value::Map(map.into_iter().map(|(key, value)| (masked(secrets, &key), clean_value(value, secrets))).collect())
        }
        other => other,
    }
}

fn failure(message: impl Into<String>) -> Failure {
    Failure { message: message.into(), at: None, detail: None }
}

/// What a text of the work stands for.
async fn reveal(text: &EnvText, secrets: &dyn Secrets) -> Result<SecretString, Failure> {
    match text {
        EnvText::Plain(text) => Ok(SecretString::from(text.clone())),
        EnvText::Secret(secret) => {
            let revealed = secrets.reveal(secret).await;
            revealed.map_err(|why| failure(format!("the secret `{}` has no value: {why}", secret.name)))
        }
    }
}

/// A whole text through a mask.
fn masked(secrets: &dyn Secrets, text: &str) -> String {
    let mut mask = secrets.mask();
    let mut out = Vec::with_capacity(text.len());
    mask.push(text.as_bytes(), &mut out);
    mask.finish(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod children;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod trees;
