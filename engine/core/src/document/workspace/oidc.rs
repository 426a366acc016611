//! `oidc`: where people log in who do so elsewhere.

use std::collections::BTreeMap;

use super::{Oidc, OidcClaim, Provider, channel, read, source};
use crate::document::decode::Fields;

const CLAIMS: [(&str, OidcClaim); 2] = [("sub", OidcClaim::Sub), ("email", OidcClaim::Email)];

const ISSUER: &str = "write it as the provider names itself (`issuer`), with `https://`";

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
    let issuer = issuer.filter(|issuer| read::is_web_address(reading, issuer, "the address of a provider", ISSUER))?;
    if is_secret && secret.is_none() {
        return None;
    }
    let secret = secret.and_then(|id| secrets.get(&id).map(|place| (id, place.clone())));
    let claim = claim.map_or(OidcClaim::Sub, |claim| claim.value);
    Some(Oidc { issuer: issuer.value, client: client?.value, secret, claim })
}
