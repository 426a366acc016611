//! A certificate authority made with openssl: a root that clients trust, and an intermediate that issues.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{find_program, run};

pub struct Authority {
    /// Has `issuer.crt`, `issuer.key` and `chain.crt`.
    pub dir: PathBuf,
    /// The root, PEM.
    pub trust: PathBuf,
}

impl Authority {
    pub fn new(dir: PathBuf, name: &str) -> Authority {
        std::fs::create_dir_all(&dir).expect("a folder");
        let openssl = |args: &[&str]| run(Command::new(find_program("openssl")).args(args).current_dir(&dir));
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let subject = |role: &str| format!("/CN={name} {role}");
        let (root, issuer) = (subject("root"), subject("issuer"));
        let certifies = ["-addext", "basicConstraints=critical,CA:TRUE"];
        openssl(
            &[&["req", "-x509", "-days", "3650", "-keyout", "root.key", "-out", "root.crt", "-subj", &root], &key[..]].concat(),
        );
        openssl(
            &[&["req", "-new", "-keyout", "issuer.key", "-out", "issuer.csr", "-subj", &issuer], &key[..], &certifies[..]].concat(),
        );
        openssl(&[
            "x509",
            "-req",
            "-days",
            "1825",
            "-in",
            "issuer.csr",
            "-out",
            "issuer.crt",
            "-CA",
            "root.crt",
            "-CAkey",
            "root.key",
            "-copy_extensions",
            "copy",
        ]);
        std::fs::copy(dir.join("issuer.crt"), dir.join("chain.crt")).expect("the chain");
        Authority { trust: dir.join("root.crt"), dir }
    }

    /// Writes a bundle for a site: key, certificate and chain in one file.
    pub fn issue(&self, domain: &str, days: u32, bundle: &Path) {
        let work = self.dir.join("site");
        std::fs::create_dir_all(&work).expect("a folder");
        let openssl = |args: &[&str]| run(Command::new(find_program("openssl")).args(args).current_dir(&work));
        let (subject, names) = (format!("/CN={domain}"), format!("subjectAltName=DNS:{domain}"));
        openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "request.pem",
            "-subj",
            &subject,
            "-addext",
            &names,
        ]);
        openssl(&[
            "x509",
            "-req",
            "-days",
            &days.to_string(),
            "-in",
            "request.pem",
            "-out",
            "certificate.pem",
            "-CA",
            "../issuer.crt",
            "-CAkey",
            "../issuer.key",
            "-copy_extensions",
            "copy",
        ]);
        let parts =
            ["site/key.pem", "site/certificate.pem", "chain.crt"].map(|part| std::fs::read(self.dir.join(part)).expect(part));
        std::fs::write(bundle, parts.concat()).expect("the bundle");
    }
}
