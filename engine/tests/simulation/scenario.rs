//! All that a seed decides: the procedure, how kind the world is, what breaks and when, who meddles. Faults are listed one by
//! one, so that a failing seed can be shrunk by leaving them out.

use std::sync::Arc;

use crate::author;
use crate::book::{Book, PEOPLE, Verb};
use crate::dice::Dice;

/// How many seeds share a procedure: reading and checking one costs more than running it.
pub const SHARED: u64 = 10;

#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub book: Arc<Book>,
    /// The input of the procedure.
    pub n: i64,
    pub stepwise: bool,
    pub part: Part,
    /// Runs of the same procedure at once.
    pub runs: u32,
    /// Of how many ends one is bad.
    pub unkind: u64,
    /// Whether processes at work wait for people.
    pub patient: bool,
    pub strikes: Vec<Strike>,
    pub troubles: Vec<(Who, u32, Trouble)>,
    /// When the clock is set, and by how many milliseconds.
    pub jumps: Vec<(u64, i64)>,
    /// When one more process takes up the run, whoever is at work on it.
    pub rivals: Vec<u64>,
    /// Engine processes that are told to leave the run, and how long after their start.
    pub parks: Vec<(u32, u64)>,
    pub meddling: Vec<(u64, Meddling)>,
    pub aheads: Vec<Early>,
    /// People act at random; else as they should.
    pub wild: bool,
}

/// Which of the outermost steps are run.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Whole,
    From(String),
    Only(Vec<String>),
}

/// Processes in the order of their start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Engine(u32),
    Person(u32),
}

#[derive(Clone, Copy, Debug)]
pub struct Strike {
    pub who: Who,
    /// At which of its polls: each await is at least one.
    pub poll: u32,
    pub blow: Blow,
}

#[derive(Clone, Copy, Debug)]
pub enum Blow {
    /// It dies. So many of the changes that it has queued still reach the disk; others see that it is gone, or not.
    Crash { keep: u32, seen: bool },
    /// It is stopped for so many milliseconds, and goes on as if nothing had happened.
    Freeze(u64),
    /// Everything dies, and so many in a hundred of the changes that were not synced stay.
    PowerCut { kept: u64 },
}

#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The write is answered so many milliseconds later.
    Slow(u64),
    /// This and some further writes find no space.
    Full(u32),
    /// A sync fails; the change was made all the same, or not.
    FailedSync { made: bool },
    /// The process dies in the middle of the write, which is no commit to anybody; others see that it is gone, or not.
    Torn { seen: bool },
}

#[derive(Clone, Copy, Debug)]
pub enum Meddling {
    Cancel {
        undo: bool,
    },
    Pause,
    Resume,
    Note,
    /// Undo of a run that has ended.
    Undo,
}

/// An approval that somebody gives before it is asked for.
#[derive(Clone, Debug)]
pub struct Early {
    /// When it is given: 0 is before anything starts.
    pub at: u64,
    pub who: &'static str,
    /// The path of the step, without numbers of items and rounds.
    pub step: String,
    pub uses: u32,
    /// Milliseconds until it expires.
    pub lasts: u64,
    /// The only input that it is for, where it names one.
    pub n: Option<i64>,
}

impl Scenario {
    pub fn of(seed: u64, book: &Arc<Book>) -> Scenario {
        let mut dice = Dice::of(seed, "scenario");
        let mut scenario = Scenario {
            seed,
            book: book.clone(),
            n: dice.roll(8) as i64,
            stepwise: dice.one_in(24),
            part: Part::Whole,
            runs: if book.main().lock && dice.one_in(2) { 2 } else { 1 },
            unkind: dice.pick(&[3, 6, 20]),
            patient: dice.one_in(2),
            strikes: Vec::new(),
            troubles: Vec::new(),
            jumps: Vec::new(),
            rivals: Vec::new(),
            parks: Vec::new(),
            meddling: Vec::new(),
            aheads: Vec::new(),
            wild: dice.one_in(2),
        };
        if dice.one_in(20) {
            let ids: Vec<String> = book.main().steps.iter().map(|step| step.id.clone()).collect();
            scenario.part = match dice.one_in(2) {
                true => Part::From(dice.pick(&ids)),
                false => Part::Only(vec![dice.pick(&ids), dice.pick(&ids)]),
            };
        }
        // One in five is calm: there the time of everything is judged exactly.
        if !dice.one_in(5) {
            scenario.break_things(seed);
        }
        scenario.meddle(seed);
        scenario.decide_ahead(seed);
        scenario
    }

    /// The procedure of a seed, before anything is left out.
    pub fn book(seed: u64) -> Book {
        author::write(seed / SHARED)
    }

    /// Whether this step of the outermost list is not part of the run.
    pub fn leaves_out(&self, id: &str) -> bool {
        let steps = &self.book.main().steps;
        let outermost = steps.iter().any(|step| step.id == id);
        outermost
            && match &self.part {
                Part::Whole => false,
                Part::From(first) => steps.iter().take_while(|step| step.id != *first).any(|step| step.id == id),
                Part::Only(ids) => ids.iter().all(|only| only != id),
            }
    }

    /// Whether the clock runs and nothing stops a process from looking at it.
    pub fn is_calm(&self) -> bool {
        self.strikes.is_empty() && self.troubles.is_empty() && self.jumps.is_empty()
    }

    /// Whether a process is neither struck nor has trouble with its disk.
    pub fn spares(&self, who: Who) -> bool {
        self.strikes.iter().all(|strike| strike.who != who) && self.troubles.iter().all(|(of, _, _)| *of != who)
    }

    fn break_things(&mut self, seed: u64) {
        let mut dice = Dice::of(seed, "faults");
        for process in 1..=dice.between(1, 6) as u32 {
            if dice.one_in(4) {
                continue;
            }
            let most = dice.pick(&[12, 60, 60, 300]);
            let blow = match dice.roll(8) {
                0..=4 => Blow::Crash { keep: dice.roll(3) as u32, seen: !dice.one_in(3) },
                5 | 6 => Blow::Freeze(dice.pick(&[2_000, 11_000, 40_000])),
                _ => Blow::PowerCut { kept: dice.pick(&[0, 50, 100]) },
            };
            self.strikes.push(Strike { who: Who::Engine(process), poll: dice.between(1, most) as u32, blow });
        }
        for person in 1..=4 {
            if dice.one_in(8) {
                let blow = if dice.one_in(4) {
                    Blow::Freeze(15_000)
                } else {
                    Blow::Crash { keep: dice.roll(3) as u32, seen: dice.one_in(2) }
                };
                self.strikes.push(Strike { who: Who::Person(person), poll: dice.between(1, 8) as u32, blow });
            }
        }
        for _ in 0..dice.roll(3) {
            let trouble = match dice.roll(5) {
                0 => Trouble::Full(dice.between(1, 3) as u32),
                1 => Trouble::FailedSync { made: dice.one_in(2) },
                2 => Trouble::Torn { seen: !dice.one_in(3) },
                _ => Trouble::Slow(dice.pick(&[30, 700, 12_000])),
            };
            let who = if dice.one_in(5) { Who::Person(dice.between(1, 3) as u32) } else { Who::Engine(dice.between(1, 4) as u32) };
            let write = if matches!(who, Who::Person(_)) { dice.between(1, 4) } else { dice.between(1, 30) };
            self.troubles.push((who, write as u32, trouble));
        }
        if dice.one_in(5) {
            for _ in 0..dice.between(1, 2) {
                let by: i64 = dice.pick(&[5_000, 70_000, 3_600_000, 31_536_000_000]);
                self.jumps.push((dice.between(1, 40_000), if dice.one_in(2) { by } else { -by }));
            }
        }
        for _ in 0..dice.roll(3) {
            self.rivals.push(dice.between(1, 40_000));
        }
    }

    fn meddle(&mut self, seed: u64) {
        let mut dice = Dice::of(seed, "meddling");
        if !dice.one_in(3) {
            return;
        }
        if dice.one_in(3) {
            self.parks.push((dice.between(1, 2) as u32, dice.between(0, 4_000)));
        }
        for _ in 0..dice.between(1, 3) {
            let at = dice.between(1, dice.clone().pick(&[3_000, 20_000]));
            match dice.roll(8) {
                0 | 1 => self.meddling.push((at, Meddling::Cancel { undo: dice.one_in(2) })),
                2 | 3 => {
                    self.meddling.push((at, Meddling::Pause));
                    self.meddling.push((at + dice.between(100, 15_000), Meddling::Resume));
                }
                4 => self.meddling.push((at, Meddling::Resume)),
                5 => self.meddling.push((at + 30_000, Meddling::Undo)),
                _ => self.meddling.push((at, Meddling::Note)),
            }
        }
    }
    fn decide_ahead(&mut self, seed: u64) {
        let mut dice = Dice::of(seed, "ahead");
        let gated = self.book.gate.is_some();
        let mut asked = self.book.paths();
        asked.retain(|(_, step)| matches!(step.verb, Verb::Approve(_)) || gated && step.changes());
        if asked.is_empty() || dice.one_in(2) {
            return;
        }
        for _ in 0..dice.between(1, 3) {
            self.aheads.push(Early {
                at: if dice.one_in(3) { dice.between(1, 20_000) } else { 0 },
                who: dice.pick(&PEOPLE),
                step: asked[dice.roll(asked.len() as u64) as usize].0.clone(),
                uses: dice.pick(&[1, 1, 2, 3, 5]),
                lasts: dice.pick(&[1_000, 10_000, 100_000, 3_600_000]),
                n: dice.one_in(4).then(|| self.n + i64::from(dice.one_in(3))),
            });
        }
        if dice.one_in(2) {
            self.runs = 2;
        }
        // About when it is used.
        if !self.is_calm() && dice.one_in(2) {
            let blow = Blow::Crash { keep: dice.roll(3) as u32, seen: dice.one_in(2) };
            self.strikes.push(Strike { who: Who::Engine(1), poll: dice.between(2, 8) as u32, blow });
        } else if !self.is_calm() {
            self.troubles.push((Who::Engine(1), dice.between(2, 3) as u32, Trouble::Slow(12_000)));
        }
    }
}
