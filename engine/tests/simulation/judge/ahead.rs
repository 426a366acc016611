//! Approvals given before they were asked for: each answers its own step, in time, for the input that it names, and over all
//! runs not more often than it says, whatever crashes in between.

use std::collections::BTreeMap;

use super::{Case, Line, case as case_of, must};
use crate::scenario::Scenario;
use crate::simulate::{Given, History};

pub fn judge(case: &Case<'_>) -> Result<(), String> {
    let mut asked: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in case.lines {
        let decision = line.body["decision"].as_str().unwrap_or_default();
        if line.kind == "decision_requested" {
            asked.insert(decision, (line.path(), case_of(&line.body["purpose"])));
        }
        let vote = &line.body["vote"];
        if vote["ahead"].is_null() && vote["terms"].is_null() {
            continue;
        }
        let (path, purpose) = asked.get(decision).copied().unwrap_or_default();
        let wrong = |why: &str| format!("{}: a vote of before its time on {path} {why}", line.seq);
        let given = case.history.aheads.iter().find(|given| vote["ahead"] == given.id.as_str());
        let Some(Given { id, early, expires, .. }) = given else { return Err(wrong("that nobody gave")) };
        must(vote["terms"]["id"] == id.as_str() && vote["reason"] == id.as_str(), || wrong("gives other terms"))?;
        must(vote["by"]["person"] == early.who && vote["choice"] == "approve", || wrong("is not what its giver said"))?;
        must(matches!(purpose, "approve" | "gate"), || wrong(&format!("answers a question of the kind {purpose}")))?;
        must(without_numbers(path) == early.step, || wrong(&format!("is for {}", early.step)))?;
        must(early.n.is_none_or(|n| n == case.scenario.n), || wrong("is for another input"))?;
        must(line.at < *expires, || wrong(&format!("expired {} ms before", line.at - expires)))?;
    }
    Ok(())
}

/// Over all runs of a history: what was used is spent, and where nothing broke, what was spent was used.
pub fn uses(scenario: &Scenario, history: &History, records: &[Vec<Line>]) -> Result<(), String> {
    for given in &history.aheads {
        let (Given { id, early, left, .. }, used) = (given, used(given, records));
        let what = || format!("{id} of {} for {} uses was used {used} times, and {left} are left", early.who, early.uses);
        must(used + left <= early.uses, what)?;
        must(!scenario.is_calm() || used + left == early.uses, what)?;
    }
    Ok(())
}

/// Votes that rest on an approval ahead, over all runs.
pub fn used(given: &Given, records: &[Vec<Line>]) -> u32 {
    records.iter().flatten().filter(|line| line.body["vote"]["ahead"] == given.id.as_str()).count() as u32
}

/// A path without numbers of items and rounds.
fn without_numbers(path: &str) -> String {
    path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}
