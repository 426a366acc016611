//! What the world saw against what the record says: intent is durable before effect, only the owner acts, and nothing happens
//! twice unless the procedure, or a person, says that it may.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{Case, Line, must};
use crate::disk::Commit;

pub fn judge(case: &Case<'_>) -> Result<(), String> {
    every_effect_was_intended(case)?;
    nobody_guesses_an_end(case)?;
    nothing_happens_twice(case)?;
    nothing_starts_where_it_may_not(case)
}

fn every_effect_was_intended(case: &Case<'_>) -> Result<(), String> {
    let started: BTreeMap<(&str, u64), u64> = case
        .lines
        .iter()
        .filter(|line| line.kind == "attempt_started")
        .map(|line| ((line.path(), line.attempt()), line.seq))
        .collect();
    let mut performed = BTreeSet::new();
    for act in case.history.ledger.performances.iter().filter(|act| act.run == case.run) {
        let what = format!("attempt {} of {} at {} ms by process {}", act.attempt, act.path, act.at, act.process);
        let harmless = case.step(&act.path).is_some_and(|step| step.effect() == "none");
        let again = !performed.insert((act.path.as_str(), act.attempt));
        must(harmless || !again, || format!("{what} is performed twice"))?;
        let intent = started.get(&(act.path.as_str(), act.attempt));
        must(harmless || intent.is_some(), || format!("{what} is not in the record"))?;
        let durable = intent.is_some_and(|seq| *seq <= act.safe);
        must(harmless || durable, || format!("{what} began before its intent (event {intent:?}) was on the disk"))?;
        let owns = act.owner == Some(u64::from(act.process));
        must(owns, || format!("{what} began when the run belonged to {:?}", act.owner))?;
    }
    Ok(())
}

/// How an attempt ended is known to the process that performed it, and to no other.
fn nobody_guesses_an_end(case: &Case<'_>) -> Result<(), String> {
    let acts = case.history.ledger.performances.iter().filter(|act| act.run == case.run);
    let performer: BTreeMap<(&str, u64), u32> = acts.map(|act| ((act.path.as_str(), act.attempt), act.process)).collect();
    let ended = |line: &&Line| line.kind == "attempt_finished" && line.case("end") != "unknown";
    for line in case.lines.iter().filter(ended) {
        // A power cut may have taken a first commit of this event.
        let own = |commit: &&Commit| {
            commit.done && commit.run == case.run && commit.events.is_some_and(|(from, to)| from <= line.seq && line.seq <= to)
        };
        let writer = case.history.commits.iter().rev().find(own).map(|commit| commit.process);
        let performer = performer.get(&(line.path(), line.attempt())).copied();
        must(writer == performer, || {
            format!("{}: process {writer:?} says how {} ended, which process {performer:?} performed", line.seq, line.path())
        })?;
    }
    Ok(())
}

#[derive(Default)]
struct Attempts {
    last: u64,
    under_way: bool,
    /// Ends that count against `retry`.
    ends: u64,
    /// Why the next attempt may start.
    may: bool,
    /// The last end is unknown, and nothing has said since that it may be repeated.
    in_doubt: bool,
}

fn nothing_happens_twice(case: &Case<'_>) -> Result<(), String> {
    let mut all: BTreeMap<&str, Attempts> = BTreeMap::new();
    let mut asked: BTreeMap<&str, (&str, &Json)> = BTreeMap::new();
    let mut left = false;
    for line in case.lines {
        let (seq, path) = (line.seq, line.path());
        match line.kind.as_str() {
            "attempt_started" => {
                let step = case.step(path).ok_or_else(|| format!("{seq}: nobody wrote a step {path}"))?;
                let most = case.retry(path).map_or(1, |retry| u64::from(retry.attempts));
                let attempts = all.entry(path).or_default();
                let number = line.attempt();
                must(number == attempts.last + 1 && !attempts.under_way, || {
                    format!("{seq}: attempt {number} of {path} comes too soon")
                })?;
                must(number == 1 || attempts.may, || format!("{seq}: {path} starts again, and nothing says that it may"))?;
                must(!attempts.in_doubt || step.repeatable(), || {
                    format!("{seq}: {path} is repeated, and nobody knows how it ended")
                })?;
                must(attempts.ends < most, || format!("{seq}: {path} is tried more than {most} times"))?;
                (attempts.last, attempts.under_way, attempts.may, attempts.in_doubt) = (number, true, false, false);
            }
            "attempt_finished" => {
                let attempts = all.entry(path).or_default();
                must(attempts.under_way && attempts.last == line.attempt(), || format!("{seq}: {path} was not under way"))?;
                attempts.under_way = false;
                let end = line.case("end");
                attempts.ends += u64::from(end != "unknown");
                attempts.may = matches!(end, "failed" | "timed_out" | "unknown");
                attempts.in_doubt = end == "unknown";
                // Whether it took place is known once a look has ended that did not itself fail to look.
                let tried_out = attempts.ends >= case.retry(path).map_or(1, |retry| u64::from(retry.attempts));
                let denied = end == "failed" && tried_out && !line.body["end"]["failed"]["result"].is_null();
                if let (true, Some((of, _))) = (end == "succeeded" || denied, path.split_once("~verify[")) {
                    all.entry(of).or_default().in_doubt = false;
                }
            }
            "step_concluded" if line.case("outputs") == "failed" => {
                let repeatable = case.step(path).is_some_and(|step| step.repeatable());
                all.entry(path).or_default().may = repeatable;
            }
            "condition_judged" if line.case("holds") == "value" => all.entry(path).or_default().in_doubt = false,
            "decision_requested" => {
                asked.insert(line.body["decision"].as_str().unwrap_or_default(), (path, &line.body["purpose"]));
            }
            "decided" => {
                let decision = line.body["decision"].as_str().unwrap_or_default();
                if let Some((path, purpose)) = asked.get(decision)
                    && *purpose == "unknown"
                    && matches!(line.body["vote"]["choice"].as_str(), Some("again" | "done"))
                {
                    all.entry(path).or_default().in_doubt = false;
                }
                left |= line.body["vote"]["choice"] == "leave";
            }
            "undo_requested" => left = false,
            "run_finished" => {
                let open: Vec<&&str> = all.iter().filter(|(_, attempts)| attempts.under_way).map(|(path, _)| path).collect();
                must(open.is_empty(), || format!("{seq}: the run ends while {open:?} are under way"))?;
                let doubt: Vec<&&str> = all
                    .iter()
                    .filter(|(path, attempts)| attempts.in_doubt && !case.step(path).is_some_and(|step| step.repeatable()))
                    .map(|(path, _)| path)
                    .collect();
                let kind = line.body["outcome"]["kind"].as_str();
                let attention = kind == Some("needs_attention");
                must(attention == (left || !doubt.is_empty()), || {
                    format!("{seq}: the run ends {kind:?}; in doubt are {doubt:?}, and changes are left: {left}")
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Nothing starts in a paused run, nothing but the way out in a cancelled one, nothing after the end but an undo.
fn nothing_starts_where_it_may_not(case: &Case<'_>) -> Result<(), String> {
    let (mut paused, mut cancelled, mut ended, mut undone_later) = (false, false, false, false);
    for line in case.lines {
        let seq = line.seq;
        match line.kind.as_str() {
            "pause_requested" => paused = true,
            "resume_requested" => paused = false,
            "cancel_requested" => (cancelled, paused) = (true, false),
            "undo_requested" => undone_later = true,
            "run_finished" => {
                must(!ended || undone_later, || format!("{seq}: the run ends twice"))?;
                (ended, paused, undone_later) = (true, false, false);
            }
            "attempt_started" | "step_resolved" => {
                let path = line.path();
                let way_out = path.contains("~undo") || path.contains("~finally");
                must(!paused, || format!("{seq}: {path} goes on while the run is paused"))?;
                must(!cancelled || way_out, || format!("{seq}: {path} starts in a cancelled run"))?;
                must(!ended || (path.contains("~undo") && undone_later), || format!("{seq}: {path} starts after the end"))?;
            }
            "note_added" | "run_adopted" => {}
            _ => must(!ended || undone_later, || format!("{seq}: {} comes after the end", line.kind))?,
        }
    }
    let last: Option<&Line> = case.lines.iter().rev().find(|line| !matches!(line.kind.as_str(), "note_added" | "run_adopted"));
    must(last.is_some_and(|line| line.kind == "run_finished"), || "the run does not end".to_owned())
}
