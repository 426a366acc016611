//! Judges a record by what is promised, from the events alone: it knows nothing of the machine, and of the procedure only
//! what the ids say. The first letter of an id: `r` reads, `i` may be repeated, `c` and `x` change, `u` and `v` change and
//! have an undo (`v` also a verification), `k` is a group with an undo of its own, `p` asks people.

use std::collections::{BTreeMap, BTreeSet};

use runbook_core::run::decision::{Choice, Purpose};
use runbook_core::run::event::{AttemptEnd, Evaluated, OutcomeKind, Resolution};
use runbook_core::{DecisionId, Event, Fact, Value};

#[derive(Default)]
struct Attempts {
    started: u32,
    under_way: bool,
    /// The last end was unknown, and nothing has said since that it may be repeated.
    in_doubt: bool,
}

#[derive(Default)]
struct Judge {
    works: BTreeSet<String>,
    attempts: BTreeMap<String, Attempts>,
    asked: BTreeMap<DecisionId, (Option<String>, Purpose)>,
    /// The lists in which nothing may come up any more.
    closed_lists: BTreeSet<String>,
    rejected: BTreeSet<String>,
    /// Steps with an undo, and when they succeeded.
    succeeded: BTreeMap<String, u64>,
    /// When anything last happened inside a `k`, before it was undone.
    wholes: BTreeMap<String, u64>,
    /// What was undone, in that order.
    undone: Vec<String>,
    left: bool,
    undo_wanted: bool,
    cancelled: bool,
    paused: bool,
    finished: bool,
    tidied: u32,
}

fn kind(path: &str) -> char {
    path.rsplit('/').next().and_then(|label| label.chars().next()).unwrap_or_default()
}

fn list_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(list, _)| list)
}

fn repeatable(path: &str) -> bool {
    matches!(kind(path), 'r' | 'i' | 'l')
}

pub fn judge(events: &[Event]) {
    let mut judge = Judge::default();
    for event in events {
        judge.take(event);
    }
    assert!(judge.finished, "the run does not end");
}

impl Judge {
    fn take(&mut self, event: &Event) {
        let seq = event.seq;
        match &event.fact {
            Fact::StepResolved { path, resolution } => {
                let path = path.as_str();
                self.touch(path, seq);
                assert!(!self.closed_lists.contains(list_of(path)), "{seq}: {path} comes up after a rejection in its list");
                if let Resolution::Work(_) = resolution {
                    assert!(self.works.insert(path.to_owned()), "{seq}: {path} comes up twice");
                }
                if path == "~finally/last" {
                    self.tidied += 1;
                }
            }
            Fact::AttemptStarted { path, attempt } => {
                self.touch(path.as_str(), seq);
                self.started(path.as_str(), *attempt, seq);
            }
            Fact::AttemptFinished { path, attempt, end } => {
                self.touch(path.as_str(), seq);
                self.ended(path.as_str(), *attempt, end, seq);
            }
            Fact::StepConcluded { path, outputs } => {
                self.touch(path.as_str(), seq);
                match outputs {
                    Evaluated::Value(_) => self.success(path.as_str(), seq),
                    Evaluated::Failed(_) => {
                        self.succeeded.remove(path.as_str());
                    }
                }
            }
            Fact::ConditionJudged { path, .. } => self.touch(path.as_str(), seq),
            Fact::TimerFired { timer, .. } => {
                let text = serde_json::to_value(timer).unwrap();
                for path in text.as_object().into_iter().flat_map(|m| m.values()).filter_map(|t| t["path"].as_str()) {
                    self.touch(path, seq);
                }
            }
            Fact::DecisionRequested { decision, path, purpose, .. } => {
                self.asked.insert(*decision, (path.as_ref().map(ToString::to_string), purpose.clone()));
            }
            Fact::Decided { decision, vote } => self.decided(*decision, vote.choice, seq),
            Fact::CancelRequested { undo, .. } => {
                self.cancelled = true;
                self.paused = false;
                self.undo_wanted = *undo;
            }
            Fact::PauseRequested { .. } => self.paused = true,
            Fact::ResumeRequested { .. } => self.paused = false,
            Fact::UndoRequested { .. } => self.undo_wanted = true,
            Fact::RunFinished { outcome } => self.run_finished(outcome.kind, seq),
            _ => {}
        }
    }

    /// Something happened at `path`: every whole around it is not done before this.
    fn touch(&mut self, path: &str, seq: u64) {
        if path.contains("~undo") {
            let (owner, _) = path.split_once("~undo").unwrap_or_default();
            if self.undone.last().is_none_or(|last| last != owner) {
                self.undo_begins(owner, seq);
            }
            return;
        }
        for (at, _) in path.match_indices(['/', '[', '.']) {
            let whole = &path[..at];
            if kind(whole) == 'k' {
                self.wholes.insert(whole.to_owned(), seq);
            }
        }
    }

    fn undo_begins(&mut self, owner: &str, seq: u64) {
        assert!(!self.undone.iter().any(|o| o == owner), "{seq}: {owner} is undone twice");
        let when = |o: &str| self.succeeded.get(o).or_else(|| self.wholes.get(o)).copied();
        let done = when(owner).unwrap_or_else(|| panic!("{seq}: {owner} is undone and was never done"));
        if let Some(last) = self.undone.last() {
            let last_done = when(last).unwrap_or_default();
            // A whole ends with the last of its parts.
            assert!(last_done > done, "{seq}: {owner} (done at {done}) is undone after {last} (done at {last_done})");
        }
        self.undone.push(owner.to_owned());
    }

    fn started(&mut self, path: &str, attempt: u32, seq: u64) {
        assert!(self.works.contains(path), "{seq}: {path} starts before it was resolved");
        assert!(!self.paused, "{seq}: {path} starts while the run is paused");
        assert!(!self.rejected.contains(path), "{seq}: {path} starts and was rejected");
        let way_out = path.contains("~undo") || path.contains("~finally");
        assert!(!self.cancelled || way_out, "{seq}: {path} starts in a cancelled run");
        assert!(!self.finished || path.contains("~undo"), "{seq}: {path} starts after the end");
        let attempts = self.attempts.entry(path.to_owned()).or_default();
        assert_eq!(attempt, attempts.started + 1, "{seq}: attempts of {path} have a gap");
        assert!(!attempts.under_way, "{seq}: {path} starts twice at once");
        assert!(!attempts.in_doubt || repeatable(path), "{seq}: {path} is repeated, and nobody knows how it ended");
        (attempts.started, attempts.under_way, attempts.in_doubt) = (attempt, true, false);
    }

    fn ended(&mut self, path: &str, attempt: u32, end: &AttemptEnd, seq: u64) {
        let attempts = self.attempts.entry(path.to_owned()).or_default();
        assert!(attempts.under_way && attempts.started == attempt, "{seq}: attempt {attempt} of {path} was not under way");
        attempts.under_way = false;
        attempts.in_doubt = matches!(end, AttemptEnd::Unknown { .. }) && !repeatable(path);
        if let AttemptEnd::Succeeded { .. } = end {
            self.success(path, seq);
        }
        if let Some((of, _)) = path.split_once("~verify") {
            let of = of.to_owned();
            match end {
                AttemptEnd::Succeeded { .. } => self.happened(&of, seq),
                AttemptEnd::Failed { result, .. } if *result != Value::Null => self.cleared(&of),
                _ => {}
            }
        }
    }

    fn success(&mut self, path: &str, seq: u64) {
        if matches!(kind(path), 'u' | 'v') && !path.contains("~undo") {
            self.succeeded.insert(path.to_owned(), seq);
        }
    }

    /// It is known that an attempt of unknown end did its work.
    fn happened(&mut self, path: &str, seq: u64) {
        self.cleared(path);
        self.touch(path, seq);
        self.success(path, seq);
    }

    fn cleared(&mut self, path: &str) {
        self.attempts.entry(path.to_owned()).or_default().in_doubt = false;
    }

    fn decided(&mut self, decision: DecisionId, choice: Choice, seq: u64) {
        let (path, purpose) = self.asked[&decision].clone();
        let path = path.unwrap_or_default();
        match (purpose, choice) {
            (Purpose::UndoFailed, Choice::Leave) => self.left = true,
            (Purpose::UndoFailed, _) => {}
            (Purpose::Unknown, Choice::Done) => self.happened(&path, seq),
            (Purpose::Unknown, Choice::Again) => self.cleared(&path),
            (Purpose::Approve, Choice::Reject) => {
                self.touch(&path, seq);
                self.closed_lists.insert(list_of(&path).to_owned());
            }
            (_, Choice::Reject) => {
                self.touch(&path, seq);
                self.rejected.insert(path);
            }
            _ => self.touch(&path, seq),
        }
    }

    fn run_finished(&mut self, outcome: OutcomeKind, seq: u64) {
        assert_eq!(self.tidied, 1, "{seq}: `finally` ran {} times", self.tidied);
        let open: Vec<&String> = self.attempts.iter().filter(|(_, a)| a.under_way).map(|(path, _)| path).collect();
        assert!(open.is_empty(), "{seq}: the run ends while {open:?} are under way");
        let doubts: Vec<&String> = self.attempts.iter().filter(|(_, a)| a.in_doubt).map(|(path, _)| path).collect();
        let attention = outcome == OutcomeKind::NeedsAttention;
        assert_eq!(attention, self.left || !doubts.is_empty(), "{seq}: {outcome:?}, in doubt {doubts:?}");
        let taken_back = match outcome {
            OutcomeKind::RolledBack => true,
            OutcomeKind::Cancelled => self.undo_wanted,
            _ => false,
        };
        let covered = |path: &str| {
            self.undone.iter().any(|whole| path.strip_prefix(whole.as_str()).is_some_and(|rest| rest.starts_with(['/', '[', '.'])))
        };
        for path in self.succeeded.keys() {
            let own = self.undone.iter().any(|o| o == path);
            assert!(!(own && covered(path)), "{seq}: {path} is undone by itself and by the whole around it");
            assert!(!taken_back || own || covered(path), "{seq}: {outcome:?}, and {path} is not undone");
        }
        if !taken_back && !attention && outcome != OutcomeKind::RolledBack {
            assert!(self.undone.is_empty(), "{seq}: {outcome:?}, and {:?} were undone", self.undone);
        }
        (self.finished, self.paused) = (true, false);
    }
}

/// What has happened in all the runs together, so that no promise is kept only because nothing tried it.
#[derive(Default)]
pub struct Seen(BTreeMap<String, u32>);

impl Seen {
    pub fn count(&mut self, events: &[Event]) {
        for event in events {
            let what = match &event.fact {
                Fact::RunFinished { outcome } => format!("a run that ends {}", outcome.kind.name()),
                Fact::Decided { vote, .. } => format!("a vote to {}", vote.choice.name()),
                Fact::AttemptFinished { end: AttemptEnd::Unknown { .. }, .. } => "an unknown end".to_owned(),
                Fact::AttemptStarted { path, .. } if path.as_str().contains("~undo") => {
                    let owner = path.as_str().split("~undo").next().unwrap_or_default();
                    format!("an undo of {}", kind(owner))
                }
                Fact::StepResolved { resolution, .. } => {
                    let text = serde_json::to_value(resolution).unwrap();
                    let name = text.as_str().or_else(|| text.as_object()?.keys().next().map(String::as_str));
                    format!("a resolution to {}", name.unwrap_or_default())
                }
                other => other.kind().to_owned(),
            };
            *self.0.entry(what).or_default() += 1;
        }
    }

    pub fn assert_everything_happened(&self) {
        for what in [
            "a run that ends succeeded",
            "a run that ends failed",
            "a run that ends rejected",
            "a run that ends cancelled",
            "a run that ends rolled_back",
            "a run that ends needs_attention",
            "a vote to approve",
            "a vote to reject",
            "a vote to probe",
            "a vote to done",
            "a vote to again",
            "a vote to leave",
            "an unknown end",
            "an undo of u",
            "an undo of v",
            "an undo of k",
            "a resolution to work",
            "a resolution to skip",
            "a resolution to fail",
            "a resolution to checked",
            "a resolution to values",
            "a resolution to branch",
            "a resolution to items",
            "a resolution to call",
            "a resolution to wait",
            "a resolution to enter",
            "a resolution to ask",
            "a resolution to finish",
            "step_concluded",
            "condition_judged",
            "timer_fired",
            "decision_voided",
            "cancel_requested",
            "pause_requested",
            "resume_requested",
            "undo_requested",
        ] {
            assert!(self.0.contains_key(what), "never seen: {what}, among {:#?}", self.0);
        }
    }
}

/// The record, one event a line.
pub fn told(events: &[Event]) -> String {
    let line = |e: &Event| {
        let mut text = format!("{:?}", e.fact);
        if let Some((at, _)) = text.char_indices().nth(160) {
            text.truncate(at);
        }
        format!("{:>4} {} {text}\n", e.seq, e.at)
    };
    events.iter().map(line).collect()
}
