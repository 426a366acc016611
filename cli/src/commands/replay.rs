//! `runbook replay`: a recorded run, shown by the screen that showed it live; with `--follow` also what is recorded from now on,
//! for somebody who watches a run that another process is at work on.

use std::time::Duration;

use jiff::Timestamp;
use runbook_core::run::{Event, Run};
use runbook_core::{RunId, limits};
use runbook_engine::journal::chain;

use super::store::Home;
use crate::args::Replay;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::screen::Screen;
use crate::ui::words::between;

/// How often a followed run is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub fn run(args: &Replay, settings: &Settings, ui: &mut Ui) -> Outcome {
    let speed = match args.speed {
        Some(speed) if speed.is_finite() && speed > 0.0 => Some(speed),
        Some(speed) => return Err(Trouble::not_valid(format!("{speed} is not a speed")).next("give a number above 0, such as 10")),
        None => None,
    };
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    let format = home.journal.run(&id)?.format;
    let mut screen = Screen::of_record(ui, chain::genesis(format, &id));
    let mut last: Option<Timestamp> = None;
    let (mut run, _) = home.replay_with(&id, &mut |run, event| {
        if let (Some(speed), Some(before)) = (speed, last) {
            let pause = between(before, event.at).as_secs_f64() / speed;
            std::thread::sleep(Duration::try_from_secs_f64(pause).unwrap_or_default());
        }
        last = Some(event.at);
        screen.event(run, event);
    })?;
    if args.follow {
        while let Some(events) = follow(&home, &id, run.seq())? {
            show(&mut run, &events, &mut screen)?;
            screen.tick(&id, &home.logs);
            std::thread::sleep(LOOK);
        }
    }
    screen.close();
    ui.next(&format!("runbook show {id}"));
    Ok(Exit::Succeeded)
}

/// The events after the last one that was seen. `None` where nothing further can come.
fn follow(home: &Home, id: &RunId, seen: u64) -> Result<Option<Vec<Event>>, Trouble> {
    let row = home.journal.run(id)?;
    if row.seq <= seen {
        return Ok(home.is_held(&row).then(Vec::new));
    }
    let page = home.journal.records(id, seen + 1, limits::RECORDS_PAGE)?;
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
