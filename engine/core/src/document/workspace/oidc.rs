//! `oidc`: where people log in who do so elsewhere.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Oidc, OidcClaim, Provider, channel, source};
use crate::diagnostic::Code;
use crate::document::Scalar;
use crate::document::decode::{Fields, Reading, scalar};

const CLAIMS: [(&str, OidcClaim); 2] = [("sub", OidcClaim::Sub), ("email", OidcClaim::Email)];

pub(super) fn oidc(fields: &mut Fields, providers: &BTreeMap<String, Provider>) -> Option<Oidc> {
    let reading = fields.reading;
    let mut of = fields.map("oidc", "`oidc`")?;
    let secrets = channel::secrets(reading, of.entries("secrets"), providers);
    let (issuer, client) = (of.require_text("issuer"), of.require_text("client"));
    let secret = of.text("secret");
    let is_secret = secret.is_some();
    let secret = secret.and_then(|secret| source::one(reading, &secret, &secrets, "`oidc`"));
    let claim = of.word("claim", &CLAIMS);
    of.finish();
    let issuer = issuer.filter(|issuer| is_issuer(reading, issuer))?;
    if is_secret && secret.is_none() {
        return None;
    }
    let secret = secret.and_then(|id| secrets.get(&id).map(|place| (id, place.clone())));
    let claim = claim.map_or(OidcClaim::Sub, |claim| claim.value);
    Some(Oidc { issuer: issuer.value, client: client?.value, secret, claim })
}

/// Over TLS, or on this machine.
fn is_issuer(reading: &Reading, issuer: &Scalar) -> bool {
    let is_here = |place: &str| {
        let host = place.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
            .map_or_else(|| host.split_once(':').map_or(host, |(host, _)| host), |(address, _)| address);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let text = issuer.value.as_str();
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['?', '#', '@']);
    let is_right =
        text.strip_prefix("https://").is_some_and(|place| !place.is_empty()) || text.strip_prefix("http://").is_some_and(is_here);
    if is_plain && is_right {
        return true;
    }
    let message = format!("`{}` is not the address of a provider", scalar::clipped(text));
    let fault = reading.diagnostic(Code::RB0018, scalar::shown(reading, issuer.span), message);
    reading.report(fault.help("write `https://` and its place, as the provider names itself (`issuer`)"));
    false
}
