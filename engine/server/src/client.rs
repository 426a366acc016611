//! The other side of the API: runs of a server, as a program elsewhere reads them, speaks to them and follows them.
//!
//! A token goes over TLS or to this machine, and to the server that was named: nothing that it answers is followed elsewhere. What is asked
//! once more because no answer came has the key of the first time, and so counts once. Records come as they are written; whoever reads
//! them proves their chain, as of a file.

mod archive;
mod failure;
mod follow;
mod wire;

use std::sync::Arc;

use runbook_core::run::event::{Identity, Means, Vote};
use runbook_core::{Digest, Plan, ProcedureName, RunId, StepPath, value};
use runbook_engine::access::AuditPage;
use runbook_engine::intake::EventFilter;
use runbook_engine::journal::RunRow;
use runbook_engine::message::{Answer, Message};
use runbook_engine::on_call::Standing;
use runbook_engine::report::listed;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use crate::api::bodies::Start;
use crate::api::bodies::{self, Acknowledgement, Cancel, Note, Nothing, Reason};
pub use failure::Failure;
pub use follow::{Following, Told};
pub use wire::Reach;
use wire::{Ask, Wire};

/// A server, and whoever asks it.
#[derive(Clone)]
pub struct Remote {
    wire: Arc<Wire>,
}

/// What a run would be of, and the digest by which the server knows it.
pub struct Offered {
    pub plan: Plan,
    pub digest: Digest,
}

impl Remote {
    /// Nothing is asked yet.
    pub fn new(reach: Reach) -> Result<Remote, Failure> {
        Ok(Remote { wire: Arc::new(Wire::new(reach)?) })
    }

    /// The server's address, as people write it.
    pub fn address(&self) -> &str {
        self.wire.address()
    }

    /// Who one is there.
    pub fn me(&self) -> Result<Identity, Failure> {
        #[derive(Deserialize)]
        struct Session {
            person: String,
            token: Option<String>,
        }
        let Session { person, token } = self.wait(|wire| async move { wire.json(Ask::get(["session"])).await })?;
        Ok(Identity { person, means: Means::Token { token: token.unwrap_or_default() } })
    }

    async fn json<T: DeserializeOwned + Send + 'static>(&self, ask: Ask) -> Result<T, Failure> {
        let wire = self.wire.clone();
        self.wire.apart(async move { wire.json(ask).await }).await
    }

    /// The same, for whoever waits for it.
    fn wait<T: Send + 'static, F: Future<Output = Result<T, Failure>> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Wire>) -> F,
    ) -> Result<T, Failure> {
        self.wire.wait(work(self.wire.clone()))
    }

    /// What a run of the newest version would be of.
    pub async fn plan_of(&self, procedure: &ProcedureName, environment: Option<&str>) -> Result<Offered, Failure> {
        let ask = Ask::get(["procedures", procedure.as_str(), "plan"]).with("environment", environment);
        let wire = self.wire.clone();
        let (text, tag) = self.wire.apart(async move { wire.text(ask).await }).await?;
        let foreign = || self.wire.foreign("it gives no plan that this version can read");
        let digest = tag.and_then(|tag| tag.trim_matches('"').parse().ok()).ok_or_else(foreign)?;
        let plan = serde_json::from_str(&text).map_err(|_| foreign())?;
        Ok(Offered { plan, digest })
    }

    /// Starts a run, which the server drives.
    pub async fn start(&self, start: &Start) -> Result<RunRow, Failure> {
        let run: listed::Run = self.json(Ask::post(["runs"], start)?).await?;
        Ok(run.into_row(self.address()))
    }

    /// Says something to a run, and returns once that is recorded.
    pub async fn tell(&self, run: &RunId, message: Message) -> Result<Answer, Failure> {
        #[derive(Deserialize)]
        struct Said {
            event: u64,
        }
        let of_run = |what: &'static str| ["runs", run.as_str(), what];
        let ask = match message {
            Message::Decide { decision, vote } => {
                Ask::post(["runs", run.as_str(), "decisions", &decision.to_string()], &body_of(*vote))?
            }
            Message::Acknowledge { decision, to, hold, reason, .. } => {
                let hold = Some(value::format_duration(hold));
                let place = ["runs", run.as_str(), "decisions", &decision.to_string(), "acknowledgement"];
                Ask::post(place, &Acknowledgement { hold, to, reason })?
            }
            Message::Cancel { undo, reason, .. } => Ask::post(of_run("cancel"), &Cancel { reason, undo })?,
            Message::Pause { reason, .. } => Ask::post(of_run("pause"), &Reason { reason })?,
            Message::Resume { .. } => Ask::post(of_run("resume"), &Nothing {})?,
            Message::Undo { reason, .. } => Ask::post(of_run("undo"), &Reason { reason })?,
            Message::Note { text, .. } => Ask::post(of_run("notes"), &Note { text })?,
            Message::Event { .. } => {
                return Ok(Answer::Refused { why: "events are posted to their source, not to a run".to_owned() });
            }
        };
        match self.json::<Said>(ask).await {
            Ok(said) => Ok(Answer::Accepted { seq: said.event }),
            Err(Failure::Refused(refused)) if refused.is_of_the_run() => Ok(Answer::Refused { why: refused.told() }),
            Err(failure) => Err(failure),
        }
    }

    /// What an attempt wrote, from one byte up to and without another, as far as it is there; `None` where nothing was kept.
    pub fn log(&self, run: &RunId, path: &StepPath, attempt: u32, from: u64, to: u64) -> Result<Option<Vec<u8>>, Failure> {
        let ask = of_log(run, path, attempt).bytes(from, to);
        self.wait(|wire| async move { wire.part(ask).await })
    }

    /// The last bytes that an attempt wrote; `None` where nothing was kept.
    pub fn tail(&self, run: &RunId, path: &StepPath, attempt: u32, bytes: u64) -> Result<Option<Vec<u8>>, Failure> {
        let ask = of_log(run, path, attempt).last(bytes);
        self.wait(|wire| async move { wire.part(ask).await })
    }

    /// The same, for whoever goes on meanwhile.
    pub async fn tail_apart(&self, run: &RunId, path: &StepPath, attempt: u32, bytes: u64) -> Result<Option<Vec<u8>>, Failure> {
        let (wire, ask) = (self.wire.clone(), of_log(run, path, attempt).last(bytes));
        self.wire.apart(async move { wire.part(ask).await }).await
    }

    /// Events that came in, the newest first.
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<listed::Event>, Failure> {
        let EventFilter { source, procedure, word, run, before, limit } = filter.clone();
        let ask = Ask::get(["events"])
            .with("source", source.as_deref())
            .with("procedure", procedure.as_deref())
            .with("decision", word.as_deref())
            .with("run", run.as_ref().map(RunId::as_str));
        let before = before.map(|before| before.to_string());
        self.wait(|wire| async move { wire.list(ask, "before", before, limit).await })
    }

    /// One event; `None` where there is none of this number.
    pub fn event(&self, number: u64) -> Result<Option<listed::Event>, Failure> {
        Failure::absent(self.wait(|wire| async move { wire.json(Ask::get(["events", &number.to_string()])).await }))
    }

    /// The newest entries of the audit log before the one that is named; fewer than `limit` where a page of the server has fewer.
    pub fn audited(&self, before: Option<u64>, limit: usize) -> Result<AuditPage, Failure> {
        let (before, limit) = (before.map(|before| before.to_string()), limit.to_string());
        let ask = Ask::get(["audit"]).with("before", before.as_deref()).with("limit", Some(&limit));
        self.wait(|wire| async move { wire.json(ask).await })
    }

    /// How each rotation stands now, by name.
    pub fn on_call(&self) -> Result<Vec<Standing>, Failure> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Standing>,
        }
        Ok(self.wait(|wire| async move { wire.json::<Page>(Ask::get(["on-call"])).await })?.items)
    }

    /// The record of a run from behind event `seen`, as it grows, until the run ends.
    pub fn follow(&self, run: &RunId, seen: u64) -> Following {
        Following::begin(self.wire.clone(), run.clone(), seen)
    }
}

fn of_log(run: &RunId, path: &StepPath, attempt: u32) -> Ask {
    Ask::get(["runs", run.as_str(), "log"]).with("step", Some(path.as_str())).with("attempt", Some(&attempt.to_string()))
}

fn body_of(vote: Vote) -> bodies::Vote {
    let Vote { choice, reason, answers, digest, signature, head, .. } = vote;
    let answers: Map<String, Value> = answers.iter().map(|(name, value)| (name.clone(), value.to_plain_json())).collect();
    bodies::Vote { choice, digest, reason, answers, signature, head }
}
