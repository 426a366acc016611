//! What somebody would look at by hand before they trust a machine with runs, or when one behaves oddly: the machine, the state folder,
//! what processes left in it, the catalogue with its secrets, and the door of the server.
//!
//! Each finding is a line: how it stands, what was found, and the one next thing to do where there is one. Nothing is changed, no run is
//! touched, and no secret is part of a finding; secrets are fetched, since that is the only way to know that they can be.

mod books;
mod door;
mod machine;
mod state;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::certificate::CertificateFiles;
use crate::clock::Clock;

/// Where to look.
pub struct Patient<'a> {
    pub state: PathBuf,
    pub catalogue: PathBuf,
    /// The environment in which procedures are judged, where one was named.
    pub environment: Option<String>,
    /// That of the user's settings, where the identity for age is.
    pub settings: PathBuf,
    /// Where secrets are looked for, and what their providers get.
    pub variables: Vec<(OsString, OsString)>,
    /// Where the server listens, or would.
    pub listen: SocketAddr,
    pub tls: Option<CertificateFiles>,
    pub clock: &'a dyn Clock,
    /// Look through every page of the databases, and prove every record.
    pub thorough: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Ok,
    /// It works, and will not for ever; or somebody should know.
    Warn,
    /// It does not work.
    Fail,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Ok => "ok",
            Standing::Warn => "warn",
            Standing::Fail => "fail",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub standing: Standing,
    /// What was looked at: one of a few stable words.
    pub about: &'static str,
    pub found: String,
    /// A command that can be copied, or a sentence. There is one wherever the standing is not `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// All findings, in the order in which things rest on one another.
pub fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut chart = Chart { findings: Vec::new(), now: patient.clock.now() };
    machine::examine(&mut chart);
    state::examine(patient, &mut chart);
    books::examine(patient, &mut chart);
    door::examine(patient, &mut chart);
    chart.findings
}

/// What was found so far.
struct Chart {
    findings: Vec<Finding>,
    now: Timestamp,
}

impl Chart {
    fn ok(&mut self, about: &'static str, found: impl Into<String>) {
        self.findings.push(Finding { standing: Standing::Ok, about, found: found.into(), next: None });
    }

    fn warn(&mut self, about: &'static str, found: impl Into<String>, next: impl Into<String>) {
        self.findings.push(Finding { standing: Standing::Warn, about, found: found.into(), next: Some(next.into()) });
    }

    fn fail(&mut self, about: &'static str, found: impl Into<String>, next: impl Into<String>) {
        self.findings.push(Finding { standing: Standing::Fail, about, found: found.into(), next: Some(next.into()) });
    }

    /// An error of the engine says what is wrong, and behind the last `; ` what to do.
    fn fail_as(&mut self, about: &'static str, error: &dyn std::fmt::Display) {
        let text = error.to_string();
        match text.rsplit_once("; ") {
            Some((found, next)) => self.fail(about, found, next),
            None => self.fail(about, text, "look at the file system, then ask again"),
        }
    }
}

/// `a, b and 3 more`.
fn named<T: std::fmt::Display>(all: &[T]) -> String {
    let most = runbook_core::limits::DOCTOR_NAMED;
    let mut text = all.iter().take(most).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_short() {
        assert_eq!(named(&[1, 2]), "1, 2");
        assert_eq!(named(&(1..=12).collect::<Vec<_>>()), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
    }

    #[test]
    fn an_error_is_split_into_what_is_wrong_and_what_to_do() {
        let mut chart = Chart { findings: Vec::new(), now: Timestamp::UNIX_EPOCH };
        chart.fail_as("x", &"it is; or was; mend it");
        chart.fail_as("x", &"it is");
        let told: Vec<_> = chart.findings.iter().map(|f| (f.found.as_str(), f.next.as_deref().unwrap_or_default())).collect();
        assert_eq!(told, [("it is; or was", "mend it"), ("it is", "look at the file system, then ask again")]);
    }
}
