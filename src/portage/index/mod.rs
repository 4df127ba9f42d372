//! The index of a binhost: `Packages` and `Packages.gz`.
//!
//! One block of `KEY: value` lines for the whole (the header), then one for each package, apart by empty lines. Portage
//! has no specification of it; the source is its behaviour (`portage.getbinpkg`, `portage.dbapi.bintree`, version 3.0):
//! which keys there are, their order, and that an entry leaves out what is empty, a default, or said by the header.
//!
//! What a host wrote is read with bounds, entry by entry: one that is of no use is set aside with its reason
//! ([`Index::rejected`]) and does not spoil the others.

mod lines;
mod packed;
mod path;
mod read;
mod reduce;
mod stanza;
mod text;
mod write;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use lines::to_line;
pub use path::{PackagePath, PathError};
pub use read::{IndexError, Limits, Rejected};
pub use reduce::DependencyError;
use stanza::INHERITED;
pub use stanza::{DeriveError, Stanza, StanzaError};
pub use text::{timestamp, unpacked};
pub use write::Files;

/// Header keys that speak of one index in one place at one time, so that they must not pass to another.
const OWN_KEYS: [&str; 7] = ["PACKAGES", "REPO", "REPO_REVISIONS", "TIMESTAMP", "TTL", "URI", "VERSION"];

/// An index of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// What is said of all packages, by the names that stand in the file. PACKAGES, TIMESTAMP and VERSION are set when
    /// it is written.
    pub header: BTreeMap<String, String>,
    /// The packages, in no particular order.
    pub stanzas: Vec<Stanza>,
    /// Entries that were read but cannot be used; never written.
    pub rejected: Vec<Rejected>,
}

impl Index {
    /// An empty index with the header of another one: everything that describes profile and settings, nothing that
    /// describes that other index itself (its time, or a base address for downloads).
    pub fn with_header_of(other: &Index) -> Self {
        let mut header = other.header.clone();
        header.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
        Self { header, ..Self::default() }
    }
}

/// The lines that a header says for all entries that do not say them themselves, in the order of an entry.
fn inherited(header: &BTreeMap<String, String>) -> Vec<String> {
    let said = |key| Some((key, header.get(key).filter(|value| !value.is_empty())?));
    INHERITED.into_iter().filter_map(said).map(|(key, value)| to_line(key, value)).collect()
}
