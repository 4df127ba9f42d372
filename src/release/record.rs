//! What is known of a release beside its index: where it comes from, and how the file system knew its files when their
//! bytes were last known to be right.
//!
//! It is JSON in `PRODUCTION.releases/ID.json`, beside the release and so out of clients' reach; written once, before the
//! release gets its name, and never changed. Which releases were left by a roll-back follows from the records of those
//! that came after ([`super::chronicle`]).

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::ReleaseError;
use super::layout::{self, sync_directory};
use crate::core::event::Imprint;
use crate::core::names::{BuildName, ReleaseName, Timestamp};
use crate::portage::index::PackagePath;

/// Where a release comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A build, all of it.
    Build(BuildName),
    /// Those packages of a build that could go live without the rest.
    PartOf(BuildName),
    /// An earlier release, whose content it has.
    Rollback(ReleaseName),
}

/// A release in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// When it was made.
    pub made: Timestamp,
    /// Where it comes from.
    pub origin: Origin,
    /// The first release that had what it has: itself, unless it is a roll-back.
    pub content: ReleaseName,
    /// What was live before it.
    pub before: Option<ReleaseName>,
    /// How many packages its index has.
    pub packages: usize,
    /// Their size together in bytes.
    pub bytes: u64,
}

/// A package's file in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its SHA1, as the index has it.
    pub sha1: String,
    /// The file as it was then.
    #[serde(flatten)]
    pub imprint: Imprint,
    /// The SHA1 of what was received, where signing has made another file of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    /// Whether it carries signatures of the key that releases are signed with, or was at that time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
}

/// All that is known of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// In short.
    pub about: About,
    /// The files that its index lists, by path.
    pub files: BTreeMap<PackagePath, FileRecord>,
}

impl Record {
    /// Reads a record; none where there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ReleaseError> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(ReleaseError::doing("read", path))?,
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| ReleaseError::Record { path: path.to_owned(), reason: error.to_string() })
    }

    /// Writes it, durably, whole or not at all.
    pub(super) fn write(&self, path: &Path) -> Result<(), ReleaseError> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let write = || {
            let mut file = tempfile::Builder::new().prefix(layout::NEW).tempfile_in(directory)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(ReleaseError::doing::<io::Error>("write", path))?;
        sync_directory(directory)
    }
}
