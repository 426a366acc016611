//! The flow chart of a run: that of its procedure, as the guide draws it, with what became of each step. What is told of a step is what its row on the page of
//! the run says, to which its box leads.

use std::collections::BTreeMap;

use runbook_core::guide::Stands;
use runbook_engine::report::guide;
use serde::Serialize;

use super::address::address;
use super::render::{self, Tab};
use super::run::{self, ROWS, Row};
use super::runs::standing;
use crate::api::{Answer, Call, runs};
use crate::problem::Problem;

#[derive(Serialize)]
struct View {
    run: String,
    procedure: String,
    environment: Option<String>,
    word: &'static str,
    class: &'static str,
    events: u64,
    ways: Vec<Tab>,
    flow_html: String,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let (run, row) = runs::replayed(&call, &row.run).await?;
    let now = call.app().clock.now();
    let (word, class) = standing(&row, now);
    let stands = stands(&format!("/runs/{}", row.run), &run::rows(&run, &row, now));
    let view = View {
        run: row.run.to_string(),
        procedure: format!("{} {}", row.summary.procedure, row.summary.version),
        environment: row.summary.environment.clone(),
        word,
        class,
        events: row.seq,
        ways: run::ways(&row, "flow"),
        flow_html: guide::flow_of_run(run.plan(), &|number| stands.get(number).cloned()),
    };
    let frame = run::framed(&call, &row, &run, format!("{} {word}: flow", view.procedure)).with_reports();
    Ok(Answer::raw(render::page("flow", &frame, &view)?))
}

/// Of each step, by its number, what its rows say: one looks as the worst of its items does.
fn stands(of: &str, rows: &[Row]) -> BTreeMap<String, Stands> {
    let mut found: BTreeMap<&str, (usize, Vec<&Row>)> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        found.entry(&row.number).or_insert_with(|| (place, Vec::new())).1.push(row);
    }
    let worst = |rows: &[&Row]| {
        let classes = ["bad", "warning", "live", "good"];
        classes.into_iter().find(|class| rows.iter().any(|row| row.class == *class)).unwrap_or("quiet")
    };
    let stands = |(number, (place, rows)): (&str, (usize, Vec<&Row>))| {
        let page = (place / ROWS * ROWS + 1).to_string();
        let address = format!("{}#{}", address(of, [("from", page.as_str())]), run::anchor(number));
        (number.to_owned(), Stands { word: told(&rows), class: worst(&rows), address })
    };
    found.into_iter().map(stands).collect()
}

/// The one word of a step; of several items and rounds how many each is of.
fn told(rows: &[&Row]) -> String {
    let mut words: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        match words.iter_mut().find(|(word, _)| *word == row.word) {
            Some((_, count)) => *count += 1,
            None => words.push((row.word, 1)),
        }
    }
    match words.as_slice() {
        [(word, 1)] => (*word).to_owned(),
        words => words.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", "),
    }
}
