//! Undo: what succeeded and can be taken back is taken back, all of it, the last change first, and only where it was asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, is_inside, list_of, must};
use crate::book::{OnFailure, Step, Verb};

#[derive(Default)]
struct Undoing<'c> {
    /// Steps with an undo, and when they succeeded.
    done: BTreeMap<&'c str, u64>,
    /// Steps that hold steps and have an undo: when anything last happened inside, before any undo.
    wholes: BTreeMap<&'c str, u64>,
    /// Those of them that succeeded, as the step behind them in their list shows.
    whole: BTreeSet<&'c str>,
    undone: Vec<&'c str>,
    left: bool,
}

impl<'c> Undoing<'c> {
    fn when(&self, path: &str) -> Option<u64> {
        self.done.get(path).or_else(|| self.wholes.get(path)).copied()
    }

    fn begins(&mut self, path: &'c str, seq: u64) -> Result<(), String> {
        must(!self.undone.contains(&path), || format!("{seq}: {path} is undone twice"))?;
        let done = self.when(path).ok_or_else(|| format!("{seq}: {path} is undone and was never done"))?;
        if let Some(last) = self.undone.last() {
            let last_done = self.when(last).unwrap_or_default();
            must(last_done > done, || format!("{seq}: {path} (done at {done}) is undone after {last} (done at {last_done})"))?;
        }
        self.undone.push(path);
        Ok(())
    }
}

fn has_undo(step: Option<&Step>) -> bool {
    step.is_some_and(|step| !step.undo.is_empty())
}

pub fn judge(case: &Case<'_>) -> Result<(), String> {
    let mut state = Undoing::default();
    let mut asked: BTreeMap<&str, (&str, &serde_json::Value)> = BTreeMap::new();
    let mut entered: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut cancelled_with_undo, mut unwinds) = (false, false);
    for line in case.lines {
        let (seq, path) = (line.seq, line.path());
        let timer = line.body["timer"].as_object().and_then(|timer| timer.values().next()?["path"].as_str());
        let touched = if path.is_empty() { timer.unwrap_or_default() } else { path };
        if let Some((owner, _)) = touched.split_once("~undo") {
            if state.undone.last() != Some(&owner) {
                state.begins(owner, seq)?;
            }
        } else if line.kind != "decision_requested" || line.body["purpose"] != "undo_failed" {
            for (at, _) in touched.match_indices(['/', '[', '.']) {
                let whole = &touched[..at];
                let step = case.step(whole);
                if has_undo(step) && step.is_some_and(|step| step.verb.holds_steps()) {
                    state.wholes.insert(whole, seq);
                }
            }
        }
        let undoable = has_undo(case.step(path)) && !path.contains("~undo");
        match line.kind.as_str() {
            "step_resolved" if !path.contains('~') => {
                if let Some(before) = entered.remove(list_of(path)) {
                    state.whole.insert(before);
                }
                let stays =
                    |step: &Step| step.verb.holds_steps() && matches!(step.on_failure, OnFailure::Stop | OnFailure::Rollback);
                let begins = !matches!(line.case("resolution"), "skip" | "fail");
                if undoable && begins && case.step(path).is_some_and(stays) {
                    entered.insert(list_of(path), path);
                }
            }
            "attempt_finished" if undoable && line.case("end") == "succeeded" => {
                state.done.insert(path, seq);
            }
            "attempt_finished" if path.contains("~verify[") && line.case("end") == "succeeded" => {
                let of = path.split_once("~verify[").unwrap_or_default().0;
                if has_undo(case.step(of)) {
                    state.done.insert(of, seq);
                }
            }
            "condition_judged" if undoable && line.body["holds"]["value"] == true => {
                let acts = case.step(path).is_some_and(|step| step.verb.acts());
                if acts {
                    state.done.insert(path, seq);
                }
            }
            "step_concluded" if undoable => match line.case("outputs") {
                "value" => {
                    state.done.insert(path, seq);
                }
                _ => {
                    state.done.remove(path);
                }
            },
            "decision_requested" => {
                asked.insert(line.body["decision"].as_str().unwrap_or_default(), (path, &line.body["purpose"]));
            }
            "decided" => {
                let decision = line.body["decision"].as_str().unwrap_or_default();
                let Some((path, purpose)) = asked.get(decision).copied() else { continue };
                let choice = line.body["vote"]["choice"].as_str().unwrap_or_default();
                let manual = case.step(path).is_some_and(|step| matches!(step.verb, Verb::Manual(_)));
                if purpose == "undo_failed" {
                    state.left |= choice == "leave";
                    continue;
                }
                let took_place = purpose == "unknown" && choice == "done" || purpose == "manual" && manual && choice == "approve";
                if took_place && has_undo(case.step(path)) && !path.contains("~undo") {
                    state.done.insert(path, seq);
                }
            }
            "cancel_requested" => cancelled_with_undo = line.body["undo"] == true,
            "undo_requested" => unwinds = true,
            "run_finished" => {
                let kind = line.body["outcome"]["kind"].as_str().unwrap_or_default();
                let taken_back = match kind {
                    "rolled_back" => true,
                    "cancelled" => cancelled_with_undo || unwinds,
                    _ => false,
                };
                finished(&state, kind, taken_back).map_err(|wrong| format!("{seq}: {wrong}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn finished(state: &Undoing<'_>, kind: &str, taken_back: bool) -> Result<(), String> {
    let covered = |path: &str| state.undone.iter().any(|whole| is_inside(path, whole));
    for path in state.done.keys() {
        let own = state.undone.contains(path);
        must(!(own && covered(path)), || format!("{path} is undone by itself and by the whole around it"))?;
        must(!taken_back || own || covered(path), || format!("the run ends {kind}, and {path} is not undone"))?;
    }
    let forgotten = state.whole.iter().find(|path| !state.undone.contains(path) && !covered(path));
    must(!taken_back || forgotten.is_none(), || format!("the run ends {kind}, and {forgotten:?} is not undone"))?;
    must(!state.left || kind == "needs_attention", || format!("changes are left, and the run ends {kind}"))?;
    let may_undo = taken_back || kind == "needs_attention";
    must(may_undo || state.undone.is_empty(), || format!("the run ends {kind}, and {:?} were undone", state.undone))
}
