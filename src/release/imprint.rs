//! How the file system knows a file, so that it need not be hashed again as long as it is the same one.
//!
//! A file that was linked or renamed keeps inode and modification time; one that was written to, replaced or copied does
//! not. What differs is hashed: a production that was restored from a backup is as good as before.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::ReleaseError;
use crate::core::event::Imprint;
use crate::portage::gpkg;
use crate::portage::index::Stanza;

/// The imprint of a file.
pub fn of(metadata: &Metadata) -> Imprint {
    let seconds = metadata.mtime().saturating_mul(1_000_000_000);
    Imprint { inode: metadata.ino(), modified_ns: seconds.saturating_add(metadata.mtime_nsec()) }
}

/// What is wrong with a file that an index speaks of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is nothing, or something else than a file.
    #[error("its file is not there")]
    Missing,
    /// Another size.
    #[error("its file has {found} bytes, the index says {expected}")]
    Size {
        /// As the index says.
        expected: u64,
        /// As it is.
        found: u64,
    },
    /// Another hash.
    #[error("its file has the {what} {found}, the index says {expected}")]
    Hash {
        /// MD5 or SHA1.
        what: &'static str,
        /// As the index says.
        expected: String,
        /// As it is.
        found: String,
    },
    /// It cannot be read.
    #[error("its file cannot be read: {0}")]
    Unread(String),
}

/// Holds an entry of an index against its file: size always; the hashes too where the file is not the one that is known
/// to have them. Of a file that nobody knows the size has to do: it was not accepted by us.
pub(super) fn hold(stanza: &Stanza, file: &Path, known: Option<Imprint>) -> Result<Imprint, Flaw> {
    let metadata = match std::fs::symlink_metadata(file) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Err(Flaw::Missing),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Err(Flaw::Missing);
        }
        Err(error) => return Err(Flaw::Unread(error.to_string())),
    };
    if let Some(expected) = stanza.size().filter(|expected| *expected != metadata.len()) {
        return Err(Flaw::Size { expected, found: metadata.len() });
    }
    let imprint = of(&metadata);
    if known.is_some_and(|known| known != imprint) {
        hash(stanza, file)?;
    }
    Ok(imprint)
}

/// Holds size and hashes of an entry against its file.
///
/// # Errors
/// It is not the file that the entry speaks of.
pub fn verify(stanza: &Stanza, file: &Path) -> Result<(), Flaw> {
    hold(stanza, file, None)?;
    hash(stanza, file)
}

/// Holds the hashes of an entry against its file, whatever is known of it.
pub(super) fn hash(stanza: &Stanza, file: &Path) -> Result<(), Flaw> {
    let (md5, sha1) = gpkg::hashes(file).map_err(|error| Flaw::Unread(error.to_string()))?;
    for (what, expected, found) in [("MD5", stanza.md5(), md5), ("SHA1", stanza.sha1(), sha1)] {
        if let Some(expected) = expected.filter(|expected| !expected.eq_ignore_ascii_case(&found)) {
            return Err(Flaw::Hash { what, expected: expected.to_owned(), found });
        }
    }
    Ok(())
}

/// The flaw as what stops a release.
pub(super) fn stop(flaw: Flaw, stanza: &Stanza, file: &Path) -> ReleaseError {
    let (path, file) = (stanza.path().clone(), file.to_owned());
    match flaw {
        Flaw::Missing => ReleaseError::Missing { path, file },
        flaw => ReleaseError::Changed { path, flaw: flaw.to_string(), file },
    }
}
