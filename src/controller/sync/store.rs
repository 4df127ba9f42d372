//! Listings that have been seen, in `STATE/sync`, so that they need not be carried again. A few are kept: whatever is missing
//! is asked for.

use std::fmt::Display;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::local;
use crate::controller::error::ControlError;
use crate::core::names::{HostName, Revision};
use crate::drone::configuration::listing::Listing;
use crate::ssh::{Host, HostError, HostErrorKind};

/// So many listings are kept, a few megabytes each at the most.
const KEPT: usize = 32;
/// A listing is never longer (bytes): it would have millions of files.
const LIMIT: u64 = 512 << 20;
/// What a sync has not taken up again after so long is not taken up any more.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);
const LOCK: &str = "lock";
/// How hard listings are packed.
const LEVEL: i32 = 3;

/// The directory.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
    /// Held for as long as the sync goes on: two of them would carry the same file at once.
    _lock: fs_err::File,
}

impl Store {
    /// Opens it once nobody else has it open, and removes what nobody has needed for the longest.
    pub fn open(state: &Path) -> Result<Self, ControlError> {
        let directory = state.join("sync");
        let lock = fs_err::create_dir_all(&directory).and_then(|()| {
            let lock = fs_err::File::create(directory.join(LOCK))?;
            rustix::fs::flock(lock.file(), FlockOperation::LockExclusive)?;
            Ok(lock)
        });
        let lock = lock.map_err(|source| local("keep what a sync needs", source))?;
        let store = Self { directory, _lock: lock };
        store.trim().map_err(|source| local("clear up what a sync needed", source))?;
        Ok(store)
    }

    pub fn directory(&self) -> PathBuf {
        self.directory.clone()
    }

    fn trim(&self) -> std::io::Result<()> {
        let mut listings = Vec::new();
        for entry in fs_err::read_dir(&self.directory)? {
            let entry = entry?;
            let modified = entry.metadata()?.modified()?;
            if entry.path().extension().is_some_and(|extension| extension == "listing") {
                listings.push((modified, entry.path()));
            } else if entry.file_name() != LOCK
                && SystemTime::now().duration_since(modified).is_ok_and(|age| age > LEFT_BEHIND)
            {
                fs_err::remove_file(entry.path())?;
            }
        }
        listings.sort();
        let surplus = listings.len().saturating_sub(KEPT);
        listings.iter().take(surplus).try_for_each(|(_, path)| fs_err::remove_file(path))
    }

    fn file(&self, name: &impl Display) -> PathBuf {
        self.directory.join(format!("{name}.listing"))
    }

    /// What a driver had when it was listed last, with its digest.
    pub fn of_driver(&self, driver: &HostName) -> Result<Option<(String, Listing)>, ControlError> {
        self.read(&self.file(driver))
    }

    /// What a revision holds.
    pub fn of_revision(&self, revision: &Revision) -> Result<Option<Listing>, ControlError> {
        Ok(self.read(&self.file(revision))?.map(|(_, listing)| listing))
    }

    /// The listing in a file, with its digest; one that does not read is removed, since it can be asked for again.
    pub fn read(&self, file: &Path) -> Result<Option<(String, Listing)>, ControlError> {
        let packed = match fs_err::read(file) {
            Ok(packed) => packed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(local("read a listing", source)),
        };
        let text = unpack(&packed);
        match text.as_deref().map(Listing::parse) {
            Ok(Ok(listing)) => {
                let digest = HEXLOWER.encode(&Sha256::digest(text.unwrap_or_default()));
                Ok(Some((digest, listing)))
            }
            _ => {
                fs_err::remove_file(file).map_err(|source| local("remove a damaged listing", source))?;
                Ok(None)
            }
        }
    }

    /// Fetches a listing from a host, in the place of the one of this name.
    pub async fn fetched(&self, name: &impl Display, host: &dyn Host, remote: &str) -> Result<PathBuf, HostError> {
        let file = self.file(name);
        let here = |source: std::io::Error| HostError::new(host.name(), HostErrorKind::Local, source.to_string());
        let part = NamedTempFile::new_in(&self.directory).map_err(here)?;
        host.download(remote, part.path()).await?;
        part.persist(&file).map_err(|error| here(error.error))?;
        Ok(file)
    }

    /// Keeps what a revision holds.
    pub fn keep(&self, revision: &Revision, listing: &Listing) -> Result<(), ControlError> {
        let file = self.file(revision);
        let written = zstd::encode_all(listing.to_text().as_bytes(), LEVEL).and_then(|packed| {
            let mut part = NamedTempFile::new_in(&self.directory)?;
            part.write_all(&packed)?;
            part.persist(&file).map_err(|error| error.error)
        });
        written.map(drop).map_err(|source| local("keep a listing", source))
    }
}

fn unpack(packed: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    zstd::Decoder::new(packed)?.take(LIMIT).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drone::configuration::listing::Entry;

    #[test]
    fn what_was_seen_is_there_the_next_time_until_too_much_is_kept_or_it_is_damaged() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::open(state.path()).unwrap();
        let name = |number: usize| format!("{number:032x}").parse::<Revision>().unwrap();
        let mut listing = Listing::default();
        listing.insert("etc/portage/a", Entry::Link { target: "b".to_owned() });
        for number in 0..KEPT + 3 {
            store.keep(&name(number), &listing).unwrap();
        }
        assert_eq!(store.of_revision(&name(0)).unwrap(), Some(listing));
        drop(store);
        let store = Store::open(state.path()).unwrap();
        let kept = fs_err::read_dir(store.directory()).unwrap().count();
        assert_eq!(kept, KEPT + 1, "the lock besides");

        fs_err::write(store.file(&name(KEPT + 2)), "no listing").unwrap();
        assert_eq!(store.of_revision(&name(KEPT + 2)).unwrap(), None);
        assert!(!store.file(&name(KEPT + 2)).exists());
    }
}
