//! Time: nothing that waits goes on too soon, whatever the clock does; and where the clock runs as it should, nothing comes later
//! than a look around after it was due, or after the first process began that nothing was thrown at.

use std::collections::BTreeMap;

use super::{Case, Line, case as case_of, is_inside, must};
use crate::book::Verb;
use crate::time::ORIGIN;

/// How late a process at work may be: its next look around, and a little for the disk.
const LATE: i64 = 150;

pub fn judge(case: &Case<'_>) -> Result<(), String> {
    let mut moments = Moments::default();
    for line in case.lines {
        if line.kind == "timer_fired" {
            let (due, what) = moments.due(case, line).map_err(|wrong| format!("{}: {wrong}", line.seq))?;
            must(line.at >= due.least, || format!("{}: {what} comes {} ms too soon", line.seq, due.least - line.at))?;
            let begin = at_work(case, due.most);
            let late = line.at - begin.unwrap_or(i64::MAX).max(due.most);
            must(late <= LATE, || format!("{}: {what} comes {late} ms too late", line.seq))?;
        }
        moments.take(case, line)?;
    }
    nothing_goes_on_past_its_time(case)
}

/// From when on a process was at work that must have seen what is due at this time; nothing where there was none.
fn at_work(case: &Case<'_>, due: i64) -> Option<i64> {
    let shifts = case.history.shifts.iter().filter(|shift| shift.run == case.run);
    let able = shifts.filter(|shift| shift.spared && ORIGIN + shift.to as i64 >= due + LATE);
    able.map(|shift| ORIGIN + shift.from as i64).min().filter(|_| case.scenario.jumps.is_empty())
}

struct Due {
    least: i64,
    most: i64,
}

#[derive(Default)]
struct Moments<'c> {
    started: i64,
    resolved: BTreeMap<&'c str, i64>,
    /// When an attempt failed, or its outputs did, and how many have.
    failed: BTreeMap<&'c str, (i64, u32)>,
    /// When a round of a `wait` or `repeat` came to nothing.
    rounds: BTreeMap<&'c str, i64>,
    decisions: BTreeMap<&'c str, (i64, usize)>,
}

impl<'c> Moments<'c> {
    fn take(&mut self, case: &Case<'_>, line: &'c Line) -> Result<(), String> {
        let path = line.path();
        match line.kind.as_str() {
            "run_started" => self.started = line.at,
            "step_resolved" => {
                self.resolved.insert(path, line.at);
            }
            "attempt_finished" => {
                let counts = line.case("end") != "unknown";
                let failed = self.failed.entry(path).or_default();
                *failed = (line.at, failed.1 + u32::from(counts));
                // A probe that failed says "not yet".
                if let Some((of, _)) = path.rsplit_once('[') {
                    self.rounds.insert(of, line.at);
                }
            }
            "step_concluded" => {
                self.failed.entry(path).or_default().0 = line.at;
                if let Some((of, _)) = path.rsplit_once('[') {
                    self.rounds.insert(of, line.at);
                }
            }
            "condition_judged" => {
                self.rounds.insert(path, line.at);
            }
            "decision_requested" => {
                let within = case_within(line);
                if let Some(within) = within {
                    self.decisions.insert(line.body["decision"].as_str().unwrap_or_default(), (line.at + within, 0));
                }
            }
            "acknowledged" => {
                let hold = &line.body["hold"];
                let hold =
                    hold["secs"].as_i64().unwrap_or_default() * 1_000 + hold["nanos"].as_i64().unwrap_or_default() / 1_000_000;
                if let Some((due, _)) = self.decisions.get_mut(line.body["decision"].as_str().unwrap_or_default()) {
                    *due = (*due).max(line.at + hold);
                }
            }
            "timer_fired" if line.case("timer") == "decision" => {
                let name = line.body["timer"]["decision"]["decision"].as_str().unwrap_or_default();
                if let Some((due, rung)) = self.decisions.get_mut(name) {
                    let after = crate::book::LADDER.get(*rung).map_or(0, |(_, after)| *after as i64);
                    (*due, *rung) = (line.at + after, *rung + 1);
                }
            }
            _ => {}
        }
        let _ = case;
        Ok(())
    }

    /// When the timer of this event was due.
    fn due(&self, case: &Case<'_>, line: &'c Line) -> Result<(Due, String), String> {
        let kind = line.case("timer");
        let timer = &line.body["timer"][kind];
        let path = timer["path"].as_str().unwrap_or_default();
        let exactly = |at: i64| Due { least: at, most: at };
        let resolved = || self.resolved.get(path).copied().ok_or_else(|| format!("{path} was not resolved"));
        let due = match kind {
            "run" => {
                let timeout = case.scenario.book.main().timeout.ok_or("the run has no timeout")?;
                exactly(self.started + timeout as i64)
            }
            "step" => {
                let step = case.step(path).ok_or_else(|| format!("nobody wrote {path}"))?;
                let timeout = match &step.verb {
                    Verb::WaitUntil { within, .. } => Some(*within),
                    _ => step.timeout,
                };
                exactly(resolved()? + timeout.ok_or_else(|| format!("{path} has no timeout"))? as i64)
            }
            "retry" => {
                let retry = case.retry(path).ok_or_else(|| format!("{path} is not tried again"))?;
                let (at, tries) = self.failed.get(path).copied().unwrap_or_default();
                let grown = retry.delay * u64::from(retry.backoff).pow(tries.saturating_sub(1));
                let delay = grown.min(retry.max_delay) as i64;
                Due { least: at + delay * i64::from(100 - retry.jitter) / 100, most: at + delay }
            }
            "wait" => match case.step(path).map(|step| &step.verb) {
                Some(Verb::WaitFor(time)) => exactly(resolved()? + *time as i64),
                Some(Verb::WaitUntil { every, .. } | Verb::Repeat { every: Some(every), .. }) => {
                    let round = self.rounds.get(path).copied().unwrap_or(i64::MAX);
                    exactly(round.saturating_add(*every as i64))
                }
                _ => return Err(format!("{path} does not wait")),
            },
            "decision" => {
                let name = timer["decision"].as_str().unwrap_or_default();
                exactly(self.decisions.get(name).ok_or_else(|| format!("{name} has no time"))?.0)
            }
            other => return Err(format!("nobody knows a timer {other}")),
        };
        Ok((due, format!("the timer `{kind}` of {path}")))
    }
}

fn case_within(line: &Line) -> Option<i64> {
    let within = &line.body["request"]["within"];
    Some(within["secs"].as_i64()? * 1_000 + within["nanos"].as_i64()? / 1_000_000)
}

/// While a process is at work that nothing was thrown at, nothing goes on inside a step, or in the run, whose time is over.
fn nothing_goes_on_past_its_time(case: &Case<'_>) -> Result<(), String> {
    let fired: Vec<&str> = case
        .lines
        .iter()
        .filter(|line| line.kind == "timer_fired" && line.case("timer") == "step")
        .filter_map(|line| line.body["timer"]["step"]["path"].as_str())
        .collect();
    let goes_on = |line: &Line| matches!(line.kind.as_str(), "step_resolved" | "attempt_started");
    let over = |due: i64, line: &Line| at_work(case, due).is_some_and(|begin| line.at > begin.max(due) + LATE);
    for line in case.lines.iter().filter(|line| line.kind == "step_resolved") {
        let path = line.path();
        let Some(step) = case.step(path).filter(|step| !step.verb.acts()) else { continue };
        let timeout = match &step.verb {
            Verb::WaitUntil { within, .. } => Some(*within),
            _ => step.timeout,
        };
        let timed = !matches!(case_of(&line.body["resolution"]), "skip" | "fail");
        let Some(timeout) = timeout.filter(|_| timed && !fired.contains(&path)) else { continue };
        let due = line.at + timeout as i64;
        let inside = |other: &&Line| goes_on(other) && is_inside(other.path(), path) && !other.path()[path.len()..].contains('~');
        let late = case.lines.iter().filter(inside).find(|other| over(due, other));
        must(late.is_none(), || format!("{path} goes on past its time at event {:?}", late.map(|line| line.seq)))?;
    }
    let Some(timeout) = case.scenario.book.main().timeout else { return Ok(()) };
    let ended = case.lines.iter().position(|line| line.kind == "timer_fired" && line.case("timer") == "run");
    let (body, rest) = case.lines.split_at(ended.unwrap_or(case.lines.len()));
    let in_body = |line: &&Line| goes_on(line) && !line.path().contains('~');
    let due = body.first().map_or(0, |line| line.at) + timeout as i64;
    let late = rest.iter().find(in_body).or_else(|| body.iter().filter(in_body).find(|line| over(due, line)));
    must(late.is_none(), || format!("the run goes on past its time at event {:?}", late.map(|line| line.seq)))
}
