//! People who log in elsewhere: at a provider of OpenID Connect, by authorization code with PKCE, state and nonce. What it says is believed
//! once its signature, with a key of its own, its issuer, for whom it is, its time and the nonce are right.
//!
//! Nothing is kept between the two halves of a log-in: all that ties them together is made from a secret that the browser alone has.

mod token;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::StreamExt;
use jiff::Timestamp;
use reqwest::{StatusCode, Url, header};
use runbook_core::document::workspace::{Oidc, OidcClaim};
use runbook_core::expr::percent_encode;
use runbook_core::limits;
use runbook_core::plan::SecretSource;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use self::token::{Expected, Keys, NotBelieved};
use crate::access::Secret;

/// Why nobody is logged in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    #[error("the provider cannot be asked: {0}")]
    Unreachable(String),
    #[error("the provider does not let them in: {0}")]
    Refused(String),
    #[error("what the provider says cannot be believed: {0}")]
    NotBelieved(String),
}

pub struct Provider {
    of: Oidc,
    secret: Option<SecretString>,
    http: reqwest::Client,
    /// What it says of itself, with its keys, and since when.
    known: Mutex<Option<(Instant, Arc<Known>)>>,
}

/// What a provider says of itself (OpenID Connect Discovery 1.0, section 3), as much of it as is used, and its keys.
#[derive(Debug)]
struct Known {
    metadata: Metadata,
    keys: Keys,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// What the token endpoint answers (RFC 6749, section 5).
#[derive(Deserialize)]
struct Answer {
    id_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

/// The request that somebody makes of a provider, made from the secret of their log-in.
fn state(of: &Secret) -> String {
    of.derived("oidc state 1")
}

fn nonce(of: &Secret) -> String {
    of.derived("oidc nonce 1")
}

/// What whoever asks for the token has to know (RFC 7636).
fn verifier(of: &Secret) -> String {
    of.derived("oidc verifier 1")
}

impl Provider {
    /// The error says which secret has no value.
    pub fn open(of: &Oidc, secret: impl Fn(&SecretSource) -> Result<Arc<SecretString>, String>) -> Result<Provider, String> {
        let known_by = |(name, place): &(runbook_core::Id, SecretSource)| {
            let value = secret(place).map_err(|why| format!("`{name}` of `oidc`: {why}"))?;
            Ok::<_, String>(SecretString::from(value.expose_secret().to_owned()))
        };
        let secret = of.secret.as_ref().map(known_by).transpose()?;
        crate::action::install_provider();
        // What it answers is not followed: it says where its parts are, and those are asked themselves.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(limits::PROVIDER_TIME).build();
        let http = http.map_err(|why| format!("no connection to `oidc` can be made: {why}"))?;
        Ok(Provider { of: of.clone(), secret, http, known: Mutex::default() })
    }

    pub fn issuer(&self) -> &str {
        &self.of.issuer
    }

    /// Where the browser goes.
    pub async fn begin(&self, log_in: &Secret, back_to: &str) -> Result<String, OidcError> {
        let known = self.known().await?;
        let mut there = self.place(&known.metadata.authorization_endpoint)?;
        let scope = match self.of.claim {
            OidcClaim::Sub => "openid",
            OidcClaim::Email => "openid email",
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier(log_in)));
        there
            .query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.of.client)
            .append_pair("redirect_uri", back_to)
            .append_pair("scope", scope)
            .append_pair("state", &state(log_in))
            .append_pair("nonce", &nonce(log_in))
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(there.into())
    }

    /// Whether what came back is of this log-in.
    pub fn is_of(log_in: &Secret, shown: &str) -> bool {
        state(log_in).as_bytes().ct_eq(shown.as_bytes()).into()
    }

    /// What the provider calls whoever came back with this code.
    pub async fn finish(&self, log_in: &Secret, code: &str, back_to: &str, now: Timestamp) -> Result<String, OidcError> {
        let known = self.known().await?;
        let token = self.token(&known.metadata, log_in, code, back_to).await?;
        let nonce = nonce(log_in);
        let expected = Expected { issuer: &self.of.issuer, client: &self.of.client, nonce: &nonce, now: now.as_second() };
        let claims = match token::believed(&token, &known.keys, &expected) {
            // It may have got another key since.
            Err(NotBelieved::NoKey) => token::believed(&token, &self.asked().await?.keys, &expected),
            claims => claims,
        };
        let not_believed = |why: &str| OidcError::NotBelieved(why.to_owned());
        let claims = claims.map_err(|why| OidcError::NotBelieved(why.to_string()))?;
        match self.of.claim {
            OidcClaim::Sub => Ok(claims.sub),
            OidcClaim::Email if claims.email_verified != Some(true) => {
                Err(not_believed("it does not say that it verified the address"))
            }
            OidcClaim::Email => claims.email.ok_or_else(|| not_believed("it gives no address")),
        }
    }

    /// Whether two names are of one there.
    pub fn is_one(&self, one: &str, other: &str) -> bool {
        match self.of.claim {
            OidcClaim::Sub => one == other,
            OidcClaim::Email => one.eq_ignore_ascii_case(other),
        }
    }

    /// The code for the token of whoever brought it.
    async fn token(&self, metadata: &Metadata, log_in: &Secret, code: &str, back_to: &str) -> Result<String, OidcError> {
        let ways = &metadata.token_endpoint_auth_methods_supported;
        let has = |way: &str| ways.iter().any(|own| own == way);
        let (verifier, client) = (verifier(log_in), self.of.client.as_str());
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back_to),
            ("code_verifier", verifier.as_str()),
        ];
        let request = self.http.post(self.place(&metadata.token_endpoint)?);
        let request = match &self.secret {
            None => {
                form.push(("client_id", client));
                request
            }
            Some(secret) if has("client_secret_post") && !has("client_secret_basic") => {
                form.extend([("client_id", client), ("client_secret", secret.expose_secret())]);
                request
            }
            // Both encoded, as RFC 6749 has it (section 2.3.1).
            Some(secret) => {
                let pair = format!("{}:{}", percent_encode(client), percent_encode(secret.expose_secret()));
                request.header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)))
            }
        };
        let (status, answer) = self.ask(request.header(header::ACCEPT, "application/json").form(&form)).await?;
        if status != StatusCode::OK {
            return Err(match serde_json::from_slice::<Refusal>(&answer) {
                Ok(Refusal { error, error_description: Some(why) }) => OidcError::Refused(format!("{error}: {why}")),
                Ok(Refusal { error, error_description: None }) => OidcError::Refused(error),
                Err(_) => OidcError::NotBelieved(format!("it answers {status} to a code")),
            });
        }
        let answer: Answer = read(&answer)?;
        answer.id_token.ok_or_else(|| OidcError::NotBelieved("there is no ID token".to_owned()))
    }

    async fn known(&self) -> Result<Arc<Known>, OidcError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((since, known)) if since.elapsed() < limits::PROVIDER_KNOWN => Ok(known),
            _ => self.asked().await,
        }
    }

    async fn asked(&self) -> Result<Arc<Known>, OidcError> {
        let place = format!("{}/.well-known/openid-configuration", self.of.issuer.trim_end_matches('/'));
        let metadata: Metadata = read(&self.get(&place).await?)?;
        if metadata.issuer != self.of.issuer {
            return Err(OidcError::NotBelieved("it calls itself by the name of another issuer".to_owned()));
        }
        let keys = read(&self.get(&metadata.jwks_uri).await?)?;
        let known = Arc::new(Known { metadata, keys });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), known.clone()));
        Ok(known)
    }

    /// An address that it gives. Only one that is itself asked without TLS has such.
    fn place(&self, address: &str) -> Result<Url, OidcError> {
        let place = Url::parse(address).ok();
        let is_safe = |place: &Url| place.scheme() == "https" || place.scheme() == "http" && self.of.issuer.starts_with("http://");
        place
            .filter(is_safe)
            .ok_or_else(|| OidcError::NotBelieved("it gives an address that is none, or is without TLS".to_owned()))
    }

    async fn get(&self, address: &str) -> Result<Vec<u8>, OidcError> {
        match self.ask(self.http.get(self.place(address)?).header(header::ACCEPT, "application/json")).await? {
            (StatusCode::OK, answer) => Ok(answer),
            (status, _) if status.is_server_error() => Err(OidcError::Unreachable(format!("it answers {status}"))),
            (status, _) => Err(OidcError::NotBelieved(format!("it answers {status} to what it has to say of itself"))),
        }
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<(StatusCode, Vec<u8>), OidcError> {
        let told = |why: reqwest::Error| OidcError::Unreachable(why.without_url().to_string());
        let response = request.send().await.map_err(told)?;
        let (status, mut body, mut chunks) = (response.status(), Vec::new(), response.bytes_stream());
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(told)?);
            if body.len() > limits::PROVIDER_BYTES {
                return Err(OidcError::Unreachable(format!("its answer is larger than {} KiB", limits::PROVIDER_BYTES / 1024)));
            }
        }
        Ok((status, body))
    }
}

fn read<T: for<'de> Deserialize<'de>>(answer: &[u8]) -> Result<T, OidcError> {
    serde_json::from_slice(answer).map_err(|_| OidcError::NotBelieved("its answer is not the JSON that it has to be".to_owned()))
}
