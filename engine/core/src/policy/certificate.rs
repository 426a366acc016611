//! What a certificate of a person is known by: a name that it carries, as its authority wrote it, or its fingerprint.

use std::fmt;
use std::str::FromStr;

use crate::Digest;
use crate::id::InvalidId;
use crate::limits;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertificateName {
    Mail(String),
    Dns(String),
    Uri(String),
    /// Of the certificate itself, whatever it carries.
    Sha256(Digest),
}

impl CertificateName {
    /// The part before the `@` counts as it is written; the rest is a name of the net.
    pub fn mail(address: &str) -> Option<CertificateName> {
        let (local, domain) = address.rsplit_once('@')?;
        let is_right = !local.is_empty() && is_plain(local) && is_domain(domain);
        is_right.then(|| CertificateName::Mail(format!("{local}@{}", domain.to_ascii_lowercase())))
    }

    pub fn dns(name: &str) -> Option<CertificateName> {
        is_domain(name).then(|| CertificateName::Dns(name.to_ascii_lowercase()))
    }

    pub fn uri(uri: &str) -> Option<CertificateName> {
        let is_right = uri.contains(':') && is_plain(uri);
        is_right.then(|| CertificateName::Uri(uri.to_owned()))
    }

    /// Also with colons between the pairs, as openssl prints it.
    fn sha256(digits: &str) -> Option<CertificateName> {
        let digits: String = digits.chars().filter(|c| *c != ':').collect();
        format!("sha256:{}", digits.to_ascii_lowercase()).parse().ok().map(CertificateName::Sha256)
    }
}

fn is_plain(text: &str) -> bool {
    text.len() <= limits::CERTIFICATE_NAME_BYTES && text.bytes().all(|b| b.is_ascii_graphic())
}

/// One name, and no pattern of names.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    text.len() <= limits::CERTIFICATE_NAME_BYTES && text.split('.').all(label)
}

impl FromStr for CertificateName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<CertificateName, InvalidId> {
        let read = match text.split_once(':') {
            Some(("mail", rest)) => CertificateName::mail(rest),
            Some(("dns", rest)) => CertificateName::dns(rest),
            Some(("uri", rest)) => CertificateName::uri(rest),
            Some(("sha256", rest)) => CertificateName::sha256(rest),
            _ => None,
        };
        read.ok_or_else(|| InvalidId { text: text.to_owned(), expected: "`mail:`, `dns:`, `uri:` or `sha256:`, and what it is" })
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateName::Mail(address) => write!(f, "mail:{address}"),
            CertificateName::Dns(name) => write!(f, "dns:{name}"),
            CertificateName::Uri(uri) => write!(f, "uri:{uri}"),
            CertificateName::Sha256(digest) => write!(f, "{}", digest.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_name_in_one_form() {
        let digits = "0a".repeat(32);
        let pairs = vec!["0A"; 32].join(":");
        for (text, expect) in [
            ("mail:anna@Example.org", Some("mail:anna@example.org")),
            ("mail:Anna@example.org", Some("mail:Anna@example.org")),
            ("dns:Laptop.Example.org", Some("dns:laptop.example.org")),
            ("uri:spiffe://example.org/Anna", Some("uri:spiffe://example.org/Anna")),
            (&format!("sha256:{digits}"), Some(&*format!("sha256:{digits}"))),
            (&format!("sha256:{pairs}"), Some(&*format!("sha256:{digits}"))),
            ("anna@example.org", None),
            ("mail:@example.org", None),
            ("mail:anna", None),
            ("mail:an na@example.org", None),
            ("dns:*.example.org", None),
            ("dns:", None),
            ("dns:a..b", None),
            ("uri:anna", None),
            ("uri:a:ä", None),
            ("sha256:0a", None),
            ("cn:anna", None),
        ] {
            let read = text.parse::<CertificateName>().ok().map(|name| name.to_string());
            assert_eq!(read.as_deref(), expect, "{text}");
        }
    }
}
