//! One journal copied from another: what is read there after a number, and taken in here behind the same number.
//!
//! A copy has its original's events to the letter, with their numbers, epochs and times. Where the two have gone apart
//! what comes after their last common event is cut off here and kept in the table `cut_off`, for whoever asks what
//! became of it.

use rusqlite::{OptionalExtension, Row, params};

use super::{Journal, StoreError};
use crate::core::event::{Event, SCHEMA};
use crate::core::names::{ControllerName, Epoch, Timestamp};
use crate::core::state::State;
use crate::store::history::{Boundary, Entry, History, digest};

/// What was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOff {
    /// How many events.
    pub events: usize,
    /// The epochs under which they were written.
    pub epochs: Vec<Epoch>,
}

impl Journal {
    /// The number of the last event; zero where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last(&self) -> Result<i64, StoreError> {
        self.number("SELECT max(sequence) FROM events", 0)
    }

    /// How many packages were received after an event.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn received_after(&self, sequence: i64) -> Result<u64, StoreError> {
        // The name under which serde writes the event; the events after the last one that a standby has are few.
        let text = "SELECT count(*) FROM events WHERE sequence > ?1 AND body LIKE '{\"package_received\":%'";
        Ok(self.number(text, sequence)?.unsigned_abs())
    }

    fn number(&self, text: &str, sequence: i64) -> Result<i64, StoreError> {
        let read = |source| self.fault("read", source);
        let mut statement = self.connection.prepare_cached(text).map_err(read)?;
        let values = rusqlite::params_from_iter([sequence].into_iter().take(statement.parameter_count()));
        let number: Option<i64> = statement.query_row(values, |row| row.get(0)).map_err(read)?;
        Ok(number.unwrap_or(0))
    }

    /// At most so many events after this number, in their order.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn after(&self, sequence: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let read = |source| self.fault("read", source);
        let text =
            "SELECT sequence, epoch, at, schema, body FROM events WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
        let mut statement = self.connection.prepare_cached(text).map_err(read)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let entries = statement.query_map(params![sequence, limit], entry);
        entries.and_then(Iterator::collect).map_err(read)
    }

    /// The event of this number; none where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entry(&self, sequence: i64) -> Result<Option<Entry>, StoreError> {
        Ok(self.after(sequence - 1, 1)?.pop().filter(|entry| entry.sequence == sequence))
    }

    /// Its epochs and its end.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn history(&self) -> Result<History, StoreError> {
        let read = |source| self.fault("read", source);
        let text = "SELECT epoch, at, body, sequence FROM events WHERE sequence IN \
                    (SELECT min(sequence) FROM events GROUP BY epoch) ORDER BY sequence";
        let mut statement = self.connection.prepare_cached(text).map_err(read)?;
        let epochs = statement.query_map([], |row| {
            let (at, body) = (Timestamp(row.get(1)?), row.get_ref(2)?.as_str()?);
            let epoch = Epoch(row.get::<_, i64>(0)?.unsigned_abs());
            Ok(Boundary { epoch, from: row.get(3)?, digest: digest(at, body) })
        });
        let epochs = epochs.and_then(Iterator::collect).map_err(read)?;
        Ok(History { epochs, last: self.last()?, gone: self.gone()? })
    }

    /// The epoch under which an event was written; none where there is no such event.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn epoch_at(&self, sequence: i64) -> Result<Option<Epoch>, StoreError> {
        let read = |source| self.fault("read", source);
        let mut statement =
            self.connection.prepare_cached("SELECT epoch FROM events WHERE sequence = ?1").map_err(read)?;
        let epoch: Option<i64> = statement.query_row([sequence], |row| row.get(0)).optional().map_err(read)?;
        Ok(epoch.map(|epoch| Epoch(epoch.unsigned_abs())))
    }

    /// The last epoch that was claimed, and by whom; none where none was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn latest_claim(&self) -> Result<Option<(Epoch, ControllerName)>, StoreError> {
        let read = |source| self.fault("read", source);
        // An epoch begins with its claim.
        let text = "SELECT sequence, epoch, at, schema, body FROM events WHERE sequence = \
                    (SELECT min(sequence) FROM events WHERE epoch = (SELECT max(epoch) FROM events))";
        let entry = self.connection.prepare_cached(text).map_err(read)?.query_row([], entry).optional();
        Ok(match entry.map_err(read)?.map(|entry| self.event_of(&entry)).transpose()? {
            Some(Event::EpochClaimed { epoch, controller, .. }) => Some((epoch, controller)),
            _ => None,
        })
    }

    /// The event of an entry.
    ///
    /// # Errors
    /// When it is of a newer program, or damaged.
    pub fn event_of(&self, entry: &Entry) -> Result<Event, StoreError> {
        if entry.schema > SCHEMA {
            return Err(StoreError::Newer { path: self.path.clone(), found: entry.schema });
        }
        serde_json::from_str(&entry.body).map_err(|source| self.unreadable(entry.sequence, source))
    }

    /// Takes in events of another journal behind the last one here; `state` is what they lead to. All of them, or none.
    ///
    /// # Errors
    /// When they do not follow one another from there on, or cannot be written.
    pub fn copy(&mut self, entries: &[Entry], state: &State) -> Result<(), StoreError> {
        let last = self.last()?;
        if let Some((entry, expected)) = entries.iter().zip(last + 1..).find(|(entry, next)| entry.sequence != *next) {
            return Err(StoreError::Gap { path: self.path.clone(), expected, found: entry.sequence });
        }
        let write = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            entries.iter().try_for_each(|entry| self.insert(entry))?;
            transaction.commit()
        };
        write().map_err(|source| self.fault("copy into", source))?;
        self.behind = self.behind.saturating_add(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        self.snapshot_when_due(state)
    }

    /// Writes an event of another journal under its own number.
    pub(super) fn insert(&self, entry: &Entry) -> rusqlite::Result<()> {
        let text = "INSERT INTO events (sequence, epoch, at, schema, body) VALUES (?1, ?2, ?3, ?4, ?5)";
        let epoch = i64::try_from(entry.epoch.0).unwrap_or(i64::MAX);
        let values = params![entry.sequence, epoch, entry.at.0, entry.schema, entry.body];
        self.connection.prepare_cached(text)?.execute(values).map(|_| ())
    }

    /// Cuts off what comes after an event; it is kept in the table `cut_off` of the same file. None where nothing does.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn cut(&mut self, sequence: i64, at: Timestamp) -> Result<Option<CutOff>, StoreError> {
        let write = || -> rusqlite::Result<Option<CutOff>> {
            let transaction = self.connection.unchecked_transaction()?;
            let epochs: Vec<i64> = transaction
                .prepare("SELECT DISTINCT epoch FROM events WHERE sequence > ?1 ORDER BY epoch")?
                .query_map([sequence], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            transaction.execute_batch(
                "CREATE TABLE IF NOT EXISTS cut_off (
                     cut_at   INTEGER NOT NULL,
                     sequence INTEGER NOT NULL,
                     epoch    INTEGER NOT NULL,
                     at       INTEGER NOT NULL,
                     schema   INTEGER NOT NULL,
                     body     TEXT NOT NULL
                 );",
            )?;
            let kept =
                "INSERT INTO cut_off SELECT ?2, sequence, epoch, at, schema, body FROM events WHERE sequence > ?1";
            let events = transaction.execute(kept, params![sequence, at.0])?;
            transaction.execute("DELETE FROM events WHERE sequence > ?1", [sequence])?;
            transaction.execute("DELETE FROM snapshots WHERE sequence > ?1", [sequence])?;
            transaction.execute("DELETE FROM status WHERE sequence > ?1", [sequence])?;
            transaction.commit()?;
            let epochs = epochs.into_iter().map(|epoch| Epoch(epoch.unsigned_abs())).collect();
            Ok((events > 0).then_some(CutOff { events, epochs }))
        };
        write().map_err(|source| self.fault("cut off the end of", source))
    }

    /// How many events were ever cut off here.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cut_off(&self) -> Result<u64, StoreError> {
        if !self.has_table("cut_off")? {
            return Ok(0);
        }
        Ok(self.number("SELECT count(*) FROM cut_off", 0)?.unsigned_abs())
    }
}

/// What a row with all columns, in their order, holds.
fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        sequence: row.get(0)?,
        epoch: Epoch(row.get::<_, i64>(1)?.unsigned_abs()),
        at: Timestamp(row.get(2)?),
        schema: row.get(3)?,
        body: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::journal::SNAPSHOT_EVERY;
    use crate::store::journal::testing::{claim, fleet, write};

    fn journal(directory: &std::path::Path) -> Journal {
        Journal::open(directory).unwrap()
    }

    /// What a standby does with the journal of its leader, in pieces of this length.
    fn follow(own: &mut Journal, leader: &Journal, piece: usize) -> State {
        let common = own.history().unwrap().common(&leader.history().unwrap());
        own.cut(common, Timestamp(9)).unwrap();
        let mut state = own.replay().unwrap();
        loop {
            let entries = leader.after(own.last().unwrap(), piece).unwrap();
            if entries.is_empty() {
                return state;
            }
            for entry in &entries {
                state.apply(&own.event_of(entry).unwrap()).unwrap();
            }
            own.copy(&entries, &state).unwrap();
        }
    }

    #[test]
    fn what_comes_after_the_last_common_event_is_cut_off_and_kept_for_whoever_asks() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut own, mut leader) = (journal(here.path()), journal(there.path()));
        let mut state = State::default();
        for event in [claim(1, "izar"), fleet(8)] {
            write(&mut leader, &mut state, &event);
        }
        follow(&mut own, &leader, 10);
        let mut alone = own.replay().unwrap();
        write(&mut own, &mut alone, &fleet(1));
        write(&mut own, &mut alone, &claim(2, "tarn"));
        write(&mut leader, &mut state, &claim(3, "izar"));
        write(&mut leader, &mut state, &fleet(16));
        let cut = CutOff { events: 2, epochs: vec![Epoch(1), Epoch(2)] };
        let common = own.history().unwrap().common(&leader.history().unwrap());
        assert_eq!(common, 2);
        assert_eq!(own.cut(common, Timestamp(9)).unwrap(), Some(cut));
        assert_eq!(own.cut(common, Timestamp(9)).unwrap(), None);
        let state = follow(&mut own, &leader, 1);
        assert_eq!(state.drones.values().next().unwrap().spec.cores, 16);
        assert_eq!(own.after(0, 100).unwrap(), leader.after(0, 100).unwrap());
        assert_eq!(own.cut_off().unwrap(), 2);
        // A reader beside it, and the next controller, see the same.
        assert_eq!(Journal::state_of(here.path()).unwrap().epoch, Epoch(3));
    }

    #[test]
    fn a_snapshot_of_what_is_cut_off_is_not_believed() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut own, mut leader) = (journal(here.path()), journal(there.path()));
        let (mut alone, mut state) = (State::default(), State::default());
        write(&mut own, &mut alone, &claim(1, "tarn"));
        for cores in 0..SNAPSHOT_EVERY {
            write(&mut own, &mut alone, &fleet(cores));
        }
        write(&mut leader, &mut state, &claim(1, "izar"));
        follow(&mut own, &leader, 100);
        assert_eq!(Journal::state_of(here.path()).unwrap().controller, Some("izar".parse().unwrap()));
        // A copy makes snapshots of its own.
        for cores in 0..SNAPSHOT_EVERY {
            write(&mut leader, &mut state, &fleet(cores));
        }
        follow(&mut own, &leader, 700);
        let snapshots = own.number("SELECT max(sequence) FROM snapshots", 0).unwrap();
        assert!(snapshots > 4000, "{snapshots}");
        assert_eq!(own.replay().unwrap().drones, leader.replay().unwrap().drones);
    }

    #[test]
    fn events_that_do_not_follow_the_last_one_are_refused() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut own, mut leader) = (journal(here.path()), journal(there.path()));
        for event in [claim(1, "izar"), fleet(8)] {
            write(&mut leader, &mut State::default(), &event);
        }
        let error = own.copy(&leader.after(1, 10).unwrap(), &State::default()).unwrap_err().to_string();
        assert!(error.contains("event 2 came where 1 was expected"), "{error}");
        assert_eq!(own.last().unwrap(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_two_journals_have_in_common_they_end_equal(
            shared in prop::collection::vec(any::<bool>(), 0..6), own in prop::collection::vec(any::<bool>(), 0..6),
            leaders in prop::collection::vec(any::<bool>(), 1..8), piece in 1..5usize,
        ) {
            let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let (mut copy, mut leader) = (journal(here.path()), journal(there.path()));
            let mut epoch = 0;
            // Each writes under epochs of its own, the leader under odd ones: an epoch has one writer.
            let mut go_on = |journal: &mut Journal, rises: &[bool], odd: u64, name: &str| {
                let mut state = journal.replay().unwrap();
                for (step, rise) in rises.iter().enumerate() {
                    if *rise || step == 0 {
                        epoch = (epoch + 2) / 2 * 2 + odd;
                        write(journal, &mut state, &claim(epoch, name));
                    }
                    write(journal, &mut state, &fleet(step as u32 + epoch as u32 * 100));
                }
            };
            go_on(&mut leader, &shared, 1, "izar");
            follow(&mut copy, &leader, piece);
            go_on(&mut copy, &own, 0, "tarn");
            go_on(&mut leader, &leaders, 1, "izar");
            let state = follow(&mut copy, &leader, piece);
            prop_assert_eq!(copy.after(0, 1000).unwrap(), leader.after(0, 1000).unwrap());
            prop_assert_eq!(state.drones, leader.replay().unwrap().drones);
            prop_assert_eq!(copy.cut_off().unwrap() > 0, !own.is_empty());
        }
    }
}
