//! What two versions of a procedure mean differently, as Markdown for whoever reviews the change.

use runbook_core::compare::{Comparison, Fate, PartChange, ProcedureChange, Raise, Raised, StepChange};
use runbook_core::limits;

use super::markdown;

/// One section for the procedure, and one for each that it calls and that changed. Long texts are folded.
pub fn to_markdown(comparison: &Comparison) -> String {
    let head = |name: &str, verdict: &str| format!("### {}: {}\n", markdown::code(name), markdown::text(verdict));
    let own = unchanged(comparison).map(|verdict| head(comparison.new.procedure.as_str(), &verdict));
    let changed = comparison.procedures.iter().map(|change| head(change.procedure.as_str(), &verdict(change)) + &procedure(change));
    let sections: Vec<String> = own.into_iter().chain(changed).collect();
    let said = if sections.is_empty() { "Nothing means anything else.\n".to_owned() } else { sections.join("\n") };
    match left_out(&comparison.not_compared) {
        Some(left) => format!("{said}\n{}.\n", markdown::text(&left)),
        None => said,
    }
}

/// Which environments nothing is said of.
pub fn left_out(names: &[String]) -> Option<String> {
    let (told, more) = names.split_at(names.len().min(limits::PATHS_TOLD));
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    (!told.is_empty()).then(|| format!("Not compared under the rules of {}{more}: name one with --env", told.join(", ")))
}

/// What a change is of, and where it is one, if not everywhere.
pub fn what(change: &PartChange) -> String {
    match change.environments.as_slice() {
        [] => change.what.clone(),
        names => format!("{} in {}", change.what, names.join(", ")),
    }
}

/// What is said of the procedure itself where only what it calls is another.
pub fn unchanged(comparison: &Comparison) -> Option<String> {
    let is_so = comparison.own().is_none() && !comparison.is_empty();
    is_so.then(|| format!("still {}, but what it calls is another", comparison.new.version))
}

/// What was done to the version, and what should have been, in one line; of a procedure that is only called, it begins with that.
pub fn verdict(change: &ProcedureChange) -> String {
    let versions = match (change.old, change.new) {
        (Some(old), Some(new)) if old == new => format!("still {new}"),
        (Some(old), Some(new)) => format!("{old} → {new}"),
        (None, Some(new)) => format!("{new} is called now"),
        (Some(old), None) => format!("{old} is not called any more"),
        (None, None) => String::new(),
    };
    let needs = match change.needs {
        Raise::None if change.parts.is_empty() && change.steps.is_empty() => "nothing in it means anything else".to_owned(),
        Raise::None => "a change that asks for no other version".to_owned(),
        needs => format!("a {} change", needs.word()),
    };
    let versions = match change.raised {
        Raised::Neither => versions,
        _ if change.called => format!("called: {versions}"),
        _ => versions,
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

/// What a step is, in short: its verb, and of one that came or went its effect.
pub fn kind(change: &StepChange) -> String {
    let effect = change.parts.iter().find(|part| part.what == EFFECT).filter(|_| is_one_sided(change));
    let effect = effect.and_then(|part| part.new.as_deref().or(part.old.as_deref()));
    effect.map_or_else(|| change.verb.to_owned(), |effect| format!("{}, effect {effect}", change.verb))
}

/// What is told of a step below its line: of one that went nothing, for the old version has it.
pub fn parts(change: &StepChange) -> impl Iterator<Item = &PartChange> {
    let is_told = move |part: &&PartChange| match change.fate {
        Fate::Removed => false,
        Fate::Added => part.what != EFFECT,
        Fate::Moved(_) | Fate::Changed => true,
    };
    change.parts.iter().filter(is_told)
}

const EFFECT: &str = "effect";

fn is_one_sided(change: &StepChange) -> bool {
    matches!(change.fate, Fate::Added | Fate::Removed)
}

/// How far a change asks the version to be raised, and why.
pub fn weight(needs: Raise, because: Option<&str>) -> String {
    match because {
        Some(because) => format!("{}: {because}", needs.word()),
        None => needs.word().to_owned(),
    }
}

fn procedure(change: &ProcedureChange) -> String {
    let mut out = String::new();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut long: Vec<String> = Vec::new();
    let mut say = |of: &str, part: &PartChange, rows: &mut Vec<Vec<String>>| {
        let texts: Vec<&String> = part.old.iter().chain(&part.new).collect();
        let is_long = texts.iter().any(|text| text.contains('\n') || text.chars().count() > LONG);
        let cell = |text: &Option<String>| match text {
            None => "–".to_owned(),
            Some(_) if is_long => "below".to_owned(),
            Some(text) => markdown::code(text),
        };
        rows.push(vec![
            String::new(),
            markdown::text(&what(part)),
            cell(&part.old),
            cell(&part.new),
            raise(part.needs, part.because),
        ]);
        if is_long {
            let title = format!("{of}: {}", what(part)).trim_start_matches(": ").to_owned();
            let text = lines(part.old.as_deref(), part.new.as_deref());
            long.push(markdown::details(&title, &markdown::fence("diff", &text)));
        }
    };
    change.parts.iter().for_each(|part| say("", part, &mut rows));
    for step in &change.steps {
        let head = format!("{} ({})", markdown::code(&step.path), kind(step));
        rows.push(vec![head, markdown::text(&fate(step)), String::new(), String::new(), raise(step.needs, step.because)]);
        parts(step).for_each(|part| say(&step.path, part, &mut rows));
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
