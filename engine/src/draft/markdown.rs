//! Markdown → blocks, in the order in which people read them. Prose stays as it was written (links, tables, images and HTML among it);
//! only headings and code are taken apart. Nothing here knows what becomes of a block.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use runbook_core::limits;

/// What stands on a page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The lines between `---` at its head.
    pub front: String,
    pub blocks: Vec<Block>,
    /// `[name]: address` lines, which links in the prose go by.
    pub addresses: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Block {
    Heading { level: u8, text: String },
    Prose(String),
    Code { language: String, text: String },
    List(List),
}

#[derive(Debug)]
pub(super) struct List {
    /// Its items come one after the other, or are ticked off.
    pub in_order: bool,
    /// As it is written.
    pub source: String,
    pub items: Vec<Vec<Block>>,
}

pub(super) fn read(text: &str) -> Page {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let parser = Parser::new_ext(text, options);
    let mut addresses: Vec<_> = parser.reference_definitions().iter().map(|(_, found)| found.span.clone()).collect();
    addresses.sort_by_key(|span| span.start);
    let addresses = addresses.into_iter().filter_map(|span| text.get(span)).map(|line| line.trim().to_owned()).collect();
    let mut reader =
        Reader { text, front: String::new(), frames: vec![Frame::new(Kind::Page, 0..text.len())], leaf: None, loose: None };
    for (event, span) in parser.into_offset_iter() {
        reader.event(event, span);
    }
    let front = std::mem::take(&mut reader.front);
    let blocks = reader.frames.into_iter().next().map(|page| page.blocks).unwrap_or_default();
    Page { front, blocks, addresses }
}

/// What holds blocks, while it is read.
struct Frame {
    kind: Kind,
    span: Range<usize>,
    blocks: Vec<Block>,
    items: Vec<Vec<Block>>,
    has_tasks: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Page,
    Quote,
    List { ordered: bool },
    Item,
}

impl Frame {
    fn new(kind: Kind, span: Range<usize>) -> Frame {
        Frame { kind, span, blocks: Vec::new(), items: Vec::new(), has_tasks: false }
    }
}

/// A block without blocks inside that matter, while it is read.
struct Leaf {
    what: What,
    span: Range<usize>,
    text: String,
    /// Links that are open in it: where each begins, and where it leads.
    links: Vec<(usize, String)>,
    /// Tags that are open in it.
    open: usize,
}

enum What {
    Heading(u8),
    Code(String),
    Front,
    Prose,
}

struct Reader<'t> {
    text: &'t str,
    front: String,
    frames: Vec<Frame>,
    leaf: Option<Leaf>,
    /// Words of a tight item, which stand in no paragraph.
    loose: Option<Range<usize>>,
}

impl Reader<'_> {
    fn event(&mut self, event: Event, span: Range<usize>) {
        if let Some(leaf) = &mut self.leaf {
            match event {
                Event::Start(tag) => {
                    leaf.open += 1;
                    if let Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } = tag {
                        leaf.links.push((leaf.text.len(), dest_url.to_string()));
                    }
                }
                Event::End(end) if leaf.open > 0 => {
                    leaf.open -= 1;
                    if matches!(end, TagEnd::Link | TagEnd::Image)
                        && let Some((begun, address)) = leaf.links.pop()
                        && leaf.text.get(begun..) != Some(address.as_str())
                    {
                        leaf.text.push_str(&format!(" ({address})"));
                    }
                }
                Event::End(_) => self.leaf_ends(),
                Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) => leaf.text.push_str(&text),
                Event::SoftBreak | Event::HardBreak => leaf.text.push(' '),
                _ => {}
            }
            return;
        }
        match event {
            Event::Start(tag) => self.start(&tag, span),
            Event::End(end) => self.end(end, &span),
            Event::TaskListMarker(_) => {
                if let Some(list) = self.frames.iter_mut().rev().find(|frame| matches!(frame.kind, Kind::List { .. })) {
                    list.has_tasks = true;
                }
            }
            Event::Rule => self.loose_ends(),
            _ => {
                let from = self.loose.take().map_or(span.start, |loose| loose.start);
                self.loose = Some(from..span.end);
            }
        }
    }

    fn start(&mut self, tag: &Tag, span: Range<usize>) {
        let is_inline = matches!(
            tag,
            Tag::Emphasis
                | Tag::Strong
                | Tag::Strikethrough
                | Tag::Link { .. }
                | Tag::Image { .. }
                | Tag::Superscript
                | Tag::Subscript
        );
        if is_inline {
            let from = self.loose.take().map_or(span.start, |loose| loose.start);
            self.loose = Some(from..span.end);
            return;
        }
        self.loose_ends();
        let kind = match tag {
            Tag::BlockQuote(_) => Some(Kind::Quote),
            Tag::List(first) => Some(Kind::List { ordered: first.is_some() }),
            Tag::Item => Some(Kind::Item),
            _ => None,
        };
        if let Some(kind) = kind.filter(|kind| *kind == Kind::Item || self.frames.len() < limits::DRAFT_DEPTH) {
            self.frames.push(Frame::new(kind, span));
            return;
        }
        let what = match tag {
            Tag::Heading { level, .. } => What::Heading(*level as u8),
            Tag::CodeBlock(CodeBlockKind::Fenced(language)) => What::Code(language.to_string()),
            Tag::CodeBlock(CodeBlockKind::Indented) => What::Code(String::new()),
            Tag::MetadataBlock(_) => What::Front,
            _ => What::Prose,
        };
        self.leaf = Some(Leaf { what, span, text: String::new(), links: Vec::new(), open: 0 });
    }

    fn end(&mut self, end: TagEnd, span: &Range<usize>) {
        let is_frame = matches!(end, TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item);
        if !is_frame {
            // The end of a link or emphasis in loose words.
            if let Some(loose) = &mut self.loose {
                loose.end = loose.end.max(span.end);
            }
            return;
        }
        self.loose_ends();
        let Some(frame) = (self.frames.len() > 1).then(|| self.frames.pop()).flatten() else { return };
        let source = self.slice(&frame.span);
        let Some(around) = self.frames.last_mut() else { return };
        match frame.kind {
            Kind::Item => around.items.push(frame.blocks),
            Kind::List { ordered } => {
                around.blocks.push(Block::List(List { in_order: ordered || frame.has_tasks, source, items: frame.items }));
            }
            Kind::Quote if has_code(&frame.blocks) => around.blocks.extend(frame.blocks),
            Kind::Quote | Kind::Page => around.blocks.push(Block::Prose(source)),
        }
    }

    fn push(&mut self, block: Block) {
        if let Some(frame) = self.frames.last_mut() {
            frame.blocks.push(block);
        }
    }

    fn leaf_ends(&mut self) {
        let Some(leaf) = self.leaf.take() else { return };
        let block = match leaf.what {
            What::Heading(level) => Block::Heading { level, text: leaf.text.trim().to_owned() },
            What::Code(language) => Block::Code { language, text: leaf.text },
            What::Front => {
                self.front = leaf.text;
                return;
            }
            What::Prose => match self.slice(&leaf.span) {
                text if text.is_empty() => return,
                text => Block::Prose(text),
            },
        };
        self.push(block);
    }

    fn loose_ends(&mut self) {
        let Some(span) = self.loose.take() else { return };
        let text = self.slice(&span);
        if !text.is_empty() {
            self.push(Block::Prose(text));
        }
    }

    /// The text as it is written, without what stands before each of its lines because of the lists and quotes around it.
    fn slice(&self, span: &Range<usize>) -> String {
        let Some(text) = self.text.get(span.clone()) else { return String::new() };
        let before = self.text.get(..span.start).unwrap_or_default();
        let prefix = before.rsplit('\n').next().unwrap_or_default();
        let columns = prefix.chars().count();
        let quoted = prefix.contains('>');
        let mut lines = text.trim_end().split('\n');
        let mut kept = lines.next().unwrap_or_default().to_owned();
        for line in lines {
            let is_prefix = |c: char| c == ' ' || c == '\t' || (quoted && c == '>');
            let own = line.char_indices().take(columns).find(|(_, c)| !is_prefix(*c)).map(|(at, _)| at);
            let own = own.or_else(|| line.char_indices().nth(columns).map(|(at, _)| at)).unwrap_or(line.len());
            kept.push('\n');
            kept.push_str(line.get(own..).unwrap_or_default());
        }
        kept
    }
}

/// Whether there is code among blocks, however deep.
pub(super) fn has_code(blocks: &[Block]) -> bool {
    blocks.iter().any(|block| match block {
        Block::Code { .. } => true,
        Block::List(list) => list.items.iter().any(|item| has_code(item)),
        Block::Heading { .. } | Block::Prose(_) => false,
    })
}
