//! Makes foreign text harmless to show. What would act on the display instead of being seen is shown as its escape:
//! control characters, escape sequences, changes of direction, invisible characters.

use std::borrow::Cow;
use std::fmt::Write;

/// Text of several lines: line ends and tabs stay.
pub fn plain(text: &str) -> Cow<'_, str> {
    shown(text, |c| acts(c) && c != '\n' && c != '\t')
}

/// Text that must stay on one line.
pub fn line(text: &str) -> Cow<'_, str> {
    shown(text, acts)
}

/// Output of a program: as [`plain`], and bytes that are not UTF-8 shown as `\x..`.
pub fn plain_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&plain(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

fn shown(text: &str, hide: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hide) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !hide(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if (c as u32) < 0x100 => {
                let _ = write!(shown, "\\x{:02x}", c as u32);
            }
            c => {
                let _ = write!(shown, "\\u{{{:x}}}", c as u32);
            }
        }
    }
    Cow::Owned(shown)
}

/// Whether a character acts on the display, or is there without being seen.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        for (hostile, shown) in [
            ("plain text, näïve 漢字 🙂", "plain text, näïve 漢字 🙂"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred"),
            ("\x1b]52;c;cHduZWQ=\x07", "\\x1b]52;c;cHduZWQ=\\x07"),
            ("\u{9b}31m", "\\x9b31m"),
            ("real\rfake", "real\\rfake"),
            ("back\x08\x7f", "back\\x08\\x7f"),
            ("safe\u{202e}txt.exe", "safe\\u{202e}txt.exe"),
            ("in\u{200b}visible\u{2066}", "in\\u{200b}visible\\u{2066}"),
            ("line\u{2028}sep", "line\\u{2028}sep"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
        ] {
            assert_eq!(plain(hostile), shown);
        }
        assert_eq!(line("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(plain_bytes(b"ok\xff\xc3\x28\x1b"), "ok\\xff\\xc3(\\x1b");
    }

    #[test]
    fn every_character_is_seen_or_escaped() {
        for c in ('\0'..=char::MAX).filter(|c| c.is_control()) {
            let shown = line(&c.to_string()).into_owned();
            assert!(shown.starts_with('\\'), "{:?} came through as {shown:?}", c);
        }
    }
}
