//! The releases of a production directory: the live one, the kept ones, the next one.
//!
//! A release is made in a directory of its own that nobody reads, brought to the disk, and becomes live by one rename
//! of the symlink that production is. Interrupted at any moment, the one before is live; what was half-made is removed
//! when the releases are opened again. The caller sees to it that one process alone has them open (the controller's
//! lock); a [`Shelf`] is for those that only look.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::chronicle::Chronicle;
use super::compose::{Base, Contents, Incoming, restore};
use super::error::ReleaseError;
use super::kept::Release;
use super::layout::{self, Layout, Live, sync_directory};
use super::record::{About, Origin, Record};
use super::staging::Staging;
use super::{adopt, guard, tree};
use crate::core::names::{BuildId, Epoch, ReleaseName, Timestamp};
use crate::core::package::Cpv;
use crate::failpoint::Failpoint;
use crate::portage::index::{PackagePath, Stanza};

/// The releases of one production directory, to be read. Nothing is made or changed.
#[derive(Debug, Clone)]
pub struct Shelf {
    layout: Layout,
}

/// The releases of one production directory, for whoever has them for itself.
#[derive(Debug, Clone)]
pub struct Releases {
    shelf: Shelf,
    adopted: Option<Release>,
}

impl Deref for Releases {
    type Target = Shelf;

    fn deref(&self) -> &Shelf {
        &self.shelf
    }
}

/// A release that has become live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The release.
    pub release: Release,
    /// The one that was live before.
    pub before: Option<Release>,
    /// Its TIMESTAMP.
    pub timestamp: Timestamp,
    /// How many of its files are hard links.
    pub linked: usize,
    /// How many had to be copied, since they lie on another file system or cannot be linked.
    pub copied: usize,
    /// How long the step took in which clients came from the one to the other.
    pub swap: Duration,
}

/// What kept releases have of packages that were received.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Those that were signed for a release, which made other files of them; as they were released.
    pub signed: BTreeMap<PackagePath, Incoming>,
    /// Those that were released as they were received.
    pub as_received: BTreeSet<PackagePath>,
}

impl Shelf {
    /// Looks at the releases of a production directory.
    ///
    /// # Errors
    /// Production has no name of its own.
    pub fn look(production: &Path) -> Result<Self, ReleaseError> {
        Ok(Self { layout: Layout::new(production)? })
    }

    /// The id of the release that is live. `None` where there is none, or a directory not yet adopted.
    ///
    /// # Errors
    /// Production is something else than a directory or a symlink to a release, or cannot be read.
    pub fn live(&self) -> Result<Option<ReleaseName>, ReleaseError> {
        Ok(match self.layout.live()? {
            Live::Release(name) | Live::Adopting(name) => Some(name),
            Live::Nothing | Live::Directory => None,
        })
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

    /// A kept release.
    ///
    /// # Errors
    /// There is none of this id.
    pub fn find(&self, name: &ReleaseName) -> Result<Release, ReleaseError> {
        let kept = self.layout.list()?;
        match kept.contains(name) {
            true => Ok(self.release(name.clone())),
            false => Err(ReleaseError::Unknown { name: name.clone(), kept }),
        }
    }

    /// The kept releases and how they stand to each other.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn chronicle(&self) -> Result<Chronicle, ReleaseError> {
        let live = self.live()?;
        let about = |release: Release| Ok((release.record()?.map(|record| record.about), release.name));
        let kept: Result<Vec<_>, ReleaseError> = self.list()?.into_iter().map(about).collect();
        Ok(Chronicle::new(kept?.into_iter().map(|(about, name)| (name, about)), live))
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

    /// What is live as the base of the next release; a directory that is not adopted yet, too.
    ///
    /// # Errors
    /// Its index cannot be read.
    pub fn base(&self) -> Result<Base, ReleaseError> {
        match self.layout.live()? {
            Live::Nothing => Ok(Base::default()),
            Live::Release(name) => self.release(name).base(),
            Live::Adopting(name) => Release { name, root: self.layout.production() }.base(),
            Live::Directory => {
                let name = next_name(&self.layout.list()?, Epoch::default());
                Release { name, root: self.layout.production() }.base()
            }
        }
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

    /// Which of these packages, as they were received (path and SHA1), kept releases have: what was released under a path
    /// stays what the path names.
    ///
    /// # Errors
    /// A release cannot be read.
    pub fn known(&self, received: &BTreeMap<&PackagePath, &str>) -> Result<Known, ReleaseError> {
        let mut known = Known::default();
        for release in self.list()?.into_iter().rev() {
            let Some(record) = release.record()? else {
                // Of one that was found here the index has to tell.
                let has = |stanza: &Stanza| received.get(stanza.path()).is_some_and(|sum| stanza.sha1() == Some(sum));
                let stanzas = release.index()?.stanzas;
                known
                    .as_received
                    .extend(stanzas.iter().filter(|stanza| has(stanza)).map(|stanza| stanza.path().clone()));
                continue;
            };
            let is = |path: &PackagePath, sha1: Option<&str>| received.get(path).is_some_and(|sum| sha1 == Some(sum));
            let has = record.files.iter().filter(|(path, file)| is(path, Some(&file.sha1)));
            known.as_received.extend(has.map(|(path, _)| path.clone()));
            let signed_form =
                |path: &PackagePath| is(path, record.files.get(path).and_then(|file| file.received.as_deref()));
            if record.files.keys().any(|path| signed_form(path) && !known.signed.contains_key(path)) {
                let base = release.base()?;
                for package in base.packages().filter(|package| signed_form(package.stanza.path())) {
                    known.signed.entry(package.stanza.path().clone()).or_insert(package);
                }
            }
        }
        Ok(known)
    }

    /// A release with just what an earlier one had, and those of its entries that cannot be had any more. Published, it is
    /// a new one: its TIMESTAMP is later than any before, so that clients see it at once.
    ///
    /// # Errors
    /// There is no such release, or it cannot be read.
    pub fn restored(&self, earlier: &ReleaseName) -> Result<(Contents, Vec<String>), ReleaseError> {
        let base = self.find(earlier)?.base()?;
        Ok((restore(&base, &self.base()?)?, base.left_out))
    }

    fn release(&self, name: ReleaseName) -> Release {
        Release { root: self.layout.release(&name), name }
    }
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
        let shelf = Shelf::look(production)?;
        guard::refuse_pkgdir(&shelf.layout, own_pkgdir.unwrap_or(Path::new(guard::DEFAULT_PKGDIR)))?;
        shelf.layout.make()?;
        let mut releases = Self { shelf, adopted: None };
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

    /// The directory in which packages are signed for the next release, on its file system. Nothing of before is left in
    /// it: what went into a release has its own links there.
    ///
    /// # Errors
    /// What is in it cannot be removed.
    pub fn clear_workshop(&self) -> Result<PathBuf, ReleaseError> {
        let workshop = self.layout.signed();
        layout::remove(&workshop)?;
        Ok(workshop)
    }

    /// Makes a release and makes it live. The one before is kept.
    ///
    /// # Errors
    /// An entry of the index does not have its file, the id is not later than the live one's, input or output. The one
    /// before is live then, and nothing is left of the new one.
    pub fn publish(
        &self,
        contents: &Contents,
        name: &ReleaseName,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Published, ReleaseError> {
        self.publish_while(contents, name, origin, now, || true)
    }

    /// The same where that may still be once it is made: a large one takes its time.
    ///
    /// # Errors
    /// It may not be any more, or as with [`Releases::publish`].
    pub fn publish_while(
        &self,
        contents: &Contents,
        name: &ReleaseName,
        origin: Origin,
        now: Timestamp,
        may_be: impl FnOnce() -> bool,
    ) -> Result<Published, ReleaseError> {
        let before = self.current()?;
        self.refuse_earlier(name, before.as_ref())?;
        let timestamp = self.next_timestamp(now)?;
        let content = match &origin {
            Origin::Rollback(to) => self.chronicle()?.content(to).clone(),
            Origin::Build(_) | Origin::PartOf(_) => name.clone(),
        };
        let half_made = self.layout.new_release(name);
        let made = self.make(contents, &half_made, timestamp).and_then(|made| {
            let about = About {
                made: now,
                origin,
                content,
                before: before.as_ref().map(|before| before.name.clone()),
                packages: contents.index.stanzas.len(),
                bytes: contents.index.stanzas.iter().filter_map(|stanza| stanza.size()).sum(),
            };
            Record { about, files: made.files }.write(&self.layout.record(name))?;
            Ok((made.linked, made.copied))
        });
        let (linked, copied) = match made {
            Ok(made) => made,
            Err(error) => {
                // It is removed when the releases are opened again, if not now.
                let _ = layout::remove(&half_made);
                return Err(error);
            }
        };
        if !may_be() {
            layout::remove(&half_made)?;
            return Err(ReleaseError::TooLate { name: name.clone() });
        }
        let swap = self.swap(name, &half_made)?;
        Ok(Published { release: self.release(name.clone()), before, timestamp, linked, copied, swap })
    }

    /// Points production to what was live before a release that nobody has read.
    ///
    /// # Errors
    /// Input or output; what is live then is told by [`Shelf::live`].
    pub fn take_back(&self, published: &Published) -> Result<(), ReleaseError> {
        match &published.before {
            Some(before) => self.layout.point_to(&before.root).map(|_| ()),
            None => self.layout.point_to_nothing(),
        }
    }

    /// Removes the earliest releases, so that so many are left; never the one that is live or was just before.
    ///
    /// # Errors
    /// One cannot be removed; those before it are.
    pub fn prune(&self, keep: usize) -> Result<Vec<ReleaseName>, ReleaseError> {
        let surplus = self.chronicle()?.surplus(keep);
        for name in &surplus {
            self.layout.remove(name)?;
        }
        Ok(surplus)
    }

    /// Makes a release that nobody reads yet, and brings it to the disk.
    fn make(&self, contents: &Contents, root: &Path, timestamp: Timestamp) -> Result<tree::Made, ReleaseError> {
        layout::remove(root)?;
        let mut made = tree::make(root, &contents.entries)?;
        tree::linger(root, &contents.lingering)?;
        if let Some(base) = &contents.base {
            tree::carry(base, root, Path::new(""), &mut made)?;
        }
        // What does not read of the base's is packed anew.
        let before = contents.base.as_ref().and_then(|base| std::fs::read(base.join(tree::INDEX[1])).ok());
        tree::write_index(root, &contents.index, timestamp, &before.unwrap_or_default())?;
        tree::sync(root)?;
        Ok(made)
    }

    /// Gives a release its name and points production to it.
    fn swap(&self, name: &ReleaseName, half_made: &Path) -> Result<Duration, ReleaseError> {
        let root = self.layout.release(name);
        // A release of that name was never live: the name is later than the live one's.
        layout::remove(&root)?;
        Failpoint::BeforeRelease.pass();
        std::fs::rename(half_made, &root).map_err(ReleaseError::doing("rename", half_made))?;
        Failpoint::AfterRelease.pass();
        sync_directory(&self.layout.releases())?;
        self.layout.point_to(&root)
    }

    /// With nothing live it is held against the kept ones; the latest may be what an interruption left.
    fn refuse_earlier(&self, name: &ReleaseName, live: Option<&Release>) -> Result<(), ReleaseError> {
        let before = match live {
            Some(live) => Some(live.name.clone()).filter(|live| name.parts() <= live.parts()),
            None => self.layout.list()?.pop().filter(|latest| name.parts() < latest.parts()),
        };
        before.map_or(Ok(()), |before| Err(ReleaseError::NotLater { name: name.clone(), before }))
    }
}

/// Behind all kept releases, of whatever epoch.
fn next_name(kept: &[ReleaseName], epoch: Epoch) -> ReleaseName {
    let number = kept.iter().filter_map(ReleaseName::parts).map(|(_, number)| number).max().unwrap_or(0);
    ReleaseName::new(epoch, number + 1)
}

#[cfg(test)]
mod tests;
