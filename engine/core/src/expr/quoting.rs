//! Follows the quotes of a POSIX or bash script as far as it takes to say, for each `{{…}}`, how its variable is written so that
//! the value is one piece of data there. Where that cannot be said with certainty the place is refused: refusing too much
//! costs a line of `env:`, accepting too much costs a shell.
//!
//! Deliberately not a parser of shell: it knows words and commands only well enough to see where data would be read as code
//! a second time (`eval`, `sh -c`, `let`, array subscripts, a remote shell, what is piped into an interpreter).

mod command;
mod documents;
mod expansions;
mod scopes;
mod whole;

use std::ops::Range;

use command::{Command, Target};
use documents::Document;
use scopes::{Known, Scope};
use whole::Open;

use super::ParseError;
use super::commands::{HOLE, assigned};

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

/// What is said of a script with values in it.
pub(super) struct Reading {
    /// The place of every span, in order.
    pub places: Vec<Place>,
    /// Where values stand that would be options if they began with `-`, of programs that an option makes run code.
    pub options: Vec<usize>,
}

/// How every span is written.
pub(super) fn places(source: &str, spans: &[Range<usize>]) -> Result<Reading, ParseError> {
    // Only of a value is anything said.
    if spans.is_empty() {
        return Ok(Reading { places: Vec::new(), options: Vec::new() });
    }
    let mut known = Known::default();
    for _ in 0..READINGS {
        let mut lexer = Lexer::new(source, spans);
        lexer.known = known.clone();
        while lexer.at < source.len() {
            lexer.next()?;
            if let (Some(why), Some(first)) = (lexer.deep, spans.first()) {
                return refuse(why, first.start);
            }
        }
        lexer.end_command()?;
        lexer.known.forget_files();
        if lexer.known == known {
            return Ok(Reading { places: lexer.places, options: lexer.options });
        }
        known = lexer.known;
    }
    refuse("the functions of this script call one another too deeply to be followed", spans.first().map_or(0, |span| span.start))
}

/// How often a script is read at most, to know its functions wherever they are used.
const READINGS: usize = 5;

/// How many quotes, expansions and commands are followed inside one another.
const FRAMES: usize = 100;

#[derive(Debug)]
enum Frame {
    /// Where commands stand: the script, `( … )`, `$( … )`.
    Commands {
        command: Box<Command>,
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

struct Lexer<'s> {
    source: &'s str,
    spans: &'s [Range<usize>],
    at: usize,
    places: Vec<Place>,
    options: Vec<usize>,
    frames: Vec<Frame>,
    /// Here-documents whose bodies start at the next line.
    documents: Vec<Document>,
    scopes: Vec<Scope>,
    /// The name of the function whose body comes next.
    defined: Option<String>,
    known: Known,
    /// How many places stand before each `$(` that is open, and a value that a function writes in it.
    substituted: Vec<(usize, Option<usize>)>,
    /// Why the quoting cannot be followed from here on.
    lost: Option<&'static str>,
    /// Why the script as a whole cannot be followed.
    deep: Option<&'static str>,
    open: Open,
}

type Step = Result<(), ParseError>;

const WAY_OUT: &str = "; put the value under `env:` and use it as a quoted variable";

fn refuse<T>(why: &str, offset: usize) -> Result<T, ParseError> {
    // Some say themselves what to write, where a variable of its own would mend nothing.
    let way_out = if why.contains("; write") { "" } else { WAY_OUT };
    Err(ParseError { message: format!("{why}{way_out}"), offset })
}

impl<'s> Lexer<'s> {
    fn new(source: &'s str, spans: &'s [Range<usize>]) -> Lexer<'s> {
        Lexer {
            source,
            spans,
            at: 0,
            places: Vec::new(),
            options: Vec::new(),
            frames: vec![Frame::Commands { command: Box::default(), close: Close::End }],
            documents: Vec::new(),
            scopes: Vec::new(),
            defined: None,
            substituted: Vec::new(),
            known: Known::default(),
            lost: None,
            deep: None,
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
        if self.frames.len() > FRAMES {
            self.deep = Some("the quotes and expansions of this script stand too deeply inside one another to be followed");
        }
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
        self.open.operator &= matches!(c, ' ' | '\t' | '\n') || (c == '#' && !in_word);
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
                // A pipe goes on in the next line, and so do the words of an array.
                let goes_on = self.open.operator || self.in_array();
                if let Some(command) = self.command().filter(|_| !goes_on) {
                    *command = Command::default();
                }
            }
            ' ' | '\t' => {
                self.end_word()?;
                self.skip(c);
            }
            '<' if self.starts("<<") && !self.starts("<<<") => self.document_start()?,
            '<' | '>' if self.rest().get(1..).is_some_and(|rest| rest.starts_with('(')) => self.process(c),
            '<' | '>' => {
                let standard = self.end_descriptor()?;
                let here_string = self.starts("<<<");
                if let Some(command) = self.command() {
                    command.target = Some(match c {
                        _ if here_string => Target::HereString,
                        '<' => Target::Input,
                        _ => Target::Output,
                    });
                    command.given |= c == '<' && standard;
                }
                self.at += if here_string { 3 } else { 1 };
                if matches!(self.peek(), Some('&' | '>' | '|')) {
                    self.at += 1;
                }
            }
            '&' if self.starts("&>") => {
                self.end_word()?;
                if let Some(command) = self.command() {
                    command.target = Some(Target::Output);
                    command.background = command.background.or(Some(command.words.len()));
                }
                self.at += if self.starts("&>>") { 3 } else { 2 };
            }
            '&' | '|' | '(' | ')' if self.in_brackets() => {
                self.end_word()?;
                self.skip(c);
                if let Some(command) = self.command() {
                    command.operator |= matches!(c, '&' | '|');
                }
            }
            '|' if !self.starts("||") => {
                let fed = self.end_command()?;
                self.skip(c);
                self.open.operator = true;
                if let (Some(fed), Some(next)) = (fed, self.command()) {
                    *next = fed;
                }
            }
            ';' | '&' | '|' => {
                self.end_command()?;
                // The second sign of `|&` is a pipe still.
                let pipe = c == '&' && self.source.get(..self.at).is_some_and(|before| before.ends_with('|'));
                if let Some(command) = self.command().filter(|_| !pipe) {
                    *command = Command::default();
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
        self.open.in_brackets() && self.command().is_some_and(|command| !command.closed && command.is_test())
    }

    fn in_array(&self) -> bool {
        matches!(self.frames.last(), Some(Frame::Commands { close: Close::Array, .. }))
    }

    fn open(&mut self) -> Step {
        let word = self.command().and_then(|command| command.word.clone());
        let function = self.rest().get(1..).is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with(')'));
        let named = self.command().and_then(|command| command.word.clone().or_else(|| command.words.last().cloned()));
        let array = word.as_deref().is_some_and(|word| assigned(word).is_some_and(|value| value.is_empty()));
        if !array && self.starts("((") && word.is_none() {
            return self.arithmetic(2);
        }
        if !array {
            self.end_command()?;
        }
        self.skip('(');
        let close = if array { Close::Array } else { Close::Parenthesis };
        self.frames.push(Frame::Commands { command: Box::default(), close });
        if !array {
            let around = self.frames.len() - 1;
            self.enter(around);
            self.defined = named.filter(|_| function);
        }
        Ok(())
    }

    fn close(&mut self) -> Step {
        let close = match self.frames.last() {
            Some(Frame::Commands { close, .. }) => *close,
            _ => Close::End,
        };
        if close == Close::Array {
            self.end_word()?
        } else {
            self.end_command()?;
        }
        self.skip(')');
        // A `)` that nothing opened ends the pattern of a `case`.
        let pattern = self.open.in_case(self.frames.len());
        if close != Close::End && !pattern {
            self.frames.pop();
            self.leave();
            self.leave_substitution();
        }
        if close == Close::Substitution && !pattern {
            self.take_substitution();
        }
        // The `()` of a function.
        let is_value = pattern || matches!(close, Close::Array | Close::Substitution | Close::Process);
        self.open.operator = !is_value && self.source.get(..self.at).is_some_and(|before| before.ends_with("()"));
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
}

fn innermost(frames: &mut [Frame]) -> Option<&mut Command> {
    frames.iter_mut().rev().find_map(|frame| match frame {
        Frame::Commands { command, .. } => Some(command.as_mut()),
        _ => None,
    })
}

fn reworded(error: ParseError, way_out: &str) -> ParseError {
    let message = error.message.replace(", or; put", "; put").replace(WAY_OUT, "");
    ParseError { message: format!("{}{way_out}, or use `env:`", message.trim_end_matches(", or")), offset: error.offset }
}
