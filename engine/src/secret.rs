//! Secrets: fetched from where the plan says, once per process, and held in memory that is wiped.
//!
//! A secret is never part of an error, a log or a digest. What is too short to be masked is refused, so that whatever
//! the store gives out can be handed to [`Masker`]; only what was fetched is masked. Fetching blocks (a file, a program): call
//! it off the event loop.

mod mask;
mod search;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use runbook_core::limits;
use runbook_core::plan::SecretSource;
use secrecy::{ExposeSecret, SecretString};
use zeroize::{Zeroize, Zeroizing};

use crate::beneath::{Links, is_outside, open_anywhere, open_beneath, read_bounded};
use crate::program::{Invocation, ProgramError, Terminal};

pub use mask::{MASK, Masker};

/// Why there is no secret. No text of it, and nothing that a provider said, is part of the message.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the environment variable `{0}` is not set; set it for the process that runs the procedure")]
    NoVariable(String),
    #[error("`{path}` cannot be read: {why}")]
    File { path: String, why: String },
    #[error("`{path}` is outside the catalogue; name a file beneath it, or an absolute path")]
    Outside { path: String },
    #[error("the command `{program}` gave no secret: {why}; run it by hand to see what it says")]
    Command { program: String, why: String },
    #[error("`{file}` cannot be decrypted: {why}")]
    Decrypt { file: String, why: String },
    #[error("`{file}` has no secret `{key}`; add it with `age` and the catalogue's recipients")]
    NoKey { file: String, key: String },
    #[error("the secret is not text (UTF-8); encode it, for example in base 64")]
    NotText,
    #[error("the secret has fewer than {} bytes, too few to keep it out of logs; use a longer one", limits::SECRET_MIN_BYTES)]
    Short,
    #[error("the secret has more than {} KiB; keep files elsewhere and the key to them here", limits::SECRET_BYTES / 1024)]
    Long,
}

/// Where secrets come from, and those that were fetched.
pub struct SecretStore {
    /// The catalogue's root: relative paths start here.
    root: PathBuf,
    /// The identity file for age where the workspace names none.
    identity: PathBuf,
    /// The environment of the operator: variables are read here, and the commands of providers get it whole, since they
    /// act with the operator's own logins.
    environment: Vec<(OsString, OsString)>,
    fetched: Mutex<Fetched>,
    warnings: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Fetched {
    secrets: Vec<(SecretSource, Arc<SecretString>)>,
    /// Of all of them: made when it is first asked for, since each stream of each step wants one.
    masker: Option<Masker>,
}

impl SecretStore {
    /// A store for the catalogue at `root`. `config` is the folder of the user's settings (`$XDG_CONFIG_HOME/runbook`),
    /// whose `age.txt` is the identity where the workspace names none.
    pub fn new(root: &Path, config: &Path, environment: impl IntoIterator<Item = (OsString, OsString)>) -> SecretStore {
        SecretStore {
            root: root.to_owned(),
            identity: config.join("age.txt"),
            environment: environment.into_iter().collect(),
            fetched: Mutex::default(),
            warnings: Mutex::default(),
        }
    }

    /// The secret, fetched the first time it is asked for. Two that ask at once wait for one fetch.
    pub fn get(&self, source: &SecretSource) -> Result<Arc<SecretString>, SecretError> {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, secret)) = fetched.secrets.iter().find(|(known, _)| known == source) {
            return Ok(secret.clone());
        }
        let secret = Arc::new(self.fetch(source)?);
        fetched.secrets.push((source.clone(), secret.clone()));
        fetched.masker = None;
        Ok(secret)
    }

    /// A masker of every secret that was fetched so far.
    pub fn masker(&self) -> Result<Masker, SecretError> {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(masker) = &fetched.masker {
            return Ok(masker.fresh());
        }
        let masker = Masker::new(&fetched.secrets.iter().map(|(_, secret)| secret.as_ref()).collect::<Vec<_>>())?;
        fetched.masker = Some(masker.fresh());
        Ok(masker)
    }

    /// What people should know about where secrets lie; each is given out once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn fetch(&self, source: &SecretSource) -> Result<SecretString, SecretError> {
        match source {
            SecretSource::Env(name) => {
                let found = self.environment.iter().find(|(key, _)| key == OsStr::new(name));
                let (_, value) = found.ok_or_else(|| SecretError::NoVariable(name.clone()))?;
                accept(Zeroizing::new(value.as_encoded_bytes().to_vec()))
            }
            SecretSource::File(path) => accept(self.read_private(Path::new(path), limits::SECRET_BYTES, SecretError::Long)?),
            SecretSource::Command(argv) => self.command(argv),
            SecretSource::Age { file, identity, key } => self.decrypt(file, identity.as_deref(), key),
        }
    }

    /// A file at an absolute path wherever that is; at a relative one beneath the catalogue's root.
    fn open(&self, path: &Path) -> Result<File, SecretError> {
        let shown = || path.display().to_string();
        let opened = match path.is_absolute() {
            true => open_anywhere(path),
            false => open_beneath(&self.root, path, Links::Beneath),
        };
        opened.map_err(|error| match is_outside(&error) {
            true => SecretError::Outside { path: shown() },
            false => SecretError::File { path: shown(), why: error.to_string() },
        })
    }

    fn read(&self, path: &Path, bound: usize, too_long: SecretError) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let unreadable = |error: std::io::Error| SecretError::File { path: path.display().to_string(), why: error.to_string() };
        let file = self.open(path)?;
        // All of the room at once: a buffer that grows leaves copies behind.
        let length = file.metadata().map_err(unreadable)?.len();
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(bound);
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.saturating_add(1)));
        read_bounded(file, bound, &mut bytes).map_err(unreadable)?.ok_or(too_long)?;
        Ok(bytes)
    }

    /// Reads a file that only its owner should be able to read, and notes where others can.
    fn read_private(&self, path: &Path, bound: usize, too_long: SecretError) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let shown = path.display().to_string();
        let mode = self.open(path)?.metadata().map(|about| about.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            let warning = format!("`{shown}` holds a secret and others can read it; run `chmod 600 {shown}`");
            self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
        }
        self.read(path, bound, too_long)
    }

    fn command(&self, argv: &[String]) -> Result<SecretString, SecretError> {
        let program = argv.first().map_or("", String::as_str);
        let failed = |why: String| SecretError::Command { program: program.to_owned(), why };
        let invocation = Invocation {
            program: OsStr::new(program),
            arguments: argv.iter().skip(1).map(OsString::from).collect(),
            environment: Some(&self.environment),
            directory: Some(&self.root),
            input: &[],
            timeout: limits::SECRET_TIMEOUT,
            output_bytes: limits::SECRET_BYTES,
            terminal: Terminal::None,
        };
        let finished = invocation.run().map_err(|error| match error {
            ProgramError::Flood(_) => SecretError::Long,
            error => failed(error.to_string()),
        })?;
        match finished.status.success() {
            true => accept(finished.output),
            false => Err(failed(format!("it ended with {}", finished.status))),
        }
    }

    fn decrypt(&self, file: &str, identity: Option<&str>, key: &str) -> Result<SecretString, SecretError> {
        let failed = |why: String| SecretError::Decrypt { file: file.to_owned(), why };
        let identity = match identity {
            None => self.identity.clone(),
            Some(path) => match path.strip_prefix("~/") {
                Some(rest) => self.home().map(|home| home.join(rest)).ok_or_else(|| failed("HOME is not set".to_owned()))?,
                None => PathBuf::from(path),
            },
        };
        let too_long = || failed(format!("a file has more than {} bytes", limits::SECRET_FILE_BYTES));
        let keys = self.read_private(&identity, limits::SECRET_FILE_BYTES, too_long())?;
        let keys = age::IdentityFile::from_buffer(keys.as_slice())
            .map_err(|_| failed(format!("`{}` is not an identity file of age", identity.display())))?
            .into_identities()
            .map_err(|_| failed(format!("`{}` is not an identity file of age", identity.display())))?;
        // The file itself is meant to be seen by all: its mode does not matter.
        let sealed = self.read(Path::new(file), limits::SECRET_FILE_BYTES, too_long())?;
        let open = age::Decryptor::new(age::armor::ArmoredReader::new(sealed.as_slice()))
            .map_err(|_| failed("it is not a file of age".to_owned()))?
            .decrypt(keys.iter().map(|key| key.as_ref() as &dyn age::Identity))
            .map_err(|_| failed(format!("the identity in `{}` is none of its recipients", identity.display())))?;
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
        open.take(limits::SECRET_FILE_BYTES as u64).read_to_end(&mut plain).map_err(|_| failed("it is damaged".to_owned()))?;
        entry(file, &plain, key)
    }

    fn home(&self) -> Option<PathBuf> {
        self.environment.iter().find(|(name, _)| name == "HOME").map(|(_, value)| PathBuf::from(value))
    }
}

/// One entry of a decrypted file: `name`, or `name#member` where the entry is a map.
fn entry(file: &str, plain: &[u8], key: &str) -> Result<SecretString, SecretError> {
    let failed = || SecretError::Decrypt { file: file.to_owned(), why: "what is in it is not a map of names to texts".to_owned() };
    let text = std::str::from_utf8(plain).map_err(|_| failed())?;
    let mut entries: BTreeMap<String, Entry> = serde_yaml::from_str(text).map_err(|_| failed())?;
    let absent = || SecretError::NoKey { file: file.to_owned(), key: key.to_owned() };
    let (name, member) = key.split_once('#').map_or((key, None), |(name, member)| (name, Some(member)));
    let secret = match (entries.remove(name), member) {
        (Some(Entry::Text(secret)), None) => Ok(secret),
        (Some(Entry::Members(mut members)), Some(member)) => members.remove(member).ok_or_else(absent),
        _ => Err(absent()),
    }?;
    accept(Zeroizing::new(secret.expose_secret().as_bytes().to_vec()))
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(SecretString),
    Members(BTreeMap<String, SecretString>),
}

/// Bytes → a secret: text within bounds. One line loses its line end, as `$(…)` takes it; a text of several lines (a key in
/// PEM) is kept as it is.
fn accept(bytes: Zeroizing<Vec<u8>>) -> Result<SecretString, SecretError> {
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NotText)?;
    let line = text.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let text = line.filter(|line| !line.contains('\n')).unwrap_or(text);
    match text.len() {
        n if n < limits::SECRET_MIN_BYTES => Err(SecretError::Short),
        n if n > limits::SECRET_BYTES => Err(SecretError::Long),
        _ => Ok(SecretString::from(text.to_owned())),
    }
}

impl Drop for SecretStore {
    fn drop(&mut self) {
        for (_, value) in &mut self.environment {
            std::mem::take(value).into_encoded_bytes().zeroize();
        }
    }
}

#[cfg(test)]
mod tests;
