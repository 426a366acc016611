//! The door of the server: the port that it listens on, or would, and the certificate that it shows.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use jiff::Timestamp;
use runbook_core::document::Workspace;
use runbook_core::limits;

use super::{Chart, Patient};
use crate::access::Access;
use crate::catalogue::Catalogue;
use crate::certificate::CertificateFiles;
use crate::database::{Commits, Look};

pub(super) fn examine(patient: &Patient<'_>, chart: &mut Chart) {
    if let Some(files) = &patient.tls {
        certificate(files, chart);
    }
    let listen = patient.listen;
    if !listen.ip().is_loopback() && !workspace_lets_in(patient) && !lets_somebody_in(patient, chart.now) {
        chart.fail(
            "port",
            format!("{listen} can be reached by other machines, and nobody has a token or an account: the server would not start"),
            "runbook token create --for PERSON",
        );
    }
    port(listen, patient.tls.is_some(), chart);
}

/// Whether people of the workspace log in elsewhere, or have certificates and the server asks for them.
fn workspace_lets_in(patient: &Patient<'_>) -> bool {
    let asks = patient.tls.as_ref().is_some_and(|files| files.client_authorities.is_some());
    let lets_in = |workspace: &Workspace| workspace.knows_people_there() || (asks && !workspace.certificates.is_empty());
    Catalogue::open(&patient.catalogue).ok().as_ref().and_then(Catalogue::workspace).is_some_and(lets_in)
}

fn lets_somebody_in(patient: &Patient<'_>, now: Timestamp) -> bool {
    // Nothing is made anew to find that nobody has one.
    let Ok(Some(looked)) = Access::look(&patient.state, Look::Outside) else { return false };
    let lets_in = |access: Access| access.lets_somebody_in(now).is_ok_and(|lets_in| lets_in);
    looked.made == looked.known && Access::open(&patient.state, Commits::OnTheSpot).is_ok_and(lets_in)
}

fn certificate(files: &CertificateFiles, chart: &mut Chart) {
    const ABOUT: &str = "certificate";
    const NEXT: &str =
        "give --tls-certificate and --tls-key the PEM files of one certificate, and --client-ca those of authorities";
    if let Err(why) = files.read() {
        return chart.fail(ABOUT, why, NEXT);
    }
    let shown = files.certificates.display();
    let now = chart.now;
    let soon = now.saturating_add(limits::EXPIRES_SOON).unwrap_or(Timestamp::MAX);
    match files.validity() {
        Err(why) => chart.fail(ABOUT, why, NEXT),
        Ok((from, _)) if now < from => {
            chart.fail(ABOUT, format!("{shown} is valid from {from} on, and now it is {now}"), "timedatectl status");
        }
        Ok((_, until)) if until <= now => {
            chart.fail(ABOUT, format!("{shown} was valid until {until}"), "renew it; a server that runs reads it again by itself");
        }
        Ok((_, until)) if until < soon => {
            chart.warn(ABOUT, format!("{shown} is valid until {until}"), "renew it; a server that runs reads it again by itself");
        }
        Ok((_, until)) => chart.ok(ABOUT, format!("{shown} fits its key, and is valid until {until}")),
    }
    let key = files.key.display();
    if let Ok(found) = std::fs::metadata(&files.key)
        && found.mode() & 0o077 != 0
        // A group of those who may read certificates is a habit of Debian's.
        && found.mode() & 0o007 != 0
    {
        chart.warn(ABOUT, format!("everybody can read {key} (mode {:04o})", found.mode() & 0o7777), format!("chmod 600 {key}"));
    }
}

fn port(listen: SocketAddr, has_tls: bool, chart: &mut Chart) {
    if listen.port() == 0 {
        return chart.ok("port", "the system chooses one");
    }
    match TcpListener::bind(listen) {
        Ok(_) => chart.ok("port", format!("{listen} is free: nobody serves there")),
        Err(why) if why.kind() == std::io::ErrorKind::AddrInUse => occupied(listen, has_tls, chart),
        Err(why) => chart.fail("port", format!("{listen} cannot be listened on: {why}"), "give another address with --listen"),
    }
}

fn occupied(listen: SocketAddr, has_tls: bool, chart: &mut Chart) {
    if has_tls {
        return chart.ok("port", format!("{listen} is in use; whether it is a server that is ready, `GET /health` says over TLS"));
    }
    let whose = || format!("ss -ltnp 'sport = :{}'", listen.port());
    let Some(said) = health(listen) else {
        return chart.fail("port", format!("{listen} is in use, and whoever listens is no `runbook serve`"), whose());
    };
    let Some(ready) = said.get("ready").and_then(serde_json::Value::as_bool) else {
        return chart.fail("port", format!("{listen} is in use by another program"), whose());
    };
    let reasons = said.get("reasons").and_then(serde_json::Value::as_array).into_iter().flatten();
    let why: Vec<&str> = reasons.filter_map(|reason| reason.get("why")?.as_str()).collect();
    let why = why.join("; ");
    let next = format!("curl http://{listen}/health");
    match (ready, why.is_empty()) {
        (true, true) => chart.ok("port", format!("a server listens on {listen}, and is ready")),
        (true, false) => chart.warn("port", format!("a server listens on {listen}; {why}"), next),
        (false, _) => chart.fail("port", format!("a server listens on {listen}, and takes no events: {why}"), next),
    }
}

/// What a server says of itself; `None` where nobody answers as one does.
fn health(listen: SocketAddr) -> Option<serde_json::Value> {
    let until = Instant::now() + limits::DOCTOR_ANSWER;
    let to = match listen.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => SocketAddr::from(([127, 0, 0, 1], listen.port())),
        ip if ip.is_unspecified() => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, listen.port())),
        _ => listen,
    };
    let mut stream = TcpStream::connect_timeout(&to, limits::DOCTOR_ANSWER).ok()?;
    stream.set_write_timeout(Some(limits::DOCTOR_ANSWER)).ok()?;
    write!(stream, "GET /health HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n").ok()?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while answer.len() < limits::EVENT_BYTES {
        // Whoever sends a byte now and then does not hold us up for longer.
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(&mut buffer).ok()? {
            0 => break,
            read => answer.extend_from_slice(buffer.get(..read)?),
        }
    }
    let text = String::from_utf8(answer).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    serde_json::from_str(body.get(body.find('{')?..=body.rfind('}')?)?).ok()
}
