//! One simulation from beginning to end: processes are started, struck and started again until every run has ended. What
//! comes out is a history: the exported records, what really happened, and what was acknowledged to whom.

use std::sync::{Arc, Mutex};

use runbook_core::policy::ahead::Ahead;
use runbook_core::run::event::{Part, RunStarted};
use runbook_core::{Digest, Event, Map, Plan, Run, RunId, Value};
use runbook_engine::clock::Clock;
use runbook_engine::driver::{Driver, Patience, Stop, Wish, World as DriverWorld};
use runbook_engine::journal::export::export;
use runbook_engine::journal::{Archive, Journal, JournalError, NewAhead, Owner, Phase, Record, SharedJournal};
use runbook_engine::message::Answer;
use runbook_engine::session::{Observer, Session, SessionError, deliver};
use tokio::task::JoinSet;

use crate::dice::Dice;
use crate::disk::{Commit, Disk, Handle};
use crate::people::{Crowd, Saying, Told, person};
use crate::process::Process;
use crate::scenario::{self, Early, Scenario, Trouble, Who};
use crate::time::{Time, sleep};
use crate::world::{Hands, Ledger, World};

/// How often the simulator looks around.
const GLANCE: u64 = 250;
/// From here on nothing breaks any more, and people do what they should: every run must end.
const PEACE: u64 = 150_000;
/// No run takes so long.
const LIMIT: u64 = 900_000;

/// An engine process at work.
#[derive(Clone, Debug)]
pub struct Shift {
    pub run: String,
    pub process: u32,
    /// When it began to drive, and when it was gone.
    pub from: u64,
    pub to: u64,
    /// Whether nothing is thrown at it.
    pub spared: bool,
}

/// An event that a process saw to be on the disk.
#[derive(Clone, Debug)]
pub struct Seen {
    pub run: String,
    pub seq: u64,
    pub kind: &'static str,
    pub at: String,
}

/// An approval that somebody gave ahead, or died while they did.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its reason too: it stands in no other vote.
    pub id: String,
    pub early: Early,
    /// Milliseconds since the epoch.
    pub expires: i64,
    /// Uses that the journal has left for it at the end.
    pub left: u32,
}

#[derive(Clone, Debug)]
pub struct History {
    /// The export of each run.
    pub exports: Vec<(String, String)>,
    pub ledger: Ledger,
    pub commits: Vec<Commit>,
    pub told: Vec<Told>,
    pub aheads: Vec<Given>,
    pub seen: Vec<Seen>,
    pub shifts: Vec<Shift>,
    /// Faults of the engine itself that nothing explains.
    pub faults: Vec<String>,
}

/// Keeps what was observed, once it is on the disk.
struct Ear {
    run: String,
    loose: Vec<Seen>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Observer for Ear {
    fn observe(&mut self, _: &Run, event: &Event, _: &Record) {
        let (seq, kind, at) = (event.seq, event.fact.kind(), event.at.to_string());
        self.loose.push(Seen { run: self.run.clone(), seq, kind, at });
    }

    fn committed(&mut self, seq: u64) {
        let (safe, loose) = std::mem::take(&mut self.loose).into_iter().partition(|seen: &Seen| seen.seq <= seq);
        self.loose = loose;
        let safe: Vec<Seen> = safe;
        self.seen.lock().expect("nothing panics with it").extend(safe);
    }
}

struct Simulation<'s> {
    scenario: &'s Scenario,
    plan: Arc<Plan>,
    time: Arc<Time>,
    disk: Arc<Disk>,
    world: Arc<World>,
    seen: Arc<Mutex<Vec<Seen>>>,
    shifts: Arc<Mutex<Vec<Shift>>>,
    processes: u32,
    engines: u32,
    persons: u32,
}

enum Ended {
    Engine(usize, u32, Option<Result<(), SessionError>>),
    Person(Box<Told>, Option<SessionError>),
    /// Somebody who has given an approval ahead.
    Giver(Option<JournalError>),
}

/// Plays a scenario. `Err` says what is wrong before any record is judged.
pub fn simulate(scenario: &Scenario, plan: &Arc<Plan>) -> Result<History, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let time = Arc::new(Time::new());
        let disk = Disk::new(time.clone());
        let world = World::new(scenario, time.clone(), disk.clone());
        let simulation = Simulation {
            scenario,
            plan: plan.clone(),
            time,
            disk,
            world,
            seen: Arc::default(),
            shifts: Arc::default(),
            processes: 0,
            engines: 0,
            persons: 0,
        };
        simulation.play().await
    })
}

impl Simulation<'_> {
    async fn play(mut self) -> Result<History, String> {
        let runs: Vec<RunId> = (1..=self.scenario.runs).map(|number| RunId::from_parts(1, u128::from(number))).collect();
        let mut dice = Dice::of(self.scenario.seed, "restarts");
        let mut crowd = Crowd::new(self.scenario.seed, self.scenario.wild, self.disk.clone(), self.world.clone());
        let mut processes: JoinSet<Ended> = JoinSet::new();
        let mut due: Vec<(u64, usize)> = (0..runs.len()).map(|run| (300 * run as u64, run)).collect();
        due.extend(self.scenario.rivals.iter().map(|at| (*at, 0)));
        let mut meddling = self.scenario.meddling.clone();
        let mut early = self.scenario.aheads.clone();
        let mut aheads: Vec<Given> = Vec::new();
        let mut jumps = self.scenario.jumps.clone();
        let mut told = Vec::new();
        let mut faults = Vec::new();
        let mut talking = 0;
        loop {
            let now = self.time.ms();
            while let Some(ended) = processes.try_join_next() {
                match ended.map_err(|error| format!("a process broke: {error}"))? {
                    Ended::Engine(run, process, left) => {
                        note_end(&self.shifts, process, now);
                        if let Some(Err(error)) = left {
                            faults.extend(self.unexplained(&error));
                        }
                        let rest = dice.pick(&[100, 900, 4_000, 12_000]);
                        due.push((now + if now > PEACE { 100 } else { rest }, run));
                    }
                    Ended::Person(heard, error) => {
                        talking -= 1;
                        faults.extend(error.and_then(|error| self.unexplained(&error)));
                        told.push(*heard);
                    }
                    Ended::Giver(error) => {
                        talking -= 1;
                        faults.extend(error.and_then(|error| self.unexplained(&error.into())));
                    }
                }
            }
            let ended: Vec<bool> = runs.iter().map(|run| self.has_ended(run)).collect();
            let undo_later = meddling.iter().any(|(at, _)| *at > now) && now < PEACE;
            if ended.iter().all(|ended| *ended) && talking == 0 && !undo_later {
                break;
            }
            if now > LIMIT {
                return Err(self.stuck(&runs));
            }
            if now > PEACE {
                self.disk.bury();
            }
            for place in (0..jumps.len()).rev().filter(|place| jumps[*place].0 <= now).collect::<Vec<_>>() {
                self.world.count("a jump of the clock");
                self.time.jump(jumps.remove(place).1);
            }
            for place in (0..early.len()).rev().filter(|place| early[*place].at <= now).collect::<Vec<_>>() {
                talking += 1;
                let given = self.given(aheads.len(), early.remove(place));
                self.start_giver(&mut processes, &given);
                aheads.push(given);
            }
            for place in (0..due.len()).rev().filter(|place| due[*place].0 <= now).collect::<Vec<_>>() {
                let (_, run) = due.swap_remove(place);
                if !ended[run] || now == 0 {
                    self.start_engine(&mut processes, run, runs[run].clone(), &mut dice);
                } else {
                    due.push((now + 2_000, run));
                }
            }
            let mut sayings = crowd.look(now, now > PEACE);
            for place in (0..meddling.len()).rev().filter(|place| meddling[*place].0 <= now).collect::<Vec<_>>() {
                let (_, what) = meddling.remove(place);
                sayings.push(crowd.meddle(&runs[0], what));
            }
            if now > PEACE && self.is_paused(&runs[0]) && talking == 0 {
                sayings.push(crowd.meddle(&runs[0], crate::scenario::Meddling::Resume));
            }
            for saying in sayings {
                talking += 1;
                self.start_person(&mut processes, saying);
            }
            sleep(GLANCE).await;
        }
        processes.shutdown().await;
        let kept = self.disk.memory().aheads(&self.plan.main().name, jiff::Timestamp::MIN).unwrap_or_default();
        for given in &mut aheads {
            given.left = kept.iter().find(|kept| kept.body["id"] == given.id.as_str()).map_or(0, |kept| kept.uses_left);
        }
        let exports = runs.iter().map(|run| Ok((run.to_string(), self.exported(run)?))).collect::<Result<_, String>>()?;
        let (seen, mut shifts) =
            (std::mem::take(&mut *self.seen.lock().expect("it is over")), self.shifts.lock().expect("it is over"));
        let now = self.time.ms();
        shifts.iter_mut().filter(|shift| shift.to == 0).for_each(|shift| shift.to = now);
        let shifts = shifts.clone();
        let (mut ledger, commits) = (self.world.take_ledger(), self.disk.commits());
        ledger.seen.extend(self.disk.seen());
        Ok(History { exports, ledger, commits, told, aheads, seen, shifts, faults })
    }

    fn exported(&self, run: &RunId) -> Result<String, String> {
        let mut text = Vec::new();
        export(&*self.disk.memory(), run, &mut text).map_err(|error| format!("run {run} cannot be exported: {error}"))?;
        String::from_utf8(text).map_err(|error| error.to_string())
    }

    fn has_ended(&self, run: &RunId) -> bool {
        self.disk.memory().run(run).is_ok_and(|row| row.summary.phase == Phase::Ended)
    }

    fn is_paused(&self, run: &RunId) -> bool {
        self.disk.memory().run(run).is_ok_and(|row| row.summary.phase == Phase::Paused)
    }

    fn stuck(&self, runs: &[RunId]) -> String {
        let ends: Vec<String> = runs.iter().map(|run| self.exported(run).unwrap_or_else(|error| error)).collect();
        let last = |text: &String| text.lines().rev().take(6).map(str::to_owned).collect::<Vec<_>>().join("\n");
        format!("a run does not end:\n{}", ends.iter().map(last).collect::<Vec<_>>().join("\n\n"))
    }

    /// A trouble of the engine that no fault of the scenario explains.
    fn unexplained(&self, error: &SessionError) -> Option<String> {
        let journal = match error {
            SessionError::Journal(error) | SessionError::Stopped(error) => error,
            other => return Some(other.to_string()),
        };
        let broken = !self.scenario.troubles.is_empty() || !self.scenario.strikes.is_empty();
        match journal {
            JournalError::Held { .. } => None,
            JournalError::Full { .. } | JournalError::Stopped(_) if broken => None,
            JournalError::Stale { .. } | JournalError::NoRun(_) | JournalError::Exists(_) if !self.scenario.is_calm() => None,
            other => Some(other.to_string()),
        }
    }

    fn troubles(&self, who: Who) -> Vec<(u32, Trouble)> {
        self.scenario.troubles.iter().filter(|(of, _, _)| *of == who).map(|(_, write, trouble)| (*write, *trouble)).collect()
    }

    fn process<T>(&self, who: Who, handle: &Arc<Handle>, work: impl Future<Output = T> + Send + 'static) -> Process<T> {
        let strikes = self.scenario.strikes.iter().filter(|strike| strike.who == who);
        let blows = strikes.map(|strike| (strike.poll, strike.blow)).collect();
        Process::new(work, handle.clone(), self.disk.clone(), self.world.clone(), blows)
    }

    fn start_engine(&mut self, processes: &mut JoinSet<Ended>, place: usize, run: RunId, dice: &mut Dice) {
        if self.shifts.lock().expect("nothing panics with it").iter().any(|shift| shift.run == run.as_str() && shift.to == 0) {
            self.world.count("a second process");
        }
        self.processes += 1;
        self.engines += 1;
        let (process, who) = (self.processes, Who::Engine(self.engines));
        let handle = self.disk.open(process, self.troubles(who));
        let patience = if self.scenario.patient && !dice.one_in(4) { Patience::Wait } else { Patience::Park };
        let engine = Engine {
            run,
            process,
            spared: self.scenario.spares(who),
            patience,
            handle: handle.clone(),
            plan: self.plan.clone(),
            time: self.time.clone(),
            world: self.world.clone(),
            seen: self.seen.clone(),
            shifts: self.shifts.clone(),
            n: self.scenario.n,
            seed: self.scenario.seed,
            stepwise: self.scenario.stepwise,
            part: match &self.scenario.part {
                scenario::Part::Whole => Part::Whole,
                scenario::Part::From(id) => Part::From(id.parse().expect("an id")),
                scenario::Part::Only(ids) => Part::Only(ids.iter().map(|id| id.parse().expect("an id")).collect()),
            },
            park: self.scenario.parks.iter().find(|(number, _)| *number == self.engines).map(|(_, after)| *after),
        };
        let process_of = self.process(who, &handle, engine.work());
        processes.spawn(async move { Ended::Engine(place, process, process_of.await) });
    }

    fn given(&self, number: usize, early: Early) -> Given {
        let expires = self.time.now().as_millisecond() + early.lasts as i64;
        Given { id: format!("ahead-{number}."), early, expires, left: 0 }
    }

    fn start_giver(&mut self, processes: &mut JoinSet<Ended>, given: &Given) {
        self.processes += 1;
        self.persons += 1;
        let (main, early, who) = (self.plan.main(), &given.early, Who::Person(self.persons));
        let expires = jiff::Timestamp::from_millisecond(given.expires).expect("a time of this age");
        let ahead = Ahead {
            id: given.id.clone(),
            by: person(early.who),
            reason: given.id.clone(),
            procedure: main.name.clone(),
            version: main.version,
            plan: self.plan.digest().expect("a plan has a digest"),
            step: early.step.parse().expect("a path"),
            environment: None,
            inputs: early.n.map(|n| Digest::of_json(&inputs(n)).expect("it is JSON")),
            uses: early.uses,
            uses_left: early.uses,
            expires,
            signature: None,
        };
        let body = serde_json::to_value(&ahead).expect("it is JSON");
        let new = NewAhead { procedure: main.name.clone(), body, uses: early.uses, expires_at: expires };
        let handle = self.disk.open(self.processes, self.troubles(who));
        let journal = handle.clone();
        let process = self.process(who, &handle, async move { journal.decide_ahead(new).await });
        processes.spawn(async move { Ended::Giver(process.await.and_then(Result::err)) });
    }

    fn start_person(&mut self, processes: &mut JoinSet<Ended>, saying: Saying) {
        self.processes += 1;
        self.persons += 1;
        let who = Who::Person(self.persons);
        let handle = self.disk.open(self.processes, self.troubles(who));
        let owner = Owner::named(saying.who, u64::from(self.processes));
        let (journal, clock): (SharedJournal, Arc<dyn Clock>) = (handle.clone(), self.time.clone());
        let said = saying.clone();
        let process = self.process(who, &handle, async move { deliver(journal, clock, owner, &said.run, said.message).await });
        let (time, from) = (self.time.clone(), self.time.ms());
        processes.spawn(async move {
            let (answer, error) = match process.await {
                None => (None, None),
                Some(Ok(Answer::Accepted { seq })) => (Some(Ok(seq)), None),
                Some(Ok(Answer::Refused { why })) => (Some(Err(why)), None),
                Some(Err(error)) => (None, Some(error)),
            };
            Ended::Person(Box::new(Told { saying, answer, from, to: time.ms() }), error)
        });
    }
}

fn inputs(n: i64) -> Map {
    Map::from([("n".to_owned(), Value::Int(n))])
}

fn note_end(shifts: &Mutex<Vec<Shift>>, process: u32, now: u64) {
    let mut shifts = shifts.lock().expect("nothing panics with it");
    shifts.iter_mut().filter(|shift| shift.process == process && shift.to == 0).for_each(|shift| shift.to = now);
}

/// One engine process.
struct Engine {
    run: RunId,
    process: u32,
    spared: bool,
    patience: Patience,
    handle: Arc<Handle>,
    plan: Arc<Plan>,
    time: Arc<Time>,
    world: Arc<World>,
    seen: Arc<Mutex<Vec<Seen>>>,
    shifts: Arc<Mutex<Vec<Shift>>>,
    n: i64,
    seed: u64,
    stepwise: bool,
    part: Part,
    /// When it is told to leave the run.
    park: Option<u64>,
}

impl Engine {
    async fn work(self) -> Result<(), SessionError> {
        let (journal, clock): (SharedJournal, Arc<dyn Clock>) = (self.handle.clone(), self.time.clone());
        let owner = Owner::named("anna", u64::from(self.process));
        let ear = Ear { run: self.run.to_string(), loose: Vec::new(), seen: self.seen.clone() };
        let mut session = if self.handle.run(&self.run).is_ok() {
            let mut session = Session::open(journal, clock.clone(), owner, vec![Box::new(ear)], &self.run).await?;
            if session.run().outcome().is_some() {
                return session.close().await;
            }
            session.adopt(person("anna"))?;
            session
        } else {
            let started = self.started();
            Session::create(journal, clock.clone(), owner, vec![Box::new(ear)], self.run.clone(), self.plan.clone(), started)
                .await?
        };
        let (run, process, spared, from) = (self.run.to_string(), self.process, self.spared, self.time.ms());
        self.shifts.lock().expect("nothing panics with it").push(Shift { run, process, from, to: 0, spared });
        let (wishing, wishes) = tokio::sync::mpsc::unbounded_channel();
        let performer = Arc::new(Hands { world: self.world.clone(), handle: self.handle.clone() });
        let world = DriverWorld { performer, wishes };
        let wish = async {
            if let Some(after) = self.park {
                sleep(after).await;
                // The process may have ended.
                let _ = wishing.send(Wish::Park);
            }
            std::future::pending::<()>().await;
        };
        let stop = tokio::select! {
            biased;
            stop = Driver::new(&mut session, world, self.patience, Box::new(|_, _| {})).drive() => stop,
            () = wish => unreachable!("it waits for ever"),
        };
        note_end(&self.shifts, process, self.time.ms());
        let stop = stop?;
        self.world.count(match stop {
            Stop::Finished(_) => "a process that ends with its run",
            Stop::Waiting(_) => "a process that leaves a waiting run",
            Stop::Paused => "a process that leaves a paused run",
            Stop::Parked => "a process that was told to leave",
        });
        session.close().await
    }

    fn started(&self) -> RunStarted {
        let main = self.plan.main();
        RunStarted {
            procedure: main.name.clone(),
            version: main.version,
            plan: self.plan.digest().expect("a plan has a digest"),
            semantics: self.plan.semantics,
            inputs: inputs(self.n),
            event: None,
            environment: None,
            requested_by: person("anna"),
            seed: self.seed,
            part: self.part.clone(),
            stepwise: self.stepwise,
            catalogue: None,
            lock: main.lock.as_ref().map(|_| "the-lock".to_owned()),
            root: None,
        }
    }
}
