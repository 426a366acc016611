//! `runbook replay`: a recorded run, of the store or of an export, shown by the screen that showed it live; with `--follow` also
//! what is recorded from now on, for somebody who watches a run that another process is at work on.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::run::{Event, Run};
use runbook_core::{RunId, limits};
use runbook_engine::journal::export::Exported;
use runbook_engine::verify::{Evidence, verify_export};

use super::store::{Follower, Home};
use crate::args::Replay;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::screen::Screen;
use crate::ui::words::{between, shell_word};

/// How often a followed run is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub fn run(args: &Replay, settings: &Settings, ui: &mut Ui) -> Outcome {
    let speed = match args.speed {
        Some(speed) if speed.is_finite() && speed > 0.0 => Some(speed),
        Some(speed) => return Err(Trouble::not_valid(format!("{speed} is not a speed")).next("give a number above 0, such as 10")),
        None => None,
    };
    let mut last: Option<Timestamp> = None;
    let mut pause = |event: &Event| {
        if let (Some(speed), Some(before)) = (speed, last.replace(event.at)) {
            let pause = between(before, event.at).as_secs_f64() / speed;
            std::thread::sleep(Duration::try_from_secs_f64(pause).unwrap_or_default());
        }
    };
    let path = Path::new(&args.what);
    if path.is_file() {
        return of_export(path, args, &mut pause, ui);
    }
    let home = Home::open(settings)?;
    let id = home.find_or_file(&args.what)?;
    let mut screen = Screen::of_record(ui);
    let (mut run, _) = home.replay_with(&id, &mut |run, event| {
        pause(event);
        screen.event(run, event);
    })?;
    if args.follow {
        let mut follower = Follower::default();
        while let Some(events) = follow(&home, &id, run.seq(), &mut follower)? {
            show(&mut run, &events, &mut screen)?;
            screen.tick(&id, home.tails());
            std::thread::sleep(LOOK);
        }
    }
    screen.close();
    ui.next(&format!("runbook show {id}"));
    Ok(Exit::Succeeded)
}

/// A run from a file of `runbook export`. One that does not prove itself is not shown as if it did.
fn of_export(path: &Path, args: &Replay, pause: &mut dyn FnMut(&Event), ui: &mut Ui) -> Outcome {
    let verify = format!("runbook verify {}", shell_word(&args.what));
    if args.follow {
        return Err(Trouble::not_valid("a file does not grow: `--follow` is of a run in the store").next("runbook runs"));
    }
    let cannot = |why: std::io::Error| Trouble::unreadable(path, &why);
    let open = || File::open(path).map(BufReader::new).map_err(cannot);
    let found = verify_export(open()?, &Evidence::default()).map_err(cannot)?;
    if let Some(fault) = found.faults.first() {
        return Err(Trouble::failed(format!("{} is not whole: {fault}", path.display())).next(verify));
    }
    let mut exported = Exported::open(open()?)?;
    let mut screen = Screen::of_record(ui);
    let mut run = Run::new(Arc::new(exported.plan.clone()));
    while let Some(event) = exported.event()? {
        pause(&event);
        show(&mut run, &[event], &mut screen)?;
    }
    screen.close();
    ui.next(&verify);
    Ok(Exit::Succeeded)
}

/// The events after the last one that was seen. `None` where nothing further can come.
fn follow(home: &Home, id: &RunId, seen: u64, follower: &mut Follower) -> Result<Option<Vec<Event>>, Trouble> {
    let row = home.archive.run(id)?;
    if row.seq <= seen {
        return Ok(follower.goes_on(home, &row).then(Vec::new));
    }
    let page = home.archive.records(id, seen + 1, limits::RECORDS_PAGE)?;
    let events: Result<Vec<Event>, _> = page.iter().map(|record| record.decode(row.format)).collect();
    Ok(Some(events?))
}

fn show(run: &mut Run, events: &[Event], screen: &mut Screen) -> Result<(), Trouble> {
    for event in events {
        run.apply(event).map_err(|why| Trouble::failed(why.to_string()))?;
        screen.event(run, event);
    }
    Ok(())
}
