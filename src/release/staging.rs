//! The staging directory on the controller: packages that were received, not yet released.
//!
//! ```text
//! ROOT/.incoming/JOB/…                    a job's download, until it is verified
//! ROOT/CAT/PN/PF-BUILDID.gpkg.tar         a received package, at the path that it will have at the binhost
//! ```
//!
//! Both are on one file system, so that a verified package is admitted by a rename: it is there whole or not at all.
//! What is in place is never overwritten. No symlink below the root is followed.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;

use super::directory::{Directory, FILE_MODE, entries};
use super::file_error::FileError;
use super::{imprint, tree};
use crate::core::event::Imprint;
use crate::core::names::{BuildId, JobName};
use crate::core::package::Cpv;
use crate::disk;
use crate::failpoint::Failpoint;
use crate::portage::index::PackagePath;
use crate::side_by_side::side_by_side;

/// Where downloads lie below the root; no category has that name.
const INCOMING: &str = ".incoming";

/// Where copies from elsewhere lie below that until they are complete; they are no job's.
const COPIES: &str = "copies";

/// So many packages are removed at once.
const REMOVED_AT_ONCE: usize = 16;

/// A file that is written to see whether there is room; no package has that name.
const ROOM: &str = ".room";

/// What went wrong in staging.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// Input or output.
    #[error(transparent)]
    Io(FileError),
    /// The file system of the staging directory is full, or its quota used up.
    #[error(
        "staging is full: no space is left at {}; free some there or point `staging` to a larger file system, then \
         run `swarm push` again: what was received so far is kept", .path.display()
    )]
    Full {
        /// The file that did not fit.
        path: PathBuf,
    },
    /// A path that is none of `CAT/PN/PF-BUILDID.gpkg.tar`.
    #[error("{path} has no place in staging: category/name/name-version-BUILDID.gpkg.tar is expected")]
    NoPlace {
        /// The path.
        path: PackagePath,
    },
    /// A file to be admitted that is not a job's download.
    #[error("{} is not a file directly in a job's directory below {}", .file.display(), .incoming.display())]
    NotIncoming {
        /// The file.
        file: PathBuf,
        /// Where downloads lie.
        incoming: PathBuf,
    },
    /// Another package is at that path already.
    #[error(
        "another package is already at {}, and what is received is never overwritten: a build id was given twice; \
         `swarm reset` forgets the build that it belongs to", .path.display()
    )]
    Occupied {
        /// The file that is there.
        path: PathBuf,
    },
}

impl StagingError {
    /// An error of input or output below a staging directory; a full file system is told apart.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let error = FileError { action, path: path.into(), source: source.into() };
        if error.is_full() { Self::Full { path: error.path } } else { Self::Io(error) }
    }
}

/// How a package came to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It is there now.
    New,
    /// The same bytes had been there before.
    AlreadyThere,
}

/// A received package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Staged {
    /// Its path below the root of staging, and later of the binhost.
    pub path: PackagePath,
    /// Its size in bytes.
    pub size: u64,
}

/// The staging directory.
#[derive(Debug)]
pub struct Staging {
    root: Directory,
    incoming: Directory,
}

impl Staging {
    /// Opens the directory, and makes it where it is not there.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn open(root: &Path) -> Result<Self, StagingError> {
        std::fs::create_dir_all(root).map_err(|source| StagingError::io("make", root, source))?;
        let root = Directory::open(root).map_err(|source| StagingError::io("open", root, source))?;
        let incoming = make(&root, INCOMING)?;
        Ok(Self { root, incoming })
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root.path
    }

    /// Where the downloads of a job are to be written; the directory is made.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn incoming(&self, job: &JobName) -> Result<PathBuf, StagingError> {
        make(&self.incoming, job.as_str()).map(|directory| directory.path)
    }

    /// The jobs that have a directory for downloads.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn incoming_jobs(&self) -> Result<Vec<JobName>, StagingError> {
        let mut jobs: Vec<JobName> =
            directories(&self.incoming.path)?.iter().filter_map(|name| name.parse().ok()).collect();
        jobs.sort();
        Ok(jobs)
    }

    /// Removes the downloads of a job, if there are any.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn discard(&self, job: &JobName) -> Result<(), StagingError> {
        let path = self.incoming.path.join(job.as_str());
        match std::fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StagingError::io("remove", path, source)),
            _ => Ok(()),
        }
    }

    /// Makes sure that there is room for downloads: for whoever knows only that writing one has failed.
    ///
    /// # Errors
    /// [`StagingError::Full`] where there is none; another error where a file cannot be written for another reason.
    pub fn require_room(&self, job: &JobName) -> Result<(), StagingError> {
        let directory = self.incoming(job)?;
        disk::require(&directory, ROOM).map_err(|source| StagingError::io("write", directory.join(ROOM), source))
    }

    /// Moves a verified download to its place. It is on the disk, name and all, when this returns.
    ///
    /// # Errors
    /// The file is no download, the path is none of a build, another package is there, the disk is full or fails.
    pub fn admit(&self, file: &Path, path: &PackagePath) -> Result<Admitted, StagingError> {
        if path.build_id().is_none() {
            return Err(StagingError::NoPlace { path: path.clone() });
        }
        let (job, name) = self.job_and_name(file)?;
        let from = self.incoming.child(job).map_err(|source| StagingError::io("open", file, source))?;
        let content = from.file(name).map_err(|source| StagingError::io("open", file, source))?;
        rustix::fs::fchmod(&content, Mode::from_raw_mode(FILE_MODE))
            .map_err(|source| StagingError::io("make readable", file, source))?;
        content.sync_all().map_err(|source| StagingError::io("write", file, source))?;

        let (to, final_name) = self.place(path)?;
        let final_name = final_name.as_str();
        let target = to.path.join(final_name);
        Failpoint::BeforeAdmit.pass();
        let moved = move_without_replacing(&from, name, &to, final_name);
        Failpoint::AfterAdmit.pass();
        match moved {
            Ok(()) => {
                to.sync().map_err(|source| StagingError::io("write", &to.path, source))?;
                from.sync().map_err(|source| StagingError::io("write", &from.path, source))?;
                Ok(Admitted::New)
            }
            Err(Errno::EXIST) => {
                let there = to.file(final_name).map_err(|source| StagingError::io("open", &target, source))?;
                let same = same_bytes(content, there).map_err(|source| StagingError::io("read", &target, source))?;
                if !same {
                    return Err(StagingError::Occupied { path: target });
                }
                from.remove(name).map_err(|source| StagingError::io("remove", file, source))?;
                Ok(Admitted::AlreadyThere)
            }
            Err(source) => Err(StagingError::io("rename", file, source)),
        }
    }

    /// Stages a package that lies elsewhere on this machine, for example in a release, where it stays. A link where
    /// that can be, else a copy; on the disk, name and all, when this returns.
    ///
    /// # Errors
    /// As [`Staging::admit`]; the file is not there.
    pub fn admit_copy(&self, file: &Path, path: &PackagePath) -> Result<Admitted, StagingError> {
        let directory = make(&self.incoming, COPIES)?;
        let (_, _, name) = names(path);
        let copy = directory.path.join(&name);
        // What an interruption left may be half of another file.
        directory.remove(&name).map_err(|source| StagingError::io("remove", &copy, source))?;
        tree::bring(file, &copy).map_err(|source| StagingError::io("stage", file, source))?;
        self.admit(&copy, path)
    }

    /// Where a package lies, or would lie.
    pub fn file(&self, path: &PackagePath) -> PathBuf {
        self.root.path.join(path.to_string())
    }

    /// The size of a received package in bytes; `None` where it is not there.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn size(&self, path: &PackagePath) -> Result<Option<u64>, StagingError> {
        let failed = |source| StagingError::io("read", self.file(path), source);
        match self.find(path).map_err(failed)? {
            Some((directory, name)) => directory.file_size(&name).map_err(failed),
            None => Ok(None),
        }
    }

    /// A received package as the file system knows it; `None` where it is not there.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn imprint(&self, path: &PackagePath) -> Result<Option<Imprint>, StagingError> {
        let file = self.file(path);
        match std::fs::symlink_metadata(&file) {
            Ok(metadata) => Ok(metadata.is_file().then(|| imprint::of(&metadata))),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StagingError::io("read", file, source)),
        }
    }

    /// Removes a received package; whether it was there. Directories that are empty then are removed too.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, path: &PackagePath) -> Result<bool, StagingError> {
        let failed = |source| StagingError::io("remove", self.file(path), source);
        let removed = match self.find(path).map_err(failed)? {
            Some((directory, name)) => directory.remove(&name).map_err(failed)?,
            None => false,
        };
        if removed {
            self.remove_empty_parents(path);
        }
        Ok(removed)
    }

    /// Removes received packages, as far as they are there.
    ///
    /// # Errors
    /// One cannot be removed.
    pub fn remove_all(&self, paths: &[&PackagePath]) -> Result<(), StagingError> {
        // One after the other each would wait for the disk.
        side_by_side(paths, REMOVED_AT_ONCE, |path| self.remove(path).map(|_| ())).into_iter().collect()
    }

    /// The received packages in the order of their paths. Whatever else lies in the directory is passed over.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn list(&self) -> Result<Vec<Staged>, StagingError> {
        let mut list = Vec::new();
        for category in directories(&self.root.path)? {
            for package in directories(&self.root.path.join(&category))? {
                self.list_package(&format!("{category}/{package}"), &mut list)?;
            }
        }
        list.sort();
        Ok(list)
    }

    /// The largest build id among the received packages with this CPV.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn largest_build_id(&self, cpv: &Cpv) -> Result<Option<BuildId>, StagingError> {
        let mut list = Vec::new();
        if directories(&self.root.path.join(cpv.category()))?.iter().any(|name| name == cpv.name()) {
            self.list_package(cpv.package(), &mut list)?;
        }
        Ok(list.iter().filter(|staged| staged.path.cpv() == cpv).filter_map(|staged| staged.path.build_id()).max())
    }

    /// The packages in `CAT/PN`.
    fn list_package(&self, package: &str, list: &mut Vec<Staged>) -> Result<(), StagingError> {
        let directory = self.root.path.join(package);
        let failed = |source| StagingError::io("read", &directory, source);
        for entry in entries(&directory).map_err(failed)? {
            let name = entry.file_name();
            let path = name.to_str().and_then(|name| format!("{package}/{name}").parse::<PackagePath>().ok());
            let metadata = entry.metadata().map_err(failed)?;
            if let Some(path) = path.filter(|path| metadata.is_file() && path.build_id().is_some()) {
                list.push(Staged { path, size: metadata.len() });
            }
        }
        Ok(())
    }

    /// The names of job and file of a download.
    fn job_and_name<'a>(&self, file: &'a Path) -> Result<(&'a str, &'a str), StagingError> {
        let names = || {
            let mut components = file.strip_prefix(&self.incoming.path).ok()?.components();
            let mut next = || match components.next() {
                Some(Component::Normal(name)) => name.to_str(),
                _ => None,
            };
            let names = (next()?, next()?);
            components.next().is_none().then_some(names)
        };
        names().ok_or_else(|| StagingError::NotIncoming { file: file.to_owned(), incoming: self.incoming.path.clone() })
    }

    /// The directory of a package, made where it is not there, and the package's name in it.
    fn place(&self, path: &PackagePath) -> Result<(Directory, String), StagingError> {
        let (category, package, file) = names(path);
        let category = make(&self.root, &category)?;
        Ok((make(&category, &package)?, file))
    }

    /// The directory of a package and the package's name in it; `None` where there is no such directory.
    fn find(&self, path: &PackagePath) -> io::Result<Option<(Directory, String)>> {
        let (category, package, file) = names(path);
        match self.root.child(category).and_then(|category| category.child(package)) {
            Ok(directory) => Ok(Some((directory, file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A directory that is not empty stays, and one that stays does no harm: the outcome does not matter.
    fn remove_empty_parents(&self, path: &PackagePath) {
        let cpv = path.cpv();
        for parent in [cpv.package(), cpv.category()] {
            if rustix::fs::unlinkat(&self.root.descriptor, parent, AtFlags::REMOVEDIR).is_err() {
                return;
            }
        }
    }
}

/// Category, package name and file name of a path in the layout of staging.
fn names(path: &PackagePath) -> (String, String, String) {
    let cpv = path.cpv();
    let text = path.to_string();
    let file = text.rsplit('/').next().unwrap_or_default();
    (cpv.category().to_owned(), cpv.name().to_owned(), file.to_owned())
}

fn make(directory: &Directory, name: &str) -> Result<Directory, StagingError> {
    directory.make_child(name).map_err(|source| match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOTDIR | Errno::LOOP) => StagingError::io(
            "write below",
            directory.path.join(name),
            io::Error::new(io::ErrorKind::NotADirectory, "it is a file or a symlink, which is not followed"),
        ),
        _ => StagingError::io("make", directory.path.join(name), source),
    })
}

/// The names of the directories in a directory; none where it is not there. Symlinks are none.
fn directories(path: &Path) -> Result<Vec<String>, StagingError> {
    let failed = |source| StagingError::io("read", path, source);
    let mut names = Vec::new();
    for entry in entries(path).map_err(failed)? {
        if entry.file_type().map_err(failed)?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Moves a file; `EXIST` where the new name is taken.
fn move_without_replacing(from: &Directory, name: &str, to: &Directory, new_name: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(&from.descriptor, name, &to.descriptor, new_name, RenameFlags::NOREPLACE) {
        // Some file systems (NFS) cannot do that; a second name is never made over another one anywhere.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_and_unlink(from, name, to, new_name),
        outcome => outcome,
    }
}

fn link_and_unlink(from: &Directory, name: &str, to: &Directory, new_name: &str) -> Result<(), Errno> {
    rustix::fs::linkat(&from.descriptor, name, &to.descriptor, new_name, AtFlags::empty())?;
    rustix::fs::unlinkat(&from.descriptor, name, AtFlags::empty())
}

fn same_bytes(one: std::fs::File, other: std::fs::File) -> io::Result<bool> {
    const PIECE: usize = 64 * 1024;
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (one, other);
    let (mut piece, mut other_piece) = (Vec::with_capacity(PIECE), Vec::with_capacity(PIECE));
    loop {
        piece.clear();
        other_piece.clear();
        (&mut one).take(PIECE as u64).read_to_end(&mut piece)?;
        (&mut other).take(PIECE as u64).read_to_end(&mut other_piece)?;
        if piece != other_piece {
            return Ok(false);
        }
        if piece.is_empty() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests;
