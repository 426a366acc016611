//! By which names the server is called. On loopback without TLS it answers to names of this machine and to those that it was given: a page of
//! another site, whose name was made to lead here, is not to read what is only for this machine. Behind TLS the certificate sees to that,
//! and behind a proxy the proxy. Senders of events, who show who they are, call it as they like.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;

use crate::App;
use crate::problem::Problem;

#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// In lower case, without ports.
    names: Vec<String>,
    /// Others are refused.
    only: bool,
}

impl Hosts {
    pub fn new(names: &[String], only: bool) -> Hosts {
        // An address of the newer kind has colons of its own.
        let bare = |name: &String| if name.parse::<IpAddr>().is_ok() { name.clone() } else { host_of(name).to_owned() };
        Hosts { names: names.iter().map(|name| bare(name).to_ascii_lowercase()).collect(), only }
    }

    /// Whether it was given this name.
    pub fn is_named(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// By which name people call it: as it was called, where that is one of its own, or it was given none; else the first.
    pub fn own(&self, called: Option<&str>) -> Option<String> {
        let is_own = |called: &&str| {
            let host = host_of(called);
            !host.is_empty() && (self.names.is_empty() || is_here(host) || self.is_named(host))
        };
        let in_address = |name: &String| if name.contains(':') { format!("[{name}]") } else { name.clone() };
        called.filter(is_own).map(str::to_owned).or_else(|| self.names.first().map(in_address))
    }

    /// Whether it answers to this name, with or without a port.
    pub fn answers_to(&self, called: &str) -> bool {
        let host = host_of(called);
        !self.only || is_here(host) || self.is_named(host)
    }
}

/// Without the port, the brackets of an address, and the dot behind a whole name.
pub fn host_of(called: &str) -> &str {
    if let Some((address, _)) = called.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    let host =
        called.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(called, |(host, _)| host);
    host.strip_suffix('.').unwrap_or(host)
}

/// Names that lead to this machine, whoever is asked.
fn is_here(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Answers to the server's own names alone. Whoever calls it by none is no browser.
pub async fn called(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    let mut called = request.headers().get_all(header::HOST).iter();
    let is_right = called.all(|called| called.to_str().is_ok_and(|called| app.hosts.answers_to(called)));
    if is_right {
        return next.run(request).await;
    }
    let detail = "this server is not called so; name it with --host NAME, or the proxy that stands before it with --proxy";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "other_host", detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_loopback_only_names_of_this_machine_and_its_own_are_answered() {
        let hosts = Hosts::new(&["Ops.example.org".to_owned(), "fd00::7".to_owned()], true);
        for (called, expect) in [
            ("localhost", true),
            ("LOCALHOST:8480", true),
            ("localhost.:8480", true),
            ("runbook.localhost", true),
            ("127.0.0.1:8480", true),
            ("127.9.9.9", true),
            ("[::1]:8480", true),
            ("[::ffff:127.0.0.1]", true),
            ("ops.example.org", true),
            ("ops.EXAMPLE.org:1", true),
            ("[fd00::7]:8480", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("notlocalhost", false),
            ("192.0.2.7:8480", false),
            ("[2001:db8::1]", false),
            ("0x7f.1", false),
            ("", false),
            ("localhost@evil.example", false),
        ] {
            assert_eq!(hosts.answers_to(called), expect, "{called}");
        }
        assert!(Hosts::new(&[], false).answers_to("evil.example"), "where TLS or a proxy says who it is");
    }
}
