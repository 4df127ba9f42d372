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
use super::tree::Entry;
use crate::portage::index::{Index, PackagePath, Stanza};

/// The dependencies that a merged package needs to run; what it was linked against is among them.
const RUNTIME: [&str; 3] = ["RDEPEND", "PDEPEND", "IDEPEND"];

/// The release to build on.
#[derive(Debug, Clone, Default)]
pub struct Base {
    /// Where its files are; none where there is no release yet.
    pub root: Option<PathBuf>,
    /// Its index, with those entries alone that have their file.
    pub index: Index,
    /// Entries that will not be in the next release: they have no file, or are of no use.
    pub left_out: Vec<String>,
}

/// A staged package.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its entry in the index, with the path that it will have.
    pub stanza: Stanza,
    /// Where it is.
    pub file: PathBuf,
}

/// What a release will consist of.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Its index.
    pub index: Index,
    /// What it has and the base has not, by path.
    pub added: Vec<PackagePath>,
    /// What the base has and it has not, by path.
    pub superseded: Vec<PackagePath>,
    /// A file for every entry of the index.
    pub(super) entries: Vec<Entry>,
    /// Where files that are no packages come from.
    pub(super) base: Option<PathBuf>,
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
    let mut packages: BTreeMap<&PackagePath, (&Stanza, PathBuf)> = BTreeMap::new();
    let gone = superseded(&base.index.stanzas, incoming, needed);
    for stanza in &base.index.stanzas {
        let root = base.root.as_deref().unwrap_or(Path::new(""));
        insert(&mut packages, stanza, root.join(stanza.path().to_string()))?;
    }
    let mut added = Vec::new();
    for package in incoming {
        if insert(&mut packages, &package.stanza, package.file.clone())? {
            added.push(package.stanza.path().clone());
        }
    }
    packages.retain(|path, _| !gone.contains(path));

    let described = if header.is_empty() { &base.index.header } else { header };
    let mut index = Index::with_header_of(&Index { header: described.clone(), ..Index::default() });
    let mut entries = Vec::with_capacity(packages.len());
    for (path, (stanza, source)) in packages {
        let size = stanza.size().ok_or_else(|| ReleaseError::NoSize { path: path.clone() })?;
        entries.push(Entry { path: path.clone(), source, size });
        index.stanzas.push(stanza.clone());
    }
    added.sort();
    Ok(Contents { index, added, superseded: gone.into_iter().cloned().collect(), entries, base: base.root.clone() })
}

/// Adds a package; whether it was not there yet.
fn insert<'a>(
    packages: &mut BTreeMap<&'a PackagePath, (&'a Stanza, PathBuf)>,
    stanza: &'a Stanza,
    file: PathBuf,
) -> Result<bool, ReleaseError> {
    match packages.get(stanza.path()) {
        None => {
            packages.insert(stanza.path(), (stanza, file));
            Ok(true)
        }
        Some((there, _)) if is_same_file(there, stanza) => Ok(false),
        Some(_) => Err(ReleaseError::Taken { path: stanza.path().clone() }),
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
