//! The releases of a production directory: the live one, the kept ones, the next one.
//!
//! A release is made in a directory of its own that nobody reads, brought to the disk, and becomes live by one rename
//! of the symlink that production is. Interrupted at any moment, the one before is live; what was half-made is removed
//! when the releases are opened again. The caller sees to it that one process alone has them open (the controller's
//! lock); [`live`] is for those that only look.

use std::io::{BufRead, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::compose::{Base, Contents};
use super::error::ReleaseError;
use super::layout::{Layout, Live, sync_directory};
use super::staging::Staging;
use super::{adopt, guard, tree};
use crate::core::names::{BuildId, Epoch, ReleaseName, Timestamp};
use crate::core::package::Cpv;
use crate::failpoint::Failpoint;
use crate::portage::index::{Index, Limits, PackagePath};

/// How much of an index is read in search of its TIMESTAMP: headers have about a kilobyte.
const HEADER_LIMIT: u64 = 64 * 1024;

/// The releases of one production directory.
#[derive(Debug)]
pub struct Releases {
    layout: Layout,
    adopted: Option<Release>,
}

/// A kept release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub name: ReleaseName,
    /// Its directory.
    pub root: PathBuf,
}

/// A release that has become live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The release.
    pub release: Release,
    /// Its TIMESTAMP.
    pub timestamp: Timestamp,
    /// How many of its files are hard links.
    pub linked: usize,
    /// How many had to be copied, since they lie on another file system or cannot be linked.
    pub copied: usize,
}

/// The release that is live, without opening the releases. `None` where there is none, or a directory not yet adopted.
///
/// # Errors
/// Production is something else than a directory or a symlink to a release, or cannot be read.
pub fn live(production: &Path) -> Result<Option<ReleaseName>, ReleaseError> {
    Ok(match Layout::new(production)?.live()? {
        Live::Release(name) | Live::Adopting(name) => Some(name),
        Live::Nothing | Live::Directory => None,
    })
}

impl Releases {
    /// Opens the releases of a production directory. What an interruption left is removed or, in an adoption, finished;
    /// a directory that is there is adopted as a release; where nothing is there the first release will make it.
    ///
    /// `own_pkgdir` is the PKGDIR of this host's own Portage, its default where that is not known.
    ///
    /// # Errors
    /// Production overlaps with the PKGDIR, is no binhost, or cannot be adopted; input or output.
    pub fn open(production: &Path, own_pkgdir: Option<&Path>) -> Result<Self, ReleaseError> {
        let layout = Layout::new(production)?;
        guard::refuse_pkgdir(&layout, own_pkgdir.unwrap_or(Path::new(guard::DEFAULT_PKGDIR)))?;
        layout.make()?;
        let mut releases = Self { layout, adopted: None };
        match releases.layout.live()? {
            Live::Nothing | Live::Release(_) => releases.layout.clean()?,
            Live::Adopting(name) => {
                adopt::resume(&releases.layout, &name)?;
                releases.adopted = Some(releases.release(name));
            }
            Live::Directory => {
                releases.layout.clean()?;
                let kept = releases.layout.list()?;
                let epoch =
                    kept.iter().filter_map(ReleaseName::parts).map(|(epoch, _)| epoch).max().unwrap_or_default();
                let name = next_name(&kept, epoch);
                adopt::adopt(&releases.layout, &name)?;
                releases.adopted = Some(releases.release(name));
            }
        }
        Ok(releases)
    }

    /// The release that a directory became when these releases were opened.
    pub fn adopted(&self) -> Option<&Release> {
        self.adopted.as_ref()
    }

    /// Refuses a staging directory that clients would see.
    ///
    /// # Errors
    /// It overlaps with production or the releases.
    pub fn refuse_staging(&self, staging: &Staging) -> Result<(), ReleaseError> {
        guard::refuse_staging(&self.layout, staging.root())
    }

    /// The release that is live.
    ///
    /// # Errors
    /// Production was changed from outside, or cannot be read.
    pub fn current(&self) -> Result<Option<Release>, ReleaseError> {
        Ok(match self.layout.live()? {
            Live::Release(name) => Some(self.release(name)),
            Live::Nothing | Live::Directory | Live::Adopting(_) => None,
        })
    }

    /// The kept releases, the earliest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn list(&self) -> Result<Vec<Release>, ReleaseError> {
        Ok(self.layout.list()?.into_iter().map(|name| self.release(name)).collect())
    }

    /// The id of the next release in this epoch.
    ///
    /// # Errors
    /// The kept releases cannot be read.
    pub fn next_name(&self, epoch: Epoch) -> Result<ReleaseName, ReleaseError> {
        Ok(next_name(&self.layout.list()?, epoch))
    }

    /// The TIMESTAMP of a release made at `now`: later than that of any kept one, whatever the clocks said.
    ///
    /// # Errors
    /// The kept releases cannot be read.
    pub fn next_timestamp(&self, now: Timestamp) -> Result<Timestamp, ReleaseError> {
        let mut next = now;
        for release in self.list()? {
            if let Some(latest) = release.timestamp()? {
                next = next.max(Timestamp(latest.0.saturating_add(1)));
            }
        }
        Ok(next)
    }

    /// The live release as the base of the next one.
    ///
    /// # Errors
    /// Its index cannot be read.
    pub fn base(&self) -> Result<Base, ReleaseError> {
        self.current()?.map_or_else(|| Ok(Base::default()), |release| release.base())
    }

    /// The largest build id among the packages of all kept releases with this CPV.
    ///
    /// # Errors
    /// A release cannot be read.
    pub fn largest_build_id(&self, cpv: &Cpv) -> Result<Option<BuildId>, ReleaseError> {
        let mut largest = None;
        for release in self.list()? {
            largest = largest.max(release.largest_build_id(cpv)?);
        }
        Ok(largest)
    }

    /// Makes a release and makes it live. The one before is kept.
    ///
    /// # Errors
    /// An entry of the index does not have its file, the id is not later than the live one's, input or output. The one
    /// before is live then, and nothing is left of the new one.
    pub fn publish(&self, contents: &Contents, name: &ReleaseName, now: Timestamp) -> Result<Published, ReleaseError> {
        self.refuse_earlier(name)?;
        let timestamp = self.next_timestamp(now)?;
        let half_made = self.layout.new_release(name);
        let made = match self.make(contents, &half_made, timestamp) {
            Ok(made) => made,
            Err(error) => {
                // It is removed when the releases are opened again, if not now.
                let _ = std::fs::remove_dir_all(&half_made);
                return Err(error);
            }
        };
        self.swap(name, &half_made)?;
        Ok(Published { release: self.release(name.clone()), timestamp, linked: made.linked, copied: made.copied })
    }

    /// Makes a release that nobody reads yet, and brings it to the disk.
    fn make(&self, contents: &Contents, root: &Path, timestamp: Timestamp) -> Result<tree::Made, ReleaseError> {
        remove(root)?;
        let mut made = tree::make(root, &contents.entries)?;
        if let Some(base) = &contents.base {
            let carried = tree::carry(base, root, Path::new(""))?;
            made.linked += carried.linked;
            made.copied += carried.copied;
        }
        let (text, packed) = contents.index.to_files(timestamp).map_err(|error| {
            let source = std::io::Error::other(error);
            ReleaseError::io("write", root.join(tree::INDEX[0]), source)
        })?;
        tree::write_index(root, [&text, &packed], timestamp)?;
        tree::sync(root)?;
        Ok(made)
    }

    /// Gives a release its name and points production to it.
    fn swap(&self, name: &ReleaseName, half_made: &Path) -> Result<(), ReleaseError> {
        let root = self.layout.release(name);
        // A release of that name was never live: the name is later than the live one's.
        remove(&root)?;
        Failpoint::BeforeRelease.pass();
        std::fs::rename(half_made, &root).map_err(ReleaseError::doing("rename", half_made))?;
        Failpoint::AfterRelease.pass();
        sync_directory(&self.layout.releases())?;
        self.layout.point_to(&root)
    }

    /// With nothing live it is held against the kept ones; the latest may be what an interruption left.
    fn refuse_earlier(&self, name: &ReleaseName) -> Result<(), ReleaseError> {
        let before = match self.current()? {
            Some(live) => Some(live.name).filter(|live| name.parts() <= live.parts()),
            None => self.layout.list()?.pop().filter(|latest| name.parts() < latest.parts()),
        };
        before.map_or(Ok(()), |before| Err(ReleaseError::NotLater { name: name.clone(), before }))
    }

    fn release(&self, name: ReleaseName) -> Release {
        Release { root: self.layout.release(&name), name }
    }
}

impl Release {
    /// Its index; an empty one where it has none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn index(&self) -> Result<Index, ReleaseError> {
        let path = self.root.join(tree::INDEX[0]);
        let limits = Limits::default();
        let unreadable = |reason: String| ReleaseError::Index { name: self.name.clone(), reason };
        let file = match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Index::default()),
            file => file.map_err(ReleaseError::doing("open", &path))?,
        };
        let mut bytes = Vec::new();
        // One byte more than the limit is enough to be refused for it.
        let bound = u64::try_from(limits.bytes).unwrap_or(u64::MAX).saturating_add(1);
        file.take(bound).read_to_end(&mut bytes).map_err(ReleaseError::doing("read", &path))?;
        Index::parse(&bytes, limits).map_err(|error| unreadable(error.to_string()))
    }

    /// As the base of the next release: entries without a file are left out, clients cannot have them either.
    fn base(&self) -> Result<Base, ReleaseError> {
        let mut index = self.index()?;
        let mut left_out: Vec<String> = index
            .rejected
            .drain(..)
            .map(|rejected| format!("{}: {}", rejected.cpv.as_deref().unwrap_or("an entry"), rejected.reason))
            .collect();
        index.stanzas.retain(|stanza| {
            let there = std::fs::symlink_metadata(self.root.join(stanza.path().to_string()));
            let is_file = there.is_ok_and(|metadata| metadata.is_file());
            if !is_file {
                left_out.push(format!("{}: its file {} is not there", stanza.cpv(), stanza.path()));
            }
            is_file
        });
        Ok(Base { root: Some(self.root.clone()), index, left_out })
    }

    /// The latest moment that a client may have seen of its index: its TIMESTAMP or a modification time.
    fn timestamp(&self) -> Result<Option<Timestamp>, ReleaseError> {
        let mut latest = None;
        for path in tree::INDEX.map(|name| self.root.join(name)) {
            match std::fs::metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                metadata => {
                    let seconds = metadata.map_err(ReleaseError::doing("read", &path))?.mtime();
                    latest = latest.max(Some(Timestamp(seconds)));
                }
            }
        }
        Ok(latest.max(self.header_timestamp()?))
    }

    fn header_timestamp(&self) -> Result<Option<Timestamp>, ReleaseError> {
        let path = self.root.join(tree::INDEX[0]);
        let file = match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(ReleaseError::doing("open", &path))?,
        };
        for line in std::io::BufReader::new(file.take(HEADER_LIMIT)).split(b'\n') {
            let line = line.map_err(ReleaseError::doing("read", &path))?;
            if line.is_empty() {
                break;
            }
            if let Some(seconds) = line.strip_prefix(b"TIMESTAMP: ") {
                return Ok(String::from_utf8_lossy(seconds).trim().parse().ok().map(Timestamp));
            }
        }
        Ok(None)
    }

    fn largest_build_id(&self, cpv: &Cpv) -> Result<Option<BuildId>, ReleaseError> {
        let directory = self.root.join(cpv.package());
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            entries => entries.map_err(ReleaseError::doing("read", &directory))?,
        };
        let mut largest = None;
        for entry in entries {
            let name = entry.map_err(ReleaseError::doing("read", &directory))?.file_name();
            let path = name.to_str().and_then(|name| format!("{}/{name}", cpv.package()).parse::<PackagePath>().ok());
            largest = largest.max(path.filter(|path| path.cpv() == cpv).and_then(|path| path.build_id()));
        }
        Ok(largest)
    }
}

/// Behind all kept releases, of whatever epoch.
fn next_name(kept: &[ReleaseName], epoch: Epoch) -> ReleaseName {
    let number = kept.iter().filter_map(ReleaseName::parts).map(|(_, number)| number).max().unwrap_or(0);
    ReleaseName::new(epoch, number + 1)
}

/// Removes a tree, if it is there.
fn remove(path: &Path) -> Result<(), ReleaseError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ReleaseError::io("remove", path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
