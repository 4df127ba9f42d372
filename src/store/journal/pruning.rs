//! What is old goes: events whose sum a snapshot has.
//!
//! A fresh snapshot is written first, and read back. Then everything before a number goes, but the first event of each
//! epoch: from these follows what two journals have in common ([`crate::store::History`]) and who claimed what, and they
//! are small. The last event stays in any case, since the next one is numbered after it. How far that has gone is in the
//! table `meta`, as `gone`; with it the snapshot is no mere shortcut any more, so every later version has to read it.
//!
//! The room in the file is used again by what comes; where more than half of it is free it is made smaller.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{Journal, StoreError};
use crate::core::names::Timestamp;
use crate::core::state::State;

/// Less free room (bytes) in the file than this is left there for what comes.
const WORTHWHILE: i64 = 16 << 20;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Events from before this moment go.
    pub since: Timestamp,
    /// The oldest go until the rest is no larger than this, in bytes.
    pub size: u64,
    /// Somebody still needs this event and all after it.
    pub wanted: Option<i64>,
}

impl Keep {
    /// What is younger than this, and no more of it than so many bytes.
    pub fn within(age: Duration, size: u64, now: Timestamp) -> Self {
        let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        Self { since: Timestamp(now.0.saturating_sub(age)), size, wanted: None }
    }
}

/// What a journal holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    /// How many events.
    pub events: u64,
    /// The size of their texts, in bytes.
    pub bytes: u64,
}

impl Journal {
    /// The events up to this number are gone, but for the first of each epoch; zero where none are.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn gone(&self) -> Result<i64, StoreError> {
        if !self.has_table("meta")? {
            return Ok(0);
        }
        let gone = self.connection.query_row("SELECT value FROM meta WHERE key = 'gone'", [], |row| row.get(0));
        Ok(gone.optional().map_err(|source| self.fault("read", source))?.unwrap_or(0))
    }

    /// What it holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn holding(&self) -> Result<Holding, StoreError> {
        self.holding_before(i64::MAX)
    }

    /// What would go.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn surplus(&self, keep: &Keep) -> Result<Holding, StoreError> {
        self.holding_before(self.first_kept(keep)?)
    }

    fn holding_before(&self, sequence: i64) -> Result<Holding, StoreError> {
        let text = "SELECT count(*), coalesce(sum(octet_length(body)), 0) FROM events WHERE sequence < ?1 \
                    AND (?1 = 9223372036854775807 OR sequence NOT IN (SELECT min(sequence) FROM events GROUP BY epoch))";
        let row = self.connection.query_row(text, [sequence], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        let (events, bytes) = row.map_err(|source| self.fault("read", source))?;
        Ok(Holding { events: events.unsigned_abs(), bytes: bytes.unsigned_abs() })
    }

    /// The number before which everything may go.
    fn first_kept(&self, keep: &Keep) -> Result<i64, StoreError> {
        let too_old = self.number_of("SELECT max(sequence) FROM events WHERE at < ?1", keep.since.0)?;
        let size = i64::try_from(keep.size).unwrap_or(i64::MAX);
        let too_large = self.number_of(
            "SELECT max(sequence) FROM (SELECT sequence, sum(octet_length(body)) OVER (ORDER BY sequence DESC) AS total \
             FROM events) WHERE total > ?1",
            size,
        )?;
        let first = too_old.max(too_large).saturating_add(1);
        Ok(first.min(self.last()?).min(keep.wanted.unwrap_or(i64::MAX)))
    }

    fn number_of(&self, text: &str, value: i64) -> Result<i64, StoreError> {
        let number = self.connection.query_row(text, [value], |row| row.get::<_, Option<i64>>(0));
        Ok(number.map_err(|source| self.fault("read", source))?.unwrap_or(0))
    }

    /// Removes what is not to be kept; `state` is what the last event has led to. Gives what went.
    ///
    /// # Errors
    /// When it cannot be written, or the snapshot does not say what it has to: then nothing has gone.
    pub fn prune(&mut self, state: &State, keep: &Keep) -> Result<Holding, StoreError> {
        let first = self.first_kept(keep)?;
        let surplus = self.holding_before(first)?;
        if surplus.events > 0 {
            self.snapshot(state)?;
            self.hold_snapshot(state)?;
            self.forget_before(first)?;
        }
        self.forget_cut_off(keep.since)?;
        self.shrink()?;
        Ok(surplus)
    }

    /// What is about to be the only word on what has gone has to read as what it was made of.
    fn hold_snapshot(&self, state: &State) -> Result<(), StoreError> {
        let (last, unfit) = (self.last()?, || StoreError::Unsound { path: self.path.clone() });
        let (sequence, read) = self.latest_snapshot()?.ok_or_else(unfit)?;
        let text = |state: &State| serde_json::to_vec(state).map_err(|_| unfit());
        if sequence == last && text(&read)? == text(state)? { Ok(()) } else { Err(unfit()) }
    }

    fn forget_before(&self, sequence: i64) -> Result<(), StoreError> {
        let write = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            transaction.execute(
                "DELETE FROM events WHERE sequence < ?1 AND sequence NOT IN (SELECT min(sequence) FROM events GROUP BY \
                 epoch)",
                [sequence],
            )?;
            transaction.execute("INSERT OR REPLACE INTO meta VALUES ('gone', ?1)", params![sequence - 1])?;
            transaction.commit()
        };
        write().map_err(|source| self.fault("remove old events from", source))
    }

    /// What was cut off so long ago nobody asks about any more.
    fn forget_cut_off(&self, since: Timestamp) -> Result<(), StoreError> {
        if self.has_table("cut_off")? {
            self.connection
                .execute("DELETE FROM cut_off WHERE cut_at < ?1", [since.0])
                .map_err(|source| self.fault("remove old events from", source))?;
        }
        Ok(())
    }

    /// Makes the file smaller where that is worth while and there is room to do it.
    fn shrink(&self) -> Result<(), StoreError> {
        let pragma = |name: &str| -> Result<i64, StoreError> {
            let value = self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0));
            value.map_err(|source| self.fault("read", source))
        };
        let (free, pages, page) = (pragma("freelist_count")?, pragma("page_count")?, pragma("page_size")?);
        if free * page < WORTHWHILE || free * 2 < pages {
            return Ok(());
        }
        // It is written anew beside itself. Without room for that, or with a reader in the way, it stays as large.
        let made_small = self.connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);");
        if let Err(error) = made_small {
            tracing::warn!("the journal {} stays as large as it is: {error}", self.path.display());
        }
        Ok(())
    }

    /// Whether there is a table of this name.
    pub(super) fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        let text = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1";
        let count = self.connection.query_row(text, [name], |row| row.get::<_, i64>(0));
        Ok(count.map_err(|source| self.fault("read", source))? > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::names::Epoch;
    use crate::store::journal::testing::{claim, fleet};

    /// A journal of two epochs with ten events each, one a second.
    fn journal(directory: &std::path::Path) -> (Journal, State) {
        let (mut journal, mut state) = (Journal::open(directory).unwrap(), State::default());
        for at in 0..20 {
            let event = if at % 10 == 0 { claim(1 + at / 10, "izar") } else { fleet(at as u32) };
            state.apply(&event).unwrap();
            journal.append(&state, &event, Timestamp(at as i64)).unwrap();
        }
        (journal, state)
    }

    fn numbers(journal: &Journal) -> Vec<i64> {
        journal.after(0, 100).unwrap().iter().map(|entry| entry.sequence).collect()
    }

    const ALL: Keep = Keep { since: Timestamp(0), size: u64::MAX, wanted: None };

    #[test]
    fn old_events_go_but_for_the_first_of_each_epoch_and_the_last_and_the_state_stays() {
        for (keep, kept, gone) in [
            (ALL, (1..=20).collect::<Vec<_>>(), 0),
            (Keep { since: Timestamp(14), ..ALL }, [1, 11].into_iter().chain(15..=20).collect(), 14),
            (Keep { since: Timestamp(99), ..ALL }, vec![1, 11, 20], 19),
            (Keep { size: 0, ..ALL }, vec![1, 11, 20], 19),
            (Keep { since: Timestamp(99), wanted: Some(5), ..ALL }, [1].into_iter().chain(5..=20).collect(), 4),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let (mut journal, state) = journal(directory.path());
            let history = journal.history().unwrap();
            let would = journal.surplus(&keep).unwrap();
            let went = journal.prune(&state, &keep).unwrap();
            assert_eq!((would, would.events as usize), (went, 20 - kept.len()), "{keep:?}");
            assert_eq!((numbers(&journal), journal.gone().unwrap()), (kept, gone), "{keep:?}");
            assert_eq!(journal.history().unwrap().epochs, history.epochs);
            assert_eq!(journal.latest_claim().unwrap().unwrap().0, Epoch(2));
            drop(journal);
            let read = Journal::open(directory.path()).unwrap().replay().unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&state).unwrap());
        }
    }

    #[test]
    fn the_next_event_is_numbered_as_if_nothing_had_gone() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = journal(directory.path());
        journal.prune(&state, &Keep { size: 0, ..ALL }).unwrap();
        state.apply(&fleet(99)).unwrap();
        journal.append(&state, &fleet(99), Timestamp(99)).unwrap();
        assert_eq!(journal.last().unwrap(), 21);
        assert_eq!(journal.replay().unwrap().drones.values().next().unwrap().spec.cores, 99);
    }

    #[test]
    fn without_its_snapshot_what_is_left_is_not_taken_for_the_whole() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, state) = journal(directory.path());
        journal.prune(&state, &Keep { size: 0, ..ALL }).unwrap();
        journal.connection.execute("UPDATE snapshots SET body = x'00'", []).unwrap();
        let error = journal.replay().unwrap_err();
        assert!(matches!(error, StoreError::NoSnapshot { gone: 19, .. }), "{error}");
    }

    #[test]
    fn a_file_that_is_mostly_empty_is_made_smaller() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, state) = journal(directory.path());
        let text = "x".repeat(1 << 20);
        for _ in 0..40 {
            let insert = "INSERT INTO events (epoch, at, schema, body) VALUES (2, 20, 1, ?1)";
            journal.connection.execute(insert, [&text]).unwrap();
        }
        let size = || std::fs::metadata(directory.path().join("journal.db")).unwrap().len();
        journal.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        assert!(size() > 40 << 20);
        journal.prune(&state, &Keep { size: 0, ..ALL }).unwrap();
        assert!(size() < 4 << 20, "{}", size());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn however_often_it_is_pruned_the_journal_says_the_same(cuts in prop::collection::vec(0..25i64, 1..5)) {
            let directory = tempfile::tempdir().unwrap();
            let (mut journal, state) = journal(directory.path());
            for since in cuts {
                journal.prune(&state, &Keep { since: Timestamp(since), ..ALL }).unwrap();
                let read = journal.replay().unwrap();
                prop_assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&state).unwrap());
                let kept = numbers(&journal);
                let gone = journal.gone().unwrap();
                prop_assert!((gone + 1..=20).all(|number| kept.contains(&number)), "{:?} {}", kept, gone);
            }
        }
    }
}
