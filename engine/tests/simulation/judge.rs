//! Judges a history by what is promised. Nothing here knows the engine: a record is lines of JSON, the procedure is the
//! simulator's own tree, and the world's ledger says what really happened.

pub mod ahead;
mod bounds;
mod effects;
mod outcome;
mod people;
mod record;
mod time;
mod undo;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::book::{Retry, Step};
use crate::scenario::Scenario;
use crate::simulate::History;

/// One event of a record.
#[derive(Clone, Debug)]
pub struct Line {
    pub seq: u64,
    /// Milliseconds since the epoch.
    pub at: i64,
    pub kind: String,
    pub body: Json,
}

impl Line {
    pub fn path(&self) -> &str {
        self.body["path"].as_str().unwrap_or_default()
    }

    pub fn attempt(&self) -> u64 {
        self.body["attempt"].as_u64().unwrap_or_default()
    }

    /// The name of an enum's case, as JSON writes it: `"enter"`, or `{"work": …}`.
    pub fn case<'l>(&'l self, field: &str) -> &'l str {
        case(&self.body[field])
    }
}

pub fn case(value: &Json) -> &str {
    value.as_str().or_else(|| value.as_object()?.keys().next().map(String::as_str)).unwrap_or_default()
}

/// The last part of a path: the id of its step.
pub fn label(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The list that a step stands in: `a/b` and `a/c` are of one list.
pub fn list_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(list, _)| list)
}

/// Whether `part` lies inside `whole`.
pub fn is_inside(part: &str, whole: &str) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.starts_with(['/', '[', '.', '~']))
}

/// What every judge looks at.
pub struct Case<'c> {
    pub scenario: &'c Scenario,
    pub history: &'c History,
    pub run: &'c str,
    pub lines: &'c [Line],
    pub steps: &'c BTreeMap<&'c str, &'c Step>,
}

impl Case<'_> {
    pub fn step(&self, path: &str) -> Option<&Step> {
        self.steps.get(label(path)).copied()
    }

    /// Its own, or that of the step which it takes back or looks at.
    pub fn retry(&self, path: &str) -> Option<Retry> {
        let around = path.rsplit_once("~undo").or_else(|| path.rsplit_once("~verify[")).map(|(around, _)| around);
        self.step(path)?.retry.or_else(|| self.retry(around?))
    }
}

type Judge = fn(&Case<'_>) -> Result<(), String>;

/// What is wrong with a history; empty where all promises were kept.
pub fn judge(scenario: &Scenario, history: &History) -> (Vec<String>, Vec<Vec<Line>>) {
    let mut wrong: Vec<String> = history.faults.iter().map(|fault| format!("the engine had trouble of its own: {fault}")).collect();
    let steps = scenario.book.by_id();
    let (mut records, mut locked) = (Vec::new(), Vec::new());
    for (run, export) in &history.exports {
        let lines = match record::read(run, export) {
            Ok(lines) => lines,
            Err(why) => {
                wrong.push(format!("{run}: {why}"));
                continue;
            }
        };
        let case = Case { scenario, history, run, lines: &lines, steps: &steps };
        let judges: [Judge; 9] = [
            record::nothing_is_lost,
            record::one_owner,
            effects::judge,
            people::judge,
            ahead::judge,
            undo::judge,
            time::judge,
            bounds::judge,
            outcome::judge,
        ];
        wrong.extend(judges.iter().filter_map(|judge| judge(&case).err()));
        locked.extend(bounds::locked(&case));
        records.push(lines);
    }
    locked.sort_unstable();
    if locked.windows(2).any(|two| two[0].1 > two[1].0) {
        wrong.push(format!("two runs hold one lock: {locked:?}"));
    }
    wrong.extend(ahead::uses(scenario, history, &records).err());
    (wrong, records)
}

/// An `Err` with what is wrong, unless it holds.
pub fn must(holds: bool, wrong: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(wrong()) }
}

pub fn at(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|at| at.as_millisecond())
}
