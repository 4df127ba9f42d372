//! What a binary package may not be installed beside.
//!
//! `!category/name` and `!!category/name` in RDEPEND and PDEPEND (PMS, section 8.2.6.2). Merging exact packages without
//! the resolver looks at none of them, so whoever does that has to. Blockers that depend on USE flags are passed over:
//! which flags an installed package has is not known here.

use std::fmt;

use super::index::Stanza;
use crate::core::package::{Cpv, PackageName, Slot};

const DEPENDENCIES: [&str; 2] = ["PDEPEND", "RDEPEND"];

/// A package's word that it cannot be installed beside others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    by: Cpv,
    blocked: portage_atom::Dep,
}

impl Blocker {
    /// The blockers of a binary package.
    pub fn of(stanza: &Stanza) -> Vec<Self> {
        let words = DEPENDENCIES.iter().flat_map(|key| stanza.get(key).unwrap_or_default().split_ascii_whitespace());
        let blocked = words.filter(|word| word.starts_with('!')).filter_map(|word| portage_atom::Dep::parse(word).ok());
        let plain = blocked.filter(|atom| atom.blocker.is_some() && atom.use_deps.is_none());
        plain.map(|blocked| Self { by: stanza.cpv().clone(), blocked }).collect()
    }

    /// Which package it is about, in whatever version; none where that is no name of ours.
    pub fn package(&self) -> Option<PackageName> {
        self.blocked.cpn.to_string().parse().ok()
    }

    /// Whether it is about this package.
    pub fn blocks(&self, cpv: &Cpv, slot: &Slot) -> bool {
        let slot = portage_atom::Slot::with_subslot(&slot.slot, &slot.sub_slot);
        portage_atom::Cpv::parse(cpv.as_str()).is_ok_and(|cpv| self.blocked.matches_cpv(&cpv, Some(&slot)))
    }
}

impl fmt::Display for Blocker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.by, self.blocked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::names::BuildId;

    #[test]
    fn a_package_blocks_what_its_own_words_say() {
        let values = [
            ("CPV", "a/b-2"),
            ("PATH", "a/b/b-2-1.gpkg.tar"),
            ("BUILD_ID", "1"),
            ("RDEPEND", "c/d !e/f !!<g/h-2:3 || ( i/j !k/l[m] ) !=n/o-1* !p/q:0/2"),
            ("PDEPEND", "!~r/s-1.0"),
            ("DEPEND", "!t/u"),
        ];
        let blockers = Blocker::of(&Stanza::of_values(values).unwrap());
        let blocks = |cpv: &str, slot: &str| {
            let (cpv, slot) = (cpv.parse().unwrap(), slot.parse().unwrap());
            blockers.iter().any(|blocker| blocker.blocks(&cpv, &slot))
        };
        for (cpv, slot, expected) in [
            ("e/f-1", "0", true),
            ("e/f-9-r3", "5/7", true),
            ("c/d-1", "0", false),
            ("g/h-1.9", "3/1", true),
            ("g/h-2", "3", false),
            ("g/h-1", "2", false),
            ("k/l-1", "0", false),
            ("n/o-1.2", "0", true),
            ("n/o-2", "0", false),
            ("p/q-1", "0/2", true),
            ("p/q-1", "0/1", false),
            ("r/s-1.0-r5", "0", true),
            ("r/s-1.1", "0", false),
            ("t/u-1", "0", false),
        ] {
            assert_eq!(blocks(cpv, slot), expected, "{cpv}:{slot}");
        }
        let names: Vec<_> = blockers.iter().filter_map(Blocker::package).map(|name| name.to_string()).collect();
        assert_eq!(names, ["r/s", "e/f", "g/h", "n/o", "p/q"]);
        assert_eq!(blockers[1].to_string(), "a/b-2 (!e/f)");
        assert!(Blocker::of(&Stanza::seed("a/b-1".parse().unwrap(), BuildId(1))).is_empty());
    }
}
