//! Secrets that people tell each other in prose: behind a word that names one, and in the columns of tables.

use std::ops::Range;

use super::{Found, is_secret_name};

/// Words by which people name a secret before they write it down.
const SAID: &[&str] =
    &["password", "passwort", "passphrase", "passcode", "passwd", "pw", "pwd", "pass", "pin", "secret", "token", "key"];
/// Those whose secret may be of several words.
const PHRASES: &[&str] = &["password", "passwort", "passphrase", "passcode", "passwd", "pw", "pwd", "pass"];
/// What stands between the name and the secret.
const IS: &[&str] = &[":", "=", "|", "is", "was", "ist", "war", "lautet"];
/// Bytes of a phrase in marks, and words of one without.
const PHRASE_BYTES: usize = 120;
const PHRASE_WORDS: usize = 6;

fn is_mark(c: char) -> bool {
    "*_`\"'|".contains(c)
}

/// Whether a word is none of a sentence.
fn is_odd(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit() || b"!@#$%^&+=?".contains(&b))
        || word.bytes().skip(1).any(|b| b.is_ascii_uppercase()) && word.bytes().any(|b| b.is_ascii_lowercase())
}

/// `the password is hunter2!`, `Token: **a1b2c3d4**`, a table with a column `Password`. A word that has nothing but letters is taken for one of
/// the sentence, unless it stands in backticks or quotes, or in such a column.
pub(super) fn find(text: &str, found: &mut Vec<Found>) {
    columns(text, found);
    let words: Vec<Range<usize>> = text.split_inclusive(char::is_whitespace).fold(Vec::new(), |mut words, word| {
        let start = words.last().map_or(0, |last: &Range<usize>| last.end);
        words.push(start..start + word.len());
        words
    });
    for (n, word) in words.iter().enumerate() {
        let whole = text.get(word.clone()).unwrap_or_default().trim_end();
        let (name, attached) = whole.split_once([':', '=']).map_or((whole, None), |(name, rest)| (name, Some(rest)));
        let name = name.trim_matches(is_mark).to_ascii_lowercase();
        if !SAID.contains(&name.as_str()) {
            continue;
        }
        let mut behind_sign = attached.is_some();
        let rest = attached.filter(|rest| !rest.trim_matches(is_mark).is_empty());
        let value = match rest {
            Some(rest) => Some(word.start + whole.len() - rest.len()..word.start + whole.len()),
            None => {
                let behind = words.get(n + 1..).unwrap_or_default().iter();
                let plain = |word: &Range<usize>| text.get(word.clone()).unwrap_or_default().trim();
                let mut signs = usize::from(attached.is_some());
                let skipped = behind.skip_while(|word| {
                    let said = plain(word);
                    let sign = IS.contains(&said) || IS.contains(&said.trim_end_matches([':', '=']));
                    signs += usize::from(sign);
                    behind_sign |= sign && said.ends_with([':', '=']);
                    sign || plain(word).is_empty()
                });
                let next = skipped.take(1).next().cloned();
                next.filter(|_| signs > 0).map(|next| next.start..next.start + plain(&next).len())
            }
        };
        let Some(value) = value else { continue };
        let hint = hint(&name);
        if PHRASES.contains(&name.as_str())
            && let Some(phrase) = phrase(text, &value, behind_sign)
        {
            found.push(Found::new(phrase, hint));
            continue;
        }
        let written = text.get(value.clone()).unwrap_or_default();
        let start = value.start + written.len() - written.trim_start_matches(is_mark).len();
        let inner = written.trim_start_matches(is_mark).trim_end_matches(['.', ',', ';', ')']).trim_end_matches(is_mark);
        let inner = inner.trim_end_matches(['.', ',', ';', ')']);
        let closes = written.trim_end_matches(['.', ',', ';', ')']).ends_with(is_mark);
        let is_marked = start > value.start && closes && !written.starts_with('|');
        if inner.len() >= 4 && (is_odd(inner) || is_marked) {
            found.push(Found::new(start..start + inner.len(), hint));
        }
    }
}

/// A secret of several words that begins with this one: up to the mark that ends it, or, behind a sign, the rest of a short line in which a
/// word is none of a sentence.
fn phrase(text: &str, first: &Range<usize>, behind_sign: bool) -> Option<Range<usize>> {
    let rest = text.get(first.start..)?;
    let line = rest.lines().next()?;
    let marks = line.len() - line.trim_start_matches(|c: char| is_mark(c) && c != '|').len();
    if marks > 0 {
        let (opening, inner) = line.split_at(marks);
        let closing: String = opening.chars().rev().collect();
        let length = inner.find(&closing).filter(|length| *length <= PHRASE_BYTES)?;
        let is_phrase = inner.get(..length)?.trim().contains(' ');
        return is_phrase.then(|| first.start + marks..first.start + marks + length);
    }
    let line = line.split('|').next()?.trim_end_matches(|c: char| c.is_whitespace() || ".,;)".contains(c) || is_mark(c));
    let mut words = line.split_whitespace();
    let is_phrase = behind_sign && (2..=PHRASE_WORDS).contains(&words.clone().count()) && words.any(is_odd);
    is_phrase.then(|| first.start..first.start + line.len())
}

/// What stands in the columns of tables whose heads name a secret.
fn columns(text: &str, found: &mut Vec<Found>) {
    let mut start = 0;
    let lines: Vec<(usize, &str)> = text
        .split_inclusive('\n')
        .map(|line| {
            start += line.len();
            (start - line.len(), line.trim_end())
        })
        .collect();
    let mut at = 0;
    while let Some([(begin, head), (_, rule)]) = lines.get(at..at + 2) {
        at += 1;
        let is_rule = rule.contains('-') && rule.contains('|') && rule.chars().all(|c| "|-: \t>".contains(c));
        if !is_rule || !head.contains('|') {
            continue;
        }
        let hint = |cell: Range<usize>| {
            let name =
                text.get(cell).unwrap_or_default().trim_matches(|c: char| c.is_whitespace() || is_mark(c)).to_ascii_lowercase();
            let names = is_secret_name(&name.replace(' ', "_")) || name == "pin";
            names.then_some(name)
        };
        let named: Vec<Option<String>> = cells(*begin, head).into_iter().map(hint).collect();
        at += 1;
        while let Some((begin, row)) = lines.get(at).filter(|(_, row)| row.contains('|')) {
            at += 1;
            for (cell, name) in cells(*begin, row).into_iter().zip(&named) {
                found.extend(name.as_ref().and_then(|name| told(text, cell, name)));
            }
        }
    }
}

/// The secret in a cell.
fn told(text: &str, cell: Range<usize>, name: &str) -> Option<Found> {
    let written = text.get(cell.clone())?;
    let marks = |c: char| c.is_whitespace() || is_mark(c);
    let start = cell.start + written.len() - written.trim_start_matches(marks).len();
    let inner = written.trim_matches(marks);
    let is_marked = written.trim().starts_with(['`', '"', '\'']) && inner.len() < written.trim().len();
    let is_pass = PHRASES.iter().any(|said| name.contains(said)) || name == "pin";
    let plain = is_pass && (is_marked || !inner.contains(char::is_whitespace));
    (inner.len() >= 4 && (plain || is_odd(inner))).then(|| Found::new(start..start + inner.len(), hint(name)))
}

/// What the secret of such a name is called in a draft.
fn hint(name: &str) -> &str {
    if name.contains("pass") { "password" } else { name }
}

/// The cells of a row of a table that begins at a byte.
fn cells(begin: usize, row: &str) -> Vec<Range<usize>> {
    let mut cells: Vec<Range<usize>> = Vec::new();
    let (mut from, mut escaped) = (0, false);
    for (at, c) in row.char_indices() {
        if c == '|' && !escaped {
            cells.push(begin + from..begin + at);
            from = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    cells.push(begin + from..begin + row.len());
    // What stands before a `|` that begins the row, and behind one that ends it.
    let is_blank = |cell: &Range<usize>| {
        row.get(cell.start - begin..cell.end - begin).is_none_or(|cell| cell.trim_matches(['>', ' ', '\t']).is_empty())
    };
    if cells.last().is_some_and(is_blank) {
        cells.pop();
    }
    if cells.first().is_some_and(is_blank) {
        cells.remove(0);
    }
    cells
}
