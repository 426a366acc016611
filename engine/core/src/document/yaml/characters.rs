//! Characters that a reader of the file cannot see, or that change how the text around them is shown.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::document::decode::Reading;

/// What is wrong with a character wherever it stands in a file.
pub fn refused(c: char) -> Option<&'static str> {
    match c {
        '\t' | '\n' => None,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
            Some("it changes the direction in which the text around it is shown")
        }
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some("some programs take it for the end of a line, YAML does not"),
        '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{180e}' | '\u{e0000}'..='\u{e007f}' => Some("it cannot be seen"),
        c if c.is_control() => Some("it is a control character"),
        _ => None,
    }
}

/// The first character of a key or of code that a reader could not see: everything that is refused anywhere, and those
/// that are fine in prose (joiners, soft hyphens, variation selectors, odd spaces). Gives its offset and the reason.
pub fn hidden(text: &str) -> Option<(usize, char, &'static str)> {
    if text.bytes().all(is_plain) {
        return None;
    }
    text.char_indices().find_map(|(at, c)| {
        let reason = match c {
            '\u{200c}' | '\u{200d}' | '\u{ad}' | '\u{34f}' | '\u{fe00}'..='\u{fe0f}' => Some("it cannot be seen"),
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some("it looks like a space and is none"),
            c => refused(c),
        };
        reason.map(|reason| (at, c, reason))
    })
}

/// The bytes that most texts are made of, of which none is refused or hidden.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\t')
}

/// Reports every refused character of the file.
pub(crate) fn scan(reading: &Reading) {
    let text = &*reading.source().text;
    let mut from = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let next = |from: usize| {
        let at = from + text.as_bytes().get(from..)?.iter().position(|byte| !is_plain(*byte))?;
        Some((at, text.get(at..)?.chars().next()?))
    };
    while let Some((at, c)) = next(from) {
        from = at + c.len_utf8();
        if c == '\r' && text.as_bytes().get(from) == Some(&b'\n') {
            continue;
        }
        let Some(reason) = refused(c) else { continue };
        let number = u32::from(c);
        let escape = if number > 0xffff { format!("\\U{number:08X}") } else { format!("\\u{number:04X}") };
        reading.report(
            Diagnostic::new(
                Code::RB0004,
                reading.source(),
                Span::new(at, at + c.len_utf8()),
                format!("the character U+{number:04X} may not stand in a procedure"),
            )
            .reason(reason)
            .help(format!("remove it; where it is meant, write `{escape}` in a double-quoted text")),
        );
        if reading.is_full() {
            return;
        }
    }
}
