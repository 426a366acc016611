//! That nothing is taken out of a state folder while somebody copies it: whoever copies holds it with others, whoever takes out alone.

use std::fs::File;
use std::io::Error;
use std::os::fd::AsFd;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, openat};

/// The file whose lock says so.
const LOCK: &str = "keeping.lock";

/// Given up when it is dropped, or the process ends.
#[derive(Debug)]
pub struct Keeping {
    _lock: File,
}

impl Keeping {
    /// `None` where somebody takes something out at this moment.
    pub fn with_others(folder: impl AsFd) -> Result<Option<Keeping>, Error> {
        locked(folder, FlockOperation::NonBlockingLockShared)
    }

    /// `None` where somebody copies, or takes something out too.
    pub fn alone(folder: impl AsFd) -> Result<Option<Keeping>, Error> {
        locked(folder, FlockOperation::NonBlockingLockExclusive)
    }
}

fn locked(folder: impl AsFd, how: FlockOperation) -> Result<Option<Keeping>, Error> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(folder, LOCK, flags, Mode::RUSR | Mode::WUSR)?);
    match flock(&file, how) {
        Ok(()) => Ok(Some(Keeping { _lock: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_copy_and_one_takes_out() {
        let folder = tempfile::tempdir().unwrap();
        let folder = File::open(folder.path()).unwrap();
        let copies = [Keeping::with_others(&folder).unwrap(), Keeping::with_others(&folder).unwrap()];
        assert!(copies.iter().all(Option::is_some) && Keeping::alone(&folder).unwrap().is_none());
        drop(copies);
        let alone = Keeping::alone(&folder).unwrap();
        assert!(alone.is_some() && Keeping::with_others(&folder).unwrap().is_none() && Keeping::alone(&folder).unwrap().is_none());
    }
}
