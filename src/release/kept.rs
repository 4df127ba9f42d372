//! One kept release, read.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::compose::Base;
use super::error::ReleaseError;
use super::record::Record;
use super::{directory, imprint, layout, tree};
use crate::core::names::{BuildId, ReleaseName, Timestamp};
use crate::core::package::Cpv;
use crate::portage::index::{self, Index, Limits, PackagePath};

/// How much of an index is read in search of its TIMESTAMP: headers have about a kilobyte.
const HEADER_LIMIT: u64 = 64 * 1024;

/// A kept release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its id.
    pub name: ReleaseName,
    /// Its directory.
    pub root: PathBuf,
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

    /// The text of its index, as clients get it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn index_text(&self) -> Result<Vec<u8>, ReleaseError> {
        let path = self.root.join(tree::INDEX[0]);
        std::fs::read(&path).map_err(ReleaseError::doing("read", path))
    }

    /// What is known of it beside its index; none of an adopted one, or of one from days before there were records.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn record(&self) -> Result<Option<Record>, ReleaseError> {
        Record::read(&layout::record_of(&self.root))
    }

    /// As the base of the next release: entries whose files are not what they should be are left out, clients cannot
    /// have them either.
    ///
    /// # Errors
    /// Its index or its record cannot be read.
    pub fn base(&self) -> Result<Base, ReleaseError> {
        let files = self.record()?.map(|record| record.files).unwrap_or_default();
        let mut index = self.index()?;
        let mut left_out: Vec<String> = index
            .rejected
            .drain(..)
            .map(|rejected| format!("{}: {}", rejected.cpv.as_deref().unwrap_or("an entry"), rejected.reason))
            .collect();
        index.stanzas.retain(|stanza| {
            let file = self.root.join(stanza.path().to_string());
            let known = files.get(stanza.path()).map(|known| known.imprint);
            let held = imprint::hold(stanza, &file, known);
            if let Err(flaw) = &held {
                left_out.push(format!("{}: {flaw} ({})", stanza.cpv(), stanza.path()));
            }
            held.is_ok()
        });
        Ok(Base { root: Some(self.root.clone()), index, left_out, files })
    }

    /// The latest moment that a client may have seen of its index: its TIMESTAMP or a modification time.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn timestamp(&self) -> Result<Option<Timestamp>, ReleaseError> {
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

    /// The TIMESTAMP in its index.
    pub(super) fn header_timestamp(&self) -> Result<Option<Timestamp>, ReleaseError> {
        let path = self.root.join(tree::INDEX[0]);
        let file = match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(ReleaseError::doing("open", &path))?,
        };
        let head = std::io::BufReader::new(file.take(HEADER_LIMIT));
        index::timestamp(head).map_err(ReleaseError::doing("read", &path))
    }

    pub(super) fn largest_build_id(&self, cpv: &Cpv) -> Result<Option<BuildId>, ReleaseError> {
        let directory = self.root.join(cpv.package());
        let entries = match directory::entries(&directory) {
            // A production that was taken over may have a file of that name.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
            entries => entries.map_err(ReleaseError::doing("read", &directory))?,
        };
        let mut largest = None;
        for entry in entries {
            let name = entry.file_name();
            let path = name.to_str().and_then(|name| format!("{}/{name}", cpv.package()).parse::<PackagePath>().ok());
            largest = largest.max(path.filter(|path| path.cpv() == cpv).and_then(|path| path.build_id()));
        }
        Ok(largest)
    }
}
