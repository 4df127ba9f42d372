//! What a release consists of: production as it is, plus what is staged, minus what that supersedes. Pure.
//!
//! A package supersedes another where both have the same name, slot, CHOST and USE flags, and the other's version is
//! older, or equal with another build id. USE flags are compared as far as both packages know them: a flag that came or
//! went with a version is not a wish. Two things keep a superseded package all the same:
//!
//! - somebody needs it, as the caller says;
//! - its sub-slot is not the new one's, and a package that stays was linked against it. That goes round until nothing
//!   more is kept, since a kept package has been linked too.
//!
//! Cost: each package of the base is held against the incoming ones of its name; each round against the dependencies of
//! those that stay.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::error::ReleaseError;
use super::record::FileRecord;
use super::tree::Entry;
use crate::core::event::Imprint;
use crate::portage::index::{Index, PackagePath, Stanza};

/// The dependencies that a merged package needs to run; what it was linked against is among them.
const RUNTIME: [&str; 3] = ["RDEPEND", "PDEPEND", "IDEPEND"];

/// The release to build on.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// Where its files are; none where there is no release yet.
    pub root: Option<PathBuf>,
    /// Its index, with those entries alone whose files are what they should be.
    pub index: Index,
    /// Entries that will not be in the next release, and why: their files are not there or were changed.
    pub left_out: Vec<String>,
    /// What is known of its files.
    pub files: BTreeMap<PackagePath, FileRecord>,
}

impl Base {
    fn file(&self, path: &PackagePath) -> PathBuf {
        self.root.as_deref().unwrap_or(Path::new("")).join(path.to_string())
    }

    /// A package of it for the next release.
    fn entry(&self, stanza: &Stanza) -> Entry {
        let known = self.files.get(stanza.path());
        Entry {
            stanza: stanza.clone(),
            source: self.file(stanza.path()),
            known: known.map(|known| known.imprint),
            received: known.and_then(|known| known.received.clone()),
            signed: known.is_some_and(|known| known.signed),
        }
    }

    /// Its packages, for another release.
    pub(super) fn packages(&self) -> impl Iterator<Item = Incoming> {
        self.index.stanzas.iter().map(|stanza| {
            let Entry { stanza, source: file, known, received, signed } = self.entry(stanza);
            Incoming { stanza, file, known, received, signed }
        })
    }

    /// Packages of it that the next release's index does not have any more.
    fn lingering(&self, is_gone: impl Fn(&PackagePath) -> bool) -> Vec<(PackagePath, PathBuf)> {
        let paths = self.index.stanzas.iter().map(Stanza::path).filter(|path| is_gone(path));
        paths.map(|path| (path.clone(), self.file(path))).collect()
    }
}

/// A staged package.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its entry in the index, with the path that it will have.
    pub stanza: Stanza,
    /// Where it is.
    pub file: PathBuf,
    /// The file as it was when it was accepted.
    pub known: Option<Imprint>,
    /// The SHA1 of what was received, where signing has made another file of it.
    pub received: Option<String>,
    /// Whether it is signed, as releases are.
    pub signed: bool,
}

impl Incoming {
    fn entry(&self) -> Entry {
        let Self { stanza, file, known, received, signed } = self.clone();
        Entry { stanza, source: file, known, received, signed }
    }
}

/// What a release will consist of.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Its index.
    pub index: Index,
    /// What it has and the live one has not, by path.
    pub added: Vec<PackagePath>,
    /// What the live one has and it has not, by path.
    pub superseded: Vec<PackagePath>,
    /// A file for every entry of the index.
    pub(super) entries: Vec<Entry>,
    /// Packages without an entry, which clients may still be on their way to.
    pub(super) lingering: Vec<(PackagePath, PathBuf)>,
    /// Where files that are no packages come from.
    pub(super) base: Option<PathBuf>,
}

impl Contents {
    /// How many of its packages are not signed.
    pub fn unsigned(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.signed).count()
    }
}

/// Composes a release.
///
/// `header` is what the index says of all packages, as Portage on the driver would write it; where it is empty the
/// base's is kept. `needed` tells of a superseded package whether it has to stay.
///
/// # Errors
/// Two packages with different contents want to be at one path; an entry has no size.
pub fn compose(
    base: &Base,
    incoming: &[Incoming],
    header: &BTreeMap<String, String>,
    needed: impl Fn(&Stanza) -> bool,
) -> Result<Contents, ReleaseError> {
    let mut packages: BTreeMap<&PackagePath, Entry> = BTreeMap::new();
    let gone = superseded(&base.index.stanzas, incoming, needed);
    for stanza in &base.index.stanzas {
        insert(&mut packages, stanza.path(), base.entry(stanza))?;
    }
    let mut added = Vec::new();
    for package in incoming {
        if insert(&mut packages, package.stanza.path(), package.entry())? {
            added.push(package.stanza.path().clone());
        }
    }
    packages.retain(|path, _| !gone.contains(path));
    added.sort();
    let described = if header.is_empty() { &base.index.header } else { header };
    Ok(Contents {
        index: index(described, packages.values())?,
        added,
        superseded: gone.iter().copied().cloned().collect(),
        entries: packages.into_values().collect(),
        lingering: base.lingering(|path| gone.contains(path)),
        base: base.root.clone(),
    })
}

/// A release that has just what an earlier one had.
///
/// # Errors
/// An entry has no size.
pub fn restore(earlier: &Base, live: &Base) -> Result<Contents, ReleaseError> {
    let paths = |base: &Base| base.index.stanzas.iter().map(|stanza| stanza.path().clone()).collect::<BTreeSet<_>>();
    let (then, now) = (paths(earlier), paths(live));
    let mut entries: Vec<Entry> = earlier.index.stanzas.iter().map(|stanza| earlier.entry(stanza)).collect();
    entries.sort_by(|one, other| one.stanza.path().cmp(other.stanza.path()));
    Ok(Contents {
        index: index(&earlier.index.header, &entries)?,
        added: then.difference(&now).cloned().collect(),
        superseded: now.difference(&then).cloned().collect(),
        entries,
        lingering: live.lingering(|path| !then.contains(path)),
        base: earlier.root.clone(),
    })
}

fn index<'a>(
    header: &BTreeMap<String, String>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<Index, ReleaseError> {
    let mut index = Index::with_header_of(&Index { header: header.clone(), ..Index::default() });
    for entry in entries {
        if entry.stanza.size().is_none() {
            return Err(ReleaseError::NoSize { path: entry.stanza.path().clone() });
        }
        index.stanzas.push(entry.stanza.clone());
    }
    Ok(index)
}

/// Adds a package; whether it was not there yet.
fn insert<'a>(
    packages: &mut BTreeMap<&'a PackagePath, Entry>,
    path: &'a PackagePath,
    entry: Entry,
) -> Result<bool, ReleaseError> {
    match packages.get(path) {
        None => {
            packages.insert(path, entry);
            Ok(true)
        }
        Some(there) if is_same_file(&there.stanza, &entry.stanza) => Ok(false),
        Some(_) => Err(ReleaseError::Taken { path: path.clone() }),
    }
}

fn is_same_file(one: &Stanza, other: &Stanza) -> bool {
    let hashes = |stanza: &Stanza| Some((stanza.size()?, stanza.md5()?.to_owned(), stanza.sha1()?.to_owned()));
    hashes(one).is_some_and(|hashes_of_one| hashes(other) == Some(hashes_of_one))
}

/// The packages of the base that will not be in the release.
fn superseded<'a>(
    base: &'a [Stanza],
    incoming: &[Incoming],
    needed: impl Fn(&Stanza) -> bool,
) -> BTreeSet<&'a PackagePath> {
    let mut by_name: HashMap<&str, Vec<&Stanza>> = HashMap::new();
    for package in incoming {
        by_name.entry(package.stanza.cpv().package()).or_default().push(&package.stanza);
    }
    let mut gone: BTreeMap<&PackagePath, &Stanza> = base
        .iter()
        .filter(|old| by_name.get(old.cpv().package()).is_some_and(|new| new.iter().any(|new| supersedes(new, old))))
        .filter(|old| !needed(old))
        .map(|old| (old.path(), old))
        .collect();
    // Those that leave their sub-slot with nobody else in it.
    let stays_in_slot = |old: &Stanza| {
        by_name.get(old.cpv().package()).is_some_and(|new| new.iter().any(|new| new.slot() == old.slot()))
    };
    loop {
        let staying = base.iter().filter(|stanza| !gone.contains_key(stanza.path()));
        let links: BTreeSet<&str> =
            staying.chain(incoming.iter().map(|package| &package.stanza)).flat_map(linked_against).collect();
        let before = gone.len();
        gone.retain(|_, old| stays_in_slot(old) || !is_linked_against(old, &links));
        if gone.len() == before {
            return gone.into_keys().collect();
        }
    }
}

fn supersedes(new: &Stanza, old: &Stanza) -> bool {
    let same_slot = match (new.slot(), old.slot()) {
        (Some(new), Some(old)) => new.slot == old.slot,
        _ => false,
    };
    new.path() != old.path()
        && old.cpv() <= new.cpv()
        && same_slot
        && new.get("CHOST") == old.get("CHOST")
        && common_flags(new, old) == common_flags(old, new)
}

/// The enabled flags of the first that both know.
fn common_flags<'a>(of: &'a Stanza, other: &Stanza) -> BTreeSet<&'a str> {
    let (mine, others) = (known_flags(of), known_flags(other));
    of.use_flags().into_iter().filter(|flag| mine.contains(flag) && others.contains(flag)).collect()
}

fn known_flags(stanza: &Stanza) -> BTreeSet<&str> {
    let flags = stanza.get("IUSE").unwrap_or_default();
    flags.split_ascii_whitespace().map(|flag| flag.trim_start_matches(['+', '-'])).collect()
}

/// The atoms with a sub-slot that a built package was linked against (`category/name:slot/sub-slot=`).
fn linked_against(stanza: &Stanza) -> impl Iterator<Item = &str> {
    RUNTIME
        .iter()
        .filter_map(|key| stanza.get(key))
        .flat_map(str::split_ascii_whitespace)
        .filter(|atom| atom.contains('/') && atom.contains("=") && atom.contains(':') && !atom.starts_with('!'))
}

fn is_linked_against(stanza: &Stanza, atoms: &BTreeSet<&str>) -> bool {
    let Some(slot) = stanza.slot() else { return false };
    let wanted = format!("{}/{}=", slot.slot, slot.sub_slot);
    atoms.iter().any(|atom| {
        let atom = atom.trim_start_matches(['<', '>', '=', '~']);
        atom.split_once(':').is_some_and(|(name, binding)| {
            let version = name.strip_prefix(stanza.cpv().package());
            let is_package = version.is_some_and(|version| {
                version.is_empty()
                    || version.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            });
            is_package && binding.split('[').next() == Some(&wanted)
        })
    })
}

#[cfg(test)]
mod tests;
