//! Questions in a terminal, one line each. What was typed before its question stood there never answers it, and a question can
//! be left when something else settles it.

use std::io::{self, BufRead};

use runbook_core::plan::{InputSpec, ValueSpec};
use runbook_core::value::Value;
use runbook_engine::report::request::bounds;
use rustix::termios::{QueueSelector, tcflush};
use tokio::sync::mpsc;

use super::line;
use super::style::Tone;
use super::{Ui, words};

/// Lines of standard input, read by a thread of its own from the first question on.
#[derive(Default)]
pub struct Lines {
    receiver: Option<mpsc::UnboundedReceiver<String>>,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Line(String),
    /// Standard input has ended.
    End,
}

impl Lines {
    /// Throws away what was typed so far, whether its line is ended or not.
    fn forget(&mut self) {
        // What is no terminal has nothing that was typed.
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
        let receiver = self.receiver.get_or_insert_with(read_lines);
        while receiver.try_recv().is_ok() {}
    }

    /// The next line.
    async fn next(&mut self) -> Said {
        match self.receiver.get_or_insert_with(read_lines).recv().await {
            Some(line) => Said::Line(line.trim().to_owned()),
            None => Said::End,
        }
    }
}

fn read_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        // A key that is no UTF-8 is no reason to take the person for gone.
        for line in io::stdin().lock().split(b'\n') {
            let Ok(line) = line else { break };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Puts a question. What was typed before it is forgotten.
fn pose(ui: &mut Ui, lines: &mut Lines, question: &str) {
    lines.forget();
    ui.prompt(question);
}

/// Asks for one line.
pub async fn text(ui: &mut Ui, lines: &mut Lines, question: &str) -> Said {
    pose(ui, lines, question);
    heard(ui, lines).await
}

/// Waits for the line that answers what stands there.
async fn heard(ui: &mut Ui, lines: &mut Lines) -> Said {
    let said = lines.next().await;
    match said {
        Said::Line(_) => ui.answered(),
        Said::End => ui.break_off(),
    }
    said
}

/// A word that can be said, and what it does.
pub type Word<'a> = (&'a str, &'a str);

/// A question that is answered with one of some words; the beginning of a word is enough where it is clear, and `?` says what
/// each does.
pub struct Choice<'a> {
    question: String,
    words: &'a [Word<'a>],
}

impl<'a> Choice<'a> {
    /// Puts the question. It stands there until [`answer`](Self::answer) has its answer, also where that is begun anew.
    pub fn pose(ui: &mut Ui, lines: &mut Lines, question: &str, words: &'a [Word<'a>]) -> Choice<'a> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let question = format!("{question} [{}/?] ", names.join("/"));
        pose(ui, lines, &question);
        Choice { question, words }
    }

    /// Waits for one of the words. `None` at the end of input.
    pub async fn answer(&self, ui: &mut Ui, lines: &mut Lines) -> Option<&'a str> {
        let names: Vec<&str> = self.words.iter().map(|(word, _)| *word).collect();
        loop {
            let Said::Line(said) = heard(ui, lines).await else { return None };
            match pick(&said, &names) {
                Some(word) => return Some(word),
                None if said == "?" => self.words.iter().for_each(|(word, does)| ui.say(&format!("  {word:<10} {does}"))),
                None => ui.say(&format!("  please say one of: {}", names.join(", "))),
            }
            pose(ui, lines, &self.question);
        }
    }
}

/// Asks for one of some words. `None` at the end of input.
pub async fn choice<'a>(ui: &mut Ui, lines: &mut Lines, question: &str, words: &'a [Word<'a>]) -> Option<&'a str> {
    Choice::pose(ui, lines, question, words).answer(ui, lines).await
}

fn pick<'a>(said: &str, words: &[&'a str]) -> Option<&'a str> {
    let said = said.to_lowercase();
    if said.is_empty() {
        return None;
    }
    let mut found = words.iter().copied().filter(|word| word.starts_with(&said));
    match (found.next(), found.next()) {
        (Some(word), None) => Some(word),
        _ => words.iter().copied().find(|word| *word == said),
    }
}

/// Asks for a yes. Anything else is a no.
pub async fn yes(ui: &mut Ui, lines: &mut Lines, question: &str) -> bool {
    match text(ui, lines, &format!("{question} [y/N] ")).await {
        Said::Line(said) => matches!(said.to_lowercase().as_str(), "y" | "yes"),
        Said::End => false,
    }
}

/// Asks for a reason until there is one. `None` at the end of input.
pub async fn reason(ui: &mut Ui, lines: &mut Lines) -> Option<String> {
    loop {
        match text(ui, lines, "why? ").await {
            Said::Line(said) if !said.is_empty() => return Some(said),
            Said::Line(_) => ui.say("  a reason is needed"),
            Said::End => return None,
        }
    }
}

/// Asks for a typed value until it is valid. An empty line takes the default. `Ok(None)` leaves it out; `Err` at the end
/// of input.
pub async fn value(ui: &mut Ui, lines: &mut Lines, spec: &InputSpec) -> Result<Option<Value>, ()> {
    if let Some(description) = &spec.value.description {
        ui.say(&Tone::Quiet.paint(&line(description)));
    }
    let question = format!("{} ({}): ", spec.name, hint(&spec.value));
    loop {
        let Said::Line(said) = text(ui, lines, &question).await else { return Err(()) };
        if said.is_empty() {
            match &spec.value.default {
                Some(default) => return Ok(Some(default.clone())),
                None if !spec.value.required => return Ok(None),
                None => {}
            }
        }
        let said = numbered(&said, &spec.value).unwrap_or(said);
        match spec.value.accept_text(&said) {
            Ok(value) => return Ok(Some(value)),
            Err(faults) => faults.iter().for_each(|fault| ui.say(&format!("  {}", line(fault)))),
        }
    }
}

fn hint(spec: &ValueSpec) -> String {
    let mut hint = bounds(spec);
    if let Some(default) = &spec.default {
        hint.push_str(&format!("; enter for {}", words::value(default)));
    } else if !spec.required {
        hint.push_str("; enter for none");
    }
    hint
}

/// `2` picks the second choice, unless `2` is itself a choice.
fn numbered(said: &str, spec: &ValueSpec) -> Option<String> {
    if spec.choices.iter().any(|choice| words::as_typed(choice) == said) {
        return None;
    }
    let number: usize = said.parse().ok()?;
    spec.choices.get(number.checked_sub(1)?).map(words::as_typed)
}

#[cfg(test)]
mod tests {
    use runbook_core::document::InputType;

    use super::*;

    #[test]
    fn the_beginning_of_a_word_is_enough() {
        let words = ["approve", "reject", "later", "leave"];
        for (said, found) in
            [("a", Some("approve")), ("REJ", Some("reject")), ("l", None), ("le", Some("leave")), ("", None), ("x", None)]
        {
            assert_eq!(pick(said, &words), found, "{said}");
        }
    }

    #[test]
    fn a_question_says_what_it_takes() {
        let of = |kind| ValueSpec { r#type: kind, ..ValueSpec::string() };
        for (spec, hinted) in [
            (of(InputType::String), "string"),
            (ValueSpec { min: Some(Value::Int(1)), ..of(InputType::Integer) }, "integer, at least 1"),
            (ValueSpec { min: Some(Value::Int(2)), max: Some(Value::Int(9)), ..of(InputType::Host) }, "host, 2 to 9 characters"),
            (ValueSpec { max: Some(Value::Int(3)), ..of(InputType::List) }, "list, such as [1, 2], at most 3 items"),
            (ValueSpec { default: Some(Value::Bool(true)), ..of(InputType::Boolean) }, "true or false; enter for true"),
            (ValueSpec { examples: vec![Value::text("5m")], ..of(InputType::Duration) }, "duration, such as 5m"),
            (ValueSpec { required: false, ..of(InputType::Url) }, "url; enter for none"),
        ] {
            assert_eq!(hint(&spec), hinted);
        }
    }

    #[test]
    fn choices_have_numbers() {
        let text = ValueSpec { choices: vec![Value::text("red"), Value::text("blue")], ..ValueSpec::string() };
        let ints = ValueSpec { choices: vec![Value::Int(3), Value::Int(2)], ..ValueSpec::string() };
        for (spec, said, found) in
            [(&text, "2", Some("blue")), (&text, "0", None), (&text, "red", None), (&ints, "2", None), (&ints, "1", Some("3"))]
        {
            assert_eq!(numbered(said, spec).as_deref(), found, "{said}");
        }
    }
}
