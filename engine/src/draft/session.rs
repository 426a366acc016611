//! Commands that somebody typed → the steps of a procedure. What only moves about or looks around is left out, and said; a folder
//! and variables that the shell kept from command to command are given to the steps behind them.

use std::collections::BTreeMap;

use runbook_core::limits;

use super::history::Commands;
use super::interactive::{needs_terminal, seems_to_look, title};
use super::names::Names;
use super::secrets::{self, Of, is_secret_name};
use super::{Procedure, Step, Work, recall, script};

/// Commands that leave nothing behind, and that nobody would write into a procedure.
const ASIDE: &[&str] = &[
    "ls",
    "ll",
    "la",
    "l",
    "pwd",
    "clear",
    "reset",
    "history",
    "fc",
    "exit",
    "logout",
    "man",
    "help",
    "type",
    "which",
    "alias",
    "unalias",
    "bg",
    "fg",
    "jobs",
    "top",
    "htop",
    "less",
    "more",
    "runbook",
    "tree",
    "fish_config",
    "popd",
    "dirs",
];

pub(super) fn procedure(history: &Commands, names: &mut Names) -> Procedure {
    let mut session = Session {
        names,
        folder: Folder::Start,
        steps: Vec::new(),
        aside: Vec::new(),
        said: Vec::new(),
        notes: Vec::new(),
        env: BTreeMap::new(),
        last: String::new(),
        before: None,
    };
    // First of all every secret: what is one in one command is one in all.
    for command in &history.commands {
        script::shown(command, Of::Command, session.names);
    }
    for command in &history.commands {
        session.command(command);
    }
    session.told_aside();
    let mut remarks: Vec<String> = std::mem::take(&mut session.said);
    remarks.extend(history.left_out.clone());
    let env = std::mem::take(&mut session.env).into_iter().collect();
    let description = format!("{} of the {} commands in the history of a shell.", history.commands.len(), history.of);
    Procedure { title: None, description: vec![description], remarks, steps: session.steps, env, bash: true }
}

enum Folder {
    /// Where the shell began, which nobody knows.
    Start,
    At(String),
    /// Somewhere that cannot be told from the commands.
    Somewhere,
}

struct Session<'n> {
    names: &'n mut Names,
    folder: Folder,
    steps: Vec<Step>,
    /// Commands left out since the last step.
    aside: Vec<String>,
    /// Remarks for the next step.
    said: Vec<String>,
    /// What was typed as a comment.
    notes: Vec<String>,
    env: BTreeMap<String, String>,
    /// The command of the last step: what was typed again at once, because it failed or to look again, is one step.
    last: String,
    /// The command before, whatever became of it.
    before: Option<String>,
}

/// A line that is no longer than anybody reads in a remark.
fn cut(line: &str) -> String {
    match line.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}

impl Session<'_> {
    fn command(&mut self, command: &str) {
        let before = self.before.replace(command.to_owned());
        if recall::refers_back(command, recall::By::Keyboard) {
            return self.refers(command, before.as_deref());
        }
        if let Some(note) = command.strip_prefix('#').filter(|note| !note.contains('\n')) {
            let note = script::shown(note.trim_start_matches('#').trim(), Of::Command, self.names);
            self.notes.extend((!note.is_empty()).then_some(note));
            return;
        }
        let simple = !command.contains(['|', ';', '&', '>', '<', '\n', '`']) && !command.contains("$(");
        let words: Vec<&str> = command.split_whitespace().collect();
        let (program, rest) = words.split_first().map_or(("", &[][..]), |(program, rest)| (*program, rest));
        match program {
            "cd" | "pushd" if simple => self.moves(rest, command),
            _ if simple && ASIDE.contains(&program) => self.leave_out(command),
            "history" if !command.contains(['>', '\n']) => self.leave_out(command),
            "export" | "declare" | "typeset" if simple => self.sets(command),
            "set" if simple && rest.iter().any(|word| word.starts_with('-') && word.contains('x')) => self.fish_sets(rest, command),
            _ if simple && rest.is_empty() && is_assignment(program) => self.sets(command),
            "unset" | "source" | "." | "set" | "shopt" | "setopt" | "umask" | "ulimit" | "eval" if simple => {
                let shown = self.short(command);
                self.said.push(format!(
                    "left out: `{shown}`; it changes the shell it is typed into, and each step has a shell of its own"
                ));
            }
            _ => self.step(command),
        }
    }

    fn refers(&mut self, command: &str, before: Option<&str>) {
        let whole = script::shown(command, Of::Command, self.names);
        let before = before.map(|before| self.short(before));
        let mut lines = whole.lines().filter(|line| !line.trim().is_empty()).map(cut);
        self.said.push(recall::left_out(&lines.next().unwrap_or_default(), before.as_deref()));
        self.said.extend(lines.map(|line| format!("left out with it: `{line}`")));
    }

    fn leave_out(&mut self, command: &str) {
        let shown = self.short(command);
        if !self.aside.contains(&shown) {
            self.aside.push(shown);
        }
    }

    /// One line of a command, for a remark.
    fn short(&mut self, command: &str) -> String {
        let shown = script::shown(command, Of::Command, self.names);
        cut(shown.lines().next().unwrap_or_default())
    }

    fn told_aside(&mut self) {
        if self.aside.is_empty() {
            return;
        }
        let more = self.aside.len().saturating_sub(limits::DRAFT_NAMED);
        let named: Vec<String> = self.aside.drain(..).take(limits::DRAFT_NAMED).map(|command| format!("`{command}`")).collect();
        let more = if more > 0 { format!(" and {more} more like these") } else { String::new() };
        self.said.push(format!("left out, as it changes nothing: {}{more}", named.join(", ")));
    }

    /// `cd`: the steps behind it work there.
    fn moves(&mut self, words: &[&str], command: &str) {
        let to = words.first().map(|word| word.trim_matches(['"', '\'']).trim_end_matches('/')).unwrap_or("~");
        let is_shown = script::shown(to, Of::Command, self.names) == to;
        let plain = is_shown && !to.starts_with(['~', '-', '$']) && !to.contains(['$', '*', '\\', '{']) && words.len() < 2;
        self.folder = match (&self.folder, to) {
            _ if plain && words.first().is_some_and(|word| word.trim_matches(['"', '\'']).starts_with('/')) => {
                Folder::At(if to.is_empty() { "/".to_owned() } else { normal(to) })
            }
            (Folder::At(folder), to) if plain => Folder::At(normal(&format!("{folder}/{to}"))),
            _ => Folder::Somewhere,
        };
        if matches!(self.folder, Folder::Somewhere) {
            let shown = self.short(command);
            self.said.push(format!("left out: `{shown}`; say with `dir` where the steps below work"));
        }
    }

    /// `export NAME=value`: every step has it, as every command behind it had.
    fn sets(&mut self, command: &str) {
        let mut some = false;
        for (name, value) in secrets::words(command).into_iter().filter_map(|word| script::assignments(command.get(word)?).pop()) {
            self.set(&name, value);
            some = true;
        }
        if !some {
            let shown = self.short(command);
            self.said.push(format!("left out: `{shown}`"));
        }
    }

    fn fish_sets(&mut self, words: &[&str], command: &str) {
        let mut plain = words.iter().skip_while(|word| word.starts_with('-'));
        match (plain.next(), plain.next(), plain.next()) {
            (Some(name), Some(value), None) => self.set(name, Some(value.trim_matches(['"', '\'']).to_owned())),
            _ => {
                let shown = self.short(command);
                self.said.push(format!("left out: `{shown}`"));
            }
        }
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        let hides = |value: &str| !secrets::find(value, Of::Command).is_empty();
        match value {
            _ if name.len() > limits::ID_BYTES => {
                self.said.push("left out: a variable whose name is too long".to_owned());
            }
            Some(value) if !is_secret_name(name) && !hides(&value) && script::shown(&value, Of::Command, self.names) == value => {
                self.env.insert(name.to_owned(), text_expression(&value));
            }
            None if !is_secret_name(name) => {
                self.said.push(format!("left out: what `{name}` was set to was computed; have a step give it in `outputs`, and the steps that need it take it by `env`"));
            }
            _ => {
                let secret = self.names.secret_in(name);
                self.env.insert(name.to_owned(), secret);
            }
        }
    }

    fn step(&mut self, command: &str) {
        if self.last == command {
            return;
        }
        command.clone_into(&mut self.last);
        self.told_aside();
        let known: Vec<String> = self.env.keys().cloned().collect();
        let shown = script::shown(command, Of::Command, self.names);
        let id = self.names.id(&title(&shown), "run");
        let made = match needs_terminal(command) {
            Some(program) => Err(format!("`{program}` waits for a keyboard, and the history does not say what was typed there")),
            None => script::run(command, self.names, &|_| None).map_err(str::to_owned),
        };
        let mut step = match made {
            Ok(mut run) => {
                run.env.retain(|(variable, _)| !known.contains(variable));
                run.dir = match &self.folder {
                    Folder::At(folder) => Some(folder.clone()),
                    _ => None,
                };
                let mut step = Step::new(id, Work::Run(run));
                if seems_to_look(command) {
                    step.remarks.push("confirm: it seems only to look; if so, `effect: read`".to_owned());
                }
                step
            }
            Err(reason) => {
                let text = match &self.folder {
                    Folder::At(folder) => format!("cd {folder}\n{shown}"),
                    _ => shown,
                };
                let mut step = Step::new(id, Work::Manual(text));
                step.remarks.push(format!("by hand, because {reason}"));
                step
            }
        };
        step.remarks.splice(..0, self.said.drain(..));
        step.why = std::mem::take(&mut self.notes);
        self.steps.push(step);
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
}

/// A text as an expression.
pub(super) fn text_expression(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
