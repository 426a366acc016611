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

    /// A certificate of a person with these names, valid for so many seconds, and its key: the paths of both. The chain stands behind it.
    pub fn person(&self, person: &str, names: &str, seconds: u32) -> (PathBuf, PathBuf) {
        let work = self.dir.join(person);
        std::fs::create_dir_all(work.join("issued")).expect("a folder");
        let openssl = |args: &[&str]| run(Command::new(find_program("openssl")).args(args).current_dir(&work));
        let subject = format!("/CN={person}");
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"];
        openssl(&[&["req", "-new", "-out", "request.pem", "-subj", &subject], &key[..]].concat());
        let config = format!(
            "[ca]\ndefault_ca=one\n[one]\nnew_certs_dir=issued\ndatabase=index\nrand_serial=yes\ndefault_md=sha256\npolicy=any\nx509_extensions=of\n[any]\ncommonName=supplied\n[of]\nbasicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nsubjectAltName={names}\n"
        );
        std::fs::write(work.join("ca.cnf"), config).and_then(|()| std::fs::write(work.join("index"), "")).expect("its files");
        let end = run(Command::new("date").args(["-u", "-d", &format!("+{seconds} seconds"), "+%Y%m%d%H%M%SZ"]));
        let issuer = ["-cert", "../issuer.crt", "-keyfile", "../issuer.key", "-config", "ca.cnf"];
        let of =
            ["-in", "request.pem", "-out", "certificate.pem", "-notext", "-startdate", "20250101000000Z", "-enddate", end.trim()];
        openssl(&[&["ca", "-batch"], &issuer[..], &of].concat());
        let chain = ["certificate.pem", "../chain.crt"].map(|part| std::fs::read(work.join(part)).expect(part));
        std::fs::write(work.join("whole.pem"), chain.concat()).expect("the certificate");
        (work.join("whole.pem"), work.join("key.pem"))
    }
}
