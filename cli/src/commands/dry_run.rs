//! `runbook dry-run`: what a run would do, from the same machine with predicted answers.

use runbook_core::explore::{self, DryRun, Options, Verdict};
use runbook_core::run::event::{Part, RunStarted};
use runbook_core::{Effect, Plan};
use runbook_engine::start::Order;

use super::exec::{Chosen, heading};
use super::store::runtime;
use crate::args;
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::ask::Lines;
use crate::ui::narrate::run_word;
use crate::ui::{Tone, Ui, line, request, words};

/// Where the prediction goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// It was asked for: data.
    Data,
    /// It precedes a question.
    Person,
}

pub fn run(args: &args::DryRun, settings: &Settings, ui: &mut Ui) -> Outcome {
    let chosen = Chosen::find(&args.procedure, &args.given, settings, ui)?;
    let inputs = runtime()?.block_on(chosen.inputs(&args.given, ui, &mut Lines::default()))?;
    let user = runbook_engine::people::local_user().map_err(|why| Trouble::failed(why.to_string()))?;
    let order = Order {
        plan: chosen.plan.clone(),
        inputs: inputs.values(),
        requested_by: runbook_engine::people::identity(&user, &chosen.plan.policy.people),
        part: Part::Whole,
        stepwise: false,
        catalogue: None,
        root: chosen.root(),
    };
    let started = order.started(0).map_err(|error| chosen.refused(error, &inputs))?;
    let predicted = explore::dry_run(
        &chosen.plan,
        &started,
        jiff::Timestamp::now(),
        &Options { examples: args.examples },
        &mut explore::Nothing,
    )
    .map_err(|why| Trouble::failed(format!("the run cannot be predicted: {why}")))?;
    if args.json {
        for step in &predicted.steps {
            ui.data(&serde_json::to_string(step).map_err(|why| Trouble::failed(why.to_string()))?)?;
        }
        return Ok(Exit::Succeeded);
    }
    show(&predicted, &chosen.plan, &started, ui, To::Data)?;
    ui.next(&chosen.command(&inputs));
    Ok(Exit::Succeeded)
}

/// What a run would change, in one line beside the question whether to start: what is destroyed is named.
pub fn weight(predicted: &DryRun) -> String {
    let of = |effect: Effect| {
        let would = predicted.steps.iter().filter(|step| !matches!(step.verdict, Verdict::WouldSkip { .. }));
        let acting = would.filter(|step| step.work.is_some() || step.verb == "manual");
        acting.filter(|step| step.effect == effect).map(|step| step.path.as_str()).collect::<Vec<_>>()
    };
    let (changing, destroying) = (of(Effect::Change), of(Effect::Destructive));
    let steps = match changing.len() + destroying.len() {
        0 => "no step changes anything".to_owned(),
        1 => "1 step changes something".to_owned(),
        count => format!("{count} steps change something"),
    };
    match destroying.as_slice() {
        [] => steps,
        paths => format!("{steps}; {}: {}", Tone::Bad.paint("destructive"), paths.join(", ")),
    }
}

pub fn show(predicted: &DryRun, plan: &Plan, started: &RunStarted, ui: &mut Ui, to: To) -> Result<(), Trouble> {
    let mut out = vec![heading(plan, started)];
    out.extend(words::values(&started.inputs).into_iter().map(|text| format!("  {text}")));
    for (number, step) in (1..).zip(&predicted.steps) {
        let indent = "  ".repeat(step.path.depth());
        let (verdict, tone) = match &step.verdict {
            Verdict::WouldRun => match &step.fails {
                Some(why) => (format!("would run and fail, because {}", line(why)), Tone::Bad),
                None => ("would run".to_owned(), Tone::Good),
            },
            Verdict::WouldSkip { because } => (format!("would skip, because {}", line(because)), Tone::Quiet),
            Verdict::CannotKnow { because } => (format!("cannot know, because {}", line(because)), Tone::Warning),
        };
        let title = if step.title == step.path.label() { String::new() } else { format!(" · {}", line(&step.title)) };
        let effect = if step.effect == Effect::None { String::new() } else { format!("  [{}]", request::effect(step.effect)) };
        out.push(format!("{number:>3}. {indent}{}{title}{effect}  {}", step.path, tone.paint(&verdict)));
        let below = |text: &str| format!("     {indent}{text}");
        if !matches!(step.verdict, Verdict::WouldSkip { .. }) {
            out.extend(step.why.iter().flat_map(|why| words::remark("why", why)).map(|text| below(&text)));
            out.extend(step.work.iter().flat_map(words::work).map(|text| below(&text)));
        }
        for asked in &step.requests {
            let first = asked.request.question.trim().lines().next().unwrap_or_default();
            let from = if asked.request.from.is_empty() { "whoever may operate".to_owned() } else { asked.request.from.join(", ") };
            out.push(below(&format!("asks {}: {}", line(&from), line(first))));
        }
        out.extend(step.notes.iter().map(|note| below(&format!("note: {}", line(note)))));
    }
    let ends: Vec<String> = predicted.outcomes.iter().map(|o| run_word(o.kind).0.to_owned()).collect();
    let ways = if predicted.ways == 1 { "one way".to_owned() } else { format!("{} ways", predicted.ways) };
    let complete = if predicted.complete { "" } else { ", and more that were not followed" };
    out.push(format!("{ways}{complete}; ends {}; {} unknown", ends.join(" or "), predicted.unknown));
    let text = out.join("\n");
    match to {
        To::Data => ui.data(&text)?,
        To::Person => ui.say(&text),
    }
    Ok(())
}
