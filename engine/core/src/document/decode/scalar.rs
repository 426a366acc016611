//! Scalars as the types that fields have, each with its own fault.

use std::str::FromStr;
use std::time::Duration;

use super::Reading;
use crate::diagnostic::{Code, Diagnostic, Span, Spanned, nearest};
use crate::document::{Node, NodeKind, Scalar, ScalarStyle, yaml};
use crate::id::InvalidId;
use crate::limits;
use crate::value::parse_duration;

/// `a`, `b` and `c`, each in backquotes.
pub(crate) fn listed(words: &[&str]) -> String {
    let mut text = String::new();
    for (n, word) in words.iter().enumerate() {
        let separator = match n {
            0 => "",
            n if n + 1 == words.len() => " and ",
            _ => ", ",
        };
        text.push_str(&format!("{separator}`{word}`"));
    }
    text
}

pub(crate) fn wrong_type(reading: &Reading, node: &Node, message: &str) {
    if reading.is_whole(node.span) {
        reading.fault(Code::RB0012, shown(reading, node.span), message);
    }
}

/// The part of a span that stands on its first line: what a message points at.
pub(crate) fn shown(reading: &Reading, span: Span) -> Span {
    let text = reading.source().text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let line = text.split('\n').next().unwrap_or_default().trim_end();
    Span::new(span.start as usize, span.start as usize + line.len().max(1))
}

pub(crate) fn text(reading: &Reading, node: &Node, key: &str) -> Option<Scalar> {
    match node.scalar() {
        Some(scalar) => Some(scalar.clone()),
        None => {
            wrong_type(reading, node, &format!("`{}` is text, not {}", key.escape_debug(), node.describe()));
            None
        }
    }
}

/// A Rhai expression: bounded, on lines whose places are known, without characters that cannot be seen.
pub(crate) fn expression(reading: &Reading, node: &Node, key: &str) -> Option<Scalar> {
    let key = key.escape_debug();
    let Some(scalar) = node.scalar() else {
        reading.report(
            reading
                .diagnostic(Code::RB0012, shown(reading, node.span), format!("`{key}` is an expression, not {}", node.describe()))
                .help("write a value of an expression as text: `\"[1, 2]\"` for a list, `'#{a: 1}'` for a map"),
        );
        return None;
    };
    if scalar.style == ScalarStyle::Folded {
        reading.report(folded(reading, scalar, &format!("the expression of `{key}`")));
    }
    if scalar.value.len() > limits::EXPRESSION_BYTES {
        let message = format!("`{key}` is longer than {} bytes", limits::EXPRESSION_BYTES);
        reading.report(
            reading
                .diagnostic(Code::RB0018, shown(reading, scalar.span), message)
                .help("move the work into a `rhai` step and refer to its outputs"),
        );
    }
    if scalar.value.trim().is_empty() {
        reading.fault(Code::RB0019, scalar.span, format!("`{key}` is an empty expression"));
        return None;
    }
    seen(reading, scalar);
    Some(scalar.clone())
}

/// A script: its lines reach the program as they stand in the file.
pub(crate) fn script(reading: &Reading, node: &Node, key: &str, bytes: usize) -> Option<Scalar> {
    let scalar = text(reading, node, key)?;
    let raw = reading.source().text.get(scalar.span.start as usize..scalar.span.end as usize).unwrap_or_default();
    let joined = scalar.style == ScalarStyle::Folded || (scalar.style != ScalarStyle::Literal && raw.contains('\n'));
    if joined && !reading.is_doubtful(scalar.span) {
        reading.report(folded(reading, &scalar, &format!("the script of `{key}`")));
    }
    if scalar.value.len() > bytes {
        let diagnostic =
            reading.diagnostic(Code::RB0018, shown(reading, scalar.span), format!("`{key}` is longer than {bytes} bytes"));
        reading.report(diagnostic.help("move it into a program and `exec` that"));
    }
    if scalar.value.trim().is_empty() {
        reading.fault(Code::RB0019, scalar.span, format!("`{key}` is empty"));
        return None;
    }
    seen(reading, &scalar);
    Some(scalar)
}

fn folded(reading: &Reading, scalar: &Scalar, what: &str) -> Diagnostic {
    reading
        .diagnostic(Code::RB0022, shown(reading, scalar.span), format!("{what} is folded: its lines would be joined"))
        .reason("YAML joins these lines with spaces")
        .help("write it as a literal block, which begins with `|`")
}

/// Reports characters in code or a key that a reader cannot see, where they were written as escapes or are fine in prose.
pub(crate) fn seen(reading: &Reading, scalar: &Scalar) {
    if let Some((at, c, reason)) = yaml::hidden(&scalar.value)
        && !(scalar.style == ScalarStyle::DoubleQuoted && c.is_ascii_control())
    {
        let message = format!("the character U+{:04X} may not stand in code or in a name", u32::from(c));
        let span = scalar.span_of(reading.source(), at, at + c.len_utf8());
        reading.report(reading.diagnostic(Code::RB0004, span, message).reason(reason).help("remove it, or type it anew"));
    }
}

pub(crate) fn boolean(reading: &Reading, node: &Node, key: &str) -> Option<Spanned<bool>> {
    if let NodeKind::Bool(value, scalar) = &node.kind {
        return Some(Spanned::new(*value, scalar.span));
    }
    let mut diagnostic =
        reading.diagnostic(Code::RB0012, shown(reading, node.span), format!("`{key}` is a boolean, not {}", node.describe()));
    let word = node.scalar().map(|scalar| scalar.value.to_ascii_lowercase()).unwrap_or_default();
    let meant = match word.as_str() {
        "yes" | "y" | "on" | "true" => Some("true"),
        "no" | "n" | "off" | "false" => Some("false"),
        _ => None,
    };
    diagnostic = match meant {
        Some(meant) => diagnostic
            .reason("in YAML 1.2 only `true` and `false` are booleans")
            .help(format!("write `{meant}`"))
            .replace(node.span, meant),
        None => diagnostic.help("write `true` or `false`"),
    };
    reading.report(diagnostic);
    None
}

pub(crate) fn duration(reading: &Reading, node: &Node, key: &str) -> Option<Spanned<Duration>> {
    let scalar = text(reading, node, key)?;
    match parse_duration(&scalar.value) {
        Ok(value) => Some(Spanned::new(value, scalar.span)),
        Err(message) => {
            let mut diagnostic = reading.diagnostic(Code::RB0015, shown(reading, scalar.span), message);
            if let NodeKind::Int(seconds, _) = node.kind {
                diagnostic =
                    diagnostic.help(format!("for seconds, write `{seconds}s`")).replace(scalar.span, format!("{seconds}s"));
            }
            reading.report(diagnostic);
            None
        }
    }
}

pub(crate) fn count(reading: &Reading, node: &Node, key: &str, least: u32, most: u32) -> Option<Spanned<u32>> {
    let NodeKind::Int(value, _) = &node.kind else {
        let mut diagnostic = reading.diagnostic(
            Code::RB0012,
            shown(reading, node.span),
            format!("`{key}` is a whole number, not {}", node.describe()),
        );
        if let NodeKind::Text(scalar) = &node.kind
            && scalar.value.parse::<u32>().is_ok()
        {
            diagnostic = diagnostic.help("remove the quotes").replace(scalar.span, scalar.value.clone());
        }
        reading.report(diagnostic);
        return None;
    };
    match u32::try_from(*value) {
        Ok(value) if (least..=most).contains(&value) => Some(Spanned::new(value, node.span)),
        _ => {
            reading.fault(Code::RB0018, node.span, format!("`{key}` is {value}; it must be from {least} to {most}"));
            None
        }
    }
}

pub(crate) fn number(reading: &Reading, node: &Node, key: &str, least: f64, most: f64) -> Option<Spanned<f64>> {
    let value = match &node.kind {
        NodeKind::Int(value, _) => *value as f64,
        NodeKind::Float(value, _) => *value,
        _ => {
            wrong_type(reading, node, &format!("`{key}` is a number, not {}", node.describe()));
            return None;
        }
    };
    if (least..=most).contains(&value) {
        return Some(Spanned::new(value, node.span));
    }
    reading.fault(Code::RB0018, node.span, format!("`{key}` is {value}; it must be from {least} to {most}"));
    None
}

pub(crate) fn word<T: Copy>(reading: &Reading, node: &Node, key: &str, words: &[(&'static str, T)]) -> Option<Spanned<T>> {
    #[cfg(test)]
    super::asked::word(key, words.iter().map(|(name, _)| *name).collect());
    let scalar = text(reading, node, key)?;
    if let Some((_, value)) = words.iter().find(|(name, _)| *name == scalar.value) {
        return Some(Spanned::new(*value, scalar.span));
    }
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let mut diagnostic = reading
        .diagnostic(Code::RB0013, shown(reading, scalar.span), format!("`{}` is not a value of `{key}`", clipped(&scalar.value)))
        .help(format!("write one of {}", listed(&names)));
    if let Some(near) = nearest(&scalar.value, names.iter().copied()) {
        diagnostic = diagnostic.replace(scalar.span, near);
    }
    reading.report(diagnostic);
    None
}

pub(crate) fn parsed<T: FromStr<Err = InvalidId>>(reading: &Reading, scalar: &Scalar) -> Option<Spanned<T>> {
    match scalar.value.parse() {
        Ok(value) => Some(Spanned::new(value, scalar.span)),
        Err(error) => {
            let message = format!("`{}` is not {}", clipped(&scalar.value), error.expected);
            let mut diagnostic = reading.diagnostic(Code::RB0014, shown(reading, scalar.span), message);
            let mended = mended(&scalar.value);
            if mended.parse::<T>().is_ok() {
                diagnostic = diagnostic.help(format!("write `{mended}`")).replace(scalar.span, mended);
            } else if scalar.value.len() > limits::ID_BYTES {
                diagnostic = diagnostic.help(format!("use at most {} characters", limits::ID_BYTES));
            }
            reading.report(diagnostic);
            None
        }
    }
}

/// What an identifier was likely meant to be: lower case, `_` for everything else.
fn mended(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim().chars().take(limits::ID_BYTES) {
        match c {
            'a'..='z' | '0'..='9' | '_' => name.push(c),
            'A'..='Z' => {
                if name.ends_with(|last: char| last.is_ascii_lowercase()) {
                    name.push('_');
                }
                name.push(c.to_ascii_lowercase());
            }
            _ => name.push('_'),
        }
    }
    name
}

/// A text of the author's within a message: escaped, and short.
pub(crate) fn clipped(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}

/// The name of an environment variable.
pub(crate) fn variable(reading: &Reading, key: &Scalar) -> Option<Spanned<String>> {
    let head = key.value.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let body = key.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if head && body && key.value.len() <= limits::ID_BYTES {
        return Some(Spanned::new(key.value.clone(), key.span));
    }
    reading.report(
        reading
            .diagnostic(Code::RB0014, key.span, format!("`{}` is not the name of an environment variable", clipped(&key.value)))
            .help("use letters, digits and `_`, and no digit at the beginning"),
    );
    None
}
