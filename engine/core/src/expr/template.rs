//! A Handlebars text: rendered in one pass, strictly. Every name must have a value, also the one behind `#if`; nothing that
//! a value contains is read as a template; every written piece is counted, so that nested `#each` cannot run for minutes.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::sync::{Arc, OnceLock};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::evaluate::{member_of, size};
use super::mustache::{self, Beginning, Helper, Local, Part, Piece, Stand};
use super::operators::{equal, named};
use super::syntax::{Name, split_path};
use super::text::{climbs, escape_in_url, percent_encode, plain_text, to_json};
use super::{Destination, EvalError, Names, ParseError, Reference};
use crate::limits;
use crate::plan::Origin;
use crate::value::Value;

/// A Handlebars text. Made by [`Template::parse`]; compared by source and place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Template {
    pub source: String,
    pub at: Origin,
    #[serde(skip)]
    pieces: OnceLock<Result<Arc<Vec<Piece>>, ParseError>>,
}

impl PartialEq for Template {
    fn eq(&self, other: &Template) -> bool {
        self.source == other.source && self.at == other.at
    }
}

impl Template {
    pub fn parse(source: &str, at: Origin) -> Result<Template, ParseError> {
        let template = Template { source: source.to_owned(), at, pieces: OnceLock::new() };
        template.pieces().map(|_| ()).map_err(Clone::clone)?;
        Ok(template)
    }

    fn pieces(&self) -> Result<&Arc<Vec<Piece>>, &ParseError> {
        self.pieces.get_or_init(|| mustache::parse(&self.source).map(Arc::new)).as_ref()
    }

    /// Every name it mentions, in the order of the source. What `#each` names is not one of them.
    pub fn references(&self) -> Vec<Reference> {
        self.pieces().map(|pieces| mustache::references(pieces)).unwrap_or_default()
    }

    /// The names among them that have to have a value, since nothing is no text.
    pub fn needed(&self) -> Vec<Reference> {
        self.pieces().map(|pieces| mustache::needed(pieces)).unwrap_or_default()
    }

    /// All that it may begin with once it has values.
    pub fn beginnings(&self) -> Vec<Beginning> {
        self.pieces().map(|pieces| mustache::beginnings(pieces)).unwrap_or_default()
    }

    /// The bytes inside JSON of what it says whatever its values are.
    pub fn recorded_bytes(&self) -> usize {
        self.pieces().map(|pieces| mustache::recorded_bytes(pieces)).unwrap_or_default()
    }

    /// The source of the text that says the same with what `stand` gives in the place of its names; `None` where that cannot be told.
    pub fn filled(&self, stand: &dyn Fn(&[String]) -> Option<Stand>) -> Option<String> {
        mustache::filled(self.pieces().ok()?, stand)
    }

    /// Whether the text is one name and nothing else, so that its [`value`](Template::value) has the type of the name.
    pub fn is_name(&self) -> bool {
        self.pieces().is_ok_and(|pieces| matches!(pieces.as_slice(), [Piece::Value(Part::Name(_))]))
    }

    /// As its reader sees it before there are values: `{{inputs.host}}` as `‹inputs.host›`.
    pub fn written(&self) -> String {
        self.pieces().map_or_else(|_| self.source.clone(), |pieces| mustache::written(&self.source, pieces))
    }

    /// Unknown names stand as `‹name›` in the text; the second part lists them.
    pub fn render(&self, destination: Destination, names: &dyn Names) -> Result<(String, Vec<String>), EvalError> {
        let pieces = self.pieces().map_err(|error| self.error(Fault::at(error.message.clone(), error.offset)))?;
        let lookup = Lookup::new(&mustache::references(pieces), names);
        let mut rendering = Rendering { destination, names: &lookup, out: String::new(), unknown: Vec::new(), writes: 0, gaps: 0 };
        rendering.pieces(pieces, &mut Vec::new()).map_err(|fault| self.error(fault))?;
        if destination == Destination::Url && rendering.gaps > 0 && climbs(&rendering.out) {
            let message = "the path of the URL has a `.` or `..` segment, so a value in it would climb".to_owned();
            return Err(self.error(Fault::at(message, 0)));
        }
        Ok((rendering.out, rendering.unknown))
    }

    /// If the text is one reference and nothing else, the value with its type; else the rendered text.
    pub fn value(&self, names: &dyn Names) -> Result<Value, EvalError> {
        if let Ok(pieces) = self.pieces()
            && let [Piece::Value(part @ Part::Name(_))] = pieces.as_slice()
        {
            let lookup = Lookup::new(&mustache::references(pieces), names);
            return part_value(part, &lookup, &[]).map(Cow::into_owned).map_err(|fault| self.error(fault));
        }
        match self.render(Destination::Plain, names)? {
            (text, unknown) if unknown.is_empty() => Ok(Value::Text(text)),
            (_, unknown) => Ok(Value::Unknown(unknown.into_iter().next().unwrap_or_default())),
        }
    }

    fn error(&self, fault: Fault) -> EvalError {
        EvalError { message: fault.message, at: super::place(&self.at, &self.source, fault.offset) }
    }
}

pub(super) struct Fault {
    pub message: String,
    pub offset: usize,
}

impl Fault {
    pub fn at(message: impl Into<String>, offset: usize) -> Fault {
        Fault { message: message.into(), offset }
    }
}

/// The names of one rendering: each is asked for once, at its first use.
pub(super) struct Lookup<'n> {
    names: &'n dyn Names,
    values: Vec<(Name, OnceCell<Value>)>,
    /// Bytes that helpers went over.
    work: Cell<usize>,
}

impl<'n> Lookup<'n> {
    pub fn new(references: &[Reference], names: &'n dyn Names) -> Lookup<'n> {
        let mut values: Vec<(Name, OnceCell<Value>)> = Vec::new();
        for (name, _) in references.iter().filter_map(|reference| split_path(&reference.path)) {
            if !values.iter().any(|(known, _)| *known == name) {
                values.push((name, OnceCell::new()));
            }
        }
        Lookup { names, values, work: Cell::new(0) }
    }

    fn get(&self, name: &Name) -> Result<&Value, String> {
        let absent = || format!("`{}` has no value", name.path());
        let (_, cell) = self.values.iter().find(|(known, _)| known == name).ok_or_else(absent)?;
        if cell.get().is_none() {
            let value = self.names.value(&name.root, name.member.as_deref())?;
            let _ = cell.set(value);
        }
        cell.get().ok_or_else(absent)
    }

    fn spend(&self, bytes: usize) -> Result<(), String> {
        self.work.set(self.work.get().saturating_add(bytes));
        if self.work.get() > limits::TEMPLATE_WORK_BYTES {
            return Err("the text's helpers do too much; compute the value with `set`".to_owned());
        }
        Ok(())
    }
}

/// One item of an enclosing `#each`.
#[derive(Clone)]
pub(super) struct Item {
    value: Value,
    key: Option<String>,
    index: usize,
    last: bool,
}

struct Rendering<'n> {
    destination: Destination,
    names: &'n Lookup<'n>,
    out: String,
    unknown: Vec<String>,
    writes: usize,
    /// How many values were written.
    gaps: usize,
}

impl Rendering<'_> {
    fn pieces(&mut self, pieces: &[Piece], items: &mut Vec<Item>) -> Result<(), Fault> {
        for piece in pieces {
            self.count(0)?;
            match piece {
                Piece::Text(text) if self.destination == Destination::Query => self.write(&percent_encode(text), 0)?,
                Piece::Text(text) => self.write(text, 0)?,
                Piece::Value(part) => {
                    let value = written_value(part, self.names, items)?;
                    self.value(&value, part.offset())?;
                }
                Piece::If { condition, then, otherwise } => {
                    let value = part_value(condition, self.names, items)?.into_owned();
                    match value {
                        Value::Unknown(_) => self.value(&value, condition.offset())?,
                        value if holds(&value) => self.pieces(then, items)?,
                        _ => self.pieces(otherwise, items)?,
                    }
                }
                Piece::Each { list, body, otherwise } => {
                    let value = part_value(list, self.names, items)?.into_owned();
                    self.each(value, list.offset(), body, otherwise, items)?;
                }
            }
        }
        Ok(())
    }

    fn each(
        &mut self,
        list: Value,
        offset: usize,
        body: &[Piece],
        otherwise: &[Piece],
        items: &mut Vec<Item>,
    ) -> Result<(), Fault> {
        let found: Vec<(Option<String>, Value)> = match list {
            Value::Unknown(_) => return self.value(&list, offset),
            Value::List(values) => values.into_iter().map(|value| (None, value)).collect(),
            Value::Map(map) => map.into_iter().map(|(key, value)| (Some(key), value)).collect(),
            Value::Null => Vec::new(),
            other => return Err(Fault::at(format!("`#each` needs a list or a map, and this is {}", named(&other)), offset)),
        };
        if found.is_empty() {
            return self.pieces(otherwise, items);
        }
        let count = found.len();
        for (index, (key, value)) in found.into_iter().enumerate() {
            self.count(offset)?;
            items.push(Item { value, key, index, last: index + 1 == count });
            let rendered = self.pieces(body, items);
            items.pop();
            rendered?;
        }
        Ok(())
    }

    fn count(&mut self, offset: usize) -> Result<(), Fault> {
        self.writes += 1;
        if self.writes > limits::TEMPLATE_WRITES {
            return Err(Fault::at(format!("the text has more than {} pieces", limits::TEMPLATE_WRITES), offset));
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, offset: usize) -> Result<(), Fault> {
        self.gaps += 1;
        if let Some(name) = value.first_unknown() {
            // A guess at the escaped form of what nobody knows helps nobody.
            if !self.unknown.iter().any(|known| known == name) {
                self.unknown.push(name.to_owned());
            }
            return self.write(&plain_text(value), offset);
        }
        let text = plain_text(value);
        match self.destination {
            Destination::Plain => self.write(&text, offset),
            Destination::Query => self.write(&percent_encode(&text), offset),
            Destination::Url => {
                let escaped = escape_in_url(&self.out, &text).map_err(|message| Fault::at(message, offset))?;
                self.write(&escaped, offset)
            }
        }
    }

    fn write(&mut self, text: &str, offset: usize) -> Result<(), Fault> {
        if self.out.len() + text.len() > limits::TEXT_BYTES {
            return Err(Fault::at(format!("the text is longer than {} bytes", limits::TEXT_BYTES), offset));
        }
        self.out.push_str(text);
        Ok(())
    }
}

/// What Handlebars takes for true: anything but nothing, `false`, zero and the empty.
fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Int(i) => *i != 0,
        Value::Float(f) => *f != 0.0,
        Value::Text(text) => !text.is_empty(),
        Value::Duration(duration) => !duration.is_zero(),
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        Value::Time(_) | Value::Unknown(_) => true,
    }
}

impl Part {
    pub(super) fn offset(&self) -> usize {
        match self {
            Part::Literal(_) => 0,
            Part::Name(reference) => reference.offset,
            Part::Local { offset, .. } | Part::Call { offset, .. } => *offset,
        }
    }

    /// The name as the text has it.
    fn written(&self) -> Option<String> {
        match self {
            Part::Name(reference) => Some(reference.path.join(".")),
            Part::Local { of: Local::Item, path, .. } => {
                Some(["this"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join("."))
            }
            Part::Literal(_) | Part::Local { .. } | Part::Call { .. } => None,
        }
    }
}

/// The value of a part; unknown where anything it is made from is.
pub(super) fn part_value<'v>(part: &'v Part, names: &'v Lookup<'_>, items: &'v [Item]) -> Result<Cow<'v, Value>, Fault> {
    match part {
        Part::Literal(value) => Ok(Cow::Borrowed(value)),
        Part::Name(reference) => {
            let fault = |message: String| Fault::at(message, reference.offset);
            let Some((name, rest)) = split_path(&reference.path) else { return Err(fault("a name is missing".to_owned())) };
            let value = names.get(&name).map_err(fault)?;
            members(Cow::Borrowed(value), rest, &name.path(), reference.offset)
        }
        Part::Local { each, of, path, offset } => {
            let Some(item) = items.get(*each) else { return Err(Fault::at("an item without a value", *offset)) };
            let value = match of {
                Local::Item => return members(Cow::Borrowed(&item.value), path, "this", *offset),
                Local::Index => Value::Int(item.index as i64),
                Local::Key => item.key.clone().map_or(Value::Int(item.index as i64), Value::Text),
                Local::First => Value::Bool(item.index == 0),
                Local::Last => Value::Bool(item.last),
            };
            members(Cow::Owned(value), path, "this", *offset)
        }
        Part::Call { helper, arguments, offset } => {
            let value = |argument| match helper.takes_nothing() {
                true => part_value(argument, names, items),
                false => written_value(argument, names, items),
            };
            let values = arguments.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            if let Some(unknown) = values.iter().find_map(|value| value.first_unknown()) {
                return Ok(Cow::Owned(Value::Unknown(unknown.to_owned())));
            }
            names.spend(values.iter().map(|value| size(value)).sum()).map_err(|message| Fault::at(message, *offset))?;
            helper.call(&values).map(Cow::Owned).map_err(|message| Fault::at(message, *offset))
        }
    }
}

/// The value of a part that is written into a text. Nothing is an error: an empty text in its place could mean anything.
pub(super) fn written_value<'v>(part: &'v Part, names: &'v Lookup<'_>, items: &'v [Item]) -> Result<Cow<'v, Value>, Fault> {
    let value = part_value(part, names, items)?;
    if *value != Value::Null {
        return Ok(value);
    }
    let message = match part.written() {
        Some(name) => {
            format!("`{name}` is nothing, and nothing is no text: write `default {name} \"…\"`, or ask first whether there is one")
        }
        None => "this is nothing, and nothing is no text: put `default` around it, or ask first whether there is one".to_owned(),
    };
    Err(Fault::at(message, part.offset()))
}

fn members<'v>(value: Cow<'v, Value>, path: &[String], name: &str, offset: usize) -> Result<Cow<'v, Value>, Fault> {
    let mut found = value;
    let mut walked = name.to_owned();
    for member in path {
        if let Value::Unknown(_) = *found {
            break;
        }
        let place = member.parse::<usize>().ok();
        found = match (found, place) {
            (Cow::Borrowed(Value::List(items)), Some(place)) if place < items.len() => match items.get(place) {
                Some(item) => Cow::Borrowed(item),
                None => Cow::Owned(Value::Null),
            },
            (Cow::Owned(Value::List(mut items)), Some(place)) if place < items.len() => Cow::Owned(items.swap_remove(place)),
            (found, _) => {
                member_of(found, member, false, || format!("`{walked}`")).map_err(|message| Fault::at(message, offset))?
            }
        };
        walked = format!("{walked}.{member}");
    }
    Ok(found)
}

impl Helper {
    /// Whether an argument may be nothing.
    pub(super) fn takes_nothing(self) -> bool {
        matches!(self, Helper::Default | Helper::Json | Helper::Eq | Helper::Not)
    }

    fn call(self, arguments: &[Cow<'_, Value>]) -> Result<Value, String> {
        let arguments: Vec<&Value> = arguments.iter().map(Cow::as_ref).collect();
        match (self, arguments.as_slice()) {
            (Helper::Upper, [value]) => Ok(Value::Text(plain_text(value).to_uppercase())),
            (Helper::Lower, [value]) => Ok(Value::Text(plain_text(value).to_lowercase())),
            (Helper::Trim, [value]) => Ok(Value::text(plain_text(value).trim())),
            (Helper::Json, [value]) => Ok(Value::Text(to_json(value))),
            (Helper::Join, [Value::List(items), separator]) => {
                if let Some(at) = items.iter().position(|item| *item == Value::Null) {
                    return Err(format!("`join` needs a value in each place, and element {at} of the list is nothing"));
                }
                Ok(Value::Text(items.iter().map(plain_text).collect::<Vec<_>>().join(&plain_text(separator))))
            }
            (Helper::Join, [other, _]) => Err(format!("`join` needs a list, and this is {}", named(other))),
            (Helper::Default, [Value::Null, otherwise]) => Ok((*otherwise).clone()),
            (Helper::Default, [Value::Text(text), otherwise]) if text.is_empty() => Ok((*otherwise).clone()),
            (Helper::Default, [value, _]) => Ok((*value).clone()),
            (Helper::Date, [Value::Time(time)]) => Ok(Value::Text(time.to_zoned(TimeZone::UTC).date().to_string())),
            (Helper::Date, [other]) => Err(format!("`date` needs a time, and this is {}", named(other))),
            (Helper::Len, [Value::List(items)]) => Ok(Value::Int(items.len() as i64)),
            (Helper::Len, [Value::Map(map)]) => Ok(Value::Int(map.len() as i64)),
            (Helper::Len, [Value::Text(text)]) => Ok(Value::Int(text.chars().count() as i64)),
            (Helper::Len, [other]) => Err(format!("`len` needs a list, a map or a text, and this is {}", named(other))),
            (Helper::Eq, [a, b]) => equal(a, b).map(Value::Bool),
            (Helper::Not, [value]) => Ok(Value::Bool(!holds(value))),
            _ => Err("a helper with the wrong number of arguments".to_owned()),
        }
    }
}
