//! `runbook logs`: what steps wrote, made harmless for a terminal unless `--raw` asks for the bytes.

use std::collections::BTreeSet;
use std::time::Duration;

use runbook_core::run::Fact;
use runbook_core::{RunId, StepPath, limits};
use runbook_engine::log::{LogError, LogReader};

use super::store::Home;
use crate::args::Logs;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::{Tone, Ui, plain_bytes};

/// How often a followed run is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub fn run(args: &Logs, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    let mut printed: BTreeSet<(StepPath, u32)> = BTreeSet::new();
    loop {
        // Read before the logs are: what ends afterwards is seen in the next round.
        let (attempts, over) = attempts(&home, &id, args)?;
        if let (Some(step), true) = (&args.step, attempts.is_empty() && !args.follow) {
            return Err(Trouble::not_valid(format!("step `{step}` of run {id} wrote nothing")).next(format!("runbook show {id}")));
        }
        for (path, attempt) in attempts {
            if printed.insert((path.clone(), attempt)) && home.logs.exists(&id, &path, attempt) {
                print(&home, &id, &path, attempt, args, ui)?;
            }
        }
        if !args.follow || over {
            return Ok(Exit::Succeeded);
        }
        std::thread::sleep(LOOK);
    }
}

/// The attempts whose output is wanted, in the order in which they began, and whether nothing further can come.
fn attempts(home: &Home, id: &RunId, args: &Logs) -> Result<(Vec<(StepPath, u32)>, bool), Trouble> {
    let mut found = Vec::new();
    let (run, row) = home.replay_with(id, &mut |_, event| {
        if let Fact::AttemptStarted { path, attempt } = &event.fact {
            let below = |step: &StepPath| {
                path == step || path.as_str().strip_prefix(step.as_str()).is_some_and(|rest| rest.starts_with(['/', '[', '.', '~']))
            };
            if args.step.as_ref().is_none_or(below) && args.attempt.is_none_or(|wanted| wanted == *attempt) {
                found.push((path.clone(), *attempt));
            }
        }
    })?;
    Ok((found, run.outcome().is_some() || !home.is_held(&row)))
}

fn print(home: &Home, id: &RunId, path: &StepPath, attempt: u32, args: &Logs, ui: &mut Ui) -> Result<(), Trouble> {
    let cannot = |why: LogError| Trouble::failed(why.to_string());
    let reader = home.logs.reader(id, path, attempt).map_err(cannot)?;
    let wrote = !reader.is_empty().map_err(cannot)?;
    if !args.raw && args.step.is_none() && (wrote || args.follow) {
        let again = if attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
        ui.data(&Tone::Strong.paint(&format!("── {path}{again} ──")))?;
    }
    let mut at = args.from.unwrap_or(0);
    let mut out = Printer { raw: args.raw, rest: Vec::new() };
    loop {
        let going = args.follow && is_under_way(home, id, path, attempt)?;
        copy(&reader, &mut at, &mut out, ui)?;
        if !going {
            // What was written between the last look and the end.
            copy(&reader, &mut at, &mut out, ui)?;
            return out.finish(ui);
        }
        std::thread::sleep(LOOK);
    }
}

fn copy(reader: &LogReader, at: &mut u64, out: &mut Printer, ui: &mut Ui) -> Result<(), Trouble> {
    let cannot = |why: LogError| Trouble::failed(why.to_string());
    loop {
        let bytes = reader.range(*at, at.saturating_add(limits::LOG_RANGE)).map_err(cannot)?;
        if bytes.is_empty() {
            return Ok(());
        }
        *at += bytes.len() as u64;
        out.write(&bytes, ui)?;
    }
}

fn is_under_way(home: &Home, id: &RunId, path: &StepPath, attempt: u32) -> Result<bool, Trouble> {
    let (run, row) = home.replay(id)?;
    Ok(home.is_held(&row) && run.under_way().contains(&(path.clone(), attempt)))
}

/// Prints whole lines, so that a character that was cut by a range is not shown as two broken ones.
struct Printer {
    raw: bool,
    rest: Vec<u8>,
}

/// Bytes of one line that are held back at most.
const LINE: usize = 64 * 1024;

impl Printer {
    fn write(&mut self, bytes: &[u8], ui: &mut Ui) -> Result<(), Trouble> {
        if self.raw {
            return Ok(ui.raw(bytes)?);
        }
        self.rest.extend_from_slice(bytes);
        let whole = match self.rest.iter().rposition(|b| *b == b'\n') {
            Some(end) => end + 1,
            None if self.rest.len() > LINE => self.rest.len(),
            None => return Ok(()),
        };
        let text = plain_bytes(&self.rest[..whole]);
        self.rest.drain(..whole);
        Ok(ui.raw(text.as_bytes())?)
    }

    fn finish(&mut self, ui: &mut Ui) -> Result<(), Trouble> {
        if !self.rest.is_empty() {
            ui.data(&plain_bytes(&self.rest))?;
        }
        Ok(())
    }
}
