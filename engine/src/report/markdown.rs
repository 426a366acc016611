//! What reports need of Markdown beside texts and code: folded blocks, links and tables. Each function gives a piece that may stand wherever
//! its kind may, inside the cell of a table too, except [`fence`] and [`details`], which are blocks.

pub use runbook_core::markdown::{code, fence, text, text_within};

use super::{html, prose};

/// As [`text`], with what stands between backticks as code, as messages of this program write it.
pub fn prose(text: &str) -> String {
    prose::line_in_markdown(&prose::message(text))
}

/// A block that is folded until somebody opens it. `summary` is a text; `body` is Markdown.
pub fn details(summary: &str, body: &str) -> String {
    let summary = html::text(summary).replace('@', "@<!---->");
    format!("<details><summary>{summary}</summary>\n\n{}\n\n</details>\n", body.trim_end())
}

/// The same inside the cell of a table; `body` is a piece on one line.
pub fn details_within(summary: &str, body: &str) -> String {
    format!("<details><summary>{}</summary>{body}</details>", html::text(summary).replace('@', "@<!---->"))
}

/// A link to a page of the web or a place of this one; anything else is the text alone.
pub fn link(text: &str, url: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'*+,;=%".contains(c);
    match html::is_web(url) && url.chars().all(safe) {
        true => format!("[{}](<{url}>)", self::text(text)),
        false => self::text(text),
    }
}

/// A table: its head and its rows, each cell a piece of Markdown on one line. A short row is filled up.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let row = |cells: &mut dyn Iterator<Item = &str>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let mut table = row(&mut head.iter().copied());
    table.push_str(&row(&mut head.iter().map(|_| "---")));
    for cells in rows {
        let filled = cells.iter().map(String::as_str).chain(std::iter::repeat(""));
        table.push_str(&row(&mut filled.take(head.len())));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        for (message, expect) in [
            ("`a | b` does *not* hold", "<code>a&#32;&#124;&#32;b</code> does \\*not\\* hold"),
            ("because `x` is", "because `x` is"),
            ("an odd ` <b>", "an odd \\` \\<b\\>"),
            ("- `a` and `<b>`", "\\- `a` and `<b>`"),
        ] {
            assert_eq!(prose(message), expect, "{message}");
        }
    }

    #[test]
    fn blocks_links_and_tables() {
        assert_eq!(
            details("a </summary><b>@team", "*body*\n"),
            "<details><summary>a &lt;/summary&gt;&lt;b&gt;@<!---->team</summary>\n\n*body*\n\n</details>\n"
        );
        for (url, expect) in [
            ("https://y.org/a_(b)", "x"),
            ("https://y.org/a?b=c#d", "[x](<https://y.org/a?b=c#d>)"),
            ("#step-1", "[x](<#step-1>)"),
            ("javascript:alert(1)", "x"),
            ("JavaScript:alert(1)", "x"),
            ("data:text/html,x", "x"),
            ("//y.org", "x"),
            ("https://y.org/ a>", "x"),
        ] {
            assert_eq!(link("x", url), expect, "{url}");
        }
        assert_eq!(
            table(&["step", "does"], &[vec![text("a|b"), code("c|d")], vec![text("e")]]),
            "| step | does |\n| --- | --- |\n| a&#124;b | <code>c&#124;d</code> |\n| e |  |\n"
        );
    }
}
