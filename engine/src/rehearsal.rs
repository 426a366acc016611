//! A case of a test against real systems: its setup starts them, the procedure is run as it would be, with a record of its own that is
//! verified at the end, and its teardown ends them, whatever happened. All of it stands in one folder that goes when it passes.
//!
//! What the case has stand-ins for is not run, people's answers come from the case, and the clock is the real one.

use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use runbook_core::check::{self, CheckOptions};
use runbook_core::diagnostic::{Code, Diagnostic};
use runbook_core::document::Procedure;
use runbook_core::document::test::{Case, Expect, Setting, Test};
use runbook_core::run::event::{AttemptEnd, Failure, Identity, OutcomeKind, RunStarted, StepOutcome};
use runbook_core::run::view::Standing;
use runbook_core::run::{Event, Fact};
use runbook_core::trial::{self, Coverage, Said, Script};
use runbook_core::value::{Map, Value};
use runbook_core::{DecisionId, Plan, Run, RunId, limits};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::catalogue::Catalogue;
use crate::clock::{Clock, SystemClock};
use crate::driver::local::LocalPerformer;
use crate::driver::perform::{Assignment, Performer};
use crate::driver::{Driver, Patience, Progress, Stop, Wish, World};
use crate::journal::{Commits, Owner, Record, SharedJournal, Store};
use crate::log::{LogError, Logs};
use crate::message::{Answer, Message};
use crate::process;
use crate::secret::SecretStore;
use crate::session::{Observer, Session, SessionError};
use crate::start;
use crate::verify::{Evidence, verify_run};

/// What came of a case.
#[derive(Debug, Default)]
pub struct Rehearsed {
    /// Empty: it passed.
    pub faults: Vec<Diagnostic>,
    /// What the run of the procedure has been through; nothing where it did not come to that.
    pub coverage: Option<Coverage>,
    /// Steps that a stand-in stood in for.
    pub stood_in: Vec<String>,
    /// Where the record and the files are, where it did not pass.
    pub kept: Option<PathBuf>,
    pub interrupted: bool,
}

/// Trouble of ours, or of the machine.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    #[error("the folder of the case: {0}")]
    Folder(#[from] std::io::Error),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Journal(#[from] crate::journal::JournalError),
    #[error(transparent)]
    Logs(#[from] LogError),
    #[error("the catalogue has more than {} MiB beside its hidden folders; nothing of that size is copied for a test", limits::REHEARSAL_BYTES >> 20)]
    TooLarge,
}

/// Where a case is run.
struct Ground {
    /// The catalogue as it is, copied: steps run there and change nothing else.
    work: PathBuf,
    config: PathBuf,
    journal: SharedJournal,
    logs: Logs,
    clock: Arc<dyn Clock>,
}

/// What ends a case early.
#[derive(Clone, Debug, Default)]
pub struct Interrupts {
    /// The run is cancelled; what the setup started is ended all the same.
    pub leave: CancellationToken,
    /// The teardown is cancelled too: what it has not ended stays, and is named.
    pub at_once: CancellationToken,
}

/// Runs a case.
pub async fn rehearse(
    catalogue: &Catalogue,
    test: &Test,
    case: &Case,
    plan: &Arc<Plan>,
    config: &Path,
    interrupts: &Interrupts,
) -> Result<Rehearsed, RehearsalError> {
    let refused = refused(test, case, plan);
    if !refused.is_empty() {
        return Ok(Rehearsed { faults: refused, ..Rehearsed::default() });
    }
    let folder = tempfile::Builder::new().prefix("runbook-test-").tempdir()?;
    let (work, state) = (folder.path().join("work"), folder.path().join("state"));
    copy(catalogue.root(), &work)?;
    let store = Store::open_with(&state, Commits::OnTheSpot)?;
    let logs = Logs::open_in(store.handle(), store.folder())?;
    let ground = Ground { work, config: config.to_owned(), journal: Arc::new(store), logs, clock: Arc::new(SystemClock) };
    let mut rehearsal = Rehearsal { test, ground: &ground, found: Rehearsed::default(), ids: Vec::new() };
    rehearsal.through(catalogue, case, plan, interrupts).await?;
    let mut found = rehearsal.found;
    found.interrupted = interrupts.leave.is_cancelled();
    drop(ground);
    if !found.faults.is_empty() || found.interrupted {
        found.kept = Some(folder.keep());
    }
    Ok(found)
}

/// What speaks against running it at all.
fn refused(test: &Test, case: &Case, plan: &Plan) -> Vec<Diagnostic> {
    let mut faults = Script::faults(case, &test.source, plan);
    if let Some(environment) = plan.policy.environment.as_ref().filter(|environment| environment.production) {
        let at = case.setting.environment.as_ref().map_or(case.name.span, |environment| environment.span);
        let message = format!("`{}` is a production environment: no case is run for real there", environment.name);
        let fault = Diagnostic::new(Code::RB0502, &test.source, at, message);
        faults.push(fault.help("name another environment in the case"));
    }
    faults
}

struct Rehearsal<'r> {
    test: &'r Test,
    ground: &'r Ground,
    found: Rehearsed,
    /// Attempts that were started, as the world knows them.
    ids: Vec<String>,
}

impl Rehearsal<'_> {
    async fn through(
        &mut self,
        catalogue: &Catalogue,
        case: &Case,
        plan: &Arc<Plan>,
        interrupts: &Interrupts,
    ) -> Result<(), RehearsalError> {
        let ran = self.prepared(catalogue, case, plan, &interrupts.leave).await;
        // Whatever happened, and whoever wants to leave.
        if let Some(teardown) = trial::teardown(self.test, case) {
            self.beside(catalogue, &teardown, case, &interrupts.at_once).await?;
        }
        let survivors: Vec<_> = self.ids.iter().flat_map(|id| process::survivors(id)).collect();
        let left = process::named(&survivors);
        if !left.is_empty() {
            let message = format!("the teardown leaves this running: {}", left.join(", "));
            let fault = Diagnostic::new(Code::RB0501, &self.test.source, case.name.span, message);
            self.found.faults.push(fault.help("end it under `teardown`; for now, end it by hand"));
        }
        ran
    }

    async fn prepared(
        &mut self,
        catalogue: &Catalogue,
        case: &Case,
        plan: &Arc<Plan>,
        interrupt: &CancellationToken,
    ) -> Result<(), RehearsalError> {
        let mut case = case.clone();
        if let Some(setup) = trial::setup(self.test, &case) {
            let Some(given) = self.beside(catalogue, &setup, &case, interrupt).await? else { return Ok(()) };
            case.setting.inputs.extend(given);
        }
        match interrupt.is_cancelled() {
            true => Ok(()),
            false => self.case(&case, plan, interrupt).await,
        }
    }

    /// Runs a setup or a teardown; gives its outputs, or nothing where it did not succeed, which is told.
    async fn beside(
        &mut self,
        catalogue: &Catalogue,
        procedure: &Procedure,
        case: &Case,
        interrupt: &CancellationToken,
    ) -> Result<Option<Map>, RehearsalError> {
        let what = procedure.name.value.as_str();
        // Outside the workspace: no policy holds for it.
        let all = check::Catalogue::new(catalogue.procedures(), None);
        let (plan, found) = check::check(procedure, &all, &CheckOptions::default());
        let Some(plan) = plan.map(Arc::new) else {
            self.found.faults.extend(found.into_sorted());
            return Ok(None);
        };
        let silent = Case { setting: Setting::default(), expect: Expect::default(), ..case.clone() };
        let by = Script::of(&silent).requester(&plan);
        let started = match RunStarted::of(&plan, Map::new(), by, 0) {
            Ok(started) => started,
            Err(why) => {
                self.fault(procedure, format!("the {what} cannot be started: {why}"), None);
                return Ok(None);
            }
        };
        let (run, _) = self.run(&silent, &plan, started, interrupt).await?;
        for view in run.steps().filter(|view| !view.step().verb.is_container()) {
            if let Standing::Ended(StepOutcome::Failed | StepOutcome::TimedOut | StepOutcome::Unknown) = view.standing() {
                let why = view.note().map(|note| format!(": {}", note.message)).unwrap_or_default();
                let detail = view.note().and_then(|note| note.detail.clone());
                self.fault(procedure, format!("the {what} fails at `{}`{why}", view.path()), detail);
            }
        }
        let succeeded = run.outcome().is_some_and(|outcome| outcome.kind == OutcomeKind::Succeeded);
        if !succeeded && self.found.faults.is_empty() && !interrupt.is_cancelled() {
            self.fault(procedure, format!("the {what} does not come to its end"), None);
        }
        match run.outputs(run.last_at()) {
            Ok(given) if succeeded => Ok(Some(given)),
            Ok(_) => Ok(None),
            Err(why) => {
                self.fault(procedure, format!("`from_setup` cannot be evaluated: {why}"), None);
                Ok(None)
            }
        }
    }

    fn fault(&mut self, procedure: &Procedure, message: String, detail: Option<String>) {
        let fault = Diagnostic::new(Code::RB0502, &self.test.source, procedure.name.span, message);
        let fault = fault.help("the folder of the case has its record and its logs: `runbook --state FOLDER/state runs`");
        self.found.faults.push(match detail {
            Some(detail) => fault.note(detail),
            None => fault,
        });
    }

    async fn case(&mut self, case: &Case, plan: &Arc<Plan>, interrupt: &CancellationToken) -> Result<(), RehearsalError> {
        let by = Script::of(case).requester(plan);
        let started = match RunStarted::of(plan, case.setting.inputs.clone(), by, 0) {
            Ok(started) => RunStarted { event: case.event(), ..started },
            Err(why) => {
                let fault = Diagnostic::new(Code::RB0502, &self.test.source, case.name.span, why.to_string());
                self.found.faults.push(fault.help("correct `inputs` or `from_setup` of the case"));
                return Ok(());
            }
        };
        let (run, events) = self.run(case, plan, started, interrupt).await?;
        let mut coverage = Coverage::of(plan);
        coverage.add(&run, &events);
        self.found.coverage = Some(coverage);
        if !interrupt.is_cancelled() {
            self.found.faults.extend(trial::judged(case, &self.test.source, &run, &events));
        }
        Ok(())
    }

    /// One recorded run, driven to its end, and its record verified.
    async fn run(
        &mut self,
        case: &Case,
        plan: &Arc<Plan>,
        started: RunStarted,
        interrupt: &CancellationToken,
    ) -> Result<(Run, Vec<Event>), RehearsalError> {
        let Ground { work, config, journal, logs, clock } = self.ground;
        let by = started.requested_by.clone();
        let (id, seed) = start::draw(&**clock);
        let started = RunStarted { seed, root: Some(work.to_string_lossy().into_owned()), ..started };
        let secrets = Arc::new(SecretStore::new(work, config, std::env::vars_os()));
        let script = Arc::new(Mutex::new(Script::of(case)));
        let performer = Arc::new(Rehearsing {
            real: LocalPerformer::new(work.clone(), logs.clone(), secrets),
            script: script.clone(),
            stood_in: Mutex::default(),
        });
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (asked, questions) = mpsc::unbounded_channel();
        let observers: Vec<Box<dyn Observer>> = vec![Box::new(Watcher { seen: seen.clone(), asked })];
        let owner = Owner::this_process("test");
        let mut session =
            Session::create(journal.clone(), clock.clone(), owner, observers, id.clone(), plan.clone(), started).await?;
        let (wishes, receiver) = mpsc::unbounded_channel();
        let world = World { performer: performer.clone(), wishes: receiver };
        let nothing = Box::new(|_: &Run, _: Progress| {});
        let faults = {
            let driver = Driver::new(&mut session, world, Patience::Wait, nothing).drive();
            tokio::pin!(driver);
            let mut people = People { test: self.test, case, script: &script, wishes, by, faults: Vec::new(), refused: Vec::new() };
            tokio::select! {
                biased;
                stop = &mut driver => drop::<Stop>(stop?),
                never = people.accompany(questions, interrupt) => match never {},
            }
            (people.faults, people.refused)
        };
        let run = session.run().clone();
        let (faults, refused) = faults;
        self.found.faults.extend(faults);
        // What is said too late changes nothing; what was refused while the question stood is a fault of the case.
        let open = |decision: &DecisionId| run.decision(*decision).is_some_and(|asked| asked.is_open());
        for (_, why) in refused.iter().filter(|(decision, _)| open(decision)) {
            let fault = Diagnostic::new(Code::RB0502, &self.test.source, case.name.span, format!("an answer is refused: {why}"));
            self.found.faults.push(fault.help("correct the answer"));
        }
        session.close().await?;
        let events = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.ids.extend(attempts(&id, &events));
        let stood_in = std::mem::take(&mut *performer.stood_in.lock().unwrap_or_else(PoisonError::into_inner));
        self.found.stood_in.extend(stood_in);
        let verified = verify_run(&**journal, &id, &Evidence { logs: Some(logs), ..Evidence::default() })?;
        for fault in &verified.faults {
            let message = format!("the record of run {id} does not prove itself: {fault}");
            self.found.faults.push(Diagnostic::new(Code::RB0502, &self.test.source, case.name.span, message));
        }
        Ok((run, events))
    }
}

/// Attempts that a run has begun, as the world knows them.
fn attempts(id: &RunId, events: &[Event]) -> Vec<String> {
    let begun = events.iter().filter_map(|event| match &event.fact {
        Fact::AttemptStarted { path, attempt } => Some(format!("{id}/{path}/{attempt}")),
        _ => None,
    });
    begun.collect()
}

/// Sees all events, and tells of each question with the run as it was.
struct Watcher {
    seen: Arc<Mutex<Vec<Event>>>,
    asked: mpsc::UnboundedSender<(DecisionId, Run)>,
}

impl Observer for Watcher {
    fn observe(&mut self, run: &Run, event: &Event, _: &Record) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        if let Fact::DecisionRequested { decision, .. } = &event.fact {
            let _ = self.asked.send((*decision, run.clone()));
        }
    }
}

/// Performs what the case has no stand-in for.
struct Rehearsing {
    real: LocalPerformer,
    script: Arc<Mutex<Script>>,
    stood_in: Mutex<Vec<String>>,
}

impl Performer for Rehearsing {
    fn perform(&self, assignment: Assignment) -> Pin<Box<dyn Future<Output = AttemptEnd> + Send>> {
        let Assignment { path, work, plan, .. } = &assignment;
        let given = self.script.lock().unwrap_or_else(PoisonError::into_inner).stands_in(path, work, plan);
        let Some((end, takes)) = given else { return self.real.perform(assignment) };
        self.stood_in.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_string());
        Box::pin(async move {
            tokio::select! {
                () = tokio::time::sleep(takes) => end,
                () = assignment.stop.cancelled() => {
                    let failure = Failure { message: "it was stopped".to_owned(), at: None, detail: None };
                    AttemptEnd::Cancelled { failure, result: Value::Null }
                }
            }
        })
    }

    fn prepare(&self, run: &Run) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.real.prepare(run)
    }

    fn left_running(&self, attempt: &str) -> Vec<String> {
        self.real.left_running(attempt)
    }
}

/// The people of a case: they answer what they are asked, after the time that the case says.
struct People<'r> {
    test: &'r Test,
    case: &'r Case,
    script: &'r Mutex<Script>,
    wishes: mpsc::UnboundedSender<Wish>,
    by: Identity,
    faults: Vec<Diagnostic>,
    refused: Vec<(DecisionId, String)>,
}

impl People<'_> {
    async fn accompany(
        &mut self,
        mut questions: mpsc::UnboundedReceiver<(DecisionId, Run)>,
        interrupt: &CancellationToken,
    ) -> Infallible {
        let mut votes = FuturesUnordered::new();
        let mut interrupted = false;
        let cancel = self.case.setting.cancel.clone();
        let mut leaves = cancel.as_ref().map(|cancel| Box::pin(tokio::time::sleep(cancel.after)));
        loop {
            tokio::select! {
                Some((decision, run)) = questions.recv() => {
                    let Some(asked) = run.decision(decision) else { continue };
                    let said = self.script.lock().unwrap_or_else(PoisonError::into_inner).answers(&run, asked, &self.test.source);
                    let said = match said {
                        Said::Votes(said) => said,
                        Said::Nobody(said) => {
                            // Nothing would ever end the wait.
                            if asked.request.within.is_none() {
                                let _ = self.wishes.send(Wish::Park);
                            }
                            said
                        }
                        Said::Fault(fault) => {
                            self.faults.push(*fault);
                            self.cancel(false, "the case cannot go on").await;
                            continue;
                        }
                    };
                    let mut after = Duration::ZERO;
                    for (more, vote) in said {
                        after += more;
                        votes.push(async move {
                            tokio::time::sleep(after).await;
                            (decision, vote)
                        });
                    }
                }
                Some((decision, vote)) = votes.next(), if !votes.is_empty() => {
                    let message = Message::Decide { decision, vote: Box::new(vote) };
                    if let Some(why) = self.say(message).await {
                        self.refused.push((decision, why));
                    }
                }
                () = interrupt.cancelled(), if !interrupted => {
                    interrupted = true;
                    self.cancel(false, "the test is interrupted").await;
                }
                () = async { if let Some(leaves) = &mut leaves { leaves.await } }, if leaves.is_some() => {
                    leaves = None;
                    if let Some(cancel) = &cancel {
                        let reason = cancel.reason.as_ref().map(|reason| reason.value.as_str()).unwrap_or_default();
                        self.cancel(cancel.undo, reason).await;
                    }
                }
                else => std::future::pending::<()>().await,
            }
        }
    }

    async fn cancel(&self, undo: bool, reason: &str) {
        // A run that has ended meanwhile needs no end.
        let _ = self.say(Message::Cancel { by: self.by.clone(), undo, reason: reason.to_owned() }).await;
    }

    /// Says something to the run; why it refuses, if it does.
    async fn say(&self, message: Message) -> Option<String> {
        let (answer, told) = oneshot::channel();
        let _ = self.wishes.send(Wish::Say(Box::new(message), answer));
        match told.await {
            Ok(Answer::Refused { why }) => Some(why),
            _ => None,
        }
    }
}

/// Copies the files of a folder but for hidden ones; a link stays one.
fn copy(from: &Path, to: &Path) -> Result<(), RehearsalError> {
    let mut left = limits::REHEARSAL_BYTES;
    let mut open = vec![(from.to_owned(), to.to_owned())];
    let mut files = 0;
    while let Some((from, to)) = open.pop() {
        std::fs::create_dir_all(&to)?;
        for entry in std::fs::read_dir(&from)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            files += 1;
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let (here, there) = (entry.path(), to.join(&name));
            if kind.is_dir() {
                open.push((here, there));
            } else if kind.is_symlink() {
                std::os::unix::fs::symlink(std::fs::read_link(&here)?, &there)?;
            } else if kind.is_file() {
                left = left.checked_sub(entry.metadata()?.len()).ok_or(RehearsalError::TooLarge)?;
                std::fs::copy(&here, &there)?;
            }
            if files > limits::REHEARSAL_FILES {
                return Err(RehearsalError::TooLarge);
            }
        }
    }
    Ok(())
}
