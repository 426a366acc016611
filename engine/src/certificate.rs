//! The certificate that a server shows, and its key: files of one's own; and the certificates that those who come to it show.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use runbook_core::policy::CertificateName;
use runbook_core::{Digest, limits};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Where the certificate and its key are, as PEM.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The server's own first, then those that lead to an authority.
    pub certificates: PathBuf,
    pub key: PathBuf,
    /// Those who issue certificates to people. Without them nobody is asked for one.
    pub client_authorities: Option<PathBuf>,
}

/// When each of the files was changed last.
pub type Stamps = [Option<SystemTime>; 3];

impl CertificateFiles {
    pub fn stamps(&self) -> Stamps {
        let files = [Some(&self.certificates), Some(&self.key), self.client_authorities.as_ref()];
        files.map(|file| std::fs::metadata(file?).and_then(|found| found.modified()).ok())
    }

    /// From when until when every certificate of the chain is valid. The error names the file and what is wrong with it.
    pub fn validity(&self) -> Result<(Timestamp, Timestamp), String> {
        let cannot = |why: &dyn std::fmt::Display| format!("{}: {why}", self.certificates.display());
        let (mut from, mut until) = (Timestamp::MIN, Timestamp::MAX);
        for found in CertificateDer::pem_file_iter(&self.certificates).map_err(|why| cannot(&why))? {
            let found = found.map_err(|why| cannot(&why))?;
            let validity = Certificate::from_der(&found).map_err(|why| cannot(&why))?.tbs_certificate.validity;
            (from, until) = (from.max(at(validity.not_before)), until.min(at(validity.not_after)));
        }
        if from == Timestamp::MIN {
            return Err(cannot(&"it holds no certificate"));
        }
        Ok((from, until))
    }

    /// What a server of HTTP/1.1 shows. The error names the file and what is wrong with it.
    pub fn read(&self) -> Result<ServerConfig, String> {
        let certificates = &self.certificates;
        let cannot = |file: &PathBuf, why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(certificates).and_then(Iterator::collect).map_err(|why| cannot(certificates, &why))?;
        if chain.is_empty() {
            return Err(cannot(certificates, &"it holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|why| cannot(&self.key, &why))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|why| cannot(certificates, &why))?;
        let builder = match &self.client_authorities {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let mut roots = RootCertStore::empty();
                for found in CertificateDer::pem_file_iter(file).map_err(|why| cannot(file, &why))? {
                    roots.add(found.map_err(|why| cannot(file, &why))?).map_err(|why| cannot(file, &why))?;
                }
                if roots.is_empty() {
                    return Err(cannot(file, &"it holds no certificate"));
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                // Who shows none may have a token, or be a sender of events.
                let verifier = verifier.allow_unauthenticated().build().map_err(|why| cannot(file, &why))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|why| cannot(certificates, &why))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn at(time: x509_cert::time::Time) -> Timestamp {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// A certificate that somebody showed, of whom TLS has seen that they have its key, and that an authority of ours issued it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub digest: Digest,
    pub until: Timestamp,
    /// What it is known by, its fingerprint included.
    names: Vec<CertificateName>,
}

impl ClientCertificate {
    pub fn read(der: &[u8]) -> Result<ClientCertificate, x509_cert::der::Error> {
        let tbs = Certificate::from_der(der)?.tbs_certificate;
        let digest = Digest::of_bytes(der);
        let mut names = vec![CertificateName::Sha256(digest.clone())];
        if let Some((_, SubjectAltName(found))) = tbs.get::<SubjectAltName>()? {
            names.extend(found.iter().take(limits::CERTIFICATE_NAMES).filter_map(|name| match name {
                GeneralName::Rfc822Name(address) => CertificateName::mail(address.as_str()),
                GeneralName::DnsName(name) => CertificateName::dns(name.as_str()),
                GeneralName::UniformResourceIdentifier(uri) => CertificateName::uri(uri.as_str()),
                _ => None,
            }));
        }
        Ok(ClientCertificate { digest, until: at(tbs.validity.not_after), names })
    }

    /// Whose it is; nobody's where it carries names of two.
    pub fn whose<'w>(&self, certificates: &'w BTreeMap<CertificateName, String>) -> Option<&'w str> {
        let mut people = self.names.iter().filter_map(|name| certificates.get(name));
        let first = people.next()?;
        people.all(|other| other == first).then_some(first)
    }
}
