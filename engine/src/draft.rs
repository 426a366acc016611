//! A procedure drafted from what people already have: a Markdown runbook, or the commands that a shell remembers.
//!
//! A draft claims nothing that its source does not say. Each step stands as a `change` without a way back, which `check` reports
//! until somebody says what is true of it (RB0206), and the first step asks a person before anything else happens. Text and commands
//! of the source are data and stay whole; only values that look like secrets are never written. What is handed out was read, checked and
//! laid out first.

mod console;
mod history;
mod interactive;
mod markdown;
mod names;
mod outline;
mod recall;
mod script;
mod secrets;
mod session;
mod write;

use runbook_core::check::{Catalogue, CheckOptions, check};
use runbook_core::diagnostic::{Diagnostics, Severity, Source};
use runbook_core::document::{Document, load};
use runbook_core::id::ProcedureName;
use runbook_core::layout::{Unlaid, lay_out};
use runbook_core::limits;

pub use history::{Commands, Wanted};

use names::Names;

/// A procedure as it will stand in its file.
#[derive(Debug)]
pub struct Draft {
    pub text: String,
    /// Steps whose effect nobody has confirmed yet.
    pub open: usize,
    /// Names of the secrets that it declares: their values stood in the source, or it leaves them open.
    pub secrets: Vec<String>,
    /// How many values were left out without a secret in their place: they stood where nothing uses them.
    pub left_out: usize,
    /// Inputs that the source leaves open.
    pub inputs: Vec<String>,
}

/// Why nothing can be drafted.
#[derive(Debug, thiserror::Error)]
pub enum Undrafted {
    #[error("it is larger than {} KiB", most / 1024)]
    TooLarge { most: usize },
    #[error("line {line} holds a NUL byte: this is no text")]
    Binary { line: usize },
    #[error("line {line} is not UTF-8")]
    Encoding { line: usize },
    #[error("there is nothing in it that could become a step")]
    Empty,
    #[error("no command in it holds `{0}`")]
    NoSuchCommand(String),
    #[error("it has {found} commands, and a draft is made of at most {}", limits::DRAFT_COMMANDS)]
    TooManyCommands { found: usize },
    #[error("{found} steps would come of it, and a draft has at most {}", limits::DRAFT_STEPS)]
    TooLong { found: usize },
    #[error("more than {} values in it look like secrets", limits::DRAFT_SECRETS)]
    TooManySecrets,
    #[error("a text in it is longer than the {} bytes that a text of a procedure may have", limits::TEMPLATE_BYTES)]
    TooLongAText,
    /// What would be written is beyond a bound of the language.
    #[error("what would be written of it is beyond a bound: {0}")]
    Beyond(String),
}

/// What becomes a file: texts as the source has them, scripts as a step runs them.
#[derive(Debug, Default)]
struct Procedure {
    title: Option<String>,
    description: Vec<String>,
    /// Comments at the top, behind what every draft says.
    remarks: Vec<String>,
    steps: Vec<Step>,
    /// Variables of every step, each with an expression.
    env: Vec<(String, String)>,
    bash: bool,
}

#[derive(Debug)]
struct Step {
    remarks: Vec<String>,
    id: String,
    name: Option<String>,
    why: Vec<String>,
    work: Work,
    undo: Vec<Step>,
}

#[derive(Debug)]
enum Work {
    Run(Run),
    /// Text, in which what the source leaves open is still written as there.
    Manual(String),
    Group(Vec<Step>),
}

#[derive(Debug, Default)]
struct Run {
    /// As it is written in a procedure: braces are escaped, what was left open is an input.
    script: String,
    /// Variable → expression.
    env: Vec<(String, String)>,
    dir: Option<String>,
    /// What the source shows of its output.
    output: Option<String>,
}

impl Step {
    fn new(id: String, work: Work) -> Step {
        Step { remarks: Vec::new(), id, name: None, why: Vec::new(), work, undo: Vec::new() }
    }

    /// Steps in it that do something, undo included.
    fn count(&self) -> usize {
        let inside = match &self.work {
            Work::Group(steps) => steps.iter().map(Step::count).sum(),
            Work::Run(_) | Work::Manual(_) => 1,
        };
        inside + self.undo.iter().map(Step::count).sum::<usize>()
    }
}

/// Drafts a procedure from a runbook in Markdown (CommonMark, with tables and task lists). `from` is how people call the source.
pub fn from_markdown(name: &ProcedureName, from: &str, bytes: &[u8]) -> Result<Draft, Undrafted> {
    if bytes.len() > limits::DRAFT_BYTES {
        return Err(Undrafted::TooLarge { most: limits::DRAFT_BYTES });
    }
    let (text, left_out) = readable(bytes)?;
    let page = markdown::read(&text);
    let mut names = Names::default();
    let mut procedure = outline::procedure(page, &mut names);
    procedure.remarks.extend(left_out);
    finished(name, from, &procedure, &names)
}

/// Drafts a procedure from the commands that a shell remembers.
pub fn from_history(name: &ProcedureName, from: &str, commands: &Commands) -> Result<Draft, Undrafted> {
    if commands.commands.len() > limits::DRAFT_COMMANDS {
        return Err(Undrafted::TooManyCommands { found: commands.commands.len() });
    }
    let mut names = Names::default();
    let procedure = session::procedure(commands, &mut names);
    finished(name, from, &procedure, &names)
}

/// Whether bytes look like a runbook in Markdown rather than like commands: a heading, or a fence, begins a line.
pub fn is_markdown(bytes: &[u8]) -> bool {
    history::format_of(bytes) == history::Format::Plain
        && bytes.split(|b| *b == b'\n').any(|line| {
            let hashes = line.iter().take_while(|b| **b == b'#').count();
            line.starts_with(b"```") || line.starts_with(b"~~~") || ((1..=6).contains(&hashes) && line.get(hashes) == Some(&b' '))
        })
}

/// The text of a source, with `\n` alone as its line end and without characters that may not stand in a procedure; and what was
/// left out, for people.
fn readable(bytes: &[u8]) -> Result<(String, Option<String>), Undrafted> {
    let line = |at: usize| bytes.iter().take(at).filter(|b| **b == b'\n').count() + 1;
    if let Some(at) = bytes.iter().position(|b| *b == 0) {
        return Err(Undrafted::Binary { line: line(at) });
    }
    let text = std::str::from_utf8(bytes).map_err(|why| Undrafted::Encoding { line: line(why.valid_up_to()) })?;
    let text =
        text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace(['\r', '\u{85}', '\u{2028}', '\u{2029}'], "\n");
    let kept: String = text.chars().filter(|c| runbook_core::document::yaml::refused(*c).is_none()).collect();
    let lost = text.chars().count() - kept.chars().count();
    let told = match lost {
        0 => None,
        1 => Some("1 character that a reader cannot see was left out.".to_owned()),
        _ => Some(format!("{lost} characters that a reader cannot see were left out.")),
    };
    Ok((kept, told))
}

/// Writes the procedure, and proves that it can be read and checked and is in form.
fn finished(name: &ProcedureName, from: &str, procedure: &Procedure, names: &Names) -> Result<Draft, Undrafted> {
    let open = procedure.steps.iter().map(Step::count).sum();
    if open == 0 {
        return Err(Undrafted::Empty);
    }
    if open > limits::DRAFT_STEPS {
        return Err(Undrafted::TooLong { found: open });
    }
    if names.too_many_secrets {
        return Err(Undrafted::TooManySecrets);
    }
    if names.too_long_a_text {
        return Err(Undrafted::TooLongAText);
    }
    let written = write::procedure(name, from, procedure, names);
    let source = Source::new(format!("{name}.yaml"), written.text);
    let text = lay_out(&source).map_err(|why| match why {
        Unlaid::Unread(found) => beyond(&found).unwrap_or_else(|| Undrafted::Beyond("it cannot be read".to_owned())),
        why => Undrafted::Beyond(why.to_string()),
    })?;
    let source = Source::new(source.name, text);
    let (document, mut found) = load(&source);
    if let Some(Document::Procedure(procedure)) = &document {
        found.append(check(procedure, &Catalogue::default(), &CheckOptions::default()).1);
    }
    if let Some(refused) = beyond(&found) {
        return Err(refused);
    }
    Ok(Draft {
        text: source.text.to_string(),
        open,
        left_out: names.secrets.len() - written.secrets.len(),
        secrets: written.secrets,
        inputs: written.inputs,
    })
}

/// The first error, in the words of the check.
fn beyond(found: &Diagnostics) -> Option<Undrafted> {
    let fault = found.iter().find(|fault| fault.severity == Severity::Error)?;
    let reason = if fault.reason.is_empty() { String::new() } else { format!(": {}", fault.reason) };
    Some(Undrafted::Beyond(format!("{}{reason}", fault.message)))
}

#[cfg(test)]
mod tests;
