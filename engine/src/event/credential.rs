//! Whether a request comes from who it says: one way for each source, over the raw body, in constant time.
//!
//! What the sender says about how it signs (an algorithm, a version) is never asked. A signature is judged before the time that it
//! covers, so that somebody without the secret learns nothing from an answer.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac as Mac, KeyInit};
use jiff::{SignedDuration, Timestamp};
use runbook_core::Id;
use runbook_core::event_source::{Algorithm, Credential, Encoding, Hmac, KeyForm, Signed, SignedTime};
use runbook_core::limits;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256, Sha384, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{Mode, Refusal, RefusalKind, Replay, Request, part};

/// A key, or what a password is compared by.
type Key = Zeroizing<Vec<u8>>;

/// The way of one source, with its secrets.
pub(super) enum Verifier {
    Hmac {
        how: Hmac,
        keys: Vec<Key>,
    },
    /// SNS names its certificate in the body.
    Certificate,
    Bearer(Vec<Key>),
    Basic {
        user: String,
        passwords: Vec<Key>,
    },
    Header {
        name: String,
        values: Vec<Key>,
    },
}

/// That a request is authentic, and how that is known.
pub(super) struct Proof {
    pub mode: Mode,
    pub replay: Option<Replay>,
}

impl Verifier {
    pub fn open(
        credential: &Credential,
        mut secret: impl FnMut(&Id) -> Result<Arc<SecretString>, String>,
    ) -> Result<Verifier, String> {
        let mut all = |ids: &[Id]| {
            let key = |id: &Id| Ok(Zeroizing::new(secret(id)?.expose_secret().as_bytes().to_vec()));
            ids.iter().map(key).collect::<Result<Vec<Key>, String>>()
        };
        Ok(match credential {
            Credential::Certificate => Verifier::Certificate,
            Credential::Bearer(ids) => Verifier::Bearer(all(ids)?),
            Credential::Basic { user, passwords } => Verifier::Basic { user: user.clone(), passwords: all(passwords)? },
            Credential::Header { name, values } => Verifier::Header { name: name.clone(), values: all(values)? },
            Credential::Hmac { hmac, secrets } => {
                let keys = all(secrets)?.into_iter().zip(secrets);
                let keys = keys.map(|(key, id)| match hmac.key {
                    KeyForm::Text => Ok(key),
                    KeyForm::Base64 => base64_key(&key).ok_or_else(|| {
                        format!("the secret `{id}` is not a key of Standard Webhooks: `whsec_` and the base 64 of 24 to 64 bytes")
                    }),
                });
                Verifier::Hmac { how: hmac.clone(), keys: keys.collect::<Result<_, _>>()? }
            }
        })
    }

    /// The header that holds a secret.
    pub fn header(&self) -> Option<&str> {
        match self {
            Verifier::Header { name, .. } => Some(name),
            _ => None,
        }
    }

    /// As much as a head alone can show: all, where the credential does not depend on the body.
    pub fn glance(&self, head: &Request) -> Result<(), Refusal> {
        match self {
            Verifier::Hmac { how, .. } => signatures(how, head).map(drop),
            Verifier::Certificate => Ok(()),
            Verifier::Bearer(_) | Verifier::Basic { .. } | Verifier::Header { .. } => self.verify(head).map(drop),
        }
    }

    pub fn verify(&self, request: &Request) -> Result<Proof, Refusal> {
        let weaker = |mode| Ok(Proof { mode, replay: None });
        match self {
            Verifier::Hmac { how, keys } => hmac(how, keys, request).map(|replay| Proof { mode: Mode::Hmac, replay: Some(replay) }),
            Verifier::Certificate => Err(none("a signature of Amazon SNS")),
            Verifier::Bearer(keys) => {
                let token = authorization(request, "Bearer")?.ok_or_else(|| none("an `Authorization: Bearer` header"))?;
                if one_of(keys, token.as_bytes()) { weaker(Mode::Bearer) } else { Err(wrong("the token is wrong")) }
            }
            Verifier::Basic { user, passwords } => {
                let given = authorization(request, "Basic")?.ok_or_else(|| none("an `Authorization: Basic` header"))?;
                let given =
                    STANDARD.decode(given).map(Zeroizing::new).map_err(|_| wrong("the user and password cannot be read"))?;
                let colon = given.iter().position(|byte| *byte == b':').unwrap_or(given.len());
                let (name, password) = (given.get(..colon).unwrap_or_default(), given.get(colon + 1..).unwrap_or_default());
                let right = same(name, user.as_bytes()) & Choice::from(u8::from(one_of(passwords, password)));
                if right.into() { weaker(Mode::Basic) } else { Err(wrong("the user or the password is wrong")) }
            }
            Verifier::Header { name, values } => {
                let value = header(request, name)?.ok_or_else(|| none(&format!("a header `{name}`")))?;
                if one_of(values, value.as_bytes()) {
                    weaker(Mode::Header)
                } else {
                    Err(wrong("the secret in its header is wrong"))
                }
            }
        }
    }
}

fn base64_key(secret: &[u8]) -> Option<Key> {
    let text = secret.strip_prefix(b"whsec_").unwrap_or(secret);
    let key = Zeroizing::new(STANDARD.decode(text).ok()?);
    (24..=64).contains(&key.len()).then_some(key)
}

fn none(what: &str) -> Refusal {
    Refusal::new(RefusalKind::NoCredential, format!("the delivery has no {what}, which this source asks for"))
}

fn wrong(message: &str) -> Refusal {
    Refusal::new(RefusalKind::WrongCredential, message)
}

/// The one header of this name.
pub(super) fn header<'r>(request: &Request<'r>, name: &str) -> Result<Option<&'r str>, Refusal> {
    let mut found = request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => match std::str::from_utf8(value) {
            Ok(value) => Ok(Some(value.trim())),
            Err(_) => Err(Refusal::malformed(format!("the header `{name}` is not text"))),
        },
        (Some(_), Some(_)) => Err(Refusal::malformed(format!("the header `{name}` stands there twice"))),
    }
}

/// What stands behind the scheme in `Authorization`, where it is this scheme.
fn authorization<'r>(request: &Request<'r>, scheme: &str) -> Result<Option<&'r str>, Refusal> {
    let value = header(request, "Authorization")?;
    let parts = value.and_then(|value| value.split_once(' '));
    Ok(parts.filter(|(given, _)| given.eq_ignore_ascii_case(scheme)).map(|(_, rest)| rest.trim()))
}

/// Whether two texts are equal; neither where they differ nor how long ours is can be measured.
fn same(given: &[u8], ours: &[u8]) -> Choice {
    Sha256::digest(given).ct_eq(&Sha256::digest(ours))
}

fn one_of(keys: &[Key], given: &[u8]) -> bool {
    keys.iter().fold(Choice::from(0), |found, key| found | same(given, key)).into()
}

/// The parts of what is signed, as they came.
struct SignedParts<'r> {
    parts: Vec<&'r [u8]>,
}

impl<'r> SignedParts<'r> {
    fn of(how: &'r Hmac, request: &Request<'r>, timestamp: Option<&'r str>) -> Result<SignedParts<'r>, Refusal> {
        let mut parts = Vec::with_capacity(how.signed.len());
        for part in &how.signed {
            parts.push(match part {
                Signed::Text(text) => text.as_bytes(),
                Signed::Body => request.body,
                Signed::Timestamp => timestamp.unwrap_or_default().as_bytes(),
                Signed::Header(name) => header(request, name)?.ok_or_else(|| none(&format!("header `{name}`")))?.as_bytes(),
            });
        }
        Ok(SignedParts { parts })
    }

    fn mac<M: KeyInit + hmac::Mac>(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
        self.parts.iter().for_each(|part| mac.update(part));
        Some(mac.finalize().into_bytes().to_vec())
    }

    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        // With their lengths, so that no two deliveries share one.
        for part in &self.parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        part::hex(&digest.finalize())
    }
}

fn signatures<'r>(how: &Hmac, request: &Request<'r>) -> Result<&'r str, Refusal> {
    let given = header(request, &how.header)?.filter(|given| !given.is_empty());
    given.ok_or_else(|| none(&format!("signature in `{}`", how.header)))
}

fn hmac(how: &Hmac, keys: &[Key], request: &Request) -> Result<Replay, Refusal> {
    let given = signatures(how, request)?;
    let timestamp = match &how.timestamp {
        Some(at) => Some(timestamp(at, request)?),
        None => None,
    };
    let signed = SignedParts::of(how, request, timestamp)?;
    let signatures: Vec<Vec<u8>> = listed(given, &how.prefix)
        .take(limits::DELIVERY_SIGNATURES)
        .filter_map(|text| match how.encoding {
            Encoding::Hex => unhex(text),
            Encoding::Base64 => STANDARD.decode(text).ok(),
        })
        .collect();
    let mut right = Choice::from(0);
    for key in keys {
        let ours = match how.algorithm {
            Algorithm::Sha256 => signed.mac::<Mac<Sha256>>(key),
            Algorithm::Sha384 => signed.mac::<Mac<Sha384>>(key),
            Algorithm::Sha512 => signed.mac::<Mac<Sha512>>(key),
        };
        let ours = ours.ok_or_else(|| wrong("the secret of this source cannot be a key"))?;
        for theirs in &signatures {
            right |= theirs.as_slice().ct_eq(ours.as_slice());
        }
    }
    if !bool::from(right) {
        return Err(wrong("the signature is not that of this body and any secret of this source"));
    }
    let until = match (&how.timestamp, timestamp) {
        (Some(SignedTime { within, header, .. }), Some(text)) => {
            let within = SignedDuration::try_from(*within).unwrap_or(SignedDuration::MAX);
            let at = moment(text).ok_or_else(|| Refusal::malformed(format!("`{header}` does not hold a time")))?;
            let apart = request.received_at.duration_since(at);
            if apart.abs() > within {
                let side = if apart.is_negative() { "later" } else { "earlier" };
                let message = format!("it was signed for a time {side} than this source allows; look at the clocks of both sides");
                return Err(Refusal::new(RefusalKind::Stale, message));
            }
            // Our own clock may be set back within the window.
            at.saturating_add(within.saturating_mul(2)).unwrap_or(Timestamp::MAX)
        }
        _ => {
            let kept = SignedDuration::try_from(limits::REPLAY_KEPT).unwrap_or(SignedDuration::MAX);
            request.received_at.saturating_add(kept).unwrap_or(Timestamp::MAX)
        }
    };
    Ok(Replay { key: signed.digest(), until })
}

/// The entries of a header that begin with the prefix. Between them stand commas, or where the prefix has one itself, spaces.
fn listed<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    let between = if prefix.contains(',') { ' ' } else { ',' };
    text.split(between).filter_map(move |entry| entry.trim().strip_prefix(prefix))
}

fn timestamp<'r>(at: &SignedTime, request: &Request<'r>) -> Result<&'r str, Refusal> {
    let missing = || none(&format!("time in `{}`", at.header));
    let value = header(request, &at.header)?.ok_or_else(missing)?;
    if at.prefix.is_empty() {
        return Ok(value);
    }
    value.split(',').find_map(|entry| entry.trim().strip_prefix(at.prefix.as_str())).ok_or_else(missing)
}

/// Seconds or milliseconds since 1970, or a time of RFC 3339.
fn moment(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(number) => part::since_1970(number),
        Err(_) => text.parse().ok(),
    }
}

/// Digits in lower case, as every sender writes them: so no two texts are one signature.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}
