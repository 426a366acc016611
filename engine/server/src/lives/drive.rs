//! One run, driven until it ends or has to wait: what `runbook resume` does, without anybody to ask.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use runbook_core::RunId;
use runbook_engine::driver::local::LocalPerformer;
use runbook_engine::driver::{Driver, Outlook, Patience, Wish, World, engine, owes_messages};
use runbook_engine::journal::{JournalError, Owner};
use runbook_engine::secret::SecretStore;
use runbook_engine::session::{Session, SessionError};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::App;

/// How a drive ended.
#[derive(Debug)]
pub enum Driven {
    Ended {
        procedure: String,
        outcome: &'static str,
    },
    /// After its event `seq`: for people, or until then.
    Waiting {
        seq: u64,
        until: Option<Timestamp>,
    },
    /// Another run has the lock that it wants.
    Locked {
        seq: u64,
    },
    /// Another process has it.
    Elsewhere,
    /// It lacks something that only people can put right.
    Impossible {
        seq: u64,
        why: String,
    },
    /// The engine's own trouble: nothing was recorded after it.
    Failed {
        error: Option<JournalError>,
        why: String,
    },
}

impl From<SessionError> for Driven {
    fn from(error: SessionError) -> Driven {
        let why = error.to_string();
        match error {
            SessionError::Journal(JournalError::Held { .. } | JournalError::Stale { .. })
            | SessionError::Stopped(JournalError::Stale { .. }) => Driven::Elsewhere,
            SessionError::Journal(error) | SessionError::Stopped(error) => Driven::Failed { error: Some(error), why },
            SessionError::Illegal(_) | SessionError::OtherPlan { .. } | SessionError::TooLong(_) => {
                Driven::Impossible { seq: 0, why }
            }
        }
    }
}

pub async fn drive(app: Arc<App>, owner: Owner, id: RunId, wishes: UnboundedReceiver<Wish>) -> Driven {
    driven(&app, owner, &id, wishes).await.unwrap_or_else(Driven::from)
}

async fn driven(app: &App, owner: Owner, id: &RunId, wishes: UnboundedReceiver<Wish>) -> Result<Driven, SessionError> {
    let mut session = Session::open(app.journal.clone(), app.clock.clone(), owner, Vec::new(), id).await?;
    let found = Outlook::of(session.run(), session.now());
    let is_due = match found {
        Outlook::Ready | Outlook::Locked { .. } => true,
        Outlook::Waiting { .. } => owes_messages(&*app.journal, id, session.run())?,
        Outlook::Ended | Outlook::Paused => false,
    };
    if is_due {
        let root = session.run().start().and_then(|start| start.root.clone()).map(PathBuf::from);
        let Some(root) = root.filter(|root| root.is_dir()) else {
            let seq = session.run().seq();
            session.close().await?;
            return Ok(Driven::Impossible { seq, why: "the folder where its steps run is not there".to_owned() });
        };
        session.adopt(engine())?;
        let secrets = Arc::new(SecretStore::new(&root, &app.config.settings, app.config.environment.iter().cloned()));
        let performer = Arc::new(LocalPerformer::new(root, app.logs.clone(), secrets.clone()));
        let world = World { performer, wishes };
        let run = id.clone();
        let progress = Box::new(move |_: &runbook_core::Run, _| {
            for warning in secrets.take_warnings() {
                tracing::warn!(%run, "{warning}");
            }
        });
        Driver::new(&mut session, world, Patience::Leave, progress).drive().await?;
    }
    let (seq, now) = (session.run().seq(), session.now());
    let procedure = session.run().plan().main().name.to_string();
    let outcome = session.run().outcome().map(|outcome| outcome.kind.name());
    let outlook = Outlook::of(session.run(), now);
    session.close().await?;
    Ok(match (outcome, outlook) {
        (Some(outcome), _) => Driven::Ended { procedure, outcome },
        (None, Outlook::Waiting { until }) => Driven::Waiting { seq, until },
        (None, Outlook::Locked { .. }) => Driven::Locked { seq },
        (None, Outlook::Paused | Outlook::Ended) => Driven::Waiting { seq, until: None },
        // It was told to stop, or its time has come meanwhile.
        (None, Outlook::Ready) => Driven::Waiting { seq, until: Some(now) },
    })
}
