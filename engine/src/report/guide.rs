//! What is told of a procedure to whoever has to know it: the same in every form, in the order in which it is asked for at three in the
//! morning. What depends on the day is not part of it.

mod html;
mod index;
mod man;
mod manual;
mod markdown;
mod mermaid;
mod step;
mod svg;
mod told;
mod whole;

use runbook_core::document::step::FinishOutcome;
use runbook_core::effect::Effect;
use runbook_core::guide::{self, Entry, Fails, Guide, Item, Lead, Part, Shape};
use runbook_core::plan::Verb;

use super::prose::Piece;

pub use html::{body_in_html, flow_of_run, to_html};
pub use index::{Row, index_in_html, index_in_markdown};
pub use man::to_man;
pub use manual::to_manual;
pub use markdown::to_markdown;
pub use whole::days;
pub(super) use whole::wanted;

/// What writes these pages, by which it knows its own.
const WRITER: &str = "runbook docs";

/// Whether a page was written here, and may be written anew. The marks stand on lines of their own at the head, where no text of an
/// author does.
pub fn is_ours(page: &str) -> bool {
    let marks = [markdown::mark(), man::mark(), super::html::generator(WRITER)];
    page.lines().take(10).any(|line| marks.iter().any(|mark| mark == line))
}

/// The name and version.
fn heading(guide: &Guide<'_>) -> String {
    let main = guide.plan.main();
    format!("{} {}", main.name, main.version)
}

/// What a step is for, in a few words.
fn heading_of(guide: &Guide<'_>, entry: &Entry) -> String {
    let step = guide.step(entry);
    // What is called ends, and whoever called it goes on.
    if let (Verb::Finish { outcome, .. }, None, Some((call, _))) = (&step.verb, &step.name, entry.number.rsplit_once('.')) {
        return format!("End {call} here: {}", ends(*outcome));
    }
    guide::title(guide.plan, step)
}

/// Where a step stands in another one, in words: which, which way of it begins, and what it is left out with. Empty where it stands alone.
fn place(guide: &Guide<'_>, entry: &Entry) -> Vec<Piece> {
    let mut place = Vec::new();
    if let Some(within) = &entry.within {
        place.extend(match &entry.lead {
            None => vec![Piece::Text(format!("part of {within}"))],
            Some(Lead::When(when)) => vec![Piece::Text(format!("{within}, if ")), Piece::Code(when.clone())],
            Some(Lead::Otherwise) => vec![Piece::Text(format!("{within}, otherwise"))],
            Some(Lead::Branch(name)) => vec![Piece::Text(format!("{within}, {name}: at once with the other branches"))],
            Some(Lead::OnFailure) => vec![Piece::Text(format!("{within}, only after a failure in it"))],
            Some(Lead::Finally) => vec![Piece::Text(format!("{within}, in the end, however it ends"))],
            Some(Lead::Probe) => vec![Piece::Text(format!("{within}, the look that is taken again and again"))],
            Some(Lead::InPlaceOf(parts)) => {
                vec![Piece::Text(format!("where all of {within} succeeded, in place of {}", parts.join(", ")))]
            }
            Some(Lead::PartOf(whole)) => vec![Piece::Text(format!("only where {whole} did not succeed as a whole"))],
        });
    }
    let left_out = entry.left_out_with.as_ref().map(|with| format!("left out where {with} is"));
    let names =
        entry.calls.split_last().map(|(call, calls)| format!("names in it are those of {}", guide.plan.number(calls, *call)));
    for more in left_out.into_iter().chain(names) {
        let stop = if place.is_empty() { "" } else { "; " };
        place.push(Piece::Text(format!("{stop}{more}")));
    }
    place
}

/// What is not here, where that is so.
fn left_out(guide: &Guide<'_>) -> Option<String> {
    let calls = match guide.unopened.as_slice() {
        [] => None,
        [one] => Some(format!("What step {one} calls is left out, which is said there. It has a guide of its own.")),
        many => Some(format!("What {} of its steps call is left out, which is said there. It has guides of its own.", many.len())),
    };
    let gates = (guide.ungated > 0).then(|| {
        format!(
            "{} approvals that the workspace's policies add are left out, those of the last steps: see the policies.",
            guide.ungated
        )
    });
    let told: Vec<String> = calls.into_iter().chain(gates).collect();
    (!told.is_empty()).then(|| format!("This is too long to be told in one piece. {}", told.join(" ")))
}

/// One of the parts of a guide.
struct Section<'g> {
    title: &'static str,
    note: &'static str,
    entries: &'g [Entry],
}

/// The parts, those that have steps, in the order in which they are done.
fn sections<'g>(guide: &'g Guide<'_>) -> Vec<Section<'g>> {
    let section = |part: Part| {
        let (title, note, entries) = match part {
            Part::Body => (
                "Steps",
                "A step that fails ends the work, unless it says otherwise. Nothing is taken back by itself.",
                &guide.body,
            ),
            Part::OnFailure => (
                "After a failure",
                "Done first, before anything is taken back. Where a step fails, go on with the next one.",
                &guide.on_failure,
            ),
            Part::Undo => (
                "To take it back",
                "Where a step says so, or whoever leads decides it: the last change first, and only what was done. Where a step fails, \
                 stop: decide whether to do it by hand, to try it again, or to leave it and the rest as they are.",
                &guide.undo,
            ),
            Part::Finally => ("In the end", "Done however it ends. Where a step fails, go on with the next one.", &guide.finally),
        };
        Section { title, note, entries }
    };
    let parts = [Part::Body, Part::OnFailure, Part::Undo, Part::Finally].map(section);
    parts.into_iter().filter(|section| !section.entries.is_empty()).collect()
}

/// When the next step follows though this one was not done, or not to its end, as a chart says it at the line; `closed`: where nothing
/// else leads to the next one. Where something does, a failure that goes on is a word at the step.
fn past(item: &Item, closed: bool) -> Option<&'static str> {
    let fails = closed && matches!(item.fails, Fails::GoesOn) && !matches!(item.shape, Shape::Finishes(_));
    match (item.condition.is_some(), fails) {
        (true, true) => Some("if not, or if it fails"),
        (true, false) => Some("if not"),
        (false, true) => Some("if it fails"),
        (false, false) => None,
    }
}

/// What stands over the steps that follow a failure.
const AFTER_A_FAILURE: &str = "after a failure, before anything is taken back";

/// What the title of a `finish` without a name begins with.
const END: &str = "End here";

fn ends(outcome: FinishOutcome) -> &'static str {
    match outcome {
        FinishOutcome::Succeeded => "succeeded",
        FinishOutcome::Failed => "failed",
    }
}

/// The effect as a tag of a heading: none is not worth one.
fn tag(effect: Effect) -> Option<&'static str> {
    (effect > Effect::None).then(|| effect.name())
}

#[cfg(test)]
mod tests;
