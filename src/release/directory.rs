//! A directory held open, so that what is done below it cannot be led elsewhere by a symlink.
//!
//! Each name of a path is opened on its own with `O_NOFOLLOW`, from the directory before it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

/// The mode of every directory that a web server reads, whatever the umask.
pub(super) const DIRECTORY_MODE: u32 = 0o755;
/// The mode of every file that a web server reads.
pub(super) const FILE_MODE: u32 = 0o644;

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What lies in a directory; nothing where it is not there.
pub(super) fn entries(path: &Path) -> io::Result<Vec<std::fs::DirEntry>> {
    match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// An open directory and its path; the path serves messages alone.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) descriptor: OwnedFd,
    pub(super) path: PathBuf,
}

impl Directory {
    /// Opens a directory that the operator named; it may be a symlink.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let descriptor = rustix::fs::open(path, FLAGS, Mode::empty())?;
        Ok(Self { descriptor, path: path.to_owned() })
    }

    /// Opens a directory of this one.
    pub(super) fn child(&self, name: impl AsRef<Path>) -> io::Result<Self> {
        let name = name.as_ref();
        let descriptor = rustix::fs::openat(&self.descriptor, name, FLAGS | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { descriptor, path: self.path.join(name) })
    }

    /// Opens a directory of this one and makes it first, durably, where it is not there.
    pub(super) fn make_child(&self, name: impl AsRef<Path>) -> io::Result<Self> {
        let name = name.as_ref();
        match rustix::fs::mkdirat(&self.descriptor, name, Mode::from_raw_mode(DIRECTORY_MODE)) {
            Ok(()) => {
                let child = self.child(name)?;
                rustix::fs::fchmod(&child.descriptor, Mode::from_raw_mode(DIRECTORY_MODE))?;
                self.sync()?;
                Ok(child)
            }
            Err(rustix::io::Errno::EXIST) => self.child(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a regular file of this directory for reading.
    pub(super) fn file(&self, name: &str) -> io::Result<std::fs::File> {
        // Without `NONBLOCK` a FIFO of that name would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = std::fs::File::from(rustix::fs::openat(&self.descriptor, name, flags, Mode::empty())?);
        if file.metadata()?.is_file() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
        }
    }

    /// The size of a regular file of this directory; `None` where there is nothing, or something else.
    pub(super) fn file_size(&self, name: &str) -> io::Result<Option<u64>> {
        match rustix::fs::statat(&self.descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(u64::try_from(stat.st_size).ok())
            }
            Ok(_) | Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file of this directory, durably; whether it was there.
    pub(super) fn remove(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::unlinkat(&self.descriptor, name, AtFlags::empty()) {
            Ok(()) => self.sync().map(|()| true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Brings the names in this directory to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.descriptor)?)
    }
}
