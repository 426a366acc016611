//! Tells whoever follows a run that its record may have grown, and nobody else: there may be a thousand who follow runs in which nothing
//! happens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runbook_core::RunId;
use tokio::sync::watch;

#[derive(Debug, Default)]
pub struct Growth {
    followed: Mutex<HashMap<RunId, watch::Sender<()>>>,
}

impl Growth {
    pub fn follow(self: &Arc<Growth>, run: &RunId) -> Follower {
        let told = self.followed().entry(run.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        Follower { of: self.clone(), run: run.clone(), told: Some(told) }
    }

    pub fn tell(&self, run: &RunId) {
        if let Some(sender) = self.followed().get(run) {
            sender.send_replace(());
        }
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<RunId, watch::Sender<()>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of one run.
#[derive(Debug)]
pub struct Follower {
    of: Arc<Growth>,
    run: RunId,
    told: Option<watch::Receiver<()>>,
}

impl Follower {
    /// Returns once it was told since the last time.
    pub async fn grown(&mut self) {
        let told = match &mut self.told {
            Some(told) => told.changed().await.is_ok(),
            None => false,
        };
        if !told {
            // Nobody tells any more: the server ends.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut followed = self.of.followed();
        self.told = None;
        if followed.get(&self.run).is_some_and(|sender| sender.receiver_count() == 0) {
            followed.remove(&self.run);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_follows_a_run_is_told_of_that_one_also_where_they_do_not_wait_yet() {
        let growth = Arc::new(Growth::default());
        let (one, other) = (RunId::from_parts(1, 1), RunId::from_parts(1, 2));
        let (mut first, mut second) = (growth.follow(&one), growth.follow(&one));
        growth.tell(&one);
        growth.tell(&other);
        first.grown().await;
        let again = tokio::time::timeout(Duration::from_millis(10), first.grown()).await;
        assert!(again.is_err(), "once for each time that it was told");
        drop(first);
        second.grown().await;
        drop(second);
        assert!(growth.followed().is_empty(), "nothing is kept of what nobody follows");
    }
}
