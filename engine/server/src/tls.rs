//! TLS with files of one's own. They are looked at while the server runs: a certificate that was renewed is used from the next connection
//! on, and one that cannot be read leaves the last good one where it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use runbook_core::limits;
use runbook_engine::certificate::{CertificateFiles, Stamps};
use tokio_rustls::TlsAcceptor;

use crate::health::{Health, Topic};

pub struct Tls {
    files: CertificateFiles,
    now: Mutex<Now>,
}

struct Now {
    acceptor: TlsAcceptor,
    /// Of the files that it is of, or that could not be used.
    stamps: Stamps,
    looked: Instant,
}

impl Tls {
    pub fn open(files: CertificateFiles) -> Result<Tls, String> {
        let stamps = files.stamps();
        let acceptor = TlsAcceptor::from(Arc::new(files.read()?));
        Ok(Tls { files, now: Mutex::new(Now { acceptor, stamps, looked: Instant::now() }) })
    }

    /// For the next connection.
    pub fn acceptor(&self, health: &Health) -> TlsAcceptor {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.looked.elapsed() >= limits::RELOAD_LOOK {
            now.looked = Instant::now();
            let stamps = self.files.stamps();
            if stamps == now.stamps {
                health.well(Topic::Certificate);
            } else {
                match self.files.read() {
                    Ok(config) => {
                        (now.acceptor, now.stamps) = (TlsAcceptor::from(Arc::new(config)), stamps);
                        tracing::info!("the certificate was read again");
                        health.well(Topic::Certificate);
                    }
                    // The other file may not be written yet: looked at again, until it fits.
                    Err(why) => health
                        .trouble(Topic::Certificate, format!("the certificate has changed, and the last good one is used: {why}")),
                }
            }
        }
        now.acceptor.clone()
    }
}
