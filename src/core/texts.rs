//! Small texts by the hundred thousand, kept close together.
//!
//! A large build has some dozen USE flags and an index entry of twenty lines for each of its packages. As sets and maps
//! of strings those take three times their text and most of a controller's memory. Here all texts of one set or map lie
//! in one piece of memory, with the place where each ends. They are made once, read in order, and never changed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Texts in a fixed order.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Texts {
    all: Box<str>,
    /// Where each ends, in bytes.
    ends: Box<[u32]>,
}

impl Texts {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let until = *end as usize;
            let text = self.all.get(from..until).unwrap_or_default();
            from = until;
            text
        })
    }
}

impl<T: AsRef<str>> FromIterator<T> for Texts {
    /// Texts that would take more than four GiB are left out.
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        let mut all = String::new();
        let mut ends = Vec::new();
        for text in texts {
            let Ok(end) = u32::try_from(all.len() + text.as_ref().len()) else { break };
            all.push_str(text.as_ref());
            ends.push(end);
        }
        Self { all: all.into(), ends: ends.into() }
    }
}

/// A text while it is read, borrowed from its source where that has it as it stands.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// A set of words, in ascending order.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Words(Texts);

impl Words {
    /// The words.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter()
    }

    /// Those that the other one has not.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let others: BTreeSet<&str> = other.iter().collect();
        self.iter().filter(move |word| !others.contains(word))
    }
}

impl<T: AsRef<str> + Ord> FromIterator<T> for Words {
    fn from_iter<I: IntoIterator<Item = T>>(words: I) -> Self {
        Self(words.into_iter().collect::<BTreeSet<T>>().into_iter().collect())
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeSet::<Text<'de>>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl JsonSchema for Words {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeSet::<String>::json_schema(generator)
    }
}

/// Values by key, in ascending order of the keys.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Fields(Texts);

impl Fields {
    /// The keys with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut texts = self.0.iter();
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
    }
}

impl<K: AsRef<str> + Ord, V: AsRef<str>> FromIterator<(K, V)> for Fields {
    /// Of several values of one key the last one counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let sorted: BTreeMap<K, V> = pairs.into_iter().collect();
        Self(sorted.iter().flat_map(|(key, value)| [key.as_ref(), value.as_ref()]).collect())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(BTreeMap::<Text<'de>, Text<'de>>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl JsonSchema for Fields {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, String>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_are_the_set_that_went_in_and_read_as_one(
            words in prop::collection::btree_set(".{0,6}", 0..12), others in prop::collection::btree_set("[a-c]", 0..4),
        ) {
            let (packed, other): (Words, Words) = (words.iter().collect(), others.iter().collect());
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), words.iter().collect::<Vec<_>>());
            let different: BTreeSet<&str> = packed.difference(&other).collect();
            prop_assert_eq!(different, words.difference(&others).map(String::as_str).collect::<BTreeSet<_>>());
            let text = serde_json::to_string(&packed).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&words).unwrap());
            prop_assert_eq!(serde_json::from_str::<Words>(&text).unwrap(), packed);
        }

        #[test]
        fn fields_are_the_map_that_went_in_and_read_as_one(map in prop::collection::btree_map(".{0,6}", ".{0,20}", 0..12)) {
            let packed: Fields = map.iter().collect();
            let same: BTreeMap<_, _> = packed.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(&same, &map);
            let text = serde_json::to_string(&packed).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&map).unwrap());
            prop_assert_eq!(serde_json::from_str::<Fields>(&text).unwrap(), packed);
        }
    }
}
