//! How things stood when a controller ended, or when nothing had happened for a moment, kept for whoever only looks: the
//! state of 20,000 packages takes most of a second to read, what `swarm status` shows of it some milliseconds.
//!
//! It is a shortcut and never the word on anything: another version of the program, or one that finds an event after it,
//! does not look at it, and where events are cut off it goes with them.

use rusqlite::{OptionalExtension, params};

use super::{Journal, StoreError};
use crate::core::names::Timestamp;
use crate::core::state::State;
use crate::core::status::Status;

/// Whose it is: what its parts mean may change from one version to the next.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The table.
pub(super) const PREPARE: &str = "CREATE TABLE IF NOT EXISTS status (
         sequence INTEGER NOT NULL,
         version  TEXT NOT NULL,
         until    INTEGER,
         body     TEXT NOT NULL
     );";

impl Journal {
    /// Keeps how things stand now, until the next event. `state` is what the last event has led to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_status(&self, state: &State, now: Timestamp) -> Result<(), StoreError> {
        let body = serde_json::to_string(&Status::of(state, None, now)).map_err(|error| self.formless(error.into()))?;
        let (sequence, until) = (self.last()?, state.first_rested(now).map(|until| until.0));
        let write = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            transaction.execute("DELETE FROM status", [])?;
            transaction
                .execute("INSERT INTO status VALUES (?1, ?2, ?3, ?4)", params![sequence, VERSION, until, body])?;
            transaction.commit()
        };
        write().map_err(|source| self.fault("write to", source))
    }

    /// How things stand, where that was kept and is still so.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn kept_status(&self, now: Timestamp) -> Result<Option<Status>, StoreError> {
        if !self.has_table("status")? {
            return Ok(None);
        }
        let text = "SELECT body FROM status WHERE sequence = ?1 AND version = ?2 AND (until IS NULL OR until > ?3)";
        let kept = self.connection.query_row(text, params![self.last()?, VERSION, now.0], |row| row.get(0)).optional();
        let body: Option<String> = kept.map_err(|source| self.fault("read", source))?;
        // What does not read is made anew from the events.
        Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{DroneSpec, Event};

    const NOW: Timestamp = Timestamp(1_000);

    fn fleet() -> Event {
        let spec = DroneSpec { name: "izar".parse().unwrap(), cores: 8, jobs: Some(1), memory_mib: None };
        Event::FleetDeclared { drones: vec![spec] }
    }

    /// A journal whose controller has ended, with what it has kept.
    fn ended(rest: Option<Timestamp>) -> (tempfile::TempDir, Status) {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, mut state) = (Journal::open(directory.path()).unwrap(), State::default());
        state.apply(&fleet()).unwrap();
        journal.append(&state, &fleet(), NOW).unwrap();
        state.drones.values_mut().for_each(|drone| drone.rest_until = rest);
        journal.keep_status(&state, NOW).unwrap();
        (directory, Status::of(&state, None, NOW))
    }

    fn kept(directory: &tempfile::TempDir, now: Timestamp) -> Option<Status> {
        Journal::open_to_read(directory.path()).unwrap().unwrap().kept_status(now).unwrap()
    }

    #[test]
    fn a_status_is_kept_until_the_next_event_whoever_opens_the_journal_before() {
        let (directory, status) = ended(None);
        assert_eq!(kept(&directory, Timestamp(i64::MAX)), Some(status.clone()));
        let mut journal = Journal::open(directory.path()).unwrap();
        assert_eq!(kept(&directory, NOW), Some(status));
        journal.append(&State::default(), &fleet(), NOW).unwrap();
        assert_eq!(kept(&directory, NOW), None);
        drop(journal);
        assert_eq!(kept(&directory, NOW), None, "the last one has kept nothing");
    }

    #[test]
    fn a_kept_status_ends_with_a_drones_rest() {
        let (directory, status) = ended(Some(Timestamp(1_060)));
        assert_eq!(kept(&directory, Timestamp(1_059)), Some(status));
        assert_eq!(kept(&directory, Timestamp(1_060)), None);
        let (over, _) = ended(Some(NOW));
        assert!(kept(&over, Timestamp(i64::MAX)).is_some());
    }

    #[test]
    fn a_kept_status_of_another_version_or_of_before_the_last_event_counts_for_nothing() {
        for change in ["UPDATE status SET version = '0.0.1'", "UPDATE status SET sequence = sequence - 1"] {
            let (directory, _) = ended(None);
            let journal = Journal::open_to_read(directory.path()).unwrap().unwrap();
            rusqlite::Connection::open(&journal.path).unwrap().execute(change, []).unwrap();
            assert_eq!(journal.kept_status(NOW).unwrap(), None, "{change}");
        }
    }
}
