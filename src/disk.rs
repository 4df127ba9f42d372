//! Room on this machine's file systems: how much there is, and whether anything can be written at all.

use std::io::{self, Write};
use std::path::Path;

/// So much (bytes) is written to see whether there is room: less would fit into the last block of a file system that a
/// larger piece did not fit into.
const PROBE: usize = 1 << 20;

/// What a file system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// So many bytes an ordinary user may still write.
    pub free: u64,
    /// So many bytes it has in all.
    pub size: u64,
}

impl Room {
    /// Of the file system that this directory is on, or will be on once it is made.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let there = directory.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(directory);
        let told = rustix::fs::statvfs(there)?;
        Ok(Self {
            free: told.f_bavail.saturating_mul(told.f_frsize),
            size: told.f_blocks.saturating_mul(told.f_frsize),
        })
    }
}

/// Makes sure that something can be written in a directory; the file of this name is gone afterwards.
///
/// # Errors
/// It cannot; [`is_full`] tells whether for want of room.
pub fn require(directory: &Path, name: &str) -> io::Result<()> {
    let path = directory.join(name);
    let write = || {
        let mut file = std::fs::File::create(&path)?;
        file.write_all(&vec![0; PROBE])?;
        // A quota, or a disk that is elsewhere, may speak up only now.
        file.sync_all()
    };
    let written = write();
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}

/// Whether it failed since the file system is full or a quota used up.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_made_yet_has_the_room_of_its_parent() {
        let directory = tempfile::tempdir().unwrap();
        let (here, below) = (Room::of(directory.path()).unwrap(), Room::of(&directory.path().join("a/b")).unwrap());
        assert_eq!(here.size, below.size);
        assert!(here.free <= here.size && here.size > 0);
    }

    #[test]
    fn looking_for_room_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        require(directory.path(), ".room").unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let nowhere = require(&directory.path().join("nowhere"), ".room").unwrap_err();
        assert!(!is_full(&nowhere), "{nowhere}");
    }
}
