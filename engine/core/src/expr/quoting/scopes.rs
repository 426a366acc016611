//! What is fed into a compound command, a subshell or `<( … )`, and what is written there: a value goes in and out with it.

use super::{Close, Command, Frame, Lexer, Step, innermost};

/// A compound command or a subshell that is open.
pub(super) struct Scope {
    /// How many frames and compound commands are open while it is.
    pub frames: usize,
    pub compounds: usize,
    /// What stands on its standard input, for each command in it.
    pub fed: Option<usize>,
    pub documents: Vec<usize>,
    /// A hole that a command in it writes.
    pub printed: Option<usize>,
}

impl Lexer<'_> {
    /// Ends the word before a redirection; the number of a descriptor is none.
    pub(super) fn end_descriptor(&mut self) -> Step {
        let before = self.source.get(..self.at).unwrap_or_default();
        let numbers = |word: &String| {
            let name = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
            let descriptor = name
                .unwrap_or(word)
                .chars()
                .all(|c| c.is_ascii_digit() || (name.is_some() && (c.is_ascii_alphanumeric() || c == '_')));
            descriptor && !word.is_empty() && before.ends_with(word.as_str())
        };
        let Some(command) = innermost(&mut self.frames) else { return Ok(()) };
        if command.target.is_none() && command.holes.is_empty() && command.word.as_ref().is_some_and(numbers) {
            command.word = None;
        }
        self.end_word()
    }

    /// `<( … )` and `>( … )`: a word that names a stream. What is written inside, or to it, is read behind the other end.
    pub(super) fn process(&mut self, sign: char) {
        self.at += 2;
        let mut inside = Command::default();
        if let Some(command) = self.command() {
            command.word.get_or_insert_default().push_str("/dev/stdin");
            if sign == '>' {
                inside.fed = command.fed.or(command.earlier.first().map(|(_, hole)| *hole));
                inside.documents.clone_from(&command.documents);
            }
        }
        self.frames.push(Frame::Commands { command: inside, close: Close::Process });
        let inside = self.frames.len();
        self.enter(inside);
    }

    /// A subshell or a compound command begins: what was fed to the command in the outermost `frames` is fed to all in it.
    pub(super) fn enter(&mut self, frames: usize) {
        let input = self.frames.get_mut(..frames).and_then(innermost);
        let (fed, documents) =
            input.map(|command| (command.fed.take(), std::mem::take(&mut command.documents))).unwrap_or_default();
        let (frames, compounds) = (self.frames.len(), self.open.depth());
        self.scopes.push(Scope { frames, compounds, fed, documents, printed: None });
    }

    /// Ends the scopes that are no longer open. What they write goes to what stands behind a pipe.
    pub(super) fn leave(&mut self) {
        let (frames, compounds) = (self.frames.len(), self.open.depth());
        while let Some(scope) = self.scopes.pop_if(|scope| scope.frames > frames || scope.compounds > compounds) {
            if let Some(command) = innermost(&mut self.frames) {
                command.fed = command.fed.or(scope.printed).or(scope.fed);
                command.documents.extend(scope.documents);
            }
        }
    }
}
