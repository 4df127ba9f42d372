//! Which directories must not overlap.
//!
//! Paths are compared as they really are: symlinks resolved as far as a path exists.

use std::path::{Path, PathBuf};

use super::error::ReleaseError;
use super::layout::Layout;

/// Where Portage keeps packages unless it is told otherwise.
pub(super) const DEFAULT_PKGDIR: &str = "/var/cache/binpkgs";

/// Refuses a production that is the PKGDIR of this host's Portage, or lies in it, or holds it.
pub(super) fn refuse_pkgdir(layout: &Layout, pkgdir: &Path) -> Result<(), ReleaseError> {
    if overlaps(layout, pkgdir) {
        return Err(ReleaseError::Pkgdir { production: layout.production(), pkgdir: pkgdir.to_owned() });
    }
    Ok(())
}

/// Refuses a staging directory that clients would see, or that holds what they see.
pub(super) fn refuse_staging(layout: &Layout, staging: &Path) -> Result<(), ReleaseError> {
    if overlaps(layout, staging) {
        return Err(ReleaseError::Staging { production: layout.production(), staging: staging.to_owned() });
    }
    Ok(())
}

/// Refuses a staging directory that clients of this production would see; for who serves it and opens no releases.
///
/// # Errors
/// It overlaps with production or the releases.
pub fn keep_staging_apart(production: &Path, staging: &Path) -> Result<(), ReleaseError> {
    refuse_staging(&Layout::new(production)?, staging)
}

/// Whether production, where its symlink leads, or the releases are this directory, lie in it or hold it.
fn overlaps(layout: &Layout, other: &Path) -> bool {
    let other = resolved(other);
    let name = layout.production();
    let beside = name.parent().map(resolved).zip(name.file_name()).map(|(parent, name)| parent.join(name));
    [beside, Some(resolved(&name)), Some(resolved(&layout.releases()))]
        .into_iter()
        .flatten()
        .any(|mine| mine.starts_with(&other) || other.starts_with(&mine))
}

/// The path with its symlinks resolved; what does not exist of it is kept as it is.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for existing in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (existing.canonicalize(), path.strip_prefix(existing)) {
            // Joining an empty rest would add a slash.
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path
}
