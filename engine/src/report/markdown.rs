//! Markdown as GitHub, GitLab and every CommonMark reader show it. Text that came from outside is escaped so that it is neither
//! markup nor HTML, mentions nobody, refers to no issue and links to nothing; each function gives a piece that may stand wherever its
//! kind may, inside the cell of a table too, except [`fence`] and [`details`], which are blocks.

use super::plain::{line, plain};
use super::{html, prose};

/// A text on one line, as prose.
pub fn text(text: &str) -> String {
    escaped(text, true)
}

/// The same, behind something else on its line.
pub fn text_within(text: &str) -> String {
    escaped(text, false)
}

/// As [`text`], with what stands between backticks as code, as messages of this program write it.
pub fn prose(text: &str) -> String {
    prose::line_in_markdown(&prose::message(text))
}

/// `first`: at the start of a line, where some signs mean more.
fn escaped(text: &str, first: bool) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let shown = line(text);
    // Up to the end of a number at the start, which would make it an item of a list.
    let digits = if first { shown.bytes().take_while(u8::is_ascii_digit).count() } else { 0 };
    let mut characters = shown.chars().peekable();
    while let Some(c) = characters.next() {
        let begins = first && escaped.is_empty();
        let numbers = digits > 0 && escaped.len() == digits;
        let word = characters.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '$' => escaped.extend(['\\', c]),
            '&' => escaped.push_str("&amp;"),
            // A backslash before it would end the cell of a table.
            '|' => escaped.push_str("&#124;"),
            '#' | '-' | '+' | '=' if begins => escaped.extend(['\\', c]),
            '.' | ')' if numbers => escaped.extend(['\\', c]),
            ' ' if begins => escaped.push_str("&#32;"),
            // No person, issue, merge request or link: the comment divides the word and is not seen.
            '@' | '#' | '!' | '%' if word => escaped.extend([c, '<', '!', '-', '-', '-', '-', '>']),
            ':' if characters.peek() == Some(&'/') => escaped.push_str(":<!-- -->"),
            '.' if ends_with_www(&escaped) => escaped.push_str(".<!-- -->"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn ends_with_www(text: &str) -> bool {
    text.len().checked_sub(3).and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

/// A text on one line, as code.
pub fn code(text: &str) -> String {
    let shown = line(text);
    if shown.is_empty() || shown.contains('|') || shown.trim() != shown {
        // Markup inside HTML is markup, so each sign is written as its number.
        let sign = |c: char| if c.is_ascii_punctuation() || c == ' ' { format!("&#{};", u32::from(c)) } else { c.to_string() };
        return format!("<code>{}</code>", shown.chars().map(sign).collect::<String>());
    }
    let ticks = "`".repeat(longest_run(&shown, '`') + 1);
    let pad = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{shown}{pad}{ticks}")
}

/// A text of any number of lines as a block of code. `language` is a word of ours.
pub fn fence(language: &str, text: &str) -> String {
    let shown = plain(text);
    let ticks = "`".repeat(longest_run(&shown, '`').max(2) + 1);
    format!("{ticks}{language}\n{}\n{ticks}\n", shown.strip_suffix('\n').unwrap_or(&shown))
}

/// A block that is folded until somebody opens it. `summary` is a text; `body` is Markdown.
pub fn details(summary: &str, body: &str) -> String {
    let summary = html::text(summary).replace('@', "@<!---->");
    format!("<details><summary>{summary}</summary>\n\n{}\n\n</details>\n", body.trim_end())
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

/// How often `sign` stands behind itself at most.
fn longest_run(text: &str, sign: char) -> usize {
    text.split(|c| c != sign).map(str::len).max().unwrap_or_default() / sign.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_prose_and_nothing_else() {
        for (hostile, escaped) in [
            ("plain text, näïve 漢字 🙂 1.2.3", "plain text, näïve 漢字 🙂 1.2.3"),
            ("", ""),
            ("a\nb\u{202e}c\x1b[31m\u{200b}", "a\\\\nb\\\\u{202e}c\\\\x1b\\[31m\\\\u{200b}"),
            ("<script>alert(1)</script>", "\\<script\\>alert(1)\\</script\\>"),
            ("*a* _b_ `c` ~~d~~ $e$", "\\*a\\* \\_b\\_ \\`c\\` \\~\\~d\\~\\~ \\$e\\$"),
            ("[x](javascript:alert(1))", "\\[x\\](javascript:alert(1))"),
            ("![x](https://y.org)", "!\\[x\\](https:<!-- -->//y.org)"),
            ("a|b\\|c", "a&#124;b\\\\&#124;c"),
            ("&lt; &#60;", "&amp;lt; &amp;#<!---->60;"),
            ("# no heading", "\\# no heading"),
            ("- no list", "\\- no list"),
            ("--- no rule", "\\--- no rule"),
            ("12. no list", "12\\. no list"),
            ("12) no list", "12\\) no list"),
            ("    no code", "&#32;   no code"),
            ("@team #1 !2 %3", "@<!---->team #<!---->1 !<!---->2 %<!---->3"),
            ("see www.y.org", "see www.<!-- -->y.org"),
            ("</details><details open>", "\\</details\\>\\<details open\\>"),
        ] {
            assert_eq!(text(hostile), escaped, "{hostile:?}");
        }
    }

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
    fn code_is_code_to_its_end() {
        for (hostile, expect) in [
            ("ls -l", "`ls -l`"),
            ("a `b` c", "``a `b` c``"),
            ("`", "`` ` ``"),
            ("``x", "``` ``x ```"),
            ("a\nb", "`a\\nb`"),
            ("a | b", "<code>a&#32;&#124;&#32;b</code>"),
            (" a", "<code>&#32;a</code>"),
            ("</code>|*b*", "<code>&#60;&#47;code&#62;&#124;&#42;b&#42;</code>"),
            ("", "<code></code>"),
        ] {
            assert_eq!(code(hostile), expect, "{hostile:?}");
        }
    }

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        for (hostile, expect) in [
            ("echo", "```sh\necho\n```\n"),
            ("echo\n", "```sh\necho\n```\n"),
            ("```\n# out", "````sh\n```\n# out\n````\n"),
            ("a\n  `````  \nb\r\n", "``````sh\na\n  `````  \nb\\r\n``````\n"),
            ("\x1b[2J\u{2028}", "```sh\n\\x1b[2J\\u{2028}\n```\n"),
            ("", "```sh\n\n```\n"),
        ] {
            assert_eq!(fence("sh", hostile), expect, "{hostile:?}");
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
