//! What is found of files in the forms of the machines that put it beside lines: commands of a GitHub workflow, a code quality report of
//! GitLab, SARIF.

use std::collections::BTreeMap;

use runbook_core::Digest;
use runbook_core::diagnostic::{Diagnostic, Position, Severity, Source};
use serde_json::{Value as Json, json};

/// What GitHub shows of one kind from one step of a workflow; it drops the others without a word.
pub const GITHUB_SHOWN: usize = 10;

/// One thing beside a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    pub level: Level,
    /// Below the top of the repository.
    pub file: String,
    pub from: Position,
    pub to: Position,
    /// What it is called: a code, or a kind.
    pub title: String,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warning,
    Notice,
}

impl Annotation {
    /// A finding, its file below `prefix`.
    pub fn of(found: &Diagnostic, prefix: &str, source: &Source) -> Annotation {
        let help = found.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        Annotation {
            level: if found.severity == Severity::Error { Level::Error } else { Level::Warning },
            file: format!("{prefix}{}", found.source),
            from: source.position(found.span.start),
            to: source.position(found.span.end),
            title: found.code.as_str().to_owned(),
            message: super::plain::plain(&format!("{}{help}", found.message)).into_owned(),
        }
    }
}

/// Commands of a GitHub workflow, one on a line.
pub fn to_github(annotations: &[Annotation]) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let lines = annotations.iter().map(|Annotation { level, file, from, to, title, message }| {
        let level = match level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        };
        format!(
            "::{level} file={},line={},col={},endLine={},endColumn={},title={}::{}\n",
            property(file),
            from.line,
            from.column,
            to.line,
            to.column,
            property(title),
            data(message)
        )
    });
    lines.collect()
}

/// The same, of each kind no more than GitHub shows; and how many of each were left out.
pub fn shown_by_github(annotations: Vec<Annotation>) -> (Vec<Annotation>, Vec<(Level, usize)>) {
    let mut count = [0; 3];
    let mut shown = annotations;
    shown.retain(|annotation| {
        let count = &mut count[annotation.level as usize];
        *count += 1;
        *count <= GITHUB_SHOWN
    });
    let levels = [Level::Error, Level::Warning, Level::Notice];
    let hidden = levels.into_iter().zip(count).filter(|(_, count)| *count > GITHUB_SHOWN);
    (shown, hidden.map(|(level, count)| (level, count - GITHUB_SHOWN)).collect())
}

/// A code quality report of GitLab.
pub fn to_gitlab(annotations: &[Annotation]) -> Json {
    // By the text and not by the line, so that an issue stays the same one when its line moves; of equal ones each has its place.
    let mut alike: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let issues = annotations.iter().map(|Annotation { level, file, from, to, title, message }| {
        let place = alike.entry((file, title, message)).and_modify(|place| *place += 1).or_default();
        let print = Digest::of_bytes(format!("{file}\0{title}\0{message}\0{place}").as_bytes());
        json!({
            "description": message,
            "check_name": title,
            "fingerprint": print.as_str().rsplit(':').next(),
            "severity": match level {
                Level::Error => "major",
                Level::Warning => "minor",
                Level::Notice => "info",
            },
            "location": { "path": file, "lines": { "begin": from.line, "end": to.line } },
        })
    });
    issues.collect()
}

/// SARIF 2.1.0, which code hosts show beside the lines.
pub fn to_sarif(annotations: &[Annotation]) -> Json {
    let results: Vec<Json> = annotations
        .iter()
        .map(|Annotation { level, file, from, to, title, message }| {
            json!({
                "ruleId": title,
                "level": match level {
                    Level::Error => "error",
                    Level::Warning => "warning",
                    Level::Notice => "note",
                },
                "message": { "text": message },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri(file) },
                    "region": {
                        "startLine": from.line, "startColumn": from.column, "endLine": to.line, "endColumn": to.column,
                    },
                } }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "columnKind": "unicodeCodePoints",
            "tool": { "driver": { "name": "runbook", "version": env!("CARGO_PKG_VERSION") } },
            "results": results,
        }],
    })
}

/// A path as a relative reference.
fn uri(path: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gitlab_tells_every_issue_from_the_others() {
        let at = Position { line: 1, column: 1 };
        let issue = |line, file: &str, message: &str| Annotation {
            level: Level::Notice,
            file: file.to_owned(),
            from: Position { line, ..at },
            to: at,
            title: "test".to_owned(),
            message: message.to_owned(),
        };
        let prints = |issues: &[Annotation]| -> Vec<String> {
            let report = to_gitlab(issues);
            report.as_array().unwrap().iter().map(|issue| issue["fingerprint"].to_string()).collect()
        };
        let issues = [issue(6, "a", "fails"), issue(8, "a", "fails"), issue(6, "b", "fails"), issue(6, "a", "other")];
        let first = prints(&issues);
        assert_eq!(first.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{first:?}");
        let moved = [issue(7, "a", "fails"), issue(9, "a", "fails"), issue(1, "b", "fails"), issue(2, "a", "other")];
        assert_eq!(prints(&moved), first, "a line that moves is the same issue");
    }
}
