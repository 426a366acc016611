//! One way through a plan: the run so far, and what it may do next. Whatever leaves no choice is done at once; where the world or
//! people decide, each possibility is a [`Choice`], the best first.

use jiff::Timestamp;

use super::story::Story;
use super::turn::{Turn, What};
use super::{named, predicted_answers, predicted_result};
use crate::document::step::BatchSize;
use crate::id::{DecisionId, RunId, StepPath};
use crate::limits;
use crate::plan::{Step, StepIx, Verb, WaitFor};
use crate::run::decision::{Choice as Say, Purpose, Standing as Answer};
use crate::run::event::{AttemptEnd, Evaluated, Failure, Identity, Means, Resolution, Timer, Vote};
use crate::run::task::Task;
use crate::run::view::Standing;
use crate::run::{Assumed, Command, Event, Fact, IllegalEvent, Prospect, Run, later};
use crate::value::Value;

/// What it costs to apply an event and to evaluate what it says, in parts of runs.
const EVENT: usize = 100;

#[derive(Clone)]
pub(super) struct Way {
    pub run: Run,
    pub story: Story,
    /// How conditions that cannot be judged were taken to go.
    pub assumed: Assumed,
    now: Timestamp,
    /// What was seen since it was last asked.
    pub seen: Vec<Seen>,
    /// What it has cost so far, in parts of runs.
    pub cost: usize,
    /// The run right after each change since then that can be taken back.
    pub undoable: Vec<Run>,
}

/// Something that a way came by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// The step began.
    Reached(StepIx),
    /// The `choose` took this branch.
    Branch(StepIx, u32),
    /// It destroys something, and nobody has said yes.
    Unapproved(StepIx),
    /// What takes this step back cannot be evaluated.
    UndoLacks(StepIx, String),
    /// The property with this number does not hold.
    Broken(usize),
}

/// One thing that may happen next.
#[derive(Clone)]
pub(super) struct Choice {
    pub turn: Turn,
    does: Does,
}

#[derive(Clone)]
enum Does {
    Resolve(Prospect),
    Judge {
        round: u32,
        holds: Evaluated<bool>,
    },
    Attempt {
        attempt: u32,
    },
    Say(DecisionId),
    /// A time comes; before it does, the attempts begin that are stopped by it.
    Fire {
        timer: Timer,
        at: Timestamp,
        during: Vec<(StepPath, u32)>,
    },
    /// A time that is waited for comes.
    Pass {
        timer: Timer,
        at: Timestamp,
    },
}

/// What a command that wants an answer comes to.
enum Next {
    Done,
    Choose(Vec<Choice>),
    /// It is not its turn.
    Later,
}

impl Way {
    pub fn new(run: Run, story: Story) -> Way {
        Way { run, story, assumed: Assumed::default(), now: Timestamp::UNIX_EPOCH, seen: Vec::new(), undoable: Vec::new(), cost: 0 }
    }

    pub fn record(&mut self, fact: Fact) -> Result<(), IllegalEvent> {
        let undoable = self.run.undoable();
        let run = self.run.id().cloned().unwrap_or_else(RunId::explored);
        let event = Event { run, seq: self.run.seq() + 1, at: self.now, fact };
        self.run.apply(&event)?;
        self.cost += EVENT;
        self.story.take(&event.fact, &self.run, &mut self.seen);
        if self.run.undoable() > undoable {
            self.cost += self.run.weight();
            self.undoable.push(self.run.clone());
        }
        Ok(())
    }

    /// Does what leaves no choice, and gives the choices that there are then: none where the run has ended or nothing moves it.
    /// `None`: it did not come to a choice within its bound.
    pub fn settle(&mut self) -> Result<Option<Vec<Choice>>, IllegalEvent> {
        for _ in 0..limits::EXPLORE_AT_ONCE {
            if self.run.outcome().is_some() {
                return Ok(Some(Vec::new()));
            }
            let pending = self.run.pending();
            let mut moved = false;
            for command in &pending {
                match self.answer(command)? {
                    Next::Done => moved = true,
                    Next::Choose(choices) => return Ok(Some(choices)),
                    Next::Later => continue,
                }
                break;
            }
            if !moved {
                return Ok(Some(self.choices(&pending)));
            }
        }
        Ok(None)
    }

    fn answer(&mut self, command: &Command) -> Result<Next, IllegalEvent> {
        let fact = match command {
            Command::TakeLock { lock } => Some(Fact::LockTaken { lock: lock.clone() }),
            Command::Finish { outcome } => Some(Fact::RunFinished { outcome: outcome.clone() }),
            Command::Resolve { path } => {
                let mut choices = self.resolutions(path);
                if choices.len() > 1 {
                    return Ok(Next::Choose(choices));
                }
                if let Some(only) = choices.pop() {
                    self.take(&only)?;
                }
                return Ok(Next::Done);
            }
            Command::Judge { path, round } => {
                let mut choices = self.judgements(path, *round);
                if choices.len() > 1 {
                    return Ok(Next::Choose(choices));
                }
                if let Some(only) = choices.pop() {
                    self.take(&only)?;
                }
                return Ok(Next::Done);
            }
            Command::Conclude { path } => self.run.conclude(path, self.now).map(|fact| match fact {
                Fact::StepConcluded { path, outputs: Evaluated::Value(outputs) } => {
                    let outputs = Evaluated::Value(named(outputs, path.label()));
                    Fact::StepConcluded { path, outputs }
                }
                other => other,
            }),
            Command::Request { path, purpose } => self.run.bare_request(path.as_ref(), purpose, self.now),
            Command::Stop { path, attempt } => {
                let end = AttemptEnd::Cancelled { failure: failure("it was stopped"), result: Value::Null };
                Some(Fact::AttemptFinished { path: path.clone(), attempt: *attempt, end })
            }
            // How long anything takes is not known: what only waits for its time is over at once, or has none left.
            Command::Wake { timer, at } if self.only_waits(timer) => {
                let (timer, at) = self.own_deadline(timer, *at).unwrap_or((timer.clone(), *at));
                self.now = self.now.max(at);
                Some(Fact::fired(timer))
            }
            Command::Perform { .. } | Command::Await { .. } | Command::Wake { .. } => return Ok(Next::Later),
        };
        match fact {
            Some(fact) => self.record(fact).map(|()| Next::Done),
            None => Ok(Next::Later),
        }
    }

    /// Whether a timer is a delay during which nothing else is decided: neither a deadline, nor the time until a wait looks again, nor
    /// a wait for a time beside something else, or in something whose own time may come first.
    fn only_waits(&self, timer: &Timer) -> bool {
        match timer {
            Timer::Retry { .. } => true,
            Timer::Wait { path, round: 0 } => {
                let own = self.own_deadline(timer, self.wakes_at(timer)).map(|(_, at)| at);
                let comes_first = |deadline: &Timer, at: Timestamp| {
                    matches!(deadline, Timer::Step { path: of } if of == path) || own.is_some_and(|own| own < at)
                };
                let pending = self.run.pending();
                // What is ready beside it does not wait for that.
                let beside = pending.iter().any(|command| matches!(command, Command::Perform { .. } | Command::Await { .. }));
                !beside && self.deadlines(&pending).iter().all(|(deadline, at)| comes_first(deadline, *at))
            }
            Timer::Wait { path, .. } => self.step(path).is_some_and(|s| matches!(s.verb, Verb::Repeat { .. })),
            _ => false,
        }
    }

    /// The deadline of a wait for a time, where it comes before that time, or with it.
    fn own_deadline(&self, wait: &Timer, until: Timestamp) -> Option<(Timer, Timestamp)> {
        let Timer::Wait { path, round: 0 } = wait else { return None };
        let own = Timer::Step { path: path.clone() };
        let at = self.wakes_at(&own);
        (at <= until).then_some((own, at))
    }

    /// When a timer is due; at the end of all time where it is not set.
    fn wakes_at(&self, wanted: &Timer) -> Timestamp {
        let due = self.run.wanted().find_map(|command| match command {
            Command::Wake { timer, at } if timer == wanted => Some(*at),
            _ => None,
        });
        due.unwrap_or(Timestamp::MAX)
    }

    /// The times of steps and of the run that may be over.
    fn deadlines(&self, pending: &[Command]) -> Vec<(Timer, Timestamp)> {
        let counts = |timer: &Timer| match timer {
            Timer::Step { .. } => true,
            // What takes back, and what tidies up, has no end by it.
            Timer::Run => self.run.can_run_out(),
            _ => false,
        };
        let deadlines = pending.iter().filter_map(|command| match command {
            Command::Wake { timer, at } if counts(timer) => Some((timer.clone(), *at)),
            _ => None,
        });
        deadlines.collect()
    }

    fn step(&self, path: &StepPath) -> Option<&Step> {
        self.run.find_step(path).map(|view| view.step())
    }

    fn turn(&self, path: &StepPath, what: What) -> Turn {
        let step = self.run.find_step(path).map_or(StepIx(0), |view| view.step_ix());
        Turn { path: path.clone(), step, what }
    }

    // What a step turns out to do.

    fn resolutions(&self, path: &StepPath) -> Vec<Choice> {
        let mut choices = Vec::new();
        for prospect in self.run.prospects(path, self.now, &self.assumed) {
            for (resolution, what) in self.possibilities(path, &prospect) {
                let mut prospect = Prospect { resolution, ..prospect.clone() };
                match what {
                    What::Holds => prospect.assumes.extend(prospect.holds.clone()),
                    What::DoesNotHold => prospect.assumes.extend(prospect.denied.clone()),
                    _ => {}
                }
                let does = Does::Resolve(prospect);
                choices.push(Choice { turn: self.turn(path, what), does });
            }
        }
        // Whether a value that nobody knows is one that it can be evaluated with.
        let open = |choice: &Choice| matches!(&choice.does, Does::Resolve(prospect) if !prospect.open.is_empty());
        let doubtful = choices.len() > 1 || choices.iter().any(open);
        if doubtful
            && !choices.iter().any(|choice| choice.turn.what == What::Fails)
            && self.step(path).is_some_and(Step::may_not_resolve)
        {
            let fails = Resolution::Fail { error: failure("what it reads has another value than it can go by") };
            choices.push(Choice { turn: self.turn(path, What::Fails), does: Does::Resolve(Prospect::sure(fails)) });
        }
        choices.sort_by_key(|choice| (choice.turn.what.is_fall(), choice.turn.what == What::Skipped));
        choices
    }

    fn possibilities(&self, path: &StepPath, prospect: &Prospect) -> Vec<(Resolution, What)> {
        let resolution = prospect.resolution.clone();
        let open = !prospect.open.is_empty();
        match resolution {
            Resolution::Skip { .. } => vec![(resolution, What::Skipped)],
            Resolution::Branch(branch) => vec![(resolution, What::Branch(branch))],
            Resolution::Fail { .. } => vec![(resolution, What::Fails)],
            Resolution::Checked { ref failures } if failures.is_empty() && open => {
                let not = Resolution::Checked { failures: prospect.open.clone() };
                vec![(resolution, What::Holds), (not, What::DoesNotHold)]
            }
            Resolution::Checked { ref failures } => {
                let what = if failures.is_empty() { What::Holds } else { What::DoesNotHold };
                vec![(resolution, what)]
            }
            Resolution::Items { items, waves } => self.items(path, items, waves, open),
            // Where it is not known, it may come to hold, or not in time; so may an instant come.
            Resolution::Wait { .. } if open && self.step(path).is_some_and(polls) => {
                vec![(Resolution::Wait { until: None }, What::Runs)]
            }
            Resolution::Wait { until: Some(until) } => self.waits(path, until, open),
            Resolution::Values(values) => vec![(Resolution::Values(named(values, path.label())), What::Runs)],
            other => vec![(other, What::Runs)],
        }
    }

    /// A wait for a time has enough of its own, or has not, or that is not known: how long it takes, or when an instant comes that
    /// is written as one.
    fn waits(&self, path: &StepPath, until: Timestamp, open: bool) -> Vec<(Resolution, What)> {
        let passes = (Resolution::Wait { until: Some(if open { self.now } else { until }) }, What::Runs);
        let Some(step) = self.step(path) else { return Vec::new() };
        let Verb::Wait(wait) = &step.verb else { return Vec::new() };
        let Some(within) = wait.within.or(step.timeout) else { return vec![passes] };
        let over = later(self.now, within);
        if !open && until < over {
            return vec![passes];
        }
        let too_long = (Resolution::Wait { until: Some(over) }, What::RunsOut);
        match &wait.what {
            WaitFor::Duration(_) if !open => vec![too_long],
            _ => vec![(Resolution::Wait { until: Some(self.now) }, What::Runs), too_long],
        }
    }

    /// A loop over items is walked as a pattern: over none where there may be none, and over as many as show what one does to the
    /// next, or how too many fail.
    fn items(&self, path: &StepPath, items: Vec<Value>, waves: Vec<u32>, open: bool) -> Vec<(Resolution, What)> {
        let Some(Verb::Each(each)) = self.step(path).map(|step| &step.verb) else { return Vec::new() };
        let most = (each.max_failures as usize).saturating_add(1).clamp(limits::EXPLORE_ITEMS, limits::EXPLORE_MANY_ITEMS);
        if !open && items.len() <= most {
            return vec![(Resolution::Items { items, waves }, What::Runs)];
        }
        let stand_in: Vec<Value> = (0..most).map(|n| Value::Unknown(format!("{}[{n}]", each.r#as))).collect();
        // Batches may begin with one item; and unless all are of one, some begin side by side.
        let one_by_one = !each.batches.is_empty() && !matches!(each.batches.as_slice(), [BatchSize::Percent(p)] if *p >= 100.0);
        let at_once = each.batches.is_empty() || each.batches.iter().any(|size| !matches!(size, BatchSize::Count(1)));
        let size = u32::try_from(most).unwrap_or(1);
        let waves = [one_by_one.then(|| vec![1; most]), at_once.then(|| vec![size])].into_iter().flatten();
        let mut ways: Vec<(Resolution, What)> =
            waves.map(|waves| (Resolution::Items { items: stand_in.clone(), waves }, What::Runs)).collect();
        if open {
            ways.push((Resolution::Items { items: Vec::new(), waves: Vec::new() }, What::Empty));
        }
        ways
    }

    fn judgements(&self, path: &StepPath, round: u32) -> Vec<Choice> {
        let Some(view) = self.run.find_step(path) else { return Vec::new() };
        let judge = |what, holds| Choice { turn: self.turn(path, what), does: Does::Judge { round, holds } };
        let yes = || judge(What::Holds, Evaluated::Value(true));
        let no = || judge(What::DoesNotHold, Evaluated::Value(false));
        let foreseen = match self.run.foresee(path, self.now) {
            Ok(foreseen) => foreseen,
            Err(why) => return vec![judge(What::Fails, Evaluated::Failed(why))],
        };
        let Verb::Repeat { times, until, .. } = &view.step().verb else {
            return match foreseen {
                Some(true) => vec![yes()],
                Some(false) => vec![no()],
                None => vec![yes(), no()],
            };
        };
        let fails =
            || judge(What::Fails, Evaluated::Failed(failure("what its condition reads has another value than it can go by")));
        // Beyond the rounds that are walked, the next thing is that it has gone through all of them.
        let given_up = || judge(What::NeverHolds, Evaluated::Failed(failure("its condition did not hold after all its rounds")));
        let more = (round < (*times).min(limits::EXPLORE_ROUNDS)).then(no);
        match foreseen {
            Some(true) => vec![yes()],
            Some(false) => vec![more.unwrap_or_else(given_up)],
            None => [Some(yes()), more, Some(given_up()), until.may_fail().then(fails)].into_iter().flatten().collect(),
        }
    }

    // What the world, people and time do.

    fn choices(&self, pending: &[Command]) -> Vec<Choice> {
        let mut things: Vec<&Command> = Vec::new();
        let mut ready: Vec<(StepPath, u32)> = Vec::new();
        for command in pending {
            if let Command::Perform { path, attempt } = command {
                ready.push((path.clone(), *attempt));
            }
            if matches!(command, Command::Perform { .. } | Command::Await { .. } | Command::Wake { timer: Timer::Wait { .. }, .. })
            {
                things.push(command);
            }
        }
        // Of many parts at once, the outermost two go on: from both ends, every pair comes in both orders.
        if things.len() > limits::EXPLORE_AT_A_TIME {
            things.drain(1..things.len() - 1);
        }
        let mut choices: Vec<Choice> = things.iter().flat_map(|thing| self.ends_of(thing)).collect();
        for (timer, at) in self.deadlines(pending) {
            let turn = match &timer {
                // It has been told whether a wait for a time has enough of it.
                Timer::Step { path } if self.wakes_at(&Timer::Wait { path: path.clone(), round: 0 }) < at => continue,
                Timer::Step { path } => self.turn(path, What::RunsOut),
                _ => Turn::of_the_run(What::RunsOut),
            };
            choices.push(Choice { turn, does: Does::Fire { timer, at, during: ready.clone() } });
        }
        choices
    }

    /// How something that is under way may end.
    fn ends_of(&self, command: &Command) -> Vec<Choice> {
        match command {
            Command::Perform { path, attempt } => {
                let Some(view) = self.run.find_step(path) else { return Vec::new() };
                let (step, task) = (view.step(), view.work().map(|work| &work.task));
                if let Some(Task::Event(_)) = task {
                    let ends = [What::Succeeds, What::RunsOut].into_iter();
                    return ends
                        .map(|what| Choice { turn: self.turn(path, what), does: Does::Attempt { attempt: *attempt } })
                        .collect();
                }
                let repeatable = step.effect <= crate::Effect::Read || step.idempotent;
                let ends = [
                    (What::Succeeds, true),
                    (What::Fails, true),
                    (What::GivesNothing, may_give_nothing(task)),
                    (What::TimesOut, can_time_out(task)),
                    // What does no harm a second time is simply done again.
                    (What::EndsUnknown, !repeatable),
                ];
                let ends = ends.into_iter().filter(|(_, possible)| *possible);
                ends.map(|(what, _)| Choice { turn: self.turn(path, what), does: Does::Attempt { attempt: *attempt } }).collect()
            }
            Command::Await { decision } => self.answers(*decision),
            // It ends by its deadline, which is a choice of its own.
            Command::Wake { timer: timer @ Timer::Wait { .. }, at } if self.own_deadline(timer, *at).is_some() => Vec::new(),
            Command::Wake { timer: timer @ Timer::Wait { path, round }, at } => {
                let what = if *round == 0 { What::Runs } else { What::LooksAgain };
                vec![Choice { turn: self.turn(path, what), does: Does::Pass { timer: timer.clone(), at: *at } }]
            }
            _ => Vec::new(),
        }
    }

    fn answers(&self, id: DecisionId) -> Vec<Choice> {
        let Some(open) = self.run.decision(id) else { return Vec::new() };
        let offered = |say| open.request.choices.contains(&say);
        let doubted = open.path.as_ref().and_then(|path| self.step(path));
        let answers = [
            (if matches!(open.purpose, Purpose::Gate { .. }) { What::Allowed } else { What::Granted }, offered(Say::Approve)),
            (if open.purpose == Purpose::UndoFailed { What::UndoneByHand } else { What::Done }, offered(Say::Done)),
            (What::Rejected, offered(Say::Reject)),
            (What::Again, offered(Say::Again)),
            (What::Looks, offered(Say::Probe) && doubted.is_some_and(|step| step.verify.is_some())),
            (What::Left, offered(Say::Leave)),
            (What::Expires, open.deadline.is_some()),
        ];
        let turn = |what| match &open.path {
            Some(path) => self.turn(path, what),
            None => Turn::of_the_run(what),
        };
        let answers = answers.into_iter().filter(|(_, possible)| *possible);
        answers.map(|(what, _)| Choice { turn: turn(what), does: Does::Say(id) }).collect()
    }

    // Going on.

    pub fn take(&mut self, choice: &Choice) -> Result<(), IllegalEvent> {
        let (path, what) = (&choice.turn.path, choice.turn.what);
        match &choice.does {
            Does::Resolve(prospect) => {
                if let Resolution::Fail { error } = &prospect.resolution
                    && let Some((of, _)) = path.as_str().rsplit_once("~undo")
                    && let Some(of) = of.parse().ok().and_then(|of| self.run.find_step(&of))
                {
                    self.seen.push(Seen::UndoLacks(of.step_ix(), error.message.clone()));
                }
                self.assumed.extend(prospect.assumes.clone());
                if what != What::Skipped {
                    self.seen.push(Seen::Reached(choice.turn.step));
                }
                if let What::Branch(Some(branch)) = what {
                    self.seen.push(Seen::Branch(choice.turn.step, branch));
                }
                self.record(Fact::StepResolved { path: path.clone(), resolution: prospect.resolution.clone() })
            }
            Does::Judge { round, holds } => {
                self.record(Fact::ConditionJudged { path: path.clone(), round: *round, holds: holds.clone() })
            }
            Does::Attempt { attempt } => self.attempt(path, *attempt, what),
            Does::Say(decision) => self.say(*decision, what),
            Does::Fire { timer, at, during } => {
                self.now = self.now.max(*at);
                let fired = Fact::fired(timer.clone());
                for (path, attempt) in self.stopped_by(&fired, during)? {
                    self.record(Fact::AttemptStarted { path, attempt })?;
                }
                self.record(fired)
            }
            Does::Pass { timer, at } => {
                self.now = self.now.max(*at);
                self.record(Fact::fired(timer.clone()))
            }
        }
    }

    /// Those of these attempts, which are ready, that an event stops once they have begun: the others go on, or do not begin any more.
    fn stopped_by(&mut self, fact: &Fact, ready: &[(StepPath, u32)]) -> Result<Vec<(StepPath, u32)>, IllegalEvent> {
        if ready.is_empty() {
            return Ok(Vec::new());
        }
        let after = self.after([fact.clone()])?;
        let goes_on = |(path, attempt): &&(StepPath, u32)| after.wants(&Command::Perform { path: path.clone(), attempt: *attempt });
        let gone: Vec<(StepPath, u32)> = ready.iter().filter(|one| !goes_on(one)).cloned().collect();
        if gone.is_empty() {
            return Ok(gone);
        }
        let begin = gone.iter().map(|(path, attempt)| Fact::AttemptStarted { path: path.clone(), attempt: *attempt });
        let after = self.after(begin.chain([fact.clone()]))?;
        let stopped = |(path, attempt): &(StepPath, u32)| after.wants(&Command::Stop { path: path.clone(), attempt: *attempt });
        Ok(gone.into_iter().filter(stopped).collect())
    }

    /// The run as it would be after these facts.
    fn after(&mut self, facts: impl IntoIterator<Item = Fact>) -> Result<Run, IllegalEvent> {
        self.cost += self.run.weight();
        let mut after = self.run.clone();
        let run = self.run.id().cloned().unwrap_or_else(RunId::explored);
        for fact in facts {
            after.apply(&Event { run: run.clone(), seq: after.seq() + 1, at: self.now, fact })?;
        }
        Ok(after)
    }

    /// An attempt from its begin to its end. One that fails does so as often as it is tried.
    fn attempt(&mut self, path: &StepPath, mut attempt: u32, what: What) -> Result<(), IllegalEvent> {
        loop {
            self.record(Fact::AttemptStarted { path: path.clone(), attempt })?;
            if what == What::RunsOut {
                return self.fire(|timer| matches!(timer, Timer::Step { path: of } if of == path)).map(drop);
            }
            let task = self.run.find_step(path).and_then(|view| view.work()).map(|work| &work.task);
            let end = match what {
                What::Succeeds => AttemptEnd::Succeeded { result: predicted_result(task, path.label()) },
                What::Fails => AttemptEnd::Failed { failure: failure("it failed"), result: failed_result(task, path) },
                What::GivesNothing => AttemptEnd::Failed { failure: failure("it could not begin"), result: Value::Null },
                What::TimesOut => {
                    let result = if self.times_out_with_nothing(path) { Value::Null } else { failed_result(task, path) };
                    AttemptEnd::TimedOut { failure: failure("its time was over"), result }
                }
                _ => AttemptEnd::Unknown { why: "nobody saw it end".to_owned() },
            };
            self.record(Fact::AttemptFinished { path: path.clone(), attempt, end })?;
            let again = self.run.find_step(path).is_some_and(|view| matches!(view.standing(), Standing::Retrying(_)));
            if !again || what == What::Succeeds {
                return Ok(());
            }
            attempt += 1;
            self.fire(|timer| matches!(timer, Timer::Retry { path: of, .. } if of == path))?;
        }
    }

    /// Whether a time that runs out leaves nothing of the attempt: a program has said something by then, a request has no answer.
    pub fn times_out_with_nothing(&self, path: &StepPath) -> bool {
        let work = self.run.find_step(path).and_then(|view| view.work().cloned());
        work.is_some_and(|work| matches!(work.task, Task::Http(_)))
    }

    /// Lets the first such time come. False if there is none.
    fn fire(&mut self, wanted: impl Fn(&Timer) -> bool) -> Result<bool, IllegalEvent> {
        let due = self.run.pending().into_iter().find_map(|command| match command {
            Command::Wake { timer, at } if wanted(&timer) => Some((timer, at)),
            _ => None,
        });
        let Some((timer, at)) = due else { return Ok(false) };
        self.now = self.now.max(at);
        self.record(Fact::fired(timer))?;
        Ok(true)
    }

    /// People answer, as many of them as it takes, or none until all escalations are through.
    fn say(&mut self, id: DecisionId, what: What) -> Result<(), IllegalEvent> {
        let choice = match what {
            What::Allowed | What::Granted => Say::Approve,
            What::Rejected => Say::Reject,
            What::Done | What::UndoneByHand => Say::Done,
            What::Again => Say::Again,
            What::Looks => Say::Probe,
            What::Left => Say::Leave,
            _ => {
                while self.run.decision(id).is_some_and(|decision| decision.standing == Answer::Open)
                    && self.fire(|timer| matches!(timer, Timer::Decision { decision, .. } if *decision == id))?
                {}
                return Ok(());
            }
        };
        while let Some(open) = self.run.decision(id).filter(|decision| decision.standing == Answer::Open) {
            let label = open.path.as_ref().map_or("", StepPath::label);
            let answers = match open.purpose {
                Purpose::Ask | Purpose::Manual if choice == Say::Approve => {
                    predicted_answers(&open.request.fields, open.request.evidence.is_some(), label)
                }
                _ => Default::default(),
            };
            let person = format!("{} of {}", open.votes.len() + 1, open.request.count);
            let by = Identity { person, means: Means::Engine };
            let vote = Vote { answers, ..Vote::new(by, choice, open.request.digest.clone()) };
            self.record(Fact::Decided { decision: id, vote })?;
        }
        Ok(())
    }

    /// What can be seen if `run`, of this way, is cancelled, or has ended, and its last change is taken back: nobody has to wait for a
    /// failure to ask for it.
    pub fn undone(&mut self, run: &Run) -> Result<Vec<Seen>, IllegalEvent> {
        let by = Identity { person: "operator".to_owned(), means: Means::Engine };
        let mut way = Way::new(run.clone(), self.story.clone());
        way.now = self.now;
        way.assumed = self.assumed.clone();
        let cancel = Fact::CancelRequested { by: by.clone(), undo: true, reason: String::new() };
        let undo = Fact::UndoRequested { by, reason: String::new() };
        if way.run.check(&cancel).is_ok() {
            way.record(cancel)?;
        } else {
            // It is about to end, and can be taken back afterwards.
            while way.run.outcome().is_none()
                && let Some(choices) = way.settle()?
                && let Some(best) = onward(&choices)
            {
                way.take(best)?;
            }
            if way.run.check(&undo).is_err() {
                return Ok(Vec::new());
            }
            way.seen.clear();
            way.record(undo)?;
        }
        let changes = way.run.undoable();
        while let Some(choices) = way.settle()? {
            let lacks = way.seen.iter().any(|seen| matches!(seen, Seen::UndoLacks(..)));
            match onward(&choices) {
                Some(best) if way.run.undoable() == changes && !lacks => way.take(best)?,
                _ => break,
            }
        }
        self.cost += way.cost;
        Ok(way.seen)
    }
}

/// The first choice that leads on: to look again for what never comes to hold leads back to the same choice.
fn onward(choices: &[Choice]) -> Option<&Choice> {
    choices.iter().find(|choice| choice.turn.what != What::LooksAgain)
}

/// An attempt whose end nobody saw in time is unknown where it may have reached a server; what is told to people has no time.
fn can_time_out(task: Option<&Task>) -> bool {
    match task {
        Some(Task::Http(http)) => http.is_safe(),
        Some(Task::Notify { .. }) | None => false,
        _ => true,
    }
}

/// Whether an attempt may fail before it gives anything, where others that fail give something.
fn may_give_nothing(task: Option<&Task>) -> bool {
    matches!(task, Some(Task::Run { .. } | Task::Exec { .. } | Task::Http(_)))
}

/// What a failed attempt gives: as much as one that succeeds, with another exit code; a script in Rhai nothing.
fn failed_result(task: Option<&Task>, path: &StepPath) -> Value {
    if let Some(Task::Rhai { .. }) = task {
        return Value::Null;
    }
    match predicted_result(task, path.label()) {
        Value::Map(mut result) if result.contains_key("exit_code") => {
            result.insert("exit_code".to_owned(), Value::Int(1));
            Value::Map(result)
        }
        other => other,
    }
}

fn failure(message: &str) -> Failure {
    Failure { message: message.to_owned(), at: None, detail: None }
}

/// Whether a step is a wait that looks again and again.
pub(super) fn polls(step: &Step) -> bool {
    matches!(&step.verb, Verb::Wait(wait) if matches!(wait.what, WaitFor::Until { .. }))
}
