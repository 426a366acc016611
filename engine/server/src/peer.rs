//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// The other end of a connection; behind a proxy that is trusted, whom that names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub address: IpAddr,
    /// It is this machine itself, and no proxy stands between.
    pub is_here: bool,
}

/// Which addresses may speak for others.
#[derive(Clone, Debug, Default)]
pub struct Proxies(pub Vec<IpAddr>);

impl Proxies {
    /// Whether a connection from there is taken: where proxies are named, from them and from this machine alone.
    pub fn let_in(&self, address: IpAddr) -> bool {
        self.0.is_empty() || self.0.contains(&address.to_canonical()) || address.to_canonical().is_loopback()
    }

    /// Whether whoever asks has the other end of the connection itself: what TLS has seen of that end is then theirs.
    pub fn is_direct(&self, address: IpAddr, headers: &HeaderMap) -> bool {
        !self.0.contains(&address.to_canonical()) && !speaks_for_others(headers)
    }

    /// Whoever asks over a connection from `address`. What comes from elsewhere may say what it likes about others.
    pub fn peer(&self, address: IpAddr, headers: &HeaderMap) -> Peer {
        let address = address.to_canonical();
        if !self.0.contains(&address) {
            // Whoever speaks for others is a proxy that nobody named here: those whom it serves may be anywhere.
            return Peer { address, is_here: address.is_loopback() && !speaks_for_others(headers) };
        }
        // Each proxy adds whom it saw at the end.
        let named = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
        let named = named.and_then(|value| value.rsplit(',').next()).and_then(|last| address_in(last.trim()));
        Peer { address: named.map_or(address, |named| named.to_canonical()), is_here: false }
    }
}

fn speaks_for_others(headers: &HeaderMap) -> bool {
    headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded")
}

/// An address, with or without a port.
fn address_in(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_speaks_for_others() {
        let proxies = Proxies(vec!["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
        let headers = |of: &[&str]| -> HeaderMap {
            of.iter().map(|value| ("x-forwarded-for".parse().unwrap(), value.parse().unwrap())).collect()
        };
        for (from, forwarded, address, is_here) in [
            ("10.0.0.1", &["192.0.2.7"][..], "192.0.2.7", false),
            ("::ffff:10.0.0.1", &["192.0.2.7"], "192.0.2.7", false),
            ("10.0.0.1", &["127.0.0.1, 192.0.2.7"], "192.0.2.7", false),
            ("10.0.0.1", &["127.0.0.1"], "127.0.0.1", false),
            ("10.0.0.1", &[], "10.0.0.1", false),
            ("10.0.0.1", &["unknown"], "10.0.0.1", false),
            ("127.0.0.1", &["192.0.2.7"], "192.0.2.7", false),
            ("192.0.2.9", &["127.0.0.1"], "192.0.2.9", false),
            ("10.0.0.1", &["192.0.2.7:4711"], "192.0.2.7", false),
            ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7", false),
            ("::1", &[], "::1", true),
            ("::1", &["192.0.2.7"], "::1", false),
        ] {
            let expected = Peer { address: address.parse().unwrap(), is_here };
            assert_eq!(proxies.peer(from.parse().unwrap(), &headers(forwarded)), expected, "{from} {forwarded:?}");
        }
        for (from, forwarded, is_direct) in [
            ("10.0.0.1", &[][..], false),
            ("::ffff:10.0.0.1", &[], false),
            ("192.0.2.9", &[], true),
            ("192.0.2.9", &["192.0.2.7"], false),
        ] {
            assert_eq!(proxies.is_direct(from.parse().unwrap(), &headers(forwarded)), is_direct, "{from} {forwarded:?}");
        }
        assert!(Proxies::default().peer("127.0.0.1".parse().unwrap(), &headers(&[])).is_here);
        assert!(!Proxies::default().peer("127.0.0.1".parse().unwrap(), &headers(&["192.0.2.7"])).is_here);
        for (from, is_let_in) in [("10.0.0.1", true), ("127.0.0.1", true), ("::1", true), ("192.0.2.9", false)] {
            assert_eq!(proxies.let_in(from.parse().unwrap()), is_let_in, "{from}");
        }
        assert!(Proxies::default().let_in("192.0.2.9".parse().unwrap()));
    }
}
