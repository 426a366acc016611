//! What people and programs show to a server: of which token or session it is, and that they have it. Seen once, when it is made.
//!
//! It is drawn from 256 random bits, so a plain hash of it is as good as a slow one, and needs no salt: nobody guesses it. It begins with
//! what it is, so that a scanner of leaked ones, and a person, know it.

use std::fmt;
use std::str::FromStr;

use runbook_core::Digest;
use subtle::ConstantTimeEq;

/// What a secret is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Token,
    Session,
    /// Somebody who is logging in elsewhere.
    LogIn,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Kind::Token => "rbk_",
            Kind::Session => "rbs_",
            Kind::LogIn => "rbl_",
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    kind: Kind,
    id: String,
    text: String,
}

impl Secret {
    const ID_DIGITS: usize = 12;
    const SECRET_DIGITS: usize = 64;

    pub fn draw(kind: Kind) -> Secret {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Secret {
            kind,
            id: hex(&rand::random::<[u8; Self::ID_DIGITS / 2]>()),
            text: hex(&rand::random::<[u8; Self::SECRET_DIGITS / 2]>()),
        }
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// As it is given to a person, or to their browser.
    pub fn expose(&self) -> String {
        format!("{}{}_{}", self.kind.prefix(), self.id, self.text)
    }

    /// What is kept of it.
    pub(super) fn hash(&self) -> Digest {
        Digest::of_bytes(self.text.as_bytes())
    }

    /// What a page shows beside a cookie when it writes: whoever has the secret, and nobody who only makes a browser send it, knows this. It
    /// is not what is kept, so whoever reads that does not know it either.
    pub fn proof(&self) -> String {
        self.derived("csrf 1")
    }

    /// A text that only whoever has the secret knows, and that says nothing of it, nor of that for another purpose.
    pub fn derived(&self, purpose: &str) -> String {
        let digest = Digest::of_bytes(format!("runbook {purpose} {}", self.text).as_bytes());
        digest.as_str().trim_start_matches("sha256:").to_owned()
    }

    /// Whether `shown` is that proof, in a time that tells nothing of it.
    pub fn is_proven_by(&self, shown: &[u8]) -> bool {
        self.proof().as_bytes().ct_eq(shown).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}_…", self.kind.prefix(), self.id)
    }
}

/// A text that is no secret of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither a token nor the secret of a session: what it is, the id, `_`, the secret")]
pub struct NoSecret;

impl FromStr for Secret {
    type Err = NoSecret;

    fn from_str(text: &str) -> Result<Secret, NoSecret> {
        let of_kind = |kind: Kind| Some((kind, text.strip_prefix(kind.prefix())?));
        let (kind, rest) = [Kind::Token, Kind::Session, Kind::LogIn].into_iter().find_map(of_kind).ok_or(NoSecret)?;
        let (id, secret) = rest.split_once('_').ok_or(NoSecret)?;
        let is_hex = |text: &str, digits| text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match is_hex(id, Self::ID_DIGITS) && is_hex(secret, Self::SECRET_DIGITS) {
            true => Ok(Secret { kind, id: id.to_owned(), text: secret.to_owned() }),
            false => Err(NoSecret),
        }
    }
}
