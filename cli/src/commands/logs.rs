//! `runbook logs`: what steps wrote, made harmless for a terminal unless `--raw` asks for the bytes.
//!
//! Steps that run at the same time are followed at the same time: whole lines of each as they come, under a heading wherever
//! the step changes. Bytes asked for with `--raw` are never mixed: one attempt follows the other.

use std::time::Duration;

use jiff::Timestamp;
use runbook_core::run::Fact;
use runbook_core::run::event::AttemptEnd;
use runbook_core::{Plan, RunId, StepPath, limits};
use runbook_engine::log::{LogError, LogReader, LogSeal};
use runbook_server::client::Remote;

use super::store::{Follower, Home, Place};
use crate::args::Logs;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::when;
use crate::ui::{Tone, Ui, line, plain_bytes};

/// How often a followed run is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes of one line that are held back at most.
const LINE: usize = 64 * 1024;

pub fn run(args: &Logs, settings: &Settings, ui: &mut Ui) -> Outcome {
    let home = Home::open(settings)?;
    let id = home.find(&args.run.run)?;
    // Only a heading has a number, and a large plan takes its time to read.
    let plan = if args.raw { None } else { plan(&home, &id) };
    let gone_at = home.archive.pruned(&id)?.and_then(|pruned| pruned.logs_at);
    let mut view = View {
        home: &home,
        id,
        plan,
        args,
        gone_at,
        next: 1,
        under_way: Vec::new(),
        any: false,
        any_gone: false,
        heading: None,
        follower: Follower::default(),
    };
    loop {
        let over = view.look()? || !args.follow;
        view.print(over, ui)?;
        if over {
            break;
        }
        std::thread::sleep(LOOK);
    }
    if let Some(at) = gone_at.filter(|_| view.any_gone) {
        let why = format!("the logs of run {} were let go of by `runbook prune`, {}", view.id, when(at));
        match view.any {
            true => ui.say(&format!("{why}; what it wrote since then is here")),
            false => return Err(Trouble::not_valid(why).next(format!("runbook show {}", view.id))),
        }
    }
    match &args.step {
        Some(step) if !view.any && !view.any_gone => {
            let (run, _) = home.replay(&view.id)?;
            let why = match run.find_step(step) {
                Some(_) => format!("step `{step}` of run {} wrote nothing", view.id),
                None => format!("run {} has no step `{step}`, or has not come to it", view.id),
            };
            Err(Trouble::not_valid(why).next(format!("runbook show {}", view.id)))
        }
        _ => Ok(Exit::Succeeded),
    }
}

/// What the run is of, for the numbers of its steps. Without it their paths are enough.
fn plan(home: &Home, id: &RunId) -> Option<Plan> {
    let row = home.archive.run(id).ok()?;
    serde_json::from_str(&home.archive.plan(&row.plan).ok()?).ok()
}

struct View<'a> {
    home: &'a Home,
    id: RunId,
    plan: Option<Plan>,
    args: &'a Logs,
    /// When the logs of before were let go of.
    gone_at: Option<Timestamp>,
    /// The first event that was not looked at yet.
    next: u64,
    /// Attempts that were not printed to their end, in the order in which they began.
    under_way: Vec<Attempt>,
    /// Some attempt was found.
    any: bool,
    /// One whose log was let go of.
    any_gone: bool,
    /// The attempt whose output stands last on the screen.
    heading: Option<(StepPath, u32)>,
    follower: Follower,
}

struct Attempt {
    path: StepPath,
    number: u32,
    reader: Option<Reader>,
    at: u64,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
    ended: bool,
    /// Why this is not all that was written.
    lacks: Option<String>,
    /// How much was kept, by the record.
    kept: u64,
}

impl View<'_> {
    /// Takes in what was recorded since the last look. True where nothing further can come.
    fn look(&mut self) -> Result<bool, Trouble> {
        // Read before the logs are: what an attempt wrote before its end was recorded is then printed.
        let row = self.home.archive.run(&self.id)?;
        while self.next <= row.seq {
            let page = self.home.archive.records(&self.id, self.next, limits::RECORDS_PAGE)?;
            let Some(last) = page.last() else { break };
            self.next = last.seq + 1;
            for record in page.iter().filter(|record| matches!(record.kind.as_str(), "attempt_started" | "attempt_finished")) {
                let event = record.decode(row.format)?;
                match event.fact {
                    Fact::AttemptStarted { path, attempt } if self.is_wanted(&path, attempt) => {
                        if self.gone_at.is_some_and(|gone| event.at <= gone) {
                            self.any_gone = true;
                            continue;
                        }
                        self.any = true;
                        self.under_way.push(Attempt::new(path, attempt, self.args.from.unwrap_or(0)));
                    }
                    Fact::AttemptFinished { path, attempt, end } => {
                        let mut of = self.under_way.iter_mut();
                        if let Some(found) = of.find(|a| a.path == path && a.number == attempt) {
                            let seal = seal_of(&end);
                            found.ended = true;
                            found.kept = seal.as_ref().map_or(0, |seal| seal.bytes);
                            found.lacks = seal.and_then(lacks);
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(!self.follower.goes_on(self.home, &row))
    }

    fn is_wanted(&self, path: &StepPath, attempt: u32) -> bool {
        let below = |step: &StepPath| {
            path == step || path.as_str().strip_prefix(step.as_str()).is_some_and(|rest| rest.starts_with(['/', '[', '.', '~']))
        };
        self.args.step.as_ref().is_none_or(below) && self.args.attempt.is_none_or(|wanted| wanted == attempt)
    }

    /// Prints what has come; all of it, the beginning of a line included, of attempts that have ended or where the run is over.
    fn print(&mut self, over: bool, ui: &mut Ui) -> Result<(), Trouble> {
        let mut attempts = std::mem::take(&mut self.under_way);
        let mut still = Vec::new();
        for mut attempt in attempts.drain(..) {
            let last = over || attempt.ended;
            // Bytes as they are wait for those of the attempt before.
            if self.args.raw && !still.is_empty() {
                still.push(attempt);
                continue;
            }
            while let Some(bytes) = attempt.read(self.home, &self.id)? {
                self.show(&mut attempt, &bytes, ui)?;
            }
            if !last {
                still.push(attempt);
                continue;
            }
            let rest = std::mem::take(&mut attempt.rest);
            if !rest.is_empty() {
                self.head(&attempt, ui)?;
                ui.data(&plain_bytes(&rest))?;
            }
            if let Some(lacks) = &attempt.lacks {
                ui.say(&format!("{}: {}", self.name(&attempt.path), line(lacks)));
            }
            if attempt.at < attempt.kept {
                let (step, missing, kept) = (self.name(&attempt.path), attempt.kept - attempt.at, attempt.kept);
                ui.say(&format!(
                    "{step}: {missing} of the {kept} bytes that were kept are gone; `runbook verify {}` says more",
                    self.id
                ));
            }
        }
        self.under_way = still;
        Ok(())
    }

    fn show(&mut self, attempt: &mut Attempt, bytes: &[u8], ui: &mut Ui) -> Result<(), Trouble> {
        if self.args.raw {
            return Ok(ui.raw(bytes)?);
        }
        attempt.rest.extend_from_slice(bytes);
        let whole = whole_lines(&attempt.rest);
        if whole > 0 {
            let text: Vec<u8> = attempt.rest.drain(..whole).collect();
            self.head(attempt, ui)?;
            ui.raw(plain_bytes(&text).as_bytes())?;
        }
        Ok(())
    }

    /// A step by its number and its path.
    fn name(&self, path: &StepPath) -> String {
        match self.plan.as_ref().and_then(|plan| plan.number_at(path)) {
            Some(number) => format!("{number}. {path}"),
            None => path.to_string(),
        }
    }

    /// A heading where the output of another attempt follows.
    fn head(&mut self, attempt: &Attempt, ui: &mut Ui) -> Result<(), Trouble> {
        let now = Some((attempt.path.clone(), attempt.number));
        if self.args.step.is_none() && self.heading != now {
            let again = if attempt.number > 1 { format!(" (attempt {})", attempt.number) } else { String::new() };
            ui.data(&Tone::Strong.paint(&format!("── {}{again} ──", self.name(&attempt.path))))?;
        }
        self.heading = now;
        Ok(())
    }
}

impl Attempt {
    fn new(path: StepPath, number: u32, at: u64) -> Attempt {
        Attempt { path, number, reader: None, at, rest: Vec::new(), ended: false, lacks: None, kept: 0 }
    }

    /// What comes next, as far as it is there. The log may come into being after the attempt was recorded.
    fn read(&mut self, home: &Home, id: &RunId) -> Result<Option<Vec<u8>>, Trouble> {
        if self.reader.is_none() {
            self.reader = Reader::open(home, id, &self.path, self.number)?;
        }
        let Some(reader) = &self.reader else { return Ok(None) };
        let bytes = reader.range(self.at, self.at.saturating_add(limits::LOG_RANGE))?;
        self.at += bytes.len() as u64;
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

/// A log, wherever it is kept.
enum Reader {
    Here(LogReader),
    There { remote: Remote, run: RunId, path: StepPath, attempt: u32 },
}

impl Reader {
    fn open(home: &Home, run: &RunId, path: &StepPath, attempt: u32) -> Result<Option<Reader>, Trouble> {
        match &home.place {
            Place::Here(here) => match here.logs.reader(run, path, attempt) {
                Ok(reader) => Ok(Some(Reader::Here(reader))),
                Err(LogError::Absent { .. }) => Ok(None),
                Err(error) => Err(Trouble::failed(error.to_string())),
            },
            Place::There(there) => {
                let (remote, run, path) = (there.remote.clone(), run.clone(), path.clone());
                Ok(Some(Reader::There { remote, run, path, attempt }))
            }
        }
    }

    fn range(&self, from: u64, to: u64) -> Result<Vec<u8>, Trouble> {
        match self {
            Reader::Here(reader) => reader.range(from, to).map_err(|why| Trouble::failed(why.to_string())),
            Reader::There { remote, run, path, attempt } => Ok(remote.log(run, path, *attempt, from, to)?.unwrap_or_default()),
        }
    }
}

fn seal_of(end: &AttemptEnd) -> Option<LogSeal> {
    match end {
        AttemptEnd::Succeeded { result }
        | AttemptEnd::Failed { result, .. }
        | AttemptEnd::TimedOut { result, .. }
        | AttemptEnd::Cancelled { result, .. } => LogSeal::of_result(result),
        AttemptEnd::Unknown { .. } => None,
    }
}

fn lacks(seal: LogSeal) -> Option<String> {
    let why = seal.failed.map(|why| format!(": {why}")).unwrap_or_default();
    (seal.dropped > 0).then(|| format!("{} bytes more were written and not kept{why}", seal.dropped))
}

/// The bytes up to the end of the last line; of a line that is too long, up to the end of its last character.
fn whole_lines(bytes: &[u8]) -> usize {
    match bytes.iter().rposition(|b| *b == b'\n') {
        Some(end) => end + 1,
        None if bytes.len() <= LINE => 0,
        None => {
            let begun = bytes.iter().rev().take(4).position(|b| *b >= 0xc0).map(|back| bytes.len() - 1 - back);
            match begun {
                Some(at) if std::str::from_utf8(&bytes[at..]).is_err_and(|e| e.error_len().is_none()) => at,
                _ => bytes.len(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_told() {
        let digest = runbook_core::Digest::of_bytes(b"x");
        let seal = |dropped, failed: Option<&str>| LogSeal {
            bytes: 1,
            dropped,
            digest: digest.clone(),
            failed: failed.map(str::to_owned),
        };
        for (seal, expect) in [
            (seal(0, None), None),
            (seal(5, None), Some("5 bytes more were written and not kept")),
            (seal(7, Some("the disk is full")), Some("7 bytes more were written and not kept: the disk is full")),
        ] {
            assert_eq!(lacks(seal).as_deref(), expect);
        }
    }

    #[test]
    fn lines_are_whole_and_so_are_the_characters_of_a_long_one() {
        let long = |end: &[u8]| [vec![b'x'; LINE], end.to_vec()].concat();
        for (bytes, expect) in [
            (b"".to_vec(), 0),
            (b"half".to_vec(), 0),
            (b"one\nhalf".to_vec(), 4),
            (b"one\ntwo\n".to_vec(), 8),
            (long(b"x"), LINE + 1),
            (long("é".as_bytes()), LINE + 2),
            (long(&"é".as_bytes()[..1]), LINE),
            (long(&"🙂".as_bytes()[..3]), LINE),
            (long(b"\xff"), LINE + 1),
            (long(b"\x80\x80\x80\x80\x80"), LINE + 5),
        ] {
            assert_eq!(whole_lines(&bytes), expect, "{:?}", &bytes[bytes.len().saturating_sub(6)..]);
        }
    }
}
