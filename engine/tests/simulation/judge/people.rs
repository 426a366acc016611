//! Decisions: what was asked is what the procedure and the policy say, only those who may have voted, in time and on what
//! they were shown; and nothing passes a gate that was not opened.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{Case, Line, case as case_of, list_of, must};
use crate::book::{LADDER, OnFailure, PEOPLE, People, Step, Verb, members};
use crate::scenario::Part;

/// Who asked for every run.
const REQUESTER: &str = "anna";

struct Decision<'c> {
    path: &'c str,
    purpose: &'c Json,
    request: &'c Json,
    /// Everybody who has been asked by now.
    asked: BTreeSet<&'static str>,
    deadline: Option<i64>,
    rung: usize,
    voted: BTreeSet<&'c str>,
    approvals: u64,
    closed: bool,
}

#[derive(Default)]
struct Gates<'c> {
    decisions: BTreeMap<&'c str, Decision<'c>>,
    /// Path and purpose of what was granted.
    granted: BTreeSet<(&'c str, &'c str)>,
    rejected: BTreeSet<&'c str>,
    /// Steps that wait for an answer which the rest of their list rests on.
    barred: BTreeMap<&'c str, &'c str>,
}

pub fn judge(case: &Case<'_>) -> Result<(), String> {
    let mut gates = Gates::default();
    for line in case.lines {
        gates.take(case, line).map_err(|wrong| format!("{}: {wrong}", line.seq))?;
    }
    Ok(())
}

fn seconds(duration: &Json) -> Option<i64> {
    Some(duration["secs"].as_i64()? * 1_000 + duration["nanos"].as_i64()? / 1_000_000)
}

impl<'c> Gates<'c> {
    fn take(&mut self, case: &'c Case<'c>, line: &'c Line) -> Result<(), String> {
        match line.kind.as_str() {
            "decision_requested" => self.requested(case, line),
            "decided" => self.decided(case, line),
            "decision_voided" => {
                self.decision(line)?.closed = true;
                Ok(())
            }
            "acknowledged" => self.acknowledged(line),
            "timer_fired" if line.case("timer") == "decision" => self.expired(line),
            "step_resolved" => self.resolved(case, line),
            "attempt_started" => self.started(case, line),
            _ => Ok(()),
        }
    }

    fn decision(&mut self, line: &Line) -> Result<&mut Decision<'c>, String> {
        let name = line.body["decision"].as_str().unwrap_or_default();
        self.decisions.get_mut(name).ok_or_else(|| format!("nobody asked for {name}"))
    }

    fn requested(&mut self, case: &'c Case<'c>, line: &'c Line) -> Result<(), String> {
        let (path, purpose, request) = (line.path(), &line.body["purpose"], &line.body["request"]);
        let step = case.step(path);
        let people = step.and_then(|step| step.verb.people());
        let book = &case.scenario.book;
        let gate = book.gate.as_ref();
        let expected = match (case_of(purpose), people, gate) {
            ("approve" | "ask" | "manual", Some(people), _) => people.clone(),
            ("gate", _, Some(gate)) => {
                People { from: Some(gate.from), count: gate.count, within: gate.within, on_timeout: "fail", not_requester: false }
            }
            ("step" | "unknown" | "undo_failed" | "part", _, _) => {
                People { from: None, count: 1, within: None, on_timeout: "fail", not_requester: false }
            }
            other => return Err(format!("{path} asks for {:?}, which nobody wrote", other.0)),
        };
        let from: Vec<&str> = expected.from.into_iter().collect();
        must(request["from"] == Json::from(from.clone()), || format!("{path} asks {} and not {from:?}", request["from"]))?;
        must(request["count"] == expected.count, || format!("{path} wants {} votes, not {}", request["count"], expected.count))?;
        let within = seconds(&request["within"]);
        must(within == expected.within.map(|ms| ms as i64), || format!("{path} gives {within:?} ms, not {:?}", expected.within))?;
        let keeps_out =
            expected.not_requester || book.four_eyes && matches!(case_of(purpose), "approve" | "gate" | "part") && changes(case);
        must(request["not_requester"] == keeps_out, || format!("{path}: whether {REQUESTER} may decide is wrong"))?;
        if case_of(purpose) == "manual" {
            self.gates_are_open(case, path, step)?;
        }
        let asked = expected.from.map_or(PEOPLE.to_vec(), members).into_iter().collect();
        let deadline = within.map(|within| line.at + within);
        let name = line.body["decision"].as_str().unwrap_or_default();
        let decision =
            Decision { path, purpose, request, asked, deadline, rung: 0, voted: BTreeSet::new(), approvals: 0, closed: false };
        must(self.decisions.insert(name, decision).is_none(), || format!("{name} is asked twice"))
    }

    fn decided(&mut self, case: &'c Case<'c>, line: &'c Line) -> Result<(), String> {
        let vote = &line.body["vote"];
        let who = vote["by"]["person"].as_str().unwrap_or_default();
        let choice = vote["choice"].as_str().unwrap_or_default();
        let at = line.at;
        let decision = self.decision(line)?;
        let path = decision.path;
        must(!decision.closed, || format!("{who} decides on {path}, which is closed"))?;
        must(decision.deadline.is_none_or(|deadline| at < deadline), || format!("{who} decides on {path} after its time"))?;
        must(decision.asked.contains(who), || format!("{who} decides on {path} and was not asked"))?;
        let kept_out = decision.request["not_requester"] == true && who == REQUESTER;
        must(!kept_out, || format!("{who} decides on {path} and asked for the run"))?;
        must(vote["digest"] == decision.request["digest"], || format!("{who} decides on {path} as it was not shown"))?;
        let offered = decision.request["choices"].as_array().is_some_and(|all| all.iter().any(|one| one == choice));
        must(offered, || format!("{who} answers {choice} on {path}, which is not offered"))?;
        let needs_reason = matches!(choice, "reject" | "done" | "again" | "leave");
        must(!needs_reason || vote["reason"].is_string(), || format!("{who} answers {choice} on {path} without a reason"))?;
        must(decision.voted.insert(who), || format!("{who} decides twice on {path}"))?;
        let purpose = case_of(decision.purpose);
        if choice == "approve" {
            let size = vote["answers"]["size"].as_i64();
            must(purpose != "ask" || size.is_some_and(|size| (1..=9).contains(&size)), || format!("{path} takes {size:?}"))?;
            decision.approvals += 1;
            if decision.approvals == decision.request["count"].as_u64().unwrap_or_default() {
                decision.closed = true;
                self.granted.insert((path, purpose));
                self.barred.retain(|_, by| *by != path || purpose == "gate" || purpose == "step");
            }
            return Ok(());
        }
        decision.closed = true;
        if choice == "reject" {
            let tolerated = case.step(path).is_some_and(|step| matches!(step.on_failure, OnFailure::Continue | OnFailure::Next(_)));
            if tolerated {
                self.barred.retain(|_, by| *by != path);
            }
            self.rejected.insert(path);
        }
        Ok(())
    }

    /// Whoever says to be at it could decide, and others who would be asked next are asked no sooner for it.
    fn acknowledged(&mut self, line: &'c Line) -> Result<(), String> {
        let who = line.body["by"]["person"].as_str().unwrap_or_default();
        let hold = seconds(&line.body["hold"]).ok_or("nobody is left alone for any time")?;
        let at = line.at;
        let decision = self.decision(line)?;
        let path = decision.path;
        must(!decision.closed, || format!("{who} is at {path}, which is closed"))?;
        let due = decision.deadline.ok_or_else(|| format!("{who} is at {path}, which has no time"))?;
        must(at < due, || format!("{who} is at {path} after its time"))?;
        for who in [Some(who), line.body["to"].as_str()].into_iter().flatten() {
            must(decision.asked.contains(who), || format!("{who} is at {path} and was not asked"))?;
            let kept_out = decision.request["not_requester"] == true && who == REQUESTER;
            must(!kept_out, || format!("{who} is at {path} and asked for the run"))?;
        }
        let climbs = decision.request["on_timeout"] == "escalate" && decision.rung < LADDER.len();
        must(climbs, || format!("{who} holds off others from {path}, and nobody would be asked next"))?;
        decision.deadline = Some(due.max(at + hold));
        Ok(())
    }

    fn expired(&mut self, line: &'c Line) -> Result<(), String> {
        let timer = &line.body["timer"]["decision"];
        let name = timer["decision"].as_str().unwrap_or_default();
        let decision = self.decisions.get_mut(name).ok_or_else(|| format!("nobody asked for {name}"))?;
        let path = decision.path;
        must(!decision.closed, || format!("the time of {path} ends after its end"))?;
        let due = decision.deadline.ok_or_else(|| format!("{path} has no time that could end"))?;
        must(line.at >= due, || format!("the time of {path} ends {} ms too soon", due - line.at))?;
        if decision.request["on_timeout"] == "escalate"
            && let Some((to, after)) = LADDER.get(decision.rung)
        {
            decision.rung += 1;
            decision.deadline = Some(line.at + *after as i64);
            decision.asked.extend(members(to));
            return Ok(());
        }
        decision.closed = true;
        self.rejected.insert(path);
        Ok(())
    }

    fn gates_are_open(&self, case: &Case<'_>, path: &str, step: Option<&Step>) -> Result<(), String> {
        let Some(step) = step else { return Ok(()) };
        let open = |purpose: &str| self.granted.contains(&(path, purpose));
        must(!case.scenario.stepwise || open("step"), || format!("{path} starts and was not stepped"))?;
        let undoes = path.contains("~undo");
        let gated = case.scenario.book.gate.is_some() && step.changes() && !undoes && !matches!(step.verb, Verb::Notify);
        must(!gated || open("gate"), || format!("{path} starts, and its gate is closed"))?;
        must(!self.rejected.contains(path), || format!("{path} starts and was rejected"))
    }

    fn started(&mut self, case: &Case<'_>, line: &Line) -> Result<(), String> {
        self.gates_are_open(case, line.path(), case.step(line.path()))
    }

    fn resolved(&mut self, case: &'c Case<'c>, line: &'c Line) -> Result<(), String> {
        let path = line.path();
        if let Some(by) = self.barred.get(list_of(path)) {
            return Err(format!("{path} comes up, and {by} was not granted"));
        }
        let Some(step) = case.step(path) else { return Err(format!("nobody wrote a step {path}")) };
        let agreed = case.scenario.part == Part::Whole || self.granted.contains(&("", "part"));
        must(agreed, || format!("{path} comes up, and nobody agreed to run a part"))?;
        must(!case.scenario.leaves_out(path), || format!("{path} comes up, and is no part of the run"))?;
        let beside = list_of(path).ends_with("~finally") || list_of(path).ends_with("~on_failure");
        let tolerated = matches!(step.on_failure, OnFailure::Continue | OnFailure::Next(_));
        if line.case("resolution") == "ask" && !beside && !tolerated {
            self.barred.insert(list_of(path), path);
        }
        Ok(())
    }
}

/// Whether the procedure that was asked for changes anything, itself or through what it calls.
fn changes(case: &Case<'_>) -> bool {
    case.steps.values().any(|step| step.changes())
}
