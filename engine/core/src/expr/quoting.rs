//! Follows the quotes of a POSIX or bash script as far as it takes to say, for each `{{…}}`, how its variable is written so that
//! the value is one piece of data there. Where that cannot be said with certainty the place is refused: refusing too much
//! costs a line of `env:`, accepting too much costs a shell.
//!
//! Deliberately not a parser of shell: it knows words and commands only well enough to see where data would be read as code
//! a second time (`eval`, `sh -c`, `let`, array subscripts, a remote shell, what is piped into an interpreter).

mod documents;
mod scopes;
mod whole;

use std::ops::Range;

use documents::Document;
use scopes::Scope;
use whole::Open;

use super::ParseError;
use super::commands::{ARITHMETIC_TEST, RESERVED, assigned, command_place, program, second_reading};
use super::interpreters::{code_with_values, reads_input_as_code};

pub use whole::{is_whole, whole_lines};

/// How a variable is written at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `"${RB_1}"`
    Unquoted,
    /// `${RB_1}`: inside double quotes or a here-document, where nothing is split.
    Double,
    /// `'"${RB_1}"'`
    Single,
    /// As it is: in a comment there is nothing to expand.
    Comment,
}

/// The place of every span, in order.
pub(super) fn places(source: &str, spans: &[Range<usize>]) -> Result<Vec<Place>, ParseError> {
    let mut lexer = Lexer::new(source, spans);
    while lexer.at < source.len() {
        lexer.next()?;
    }
    lexer.end_command()?;
    Ok(lexer.places)
}

#[derive(Debug)]
enum Frame {
    /// Where commands stand: the script, `( … )`, `$( … )`.
    Commands {
        command: Command,
        close: Close,
    },
    Double,
    /// `${ … }`; `quoted` where it stands inside double quotes.
    Parameter {
        quoted: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    /// The end of the script.
    End,
    /// `)` of a subshell or a pattern.
    Parenthesis,
    /// `)` of `$( … )`.
    Substitution,
    /// `)` of `<( … )` and `>( … )`.
    Process,
    /// `)` of `name=( … )`.
    Array,
}

/// The words of the command that is being read, as far as they are literal; a `{{…}}` is [`HOLE`] in them.
#[derive(Debug, Default)]
struct Command {
    words: Vec<String>,
    word: Option<String>,
    /// Holes of the word.
    holes: Vec<usize>,
    /// Holes of the words before it, each with the place of its word.
    earlier: Vec<(usize, usize)>,
    /// The word is the target of a redirection, and no word of the command.
    target: Option<Target>,
    /// A hole in what stands on the standard input.
    fed: Option<usize>,
    /// Here-documents on the standard input.
    documents: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// What `<<<` gives to the command.
    HereString,
    File,
}

const HOLE: char = '\u{FFFC}';

struct Lexer<'s> {
    source: &'s str,
    spans: &'s [Range<usize>],
    at: usize,
    places: Vec<Place>,
    frames: Vec<Frame>,
    /// Here-documents whose bodies start at the next line.
    documents: Vec<Document>,
    scopes: Vec<Scope>,
    /// Why the quoting cannot be followed from here on.
    lost: Option<&'static str>,
    open: Open,
}

type Step = Result<(), ParseError>;

const INPUT: &str = "an interpreter reads this as code from its standard input";

const WAY_OUT: &str = "; put the value under `env:` and use it as a quoted variable";

fn refuse<T>(why: &str, offset: usize) -> Result<T, ParseError> {
    Err(ParseError { message: format!("{why}{WAY_OUT}"), offset })
}

impl<'s> Lexer<'s> {
    fn new(source: &'s str, spans: &'s [Range<usize>]) -> Lexer<'s> {
        Lexer {
            source,
            spans,
            at: 0,
            places: Vec::new(),
            frames: vec![Frame::Commands { command: Command::default(), close: Close::End }],
            documents: Vec::new(),
            scopes: Vec::new(),
            lost: None,
            open: Open::default(),
        }
    }
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn starts(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    fn skip(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    /// The next mustache, if it starts here.
    fn hole(&self) -> Option<Range<usize>> {
        self.spans.get(self.places.len()).filter(|span| span.start == self.at).cloned()
    }

    /// Goes on by one piece at least.
    fn next(&mut self) -> Step {
        match self.frames.last() {
            Some(Frame::Double) => self.double(),
            Some(Frame::Parameter { quoted }) => {
                let quoted = *quoted;
                self.parameter(quoted)
            }
            _ => self.commands(),
        }
    }

    fn command(&mut self) -> Option<&mut Command> {
        innermost(&mut self.frames)
    }

    fn push_word(&mut self, c: char) {
        if let Some(command) = self.command() {
            command.word.get_or_insert_default().push(c);
        }
    }

    /// Takes the mustache that starts here into a word.
    fn take_hole(&mut self, span: &Range<usize>, place: Place) -> Step {
        if let Some(why) = self.lost {
            return refuse(why, span.start);
        }
        if self.frames.iter().any(|frame| matches!(frame, Frame::Parameter { .. })) {
            return refuse("inside `${…}` a value could be read as a pattern or an index", span.start);
        }
        let before = self.source.get(..span.start).unwrap_or_default();
        if place != Place::Single && before.ends_with('$') {
            return refuse("`$` directly before `{{` would make another variable of the value's name", span.start);
        }
        if place != Place::Single && before.ends_with('\\') {
            return refuse("a backslash directly before a value would change how it is quoted", span.start);
        }
        self.push_word(HOLE);
        if let Some(command) = self.command() {
            command.holes.push(span.start);
        }
        self.places.push(place);
        self.at = span.end;
        Ok(())
    }

    fn commands(&mut self) -> Step {
        if let Some(span) = self.hole() {
            return self.take_hole(&span, Place::Unquoted);
        }
        let Some(c) = self.peek() else { return Ok(()) };
        let in_word = self.command().is_some_and(|command| command.word.is_some());
        self.open.operator &= matches!(c, ' ' | '\t' | '\r' | '\n') || (c == '#' && !in_word);
        match c {
            '\\' => {
                self.skip(c);
                if let Some(next) = self.peek()
                    && self.hole().is_none()
                {
                    self.skip(next);
                    if next != '\n' {
                        self.push_word(next);
                    }
                    self.open.operator = next == '\n' && self.rest().is_empty();
                } else {
                    self.open.operator = true;
                }
            }
            '\'' => self.single()?,
            '"' => {
                self.skip(c);
                if let Some(command) = self.command() {
                    command.word.get_or_insert_default();
                }
                self.frames.push(Frame::Double);
            }
            '`' => self.backticks()?,
            '$' => self.dollar(false)?,
            '#' if !in_word => self.comment(),
            '\n' => {
                self.end_command()?;
                if self.open.in_brackets() {
                    self.lost = Some("a `[[` that goes on over lines stands before this place");
                }
                self.skip(c);
                self.documents()?;
                let goes_on = self.open.operator;
                if let Some(command) = self.command() {
                    command.documents.clear();
                    command.fed = command.fed.filter(|_| goes_on);
                }
            }
            ' ' | '\t' | '\r' => {
                self.end_word()?;
                self.skip(c);
            }
            '<' if self.starts("<<") && !self.starts("<<<") => self.document_start()?,
            '<' | '>' if self.rest().get(1..).is_some_and(|rest| rest.starts_with('(')) => self.process(c),
            '<' | '>' => {
                self.end_descriptor()?;
                let here_string = self.starts("<<<");
                if let Some(command) = self.command() {
                    command.target = Some(if here_string { Target::HereString } else { Target::File });
                }
                self.at += if here_string { 3 } else { 1 };
                if matches!(self.peek(), Some('&' | '>' | '|')) {
                    self.at += 1;
                }
            }
            '&' if self.starts("&>") => {
                self.end_word()?;
                if let Some(command) = self.command() {
                    command.target = Some(Target::File);
                }
                self.at += if self.starts("&>>") { 3 } else { 2 };
            }
            '&' | '|' | '(' | ')' if self.in_brackets() => {
                self.end_word()?;
                self.skip(c);
            }
            '|' if !self.starts("||") => {
                let fed = self.end_command()?;
                self.skip(c);
                self.open.operator = true;
                // Behind a `}` or `)` it is there already.
                if let (Some(fed), Some(next)) = (fed, self.command()) {
                    (next.fed, next.documents) = (fed.fed, fed.documents);
                }
            }
            ';' | '&' | '|' => {
                self.end_command()?;
                // The second sign of `|&` is a pipe still.
                let pipe = c == '&' && self.source.get(..self.at).is_some_and(|before| before.ends_with('|'));
                if let Some(command) = self.command().filter(|_| !pipe) {
                    (command.fed, command.documents) = (None, Vec::new());
                }
                // `||`, or the second sign of `&&` or `|&`.
                let before = self.source.get(..self.at).unwrap_or_default();
                self.open.operator = c == '|' || (c == '&' && before.ends_with(['&', '|']));
                // The second of `||`, which is no pipe.
                self.at += if self.starts("||") { 2 } else { 1 };
            }
            '(' => self.open()?,
            ')' => self.close()?,
            c => {
                self.skip(c);
                self.push_word(c);
            }
        }
        Ok(())
    }

    /// Whether this is between `[[` and `]]`, where `(`, `|` and `&` are part of the test.
    fn in_brackets(&mut self) -> bool {
        // A quoted `[[` is none.
        self.open.in_brackets()
            && self.command().is_some_and(|command| command.is_test() && !command.words.iter().any(|word| word == "]]"))
    }

    fn open(&mut self) -> Step {
        let word = self.command().and_then(|command| command.word.clone());
        let array = word.as_deref().is_some_and(|word| assigned(word).is_some_and(|value| value.is_empty()));
        if !array && self.starts("((") && word.is_none() {
            return self.arithmetic(2);
        }
        if !array {
            self.end_command()?;
        }
        self.skip('(');
        let close = if array { Close::Array } else { Close::Parenthesis };
        self.frames.push(Frame::Commands { command: Command::default(), close });
        if !array {
            let around = self.frames.len() - 1;
            self.enter(around);
        }
        Ok(())
    }

    fn close(&mut self) -> Step {
        let close = match self.frames.last() {
            Some(Frame::Commands { close, .. }) => *close,
            _ => Close::End,
        };
        // A `)` that nothing opened ends the pattern of a `case`.
        if close == Close::Array {
            self.end_word()?
        } else {
            self.end_command()?;
        }
        self.skip(')');
        if close != Close::End {
            self.frames.pop();
            // What `$( … )` writes is a word, which is data.
            self.leave();
        }
        // The `()` of a function.
        let is_value = matches!(close, Close::Array | Close::Substitution | Close::Process);
        self.open.operator = !is_value && self.source.get(..self.at).is_some_and(|before| before.ends_with("()"));
        Ok(())
    }

    fn single(&mut self) -> Step {
        self.skip('\'');
        if let Some(command) = self.command() {
            command.word.get_or_insert_default();
        }
        while let Some(c) = self.peek() {
            if let Some(span) = self.hole() {
                self.take_hole(&span, Place::Single)?;
                continue;
            }
            self.skip(c);
            if c == '\'' {
                return Ok(());
            }
            self.push_word(c);
        }
        self.open.quote = true;
        Ok(())
    }

    fn double(&mut self) -> Step {
        if let Some(span) = self.hole() {
            return self.take_hole(&span, Place::Double);
        }
        match self.peek() {
            Some('"') => {
                self.at += 1;
                self.frames.pop();
            }
            Some('\\') => {
                self.at += 1;
                if let Some(next) = self.peek()
                    && self.hole().is_none()
                {
                    self.skip(next);
                    self.push_word(next);
                }
            }
            Some('`') => self.backticks()?,
            Some('$') => self.dollar(true)?,
            Some(c) => {
                self.skip(c);
                self.push_word(c);
            }
            None => {}
        }
        Ok(())
    }

    fn parameter(&mut self, quoted: bool) -> Step {
        if let Some(span) = self.hole() {
            return self.take_hole(&span, Place::Double);
        }
        match self.peek() {
            Some('}') => {
                self.at += 1;
                self.frames.pop();
            }
            Some('\\') => {
                self.at += 1;
                if let Some(next) = self.peek() {
                    self.skip(next);
                }
            }
            Some('\'') if quoted => {
                self.lost = Some("a single quote inside `\"${…}\"` before this place means different things in different shells");
                self.at += 1;
            }
            Some('\'') => self.single()?,
            Some('"') => {
                self.at += 1;
                self.frames.push(Frame::Double);
            }
            Some('`') => self.backticks()?,
            Some('$') => self.dollar(quoted)?,
            Some(c) => self.skip(c),
            None => {}
        }
        Ok(())
    }

    /// `$( … )`, `$(( … ))`, `${ … }`, `$' … '`, or a plain variable.
    fn dollar(&mut self, quoted: bool) -> Step {
        if let Some(command) = self.command() {
            command.word.get_or_insert_default().push('$');
        }
        if self.starts("$((") {
            self.at += 1;
            return self.arithmetic(2);
        }
        if self.starts("$(") {
            self.at += 2;
            self.frames.push(Frame::Commands { command: Command::default(), close: Close::Substitution });
            return Ok(());
        }
        if self.starts("${{") && self.spans.get(self.places.len()).is_some_and(|span| span.start == self.at + 1) {
            return refuse("`$` directly before `{{` would make another variable of the value's name", self.at + 1);
        }
        if self.starts("${") {
            self.at += 2;
            // `${#name}` and `${name#…}` hold no comment.
            self.frames.push(Frame::Parameter { quoted });
            return Ok(());
        }
        if self.starts("$'") && !quoted {
            return self.escaped();
        }
        if self.starts("$[") {
            self.lost = Some("the old arithmetic `$[…]` stands before this place");
        }
        self.at += 1;
        Ok(())
    }

    /// `$'…'`, where backslashes mean something.
    fn escaped(&mut self) -> Step {
        let start = self.at;
        self.at += 2;
        self.open.quote = true;
        while let Some(c) = self.peek() {
            if self.hole().is_some() {
                return refuse("inside `$'…'` a value would be read for escapes", self.at);
            }
            self.skip(c);
            match c {
                '\'' => {
                    self.open.quote = false;
                    break;
                }
                '\\' => {
                    if let Some(next) = self.peek() {
                        self.skip(next);
                    }
                }
                _ => {}
            }
        }
        // A plain `sh` may read `$'` as a dollar and a quote, and end it elsewhere.
        if self.source.get(start..self.at).is_some_and(|text| text.contains("\\'")) {
            self.lost = Some("a `$'…\\'…'` before this place ends differently in different shells");
        }
        Ok(())
    }

    fn backticks(&mut self) -> Step {
        let start = self.at;
        self.at += 1;
        self.open.quote = true;
        while let Some(c) = self.peek() {
            if self.hole().is_some() {
                return refuse("inside backticks the quoting of a value cannot be shown to hold; write `$(…)`, or", self.at)
                    .map_err(|error| reworded(error, "; write `$( … )` instead of backticks"));
            }
            self.skip(c);
            match c {
                '`' => {
                    self.open.quote = false;
                    break;
                }
                '\\' => {
                    if let Some(next) = self.peek() {
                        self.skip(next);
                    }
                }
                _ => {}
            }
        }
        let text = self.source.get(start..self.at).unwrap_or_default();
        let (singles, doubles) = (text.matches('\'').count(), text.matches('"').count());
        if singles % 2 == 1 || doubles % 2 == 1 || text.contains('\\') {
            self.lost = Some("quotes or backslashes inside backticks stand before this place");
        }
        self.push_word('$');
        Ok(())
    }

    /// `(( … ))` and `$(( … ))`: skipped; at the start of it stand `parentheses` opening ones.
    fn arithmetic(&mut self, parentheses: usize) -> Step {
        let start = self.at;
        self.at += parentheses;
        let mut depth = parentheses;
        while let Some(c) = self.peek() {
            if self.hole().is_some() {
                return refuse("in arithmetic a value would be evaluated, and can run commands", self.at);
            }
            if matches!(c, '\'' | '"' | '`' | '\\' | '#') {
                self.lost = Some("quotes inside `((…))` stand before this place");
            }
            if c == ')' && depth == parentheses && !self.starts("))") {
                self.lost = Some("a `((` before this place may be two subshells or arithmetic");
            }
            self.skip(c);
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        let text = self.source.get(start..self.at).unwrap_or_default();
        let is_odd = |quote| text.matches(quote).count() % 2 == 1;
        self.open.quote |= depth > 0 || ['\'', '"', '`'].into_iter().any(is_odd) || text.contains("\\'");
        Ok(())
    }

    /// Up to the end of the line.
    fn comment(&mut self) {
        let end = self.rest().find('\n').map_or(self.source.len(), |at| self.at + at);
        while self.spans.get(self.places.len()).is_some_and(|span| span.start < end) {
            self.places.push(Place::Comment);
        }
        self.at = end;
    }

    fn end_word(&mut self) -> Step {
        let close = match self.frames.last() {
            Some(Frame::Commands { close, .. }) => *close,
            _ => Close::End,
        };
        let substituted =
            self.frames.iter().any(|frame| matches!(frame, Frame::Commands { close: Close::Substitution | Close::Process, .. }));
        let Some(command) = innermost(&mut self.frames) else { return Ok(()) };
        let Some(word) = command.word.take() else { return Ok(()) };
        let holes = std::mem::take(&mut command.holes);
        if let Some(target) = command.target.take() {
            if target == Target::HereString {
                command.fed = command.fed.or(holes.first().copied());
            }
            return Ok(());
        }
        let mut opens = false;
        if let Some(hole) = holes.first()
            && let Some(why) = second_reading(&command.words, &word, close == Close::Array)
        {
            return refuse(why, *hole);
        }
        let before = self.source.get(..self.at).and_then(|before| before.strip_suffix(word.as_str()));
        // What is quoted is no word of the shell.
        if close != Close::Array && before.is_some_and(|before| !before.ends_with('\\')) {
            let depth = self.open.depth();
            self.open.word(&command.words, &word);
            opens = self.open.depth() > depth;
        }
        let place = command.words.len();
        command.earlier.extend(holes.into_iter().map(|hole| (place, hole)));
        if command.is_test() && ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v"].contains(&word.as_str()) && close != Close::Array {
            if let Some((_, hole)) = command.earlier.first() {
                return refuse("`[[` evaluates what its arithmetic tests compare, and that can run commands; use `[`, or", *hole)
                    .map_err(|error| reworded(error, "; use `[ … ]` for it"));
            }
            command.words.push(ARITHMETIC_TEST.to_owned());
        }
        let case = word == "case" && command.words.is_empty();
        if !command.words.is_empty() || !(RESERVED.contains(&word.as_str()) || assigned(&word).is_some()) {
            command.words.push(word);
        }
        if case && substituted {
            self.lost = Some("a `case` inside `$(…)` stands before this place");
        }
        if opens {
            let frames = self.frames.len();
            self.enter(frames);
        }
        self.leave();
        Ok(())
    }

    /// Ends the command and judges it as a whole. Gives what it writes, for the command behind a pipe.
    fn end_command(&mut self) -> Result<Option<Command>, ParseError> {
        self.end_word()?;
        if matches!(self.frames.last(), Some(Frame::Commands { close: Close::Array, .. })) {
            return Ok(None);
        }
        // A pipe goes on in the next line.
        let begun = |command: &&mut Command| !(command.words.is_empty() && command.earlier.is_empty());
        let Some(mut command) = self.command().filter(begun).map(std::mem::take) else { return Ok(None) };
        for scope in &self.scopes {
            command.fed = command.fed.or(scope.fed);
            command.documents.extend(&scope.documents);
        }
        if command.earlier.is_empty() && command.fed.is_none() && command.documents.is_empty() {
            return Ok(None);
        }
        let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        if let Some((place, why)) = code_with_values(&words, &|word| word.contains(HOLE)).first() {
            let hole = command.earlier.iter().find(|(word, _)| word == place).map_or(0, |(_, hole)| *hole);
            return refuse(why, hole);
        }
        if reads_input_as_code(&words) {
            if let Some(hole) = command.fed {
                return refuse(INPUT, hole);
            }
            for place in &command.documents {
                if let Some(document) = self.documents.get_mut(*place) {
                    document.code = true;
                }
            }
        }
        let prints = command_place(&words)
            .and_then(|place| words.get(place))
            .is_some_and(|word| ["echo", "printf", "print"].contains(&program(word)));
        let fed = command.fed.or_else(|| command.earlier.first().map(|(_, hole)| *hole).filter(|_| prints));
        for scope in &mut self.scopes {
            scope.printed = scope.printed.or(fed);
        }
        Ok(Some(Command { fed, documents: command.documents, ..Command::default() }))
    }
}

impl Command {
    /// Whether it is a `[[`.
    fn is_test(&self) -> bool {
        command_place(&self.words).and_then(|place| self.words.get(place)).is_some_and(|word| word == "[[")
    }
}

fn innermost(frames: &mut [Frame]) -> Option<&mut Command> {
    frames.iter_mut().rev().find_map(|frame| match frame {
        Frame::Commands { command, .. } => Some(command),
        _ => None,
    })
}

fn reworded(error: ParseError, way_out: &str) -> ParseError {
    let message = error.message.replace(", or; put", "; put").replace(WAY_OUT, "");
    ParseError { message: format!("{}{way_out}, or use `env:`", message.trim_end_matches(", or")), offset: error.offset }
}
