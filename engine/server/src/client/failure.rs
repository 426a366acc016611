//! Why a server did not do what it was asked: what is wrong, and the one next thing to do about it.

use std::fmt;

use runbook_engine::journal::JournalError;
use serde::Deserialize;

/// A problem document (RFC 9457), as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Refused {
    #[serde(skip)]
    pub server: String,
    pub status: u16,
    pub kind: String,
    pub detail: String,
    #[serde(default)]
    pub faults: Vec<String>,
    /// Seconds until it may be asked again.
    #[serde(skip)]
    pub retry_after: Option<u64>,
}

impl Refused {
    /// In one line.
    pub fn told(&self) -> String {
        match self.faults.is_empty() {
            true => self.detail.clone(),
            false => format!("{}: {}", self.detail, self.faults.join(", ")),
        }
    }

    /// The run as it is does not allow it, or not by this person.
    pub fn is_of_the_run(&self) -> bool {
        matches!(self.kind.as_str(), "refused" | "changed" | "not_permitted")
    }

    /// Nothing stands at the address: the other side is of another version.
    fn is_unknown_here(&self) -> bool {
        self.status == 405 || (self.status == 404 && self.kind != "not_found") || self.detail == crate::web::NOTHING_HERE
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What was given to reach it is not usable: what is wrong, and what to do.
    Given {
        what: String,
        next: &'static str,
    },
    /// Nothing reached it, or no answer came back.
    Unreachable {
        server: String,
        why: String,
    },
    /// It does not speak as this version does, or is something else.
    Foreign {
        server: String,
        why: String,
    },
    Refused(Refused),
}

impl Failure {
    /// Nothing, where the server says that there is none.
    pub fn absent<T>(found: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match found {
            Err(Failure::Refused(refused)) if refused.status == 404 && !refused.is_unknown_here() => Ok(None),
            found => found.map(Some),
        }
    }

    /// Whether what was asked is to be asked otherwise; else it may work another time.
    pub fn is_of_what_was_asked(&self) -> bool {
        match self {
            Failure::Given { .. } => true,
            Failure::Refused(refused) => (400..500).contains(&refused.status) && !matches!(refused.status, 401 | 408 | 429),
            Failure::Unreachable { .. } | Failure::Foreign { .. } => false,
        }
    }

    /// The one next thing to do.
    pub fn next(&self) -> String {
        let refused = match self {
            Failure::Given { next, .. } => return (*next).to_owned(),
            Failure::Unreachable { why, .. } if why.contains("ertificate") => {
                return "give the certificate of its authority with --server-ca FILE".to_owned();
            }
            Failure::Unreachable { server, .. } => return format!("see whether `runbook serve` answers at {server}/health"),
            Failure::Foreign { .. } => {
                return "compare `runbook --version` here and on the server, and update the older one".to_owned();
            }
            Failure::Refused(refused) => refused,
        };
        match refused.kind.as_str() {
            _ if refused.is_unknown_here() => {
                "compare `runbook --version` here and on the server, and update the older one".to_owned()
            }
            "no_credential" => {
                "put a token into RUNBOOK_TOKEN: whoever runs the server makes one with `runbook token create --for PERSON`"
                    .to_owned()
            }
            "wrong_credential" | "expired" | "revoked" => {
                "put a new token into RUNBOOK_TOKEN: whoever runs the server makes one with `runbook token create --for PERSON`"
                    .to_owned()
            }
            "not_allowed" => "ask whoever keeps workspace.yaml on the server for a role (`access`)".to_owned(),
            "not_permitted" => "runbook decisions".to_owned(),
            "other_host" => "call the server by a name that it was given with --host".to_owned(),
            "not_found" => "runbook runs".to_owned(),
            "changed" | "other_version" => "look at it again, and then decide".to_owned(),
            "not_valid" | "malformed" => "mend what is named".to_owned(),
            _ => match refused.retry_after {
                Some(seconds) => format!("ask again after {seconds} s"),
                None => "ask again, and look into the log of the server if that does not help".to_owned(),
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Given { what, .. } => f.write_str(what),
            Failure::Unreachable { server, why } => write!(f, "the server {server} cannot be reached: {why}"),
            Failure::Foreign { server, why } => write!(f, "what answers at {server} does not speak as this version does: {why}"),
            Failure::Refused(refused) if refused.is_unknown_here() => {
                write!(f, "the server {} does not know what this version asks of it: {}", refused.server, refused.detail)
            }
            Failure::Refused(refused) => {
                write!(f, "the server {} refuses this: {}", refused.server, refused.detail)?;
                refused.faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))
            }
        }
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for JournalError {
    fn from(failure: Failure) -> JournalError {
        JournalError::Elsewhere {
            is_of_what_was_asked: failure.is_of_what_was_asked(),
            next: failure.next(),
            what: failure.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_says_what_to_do() {
        let refused = |status, kind: &str| {
            Failure::Refused(Refused {
                server: "https://r".into(),
                status,
                kind: kind.into(),
                detail: "so".into(),
                ..Refused::default()
            })
        };
        let unreachable = |why: &str| Failure::Unreachable { server: "https://r".into(), why: why.into() };
        for (failure, what, next) in [
            (unreachable("Connection refused"), "cannot be reached: Connection refused", "https://r/health"),
            (unreachable("invalid peer certificate: UnknownIssuer"), "UnknownIssuer", "--server-ca"),
            (refused(401, "no_credential"), "refuses this: so", "RUNBOOK_TOKEN"),
            (refused(401, "expired"), "refuses this: so", "a new token"),
            (refused(403, "not_allowed"), "refuses this: so", "a role"),
            (refused(404, "not_found"), "refuses this: so", "runbook runs"),
            (refused(405, "method_not_allowed"), "does not know what this version asks", "the older one"),
            (refused(503, "busy"), "refuses this: so", "ask again"),
            (Failure::Foreign { server: "https://r".into(), why: "no JSON".into() }, "does not speak", "the older one"),
        ] {
            assert!(failure.to_string().contains(what), "{failure}");
            assert!(failure.next().contains(next), "{failure}: {}", failure.next());
            // What is wrong and what to do are told apart by the last `; `.
            assert!(!failure.next().contains("; "), "{}", failure.next());
        }
        let elsewhere = Failure::absent::<()>(Err(Failure::Refused(Refused {
            status: 404,
            kind: "not_found".into(),
            detail: crate::web::NOTHING_HERE.into(),
            ..Refused::default()
        })));
        assert!(elsewhere.is_err(), "what another version does not know is not the same as what is not there");
        assert_eq!(Failure::absent::<()>(Err(refused(404, "not_found"))), Ok(None));
    }
}
