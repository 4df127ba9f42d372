//! Which release followed which, as their records tell it: what was live, what was left, where a roll-back leads. Pure.
//!
//! Each record names the release that was live before it. From the live one backwards that is a chain of what clients
//! have seen; a release that is not on it never was live (its swap was interrupted, or taken back). Where records are
//! missing, from days before there were any, the next earlier id stands for what was live before.
//!
//! A roll-back leaves the release that was live before it. A plain roll-back leads to the nearest release on the chain
//! that was not left and whose content is older than what is live, so that one after the other goes ever further back.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{About, Origin};
use crate::core::names::ReleaseName;

/// The kept releases and how they stand to each other.
#[derive(Debug, Clone, Default)]
pub struct Chronicle {
    kept: BTreeMap<ReleaseName, Option<About>>,
    live: Option<ReleaseName>,
    /// From the live one backwards.
    chain: Vec<ReleaseName>,
    left: BTreeSet<ReleaseName>,
}

impl Chronicle {
    /// Reads it off the records of the kept releases.
    pub fn new(kept: impl IntoIterator<Item = (ReleaseName, Option<About>)>, live: Option<ReleaseName>) -> Self {
        let mut chronicle = Self { kept: kept.into_iter().collect(), live, ..Self::default() };
        chronicle.left = chronicle
            .kept
            .values()
            .flatten()
            .filter(|about| matches!(about.origin, Origin::Rollback(_)))
            .filter_map(|about| about.before.clone())
            .collect();
        let mut next = chronicle.live.clone();
        while let Some(name) = next.filter(|name| chronicle.kept.contains_key(name)) {
            next = chronicle.before(&name);
            chronicle.chain.push(name);
        }
        chronicle
    }

    /// What was live before a release; always an earlier one, so that no record can lead round in a circle.
    fn before(&self, name: &ReleaseName) -> Option<ReleaseName> {
        match self.kept.get(name) {
            Some(Some(about)) => about.before.clone().filter(|before| before < name),
            _ => self.kept.range(..name.clone()).next_back().map(|(name, _)| name.clone()),
        }
    }

    /// The kept releases, the earliest first.
    pub fn kept(&self) -> impl Iterator<Item = (&ReleaseName, Option<&About>)> {
        self.kept.iter().map(|(name, about)| (name, about.as_ref()))
    }

    /// The release that clients see.
    pub fn live(&self) -> Option<&ReleaseName> {
        self.live.as_ref()
    }

    /// Whether a roll-back has left it.
    pub fn is_left(&self, name: &ReleaseName) -> bool {
        self.left.contains(name)
    }

    /// Whether it is live or was.
    pub fn was_live(&self, name: &ReleaseName) -> bool {
        self.chain.contains(name)
    }

    /// The first release that had what this one has.
    pub fn content<'a>(&'a self, name: &'a ReleaseName) -> &'a ReleaseName {
        match self.kept.get(name) {
            Some(Some(about)) => &about.content,
            _ => name,
        }
    }

    /// Where a plain roll-back leads; none where no earlier release is left to go to.
    pub fn back(&self) -> Option<&ReleaseName> {
        let content = self.content(self.live()?);
        self.chain.iter().skip(1).find(|name| !self.is_left(name) && self.content(name) < content)
    }

    /// The releases that go where so many are kept: the earliest, but never the one that is live or was just before,
    /// since clients may be in the middle of it.
    pub fn surplus(&self, keep: usize) -> Vec<ReleaseName> {
        let spare: BTreeSet<&ReleaseName> =
            self.kept.keys().rev().take(keep).chain(self.chain.iter().take(2)).collect();
        self.kept.keys().filter(|name| !spare.contains(name)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::names::{Epoch, Timestamp};

    fn name(number: u64) -> ReleaseName {
        ReleaseName::new(Epoch(1), number)
    }

    fn names(numbers: &[u64]) -> Vec<ReleaseName> {
        numbers.iter().copied().map(name).collect()
    }

    fn about(origin: Origin, content: u64, before: u64) -> Option<About> {
        let before = (before > 0).then(|| name(before));
        Some(About { made: Timestamp(0), origin, content: name(content), before, packages: 0, bytes: 0 })
    }

    /// A finalize (0) or a roll-back to a release, one a number, each on top of the one before.
    fn after(steps: &[u64]) -> Chronicle {
        let mut kept = BTreeMap::new();
        for (step, number) in steps.iter().zip(1..) {
            let about = match step {
                0 => about(Origin::Build("build".parse().unwrap()), number, number - 1),
                to => {
                    let before: &Chronicle = &Chronicle::new(kept.clone(), Some(name(number - 1)));
                    let content = before.content(&name(*to)).parts().unwrap().1;
                    about(Origin::Rollback(name(*to)), content, number - 1)
                }
            };
            kept.insert(name(number), about);
        }
        let live = kept.keys().next_back().cloned();
        Chronicle::new(kept, live)
    }

    #[test]
    fn a_plain_roll_back_goes_ever_further_back_and_never_to_what_was_left() {
        for (steps, back, left) in [
            (&[][..], None, &[][..]),
            (&[0], None, &[]),
            (&[0, 0, 0], Some(2), &[]),
            // 4 is 2 again: the next one leads to 1, then nowhere.
            (&[0, 0, 0, 2], Some(1), &[3]),
            (&[0, 0, 0, 2, 1], None, &[3, 4]),
            // What was built on the roll-back has that behind it, not what was left.
            (&[0, 0, 0, 2, 0], Some(4), &[3]),
            (&[0, 0, 0, 2, 0, 4], Some(1), &[3, 5]),
            // Back by name over 2, which was not at fault: there is nothing behind 1.
            (&[0, 0, 0, 1], None, &[3]),
            // To and fro: 2 stays what a plain roll-back leads to.
            (&[0, 0, 0, 2, 3], Some(2), &[3, 4]),
        ] {
            let chronicle = after(steps);
            assert_eq!(chronicle.back().cloned(), back.map(name), "{steps:?}");
            let found: Vec<_> = chronicle.kept().map(|(name, _)| name).filter(|name| chronicle.is_left(name)).collect();
            assert_eq!(found, names(left).iter().collect::<Vec<_>>(), "{steps:?}");
        }
    }

    #[test]
    fn what_never_was_live_is_no_way_back() {
        let build = || Origin::Build("build".parse().unwrap());
        // 2 was taken back, so 3 came upon 1; 4 is there and not swapped in.
        let kept =
            [(1, 0), (2, 1), (3, 1), (4, 3)].map(|(number, before)| (name(number), about(build(), number, before)));
        let chronicle = Chronicle::new(kept, Some(name(3)));
        assert_eq!(chronicle.back(), Some(&name(1)));
        assert_eq!([1, 2, 3, 4].map(|number| chronicle.was_live(&name(number))), [true, false, true, false]);
    }

    #[test]
    fn without_records_the_order_of_the_ids_counts() {
        let chronicle = Chronicle::new(names(&[1, 2, 3]).into_iter().map(|name| (name, None)), Some(name(3)));
        assert_eq!(chronicle.back(), Some(&name(2)));
        let pointed_back = Chronicle::new(names(&[1, 2, 3]).into_iter().map(|name| (name, None)), Some(name(2)));
        assert_eq!(pointed_back.back(), Some(&name(1)));
    }

    #[test]
    fn what_is_live_or_was_just_before_is_never_surplus() {
        let chronicle = after(&[0, 0, 0, 0, 0]);
        assert_eq!(chronicle.surplus(3), names(&[1, 2]));
        assert_eq!(chronicle.surplus(1), names(&[1, 2, 3]));
        assert_eq!(chronicle.surplus(9), []);
        // The operator has pointed production to an early one.
        let early = Chronicle::new(after(&[0, 0, 0, 0, 0]).kept, Some(name(2)));
        assert_eq!(early.surplus(1), names(&[3, 4]));
    }

    proptest! {
        #[test]
        fn roll_backs_end_and_each_shows_other_content(steps in prop::collection::vec(0..6u64, 1..12)) {
            let mut steps: Vec<u64> = steps.iter().zip(0..).map(|(step, at)| if *step > at { 0 } else { *step }).collect();
            let mut contents = BTreeSet::new();
            for _ in 0..steps.len() + 1 {
                let chronicle = after(&steps);
                let live = chronicle.live().unwrap();
                prop_assert!(contents.insert(chronicle.content(live).clone()));
                let Some(back) = chronicle.back() else { return Ok(()) };
                steps.push(back.parts().unwrap().1);
            }
            prop_assert!(false, "they go on for ever");
        }
    }
}
