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

/// Who reads a command: a shell that somebody types into, or one that has a script, and takes nothing from before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Keyboard,
    Script,
}

pub(super) fn refers_back(command: &str, by: By) -> bool {
    let substitutes = command.strip_prefix('^').is_some_and(|rest| rest.contains('^'));
    substitutes || lines(command).any(|typed| recalls(typed, by))
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

/// Whether a shell would put earlier words in the place of some `!` on a line, in words and in double quotes too. Not in single ones, nor
/// behind a backslash.
fn recalls(typed: &str, by: By) -> bool {
    let (mut quote, mut escaped, mut before, mut begins) = (None, false, 0, true);
    for span in line(typed).0 {
        begins |= typed.get(before..span.start).is_some_and(|between| between.contains([';', '|', '&', '(']));
        before = span.end;
        let word = typed.get(span).unwrap_or_default();
        // The rest is a comment.
        if word.starts_with('#') {
            return false;
        }
        for (at, c) in word.char_indices() {
            match quote {
                _ if escaped => escaped = false,
                Some('"') | None if c == '\\' => escaped = true,
                Some(open) if c == open => quote = None,
                None if c == '"' || c == '\'' => quote = Some(c),
                Some('\'') => {}
                _ if c == '!' => {
                    let (front, rest) = word.split_at(at);
                    let is_first = begins && at == 0;
                    if stands_for_words(front, rest.get(1..).unwrap_or_default(), is_first, quote.is_some(), by) {
                        return true;
                    }
                }
                _ => {}
            }
        }
        (quote, escaped) = (None, false);
        // What starts another program.
        begins &= matches!(word, "sudo" | "time" | "nohup" | "exec");
    }
    false
}

/// Whether a `!` is more than itself. `front`: what stands before it in its word, `rest`: behind it.
fn stands_for_words(front: &str, rest: &str, is_first: bool, is_quoted: bool, by: By) -> bool {
    // The last process, `${!name}`, and a set of characters.
    let is_other = front.ends_with('$') || front.ends_with("${") || (front.ends_with('[') && rest.contains(']'));
    let Some(next) = rest.chars().next().filter(|_| !is_other) else { return false };
    let behind = rest.get(next.len_utf8()..).and_then(|rest| rest.chars().next());
    // In a script, `"!!! done !!!"` is what it says.
    let opens = front.ends_with(['"', '/', '=', ':']) || (front.is_empty() && !is_quoted);
    let closes = if is_quoted { behind.is_some_and(|c| "\":/".contains(c)) } else { behind != Some('!') };
    match (next, by) {
        _ if is_first => is_designator(next),
        ('!', By::Keyboard) => true,
        ('!', By::Script) => opens && closes,
        ('$', By::Keyboard) => true,
        // In a script it may be what a variable holds, behind a plain sign.
        ('$', By::Script) => opens && closes && !behind.is_some_and(|c| c.is_ascii_alphanumeric() || "_{(".contains(c)),
        ('*' | '^', _) if front.is_empty() && behind.is_none() => true,
        // A test such as `[[ !a ]]`, a pattern of `find` and a rule of a firewall begin no command.
        (_, By::Keyboard) => (is_quoted || !front.is_empty()) && is_designator(next),
        (_, By::Script) => false,
    }
}

/// `!systemctl`, `!-2`, `!?web?`.
fn is_designator(next: char) -> bool {
    next.is_ascii_alphanumeric() || "!$*^-?:#%_/.".contains(next)
}
