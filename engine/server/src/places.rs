//! A bounded number of places for what others can hold up: connections that ask for nothing, bodies that do not come. Where all are
//! taken, whoever has kept theirs idle for longest makes room, so that nobody is kept out by those who only stay.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    /// Those that are idle, in the order in which they became so.
    idle: Mutex<BTreeMap<u64, (Instant, CancellationToken)>>,
    turns: AtomicU64,
    /// One has become idle.
    became_idle: Notify,
    /// How long one has to have been idle before it makes room.
    grace: Duration,
}

impl Places {
    pub fn new(count: usize, grace: Duration) -> Arc<Places> {
        let free = Arc::new(Semaphore::new(count));
        Arc::new(Places { free, idle: Mutex::default(), turns: AtomicU64::new(1), became_idle: Notify::new(), grace })
    }

    /// Waits for a place.
    pub async fn enter(self: &Arc<Places>) -> Arc<Place> {
        loop {
            if let Some(place) = self.try_enter() {
                return place;
            }
            let freed = self.free.clone().acquire_owned();
            if self.make_room() {
                // The one that leaves gives its place back in a moment.
                if let Ok(permit) = freed.await {
                    return self.place(permit);
                }
            }
            tokio::select! {
                permit = self.free.clone().acquire_owned() => if let Ok(permit) = permit { return self.place(permit) },
                () = self.became_idle.notified() => {}
            }
        }
    }

    pub fn try_enter(self: &Arc<Places>) -> Option<Arc<Place>> {
        Some(self.place(self.free.clone().try_acquire_owned().ok()?))
    }

    /// Asks the one that has been idle for longest to leave. False where none has been for long enough.
    pub fn make_room(&self) -> bool {
        let mut idle = self.idle();
        match idle.first_entry() {
            Some(longest) if longest.get().0.elapsed() >= self.grace => {
                longest.remove().1.cancel();
                true
            }
            _ => false,
        }
    }

    fn place(self: &Arc<Places>, permit: OwnedSemaphorePermit) -> Arc<Place> {
        let place = Place { of: self.clone(), turn: AtomicU64::new(0), leave: CancellationToken::new(), _permit: permit };
        place.rest();
        Arc::new(place)
    }

    fn idle(&self) -> MutexGuard<'_, BTreeMap<u64, (Instant, CancellationToken)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them: idle at first.
#[derive(Debug)]
pub struct Place {
    of: Arc<Places>,
    /// Its turn among those that are idle; 0 where it is not.
    turn: AtomicU64,
    leave: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// Others wait for it, and it was idle.
    pub async fn must_leave(&self) {
        self.leave.cancelled().await;
    }

    /// It is not idle as long as this lives.
    pub fn work(self: &Arc<Place>) -> Work {
        self.of.idle().remove(&self.turn.swap(0, Ordering::Relaxed));
        Work(self.clone())
    }

    fn rest(&self) {
        let turn = self.of.turns.fetch_add(1, Ordering::Relaxed);
        self.turn.store(turn, Ordering::Relaxed);
        self.of.idle().insert(turn, (Instant::now(), self.leave.clone()));
        self.of.became_idle.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.idle().remove(&self.turn.load(Ordering::Relaxed));
    }
}

#[derive(Debug)]
pub struct Work(Arc<Place>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn must_leave(place: &Place) -> bool {
        place.leave.is_cancelled()
    }

    #[tokio::test]
    async fn whoever_has_been_idle_for_longest_makes_room() {
        let places = Places::new(3, Duration::ZERO);
        let (first, second, third) = (places.enter().await, places.enter().await, places.enter().await);
        assert!(places.try_enter().is_none());
        let work = first.work();
        // It has been at work since, and was idle for less long than the third.
        drop(second.work());
        let entering = tokio::spawn({
            let places = places.clone();
            async move { places.enter().await }
        });
        third.must_leave().await;
        assert!(!must_leave(&first) && !must_leave(&second));
        drop(third);
        let fourth = entering.await.unwrap();
        assert!(places.make_room() && must_leave(&second));
        assert!(places.make_room() && must_leave(&fourth));
        assert!(!places.make_room(), "who works is left alone");
        drop(work);
        assert!(places.make_room() && must_leave(&first));
    }

    #[tokio::test]
    async fn nobody_leaves_before_their_time() {
        let places = Places::new(1, Duration::from_secs(3600));
        let place = places.enter().await;
        assert!(!places.make_room() && places.try_enter().is_none());
        let waiting = tokio::time::timeout(Duration::from_millis(20), places.enter()).await;
        assert!(waiting.is_err() && !must_leave(&place));
        drop(place);
        assert!(places.try_enter().is_some());
    }
}
