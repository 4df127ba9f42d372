//! How two releases differ: what came, what went, and what became another build of itself. Pure.
//!
//! Within a package's slot, what only the one has and what only the other has are held to be one package that changed, as
//! far as they pair up: each newer one with that whose USE flags are most like its own, of several with the newest.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{ReleaseError, Shelf};
use crate::core::names::ReleaseName;
use crate::core::package::Cpv;
use crate::portage::index::{PackagePath, Stanza};

/// A package of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Which.
    pub cpv: Cpv,
    /// Its file.
    pub path: PackagePath,
    /// Its size in bytes.
    pub size: u64,
}

/// A package that is another one in the other release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its slot, without sub-slot.
    pub slot: String,
    /// As it was.
    pub from: Side,
    /// As it is.
    pub to: Side,
    /// USE flags that it knows and that changed, in order: `+ssl` came, `-nls` went.
    #[serde(rename = "use")]
    pub flags: Vec<String>,
}

/// How two releases differ, each list by package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// What only the second has.
    pub added: Vec<Side>,
    /// What only the first has.
    pub removed: Vec<Side>,
    /// What both have, and not the same.
    pub changed: Vec<Change>,
}

/// A difference, and of what.
#[derive(Debug, Clone, Serialize)]
pub struct Between {
    /// The first.
    pub from: ReleaseName,
    /// The second.
    pub to: ReleaseName,
    /// How they differ.
    #[serde(flatten)]
    pub diff: Diff,
}

impl Between {
    /// How two kept releases differ.
    ///
    /// # Errors
    /// One is not there, or its index cannot be read.
    pub fn releases(shelf: &Shelf, from: ReleaseName, to: ReleaseName) -> Result<Self, ReleaseError> {
        let diff = Diff::between(&shelf.find(&from)?.index()?.stanzas, &shelf.find(&to)?.index()?.stanzas);
        Ok(Self { from, to, diff })
    }
}

impl Diff {
    /// The difference between what two indexes list.
    pub fn between(from: &[Stanza], to: &[Stanza]) -> Self {
        let paths = |stanzas: &'_ [Stanza]| stanzas.iter().map(|each| each.path().clone()).collect::<BTreeSet<_>>();
        let (before, after) = (paths(from), paths(to));
        let mut old = by_slot(from.iter().filter(|stanza| !after.contains(stanza.path())));
        let mut diff = Self::default();
        for (key, new) in by_slot(to.iter().filter(|stanza| !before.contains(stanza.path()))) {
            let mut old = old.remove(&key).unwrap_or_default();
            for stanza in new {
                let nearest = (0..old.len()).min_by_key(|at| changed_flags(old[*at], stanza).len());
                match nearest.map(|at| old.remove(at)) {
                    Some(from) => diff.changed.push(Change {
                        slot: key.1.clone(),
                        from: side(from),
                        to: side(stanza),
                        flags: changed_flags(from, stanza),
                    }),
                    None => diff.added.push(side(stanza)),
                }
            }
            diff.removed.extend(old.into_iter().map(side));
        }
        diff.removed.extend(old.into_values().flatten().map(side));
        diff.added.sort_by(|one, other| one.path.cmp(&other.path));
        diff.removed.sort_by(|one, other| one.path.cmp(&other.path));
        diff.changed.sort_by(|one, other| one.to.path.cmp(&other.to.path));
        diff
    }

    /// Whether both have the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Packages of one name and slot, the newest first.
fn by_slot<'a>(stanzas: impl Iterator<Item = &'a Stanza>) -> BTreeMap<(String, String), Vec<&'a Stanza>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for stanza in stanzas {
        let slot = stanza.slot().map(|slot| slot.slot).unwrap_or_default();
        found.entry((stanza.cpv().package().to_owned(), slot)).or_default().push(stanza);
    }
    for list in found.values_mut() {
        list.sort_by_key(|stanza| std::cmp::Reverse(stanza.path()));
    }
    found
}

fn side(stanza: &Stanza) -> Side {
    Side { cpv: stanza.cpv().clone(), path: stanza.path().clone(), size: stanza.size().unwrap_or_default() }
}

fn changed_flags(from: &Stanza, to: &Stanza) -> Vec<String> {
    let (before, after) = (own_flags(from), own_flags(to));
    let came = after.difference(&before).map(|flag| format!("+{flag}"));
    came.chain(before.difference(&after).map(|flag| format!("-{flag}"))).collect()
}

/// The enabled flags that the package itself knows; the profile's own are none of its doing.
fn own_flags(stanza: &Stanza) -> BTreeSet<&str> {
    let known = stanza.get("IUSE").unwrap_or_default().split_ascii_whitespace();
    let known: BTreeSet<&str> = known.map(|flag| flag.trim_start_matches(['+', '-'])).collect();
    stanza.use_flags().into_iter().filter(|flag| known.contains(flag)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::stanza;
    use super::*;

    fn shown(diff: &Diff) -> Vec<String> {
        let mut lines: Vec<_> = diff.added.iter().map(|side| format!("+ {} {}", side.cpv, side.size)).collect();
        lines.extend(diff.removed.iter().map(|side| format!("- {} {}", side.cpv, side.size)));
        lines.extend(diff.changed.iter().map(|change| {
            let Change { slot, from, to, flags } = change;
            format!("~ {} {} -> {} {} :{slot} {}", from.cpv, from.size, to.cpv, to.size, flags.join(" "))
        }));
        lines
    }

    #[test]
    fn what_came_went_and_changed_is_told_apart() {
        let slot = |slot| ("SLOT", slot);
        let flags = |enabled| [("USE", enabled), ("IUSE", "+nls ssl"), ("SIZE", "9")];
        for (why, from, to, expected) in [
            ("nothing", vec![stanza("a/b-1", 1, &[])], vec![stanza("a/b-1", 1, &[])], vec![]),
            ("came", vec![], vec![stanza("a/b-1", 1, &[])], vec!["+ a/b-1 7"]),
            ("went", vec![stanza("a/b-1", 1, &[])], vec![], vec!["- a/b-1 7"]),
            (
                "version",
                vec![stanza("a/b-1", 1, &[])],
                vec![stanza("a/b-1.1", 2, &[])],
                vec!["~ a/b-1 7 -> a/b-1.1 7 :0 "],
            ),
            (
                "flags and size of a rebuild",
                vec![stanza("a/b-1", 1, &[("USE", "nls amd64"), ("IUSE", "nls")])],
                vec![stanza("a/b-1", 2, &flags("ssl arm64"))],
                vec!["~ a/b-1 7 -> a/b-1 9 :0 +ssl -nls"],
            ),
            (
                "another slot",
                vec![stanza("a/b-1", 1, &[slot("1")])],
                vec![stanza("a/b-2", 2, &[slot("2/2.1")])],
                vec!["+ a/b-2 7", "- a/b-1 7"],
            ),
            (
                "a sub-slot",
                vec![stanza("a/b-1", 1, &[slot("1/1")])],
                vec![stanza("a/b-2", 2, &[slot("1/2")])],
                vec!["~ a/b-1 7 -> a/b-2 7 :1 "],
            ),
            (
                "one more beside it",
                vec![stanza("a/b-1", 1, &[])],
                vec![stanza("a/b-1", 1, &[]), stanza("a/b-2", 2, &[])],
                vec!["+ a/b-2 7"],
            ),
            (
                "two sets of flags, each with its like",
                vec![stanza("a/b-1", 1, &flags("ssl")), stanza("a/b-1", 2, &flags("nls"))],
                vec![stanza("a/b-2", 3, &flags("nls")), stanza("a/b-2", 4, &flags("ssl"))],
                vec!["~ a/b-1 9 -> a/b-2 9 :0 ", "~ a/b-1 9 -> a/b-2 9 :0 "],
            ),
            (
                "the newest of several",
                vec![stanza("a/b-1", 1, &[]), stanza("a/b-2", 2, &[])],
                vec![stanza("a/b-3", 3, &[])],
                vec!["- a/b-1 7", "~ a/b-2 7 -> a/b-3 7 :0 "],
            ),
        ] {
            let diff = Diff::between(&from, &to);
            assert_eq!(shown(&diff), expected, "{why}");
            assert_eq!(diff.is_empty(), expected.is_empty(), "{why}");
        }
    }
}
