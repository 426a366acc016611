//! What a run that nobody here drives needs, told from its record.

use jiff::Timestamp;
use runbook_core::document::procedure::Impact;
use runbook_core::run::event::Means;
use runbook_core::{Fact, RunId};
use runbook_engine::driver::{Outlook, owes_messages};
use runbook_engine::journal::{Journal, JournalError, Phase};
use runbook_engine::session::{self, SessionError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assessed {
    Ended,
    /// There is something to do in it.
    Ready {
        impact: Impact,
    },
    /// It waits for people, or until then.
    Waiting {
        seq: u64,
        until: Option<Timestamp>,
    },
    /// Another run has the lock that it wants.
    Locked {
        seq: u64,
    },
    /// Another process is at work on it; where it only waits there, after its event `left_at`.
    Elsewhere {
        left_at: Option<u64>,
    },
    /// Somebody took it up and parked it: they go on with it.
    Theirs,
}

/// Reads the whole record: to be called where others do not wait for it. `since` is the number of the event after which it was left to
/// wait, or 0.
pub fn assess(journal: &dyn Journal, now: Timestamp, id: &RunId, since: u64) -> Result<Assessed, SessionError> {
    let row = match journal.run(id) {
        // It is owed, and will be started.
        Err(JournalError::NoRun(_)) => return Ok(Assessed::Waiting { seq: 0, until: None }),
        row => row?,
    };
    if row.summary.phase == Phase::Ended {
        return Ok(Assessed::Ended);
    }
    if row.holder.is_some_and(|holder| holder.is_live(now)) {
        return Ok(Assessed::Elsewhere { left_at: (row.summary.phase == Phase::Waiting).then_some(row.seq) });
    }
    // Whoever decides on a run that waits does not take it up.
    let (mut is_engines, mut was_taken_up) = (false, since == 0);
    let (run, row) = session::replay(journal, id, &mut |_, event| match &event.fact {
        Fact::RunStarted(started) => is_engines = started.requested_by.means == Means::Engine,
        Fact::RunAdopted { by, .. } => {
            is_engines = by.means == Means::Engine;
            was_taken_up |= event.seq > since;
        }
        _ => {}
    })?;
    if row.summary.phase == Phase::Parked && was_taken_up && !is_engines && !run.is_cancelled() {
        return Ok(Assessed::Theirs);
    }
    let seq = row.seq;
    Ok(match Outlook::of(&run, now) {
        Outlook::Ended => Assessed::Ended,
        Outlook::Paused => Assessed::Waiting { seq, until: None },
        Outlook::Ready => Assessed::Ready { impact: run.plan().main().impact },
        Outlook::Waiting { .. } if owes_messages(journal, id, &run)? => Assessed::Ready { impact: run.plan().main().impact },
        Outlook::Waiting { until } => Assessed::Waiting { seq, until },
        Outlook::Locked { lock } => match journal.lock_holder(&lock)? {
            Some(holder) if holder != *id => Assessed::Locked { seq },
            _ => Assessed::Ready { impact: run.plan().main().impact },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use runbook_core::check::{Catalogue, CheckOptions, check};
    use runbook_core::diagnostic::Source;
    use runbook_core::document::{Document, load};
    use runbook_core::run::event::{Identity, RunStarted};
    use runbook_core::{Map, Plan};
    use runbook_engine::clock::{Clock, ManualClock};
    use runbook_engine::journal::{MemoryJournal, Owner, SharedJournal};
    use runbook_engine::message::Message;
    use runbook_engine::session::Session;

    use super::*;

    struct Scene {
        clock: Arc<ManualClock>,
        journal: SharedJournal,
        id: RunId,
    }

    fn person() -> Identity {
        Identity { person: "ada".to_owned(), means: Means::LocalUser { user: "ada".to_owned(), host: "here".to_owned() } }
    }

    fn engine() -> Identity {
        runbook_engine::driver::engine()
    }

    fn plan() -> Arc<Plan> {
        let text = "apiVersion: runbook/v1\nkind: Runbook\nname: p\nversion: 1.0.0\nimpact: high\nowner: o\nsteps: [{run: echo, effect: none}]\n";
        let (document, found) = load(&Source::new("p.yaml", text));
        let Some(Document::Procedure(procedure)) = document else { panic!("{found:#?}") };
        let (plan, found) = check(&procedure, &Catalogue::new([&*procedure], None), &CheckOptions::default());
        Arc::new(plan.unwrap_or_else(|| panic!("{found:#?}")))
    }

    impl Scene {
        /// A run that was started and parked.
        async fn of(by: Identity) -> Scene {
            let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
            let journal: SharedJournal = Arc::new(MemoryJournal::default());
            let (id, plan) = (RunId::from_parts(1, 7), plan());
            let started = RunStarted::of(&plan, Map::new(), by, 1).unwrap();
            let owner = Owner::named("x", 1);
            let session = Session::create(journal.clone(), clock.clone(), owner, Vec::new(), id.clone(), plan, started).await;
            session.unwrap().close().await.unwrap();
            Scene { clock, journal, id }
        }

        async fn taken_up(&self) -> Session {
            let owner = Owner::named("y", 2);
            Session::open(self.journal.clone(), self.clock.clone(), owner, Vec::new(), &self.id).await.unwrap()
        }

        async fn parked_by(&self, by: Identity) {
            let mut session = self.taken_up().await;
            session.adopt(by).unwrap();
            session.close().await.unwrap();
        }

        fn assessed(&self, since: u64) -> Assessed {
            assess(&*self.journal, self.clock.now(), &self.id, since).unwrap()
        }
    }

    const READY: Assessed = Assessed::Ready { impact: Impact::High };

    #[tokio::test]
    async fn what_events_started_goes_on_and_what_people_parked_is_theirs() {
        let scene = Scene::of(engine()).await;
        assert_eq!(scene.assessed(0), READY);
        let held = scene.taken_up().await;
        assert_eq!(scene.assessed(0), Assessed::Elsewhere { left_at: None });
        held.close().await.unwrap();
        scene.parked_by(engine()).await;
        assert_eq!(scene.assessed(0), READY, "another server stopped");
        scene.parked_by(person()).await;
        assert_eq!(scene.assessed(0), Assessed::Theirs);
        assert_eq!(scene.assessed(2), Assessed::Theirs, "since it was left, somebody took it up");
        assert_eq!(scene.assessed(3), READY, "nobody did: a message came");
        scene.parked_by(engine()).await;
        assert_eq!(scene.assessed(0), READY);
        assert_eq!(Scene::of(person()).await.assessed(0), Assessed::Theirs);
    }

    #[tokio::test]
    async fn what_was_cancelled_is_ended_whoever_parked_it() {
        let scene = Scene::of(engine()).await;
        scene.parked_by(person()).await;
        let mut session = scene.taken_up().await;
        session.receive(Message::Cancel { by: engine(), undo: false, reason: "over".to_owned() }).unwrap();
        session.close().await.unwrap();
        assert_eq!(scene.assessed(0), READY);
    }

    #[tokio::test]
    async fn a_run_that_is_owed_is_waited_for() {
        let scene = Scene::of(engine()).await;
        let other = Scene { id: RunId::from_parts(1, 8), ..scene };
        assert_eq!(other.assessed(0), Assessed::Waiting { seq: 0, until: None });
    }
}
