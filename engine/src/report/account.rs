//! The account of a run, for those who were not there: what happened in a few sentences and on a time line, who decided what, what was
//! changed and what became of it, what is left to do, and what proves all that. It is made from the record alone.

mod changes;
mod told;

use runbook_core::Run;
use runbook_core::run::decision::{Decision, Standing};
use runbook_core::run::event::{Identity, OutcomeKind};
use runbook_core::value::Value;

pub use told::Teller;

use super::ended::{self, run_word};
use super::prose::Piece;
use super::{html, markdown, prose};
use crate::journal::RunRow;
use crate::verify::Verification;
use crate::words::{self, between, count, elapsed};

/// A sentence, or a cell of a table: foreign text in it is text or code, and never a sign.
type Line = Vec<Piece>;

/// A report of a run.
#[derive(Debug)]
pub struct Account {
    title: String,
    sections: Vec<(&'static str, Part)>,
}

#[derive(Debug)]
enum Part {
    Sentences(Vec<Line>),
    List(Vec<Line>),
    Table(&'static [&'static str], Vec<Vec<Line>>),
}

fn text(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

fn code(code: impl Into<String>) -> Piece {
    Piece::Code(code.into())
}

/// A step by its name, number and path.
fn step(run: &Run, path: &runbook_core::StepPath) -> Line {
    let Some(view) = run.find_step(path) else { return vec![code(path.as_str())] };
    let place = code(format!("{}. {path}", view.number()));
    match view.step().name {
        Some(_) => vec![text(format!("{} (", view.title())), place, text(")")],
        None => vec![place],
    }
}

fn person(run: &Run, identity: &Identity) -> String {
    words::who(&run.plan().policy.people, identity)
}

impl Account {
    /// Of a run as it stands at the end of its record, whose time line was told on the way.
    pub fn of(run: &Run, row: &RunRow, told: Teller, proof: &Verification) -> Account {
        let main = run.plan().main();
        let title = main.title.clone().unwrap_or_else(|| main.name.to_string());
        let standing = run.outcome().map_or("has not ended", |outcome| run_word(outcome.kind));
        let changes = changes::of(run);
        let mut sections =
            vec![("", Part::Sentences(summary(run, &told, &changes))), ("What it is about", Part::List(facts(run, row)))];
        sections.push(("What happened", Part::Table(&["time (UTC)", "after", "what"], told.rows())));
        if !run.decisions().is_empty() {
            sections.push(("Decisions", Part::List(run.decisions().iter().map(|decision| decided(run, decision)).collect())));
        }
        if !changes.is_empty() {
            sections.push(("Changes", Part::Table(&["step", "did", "what became of it"], changes::rows(run, &changes))));
        }
        sections.push(("What is left to do", Part::List(left(run, row, &changes))));
        sections.push(("What proves it", Part::List(proven(row, proof))));
        Account { title: format!("{title}: {standing}"), sections }
    }

    pub fn to_markdown(&self) -> String {
        let line = |line: &Line| prose::line_in_markdown(line);
        let mut out = format!("# {}\n", markdown::text(&self.title));
        for (heading, part) in &self.sections {
            if !heading.is_empty() {
                out.push_str(&format!("\n## {heading}\n"));
            }
            out.push('\n');
            match part {
                Part::Sentences(lines) => {
                    out.push_str(&lines.iter().map(|sentence| line(sentence) + "\n").collect::<Vec<_>>().join("\n"));
                }
                Part::List(lines) => out.extend(lines.iter().map(|item| format!("- {}\n", line(item)))),
                Part::Table(head, rows) => {
                    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(line).collect()).collect();
                    out.push_str(&markdown::table(head, &rows));
                }
            }
        }
        out
    }

    pub fn to_html(&self) -> String {
        let line = |line: &Line| prose::line_in_html(line);
        let mut out = format!("<h1>{}</h1>\n", html::text(&self.title));
        for (heading, part) in &self.sections {
            if !heading.is_empty() {
                out.push_str(&format!("<h2>{heading}</h2>\n"));
            }
            match part {
                Part::Sentences(lines) => out.extend(lines.iter().map(|sentence| format!("<p>{}</p>\n", line(sentence)))),
                Part::List(lines) => {
                    let items: String = lines.iter().map(|item| format!("<li>{}</li>\n", line(item))).collect();
                    out.push_str(&format!("<ul>\n{items}</ul>\n"));
                }
                Part::Table(head, rows) => {
                    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(line).collect()).collect();
                    out.push_str(&html::table(head, &rows));
                }
            }
        }
        html::page(&self.title, &out)
    }
}

/// What happened, in a few sentences.
fn summary(run: &Run, told: &Teller, changes: &[changes::Change<'_>]) -> Vec<Line> {
    let Some((started, at)) = run.start().zip(run.started_at()) else { return vec![vec![text("The run has not started.")]] };
    let what = code(format!("{} {}", started.procedure, started.version));
    let place = started.environment.as_ref().map(|environment| format!(" in {environment}")).unwrap_or_default();
    let on = at.strftime("On %-d %B %Y at %H:%M:%S UTC").to_string();
    let mut began = match (&started.event, &started.requested_by) {
        (Some(event), by) => {
            let mut began = vec![text(format!("{on} an event of {} (", by.person))];
            began.extend([code(member(event, "key")), text(format!(", {}) started ", member(event, "status")))]);
            began
        }
        (None, by) => vec![text(format!("{on} {} started ", person(run, by)))],
    };
    began.extend([what, text(format!("{place}."))]);
    let mut ended = Line::new();
    match run.outcome() {
        Some(outcome) => {
            let took = elapsed(between(at, run.last_at()));
            ended.push(text(format!("It {} after {took}", did(outcome.kind))));
            if let Some(path) = &outcome.step {
                ended.push(text(", at "));
                ended.extend(step(run, path));
            }
            let why = outcome.message.trim_end_matches([';', ' ', '.']);
            if !why.is_empty() {
                ended.push(text(": "));
                ended.extend(prose::message(why));
            }
            ended.push(text("."));
        }
        None => ended.push(text("It has not ended.")),
    }
    let (waited, asked) = (told.waited(), run.decisions().len() as u64);
    if asked > 0 {
        ended.push(text(format!(" People were asked {} and waited for {} altogether.", times(asked), elapsed(waited))));
    }
    vec![began, ended, vec![text(changes::in_short(changes))]]
}

fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

fn did(kind: OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Succeeded => "succeeded",
        OutcomeKind::Failed => "failed",
        OutcomeKind::Rejected => "was rejected",
        OutcomeKind::Cancelled => "was cancelled",
        OutcomeKind::RolledBack => "was rolled back",
        OutcomeKind::NeedsAttention => "ended, and needs attention,",
    }
}

/// A text of an event; nothing where it says nothing.
fn member(event: &Value, name: &str) -> String {
    match event.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(value) => words::value(value),
    }
}

fn facts(run: &Run, row: &RunRow) -> Vec<Line> {
    let main = run.plan().main();
    let mut facts: Vec<Line> = Vec::new();
    let mut fact = |name: &str, what: Line| {
        let mut line = vec![Piece::Strong(name.to_owned()), text(": ")];
        line.extend(what);
        facts.push(line);
    };
    if let Some(description) = &main.description {
        // How it goes about it stands in its documentation.
        let first = description.trim().split("\n\n").next().unwrap_or_default();
        fact("what for", prose::one_paragraph(first).unwrap_or_else(|| vec![text(words::value(&Value::text(first)))]));
    }
    fact("run", vec![code(row.run.as_str())]);
    let owner = main.owner.iter().map(String::as_str).chain(main.contacts.iter().map(String::as_str));
    let owner: Vec<&str> = owner.collect();
    if !owner.is_empty() {
        fact("owner", vec![text(owner.join(", "))]);
    }
    let Some(started) = run.start() else { return facts };
    if let Some(event) = &started.event {
        let said = ["type", "source", "subject", "id"].map(|name| (name, member(event, name)));
        let said: Vec<String> = said.into_iter().filter(|(_, said)| !said.is_empty()).map(|(n, s)| format!("{n} {s}")).collect();
        fact("event", vec![text(said.join(", "))]);
    }
    fact("asked for by", vec![text(person(run, &started.requested_by))]);
    let inputs = words::values(&started.inputs);
    if !inputs.is_empty() {
        let listed = inputs.into_iter().flat_map(|input| [text(", "), code(input)]).skip(1);
        fact("inputs", listed.collect());
    }
    if let Some(lock) = &started.lock {
        fact("lock", vec![code(lock.as_str())]);
    }
    facts
}

/// A question, who was asked, and what everybody said.
fn decided(run: &Run, decision: &Decision) -> Line {
    let mut line = match &decision.path {
        Some(path) => step(run, path),
        None => vec![text("the run")],
    };
    let question = decision.request.question.split_whitespace().collect::<Vec<_>>().join(" ");
    line.push(text(format!(" asked {}: {question}", super::request::may_decide(decision))));
    for vote in &decision.votes {
        let proof = super::request::proof(vote);
        let reason = vote.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let answers = words::values(&vote.answers).join(", ");
        let answers = if answers.is_empty() { String::new() } else { format!(" ({answers})") };
        line.push(text(" — "));
        line.push(Piece::Strong(vote.choice.name().to_owned()));
        line.push(text(format!(" by {}{proof}{answers}{reason}", person(run, &vote.by))));
    }
    let end = match decision.standing {
        Standing::Granted | Standing::Rejected | Standing::Answered => "",
        Standing::Open => " — nobody has answered yet",
        Standing::Expired => " — nobody answered in time",
        Standing::Voided => " — void, because what would have run had changed",
        Standing::Withdrawn => " — withdrawn: it had no object any more",
    };
    line.push(text(end));
    line
}

/// What people have to see to.
fn left(run: &Run, row: &RunRow, changes: &[changes::Change<'_>]) -> Vec<Line> {
    let mut left: Vec<Line> = Vec::new();
    for decision in run.decisions().iter().filter(|decision| decision.is_open()) {
        let place = decision.path.as_ref().map(|path| step(run, path)).unwrap_or_else(|| vec![text("the run")]);
        let mut line = vec![text("Answer ")];
        line.extend(place);
        line.extend([text(": "), code(format!("runbook decisions {}", row.run))]);
        left.push(line);
    }
    let Some(outcome) = run.outcome() else {
        if left.is_empty() {
            left.push(vec![text("The run goes on: "), code(format!("runbook show {}", row.run))]);
        }
        return left;
    };
    left.extend(changes.iter().filter_map(|change| change.to_see_to(run)));
    if outcome.kind != OutcomeKind::Succeeded {
        for view in run.steps().filter(ended::has_failed) {
            let mut todo = Line::new();
            if let Some(by_hand) = view.by_hand().filter(|_| ended::was_tried(run, &view)) {
                todo.push(text(" failed; by hand: "));
                todo.extend(prose::one_paragraph(&by_hand).unwrap_or_else(|| vec![text(words::value(&Value::text(by_hand)))]));
            }
            todo.extend(view.step().owner.as_ref().map(|owner| text(format!(" Its owner is {owner}."))));
            if !todo.is_empty() {
                let mut line = step(run, view.path());
                line.extend(todo);
                left.push(line);
            }
        }
        if run.undoable() > 0 {
            let taken = count(run.undoable() as u64, "change that stays", "changes that stay");
            left.push(vec![code(format!("runbook undo {}", row.run)), text(format!(" takes back {taken}."))]);
        }
    }
    if left.is_empty() {
        left.push(vec![text("Nothing.")]);
    }
    left
}

fn proven(row: &RunRow, proof: &Verification) -> Vec<Line> {
    let mut proven: Vec<Line> = Vec::new();
    let events = count(row.seq, "event", "events");
    match proof.faults.as_slice() {
        [] => proven.push(vec![text(format!("The record has {events} and is whole from the first to the last."))]),
        faults => {
            proven.push(vec![Piece::Strong("The record is not whole.".to_owned()), text(format!(" {events} were looked at."))]);
            proven.extend(faults.iter().map(|fault| vec![text(fault.to_string())]));
        }
    }
    proven.push(vec![text("Its head is "), code(row.head.to_string())]);
    let signed = proof.votes.iter().filter(|vote| vote.signed).count() as u64;
    if signed > 0 {
        proven.push(vec![text(format!("{} with an SSH key.", count(signed, "decision is signed", "decisions are signed")))]);
    }
    let logs = count(proof.logs, "log was", "logs were");
    proven.push(vec![text(format!("{logs} compared. ")), code(format!("runbook verify {}", row.run)), text(" looks again.")]);
    proven
}
