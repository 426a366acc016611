//! What a procedure wants before it runs: its inputs, from flags, a file or the person at the terminal, and the command that gives them again.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use runbook_core::diagnostic::render::{self, Look};
use runbook_core::diagnostic::{Severity, Source};
use runbook_core::document::input::accept_all;
use runbook_core::plan::InputSpec;
use runbook_core::value::{Map, Value};
use runbook_core::{Plan, limits};
use runbook_engine::start::StartError;

use crate::args::Given;
use crate::exit::{Exit, Trouble};
use crate::ui::ask::{self, Lines};
use crate::ui::words::shell_word;
use crate::ui::{Ui, words};

/// What a run is given, and by what means.
pub struct Inputs {
    given: Given,
    /// From a file.
    read: Map,
    /// From the command line, or at the terminal.
    typed: Map,
}

impl Inputs {
    pub fn values(&self) -> Map {
        self.read.iter().chain(&self.typed).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The command that gives the same again, with a gap for each declared input that one of the faults begins with.
    fn command(&self, procedure: &str, specs: &[InputSpec], faults: &[&str]) -> String {
        let faulty = |name: &str| {
            faults.iter().any(|fault| fault.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(": ")))
        };
        let mut command = format!("runbook exec {}", shell_word(procedure));
        let mut give = |values: &Map| {
            for (name, value) in values.iter().filter(|(name, _)| !faulty(name)) {
                command.push_str(&format!(" --input {}", shell_word(&format!("{name}={}", words::as_typed(value)))));
            }
        };
        match &self.given.inputs {
            // What came through standard input is gone; a file is still there.
            Some(path) if path == Path::new("-") => give(&self.values()),
            _ => give(&self.typed),
        }
        if let Some(path) = self.given.inputs.as_ref().filter(|path| *path != Path::new("-")) {
            command.push_str(&format!(" --inputs {}", shell_word(&path.to_string_lossy())));
        }
        for spec in specs.iter().filter(|spec| faulty(spec.name.as_str())) {
            command.push_str(&format!(" --input {}=…", spec.name));
        }
        if let Some(environment) = &self.given.env {
            command.push_str(&format!(" --env {}", shell_word(environment)));
        }
        command
    }
}

/// A checked procedure, and what it was called.
pub struct Wanted {
    pub plan: Arc<Plan>,
    name: String,
}

impl Wanted {
    pub fn new(plan: Plan, name: &str) -> Wanted {
        Wanted { plan: Arc::new(plan), name: name.to_owned() }
    }

    /// What was given, and, where somebody can be asked, what is missing.
    pub async fn inputs(&self, given: &Given, ui: &mut Ui, lines: &mut Lines) -> Result<Inputs, Trouble> {
        self.inputs_beside(Map::new(), given, ui, lines).await
    }

    /// The same, where some are there already; what is given comes before them.
    pub async fn inputs_beside(&self, mut read: Map, given: &Given, ui: &mut Ui, lines: &mut Lines) -> Result<Inputs, Trouble> {
        let specs = &self.plan.main().inputs;
        read.extend(given.inputs.as_deref().map(|path| read_inputs(path, ui)).transpose()?.unwrap_or_default());
        let (typed, faults) = typed(specs, &given.input);
        let mut inputs = Inputs { given: given.clone(), read, typed };
        if !faults.is_empty() {
            let faults = all_faults(specs, inputs.values(), faults);
            let next = inputs.command(&self.name, specs, &faults.iter().map(String::as_str).collect::<Vec<_>>());
            return Err(Trouble::not_valid(faults.join("\n")).next(next));
        }
        if ui.can_ask() {
            for spec in specs.iter().filter(|s| s.value.required && s.value.default.is_none()) {
                let name = spec.name.as_str();
                if !inputs.read.contains_key(name) && !inputs.typed.contains_key(name) {
                    let Ok(value) = ask::value(ui, lines, spec).await else {
                        let next = inputs.command(&self.name, specs, &[name]);
                        return Err(Trouble::not_valid(format!("the input `{name}` is missing")).next(next));
                    };
                    inputs.typed.extend(value.map(|value| (name.to_owned(), value)));
                }
            }
        }
        Ok(inputs)
    }

    /// The command that runs the procedure with these inputs.
    pub fn command(&self, inputs: &Inputs) -> String {
        inputs.command(&self.name, &self.plan.main().inputs, &[])
    }

    pub fn refused(&self, error: StartError, inputs: &Inputs) -> Trouble {
        let next = match &error {
            StartError::Inputs(faults) => {
                let faulty: Vec<&str> = faults.iter().map(|(name, _)| name.as_str()).collect();
                inputs.command(&self.name, &self.plan.main().inputs, &faulty)
            }
            StartError::Part { known, .. } => {
                let known: Vec<&str> = known.iter().map(|id| id.as_str()).collect();
                format!("use one of: {}", known.join(", "))
            }
            StartError::Lock(_) | StartError::Plan(_) => checking(&self.name, &inputs.given),
        };
        Trouble::not_valid(error.to_string()).next(next)
    }
}

/// The command that tells every fault of a procedure as this run would meet them.
pub fn checking(what: &str, given: &Given) -> String {
    let environment = given.env.as_ref().map(|env| format!(" --env {}", shell_word(env))).unwrap_or_default();
    format!("runbook check {}{environment}", shell_word(what))
}

/// Values that were typed as `name=value`, and all that is wrong with them.
pub fn typed(specs: &[InputSpec], given: &[String]) -> (Map, Vec<String>) {
    let mut values = Map::new();
    let mut faults = Vec::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            faults.push(format!("`{text}` is not written NAME=VALUE"));
            continue;
        };
        if values.contains_key(name) {
            faults.push(format!("`{name}` is given twice"));
            continue;
        }
        match specs.iter().find(|spec| spec.name.as_str() == name) {
            // Told as unknown together with all other faults of the inputs.
            None => {
                values.insert(name.to_owned(), Value::text(value));
            }
            Some(spec) => match spec.value.accept_text(value) {
                Ok(value) => {
                    values.insert(name.to_owned(), value);
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}"))),
            },
        }
    }
    (values, faults)
}

/// What is wrong with the text of values, together with what is wrong beside that.
pub fn all_faults(specs: &[InputSpec], values: Map, mut faults: Vec<String>) -> Vec<String> {
    if let Err(found) = accept_all(specs, values) {
        let told = |name: &str| faults.iter().any(|fault| fault.starts_with(&format!("{name}: ")));
        let more = found.iter().filter(|(name, _)| !told(name)).map(|(name, fault)| format!("{name}: {fault}"));
        let more: Vec<String> = more.collect();
        faults.extend(more);
    }
    faults
}

/// A map of inputs from a file, or from standard input for `-`.
fn read_inputs(path: &Path, ui: &mut Ui) -> Result<Map, Trouble> {
    let cannot = |why: std::io::Error| Trouble::unreadable(path, &why).exits(Exit::NotValid);
    let mut text = String::new();
    let bound = limits::DOCUMENT_BYTES as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(bound).read_to_string(&mut text).map_err(cannot)?;
    } else {
        std::fs::File::open(path).map_err(cannot)?.take(bound).read_to_string(&mut text).map_err(cannot)?;
    }
    let source = Source::new(path.display().to_string(), text);
    let (value, found) = runbook_core::document::load_value(&source);
    let faults: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).collect();
    if let Some(first) = faults.first() {
        faults.iter().for_each(|fault| ui.say(&format!("{}\n", render::to_text(fault, &source, Look::Colour))));
        return Err(Trouble::not_valid(format!("the inputs in {} are not valid; nothing was started", path.display()))
            .next(format!("runbook explain {}", first.code.as_str())));
    }
    match value {
        Some(Value::Map(map)) => Ok(map),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(other) => Err(Trouble::not_valid(format!("{} holds a {}, not a map of inputs", path.display(), other.type_name()))
            .next("write one `name: value` a line")),
    }
}
