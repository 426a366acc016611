//! `runbook explore`: every path of a procedure, what is wrong on any of them, and what follows when a step goes wrong.

use runbook_core::diagnostic::render::{self, Look};
use runbook_core::diagnostic::{Diagnostic, Severity, Source};
use runbook_core::explore::{self, Extent, Fall, Walk};
use runbook_engine::report::markdown;
use serde_json::{Value as Json, json};

use super::exec::Chosen;
use crate::args::{self, Given, ReportFormat};
use crate::exit::{Exit, Outcome, Trouble};
use crate::settings::Settings;
use crate::ui::words::count;
use crate::ui::{Tone, Ui, line, table};

pub fn run(args: &args::Explore, settings: &Settings, ui: &mut Ui) -> Outcome {
    let given = Given { env: args.env.clone(), ..Given::default() };
    let chosen = Chosen::find(&args.procedure, &given, settings, ui)?;
    let walk = explore::walk(&chosen.wanted.plan).map_err(|why| Trouble::failed(format!("the paths cannot be walked: {why}")))?;
    let found = diagnostics(&walk, &chosen);
    let falls = walk.pre_mortem();
    match args.format {
        ReportFormat::Text => ui.data(&text(&found, &falls, walk.extent))?,
        ReportFormat::Markdown => ui.data(markdown(&walk, &found, &falls).trim_end())?,
        ReportFormat::Json => ui.data(&json(&walk, &found, &falls).to_string())?,
    }
    ui.say(&verdict(&walk));
    if let Some((first, _)) = found.first() {
        ui.next(&format!("runbook explain {}", first.code.as_str()));
    }
    let broken = found.iter().any(|(one, _)| one.severity == Severity::Error);
    let strict = args.strict && (!found.is_empty() || !walk.extent.complete);
    Ok(if broken || strict { Exit::Failed } else { Exit::Succeeded })
}

/// Each finding, with the file that it stands in.
fn diagnostics<'c>(walk: &Walk, chosen: &'c Chosen) -> Vec<(Diagnostic, &'c Source)> {
    let found = walk.findings.iter().filter_map(|finding| {
        let source = chosen.catalogue.source(walk.plan.file_of(&finding.origin(&walk.plan)))?;
        Some((walk.diagnostic(finding, source), source))
    });
    found.collect()
}

/// How far the walk went, in words: what a reader may rely on.
fn extent(extent: Extent) -> String {
    let places = count(extent.places as u64, "state", "states");
    let rest = "what lies beyond is not proved";
    match (extent.complete, extent.at_most_wrong) {
        (true, _) => format!("walked all {places}"),
        (false, None) => format!("stopped at {places}, before every path was walked on which nothing goes wrong; {rest}"),
        (false, Some(0)) => format!("walked {places}: every path on which nothing goes wrong, and some others; {rest}"),
        (false, Some(most)) => {
            let things = if most == 1 { "one thing goes".to_owned() } else { format!("{most} things go") };
            format!("walked {places}: every path on which at most {things} wrong, and some others; {rest}")
        }
    }
}

fn verdict(walk: &Walk) -> String {
    let extent = extent(walk.extent);
    match (walk.found as u64, walk.extent.complete) {
        (0, true) => format!("{}: {extent}, nothing found", Tone::Good.paint("explored")),
        (0, false) => {
            let explored = if walk.extent.at_most_wrong.is_some() { "explored in part" } else { "not explored" };
            format!("{}: {extent}; nothing was found until there", Tone::Warning.paint(explored))
        }
        _ => format!("{}: {extent}", Tone::Warning.paint(&findings(walk))),
    }
}

/// How many findings there are, and how many of them are shown.
fn findings(walk: &Walk) -> String {
    let (found, shown) = (count(walk.found as u64, "finding", "findings"), walk.findings.len());
    if walk.found > shown { format!("{found}, of which {shown} are shown") } else { found }
}

fn text(found: &[(Diagnostic, &Source)], falls: &[Fall], walked: Extent) -> String {
    let mut out: Vec<String> =
        found.iter().map(|(one, source)| format!("{}\n", render::to_text(one, source, Look::Colour))).collect();
    if !falls.is_empty() {
        let cells = |fall: &Fall| {
            let step = std::iter::once(format!("{}{}", number(fall), fall.path));
            step.chain(row(fall)).map(|cell| line(&cell).into_owned()).collect()
        };
        let rows = falls.iter().map(cells).collect();
        out.push(format!("{}\n", table(&HEAD, rows)));
    }
    out.push(extent(walked));
    out.join("\n")
}

const HEAD: [&str; 5] = ["step", "if it", "the run", "asks", "leaves"];

/// What stands before its path; nothing before what is of the whole run.
fn number(fall: &Fall) -> String {
    if fall.number.is_empty() { String::new() } else { format!("{}. ", fall.number) }
}

/// A row of the pre-mortem: one cell for each heading but the first, the step.
fn row(fall: &Fall) -> [String; 4] {
    let more = if fall.more { ", …" } else { "" };
    let told = |text: String| if text.is_empty() { "–".to_owned() } else { format!("{text}{more}") };
    [fall.when(), fall.happens(), told(fall.asks()), told(fall.leaves())]
}

fn markdown(walk: &Walk, found: &[(Diagnostic, &Source)], falls: &[Fall]) -> String {
    let main = walk.plan.main();
    let mut out = format!("## Every path of {}\n\n", markdown::code(&format!("{} {}", main.name, main.version)));
    out.push_str(&format!("{}; {}.\n", extent(walk.extent), findings(walk)));
    if !found.is_empty() {
        let rows: Vec<Vec<String>> = found
            .iter()
            .zip(&walk.findings)
            .map(|((one, source), finding)| {
                let at = source.position(one.span.start);
                let place = markdown::code(&format!("{}:{}:{}", source.name, at.line, at.column));
                let help = one.help.as_deref().unwrap_or_default();
                let why = if one.reason.is_empty() { String::new() } else { format!("; {}", one.reason) };
                vec![
                    one.code.as_str().to_owned(),
                    place,
                    markdown::prose(&format!("{}{why}", one.message)),
                    path(&walk.told(finding)),
                    markdown::prose(help),
                ]
            })
            .collect();
        let head = ["code", "where", "what", "the shortest path that shows it", "what to do"];
        out.push_str(&format!("\n{}", markdown::table(&head, &rows)));
    }
    if !falls.is_empty() {
        let cells = |fall: &Fall| {
            let step = format!("{}{}", number(fall), markdown::code(fall.path.as_str()));
            std::iter::once(step).chain(row(fall).iter().map(|cell| markdown::text(cell))).collect()
        };
        let rows: Vec<Vec<String>> = falls.iter().map(cells).collect();
        out.push_str(&format!("\n### If a step goes wrong\n\n{}", markdown::table(&HEAD, &rows)));
    }
    out
}

/// A path in the cell of a table; a long one is folded.
fn path(turns: &[String]) -> String {
    let told = markdown::prose(&turns.join(", then "));
    match turns.len() {
        0 => "none".to_owned(),
        1..=TURNS_IN_A_CELL => told,
        many => markdown::details_within(&format!("{many} turns"), &told),
    }
}

/// Turns that a cell of a table shows unfolded.
const TURNS_IN_A_CELL: usize = 4;

fn json(walk: &Walk, found: &[(Diagnostic, &Source)], falls: &[Fall]) -> Json {
    let main = walk.plan.main();
    let paths = walk.findings.iter().map(|finding| walk.told(finding));
    let findings: Vec<Json> = found
        .iter()
        .zip(paths)
        .map(|((one, source), path)| {
            let mut json = render::to_json(one, source);
            json["path"] = json!(path);
            json
        })
        .collect();
    json!({
        "procedure": main.name,
        "version": main.version,
        "walked": walk.extent,
        "found": walk.found,
        "findings": findings,
        "pre_mortem": falls,
    })
}
