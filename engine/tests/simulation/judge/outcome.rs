//! How a run ends follows from how its steps ended: no success over a failure that nothing tolerates, no failure without one,
//! no rejection without a no, and attention exactly where something is left open.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Case, Line, case as case_of, must};
use crate::book::{OnFailure, Verb};

pub fn judge(case: &Case<'_>) -> Result<(), String> {
    let Some(end) = case.lines.iter().position(|line| line.kind == "run_finished") else { return Ok(()) };
    let (body, line) = (&case.lines[..end], &case.lines[end]);
    let kind = line.body["outcome"]["kind"].as_str().unwrap_or_default();
    let cancelled = body.iter().any(|line| line.kind == "cancel_requested");
    let timed_out = body.iter().any(|line| line.kind == "timer_fired" && line.case("timer") == "run");
    let mut bad: Vec<(&str, String)> = body.iter().filter_map(|line| failure(case, line)).collect();
    bad.extend(refused(body));
    // A `finish` ends what goes on beside it, and the run as it says.
    let finished = body.iter().any(|line| line.case("resolution") == "finish");
    let wrong = |why: &str| format!("{}: the run ends {kind}, {why}", line.seq);
    match kind {
        "succeeded" => {
            must(!cancelled, || wrong("and was cancelled"))?;
            // Of a list's own steps nothing goes on after a failure that nobody tolerates.
            // What holds steps is done where all of them were done after all, though late.
            let whole = |path: &str| case.step(path).is_some_and(|step| step.verb.holds_steps());
            let fatal = bad
                .iter()
                .filter(|(path, what)| !(whole(path) && what.starts_with("the time")))
                .find(|(path, _)| (is_outermost(path) || !finished) && ends_all(case, path) && !mended(body, path));
            must(fatal.is_none(), || wrong(&format!("and {fatal:?}")))?;
            let open = still_asked(body).find(|(path, _)| (is_outermost(path) || !finished) && ends_all(case, path));
            must(open.is_none(), || wrong(&format!("and {open:?} was never answered")))
        }
        _ if let Some((_, what)) = bad.iter().find(|(path, _)| is_for_rollback(case, path) && !mended(body, path))
            && !cancelled
            && !timed_out
            && !finished =>
        {
            must(matches!(kind, "rolled_back" | "needs_attention"), || wrong(&format!("{what}, and nothing was taken back")))
        }
        "failed" => must(!bad.is_empty() || timed_out || finishes_badly(body), || wrong("and nothing failed")),
        "rejected" => {
            let no = body.iter().any(|line| {
                line.body["vote"]["choice"] == "reject" || line.kind == "timer_fired" && line.case("timer") == "decision"
            });
            must(no, || wrong("and nobody said no"))
        }
        "cancelled" => {
            let stopped = body.iter().any(|line| line.kind == "attempt_finished" && line.case("end") == "cancelled");
            must(cancelled || stopped, || wrong("and nobody cancelled it"))
        }
        "rolled_back" => {
            let wanted = case.steps.values().any(|step| step.on_failure == OnFailure::Rollback);
            let asked = body.iter().any(|line| line.kind == "cancel_requested" && line.body["undo"] == true);
            must(wanted || asked, || wrong("and nobody wanted that"))
        }
        "needs_attention" => Ok(()),
        other => Err(format!("{}: nobody knows the outcome {other}", line.seq)),
    }
}

fn is_outermost(path: &str) -> bool {
    !path.is_empty() && !path.contains(['/', '[', '.', '~'])
}

/// Whether all is to be taken back where this step fails.
fn is_for_rollback(case: &Case<'_>, path: &str) -> bool {
    is_outermost(path) && case.step(path).is_some_and(|step| step.on_failure == OnFailure::Rollback)
}

/// What was asked, and where: of which decisions, and whether they were answered.
fn asked(body: &[Line]) -> impl Iterator<Item = (&str, &str, usize)> {
    let asked = body.iter().enumerate().filter(|(_, line)| line.kind == "decision_requested");
    asked.filter_map(|(place, line)| Some((line.body["decision"].as_str()?, line.path(), place)))
}

/// Steps of which somebody said no, or nobody anything in time.
fn refused(body: &[Line]) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    for (decision, path, place) in asked(body) {
        let purpose = case_of(&body[place].body["purpose"]);
        let no = body.iter().find(|line| line.body["decision"] == decision && line.body["vote"]["choice"] == "reject");
        let late = body.iter().find(|line| line.body["timer"]["decision"]["decision"] == decision);
        let late = late.filter(|_| body[place].body["request"]["on_timeout"] != "escalate");
        if let Some(no) = no.or(late).filter(|_| matches!(purpose, "approve" | "ask" | "manual" | "gate" | "step")) {
            found.push((path, format!("{path} was not granted (event {})", no.seq)));
        }
    }
    found
}

/// Decisions that were never answered, and of what.
fn still_asked(body: &[Line]) -> impl Iterator<Item = (&str, &str)> {
    let answered = |decision: &str| {
        body.iter().any(|line| {
            line.kind != "decision_requested" && line.body["decision"] == decision
                || line.body["timer"]["decision"]["decision"] == decision
        })
    };
    asked(body).filter(move |(decision, _, _)| !answered(decision)).map(|(decision, path, _)| (path, decision))
}

/// Whether the run has failed where this step has: nothing around it lives with that.
fn ends_all(case: &Case<'_>, path: &str) -> bool {
    let lives_with_it = |whole: &str| match case.step(whole).map(|step| &step.verb) {
        Some(Verb::Each { failures: 1.., .. } | Verb::WaitUntil { .. }) => true,
        _ => tolerated(case, whole),
    };
    let mut around = path.match_indices(['/', '[', '.']).map(|(at, _)| &path[..at]);
    !path.is_empty() && !path.contains('~') && !tolerated(case, path) && !around.any(lives_with_it)
}

fn tolerated(case: &Case<'_>, path: &str) -> bool {
    case.step(path).is_some_and(|step| matches!(step.on_failure, OnFailure::Continue | OnFailure::Next(_)))
}

/// Whether a later attempt of this step succeeded, or somebody knew that it had.
fn mended(body: &[Line], path: &str) -> bool {
    let own = |line: &&Line| line.path() == path || line.path().starts_with(&format!("{path}~verify["));
    let last = body.iter().rev().find(|line| own(line) && line.kind == "attempt_finished").map(|line| line.case("end"));
    let known: BTreeSet<&str> = body.iter().filter(own).filter_map(|line| line.body["decision"].as_str()).collect();
    let done = |line: &Line| {
        line.body["vote"]["choice"] == "done" && known.contains(line.body["decision"].as_str().unwrap_or_default())
            || line.path() == path && line.body["holds"]["value"] == true
    };
    last == Some("succeeded") || body.iter().any(done)
}

/// What failed in this event, and of which step.
fn failure<'l>(case: &Case<'_>, line: &'l Line) -> Option<(&'l str, String)> {
    let path = line.path();
    let said = |what: &str| Some((path, format!("{path} {what} (event {})", line.seq)));
    match line.kind.as_str() {
        "attempt_finished" if matches!(line.case("end"), "failed" | "timed_out" | "cancelled") => said("failed"),
        "step_resolved" => match (line.case("resolution"), &line.body["resolution"]) {
            ("fail", _) => said("could not be resolved"),
            ("checked", checked) if checked["checked"]["failures"] != Json::Array(Vec::new()) => said("does not hold"),
            _ => None,
        },
        "step_concluded" if line.case("outputs") == "failed" => said("gives no outputs"),
        "condition_judged" if line.case("holds") == "failed" => said("cannot be judged"),
        // The last of the rounds that a `repeat` may have.
        "condition_judged" if line.body["holds"]["value"] == false => match case.step(path).map(|step| &step.verb) {
            Some(Verb::Repeat { times, .. }) if line.body["round"] == *times => said("did not come to hold"),
            _ => None,
        },
        "timer_fired" => match case_of(&line.body["timer"]) {
            "step" => {
                let path = line.body["timer"]["step"]["path"].as_str()?;
                Some((path, format!("the time of {path} was over (event {})", line.seq)))
            }
            // Of which step the last one was, the request says; it is enough that one was.
            "decision" => Some(("", format!("a decision expired (event {})", line.seq))),
            _ => None,
        },
        _ => None,
    }
}

fn finishes_badly(body: &[Line]) -> bool {
    body.iter().any(|line| line.body["resolution"]["finish"]["outcome"] == "failed")
}
