//! What a tree holds, as `tree.py` tells it, and how two differ. Pure.
//!
//! A listing is text: a record for each file, directory and link, sorted by path, so that equal trees have equal texts and
//! the digest of the text stands for the tree. Reading it, comparing two and writing one cost time in proportion to their
//! length (200,000 files: some 20 MB, a tenth of a second).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// One thing in a tree. Modes are permission bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Its mode.
        mode: u32,
    },
    /// A file.
    File {
        /// Its mode.
        mode: u32,
        /// Its length, in bytes.
        size: u64,
        /// What tells one content from another.
        mark: Mark,
    },
    /// A symbolic link.
    Link {
        /// Where it leads, as it is written.
        target: String,
    },
}

/// What tells one content of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// When it was changed last, in nanoseconds since 1970.
    Modified(i64),
    /// The SHA-256 of its content, in hexadecimal digits.
    Content(String),
}

impl Mark {
    /// That of this content.
    pub fn of(content: &[u8]) -> Self {
        Self::Content(HEXLOWER.encode(&Sha256::digest(content)))
    }
}

/// What a tree holds, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its entries; a path has no `/` at either end, and every directory on its way has an entry but the outermost.
    pub entries: BTreeMap<String, Entry>,
}

/// A text that is no listing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} in a listing: {record:?}")]
pub struct ListingError {
    reason: &'static str,
    record: String,
}

impl Listing {
    /// Reads the text.
    ///
    /// # Errors
    /// The first record that is none, or whose path leads out of the tree or is not UTF-8.
    pub fn parse(text: &[u8]) -> Result<Self, ListingError> {
        let mut entries = BTreeMap::new();
        let Some(text) = text.strip_suffix(b"\0") else {
            return if text.is_empty() { Ok(Self::default()) } else { Err(fault("an unfinished record", text)) };
        };
        let mut fields = text.split(|byte| *byte == 0);
        while let Some(field) = fields.next() {
            let record = std::str::from_utf8(field).map_err(|_| fault("a name that is not UTF-8", field))?;
            let (path, entry) = read(record, &mut fields).ok_or_else(|| fault("a record that is none", field))?;
            if !is_inside(path) {
                return Err(fault("a path that leads elsewhere", field));
            }
            entries.insert(path.to_owned(), entry);
        }
        Ok(Self { entries })
    }

    /// The text.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (path, entry) in &self.entries {
            // Writing to a string never fails.
            let _ = match entry {
                Entry::Directory { mode } => write!(text, "d {mode:o} {path}\0"),
                Entry::File { mode, size, mark: Mark::Modified(time) } => {
                    write!(text, "f {mode:o} {size} {time} {path}\0")
                }
                Entry::File { mode, size, mark: Mark::Content(digest) } => {
                    write!(text, "c {mode:o} {size} {digest} {path}\0")
                }
                Entry::Link { target } => write!(text, "l {path}\0{target}\0"),
            };
        }
        text
    }

    /// The SHA-256 of the text, in hexadecimal digits.
    pub fn digest(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.to_text()))
    }

    /// Puts an entry in, with the directories on its way.
    pub fn insert(&mut self, path: &str, entry: Entry) {
        for (end, _) in path.match_indices('/') {
            let directory = &path[..end];
            // What all trees have is not listed.
            if directory.contains('/') && !matches!(self.entries.get(directory), Some(Entry::Directory { .. })) {
                self.entries.insert(directory.to_owned(), Entry::Directory { mode: 0o755 });
            }
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// Takes an entry out, with all that lies below it.
    pub fn remove(&mut self, path: &str) {
        self.entries.remove(path);
        let below = format!("{path}/");
        let gone: Vec<String> = self
            .entries
            .range(below.clone()..)
            .take_while(|(path, _)| path.starts_with(&below))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            self.entries.remove(&path);
        }
    }
}

fn fault(reason: &'static str, record: &[u8]) -> ListingError {
    ListingError { reason, record: String::from_utf8_lossy(record).chars().take(200).collect() }
}

/// Whether a path stays where it begins.
fn is_inside(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

fn read<'a>(record: &'a str, fields: &mut impl Iterator<Item = &'a [u8]>) -> Option<(&'a str, Entry)> {
    let (kind, rest) = record.split_once(' ')?;
    if kind == "l" {
        let target = std::str::from_utf8(fields.next()?).ok()?.to_owned();
        return Some((rest, Entry::Link { target }));
    }
    let (mode, rest) = rest.split_once(' ')?;
    let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o777)?;
    if kind == "d" {
        return Some((rest, Entry::Directory { mode }));
    }
    let (size, rest) = rest.split_once(' ')?;
    let (mark, path) = rest.split_once(' ')?;
    let mark = match kind {
        "f" => Mark::Modified(mark.parse().ok()?),
        "c" => Mark::Content(Some(mark).filter(|mark| is_digest(mark))?.to_owned()),
        _ => return None,
    };
    Some((path, Entry::File { mode, size: size.parse().ok()?, mark }))
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// What has to happen to one tree so that it becomes another; each list is in the order of paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only the new one has these.
    pub added: Vec<String>,
    /// Only the old one has these.
    pub removed: Vec<String>,
    /// Both have these, and they differ.
    pub changed: Vec<String>,
}

impl Changes {
    /// How two trees differ.
    pub fn between(old: &Listing, new: &Listing) -> Self {
        let mut changes = Self::default();
        let (mut before, mut after) = (old.entries.iter().peekable(), new.entries.iter().peekable());
        loop {
            match (before.peek(), after.peek()) {
                (Some((path, _)), None) => {
                    changes.removed.push((*path).clone());
                    before.next();
                }
                (None, Some((path, _))) => {
                    changes.added.push((*path).clone());
                    after.next();
                }
                (Some((left, _)), Some((right, _))) if left < right => {
                    changes.removed.push((*left).clone());
                    before.next();
                }
                (Some((left, _)), Some((right, _))) if left > right => {
                    changes.added.push((*right).clone());
                    after.next();
                }
                (Some((path, one)), Some((_, other))) => {
                    if one != other {
                        changes.changed.push((*path).clone());
                    }
                    before.next();
                    after.next();
                }
                (None, None) => return changes,
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> impl Strategy<Value = Entry> {
        let mark = prop_oneof![
            any::<i64>().prop_map(Mark::Modified),
            any::<[u8; 4]>().prop_map(|content| Mark::of(&content)),
        ];
        prop_oneof![
            (0u32..0o1000).prop_map(|mode| Entry::Directory { mode }),
            (0u32..0o1000, any::<u64>(), mark).prop_map(|(mode, size, mark)| Entry::File { mode, size, mark }),
            "[a-z/. ]{0,10}".prop_map(|target| Entry::Link { target }),
        ]
    }

    fn listing() -> impl Strategy<Value = Listing> {
        proptest::collection::btree_map("[a-c \n]{1,2}(/[a-c]{1,2}){0,2}", entry(), 0..20)
            .prop_map(|entries| Listing { entries })
    }

    proptest! {
        #[test]
        fn a_listing_reads_the_same_once_written(listing in listing()) {
            prop_assert_eq!(Listing::parse(listing.to_text().as_bytes()), Ok(listing));
        }

        #[test]
        fn changes_make_one_tree_the_other(old in listing(), new in listing()) {
            let changes = Changes::between(&old, &new);
            let mut tree = old.clone();
            for path in &changes.removed {
                tree.entries.remove(path);
            }
            for path in changes.added.iter().chain(&changes.changed) {
                tree.entries.insert(path.clone(), new.entries[path].clone());
            }
            prop_assert_eq!(changes.is_empty(), old == new);
            prop_assert_eq!(tree.digest(), new.digest());
        }

        #[test]
        fn no_path_of_a_listing_leads_out_of_its_tree(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(listing) = Listing::parse(&text) {
                prop_assert!(listing.entries.keys().all(|path| is_inside(path)));
            }
        }
    }

    #[test]
    fn what_is_no_listing_is_refused_with_the_record() {
        for (text, reason) in [
            (&b"d 755 a"[..], "an unfinished record"),
            (b"d 755 ../a\0", "a path that leads elsewhere"),
            (b"d 755 /a\0", "a path that leads elsewhere"),
            (b"d 7777 a\0", "a record that is none"),
            (b"l a\0", "a record that is none"),
            (b"c 644 3 abc a\0", "a record that is none"),
            (b"f 644 3 1 \xff\0", "a name that is not UTF-8"),
            (b"x\0", "a record that is none"),
        ] {
            let error = Listing::parse(text).unwrap_err();
            assert!(error.to_string().starts_with(reason), "{error}");
        }
    }

    #[test]
    fn what_is_put_in_brings_its_directories_and_what_is_taken_out_takes_what_lies_below() {
        let mut listing = Listing::default();
        let file = Entry::File { mode: 0o644, size: 0, mark: Mark::of(b"") };
        listing.insert("etc/portage/env/a/b", file.clone());
        listing.insert("etc/portage/env-other", file);
        let paths = |listing: &Listing| listing.entries.keys().cloned().collect::<Vec<_>>();
        let all =
            ["etc/portage", "etc/portage/env", "etc/portage/env-other", "etc/portage/env/a", "etc/portage/env/a/b"];
        assert_eq!(paths(&listing), all);
        listing.remove("etc/portage/env");
        assert_eq!(paths(&listing), ["etc/portage", "etc/portage/env-other"]);
    }
}
