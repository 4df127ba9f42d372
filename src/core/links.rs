//! What a package links against.
//!
//! Each of some ten thousand packages has a few of these, and a set of strings and slots takes a kilobyte for them where
//! their text takes a hundred bytes: so they are kept as [`super::texts`] keeps its own.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::package::Slot;
use super::texts::Texts;

/// Slots of packages (`category/name`) with sub-slot, one for each `:=` dependency, in ascending order. They are made
/// once and never changed.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Links(Texts);

impl Links {
    /// The packages with their slots.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Slot)> {
        let mut texts = self.0.iter();
        std::iter::from_fn(move || {
            let (package, slot, sub_slot) = (texts.next()?, texts.next()?, texts.next()?);
            Some((package, Slot { slot: slot.to_owned(), sub_slot: sub_slot.to_owned() }))
        })
    }

    /// Those that the other one has not.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a str, Slot)> {
        let others: BTreeSet<_> = other.iter().collect();
        self.iter().filter(move |link| !others.contains(link))
    }
}

impl<T: AsRef<str> + Ord> FromIterator<(T, Slot)> for Links {
    fn from_iter<I: IntoIterator<Item = (T, Slot)>>(links: I) -> Self {
        let sorted: BTreeSet<(T, Slot)> = links.into_iter().collect();
        Self(sorted.iter().flat_map(|(package, slot)| [package.as_ref(), &slot.slot, &slot.sub_slot]).collect())
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Links {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Links {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeSet::<(String, Slot)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn links() -> impl Strategy<Value = BTreeSet<(String, Slot)>> {
        let slot = ("[0-2]{1,2}", "[0-2]{1,2}").prop_map(|(slot, sub_slot)| Slot { slot, sub_slot });
        prop::collection::btree_set(("[a-b]/[a-c]{1,3}", slot), 0..8)
    }

    proptest! {
        #[test]
        fn links_are_the_set_that_went_in_and_read_as_one(set in links(), others in links()) {
            let (packed, other): (Links, Links) = (set.iter().cloned().collect(), others.iter().cloned().collect());
            let owned = |(package, slot): (&str, Slot)| (package.to_owned(), slot);
            prop_assert_eq!(packed.iter().map(owned).collect::<Vec<_>>(), set.iter().cloned().collect::<Vec<_>>());
            let different: BTreeSet<_> = packed.difference(&other).map(owned).collect();
            prop_assert_eq!(different, set.difference(&others).cloned().collect::<BTreeSet<_>>());
            let text = serde_json::to_string(&packed).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&set).unwrap());
            prop_assert_eq!(serde_json::from_str::<Links>(&text).unwrap(), packed);
        }
    }
}
