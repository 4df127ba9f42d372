//! A journal for one that cannot be told all of it any more: what is gone comes as its sum.
//!
//! Whoever was away for longer than events are kept gets the state that all of them have led to, with those events that
//! tell what two journals have in common, and goes on behind the last one. What it has itself up to where the two went
//! apart stays.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Journal, StoreError};
use crate::core::event::SCHEMA;
use crate::core::state::State;
use crate::store::history::Entry;

/// What a journal comes to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sum {
    /// The first event of each epoch, and the last event, in their order; none of an empty journal.
    pub entries: Vec<Entry>,
    /// What they all lead to.
    pub state: State,
}

impl Journal {
    /// What it comes to.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sum(&self) -> Result<Sum, StoreError> {
        // What is written or removed meanwhile is not seen.
        let view = self.connection.unchecked_transaction().map_err(|source| self.fault("read", source))?;
        let (state, last) = self.replay_numbered()?;
        let begins = self.history()?.epochs.into_iter().map(|epoch| epoch.from);
        let mut numbers: Vec<i64> = begins.chain((last > 0).then_some(last)).collect();
        numbers.dedup();
        let entries =
            numbers.into_iter().filter_map(|number| self.entry(number).transpose()).collect::<Result<_, _>>()?;
        drop(view);
        Ok(Sum { entries, state })
    }

    /// Goes on from the sum of another journal, with which this one has all in common that it has: what lies between is
    /// not here. All of it, or nothing.
    ///
    /// # Errors
    /// When it is of a newer program, or cannot be written.
    pub fn go_on_from(&mut self, sum: &Sum) -> Result<(), StoreError> {
        if let Some(newer) = sum.entries.iter().find(|entry| entry.schema > SCHEMA) {
            return Err(StoreError::Newer { path: self.path.clone(), found: newer.schema });
        }
        let Some(last) = sum.entries.last().map(|entry| entry.sequence) else { return Ok(()) };
        let body = self.packed(&sum.state)?;
        let own = self.last()?;
        let write = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            for entry in sum.entries.iter().filter(|entry| entry.sequence > own) {
                self.insert(entry)?;
            }
            transaction.execute("DELETE FROM snapshots", [])?;
            transaction.execute(
                "INSERT INTO snapshots (sequence, schema, body) VALUES (?1, ?2, ?3)",
                params![last, SCHEMA, body],
            )?;
            transaction.execute("INSERT OR REPLACE INTO meta VALUES ('gone', ?1)", [last - 1])?;
            transaction.commit()
        };
        write().map_err(|source| self.fault("copy into", source))?;
        self.behind = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::names::Timestamp;
    use crate::store::journal::Keep;
    use crate::store::journal::testing::{claim, fleet, write};

    #[test]
    fn a_copy_goes_on_from_the_sum_of_what_is_gone_as_if_it_had_all_of_it() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut own, mut leader) = (Journal::open(here.path()).unwrap(), Journal::open(there.path()).unwrap());
        let mut state = State::default();
        for event in [claim(1, "izar"), fleet(1), fleet(2)] {
            write(&mut leader, &mut state, &event);
        }
        // It was there for the first two.
        own.copy(&leader.after(0, 2).unwrap(), &State::default()).unwrap();
        for event in [fleet(3), claim(2, "izar"), fleet(4), fleet(5)] {
            write(&mut leader, &mut state, &event);
        }
        leader.prune(&state, &Keep { since: Timestamp(99), size: 0, wanted: None }).unwrap();
        let sum = leader.sum().unwrap();
        assert_eq!(sum.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [1, 5, 7]);
        own.go_on_from(&sum).unwrap();
        let numbers: Vec<i64> = own.after(0, 99).unwrap().iter().map(|entry| entry.sequence).collect();
        assert_eq!((numbers, own.gone().unwrap()), (vec![1, 2, 5, 7], 6));
        assert_eq!(own.history().unwrap(), leader.history().unwrap());
        write(&mut leader, &mut state, &fleet(6));
        let more = leader.after(7, 99).unwrap();
        own.copy(&more, &state).unwrap();
        for journal in [own, leader] {
            let read = journal.replay().unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&state).unwrap());
        }
    }

    #[test]
    fn a_sum_of_a_newer_program_is_refused_and_changes_nothing() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut own, mut leader) = (Journal::open(here.path()).unwrap(), Journal::open(there.path()).unwrap());
        write(&mut leader, &mut State::default(), &claim(1, "izar"));
        let mut sum = leader.sum().unwrap();
        sum.entries[0].schema = SCHEMA + 1;
        assert!(matches!(own.go_on_from(&sum).unwrap_err(), StoreError::Newer { .. }));
        assert_eq!(own.last().unwrap(), 0);
    }
}
