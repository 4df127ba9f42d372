//! The tree of a release: hard links to packages, and an index.
//!
//! A link costs no space and is made in microseconds; where it is impossible (another file system, too many links to
//! one file, a foreign owner) the package is copied. Files are synced as they are written; the directories at the end,
//! many at once: one after the other each would wait for the disk, and a `syncfs` would wait for whatever else is being
//! written there.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use super::directory::{DIRECTORY_MODE, FILE_MODE};
use super::error::ReleaseError;
use super::imprint;
use super::layout::sync_directory;
use super::record::FileRecord;
use crate::core::event::Imprint;
use crate::core::names::Timestamp;
use crate::portage::index::{Index, PackagePath, Stanza};
use crate::side_by_side::side_by_side;

/// The index and its packed form.
pub(super) const INDEX: [&str; 2] = ["Packages", "Packages.gz"];

/// So many directories are brought to the disk at once: they wait, and a disk takes what waits together.
const SYNCED_AT_ONCE: usize = 16;

/// A package for a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its entry in the index, with the path that it has in the release.
    pub(super) stanza: Stanza,
    /// Where it is now.
    pub(super) source: PathBuf,
    /// The file as it was when it was known to be right.
    pub(super) known: Option<Imprint>,
    /// The SHA1 of what was received, where signing has made another file of it.
    pub(super) received: Option<String>,
    /// Whether it is signed, as releases are.
    pub(super) signed: bool,
}

/// How the files came into a tree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Made {
    pub(super) linked: usize,
    pub(super) copied: usize,
    /// The packages of the index.
    pub(super) files: BTreeMap<PackagePath, FileRecord>,
}

impl Made {
    fn count(&mut self, linked: bool) {
        match linked {
            true => self.linked += 1,
            false => self.copied += 1,
        }
    }
}

/// Makes a tree of these packages in a new directory, and holds each entry against the file that it then has there.
pub(super) fn make(root: &Path, entries: &[Entry]) -> Result<Made, ReleaseError> {
    make_directory(root)?;
    let mut made = Made::default();
    for entry in entries {
        let path = entry.stanza.path();
        let file = place(root, path)?;
        let linked = bring(&entry.source, &file).map_err(|error| unbrought(entry, &file, error))?;
        // A copy is another file than the known one, and what has been copied is what counts.
        let held = imprint::hold(&entry.stanza, &file, entry.known.filter(|_| linked)).and_then(|imprint| {
            if linked { Ok(imprint) } else { imprint::hash(&entry.stanza, &file).map(|()| imprint) }
        });
        let imprint = held.map_err(|flaw| imprint::stop(flaw, &entry.stanza, &entry.source))?;
        made.count(linked);
        let sha1 = entry.stanza.sha1().unwrap_or_default().to_owned();
        made.files
            .insert(path.clone(), FileRecord { sha1, imprint, received: entry.received.clone(), signed: entry.signed });
    }
    Ok(made)
}

/// Brings packages that no entry speaks of any more: clients that have read the index before are still on their way to
/// them. One that cannot be had is none that they could have had.
pub(super) fn linger(root: &Path, packages: &[(PackagePath, PathBuf)]) -> Result<(), ReleaseError> {
    for (path, source) in packages {
        let file = place(root, path)?;
        match bring(source, &file) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
                return Err(ReleaseError::io("bring a package to", file, error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The file of a package; the directories above it are made.
fn place(root: &Path, path: &PackagePath) -> Result<PathBuf, ReleaseError> {
    place_at(root, &path.to_string())
}

/// The same for a path that may be no package's.
pub(super) fn place_at(root: &Path, path: &str) -> Result<PathBuf, ReleaseError> {
    if let Some((parents, _)) = path.rsplit_once('/') {
        make_parents(root, parents)?;
    }
    Ok(root.join(path))
}

fn unbrought(entry: &Entry, file: &Path, error: io::Error) -> ReleaseError {
    let path = entry.stanza.path().clone();
    match error.kind() {
        io::ErrorKind::NotFound => ReleaseError::Missing { path, file: entry.source.clone() },
        io::ErrorKind::AlreadyExists => ReleaseError::Taken { path },
        _ => ReleaseError::io("bring a package to", file, error),
    }
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
    to.set_modified(from.metadata()?.modified()?)?;
    to.sync_all()
}

/// Writes the index and its packed form, both with the TIMESTAMP as their modification time: clients compare that one.
/// The one is on its way to the disk while the other is packed, from `before` as far as that has the same.
pub(super) fn write_index(root: &Path, index: &Index, timestamp: Timestamp, before: &[u8]) -> Result<(), ReleaseError> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(timestamp.0.unsigned_abs());
    let write = |path: &Path, content: &[u8]| {
        let mut file = std::fs::File::create_new(path)?;
        io::Write::write_all(&mut file, content)?;
        file.set_permissions(std::fs::Permissions::from_mode(FILE_MODE))?;
        file.set_modified(time)?;
        file.sync_all()
    };
    let files = index.to_files(timestamp);
    let make = |name: &&str| {
        let path = root.join(name);
        let written = match *name == INDEX[0] {
            true => write(&path, files.text.as_bytes()),
            false => files.packed(before).and_then(|packed| write(&path, &packed)),
        };
        written.map_err(ReleaseError::doing("write", &path))
    };
    side_by_side(&INDEX, INDEX.len(), make).into_iter().collect()
}

/// Brings the names in all directories of a tree to the disk.
pub(super) fn sync(root: &Path) -> Result<(), ReleaseError> {
    let mut directories = vec![root.to_owned()];
    let mut read = 0;
    while let Some(directory) = directories.get(read).cloned() {
        read += 1;
        for entry in std::fs::read_dir(&directory).map_err(ReleaseError::doing("read", &directory))? {
            let entry = entry.map_err(ReleaseError::doing("read", &directory))?;
            if entry.file_type().map_err(ReleaseError::doing("read", entry.path()))?.is_dir() {
                directories.push(entry.path());
            }
        }
    }
    side_by_side(&directories, SYNCED_AT_ONCE, |directory| sync_directory(directory)).into_iter().collect()
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
pub(super) fn carry(from: &Path, to: &Path, below: &Path, made: &mut Made) -> Result<(), ReleaseError> {
    let directory = from.join(below);
    for entry in std::fs::read_dir(&directory).map_err(ReleaseError::doing("read", &directory))? {
        let entry = entry.map_err(ReleaseError::doing("read", &directory))?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type().map_err(ReleaseError::doing("read", entry.path()))?;
        if kind.is_dir() {
            carry(from, to, &path, made)?;
        } else if kind.is_file() && entry.file_name().to_str().is_some_and(is_carried) {
            if let Some(parents) = below.to_str() {
                make_parents(to, parents)?;
            }
            let target = to.join(&path);
            made.count(bring(&entry.path(), &target).map_err(ReleaseError::doing("bring a file to", target))?);
        }
    }
    Ok(())
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

pub(super) fn make_directory(path: &Path) -> Result<(), ReleaseError> {
    std::fs::create_dir(path)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(DIRECTORY_MODE)))
        .map_err(ReleaseError::doing("make", path))
}
