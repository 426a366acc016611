//! Texts that the editor is to show as documents: files in a folder that only this user can read, and that goes with the server.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub struct Shelf {
    folder: Option<PathBuf>,
}

impl Shelf {
    /// Writes what is said of a file, in the place of what was said of it before.
    pub fn put(&mut self, of: &Path, text: &str) -> Option<PathBuf> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => {
                let folder = std::env::temp_dir().join(format!("runbook-lsp-{}", std::process::id()));
                // A folder that is there already is somebody else's.
                std::fs::DirBuilder::new().mode(0o700).create(&folder).ok()?;
                self.folder.insert(folder).clone()
            }
        };
        let path = folder.join(format!("{}.dry-run.txt", of.file_stem()?.to_string_lossy()));
        std::fs::write(&path, text).ok().map(|()| path)
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
