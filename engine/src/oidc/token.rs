//! What a provider says of whoever logged in: a signed token (RFC 7519, in the compact form of RFC 7515), and the keys that it signs
//! with (RFC 7517). Only signatures that nobody but the provider can make are looked at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use runbook_core::limits;
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// The keys of a provider.
#[derive(Clone, Debug, Deserialize)]
pub struct Keys {
    keys: Vec<Key>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Key {
    #[serde(default)]
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What whoever reads it has to know: none of it is known here.
    crit: Option<serde_json::Value>,
}

/// As much of the claims as is looked at.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    iss: String,
    pub sub: String,
    aud: Audience,
    azp: Option<String>,
    /// Unix seconds; some providers write parts of them.
    exp: serde_json::Number,
    nonce: Option<String>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// What a token has to say.
pub struct Expected<'e> {
    pub issuer: &'e str,
    pub client: &'e str,
    pub nonce: &'e str,
    /// Unix seconds.
    pub now: i64,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotBelieved {
    #[error("the ID token cannot be read: {0}")]
    Unreadable(&'static str),
    #[error("its signature is of the kind {0:?}, which is not believed")]
    Kind(String),
    #[error("the provider has no key for the signature of the ID token")]
    NoKey,
    #[error("the signature of the ID token is wrong")]
    Signature,
    #[error("{0}")]
    Claim(&'static str),
}

/// The claims of a token, once all of it is right.
pub fn believed(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Claims, NotBelieved> {
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signed), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(NotBelieved::Unreadable("it does not have three parts"));
    };
    let of_header: Header = read(header)?;
    if of_header.crit.is_some() {
        return Err(NotBelieved::Unreadable("it asks for more than is known here (`crit`)"));
    }
    let signed = decoded(signed).ok_or(NotBelieved::Unreadable("its signature is no base64"))?;
    // Both stand before their dots.
    let message = token.get(..header.len() + 1 + claims.len()).unwrap_or_default();
    let of = Kind::of(&of_header.alg).ok_or_else(|| NotBelieved::Kind(of_header.alg.chars().take(32).collect()))?;
    let named = |key: &&Key| of_header.kid.is_none() || key.kid == of_header.kid;
    let mut fitting =
        keys.keys.iter().filter(named).filter(|key| key.fits(&of_header.alg, of)).take(limits::PROVIDER_KEYS).peekable();
    if fitting.peek().is_none() {
        return Err(NotBelieved::NoKey);
    }
    if !fitting.any(|key| key.made(of, message.as_bytes(), &signed)) {
        return Err(NotBelieved::Signature);
    }
    let claims: Claims = read(claims)?;
    claims.are_for(expected).map(|()| claims)
}

impl Claims {
    fn are_for(&self, expected: &Expected<'_>) -> Result<(), NotBelieved> {
        let for_us = match &self.aud {
            Audience::One(audience) => audience == expected.client,
            Audience::Several(all) => !all.is_empty() && all.iter().all(|audience| audience == expected.client),
        };
        let until = self.exp.as_i64().or_else(|| self.exp.as_f64().map(|seconds| seconds as i64));
        let nonce = self.nonce.as_deref().unwrap_or_default().as_bytes();
        Err(NotBelieved::Claim(match () {
            () if self.iss != expected.issuer => "the ID token is of another issuer",
            () if !for_us => "the ID token has another audience",
            () if self.azp.as_ref().is_some_and(|party| party != expected.client) => "the ID token is for another party (`azp`)",
            () if until.is_none_or(|until| until <= expected.now) => "the ID token has expired",
            () if !bool::from(nonce.ct_eq(expected.nonce.as_bytes())) => "the ID token is of another log-in (its nonce)",
            () => return Ok(()),
        }))
    }
}

/// How a token is signed.
#[derive(Clone, Copy)]
enum Kind {
    Rsa(&'static signature::RsaParameters),
    Curve(&'static str, &'static str, &'static dyn signature::VerificationAlgorithm),
}

impl Kind {
    /// By its name of RFC 7518 or RFC 8037.
    fn of(alg: &str) -> Option<Kind> {
        Some(match alg {
            "RS256" => Kind::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            "RS384" => Kind::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Kind::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            "PS256" => Kind::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            "PS384" => Kind::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            "PS512" => Kind::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            "ES256" => Kind::Curve("EC", "P-256", &signature::ECDSA_P256_SHA256_FIXED),
            "ES384" => Kind::Curve("EC", "P-384", &signature::ECDSA_P384_SHA384_FIXED),
            "EdDSA" => Kind::Curve("OKP", "Ed25519", &signature::ED25519),
            _ => return None,
        })
    }
}

impl Key {
    fn fits(&self, alg: &str, kind: Kind) -> bool {
        let made_for =
            self.purpose.as_deref().is_none_or(|purpose| purpose == "sig") && self.alg.as_deref().is_none_or(|own| own == alg);
        made_for
            && match kind {
                Kind::Rsa(_) => self.kty == "RSA",
                Kind::Curve(kty, curve, _) => self.kty == kty && self.crv.as_deref() == Some(curve),
            }
    }

    /// Whether the signature was made with the other half of this key.
    fn made(&self, kind: Kind, message: &[u8], signed: &[u8]) -> bool {
        let part = |part: &Option<String>| part.as_deref().and_then(decoded);
        match kind {
            Kind::Rsa(parameters) => {
                let (Some(n), Some(e)) = (part(&self.n), part(&self.e)) else { return false };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signed).is_ok()
            }
            Kind::Curve(kty, _, algorithm) => {
                let Some(x) = part(&self.x) else { return false };
                let key = match (kty, part(&self.y)) {
                    // The uncompressed point.
                    ("EC", Some(y)) => [&[4][..], &x, &y].concat(),
                    ("OKP", _) => x,
                    _ => return false,
                };
                UnparsedPublicKey::new(algorithm, key).verify(message, signed).is_ok()
            }
        }
    }
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn read<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, NotBelieved> {
    let bytes = decoded(part).ok_or(NotBelieved::Unreadable("a part of it is no base64"))?;
    serde_json::from_slice(&bytes).map_err(|_| NotBelieved::Unreadable("a part of it is not the JSON that it has to be"))
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn encoded(json: &Value) -> String {
        URL_SAFE_NO_PAD.encode(json.to_string())
    }

    fn claims() -> Value {
        json!({"iss": "https://id.example.org", "sub": "b-17", "aud": "runbook", "exp": NOW + 60, "nonce": "n"})
    }

    fn ask(token: &str, keys: &Value) -> Result<Claims, NotBelieved> {
        let keys = serde_json::from_value(json!({ "keys": keys })).unwrap();
        let expected = Expected { issuer: "https://id.example.org", client: "runbook", nonce: "n", now: NOW };
        believed(token, &keys, &expected)
    }

    type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

    /// A key as a provider shows it, and what signs with it.
    fn signer(alg: &str) -> (Value, Sign) {
        let random = SystemRandom::new();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        if alg == "EdDSA" {
            let pair = Ed25519KeyPair::from_pkcs8(Ed25519KeyPair::generate_pkcs8(&random).unwrap().as_ref()).unwrap();
            let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": part(pair.public_key().as_ref())});
            return (key, Box::new(move |message| pair.sign(message).as_ref().to_vec()));
        }
        let (algorithm, curve) = match alg {
            "ES256" => (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            _ => (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
        };
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref()[1..].to_vec();
        let (x, y) = point.split_at(point.len() / 2);
        let key = json!({"kty": "EC", "crv": curve, "kid": "k", "use": "sig", "alg": alg, "x": part(x), "y": part(y)});
        (key, Box::new(move |message| pair.sign(&random, message).unwrap().as_ref().to_vec()))
    }

    fn token(header: &Value, claims: &Value, sign: &dyn Fn(&[u8]) -> Vec<u8>) -> String {
        let message = format!("{}.{}", encoded(header), encoded(claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(sign(message.as_bytes())))
    }

    #[test]
    fn a_token_is_believed_and_none_of_which_a_bit_is_another() {
        for alg in ["ES256", "ES384", "EdDSA"] {
            let (key, sign) = signer(alg);
            let good = token(&json!({"alg": alg, "kid": "k"}), &claims(), &*sign);
            assert_eq!(ask(&good, &json!([key])).unwrap().sub, "b-17");
            // Another key, of no kind that is known, and one of nobody stand beside it.
            let (other, sign_otherwise) = signer(alg);
            let among = json!([{"kty": "oct", "k": "AA"}, {"kty": "RSA", "kid": "k", "n": "AQ", "e": "AQAB"}, key]);
            assert_eq!(ask(&good, &among).unwrap().sub, "b-17");
            assert_eq!(ask(&good, &json!([])), Err(NotBelieved::NoKey));
            assert_eq!(ask(&good, &json!([other])), Err(NotBelieved::Signature));
            assert_eq!(ask(&token(&json!({"alg": alg}), &claims(), &*sign_otherwise), &json!([key])), Err(NotBelieved::Signature));
            for at in 0..good.len() {
                let mut flipped = good.clone().into_bytes();
                flipped[at] ^= 1;
                if let Ok(flipped) = String::from_utf8(flipped) {
                    assert!(ask(&flipped, &json!([key])).is_err(), "{alg}, {at}: {flipped}");
                }
            }
            let encrypts = json!([{"kty": key["kty"], "crv": key["crv"], "kid": "k", "use": "enc", "x": key["x"], "y": key["y"]}]);
            assert_eq!(ask(&good, &encrypts), Err(NotBelieved::NoKey));
        }
    }

    #[test]
    fn what_it_says_has_to_be_said_of_this_log_in() {
        let (key, sign) = signer("EdDSA");
        let with = |change: Value| {
            let mut claims = claims();
            change.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
            ask(&token(&json!({"alg": "EdDSA", "kid": "k"}), &claims, &*sign), &json!([key]))
        };
        for right in [json!({}), json!({"aud": ["runbook"]}), json!({"azp": "runbook"}), json!({"exp": NOW as f64 + 0.5 + 1.0})] {
            assert!(with(right.clone()).is_ok(), "{right}");
        }
        for (wrong, why) in [
            (json!({"iss": "https://id.example.org/"}), "issuer"),
            (json!({"aud": "runbook2"}), "audience"),
            (json!({"aud": []}), "audience"),
            (json!({"aud": ["runbook", "other"]}), "audience"),
            (json!({"azp": "other"}), "party"),
            (json!({"exp": NOW}), "expired"),
            (json!({"exp": -1}), "expired"),
            (json!({"nonce": "m"}), "nonce"),
            (json!({"nonce": null}), "nonce"),
            (json!({"sub": null}), "JSON"),
            (json!({"exp": "soon"}), "JSON"),
        ] {
            let told = with(wrong.clone()).unwrap_err().to_string();
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }

    #[test]
    fn only_kinds_of_signatures_that_the_provider_alone_can_make_count() {
        let (key, sign) = signer("EdDSA");
        for header in [json!({"alg": "none"}), json!({"alg": "HS256", "kid": "k"}), json!({"alg": "RS1"}), json!({"alg": ""})] {
            let told = ask(&token(&header, &claims(), &*sign), &json!([key]));
            assert!(matches!(told, Err(NotBelieved::Kind(_))), "{header}: {told:?}");
        }
        let asks = json!({"alg": "EdDSA", "kid": "k", "crit": ["b64"], "b64": false});
        assert!(matches!(ask(&token(&asks, &claims(), &*sign), &json!([key])), Err(NotBelieved::Unreadable(_))));
        for unreadable in ["", ".", "..", "a.b.c", "a.b.c.d", "e30.e30.", "e30.e30.e30"] {
            assert!(ask(unreadable, &json!([key])).is_err(), "{unreadable}");
        }
    }
}
