//! A guide as a sheet of paper: what is done by hand where nothing else works any more, step by step, with the numbers of a run, a box to
//! tick and room for the time and a name. Which procedure it is of stands at the head of every page.

use runbook_core::guide::{Entry, Guide};
use runbook_core::plan::Verb;

use super::super::html::{self, SHEET};
use super::super::prose;
use super::super::said::What;
use super::html::{pairs, place_of, prose_cell, term};
use super::step::told;
use super::told::{Role, Told};
use super::whole::{decides, decisions, facts, gates, ladder, roster, secrets, wanted};
use super::{Section, WRITER, heading, heading_of, left_out, sections, tag};

pub fn to_manual(guide: &Guide<'_>) -> String {
    let main = guide.plan.main();
    let title = main.title.as_deref().unwrap_or(main.name.as_str());
    let digest = html::text(guide.digest.as_str());
    let mut rows = format!("<tr class=\"whole\"><td colspan=\"4\">\n{}</td></tr>\n", first(guide, title));
    for Section { title, note, entries } in sections(guide) {
        rows.push_str(&format!("<tr class=\"whole part\"><td colspan=\"4\"><h2>{title}</h2>\n<p>{note}</p>\n</td></tr>\n"));
        rows.extend(entries.iter().map(|entry| step(guide, entry)));
    }
    rows.push_str(&format!("<tr class=\"whole\"><td colspan=\"4\">\n{}</td></tr>\n", last()));
    let body = format!(
        "<table class=\"sheet\">\n<thead><tr><th colspan=\"4\"><div><span>Manual: {}</span><span>{digest}</span></div></th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n",
        html::text(&heading(guide))
    );
    html::page_in(&SHEET, WRITER, &format!("Manual: {}", heading(guide)), &body)
}

/// What has to be known before the first step.
fn first(guide: &Guide<'_>, title: &str) -> String {
    let main = guide.plan.main();
    let mut out = format!(
        "<h1>{}</h1>\n<p>By hand, for when the automation cannot. The numbers are those of a run: go on at the step where it stopped.</p>\n\
         <p class=\"signature\">run <span class=\"line\"></span> begun <span class=\"line\"></span> by <span class=\"line\"></span></p>\n",
        html::text(title)
    );
    out.extend(main.description.as_ref().map(|text| prose::to_html(text)));
    let facts: String = facts(guide).iter().filter(|told| told.role != Role::Reading).map(term).collect();
    out.push_str(&format!("<dl>\n{facts}</dl>\n"));
    out.extend(left_out(guide).map(|note| format!("<p><strong>{}</strong></p>\n", html::text(&note))));
    let mut section = |title: &str, inside: String| {
        if !inside.is_empty() {
            out.push_str(&format!("<h2>{title}</h2>\n{inside}"));
        }
    };
    let ladder: String = ladder(guide).iter().map(|rung| format!("<li>{}</li>\n", html::prose(rung))).collect();
    section("If nobody answers, ask", if ladder.is_empty() { ladder } else { format!("<ol>\n{ladder}</ol>\n") });
    section("People", pairs(&roster(guide)));
    let decided = decisions(guide);
    let decided = decided.iter().map(|found| {
        let word = if found.steps.len() == 1 { "step" } else { "steps" };
        format!("<li><strong>{word} {}</strong>: {}</li>\n", html::text(&found.steps.join(", ")), html::prose(&found.who))
    });
    let decided: String = decided.collect();
    section("Who may decide", if decided.is_empty() { decided } else { format!("<ul>\n{decided}</ul>\n") });
    section("Values: write them down first", values(guide));
    let variables: String = guide.variables.iter().map(|line| format!("{line}\n")).collect();
    section("Variables of every step", if variables.is_empty() { variables } else { html::block(&variables) });
    section("Secrets", pairs(&secrets(guide)));
    out
}

fn values(guide: &Guide<'_>) -> String {
    let rows: String = wanted(&guide.plan.main().inputs)
        .into_iter()
        .map(|input| {
            let default = input.default.map(|default| format!("else {}", html::code(&default))).unwrap_or_default();
            let name = html::code(&format!("‹inputs.{}›", input.name));
            let what = format!("{}<br>{}", html::text(&input.r#type), prose_cell(&input.description));
            format!("<tr><td>{name}</td><td>{what}</td><td>{default}</td></tr>\n")
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    format!("<table class=\"values\">\n<tr><th>name</th><th>what it is</th><th>value</th></tr>\n{rows}</table>\n")
}

fn step(guide: &Guide<'_>, entry: &Entry) -> String {
    let step = guide.step(entry);
    let all = told(guide, entry);
    let of = |role: Role| all.iter().filter(move |told| told.role == role);
    let tag = tag(step.effect).map(|name| format!(" <span class=\"effect {name}\">{name}</span>")).unwrap_or_default();
    let mut out = place_of(guide, entry, "place");
    out.push_str(&format!("<h3>{}{tag}</h3>\n", html::text(&heading_of(guide, entry))));
    let conditions: Vec<String> = of(Role::Condition).map(named).collect();
    if !conditions.is_empty() {
        let boxes = "<span class=\"box\"></span> holds &nbsp; <span class=\"box\"></span> does not";
        out.push_str(&format!("<p class=\"only\">{} &nbsp; {boxes}</p>\n", conditions.join("; ")));
    }
    out.extend(of(Role::Why).map(|why| format!("<div class=\"why\">{}</div>\n", shown(why))));
    for (found, who) in entry.gates.iter().zip(gates(guide, entry)) {
        out.push_str(&decide(&format!("<p>Approved first: {}</p>\n", html::prose(&who)), found.gate.count));
    }
    let approve = if let Verb::Approve(approve) = &step.verb { Some(approve) } else { None };
    if let (Some(approve), Some(who)) = (approve, decides(guide, entry)) {
        let asked: String = of(Role::Question).map(shown).collect();
        out.push_str(&decide(&format!("{asked}<p>May decide: {}</p>\n", html::prose(&who)), approve.count));
    }
    out.extend(of(Role::ByHand).map(|hand| format!("<div class=\"hand\"><strong>By hand</strong>\n{}</div>\n", shown(hand))));
    // What the work is done with comes before it.
    let settings: String = of(Role::Setting).map(term).collect();
    out.extend((!settings.is_empty()).then(|| format!("<dl>\n{settings}</dl>\n")));
    out.extend(of(Role::Work).map(shown));
    let mut facts = String::new();
    for told in &all {
        match &told.role {
            Role::Why | Role::Condition | Role::ByHand | Role::Gate | Role::Setting | Role::Work => {}
            Role::Question | Role::Decides if approve.is_some() => {}
            Role::Value { name, is } => facts.push_str(&format!(
                "<dt>write down</dt><dd>{} <span class=\"line\"></span><br>{}</dd>\n",
                prose::line_in_html(name),
                html::code(is)
            )),
            Role::Answer => facts.push_str(&format!("{}<dt></dt><dd><span class=\"blank\"></span></dd>\n", term(told))),
            Role::Plain | Role::Reading | Role::Question | Role::Decides => facts.push_str(&term(told)),
        }
    }
    facts.push_str(match &step.verb {
        Verb::Each(_) => "<dt>done for</dt><dd><span class=\"blank\"></span></dd>\n",
        Verb::Repeat { .. } => "<dt>rounds</dt><dd><span class=\"line\"></span></dd>\n",
        _ => "",
    });
    if !facts.is_empty() {
        out.push_str(&format!("<dl>\n{facts}</dl>\n"));
    }
    format!(
        "<tr class=\"step depth-{}\" id=\"step-{number}\">\n<td class=\"tick\"><span class=\"box\"></span></td>\n<td class=\"number\">{number}</td>\n\
         <td class=\"do\">{out}</td>\n<td class=\"sign\"><div>time<span class=\"blank\"></span></div><div>initials<span class=\"blank\"></span></div></td>\n</tr>\n",
        entry.depth.min(4),
        number = html::text(&entry.number),
    )
}

/// What is said, on one line with its name.
fn named(told: &Told) -> String {
    let what = match &told.said.what {
        What::Line(line) => prose::line_in_html(line),
        What::Code(text) | What::Block(_, text) => html::code(text),
        What::Text(text) => html::text(text),
        What::Ours(text) | What::Prose(text) => html::prose(text),
    };
    format!("<strong>{}</strong> {what}", told.said.name)
}

/// What is said, without its name.
fn shown(told: &Told) -> String {
    match &told.said.what {
        What::Text(text) => format!("<p>{}</p>\n", html::text(text)),
        What::Ours(text) => format!("<p>{}</p>\n", html::prose(text)),
        What::Line(line) => format!("<p>{}</p>\n", prose::line_in_html(line)),
        What::Prose(text) => prose::to_html(text),
        What::Code(code) => html::block(code),
        What::Block(_, text) => html::block(text),
    }
}

/// A place for a decision and for everybody who takes it.
fn decide(inside: &str, count: u32) -> String {
    let place = "<p class=\"signature\"><span class=\"box\"></span> yes &nbsp; <span class=\"box\"></span> no &nbsp; \
                 name <span class=\"line\"></span> signature <span class=\"line\"></span></p>";
    format!("<div class=\"decide\">{inside}{}</div>\n", place.repeat(count.clamp(1, 10) as usize))
}

/// How it is recorded.
fn last() -> String {
    let command = "runbook note RUN 'Finished by hand from step …: …'";
    format!(
        "<h2>Afterwards</h2>\n<p>Record what was done: {}</p>\n\
         <p class=\"signature\">ended <span class=\"line\"></span> outcome <span class=\"line\"></span> signature <span class=\"line\"></span></p>\n",
        html::code(command)
    )
}
