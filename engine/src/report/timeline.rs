//! When what of a run ran: attempts, questions and waits as stretches of time, and a scale on which the times in which nothing ran are folded. Made from the
//! record alone; what it looks like is the affair of whoever draws it.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use runbook_core::plan::Verb;
use runbook_core::run::event::{Event, Fact, Resolution};
use runbook_core::{DecisionId, Run, StepPath};

use crate::words::between;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Works,
    /// People are asked.
    Asks,
    /// For a time, or for an event.
    Waits,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub doing: Doing,
    pub from: Timestamp,
    /// Absent while it goes on.
    pub to: Option<Timestamp>,
}

/// Takes in the events of a run, each with the run as it stood after it.
#[derive(Debug, Default)]
pub struct Timeline {
    of: HashMap<StepPath, Vec<Stretch>>,
    asking: Vec<(DecisionId, StepPath)>,
}

impl Timeline {
    pub fn event(&mut self, run: &Run, event: &Event) {
        let at = event.at;
        match &event.fact {
            Fact::AttemptStarted { path, .. } => {
                let waits = run.find_step(path).is_some_and(|view| matches!(view.step().verb, Verb::Wait(_) | Verb::Listen(_)));
                self.begin(path, if waits { Doing::Waits } else { Doing::Works }, at);
            }
            Fact::AttemptFinished { path, .. } => self.end(path, Doing::Works, at),
            Fact::StepResolved { path, resolution: Resolution::Wait { .. } } => self.begin(path, Doing::Waits, at),
            Fact::DecisionRequested { decision, path: Some(path), .. } => {
                self.begin(path, Doing::Asks, at);
                self.asking.push((*decision, path.clone()));
            }
            _ => {}
        }
        let (open, over): (Vec<_>, Vec<_>) =
            self.asking.drain(..).partition(|(id, _)| run.decision(*id).is_some_and(|decision| decision.is_open()));
        self.asking = open;
        over.iter().for_each(|(_, path)| self.end(path, Doing::Asks, at));
        for view in run.just_ended() {
            [Doing::Works, Doing::Asks, Doing::Waits].iter().for_each(|doing| self.end(view.path(), *doing, at));
        }
    }

    fn begin(&mut self, path: &StepPath, doing: Doing, from: Timestamp) {
        self.of.entry(path.clone()).or_default().push(Stretch { doing, from, to: None });
    }

    fn end(&mut self, path: &StepPath, doing: Doing, at: Timestamp) {
        let stretches = self.of.get_mut(path).into_iter().flatten();
        stretches.filter(|stretch| stretch.doing == doing && stretch.to.is_none()).for_each(|stretch| stretch.to = Some(at));
    }

    /// What a step did when, in the order in which it began to.
    pub fn of(&self, path: &StepPath) -> &[Stretch] {
        self.of.get(path).map(Vec::as_slice).unwrap_or_default()
    }

    /// A scale from one instant to another, `width` long, with each fold `fold` long.
    pub fn scale(&self, from: Timestamp, to: Timestamp, width: u32, fold: u32) -> Scale {
        let mut works: Vec<(Timestamp, Timestamp)> = Vec::new();
        let mut asks = works.clone();
        for stretch in self.of.values().flatten() {
            match stretch.doing {
                Doing::Works => works.push((stretch.from, stretch.to.unwrap_or(to))),
                Doing::Asks => asks.push((stretch.from, stretch.to.unwrap_or(to))),
                Doing::Waits => {}
            }
        }
        Scale::new(works, &asks, (from, to), width, fold)
    }
}

/// How many times are folded at most: the longest ones.
const FOLDS: usize = 8;
/// What is longer than this part of all the time in which something ran is folded where nothing ran.
const SHARE: u32 = 10;
const LEAST: Duration = Duration::from_secs(1);

/// From instants to places. Where nothing ran for long it is folded.
#[derive(Debug)]
pub struct Scale {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    from: Timestamp,
    to: Timestamp,
    place: f64,
    width: f64,
    fold: Option<Fold>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fold {
    /// Where its middle is.
    pub place: f64,
    pub took: Duration,
    /// Whether people were asked in it.
    pub asked: bool,
}

impl Scale {
    fn new(
        mut works: Vec<(Timestamp, Timestamp)>,
        asks: &[(Timestamp, Timestamp)],
        (from, to): (Timestamp, Timestamp),
        width: u32,
        fold: u32,
    ) -> Scale {
        works.sort_unstable();
        let (mut idle, mut busy, mut at) = (Vec::new(), Duration::ZERO, from);
        for (begins, ends) in works.into_iter().chain([(to, to)]) {
            if begins > at {
                idle.push((at, begins));
            }
            busy += between(begins.max(at), ends.max(at));
            at = at.max(ends);
        }
        let least = (busy / SHARE).max(LEAST);
        // Where nothing ran at all there is nothing to make room for.
        idle.retain(|(from, to)| !busy.is_zero() && between(*from, *to) > least);
        idle.sort_unstable_by_key(|(from, to)| std::cmp::Reverse(between(*from, *to)));
        idle.truncate(FOLDS);
        idle.sort_unstable();
        let folded: Duration = idle.iter().map(|(from, to)| between(*from, *to)).sum();
        let shown = between(from, to).saturating_sub(folded).as_secs_f64();
        let room = f64::from(width.saturating_sub(fold * idle.len() as u32));
        let mut scale = Scale { pieces: Vec::new() };
        let (mut at, mut place) = (from, 0.0);
        for (begins, ends) in idle.into_iter().map(|(from, to)| (from, Some(to))).chain([(to, None)]) {
            let width = if shown > 0.0 { room * between(at, begins).as_secs_f64() / shown } else { 0.0 };
            scale.pieces.push(Piece { from: at, to: begins, place, width, fold: None });
            place += width;
            at = begins;
            if let Some(ends) = ends {
                let asked = asks.iter().any(|(from, to)| *from < ends && *to > begins);
                let middle = place + f64::from(fold) / 2.0;
                let told = Fold { place: middle, took: between(begins, ends), asked };
                scale.pieces.push(Piece { from: begins, to: ends, place, width: f64::from(fold), fold: Some(told) });
                place += f64::from(fold);
                at = ends;
            }
        }
        scale
    }

    /// Where an instant is.
    pub fn place(&self, at: Timestamp) -> f64 {
        let piece = self.pieces.iter().find(|piece| at <= piece.to).or(self.pieces.last());
        piece.map_or(0.0, |piece| {
            let (whole, part) = (between(piece.from, piece.to).as_secs_f64(), between(piece.from, at).as_secs_f64());
            piece.place + if whole > 0.0 { piece.width * (part / whole).min(1.0) } else { 0.0 }
        })
    }

    pub fn folds(&self) -> impl Iterator<Item = Fold> {
        self.pieces.iter().filter_map(|piece| piece.fold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    /// Work and questions from second to second, in a run from 0 to `end`; then each second asked for, and where it is.
    #[track_caller]
    fn check(works: &[(i64, i64)], asks: &[(i64, i64)], end: i64, places: &[(i64, i64)], folds: &[(u64, bool)]) {
        let of = |times: &[(i64, i64)]| times.iter().map(|(from, to)| (at(*from), at(*to))).collect::<Vec<_>>();
        let scale = Scale::new(of(works), &of(asks), (at(0), at(end)), 1_000, 100);
        let found: Vec<(i64, i64)> = places.iter().map(|(second, _)| (*second, scale.place(at(*second)).round() as i64)).collect();
        assert_eq!(found, places, "{scale:?}");
        assert_eq!(scale.folds().map(|fold| (fold.took.as_secs(), fold.asked)).collect::<Vec<_>>(), folds);
    }

    #[test]
    fn time_is_to_scale_but_where_nothing_ran_for_long() {
        check(&[(0, 10)], &[], 10, &[(0, 0), (5, 500), (10, 1_000)], &[]);
        // An hour in which somebody was asked takes no more room than its fold.
        check(
            &[(0, 9), (3_609, 3_618)],
            &[(9, 3_609)],
            3_618,
            &[(9, 450), (1_809, 500), (3_609, 550), (3_618, 1_000)],
            &[(3_600, true)],
        );
        // A short pause is to scale; work side by side leaves none.
        check(&[(0, 50), (52, 100)], &[], 100, &[(50, 500), (52, 520)], &[]);
        check(&[(0, 100), (10, 20)], &[], 100, &[(20, 200), (100, 1_000)], &[]);
        // It waits still.
        check(&[(0, 9)], &[], 1_009, &[(9, 900), (1_009, 1_000)], &[(1_000, false)]);
        // Nothing ran, and nothing has happened yet.
        check(&[], &[(0, 100)], 100, &[(50, 500)], &[]);
        check(&[], &[], 0, &[(0, 0)], &[]);
        check(&[(0, 0)], &[], 0, &[(0, 0), (7, 0)], &[]);
    }

    #[test]
    fn only_the_longest_times_are_folded() {
        let works: Vec<(i64, i64)> = (0..20).map(|place| (place * 100, place * 100 + 1)).collect();
        let of = works.iter().map(|(from, to)| (at(*from), at(*to))).collect();
        let scale = Scale::new(of, &[], (at(0), at(2_000)), 1_000, 100);
        assert_eq!(scale.folds().count(), FOLDS);
        assert!((scale.place(at(2_000)) - 1_000.0).abs() < 0.001, "{scale:?}");
    }
}
