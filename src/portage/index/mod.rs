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
mod reduce;
mod stanza;
mod text;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{io, iter};

use memchr::memmem;

use crate::core::names::Timestamp;
use crate::side_by_side::{processors, side_by_side};

use lines::{Said, lines, write_line};
pub use path::{PackagePath, PathError};
pub use reduce::DependencyError;
use stanza::INHERITED;
pub use stanza::{DeriveError, Stanza, StanzaError};
pub use text::{timestamp, unpacked};

/// Header keys that speak of one index in one place at one time, so that they must not pass to another.
const OWN_KEYS: [&str; 7] = ["PACKAGES", "REPO", "REPO_REVISIONS", "TIMESTAMP", "TTL", "URI", "VERSION"];

/// Of so many bytes are the parts that are read side by side, and a little more.
const PART: usize = 256 << 10;

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
        let text = decoded(bytes);
        let (header, entries) = match text.strip_prefix('\n') {
            Some(entries) => ("", entries),
            None => text.split_once("\n\n").unwrap_or((&text, "")),
        };
        let header = block(&mut lines(header), limits)?.unwrap_or_default().into_iter();
        // Entries inherit from it, and it is written again: what would act on a terminal is no part of any value.
        let header = header.filter(|(key, value)| is_one_line(key) && is_one_line(value));
        let header: BTreeMap<_, _> = header.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if let Some(version) = header.get("VERSION").filter(|version| *version != "0") {
            return Err(IndexError::Version(version.chars().take(40).collect()));
        }
        let mut index = Self { header, ..Self::default() };
        let inherited = inherited(&index.header);
        let count = AtomicUsize::new(0);
        for part in side_by_side(&parts(entries), processors(), |part| read(part, &inherited, limits, &count)) {
            let (stanzas, rejected) = part?;
            index.stanzas.extend(stanzas);
            index.rejected.extend(rejected);
        }
        Ok(index)
    }

    /// The content of `Packages` with this TIMESTAMP: entries by CPV as text, those of one CPV by build id.
    pub fn to_text(&self, timestamp: Timestamp) -> String {
        self.to_files(timestamp).text
    }

    /// The same, and what it takes to pack it.
    pub fn to_files(&self, timestamp: Timestamp) -> Files {
        let mut header = self.header.clone();
        header.retain(|key, value| is_one_line(key) && is_one_line(value) && !key.contains(':'));
        header.insert("PACKAGES".to_owned(), self.stanzas.len().to_string());
        header.insert("TIMESTAMP".to_owned(), timestamp.0.to_string());
        header.insert("VERSION".to_owned(), "0".to_owned());
        let mut values: Vec<(&String, &String)> = header.iter().filter(|(_, value)| !value.is_empty()).collect();
        values.sort_by_key(|(key, _)| order(key));
        let mut text = String::with_capacity(self.stanzas.iter().map(Stanza::length).sum());
        values.into_iter().for_each(|(key, value)| write_line(&mut text, key, value));
        text.push('\n');
        let mut ends = vec![text.len()];
        let said = Said::of(inherited(&header));
        let mut stanzas: Vec<&Stanza> = self.stanzas.iter().collect();
        stanzas.sort_by_cached_key(|stanza| (stanza.cpv().as_str(), stanza.build_id()));
        for stanza in stanzas {
            stanza.write(&mut text, &said);
            text.push('\n');
            ends.push(text.len());
        }
        Files { text, ends, timestamp }
    }
}

/// `Packages` and `Packages.gz`.
#[derive(Debug)]
pub struct Files {
    /// The content of `Packages`.
    pub text: String,
    /// Where each of its blocks ends.
    ends: Vec<usize>,
    timestamp: Timestamp,
}

impl Files {
    /// The content of `Packages.gz`, whose own time is the TIMESTAMP too. `before` is a `Packages.gz` with much of the
    /// same, so that this need not be packed again; it may be empty.
    ///
    /// # Errors
    /// It cannot be packed.
    pub fn packed(&self, before: &[u8]) -> io::Result<Vec<u8>> {
        packed::packed(&self.text, &self.ends, u32::try_from(self.timestamp.0).unwrap_or(0), before)
    }
}

/// Bytes as text, with the line ends of this system.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    // Looking for what is no text takes longer than finding that all of it is.
    let text = std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
    if memmem::find(bytes, b"\r\n").is_some() { Cow::Owned(text.replace("\r\n", "\n")) } else { text }
}

/// What a header says for all entries that do not say it themselves.
fn inherited(header: &BTreeMap<String, String>) -> Vec<(&'static str, &str)> {
    INHERITED.into_iter().filter_map(|key| Some((key, header.get(key)?.as_str()))).collect()
}

/// A text of entries in parts that are read side by side, cut where an entry ends.
fn parts(entries: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), entries);
    let end = |rest: &str| Some(PART + memmem::find(rest.as_bytes().get(PART..)?, b"\n\n")? + 2);
    while let Some((part, behind)) = end(rest).and_then(|end| rest.split_at_checked(end)) {
        parts.push(part);
        rest = behind;
    }
    parts.push(rest);
    parts
}

/// The entries of a part, and those that are of no use. `count` is that of all parts.
fn read(
    text: &str,
    inherited: &[(&str, &str)],
    limits: Limits,
    count: &AtomicUsize,
) -> Result<(Vec<Stanza>, Vec<Rejected>), IndexError> {
    let (mut stanzas, mut rejected) = (Vec::new(), Vec::new());
    let mut lines = lines(text);
    while let Some(values) = block(&mut lines, limits)? {
        if values.is_empty() {
            continue;
        }
        if count.fetch_add(1, Ordering::Relaxed) >= limits.stanzas {
            return Err(IndexError::TooLarge { what: "packages", limit: limits.stanzas });
        }
        match Stanza::read(values.iter().copied(), inherited) {
            Ok(stanza) => stanzas.push(stanza),
            Err(reason) => rejected.push(Rejected { cpv: cpv_as_it_stands(&values), reason }),
        }
    }
    Ok((stanzas, rejected))
}

/// The next block of lines as keys and values, by the names that stand in the file; nothing at the end of the text.
fn block<'a>(
    lines: &mut impl Iterator<Item = &'a str>,
    limits: Limits,
) -> Result<Option<Vec<(&'a str, &'a str)>>, IndexError> {
    let Some(first) = lines.next() else { return Ok(None) };
    let mut values = Vec::with_capacity(32);
    for line in iter::once(first).chain(lines).take_while(|line| !line.is_empty()) {
        let Some((key, value)) = line.split_once(':') else { continue };
        values.push((name_in_file(key), value.strip_prefix(' ').unwrap_or(value)));
        if values.len() > limits.keys {
            return Err(IndexError::TooLarge { what: "keys in one entry", limit: limits.keys });
        }
    }
    Ok(Some(values))
}

fn cpv_as_it_stands(values: &[(&str, &str)]) -> Option<String> {
    let (_, cpv) = values.iter().rfind(|(key, _)| *key == "CPV")?;
    Some(cpv.chars().filter(|each| !each.is_control()).take(200).collect())
}

/// Portage sorts by the names that it uses itself, and writes three of them under another one.
fn order(key: &str) -> &str {
    match key {
        "DESC" => "DESCRIPTION",
        "MTIME" => "_mtime_",
        "REPO" => "repository",
        same => same,
    }
}

/// The name that a key has in the file.
fn name_in_file(key: &str) -> &str {
    match key {
        "DESCRIPTION" => "DESC",
        "_mtime_" => "MTIME",
        "repository" => "REPO",
        same => same,
    }
}

/// Whether a text can stand in a line without ending it, or acting on a terminal.
fn is_one_line(text: &str) -> bool {
    // Nearly every text is plain, and without a branch a processor looks at many bytes at once.
    let is_plain = text.bytes().fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
    is_plain || !text.contains(char::is_control)
}
