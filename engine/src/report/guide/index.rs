//! A list of all procedures: what each is for, who answers for it, and when it was last looked at.

use runbook_core::guide::Freshness;

use super::super::html::{self, PAGE};
use super::super::markdown;
use super::WRITER;

/// One procedure of the list.
pub struct Row {
    pub name: String,
    /// Its page, beside the list; empty where there is none.
    pub page: String,
    pub title: String,
    pub version: String,
    pub owner: String,
    pub effect: &'static str,
    pub reviewed: String,
    pub review: Freshness,
    /// When it was last done, where the reader's record says so.
    pub exercised: String,
    pub exercise: Freshness,
}

const HEAD: [&str; 7] = ["procedure", "what for", "owner", "effect", "version", "reviewed", "exercised"];

/// With the marks of the day where `today`; a page that is kept has the dates alone.
pub fn index_in_markdown(rows: &[Row], today: bool) -> String {
    let name = |row: &Row| match row.page.is_empty() {
        true => markdown::code(&row.name),
        false => format!("[{}]({})", markdown::text(&row.name), row.page),
    };
    let cells = cells(rows, today, name, markdown::text, |stale| format!("**{stale}**"));
    let head = if today { String::new() } else { format!("{}\n\n", super::markdown::mark()) };
    format!("# Procedures\n\n{head}{}", markdown::table(&HEAD, &cells))
}

/// The same as a page.
pub fn index_in_html(rows: &[Row], today: bool) -> String {
    let name = |row: &Row| match row.page.is_empty() {
        true => html::code(&row.name),
        false => format!("<a href=\"{}\">{}</a>", html::text(&row.page), html::text(&row.name)),
    };
    let cells = cells(rows, today, name, html::text, |stale| format!("<span class=\"bad\">{stale}</span>"));
    html::page_in(&PAGE, WRITER, "Procedures", &format!("<h1>Procedures</h1>\n{}", html::table(&HEAD, &cells)))
}

/// The cells of each row, in the order of the head.
fn cells(
    rows: &[Row],
    today: bool,
    name: impl Fn(&Row) -> String,
    text: impl Fn(&str) -> String,
    mark: impl Fn(String) -> String,
) -> Vec<Vec<String>> {
    let date = |(date, stale): (String, bool)| if stale { mark(text(&date)) } else { text(&date) };
    let row = |row: &Row| {
        vec![
            name(row),
            text(&row.title),
            text(&row.owner),
            row.effect.to_owned(),
            row.version.clone(),
            date(reviewed(row, today)),
            date(exercised(row, today)),
        ]
    };
    rows.iter().map(row).collect()
}

/// What is said of the review, and whether it is stale.
pub fn reviewed(row: &Row, today: bool) -> (String, bool) {
    let date = if row.reviewed.is_empty() { "never" } else { &row.reviewed };
    match row.review {
        Freshness::Overdue(due) if today => (format!("{date}, stale since {due}"), true),
        Freshness::Due(due) | Freshness::Overdue(due) => (format!("{date}, again by {due}"), false),
        Freshness::Never => (date.to_owned(), today),
        Freshness::Unasked => (date.to_owned(), false),
    }
}

/// What is said of the last exercise, and whether it is stale.
pub fn exercised(row: &Row, today: bool) -> (String, bool) {
    let date = row.exercised.as_str();
    match row.exercise {
        Freshness::Overdue(due) if today => (format!("{date}, stale since {due}"), true),
        Freshness::Due(due) if today => (format!("{date}, again by {due}"), false),
        Freshness::Never if today => (date.to_owned(), true),
        _ => (date.to_owned(), false),
    }
}
