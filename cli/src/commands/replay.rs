//! `runbook replay`: a recorded run, shown again by the screen that showed it live.

use std::time::Duration;

use runbook_engine::journal::chain;

use super::store::Home;
use crate::args::Replay;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::Ui;
use crate::ui::screen::Screen;
use crate::ui::words::between;

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
    let mut last = None;
    home.replay_with(&id, &mut |run, event| {
        if let (Some(speed), Some(before)) = (speed, last) {
            let pause = between(before, event.at).as_secs_f64() / speed;
            std::thread::sleep(Duration::try_from_secs_f64(pause).unwrap_or_default());
        }
        last = Some(event.at);
        screen.event(run, event);
    })?;
    screen.close();
    Ok(Exit::Succeeded)
}
