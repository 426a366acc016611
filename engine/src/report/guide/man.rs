//! A guide as a page of the manual, section 7.

use runbook_core::guide::{Entry, Guide};

use super::super::said::{Said, What};
use super::super::{man, prose};
use super::step::told;
use super::told::Told;
use super::whole::{Wanted, decisions, facts, ladder, roster, secrets, wanted};
use super::{Section, WRITER, heading, heading_of, left_out, place, sections, tag};

pub fn to_man(guide: &Guide<'_>) -> String {
    let main = guide.plan.main();
    let date = guide.document.reviewed.as_ref().map(|date| date.value.to_string()).unwrap_or_default();
    let mut page = format!("{}\n", mark());
    page.push_str(&format!(
        ".TH {} 7 \"{}\" {} {}\n.nh\n.ad l\n",
        man::argument(&main.name.as_str().to_uppercase()),
        date,
        man::argument(&heading(guide)),
        man::argument("Procedures")
    ));
    let title = main.title.as_deref().unwrap_or("a procedure");
    page.push_str(&format!(".SH NAME\n{}", man::line(&format!("{} \\- {}", man::text(main.name.as_str()), man::text(title)))));
    let given = wanted(&main.inputs).into_iter().filter(|input| input.default.is_none());
    let given: String = given.map(|input| format!(" \\-\\-input {}=\\fI...\\fR", man::text(&input.name))).collect();
    page.push_str(&format!(
        ".SH SYNOPSIS\n{}",
        man::line(&format!("\\fBrunbook exec {}\\fR{given}", man::text(main.name.as_str())))
    ));
    page.push_str(".SH DESCRIPTION\n");
    page.extend(main.description.as_ref().map(|text| prose::to_roff(text)));
    page.extend(facts(guide).iter().map(paragraph));
    page.extend(left_out(guide).map(|note| format!(".PP\n{}", man::line(&man::text(&note)))));
    let mut section = |title: &str, inside: String| {
        if !inside.is_empty() {
            page.push_str(&format!(".SH {}\n{inside}", man::argument(title)));
        }
    };
    let input = |input: Wanted| {
        let default = input.default.map_or_else(|| "has to be given".to_owned(), |default| format!("else {default}"));
        let what = prose::one_paragraph(&input.description).map(|line| prose::line_in_roff(&line)).unwrap_or_default();
        let what = if what.is_empty() { what } else { format!(". {what}") };
        tagged(&man::bold(&input.name), &format!("{}; {}{what}", man::text(&input.r#type), man::text(&default)))
    };
    section("INPUTS", wanted(&main.inputs).into_iter().map(input).collect());
    section("SECRETS", pairs(&secrets(guide)));
    let variables: String = guide.variables.iter().map(|line| format!("{line}\n")).collect();
    section("VARIABLES OF EVERY STEP", if variables.is_empty() { variables } else { man::first_block(&variables) });
    let decided = decisions(guide);
    let decided = decided.iter().map(|found| tagged(&man::text(&found.steps.join(", ")), &man::prose(&found.who)));
    section("WHO DECIDES", decided.collect());
    let ladder = (1..).zip(ladder(guide)).map(|(n, rung)| tagged(&format!("{n}."), &man::prose(&rung)));
    section("WHO IS ASKED NEXT", ladder.collect());
    section("PEOPLE", pairs(&roster(guide)));
    for Section { title, note, entries } in sections(guide) {
        section(
            &title.to_uppercase(),
            format!("{}{}", man::line(note), entries.iter().map(|entry| step(guide, entry)).collect::<String>()),
        );
    }
    // As wide as a terminal leaves it.
    page.push_str(&format!(".SH DIGEST\n{}", man::line(&man::text(guide.digest.as_str()))));
    page
}

/// What a page says of its writer, on a line of its own.
pub(super) fn mark() -> String {
    format!(".\\\" Written by {WRITER}; what is changed here is lost.")
}

fn paragraph(told: &Told) -> String {
    in_roff(&told.said)
}

fn pairs(pairs: &[(String, String)]) -> String {
    pairs.iter().map(|(name, told)| tagged(&man::bold(name), &man::text(told))).collect()
}

fn step(guide: &Guide<'_>, entry: &Entry) -> String {
    let tag = tag(guide.step(entry).effect).map(|effect| format!(" [{effect}]")).unwrap_or_default();
    let title = format!("{}. {}{tag}", entry.number, heading_of(guide, entry));
    let place = match place(guide, entry).as_slice() {
        [] => String::new(),
        place => man::line(&prose::line_in_roff(place)),
    };
    format!(".SS {}\n{place}{}", man::argument(&title), told(guide, entry).iter().map(paragraph).collect::<String>())
}

fn tagged(tag: &str, told: &str) -> String {
    format!(".TP\n{}{}", man::line(tag), man::line(if told.is_empty() { "\\&" } else { told }))
}

fn in_roff(said: &Said) -> String {
    let tag = format!(".TP\n{}", man::line(&format!("\\fI{}\\fR", man::text(said.name))));
    let told = match &said.what {
        What::Text(text) => man::line(&man::text(text)),
        What::Ours(text) => man::line(&man::prose(text)),
        What::Line(line) => man::line(&prose::line_in_roff(line)),
        What::Code(code) => man::line(&man::bold(code)),
        What::Prose(text) => prose::to_roff(text),
        What::Block(_, text) => man::block(text),
    };
    format!("{tag}{told}")
}
