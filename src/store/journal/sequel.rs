//! What a journal says, taken up from what it said before: of what came since only the new events are read.
//!
//! The state of 20,000 packages takes most of a second to read from its snapshot, an event some microseconds. All that was
//! read before is still there where the last event is the very same one and nothing was cut off meanwhile: a standby cuts
//! off what its leader does not have, and other events follow under the same numbers, sometimes in the same epoch.

use super::{Journal, StoreError};
use crate::core::state::State;

/// What was made of a journal's events, up to one of them.
#[derive(Debug, Clone, Default)]
pub struct Known<T> {
    /// What.
    pub value: T,
    /// Which events those were.
    pub until: Until,
}

/// How far a journal was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Until {
    /// The number of the last event; zero where there is none.
    pub sequence: i64,
    /// What tells that event from any other; none where there is none.
    digest: Option<String>,
    /// How many events had been cut off.
    cut_off: u64,
}

impl Journal {
    /// What it says now, where it has said this before; of one that says nothing yet it is all read.
    ///
    /// # Errors
    /// As [`Journal::replay`].
    pub fn go_on_replaying(&self, before: Known<State>) -> Result<Known<State>, StoreError> {
        self.go_on_reading(before, |known| match known {
            Some((mut state, last)) => {
                let last = self.apply_after(last, &mut state)?;
                Ok((state, last))
            }
            None => self.replay_numbered(),
        })
    }

    /// Makes more of what was made of it before: `read` gets that, with the number of its last event, where the journal
    /// goes on from there, and nothing where all is to be read; it gives the same as of now.
    ///
    /// # Errors
    /// Those of `read`, and when the journal cannot be read.
    pub fn go_on_reading<T>(
        &self,
        before: Known<T>,
        read: impl FnOnce(Option<(T, i64)>) -> Result<(T, i64), StoreError>,
    ) -> Result<Known<T>, StoreError> {
        // What is written, cut off or removed meanwhile is not seen.
        let view = self.connection.unchecked_transaction().map_err(|source| self.fault("read", source))?;
        let Known { value, until } = before;
        let has_all = until.sequence > 0 && self.until(until.sequence)? == until;
        let (value, last) = read(has_all.then_some((value, until.sequence)))?;
        let until = self.until(last)?;
        drop(view);
        Ok(Known { value, until })
    }

    /// Whether it says no more than when it was read as far as this.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn ends_at(&self, until: &Until) -> Result<bool, StoreError> {
        Ok(self.last()? == until.sequence && self.until(until.sequence)? == *until)
    }

    /// What tells that all up to this event was read, and nothing else.
    fn until(&self, sequence: i64) -> Result<Until, StoreError> {
        let digest = self.entry(sequence)?.map(|entry| entry.digest());
        Ok(Until { sequence, digest, cut_off: self.cut_off()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;
    use crate::core::names::Timestamp;
    use crate::store::journal::Keep;
    use crate::store::journal::testing::{claim, fleet, write};

    /// That what is said is just what a reader who begins anew is told.
    fn hold(journal: &Journal, said: &Known<State>) {
        let text = |state: &State| serde_json::to_value(state).unwrap();
        assert_eq!(text(&said.value), text(&journal.replay().unwrap()));
        assert_eq!(said.until.sequence, journal.last().unwrap());
    }

    /// An event that changes what no other one does.
    fn builds_kept(count: u32) -> Event {
        Event::BuildsKept { count }
    }

    #[test]
    fn what_came_since_is_all_that_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
        let mut said = journal.go_on_replaying(Known::default()).unwrap();
        hold(&journal, &said);
        for event in [claim(1, "izar"), fleet(1), fleet(2), claim(2, "izar"), fleet(3)] {
            write(&mut journal, &mut state, &event);
            said = journal.go_on_replaying(said).unwrap();
            hold(&journal, &said);
        }
        // What was read before is not looked at again, or this would be found.
        journal.connection.execute("UPDATE events SET body = 'nothing' WHERE sequence = 2", []).unwrap();
        write(&mut journal, &mut state, &fleet(4));
        said = journal.go_on_replaying(said).unwrap();
        let cores: Vec<u32> = said.value.drones.values().map(|drone| drone.spec.cores).collect();
        assert_eq!((cores, said.until.sequence), (vec![4], 6));
        journal.go_on_replaying(Known::default()).unwrap_err();
    }

    #[test]
    fn what_was_cut_off_since_is_not_said_any_more_whatever_follows_in_its_place() {
        let in_the_same_epoch: [Event; 2] = [fleet(7), fleet(2)];
        for follow in [[claim(2, "vega"), fleet(3)], in_the_same_epoch] {
            let directory = tempfile::tempdir().unwrap();
            let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
            for event in [claim(1, "izar"), fleet(1), builds_kept(5), fleet(2)] {
                write(&mut journal, &mut state, &event);
            }
            let said = journal.go_on_replaying(Known::default()).unwrap();
            journal.cut(2, Timestamp(8)).unwrap();
            let mut state = journal.replay().unwrap();
            for event in follow {
                write(&mut journal, &mut state, &event);
            }
            hold(&journal, &journal.go_on_replaying(said).unwrap());
        }
    }

    #[test]
    fn what_is_gone_before_it_was_read_is_taken_from_the_sum() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
        for event in [claim(1, "izar"), fleet(1)] {
            write(&mut journal, &mut state, &event);
        }
        let said = journal.go_on_replaying(Known::default()).unwrap();
        for event in [builds_kept(5), fleet(2), fleet(3)] {
            write(&mut journal, &mut state, &event);
        }
        journal.prune(&state, &Keep { since: Timestamp(99), size: 0, wanted: None }).unwrap();
        hold(&journal, &journal.go_on_replaying(said).unwrap());
    }
}
