//! What goes into a compound command, a subshell, a function, a file or `<( … )`, and what comes out: a value goes with it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::interpreters::Reads;
use super::command::Command;
use super::{Close, Frame, Lexer, innermost};

/// How many compound commands and subshells are followed inside one another.
const DEPTH: usize = 100;

/// What is known of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    /// A value that is in it.
    pub value: Option<usize>,
    /// A value that decides what is in it: one of a command of which it is not known what it writes.
    pub from: Option<usize>,
    /// The here-documents in it, by their place among those whose bodies are still to come.
    pub documents: Vec<usize>,
}

impl Flow {
    pub fn join(&mut self, other: &Flow) {
        self.value = self.value.or(other.value);
        self.from = self.from.or(other.from);
        if other.documents.is_empty() || self.documents == other.documents {
            return;
        }
        for document in &other.documents {
            if !self.documents.contains(document) {
                self.documents.push(*document);
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.any().is_none() && self.documents.is_empty()
    }

    /// A value in it, or one that decides what is.
    pub fn any(&self) -> Option<usize> {
        self.value.or(self.from)
    }

    /// The bodies of all here-documents have been read; each may have a value in it.
    fn settle(&mut self, holes: &[Option<usize>]) {
        let value = self.documents.drain(..).find_map(|place| holes.get(place).copied().flatten());
        self.value = self.value.or(value);
    }
}

/// What a script says of its own functions, files and variables. Functions and variables are known in all of it, so a script that
/// has them is read until nothing more is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub functions: BTreeMap<String, Function>,
    /// Variables whose values are evaluated.
    pub evaluated: BTreeSet<String>,
    /// What was written to files.
    files: BTreeMap<String, Flow>,
    /// The functions and files among these that have here-documents whose bodies are still to come.
    unsettled: BTreeSet<(Sort, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Function,
    File,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Function {
    pub reads: Reads,
    pub output: Flow,
}

impl Known {
    /// What a file of this name holds.
    pub fn read(&self, file: &str) -> Flow {
        self.files.get(file.trim_start_matches("./")).cloned().unwrap_or_default()
    }

    pub fn write(&mut self, file: String, output: &Flow) {
        if output.is_empty() {
            return;
        }
        let file = file.trim_start_matches("./").to_owned();
        if !output.documents.is_empty() {
            self.unsettled.insert((Sort::File, file.clone()));
        }
        self.files.entry(file).or_default().join(output);
    }

    /// Files are known only behind the place where they are written.
    pub fn forget_files(&mut self) {
        self.files.clear();
    }

    /// A function that reads nothing as code and writes nothing of interest is as good as unknown.
    fn define(&mut self, name: String, scope: &Scope) {
        if scope.reads == Reads::Data && scope.output.is_empty() {
            return;
        }
        if !scope.output.documents.is_empty() {
            self.unsettled.insert((Sort::Function, name.clone()));
        }
        let function = self.functions.entry(name).or_default();
        function.reads = function.reads.max(scope.reads);
        function.output.join(&scope.output);
    }

    fn settle(&mut self, holes: &[Option<usize>]) {
        for (sort, name) in std::mem::take(&mut self.unsettled) {
            match sort {
                Sort::File => self.files.get_mut(&name).into_iter().for_each(|flow| flow.settle(holes)),
                Sort::Function => {
                    self.functions.get_mut(&name).into_iter().for_each(|function| function.output.settle(holes));
                    if self.functions.get(&name) == Some(&Function::default()) {
                        self.functions.remove(&name);
                    }
                }
            }
        }
    }
}

/// A compound command or a subshell that is open.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// How many frames and compound commands are open while it is.
    frames: usize,
    compounds: usize,
    /// The sign of `<( … )` or `>( … )`.
    process: Option<char>,
    /// The name of the function whose body it is.
    function: Option<String>,
    /// What stands on its standard input, for each command in it, and what they write.
    pub input: Flow,
    pub output: Flow,
    /// As what a command in it reads the standard input, and as what that is read which they write.
    pub reads: Reads,
    pub sink: Reads,
}

impl Lexer<'_> {
    /// Ends the word before a redirection; the number of a descriptor is none. Gives whether the standard input is meant.
    pub(super) fn end_descriptor(&mut self) -> Result<bool, super::ParseError> {
        let before = self.source.get(..self.at).unwrap_or_default();
        let numbers = |word: &String| {
            let name = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
            let name = name.map(|name| name.split_once('[').filter(|_| name.ends_with(']')).map_or(name, |(name, _)| name));
            let descriptor = name
                .unwrap_or(word)
                .chars()
                .all(|c| c.is_ascii_digit() || (name.is_some() && (c.is_ascii_alphanumeric() || c == '_')));
            descriptor && !word.is_empty() && before.ends_with(word.as_str())
        };
        let Some(command) = innermost(&mut self.frames) else { return Ok(true) };
        let mut standard = true;
        if command.target.is_none() && command.holes.is_empty() && command.word.as_ref().is_some_and(numbers) {
            standard = command.word.take().is_some_and(|word| word == "0");
        }
        self.end_word()?;
        Ok(standard)
    }

    /// `<( … )` and `>( … )`: a word that names a stream. What is written inside, or to it, is read behind the other end.
    pub(super) fn process(&mut self, sign: char) {
        self.at += 2;
        if let Some(command) = self.command() {
            command.word.get_or_insert_default().push_str("/dev/stdin");
        }
        self.frames.push(Frame::Commands { command: Box::default(), close: Close::Process });
        let inside = self.frames.len();
        self.enter(inside);
        if let Some(scope) = self.scopes.last_mut() {
            (scope.process, scope.function) = (Some(sign), None);
        }
    }

    /// A subshell or a compound command begins: what was fed to the command in the outermost `frames` is fed to all in it.
    pub(super) fn enter(&mut self, frames: usize) {
        let outside = self.frames.get_mut(..frames).and_then(innermost);
        let input = outside.map(|command| std::mem::take(&mut command.input)).unwrap_or_default();
        let (frames, compounds) = (self.frames.len(), self.open.depth());
        let function = self.defined.take();
        if self.scopes.len() >= DEPTH {
            self.deep = Some("the commands of this script stand too deeply inside one another to be followed");
            return;
        }
        self.scopes.push(Scope { frames, compounds, function, input, ..Scope::default() });
    }

    /// Ends the scopes that are no longer open. What they write goes to what stands behind a pipe, and what they read as code is
    /// what a redirection behind them gives.
    pub(super) fn leave(&mut self) {
        let (frames, compounds) = (self.frames.len(), self.open.depth());
        while let Some(mut scope) = self.scopes.pop_if(|scope| scope.frames > frames || scope.compounds > compounds) {
            let Some(command) = innermost(&mut self.frames) else { continue };
            scope.output.join(&scope.input);
            match scope.process {
                Some('<') => command.input.join(&scope.output),
                Some(_) => command.sink = command.sink.max(scope.reads),
                None => {
                    command.reads = command.reads.max(scope.reads);
                    match scope.function.take() {
                        Some(name) => self.known.define(name, &scope),
                        None => command.output.join(&scope.output),
                    }
                }
            }
        }
    }

    /// `exec` with redirections alone.
    pub(super) fn redirect_all(&mut self, command: &Command) {
        match self.scopes.first_mut().filter(|scope| scope.frames == 0) {
            Some(all) => {
                all.input.join(&command.input);
                all.sink = all.sink.max(command.sink);
            }
            None => self.scopes.insert(0, Scope { input: command.input.clone(), sink: command.sink, ..Scope::default() }),
        }
    }

    /// The bodies of the here-documents have been read.
    pub(super) fn settle(&mut self, holes: &[Option<usize>]) {
        self.known.settle(holes);
        for scope in &mut self.scopes {
            scope.input.settle(holes);
            scope.output.settle(holes);
        }
        for frame in &mut self.frames {
            if let Frame::Commands { command, .. } = frame {
                command.input.settle(holes);
                command.output.settle(holes);
            }
        }
    }

    /// How many of `$( … )`, `<( … )` and `>( … )` are open.
    pub(super) fn substitutions(&self) -> usize {
        let substitution = |frame: &&Frame| matches!(frame, Frame::Commands { close: Close::Substitution | Close::Process, .. });
        self.frames.iter().filter(substitution).count()
    }

    pub(super) fn is_substituted(&self) -> bool {
        !self.substituted.is_empty()
            || self.frames.iter().any(|frame| matches!(frame, Frame::Commands { close: Close::Process, .. }))
    }

    /// A here-document that began inside cannot be followed past the end of a substitution.
    pub(super) fn leave_substitution(&mut self) {
        if self.documents.is_empty() {
            return;
        }
        let open = self.substitutions();
        if self.documents.iter().any(|document| document.substitutions > open) {
            self.lost = Some("a here-document that begins inside `$(…)` before this place goes on behind it");
        }
    }
}
