//! The tree of a release: hard links to packages, and an index.
//!
//! A link costs no space and is made in microseconds; where it is impossible (another file system, too many links to
//! one file, a foreign owner) the package is copied. One `syncfs` brings the whole tree to the disk instead of an
//! `fsync` for each of its directories.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use super::directory::{DIRECTORY_MODE, Directory, FILE_MODE};
use super::error::ReleaseError;
use crate::core::names::Timestamp;
use crate::portage::index::PackagePath;

/// The index and its packed form.
pub(super) const INDEX: [&str; 2] = ["Packages", "Packages.gz"];

/// A package for a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it is in the release.
    pub(super) path: PackagePath,
    /// Where it is now.
    pub(super) source: PathBuf,
    /// Its size in bytes as the index says.
    pub(super) size: u64,
}

/// How the files came into a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Made {
    pub(super) linked: usize,
    pub(super) copied: usize,
}

/// Makes a tree of these packages in a new directory, and holds each against its size.
pub(super) fn make(root: &Path, entries: &[Entry]) -> Result<Made, ReleaseError> {
    make_directory(root)?;
    let mut made = Made::default();
    for entry in entries {
        let path = entry.path.to_string();
        if let Some((parents, _)) = path.rsplit_once('/') {
            make_parents(root, parents)?;
        }
        let file = root.join(&path);
        match bring(&entry.source, &file) {
            Ok(true) => made.linked += 1,
            Ok(false) => made.copied += 1,
            Err(error) => return Err(unbrought(entry, &file, error)),
        }
        check(entry, &file)?;
    }
    Ok(made)
}

fn unbrought(entry: &Entry, file: &Path, error: io::Error) -> ReleaseError {
    match error.kind() {
        io::ErrorKind::NotFound => ReleaseError::Missing { path: entry.path.clone(), file: entry.source.clone() },
        io::ErrorKind::AlreadyExists => ReleaseError::Taken { path: entry.path.clone() },
        _ => ReleaseError::io("bring a package to", file, error),
    }
}

/// Holds an entry against its file.
fn check(entry: &Entry, file: &Path) -> Result<(), ReleaseError> {
    let found = std::fs::symlink_metadata(file).map_err(ReleaseError::doing("read", file))?;
    if !found.is_file() {
        return Err(ReleaseError::Missing { path: entry.path.clone(), file: entry.source.clone() });
    }
    if found.len() != entry.size {
        return Err(ReleaseError::Size {
            path: entry.path.clone(),
            expected: entry.size,
            found: found.len(),
            file: entry.source.clone(),
        });
    }
    Ok(())
}

/// Links a file, or copies it where that cannot be; whether it was linked. A symlink is brought as a symlink.
pub(super) fn bring(source: &Path, target: &Path) -> io::Result<bool> {
    let Err(error) = std::fs::hard_link(source, target) else { return Ok(true) };
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP) => copy(source, target).map(|()| false),
        _ => Err(error),
    }
}

/// Copies a regular file with its modification time, which the index speaks of.
fn copy(source: &Path, target: &Path) -> io::Result<()> {
    if !std::fs::symlink_metadata(source)?.is_file() {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    let mut from = std::fs::File::open(source)?;
    let mut to = std::fs::File::create_new(target)?;
    io::copy(&mut from, &mut to)?;
    to.set_permissions(std::fs::Permissions::from_mode(FILE_MODE))?;
    to.set_modified(from.metadata()?.modified()?)
}

/// Writes the index and its packed form, both with the TIMESTAMP as their modification time: clients compare that one.
pub(super) fn write_index(root: &Path, contents: [&[u8]; 2], timestamp: Timestamp) -> Result<(), ReleaseError> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(timestamp.0.unsigned_abs());
    for (name, content) in INDEX.iter().zip(contents) {
        let path = root.join(name);
        let write = || {
            let mut file = std::fs::File::create_new(&path)?;
            io::Write::write_all(&mut file, content)?;
            file.set_permissions(std::fs::Permissions::from_mode(FILE_MODE))?;
            file.set_modified(time)?;
            file.sync_all()
        };
        write().map_err(ReleaseError::doing("write", &path))?;
    }
    Ok(())
}

/// Brings the tree to the disk.
pub(super) fn sync(root: &Path) -> Result<(), ReleaseError> {
    let directory = Directory::open(root).map_err(ReleaseError::doing("open", root))?;
    rustix::fs::syncfs(&directory.descriptor).map_err(ReleaseError::doing("write", root))
}

/// Repeats a directory as a tree of links: regular files are linked, symlinks made anew. Nothing is copied, so the
/// tree is the same files.
pub(super) fn mirror(from: &Path, to: &Path) -> Result<(), ReleaseError> {
    make_directory(to)?;
    for entry in std::fs::read_dir(from).map_err(ReleaseError::doing("read", from))? {
        let entry = entry.map_err(ReleaseError::doing("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(ReleaseError::doing("read", &source))?;
        if kind.is_dir() {
            mirror(&source, &target)?;
        } else if kind.is_symlink() {
            let link = std::fs::read_link(&source).map_err(ReleaseError::doing("read", &source))?;
            std::os::unix::fs::symlink(link, &target).map_err(ReleaseError::doing("make", &target))?;
        } else if kind.is_file() {
            std::fs::hard_link(&source, &target).map_err(ReleaseError::doing("link", &source))?;
        }
    }
    Ok(())
}

/// Brings files that are no packages (a public key, a page) from one tree to the next.
pub(super) fn carry(from: &Path, to: &Path, below: &Path) -> Result<Made, ReleaseError> {
    let mut made = Made::default();
    let directory = from.join(below);
    for entry in std::fs::read_dir(&directory).map_err(ReleaseError::doing("read", &directory))? {
        let entry = entry.map_err(ReleaseError::doing("read", &directory))?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type().map_err(ReleaseError::doing("read", entry.path()))?;
        if kind.is_dir() {
            let inner = carry(from, to, &path)?;
            made.linked += inner.linked;
            made.copied += inner.copied;
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_carried) {
            if let Some(parents) = below.to_str() {
                make_parents(to, parents)?;
            }
            let target = to.join(&path);
            match bring(&entry.path(), &target).map_err(ReleaseError::doing("bring a file to", target))? {
                true => made.linked += 1,
                false => made.copied += 1,
            }
        }
    }
    Ok(made)
}

/// Neither a package, nor an index, nor what Portage leaves beside them.
fn is_carried(name: &str) -> bool {
    !name.starts_with(['.', '-'])
        && !name.starts_with("Packages")
        && !name.contains(".gpkg.tar")
        && ![".xpak", ".tbz2", ".partial", ".portage_lockfile"].iter().any(|suffix| name.ends_with(suffix))
}

fn make_parents(root: &Path, parents: &str) -> Result<(), ReleaseError> {
    let mut path = root.to_owned();
    for name in parents.split('/').filter(|name| !name.is_empty()) {
        path.push(name);
        if !path.is_dir() {
            make_directory(&path)?;
        }
    }
    Ok(())
}

fn make_directory(path: &Path) -> Result<(), ReleaseError> {
    std::fs::create_dir(path)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(DIRECTORY_MODE)))
        .map_err(ReleaseError::doing("make", path))
}
