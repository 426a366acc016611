//! Events that nobody posts: the ticks of schedules, files that are dropped into folders, the ends of runs. The process that decides on
//! events looks for them, and writes them down like any other.

use std::time::Instant;

use jiff::Timestamp;
use runbook_core::{ends, limits};
use runbook_engine::ends::Ends;
use runbook_engine::folder::{Dropped, Folders};
use runbook_engine::journal::JournalError;
use runbook_engine::ticker::Ticker;

use crate::App;
use crate::health::Topic;
use crate::serving::Now;

pub struct Inlets {
    ticker: Ticker,
    folders: Folders,
    looked: Option<Instant>,
    ends: Ends,
}

impl Inlets {
    pub fn of(app: &App, now: &Now) -> Inlets {
        let (intake, clock) = (&app.intake, &app.clock);
        let is_wanted = now.served.wants(ends::SOURCE);
        Inlets {
            ticker: Ticker::of(&now.unposted, intake.clone(), clock.clone()),
            folders: Folders::of(&now.unposted, &app.config.catalogue, intake.clone(), clock.clone()),
            looked: None,
            ends: Ends::of(is_wanted, intake.clone(), app.journal.clone(), clock.clone()),
        }
    }

    pub async fn look(&mut self, app: &App) -> Result<(), JournalError> {
        self.ticker.look().await?;
        let ended = self.ends.look().await?;
        app.metrics.events(ends::SOURCE, "new", ended as u64);
        // Where too many events wait for a decision, files wait where they are, as senders do.
        if self.looked.is_none_or(|at| at.elapsed() >= limits::FOLDER_LOOK) && app.health.is_ready() {
            self.looked = Some(Instant::now());
            let dropped = tokio::task::block_in_place(|| self.folders.look())?;
            let taken = dropped.iter().filter(|dropped| matches!(dropped, Dropped::Taken { .. })).count();
            if taken >= limits::FOLDER_TAKEN {
                // There may be more, once these are decided upon.
                self.looked = None;
            }
            self.tell(app, dropped);
        }
        Ok(())
    }

    fn tell(&self, app: &App, dropped: Vec<Dropped>) {
        let mut closed = Vec::new();
        for dropped in dropped {
            match dropped {
                Dropped::Taken { source, file, new, again } => {
                    app.metrics.delivery(&source, "taken");
                    app.metrics.events(&source, "new", new);
                    app.metrics.events(&source, "again", again);
                    tracing::debug!(source, file, new, again, "a file was taken");
                }
                Dropped::Refused { source, file, why } => {
                    app.metrics.delivery(&source, "refused");
                    tracing::warn!(source, file, why, "a file is no event, and lies in `.refused`");
                }
                Dropped::Left { source, file, why, others } => {
                    let others = if others == 0 { String::new() } else { format!(" ({others} more stay too)") };
                    closed.push(format!("`{file}` of `{source}` stays where it is: {why}{others}"));
                }
                Dropped::Closed { source, why } => closed.push(format!("from `{source}` nothing is taken: {why}")),
            }
        }
        match closed.is_empty() {
            true => app.health.well(Topic::Folder),
            false => app.health.trouble(Topic::Folder, closed.join("; ")),
        }
    }

    /// When there is something to look at, unless something comes before.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.ticker.next_due()
    }
}
