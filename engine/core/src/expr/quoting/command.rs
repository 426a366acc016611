//! One command: its words, as far as they are literal, what stands on its standard input, and what it writes. It is judged as a
//! whole where it ends, and once more where a compound command or a function hands something on.

use super::super::commands::{
    ARITHMETIC_TEST, HEAD, HOLE, RESERVED, Said, assigned, assignment, command_place, element, is_code_variable, is_name, program,
    second_reading,
};
use super::super::interpreters::{OPTION, Reads, code_with_values, reads_input_as};
use super::scopes::Flow;
use super::{Close, Frame, Lexer, ParseError, Step, innermost, refuse, reworded};

/// The words of the command that is being read, as far as they are literal; a `{{…}}` is [`HOLE`] in them.
#[derive(Debug, Default)]
pub(super) struct Command {
    pub words: Vec<String>,
    said: Said,
    pub word: Option<String>,
    /// Whether one of the words is `]]`.
    pub closed: bool,
    /// Holes of the word.
    pub holes: Vec<usize>,
    /// Holes of the words before it, each with the place of its word.
    pub earlier: Vec<(usize, usize)>,
    /// The word is the target of a redirection, and no word of the command.
    pub target: Option<Target>,
    /// What stands on the standard input, and what a compound command that ended writes.
    pub input: Flow,
    pub output: Flow,
    /// Whether a redirection of its own says what the standard input is.
    pub given: bool,
    /// As what a compound command that ended reads its input, and `>( … )` what is written to it.
    pub reads: Reads,
    pub sink: Reads,
    /// Files that it writes.
    pub files: Vec<String>,
    /// How many words stand before `&>`, behind which a plain `sh` begins another command.
    pub background: Option<usize>,
    /// `&&`, `||` and the like inside `[[` stand last: a plain `sh` begins a command there.
    pub operator: bool,
    /// The word is `$( … )` alone, without quotes.
    pub bare: bool,
    /// An expansion that may leave no word stands before the first one.
    pub begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// What `<<<` gives to the command.
    HereString,
    Input,
    Output,
}

pub(super) const INPUT: &str = "an interpreter reads this as code from its standard input, or from a file";

const DECIDED: &str = "an interpreter reads as code from its standard input what this value decides";

const EVALUATED: &str = "the shell evaluates the value of this variable, and that can run commands";

const BACKGROUND: &str = "behind `&>` a plain `sh` begins another command; put `&>` behind all other words, or";

/// Variables that the shell sets by itself have no say in which words there are.
const SHELLS: [&str; 3] = ["$SHELL", "$BASH", "$0"];

impl Command {
    fn push(&mut self, word: String) {
        self.said.note(self.words.len(), &word);
        self.words.push(word);
    }

    /// Whether it is a `[[`.
    pub fn is_test(&self) -> bool {
        let head = self.words.get(..HEAD).unwrap_or(&self.words);
        let test = |word: &String| word == "[[";
        head.iter().any(test) && command_place(head).and_then(|place| head.get(place)).is_some_and(test)
    }

    /// The first value among its words.
    pub fn value(&self) -> Option<usize> {
        self.earlier.first().map(|(_, hole)| *hole)
    }

    /// Whether nothing of it has been read but what a pipe brings.
    fn is_blank(&self) -> bool {
        self.words.is_empty()
            && self.earlier.is_empty()
            && self.output.is_empty()
            && (self.reads, self.sink) == (Reads::Data, Reads::Data)
    }

    /// Whether it is `exec` with redirections alone, which are for all that follows.
    fn redirects_all(&self) -> bool {
        self.words.first().is_some_and(|word| word == "exec") && command_place(&self.words).is_none()
    }

    /// The names that it makes integers, or names of other variables.
    fn evaluated(&self) -> impl Iterator<Item = &str> {
        let declares = |word: &String| ["declare", "typeset", "local", "readonly"].contains(&word.as_str());
        // To look for the command takes longer.
        let place = self.words.iter().any(declares).then(|| command_place(&self.words)).flatten().unwrap_or(self.words.len());
        let declares = self.words.get(place).is_some_and(declares);
        let behind = self.words.get(place..).unwrap_or_default();
        let evaluates = behind.iter().any(|word| word.strip_prefix('-').is_some_and(|option| option.contains(['i', 'n'])));
        let names = behind.iter().skip(1).filter(move |_| declares && evaluates);
        names.map(|word| assignment(word).map_or(word.as_str(), |(name, _)| name)).filter(|name| is_name(name))
    }
}

/// Whether a word that is written without quotes may leave no word at all.
fn may_vanish(word: &str) -> bool {
    let inside = word.strip_prefix('$').filter(|_| !SHELLS.contains(&word)).unwrap_or_default();
    is_name(inside) || ["@", "*"].contains(&inside) || (inside.starts_with('{') && inside.find('}') == Some(inside.len() - 1))
}

impl Lexer<'_> {
    fn innermost_close(&self) -> Close {
        match self.frames.last() {
            Some(Frame::Commands { close, .. }) => *close,
            _ => Close::End,
        }
    }

    pub(super) fn end_word(&mut self) -> Step {
        let close = self.innermost_close();
        let substituted = self.is_substituted();
        let frames = self.frames.len();
        let Some(command) = innermost(&mut self.frames) else { return Ok(()) };
        let Some(word) = command.word.take() else { return Ok(()) };
        let holes = std::mem::take(&mut command.holes);
        let bare = std::mem::take(&mut command.bare);
        if let Some(target) = command.target.take() {
            match target {
                Target::HereString => command.input.value = command.input.value.or(holes.first().copied()),
                Target::Input => {
                    command.input.from = command.input.from.or(holes.first().copied());
                    command.input.join(&self.known.read(&word));
                }
                Target::Output => command.files.push(word),
            }
            return Ok(());
        }
        // What is quoted is no word of the shell.
        let before = self.source.get(..self.at).and_then(|before| before.strip_suffix(word.as_str()));
        let plain = close != Close::Array && before.is_some_and(|before| !before.ends_with('\\'));
        // The body of `for x do …`, `for ((…)) {…`.
        let words: Vec<&str> = command.words.iter().take(3).map(String::as_str).collect();
        let header = matches!(words.as_slice(), ["for"] | ["for" | "select", _]);
        if header && plain && ["do", "{"].contains(&word.as_str()) {
            command.words.clear();
            command.said = Said::default();
            command.closed = false;
            command.earlier.clear();
        }
        if let Some(hole) = holes.first() {
            if command.operator {
                return refuse("a plain `sh` begins a command here; give this test a `[[ … ]]` of its own, or", *hole)
                    .map_err(|error| reworded(error, ""));
            }
            if let Some(why) = second_reading(&command.words, &command.said, &word, close == Close::Array) {
                return refuse(why, *hole);
            }
            let evaluated = |name: &str| self.known.evaluated.contains(name);
            let looped = command.words.get(1).filter(|_| command.words.first().is_some_and(|word| word == "for"));
            if assignment(&word).is_some_and(|(name, _)| evaluated(name))
                || looped.is_some_and(|name| evaluated(name) || is_code_variable(name))
            {
                return refuse(EVALUATED, *hole);
            }
        }
        command.operator &= word == "!";
        if command.words.is_empty() && close != Close::Array && holes.is_empty() {
            if (bare && word == "$()") || (plain && may_vanish(&word)) {
                command.begun = true;
                return Ok(());
            }
            match element(&word) {
                Some(true) => return Ok(()),
                Some(false) => {
                    self.lost = Some("an index of an array with a space in it stands before this place");
                    return Ok(());
                }
                None => {}
            }
        }
        let mut opens = false;
        if plain && !command.begun {
            let depth = self.open.depth();
            self.open.word(&command.words, &word, frames);
            opens = self.open.depth() > depth;
        }
        let Some(command) = innermost(&mut self.frames) else { return Ok(()) };
        let place = command.words.len();
        command.earlier.extend(holes.into_iter().map(|hole| (place, hole)));
        if ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v"].contains(&word.as_str()) && close != Close::Array && command.is_test() {
            if let Some(hole) = command.value() {
                return refuse("`[[` evaluates what its arithmetic tests compare, and that can run commands; use `[`, or", hole)
                    .map_err(|error| reworded(error, "; use `[ … ]` for it"));
            }
            command.push(ARITHMETIC_TEST.to_owned());
        }
        let case = word == "case" && command.words.is_empty();
        if opens && command.words.first().is_some_and(|word| word == "function") {
            self.defined = command.words.get(1).cloned();
        }
        if !command.words.is_empty() || !(RESERVED.contains(&word.as_str()) || assigned(&word).is_some()) {
            command.closed |= word == "]]";
            command.push(word);
            // The words at the end may still turn out to stand before the command.
            if command.words.len() == HEAD && close != Close::Array {
                let named = command_place(&command.words).is_some_and(|place| place + 3 < HEAD);
                self.deep = self.deep.or((!named).then_some("too many words stand before the name of a command in this script"));
            }
        }
        if case && substituted {
            self.lost = Some("a `case` inside `$(…)` stands before this place");
        }
        if opens {
            self.enter(frames);
        }
        self.leave();
        Ok(())
    }

    /// Ends the command and judges it as a whole. Gives what a pipe takes to the next one; nothing where there is no command.
    pub(super) fn end_command(&mut self) -> Result<Option<Command>, ParseError> {
        self.end_word()?;
        if self.innermost_close() == Close::Array {
            return Ok(None);
        }
        // A pipe goes on in the next line.
        let Some(mut command) = self.command().filter(|command| !command.is_blank()).map(std::mem::take) else { return Ok(None) };
        self.known.evaluated.extend(command.evaluated().map(str::to_owned));
        for scope in &self.scopes {
            command.input.join(&scope.input);
            command.sink = command.sink.max(scope.sink);
        }
        // A file that a command wrote is what it wrote.
        let mut words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        for word in &mut words {
            let read = self.known.read(word);
            if !read.is_empty() {
                command.input.join(&read);
                *word = "/dev/stdin";
            }
        }
        let place = command_place(&words);
        if command.value().is_some() {
            for (place, why) in code_with_values(&words, &|word| word.contains(HOLE)) {
                let hole = command.earlier.iter().find(|(word, _)| *word == place).map_or(0, |(_, hole)| *hole);
                if why != OPTION {
                    return refuse(why, hole);
                }
                self.options.push(hole);
            }
        }
        let name = place.and_then(|place| words.get(place)).copied().unwrap_or_default();
        let function = self.known.functions.get(name);
        let starts_a_file = if name == "/dev/stdin" { Reads::Program } else { Reads::Data };
        let reads =
            command.reads.max(reads_input_as(&words)).max(starts_a_file).max(function.map_or(Reads::Data, |known| known.reads));
        let mut output = std::mem::take(&mut command.output);
        output.join(&command.input);
        if let Some(function) = function {
            output.join(&function.output);
            // A value that it writes is part of the word around a `$(…)`.
            if let Some((_, written)) = self.substituted.last_mut() {
                *written = written.or(function.output.any());
            }
        }
        let prints = place.is_some() && WRITERS.contains(&program(name));
        match prints {
            true => output.value = output.value.or(command.value()),
            false => output.from = output.from.or(command.value()),
        }
        // Behind `&>` another command stands, for a plain `sh`.
        if command.background.is_some_and(|place| place < words.len())
            && let Some(hole) = command.input.any().or(command.value())
        {
            return refuse(BACKGROUND, hole).map_err(|error| reworded(error, ""));
        }
        if reads > Reads::Data {
            self.judge(reads, &command.input)?;
            if words.first() == Some(&"coproc") {
                self.lost = Some("a `coproc` that reads its input as code stands before this place");
            }
        }
        self.judge(command.sink, &output)?;
        let tee = if program(name) == "tee" { words.as_slice() } else { &[] };
        let files = command.files.iter().map(String::as_str).chain(tee.iter().skip(1).copied());
        let files: Vec<String> = files.filter(|file| is_kept(file)).map(str::to_owned).collect();
        files.into_iter().for_each(|file| self.known.write(file, &output));
        for scope in &mut self.scopes {
            if !command.given {
                scope.reads = scope.reads.max(reads);
            }
            scope.output.join(&output);
        }
        if command.redirects_all() {
            self.redirect_all(&command);
        }
        Ok(Some(Command { input: output, given: command.given, ..Command::default() }))
    }

    /// Refuses a value in a stream that is read as code.
    fn judge(&mut self, reads: Reads, stream: &Flow) -> Step {
        if reads == Reads::Data {
            return Ok(());
        }
        if let Some(hole) = stream.value {
            return refuse(INPUT, hole);
        }
        // A client is given the statements of a program that was told which ones: `pg_dump {{db}} | psql`.
        if let Some(hole) = stream.from.filter(|_| reads == Reads::Program) {
            return refuse(DECIDED, hole);
        }
        for place in &stream.documents {
            if let Some(document) = self.documents.get_mut(*place) {
                document.code = true;
            }
        }
        Ok(())
    }
}

/// Commands that write the words that they are given.
const WRITERS: [&str; 10] = ["echo", "printf", "print", "yes", "date", "basename", "dirname", "expr", "seq", "jq"];

/// Whether what is written to a file can be read from it again.
fn is_kept(file: &str) -> bool {
    !file.starts_with("/dev/") && !file.contains("$()") && !file.starts_with(['-', '&']) && file.parse::<u32>().is_err()
}
