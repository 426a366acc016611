//! What authors write for people (`description`, `why`, `by_hand`): the few things of Markdown that such a text needs. Paragraphs, lists,
//! `code`, **strong** words and fenced blocks are kept in every form; all else, links and HTML above all, is text and nothing more.

use super::{html, man, markdown};

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
        if let Some(fence) = trimmed.strip_prefix("```") {
            close(&mut paragraph, &mut items, &mut blocks);
            let ticks = "`".repeat(3 + fence.len() - fence.trim_start_matches('`').len());
            let inside: Vec<&str> = lines.by_ref().take_while(|line| !line.trim().starts_with(&ticks)).collect();
            blocks.push(Block::Code(inside.join("\n")));
        } else if trimmed.is_empty() {
            close(&mut paragraph, &mut items, &mut blocks);
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

/// A sign without its partner is none.
fn pieces(line: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = line;
    let mut plain = String::new();
    while let Some(at) = rest.find(['`', '*']) {
        let (before, behind) = rest.split_at(at);
        plain.push_str(before);
        let sign = if behind.starts_with("**") { "**" } else { behind.get(..1).unwrap_or_default() };
        let inner = behind.strip_prefix(sign).and_then(|inner| inner.split_once(sign));
        match inner.filter(|(inner, _)| sign != "*" && !inner.trim().is_empty()) {
            Some((inner, after)) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(if sign == "**" { Piece::Strong(inner.to_owned()) } else { Piece::Code(inner.to_owned()) });
                rest = after;
            }
            None => {
                plain.push_str(sign);
                rest = behind.strip_prefix(sign).unwrap_or_default();
            }
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// A message of this program, all of one hand: what stands between backticks is code. Without its partner a backtick is none of ours.
pub fn message(text: &str) -> Vec<Piece> {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return vec![Piece::Text(text.to_owned())];
    }
    let piece = |(place, piece): (usize, &&str)| match place % 2 {
        0 => Piece::Text((*piece).to_owned()),
        _ => Piece::Code((*piece).to_owned()),
    };
    pieces.iter().enumerate().map(piece).filter(|piece| *piece != Piece::Text(String::new())).collect()
}

/// The text, where it is one paragraph and nothing else.
pub fn one_paragraph(text: &str) -> Option<Vec<Piece>> {
    match read(text).as_mut_slice() {
        [Block::Paragraph(line)] => Some(std::mem::take(line)),
        _ => None,
    }
}

pub fn line_in_markdown(line: &[Piece]) -> String {
    let piece = |(place, piece): (usize, &Piece)| match piece {
        Piece::Text(text) if place == 0 => markdown::text(text),
        Piece::Text(text) => markdown::text_within(text),
        Piece::Strong(text) => format!("**{}**", markdown::text_within(text.trim())),
        Piece::Code(text) => markdown::code(text),
    };
    line.iter().enumerate().map(piece).collect()
}

pub fn to_markdown(text: &str) -> String {
    let blocks = read(text).into_iter().map(|block| match block {
        Block::Paragraph(line) => format!("{}\n", line_in_markdown(&line)),
        Block::List(items) => items.iter().map(|(sign, line)| format!("{sign} {}\n", line_in_markdown(line))).collect(),
        Block::Code(code) => markdown::fence("", &code),
    });
    blocks.collect::<Vec<_>>().join("\n")
}

pub fn line_in_html(line: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => html::text(text),
        Piece::Strong(text) => format!("<strong>{}</strong>", html::text(text)),
        Piece::Code(text) => html::code(text),
    };
    line.iter().map(piece).collect()
}

pub fn to_html(text: &str) -> String {
    let block = |block: Block| match block {
        Block::Paragraph(line) => format!("<p>{}</p>\n", line_in_html(&line)),
        Block::List(items) => {
            let tag = if items.iter().all(|(sign, _)| sign == "-") { "ul" } else { "ol" };
            let items: String = items.iter().map(|(_, line)| format!("<li>{}</li>\n", line_in_html(line))).collect();
            format!("<{tag}>\n{items}</{tag}>\n")
        }
        Block::Code(code) => html::block(&code),
    };
    read(text).into_iter().map(block).collect()
}

pub fn line_in_roff(line: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => man::text(text),
        Piece::Strong(text) | Piece::Code(text) => man::bold(text),
    };
    line.iter().map(piece).collect()
}

/// Paragraphs that follow one another; the first goes on where it stands.
pub fn to_roff(text: &str) -> String {
    let block = |(place, block): (usize, Block)| match block {
        Block::Paragraph(line) if place == 0 => man::line(&line_in_roff(&line)),
        Block::Paragraph(line) => format!(".sp\n{}", man::line(&line_in_roff(&line))),
        Block::List(items) => {
            let items = items.iter().map(|(sign, line)| {
                let sign = if sign == "-" { "\\(bu" } else { sign.as_str() };
                format!(".IP {sign} 4\n{}", man::line(&line_in_roff(line)))
            });
            format!(".RS\n{}.RE\n", items.collect::<String>())
        }
        Block::Code(code) => man::block(&code),
    };
    read(text).into_iter().enumerate().map(block).collect()
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
    fn all_else_is_text_in_every_form() {
        for (hostile, markdown, html) in [
            ("<script>x</script>", "\\<script\\>x\\</script\\>\n", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
            ("[x](javascript:y)", "\\[x\\](javascript:y)\n", "<p>[x](javascript:y)</p>\n"),
            ("# big", "\\# big\n", "<p># big</p>\n"),
            ("a **[b](c)** d", "a **\\[b\\](c)** d\n", "<p>a <strong>[b](c)</strong> d</p>\n"),
            ("**a** - b", "**a** - b\n", "<p><strong>a</strong> - b</p>\n"),
            ("```\n```` </pre>\n", "```\n\n```\n", "<pre><code><span class=\"row\">\n</span></code></pre>\n"),
            ("- <b>\n", "- \\<b\\>\n", "<ul>\n<li>&lt;b&gt;</li>\n</ul>\n"),
            ("| a | b |", "&#124; a &#124; b &#124;\n", "<p>| a | b |</p>\n"),
            ("> quote", "\\> quote\n", "<p>&gt; quote</p>\n"),
        ] {
            assert_eq!((to_markdown(hostile).as_str(), to_html(hostile).as_str()), (markdown, html), "{hostile:?}");
        }
    }
}
