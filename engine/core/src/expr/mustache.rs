//! From Handlebars text to pieces: text, values, `#if`/`#unless`/`#each`. The parser is that of Handlebars; what could reach
//! around the rules of this project (raw output, partials, decorators, names looked up somewhere else) is refused here.
//!
//! A plain name is looked up from the top everywhere, also inside `#each`, where the item is `this` or the name behind `as`.
//! The nesting of a source is bounded before the parser sees it.

mod begin;
mod filled;
mod parts;

use std::ops::Range;

use handlebars::template::{BlockParam, HelperTemplate, Parameter, TemplateElement};
use handlebars::{Path, Template};

use super::expression::guarded;
use super::nearest;
use super::text::plain_text;
use super::{ParseError, Reference};
use crate::limits;
use crate::value::{Value, json_bytes};

pub use begin::Beginning;
pub(super) use begin::{beginnings, beginnings_of};
pub use filled::Stand;
pub(super) use filled::filled;

#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Value(Part),
    If { condition: Part, then: Vec<Piece>, otherwise: Vec<Piece> },
    Each { list: Part, body: Vec<Piece>, otherwise: Vec<Piece> },
}

/// What a mustache, or an argument in one, stands for.
#[derive(Debug)]
pub(super) enum Part {
    Literal(Value),
    /// A name from outside, with its members.
    Name(Reference),
    /// Something of an enclosing `#each`, counted from the outermost, with its members.
    Local {
        each: usize,
        of: Local,
        path: Vec<String>,
        offset: usize,
    },
    Call {
        helper: Helper,
        arguments: Vec<Part>,
        offset: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Local {
    Item,
    Index,
    Key,
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    Upper,
    Lower,
    Trim,
    Json,
    Join,
    Default,
    Date,
    Len,
    Eq,
    Not,
}

pub(super) const HELPERS: [(&str, Helper, usize, &str); 10] = [
    ("upper", Helper::Upper, 1, "upper text"),
    ("lower", Helper::Lower, 1, "lower text"),
    ("trim", Helper::Trim, 1, "trim text"),
    ("json", Helper::Json, 1, "json value"),
    ("join", Helper::Join, 2, "join list \", \""),
    ("default", Helper::Default, 2, "default value \"otherwise\""),
    ("date", Helper::Date, 1, "date time"),
    ("len", Helper::Len, 1, "len list"),
    ("eq", Helper::Eq, 2, "eq a b"),
    ("not", Helper::Not, 1, "not value"),
];

/// One `{{…}}` of a source: all of it, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mustache {
    pub span: Range<usize>,
    pub comment: bool,
}

/// Every `{{…}}` that Handlebars reads as one; `\{{` is text.
pub(super) fn mustaches(source: &str) -> Result<Vec<Mustache>, ParseError> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = source.get(from..).and_then(|rest| rest.find("{{")).map(|at| from + at) {
        let before = source.get(..start).unwrap_or_default();
        let backslashes = before.len() - before.trim_end_matches('\\').len();
        // What stood before `from` belongs to the mustache before this one.
        if backslashes.min(start - from) == 1 {
            from = start + 2;
            continue;
        }
        let body = source.get(start + 2..).unwrap_or_default();
        let comment = body.trim_start_matches('~').starts_with('!');
        let end = if comment {
            let close = if body.trim_start_matches('~').starts_with("!--") { "--}}" } else { "}}" };
            body.find(close).map(|at| start + 2 + at + close.len())
        } else {
            closing(body).map(|at| start + 2 + at)
        };
        let Some(end) = end else {
            return Err(ParseError { message: "`{{` is never closed; for braces as text write `\\{{`".to_owned(), offset: start });
        };
        found.push(Mustache { span: start..end, comment });
        from = end;
    }
    Ok(found)
}

/// The bytes inside JSON of what pieces say whatever the values are.
pub(super) fn recorded_bytes(pieces: &[Piece]) -> usize {
    let of = |piece: &Piece| match piece {
        Piece::Text(text) => json_bytes(text),
        Piece::If { then, otherwise, .. } => recorded_bytes(then).min(recorded_bytes(otherwise)),
        Piece::Value(_) | Piece::Each { .. } => 0,
    };
    pieces.iter().map(of).sum()
}

/// A source as its reader sees it before there are values: `{{inputs.host}}` as `‹inputs.host›`, and all else as a rendering writes it.
pub(super) fn written(source: &str, pieces: &[Piece]) -> String {
    let found = mustaches(source).unwrap_or_default();
    let mut values = found.iter().filter(|mustache| !mustache.comment).filter_map(|mustache| source.get(mustache.span.clone()));
    let mut out = String::with_capacity(source.len());
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Value(part) => {
                let text = values.next().unwrap_or_default();
                out.push_str(&if let Part::Literal(value) = part { plain_text(value) } else { gap(text) });
            }
            Piece::If { .. } | Piece::Each { .. } => return as_its_author_wrote_it(source, &found),
        }
    }
    out
}

/// With what is chosen or gone through as it is: nobody knows yet what that comes to.
fn as_its_author_wrote_it(source: &str, found: &[Mustache]) -> String {
    let (mut out, mut from) = (String::with_capacity(source.len()), 0);
    for Mustache { span, comment } in found {
        out.push_str(&before_braces(source.get(from..span.start).unwrap_or_default()));
        let text = source.get(span.clone()).unwrap_or_default();
        match inside(text) {
            inside if inside.starts_with(['#', '/', '^']) || inside.split(' ').next() == Some("else") => out.push_str(text),
            _ if *comment => {}
            _ => out.push_str(&gap(text)),
        }
        from = span.end;
    }
    out + &unescaped(source.get(from..).unwrap_or_default())
}

/// Text as a rendering writes it before a mustache: of backslashes there, not all may stay.
fn before_braces(text: &str) -> String {
    let backslashes = text.len() - text.trim_end_matches('\\').len();
    let (text, end) = text.split_at(text.len() - backslashes);
    // As much as decides it is asked of whoever decides it in a rendering.
    let asked = Template::compile(&format!("{end}{{{{x}}}}")).ok().filter(|_| backslashes > 0);
    let written = asked.and_then(|template| match template.elements.first() {
        Some(TemplateElement::RawString(written)) => Some(written.clone()),
        _ => None,
    });
    unescaped(text) + written.as_deref().unwrap_or(end)
}

fn inside(mustache: &str) -> &str {
    let inside = mustache.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(mustache);
    inside.trim_matches('~').trim()
}

/// What stands in the place of a value that nobody knows yet.
pub(super) fn gap(mustache: &str) -> String {
    format!("‹{}›", inside(mustache))
}

/// Text as it will stand: `\{{` is `{{`.
pub(super) fn unescaped(text: &str) -> String {
    text.replace("\\{{", "{{")
}

/// Where the mustache whose inside is `body` ends: behind `}}` outside quotes.
fn closing(body: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if body.get(at..).is_some_and(|rest| rest.starts_with("}}")) => return Some(at + 2),
            None => {}
        }
    }
    None
}

/// Refuses what the parser should not see: raw forms, and nesting without bound.
fn check_shape(source: &str, found: &[Mustache]) -> Result<(), ParseError> {
    let mut blocks = 0usize;
    for Mustache { span, comment } in found {
        let fault = |message: &str| Err(ParseError { message: message.to_owned(), offset: span.start });
        if *comment {
            continue;
        }
        let inside = source.get(span.start + 2..span.end.saturating_sub(2)).unwrap_or_default();
        let inside = inside.trim_start_matches('~').trim_start();
        match inside.chars().next() {
            Some('{' | '&') => return fault("raw output is not available; values are escaped for where they go: write `{{…}}`"),
            Some('>') => return fault("partials are not available; write the text here"),
            Some('*') => return fault("decorators are not available"),
            Some('#') if inside.get(1..).is_some_and(|rest| rest.trim_start().starts_with(['*', '>'])) => {
                return fault("decorators and partials are not available");
            }
            Some('#') => blocks += 1,
            Some('/') => blocks = blocks.saturating_sub(1),
            Some(_) => {}
            None => return fault("a name is missing between `{{` and `}}`"),
        }
        if blocks > limits::TEMPLATE_DEPTH {
            return fault("blocks are nested too deeply");
        }
        if inside.len() > limits::MUSTACHE_BYTES {
            return fault("this `{{…}}` is too long; compute the value with `set`");
        }
        let (mut depth, mut deepest) = (0usize, 0);
        for c in inside.chars() {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
        if deepest > limits::MUSTACHE_DEPTH {
            return fault("this `{{…}}` is nested too deeply; compute the value with `set`");
        }
    }
    Ok(())
}

pub(super) fn parse(source: &str) -> Result<Vec<Piece>, ParseError> {
    if source.len() > limits::TEMPLATE_BYTES {
        let message = format!("a text longer than {} bytes", limits::TEMPLATE_BYTES);
        return Err(ParseError { message, offset: limits::TEMPLATE_BYTES });
    }
    if !source.contains("{{") {
        return Ok(vec![Piece::Text(source.to_owned())]);
    }
    let found = mustaches(source)?;
    check_shape(source, &found)?;
    let parts = parts::parts(source, &found)?;
    let mut compiler = Compiler::of(source, found);
    let mut pieces: Vec<Piece> = Vec::new();
    for part in parts {
        join(&mut pieces, compiler.part_of_source(part)?);
    }
    Ok(pieces)
}

/// Texts that come together are one.
fn join(pieces: &mut Vec<Piece>, more: Vec<Piece>) {
    for piece in more {
        match (pieces.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(more)) => before.push_str(&more),
            (_, piece) => pieces.push(piece),
        }
    }
}

/// A text that holds nothing but one `{{name.member}}`, as most do: what stands before, the name, and what stands behind. It means
/// what it says, and reads in a small part of the time that the parser would take.
fn around_a_name(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    let name = name.trim_matches(' ');
    let letters = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let (root, members) = name.split_once('.')?;
    let plain = letters(root) && members.split('.').all(letters) && !["this", "true", "false", "null", "undefined"].contains(&root);
    (plain && !text.contains('\\') && !after.contains("{{") && !after.starts_with('}')).then_some((before, name, after))
}

fn template(source: &str, part: Range<usize>) -> Result<Template, ParseError> {
    let text = source.get(part.clone()).unwrap_or_default();
    guarded(|| {
        Template::compile(text).map_err(|error| {
            let (line, column) = error.pos().unwrap_or((1, 1));
            let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
            let rest = text.get(start..).unwrap_or_default();
            let offset = start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
            ParseError { message: format!("this text cannot be read: {}", reason(&error)), offset: part.start + offset }
        })
    })
}

fn reason(error: &handlebars::TemplateError) -> String {
    use handlebars::TemplateErrorReason as Reason;
    match error.reason() {
        Reason::MismatchingClosedHelper(open, close) => format!("`{{{{#{open}}}}}` is closed by `{{{{/{close}}}}}`"),
        Reason::InvalidSyntax(_) => "a name, a helper with names, or a block is expected between `{{` and `}}`".to_owned(),
        other => other.to_string(),
    }
}

/// The names behind `as |…|` of an enclosing `#each`.
struct Block {
    item: Option<String>,
    index: Option<String>,
}

struct Compiler<'s> {
    source: &'s str,
    mustaches: Vec<Mustache>,
    /// The mustache that is being looked at, and how far into the source it was looked at.
    at: usize,
    cursor: usize,
    blocks: Vec<Block>,
}

impl<'s> Compiler<'s> {
    fn of(source: &'s str, mustaches: Vec<Mustache>) -> Compiler<'s> {
        Compiler { source, mustaches, at: 0, cursor: 0, blocks: Vec::new() }
    }

    fn part_of_source(&mut self, part: Range<usize>) -> Result<Vec<Piece>, ParseError> {
        match self.source.get(part.clone()).and_then(around_a_name) {
            Some((before, name, after)) => {
                let text = |text: &str| (!text.is_empty()).then(|| Piece::Text(text.to_owned()));
                let value = Piece::Value(self.name(name)?);
                Ok(text(before).into_iter().chain([value]).chain(text(after)).collect())
            }
            None => self.pieces(&template(self.source, part)?),
        }
    }

    /// The pieces come in the order of the source, so that the next place where `raw` stands inside a mustache is its own.
    fn locate(&mut self, raw: &str) -> usize {
        while let Some(Mustache { span, comment }) = self.mustaches.get(self.at) {
            let start = self.cursor.max(span.start);
            let inside = if *comment { "" } else { self.source.get(start..span.end).unwrap_or_default() };
            let found = inside.match_indices(raw).map(|(at, _)| start + at).find(|at| {
                let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.' || c == '@');
                let before = self.source.get(..*at).and_then(|text| text.chars().next_back());
                let after = self.source.get(at + raw.len()..).and_then(|text| text.chars().next());
                !word(before) && !word(after)
            });
            if let Some(found) = found {
                self.cursor = found + raw.len();
                return found;
            }
            self.at += 1;
        }
        self.at = 0;
        self.cursor
    }

    fn pieces(&mut self, template: &Template) -> Result<Vec<Piece>, ParseError> {
        let mut pieces = Vec::new();
        for element in &template.elements {
            match element {
                TemplateElement::RawString(text) if text.is_empty() => {}
                TemplateElement::RawString(text) => pieces.push(Piece::Text(text.clone())),
                TemplateElement::Comment(_) => {}
                TemplateElement::Expression(expression) => pieces.push(Piece::Value(self.mustache(expression)?)),
                TemplateElement::HelperBlock(block) => pieces.push(self.block(block)?),
                TemplateElement::HtmlExpression(_) => return Err(self.fault("raw output is not available; write `{{…}}`")),
                _ => return Err(self.fault("partials and decorators are not available")),
            }
        }
        Ok(pieces)
    }

    fn fault(&self, message: impl Into<String>) -> ParseError {
        ParseError { message: message.into(), offset: self.cursor }
    }

    fn mustache(&mut self, expression: &HelperTemplate) -> Result<Part, ParseError> {
        if expression.params.is_empty() && expression.hash.is_empty() {
            return self.part(&expression.name);
        }
        let name = self.helper_name(&expression.name)?;
        let offset = self.locate(&name);
        if !expression.hash.is_empty() {
            return Err(ParseError { message: format!("`{name}` takes no named arguments"), offset });
        }
        let Some((_, helper, count, usage)) = HELPERS.iter().find(|(known, ..)| *known == name) else {
            let known = HELPERS.iter().map(|(known, ..)| *known);
            let near = nearest(&name, known.clone()).map_or_else(
                || format!("there are `{}`", known.collect::<Vec<_>>().join("`, `")),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(ParseError { message: format!("there is no helper `{name}`; {near}"), offset });
        };
        if expression.params.len() != *count {
            return Err(ParseError { message: format!("`{name}` is used as `{{{{{usage}}}}}`"), offset });
        }
        let arguments = expression.params.iter().map(|parameter| self.part(parameter)).collect::<Result<_, _>>()?;
        Ok(Part::Call { helper: *helper, arguments, offset })
    }

    fn helper_name(&self, name: &Parameter) -> Result<String, ParseError> {
        name.as_name().map(str::to_owned).ok_or_else(|| self.fault("the name of a helper is missing"))
    }

    fn part(&mut self, parameter: &Parameter) -> Result<Part, ParseError> {
        match parameter {
            Parameter::Literal(json) => {
                Value::from_plain_json(json.clone()).map(Part::Literal).map_err(|error| self.fault(error.0))
            }
            Parameter::Subexpression(inner) => match inner.as_element() {
                TemplateElement::Expression(expression) => self.mustache(expression),
                _ => Err(self.fault("only a helper may stand in parentheses")),
            },
            Parameter::Name(raw) => self.name(raw),
            Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw))) => self.name(raw),
            _ => Err(self.fault("a name or a value is expected here")),
        }
    }

    fn name(&mut self, raw: &str) -> Result<Part, ParseError> {
        let offset = self.locate(raw);
        let fault = |message: String| Err(ParseError { message, offset });
        if raw.contains("..") || raw.starts_with("./") || raw.starts_with("@root") {
            return fault("names are looked up from the top everywhere; leave `../`, `./` and `@root` away".to_owned());
        }
        let each = self.blocks.len().checked_sub(1);
        if let Some(local) = raw.strip_prefix('@') {
            let of = match local {
                "index" => Local::Index,
                "key" => Local::Key,
                "first" => Local::First,
                "last" => Local::Last,
                _ => {
                    return fault(format!(
                        "there is no `@{local}`; inside `#each` there are `@index`, `@key`, `@first` and `@last`"
                    ));
                }
            };
            return match each {
                Some(each) => Ok(Part::Local { each, of, path: Vec::new(), offset }),
                None => fault(format!("`@{local}` stands only inside `#each`")),
            };
        }
        let mut path = segments(raw);
        if path.is_empty() || path.iter().any(String::is_empty) {
            return fault(format!("`{raw}` is not a name"));
        }
        let root = path.remove(0);
        if root == "this" {
            return match each {
                Some(each) => Ok(Part::Local { each, of: Local::Item, path, offset }),
                None => fault("`this` stands only inside `#each`".to_owned()),
            };
        }
        for (each, block) in self.blocks.iter().enumerate().rev() {
            for (name, of) in [(&block.item, Local::Item), (&block.index, Local::Index)] {
                if name.as_deref() == Some(root.as_str()) {
                    return Ok(Part::Local { each, of, path, offset });
                }
            }
        }
        path.insert(0, root);
        Ok(Part::Name(Reference { path, offset }))
    }

    fn block(&mut self, block: &HelperTemplate) -> Result<Piece, ParseError> {
        let name = self.helper_name(&block.name)?;
        if !["if", "unless", "each"].contains(&name.as_str()) {
            let near = nearest(&name, ["if", "unless", "each"]).unwrap_or("each");
            return Err(self
                .fault(format!("there is no block `#{name}`; there are `#if`, `#unless` and `#each` (did you mean `#{near}`?)")));
        }
        let [parameter] = block.params.as_slice() else {
            return Err(self.fault(format!("`#{name}` has one argument: `{{{{#{name} value}}}}`")));
        };
        if !block.hash.is_empty() {
            return Err(self.fault(format!("`#{name}` takes no named arguments")));
        }
        let argument = self.part(parameter)?;
        let empty = Template::new();
        let (body, otherwise) = (block.template.as_ref().unwrap_or(&empty), block.inverse.as_ref().unwrap_or(&empty));
        if name == "each" {
            let word = |parameter: &Parameter| parameter.as_name().map(str::to_owned);
            self.blocks.push(match &block.block_param {
                None => Block { item: None, index: None },
                Some(BlockParam::Single(item)) => Block { item: word(item), index: None },
                Some(BlockParam::Pair((item, index))) => Block { item: word(item), index: word(index) },
                Some(_) => return Err(self.fault("`#each list as |item|` names one item")),
            });
            let body = self.pieces(body)?;
            self.blocks.pop();
            return Ok(Piece::Each { list: argument, body, otherwise: self.pieces(otherwise)? });
        }
        if block.block_param.is_some() {
            return Err(self.fault(format!("`#{name}` names nothing; leave `as |…|` away")));
        }
        let (body, otherwise) = (self.pieces(body)?, self.pieces(otherwise)?);
        let (then, otherwise) = if name == "if" { (body, otherwise) } else { (otherwise, body) };
        Ok(Piece::If { condition: argument, then, otherwise })
    }
}

/// `a.b.[c d].0` by its dots (Handlebars also allows slashes).
fn segments(raw: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut bracket = false;
    for c in raw.chars() {
        match c {
            '[' if !bracket => bracket = true,
            ']' if bracket => bracket = false,
            '.' | '/' if !bracket => parts.push(String::new()),
            c => {
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts
}

/// Every name that the pieces mention, in the order of the source.
pub(super) fn references(pieces: &[Piece]) -> Vec<Reference> {
    let mut found = Vec::new();
    collect_pieces(pieces, &mut found);
    found.sort_by_key(|reference| reference.offset);
    found
}

/// Every name that has to have a value where it stands, since nothing is no text: without those that `default`, `#if` or `#each`
/// take care of.
pub(super) fn needed(pieces: &[Piece]) -> Vec<Reference> {
    let mut found = Vec::new();
    needed_pieces(pieces, &mut Vec::new(), &mut found);
    found
}

/// `asked` holds the names that have a value wherever these pieces are written.
fn needed_pieces(pieces: &[Piece], asked: &mut Vec<Vec<String>>, found: &mut Vec<Reference>) {
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Value(part) => needed_part(part, true, asked, found),
            Piece::If { condition, then, otherwise } => {
                needed_part(condition, false, asked, found);
                let negated = matches!(condition, Part::Call { helper: Helper::Not, .. });
                for (body, holds) in [(then, true), (otherwise, false)] {
                    let before = asked.len();
                    if holds != negated {
                        asked.extend(named_in(condition));
                    }
                    needed_pieces(body, asked, found);
                    asked.truncate(before);
                }
            }
            Piece::Each { list, body, otherwise } => {
                needed_part(list, false, asked, found);
                let before = asked.len();
                asked.extend(named_in(list));
                needed_pieces(body, asked, found);
                asked.truncate(before);
                needed_pieces(otherwise, asked, found);
            }
        }
    }
}

/// `written`: whether what the part gives is needed itself.
pub(super) fn needed_part(part: &Part, written: bool, asked: &[Vec<String>], found: &mut Vec<Reference>) {
    match part {
        Part::Name(reference) if written && !asked.contains(&reference.path) => found.push(reference.clone()),
        Part::Call { helper: Helper::Default, arguments, .. } => {
            for (place, argument) in arguments.iter().enumerate() {
                needed_part(argument, written && place > 0, asked, found);
            }
        }
        Part::Call { helper, arguments, .. } => {
            arguments.iter().for_each(|argument| needed_part(argument, !helper.takes_nothing(), asked, found));
        }
        Part::Name(_) | Part::Literal(_) | Part::Local { .. } => {}
    }
}

fn named_in(part: &Part) -> impl Iterator<Item = Vec<String>> {
    let mut found = Vec::new();
    collect_part(part, &mut found);
    found.into_iter().map(|reference| reference.path)
}

fn collect_pieces(pieces: &[Piece], found: &mut Vec<Reference>) {
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Value(part) => collect_part(part, found),
            Piece::If { condition: part, then: a, otherwise: b } | Piece::Each { list: part, body: a, otherwise: b } => {
                collect_part(part, found);
                collect_pieces(a, found);
                collect_pieces(b, found);
            }
        }
    }
}

pub(super) fn collect_part(part: &Part, found: &mut Vec<Reference>) {
    match part {
        Part::Name(reference) => found.push(reference.clone()),
        Part::Call { arguments, .. } => arguments.iter().for_each(|argument| collect_part(argument, found)),
        Part::Literal(_) | Part::Local { .. } => {}
    }
}
