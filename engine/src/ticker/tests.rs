use std::collections::BTreeMap;
use std::time::Duration;

use runbook_core::event_source::Missed;

use super::*;
use crate::clock::ManualClock;
use crate::intake::EventFilter;
use crate::journal::Commits;

struct Scene {
    _folder: tempfile::TempDir,
    intake: Arc<Intake>,
    clock: Arc<ManualClock>,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let intake = Arc::new(Intake::open(&folder.path().join("state"), Commits::OnTheSpot).unwrap());
        let clock = Arc::new(ManualClock::at("2026-01-01T00:30:00Z".parse().unwrap()));
        Scene { _folder: folder, intake, clock }
    }

    /// A process with a schedule of this rule.
    fn process(&self, cron: &str) -> Ticker {
        let schedule =
            Schedule { cron: cron.to_owned(), zone: "UTC".to_owned(), late: Duration::from_secs(300), missed: Missed::Skip };
        let source = EventSource { kind: SourceKind::Schedule(schedule), secrets: BTreeMap::new() };
        let sources = BTreeMap::from([("hourly".to_owned(), source)]);
        Ticker::of(&sources, self.intake.clone(), self.clock.clone())
    }

    fn at(&self, time: &str) {
        self.clock.set(format!("2026-01-01T{time}Z").parse().unwrap());
    }

    /// Ids of all events, the oldest first, and how often each came again.
    fn told(&self) -> Vec<String> {
        let mut all = self.intake.events(&EventFilter::default()).unwrap();
        all.reverse();
        all.into_iter().map(|arrived| format!("{} {}", arrived.event.id, arrived.again)).collect()
    }
}

#[tokio::test]
async fn ticks_are_written_down_once_whoever_looks() {
    let scene = Scene::new();
    let mut first = scene.process("0 * * * *");
    assert_eq!(first.next_due(), Some(scene.clock.now()), "the first look is due at once");
    assert_eq!(first.look().await, Ok(0), "what was before the first look is nobody's loss");
    assert_eq!(first.next_due(), Some("2026-01-01T01:00:00Z".parse().unwrap()));
    scene.at("01:00:00");
    assert_eq!(first.look().await, Ok(1));
    assert_eq!(first.look().await, Ok(0));
    // A process that looked before does not know of it.
    let mut second = scene.process("0 * * * *");
    assert_eq!(second.look().await, Ok(0));
    scene.at("02:00:01");
    assert_eq!((first.look().await, second.look().await), (Ok(1), Ok(0)));
    assert_eq!(scene.told(), ["2026-01-01T01:00:00Z 0", "2026-01-01T02:00:00Z 1"]);
}

#[tokio::test]
async fn what_nobody_saw_is_told_by_the_next_process() {
    let scene = Scene::new();
    scene.process("0 * * * *").look().await.unwrap();
    scene.at("05:02:00");
    assert_eq!(scene.process("0 * * * *").look().await, Ok(2));
    assert_eq!(scene.told(), ["missed/2026-01-01T01:00:00Z/2026-01-01T04:00:00Z 0", "2026-01-01T05:00:00Z 0"]);
    // Of another rule nobody has looked before: nothing was missed.
    scene.at("09:10:00");
    let mut other = scene.process("15 * * * *");
    assert_eq!(other.look().await, Ok(0));
    scene.at("09:15:00");
    assert_eq!(other.look().await, Ok(1));
}

#[tokio::test]
async fn a_clock_that_is_set_back_repeats_no_tick_and_waits_for_none_that_was() {
    let scene = Scene::new();
    let mut ticker = scene.process("0 * * * *");
    ticker.look().await.unwrap();
    // For a moment the clock is hours ahead.
    scene.at("04:00:00");
    assert_eq!(ticker.look().await, Ok(2));
    scene.at("00:59:00");
    assert_eq!(ticker.look().await, Ok(0));
    assert_eq!(ticker.next_due(), Some("2026-01-01T01:00:00Z".parse().unwrap()));
    for (time, new) in [("01:00:00", 1), ("02:00:00", 1), ("03:00:00", 1), ("04:00:00", 0), ("05:00:00", 1)] {
        scene.at(time);
        assert_eq!(ticker.look().await, Ok(new), "{time}");
    }
    assert_eq!(ticker.look().await, Ok(0));
    // It was behind for a while and is right again: every tick was there, and none is missed.
    for (time, new) in [("02:30:00", 0), ("03:30:00", 0), ("05:30:00", 0), ("06:00:00", 1)] {
        scene.at(time);
        assert_eq!(ticker.look().await, Ok(new), "{time}");
    }
}
