//! A guide as a page that stands by itself: to be read on any screen, and on paper.

use runbook_core::guide::{Entry, Guide, charted};

use super::super::said::in_html;
use super::super::{html, prose};
use super::{CUT, Decides, decisions, facts, heading, heading_of, ladder, parts, place, roster, said, secrets, svg, tag, wanted};

/// What a page says of its writer.
pub(super) const GENERATOR: &str = "<meta name=\"generator\" content=\"runbook\">";

pub fn to_html(guide: &Guide<'_>) -> String {
    let main = guide.plan.main();
    let title = main.title.as_deref().unwrap_or(main.name.as_str());
    let mut body = format!("<h1>{}</h1>\n", html::text(title));
    body.push_str(&format!(
        "<p>{} <span class=\"digest\">{}</span></p>\n",
        html::code(&heading(guide)),
        html::text(guide.digest.as_str())
    ));
    body.extend(main.description.as_ref().map(|text| prose::to_html(text)));
    body.push_str(&format!("<dl>\n{}</dl>\n", facts(guide).iter().map(in_html).collect::<String>()));
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
    for (title, note, entries) in parts(guide) {
        let note = if note.is_empty() { String::new() } else { format!("<p>{note}</p>\n") };
        section(title, format!("{note}{}", entries.iter().map(|entry| step(guide, entry)).collect::<String>()));
    }
    if guide.cut {
        body.push_str(&format!("<p>{CUT}</p>\n"));
    }
    html::page(&format!("{title}: {}", heading(guide)), &body)
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
    match charted(guide.plan) {
        None => "<p>There are more steps than a chart can show.</p>\n".to_owned(),
        Some(chart) => {
            let folded = if chart.folded { "<p>Steps inside others are left out.</p>\n" } else { "" };
            format!("{folded}{}", svg::to_svg(&chart, &format!("Flow of {}", heading(guide))))
        }
    }
}

fn step(guide: &Guide<'_>, entry: &Entry) -> String {
    let effect = guide.step(entry).effect;
    let tag = tag(effect).map(|name| format!(" <span class=\"effect {name}\">{name}</span>")).unwrap_or_default();
    let place = place(entry).map(|place| format!("<p class=\"quiet\">{}</p>\n", html::prose(&place))).unwrap_or_default();
    let said: String = said(guide, entry).iter().map(in_html).collect();
    let said = if said.is_empty() { said } else { format!("<dl>\n{said}</dl>\n") };
    format!(
        "<section id=\"step-{number}\" class=\"depth-{}\">\n<h3>{number}. {}{tag}</h3>\n{place}{said}</section>\n",
        entry.depth.min(4),
        html::text(&heading_of(guide, entry)),
        number = html::text(&entry.number)
    )
}
