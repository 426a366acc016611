//! What every command on runs needs: the runs of the state folder, or those of a server; a run found by what people typed, this person,
//! this process, and a runtime.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runbook_core::policy::People;
use runbook_core::run::event::{Identity, Means};
use runbook_core::run::{Event, Run};
use runbook_core::{DecisionId, RunId, StepPath};
use runbook_engine::clock::{Clock, SystemClock};
use runbook_engine::journal::{Archive, Commits, JournalError, Owner, Phase, RunFilter, RunRow, SharedJournal, Store};
use runbook_engine::log::Logs;
use runbook_engine::message::{Answer, Message};
use runbook_engine::people::{self, LocalUser};
use runbook_engine::session::{self, SessionError};
use runbook_server::client::{Failure, Remote};
use tokio::runtime::{Builder, Runtime};

use super::afar;
use crate::args::Voice;
use crate::exit::{Exit, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::live::Tails;

/// Runs, wherever they are recorded.
pub struct Home {
    pub archive: Arc<dyn Archive>,
    pub clock: Arc<dyn Clock>,
    pub place: Place,
}

pub enum Place {
    Here(Here),
    There(There),
}

/// The state folder of this machine.
pub struct Here {
    pub journal: SharedJournal,
    pub logs: Logs,
    pub user: LocalUser,
}

/// A server, and who one is there.
pub struct There {
    pub remote: Remote,
    pub me: Identity,
}

impl Here {
    pub fn owner(&self) -> Owner {
        Owner::this_process(self.user.user.clone())
    }
}

impl Tails for There {
    fn tail(&self, run: &RunId, path: &StepPath, attempt: u32, bytes: u64) -> Option<Vec<u8>> {
        self.remote.tail(run, path, attempt, bytes).ok().flatten()
    }
}

impl Home {
    /// The runs that are meant. The state folder is made where there is none.
    pub fn open(settings: &Settings) -> Result<Home, Trouble> {
        let clock = Arc::new(SystemClock);
        if let Some(server) = &settings.server {
            let remote = afar::reach(server, settings)?;
            let me = remote.me()?;
            return Ok(Home { archive: Arc::new(remote.clone()), clock, place: Place::There(There { remote, me }) });
        }
        let folder: &Path = &settings.state()?.value;
        let store = Store::open_with(folder, Commits::OnTheSpot)?;
        let logs = Logs::open_in(store.handle(), store.folder())
            .map_err(|why| Trouble::failed(why.to_string()).next("choose another state folder with `--state DIR`"))?;
        let user = people::local_user().map_err(|why| Trouble::failed(why.to_string()))?;
        let journal: SharedJournal = Arc::new(store);
        Ok(Home { archive: journal.clone(), clock, place: Place::Here(Here { journal, logs, user }) })
    }

    /// For what is done in the state folder alone.
    pub fn here(&self) -> Result<&Here, Trouble> {
        match &self.place {
            Place::Here(here) => Ok(here),
            Place::There(there) => {
                let why = format!("this is for the state folder of the machine where {} runs", there.remote.address());
                Err(Trouble::not_valid(why).next("do it there, without --server and RUNBOOK_SERVER"))
            }
        }
    }

    /// For what is done at a server alone.
    pub fn there(&self) -> Result<&There, Trouble> {
        match &self.place {
            Place::There(there) => Ok(there),
            Place::Here(_) => Err(Trouble::not_valid("this is for the runs of a server").next("give --server URL")),
        }
    }

    /// This person, as the workspace of a run knows them.
    pub fn identity(&self, people: &People) -> Identity {
        match &self.place {
            Place::Here(here) => people::identity(&here.user, people),
            Place::There(there) => there.me.clone(),
        }
    }

    /// Whoever speaks: this user, or the person who signs at this user's terminal.
    pub fn speaker(&self, people: &People, voice: &Voice) -> Result<Identity, Trouble> {
        match (&voice.person, &self.place) {
            (None, _) => Ok(self.identity(people)),
            (Some(person), Place::Here(here)) => {
                let LocalUser { user, host } = here.user.clone();
                Ok(Identity { person: person.clone(), means: Means::SshKey { user, host } })
            }
            (Some(person), Place::There(there)) if *person == there.me.person => Ok(there.me.clone()),
            (Some(person), Place::There(there)) => {
                let why = format!("to {} you are {}, by your token, and not {person}", there.remote.address(), there.me.person);
                Err(Trouble::not_valid(why).next(format!("decide with a token of {person}")))
            }
        }
    }

    /// As [`find`](Home::find), of what could have been the name of a file.
    pub fn find_or_file(&self, text: &str) -> Result<RunId, Trouble> {
        match self.find(text) {
            Err(_) if text.contains(['.', '/']) => {
                Err(Trouble::not_valid(format!("there is no file and no run `{text}`")).next("runbook runs"))
            }
            found => found,
        }
    }

    /// The run that a text means: an id, its unambiguous beginning or end, or `last`.
    pub fn find(&self, text: &str) -> Result<RunId, Trouble> {
        if let Ok(id) = text.parse::<RunId>() {
            return self.archive.run(&id).map(|row| row.run).map_err(Trouble::from);
        }
        let newest = |limit, like| self.archive.runs(&RunFilter { limit, like, ..RunFilter::default() });
        if text == "last" {
            return newest(1, None)?
                .first()
                .map(|row| row.run.clone())
                .ok_or_else(|| Trouble::not_valid("there are no runs yet").next("runbook exec PROCEDURE"));
        }
        let fits = |row: &RunRow| row.run.as_str().starts_with(text) || row.run.as_str().ends_with(text);
        let mut found: Vec<RunId> = newest(1000, None)?.into_iter().filter(fits).map(|row| row.run).collect();
        if found.is_empty() {
            found = newest(3, Some(text.to_owned()))?.into_iter().map(|row| row.run).collect();
        }
        match found.as_slice() {
            [one] if text.len() >= 3 => Ok(one.clone()),
            [] => Err(Trouble::not_valid(format!("there is no run `{text}`")).next("runbook runs")),
            [_] => Err(Trouble::not_valid(format!("`{text}` is too short to name a run")).next("runbook runs")),
            several => {
                let ids: Vec<String> = several.iter().take(5).map(ToString::to_string).collect();
                Err(Trouble::not_valid(format!("`{text}` could be any of {}", ids.join(", "))).next("give more of the id"))
            }
        }
    }

    /// A run as it is recorded now.
    pub fn replay(&self, id: &RunId) -> Result<(Run, RunRow), Trouble> {
        Ok(session::replay(&*self.archive, id, &mut |_, _| {})?)
    }

    /// The same, and every event on the way.
    pub fn replay_with(&self, id: &RunId, visit: &mut dyn FnMut(&Run, &Event)) -> Result<(Run, RunRow), Trouble> {
        Ok(session::replay(&*self.archive, id, visit)?)
    }

    /// Says something to a run and returns once that is recorded.
    pub fn tell(&self, id: &RunId, message: Message) -> Result<(), Trouble> {
        let said = match &self.place {
            Place::Here(here) => {
                let delivery = session::deliver(here.journal.clone(), self.clock.clone(), here.owner(), id, message);
                runtime()?.block_on(delivery)?
            }
            Place::There(there) => runtime()?.block_on(there.remote.tell(id, message))?,
        };
        match said {
            Answer::Accepted { .. } => Ok(()),
            Answer::Refused { why } => Err(Trouble::not_valid(why).next(format!("runbook show {id}"))),
        }
    }

    /// Where the live view finds what steps write.
    pub fn tails(&self) -> &dyn Tails {
        match &self.place {
            Place::Here(here) => &here.logs,
            Place::There(there) => there,
        }
    }

    /// Whether some process is at work on the run.
    pub fn is_held(&self, row: &RunRow) -> bool {
        row.is_held(self.clock.now())
    }

    /// Whether somebody sees to it that the run goes on: a process that is at work on it, or a server, which looks after all that wait too.
    pub fn is_looked_after(&self, row: &RunRow) -> bool {
        match &self.place {
            Place::Here(_) => self.is_held(row),
            Place::There(_) => {
                self.is_held(row) || matches!(row.summary.phase, Phase::Running | Phase::Waiting | Phase::Cancelling)
            }
        }
    }
}

/// How long nobody may be seen at work on a run before nothing more is expected of it: between two processes, one of which leaves it to the
/// other, there is a while in which nobody is.
const ALONE: Duration = Duration::from_secs(2);

/// Whoever follows a run that grows.
#[derive(Default)]
pub struct Follower {
    alone_since: Option<Instant>,
}

impl Follower {
    /// Whether anything can still come, as of this look at the run.
    pub fn goes_on(&mut self, home: &Home, row: &RunRow) -> bool {
        if row.summary.phase == Phase::Ended {
            return false;
        }
        if home.is_looked_after(row) {
            self.alone_since = None;
            return true;
        }
        self.alone_since.get_or_insert_with(Instant::now).elapsed() < ALONE
    }
}

/// The one open decision of a run, or the one that was named.
pub fn open_decision(run: &Run, wanted: Option<DecisionId>) -> Result<DecisionId, Trouble> {
    let open: Vec<DecisionId> = run.decisions().iter().filter(|d| d.is_open()).map(|d| d.id).collect();
    let id = run.id().map(ToString::to_string).unwrap_or_default();
    match (wanted, open.as_slice()) {
        (Some(wanted), _) if run.decision(wanted).is_some() => Ok(wanted),
        (Some(wanted), _) => {
            Err(Trouble::not_valid(format!("run {id} has no decision {wanted}")).next(format!("runbook decisions {id}")))
        }
        (None, [one]) => Ok(*one),
        (None, []) => Err(Trouble::not_valid(format!("run {id} waits for no decision")).next(format!("runbook show {id}"))),
        (None, several) => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(Trouble::not_valid(format!("run {id} waits for several decisions: {}", ids.join(", ")))
                .next(format!("runbook decisions {id}")))
        }
    }
}

pub fn runtime() -> Result<Runtime, Trouble> {
    build(&mut Builder::new_current_thread())
}

/// One to drive a run in: what is shown of it goes out whenever the run has to wait.
pub fn driving_runtime(ui: &Ui) -> Result<Runtime, Trouble> {
    let printer = ui.printer.clone();
    build(Builder::new_current_thread().on_thread_park(move || printer.wake()))
}

/// One run at a time, whose steps mostly wait: to wake another thread for each would cost more than it gains.
fn build(builder: &mut Builder) -> Result<Runtime, Trouble> {
    builder.enable_all().build().map_err(|why| Trouble::failed(format!("cannot start the runtime: {why}")))
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Trouble {
        let exit = match &error {
            JournalError::NoRun(_)
            | JournalError::Held { .. }
            | JournalError::Compacted(_)
            | JournalError::Elsewhere { is_of_what_was_asked: true, .. } => Exit::NotValid,
            _ => Exit::Failed,
        };
        split(exit, &error.to_string())
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        JournalError::from(failure).into()
    }
}

impl From<SessionError> for Trouble {
    fn from(error: SessionError) -> Trouble {
        match error {
            SessionError::Journal(error) => error.into(),
            other => split(Exit::Failed, &other.to_string()),
        }
    }
}

/// The engine writes "what is wrong; what to do next".
pub fn split(exit: Exit, text: &str) -> Trouble {
    let trouble = |message: &str| match exit {
        Exit::NotValid => Trouble::not_valid(message),
        _ => Trouble::failed(message),
    };
    match text.rsplit_once("; ") {
        Some((message, next)) => trouble(message).next(next),
        None => trouble(text),
    }
}
