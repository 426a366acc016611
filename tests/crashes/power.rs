//! Power cuts: from what the layer saw written and synced, the state folder is built as the disk would hold it at any moment, and
//! the run goes on from there.
//!
//! The disk here is as unkind as it may be. Bytes survive once their file was synced, names once their folder was. Of the rest
//! nothing survives, or any part of it: each sector of each write by itself, whatever the order. The shared memory of SQLite
//! comes back as rubbish. What steps did outside survives always.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::desk::{Desk, LONG, LOUD, SHORT};
use crate::judge::{Calm, Seen, every, judge, outcome, recover, so_far};
use crate::layer::{Change, Dice, Kind, trace};
use crate::{sample, tell};

/// How much of what was not synced is on the disk.
#[derive(Clone, Copy, Debug)]
enum Rest {
    Nothing,
    /// Sectors of this size, each by chance.
    Sectors(usize),
}

/// One moment at which the power fails.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// How many changes came before.
    after: usize,
    rest: Rest,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rest {
            Rest::Nothing => write!(f, "cut {} 0", self.after),
            Rest::Sectors(size) => write!(f, "cut {} {size}", self.after),
        }
    }
}

/// A file by what was done to it. Names lead to these by number, so that one who is unlinked keeps its bytes.
#[derive(Default)]
struct File {
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

/// What became of a name.
enum Named {
    File(usize),
    Folder,
    Gone,
}

/// A disk that keeps what was synced apart from what was not.
#[derive(Default)]
struct Disk {
    files: Vec<File>,
    /// As processes see it.
    now: BTreeMap<PathBuf, usize>,
    folders: Vec<PathBuf>,
    /// As the disk holds it.
    names: BTreeMap<PathBuf, Named>,
    /// Changes of names whose folder was not synced since.
    unsynced: Vec<(PathBuf, Named)>,
}

impl Disk {
    fn of(state: &Path, changes: &[Change]) -> Disk {
        let mut disk = Disk { folders: vec![state.to_owned()], ..Disk::default() };
        for change in changes {
            disk.take(change);
        }
        disk
    }

    /// The file of this name; it and the folders above it are new where nobody has seen them.
    fn file(&mut self, path: &Path) -> usize {
        if let Some(file) = self.now.get(path) {
            return *file;
        }
        let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|p| p.starts_with(&self.folders[0])).collect();
        above.reverse();
        for folder in above {
            if !self.folders.iter().any(|known| known == folder) {
                self.folders.push(folder.to_owned());
                self.unsynced.push((folder.to_owned(), Named::Folder));
            }
        }
        self.files.push(File::default());
        self.now.insert(path.to_owned(), self.files.len() - 1);
        self.unsynced.push((path.to_owned(), Named::File(self.files.len() - 1)));
        self.files.len() - 1
    }

    fn take(&mut self, change: &Change) {
        // A file that was open when it was unlinked.
        let path = &change.path;
        if path.to_string_lossy().ends_with(" (deleted)") || path.to_string_lossy().ends_with("-shm") {
            return;
        }
        match &change.kind {
            Kind::Sync { folders } if self.folders.contains(path) => {
                for folder in folders.iter().map(|name| path.join(name)) {
                    self.folders.push(folder.clone());
                    self.names.insert(folder, Named::Folder);
                }
                let (synced, unsynced) =
                    std::mem::take(&mut self.unsynced).into_iter().partition(|(name, _)| name.parent() == Some(path));
                self.unsynced = unsynced;
                self.names.extend::<Vec<_>>(synced);
            }
            Kind::Sync { .. } => {
                let file = self.file(path);
                let unsynced = std::mem::take(&mut self.files[file].unsynced);
                unsynced.iter().for_each(|change| apply(&mut self.files[file].synced, change));
            }
            Kind::Create => drop(self.file(path)),
            Kind::Write { .. } | Kind::Truncate { .. } => {
                let file = self.file(path);
                self.files[file].unsynced.push(change.clone());
            }
            Kind::Unlink => {
                self.now.remove(path);
                self.unsynced.push((path.clone(), Named::Gone));
            }
            Kind::Rename { to } => {
                let file = self.file(path);
                self.now.remove(path);
                self.now.insert(to.clone(), file);
                self.unsynced.extend([(path.clone(), Named::Gone), (to.clone(), Named::File(file))]);
            }
        }
    }

    /// What is there when the power comes back.
    fn fail(mut self, rest: Rest, dice: &mut Dice) -> BTreeMap<PathBuf, Vec<u8>> {
        if let Rest::Sectors(size) = rest {
            // A file system keeps the order of names.
            let kept = dice.below(self.unsynced.len() as u64 + 1) as usize;
            self.names.extend(self.unsynced.drain(..kept));
            for file in &mut self.files {
                for change in std::mem::take(&mut file.unsynced) {
                    keep_some(&mut file.synced, &change, size, dice);
                }
            }
        }
        let is_there = |path: &PathBuf| {
            let mut above = path.ancestors().skip(1).take_while(|p| *p != self.folders[0]);
            above.all(|folder| matches!(self.names.get(folder), Some(Named::Folder)))
        };
        let files = self.names.iter().filter_map(|(path, named)| match named {
            Named::File(file) if is_there(path) => Some((path.clone(), self.files[*file].synced.clone())),
            _ => None,
        });
        files.collect()
    }
}

fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    match &change.kind {
        Kind::Write { offset, bytes } => put(file, *offset as usize, bytes),
        Kind::Truncate { size } => file.resize(*size as usize, 0),
        _ => {}
    }
}

/// Each sector that a write touches is kept or not.
fn keep_some(file: &mut Vec<u8>, change: &Change, size: usize, dice: &mut Dice) {
    let Kind::Write { offset, bytes } = &change.kind else {
        if dice.below(2) == 0 {
            apply(file, change);
        }
        return;
    };
    let (mut at, mut rest) = (*offset as usize, bytes.as_slice());
    while !rest.is_empty() {
        let (sector, after) = rest.split_at((size - at % size).min(rest.len()));
        if dice.below(2) == 0 {
            put(file, at, sector);
        }
        (at, rest) = (at + sector.len(), after);
    }
}

/// A run that nothing disturbs, with all that it wrote.
struct Whole {
    desk: Desk,
    changes: Vec<Change>,
    /// After each command: how many changes there were, and how many events it left behind it.
    acknowledged: Vec<(usize, usize)>,
}

impl Whole {
    fn of(book: &'static crate::desk::Book) -> Whole {
        let desk = Desk::new(book);
        let path = desk.join("trace");
        let mut acknowledged = Vec::new();
        while outcome(&desk.record()).is_none() {
            for line in desk.next_lines() {
                desk.command(&line, None, Some(&path)).output().expect("the program starts");
                acknowledged.push((trace(&path).len(), desk.record().len()));
            }
        }
        let changes = trace(&path);
        Whole { desk, changes, acknowledged }
    }

    /// Just before each sync, and before the change that follows it.
    fn cuts(&self) -> Vec<Cut> {
        let is_sync = |at: usize| self.changes.get(at).is_some_and(|change| matches!(change.kind, Kind::Sync { .. }));
        let places = (0..=self.changes.len()).filter(|at| is_sync(*at) || *at > 0 && is_sync(at - 1));
        places.flat_map(|after| [Rest::Nothing, Rest::Sectors(512), Rest::Sectors(4096)].map(|rest| Cut { after, rest })).collect()
    }

    /// The folder as the disk holds it after a power cut, with what steps had done by then.
    fn image(&self, cut: Cut) -> Desk {
        let desk = Desk::new(self.desk.book);
        let files = Disk::of(&self.desk.state, &self.changes[..cut.after]).fail(cut.rest, &mut Dice::new(cut.after as u64));
        std::fs::create_dir(&desk.state).expect("the state folder");
        std::fs::set_permissions(&desk.state, Permissions::from_mode(0o700)).expect("only ours");
        for (path, bytes) in files {
            let path = desk.state.join(path.strip_prefix(&self.desk.state).expect("it is in the folder"));
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
            std::fs::write(&path, bytes).expect("a file");
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("only ours");
        }
        if desk.state.join("journal.db-wal").exists() {
            let mut dice = Dice::new(cut.after as u64);
            let rubbish: Vec<u8> = (0..32 * 1024).map(|_| dice.below(256) as u8).collect();
            std::fs::write(desk.state.join("journal.db-shm"), rubbish).expect("a file");
        }
        let effects = std::fs::read(self.desk.effects()).unwrap_or_default();
        let by_then = self.changes.get(cut.after).map_or(effects.len(), |change| change.effects as usize);
        std::fs::write(desk.effects(), &effects[..by_then]).expect("a file");
        desk
    }

    fn play(&self, cut: Cut, calm: &Calm) -> Result<Seen, String> {
        let desk = self.image(cut);
        let before = desk.record();
        let acknowledged = self.acknowledged.iter().filter(|(changes, _)| *changes <= cut.after).map(|(_, events)| *events).max();
        if before.len() < acknowledged.unwrap_or(0) {
            return Err(format!("{} events of {acknowledged:?} acknowledged ones are left", before.len()));
        }
        if self.desk.record().get(..before.len()) != Some(&before) {
            return Err("what is left is not how the record began".to_owned());
        }
        so_far(&desk, &before)?;
        let asked = recover(&desk)?;
        judge(&desk, calm, &before)?;
        Ok(Seen { struck: true, asked, told: false })
    }
}

#[test]
fn what_was_synced_is_enough_after_a_power_cut() {
    for (book, most) in [(&SHORT, 50), (&LONG, 15), (&LOUD, 20)] {
        let calm = Calm::of(book);
        let whole = Whole::of(book);
        let cuts = whole.cuts();
        let all = cuts.len();
        let seen = every(sample(cuts, most, 3), |cut| whole.play(cut, &calm));
        tell(&format!("power cuts at {all} moments and ways, {} changes", whole.changes.len()), &seen);
    }
}
