//! Whether a command takes words from earlier ones, as bash and zsh let whoever types: `!!`, `sudo !$`, `!systemctl`, `^old^new`. What
//! they stood for only that shell knew, and a guess must not be run.

use super::secrets::line;

/// What is said of such a command. `before`: the one that was typed before it, where that helps.
pub(super) fn left_out(command: &str, before: Option<&str>) -> String {
    let before = before.map(|before| format!(" (the last one was `{before}`)")).unwrap_or_default();
    format!(
        "left out: `{command}`; what it takes from an earlier command{before} only that shell knew: write out what was done, if it was"
    )
}

pub(super) fn refers_back(command: &str) -> bool {
    let substitutes = command.strip_prefix('^').is_some_and(|rest| rest.contains('^'));
    substitutes || lines(command).any(recalls)
}

/// The lines of a command that a shell reads as commands: a quote goes over line ends, and what a here-document holds is none.
fn lines(command: &str) -> impl Iterator<Item = &str> {
    let mut rest = command;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (words, end) = line(rest);
        let typed = rest.get(..end)?;
        rest = rest.get(end + 1..).unwrap_or_default();
        let mut before = 0;
        for word in words {
            let sign = typed.get(before..word.start).unwrap_or_default().trim_end();
            before = word.end;
            if sign.ends_with("<<") && !sign.ends_with("<<<") {
                let last = typed.get(word).unwrap_or_default();
                rest = behind_document(rest, last);
            }
        }
        Some(typed)
    })
}

/// What stands behind a here-document that this word ends.
fn behind_document<'t>(text: &'t str, word: &str) -> &'t str {
    let (word, has_tabs) = word.strip_prefix('-').map_or((word, false), |word| (word, true));
    let word = word.replace(['\'', '"', '\\'], "");
    let mut rest = text;
    while !rest.is_empty() {
        let (line, behind) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = behind;
        if (if has_tabs { line.trim_start_matches('\t') } else { line }) == word {
            break;
        }
    }
    rest
}

fn recalls(typed: &str) -> bool {
    let (mut before, mut begins) = (0, true);
    line(typed).0.into_iter().any(|span| {
        begins |= typed.get(before..span.start).is_some_and(|between| between.contains([';', '|', '&', '(']));
        before = span.end;
        let word = typed.get(span).unwrap_or_default();
        let designates = begins && is_designator(word);
        // What starts another program.
        begins &= matches!(word, "sudo" | "time" | "nohup" | "exec");
        designates || matches!(word, "!*" | "!^") || word.starts_with("!!") || word.starts_with("!$")
    })
}

/// `!systemctl`, `!-2`, `!?web?`. A test such as `[[ !a ]]` is none, and neither is a pattern of `find` or a rule of a firewall: these do
/// not begin a command.
fn is_designator(word: &str) -> bool {
    let behind = word.strip_prefix('!').and_then(|rest| rest.chars().next());
    behind.is_some_and(|c| c.is_ascii_alphanumeric() || "!$*^-?:#".contains(c))
}
