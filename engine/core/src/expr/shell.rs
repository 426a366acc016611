//! The script of a `run` step: shell text in which each `{{…}}` is data. A value never becomes part of the text: the text names
//! a variable, written so that it is one piece of data in the quotes it stands in, and the value travels in the environment.
//!
//! What this cannot do: a value that starts with `-` is still read as an option by a program that looks for options. Write
//! `--` before it where the program knows that.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::mustache::{self, Beginning, Part, Piece, beginnings_of, collect_part, gap, mustaches, needed_part, unescaped};
use super::quoting::{Place, Reading, places};
use super::template::{Lookup, written_value};
use super::text::plain_text;
use super::{EvalError, Names, ParseError, Reference};
use crate::limits;
use crate::plan::Origin;
use crate::value::json_bytes;

/// What the variables of rendered scripts are called: `RB_1`, `RB_2`, …
pub const VARIABLE_PREFIX: &str = "RB_";

/// The script of a `run` step. Made by [`ShellScript::parse`]; compared by source and place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShellScript {
    pub source: String,
    pub at: Origin,
    #[serde(skip)]
    chunks: OnceLock<Result<Arc<Chunks>, ParseError>>,
}

/// A rendered [`ShellScript`]: text without values, and the values under the variable names it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedScript {
    pub script: String,
    pub values: BTreeMap<String, String>,
}

const LOST: &str = "the quotes around this `{{…}}` cannot be followed; use `env:`";

#[derive(Debug)]
struct Chunks {
    chunks: Vec<Chunk>,
    /// Where values stand that could be options.
    options: Vec<usize>,
}

#[derive(Debug)]
enum Chunk {
    Text(String),
    /// `text` is the `{{…}}`.
    Value {
        text: String,
        part: Part,
        variable: String,
        place: Place,
        offset: usize,
    },
}

impl PartialEq for ShellScript {
    fn eq(&self, other: &ShellScript) -> bool {
        self.source == other.source && self.at == other.at
    }
}

impl ShellScript {
    /// Refuses every `{{…}}` in a place where its value could be read as code, and says what to write instead.
    pub fn parse(source: &str, at: Origin) -> Result<ShellScript, ParseError> {
        let script = ShellScript { source: source.to_owned(), at, chunks: OnceLock::new() };
        script.read().map(|_| ()).map_err(Clone::clone)?;
        Ok(script)
    }

    fn read(&self) -> Result<&Arc<Chunks>, &ParseError> {
        self.chunks.get_or_init(|| chunks(&self.source).map(Arc::new)).as_ref()
    }

    fn chunks(&self) -> Result<&[Chunk], &ParseError> {
        self.read().map(|read| read.chunks.as_slice())
    }

    /// Where a value stands that would be an option if it began with `-`, of a program that an option makes run code; and all that it
    /// may begin with.
    pub fn options(&self) -> Vec<(usize, Vec<Beginning>)> {
        let Ok(read) = self.read() else { return Vec::new() };
        let values = read.chunks.iter().filter_map(|chunk| match chunk {
            Chunk::Value { part, offset, text, .. } => Some((*offset, (part, offset + text.len()))),
            Chunk::Text(_) => None,
        });
        let values: BTreeMap<usize, (&Part, usize)> = values.collect();
        let begins = |offset: usize| match values.get(&offset) {
            Some((part, end)) => beginnings_of(part, goes_on(self.source.get(*end..).unwrap_or_default())),
            None => vec![Beginning::Anything],
        };
        read.options.iter().map(|offset| (*offset, begins(*offset))).collect()
    }

    /// Every name it mentions outside comments, in the order of the source.
    pub fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        for chunk in self.chunks().unwrap_or_default() {
            if let Chunk::Value { part, .. } = chunk {
                collect_part(part, &mut found);
            }
        }
        found
    }

    /// The names among them that have to have a value, since nothing is no text.
    pub fn needed(&self) -> Vec<Reference> {
        let chunks = self.chunks().unwrap_or_default();
        let values = chunks.iter().filter_map(|chunk| if let Chunk::Value { part, .. } = chunk { Some(part) } else { None });
        let mut found = Vec::new();
        values.for_each(|part| needed_part(part, true, &[], &mut found));
        found
    }

    /// As its reader sees it before there are values: `{{inputs.host}}` as `‹inputs.host›`.
    pub fn written(&self) -> String {
        let Ok(chunks) = self.chunks() else { return self.source.clone() };
        let chunk = |chunk: &Chunk| match chunk {
            Chunk::Text(text) => text.clone(),
            Chunk::Value { text, .. } => gap(text),
        };
        chunks.iter().map(chunk).collect()
    }

    /// The bytes inside JSON of the script that a shell is given, whatever its values are.
    pub fn recorded_bytes(&self) -> usize {
        let of = |chunk: &Chunk| match chunk {
            Chunk::Text(text) => json_bytes(text),
            Chunk::Value { variable, place, .. } => json_bytes(&expansion(*place, variable)),
        };
        self.chunks().unwrap_or_default().iter().map(of).sum()
    }

    /// The script and its variables. Unknown names stand as `‹name›` in the values; the second part lists them.
    pub fn render(&self, names: &dyn Names) -> Result<(RenderedScript, Vec<String>), EvalError> {
        let error = |message: String, offset| EvalError { message, at: super::place(&self.at, &self.source, offset) };
        let chunks = self.chunks().map_err(|fault| error(fault.message.clone(), fault.offset))?;
        let lookup = Lookup::new(&self.references(), names);
        let (mut script, mut values, mut unknown) = (String::new(), BTreeMap::new(), Vec::new());
        for chunk in chunks.iter() {
            let (part, variable, place) = match chunk {
                Chunk::Text(text) => {
                    script.push_str(text);
                    continue;
                }
                Chunk::Value { part, variable, place, .. } => (part, variable, place),
            };
            if !values.contains_key(variable) {
                let value = written_value(part, &lookup, &[]).map_err(|fault| error(fault.message, fault.offset))?;
                if let Some(name) = value.first_unknown()
                    && !unknown.iter().any(|known| known == name)
                {
                    unknown.push(name.to_owned());
                }
                let text = plain_text(&value);
                if text.contains('\0') {
                    return Err(error("the value has a NUL byte, which no variable can hold".to_owned(), part.offset()));
                }
                if text.len() > limits::VARIABLE_BYTES {
                    let message = format!(
                        "the value is longer than the {} bytes that a variable can hold; write it to a file",
                        limits::VARIABLE_BYTES
                    );
                    return Err(error(message, part.offset()));
                }
                values.insert(variable.clone(), text);
            }
            script.push_str(&expansion(*place, variable));
        }
        Ok((RenderedScript { script, values }, unknown))
    }
}

/// Whether a word may go on with this.
fn goes_on(behind: &str) -> bool {
    let rest = behind.trim_start_matches(['"', '\'']);
    !(rest.is_empty() || rest.starts_with([' ', '\t', '\n', ';', '|', '&', '<', '>', '(', ')']))
}

/// What to write in the place of each of these pieces of a plain shell script, so that the variable named beside it is one piece of
/// data there. Pieces are byte ranges in order. Refuses every place where a `{{…}}` would be refused.
pub fn expansions(script: &str, pieces: &[(Range<usize>, &str)]) -> Result<Vec<String>, ParseError> {
    let spans: Vec<_> = pieces.iter().map(|(span, _)| span.clone()).collect();
    let places = places(script, &spans)?.places;
    let Some(lost) = spans.get(places.len()) else {
        let written = places.into_iter().zip(pieces).map(|(place, (span, variable))| match place {
            Place::Comment => script.get(span.clone()).unwrap_or_default().to_owned(),
            place => expansion(place, variable),
        });
        return Ok(written.collect());
    };
    Err(ParseError { message: LOST.to_owned(), offset: lost.start })
}

/// How a variable is written so that its value is one piece of data.
fn expansion(place: Place, variable: &str) -> String {
    match place {
        Place::Unquoted => format!("\"${{{variable}}}\""),
        Place::Double => format!("${{{variable}}}"),
        Place::Single => format!("'\"${{{variable}}}\"'"),
        Place::Comment => String::new(),
    }
}

fn chunks(source: &str) -> Result<Chunks, ParseError> {
    if source.len() > limits::SHELL_BYTES {
        let message = format!("a script longer than {} bytes; put it in a file and run that", limits::SHELL_BYTES);
        return Err(ParseError { message, offset: limits::SHELL_BYTES });
    }
    let found = mustaches(source)?;
    let spans: Vec<_> = found.iter().map(|mustache| mustache.span.clone()).collect();
    let Reading { places, options } = places(source, &spans)?;
    if places.len() != spans.len() {
        let offset = spans.get(places.len()).map_or(0, |span| span.start);
        return Err(ParseError { message: LOST.to_owned(), offset });
    }
    let mut chunks = Vec::new();
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    let mut from = 0;
    for (span, place) in spans.into_iter().zip(places) {
        if place == Place::Comment {
            continue;
        }
        let text = source.get(span.clone()).unwrap_or_default();
        let part = value_of(text).map_err(|error| ParseError { offset: error.offset + span.start, ..error })?;
        let part = shifted(part, span.start);
        let count = variables.len() + 1;
        let variable = variables.entry(text.to_owned()).or_insert_with(|| format!("{VARIABLE_PREFIX}{count}")).clone();
        chunks.push(Chunk::Text(unescaped(source.get(from..span.start).unwrap_or_default())));
        chunks.push(Chunk::Value { text: text.to_owned(), part, variable, place, offset: span.start });
        from = span.end;
    }
    chunks.push(Chunk::Text(unescaped(source.get(from..).unwrap_or_default())));
    Ok(Chunks { chunks, options })
}

fn value_of(text: &str) -> Result<Part, ParseError> {
    let fault = |message: &str| Err(ParseError { message: message.to_owned(), offset: 0 });
    let inside = text.trim_start_matches('{').trim_start();
    if inside.starts_with(['#', '/', '^']) || inside.starts_with("else") {
        return fault("blocks are not available in a script; use the shell's own `if` and `for`");
    }
    if inside.starts_with('!') {
        return fault("write a comment of the shell: `# …`");
    }
    if text.starts_with("{{~") || text.ends_with("~}}") {
        return fault("`~` is not available in a script");
    }
    if inside.starts_with('.') {
        return fault("this looks like a template of another program; write `\\{{` for braces as text");
    }
    let mut pieces = mustache::parse(text)?;
    match (pieces.pop(), pieces.is_empty()) {
        (Some(Piece::Value(part)), true) => Ok(part),
        _ => fault("only a name, or a helper with names, may stand between `{{` and `}}` in a script"),
    }
}

fn shifted(part: Part, by: usize) -> Part {
    match part {
        Part::Literal(value) => Part::Literal(value),
        Part::Name(reference) => Part::Name(Reference { offset: reference.offset + by, ..reference }),
        Part::Local { each, of, path, offset } => Part::Local { each, of, path, offset: offset + by },
        Part::Call { helper, arguments, offset } => {
            let arguments = arguments.into_iter().map(|argument| shifted(argument, by)).collect();
            Part::Call { helper, arguments, offset: offset + by }
        }
    }
}
