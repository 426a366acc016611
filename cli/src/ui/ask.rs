//! Questions in a terminal, one line each. A line that was typed before its question stood there never answers it, and a
//! question can be left when something else settles it.

use std::io::{self, BufRead};

use runbook_core::document::InputType;
use runbook_core::plan::{InputSpec, ValueSpec};
use runbook_core::value::Value;
use tokio::sync::mpsc;

use super::plain::line;
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
    /// The next line. Lines that came before this call are thrown away.
    async fn fresh(&mut self) -> Said {
        let receiver = self.receiver.get_or_insert_with(read_lines);
        while receiver.try_recv().is_ok() {}
        match receiver.recv().await {
            Some(line) => Said::Line(line.trim().to_owned()),
            None => Said::End,
        }
    }
}

fn read_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Asks for one line.
pub async fn text(ui: &mut Ui, lines: &mut Lines, question: &str) -> Said {
    ui.prompt(question);
    let said = lines.fresh().await;
    if said == Said::End {
        ui.say("");
    }
    said
}

/// Asks for one of some words; the beginning of a word is enough where it is clear. `None` at the end of input.
pub async fn choice<'a>(ui: &mut Ui, lines: &mut Lines, question: &str, words: &[&'a str]) -> Option<&'a str> {
    loop {
        let shown = format!("{question} [{}] ", words.join("/"));
        let Said::Line(said) = text(ui, lines, &shown).await else { return None };
        if let Some(word) = pick(&said, words) {
            return Some(word);
        }
        ui.say(&format!("  please say one of: {}", words.join(", ")));
    }
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
    let kind = InputType::ALL.iter().find(|(_, t)| *t == spec.r#type).map_or("text", |(name, _)| *name);
    let mut hint = match spec.choices.len() {
        0 => kind.to_owned(),
        _ => {
            let choices: Vec<String> = (1..).zip(&spec.choices).map(|(n, c)| format!("{n} {}", words::value(c))).collect();
            choices.join(", ")
        }
    };
    if let Some(default) = &spec.default {
        hint.push_str(&format!("; enter for {}", words::value(default)));
    } else if !spec.required {
        hint.push_str("; enter for none");
    }
    hint
}

/// `2` picks the second choice, unless `2` is itself a choice.
fn numbered(said: &str, spec: &ValueSpec) -> Option<String> {
    let plain = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        other => other.to_plain_json().to_string(),
    };
    if spec.choices.iter().any(|choice| plain(choice) == said) {
        return None;
    }
    let number: usize = said.parse().ok()?;
    spec.choices.get(number.checked_sub(1)?).map(plain)
}

#[cfg(test)]
mod tests {
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
