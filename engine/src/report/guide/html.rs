//! A guide as a page that stands by itself: to be read on any screen, and on paper.

use runbook_core::guide::{Chart, Entry, Guide, Stands, charted, charted_within};
use runbook_core::limits;
use runbook_core::plan::Plan;

use super::super::html::{self, PAGE};
use super::super::prose;
use super::super::said::in_html;
use super::step::told;
use super::told::Told;
use super::whole::{Decides, decisions, facts, ladder, roster, secrets, wanted};
use super::{Section, WRITER, heading, heading_of, left_out, place, sections, svg, tag};

pub fn to_html(guide: &Guide<'_>) -> String {
    let main = guide.plan.main();
    let title = main.title.as_deref().unwrap_or(main.name.as_str());
    let body = format!("<h1>{}</h1>\n{}", html::text(title), body_in_html(guide));
    html::page_in(&PAGE, WRITER, &format!("{title}: {}", heading(guide)), &body)
}

/// What stands below its title, for another page in the same [style](html::STYLE).
pub fn body_in_html(guide: &Guide<'_>) -> String {
    let main = guide.plan.main();
    let mut body = String::new();
    body.push_str(&format!(
        "<p>{} <span class=\"digest\">{}</span></p>\n",
        html::code(&heading(guide)),
        html::text(guide.digest.as_str())
    ));
    body.extend(main.description.as_ref().map(|text| prose::to_html(text)));
    body.push_str(&format!("<dl>\n{}</dl>\n", facts(guide).iter().map(term).collect::<String>()));
    body.extend(left_out(guide).map(|note| format!("<p>{}</p>\n", html::text(&note))));
    let mut section = |title: &str, inside: String| {
        if !inside.is_empty() {
            body.push_str(&format!("<h2>{title}</h2>\n{inside}"));
        }
    };
    section("Inputs", inputs(guide));
    section("Secrets", pairs(&secrets(guide)));
    let variables: String = guide.variables.iter().map(|line| format!("{line}\n")).collect();
    section("Variables of every step", if variables.is_empty() { variables } else { html::block(&variables) });
    section("Who decides", deciders(guide));
    let ladder: String = ladder(guide).iter().map(|rung| format!("<li>{}</li>\n", html::prose(rung))).collect();
    section("Who is asked next", if ladder.is_empty() { ladder } else { format!("<ol>\n{ladder}</ol>\n") });
    section("People", pairs(&roster(guide)));
    section("Flow", flow(guide));
    for Section { title, note, entries } in sections(guide) {
        section(title, format!("<p>{note}</p>\n{}", entries.iter().map(|entry| step(guide, entry)).collect::<String>()));
    }
    body
}

/// As a term of a list and what stands beside it.
pub(super) fn term(told: &Told) -> String {
    in_html(&told.said)
}

/// Where a step stands, as a paragraph.
pub(super) fn place_of(guide: &Guide<'_>, entry: &Entry, class: &str) -> String {
    match place(guide, entry).as_slice() {
        [] => String::new(),
        place => format!("<p class=\"{class}\">{}</p>\n", prose::line_in_html(place)),
    }
}

pub(super) fn pairs(pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let pairs = pairs.iter().map(|(name, told)| format!("<dt>{}</dt><dd>{}</dd>\n", html::text(name), html::text(told)));
    format!("<dl>\n{}</dl>\n", pairs.collect::<String>())
}

fn inputs(guide: &Guide<'_>) -> String {
    let rows: Vec<Vec<String>> = wanted(&guide.plan.main().inputs)
        .into_iter()
        .map(|input| {
            let default =
                input.default.map_or_else(|| "<strong>has to be given</strong>".to_owned(), |default| html::code(&default));
            vec![html::code(&input.name), html::text(&input.r#type), default, prose_cell(&input.description)]
        })
        .collect();
    if rows.is_empty() { String::new() } else { html::table(&["input", "is", "if not given", "what for"], &rows) }
}

/// A short text of an author in the cell of a table.
pub(super) fn prose_cell(text: &str) -> String {
    prose::one_paragraph(text).map_or_else(|| html::text(text.trim()), |line| prose::line_in_html(&line))
}

fn deciders(guide: &Guide<'_>) -> String {
    let link = |number: &String| format!("<a href=\"#step-{0}\">{0}</a>", html::text(number));
    let row = |found: &Decides| vec![found.steps.iter().map(link).collect::<Vec<_>>().join(", "), html::prose(&found.who)];
    let rows: Vec<Vec<String>> = decisions(guide).iter().map(row).collect();
    if rows.is_empty() { String::new() } else { html::table(&["step", "who"], &rows) }
}

fn flow(guide: &Guide<'_>) -> String {
    drawn(charted(guide.plan), &format!("Flow of {}", heading(guide)))
}

/// The chart of the procedure of a run, with what became of each step there, for another page in the same [style](html::STYLE).
pub fn flow_of_run(plan: &Plan, stands: &dyn Fn(&str) -> Option<Stands>) -> String {
    let main = plan.main();
    let title = format!("Flow of a run of {} {}", main.name, main.version);
    drawn(charted_within(plan, limits::RUN_CHART_STEPS).map(|chart| chart.of_run(stands)), &title)
}

fn drawn(chart: Option<Chart>, title: &str) -> String {
    match chart {
        None => "<p>There are more steps than a chart can show.</p>\n".to_owned(),
        Some(chart) => {
            let folded = if chart.folded { "<p>Steps inside others are left out.</p>\n" } else { "" };
            format!("{folded}{}", svg::to_svg(&chart, title))
        }
    }
}

fn step(guide: &Guide<'_>, entry: &Entry) -> String {
    let effect = guide.step(entry).effect;
    let tag = tag(effect).map(|name| format!(" <span class=\"effect {name}\">{name}</span>")).unwrap_or_default();
    let place = place_of(guide, entry, "quiet");
    let told: String = told(guide, entry).iter().map(term).collect();
    let told = if told.is_empty() { told } else { format!("<dl>\n{told}</dl>\n") };
    format!(
        "<section id=\"step-{number}\" class=\"depth-{}\">\n<h3>{number}. {}{tag}</h3>\n{place}{told}</section>\n",
        entry.depth.min(4),
        html::text(&heading_of(guide, entry)),
        number = html::text(&entry.number)
    )
}
