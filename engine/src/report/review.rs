//! A review of a change in the forms in which it is read: one comment, and the findings for the machines that put them beside lines.

use runbook_core::compare::{Fate, ProcedureChange, Raise, Raised, StepChange};
use runbook_core::diagnostic::{Diagnostic, Severity, Source};
use runbook_core::explore::PATH_NOTE;
use runbook_core::limits;
use runbook_core::markdown::quoted;

use super::annotations::{Annotation, Level};
use super::plain::plain;
use super::{comparison, dry_run, markdown};
use crate::review::{Altered, Change, Review, Reviewed, Tests};

/// What GitHub takes in one comment is 65,536 characters; with some room for whoever adds to it.
pub const COMMENT_BYTES: usize = 60_000;
/// What the list of all procedures may take of it.
const LIST_BYTES: usize = 15_000;
/// Of what speaks against it, and of what is to be looked at, each.
const ITEMS_BYTES: usize = 8_000;

/// A part of the comment that can be left out.
struct Part {
    procedure: usize,
    /// What it is called if it is left out.
    kind: Kind,
    text: String,
}

/// In the order in which they matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Findings,
    Comparison,
    Tests,
    DryRun,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Findings, Kind::Comparison, Kind::Tests, Kind::DryRun];

    fn counted(self, count: usize) -> String {
        let (one, many) = match self {
            Kind::Findings => ("list of findings", "lists of findings"),
            Kind::Comparison => ("comparison", "comparisons"),
            Kind::Tests => ("report of tests", "reports of tests"),
            Kind::DryRun => ("dry run", "dry runs"),
        };
        format!("{count} {}", if count == 1 { one } else { many })
    }
}

/// One comment of at most [`COMMENT_BYTES`]; what had no room is counted in it. `against` is what people call the old version, `prefix`
/// leads from the top of the repository to the catalogue, and `source` gives a file by its name.
pub fn to_markdown<'s>(review: &Review, against: &str, prefix: &str, source: impl Fn(&str) -> Option<&'s Source>) -> String {
    let (objections, remarks) = (review.objections(), review.remarks());
    let mut head = match objections.len() {
        0 => "## Runbooks: nothing speaks against this change\n\n".to_owned(),
        1 => "## Runbooks: one thing speaks against this change\n\n".to_owned(),
        many => format!("## Runbooks: {many} things speak against this change\n\n"),
    };
    head.push_str(&items(&objections));
    if !remarks.is_empty() {
        head.push_str(&format!("To be looked at:\n\n{}", items(&remarks)));
    }
    head.push_str(&format!("Compared with {}.\n", markdown::code(against)));
    head.extend(comparison::left_out(&review.not_compared).map(|said| match markdown::text(&said) {
        long if long.len() > ITEMS_BYTES => format!("{} environments are not compared.\n", review.not_compared.len()),
        said => format!("{said}.\n"),
    }));
    if review.procedures.is_empty() && review.elsewhere.is_empty() {
        head.push_str("\nNo procedure means anything else.\n");
        return head;
    }
    head.push_str(&list(review, prefix));
    let parts = parts(review, prefix, &source);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|place| parts[*place].kind);
    // The line that says what is hidden, and a heading for each procedure.
    let mut room = COMMENT_BYTES.saturating_sub(head.len() + 400);
    let mut shown = vec![false; parts.len()];
    let mut begun = vec![false; review.procedures.len() + 1];
    for place in order {
        let part = &parts[place];
        let heading = if begun[part.procedure] { 0 } else { heading(review, part.procedure).len() };
        let needs = part.text.len() + heading + 1;
        if needs <= room {
            room -= needs;
            (shown[place], begun[part.procedure]) = (true, true);
        }
    }
    let mut out = head;
    let mut last = None;
    for (part, _) in parts.iter().zip(&shown).filter(|(_, shown)| **shown) {
        if last.replace(part.procedure) != Some(part.procedure) {
            out.push_str(&heading(review, part.procedure));
        }
        out.push_str(&part.text);
        out.push('\n');
    }
    let hidden: Vec<String> = Kind::ALL
        .into_iter()
        .filter_map(|kind| {
            let count = parts.iter().zip(&shown).filter(|(part, shown)| part.kind == kind && !**shown).count();
            (count > 0).then(|| kind.counted(count))
        })
        .collect();
    if !hidden.is_empty() {
        out.push_str(&format!(
            "\nHidden, because a comment has at most {} kB: {}. `runbook diff`, `runbook explore` and `runbook dry-run` show each.\n",
            COMMENT_BYTES / 1000,
            hidden.join(", ")
        ));
    }
    out
}

/// As many of them as have room, and how many more there are.
fn items(all: &[String]) -> String {
    let mut out = String::new();
    for (shown, one) in all.iter().enumerate() {
        let item = format!("- {}\n", markdown::text(one));
        if out.len() + item.len() > ITEMS_BYTES {
            out.push_str(&format!("- and {} more; `runbook review` names each\n", all.len() - shown));
            break;
        }
        out.push_str(&item);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn heading(review: &Review, place: usize) -> String {
    match review.procedures.get(place) {
        Some(procedure) => format!("\n### {}\n\n", markdown::code(&procedure.name)),
        None => "\n### Other files\n\n".to_owned(),
    }
}

fn list(review: &Review, prefix: &str) -> String {
    let head = ["procedure", "change", "tests", "new findings", "plan"];
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for procedure in &review.procedures {
        let row = vec![
            format!("{}<br>{}", markdown::code(&procedure.name), markdown::code(&format!("{prefix}{}", procedure.file))),
            markdown::text(&change(procedure)),
            markdown::text(&tests(procedure)),
            markdown::text(&findings(procedure)),
            digest(procedure).unwrap_or_default(),
        ];
        bytes += row.iter().map(String::len).sum::<usize>();
        if bytes > LIST_BYTES {
            break;
        }
        rows.push(row);
    }
    if rows.is_empty() {
        return String::new();
    }
    let left = review.procedures.len() - rows.len();
    let more = if left == 0 { String::new() } else { format!("\nAnd {left} more.\n") };
    format!("\n{}{more}", markdown::table(&head, &rows))
}

/// The beginning of the new plan's digest: what an approval names.
fn digest(procedure: &Reviewed) -> Option<String> {
    let digest = match &procedure.change {
        Change::Added(digest) | Change::Changed(_, digest) | Change::Mended(digest) => digest,
        Change::Removed | Change::Broken => return None,
    };
    Some(markdown::code(digest.as_str().get(..19).unwrap_or(digest.as_str())))
}

/// What became of a procedure, in one line.
pub fn change(procedure: &Reviewed) -> String {
    let became = match &procedure.change {
        Change::Added(_) => "new".to_owned(),
        Change::Removed => "gone".to_owned(),
        Change::Broken => "does not pass check".to_owned(),
        Change::Mended(_) => "passes check now".to_owned(),
        Change::Changed(changed, _) => match changed.own() {
            Some(own) => comparison::verdict(own),
            None => comparison::unchanged(changed).unwrap_or_else(|| "means the same".to_owned()),
        },
    };
    match procedure.broken_in.as_slice() {
        [] => became,
        names => format!("{became}; does not pass check in {}", names.join(", ")),
    }
}

/// What its tests came to, in one line.
pub fn tests(procedure: &Reviewed) -> String {
    let tests = &procedure.tests;
    let covered = tests.points - tests.missing.len().min(tests.points);
    match (tests.cases, tests.failed.len()) {
        _ if matches!(procedure.change, Change::Removed) => String::new(),
        (0, _) if !tests.broken.is_empty() => "cannot be played".to_owned(),
        (0, _) => "none".to_owned(),
        (cases, 0) => format!("{cases} pass, {covered} of {} steps and branches", tests.points),
        (cases, failed) => format!("{failed} of {cases} fail"),
    }
}

fn findings(procedure: &Reviewed) -> String {
    match (procedure.found().count(), procedure.mended) {
        (0, 0) => "none".to_owned(),
        (0, mended) => format!("none; {mended} mended"),
        (found, 0) => found.to_string(),
        (found, mended) => format!("{found}; {mended} mended"),
    }
}

/// What the tests of a procedure say, each in one line: what fails, what they say no more, and what they do not come to.
pub fn said(tests: &Tests, prefix: &str) -> Vec<String> {
    let of = |file: &str, case: &str| format!("{} in {}", quoted(case), quoted(&format!("{prefix}{file}")));
    let failed = tests.failed.iter().map(|(file, case)| format!("fails: {}", of(file, case)));
    let gone = tests.expected.gone.iter().map(|(file, case)| format!("gone: {}", of(file, case)));
    let altered = |what: &str, Altered { file, case, keys }: &Altered| format!("{what}: {}: {}", of(file, case), keys.join(", "));
    let less = tests.expected.less.iter().map(|of| altered("expected no more", of));
    let other = tests.expected.other.iter().map(|of| altered("expected otherwise", of));
    let missing = tests.missing.iter().map(|missing| {
        let before = if tests.uncovered.contains(missing) { "; before, one did" } else { "" };
        format!("{missing}{before}")
    });
    failed.chain(gone).chain(less).chain(other).chain(missing).collect()
}

fn parts<'s>(review: &Review, prefix: &str, source: &impl Fn(&str) -> Option<&'s Source>) -> Vec<Part> {
    let mut parts = Vec::new();
    for (place, procedure) in review.procedures.iter().enumerate() {
        let mut part = |kind: Kind, text: String| parts.push(Part { procedure: place, kind, text });
        let found: Vec<&Diagnostic> = procedure.found().collect();
        if !found.is_empty() {
            part(Kind::Findings, table(&found, prefix, source));
        }
        if let Change::Changed(changed, _) = &procedure.change
            && !changed.is_empty()
        {
            part(Kind::Comparison, markdown::details("What it changes", &comparison::to_markdown(changed)));
        }
        let tests = &procedure.tests;
        let said: String = said(tests, prefix).iter().map(|said| format!("- {}\n", markdown::prose(said))).collect();
        if !said.is_empty() {
            part(Kind::Tests, markdown::details("What its tests say", &said));
        }
        for (case, dry) in &tests.dry_runs {
            let body = dry_run::to_markdown(dry, &tests.people);
            part(Kind::DryRun, markdown::details(&format!("Dry run: {case}"), &body));
        }
    }
    if !review.elsewhere.is_empty() {
        let found: Vec<&Diagnostic> = review.elsewhere.iter().collect();
        parts.push(Part { procedure: review.procedures.len(), kind: Kind::Findings, text: table(&found, prefix, source) });
    }
    parts
}

fn table<'s>(found: &[&Diagnostic], prefix: &str, source: &impl Fn(&str) -> Option<&'s Source>) -> String {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|found| {
            let at = source(&found.source).map(|source| source.position(found.span.start)).unwrap_or_default();
            let severity = if found.severity == Severity::Error { "error" } else { "warning" };
            vec![
                format!("{} {severity}", found.code.as_str()),
                markdown::code(&format!("{prefix}{}:{}:{}", found.source, at.line, at.column)),
                format!("{}{}", markdown::prose(&found.message), path(found)),
                markdown::prose(found.help.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    markdown::table(&["new", "where", "what", "what to do"], &rows)
}

/// The path that shows a finding, behind what is found, inside the cell of a table.
fn path(found: &Diagnostic) -> String {
    let path = found.note.as_deref().and_then(|note| note.strip_prefix(PATH_NOTE));
    path.map(|path| markdown::details_within("path", &markdown::prose(path))).unwrap_or_default()
}

/// The findings, and what else speaks against the change, for machines that put them beside lines. `prefix` leads from the top of the
/// repository to the catalogue.
pub fn annotations<'s>(review: &Review, prefix: &str, source: impl Fn(&str) -> Option<&'s Source>) -> Vec<Annotation> {
    let found = review.found().filter_map(|found| Some(Annotation::of(found, prefix, source(&found.source)?)));
    let against = review.procedures.iter().flat_map(|procedure| against(procedure, prefix, source(&procedure.file)));
    found.chain(against).collect()
}

/// What speaks against a procedure that is no finding in a file: its version, and that its tests say less. It stands beside the version.
fn against(procedure: &Reviewed, prefix: &str, source: Option<&Source>) -> Vec<Annotation> {
    let Some(source) = source else { return Vec::new() };
    let place = |offset| source.position(offset);
    let annotation = |title: &str, message: String| Annotation {
        level: Level::Error,
        file: format!("{prefix}{}", procedure.file),
        from: place(procedure.version_at.start),
        to: place(procedure.version_at.end),
        title: title.to_owned(),
        message: plain(&message).into_owned(),
    };
    let own = match &procedure.change {
        Change::Changed(comparison, _) => comparison.own().filter(|own| matches!(own.raised, Raised::TooLittle(_))),
        _ => None,
    };
    let version = own.map(|own| {
        let causes = causes(own).join("; ");
        annotation("version", format!("{}: {}: {causes}", procedure.name, comparison::verdict(own)))
    });
    let tests = procedure.tests.fewer().map(|said| annotation("tests", format!("{}: {said}", procedure.name)));
    version.into_iter().chain(tests).collect()
}

/// What asks most of a version.
fn causes(change: &ProcedureChange) -> Vec<String> {
    let told = |of: Option<&StepChange>, what: &str, needs: Raise, because: Option<&str>| {
        let because = because.map(|because| format!(" ({because})")).unwrap_or_default();
        let of = of.map(|step| format!("{} ", quoted(&step.path))).unwrap_or_default();
        (needs == change.needs).then(|| format!("{of}{what}{because}"))
    };
    let mut all: Vec<String> = Vec::new();
    all.extend(change.parts.iter().filter_map(|part| told(None, &comparison::what(part), part.needs, part.because)));
    for step in &change.steps {
        let parts = step.parts.iter().filter_map(|part| told(Some(step), &comparison::what(part), part.needs, part.because));
        let parts: Vec<String> = parts.collect();
        // That a step is changed is said by what of it is.
        let whole = told(Some(step), &comparison::fate(step), step.needs, step.because);
        if parts.is_empty() || step.fate != Fate::Changed { all.extend(whole) } else { all.extend(parts) }
    }
    let more = all.len().saturating_sub(limits::CAUSES_TOLD);
    all.truncate(limits::CAUSES_TOLD);
    all.extend((more > 0).then(|| format!("and {more} more")));
    all
}
