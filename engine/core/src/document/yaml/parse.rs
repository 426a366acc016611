//! The parser's events → a tree. Faults that only concern one place (a duplicate key, a tag, an unknown alias) are noted
//! and the tree goes on; a fault of syntax is mended in a copy of the text where one character is to blame, so that the
//! faults behind it are found too, and ends the tree where it is not.

use std::borrow::Cow;
use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Parser, ScanError, StructureStyle};

use super::fault::{self, Fault, unquoted};
use super::{Node, NodeKind, Scalar, ScalarStyle, resolve};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::document::decode::Reading;
use crate::limits;

/// The root of the file's only document.
pub(crate) fn parse(reading: &Reading) -> Option<Node> {
    let mut text = Cow::Borrowed(&*reading.source().text);
    let (mut mended, mut blamed) = (Vec::new(), Vec::new());
    let tree = loop {
        let mut tree = Tree::new(reading, &text, &blamed);
        let Err(error) = tree.read() else { break tree };
        let fault = Fault::of(&error, &text);
        let conflicts = fault::conflicts(&text);
        if !conflicts.is_empty() {
            // What stands between the marks is two texts: nothing else is learnt from reading on.
            for span in conflicts {
                let told = reading.diagnostic(Code::RB0001, span, "a conflict of git begins here that nobody has resolved");
                reading.report(told.help(
                    "keep one of both sides, or what is right of each, and remove the lines `<<<<<<<`, `=======` and `>>>>>>>`",
                ));
            }
            tree.close(fault.at);
            break tree;
        }
        // A control character has been reported already; a second fault of a mended line may come from the mending.
        let known = matches!(fault.kind, ErrorKind::UnexpectedCharacter { character } if character.is_control());
        let line = fault.line(&text);
        if !known && !mended.contains(&line) {
            reading.report(fault.diagnostic(reading, &text));
        }
        match fault.mend(&text) {
            Some(culprit) if mended.len() < limits::SYNTAX_FAULTS => {
                drop(tree);
                mended.push(Fault { kind: fault.kind, at: culprit.start }.line(&text));
                blamed.push(culprit.start);
                let mut bytes = text.into_owned().into_bytes();
                if let Some(bytes) = bytes.get_mut(culprit) {
                    bytes.fill(b'x');
                }
                text = Cow::Owned(String::from_utf8(bytes).unwrap_or_default());
            }
            more => {
                if more.is_some() {
                    let end = Span::new(fault.at, fault.at);
                    let message = format!("after {} faults of syntax the rest is not read", limits::SYNTAX_FAULTS + 1);
                    reading.report(reading.diagnostic(Code::RB0005, end, message).help("correct these first"));
                }
                tree.close(fault.at);
                break tree;
            }
        }
    };
    let Tree { root, faults, doubtful, partial, cut, .. } = tree;
    for fault in faults {
        reading.report(fault);
    }
    for place in mended.into_iter().chain(doubtful) {
        reading.doubt(place);
    }
    for map in partial {
        reading.lacks_at(map);
    }
    if let Some(cut) = cut {
        reading.cut_at(cut);
    }
    let empty = root.as_ref().is_none_or(|node| matches!(node.kind, NodeKind::Null));
    if empty {
        if cut.is_none() {
            let diagnostic = reading.diagnostic(Code::RB0019, Span::new(0, 0), "the file is empty");
            reading
                .report(diagnostic.help("begin with `apiVersion: runbook/v1` and `kind: Runbook`, or let `runbook new` write it"));
        }
        return None;
    }
    root
}

enum Frame {
    List { start: usize, anchor: usize, flow: bool, items: Vec<Node> },
    Map { start: usize, anchor: usize, flow: bool, entries: Vec<(Scalar, Node)>, key: Key, seen: HashMap<String, Span> },
}

/// What a map waits for.
enum Key {
    Expected,
    Read(Scalar),
    /// The key was reported; its value is read and left out.
    Refused,
}

struct Tree<'r, 't> {
    reading: &'r Reading<'r>,
    text: &'t str,
    /// Bytes that were mended: what they stand in is not what its author wrote, and is left out.
    blamed: &'t [usize],
    stack: Vec<Frame>,
    root: Option<Node>,
    /// Nodes that have an anchor; absent while they are still open.
    anchors: HashMap<usize, Node>,
    nodes: usize,
    bytes: usize,
    faults: Vec<Diagnostic>,
    /// Values that are not what their author meant, which has been reported.
    doubtful: Vec<Span>,
    /// Where maps begin from which a merge was left out.
    partial: Vec<usize>,
    cut: Option<u32>,
}

impl<'r, 't> Tree<'r, 't> {
    fn new(reading: &'r Reading<'r>, text: &'t str, blamed: &'t [usize]) -> Tree<'r, 't> {
        Tree {
            reading,
            text,
            blamed,
            stack: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            nodes: 0,
            bytes: 0,
            faults: Vec::new(),
            doubtful: Vec::new(),
            partial: Vec::new(),
            cut: None,
        }
    }

    fn fault(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        if self.faults.len() <= limits::DIAGNOSTICS {
            self.faults.push(self.reading.diagnostic(code, span, message).help(help));
        }
    }

    fn read(&mut self) -> Result<(), ScanError> {
        let options = granit_parser::options! {
            emit_comments: false,
            emit_unresolved_aliases: true,
            flow_nesting_limit: limits::DOCUMENT_DEPTH,
            block_nesting_limit: limits::DOCUMENT_DEPTH,
        };
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(self.text, options) {
            let (event, place) = next?;
            let range = place.byte_range().unwrap_or_default();
            let span = Span::new(range.start, range.end);
            if let (Some(_), Some(tag)) = (event.tag(), place.tag_span().and_then(|tag| tag.byte_range())) {
                if self.faults.len() <= limits::DIAGNOSTICS {
                    self.faults.push(fault::tagged(self.reading, self.text, tag.clone()));
                }
                self.doubtful.push(Span::new(tag.start, tag.end + 1));
            }
            match event {
                Event::DocumentStart(_, version) => {
                    documents += 1;
                    if documents > 1 {
                        self.fault(Code::RB0006, span, "a file holds one document", "move what follows into a file of its own");
                        return Ok(());
                    }
                    if version.is_some() {
                        self.fault(
                            Code::RB0006,
                            span,
                            "YAML directives have no meaning here",
                            "remove the lines that begin with `%`",
                        );
                    }
                }
                Event::SequenceStart(style, anchor, _) => {
                    let flow = style == StructureStyle::Flow;
                    self.open(Frame::List { start: range.start, anchor, flow, items: Vec::new() });
                }
                Event::MappingStart(style, anchor, _) => {
                    let flow = style == StructureStyle::Flow;
                    let (entries, key, seen) = (Vec::new(), Key::Expected, HashMap::new());
                    self.open(Frame::Map { start: range.start, anchor, flow, entries, key, seen });
                }
                Event::SequenceEnd | Event::MappingEnd => self.shut(range.end),
                Event::Scalar(value, style, anchor, _) => {
                    let node = self.scalar(value.into_owned(), style, span);
                    self.bytes += range.len();
                    self.finish(node, anchor);
                }
                Event::Alias(anchor) => self.alias(anchor, span),
                Event::UnresolvedAlias(_) => {
                    self.fault(
                        Code::RB0007,
                        span,
                        "nothing above has this anchor",
                        "write the value here, or put `&name` before the first one",
                    );
                    self.doubtful.push(span);
                    self.finish(Node { span, kind: NodeKind::Null }, 0);
                }
                _ => {}
            }
            if self.is_beyond_bounds(span) {
                self.close(range.start);
                return Ok(());
            }
        }
        Ok(())
    }

    fn is_beyond_bounds(&mut self, span: Span) -> bool {
        let help = "split the file into procedures that `call` one another";
        if self.stack.len() > limits::DOCUMENT_DEPTH {
            self.fault(Code::RB0003, span, format!("the file nests deeper than {} levels", limits::DOCUMENT_DEPTH), help);
        } else if self.nodes > limits::DOCUMENT_NODES {
            self.fault(Code::RB0003, span, format!("the file has more than {} values", limits::DOCUMENT_NODES), help);
        } else if self.bytes > limits::DOCUMENT_ALIASED_BYTES {
            self.fault(Code::RB0003, span, "its aliases make the file too large", "write less through aliases");
        } else {
            return false;
        }
        true
    }

    fn scalar(&mut self, value: String, style: granit_parser::ScalarStyle, span: Span) -> Node {
        let style = match style {
            granit_parser::ScalarStyle::Plain => ScalarStyle::Plain,
            granit_parser::ScalarStyle::SingleQuoted => ScalarStyle::SingleQuoted,
            granit_parser::ScalarStyle::DoubleQuoted => ScalarStyle::DoubleQuoted,
            granit_parser::ScalarStyle::Literal => ScalarStyle::Literal,
            granit_parser::ScalarStyle::Folded => ScalarStyle::Folded,
        };
        let mut span = span;
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            let (start, end) = (span.start as usize, span.end as usize);
            let written = self.text.get(start..end).unwrap_or_default().trim_end();
            span = match self.text.get(..start).and_then(|before| before.rfind(['|', '>'])) {
                // An empty block is seen at its mark: it has no lines.
                Some(mark) if value.trim().is_empty() => Span::new(mark, mark + 1),
                _ => Span::new(start, start + written.len()),
            };
        }
        if self.is_blamed(span) {
            return Node { span, kind: NodeKind::Null };
        }
        // The parser shows a value that is not there as an empty place.
        let absent = style == ScalarStyle::Plain && span.start == span.end;
        let value = if absent { String::new() } else { value };
        let scalar = Scalar { value, span, style };
        let kind = if style == ScalarStyle::Plain { resolve(scalar) } else { NodeKind::Text(scalar) };
        Node { span, kind }
    }

    fn is_blamed(&self, span: Span) -> bool {
        self.blamed.iter().any(|at| (span.start as usize..span.end as usize).contains(at))
    }

    fn open(&mut self, frame: Frame) {
        self.stack.push(frame);
    }

    /// Ends the innermost collection. A block has no end of its own: it ends with its last child.
    fn shut(&mut self, end: usize) {
        let (start, anchor, flow, last, kind) = match self.stack.pop() {
            None => return,
            Some(Frame::List { start, anchor, flow, items }) => {
                let last = items.last().map(|node| node.span.end);
                (start, anchor, flow, last, NodeKind::List(items))
            }
            Some(Frame::Map { start, anchor, flow, entries, .. }) => {
                let last = entries.last().map(|(key, node)| node.span.end.max(key.span.end));
                (start, anchor, flow, last, NodeKind::Map(entries))
            }
        };
        let end = if flow { end } else { last.map_or(end, |last| last as usize) };
        self.finish(Node { span: Span::new(start, end.max(start)), kind }, anchor);
    }

    /// Ends everything that is open, because reading ends at `offset`.
    fn close(&mut self, offset: usize) {
        let offset = Span::new(offset, offset).start;
        self.cut = Some(offset);
        while !self.stack.is_empty() {
            self.shut(offset as usize);
            // Whatever was open reaches to the cut, so that nothing is said to be missing in it.
            let last = match self.stack.last_mut() {
                Some(Frame::List { items, .. }) => items.last_mut(),
                Some(Frame::Map { entries, .. }) => entries.last_mut().map(|(_, node)| node),
                None => self.root.as_mut(),
            };
            if let Some(node) = last {
                node.span.end = node.span.end.max(offset);
            }
        }
    }

    /// Puts a whole node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize) {
        self.nodes += 1;
        if anchor > 0 && self.charge(&node) {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { key, entries, start, .. }) => match std::mem::replace(key, Key::Expected) {
                Key::Refused => {}
                Key::Read(name) => entries.push((name, node)),
                Key::Expected => {
                    let start = *start;
                    let read = self.key(node, start);
                    if let Some(Frame::Map { key, .. }) = self.stack.last_mut() {
                        *key = read;
                    }
                }
            },
        }
    }

    fn key(&mut self, node: Node, map: usize) -> Key {
        let span = node.span;
        let Some(name) = node.into_scalar() else {
            if self.is_blamed(span) {
                return Key::Refused;
            }
            if self.text.get(map..).is_some_and(|rest| rest.starts_with("{{")) {
                self.faults.push(unquoted(self.reading, self.text, map));
                self.doubtful.push(Span::new(map, span.end as usize));
            } else {
                self.fault(Code::RB0006, span, "a key must be a text", "write a plain word before the `:`");
            }
            return Key::Refused;
        };
        if name.value == "<<" && name.style == ScalarStyle::Plain {
            self.fault(
                Code::RB0006,
                name.span,
                "YAML 1.2 has no merge keys",
                "write the keys out, or put what is shared into `defaults`",
            );
            self.partial.push(map);
            return Key::Refused;
        }
        if let Some((at, c, reason)) = super::hidden(&name.value) {
            let span = name.span_of(self.reading.source(), at, at + c.len_utf8());
            let message = format!("the character U+{:04X} may not stand in a key", u32::from(c));
            self.faults.push(self.reading.diagnostic(Code::RB0004, span, message).reason(reason).help("remove it"));
            return Key::Refused;
        }
        let first = match self.stack.last_mut() {
            Some(Frame::Map { seen, .. }) => match seen.get(&name.value) {
                Some(first) => *first,
                None => {
                    seen.insert(name.value.clone(), name.span);
                    return Key::Read(name);
                }
            },
            _ => return Key::Refused,
        };
        let shown: String = name.value.chars().take(limits::ID_BYTES).flat_map(char::escape_debug).collect();
        if self.faults.len() <= limits::DIAGNOSTICS {
            self.faults.push(
                self.reading
                    .diagnostic(Code::RB0002, name.span, format!("`{shown}` stands twice in the same map"))
                    .label(first, "first here")
                    .help("remove one of them"),
            );
        }
        Key::Refused
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        let node = match self.anchors.get(&anchor).cloned() {
            None => {
                self.fault(Code::RB0007, span, "an alias inside the very value it names", "write the value out");
                self.doubtful.push(span);
                Node { span, kind: NodeKind::Null }
            }
            Some(node) if self.charge(&node) => node,
            Some(_) => Node { span, kind: NodeKind::Null },
        };
        self.finish(node, 0);
    }

    /// Counts a copy of a node against the bounds; false where it goes beyond them.
    fn charge(&mut self, node: &Node) -> bool {
        let depth = self.stack.len();
        self.weigh(node, depth)
    }

    fn weigh(&mut self, node: &Node, depth: usize) -> bool {
        self.nodes += 1;
        self.bytes += node.scalar().map_or(0, |scalar| scalar.value.len());
        if depth > limits::DOCUMENT_DEPTH {
            self.nodes = self.nodes.max(limits::DOCUMENT_NODES + 1);
        }
        if self.nodes > limits::DOCUMENT_NODES || self.bytes > limits::DOCUMENT_ALIASED_BYTES {
            return false;
        }
        match &node.kind {
            NodeKind::List(items) => items.iter().all(|item| self.weigh(item, depth + 1)),
            NodeKind::Map(entries) => entries.iter().all(|(key, item)| {
                self.bytes += key.value.len();
                self.weigh(item, depth + 1)
            }),
            _ => true,
        }
    }
}
