//! `kind: Workspace`: what holds for every procedure of a catalogue. Its names refer only to one another, so they are
//! checked where they are read, and what is left is the plain data of [`policy`](crate::policy).
//!
//! ```yaml
//! apiVersion: runbook/v1
//! kind: Workspace
//! name: payments
//! timezone: Europe/Berlin
//! environments:
//!   staging: {default: true}
//!   production:
//!     production: true
//!     freeze: [{from: 2026-12-20, to: 2027-01-03, reason: Year end}]
//!     change_windows: [{days: [mon-fri], from: "09:00", to: "17:00"}]
//! people:
//!   anna: {name: Anna Meier, users: [anna], ssh_keys: [ssh-ed25519 AAAA…], mail: anna@example.org}
//! groups: {dba: [anna]}
//! rotations:
//!   dba-oncall: {members: [anna], starts: 2026-01-05, hand_over: {days: mon, at: "09:00"}}
//! policies:
//!   - name: changes-in-production
//!     when: {effect: change, environments: [production]}
//!     require: {approve: {from: [dba-oncall], within: 15m}, four_eyes: true, signed: true}
//! escalations:
//!   database: {steps: [{to: [dba-oncall], after: 10m, channels: [ops]}], pace: {critical: 0.5}}
//! secrets: {vault: {age: {file: secrets.age}}}
//! channels:
//!   ops: {http: {url: secrets.hook, json: {text: "{{message}}"}}, secrets: {hook: {from: vault, key: ops/hook}}}
//! sources:
//!   alerts: {type: alertmanager, bearer: secrets.token, secrets: {token: {from: vault, key: alerts/token}}}
//! http: {allow: [10.0.0.0/8]}
//! access: [{role: operator, to: [dba], labels: {tier: database}}]
//! ```

mod access;
mod calendar;
mod channel;
mod oidc;
mod policy;
mod read;
mod rotation;
pub(in crate::document) mod schedule;
mod source;

use std::collections::BTreeMap;

use super::Scalar;
use super::decode::Fields;
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Source, Span, nearest};
use crate::event_source::EventSource;
use crate::id::Id;
use crate::plan::SecretSource;
use crate::policy::access::Grant;
use crate::policy::{CertificateName, ChannelSpec, Demand, Environment, Escalation, People, PolicyContext, Rule, Turns};

#[derive(Clone, Debug)]
pub struct Workspace {
    pub source: Source,
    pub span: Span,
    /// `name`: what people call this catalogue.
    pub name: Option<String>,
    /// `timezone`: of windows that name none and of times without an offset; `UTC` where absent.
    pub timezone: String,
    /// `environments`, in the order of the file.
    pub environments: Vec<Environment>,
    /// The environment with `default: true`.
    pub default_environment: Option<String>,
    /// `people`, `groups` and `rotations`.
    pub people: People,
    /// `calendar` of rotations: the file that each is kept in, below the folder of the workspace.
    pub calendars: BTreeMap<String, Scalar>,
    /// `policies`, in the order of the file.
    pub rules: Vec<Rule>,
    /// What they demand of every path: `must`.
    pub demands: Vec<Demand>,
    /// `escalations`, by name.
    pub escalations: BTreeMap<String, Escalation>,
    /// `channels`, by name.
    pub channels: BTreeMap<String, ChannelSpec>,
    /// `sources`: where events come from, by name.
    pub sources: BTreeMap<String, EventSource>,
    /// `secrets`: providers, by name.
    pub providers: BTreeMap<String, Provider>,
    /// `http: {allow: […]}`: hosts and networks that steps may reach although they are private.
    pub http_allow: Vec<String>,
    /// `url`: where people reach the pages of the server, without a slash at its end.
    pub url: Option<String>,
    /// `access`: who may do what through the server.
    pub access: Vec<Grant>,
    /// `certificates` of people: whose each is. Beside what runs take with them, since only a server looks at them.
    pub certificates: BTreeMap<CertificateName, String>,
    /// `oidc`: where people log in.
    pub oidc: Option<Oidc>,
    /// `oidc` of people: who is whom there.
    pub known_there: BTreeMap<String, String>,
}

/// A provider of OpenID Connect, at which people log in.
#[derive(Clone, Debug, PartialEq)]
pub struct Oidc {
    /// As it names itself.
    pub issuer: String,
    /// As it calls us.
    pub client: String,
    /// By which it knows us; none where it does not want one.
    pub secret: Option<(Id, SecretSource)>,
    /// What of what it says is a person's.
    pub claim: OidcClaim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OidcClaim {
    /// Theirs alone, for ever.
    Sub,
    /// Where the provider says that it was verified.
    Email,
}

/// Where the secrets of one provider come from; a procedure gives the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// `age: {file, identity}`: entries of an age-encrypted YAML file. The key is `name` or `name#member`; `identity` is the
    /// file with the private key, by default that of the user's settings.
    Age { file: String, identity: Option<String> },
    /// `env: {prefix}`: variables of the process that runs the procedure, the key behind the prefix.
    Env { prefix: String },
    /// `file: {dir}`: one file for each key, beneath this folder.
    File { dir: String },
    /// `command: [argv…]`: what a program prints; `{key}` in an argument stands for the key.
    Command(Vec<String>),
}

impl Provider {
    /// Where a key is found; the error says in one line why it cannot be a key of this provider.
    pub fn source(&self, key: &str) -> Result<SecretSource, String> {
        let shown = key.escape_debug();
        if key.is_empty() || key.chars().any(char::is_control) {
            return Err(format!("`{shown}` is not a key: it is empty or holds control characters"));
        }
        match self {
            Provider::Age { file, identity } => {
                Ok(SecretSource::Age { file: file.clone(), identity: identity.clone(), key: key.to_owned() })
            }
            Provider::Env { prefix } => {
                let variable = format!("{prefix}{key}");
                let right = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                match variable.bytes().all(right) && !variable.starts_with(|c: char| c.is_ascii_digit()) {
                    true => Ok(SecretSource::Env(variable)),
                    false => Err(format!("`{}` is not the name of an environment variable", variable.escape_debug())),
                }
            }
            Provider::File { dir } => match key.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
                true => Err(format!("`{shown}` is not a path beneath the provider's folder")),
                false => Ok(SecretSource::File(format!("{}/{key}", dir.trim_end_matches('/')))),
            },
            Provider::Command(argv) => {
                // An argument that is the key alone must not be read as an option.
                if key.starts_with('-') && argv.iter().any(|argument| argument == "{key}") {
                    return Err(format!("`{shown}` is not a key: the provider's command would take it for an option"));
                }
                Ok(SecretSource::Command(argv.iter().map(|argument| argument.replace("{key}", key)).collect()))
            }
        }
    }
}

/// Which environment a run is in cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEnvironment {
    #[error("the workspace has no environment `{name}`; {help}")]
    Unknown { name: String, near: Option<String>, help: String },
    #[error("the workspace has several environments ({}) and none was named; add `--env`, or `default: true` to one", .0.join(", "))]
    NotNamed(Vec<String>),
}

impl Workspace {
    /// Takes the calendar that a rotation is kept in, and says what is wrong with it.
    pub fn take_calendar(&mut self, rotation: &str, source: &Source) -> Diagnostics {
        let Some(zone) = self.people.rotations.get(rotation).map(|rotation| rotation.zone.clone()) else {
            return Diagnostics::default();
        };
        let (entries, mut found) = calendar::read(source, &self.people, &zone);
        let Some(rotation) = self.people.rotations.get_mut(rotation) else { return found };
        rotation.turns = Turns::Calendar { calendar: entries };
        if !found.has_errors()
            && let Some(gap) = calendar::first_gap(rotation)
        {
            found.push(Diagnostic::new(Code::RB0324, source, Span::default(), gap).help("let one event end where the next begins"));
        }
        found
    }

    /// Says that the calendar of a rotation cannot be read.
    pub fn lacks_calendar(&self, rotation: &str, why: &str) -> Option<Diagnostic> {
        let path = self.calendars.get(rotation)?;
        let message = format!("the calendar of the rotation `{rotation}` cannot be read: {why}");
        Some(
            Diagnostic::new(Code::RB0323, &self.source, path.span, message)
                .help("name a file of iCalendar below the folder of the workspace"),
        )
    }

    /// Whether people of it log in elsewhere.
    pub fn knows_people_there(&self) -> bool {
        self.oidc.is_some() && !self.known_there.is_empty()
    }

    /// The environment of a run: the one that is named, else the default, else the only one.
    pub fn environment(&self, name: Option<&str>) -> Result<Option<&Environment>, NoEnvironment> {
        let known = || self.environments.iter().map(|e| e.name.as_str());
        let Some(name) = name.or(self.default_environment.as_deref()) else {
            return match self.environments.as_slice() {
                [] => Ok(None),
                [only] => Ok(Some(only)),
                _ => Err(NoEnvironment::NotNamed(known().map(str::to_owned).collect())),
            };
        };
        match self.environments.iter().find(|e| e.name == name) {
            Some(environment) => Ok(Some(environment)),
            None => {
                // Whoever writes `prod` means `production`.
                let begins = |known: &&str| name.len() > 1 && known.starts_with(name);
                let near = nearest(name, known()).or_else(|| known().find(begins)).map(str::to_owned);
                let help = match (&near, self.environments.is_empty()) {
                    (Some(near), _) => format!("did you mean `{near}`?"),
                    (None, true) => "add it under `environments` in workspace.yaml".to_owned(),
                    (None, false) => format!("it has {}", known().collect::<Vec<_>>().join(", ")),
                };
                Err(NoEnvironment::Unknown { name: name.to_owned(), near, help })
            }
        }
    }
}

impl PolicyContext {
    /// What governs a run in this environment. Where the workspace has several and none is named, no window closes and
    /// every rule applies whatever environments it names: enough to check a procedure. To run one, the environment must be
    /// known, see [`Workspace::environment`].
    pub fn from_workspace(workspace: &Workspace, environment: Option<&str>) -> Result<PolicyContext, NoEnvironment> {
        let environment = match workspace.environment(environment) {
            Ok(environment) => environment.cloned(),
            Err(NoEnvironment::NotNamed(_)) => None,
            Err(unknown) => return Err(unknown),
        };
        Ok(PolicyContext {
            workspace: true,
            environment,
            people: workspace.people.clone(),
            rules: workspace.rules.clone(),
            escalations: workspace.escalations.clone(),
            channels: workspace.channels.clone(),
            http_allow: workspace.http_allow.clone(),
            url: workspace.url.clone(),
        })
    }
}

/// Reads the keys of a workspace; `apiVersion` and `kind` have been taken.
pub(super) fn decode(fields: Fields) -> Option<Workspace> {
    Some(read::workspace(fields))
}

#[cfg(test)]
mod tests;
