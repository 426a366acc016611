//! `runbook review`: what a change of the catalogue means, as one comment or as findings beside lines.

use runbook_core::Effect;
use runbook_core::compare::Comparison;
use runbook_core::diagnostic::Source;
use runbook_core::explore::DryRun;
use runbook_engine::catalogue::Catalogue;
use runbook_engine::report::review::{self as report, change, tests};
use runbook_engine::report::{annotations, comparison, dry_run};
use runbook_engine::review::{Change, Review, Reviewed, review};
use runbook_engine::revision::Repository;

use super::test::annotate::print_to_github;
use super::{check, diff};
use crate::args::{self, ReviewFormat};
use crate::exit::{Exit, Outcome};
use crate::settings::Settings;
use crate::ui::words::count;
use crate::ui::{Tone, Ui, line, request, words};

pub fn run(args: &args::Review, settings: &Settings, ui: &mut Ui) -> Outcome {
    let root = &settings.catalogue.value;
    let new = Catalogue::open(root)?;
    let here = Repository::around(root).map_err(diff::trouble)?;
    let revision = here.parting(&args.against).map_err(diff::trouble)?;
    let old = here.folder(&revision, root).map_err(diff::trouble)?;
    let options = check::options(args.env.clone().or_else(|| settings.environment.value.clone()));
    check::known_environment(&new, options.environment.as_deref())?;
    let judged = review(&old, &new, &options);
    let source = |name: &str| new.source(name).or_else(|| old.source(name));
    let prefix = here.prefix();
    match args.format {
        ReviewFormat::Text => ui.data(&text(&judged, source))?,
        ReviewFormat::Markdown => {
            let short: String = revision.chars().take(12).collect();
            let against = if revision == args.against { revision.clone() } else { format!("{} ({short})", args.against) };
            ui.data(report::to_markdown(&judged, &against, prefix, source).trim_end())?;
        }
        ReviewFormat::Sarif => ui.data(&annotations::to_sarif(&report::annotations(&judged, prefix, source)).to_string())?,
        ReviewFormat::Github => {
            let all = report::annotations(&judged, prefix, source);
            print_to_github(all, "`runbook review` shows all as text, Markdown or SARIF", ui)?;
        }
        ReviewFormat::Gitlab => ui.data(&annotations::to_gitlab(&report::annotations(&judged, prefix, source)).to_string())?,
    }
    judged.remarks().iter().for_each(|remark| ui.say(&format!("{}: {}", Tone::Warning.paint("to be looked at"), line(remark))));
    let objections = judged.objections();
    objections.iter().for_each(|objection| ui.say(&format!("{}: {}", Tone::Bad.paint("objection"), line(objection))));
    if objections.is_empty() {
        let changed = count(judged.procedures.len() as u64, "procedure means", "procedures mean");
        ui.say(&format!("{}: {changed} something else, and nothing speaks against it", Tone::Good.paint("reviewed")));
        return Ok(Exit::Succeeded);
    }
    Ok(Exit::Failed)
}

/// What a procedure would do: each step with its effect and its command.
fn would_do(case: &str, dry: &DryRun) -> Vec<String> {
    let mut out = vec![format!("  dry run, {}:", line(case))];
    let refused = dry.supposes.as_ref().and_then(|supposed| supposed.refused.as_ref());
    out.extend(refused.map(|why| format!("    it cannot be played, and `runbook test` refuses it: {}", line(why))));
    for shown in dry_run::lines(dry) {
        let effect =
            if shown.step.effect > Effect::None { format!("  [{}]", request::effect(shown.step.effect)) } else { String::new() };
        out.push(format!("    {}. {}{effect}  {}", shown.step.number, line(&shown.path), line(&shown.verdict)));
        out.extend(shown.step.work.iter().flat_map(words::work).map(|text| format!("       {text}")));
    }
    out
}

/// What a procedure changes, below its line. What it calls has a line of its own, where that is new or changed in the same way.
fn changes(comparison: &Comparison, review: &Review) -> Vec<String> {
    let mut out = Vec::new();
    for change in &comparison.procedures {
        if !change.called {
            diff::changes(change, &mut out);
            continue;
        }
        let told = |other: &Reviewed| match &other.change {
            Change::Changed(own, _) => own.own().is_some_and(|own| own.says_the_same(change)),
            _ => false,
        };
        if !review.procedures.iter().any(told) {
            let mut below = Vec::new();
            diff::procedure(change, &mut below);
            out.extend(below.into_iter().map(|text| format!("  {text}")));
        }
    }
    out
}

fn text<'s>(review: &Review, source: impl Fn(&str) -> Option<&'s Source>) -> String {
    let mut out = Vec::new();
    for procedure in &review.procedures {
        let tests = tests(procedure);
        let tests = if tests.is_empty() { tests } else { format!("; tests: {tests}") };
        out.push(format!("{}: {}{}", Tone::Strong.paint(&line(&procedure.name)), line(&change(procedure)), line(&tests)));
        if let Change::Changed(comparison, _) = &procedure.change {
            out.extend(changes(comparison, review));
        }
        out.extend(report::said(&procedure.tests, "").iter().map(|said| format!("  {}", line(said))));
        out.extend(procedure.tests.dry_runs.iter().flat_map(|(case, dry)| would_do(case, dry)));
    }
    for found in review.found() {
        let at = source(&found.source).map(|source| source.position(found.span.start)).unwrap_or_default();
        let place = format!("{}:{}:{}", found.source, at.line, at.column);
        out.push(format!("{}[{}] {}", line(&place), found.code.as_str(), line(&found.message)));
    }
    if out.is_empty() {
        out.push("no procedure means anything else".to_owned());
    }
    out.extend(comparison::left_out(&review.not_compared).map(|said| line(&said).into_owned()));
    out.join("\n")
}
