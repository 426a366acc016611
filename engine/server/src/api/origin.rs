//! Whose page asks. A browser sends the cookie of a session with whatever any page makes it ask for, so what writes with a cookie has to
//! come from a page of this server: the browser says where from (`Origin`, `Sec-Fetch-Site`), and the page shows a proof
//! (`X-CSRF-Token`) that pages of others cannot read. Whoever shows a token needs neither: no page can make a browser send one.

use axum::http::{HeaderMap, HeaderValue, header};
use runbook_engine::access::Secret;

use crate::App;
use crate::hosts::host_of;
use crate::problem::Problem;

/// A write with the session of this secret. A form shows its proof in a field, and not in the header.
pub fn written_by(app: &App, secret: &Secret, headers: &HeaderMap, in_form: Option<&str>) -> Result<(), Problem> {
    match said(app, headers) {
        Said::Here => {}
        Said::Elsewhere => return Err(elsewhere()),
        Said::Nothing => {
            let detail = "what is asked with a session says where from: `Origin`, or `Sec-Fetch-Site: same-origin`";
            return Err(Problem::forbidden("other_origin", detail));
        }
    }
    let in_header = headers.get_all("x-csrf-token").iter().map(HeaderValue::as_bytes);
    let mut shown = in_header.chain(in_form.map(str::as_bytes));
    match (shown.next(), shown.next()) {
        (Some(shown), None) if secret.is_proven_by(shown) => Ok(()),
        _ => {
            let detail = "what is asked with a session shows its `X-CSRF-Token`, as `GET /api/v1/session` gives it";
            Err(Problem::forbidden("no_csrf_token", detail))
        }
    }
}

/// A log-in, for which there is no session yet: a page elsewhere must not log somebody in as somebody else.
pub fn not_elsewhere(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    match said(app, headers) {
        Said::Here | Said::Nothing => Ok(()),
        Said::Elsewhere => Err(elsewhere()),
    }
}

fn elsewhere() -> Problem {
    Problem::forbidden("other_origin", "a page of another site asks for it; the names of this server are given with --host")
}

/// What a request says of where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Here,
    Elsewhere,
    /// It comes from no page, or from a browser of long ago.
    Nothing,
}

fn said(app: &App, headers: &HeaderMap) -> Said {
    let is_here = |origin: &str| {
        let scheme = if app.is_secure() { "https://" } else { "http://" };
        let Some(place) = origin.strip_prefix(scheme) else { return false };
        let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        asked.is_some_and(|asked| is_one(place, asked, scheme)) || app.hosts.is_named(host_of(place))
    };
    let (mut origins, mut sites) = (headers.get_all(header::ORIGIN).iter(), headers.get_all("sec-fetch-site").iter());
    let (origin, site) = (origins.next(), sites.next());
    if origins.next().is_some() || sites.next().is_some() {
        return Said::Elsewhere;
    }
    let origin = origin.map(|origin| origin.to_str().is_ok_and(is_here));
    let site = site.map(|site| site == "same-origin");
    match (origin, site) {
        (Some(false), _) | (_, Some(false)) => Said::Elsewhere,
        (None, None) => Said::Nothing,
        _ => Said::Here,
    }
}

/// Whether two hosts with their ports are the same, where the usual port need not be named.
fn is_one(one: &str, other: &str, scheme: &str) -> bool {
    let usual = if scheme == "https://" { ":443" } else { ":80" };
    let bare = |place: &str| place.strip_suffix(usual).unwrap_or(place).to_ascii_lowercase();
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::is_one;

    #[test]
    fn the_usual_port_need_not_be_named() {
        for (one, other, scheme, expect) in [
            ("a.example", "a.example", "https://", true),
            ("A.example", "a.EXAMPLE:443", "https://", true),
            ("a.example:80", "a.example", "http://", true),
            ("a.example:80", "a.example", "https://", false),
            ("a.example:8443", "a.example", "https://", false),
            ("a.example", "b.a.example", "https://", false),
            ("[::1]:8480", "[::1]:8480", "http://", true),
            ("", "", "http://", true),
        ] {
            assert_eq!(is_one(one, other, scheme), expect, "{one} {other}");
        }
    }
}
