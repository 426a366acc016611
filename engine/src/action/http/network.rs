//! Which addresses a request may go to. A run that a person started may go anywhere; one that an event started must not become
//! a way into the private network, unless the workspace names the host or the range.
//!
//! Names are resolved here and the connection goes to exactly the addresses that were judged: a second look-up cannot change them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NetworkPolicy {
    /// Any address.
    #[default]
    Open,
    /// Public addresses, and what is listed: host names and ranges such as `10.0.0.0/8`.
    Public { allow: Vec<String> },
}

impl NetworkPolicy {
    /// Judges a URL whose host is an address already, which no resolver sees.
    pub fn admits_literal(&self, url: &Url) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse() {
            Ok(address) if !self.admits(host, address) => Err(refusal(host, address)),
            _ => Ok(()),
        }
    }

    fn admits(&self, host: &str, address: IpAddr) -> bool {
        match self {
            NetworkPolicy::Open => true,
            NetworkPolicy::Public { allow } => {
                let listed = |entry: &String| match range(entry) {
                    Some((network, bits)) => contains(network, bits, address),
                    None => entry.trim_end_matches('.').eq_ignore_ascii_case(host.trim_end_matches('.')),
                };
                is_public(address) || allow.iter().any(listed)
            }
        }
    }
}

fn refusal(host: &str, address: IpAddr) -> String {
    let place = if host == address.to_string() { host.to_owned() } else { format!("{host} ({address})") };
    format!(
        "{place} is not a public address, and an event started this run; if it may be reached, list it under `http.allow` in the workspace"
    )
}

/// Resolves names for one policy.
pub struct Resolver(pub NetworkPolicy);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let admitted: Vec<SocketAddr> = found.iter().copied().filter(|a| policy.admits(&host, a.ip())).collect();
            match (found.first(), admitted.is_empty()) {
                (Some(refused), true) => Err(refusal(&host, refused.ip()).into()),
                _ => Ok(Box::new(admitted.into_iter()) as Addrs),
            }
        })
    }
}

fn range(text: &str) -> Option<(IpAddr, u8)> {
    match text.split_once('/') {
        Some((network, bits)) => Some((network.parse().ok()?, bits.parse().ok()?)),
        None => text.parse::<IpAddr>().ok().map(|address| (address, if address.is_ipv4() { 32 } else { 128 })),
    }
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    let (network, address, width) = match (network, unmapped(address)) {
        (IpAddr::V4(n), IpAddr::V4(a)) => (u128::from(n.to_bits()), u128::from(a.to_bits()), 32u8),
        (IpAddr::V6(n), IpAddr::V6(a)) => (n.to_bits(), a.to_bits(), 128),
        _ => return false,
    };
    let Some(rest) = width.checked_sub(bits) else { return false };
    network.checked_shr(rest.into()).unwrap_or(0) == address.checked_shr(rest.into()).unwrap_or(0)
}

fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        v4 => v4,
    }
}

fn is_public(address: IpAddr) -> bool {
    match unmapped(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    const RESERVED: [(Ipv4Addr, u8); 15] = [
        (Ipv4Addr::new(0, 0, 0, 0), 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 4),
        (Ipv4Addr::new(240, 0, 0, 0), 4),
    ];
    !RESERVED.iter().any(|(network, bits)| contains(IpAddr::V4(*network), *bits, IpAddr::V4(address)))
}

/// Global unicast only, and none of the ranges in it that carry an IPv4 address to somewhere else.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    let tunnels = first == 0x2002 || (first == 0x2001 && (second == 0 || second == 0xdb8 || second & 0xfff0 == 0x10));
    global && !tunnels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_places_are_refused_however_they_are_written() {
        let strict = NetworkPolicy::Public { allow: vec![] };
        let listed = NetworkPolicy::Public { allow: vec!["10.0.0.0/8".to_owned(), "fd00::/8".to_owned(), "127.0.0.1".to_owned()] };
        for (url, by_strict, by_listed) in [
            ("http://93.184.215.14/", true, true),
            ("http://[2606:4700::1111]/", true, true),
            ("http://127.0.0.1/", false, true),
            ("http://127.0.0.2/", false, false),
            ("http://2130706433/", false, true),
            ("http://0x7f.1/", false, true),
            ("http://0/", false, false),
            ("http://10.1.2.3/", false, true),
            ("http://172.31.255.255/", false, false),
            ("http://192.168.0.1/", false, false),
            ("http://169.254.169.254/latest/meta-data/", false, false),
            ("http://100.100.100.200/", false, false),
            ("http://[::1]/", false, false),
            ("http://[::ffff:127.0.0.1]/", false, true),
            ("http://[::ffff:169.254.169.254]/", false, false),
            ("http://[64:ff9b::a9fe:a9fe]/", false, false),
            ("http://[2002:a9fe:a9fe::]/", false, false),
            ("http://[fd00::1]/", false, true),
            ("http://[fe80::1]/", false, false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(strict.admits_literal(&url).is_ok(), by_strict, "{url}");
            assert_eq!(listed.admits_literal(&url).is_ok(), by_listed, "{url}");
            assert!(NetworkPolicy::Open.admits_literal(&url).is_ok());
        }
    }

    #[tokio::test]
    async fn names_are_judged_by_what_they_resolve_to() {
        for (policy, reaches) in [
            (NetworkPolicy::Public { allow: vec![] }, false),
            (NetworkPolicy::Public { allow: vec!["LOCALHOST".to_owned()] }, true),
            (NetworkPolicy::Open, true),
        ] {
            let resolved = Resolver(policy.clone()).resolve("localhost".parse().unwrap()).await;
            assert_eq!(resolved.is_ok(), reaches, "{policy:?}");
        }
    }
}
