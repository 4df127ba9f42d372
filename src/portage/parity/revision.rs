//! Which state of an ebuild repository lies on a host; `revision.py` tells it there.

use std::fmt;
use std::str::FromStr;

/// A repository's revision. Equal ones hold the same ebuilds, eclasses and profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// A git checkout.
    Git {
        /// The commit that is checked out.
        commit: Digest,
        /// Of the files that differ from it; none where the checkout is clean.
        changes: Option<Digest>,
    },
    /// Of the Manifest of a tree that has one for all of it (GLEP 74).
    Manifest(Digest),
    /// Of all its files.
    Content(Digest),
}

/// A digest in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest(String);

/// A word that is no revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no revision of a repository")]
pub struct RevisionError(String);

/// So much of a digest is shown where a person reads it.
const SHOWN: usize = 12;

impl Digest {
    /// Git has 40 or 64 digits, SHA-256 has 64.
    fn parse(text: &str) -> Option<Self> {
        let hexadecimal = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
        (hexadecimal && matches!(text.len(), 40 | 64)).then(|| Self(text.to_owned()))
    }

    fn short(&self) -> &str {
        &self.0[..SHOWN]
    }
}

impl Revision {
    /// The revision as a person reads it: its digests cut.
    pub fn short(&self) -> String {
        match self {
            Self::Git { commit, changes: None } => format!("git:{}", commit.short()),
            Self::Git { commit, changes: Some(changes) } => format!("git:{}+{}", commit.short(), changes.short()),
            Self::Manifest(digest) => format!("manifest:{}", digest.short()),
            Self::Content(digest) => format!("content:{}", digest.short()),
        }
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let parsed = text.split_once(':').and_then(|(kind, digest)| match (kind, digest.split_once('+')) {
            ("git", None) => Some(Self::Git { commit: Digest::parse(digest)?, changes: None }),
            ("git", Some((commit, changes))) => {
                Some(Self::Git { commit: Digest::parse(commit)?, changes: Some(Digest::parse(changes)?) })
            }
            ("manifest", None) => Some(Self::Manifest(Digest::parse(digest)?)),
            ("content", None) => Some(Self::Content(Digest::parse(digest)?)),
            _ => None,
        });
        parsed.ok_or_else(|| RevisionError(text.chars().take(100).collect()))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git { commit, changes: None } => write!(formatter, "git:{}", commit.0),
            Self::Git { commit, changes: Some(changes) } => write!(formatter, "git:{}+{}", commit.0, changes.0),
            Self::Manifest(digest) => write!(formatter, "manifest:{}", digest.0),
            Self::Content(digest) => write!(formatter, "content:{}", digest.0),
        }
    }
}
