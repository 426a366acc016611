//! Markdown as GitHub, GitLab, editors and every CommonMark reader show it. Text that came from outside is escaped so that it is neither
//! markup nor HTML, mentions nobody, refers to no issue and links to nothing; each function gives a piece that may stand wherever its
//! kind may, inside the cell of a table too, except [`fence`], which is a block.

use crate::plain::{line, plain};

/// A text on one line, as prose.
pub fn text(text: &str) -> String {
    escaped(text, true)
}

/// The same, behind something else on its line.
pub fn text_within(text: &str) -> String {
    escaped(text, false)
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

/// A text on one line, for an editor: it shows HTML as it is written, and knows no people or issues.
pub fn text_in_editor(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    let shown = line(text.trim());
    let mut characters = shown.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '&' => escaped.push_str("&amp;"),
            ':' if characters.peek() == Some(&'/') => escaped.push_str("\\:"),
            '.' | ')' if escaped.bytes().all(|byte| byte.is_ascii_digit()) => escaped.extend(['\\', c]),
            '.' if ends_with_www(&escaped) => escaped.push_str("\\."),
            '#' | '-' | '+' | '=' if escaped.is_empty() => escaped.extend(['\\', c]),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '$' | '|' | '@' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text on one line, as code in an editor.
pub fn code_in_editor(text: &str) -> String {
    match line(text.trim()) {
        // There is no code of nothing.
        shown if shown.is_empty() => quoted("\"\""),
        shown => quoted(&shown),
    }
}

/// A text on one line, as code.
pub fn code(text: &str) -> String {
    let shown = line(text);
    if shown.is_empty() || shown.contains('|') || shown.trim() != shown {
        // Markup inside HTML is markup, so each sign is written as its number.
        let sign = |c: char| if c.is_ascii_punctuation() || c == ' ' { format!("&#{};", u32::from(c)) } else { c.to_string() };
        return format!("<code>{}</code>", shown.chars().map(sign).collect::<String>());
    }
    quoted(&shown)
}

/// A text between backticks, more than it has behind one another, as messages write what is not theirs: so it stands there as it is, and
/// ends where it ends.
pub fn quoted(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A text of any number of lines as a block of code. `language` is a word of ours.
pub fn fence(language: &str, text: &str) -> String {
    fenced(language, &plain(text))
}

/// The same, of a text that is shown as it is.
pub fn fenced(language: &str, text: &str) -> String {
    let ticks = "`".repeat(longest_run(text).max(2) + 1);
    format!("{ticks}{language}\n{}\n{ticks}\n", text.strip_suffix('\n').unwrap_or(text))
}

/// How many backticks stand behind one another at most.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
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
    fn an_editor_is_shown_no_html() {
        for (hostile, text, code) in [
            ("plain text, 1.2", "plain text, 1.2", "`plain text, 1.2`"),
            ("", "", "`\"\"`"),
            (" 1. a|b\n", "1\\. a\\|b", "`1. a|b`"),
            ("a `b` <c> @d\n# e", "a \\`b\\` \\<c\\> \\@d\\\\n# e", "``a `b` <c> @d\\n# e``"),
            ("https://y.org www.y.org", "https\\://y.org www\\.y.org", "`https://y.org www.y.org`"),
            ("[x](command:y) &lt;", "\\[x\\](command:y) &amp;lt;", "`[x](command:y) &lt;`"),
        ] {
            assert_eq!((text_in_editor(hostile).as_str(), code_in_editor(hostile).as_str()), (text, code), "{hostile:?}");
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
}
