//! Makes what differs between two runs the same: run ids, times, durations, digests, folders and the user's name. Widths are
//! kept where people read tables.

use std::collections::BTreeMap;
use std::path::Path;

pub struct Scrub {
    home: String,
    user: String,
    runs: BTreeMap<String, String>,
    /// The last short digest that was shown.
    digest: Option<String>,
}

/// What every digest is shown as.
const DIGEST: &str = "5e1f0a9c27d4";

impl Scrub {
    /// `dir` is shown as a folder of the reader's, and `user` as the reader.
    pub fn new(dir: &Path, user: &str) -> Scrub {
        let home = dir.parent().unwrap_or(dir).display().to_string();
        Scrub { home, user: user.to_owned(), runs: BTreeMap::new(), digest: None }
    }

    /// A command as a reader would copy it: with the runs and the digest that it was shown, and not with what stands for them.
    pub fn restore(&self, command: &str) -> String {
        let mut command = command.to_owned();
        for (run, shown) in &self.runs {
            command = command.replace(shown, run);
        }
        match &self.digest {
            Some(digest) => command.replace(DIGEST, digest),
            None => command,
        }
    }

    pub fn clean(&mut self, text: &str) -> String {
        let text = text.replace(&self.home, "/home/you");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            out.push_str(&rest[..start]);
            let word_end = rest[start..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(rest.len(), |n| start + n);
            let (length, shown) = self.token(&rest[start..], word_end - start, &out);
            out.push_str(&shown);
            rest = &rest[start + length..];
        }
        out.push_str(rest);
        out
    }

    /// What stands for the token that `text` begins with, and how many bytes of the text it takes; its first word has
    /// `word` bytes.
    fn token(&mut self, text: &str, word: usize, before: &str) -> (usize, String) {
        let first = &text[..word];
        // A line of a file, and a column.
        if before.ends_with(".yaml:") {
            return (word, first.to_owned());
        }
        if let Some(length) = shaped(text, "####-##-##T##:##:##").or_else(|| shaped(text, "####-##-## ##:##:##")) {
            let joint = &text[10..11];
            let fraction = fraction(&text[length..]);
            return (length + fraction, format!("2026-11-21{joint}09:30:00"));
        }
        if let Some(length) = shaped(text, "####-##-##") {
            return (length, "2026-11-21".to_owned());
        }
        if let Some(length) = shaped(text, "##:##:##").or_else(|| shaped(text, "##:##")) {
            let fraction = fraction(&text[length..]);
            return (length + fraction, if length == 8 { "09:30:00".to_owned() } else { "09:30".to_owned() });
        }
        if let Some(length) = shaped(text, "#:##") {
            return (length, "0:00".to_owned());
        }
        if let Some(length) = countdown(text) {
            return (length, "59m 59s".to_owned());
        }
        if let Some(length) = duration(text) {
            return (length, "0.1s".to_owned());
        }
        if word == 26 && first.starts_with("01") && first.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()) {
            let place = self.runs.len() + 1;
            let shown = self.runs.entry(first.to_owned()).or_insert_with(|| format!("01kaj2m9c0w7v3xd5n8r4tq{place:03}"));
            return (word, shown.clone());
        }
        let hex = first.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && (word == 64 || word == 12) {
            if word == DIGEST.len() {
                self.digest = Some(first.to_owned());
            }
            return (word, DIGEST.chars().cycle().take(word).collect());
        }
        if before.ends_with("pid ") && first.bytes().all(|b| b.is_ascii_digit()) {
            return (word, "4711".to_owned());
        }
        if before.ends_with("(user you on ") {
            return (word, "desk".to_owned());
        }
        if first == self.user {
            return (word, "you".to_owned());
        }
        (word, first.to_owned())
    }
}

/// The length of `pattern` where the text begins with it, `#` being a digit, and no further digit follows.
fn shaped(text: &str, pattern: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let fits = bytes.len() >= pattern.len()
        && pattern.bytes().zip(bytes).all(|(want, have)| if want == b'#' { have.is_ascii_digit() } else { want == *have });
    (fits && !bytes.get(pattern.len()).is_some_and(u8::is_ascii_digit)).then_some(pattern.len())
}

/// The length of `.123` that a time may end with.
fn fraction(text: &str) -> usize {
    let digits = text.strip_prefix('.').map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    if digits == 0 { 0 } else { digits + 1 }
}

/// The length of what is left of an hour or two: `59m 58s`.
fn countdown(text: &str) -> Option<usize> {
    let minutes = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = text[minutes..].strip_prefix("m ")?;
    duration(rest).filter(|_| minutes > 0).map(|seconds| minutes + 2 + seconds)
}

/// The length of a duration below a minute that the text begins with: `12ms`, `1.5s`. Longer ones are written by people.
fn duration(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = digits + fraction(&text[digits..]);
    let unit = ["ms", "s"].into_iter().find(|unit| text[number..].starts_with(unit))?;
    let ends = !text[number + unit.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
    (digits > 0 && ends).then_some(number + unit.len())
}
