//! What authors write for people (`description`, `why`, `by_hand`): the few things of Markdown that such a text needs. Paragraphs, lists,
//! `code`, **strong** words and fenced blocks are kept in every form; a heading is a strong line, and a table stands as it is written. All
//! else, links and HTML above all, is text and nothing more.

use std::collections::BTreeMap;

use crate::markdown;

#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Paragraph(Vec<Piece>),
    /// The sign of each item (`-`, or its number) and the item.
    List(Vec<(String, Vec<Piece>)>),
    Code(String),
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(String),
    Strong(String),
    Code(String),
}

/// Reads a text. Lines of a paragraph belong together, wherever they were broken.
pub fn read(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    let mut paragraph = String::new();
    let mut items: Vec<(String, String)> = Vec::new();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(fence) = Fence::opened_by(line) {
            close(&mut paragraph, &mut items, &mut blocks);
            let inside: Vec<&str> = lines.by_ref().take_while(|line| !fence.is_closed_by(line)).collect();
            let inside: Vec<&str> = inside.into_iter().map(|line| fence.outdented(line)).collect();
            blocks.push(Block::Code(inside.join("\n")));
        } else if trimmed.is_empty() {
            close(&mut paragraph, &mut items, &mut blocks);
        } else if let Some(heading) = heading(trimmed) {
            close(&mut paragraph, &mut items, &mut blocks);
            blocks.push(Block::Paragraph(vec![Piece::Strong(heading.to_owned())]));
        } else if trimmed.starts_with('|') && lines.peek().is_some_and(|next| is_below_head(next)) {
            close(&mut paragraph, &mut items, &mut blocks);
            let mut rows = vec![trimmed];
            while let Some(row) = lines.next_if(|line| line.trim_start().starts_with('|')) {
                rows.push(row.trim());
            }
            blocks.push(Block::Code(rows.join("\n")));
        } else if let Some((sign, rest)) = item(trimmed) {
            if !paragraph.is_empty() {
                close(&mut paragraph, &mut items, &mut blocks);
            }
            items.push((sign, rest.to_owned()));
        } else {
            let into = items.last_mut().map_or(&mut paragraph, |(_, text)| text);
            if !into.is_empty() {
                into.push(' ');
            }
            into.push_str(trimmed);
        }
    }
    close(&mut paragraph, &mut items, &mut blocks);
    blocks
}

fn close(paragraph: &mut String, items: &mut Vec<(String, String)>, blocks: &mut Vec<Block>) {
    if !paragraph.is_empty() {
        blocks.push(Block::Paragraph(pieces(&std::mem::take(paragraph))));
    }
    if !items.is_empty() {
        blocks.push(Block::List(std::mem::take(items).into_iter().map(|(sign, text)| (sign, pieces(&text))).collect()));
    }
}

/// What a heading says.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let text = text.strip_prefix([' ', '\t'])?.trim_end_matches('#').trim();
    ((1..=6).contains(&level) && !text.is_empty()).then_some(text)
}

/// Whether a line parts the head of a table from its rows.
fn is_below_head(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|') && line.contains('-') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// The sign of an item and what stands behind it.
fn item(line: &str) -> Option<(String, &str)> {
    if let Some(rest) = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")) {
        return Some(("-".to_owned(), rest.trim_start()));
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let number = line.get(..digits).filter(|number| (1..=3).contains(&number.len()))?;
    let rest = line.get(digits..)?.strip_prefix(['.', ')'])?.strip_prefix(' ')?;
    Some((format!("{number}."), rest.trim_start()))
}

/// What a block of code stands between: lines of one sign.
struct Fence {
    sign: char,
    length: usize,
    indent: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Fence> {
        let fence = line.trim_start();
        let sign = fence.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
        let info = fence.trim_start_matches(sign);
        let length = fence.len() - info.len();
        // A line of backticks with more of them behind is code within a line.
        let opens = length >= 3 && (sign == '~' || !info.contains('`'));
        opens.then_some(Fence { sign, length, indent: line.len() - fence.len() })
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let fence = line.trim();
        fence.len() >= self.length && fence.chars().all(|c| c == self.sign)
    }

    /// A line of the block without what the fence itself is indented by.
    fn outdented<'l>(&self, line: &'l str) -> &'l str {
        let spaces = line.bytes().take(self.indent).take_while(|byte| *byte == b' ').count();
        line.get(spaces..).unwrap_or(line)
    }
}

/// Where code stands in a line: from which byte, and up to which. It begins with a number of backticks, and ends with as many.
fn code_spans(line: &str) -> BTreeMap<usize, (&str, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in line.match_indices('`') {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == at => *length += 1,
            _ => runs.push((at, 1)),
        }
    }
    let mut next: BTreeMap<usize, usize> = BTreeMap::new();
    let mut spans = BTreeMap::new();
    for (start, length) in runs.into_iter().rev() {
        if let Some(end) = next.insert(length, start) {
            spans.insert(start, (line.get(start + length..end).unwrap_or_default(), end + length));
        }
    }
    spans
}

/// What stands between the signs of code. A blank on both sides is there to keep backticks from them.
fn code_within(inner: &str) -> String {
    let bare = inner.strip_prefix(' ').and_then(|inner| inner.strip_suffix(' '));
    bare.filter(|bare| bare.starts_with('`') || bare.ends_with('`')).unwrap_or(inner).to_owned()
}

/// A sign without its partner is none.
fn pieces(line: &str) -> Vec<Piece> {
    let spans = code_spans(line);
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut at = 0;
    while let Some(rest) = line.get(at..)
        && let Some(found) = rest.find(['`', '*'])
    {
        let (before, behind) = rest.split_at(found);
        plain.push_str(before);
        let start = at + found;
        let sign = match behind.chars().next() {
            Some('`') => behind.get(..behind.len() - behind.trim_start_matches('`').len()).unwrap_or_default(),
            _ if behind.starts_with("**") => "**",
            _ => "*",
        };
        let piece = match sign {
            "*" => None,
            "**" => behind
                .strip_prefix(sign)
                .and_then(|inner| inner.split_once(sign))
                .filter(|(inner, _)| !inner.trim().is_empty())
                .map(|(inner, after)| (Piece::Strong(inner.to_owned()), line.len() - after.len())),
            _ => spans
                .get(&start)
                .filter(|(inner, _)| !inner.trim().is_empty())
                .map(|(inner, end)| (Piece::Code(code_within(inner)), *end)),
        };
        match piece {
            Some((piece, end)) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(piece);
                at = end;
            }
            None => {
                plain.push_str(sign);
                at = start + sign.len();
            }
        }
    }
    plain.push_str(line.get(at..).unwrap_or_default());
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// A message of this program: what stands between backticks, as [`markdown::quoted`] writes it, is code. Those without a partner are
/// none of ours.
pub fn message(text: &str) -> Vec<Piece> {
    let spans = code_spans(text);
    let mut pieces = Vec::new();
    let mut at = 0;
    for (start, (inner, end)) in spans {
        if start < at {
            continue;
        }
        let before = text.get(at..start).unwrap_or_default();
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(Piece::Code(code_within(inner)));
        at = end;
    }
    let rest = text.get(at..).unwrap_or_default();
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

/// The text, where it is one paragraph and nothing else.
pub fn one_paragraph(text: &str) -> Option<Vec<Piece>> {
    match read(text).as_mut_slice() {
        [Block::Paragraph(line)] => Some(std::mem::take(line)),
        _ => None,
    }
}

/// How the pieces of a line are written.
struct Pen {
    text: fn(&str) -> String,
    text_within: fn(&str) -> String,
    code: fn(&str) -> String,
}

const PAGE: Pen = Pen { text: markdown::text, text_within: markdown::text_within, code: markdown::code };
const EDITOR: Pen = Pen { text: spaced, text_within: spaced, code: markdown::code_in_editor };

/// A piece with the blanks that keep it from its neighbours.
fn spaced(text: &str) -> String {
    let side = |is: bool| if is { " " } else { "" };
    let (ahead, behind) = (side(text.starts_with(' ')), side(text.ends_with(' ') && !text.trim().is_empty()));
    format!("{ahead}{}{behind}", markdown::text_in_editor(text))
}

impl Pen {
    fn line(&self, line: &[Piece]) -> String {
        let piece = |(place, piece): (usize, &Piece)| match piece {
            Piece::Text(text) if place == 0 => (self.text)(text),
            Piece::Text(text) => (self.text_within)(text),
            Piece::Strong(text) => format!("**{}**", (self.text_within)(text.trim())),
            Piece::Code(text) => (self.code)(text),
        };
        line.iter().enumerate().map(piece).collect()
    }

    fn blocks(&self, text: &str) -> String {
        let blocks = read(text).into_iter().map(|block| match block {
            Block::Paragraph(line) => format!("{}\n", self.line(&line)),
            Block::List(items) => items.iter().map(|(sign, line)| format!("{sign} {}\n", self.line(line))).collect(),
            Block::Code(code) => markdown::fence("", &code),
        });
        blocks.collect::<Vec<_>>().join("\n")
    }
}

pub fn line_in_markdown(line: &[Piece]) -> String {
    PAGE.line(line)
}

pub fn to_markdown(text: &str) -> String {
    PAGE.blocks(text)
}

/// For an editor, which shows HTML as it is written.
pub fn in_editor(text: &str) -> String {
    EDITOR.blocks(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_few_things_that_a_text_needs() {
        let text =
            "First `a b`, then **all**\nof it.\n\n- one\n  more\n- *two*\n\n1. a\n2. b\n```sh\nls **x**\n```\nodd ` and ** signs";
        let code = |text: &str| Piece::Code(text.to_owned());
        let plain = |text: &str| Piece::Text(text.to_owned());
        let expect = [
            Block::Paragraph(vec![plain("First "), code("a b"), plain(", then "), Piece::Strong("all".into()), plain(" of it.")]),
            Block::List(vec![("-".into(), vec![plain("one more")]), ("-".into(), vec![plain("*two*")])]),
            Block::List(vec![("1.".into(), vec![plain("a")]), ("2.".into(), vec![plain("b")])]),
            Block::Code("ls **x**".into()),
            Block::Paragraph(vec![plain("odd ` and ** signs")]),
        ];
        assert_eq!(read(text), expect);
    }

    #[test]
    fn all_else_is_text() {
        for (hostile, markdown) in [
            ("<script>x</script>", "\\<script\\>x\\</script\\>\n"),
            ("[x](javascript:y)", "\\[x\\](javascript:y)\n"),
            ("# [big](x) <b>", "**\\[big\\](x) \\<b\\>**\n"),
            ("a **[b](c)** d", "a **\\[b\\](c)** d\n"),
            ("**a** - b", "**a** - b\n"),
            ("```\n```` </pre>\n", "`````\n```` </pre>\n`````\n"),
            ("- <b>\n", "- \\<b\\>\n"),
            ("| a | b |", "&#124; a &#124; b &#124;\n"),
            ("> quote", "\\> quote\n"),
        ] {
            assert_eq!(to_markdown(hostile), markdown, "{hostile:?}");
        }
    }

    #[test]
    fn a_heading_is_a_strong_line_and_a_table_stands_as_it_is_written() {
        let strong = |text: &str| Block::Paragraph(vec![Piece::Strong(text.to_owned())]);
        let plain = |text: &str| Block::Paragraph(vec![Piece::Text(text.to_owned())]);
        for (text, expect) in [
            (
                "## Meaning\nIt is `so`.",
                vec![
                    strong("Meaning"),
                    Block::Paragraph(vec![Piece::Text("It is ".into()), Piece::Code("so".into()), Piece::Text(".".into())]),
                ],
            ),
            ("a\n# B #\nc", vec![plain("a"), strong("B"), plain("c")]),
            ("#1 fails", vec![plain("#1 fails")]),
            ("#\n####### g", vec![plain("# ####### g")]),
            (
                "a\n| b | c |\n|---|:-:|\n| 1 | 2 |\nd",
                vec![plain("a"), Block::Code("| b | c |\n|---|:-:|\n| 1 | 2 |".into()), plain("d")],
            ),
            ("| no | head |\n| 1 |", vec![plain("| no | head | | 1 |")]),
        ] {
            assert_eq!(read(text), expect, "{text:?}");
        }
    }

    #[test]
    fn code_ends_where_its_fence_does() {
        let code = |text: &str| Block::Code(text.to_owned());
        let plain = |text: &str| Piece::Text(text.to_owned());
        let span = |text: &str| Piece::Code(text.to_owned());
        for (text, expect) in [
            ("````\n```\n````", vec![code("```")]),
            ("```\n```sh\n```", vec![code("```sh")]),
            ("~~~ a`b\n```\n~~\n~~~~\n", vec![code("```\n~~")]),
            ("  ```sh\n  ls\n    -l\n cd\n  ```", vec![code("ls\n  -l\ncd")]),
            ("```never ends\na", vec![code("a")]),
            ("```ls``` is short", vec![Block::Paragraph(vec![span("ls"), plain(" is short")])]),
            ("``a`b`` c", vec![Block::Paragraph(vec![span("a`b"), plain(" c")])]),
            ("`` ` `` and ` b `", vec![Block::Paragraph(vec![span("`"), plain(" and "), span(" b ")])]),
            ("`a`` b` c", vec![Block::Paragraph(vec![span("a`` b"), plain(" c")])]),
            ("`` a `b", vec![Block::Paragraph(vec![plain("`` a `b")])]),
            ("` ` b", vec![Block::Paragraph(vec![plain("` ` b")])]),
        ] {
            assert_eq!(read(text), expect, "{text:?}");
        }
    }

    #[test]
    fn what_is_quoted_in_a_message_is_read_as_it_was() {
        for text in ["x", "a `b` c", "`", "``", "`a", "a``", " a ", "a `` b", "` `", "$(date) `date`"] {
            let message = message(&format!("because {} is, and {} too", markdown::quoted(text), markdown::quoted("y")));
            let expect = [
                Piece::Text("because ".into()),
                Piece::Code(text.into()),
                Piece::Text(" is, and ".into()),
                Piece::Code("y".into()),
                Piece::Text(" too".into()),
            ];
            assert_eq!(message, expect, "{text:?}");
        }
    }

    #[test]
    fn signs_without_partners_cost_no_more_than_others() {
        let many: String = (1..1500).map(|n| "`".repeat(n) + " ").collect();
        assert_eq!(message(&many), [Piece::Text(many.clone())]);
        assert_eq!(read(&many.trim_end()[2..]).len(), 1);
        let strong = "** ".repeat(200_000);
        assert_eq!(read(&strong).len(), 1);
    }

    #[test]
    fn an_editor_shows_what_an_author_wrote() {
        for (text, expect) in [
            ("Where `it` **runs**, or <b>\n\n- one", "Where `it` **runs**, or \\<b\\>\n\n- one\n"),
            ("``a`b`` @c", "``a`b`` \\@c\n"),
            ("[x](command:y)", "\\[x\\](command:y)\n"),
        ] {
            assert_eq!(in_editor(text), expect, "{text:?}");
        }
    }
}
