//! A command of the source → the script of a step. What the source leaves open becomes an input, and what looks like a secret becomes
//! a variable, both where the language can show that the value stays data; everything else is literal, braces among it. What cannot be
//! written so is for a person to do by hand.

use std::collections::BTreeSet;
use std::ops::Range;

use runbook_core::document::yaml::hidden as hidden_in_code;
use runbook_core::expr::{ShellScript, expansions, is_whole};
use runbook_core::limits;
use runbook_core::plan::Origin;

use super::Run;
use super::names::Names;
use super::secrets::{self, Of, is_secret_name};
use crate::action::child::has_by_itself;

/// Bytes between `<` and `>` that are read as one blank to fill in.
const BLANK_BYTES: usize = 40;
/// From how many bytes on a secret is looked for inside other words.
const INSIDE_BYTES: usize = 8;

/// Variables that a shell makes.
const MADE: &[&str] = &[
    "PWD",
    "OLDPWD",
    "IFS",
    "RANDOM",
    "SECONDS",
    "HOSTNAME",
    "UID",
    "EUID",
    "PPID",
    "LINENO",
    "FUNCNAME",
    "PIPESTATUS",
    "REPLY",
    "OPTARG",
    "OPTIND",
    "BASH_SOURCE",
    "BASH_VERSION",
    "EPOCHSECONDS",
];

/// Whether every script has the variable: from the run, or from its shell.
pub(super) fn is_given(name: &str) -> bool {
    has_by_itself(name) || MADE.contains(&name)
}

/// A piece of a script that is written otherwise.
struct Piece {
    span: Range<usize>,
    /// The variable of a secret, else an input.
    secret: Option<String>,
    input: String,
}

/// The script of a step, or why a person has to do it. `set_before` tells what an earlier part of the source sets a variable to.
pub(super) fn run(source: &str, names: &mut Names, set_before: &dyn Fn(&str) -> Option<String>) -> Result<Run, &'static str> {
    if source.len() > limits::TEMPLATE_BYTES / 2 {
        return Err("it is too long for one step");
    }
    if !is_whole(source) {
        return Err("a quote, a here-document or a command in it does not end");
    }
    // In a here-document the blanks may matter.
    let source = if source.contains("<<") { source.to_owned() } else { outdented(source) };
    // A space that is none comes from a page, and no shell takes it for one; what nobody can see may not stand in code.
    let source: String =
        source.chars().filter_map(|c| if c.is_whitespace() && !c.is_ascii() { Some(' ') } else { seen(c) }).collect();
    if source.trim().is_empty() {
        return Err("nothing in it can be seen");
    }
    let mut pieces: Vec<Piece> = hidden(&source, Of::Command, names)
        .into_iter()
        .map(|(span, variable)| Piece { span, secret: Some(variable), input: String::new() })
        .collect();
    for span in blanks(&source) {
        if pieces.iter().all(|piece| piece.span.end <= span.start || span.end <= piece.span.start) {
            let input = names.input_for(source.get(span.clone()).unwrap_or_default());
            pieces.push(Piece { span, secret: None, input });
        }
    }
    pieces.sort_by_key(|piece| piece.span.start);
    let places: Vec<(Range<usize>, &str)> =
        pieces.iter().map(|piece| (piece.span.clone(), piece.secret.as_deref().unwrap_or("INPUT"))).collect();
    let written = expansions(&source, &places).map_err(|_| "a value in it could be read as code")?;
    let mut script = String::new();
    let mut from = 0;
    for (piece, expansion) in pieces.iter().zip(written) {
        script.push_str(&literal(source.get(from..piece.span.start).unwrap_or_default())?);
        let written = source.get(piece.span.clone()).unwrap_or_default();
        match &piece.secret {
            Some(variable) if expansion == written => script.push_str(&format!("${variable}")),
            Some(_) => script.push_str(&expansion),
            // In a comment of the shell nothing has a value.
            None if expansion == written => script.push_str(&literal(written)?),
            None => script.push_str(&format!("{{{{inputs.{}}}}}", piece.input)),
        }
        from = piece.span.end;
    }
    script.push_str(&literal(source.get(from..).unwrap_or_default())?);
    let script = without_options(script);
    // A value in the place of a `#` would end a comment.
    let right = ShellScript::parse(&script, Origin::default()).is_ok_and(|script| script.options().is_empty());
    if !right || !is_whole(&script) {
        return Err("a value in it could be read as code");
    }
    let mut env: Vec<(String, String)> = Vec::new();
    for variable in pieces.iter().filter_map(|piece| piece.secret.clone()).collect::<BTreeSet<_>>() {
        let secret = names.secret_in(&variable);
        env.push((variable, secret));
    }
    let open = open_variables(&source);
    if open.iter().any(|variable| variable.len() > limits::ID_BYTES) {
        return Err("the name of a variable in it is too long");
    }
    for variable in open {
        if env.iter().any(|(name, _)| *name == variable) {
            continue;
        }
        let value = if is_secret_name(&variable) {
            names.secret_in(&variable)
        } else {
            let default = set_before(&variable);
            format!("inputs.{}", names.input_of_variable(&variable, default.as_deref()))
        };
        env.push((variable, value));
    }
    Ok(Run { script, env, ..Run::default() })
}

/// With `--` before each value that could be an option which runs code: `ssh -- {{inputs.host}}`.
fn without_options(mut script: String) -> String {
    let options = ShellScript::parse(&script, Origin::default()).map(|script| script.options()).unwrap_or_default();
    for (offset, _) in options.into_iter().rev() {
        let quote = script.get(..offset).is_some_and(|before| before.ends_with(['"', '\'']));
        script.insert_str(offset - usize::from(quote), "-- ");
    }
    script
}

fn seen(c: char) -> Option<char> {
    hidden_in_code(c.encode_utf8(&mut [0; 4])).is_none().then_some(c)
}

/// Without the blanks that all of its lines begin with, as code in a list has them.
pub(super) fn outdented(source: &str) -> String {
    let lines = || source.lines().filter(|line| !line.trim().is_empty());
    let indent = lines().map(|line| line.len() - line.trim_start_matches([' ', '\t']).len()).min().unwrap_or(0);
    source.split('\n').map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// A text as people may see it: each secret by the name of the variable that holds it.
pub(super) fn shown(source: &str, of: Of, names: &mut Names) -> String {
    if source.len() > limits::TEMPLATE_BYTES {
        // Too long for any text of a procedure, and to be looked through: the source is refused.
        names.too_long_a_text = true;
        return String::new();
    }
    let mut shown = String::new();
    let mut from = 0;
    for (span, variable) in hidden(source, of, names) {
        shown.push_str(source.get(from..span.start).unwrap_or_default());
        shown.push_str(&format!("${variable}"));
        from = span.end;
    }
    shown.push_str(source.get(from..).unwrap_or_default());
    shown
}

/// Where secrets stand, each with its variable: those that look so here, and those that looked so anywhere before.
fn hidden(source: &str, of: Of, names: &mut Names) -> Vec<(Range<usize>, String)> {
    let mut all: Vec<(Range<usize>, String)> = Vec::new();
    for found in secrets::find(source, of) {
        let value = source.get(found.span.clone()).unwrap_or_default();
        let variable = names.secret_for(value, &found.hint);
        for inside in found.inside {
            names.secret_for(source.get(inside).unwrap_or_default(), &found.hint);
        }
        all.push((found.span, variable));
    }
    for (value, variable) in names.values() {
        for (at, _) in source.match_indices(value) {
            let span = at..at + value.len();
            let is_word = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let apart = is_word(source.get(..at).and_then(|before| before.chars().next_back()))
                && is_word(source.get(span.end..).and_then(|after| after.chars().next()));
            let free = all.iter().all(|(other, _)| other.end <= span.start || span.end <= other.start);
            if free && (apart || value.len() >= INSIDE_BYTES) {
                all.push((span, variable.to_owned()));
            }
        }
    }
    all.sort_by_key(|(span, _)| span.start);
    all
}

/// Braces as data: `{{` begins a value in every text of a procedure.
fn literal(text: &str) -> Result<String, &'static str> {
    if text.contains("\\{{") {
        return Err("braces stand behind a backslash in it");
    }
    Ok(escaped(text))
}

/// Text without a backslash before `{{`, with every `{{` as data.
pub(super) fn escaped(text: &str) -> String {
    text.replace("{{", "\\{{")
}

/// What a source leaves open for whoever follows it: `<host>`, `{{host}}`, `YOUR_HOST`.
pub(super) fn blanks(source: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Tags, and templates of another program, are no blanks.
    let has_tags = source.contains("</") || source.contains("/>");
    let is_template = ["{{.", "{{ .", "{{-", "{{#", "{{range", "{{ range", "{{if", "{{ if", "{{end", "{{$", "{%"]
        .iter()
        .any(|sign| source.contains(sign));
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(next) = rest.find(['<', '{', 'Y']).map(|next| at + next) else { break };
        let rest = source.get(next..).unwrap_or_default();
        let before = source.get(..next).and_then(|before| before.chars().next_back());
        let length = match rest.chars().next() {
            Some('<') if !has_tags && before != Some('<') => angle(rest),
            Some('{') if !is_template && before != Some('\\') && before != Some('{') => braces(rest),
            Some('Y') if !before.is_some_and(|c| c.is_ascii_alphanumeric() || "_${".contains(c)) => yours(rest),
            _ => None,
        };
        match length {
            Some(length) => {
                found.push(next..next + length);
                at = next + length;
            }
            None => at = next + 1,
        }
    }
    found
}

/// `<host>`, `<your host name>`.
pub(super) fn angle(rest: &str) -> Option<usize> {
    let end = rest.bytes().take(BLANK_BYTES).position(|b| b == b'>')?;
    let inside = rest.get(1..end)?;
    let is_name = inside.starts_with(|c: char| c.is_ascii_alphabetic())
        && !inside.ends_with(' ')
        && inside.bytes().all(|b| b.is_ascii_alphanumeric() || b" _-./".contains(&b));
    is_name.then_some(end + 1)
}

/// `{{host}}`, `{{ host }}`.
pub(super) fn braces(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix("{{")?;
    let end = inside.bytes().take(BLANK_BYTES).position(|b| b == b'}')?;
    let name = inside.get(..end)?.trim();
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    (is_name && inside.get(end..)?.starts_with("}}") && !inside.get(end..)?.starts_with("}}}") && name != "else" && name != "end")
        .then_some(end + 4)
}

/// `YOUR_HOST`, `YOUR-HOST`.
pub(super) fn yours(rest: &str) -> Option<usize> {
    let length = rest.bytes().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_' || *b == b'-').count();
    let word = rest.get(..length)?;
    let ends = !rest.get(length..)?.starts_with(|c: char| c.is_alphanumeric());
    (ends && word.len() > 5 && (word.starts_with("YOUR_") || word.starts_with("YOUR-"))).then_some(length)
}

/// Variables that a script uses and nobody sets: without a value they would end it (`sh -u`).
pub(super) fn open_variables(script: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let (mut single, mut double, mut escaped) = (false, false, false);
    for (at, c) in script.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match c {
            '\\' if !single => escaped = true,
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '$' if !single => {
                let rest = script.get(at + 1..).unwrap_or_default();
                let (rest, braced) = rest.strip_prefix('{').map_or((rest, false), |rest| (rest, true));
                let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
                let name = rest.get(..length).unwrap_or_default();
                let has_default = braced && rest.get(length..).is_some_and(|rest| rest.starts_with([':', '-', '+', '=', '?']));
                let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                if is_name && !has_default && !is_given(name) {
                    used.insert(name.to_owned());
                }
            }
            _ => {}
        }
    }
    used.retain(|name| !sets(script, name));
    used
}

/// Whether a script gives the variable a value itself.
fn sets(script: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    script.match_indices(name).any(|(at, _)| {
        let (before, after) = (script.get(..at).unwrap_or_default(), script.get(at + name.len()..).unwrap_or_default());
        let begins = before.chars().next_back().is_none_or(|c| !is_name(c) && c != '$' && c != '{' && c != '-');
        let word = before.split_whitespace().next_back().unwrap_or_default();
        let declared = before.ends_with([' ', '\t'])
            && matches!(word, "for" | "read" | "-r" | "select" | "mapfile" | "-t" | "local" | "declare");
        begins && (after.starts_with('=') || after.starts_with("+=") || (declared && !after.starts_with(is_name)))
    })
}

/// Variables that a script sets to plain words, for the scripts behind it.
pub(super) fn assignments(script: &str) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    for line in script.lines() {
        let line = line.trim().strip_prefix("export ").unwrap_or(line.trim()).trim();
        let Some((name, value)) = line.split_once('=') else { continue };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            continue;
        }
        let plain = value.trim_matches(['"', '\'']);
        let is_plain = !plain.is_empty()
            && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./:,@+ ".contains(&b))
            && (!plain.contains(' ') || plain.len() + 2 == value.len());
        found.push((name.to_owned(), is_plain.then(|| plain.to_owned())));
    }
    found
}
