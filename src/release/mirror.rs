//! The releases of another orchestrator, made here with the same ids: what is here already is linked, whatever it is
//! called; only the rest has to come.
//!
//! A release is told by a [`Manifest`]: its files with their sums, and its record. A file of it may lie here in another
//! release under the same path (a path once released never names other content), in staging, or in what was sent for a
//! release and not used (`.incoming/SHA1`). What is fetched lies in `RELEASES/.mirror/SHA1.part` until it has come to its
//! end, so that it goes on where it broke off.
//!
//! Cost: the indexes of the kept releases; each file that staging has is read once for its sum.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::error::ReleaseError;
use super::imprint;
use super::items::{Item, items};
use super::kept::Release;
use super::layout::{self, Layout, Live, sync_directory};
use super::record::Record;
use super::releases::Shelf;
use super::tree;
use crate::core::names::{ReleaseName, Timestamp};
use crate::portage::gpkg;
use crate::portage::index::{PackagePath, Stanza};

/// Where what is fetched lies, below the releases.
const FETCHED: &str = ".mirror";
/// Where another host puts what it sends for a release.
const INCOMING: &str = ".incoming";
/// Behind the name of a file that has not come to its end.
const PART: &str = ".part";
/// Held by whoever makes a release here from elsewhere.
const LOCK: &str = ".lock";

/// The releases of an orchestrator in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The one that clients see.
    pub live: Option<ReleaseName>,
    /// SHA-256 of the index of each; of one without an index that of nothing.
    pub indexes: BTreeMap<ReleaseName, String>,
}

impl Kept {
    /// Those of a production.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn of(shelf: &Shelf) -> Result<Self, ReleaseError> {
        let mut indexes = BTreeMap::new();
        for release in shelf.list()? {
            let text = match release.index_text() {
                Err(ReleaseError::Io(error)) if error.source.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                text => text?,
            };
            indexes.insert(release.name, data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(text)));
        }
        Ok(Self { live: shelf.live()?, indexes })
    }

    /// Those that these lack, or have otherwise, the earliest first.
    pub fn lacking(&self, here: &Self) -> Vec<ReleaseName> {
        let lacks = |(name, index): &(&ReleaseName, &String)| here.indexes.get(*name) != Some(*index);
        let mut names: Vec<_> = self.indexes.iter().filter(lacks).map(|(name, _)| name.clone()).collect();
        names.sort_by_key(ReleaseName::parts);
        names
    }
}

/// What a release consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its id.
    pub name: ReleaseName,
    /// Its files, by path.
    pub items: BTreeMap<String, Item>,
    /// What is known of it beside its index.
    pub record: Option<Record>,
}

impl Manifest {
    /// That of a kept release.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(shelf: &Shelf, name: &ReleaseName) -> Result<Self, ReleaseError> {
        let release = shelf.find(name)?;
        let sums = sums(shelf)?.into_iter().map(|(path, (sum, _))| (path, sum)).collect();
        let items = items(&release.root, &sums).map_err(ReleaseError::doing("read", &release.root))?;
        Ok(Self { name: release.name.clone(), items, record: release.record()? })
    }

    /// Whether all its files would lie in the release.
    fn is_sound(&self) -> bool {
        let stays = |path: &String| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        let is_sum = |sum: &String| sum.len() == 40 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.items.iter().all(|(path, item)| !path.is_empty() && stays(path) && is_sum(&item.sha1))
    }
}

/// The sums of what kept releases list, by path, and the release that has it.
fn sums(shelf: &Shelf) -> Result<BTreeMap<String, (String, Release)>, ReleaseError> {
    let mut sums = BTreeMap::new();
    for release in shelf.list()? {
        let sum = |stanza: &Stanza| Some((stanza.path().to_string(), stanza.sha1()?.to_ascii_lowercase()));
        let listed = release.index()?.stanzas;
        sums.extend(listed.iter().filter_map(sum).map(|(path, sum)| (path, (sum, release.clone()))));
    }
    Ok(sums)
}

/// A release that is being made as it is elsewhere.
#[derive(Debug)]
pub struct Draft {
    layout: Layout,
    manifest: Manifest,
    /// Where its files are here, as far as they are, by sum.
    here: BTreeMap<String, PathBuf>,
}

impl Draft {
    /// Looks for its files here; `staging` is another place where they may lie under their paths.
    ///
    /// # Errors
    /// What is here cannot be read, or the manifest is none.
    pub fn new(production: &Path, staging: &Path, manifest: Manifest) -> Result<Self, ReleaseError> {
        if !manifest.is_sound() {
            let reason = "its list of files leads outside of it".to_owned();
            return Err(ReleaseError::Index { name: manifest.name, reason });
        }
        let shelf = Shelf::look(production)?;
        let layout = Layout::new(production)?;
        layout.make()?;
        let fetched = layout.releases().join(FETCHED);
        std::fs::create_dir_all(&fetched).map_err(ReleaseError::doing("make", fetched))?;
        let mut draft = Self { layout, manifest, here: BTreeMap::new() };
        let sums = sums(&shelf)?;
        for (path, item) in draft.manifest.items.clone() {
            if let Some(place) = draft.find(&path, &item, &sums, staging)? {
                draft.here.insert(item.sha1, place);
            }
        }
        Ok(draft)
    }

    fn find(
        &self,
        path: &str,
        item: &Item,
        sums: &BTreeMap<String, (String, Release)>,
        staging: &Path,
    ) -> Result<Option<PathBuf>, ReleaseError> {
        if let Some((_, release)) = sums.get(path).filter(|(sum, _)| *sum == item.sha1) {
            let place = release.root.join(path);
            if has_size(&place, item.size) {
                return Ok(Some(place));
            }
        }
        let releases = self.layout.releases();
        let fetched = releases.join(FETCHED).join(&item.sha1);
        if has_size(&fetched, item.size) {
            return Ok(Some(fetched));
        }
        for place in [staging.join(path), releases.join(INCOMING).join(&item.sha1)] {
            if has_size(&place, item.size) && has_sum(&place, &item.sha1)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// What is not here: each file once, with its path in the release.
    pub fn lacking(&self) -> Vec<(String, Item)> {
        let mut seen = BTreeSet::new();
        let items = self.manifest.items.iter();
        let lacking = items.filter(|(_, item)| !self.here.contains_key(&item.sha1) && seen.insert(item.sha1.clone()));
        lacking.map(|(path, item)| (path.clone(), item.clone())).collect()
    }

    /// Where a file is to be fetched to, from the byte on at which it ends there.
    pub fn part(&self, item: &Item) -> PathBuf {
        self.layout.releases().join(FETCHED).join(format!("{}{PART}", item.sha1))
    }

    /// Takes in a file that has come to its end; whether it is the one that was meant. Another one is removed.
    ///
    /// # Errors
    /// It cannot be read or moved.
    pub fn take_in(&mut self, item: &Item) -> Result<bool, ReleaseError> {
        let part = self.part(item);
        if !has_size(&part, item.size) || !has_sum(&part, &item.sha1)? {
            layout::remove(&part)?;
            return Ok(false);
        }
        let whole = self.layout.releases().join(FETCHED).join(&item.sha1);
        let taken = || {
            let file = File::options().write(true).open(&part)?;
            file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(super::directory::FILE_MODE))?;
            file.set_modified(time(item.mtime))?;
            file.sync_all()?;
            std::fs::rename(&part, &whole)
        };
        taken().map_err(ReleaseError::doing("take in", &part))?;
        self.here.insert(item.sha1.clone(), whole);
        Ok(true)
    }

    /// Makes the release, and makes it live where that is wished and what is live is an earlier one.
    ///
    /// # Errors
    /// Something is lacking, somebody publishes here just now, input or output.
    pub fn finish(self, live: bool) -> Result<(), ReleaseError> {
        let name = self.manifest.name.clone();
        let lock = self.layout.releases().join(LOCK);
        let held = File::create(&lock).map_err(ReleaseError::doing("make", &lock))?;
        flock(&held, FlockOperation::NonBlockingLockExclusive).map_err(ReleaseError::doing("lock", &lock))?;
        let before = self.layout.live()?;
        if before == Live::Release(name.clone()) {
            return Err(ReleaseError::NotLater { name: name.clone(), before: name });
        }
        let half_made = self.layout.new_release(&name);
        let made = self.make(&half_made).and_then(|()| {
            layout::remove(&self.layout.release(&name))?;
            let root = self.layout.release(&name);
            std::fs::rename(&half_made, &root).map_err(ReleaseError::doing("rename", &half_made))?;
            sync_directory(&self.layout.releases())
        });
        if let Err(error) = made {
            // It is removed when the releases are opened by a controller, if not now.
            let _later = layout::remove(&half_made);
            return Err(error);
        }
        let is_later = match &before {
            Live::Nothing => true,
            Live::Release(before) => before.parts() < name.parts(),
            // That is for whoever adopts or exchanges it.
            Live::Directory | Live::Adopting(_) => false,
        };
        if live && is_later {
            self.layout.point_to(&self.layout.release(&name))?;
        }
        // What is not in it was for another one, which looks for it there.
        for item in self.manifest.items.values() {
            layout::remove(&self.layout.releases().join(FETCHED).join(&item.sha1))?;
        }
        Ok(())
    }

    fn make(&self, root: &Path) -> Result<(), ReleaseError> {
        layout::remove(root)?;
        tree::make_directory(root)?;
        let mut record = self.manifest.record.clone();
        for (path, item) in &self.manifest.items {
            let file = tree::place_at(root, path)?;
            let source = self.here.get(&item.sha1).cloned().unwrap_or_default();
            tree::bring(&source, &file).map_err(ReleaseError::doing("bring a file to", &file))?;
            let metadata = std::fs::metadata(&file).map_err(ReleaseError::doing("read", &file))?;
            if let Ok(path) = path.parse::<PackagePath>()
                && let Some(known) = record.as_mut().and_then(|record| record.files.get_mut(&path))
            {
                known.imprint = imprint::of(&metadata);
            }
        }
        tree::sync(root)?;
        match record {
            Some(record) => record.write(&self.layout.record(&self.manifest.name)),
            None => Ok(()),
        }
    }
}

/// When something was last sent here for a release from elsewhere; none where nothing waits.
///
/// # Errors
/// It cannot be read.
pub fn sent_last(production: &Path) -> Result<Option<SystemTime>, ReleaseError> {
    let incoming = Layout::new(production)?.releases().join(INCOMING);
    let read = || -> std::io::Result<Option<SystemTime>> {
        let mut latest = Some(std::fs::metadata(&incoming)?.modified()?);
        for entry in std::fs::read_dir(&incoming)? {
            // Modification times are those of what was sent; a change of it is what counts.
            let changed = std::os::unix::fs::MetadataExt::ctime(&entry?.metadata()?);
            latest = latest.max(Some(time(changed)));
        }
        Ok(latest)
    };
    match read() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        latest => latest.map_err(ReleaseError::doing("read", &incoming)),
    }
}

fn time(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(Timestamp(seconds).seconds_since(Timestamp(0)))
}

fn has_size(file: &Path, size: u64) -> bool {
    std::fs::symlink_metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
}

fn has_sum(file: &Path, sha1: &str) -> Result<bool, ReleaseError> {
    let (_, found) = gpkg::hashes(file).map_err(ReleaseError::doing("read", file))?;
    Ok(found.eq_ignore_ascii_case(sha1))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{directory, tree, write};
    use super::*;
    use crate::core::names::Epoch;

    fn item(content: &str) -> Item {
        let sum = <sha1::Sha1 as sha1::Digest>::digest(content);
        Item { sha1: data_encoding::HEXLOWER.encode(&sum), size: content.len() as u64, mtime: 1_700_000_000 }
    }

    fn manifest(number: u64, files: &[(&str, &str)]) -> Manifest {
        let items = files.iter().map(|(path, content)| ((*path).to_owned(), item(content))).collect();
        Manifest { name: ReleaseName::new(Epoch(1), number), items, record: None }
    }

    #[test]
    fn a_list_of_files_that_leads_outside_is_refused() {
        let root = directory();
        for path in ["../x", "/etc/x", "a/../../x", "", "a/."] {
            let draft = Draft::new(&root.path().join("production"), root.path(), manifest(1, &[(path, "x")]));
            // What only looks odd stays inside.
            assert_eq!(draft.is_err(), path != "a/.", "{path:?}");
        }
        let mut odd = manifest(1, &[("Packages", "x")]);
        odd.items.values_mut().for_each(|item| item.sha1 = "../../../../../../../../../../../etc/passwd0".to_owned());
        assert!(Draft::new(&root.path().join("production"), root.path(), odd).is_err());
    }

    #[test]
    fn what_staging_or_an_earlier_try_has_is_used_and_a_release_only_goes_live_over_an_earlier_one() {
        let root = directory();
        let (production, staging) = (root.path().join("production"), root.path().join("staging"));
        write(&staging.join("a/b/b-1-1.gpkg.tar"), "staged");
        let files = [("a/b/b-1-1.gpkg.tar", "staged"), ("c/d/d-1-1.gpkg.tar", "fetched"), ("Packages", "index")];
        for (number, is_live) in [(7, true), (5, false)] {
            let mut draft = Draft::new(&production, &staging, manifest(number, &files)).unwrap();
            for (path, item) in draft.lacking() {
                let content = files.iter().find(|(name, _)| *name == path).unwrap().1;
                // What came damaged goes, and is lacking still.
                write(&draft.part(&item), content.to_uppercase());
                assert!(!draft.take_in(&item).unwrap() && !draft.part(&item).exists());
                write(&draft.part(&item), content);
                assert!(draft.take_in(&item).unwrap());
            }
            assert_eq!(draft.lacking(), []);
            // It was interrupted here once.
            drop(draft);
            let draft = Draft::new(&production, &staging, manifest(number, &files)).unwrap();
            assert_eq!(draft.lacking(), [], "nothing comes twice");
            draft.finish(true).unwrap();
            let live = std::fs::read_link(&production).unwrap();
            let name = ReleaseName::new(Epoch(1), number);
            assert_eq!(live.ends_with(name.as_str()), is_live);
            let root = production.with_file_name("production.releases").join(name.as_str());
            let made = tree(&root);
            assert!(files.iter().all(|(path, _)| made.iter().any(|there| there == path)), "{made:?}");
            let time = std::os::unix::fs::MetadataExt::mtime(&std::fs::metadata(root.join("Packages")).unwrap());
            assert_eq!(time, 1_700_000_000);
        }
    }
}
