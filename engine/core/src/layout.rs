//! A document in its canonical form: keys in the order of the vocabulary, two spaces of indentation, each comment where it was.
//!
//! What is written says exactly what was read: values, anchors and comments are held against the original before anything is
//! handed out, and a difference is an error. Values keep the style they were written in; only a flow collection of several lines
//! becomes a block. Maps of ours are put in order, unless an anchor or alias stands in them; names that the author chose stay as
//! they are. Laying out twice is the same as once.

mod read;
mod write;

use std::borrow::Cow;

use crate::diagnostic::{Code, Diagnostics, Source, Span};
use crate::document::decode::Reading;
use crate::document::{Node, NodeKind, yaml};
use crate::limits;
use crate::markdown::quoted;

/// Why a document is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum Unlaid {
    /// It cannot be read as YAML.
    #[error("it cannot be read")]
    Unread(Diagnostics),
    #[error("it is no document of runbook's")]
    Foreign,
    /// It is written in a way that cannot be kept.
    #[error("{0}")]
    Unkept(&'static str),
}

/// A document in its canonical form.
#[derive(Debug)]
pub struct Laid {
    pub text: String,
    pub left: Vec<LeftOrder>,
}

/// A map whose keys are not in canonical order, because an anchor or alias stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOrder {
    /// Where it began in what was read, from 1.
    pub line: usize,
    /// `&name` or `*name`, the first of them.
    pub bound: String,
}

impl std::fmt::Display for LeftOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bound = quoted(&self.bound);
        write!(
            f,
            "the order of these keys is left as it is, because {bound} stands among them; without it they can be put in order"
        )
    }
}

/// The text of a document in its canonical form.
pub fn lay_out(source: &Source) -> Result<String, Unlaid> {
    laid_out(source).map(|laid| laid.text)
}

/// A document in its canonical form, with what of it has another order.
pub fn laid_out(source: &Source) -> Result<Laid, Unlaid> {
    let text = &*source.text;
    let crlf = text.split_once('\n').is_some_and(|(line, _)| line.ends_with('\r'));
    let (mark, body) = text.strip_prefix('\u{feff}').map_or(("", text), |body| ("\u{feff}", body));
    let body = if body.contains('\r') { Cow::Owned(body.replace("\r\n", "\n")) } else { Cow::Borrowed(body) };
    let plain = Source::new(source.name.clone(), &*body);
    let tree = parsed(&plain).map_err(|found| match body.len() == text.len() {
        true => Unlaid::Unread(found),
        // Of the text as it stands, so that places are right.
        false => Unlaid::Unread(parsed(source).err().unwrap_or(found)),
    })?;
    if text_of(&tree, "apiVersion").is_none_or(|version| !version.starts_with("runbook")) {
        return Err(Unlaid::Foreign);
    }
    let page = read::page(&plain.text).ok_or(Unlaid::Unkept("its comments cannot be told from its values"))?;
    let (written, left) = write::page(&page, text_of(&tree, "kind")).map_err(Unlaid::Unkept)?;
    // They come in the order of the text, of which each key is a part.
    let (mut counted, mut lines) = (0, 1);
    let mut line = |key: &str| {
        let before = (key.as_ptr() as usize).saturating_sub(plain.text.as_ptr() as usize);
        lines += plain.text.get(counted..before).map_or(0, |between| between.matches('\n').count());
        counted = counted.max(before);
        lines
    };
    let left = left.iter().map(|left| LeftOrder { line: line(left.key), bound: left.bound.to_owned() }).collect();
    let again = Source::new(source.name.clone(), &*written);
    let same = parsed(&again).is_ok_and(|other| says_the_same(&tree, &other))
        && read::page(&written).is_some_and(|other| page.comments() == other.comments());
    if !same {
        return Err(Unlaid::Unkept("laid out it would say something else"));
    }
    let written = if crlf { written.replace('\n', "\r\n") } else { written };
    Ok(Laid { text: format!("{mark}{written}"), left })
}

/// The tree of a text without any fault of YAML.
fn parsed(source: &Source) -> Result<Node, Diagnostics> {
    let reading = Reading::new(source);
    let mut root = None;
    if source.text.len() <= limits::DOCUMENT_BYTES {
        yaml::scan(&reading);
        root = yaml::parse(&reading);
    } else {
        reading.fault(Code::RB0003, Span::default(), "the file is too large");
    }
    let found = reading.into_diagnostics();
    root.filter(|_| !found.has_errors()).ok_or(found)
}

fn text_of<'n>(root: &'n Node, key: &str) -> Option<&'n str> {
    let NodeKind::Map(entries) = &root.kind else { return None };
    let (_, value) = entries.iter().find(|(name, _)| name.value == key)?;
    value.scalar().map(|value| value.value.as_str())
}

/// Whether two trees differ in no value; only the order of keys may be another.
pub(crate) fn says_the_same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (NodeKind::Map(a), NodeKind::Map(b)) => {
            // Where no key was moved, which is nearly everywhere, each stands in its place.
            a.len() == b.len()
                && a.iter().enumerate().all(|(place, (key, value))| {
                    let other = b.get(place).filter(|(other, _)| other.value == key.value);
                    let other = other.or_else(|| b.iter().find(|(other, _)| other.value == key.value));
                    other.is_some_and(|(_, other)| says_the_same(value, other))
                })
        }
        (NodeKind::List(a), NodeKind::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| says_the_same(a, b)),
        (NodeKind::Null, NodeKind::Null) => true,
        (a_kind, b_kind) => {
            std::mem::discriminant(a_kind) == std::mem::discriminant(b_kind)
                && a.scalar().zip(b.scalar()).is_some_and(|(a, b)| a.value == b.value && a.style == b.style)
        }
    }
}

#[cfg(test)]
mod tests;
