//! The right to act in a run. It lasts as long as the lease surely does: a process that was stopped for longer may have lost the
//! run without knowing. Whoever is about to change the world asks at the last moment, since what comes before (secrets from a
//! command, names from a server) can take its time, and waits until the lease is longer again. Where the run is lost, that
//! never comes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;

/// When a lease ends, by what the clock shows and by what has passed: it may be set back meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub shown: Timestamp,
    pub passed: Duration,
}

impl End {
    fn is_to_come(self, clock: &dyn Clock) -> bool {
        clock.now() < self.shown && clock.passed() < self.passed
    }
}

/// The side of the owner, who lengthens the lease.
pub struct Holder {
    clock: Arc<dyn Clock>,
    end: watch::Sender<End>,
}

impl Holder {
    pub fn new(clock: Arc<dyn Clock>, end: End) -> Holder {
        Holder { clock, end: watch::Sender::new(end) }
    }

    pub fn is_sure(&self) -> bool {
        self.end.borrow().is_to_come(&*self.clock)
    }

    pub fn lengthen(&self, end: End) {
        self.end.send_replace(end);
    }

    pub fn hold(&self) -> Hold {
        Hold(Some((self.clock.clone(), self.end.subscribe())))
    }
}

/// What was about to be done was not: the right to it had ended.
#[derive(Debug, thiserror::Error)]
#[error("the lease of the run has ended")]
pub struct Lost;

impl Lost {
    pub fn is_behind(error: &std::io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Lost>())
    }
}

/// The side of whoever acts. The default belongs to no run, and is never lost.
#[derive(Clone, Default)]
pub struct Hold(Option<(Arc<dyn Clock>, watch::Receiver<End>)>);

impl Hold {
    /// Whether the run surely belongs to this process at this moment.
    pub fn is_sure(&self) -> bool {
        self.0.as_ref().is_none_or(|(clock, end)| end.borrow().is_to_come(&**clock))
    }

    /// Returns while the run surely belongs to this process.
    pub async fn wait(&self) {
        let Some((clock, end)) = &self.0 else { return };
        let mut end = end.clone();
        if end.wait_for(|end| end.is_to_come(&**clock)).await.is_err() {
            // The owner is gone, and with it the right.
            std::future::pending().await
        }
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Hold").field(&self.0.as_ref().map(|(_, end)| *end.borrow())).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn whoever_acts_waits_while_the_lease_may_be_lost() {
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let end = |seconds| End {
            shown: clock.now() + Duration::from_secs(seconds),
            passed: clock.passed() + Duration::from_secs(seconds),
        };
        let holder = Holder::new(clock.clone(), end(10));
        let hold = holder.hold();
        let may_act = |hold: &Hold| hold.wait().now_or_never().is_some();
        for (later, lengthened, is_sure) in [(9, None, true), (1, None, false), (0, Some(5), true), (5, None, false)] {
            clock.advance(Duration::from_secs(later));
            if let Some(seconds) = lengthened {
                holder.lengthen(end(seconds));
            }
            assert_eq!((holder.is_sure(), may_act(&hold)), (is_sure, is_sure), "{later}");
        }
        let waiting = hold.wait();
        let mut waiting = std::pin::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        holder.lengthen(end(5));
        assert!(waiting.as_mut().now_or_never().is_some(), "it goes on once the lease is longer");
        clock.advance(Duration::from_secs(5));
        drop(holder);
        assert!(!may_act(&hold), "nobody will lengthen it");
        assert!(may_act(&Hold::default()));
    }
}
