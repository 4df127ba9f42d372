//! What can go wrong with releases.

use std::io;
use std::path::PathBuf;

use super::file_error::FileError;
use crate::core::names::ReleaseName;
use crate::core::nearest::hint;
use crate::portage::index::PackagePath;

/// What went wrong with a release; the one that was live before still is.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// Input or output.
    #[error(transparent)]
    Io(FileError),
    /// The file system of the releases is full.
    #[error(
        "no space is left for the release at {}; free some there, then run `swarm finalize` again: the release \
         before it is still live", .path.display()
    )]
    Full {
        /// What did not fit.
        path: PathBuf,
    },
    /// What allowed it has run out while it was made.
    #[error(
        "release {name} was made and not swapped: it took so long that it is not sure any more that no other controller \
         is at work; `swarm finalize` asks anew"
    )]
    TooLate {
        /// The release.
        name: ReleaseName,
    },
    /// Production has no name of its own, such as `/` or `..`.
    #[error(
        "production {} is no place for releases; name a directory that is the swarm's own, such as \
         /var/cache/swarm/production", .production.display()
    )]
    NoPlace {
        /// As it was given.
        production: PathBuf,
    },
    /// Production and Portage's own package directory are one, or one lies in the other.
    #[error(
        "production {} overlaps with {}, where this host's own Portage keeps its packages (PKGDIR): an emerge here \
         would write into what clients read; name another directory as `production`, such as \
         /var/cache/swarm/production", .production.display(), .pkgdir.display()
    )]
    Pkgdir {
        /// Production.
        production: PathBuf,
        /// The PKGDIR.
        pkgdir: PathBuf,
    },
    /// Staging lies in production, or production in staging.
    #[error(
        "staging {} and production {} overlap, but staging is never served to clients; name directories beside each \
         other", .staging.display(), .production.display()
    )]
    Staging {
        /// Staging.
        staging: PathBuf,
        /// Production.
        production: PathBuf,
    },
    /// Production is a file, or a symlink to something that is no release.
    #[error(
        "production {} is {found}, neither a directory nor a symlink to a release in {}; move it away or name another \
         directory as `production`", .production.display(), .releases.display()
    )]
    Foreign {
        /// Production.
        production: PathBuf,
        /// What it is.
        found: String,
        /// Where releases are.
        releases: PathBuf,
    },
    /// The release that production points to is gone.
    #[error(
        "production {} points to {name}, which is not there; point it to one of the releases in {} (`ln -sfn`), or \
         remove the symlink", .production.display(), .releases.display()
    )]
    Dangling {
        /// Production.
        production: PathBuf,
        /// The release that is gone.
        name: String,
        /// Where releases are.
        releases: PathBuf,
    },
    /// Production is a directory with something in it that is no binhost.
    #[error(
        "production {} is not empty and has no package index (`Packages`), so it is no binhost to take over; name a \
         new or empty directory as `production`, or run `emaint binhost --fix` for it first if it is one",
        .production.display()
    )]
    NoBinhost {
        /// Production.
        production: PathBuf,
    },
    /// A directory that cannot be exchanged for a symlink.
    #[error(
        "production {} cannot become a symlink without a moment in which clients find nothing: {reason}; name another \
         directory as `production` ({}, say) and point the web server to it", .production.display(), .instead.display()
    )]
    NotExchangeable {
        /// Production.
        production: PathBuf,
        /// Why.
        reason: String,
        /// What could be named instead.
        instead: PathBuf,
    },
    /// A release that would not sort behind the one that is live, or behind those that are kept.
    #[error("release {name} is not later than {before}, which is there already: another controller has released")]
    NotLater {
        /// The new one.
        name: ReleaseName,
        /// The one that is there.
        before: ReleaseName,
    },
    /// Two packages for one path.
    #[error("two packages of the release want to be {path}: what was released under a path never changes")]
    Taken {
        /// The path.
        path: PackagePath,
    },
    /// An entry of the index without its size, so that it cannot be held against its file.
    #[error("the index entry of {path} has no SIZE; `emaint binhost --fix` in the directory that it came from sets it")]
    NoSize {
        /// The path.
        path: PackagePath,
    },
    /// An entry of the index without its file.
    #[error("{path} is in the index of the release, but it is no file at {}", .file.display())]
    Missing {
        /// The path.
        path: PackagePath,
        /// Where it should be.
        file: PathBuf,
    },
    /// An entry of the index with another file.
    #[error("{path} is not what was accepted: {flaw}; {} was changed", .file.display())]
    Changed {
        /// The path.
        path: PackagePath,
        /// In what.
        flaw: String,
        /// Where it is.
        file: PathBuf,
    },
    /// A record that cannot be read.
    #[error(
        "failed to read {}: {reason}; remove it, and `swarm verify` the release of that name: only where it comes from \
         is lost with it", .path.display()
    )]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No kept release has this id.
    #[error("release {name} is not there{}; `swarm releases` lists those that are kept", hint(name.as_str(), kept.iter().map(ReleaseName::as_str)))]
    Unknown {
        /// The id.
        name: ReleaseName,
        /// Those that are kept.
        kept: Vec<ReleaseName>,
    },
    /// An index that cannot be read.
    #[error("failed to read the package index of release {name}: {reason}; `emaint binhost --fix` may cure it")]
    Index {
        /// The release.
        name: ReleaseName,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReleaseError {
    /// An error of input or output; a full file system is told apart.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let error = FileError { action, path: path.into(), source: source.into() };
        if error.is_full() { Self::Full { path: error.path } } else { Self::Io(error) }
    }

    /// The same, as a function of the error.
    pub(super) fn doing<E: Into<io::Error>>(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> ReleaseError {
        let path = path.into();
        move |source| Self::io(action, path, source)
    }
}
