//! Diagnostics for people and for machines.
//!
//! What a file holds is shown, never obeyed: control characters and characters that change the direction of text stand
//! escaped, long lines are cut around what matters, and only the lines near it are shown.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use serde_json::{Value as Json, json};

use super::{Diagnostic, Position, Severity, Source, Span};

/// How a diagnostic looks in a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Plain,
    /// With ANSI colours, which stand beside the words and never instead of them.
    Colour,
}

/// Lines between two places that are still shown as one excerpt.
const NEAR_LINES: usize = 6;
/// Characters of a line before it is cut, and how many of them stand before what is pointed at.
const LINE_CHARS: usize = 160;
const BEFORE_CHARS: usize = 40;
/// Lines of an excerpt that a suggestion may replace; beyond it only the help is shown.
const PATCH_LINES: usize = 12;

/// The diagnostic with the lines of the file that it is about, as a compiler shows it. No line end at the end.
pub fn to_text(diagnostic: &Diagnostic, source: &Source, look: Look) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut places = vec![Place { span: diagnostic.span, label: &diagnostic.reason, kind: AnnotationKind::Primary }];
    places.extend(diagnostic.labels.iter().map(|label| Place {
        span: label.span,
        label: &label.text,
        kind: AnnotationKind::Context,
    }));
    let path = escape(&source.name);
    let mut fault = Group::with_title(level.primary_title(escape(&diagnostic.message)).id(diagnostic.code.as_str()));
    let mut headings = Vec::new();
    for excerpt in Excerpt::around(source, &mut places) {
        let (shown, meant) = excerpt.heading;
        headings.push([shown, meant].map(|at| format!("{path}:{}:{}", at.line, at.column)));
        fault = fault.element(
            Snippet::source(excerpt.text).line_start(excerpt.first_line).path(path.clone()).annotations(excerpt.annotations),
        );
    }
    if let Some(note) = &diagnostic.note {
        fault = fault.element(Level::NOTE.message(escape(note)));
    }
    let mut groups = Vec::new();
    let patch = diagnostic.suggestion.as_ref().and_then(|suggestion| {
        let mut place = [Place { span: suggestion.span, label: "", kind: AnnotationKind::Primary }];
        let excerpt = Excerpt::around(source, &mut place).into_iter().next()?;
        let range = excerpt.ranges.first().cloned()?;
        (excerpt.text.lines().count() <= PATCH_LINES && !excerpt.is_cut).then(|| {
            Snippet::source(excerpt.text)
                .line_start(excerpt.first_line)
                .path(path.clone())
                .patch(Patch::new(range, escape(&suggestion.replacement)))
        })
    });
    let help = diagnostic.help.as_deref();
    match patch {
        Some(patch) => {
            groups.push(fault);
            groups.push(Group::with_title(Level::HELP.secondary_title(escape(help.unwrap_or("write it so")))).element(patch));
        }
        None => {
            if let Some(help) = help {
                fault = fault.element(Level::HELP.message(escape(help)));
            }
            groups.push(fault);
        }
    }
    let renderer = match look {
        Look::Plain => Renderer::plain(),
        Look::Colour => Renderer::styled(),
    };
    let shown = renderer.decor_style(DecorStyle::Ascii).render(&groups);
    // The renderer counts the columns of what is shown, which are not those of a line that was cut or escaped.
    headings.iter().filter(|[found, meant]| found != meant).fold(shown, |text, [found, meant]| text.replacen(found, meant, 1))
}

/// The diagnostic as JSON: `code`, `severity`, `file`, `line`, `column`, `end_line`, `end_column` (from 1, in
/// characters, the end exclusive), `message`, `reason`, `note`, `help`, `suggestion` and `labels`. What is absent is null.
pub fn to_json(diagnostic: &Diagnostic, source: &Source) -> Json {
    let place = |span: Span| {
        let (start, end) = (source.position(span.start), source.position(span.end));
        json!({ "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column })
    };
    let joined = |mut object: Json, more: Json| {
        if let (Json::Object(object), Json::Object(more)) = (&mut object, more) {
            object.extend(more);
        }
        object
    };
    let labels: Vec<Json> =
        diagnostic.labels.iter().map(|label| joined(place(label.span), json!({ "text": label.text }))).collect();
    let suggestion = diagnostic
        .suggestion
        .as_ref()
        .map(|suggestion| joined(place(suggestion.span), json!({ "replacement": suggestion.replacement })));
    joined(
        place(diagnostic.span),
        json!({
            "code": diagnostic.code.as_str(),
            "severity": diagnostic.severity,
            "file": &*source.name,
            "message": diagnostic.message,
            "reason": (!diagnostic.reason.is_empty()).then_some(&diagnostic.reason),
            "note": diagnostic.note,
            "help": diagnostic.help,
            "suggestion": suggestion,
            "labels": labels,
        }),
    )
}

/// One line for each fault: `file:line:column: error[RB0010]: message`.
pub fn to_line(diagnostic: &Diagnostic, source: &Source) -> String {
    let at = source.position(diagnostic.span.start);
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let (name, message) = (escape(&source.name), escape(&diagnostic.message));
    format!("{name}:{}:{}: {severity}[{}]: {message}", at.line, at.column, diagnostic.code.as_str())
}

/// Text that a terminal shows as it is: everything that would move the cursor, hide or turn text stands escaped.
fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|c| push_escaped(c, &mut shown));
    shown
}

fn push_escaped(c: char, to: &mut String) {
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}'
        | '\u{2028}' | '\u{2029}' | '\u{e0000}'..='\u{e007f}' | '\u{ad}');
    match c {
        '\t' => to.push(' '),
        c if c.is_control() || hidden => to.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        c => to.push(c),
    }
}

/// Something to point at.
struct Place<'d> {
    span: Span,
    label: &'d str,
    kind: AnnotationKind,
}

/// Neighbouring lines of a file, escaped and cut, and the places in them.
struct Excerpt {
    /// Where what it is shown for stands: in the excerpt, and in the file.
    heading: (Position, Position),
    text: String,
    first_line: usize,
    annotations: Vec<Annotation<'static>>,
    ranges: Vec<Range<usize>>,
    is_cut: bool,
}

impl Excerpt {
    /// Excerpts that show all places, each place in one of them; the first holds the first place given.
    fn around(source: &Source, places: &mut [Place]) -> Vec<Excerpt> {
        let Some(main) = places.first().map(|place| place.span) else { return Vec::new() };
        places.sort_by_key(|place| place.span.start);
        let mut excerpts: Vec<(bool, Excerpt)> = Vec::new();
        let mut rest = &places[..];
        while let Some(first) = rest.first() {
            let start = line_start(&source.text, first.span.start as usize);
            let mut end = line_end(&source.text, first.span.start as usize);
            let mut taken = 1;
            for place in rest.iter().skip(1) {
                let at = line_end(&source.text, place.span.start as usize);
                let between = source.text.get(end..at.max(end)).unwrap_or_default();
                if between.bytes().filter(|b| *b == b'\n').count() > NEAR_LINES {
                    break;
                }
                end = at.max(end);
                taken += 1;
            }
            let (now, later) = rest.split_at(taken);
            let holds_main = now.iter().any(|place| place.span == main);
            let at = if holds_main { main } else { first.span };
            excerpts.push((holds_main, Excerpt::of(source, start..end, now, at)));
            rest = later;
        }
        excerpts.sort_by_key(|(holds_main, _)| !holds_main);
        excerpts.into_iter().map(|(_, excerpt)| excerpt).collect()
    }

    fn of(source: &Source, lines: Range<usize>, places: &[Place], main: Span) -> Excerpt {
        let (start, end) = (lines.start, lines.end);
        let mut text = String::new();
        let mut is_cut = false;
        let mut ranges = vec![0..0; places.len()];
        let mut at = start;
        for line in source.text.get(start..end).unwrap_or_default().split('\n') {
            if at > start {
                text.push('\n');
            }
            let line_end = at + line.len();
            let pointed = places.iter().map(|place| place.span.start as usize).find(|n| (at..=line_end).contains(n));
            let (from, to) = window(line, pointed.map(|n| n - at));
            is_cut |= from > 0 || to < line.len();
            // Each place begins and ends where its characters land; one that goes on below ends with the line.
            let mut mark = |offset: usize, length: usize| {
                for (place, range) in places.iter().zip(&mut ranges) {
                    let (first, last) = (place.span.start as usize, place.span.end as usize);
                    if first == offset || (offset == at + from && (at..offset).contains(&first)) {
                        *range = length..length;
                    }
                    if (at..=line_end).contains(&first) && offset <= last {
                        range.end = length.max(range.start);
                    }
                }
            };
            if from > 0 {
                text.push('…');
            }
            let shown = line.get(from..to).unwrap_or_default();
            for (n, c) in shown.trim_end_matches('\r').char_indices() {
                mark(at + from + n, text.len());
                push_escaped(c, &mut text);
            }
            mark(at + from + shown.trim_end_matches('\r').len(), text.len());
            if to < line.len() {
                text.push('…');
            }
            at = line_end + 1;
        }
        let first_line = source.text.get(..start).unwrap_or_default().bytes().filter(|b| *b == b'\n').count() + 1;
        let annotations = places.iter().zip(&ranges).map(|(place, range)| {
            let annotation = place.kind.span(range.clone());
            if place.label.is_empty() { annotation } else { annotation.label(escape(place.label)) }
        });
        let meant = source.position(main.start);
        let at = places.iter().zip(&ranges).find(|(place, _)| place.span == main).map_or(0, |(_, range)| range.start);
        let shown = Source::new("", text.as_str()).position(u32::try_from(at).unwrap_or(u32::MAX));
        let heading = (Position { line: meant.line, ..shown }, meant);
        Excerpt { heading, annotations: annotations.collect(), text, first_line, ranges, is_cut }
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at.min(text.len())).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |n| at + n)
}

/// The bytes of a line that are shown: all of a short one, else those around `pointed`.
fn window(line: &str, pointed: Option<usize>) -> (usize, usize) {
    if line.len() <= LINE_CHARS {
        return (0, line.len());
    }
    let place = |n: usize| line.char_indices().nth(n).map_or(line.len(), |(at, _)| at);
    let first = line.get(..pointed.unwrap_or(0)).map_or(0, |before| before.chars().count()).saturating_sub(BEFORE_CHARS);
    (place(first), place(first + LINE_CHARS))
}

#[cfg(test)]
mod tests;
