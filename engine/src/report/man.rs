//! Pages for `man`: text that came from outside is escaped so that no line of it is a request, no backslash an escape, and no sign
//! another one than what was written (a hyphen stays one when it is copied).

use super::{plain, prose};

/// A text on one line, for the inside of a line.
pub fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in plain::line(text).chars() {
        match c {
            '\\' => escaped.push_str("\\(rs"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '"' => escaped.push_str("\\(dq"),
            // Readers of this format know no other encoding than this of what is not ASCII.
            c if c.is_ascii() => escaped.push(c),
            c => escaped.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    escaped
}

/// A text on one line, with what stands between backticks as code, as messages of this program write it.
pub fn prose(text: &str) -> String {
    prose::line_in_roff(&prose::message(text))
}

pub fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", self::text(text))
}

/// A whole line of text that was escaped: one that begins with the sign of a request is none.
pub fn line(escaped: &str) -> String {
    format!("{}{escaped}\n", if escaped.starts_with(['.', '\'']) { "\\&" } else { "" })
}

/// A text as the argument of a macro.
pub fn argument(text: &str) -> String {
    format!("\"{}\"", self::text(text))
}

/// A text of any number of lines that stay as they are, behind something else.
pub fn block(text: &str) -> String {
    format!(".sp\n{}", first_block(text))
}

/// The same as the first thing below a heading.
pub fn first_block(text: &str) -> String {
    let lines = text.trim_end().lines().map(|text| line(&self::text(&text.replace('\t', "    "))));
    format!(".RS 4\n.nf\n{}.fi\n.RE\n", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_no_request_and_no_escape() {
        for (hostile, shown) in [
            ("plain", "plain\n"),
            (".so /etc/passwd", "\\&.so /etc/passwd\n"),
            ("'br", "\\(aqbr\n"),
            ("a\\fBb\\*x", "a\\(rsfBb\\(rs*x\n"),
            ("ls -l --all", "ls \\-l \\-\\-all\n"),
            ("a\nb", "a\\(rsnb\n"),
            ("\u{1b}[2J", "\\(rsx1b[2J\n"),
            ("näï ‹x›", "n\\[u00E4]\\[u00EF] \\[u2039]x\\[u203A]\n"),
            ("`x` ^ ~ \"", "\\(gax\\(ga \\(ha \\(ti \\(dq\n"),
        ] {
            assert_eq!(line(&text(hostile)), shown, "{hostile:?}");
        }
        assert_eq!(block("a\n.so x\n\tb\n"), ".sp\n.RS 4\n.nf\na\n\\&.so x\n    b\n.fi\n.RE\n");
        assert_eq!(argument("a\" .x"), "\"a\\(dq .x\"");
    }
}
