//! Names of things: step ids, run ids and the paths that address one instance of a step within a run.
//!
//! Every id is parsed, never pasted: a value of one of these types cannot contain a path separator of the
//! file system, a control character or anything else that a store, a shell or a terminal would interpret.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits;

/// An identifier that both small languages can name: `[a-z][a-z0-9_]*`, at most [`limits::ID_BYTES`] long.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(Arc<str>);

/// Why a text is not the id it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {expected}", text.escape_debug())]
pub struct InvalidId {
    pub text: String,
    pub expected: &'static str,
}

impl Id {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Id, InvalidId> {
        let head = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let body = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if head && body && text.len() <= limits::ID_BYTES {
            Ok(Id(text.into()))
        } else {
            Err(InvalidId {
                text: text.to_owned(),
                expected: "an identifier: a lower-case letter, then lower-case letters, digits and `_`",
            })
        }
    }
}

/// The name of a procedure: `[a-z][a-z0-9_-]*`. It is written in `call`, in policies and on the command line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProcedureName(String);

impl ProcedureName {
    /// Stands for a name that could not be read; there is an error for it, so nothing of that name ever runs.
    pub fn unnamed() -> ProcedureName {
        ProcedureName("unnamed".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProcedureName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<ProcedureName, InvalidId> {
        let head = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        let body = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if head && body && text.len() <= limits::ID_BYTES {
            Ok(ProcedureName(text.to_owned()))
        } else {
            Err(InvalidId {
                text: text.to_owned(),
                expected: "a procedure name: a lower-case letter, then lower-case letters, digits, `-` and `_`",
            })
        }
    }
}

/// The id of one run: 26 characters of Crockford's base 32, the first ten from the time it was made, so that
/// ids sort by age.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId([u8; 26]);

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RunId {
    /// Makes an id from milliseconds since the Unix epoch and 80 random bits (the upper 48 bits of `random` are ignored).
    pub fn from_parts(unix_ms: u64, random: u128) -> RunId {
        let mut bits = (u128::from(unix_ms) << 80) | (random & ((1 << 80) - 1));
        let mut text = [b'0'; 26];
        for place in text.iter_mut().rev() {
            *place = CROCKFORD[(bits & 31) as usize];
            bits >>= 5;
        }
        RunId(text)
    }

    /// Its 128 bits: the time in the upper 48, the random ones below.
    pub fn to_bits(&self) -> u128 {
        let digit = |byte: &u8| CROCKFORD.iter().position(|other| other == byte).unwrap_or_default() as u128;
        self.0.iter().fold(0, |bits, byte| (bits << 5) | digit(byte))
    }

    /// The id of a run that is only predicted: it has none yet, and `run.id` is unknown in it.
    pub fn predicted() -> RunId {
        RunId::from_parts(0, 0)
    }

    /// The id of a run on one of all paths: what happens on it is certain, unlike in a prediction; what values come is not known.
    pub fn explored() -> RunId {
        RunId::from_parts(0, 2)
    }

    pub fn is_explored(&self) -> bool {
        *self == RunId::explored()
    }

    pub fn is_predicted(&self) -> bool {
        self.0.iter().all(|b| *b == b'0')
    }

    /// The time that it was made from, to the millisecond.
    pub fn time(&self) -> Timestamp {
        let unix_ms = i64::try_from(self.to_bits() >> 80).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::MAX)
    }

    pub fn as_str(&self) -> &str {
        // All of it is of that alphabet.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for RunId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<RunId, InvalidId> {
        match <[u8; 26]>::try_from(text.as_bytes()) {
            Ok(bytes) if bytes.iter().all(|b| CROCKFORD.contains(b)) => Ok(RunId(bytes)),
            _ => Err(InvalidId { text: text.to_owned(), expected: "a run id: 26 lower-case letters and digits" }),
        }
    }
}

/// Where one instance of a step stands in a run, as text: `rebuild/copy`, `restart[3]/stop`, `fan.left/ping`,
/// `drain~undo/exec-1`, `~finally/notify-1`.
///
/// A segment is a step's id, or its verb and place (`exec-2`) where it has none. `[n]` is an item of `each`
/// (from 0) or a round of `repeat` and `wait` (from 1), `.branch` a branch of `parallel`, `~` a block beside the
/// main one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepPath(Arc<str>);

impl StepPath {
    /// Whether it is of a step in what stands at `whole`: in its list, a branch, an item or a round.
    pub fn is_inside(&self, whole: &StepPath) -> bool {
        self.as_str().strip_prefix(whole.as_str()).is_some_and(|rest| rest.starts_with(['/', '.', '[']))
    }

    /// The path of a step labelled `label` in the block at `prefix` (empty for the outermost).
    pub fn within(prefix: &str, label: &str) -> StepPath {
        if prefix.is_empty() { StepPath(label.into()) } else { StepPath(format!("{prefix}/{label}").into()) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn label(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The path without the numbers of items and rounds: what all of them have in common.
    pub fn without_indexes(&self) -> StepPath {
        let mut inside = false;
        let kept = self.0.chars().filter(|c| {
            inside |= *c == '[';
            let kept = !inside;
            inside &= *c != ']';
            kept
        });
        StepPath(kept.collect::<String>().into())
    }

    /// How many segments stand before the last one.
    pub fn depth(&self) -> usize {
        self.0.bytes().filter(|b| *b == b'/').count()
    }
}

impl FromStr for StepPath {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<StepPath, InvalidId> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-/[].~".contains(&b);
        if !text.is_empty() && text.len() <= limits::PATH_BYTES && text.bytes().all(allowed) && !text.split('/').any(str::is_empty)
        {
            Ok(StepPath(text.into()))
        } else {
            Err(InvalidId { text: text.to_owned(), expected: "the path of a step, such as `rebuild/copy`" })
        }
    }
}

/// The id of a decision within its run: `d1`, `d2`, … in the order of asking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DecisionId(pub u32);

impl FromStr for DecisionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<DecisionId, InvalidId> {
        match text.strip_prefix('d').map(str::parse) {
            Some(Ok(number)) => Ok(DecisionId(number)),
            _ => Err(InvalidId { text: text.to_owned(), expected: "a decision id, such as `d1`" }),
        }
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}

impl From<DecisionId> for String {
    fn from(id: DecisionId) -> String {
        id.to_string()
    }
}

/// The JSON that digests are over (RFC 8785): keys in order, no spaces.
pub fn canonical_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    crate::canonical::to_string(value)
}

/// A SHA-256 digest, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    pub fn of_bytes(bytes: &[u8]) -> Digest {
        Digest::of_parts([bytes])
    }

    /// Of some bytes one behind the other.
    pub fn of_parts<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Digest {
        Digest::from_sha256(sha256(parts))
    }

    /// Whether it is that of some bytes one behind the other.
    pub fn is_of_parts<'p>(&self, parts: impl IntoIterator<Item = &'p [u8]>) -> bool {
        self.0.as_bytes() == written(sha256(parts))
    }

    /// A digest that was computed elsewhere, piece by piece.
    pub fn from_sha256(bytes: [u8; 32]) -> Digest {
        Digest(String::from_utf8_lossy(&written(bytes)).into_owned())
    }

    /// The digest of the canonical JSON (RFC 8785) of `value`.
    pub fn of_json<T: Serialize>(value: &T) -> Result<Digest, serde_json::Error> {
        canonical_json(value).map(|text| Digest::of_bytes(text.as_bytes()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hexadecimal digits, for people to compare.
    pub fn short(&self) -> &str {
        &self.0[7..19]
    }
}

fn sha256<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
    use sha2::Digest as _;
    let mut digest = sha2::Sha256::new();
    parts.into_iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

fn written(sha256: [u8; 32]) -> [u8; 71] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 71];
    let (kind, digits) = text.split_at_mut(7);
    kind.copy_from_slice(b"sha256:");
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(sha256) {
        *pair = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
    }
    text
}

impl FromStr for Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Digest, InvalidId> {
        let hex = text.strip_prefix("sha256:").unwrap_or_default();
        if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            Ok(Digest(text.to_owned()))
        } else {
            Err(InvalidId { text: text.to_owned(), expected: "a digest: `sha256:` and 64 hexadecimal digits" })
        }
    }
}

macro_rules! text_id {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String { id.as_str().to_owned() }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<$name, InvalidId> { text.parse() }
        }
    )*};
}

text_id!(Id, ProcedureName, RunId, StepPath, Digest);

impl TryFrom<String> for DecisionId {
    type Error = InvalidId;
    fn try_from(text: String) -> Result<DecisionId, InvalidId> {
        text.parse()
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "d{}", self.0)
    }
}
