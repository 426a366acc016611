//! A text → what has to be kept of it: the tree as it was written, with the comments and empty lines at each place.

use std::collections::VecDeque;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use crate::limits;

/// A whole file.
pub(super) struct Page<'t> {
    /// Comments before the first key: they stay at the top.
    pub head: Vec<Line<'t>>,
    /// Whether an empty line follows them.
    pub apart: bool,
    pub root: Part<'t>,
}

/// A comment on a line of its own.
#[derive(Clone, Copy)]
pub(super) struct Line<'t> {
    /// Whether an empty line stands before it.
    pub apart: bool,
    pub text: &'t str,
}

/// A value as it was written.
pub(super) struct Part<'t> {
    /// `&name`, or nothing.
    pub anchor: &'t str,
    pub body: Body<'t>,
    /// A comment on the line on which the value begins, where its content stands on later lines: behind `key:`, `-` or `|`.
    pub opening: Option<Beside<'t>>,
    /// A comment behind the value, on the line on which it ends.
    pub closing: Option<Beside<'t>>,
}

/// A comment behind something, and how far behind.
#[derive(Clone, Copy)]
pub(super) struct Beside<'t> {
    pub spaces: usize,
    pub text: &'t str,
}

pub(super) enum Body<'t> {
    Absent,
    Alias(&'t str),
    /// A plain or quoted scalar, in one or several lines.
    Scalar(&'t str),
    /// A block scalar.
    Block(Block<'t>),
    List(Collection<'t>),
    Map(Collection<'t>),
}

pub(super) struct Block<'t> {
    pub sign: char,
    /// Whether the indentation is stated.
    pub stated: bool,
    /// `+`, `-` or nothing.
    pub chomping: &'t str,
    /// Its lines without their indentation.
    pub lines: Vec<&'t str>,
}

pub(super) struct Collection<'t> {
    /// On one line, in brackets.
    pub inline: bool,
    pub entries: Vec<Entry<'t>>,
    /// Comments behind the last entry that stand as far to the right as the entries.
    pub foot: Vec<Line<'t>>,
}

/// An item of a list, or a key and its value.
pub(super) struct Entry<'t> {
    pub lead: Vec<Line<'t>>,
    /// Whether an empty line stands before it, behind its comments.
    pub apart: bool,
    pub key: Option<Part<'t>>,
    pub value: Part<'t>,
}

impl Page<'_> {
    /// Every comment, in the order of the texts.
    pub fn comments(&self) -> Vec<&str> {
        let mut found: Vec<&str> = self.head.iter().map(|line| line.text).collect();
        gather(&self.root, &mut found);
        found.sort_unstable();
        found
    }
}

fn gather<'p>(part: &'p Part, found: &mut Vec<&'p str>) {
    found.extend(part.opening.iter().chain(&part.closing).map(|beside| beside.text));
    let (Body::List(collection) | Body::Map(collection)) = &part.body else { return };
    for entry in &collection.entries {
        found.extend(entry.lead.iter().map(|line| line.text));
        entry.key.iter().for_each(|key| gather(key, found));
        gather(&entry.value, found);
    }
    found.extend(collection.foot.iter().map(|line| line.text));
}

/// Reads a text that is known to be right. Nothing where it cannot be followed.
pub(super) fn page(text: &str) -> Option<Page<'_>> {
    let options = granit_parser::options! {
        emit_comments: true,
        emit_anchor_events: true,
        max_buffered_comment_events: limits::DOCUMENT_BYTES,
        flow_nesting_limit: limits::DOCUMENT_DEPTH,
        block_nesting_limit: limits::DOCUMENT_DEPTH,
    };
    let mut comments = Vec::new();
    let mut events: VecDeque<Seen> = VecDeque::new();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, place) = next.ok()?;
        let range = place.byte_range()?;
        match event {
            Event::Comment(..) => comments.push((range.start, text.get(range)?.trim_end())),
            Event::Anchor(..) => events.back_mut()?.anchor = text.get(range)?,
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event => events.push_back(Seen { event, start: range.start, end: range.end, anchor: "" }),
        }
    }
    comments.sort_unstable_by_key(|(start, _)| *start);
    let count = comments.len();
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut reader = Reader { text, lines: starts, comments: comments.into(), events, last: 0, kept: 0 };
    let first = reader.events.front()?.start;
    let head = reader.take(|_, at| at < first);
    let apart = reader.is_apart(first);
    let mut root = reader.part(None)?;
    let rest = reader.take(|_, _| true);
    if let Body::List(collection) | Body::Map(collection) = &mut root.body {
        collection.foot.extend(rest);
    }
    let page = Page { head, apart, root };
    (page.comments().len() == count).then_some(page)
}

struct Seen<'t> {
    event: Event<'t>,
    start: usize,
    end: usize,
    anchor: &'t str,
}

struct Reader<'t> {
    text: &'t str,
    /// Where its lines begin.
    lines: Vec<usize>,
    /// Where each begins, and its text: those that belong to nothing yet, in the order of the file.
    comments: VecDeque<(usize, &'t str)>,
    events: VecDeque<Seen<'t>>,
    /// Where the last value or key ended.
    last: usize,
    /// Up to where empty lines belong to a text.
    kept: usize,
}

impl<'t> Reader<'t> {
    /// The number of the line that a place stands on, and where it begins.
    fn line(&self, at: usize) -> (usize, usize) {
        let number = self.lines.partition_point(|start| *start <= at).saturating_sub(1);
        (number, self.lines.get(number).copied().unwrap_or_default())
    }

    /// What stands before a place on its line.
    fn before(&self, at: usize) -> &'t str {
        self.text.get(self.line(at).1..at).unwrap_or_default()
    }

    /// Whether nothing else stands before it on its line.
    fn is_own(&self, at: usize) -> bool {
        self.before(at).trim().is_empty()
    }

    /// Whether an empty line stands right above the line of `at`, which belongs to no text.
    fn is_apart(&self, at: usize) -> bool {
        let (number, start) = self.line(at);
        let above = number.checked_sub(1).and_then(|above| self.text.get(self.lines.get(above).copied()?..start));
        start > self.kept && above.is_some_and(|above| above.trim().is_empty())
    }

    /// Takes comments from the front, as lines of their own, as long as they are `wanted`.
    fn take(&mut self, wanted: impl Fn(&Self, usize) -> bool) -> Vec<Line<'t>> {
        let mut lines = Vec::new();
        while let Some((at, text)) = self.comments.front().copied().filter(|(at, _)| wanted(self, *at)) {
            self.comments.pop_front();
            lines.push(Line { apart: self.is_own(at) && self.is_apart(at), text });
        }
        lines
    }

    /// Takes the comment that stands before `until` on the line of `from`, behind something.
    fn beside(&mut self, from: usize, until: usize) -> Option<Beside<'t>> {
        let (at, text) = self.comments.front().copied().filter(|(at, _)| *at < until)?;
        if self.is_own(at) || self.text.get(from..at)?.contains('\n') {
            return None;
        }
        self.comments.pop_front();
        let spaces = self.before(at).bytes().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
        Some(Beside { spaces: spaces.max(1), text })
    }

    /// Where the next thing begins.
    fn next(&self) -> usize {
        self.events.front().map_or(self.text.len() + 1, |seen| seen.start)
    }

    /// Reads the value that comes next; `column` is that of the map it stands in.
    fn part(&mut self, column: Option<usize>) -> Option<Part<'t>> {
        let Seen { event, start, end, anchor } = self.events.pop_front()?;
        let mut opening = None;
        let body = match event {
            Event::Alias(_) => Body::Alias(self.text.get(start..end)?),
            Event::Scalar(_, style, ..) if style == ScalarStyle::Plain && start == end => Body::Absent,
            Event::Scalar(value, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                let block = self.block(&value, start, end)?;
                let first = self.text.get(self.last..)?.find('\n').map_or(self.text.len(), |n| self.last + n);
                opening = self.beside(self.last, first);
                self.last = end;
                self.kept = if block.chomping == "+" { end } else { self.kept };
                return Some(Part { anchor, body: Body::Block(block), opening, closing: None });
            }
            Event::Scalar(..) => Body::Scalar(self.text.get(start..end)?),
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                let is_map = matches!(event, Event::MappingStart(..));
                if style == StructureStyle::Block {
                    opening = self.beside(self.last, start);
                    let collection = self.block_collection(start, column, is_map)?;
                    return Some(Part { anchor, body: body_of(collection, is_map), opening, closing: None });
                }
                let mut collection = self.entries(is_map, None)?;
                let over = self.events.pop_front()?;
                collection.foot = self.take(|_, at| at < over.end);
                self.last = self.last.max(over.end);
                collection.inline = !self.text.get(start..over.end)?.contains('\n');
                body_of(collection, is_map)
            }
            _ => return None,
        };
        if !matches!(body, Body::Absent | Body::List(_) | Body::Map(_)) {
            self.last = end;
        }
        let closing = self.beside(self.last, self.next());
        Some(Part { anchor, body, opening, closing })
    }

    fn block_collection(&mut self, start: usize, around: Option<usize>, is_map: bool) -> Option<Collection<'t>> {
        let column = self.before(start).len();
        let mut collection = self.entries(is_map, Some(column))?;
        self.events.pop_front()?;
        let next = self.next();
        // What follows a list that stands no further right than its key is more likely about the next key.
        if is_map || around != Some(column) {
            collection.foot = self.take(|reader, at| at < next && reader.is_own(at) && reader.before(at).len() >= column);
        }
        Some(collection)
    }

    /// Reads entries up to the end of their collection.
    fn entries(&mut self, is_map: bool, column: Option<usize>) -> Option<Collection<'t>> {
        let mut entries: Vec<Entry> = Vec::new();
        while !matches!(self.events.front()?.event, Event::MappingEnd | Event::SequenceEnd) {
            let start = self.next();
            let mut lead = self.take(|reader, at| at < start && (is_map || reader.is_own(at)));
            if let Some((at, _)) = self.comments.front().filter(|(at, _)| !is_map && *at < start) {
                // Behind the `-` itself.
                self.last = at - self.before(*at).len();
            }
            let key = match is_map {
                true => {
                    let Seen { event, start, end, anchor } = self.events.pop_front()?;
                    let text = self.text.get(start..end)?;
                    self.last = end;
                    let body = match event {
                        Event::Alias(_) => Body::Alias(text),
                        Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => return None,
                        Event::Scalar(..) if start < end => Body::Scalar(text),
                        _ => return None,
                    };
                    Some(Part { anchor, body, opening: None, closing: None })
                }
                false => None,
            };
            let apart = self.is_apart(start) && !entries.is_empty();
            let seen = self.events.front()?;
            let has_place = match &seen.event {
                Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => *style == StructureStyle::Block,
                Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => true,
                _ => seen.start == seen.end,
            };
            if !has_place {
                // What stands between a key and its value has no place of its own.
                let value = self.next();
                lead.extend(self.take(|_, at| at < value));
            }
            if let (true, Some(first)) = (entries.is_empty(), lead.first_mut()) {
                first.apart = false;
            }
            let value = self.part(column)?;
            entries.push(Entry { lead, apart, key, value });
        }
        Some(Collection { inline: false, entries, foot: Vec::new() })
    }

    /// The lines of a block scalar: everything behind its mark.
    fn block(&mut self, value: &str, start: usize, end: usize) -> Option<Block<'t>> {
        let mark = self.mark(start)?;
        let header = self.text.get(mark..)?.split('\n').next()?;
        let sign = header.chars().next()?;
        let stated = header.get(1..)?.bytes().take_while(|b| !matches!(b, b' ' | b'\t' | b'#')).any(|b| b.is_ascii_digit());
        let chomping = header.get(1..)?.trim_start_matches(|c: char| c.is_ascii_digit());
        let chomping = chomping.get(..1).filter(|sign| matches!(*sign, "+" | "-")).unwrap_or_default();
        self.last = mark;
        let from = mark + header.len() + 1;
        let mut lines: Vec<&str> = self.text.get(from..end.max(from)).unwrap_or_default().split('\n').collect();
        let lead = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let is_blank = |line: &str| line.trim().is_empty();
        let indent = match (lines.iter().find(|line| !is_blank(line)), value.lines().find(|line| !is_blank(line))) {
            (Some(written), Some(read)) => Some(lead(written).checked_sub(lead(read))?),
            _ => None,
        };
        // Spaces behind the indentation are part of the text.
        let says = |line: &str| !is_blank(line) || indent.is_some_and(|indent| lead(line) >= indent && line.len() > indent);
        while lines.last().is_some_and(|line| !says(line)) {
            lines.pop();
        }
        if let Some(indent) = indent {
            for line in &mut lines {
                *line = line.get(indent.min(lead(line))..)?;
            }
        }
        if chomping == "+" {
            let kept = value.len() - value.trim_end_matches('\n').len();
            let had = usize::from(!lines.is_empty());
            lines.resize(lines.len() + kept.checked_sub(had)?, "");
        }
        Some(Block { sign, stated, chomping, lines })
    }

    /// Where the `|` or `>` of the block scalar stands whose content begins at `start`.
    fn mark(&self, start: usize) -> Option<usize> {
        let mut at = self.last;
        while at < start {
            let rest = self.text.get(at..)?;
            match rest.chars().next()? {
                '|' | '>' => return Some(at),
                '#' => at += rest.find('\n')?,
                '&' => at += rest.find([' ', '\t', '\n'])?,
                other => at += other.len_utf8(),
            }
        }
        None
    }
}

fn body_of(collection: Collection<'_>, is_map: bool) -> Body<'_> {
    if is_map { Body::Map(collection) } else { Body::List(collection) }
}
