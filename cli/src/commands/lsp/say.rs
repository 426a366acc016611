//! What the protocol calls places, files, faults and offers.

use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use runbook_core::diagnostic::{Diagnostic, Severity, Source, Span};
use runbook_core::editor::{Lines, Location, Offer, OfferKind, Point};
use serde_json::{Value, json};

use super::desk::Page;

/// The path of a `file:` URI.
pub fn path_of(uri: &str) -> Option<PathBuf> {
    let path = uri.strip_prefix("file://")?;
    let path = path.strip_prefix("localhost").unwrap_or(path);
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
    (path.is_absolute() && !path.as_os_str().as_bytes().contains(&0)).then_some(path)
}

pub fn uri_of(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

pub fn point_of(value: &Value) -> Option<Point> {
    let number = |key: &str| Some(u32::try_from(value[key].as_u64()?).unwrap_or(u32::MAX));
    Some(Point { line: number("line")?, column: number("character")? })
}

pub fn range_of(value: &Value) -> Option<(Point, Point)> {
    Some((point_of(&value["start"])?, point_of(&value["end"])?))
}

fn point(point: Point) -> Value {
    json!({"line": point.line, "character": point.column})
}

pub fn range(lines: &Lines, span: Span) -> Value {
    json!({"start": point(lines.point(span.start)), "end": point(lines.point(span.end.max(span.start)))})
}

/// A place in a file of the folder.
pub fn location(page: &Page, at: &Location) -> Option<Value> {
    let (path, source) = page.file(&at.source)?;
    Some(json!({"uri": uri_of(path), "range": range(&Lines::new(&source.text), at.span)}))
}

pub fn diagnostic(fault: &Diagnostic, source: &Source, path: &Path, lines: &Lines) -> Value {
    let mut message = fault.message.clone();
    if !fault.reason.is_empty() {
        message.push_str(&format!("\n{}", fault.reason));
    }
    if let Some(help) = &fault.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    let uri = uri_of(path);
    let related: Vec<Value> = fault
        .labels
        .iter()
        .map(|label| json!({"location": {"uri": uri, "range": range(lines, label.span)}, "message": label.text}))
        .collect();
    let severity = match fault.severity {
        Severity::Error => 1,
        Severity::Warning => 2,
    };
    // A fault of nothing, an empty file say, is shown at its first character.
    let span = match fault.span {
        Span { start, end } if start == end && (start as usize) < source.text.len() => Span { start, end: end + 1 },
        span => span,
    };
    json!({"range": range(lines, span), "severity": severity, "code": fault.code.as_str(), "source": "runbook",
        "message": message, "relatedInformation": related})
}

pub fn offer(offer: &Offer, place: usize, lines: &Lines) -> Value {
    let kind = match offer.kind {
        OfferKind::Key => 10,
        OfferKind::Verb => 14,
        OfferKind::Word => 12,
        OfferKind::Name => 6,
        OfferKind::Member => 5,
        OfferKind::Function => 3,
    };
    json!({"label": offer.label, "kind": kind, "detail": offer.detail, "documentation": {"kind": "markdown", "value": offer.doc},
        "sortText": format!("{place:04}"), "filterText": offer.label,
        "textEdit": {"range": range(lines, offer.span), "newText": offer.insert}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_uris() {
        for (path, uri) in [("/a/b.yaml", "file:///a/b.yaml"), ("/ä b/100%.yaml", "file:///%C3%A4%20b/100%25.yaml")] {
            assert_eq!(uri_of(Path::new(path)), uri);
            assert_eq!(path_of(uri), Some(PathBuf::from(path)));
        }
        assert_eq!(path_of("file://localhost/a"), Some(PathBuf::from("/a")));
        for wrong in
            ["", "untitled:Untitled-1", "http://a/b", "file://a", "file:///a%", "file:///a%0", "file:///a%zz", "file:///%00"]
        {
            assert_eq!(path_of(wrong), None, "{wrong}");
        }
    }
}
