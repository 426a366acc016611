//! What was read → the canonical text.

use super::read::{Beside, Body, Collection, Entry, Line, Page, Part};
use crate::vocabulary::{self, Form, Type};

/// By how much what stands inside something is indented.
const STEP: usize = 2;

type Result<T = ()> = std::result::Result<T, &'static str>;

/// A map whose keys stay in the order in which they were written.
pub(super) struct Left<'t> {
    /// Its first key.
    pub key: &'t str,
    /// The first anchor or alias in it.
    pub bound: &'t str,
}

pub(super) fn page<'t>(page: &Page<'t>, kind: Option<&str>) -> Result<(String, Vec<Left<'t>>)> {
    let mut writer = Writer { out: String::new(), kept: false, left: Vec::new() };
    for (n, line) in page.head.iter().enumerate() {
        writer.line(line, 0, n == 0);
    }
    if !page.head.is_empty() && page.apart {
        writer.out.push('\n');
    }
    match &page.root.body {
        Body::Map(collection) if page.root.anchor.is_empty() => {
            writer.entries(collection, true, Some(vocabulary::of_kind(kind)), 0, false)?;
        }
        _ => return Err("a document is a map"),
    }
    Ok((writer.out, writer.left))
}

struct Writer<'t> {
    out: String,
    /// Whether what was written last would take an empty line behind it for its own.
    kept: bool,
    left: Vec<Left<'t>>,
}

impl<'t> Writer<'t> {
    fn indent(&mut self, by: usize) {
        self.out.extend(std::iter::repeat_n(' ', by));
    }

    fn apart(&mut self) {
        if !self.kept {
            self.out.push('\n');
        }
    }

    fn line(&mut self, line: &Line, indent: usize, first: bool) {
        if line.apart && !first {
            self.apart();
        }
        self.kept = false;
        self.indent(indent);
        self.out.push_str(line.text);
        self.out.push('\n');
    }

    fn beside(&mut self, comment: Option<&Beside>) {
        if let Some(comment) = comment {
            self.indent(comment.spaces);
            self.out.push_str(comment.text);
        }
    }

    fn end(&mut self, comment: Option<&Beside>) {
        self.beside(comment);
        self.out.push('\n');
        self.kept = false;
    }

    /// The entries of a collection, each on lines of its own. With `begun`, the line on which the first one stands has been begun, and
    /// the comments before it have been written.
    fn entries(
        &mut self,
        collection: &Collection<'t>,
        is_map: bool,
        of: Option<&'static Type>,
        indent: usize,
        begun: bool,
    ) -> Result {
        self.left.extend(left(collection, of));
        for (n, entry) in ordered(collection, of).into_iter().enumerate() {
            let begun = begun && n == 0;
            if !begun {
                for (m, line) in entry.lead.iter().enumerate() {
                    self.line(line, indent, n == 0 && m == 0);
                }
                if !is_map {
                    self.first_lines(
                        &entry.value,
                        of.and_then(Type::item),
                        indent,
                        n == 0 && entry.lead.is_empty() && !entry.apart,
                    );
                }
                if entry.apart && (n > 0 || !entry.lead.is_empty()) {
                    self.apart();
                }
                self.kept = false;
                self.indent(indent);
            }
            match &entry.key {
                Some(key) => self.key(key)?,
                None => self.out.push('-'),
            }
            self.value(&entry.value, of_entry(entry, of), indent, !is_map)?;
        }
        for line in &collection.foot {
            self.line(line, indent, false);
        }
        Ok(())
    }

    /// The comments before the first entry of what begins on the line of its `-`: they stand above it.
    fn first_lines(&mut self, part: &Part<'t>, of: Option<&'static Type>, indent: usize, mut first: bool) {
        let (Body::List(collection) | Body::Map(collection)) = &part.body else { return };
        if !part.is_compact() {
            return;
        }
        if let Some(entry) = ordered(collection, of.map(|of| of.of(form(&part.body)))).first() {
            for line in &entry.lead {
                self.line(line, indent, first);
                first = false;
            }
            if entry.key.is_none() {
                self.first_lines(&entry.value, of.and_then(Type::item), indent, first);
            }
        }
    }

    fn key(&mut self, key: &Part<'t>) -> Result {
        if !key.anchor.is_empty() {
            self.out.push_str(key.anchor);
            self.out.push(' ');
        }
        match &key.body {
            Body::Scalar(text) if text.contains('\n') => return Err("a key stands on several lines"),
            Body::Scalar(text) => self.out.push_str(text),
            // Without the blank the colon would be part of the name.
            Body::Alias(text) => self.out.extend([*text, " "]),
            _ => return Err("a key is no text"),
        }
        self.out.push(':');
        Ok(())
    }

    /// What stands behind a key or a `-`, to the end of its last line.
    fn value(&mut self, part: &Part<'t>, of: Option<&'static Type>, indent: usize, is_item: bool) -> Result {
        let of = of.map(|of| of.of(form(&part.body)));
        if !part.anchor.is_empty() {
            self.out.extend([" ", part.anchor]);
        }
        match &part.body {
            Body::Absent => self.end(part.closing.as_ref()),
            Body::Alias(text) => {
                self.out.extend([" ", text]);
                self.end(part.closing.as_ref());
            }
            Body::Scalar(text) => {
                for (n, line) in text.split('\n').enumerate() {
                    if n == 0 {
                        self.out.push(' ');
                        self.out.push_str(line);
                    } else {
                        self.out.push('\n');
                        let line = line.trim_start_matches([' ', '\t']);
                        self.indent(if line.is_empty() { 0 } else { indent + STEP });
                        self.out.push_str(line);
                    }
                }
                self.end(part.closing.as_ref());
            }
            Body::Block(block) => {
                self.out.push(' ');
                self.out.push(block.sign);
                if block.stated {
                    self.out.push('2');
                }
                self.out.push_str(block.chomping);
                self.end(part.opening.as_ref());
                for line in &block.lines {
                    self.indent(if line.is_empty() { 0 } else { indent + STEP });
                    self.out.push_str(line);
                    self.out.push('\n');
                }
                self.kept = block.chomping == "+";
            }
            Body::List(collection) | Body::Map(collection) if collection.is_inline() => {
                self.out.push(' ');
                self.flow(part, of)?;
                self.end(part.closing.as_ref());
            }
            Body::List(collection) | Body::Map(collection) => {
                if collection.entries.is_empty() {
                    return Err("brackets hold nothing but comments");
                }
                let is_map = matches!(part.body, Body::Map(_));
                if is_item && part.is_compact() {
                    self.out.push(' ');
                    self.entries(collection, is_map, of, indent + STEP, true)?;
                } else {
                    // Of brackets that become a block, the comment behind the last one comes first.
                    self.beside(part.opening.as_ref());
                    self.end(part.closing.as_ref());
                    self.entries(collection, is_map, of, indent + STEP, false)?;
                }
            }
        }
        Ok(())
    }

    /// A value on one line.
    fn flow(&mut self, part: &Part<'t>, of: Option<&'static Type>) -> Result {
        let (collection, is_map) = match &part.body {
            Body::Absent => return Ok(()),
            Body::Alias(text) | Body::Scalar(text) => {
                self.out.push_str(text);
                return Ok(());
            }
            Body::Block(_) => return Err("a block stands in brackets"),
            Body::List(collection) => (collection, false),
            Body::Map(collection) => (collection, true),
        };
        self.left.extend(left(collection, of));
        self.out.push(if is_map { '{' } else { '[' });
        for (n, entry) in ordered(collection, of).into_iter().enumerate() {
            if n > 0 {
                self.out.push_str(", ");
            }
            if let Some(key) = &entry.key {
                self.key(key)?;
                self.out.push(' ');
            }
            if !entry.value.anchor.is_empty() {
                self.out.extend([entry.value.anchor, " "]);
            }
            self.flow(&entry.value, of_entry(entry, of).map(|of| of.of(form(&entry.value.body))))?;
        }
        self.out.push(if is_map { '}' } else { ']' });
        Ok(())
    }
}

impl<'t> Part<'t> {
    /// Whether it may begin on the line of its `-`.
    fn is_compact(&self) -> bool {
        let collection = matches!(&self.body, Body::List(collection) | Body::Map(collection) if !collection.is_inline());
        collection && self.anchor.is_empty() && self.opening.is_none() && self.closing.is_none()
    }

    /// The first anchor or alias in it: with one, the order of what is around it matters.
    fn bound(&self) -> Option<&'t str> {
        match &self.body {
            _ if !self.anchor.is_empty() => Some(self.anchor),
            Body::Alias(alias) => Some(alias),
            Body::List(collection) | Body::Map(collection) => collection.entries.iter().find_map(Entry::bound),
            _ => None,
        }
    }
}

impl<'t> Entry<'t> {
    fn bound(&self) -> Option<&'t str> {
        self.key.as_ref().and_then(Part::bound).or_else(|| self.value.bound())
    }

    fn name(&self) -> &str {
        match self.key.as_ref().map(|key| &key.body) {
            Some(Body::Scalar(text)) => text.trim_matches(['"', '\'']),
            _ => "",
        }
    }
}

impl Collection<'_> {
    /// Whether it is written in brackets on one line.
    fn is_inline(&self) -> bool {
        self.inline || (self.entries.is_empty() && self.foot.is_empty())
    }
}

fn form(body: &Body) -> Form {
    match body {
        Body::List(_) => Form::List,
        Body::Map(_) => Form::Map,
        _ => Form::Scalar,
    }
}

fn of_entry(entry: &Entry, of: Option<&'static Type>) -> Option<&'static Type> {
    match &entry.key {
        Some(_) => of?.member(entry.name()),
        None => of?.item(),
    }
}

/// The entries in their canonical order.
fn ordered<'p, 't>(collection: &'p Collection<'t>, of: Option<&'static Type>) -> Vec<&'p Entry<'t>> {
    match collection.entries.iter().any(|entry| entry.bound().is_some()) {
        true => collection.entries.iter().collect(),
        false => sorted(collection, of),
    }
}

fn sorted<'p, 't>(collection: &'p Collection<'t>, of: Option<&'static Type>) -> Vec<&'p Entry<'t>> {
    let mut entries: Vec<&Entry> = collection.entries.iter().collect();
    if let Some(shape) = of.and_then(Type::shape) {
        entries.sort_by_key(|entry| shape.rank(entry.name()));
    }
    entries
}

/// Of a map that would be in another order, were nothing bound in it.
fn left<'t>(collection: &Collection<'t>, of: Option<&'static Type>) -> Option<Left<'t>> {
    let bound = collection.entries.iter().find_map(Entry::bound)?;
    let moved = sorted(collection, of).into_iter().zip(&collection.entries).any(|(one, other)| !std::ptr::eq(one, other));
    let first = collection.entries.iter().find_map(|entry| match &entry.key.as_ref()?.body {
        Body::Scalar(key) => Some(*key),
        _ => None,
    });
    first.filter(|_| moved).map(|key| Left { key, bound })
}
