//! The write-ahead log keeps its size from process to process, and is overwritten. Its frames are no whole pages of memory, so each
//! page is written in parts: one that the system no longer holds is first read from the disk, while whoever commits waits. What comes next is
//! therefore asked for ahead of time, many pages at once. Where it is in memory, or there is nothing yet, that costs next to nothing.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use runbook_core::limits;
use rustix::fs::{Advice, Mode, OFlags, fadvise, open};

/// Bytes of one page in the log: the page, and what SQLite writes before it.
const FRAME: u64 = 4096 + 24;

#[derive(Debug)]
pub(super) struct LogAhead {
    path: PathBuf,
    /// Opened for this alone. SQLite's locks are on other files, so that to close it gives none of them up.
    file: Option<OwnedFd>,
    /// Up to where it was asked for.
    asked: u64,
    /// Where the last commit ended.
    end: u64,
    commits: u32,
}

impl LogAhead {
    /// Of the database at `path`.
    pub fn of(path: &Path) -> LogAhead {
        let mut log = path.to_owned().into_os_string();
        log.push("-wal");
        LogAhead { path: log.into(), file: None, asked: 0, end: 0, commits: 0 }
    }

    /// Called after a commit, with the pages in the log by now. A process that commits a few times has no use of it.
    pub fn fetch(&mut self, pages: i32) {
        let end = u64::try_from(pages).unwrap_or_default() * FRAME;
        if end < self.end {
            // It was begun anew.
            self.asked = end;
        }
        self.end = end;
        self.commits = self.commits.saturating_add(1);
        if self.commits < limits::LOG_AHEAD_FROM || end + limits::LOG_AHEAD / 2 < self.asked {
            return;
        }
        if self.file.is_none() {
            self.file = open(&self.path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok();
        }
        let from = self.asked.max(end);
        self.asked = from + limits::LOG_AHEAD;
        if let Some(file) = &self.file {
            // A hint, which nothing rests on.
            let _ = fadvise(file, from, std::num::NonZeroU64::new(limits::LOG_AHEAD), Advice::WillNeed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_for_in_large_parts_and_again_where_the_log_begins_anew() {
        let mut log = LogAhead::of(Path::new("no/such/journal.db"));
        let mut asked = Vec::new();
        for pages in (3..=300).step_by(3).chain([20]) {
            log.fetch(pages);
            if asked.last() != Some(&log.asked) {
                asked.push(log.asked);
            }
        }
        assert_eq!(asked.get(..2), Some(&[0, 15 * FRAME + limits::LOG_AHEAD][..]), "few commits ask for nothing");
        assert!(asked.len() <= 12, "{asked:?}");
        assert_eq!(asked.last(), Some(&(20 * FRAME + limits::LOG_AHEAD)));
        assert!(log.file.is_none());
    }
}
