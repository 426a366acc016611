//! One map of a document: keys are taken by name, and whatever was not taken is reported as unknown.

use std::str::FromStr;
use std::time::Duration;

use super::{Reading, scalar};
use crate::diagnostic::{Code, Span, Spanned, nearest};
use crate::document::{Node, NodeKind, Scalar};
use crate::id::Id;

/// A map while it is read. Call [`Fields::finish`] when every key that may stand in it has been asked for.
pub(crate) struct Fields<'a> {
    pub(crate) reading: &'a Reading<'a>,
    /// What the map describes, with its article: `a step`.
    what: &'static str,
    span: Span,
    entries: &'a [(Scalar, Node)],
    taken: Vec<bool>,
    known: Vec<&'static str>,
}

/// Keys of a map that are still listed in a message.
const LISTED_KEYS: usize = 12;

/// What other tools call the keys of a step.
const OTHER_NAMES: [(&str, &str); 23] = [
    ("when", "if"),
    ("condition", "if"),
    ("script", "run"),
    ("cmd", "run"),
    ("command", "exec"),
    ("args", "exec"),
    ("environment", "env"),
    ("vars", "set"),
    ("assert", "check"),
    ("loop", "each"),
    ("foreach", "each"),
    ("switch", "choose"),
    ("retries", "retry"),
    ("rollback", "undo"),
    ("cwd", "dir"),
    ("working_directory", "dir"),
    ("description", "why"),
    ("prompt", "ask"),
    ("if", "when"),
    ("sleep", "wait"),
    ("on_error", "on_failure"),
    ("parameters", "inputs"),
    ("params", "inputs"),
];

/// The key that a misspelt one, or one of another tool, was likely meant to be.
pub(super) fn meant<'k>(key: &str, known: impl Iterator<Item = &'k str> + Clone) -> Option<&'k str> {
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == key);
    let other = other.and_then(|(_, ours)| known.clone().find(|known| known == ours));
    other.or_else(|| nearest(key, known))
}

impl<'a> Fields<'a> {
    /// The fields of a map; anything else is reported.
    pub(crate) fn of(reading: &'a Reading<'a>, node: &'a Node, what: &'static str) -> Option<Fields<'a>> {
        let NodeKind::Map(entries) = &node.kind else {
            scalar::wrong_type(reading, node, &format!("{what} is a map, not {}", node.describe()));
            return None;
        };
        Some(Fields { reading, what, span: node.span, entries, taken: vec![false; entries.len()], known: Vec::new() })
    }

    /// Marks a key as read under another name: it was reported as the misspelling of that one.
    pub(super) fn take_as_meant(&mut self, key: &Scalar) {
        if let Some(place) = self.entries.iter().position(|(name, _)| name.span == key.span)
            && let Some(taken) = self.taken.get_mut(place)
        {
            *taken = true;
        }
    }

    /// What the map turned out to describe, with its article.
    pub(crate) fn describe(&mut self, what: &'static str) {
        self.what = what;
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// The place that stands for the whole map in a message: its first key.
    pub(crate) fn head(&self) -> Span {
        self.entries.first().map_or(self.span, |(key, _)| key.span)
    }

    /// The key and value of an entry, and from now on the key is known. The value may be nothing.
    pub(crate) fn entry(&mut self, key: &'static str) -> Option<(&'a Scalar, &'a Node)> {
        self.known.push(key);
        let place = self.entries.iter().position(|(name, _)| name.value == key)?;
        if let Some(taken) = self.taken.get_mut(place) {
            *taken = true;
        }
        self.entries.get(place).map(|(name, node)| (name, node))
    }

    /// The value of a key; a key that stands there without a value is reported.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        let (name, node) = self.entry(key)?;
        if matches!(node.kind, NodeKind::Null) {
            if self.reading.is_whole(node.span) && !self.reading.is_doubtful(node.span) {
                let diagnostic = self.reading.diagnostic(Code::RB0019, name.span, format!("`{key}` has no value"));
                self.reading.report(diagnostic.help(format!("give it one, or remove `{key}`")));
            }
            return None;
        }
        Some(node)
    }

    /// The value of a key that must be there.
    pub(crate) fn require(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.entries.iter().any(|(name, _)| name.value == key) {
            self.known.push(key);
            self.missing(key);
            return None;
        }
        self.take(key)
    }

    /// Reports that a key is not there.
    pub(crate) fn missing(&self, key: &str) {
        if self.reading.is_whole(self.span) {
            let diagnostic = self.reading.diagnostic(Code::RB0011, self.head(), format!("{} has no `{key}`", self.what));
            self.reading.report(diagnostic.help(format!("add `{key}`")));
        }
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.value == key)
    }

    /// Every key as it was written, taken or not.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a Scalar> + use<'a> {
        self.entries.iter().map(|(name, _)| name)
    }

    pub(crate) fn map(&mut self, key: &'static str, what: &'static str) -> Option<Fields<'a>> {
        let node = self.take(key)?;
        Fields::of(self.reading, node, what)
    }

    /// The items of a list.
    pub(crate) fn list(&mut self, key: &'static str) -> Option<&'a [Node]> {
        let node = self.take(key)?;
        self.as_list(key, node)
    }

    pub(crate) fn as_list(&self, key: &str, node: &'a Node) -> Option<&'a [Node]> {
        let NodeKind::List(items) = &node.kind else {
            scalar::wrong_type(self.reading, node, &format!("`{key}` is a list, not {}", node.describe()));
            return None;
        };
        Some(items)
    }

    /// The entries of a map whose keys the author chooses.
    pub(crate) fn entries(&mut self, key: &'static str) -> &'a [(Scalar, Node)] {
        let Some(node) = self.take(key) else { return &[] };
        let NodeKind::Map(entries) = &node.kind else {
            scalar::wrong_type(self.reading, node, &format!("`{key}` is a map, not {}", node.describe()));
            return &[];
        };
        entries
    }

    /// Text: any scalar, as it was written.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<Scalar> {
        let node = self.take(key)?;
        scalar::text(self.reading, node, key)
    }

    pub(crate) fn require_text(&mut self, key: &'static str) -> Option<Scalar> {
        let node = self.require(key)?;
        scalar::text(self.reading, node, key)
    }

    /// A text or a list of texts, which names something.
    pub(crate) fn some_texts(&mut self, key: &'static str) -> Vec<Scalar> {
        let place = self
            .entries
            .iter()
            .find(|(name, node)| name.value == key && matches!(&node.kind, NodeKind::List(items) if items.is_empty()));
        if let Some((name, _)) = place {
            let fault = self.reading.diagnostic(Code::RB0019, name.span, format!("`{key}` names nothing"));
            self.reading.report(fault.help(format!("name at least one, or remove `{key}`")));
        }
        self.texts(key)
    }

    /// A text or a list of texts.
    pub(crate) fn texts(&mut self, key: &'static str) -> Vec<Scalar> {
        let Some(node) = self.take(key) else { return Vec::new() };
        match &node.kind {
            NodeKind::List(items) => items.iter().filter_map(|item| scalar::text(self.reading, item, key)).collect(),
            _ => scalar::text(self.reading, node, key).into_iter().collect(),
        }
    }

    pub(crate) fn expression(&mut self, key: &'static str) -> Option<Scalar> {
        let node = self.take(key)?;
        scalar::expression(self.reading, node, key)
    }

    /// Name → expression, the names being identifiers.
    pub(crate) fn expressions(&mut self, key: &'static str) -> Vec<(Spanned<Id>, Scalar)> {
        let reading = self.reading;
        self.entries(key)
            .iter()
            .filter_map(|(name, node)| {
                let id = scalar::parsed::<Id>(reading, name);
                let value = scalar::expression(reading, node, &name.value);
                Some((id?, value?))
            })
            .collect()
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<Spanned<bool>> {
        let node = self.take(key)?;
        scalar::boolean(self.reading, node, key)
    }

    pub(crate) fn duration(&mut self, key: &'static str) -> Option<Spanned<Duration>> {
        let node = self.take(key)?;
        scalar::duration(self.reading, node, key)
    }

    /// A duration that is longer than nothing.
    pub(crate) fn period(&mut self, key: &'static str) -> Option<Spanned<Duration>> {
        let period = self.duration(key)?;
        if period.value.is_zero() {
            let fault = self.reading.diagnostic(Code::RB0018, period.span, format!("`{key}` is no time at all"));
            self.reading.report(fault.help(format!("write a longer one, or remove `{key}`")));
            return None;
        }
        Some(period)
    }

    /// A whole number of at least `least` and at most `most`.
    pub(crate) fn count(&mut self, key: &'static str, least: u32, most: u32) -> Option<Spanned<u32>> {
        let node = self.take(key)?;
        scalar::count(self.reading, node, key, least, most)
    }

    /// A number between two bounds, both allowed.
    pub(crate) fn number(&mut self, key: &'static str, least: f64, most: f64) -> Option<Spanned<f64>> {
        let node = self.take(key)?;
        scalar::number(self.reading, node, key, least, most)
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&'static str, T)]) -> Option<Spanned<T>> {
        let node = self.take(key)?;
        scalar::word(self.reading, node, key, words)
    }

    /// A text of a type that says itself what is wrong with it: an id, a procedure name.
    pub(crate) fn parsed<T>(&mut self, key: &'static str) -> Option<Spanned<T>>
    where
        T: FromStr<Err = crate::id::InvalidId>,
    {
        let text = self.text(key)?;
        scalar::parsed(self.reading, &text)
    }

    /// Reports that two keys of this map exclude each other.
    pub(crate) fn exclude(&self, first: &Scalar, second: &Scalar) {
        self.reading.report(
            self.reading
                .diagnostic(
                    Code::RB0023,
                    second.span,
                    format!("{} has `{}` or `{}`, not both", self.what, first.value, second.value),
                )
                .label(first.span, format!("`{}` stands here", first.value))
                .help(format!("keep one of them in {}", self.what)),
        );
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(self) {
        #[cfg(test)]
        super::asked::map(self.what, &self.known);
        for ((key, _), taken) in self.entries.iter().zip(&self.taken) {
            if *taken || self.reading.is_full() {
                continue;
            }
            let shown = key.value.chars().take(crate::limits::ID_BYTES).collect::<String>();
            let mut diagnostic =
                self.reading.diagnostic(Code::RB0010, key.span, format!("{} has no key `{}`", self.what, shown.escape_debug()));
            let free = self.known.iter().copied().filter(|known| !self.has(known));
            diagnostic = match meant(&key.value, free) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")).replace(key.span, near),
                None => {
                    let mut known = self.known.clone();
                    known.sort_unstable();
                    known.dedup();
                    diagnostic.help(if known.len() <= LISTED_KEYS {
                        format!("the keys of {} are {}", self.what, scalar::listed(&known))
                    } else {
                        format!("remove it; the reference of the format lists the keys of {}", self.what)
                    })
                }
            };
            self.reading.report(diagnostic);
        }
    }
}
