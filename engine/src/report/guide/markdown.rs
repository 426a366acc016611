//! A guide as a page of a repository or a wiki: everything, in the order in which it is asked for.

use runbook_core::guide::{Entry, Guide, charted};

use super::super::said::in_markdown;
use super::super::{markdown, prose};
use super::step::told;
use super::told::Told;
use super::whole::{Decides, decisions, facts, ladder, roster, secrets, wanted};
use super::{Section, WRITER, heading, heading_of, left_out, mermaid, place, sections, tag};

pub fn to_markdown(guide: &Guide<'_>) -> String {
    let main = guide.plan.main();
    let mut page = format!("# {}\n\n", markdown::text(main.title.as_deref().unwrap_or(main.name.as_str())));
    page.push_str(&format!("{} · {}\n", markdown::code(&heading(guide)), markdown::code(guide.digest.as_str())));
    page.push_str(&format!("\n{}\n", mark()));
    page.extend(main.description.as_ref().map(|text| format!("\n{}", prose::to_markdown(text))));
    page.push('\n');
    page.extend(facts(guide).iter().map(item));
    page.extend(left_out(guide).map(|note| format!("\n{}\n", markdown::text(&note))));
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            page.push_str(&format!("\n## {title}\n\n{body}"));
        }
    };
    section("Inputs", inputs(guide));
    let secrets = secrets(guide);
    section(
        "Secrets",
        secrets.iter().map(|(name, from)| format!("- {}: {}\n", markdown::code(name), markdown::text(from))).collect(),
    );
    let variables = guide.variables.iter().map(|line| format!("- {}\n", markdown::code(line))).collect();
    section("Variables of every step", variables);
    section("Who decides", deciders(guide));
    section(
        "Who is asked next",
        (1..).zip(ladder(guide)).map(|(n, rung)| format!("{n}. {}\n", markdown::text_within(&rung))).collect(),
    );
    section("People", people(guide));
    section("Flow", flow(guide));
    for Section { title, note, entries } in sections(guide) {
        section(title, format!("{note}\n\n{}", entries.iter().map(|entry| step(guide, entry)).collect::<Vec<_>>().join("\n")));
    }
    page
}

/// What a page says of its writer, on a line of its own.
pub(super) fn mark() -> String {
    format!("Written by {}; what is changed here is lost.", markdown::code(WRITER))
}

fn item(told: &Told) -> String {
    in_markdown(&told.said)
}

fn inputs(guide: &Guide<'_>) -> String {
    let rows: Vec<Vec<String>> = wanted(&guide.plan.main().inputs)
        .into_iter()
        .map(|input| {
            let default = input.default.map_or_else(|| "**has to be given**".to_owned(), |default| markdown::code(&default));
            vec![markdown::code(&input.name), markdown::text(&input.r#type), default, prose_cell(&input.description)]
        })
        .collect();
    if rows.is_empty() { String::new() } else { markdown::table(&["input", "is", "if not given", "what for"], &rows) }
}

/// A short text of an author in the cell of a table.
fn prose_cell(text: &str) -> String {
    match prose::one_paragraph(text) {
        Some(line) => prose::line_in_markdown(&line),
        None => markdown::text(text.trim()),
    }
}

fn deciders(guide: &Guide<'_>) -> String {
    let row = |found: &Decides| vec![found.steps.join(", "), markdown::prose(&found.who)];
    let rows: Vec<Vec<String>> = decisions(guide).iter().map(row).collect();
    if rows.is_empty() { String::new() } else { markdown::table(&["step", "who"], &rows) }
}

fn people(guide: &Guide<'_>) -> String {
    roster(guide)
        .iter()
        .map(|(name, reached)| format!("- {}: {}\n", markdown::text_within(name), markdown::text_within(reached)))
        .collect()
}

fn flow(guide: &Guide<'_>) -> String {
    match charted(guide.plan) {
        None => "There are more steps than a chart can show.\n".to_owned(),
        Some(chart) => {
            let folded = if chart.folded { "Steps inside others are left out.\n\n" } else { "" };
            let legend = mermaid::legend(&chart);
            let legend = if legend.is_empty() { legend } else { format!("\n{legend}\n") };
            format!("{folded}{}{legend}", markdown::fence("mermaid", &mermaid::to_mermaid(&chart)))
        }
    }
}

fn step(guide: &Guide<'_>, entry: &Entry) -> String {
    let effect = tag(guide.step(entry).effect).map(|effect| format!(" · {effect}")).unwrap_or_default();
    let place = match place(guide, entry).as_slice() {
        [] => String::new(),
        place => format!("*{}*\n\n", prose::line_in_markdown(place)),
    };
    let title = markdown::text_within(&heading_of(guide, entry));
    let told: String = told(guide, entry).iter().map(item).collect();
    format!("### {}. {title}{effect}\n\n{place}{told}", entry.number)
}
