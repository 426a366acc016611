//! The timeline of a run: each of its steps with when it ran, asked and waited, drawn as a bar beside words that say the same. Times in which nothing ran are
//! folded, and steps to come stand behind the present, in their order and to no scale.

use std::fmt::Write;

use jiff::Timestamp;
use runbook_core::Run;
use runbook_engine::journal::RunRow;
use runbook_engine::report::timeline::{Doing, Scale, Stretch, Timeline};
use runbook_engine::words;
use serde::Serialize;

use super::address::address;
use super::render::{self, Tab, When};
use super::run::{self, Row};
use super::runs::standing;
use crate::api::{Answer, Call, runs};
use crate::problem::Problem;

/// Rows on one page, and stretches of one row that are drawn one by one.
const ROWS: usize = 80;
const STRETCHES: usize = 10;
/// How long a bar is, a fold in it, and what stands behind the present.
const WIDTH: u32 = 1_000;
const FOLD: u32 = 30;
const TO_COME: u32 = 200;

#[derive(Serialize)]
struct View {
    run: String,
    procedure: String,
    environment: Option<String>,
    word: &'static str,
    class: &'static str,
    events: u64,
    ways: Vec<Tab>,
    began: When,
    took: String,
    goes_on: bool,
    /// What is not to scale, from the left to the right.
    folds: Vec<String>,
    folds_html: String,
    rows: Vec<Line>,
    all: usize,
    first: usize,
    last: usize,
    before: Option<String>,
    after: Option<String>,
    has_to_come: bool,
}

#[derive(Serialize)]
struct Line {
    number: String,
    title: String,
    depth: usize,
    word: &'static str,
    class: &'static str,
    /// When and for how long.
    when: String,
    bar_html: String,
}

pub async fn show(call: Call) -> Result<Answer, Problem> {
    let row = call.run()?;
    let mut timeline = Timeline::default();
    let (run, row) = runs::replayed_with(&call, &row.run, &mut |run, event| timeline.event(run, event)).await?;
    let view = view(&call, &row, &run, &timeline)?;
    let frame = run::framed(&call, &row, &run, format!("{} {}: timeline", view.procedure, view.word));
    Ok(Answer::raw(render::page("timeline", &frame, &view)?))
}

fn view(call: &Call, row: &RunRow, run: &Run, timeline: &Timeline) -> Result<View, Problem> {
    let now = call.app().clock.now();
    let (word, class) = standing(row, now);
    let from = row.summary.started_at;
    let until = row.summary.ended_at.unwrap_or(now).max(run.last_at());
    let rows = run::rows(run, row, now);
    let goes_on = run.outcome().is_none();
    let is_to_come = |row: &&Row| row.word == run::TO_COME;
    let to_come = rows.iter().filter(is_to_come).count();
    let behind = if to_come > 0 { TO_COME } else { 0 };
    let scale = timeline.scale(from, until, WIDTH - behind, FOLD);
    let here = format!("/runs/{}/timeline", row.run);
    let of_interest = || rows.iter().position(|row| matches!(row.class, "bad" | "live" | "warning"));
    let first = match call.parsed::<usize>("from")? {
        Some(from) => from.saturating_sub(1),
        None => of_interest().unwrap_or_default() / ROWS * ROWS,
    };
    let at = |place: usize| address(&here, [("from", (place + 1).to_string().as_str())]);
    let (all, last) = (rows.len(), (first + ROWS).min(rows.len()));
    let mut come = rows.iter().take(first).filter(is_to_come).count();
    let shown = rows.iter().skip(first).take(ROWS);
    let lines = shown.map(|row| match &row.at {
        Some(_) => line(row, run, timeline, &scale, (from, until)),
        None if is_to_come(&row) => {
            come += 1;
            ahead(row, come - 1, to_come)
        }
        None => bare(row),
    });
    let folds = scale.folds().map(|fold| {
        let why = if fold.asked { "somebody was asked" } else { "nothing ran" };
        format!("{} in which {why}", words::elapsed(fold.took))
    });
    Ok(View {
        run: row.run.to_string(),
        procedure: format!("{} {}", row.summary.procedure, row.summary.version),
        environment: row.summary.environment.clone(),
        word,
        class,
        events: row.seq,
        ways: run::ways(row, "timeline"),
        began: When::at(from),
        took: words::elapsed(words::between(from, until)),
        goes_on,
        folds: folds.collect(),
        folds_html: folds_drawn(&scale),
        rows: lines.collect(),
        all,
        first: first + 1,
        last,
        before: (first > 0).then(|| at(first.saturating_sub(ROWS))),
        after: (last < all).then(|| at(last)),
        has_to_come: to_come > 0,
    })
}

/// A step that the run has come to.
fn line(row: &Row, run: &Run, timeline: &Timeline, scale: &Scale, (start, until): (Timestamp, Timestamp)) -> Line {
    let view = row.at.as_ref().and_then(|path| run.find_step(path));
    let stretches = row.at.as_ref().map(|path| timeline.of(path)).unwrap_or_default();
    let whole = view.map(|view| (view.began(), view.ended().unwrap_or(until)));
    let mut bar = String::new();
    let mut draw = |class: &str, from: Timestamp, to: Timestamp| {
        let (from, to) = (scale.place(from), scale.place(to));
        // What is over at once is seen too.
        let _ = write!(bar, "<rect class=\"{class}\" x=\"{from:.0}\" width=\"{:.0}\" height=\"14\"/>", (to - from).max(4.0));
    };
    match (stretches, whole) {
        ([], Some((from, to))) if row.word != "skipped" => draw("around", from, to),
        (stretches, _) => merged(stretches, until).iter().for_each(|(doing, from, to)| draw(class(*doing), *from, *to)),
    }
    Line { when: told(stretches, whole, start, until), bar_html: bar, ..bare(row) }
}

/// A step to come, at its place among the others that are.
fn ahead(row: &Row, place: usize, of: usize) -> Line {
    let slot = f64::from(TO_COME - FOLD) / of.max(1) as f64;
    let x = f64::from(WIDTH - TO_COME + FOLD) + slot * place as f64;
    let bar_html = format!("<rect class=\"ahead\" x=\"{x:.0}\" y=\"1\" width=\"{:.0}\" height=\"12\"/>", slot.max(4.0));
    Line { bar_html, ..bare(row) }
}

fn bare(row: &Row) -> Line {
    Line {
        number: row.number.clone(),
        title: row.title.clone(),
        depth: row.depth,
        word: row.word,
        class: row.class,
        when: String::new(),
        bar_html: String::new(),
    }
}

fn class(doing: Doing) -> &'static str {
    match doing {
        Doing::Works => "works",
        Doing::Asks => "asks",
        Doing::Waits => "waits",
    }
}

/// Where there are many, those of a kind become one.
fn merged(stretches: &[Stretch], until: Timestamp) -> Vec<(Doing, Timestamp, Timestamp)> {
    let each = |stretch: &Stretch| (stretch.doing, stretch.from, stretch.to.unwrap_or(until));
    if stretches.len() <= STRETCHES {
        return stretches.iter().map(each).collect();
    }
    let kinds = [Doing::Works, Doing::Asks, Doing::Waits].into_iter();
    let one = |doing: Doing| {
        let of: Vec<_> = stretches.iter().filter(|stretch| stretch.doing == doing).map(each).collect();
        Some((doing, of.first()?.1, of.iter().map(|(.., to)| *to).max()?))
    };
    kinds.filter_map(one).collect()
}

/// When, in words: after how long it began, and how long it did what.
fn told(stretches: &[Stretch], whole: Option<(Timestamp, Timestamp)>, start: Timestamp, until: Timestamp) -> String {
    let Some((began, ended)) = whole else { return String::new() };
    let mut told = format!("after {}", words::stopwatch(words::between(start, began)));
    for (doing, word) in [(Doing::Works, "ran"), (Doing::Asks, "asked"), (Doing::Waits, "waited")] {
        let of: Vec<&Stretch> = stretches.iter().filter(|stretch| stretch.doing == doing).collect();
        if !of.is_empty() {
            let took = of.iter().map(|stretch| words::between(stretch.from, stretch.to.unwrap_or(until))).sum();
            let times = if of.len() > 1 { format!(", {} times", of.len()) } else { String::new() };
            let _ = write!(told, ", {word} {}{times}", words::elapsed(took));
        }
    }
    if stretches.is_empty() {
        let _ = write!(told, ", {}", words::elapsed(words::between(began, ended)));
    }
    told
}

/// The folds as broken lines, the same in each row.
fn folds_drawn(scale: &Scale) -> String {
    let lines: String = scale.folds().map(|fold| format!("M{:.0} 0V14", fold.place)).collect();
    if lines.is_empty() { lines } else { format!("<path id=\"folds\" class=\"fold\" d=\"{lines}\"/>") }
}
