//! Opens a file that has to lie beneath a folder. What the name leads to is settled while it is opened and not before, so that nothing
//! can be swapped in between; a pipe or a device in place of a file neither blocks nor is read.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

/// What becomes of symbolic links on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// They are followed as long as they stay beneath the folder.
    Beneath,
    /// There must be none.
    None,
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Whether an error says that the file is outside of the folder.
pub fn is_outside(error: &Error) -> bool {
    error.raw_os_error() == Some(Errno::XDEV.raw_os_error())
}

/// Opens the file with this relative name. Fails with [`is_outside`] where it leads out of the folder.
pub fn open_beneath(folder: &Path, name: &Path, links: Links) -> Result<File> {
    let root = open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = match links {
        Links::Beneath => ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
        Links::None => ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
    };
    match openat2(&root, name, READ, Mode::empty(), resolve) {
        Ok(file) => regular(file.into()),
        // A kernel, or a sandbox, that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => look_and_open(folder, name, links),
        Err(error) => Err(error.into()),
    }
}

/// Opens a file wherever it lies.
pub fn open_anywhere(path: &Path) -> Result<File> {
    regular(open(path, READ, Mode::empty())?.into())
}

/// Looks where the name leads and opens that, without following a link that was put there meanwhile.
fn look_and_open(folder: &Path, name: &Path, links: Links) -> Result<File> {
    let folder = folder.canonicalize()?;
    let (written, real) = (folder.join(name), folder.join(name).canonicalize()?);
    if !real.starts_with(&folder) {
        return Err(Errno::XDEV.into());
    }
    if links == Links::None && real != written {
        return Err(Errno::LOOP.into());
    }
    regular(open(&real, READ | OFlags::NOFOLLOW, Mode::empty())?.into())
}

fn regular(file: File) -> Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(Error::new(ErrorKind::InvalidInput, "it is not a file")),
    }
}

/// Reads at most `bound` bytes; `None` where there are more.
pub fn read_bounded(file: File, bound: usize, bytes: &mut Vec<u8>) -> Result<Option<()>> {
    file.take(u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(bytes)?;
    Ok((bytes.len() <= bound).then_some(()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn names_stay_beneath_their_folder() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        for (path, text) in [("root/file", "in"), ("root/sub/deep", "deep"), ("outside", "out")] {
            std::fs::write(place.path().join(path), text).unwrap();
        }
        symlink("file", root.join("near")).unwrap();
        symlink("../file", root.join("sub/up")).unwrap();
        symlink("../outside", root.join("far")).unwrap();
        symlink("..", root.join("parent")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let fifo = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
        assert!(fifo.success());
        let read = |opened: Result<File>| match opened {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                text
            }
            Err(error) if is_outside(&error) => "outside".to_owned(),
            Err(error) => format!("{error}").split(" (").next().unwrap_or_default().to_lowercase(),
        };
        let links = "too many levels of symbolic links";
        for (name, followed, refused) in [
            ("file", "in", "in"),
            ("sub/deep", "deep", "deep"),
            ("sub/../file", "in", "in"),
            ("near", "in", links),
            ("sub/up", "in", links),
            ("far", "outside", links),
            ("parent/outside", "outside", links),
            ("../outside", "outside", "outside"),
            ("loop", links, links),
            ("absent", "no such file or directory", "no such file or directory"),
            ("sub", "it is not a file", "it is not a file"),
            ("pipe", "it is not a file", "it is not a file"),
        ] {
            for (links, expect) in [(Links::Beneath, followed), (Links::None, refused)] {
                assert_eq!(read(open_beneath(&root, Path::new(name), links)), expect, "{name}, {links:?}");
            }
            // The other way is as strict, whatever it calls the fault.
            let looked = read(look_and_open(&root, Path::new(name), Links::Beneath));
            assert_eq!(looked, followed, "{name}, looked at first");
        }
    }

    /// A folder on the way is swapped for a link, again and again, while the file is opened.
    #[test]
    fn what_is_swapped_meanwhile_is_never_read() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        for (folder, text) in [("root/a", "in"), ("elsewhere", "out")] {
            std::fs::create_dir_all(place.path().join(folder)).unwrap();
            std::fs::write(place.path().join(folder).join("file"), text).unwrap();
        }
        symlink("../elsewhere", root.join("b")).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let flags = rustix::fs::RenameFlags::EXCHANGE;
                    let dir = rustix::fs::CWD;
                    let _ = rustix::fs::renameat_with(dir, root.join("a"), dir, root.join("b"), flags);
                }
            });
            for _ in 0..2000 {
                for links in [Links::Beneath, Links::None] {
                    if let Ok(mut file) = open_beneath(&root, Path::new("a/file"), links) {
                        let mut text = String::new();
                        file.read_to_string(&mut text).unwrap();
                        assert_eq!(text, "in");
                    }
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
