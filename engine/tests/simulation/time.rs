//! Virtual time: what passes, and what the machine's clock says of it. The clock may be set forward and back; what passes
//! only passes.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use runbook_engine::clock::Clock;
use tokio::time::Instant;

/// What the clock shows at the beginning, in milliseconds since the epoch: the year 2026.
pub const ORIGIN: i64 = 1_767_225_600_000;

/// The machine's clock over tokio's paused time.
pub struct Time {
    start: Instant,
    skew: AtomicI64,
}

impl Time {
    pub fn new() -> Time {
        Time { start: Instant::now(), skew: AtomicI64::new(0) }
    }

    /// Milliseconds that have really passed.
    pub fn ms(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// Sets the clock forward or back.
    pub fn jump(&self, by: i64) {
        self.skew.fetch_add(by, Ordering::Relaxed);
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        let shown = self.ms() as i64 + self.skew.load(Ordering::Relaxed);
        Timestamp::from_millisecond(ORIGIN + shown).expect("a time of this age")
    }

    fn passed(&self) -> Duration {
        self.start.elapsed()
    }
}

pub async fn sleep(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
