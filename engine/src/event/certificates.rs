//! The certificates that SNS signs with: whom the caller trusts to issue them, and those that it has fetched. Nothing is fetched here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use ring::signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
use runbook_core::limits;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
    alg_id,
};
use webpki::{EndEntityCert, Error, KeyUsage, ring as algorithms};

use super::{Refusal, RefusalKind};

/// Certificates by their addresses, and the roots that vouch for them. Shared by all sources.
#[derive(Debug, Default)]
pub struct Certificates {
    roots: Vec<TrustAnchor<'static>>,
    fetched: Mutex<BTreeMap<String, Arc<Vec<CertificateDer<'static>>>>>,
}

impl Certificates {
    /// Trusts these roots, and those that they vouch for. What is no certificate is passed over.
    pub fn trusting(roots: &[CertificateDer]) -> Certificates {
        let anchor = |root| webpki::anchor_from_trusted_cert(root).ok().map(|anchor| anchor.to_owned());
        Certificates { roots: roots.iter().filter_map(anchor).collect(), fetched: Mutex::default() }
    }

    /// Trusts the roots of this machine.
    pub fn native() -> Certificates {
        Certificates::trusting(&rustls_native_certs::load_native_certs().certs)
    }

    /// Keeps what an address gave: PEM, or one certificate as DER. Anything else is not kept, and is asked for again.
    pub fn keep(&self, url: &str, bytes: Vec<u8>) {
        let found: Vec<CertificateDer> = match bytes.first() {
            Some(0x30) => vec![CertificateDer::from(bytes)],
            _ => CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).take(limits::CERTIFICATE_CHAIN).collect(),
        };
        if found.is_empty() || found.iter().any(|der| EndEntityCert::try_from(der).is_err()) {
            return;
        }
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if fetched.len() >= limits::CERTIFICATES {
            fetched.pop_first();
        }
        fetched.insert(url.to_owned(), Arc::new(found));
    }

    fn find(&self, url: &str) -> Option<Arc<Vec<CertificateDer<'static>>>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    /// Whether the certificate at `url` was issued by whom we trust to one of these hosts, holds at this time, and made the
    /// signature of the message.
    pub(super) fn verify(
        &self,
        url: &str,
        hosts: &[&str],
        at: Timestamp,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        let chain = self.find(url).ok_or_else(|| needed(url))?;
        let Some((first, sent)) = chain.split_first() else { return Err(needed(url)) };
        let certificate = EndEntityCert::try_from(first).map_err(|_| wrong("the certificate of the signature cannot be read"))?;
        self.issued(first, &certificate, sent.to_vec(), at)?;
        let named =
            |host: &&str| ServerName::try_from(*host).is_ok_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok());
        if !hosts.iter().any(named) {
            return Err(wrong("the certificate of the signature is not one of Amazon SNS"));
        }
        let algorithm: &dyn SignatureVerificationAlgorithm = match scheme {
            Scheme::Sha1 => &RsaSha1,
            Scheme::Sha256 => algorithms::RSA_PKCS1_2048_8192_SHA256,
        };
        let right = certificate.verify_signature(algorithm, message, signature);
        right.map_err(|_| wrong("the signature is not that of this message"))
    }

    /// Follows the issuers up to a root, through what was sent along and what was fetched.
    fn issued(
        &self,
        first: &CertificateDer<'static>,
        certificate: &EndEntityCert,
        mut between: Vec<CertificateDer<'static>>,
        at: Timestamp,
    ) -> Result<(), Refusal> {
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let mut last = first.clone();
        for _ in 0..limits::CERTIFICATE_CHAIN {
            let usage = KeyUsage::server_auth();
            match certificate.verify_for_usage(ISSUERS, &self.roots, &between, time, usage, None, None) {
                Ok(_) => return Ok(()),
                Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) => {
                    return Err(wrong("the certificate of the signature does not hold at this time"));
                }
                Err(Error::UnknownIssuer) => {}
                Err(_) => return Err(wrong("the certificate of the signature was not issued as it should be")),
            }
            let Some(url) = issuer_at(&last) else { break };
            let issuer = self.find(&url).ok_or_else(|| needed(&url))?;
            let Some(next) = issuer.first() else { break };
            last = next.clone();
            between.push(next.clone());
        }
        Err(wrong("nobody who is trusted has issued the certificate of the signature"))
    }
}

/// How issuers may sign certificates.
const ISSUERS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P384_SHA384,
];

/// How the message was signed: version 1 or 2 of SNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Sha1,
    Sha256,
}

fn wrong(message: &str) -> Refusal {
    Refusal::new(RefusalKind::WrongCredential, message)
}

fn needed(url: &str) -> Refusal {
    let message = "the certificate that the delivery is signed with is not there yet; send it again".to_owned();
    Refusal { kind: RefusalKind::NeedsCertificate, message, fetch: Some(url.to_owned()) }
}

/// The address at which a certificate says that its issuer's can be had, where it is one of Amazon's authority. Only a hint, so it
/// is looked for as bytes: what comes from there has to be the issuer, or the chain does not hold.
fn issuer_at(certificate: &[u8]) -> Option<String> {
    // The object identifier of `caIssuers`, and a name that is an address.
    const CA_ISSUERS: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02, 0x86];
    let place = certificate.windows(CA_ISSUERS.len()).position(|window| window == CA_ISSUERS)?;
    let behind = certificate.get(place + CA_ISSUERS.len()..)?;
    let (length, rest) = behind.split_first()?;
    let length = usize::from(*length);
    let url = std::str::from_utf8(rest.get(..length).filter(|_| length < 0x80)?).ok()?;
    let (host, path) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?.split_once('/')?;
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._/".contains(&b));
    (host.ends_with(".amazontrust.com") && plain(host) && plain(path)).then(|| url.to_owned())
}

/// RSA with SHA-1, for messages of version 1 alone; no certificate is taken with it.
#[derive(Debug)]
struct RsaSha1;

impl SignatureVerificationAlgorithm for RsaSha1 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = ring::signature::UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key);
        key.verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        // No certificate names this algorithm: it is asked for by hand.
        alg_id::RSA_ENCRYPTION
    }
}
