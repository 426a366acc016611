//! Masks secrets in streams: as they are, line by line, and in the encodings in which programs print them.
//!
//! However a stream is cut into writes, what comes out is the same. Nothing is held back but the end of a write that a
//! secret could begin with, so live output needs no flush and a slow writer cannot spell a secret out byte by byte. At the
//! end of the stream such a beginning is masked as well, if it is long enough to give anything away.
//!
//! Not masked: what a program computed from a secret in other ways (a hash, a cipher), base 64 in lines where a secret longer than
//! [`limits::SECRET_WRAPPED_BYTES`] stands in other text, and secrets shorter than [`limits::SECRET_MIN_BYTES`], which the store
//! refuses.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use runbook_core::limits;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize;

use super::SecretError;
use super::search::Search;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// A masking of one stream. [`Masker::fresh`] begins another with the same secrets.
#[derive(Clone)]
pub struct Masker {
    patterns: Option<Arc<Search>>,
    /// The end of what was pushed, where a pattern may have begun.
    held: Vec<u8>,
    /// How many bytes of `held` a mark stands for already: they belong to a secret that overlaps what may follow.
    covered: usize,
}

impl Masker {
    /// A masker of all these secrets. Fails where a secret is too short to be masked.
    pub fn new(secrets: &[&SecretString]) -> Result<Masker, SecretError> {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            let secret = secret.expose_secret();
            if secret.len() < limits::SECRET_MIN_BYTES {
                return Err(SecretError::Short);
            }
            add_forms(secret, &mut forms);
        }
        let patterns = (!forms.is_empty()).then(|| Arc::new(Search::new(forms)));
        Ok(Masker { patterns, held: Vec::new(), covered: 0 })
    }

    /// The same secrets, for another stream.
    pub fn fresh(&self) -> Masker {
        Masker { patterns: self.patterns.clone(), held: Vec::new(), covered: 0 }
    }

    /// Takes in a part of the stream and appends to `out` what may be shown.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(patterns) = &self.patterns else {
            out.extend_from_slice(bytes);
            return;
        };
        if self.held.is_empty() {
            let open = patterns.beginning(bytes);
            self.covered = mask(patterns, bytes, 0, open, out);
            self.held.extend_from_slice(bytes.get(open..).unwrap_or_default());
        } else {
            self.held.extend_from_slice(bytes);
            let open = patterns.beginning(&self.held);
            self.covered = mask(patterns, &self.held, self.covered, open, out);
            let rest = self.held.split_off(open.min(self.held.len()));
            std::mem::replace(&mut self.held, rest).zeroize();
        }
    }

    /// The end of the stream: what was held back is the beginning of a secret, shown only where it gives nothing away.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.held.len() < limits::SECRET_MIN_BYTES {
            out.extend_from_slice(self.held.get(self.covered..).unwrap_or_default());
        } else if self.covered == 0 {
            out.extend_from_slice(MASK.as_bytes());
        }
        std::mem::take(&mut self.held).zeroize();
        self.covered = 0;
    }

    /// Masks a text that is there as a whole.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match &self.patterns {
            Some(patterns) if patterns.find(text.as_bytes(), 0).is_some() => {
                let mut shown = Vec::with_capacity(text.len());
                mask(patterns, text.as_bytes(), 0, text.len(), &mut shown);
                Cow::Owned(String::from_utf8_lossy(&shown).into_owned())
            }
            _ => Cow::Borrowed(text),
        }
    }
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let forms = self.patterns.as_ref().map_or(0, |patterns| patterns.len());
        write!(f, "Masker({forms} forms, {} bytes held)", self.held.len())
    }
}

/// Masks `bytes` up to `open`; the first `covered` of them are masked already. Secrets that overlap share one mark, so that
/// nothing of the second is left behind the first. Gives how far beyond `open` the last mark reaches.
///
/// A match that starts before `open` is final: were there a longer one, its beginning would be found earlier.
fn mask(patterns: &Search, bytes: &[u8], covered: usize, open: usize, out: &mut Vec<u8>) -> usize {
    let (mut shown, mut from) = (covered, 0);
    while let Some(found) = patterns.find(bytes, from).filter(|found| found.start < open) {
        if found.start >= shown {
            out.extend_from_slice(bytes.get(shown..found.start).unwrap_or_default());
            out.extend_from_slice(MASK.as_bytes());
        }
        shown = shown.max(found.end);
        from = found.start + 1;
    }
    out.extend_from_slice(bytes.get(shown..open).unwrap_or_default());
    shown.saturating_sub(open)
}

/// Every form in which a secret is looked for.
fn add_forms(secret: &str, forms: &mut BTreeSet<Vec<u8>>) {
    let mut add = |form: Vec<u8>| {
        if form.len() >= limits::SECRET_MIN_BYTES {
            forms.insert(form);
        }
    };
    let trimmed = secret.trim_end_matches(['\r', '\n']);
    for whole in [secret, trimmed] {
        add(whole.as_bytes().to_vec());
        for style in &JSON_STYLES {
            add(json(whole, style));
        }
        add(whole.replace('\'', r"'\''").into_bytes());
        add(html(whole));
        for kept in URL_KEPT {
            add(percent(whole, kept, true));
            add(percent(whole, kept, false));
        }
        // As a form: a blank is a plus.
        let words: Vec<Vec<u8>> = whole.split(' ').map(|word| percent(word, "-_.*", true)).collect();
        add(words.join(&b'+'));
        add(hex(whole.as_bytes(), "0123456789abcdef"));
        add(hex(whole.as_bytes(), "0123456789ABCDEF"));
        for alphabet in [BASE64, BASE64_URL] {
            for offset in 0..3 {
                let (inner, ending) = base64(whole.as_bytes(), offset, alphabet);
                if alphabet == BASE64 && inner.len() <= limits::SECRET_WRAPPED_BYTES {
                    wrapped(&inner).for_each(&mut add);
                } else if offset == 0 {
                    for width in LINE_WIDTHS.into_iter().filter(|width| ending.len() > *width) {
                        ending.chunks(width).for_each(|line| add(line.to_vec()));
                    }
                }
                add(inner);
                add(ending);
            }
        }
    }
    for line in secret.lines().map(str::trim).filter(|line| !line.starts_with("-----")) {
        add(line.as_bytes().to_vec());
        for style in &JSON_STYLES {
            add(json(line, style));
        }
    }
    url_parts(trimmed).into_iter().for_each(|part| add(part.as_bytes().to_vec()));
}

/// What encoders of URLs leave as it is: everything unreserved, JavaScript's `encodeURIComponent`, its `encodeURI`, and
/// encoders of paths.
const URL_KEPT: [&str; 4] = ["-_.~", "-_.!~*'()", "-_.!~*'();/?:@&=+$,#", "-_.~/"];

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How long the lines are into which programs break base 64: PEM's and those of mail.
const LINE_WIDTHS: [usize; 2] = [64, 76];

/// A part of such a text wherever in it the lines may end.
fn wrapped(part: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let ends = LINE_WIDTHS.into_iter().flat_map(|width| [&b"\n"[..], b"\r\n"].map(|end| (width, end)));
    ends.flat_map(move |(width, end)| {
        (1..=width.min(part.len().saturating_sub(1))).map(move |first| {
            let (first, rest) = part.split_at(first);
            std::iter::once(first).chain(rest.chunks(width)).collect::<Vec<_>>().join(end)
        })
    })
}

/// The characters of base 64 that `bytes` decides when `offset` bytes stand before it: those that hold whatever
/// follows, and those that hold where nothing follows.
fn base64(bytes: &[u8], offset: usize, alphabet: &[u8; 64]) -> (Vec<u8>, Vec<u8>) {
    let mut text = Vec::with_capacity(bytes.len() * 4 / 3 + 4);
    let (mut bits, mut count) = (0u32, offset * 8 % 6);
    // Bits before the first character that is ours alone are dropped, with the first of our own that share one.
    let mut skip = usize::from(count > 0);
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= 6 {
            count -= 6;
            match skip {
                0 => text.extend(alphabet.get((bits >> count) as usize & 63)),
                _ => skip -= 1,
            }
        }
    }
    let mut ending = text.clone();
    if count > 0 {
        ending.extend(alphabet.get((bits << (6 - count)) as usize & 63));
    }
    (text, ending)
}

fn hex(bytes: &[u8], digits: &str) -> Vec<u8> {
    let digits = digits.as_bytes();
    bytes.iter().flat_map(|b| [digits.get(usize::from(b >> 4)), digits.get(usize::from(b & 15))]).flatten().copied().collect()
}

fn percent(text: &str, kept: &str, upper: bool) -> Vec<u8> {
    let mut coded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte);
        let _ = match (plain, upper) {
            (true, _) => write!(coded, "{}", char::from(byte)),
            (false, true) => write!(coded, "%{byte:02X}"),
            (false, false) => write!(coded, "%{byte:02x}"),
        };
    }
    coded.into_bytes()
}

/// What of a URL is secret by itself: the password in it, and the path with the query, which servers repeat without the host.
fn url_parts(url: &str) -> Vec<&str> {
    let Some((_, rest)) = url.split_once("://") else { return Vec::new() };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, password)| password);
    password.into_iter().chain((path.len() >= limits::SECRET_PATH_BYTES).then_some(path)).collect()
}

/// How an encoder of JSON writes what may also stand as it is.
struct JsonStyle {
    /// Characters that become `\u…`.
    escaped: &'static str,
    /// All that are not ASCII do, too.
    ascii: bool,
    /// `/` becomes `\/`.
    slashes: bool,
    capitals: bool,
}

const PLAIN_JSON: JsonStyle = JsonStyle { escaped: "", ascii: false, slashes: false, capitals: false };

const JSON_STYLES: [JsonStyle; 7] = [
    PLAIN_JSON,
    JsonStyle { ascii: true, ..PLAIN_JSON },
    JsonStyle { slashes: true, ..PLAIN_JSON },
    // PHP.
    JsonStyle { ascii: true, slashes: true, ..PLAIN_JSON },
    // Go.
    JsonStyle { escaped: "<>&", ..PLAIN_JSON },
    // Gson.
    JsonStyle { escaped: "<>&='", ..PLAIN_JSON },
    // .NET.
    JsonStyle { escaped: "\"&'+<>`", ascii: true, capitals: true, ..PLAIN_JSON },
];

/// The inside of a JSON string.
fn json(text: &str, style: &JsonStyle) -> Vec<u8> {
    let mut coded = String::with_capacity(text.len());
    for c in text.chars() {
        let mut units = [0; 2];
        let written = u32::from(c) < 32 || style.escaped.contains(c) || (style.ascii && !c.is_ascii());
        let _ = match c {
            '\\' => write!(coded, "\\\\"),
            '\n' => write!(coded, "\\n"),
            '\r' => write!(coded, "\\r"),
            '\t' => write!(coded, "\\t"),
            '\u{8}' => write!(coded, "\\b"),
            '\u{c}' => write!(coded, "\\f"),
            '/' if style.slashes => write!(coded, "\\/"),
            c if written => c.encode_utf16(&mut units).iter().try_for_each(|unit| match style.capitals {
                true => write!(coded, "\\u{unit:04X}"),
                false => write!(coded, "\\u{unit:04x}"),
            }),
            '"' => write!(coded, "\\\""),
            c => write!(coded, "{c}"),
        };
    }
    coded.into_bytes()
}

fn html(text: &str) -> Vec<u8> {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;").into_bytes()
}

#[cfg(test)]
mod tests;
