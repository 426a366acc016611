//! Reads a backup into a folder: nothing that it does not list, nothing outside the folder, and every byte as it was written.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Error, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use runbook_core::{Digest, RunId, limits};
use sha2::Digest as _;
use tar::{Archive, Entry, EntryType};

use super::{BackupError, FORMAT, Filed, KIND, LOGS, MANIFEST, Manifest};
use crate::log::Logs;

/// Writes what an archive holds into `into`, an empty and private folder.
pub(super) fn unpack(from: &mut dyn Read, into: &Path, wanted: Option<&Digest>) -> Result<(Manifest, Digest), BackupError> {
    let mut archive = Archive::new(from);
    let mut found: BTreeMap<String, (u64, Digest)> = BTreeMap::new();
    let mut manifest = None;
    for entry in archive.entries().map_err(not_whole)? {
        let mut entry = entry.map_err(not_whole)?;
        let name = entry.path().ok().and_then(|path| path.to_str().map(str::to_owned));
        let name = name.ok_or_else(|| BackupError::NotWhole("a name in it is no text".to_owned()))?;
        if manifest.is_some() {
            return Err(BackupError::NotWhole(format!("`{}` stands behind its end", name.escape_debug())));
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(BackupError::NotWhole(format!("`{}` in it is no file", name.escape_debug())));
        }
        if name == MANIFEST {
            manifest = Some(read_manifest(&mut entry, wanted)?);
            continue;
        }
        let mut file = place(into, &name)?;
        let measured = copy(&mut entry, &mut file)?;
        found.insert(name, measured);
    }
    let Some((manifest, digest)) = manifest else {
        return Err(BackupError::NotWhole("its end is missing".to_owned()));
    };
    for Filed { name, bytes, digest } in &manifest.files {
        match found.remove(name) {
            Some((length, found)) if length == *bytes && found == *digest => {}
            Some(_) => return Err(BackupError::NotWhole(format!("`{}` is not as it was written", name.escape_debug()))),
            None => return Err(BackupError::NotWhole(format!("`{}` is missing", name.escape_debug()))),
        }
    }
    match found.into_keys().next() {
        Some(name) => Err(BackupError::NotWhole(format!("`{}` does not belong to it", name.escape_debug()))),
        None => Ok((manifest, digest)),
    }
}

fn not_whole(why: Error) -> BackupError {
    match why.kind() {
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData | std::io::ErrorKind::Other => {
            BackupError::NotWhole(why.to_string())
        }
        _ => BackupError::Read(why),
    }
}

fn read_manifest(entry: &mut Entry<'_, &mut dyn Read>, wanted: Option<&Digest>) -> Result<(Manifest, Digest), BackupError> {
    let mut text = Vec::new();
    entry.take(limits::MANIFEST_BYTES).read_to_end(&mut text).map_err(not_whole)?;
    let digest = Digest::of_bytes(&text);
    if let Some(wanted) = wanted.filter(|wanted| **wanted != digest) {
        tracing::debug!(%wanted, found = %digest, "another backup");
        return Err(BackupError::OtherDigest { found: digest });
    }
    let unreadable = |why: serde_json::Error| BackupError::NotWhole(format!("its manifest cannot be read: {why}"));
    let plain: serde_json::Value = serde_json::from_slice(&text).map_err(unreadable)?;
    let number = |key: &str| plain.get(key).and_then(serde_json::Value::as_u64).and_then(|number| u32::try_from(number).ok());
    if plain.get("backup").and_then(serde_json::Value::as_str) != Some(KIND) {
        return Err(BackupError::NotWhole("its manifest is of something else".to_owned()));
    }
    if let Some(format) = number("format").filter(|format| *format > FORMAT) {
        return Err(BackupError::Newer(format));
    }
    Ok((serde_json::from_value(plain).map_err(unreadable)?, digest))
}

/// Where a file of this name belongs. Names are taken apart and known, never joined to a path.
fn place(into: &Path, name: &str) -> Result<File, BackupError> {
    let cannot = |why: Error| match why.kind() {
        std::io::ErrorKind::AlreadyExists => BackupError::NotWhole(format!("`{}` is in it twice", name.escape_debug())),
        _ => BackupError::Folder { path: into.to_owned(), why },
    };
    if let Some(known) = ["access.db", "events.db", "journal.db"].into_iter().find(|known| *known == name) {
        return OpenOptions::new().write(true).create_new(true).mode(0o600).open(into.join(known)).map_err(cannot);
    }
    let log = name.strip_prefix(LOGS).and_then(|rest| rest.split_once('/'));
    let log = log.and_then(|(run, file)| Some((run.parse::<RunId>().ok()?, file)));
    let Some((run, file)) = log else {
        return Err(BackupError::NotWhole(format!("`{}` is the name of nothing in it", name.escape_debug())));
    };
    Logs::open(into)?.put(&run, file).map_err(|why| BackupError::NotWhole(why.to_string()))
}

fn copy(from: &mut dyn Read, to: &mut File) -> Result<(u64, Digest), BackupError> {
    let (mut bytes, mut digest) = (0, sha2::Sha256::new());
    let mut buffer = vec![0; limits::OUTPUT_CHUNK];
    loop {
        let read = from.read(&mut buffer).map_err(not_whole)?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            return Ok((bytes, Digest::from_sha256(digest.finalize().into())));
        }
        to.write_all(part).map_err(BackupError::Write)?;
        digest.update(part);
        bytes += read as u64;
    }
}
