//! Input and output that failed.

use std::io;
use std::path::PathBuf;

use crate::disk;

/// What failed with a file or directory, and why.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {}: {source}", .path.display())]
pub struct FileError {
    /// What was being done.
    pub action: &'static str,
    /// To what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl FileError {
    /// Whether the file system is full or a quota used up; what cures that depends on whose it is.
    pub(super) fn is_full(&self) -> bool {
        disk::is_full(&self.source)
    }
}
