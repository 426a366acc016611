//! Who is at this machine, and what people sign: the operating-system user mapped to a person of the workspace, and SSH
//! signatures made and checked by OpenSSH itself (`ssh-keygen -Y`), so that anybody can check them without us.
//!
//! The user is that of the process (its real id). Variables such as `SUDO_USER` or `USER` are claims of whoever set them,
//! and are not looked at.

use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use runbook_core::limits;
use runbook_core::policy::{People, Person};
use runbook_core::run::event::{Identity, Means, Signature};

use crate::program::{Finished, Invocation, Terminal};

/// The user of the operating system that this process belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalUser {
    pub user: String,
    pub host: String,
}

/// Why somebody could not be told apart, or a signature not be made or believed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    #[error("the user with id {uid} has no name on this machine ({why}); run as a user of `/etc/passwd`")]
    NoUser { uid: u32, why: String },
    #[error("`{person}` has no SSH key in the workspace; add it under `ssh_keys` in workspace.yaml")]
    NoKey { person: String },
    #[error("the SSH agent holds none of the keys of `{person}`; run `ssh-add`, or sign with a key file")]
    NotInAgent { person: String },
    #[error("`{0}` is not a public SSH key; write it as in `authorized_keys`: type, key, comment")]
    NotAKey(String),
    #[error("`ssh-keygen` could not sign: {0}; name the file of your private key with --key FILE")]
    Sign(String),
    #[error("the key that signed is none of the SSH keys of `{person}` in the workspace")]
    ForeignKey { person: String },
    #[error("the signature of `{person}` does not hold: {why}")]
    Invalid { person: String, why: String },
    #[error("`ssh-keygen` is needed for signatures: {0}; install OpenSSH 8.2 or later")]
    NoOpenSsh(String),
    #[error("a temporary folder for `ssh-keygen` could not be used: {0}")]
    Folder(#[from] io::Error),
}

/// The user that runs this process.
pub fn local_user() -> Result<LocalUser, PeopleError> {
    let uid = rustix::process::getuid().as_raw();
    let user = user_name(uid)?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(LocalUser { user, host })
}

/// Who a local user is: the one person of the workspace that has it among its `users`, else the user itself.
pub fn identity(user: &LocalUser, people: &People) -> Identity {
    let person = people.by_user(&user.user).map_or(user.user.as_str(), |(name, _)| name);
    Identity { person: person.to_owned(), means: Means::LocalUser { user: user.user.clone(), host: user.host.clone() } }
}

/// The name of a user of this machine.
pub(crate) fn user_name(uid: u32) -> Result<String, PeopleError> {
    let mut room = vec![0; 1024];
    loop {
        // SAFETY: all-zero bytes are a `passwd`: null pointers and zero ids.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: every pointer is to memory of ours that outlives the call, and the length is that of `room`.
        let code = unsafe { libc::getpwuid_r(uid, &mut entry, room.as_mut_ptr(), room.len(), &mut found) };
        if code == libc::ERANGE && room.len() < limits::PASSWD_BYTES {
            room.resize(room.len() * 2, 0);
            continue;
        }
        let none = |why: String| PeopleError::NoUser { uid, why };
        if code != 0 {
            return Err(none(io::Error::from_raw_os_error(code).to_string()));
        }
        if found.is_null() || entry.pw_name.is_null() {
            return Err(none("no entry".to_owned()));
        }
        // SAFETY: the call succeeded, so `pw_name` is a C string inside `room`, which is still alive.
        let name = unsafe { CStr::from_ptr(entry.pw_name) };
        return name.to_str().map(str::to_owned).map_err(|_| none("its name is not text".to_owned()));
    }
}

/// The key that signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningKey {
    /// The private half is with the agent; this is the public key, as in `authorized_keys`.
    Agent { public: String },
    /// A file with the private key. It may be locked: OpenSSH then asks at the terminal.
    File(PathBuf),
}

/// The first key of a person that the agent at `SSH_AUTH_SOCK` holds.
pub fn agent_key(name: &str, person: &Person) -> Result<SigningKey, PeopleError> {
    if person.ssh_keys.is_empty() {
        return Err(PeopleError::NoKey { person: name.to_owned() });
    }
    let absent = || PeopleError::NotInAgent { person: name.to_owned() };
    let listed = openssh("ssh-add", &["-L".into()], &[], limits::VERIFY_TIMEOUT, Terminal::None)?;
    let listed = String::from_utf8_lossy(&listed.output).into_owned();
    let held: Vec<PublicKey> = listed.lines().filter_map(|line| PublicKey::parse(line).ok()).collect();
    let own = person.ssh_keys.iter().filter_map(|key| PublicKey::parse(key).ok());
    own.into_iter().find(|key| held.contains(key)).map(|key| SigningKey::Agent { public: key.to_string() }).ok_or_else(absent)
}

/// Signs `text` for a purpose that `namespace` names.
pub fn sign(text: &str, namespace: &str, key: &SigningKey) -> Result<Signature, PeopleError> {
    let folder = tempfile::tempdir()?;
    let file = match key {
        SigningKey::File(file) => file.clone(),
        SigningKey::Agent { public } => {
            let file = folder.path().join("key.pub");
            std::fs::write(&file, format!("{}\n", PublicKey::parse(public)?))?;
            file
        }
    };
    // The agent is asked for a public key; with a file OpenSSH may ask a person for the passphrase.
    let arguments =
        ["-Y", "sign", "-q", "-n", namespace, "-f"].map(OsString::from).into_iter().chain([file.clone().into_os_string()]);
    let arguments: Vec<OsString> = arguments.collect();
    let finished = openssh("ssh-keygen", &arguments, text.as_bytes(), limits::SIGN_TIMEOUT, Terminal::Shared)?;
    if !finished.status.success() {
        return Err(PeopleError::Sign(complaint(&finished)));
    }
    let armoured = String::from_utf8_lossy(&finished.output).into_owned();
    let public = match key {
        SigningKey::Agent { public } => PublicKey::parse(public)?,
        SigningKey::File(file) => public_half(file)?,
    };
    Ok(Signature { key: public.to_string(), armoured })
}

/// The public key of a private key file: the `.pub` beside it, or what OpenSSH derives.
fn public_half(file: &Path) -> Result<PublicKey, PeopleError> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".pub");
    if let Some(key) = std::fs::read_to_string(beside).ok().and_then(|text| PublicKey::parse(text.trim()).ok()) {
        return Ok(key);
    }
    let arguments = ["-y".into(), "-f".into(), file.as_os_str().to_owned()];
    let finished = openssh("ssh-keygen", &arguments, &[], limits::SIGN_TIMEOUT, Terminal::Shared)?;
    match finished.status.success() {
        true => PublicKey::parse(String::from_utf8_lossy(&finished.output).trim()),
        false => Err(PeopleError::Sign(complaint(&finished))),
    }
}

/// Whether `signature` is over `text`, for this purpose, by a key that the workspace gives to `person`.
pub fn verify(people: &People, person: &str, signature: &Signature, text: &str, namespace: &str) -> Result<(), PeopleError> {
    let foreign = || PeopleError::ForeignKey { person: person.to_owned() };
    let claimed = PublicKey::parse(&signature.key)?;
    let keys = people.people.get(person).map(|person| person.ssh_keys.as_slice()).unwrap_or_default();
    if !keys.iter().filter_map(|key| PublicKey::parse(key).ok()).any(|key| key == claimed) {
        return Err(foreign());
    }
    // Only the claimed key, and only its type and body: nothing else that was written can become an option here.
    check(&[claimed], person, &signature.armoured, text, namespace)
}

/// Whose signatures are believed.
#[derive(Clone, Copy, Debug)]
pub enum Signers<'a> {
    /// The people of a workspace, with the keys that it gives them.
    People(&'a People),
    /// A file as OpenSSH reads it (`allowed_signers`): who keeps it decides.
    File(&'a Path),
}

/// Whether `armoured` is a signature over `text`, for this purpose, by a key of `person`.
pub fn verify_among(signers: Signers<'_>, person: &str, armoured: &str, text: &str, namespace: &str) -> Result<(), PeopleError> {
    match signers {
        Signers::File(allowed) => check_in(allowed, person, person, armoured, text, namespace),
        Signers::People(people) => {
            let keys = people.people.get(person).map(|person| person.ssh_keys.as_slice()).unwrap_or_default();
            let keys: Vec<PublicKey> = keys.iter().filter_map(|key| PublicKey::parse(key).ok()).collect();
            if keys.is_empty() {
                return Err(PeopleError::NoKey { person: person.to_owned() });
            }
            check(&keys, person, armoured, text, namespace)
        }
    }
}

fn check(keys: &[PublicKey], person: &str, armoured: &str, text: &str, namespace: &str) -> Result<(), PeopleError> {
    let folder = tempfile::tempdir()?;
    let allowed = folder.path().join("allowed_signers");
    std::fs::write(&allowed, keys.iter().map(|key| format!("{PRINCIPAL} {key}\n")).collect::<String>())?;
    check_in(&allowed, PRINCIPAL, person, armoured, text, namespace)
}

fn check_in(allowed: &Path, principal: &str, person: &str, armoured: &str, text: &str, namespace: &str) -> Result<(), PeopleError> {
    let invalid = |why: String| PeopleError::Invalid { person: person.to_owned(), why };
    if armoured.len() > limits::SIGNATURE_BYTES {
        return Err(invalid(format!("it is longer than {} bytes", limits::SIGNATURE_BYTES)));
    }
    let folder = tempfile::tempdir()?;
    let signed = folder.path().join("signature");
    std::fs::write(&signed, armoured)?;
    let arguments: [&OsStr; 10] = [
        "-Y".as_ref(),
        "verify".as_ref(),
        "-n".as_ref(),
        namespace.as_ref(),
        "-I".as_ref(),
        principal.as_ref(),
        "-f".as_ref(),
        allowed.as_ref(),
        "-s".as_ref(),
        signed.as_ref(),
    ];
    let arguments = arguments.map(OsStr::to_owned);
    let finished = openssh("ssh-keygen", &arguments, text.as_bytes(), limits::VERIFY_TIMEOUT, Terminal::None)?;
    if finished.status.success() { Ok(()) } else { Err(invalid(complaint(&finished))) }
}

/// The principal in the `allowed_signers` file, which holds one key: that it is the person's was looked at before.
const PRINCIPAL: &str = "voter";

/// A public key without what stands around it: options and comment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PublicKey {
    kind: String,
    body: String,
}

impl PublicKey {
    fn parse(line: &str) -> Result<PublicKey, PeopleError> {
        let mut words = line.split_ascii_whitespace();
        let (kind, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let named = |b: u8| b.is_ascii_alphanumeric() || b"-@.".contains(&b);
        let coded = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
        // The body starts with the length of the type, so every key starts with `AAAA`.
        let right = body.starts_with("AAAA") && body.bytes().all(coded) && !kind.is_empty() && kind.bytes().all(named);
        if right && !line.contains(['\n', '\r']) {
            Ok(PublicKey { kind: kind.to_owned(), body: body.to_owned() })
        } else {
            Err(PeopleError::NotAKey(line.chars().take(80).collect::<String>().escape_debug().to_string()))
        }
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.body)
    }
}

fn openssh(
    program: &str,
    arguments: &[OsString],
    input: &[u8],
    timeout: std::time::Duration,
    terminal: Terminal,
) -> Result<Finished, PeopleError> {
    let invocation = Invocation {
        program: program.as_ref(),
        arguments: arguments.to_vec(),
        environment: None,
        directory: None,
        input,
        timeout,
        output_bytes: limits::SIGNATURE_BYTES,
        terminal,
    };
    invocation.run().map_err(|error| PeopleError::NoOpenSsh(error.to_string()))
}

/// What OpenSSH said, in one line that no terminal interprets.
fn complaint(finished: &Finished) -> String {
    let line = finished.complaint.lines().next_back().unwrap_or_default();
    let line: String = line.trim().chars().filter(|c| !c.is_control()).take(200).collect();
    if line.is_empty() { format!("it ended with {}", finished.status) } else { line }
}

#[cfg(test)]
mod tests;
