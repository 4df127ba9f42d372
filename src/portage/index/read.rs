//! Reading an index: in parts, side by side.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::{memchr_iter, memmem};

use crate::side_by_side::{processors, side_by_side};

use super::lines::{Values, is_one_line, lines, pair};
use super::{Index, Stanza, StanzaError, inherited};

/// Of so many bytes are the parts that are read side by side, and a little more.
pub(super) const PART: usize = 256 << 10;

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

impl Index {
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
        check(header, limits)?;
        // Entries inherit from it, and it is written again: what would act on a terminal is no part of any value.
        let header = lines(header).filter_map(pair).filter(|(key, value)| is_one_line(key) && is_one_line(value));
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
}

/// Bytes as text, with the line ends of this system.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    // Looking for what is no text takes longer than finding that all of it is.
    let text = std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
    if memmem::find(bytes, b"\r\n").is_some() { Cow::Owned(text.replace("\r\n", "\n")) } else { text }
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
    inherited: &[String],
    limits: Limits,
    count: &AtomicUsize,
) -> Result<(Vec<Stanza>, Vec<Rejected>), IndexError> {
    let (mut stanzas, mut rejected) = (Vec::new(), Vec::new());
    for block in blocks(text).filter(|block| block.contains(':')) {
        check(block, limits)?;
        if count.fetch_add(1, Ordering::Relaxed) >= limits.stanzas {
            return Err(IndexError::TooLarge { what: "packages", limit: limits.stanzas });
        }
        let mut values = Values::read(block);
        match Stanza::read(&mut values, inherited) {
            Ok(stanza) => stanzas.push(stanza),
            Err(reason) => rejected.push(Rejected { cpv: values.get("CPV").map(as_it_stands), reason }),
        }
    }
    Ok((stanzas, rejected))
}

/// The blocks of lines that are apart by empty ones.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let ends = memmem::find_iter(text.as_bytes(), b"\n\n").map(|at| at + 1).chain([text.len()]);
    ends.map(move |end| text[std::mem::replace(&mut from, end + 1)..end].trim_start_matches('\n'))
}

fn check(block: &str, limits: Limits) -> Result<(), IndexError> {
    match memchr_iter(b'\n', block.as_bytes()).count() {
        count if count > limits.keys => Err(IndexError::TooLarge { what: "keys in one entry", limit: limits.keys }),
        _ => Ok(()),
    }
}

fn as_it_stands(cpv: &str) -> String {
    cpv.chars().filter(|each| !each.is_control()).take(200).collect()
}
