//! Plays a case of a test on the machine that real runs use, with a clock of its own: actions end as the case's stand-ins say,
//! people answer as it says, and the engine stops where it says. Then what happened is held against what was expected.
//!
//! Nothing is made up: where the run turns on a value that no stand-in gives, or on an answer that nobody gives, the case
//! is not complete, and that is said instead of a verdict.

mod cover;
mod expect;
mod play;
mod real;
mod record;
mod select;
mod stand_in;
mod supposed;
mod world;

use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Source, Span, nearest};
use crate::document::clipped;
use crate::document::test::{Case, StandInEnd};
use crate::explore::{DryRun, Options, dry_run};
use crate::limits;
use crate::markdown::quoted;
use crate::plan::{Plan, Verb};
use crate::run::{Event, Run};

pub use cover::{Coverage, Point};
pub use play::{by_case, starts_at};
pub use real::{Said, Script, judged, setup, teardown};
pub use record::{Recorded, Unappended, Unrecorded, append, record, with_comments};
pub use supposed::supposed;
pub use world::StandIns;

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Every expectation that does not hold, or why the case could not be played to its end. Empty: it passed.
    pub faults: Vec<Diagnostic>,
    pub run: Run,
    /// The record that the run would have left.
    pub events: Vec<Event>,
}

impl Trial {
    pub fn passed(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Plays a case. `source` is the file it stands in, `plan` that of its procedure in the case's environment.
pub fn play(case: &Case, source: &Source, plan: &Arc<Plan>) -> Trial {
    let mut play = play::Play::new(case, plan);
    let mut faults = strangers(case, source, plan);
    if !faults.is_empty() {
        return Trial { faults, run: play.run, events: play.events };
    }
    let played = play.begin().and_then(|()| play.go_on());
    let (run, events) = (play.run, play.events);
    match played {
        Ok(()) => faults.extend(expect::unmet(case, &run, &events).into_iter().map(|unmet| unmet.told(source))),
        Err(incomplete) => faults.push(incomplete.told(case, source)),
    }
    Trial { faults, run, events }
}

/// What a run of the case would do, with what its stand-ins and answers say and nothing else known.
pub fn predict(case: &Case, plan: &Arc<Plan>) -> Result<DryRun, String> {
    let started = play::started(case, plan).map_err(|error| error.to_string())?;
    let now = play::starts_at(case);
    let dry = dry_run(plan, &started, now, &Options::default(), &mut StandIns(case)).map_err(|error| error.to_string())?;
    Ok(DryRun { supposes: Some(supposed(case, plan)), ..dry })
}

/// Why a case cannot be played to its end; absent of one that is performed.
fn unplayable(case: &Case, plan: &Arc<Plan>) -> Option<String> {
    if case.real {
        return None;
    }
    if let Some(strange) = strangers(case, &Source::new("", ""), plan).into_iter().next() {
        return Some(strange.message);
    }
    let mut play = play::Play::new(case, plan);
    play.begin().and_then(|()| play.go_on()).err().map(|incomplete| incomplete.message)
}

/// The names of steps that the procedure does not have, and stand-ins of steps that nobody performs: what is said of them would be
/// said for nothing.
fn strangers(case: &Case, source: &Source, plan: &Plan) -> Vec<Diagnostic> {
    let labels = select::Labels::of(plan);
    let expect = &case.expect;
    let lists = [&expect.steps, &expect.undone, &expect.left];
    let names = case.setting.steps.iter().map(|(name, _)| name);
    let names = names.chain(case.setting.answers.iter().map(|(name, _)| name));
    let names = names.chain(lists.into_iter().flatten().flat_map(|list| &list.value)).chain(&expect.skipped);
    let names = names.chain(expect.commands.iter().map(|(name, _)| name)).chain(expect.gives.iter().map(|(name, _)| name));
    let names = names.chain(expect.asked.iter().flat_map(|asked| &asked.value).map(|(name, _)| name));
    let strange = names.filter(|name| select::steps_of(&name.value, plan, &labels).is_empty());
    let mut told: Vec<Diagnostic> = Vec::new();
    told.extend(strange.take(limits::CASE_STRANGERS).map(|name| {
        let message = format!("`{}` has no step `{}`", plan.main().name, clipped(&name.value));
        let fault = Diagnostic::new(Code::RB0502, source, name.span, message);
        match nearest(select::label(&name.value), labels.names()) {
            Some(near) if near != select::label(&name.value) => fault.help(format!("did you mean `{near}`?")),
            _ => fault.help("call a step by its id, by its path, or, what takes it back, by `STEP~undo`"),
        }
    }));
    for (name, list) in &case.setting.steps {
        let called = select::steps_of(&name.value, plan, &labels);
        let Some(first) = called.first().filter(|_| !name.value.ends_with("~undo")) else { continue };
        let (message, help) = if called.iter().all(|step| !step.verb.acts()) {
            let message = format!("nothing can stand in for `{}`: `{}` is not performed", clipped(&name.value), first.verb.key());
            (message, "say what the steps give that it rests on, and under `answers` what people say")
        } else if list.iter().any(|one| one.end == StandInEnd::Example) && called.iter().all(|step| step.example.is_none()) {
            (format!("`{}` has no `example`", clipped(&name.value)), "add one to the step, or say here what it gives")
        } else if called.iter().any(|step| matches!(step.verb, Verb::Listen(_)))
            && list.iter().any(|one| matches!(one.end, StandInEnd::Fails(_) | StandInEnd::Unknown))
        {
            let message = format!("a wait for an event, as `{}` is one, neither fails nor ends unknown", clipped(&name.value));
            (message, "say which event comes, `gives: {event: {…}}`, or `times_out`")
        } else {
            continue;
        };
        told.push(Diagnostic::new(Code::RB0502, source, name.span, message).help(help));
    }
    told.truncate(limits::CASE_STRANGERS);
    told
}

/// Why a case cannot be played to its end.
#[derive(Debug)]
struct Incomplete {
    /// Where the case says what led there, else its name.
    at: Option<Span>,
    message: String,
    help: String,
}

impl Incomplete {
    fn told(self, case: &Case, source: &Source) -> Diagnostic {
        let message = format!("{} cannot be played: {}", quoted(&case.name.value), self.message);
        Diagnostic::new(Code::RB0502, source, self.at.unwrap_or(case.name.span), message).help(self.help)
    }
}
