//! Up to where two journals tell the same.
//!
//! As in Raft (Ongaro and Ousterhout 2014, section 5.3): one controller alone writes under an epoch, each event behind
//! the one before, and never changes one. So two journals that have an epoch's first event in common, at the same place,
//! agree from the beginning up to where the first of them leaves that epoch or ends. What identifies an epoch is the
//! digest of its first event: two controllers that never met may both have begun with epoch 1.
//!
//! Cost: one comparison for each epoch.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::core::names::{Epoch, Timestamp};

/// An event as it stands in a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number; the first one is 1.
    pub sequence: i64,
    /// The epoch under which it was written.
    pub epoch: Epoch,
    /// When.
    pub at: Timestamp,
    /// The version of its form.
    pub schema: u32,
    /// The event as JSON, to the letter.
    pub body: String,
}

impl Entry {
    /// What tells it from any other event: SHA-256 of its time and its text, in hexadecimal digits.
    pub fn digest(&self) -> String {
        digest(self.at, &self.body)
    }
}

/// As [`Entry::digest`].
pub(super) fn digest(at: Timestamp, body: &str) -> String {
    let mut text = String::new();
    let _infallible = write!(text, "{} {body}", at.0);
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(text))
}

/// Where an epoch begins in a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundary {
    /// The epoch.
    pub epoch: Epoch,
    /// The number of its first event.
    pub from: i64,
    /// The digest of that event.
    pub digest: String,
}

/// The epochs of a journal, in their order, and its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Where each epoch begins.
    pub epochs: Vec<Boundary>,
    /// The number of the last event; zero where there is none.
    pub last: i64,
    /// The events up to this number are gone, but for the first of each epoch; zero where none are.
    #[serde(default)]
    pub gone: i64,
}

impl History {
    /// The number of the last event that both have in common; zero where there is none.
    pub fn common(&self, other: &Self) -> i64 {
        let shared = self.epochs.iter().zip(&other.epochs).take_while(|(own, others)| own == others).count();
        match shared {
            0 => 0,
            _ => self.end_of(shared - 1).min(other.end_of(shared - 1)),
        }
    }

    /// The number of the last event before the epoch of this one; zero where that is the first.
    pub fn before_epoch_of(&self, sequence: i64) -> i64 {
        let epoch = self.epochs.iter().rev().find(|epoch| epoch.from <= sequence);
        epoch.map_or(0, |epoch| epoch.from - 1)
    }

    /// The number of the last event of an epoch.
    fn end_of(&self, index: usize) -> i64 {
        self.epochs.get(index + 1).map_or(self.last, |next| next.from - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A journal in which each event is its epoch and the controller that wrote it.
    fn history(events: &[(u64, u8)]) -> History {
        let mut epochs: Vec<Boundary> = Vec::new();
        for ((epoch, writer), from) in events.iter().zip(1..) {
            if epochs.last().is_none_or(|last| last.epoch != Epoch(*epoch)) {
                epochs.push(Boundary { epoch: Epoch(*epoch), from, digest: writer.to_string() });
            }
        }
        History { epochs, last: events.len() as i64, gone: 0 }
    }

    #[test]
    fn journals_agree_up_to_where_the_first_leaves_their_last_common_epoch() {
        let all = |epochs: &[u64]| epochs.iter().map(|epoch| (*epoch, 0)).collect::<Vec<_>>();
        for (one, other, common) in [
            (all(&[]), all(&[1, 1]), 0),
            (all(&[1, 1]), all(&[1, 1, 1]), 2),
            (all(&[1, 1, 1, 1]), all(&[1, 1, 2, 2]), 2),
            (all(&[1, 1, 2, 2, 2]), all(&[1, 1, 2, 3, 3]), 3),
            (all(&[1, 1, 2]), all(&[1, 2]), 1),
            // Both began by themselves.
            (vec![(1, 0), (1, 0)], vec![(1, 1), (1, 1)], 0),
        ] {
            assert_eq!(history(&one).common(&history(&other)), common, "{one:?} {other:?}");
            assert_eq!(history(&other).common(&history(&one)), common, "{one:?} {other:?}");
        }
    }

    #[test]
    fn an_epoch_that_is_given_up_ends_where_it_began() {
        let history = history(&[(1, 0), (1, 0), (2, 0), (2, 0)]);
        assert_eq!([0, 1, 2, 3, 4].map(|sequence| history.before_epoch_of(sequence)), [0, 0, 0, 2, 2]);
    }

    proptest! {
        #[test]
        fn what_two_journals_have_in_common_is_all_of_it_that_is_equal(
            shared in prop::collection::vec(1..4u64, 0..6), one in prop::collection::vec(0..3u64, 0..5),
            other in prop::collection::vec(0..3u64, 0..5),
        ) {
            // Each goes on by itself, under epochs of its own: an epoch has one writer.
            let mut epoch = 1;
            let mut common: Vec<(u64, u8)> = Vec::new();
            for rise in shared {
                epoch += rise - 1;
                common.push((epoch, 0));
            }
            let tail = |rises: Vec<u64>, writer: u8| {
                let mut own = epoch + u64::from(writer);
                let mut events = common.clone();
                for rise in rises {
                    own += 2 * rise;
                    events.push((own, writer));
                }
                events
            };
            let (one, other) = (tail(one, 1), tail(other, 2));
            let equal = one.iter().zip(&other).take_while(|(one, other)| one == other).count() as i64;
            prop_assert_eq!(history(&one).common(&history(&other)), equal);
        }
    }
}
