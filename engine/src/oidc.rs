//! People who log in elsewhere: at a provider of OpenID Connect, by authorization code with PKCE, state and nonce. What it says is believed
//! once its signature, with a key of its own, its issuer, for whom it is, its time and the nonce are right.
//!
//! Nothing is kept between the two halves of a log-in: all that ties them together is made from a secret that the browser alone has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::StreamExt;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::{
    AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl,
    Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, TokenResponse,
};
use runbook_core::document::workspace::{Oidc, OidcClaim};
use runbook_core::limits;
use runbook_core::plan::SecretSource;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

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

/// Only signatures that nobody but the provider can make.
const SIGNED: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

pub struct Provider {
    of: Oidc,
    secret: Option<ClientSecret>,
    http: reqwest::Client,
    /// What it says of itself, with its keys, and since when.
    known: Mutex<Option<(Instant, CoreProviderMetadata)>>,
}

/// The request that somebody makes of a provider, made from the secret of their log-in.
fn state(of: &Secret) -> String {
    of.derived("oidc state 1")
}

fn nonce(of: &Secret) -> Nonce {
    Nonce::new(of.derived("oidc nonce 1"))
}

fn verifier(of: &Secret) -> PkceCodeVerifier {
    PkceCodeVerifier::new(of.derived("oidc verifier 1"))
}

impl Provider {
    /// The error says which secret has no value.
    pub fn open(of: &Oidc, secret: impl Fn(&SecretSource) -> Result<Arc<SecretString>, String>) -> Result<Provider, String> {
        let known_by = |(name, place): &(runbook_core::Id, SecretSource)| {
            let value = secret(place).map_err(|why| format!("`{name}` of `oidc`: {why}"))?;
            Ok::<_, String>(ClientSecret::new(value.expose_secret().to_owned()))
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
        let client = CoreClient::from_provider_metadata(self.metadata().await?, self.client(), self.secret.clone());
        let client = client.set_redirect_uri(redirect(back_to)?);
        let (state, nonce, verifier) = (state(log_in), nonce(log_in), verifier(log_in));
        let request = client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, || CsrfToken::new(state), || nonce);
        let request = request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        let request = match self.of.claim {
            OidcClaim::Sub => request,
            OidcClaim::Email => request.add_scope(Scope::new("email".to_owned())),
        };
        Ok(request.url().0.into())
    }

    /// Whether what came back is of this log-in.
    pub fn is_of(log_in: &Secret, shown: &str) -> bool {
        state(log_in).as_bytes().ct_eq(shown.as_bytes()).into()
    }

    /// What the provider calls whoever came back with this code.
    pub async fn finish(&self, log_in: &Secret, code: String, back_to: &str) -> Result<String, OidcError> {
        let metadata = self.metadata().await?;
        let ways = metadata.token_endpoint_auth_methods_supported().map_or(&[][..], Vec::as_slice);
        let in_body =
            ways.contains(&CoreClientAuthMethod::ClientSecretPost) && !ways.contains(&CoreClientAuthMethod::ClientSecretBasic);
        let client = CoreClient::from_provider_metadata(metadata, self.client(), self.secret.clone());
        let client = client.set_redirect_uri(redirect(back_to)?);
        let client = client.set_auth_type(if in_body { AuthType::RequestBody } else { AuthType::BasicAuth });
        let not_believed = |why: String| OidcError::NotBelieved(why);
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(|why| not_believed(why.to_string()))?;
        let ask = |request| send(self.http.clone(), request);
        let token = request.set_pkce_verifier(verifier(log_in)).request_async(&ask).await.map_err(|why| match why {
            RequestTokenError::ServerResponse(said) => OidcError::Refused(said.to_string()),
            RequestTokenError::Request(why) => OidcError::Unreachable(why.0),
            RequestTokenError::Parse(why, _) => OidcError::NotBelieved(why.to_string()),
            RequestTokenError::Other(why) => OidcError::NotBelieved(why),
        })?;
        let id_token = token.id_token().ok_or_else(|| not_believed("there is no ID token".to_owned()))?;
        let (nonce, nobody_else) = (nonce(log_in), |_: &_| false);
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNED).set_other_audience_verifier_fn(nobody_else);
        let claims = match id_token.claims(&verifier, &nonce) {
            Err(ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)) => {
                // It may have got another key since.
                let renewed = CoreClient::from_provider_metadata(self.asked().await?, self.client(), self.secret.clone());
                let verifier = renewed.id_token_verifier().set_allowed_algs(SIGNED).set_other_audience_verifier_fn(nobody_else);
                id_token.claims(&verifier, &nonce).cloned()
            }
            claims => claims.cloned(),
        };
        let claims = claims.map_err(|why| not_believed(why.to_string()))?;
        match self.of.claim {
            OidcClaim::Sub => Ok(claims.subject().to_string()),
            OidcClaim::Email if claims.email_verified() != Some(true) => {
                Err(not_believed("it does not say that it verified the address".to_owned()))
            }
            OidcClaim::Email => {
                claims.email().map(|email| email.to_string()).ok_or_else(|| not_believed("it gives no address".to_owned()))
            }
        }
    }

    /// Whether two names are of one there.
    pub fn is_one(&self, one: &str, other: &str) -> bool {
        match self.of.claim {
            OidcClaim::Sub => one == other,
            OidcClaim::Email => one.eq_ignore_ascii_case(other),
        }
    }

    fn client(&self) -> ClientId {
        ClientId::new(self.of.client.clone())
    }

    async fn metadata(&self) -> Result<CoreProviderMetadata, OidcError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((since, metadata)) if since.elapsed() < limits::PROVIDER_KNOWN => Ok(metadata),
            _ => self.asked().await,
        }
    }

    async fn asked(&self) -> Result<CoreProviderMetadata, OidcError> {
        let issuer = IssuerUrl::new(self.of.issuer.clone()).map_err(|why| OidcError::NotBelieved(why.to_string()))?;
        let ask = |request| send(self.http.clone(), request);
        let metadata = CoreProviderMetadata::discover_async(issuer, &ask).await;
        let metadata = metadata.map_err(|why| match why {
            openidconnect::DiscoveryError::Request(why) => OidcError::Unreachable(why.0),
            why => OidcError::NotBelieved(why.to_string()),
        })?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }
}

fn redirect(back_to: &str) -> Result<RedirectUrl, OidcError> {
    RedirectUrl::new(back_to.to_owned()).map_err(|why| OidcError::NotBelieved(why.to_string()))
}

/// A request that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotAsked(String);

async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, NotAsked> {
    let told = |why: reqwest::Error| NotAsked(why.without_url().to_string());
    let response = http.execute(reqwest::Request::try_from(request).map_err(told)?).await.map_err(told)?;
    let mut answer = openidconnect::http::Response::builder().status(response.status());
    if let Some(headers) = answer.headers_mut() {
        headers.clone_from(response.headers());
    }
    let (mut body, mut chunks) = (Vec::new(), response.bytes_stream());
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk.map_err(told)?);
        if body.len() > limits::PROVIDER_BYTES {
            return Err(NotAsked(format!("its answer is larger than {} KiB", limits::PROVIDER_BYTES / 1024)));
        }
    }
    answer.body(body).map_err(|why| NotAsked(why.to_string()))
}
