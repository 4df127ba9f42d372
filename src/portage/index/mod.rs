//! The index of a binhost: `Packages` and `Packages.gz`.
//!
//! One block of `KEY: value` lines for the whole (the header), then one for each package, apart by empty lines. Portage
//! has no specification of it; the source is its behaviour (`portage.getbinpkg`, `portage.dbapi.bintree`, version 3.0):
//! which keys there are, their order, and that an entry leaves out what is empty, a default, or said by the header.
//!
//! What a host wrote is read with bounds, entry by entry: one that is of no use is set aside with its reason
//! ([`Index::rejected`]) and does not spoil the others.

mod packed;
mod path;
mod reduce;
mod stanza;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use crate::core::names::Timestamp;

pub use path::{PackagePath, PathError};
pub use reduce::DependencyError;
pub use stanza::{DeriveError, Stanza, StanzaError};
pub use text::{timestamp, unpacked};

/// Header keys that speak of one index in one place at one time, so that they must not pass to another.
const OWN_KEYS: [&str; 7] = ["PACKAGES", "REPO", "REPO_REVISIONS", "TIMESTAMP", "TTL", "URI", "VERSION"];

/// How much of an index is read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes in all.
    pub bytes: usize,
    /// Packages.
    pub stanzas: usize,
    /// Lines of one entry.
    pub keys: usize,
}

impl Default for Limits {
    /// Far more than the largest binhosts have (Gentoo's own: about 50 MB and 60,000 packages).
    fn default() -> Self {
        Self { bytes: 256 * 1024 * 1024, stanzas: 500_000, keys: 256 }
    }
}

/// Why an index cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Beyond a limit.
    #[error("read the package index: it has more than {limit} {what}")]
    TooLarge {
        /// Bytes, packages or keys.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// A version of the format that is not known.
    #[error("read the package index: its VERSION is {0:?}, known is 0")]
    Version(String),
}

/// An entry that is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its CPV as it stands, if it has one, without control characters.
    pub cpv: Option<String>,
    /// Why.
    pub reason: StanzaError,
}

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

    /// Reads an index; bytes that are no text are replaced, as Portage does it.
    ///
    /// # Errors
    /// It is larger than the limits, or of a version that is not known.
    pub fn parse(bytes: &[u8], limits: Limits) -> Result<Self, IndexError> {
        if bytes.len() > limits.bytes {
            return Err(IndexError::TooLarge { what: "bytes", limit: limits.bytes });
        }
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let mut header = block(&mut lines, limits)?.unwrap_or_default();
        // Entries inherit from it, and it is written again: what would act on a terminal is no part of any value.
        header.retain(|key, value| is_one_line(key) && is_one_line(value));
        if let Some(version) = header.get("VERSION").filter(|version| *version != "0") {
            return Err(IndexError::Version(version.chars().take(40).collect()));
        }
        let mut index = Self { header, ..Self::default() };
        while let Some(values) = block(&mut lines, limits)? {
            if values.is_empty() {
                continue;
            }
            if index.stanzas.len() + index.rejected.len() >= limits.stanzas {
                return Err(IndexError::TooLarge { what: "packages", limit: limits.stanzas });
            }
            let cpv = values.get("CPV").map(|cpv| cpv.chars().filter(|each| !each.is_control()).take(200).collect());
            match Stanza::from_values(values, &index.header) {
                Ok(stanza) => index.stanzas.push(stanza),
                Err(reason) => index.rejected.push(Rejected { cpv, reason }),
            }
        }
        Ok(index)
    }

    /// The text of `Packages` with this TIMESTAMP: entries by CPV as text, those of one CPV by build id.
    pub fn to_text(&self, timestamp: Timestamp) -> String {
        self.to_blocks(timestamp).0
    }

    /// The same, and where each of its blocks ends.
    fn to_blocks(&self, timestamp: Timestamp) -> (String, Vec<usize>) {
        let mut header = self.header.clone();
        header.retain(|key, value| is_one_line(key) && is_one_line(value) && !key.contains(':'));
        header.insert("PACKAGES".to_owned(), self.stanzas.len().to_string());
        header.insert("TIMESTAMP".to_owned(), timestamp.0.to_string());
        header.insert("VERSION".to_owned(), "0".to_owned());
        let mut lines: Vec<(&str, String)> = header
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key.as_str(), value.clone()))
            .collect();
        lines.sort_by_key(|(key, _)| stanza::order(key));
        let mut text = String::new();
        write_block(&mut text, &lines);
        let mut ends = vec![text.len()];
        let mut stanzas: Vec<&Stanza> = self.stanzas.iter().collect();
        stanzas.sort_by_key(|stanza| (stanza.cpv().as_str(), stanza.build_id()));
        for stanza in stanzas {
            write_block(&mut text, &stanza.lines(&self.header));
            ends.push(text.len());
        }
        (text, ends)
    }

    /// The bytes of `Packages` and of `Packages.gz`, whose own time is the TIMESTAMP too. `before` is a `Packages.gz` with
    /// much of the same, so that this need not be packed again; it may be empty.
    ///
    /// # Errors
    /// It cannot be packed.
    pub fn to_files(&self, timestamp: Timestamp, before: &[u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let (text, ends) = self.to_blocks(timestamp);
        let packed = packed::packed(&text, &ends, u32::try_from(timestamp.0).unwrap_or(0), before)?;
        Ok((text.into_bytes(), packed))
    }
}

/// The next block of lines as keys and values; nothing at the end of the text.
fn block<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    limits: Limits,
) -> Result<Option<BTreeMap<String, String>>, IndexError> {
    let mut values = BTreeMap::new();
    let mut any = false;
    for line in lines {
        any = true;
        if line.is_empty() {
            break;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        values.insert(stanza::name_in_file(key).to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned());
        if values.len() > limits.keys {
            return Err(IndexError::TooLarge { what: "keys in one entry", limit: limits.keys });
        }
    }
    Ok(any.then_some(values))
}

/// Whether a text can stand in a line without ending it, or acting on a terminal.
fn is_one_line(text: &str) -> bool {
    !text.contains(char::is_control)
}

fn write_block(text: &mut String, lines: &[(&str, String)]) {
    for (key, value) in lines {
        text.push_str(key);
        text.push_str(": ");
        text.push_str(value);
        text.push('\n');
    }
    text.push('\n');
}
