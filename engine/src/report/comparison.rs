//! What two versions of a procedure mean differently, as Markdown for whoever reviews the change.

use runbook_core::compare::{Comparison, Fate, PartChange, ProcedureChange, Raise, Raised, StepChange};

use super::markdown;

/// One section for each procedure that changed. Long texts are folded.
pub fn to_markdown(comparison: &Comparison) -> String {
    let sections: Vec<String> = comparison.procedures.iter().map(procedure).collect();
    if sections.is_empty() { "Nothing means anything else.\n".to_owned() } else { sections.join("\n") }
}

/// What was done to the version, and what should have been, in one line.
pub fn verdict(change: &ProcedureChange) -> String {
    let versions = match (change.old, change.new) {
        (Some(old), Some(new)) if old == new => format!("still {new}"),
        (Some(old), Some(new)) => format!("{old} → {new}"),
        (None, Some(new)) => format!("{new} is called now"),
        (Some(old), None) => format!("{old} is not called any more"),
        (None, None) => String::new(),
    };
    let needs = match change.needs {
        Raise::None => "nothing in it means anything else".to_owned(),
        needs => format!("a {} change", needs.word()),
    };
    match change.raised {
        Raised::Neither => versions,
        Raised::Enough => format!("{versions}, {needs}"),
        Raised::TooLittle(least) => format!("{versions}, {needs}: the version must be at least {least}"),
    }
}

/// What became of a step, in words.
pub fn fate(change: &StepChange) -> String {
    match &change.fate {
        Fate::Added => "added".to_owned(),
        Fate::Removed => "removed".to_owned(),
        Fate::Changed => "changed".to_owned(),
        Fate::Moved(from) if *from == change.path => "moved".to_owned(),
        Fate::Moved(from) => format!("moved from {from}"),
    }
}

/// How far a change asks the version to be raised, and why.
pub fn weight(needs: Raise, because: Option<&str>) -> String {
    match because {
        Some(because) => format!("{}: {because}", needs.word()),
        None => needs.word().to_owned(),
    }
}

fn procedure(change: &ProcedureChange) -> String {
    let mut out = format!("### {}: {}\n", markdown::code(change.procedure.as_str()), markdown::text(&verdict(change)));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut long: Vec<String> = Vec::new();
    let mut parts = |of: &str, parts: &[PartChange], rows: &mut Vec<Vec<String>>| {
        for part in parts {
            let texts: Vec<&String> = part.old.iter().chain(&part.new).collect();
            let is_long = texts.iter().any(|text| text.contains('\n') || text.chars().count() > LONG);
            let cell = |text: &Option<String>| match text {
                None => "–".to_owned(),
                Some(_) if is_long => "below".to_owned(),
                Some(text) => markdown::code(text),
            };
            rows.push(vec![
                String::new(),
                markdown::text(&part.what),
                cell(&part.old),
                cell(&part.new),
                raise(part.needs, part.because),
            ]);
            if is_long {
                let title = format!("{of}: {}", part.what).trim_start_matches(": ").to_owned();
                let text = lines(part.old.as_deref(), part.new.as_deref());
                long.push(markdown::details(&title, &markdown::fence("diff", &text)));
            }
        }
    };
    parts("", &change.parts, &mut rows);
    for step in &change.steps {
        let head = format!("{} ({})", markdown::code(&step.path), step.verb);
        rows.push(vec![head, markdown::text(&fate(step)), String::new(), String::new(), raise(step.needs, step.because)]);
        parts(&step.path, &step.parts, &mut rows);
    }
    if !rows.is_empty() {
        out.push_str(&format!("\n{}", markdown::table(&["step", "what", "before", "now", "asks for"], &rows)));
    }
    for block in long {
        out.push_str(&format!("\n{block}"));
    }
    out
}

/// Characters of a text that still fit a cell.
const LONG: usize = 80;

fn raise(needs: Raise, because: Option<&str>) -> String {
    match needs {
        Raise::None => String::new(),
        needs => markdown::text(&weight(needs, because)),
    }
}

/// Two texts line by line, as `diff` shows them: what both begin and end with once, between them what only one has.
pub fn lines(old: Option<&str>, new: Option<&str>) -> String {
    let old: Vec<&str> = old.into_iter().flat_map(str::lines).collect();
    let new: Vec<&str> = new.into_iter().flat_map(str::lines).collect();
    let ahead = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, old_rest) = old.split_at(ahead);
    let new_rest = new.get(ahead..).unwrap_or_default();
    let behind = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (gone, tail) = old_rest.split_at(old_rest.len() - behind);
    let come = new_rest.get(..new_rest.len() - behind).unwrap_or_default();
    let marked = [(" ", old), ("-", gone), ("+", come), (" ", tail)];
    marked.iter().flat_map(|(sign, lines)| lines.iter().map(move |line| format!("{sign}{line}\n"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_once_where_both_have_them() {
        for (old, new, shown) in [
            (Some("a\nb\nc"), Some("a\nx\nc"), " a\n-b\n+x\n c\n"),
            (Some("a\nb"), Some("a\nb\nc"), " a\n b\n+c\n"),
            (Some("a\na"), Some("a"), " a\n-a\n"),
            (None, Some("a"), "+a\n"),
            (Some("a"), None, "-a\n"),
            (Some("a"), Some("a"), " a\n"),
        ] {
            assert_eq!(lines(old, new), shown, "{old:?} {new:?}");
        }
    }
}
