//! What authors write for people, as pages and manuals show it; [`runbook_core::prose`] reads it.

pub use runbook_core::prose::{Block, Piece, line_in_markdown, message, one_paragraph, read, to_markdown};

use super::{html, man};

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
    fn all_else_is_text() {
        for (hostile, html) in [
            ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"),
            ("[x](javascript:y)", "<p>[x](javascript:y)</p>\n"),
            ("# <b>", "<p><strong>&lt;b&gt;</strong></p>\n"),
            ("a **[b](c)** d", "<p>a <strong>[b](c)</strong> d</p>\n"),
            ("**a** - b", "<p><strong>a</strong> - b</p>\n"),
            ("```\n```` </pre>\n", "<pre><code><span class=\"row\">&#96;&#96;&#96;&#96; &lt;/pre&gt;\n</span></code></pre>\n"),
            ("- <b>\n", "<ul>\n<li>&lt;b&gt;</li>\n</ul>\n"),
            ("| a | b |", "<p>| a | b |</p>\n"),
            ("> quote", "<p>&gt; quote</p>\n"),
        ] {
            assert_eq!(to_html(hostile), html, "{hostile:?}");
        }
    }
}
