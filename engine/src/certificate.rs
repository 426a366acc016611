//! The certificate that a server shows, and its key: files of one's own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Where the certificate and its key are, as PEM.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The server's own first, then those that lead to an authority.
    pub certificates: PathBuf,
    pub key: PathBuf,
}

/// When each of the files was changed last.
pub type Stamps = [Option<SystemTime>; 2];

impl CertificateFiles {
    pub fn stamps(&self) -> Stamps {
        [&self.certificates, &self.key].map(|file| std::fs::metadata(file).and_then(|found| found.modified()).ok())
    }

    /// From when until when every certificate of the chain is valid. The error names the file and what is wrong with it.
    pub fn validity(&self) -> Result<(Timestamp, Timestamp), String> {
        let cannot = |why: &dyn std::fmt::Display| format!("{}: {why}", self.certificates.display());
        let (mut from, mut until) = (Timestamp::MIN, Timestamp::MAX);
        for found in CertificateDer::pem_file_iter(&self.certificates).map_err(|why| cannot(&why))? {
            let found = found.map_err(|why| cannot(&why))?;
            let validity = Certificate::from_der(&found).map_err(|why| cannot(&why))?.tbs_certificate.validity;
            let at = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
            let at = |time| Timestamp::from_second(at(time)).unwrap_or(Timestamp::MAX);
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
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = builder
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|why| cannot(certificates, &why))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
