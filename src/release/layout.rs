//! Where production and its releases are on the disk, and what production is at the moment.
//!
//! ```text
//! PARENT/NAME -> NAME.releases/ID      production: a symlink, relative, so that both can be moved together
//! PARENT/NAME.releases/ID              a release
//! PARENT/NAME.releases/ID.json         what is known of it
//! PARENT/NAME.releases/.new-ID         a release, or something for it, that is being made
//! PARENT/NAME.releases/.gone-ID        a release that is being removed
//! PARENT/NAME.releases/.adopt-ID       stands in for a directory while it is being adopted
//! PARENT/.NAME.swarm                   the next symlink, before it is renamed over the first
//! ```

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::directory::{self, Directory};
use super::error::ReleaseError;
use crate::core::names::ReleaseName;
use crate::failpoint::Failpoint;

/// Before the name of what is being made.
pub(super) const NEW: &str = ".new-";
/// Before the id of a release that is being removed.
const GONE: &str = ".gone-";
/// Before the id of a release that is being adopted.
const ADOPT: &str = ".adopt-";
/// Behind the id of a release that a record is of.
const RECORD: &str = ".json";

/// The places of one production.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    parent: PathBuf,
    name: OsString,
    /// `NAME.releases`.
    releases_name: OsString,
}

/// What production is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Live {
    /// There is nothing.
    Nothing,
    /// A directory, as an operator or another tool left it.
    Directory,
    /// A symlink to what stands in for that directory while it becomes this release.
    Adopting(ReleaseName),
    /// A symlink to this release.
    Release(ReleaseName),
}

impl Layout {
    /// The places for this path of production. Nothing is made.
    pub(super) fn new(production: &Path) -> Result<Self, ReleaseError> {
        let absolute = std::path::absolute(production).map_err(ReleaseError::doing("find", production))?;
        let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
            return Err(ReleaseError::NoPlace { production: production.to_owned() });
        };
        let mut releases_name = name.to_owned();
        releases_name.push(".releases");
        Ok(Self { parent: parent.to_owned(), name: name.to_owned(), releases_name })
    }

    pub(super) fn production(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    pub(super) fn releases(&self) -> PathBuf {
        self.parent.join(&self.releases_name)
    }

    pub(super) fn release(&self, name: &ReleaseName) -> PathBuf {
        self.releases().join(name.as_str())
    }

    /// Where a release is made.
    pub(super) fn new_release(&self, name: &ReleaseName) -> PathBuf {
        self.releases().join(format!("{NEW}{name}"))
    }

    /// What is known of a release.
    pub(super) fn record(&self, name: &ReleaseName) -> PathBuf {
        record_of(&self.release(name))
    }

    /// Where packages are signed.
    pub(super) fn signed(&self) -> PathBuf {
        self.releases().join(format!("{NEW}signed"))
    }

    /// What stands in for a directory that is being adopted.
    pub(super) fn stand_in(&self, name: &ReleaseName) -> PathBuf {
        self.releases().join(format!("{ADOPT}{name}"))
    }

    /// Where the next symlink is made; during an adoption it is for a moment the directory that was production.
    pub(super) fn next(&self) -> PathBuf {
        let mut name = OsString::from(".");
        name.push(&self.name);
        name.push(".swarm");
        self.parent.join(name)
    }

    /// Makes the directories around the releases.
    pub(super) fn make(&self) -> Result<(), ReleaseError> {
        let releases = self.releases();
        std::fs::create_dir_all(&self.parent).map_err(ReleaseError::doing("make", &self.parent))?;
        let parent = Directory::open(&self.parent).map_err(ReleaseError::doing("open", &self.parent))?;
        parent.make_child(&self.releases_name).map_err(ReleaseError::doing("make", &releases))?;
        Ok(())
    }

    /// What production is now.
    pub(super) fn live(&self) -> Result<Live, ReleaseError> {
        let production = self.production();
        let kind = match std::fs::symlink_metadata(&production) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Live::Nothing),
            metadata => metadata.map_err(ReleaseError::doing("read", &production))?.file_type(),
        };
        if kind.is_dir() {
            return Ok(Live::Directory);
        }
        let foreign =
            |found| ReleaseError::Foreign { production: production.clone(), found, releases: self.releases() };
        if !kind.is_symlink() {
            return Err(foreign("a file".to_owned()));
        }
        let target = std::fs::read_link(&production).map_err(ReleaseError::doing("read", &production))?;
        let live = self.release_of(&target).ok_or_else(|| foreign(format!("a symlink to {}", target.display())))?;
        if self.parent.join(&target).is_dir() {
            return Ok(live);
        }
        let name = target.display().to_string();
        Err(ReleaseError::Dangling { production, name, releases: self.releases() })
    }

    fn release_of(&self, target: &Path) -> Option<Live> {
        let target = self.parent.join(target);
        let directory = target.strip_prefix(self.releases()).ok()?.to_str()?;
        match directory.strip_prefix(ADOPT) {
            Some(name) => release_name(name).map(Live::Adopting),
            None => release_name(directory).map(Live::Release),
        }
    }

    /// The kept releases, the earliest first.
    pub(super) fn list(&self) -> Result<Vec<ReleaseName>, ReleaseError> {
        let mut names: Vec<_> =
            self.entries()?.iter().filter_map(|name| name.to_str()).filter_map(release_name).collect();
        names.sort_by_key(ReleaseName::parts);
        Ok(names)
    }

    /// Removes what was left half-made or half-removed: releases, stand-ins, records without a release, the next symlink.
    pub(super) fn clean(&self) -> Result<(), ReleaseError> {
        for name in self.entries()? {
            let Some(name) = name.to_str() else { continue };
            let is_half = [NEW, ADOPT, GONE].iter().any(|prefix| name.starts_with(prefix));
            let is_record = |release: ReleaseName| !self.release(&release).exists();
            if is_half || name.strip_suffix(RECORD).and_then(release_name).is_some_and(is_record) {
                remove(&self.releases().join(name))?;
            }
        }
        remove_link(&self.next())
    }

    /// Removes a release: it is there whole, or it is no release any more.
    pub(super) fn remove(&self, name: &ReleaseName) -> Result<(), ReleaseError> {
        let (release, gone) = (self.release(name), self.releases().join(format!("{GONE}{name}")));
        remove(&gone)?;
        std::fs::rename(&release, &gone).map_err(ReleaseError::doing("rename", release))?;
        sync_directory(&self.releases())?;
        remove(&gone)?;
        remove_link(&self.record(name))
    }

    /// Takes production away, in one step, where nothing was there before the release that it points to.
    pub(super) fn point_to_nothing(&self) -> Result<(), ReleaseError> {
        remove_link(&self.production())?;
        self.sync_parent()
    }

    fn entries(&self) -> Result<Vec<OsString>, ReleaseError> {
        let releases = self.releases();
        let entries = directory::entries(&releases).map_err(ReleaseError::doing("read", &releases))?;
        Ok(entries.iter().map(std::fs::DirEntry::file_name).collect())
    }

    /// Points production to a directory of the releases, in one step: clients see what was there before or this.
    /// How long that step took; that it outlives a power cut takes longer, and no client waits for it.
    pub(super) fn point_to(&self, directory: &Path) -> Result<Duration, ReleaseError> {
        let next = self.make_next(directory)?;
        Failpoint::BeforeSwap.pass();
        let begun = Instant::now();
        std::fs::rename(&next, self.production()).map_err(ReleaseError::doing("rename", &next))?;
        let took = begun.elapsed();
        Failpoint::AfterSwap.pass();
        self.sync_parent()?;
        Ok(took)
    }

    /// Makes the next symlink, to a directory of the releases.
    pub(super) fn make_next(&self, directory: &Path) -> Result<PathBuf, ReleaseError> {
        let next = self.next();
        remove_link(&next)?;
        let target = Path::new(&self.releases_name).join(directory.file_name().unwrap_or(OsStr::new("")));
        std::os::unix::fs::symlink(target, &next).map_err(ReleaseError::doing("make", &next))?;
        Ok(next)
    }

    /// Brings the name of production to the disk.
    pub(super) fn sync_parent(&self) -> Result<(), ReleaseError> {
        sync_directory(&self.parent)
    }
}

/// Where the record of a release with this directory is.
pub(super) fn record_of(root: &Path) -> PathBuf {
    let mut path = root.as_os_str().to_owned();
    path.push(RECORD);
    path.into()
}

/// Brings the names in a directory to the disk.
pub(super) fn sync_directory(path: &Path) -> Result<(), ReleaseError> {
    Directory::open(path).and_then(|directory| directory.sync()).map_err(ReleaseError::doing("write", path))
}

/// The name of a release directory; other names in there are none.
fn release_name(text: &str) -> Option<ReleaseName> {
    let name: ReleaseName = text.parse().ok()?;
    let (epoch, number) = name.parts()?;
    (ReleaseName::new(epoch, number) == name).then_some(name)
}

/// Removes a tree or a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), ReleaseError> {
    let removed = match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => std::fs::remove_file(path),
        removed => removed,
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ReleaseError::io("remove", path, error)),
        _ => Ok(()),
    }
}

fn remove_link(path: &Path) -> Result<(), ReleaseError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ReleaseError::io("remove", path, error)),
        _ => Ok(()),
    }
}
