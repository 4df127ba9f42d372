//! The journal: every event in its order, in `journal.db` of the state directory.
//!
//! SQLite with a write-ahead log and `synchronous=FULL`: an event that [`Journal::append`] has taken survives a power
//! cut. Readers open the same file read-only beside the writer. An operator can look at it with `sqlite3`.

mod copying;
mod error;
mod kept;
mod lookout;
mod pruning;
mod sequel;
mod sum;
#[cfg(test)]
mod testing;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::core::event::{Event, SCHEMA};
use crate::core::names::Timestamp;
use crate::core::state::State;
use crate::failpoint::Failpoint;

pub use copying::CutOff;
pub use error::StoreError;
pub use lookout::{Lookout, News};
pub use pruning::{Holding, Keep};
pub use sequel::{Known, Until};
pub use sum::Sum;

/// The journal of a state directory.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    path: PathBuf,
    /// Events since the last snapshot, as far as this process wrote them.
    behind: u32,
}

/// The files of a state directory that an event changes: the journal's own, and what it writes ahead.
pub const FILES: [&str; 2] = ["journal.db", "journal.db-wal"];

/// So many events come between two snapshots: replaying them takes some hundredths of a second.
const SNAPSHOT_EVERY: u32 = 5000;

/// Far more than the text of any state (bytes).
const LARGEST_STATE: u64 = 4 << 30;

impl Journal {
    /// Opens the journal of a state directory for writing; the caller holds the directory's lock.
    ///
    /// # Errors
    /// When directory or file cannot be made or opened.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        fs_err::create_dir_all(directory)
            .map_err(|source| StoreError::Directory { path: directory.to_owned(), source })?;
        let path = directory.join(FILES[0]);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let journal = Self::connect(path, flags)?;
        journal
            .connection
            .execute_batch(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
                 CREATE TABLE IF NOT EXISTS events (
                     sequence INTEGER PRIMARY KEY,
                     epoch    INTEGER NOT NULL,
                     at       INTEGER NOT NULL,
                     schema   INTEGER NOT NULL,
                     body     TEXT NOT NULL
                 );
                 CREATE INDEX IF NOT EXISTS events_by_epoch ON events (epoch);
                 CREATE TABLE IF NOT EXISTS snapshots (
                     sequence INTEGER PRIMARY KEY,
                     schema   INTEGER NOT NULL,
                     body     BLOB NOT NULL
                 );
                 CREATE TABLE IF NOT EXISTS meta (
                     key   TEXT PRIMARY KEY,
                     value INTEGER NOT NULL
                 ) WITHOUT ROWID;",
            )
            .and_then(|()| journal.connection.execute_batch(kept::PREPARE))
            .and_then(|()| journal.declare_schema())
            .map_err(|source| journal.fault("prepare", source))?;
        Ok(journal)
    }

    /// Opens it for reading beside a controller; `None` where there is none yet.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn open_to_read(directory: &Path) -> Result<Option<Self>, StoreError> {
        let path = directory.join(FILES[0]);
        if !path.exists() {
            return Ok(None);
        }
        let journal = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // A first controller makes the file a moment before its table; until then nothing has happened.
        let is_made = journal.has_table("events")?;
        Ok(Some(journal).filter(|_| is_made))
    }

    /// What the journal in this directory says, read beside whoever writes it; the beginning where there is none yet.
    ///
    /// # Errors
    /// The journal cannot be read, or contradicts itself.
    pub fn state_of(directory: &Path) -> Result<State, StoreError> {
        let journal = Self::open_to_read(directory)?;
        Ok(journal.map(|journal| journal.replay()).transpose()?.unwrap_or_default())
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<Self, StoreError> {
        let fault = |source| StoreError::Database { doing: "open", path: path.clone(), source };
        let connection = Connection::open_with_flags(&path, flags).map_err(fault)?;
        // A reader and the writer meet for moments only.
        connection.busy_timeout(Duration::from_secs(10)).map_err(fault)?;
        let journal = Self { connection, path, behind: 0 };
        journal.refuse_newer()?;
        Ok(journal)
    }

    /// Whether a newer program has worked on it, by what it says itself.
    fn refuse_newer(&self) -> Result<(), StoreError> {
        // Zero in journals from before it was written there.
        let found = schema(&self.connection).map_err(|source| self.fault("open", source))?;
        if found > SCHEMA { Err(StoreError::Newer { path: self.path.clone(), found }) } else { Ok(()) }
    }

    /// Writes an event; when this returns it will survive.
    ///
    /// # Errors
    /// When it cannot be written, for example because the disk is full.
    pub fn append(&mut self, state: &State, event: &Event, at: Timestamp) -> Result<(), StoreError> {
        let body = serde_json::to_string(event).map_err(|error| self.formless(error.into()))?;
        Failpoint::BeforeJournal.pass();
        let epoch = i64::try_from(state.epoch.0).unwrap_or(i64::MAX);
        self.connection
            .prepare_cached("INSERT INTO events (epoch, at, schema, body) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| statement.execute(params![epoch, at.0, SCHEMA, body]))
            .map_err(|source| self.fault("write to", source))?;
        Failpoint::AfterJournal.pass();
        self.behind += 1;
        self.snapshot_when_due(state)
    }

    fn snapshot_when_due(&mut self, state: &State) -> Result<(), StoreError> {
        if self.behind < SNAPSHOT_EVERY { Ok(()) } else { self.snapshot(state) }
    }

    /// The number of the event that was written last.
    pub fn last_written(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// Writes down what all events up to the last one come to, so that the next replay need not read them.
    fn snapshot(&mut self, state: &State) -> Result<(), StoreError> {
        let body = self.packed(state)?;
        let sequence = self.last()?;
        let write = || -> rusqlite::Result<()> {
            let transaction = self.connection.unchecked_transaction()?;
            transaction.execute(
                "INSERT OR REPLACE INTO snapshots (sequence, schema, body) VALUES (?1, ?2, ?3)",
                params![sequence, SCHEMA, body],
            )?;
            transaction.execute("DELETE FROM snapshots WHERE sequence < ?1", params![sequence])?;
            transaction.commit()
        };
        write().map_err(|source| self.fault("write a snapshot to", source))?;
        self.behind = 0;
        Ok(())
    }

    /// A state as a snapshot holds it.
    fn packed(&self, state: &State) -> Result<Vec<u8>, StoreError> {
        let formless = |source| self.formless(source);
        let body = serde_json::to_vec(state).map_err(|error| formless(error.into()))?;
        zstd::bulk::compress(&body, 1).map_err(formless)
    }

    /// The latest snapshot and the event that it reaches to. One of a newer version, or one that does not read, is
    /// passed over: as long as none is gone the events say it all.
    fn latest_snapshot(&self) -> Result<Option<(i64, State)>, StoreError> {
        let read = |source| self.fault("read", source);
        if !self.has_table("snapshots")? {
            return Ok(None);
        }
        let found: Option<(i64, Vec<u8>)> = self
            .connection
            .query_row(
                "SELECT sequence, body FROM snapshots WHERE schema <= ?1 ORDER BY sequence DESC LIMIT 1",
                params![SCHEMA],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(read)?;
        Ok(found.and_then(|(sequence, body)| Some((sequence, State::of_snapshot(&unpacked(&body)?)?))))
    }

    /// The state that the journal says.
    ///
    /// # Errors
    /// When an event cannot be read or does not fit those before it.
    pub fn replay(&self) -> Result<State, StoreError> {
        self.replay_numbered().map(|(state, _)| state)
    }

    /// The state that the journal says, and the number of the last event that led to it; zero where there is none.
    ///
    /// # Errors
    /// As [`Journal::replay`].
    pub fn replay_numbered(&self) -> Result<(State, i64), StoreError> {
        let (mut last, mut state) = self.latest_snapshot()?.unwrap_or_default();
        let gone = self.gone()?;
        if last < gone {
            return Err(StoreError::NoSnapshot { path: self.path.clone(), gone });
        }
        last = self.apply_after(last, &mut state)?;
        Ok((state, last))
    }

    /// Lets the events after this number change the state that those before it have led to. Gives the number of the last.
    fn apply_after(&self, mut last: i64, state: &mut State) -> Result<i64, StoreError> {
        self.each(last, |sequence, _, event| {
            last = sequence;
            state.apply(&event).map_err(|source| StoreError::Damaged { sequence, path: self.path.clone(), source })
        })?;
        Ok(last)
    }

    /// The events after this number, with their own and their moments, in order.
    ///
    /// # Errors
    /// When an event cannot be read.
    pub fn each_after(&self, sequence: i64, mut take: impl FnMut(i64, Timestamp, Event)) -> Result<(), StoreError> {
        self.each(sequence, |sequence, at, event| {
            take(sequence, at, event);
            Ok(())
        })
    }

    /// All that has happened, as far as it is kept.
    ///
    /// # Errors
    /// When an event cannot be read.
    pub fn events(&self, mut take: impl FnMut(&Event)) -> Result<(), StoreError> {
        self.each(self.gone()?, |_, _, event| {
            take(&event);
            Ok(())
        })
    }

    fn each(
        &self,
        from: i64,
        mut take: impl FnMut(i64, Timestamp, Event) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self
            .connection
            .prepare("SELECT sequence, schema, body, at FROM events WHERE sequence > ?1 ORDER BY sequence")
            .map_err(|source| self.fault("read", source))?;
        let mut rows = statement.query([from]).map_err(|source| self.fault("read", source))?;
        while let Some(row) = rows.next().map_err(|source| self.fault("read", source))? {
            let read = |source| self.fault("read", source);
            let sequence: i64 = row.get(0).map_err(read)?;
            let schema: u32 = row.get(1).map_err(read)?;
            if schema > SCHEMA {
                return Err(StoreError::Newer { path: self.path.clone(), found: schema });
            }
            let body = row.get_ref(2).and_then(|body| Ok(body.as_str()?)).map_err(read)?;
            let event: Event = serde_json::from_str(body).map_err(|source| self.unreadable(sequence, source))?;
            take(sequence, Timestamp(row.get(3).map_err(read)?), event)?;
        }
        Ok(())
    }

    /// Whatever is written from here on only this version and later ones read.
    fn declare_schema(&self) -> rusqlite::Result<()> {
        if schema(&self.connection)? == SCHEMA {
            Ok(())
        } else {
            self.connection.pragma_update(None, "user_version", SCHEMA)
        }
    }

    fn unreadable(&self, sequence: i64, source: serde_json::Error) -> StoreError {
        let path = self.path.clone();
        // As serde names a kind that an enumeration does not have.
        match source.to_string().starts_with("unknown variant") {
            true => StoreError::UnknownKind { sequence, path, source },
            false => StoreError::Unreadable { sequence, path, source },
        }
    }

    fn formless(&self, source: std::io::Error) -> StoreError {
        StoreError::Formless { path: self.path.clone(), source }
    }

    fn fault(&self, doing: &'static str, source: rusqlite::Error) -> StoreError {
        if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            return StoreError::Full { path: self.path.clone() };
        }
        StoreError::Database { doing, path: self.path.clone(), source }
    }
}

impl Drop for Journal {
    /// Brings what was written ahead into the file itself. SQLite does so when the last connection is closed, and others
    /// may look for years; without it a copy of the one file would lack the latest events.
    fn drop(&mut self) {
        if !self.connection.is_readonly(rusqlite::MAIN_DB).unwrap_or(true) {
            // The next one to write does it, where a reader is in the way.
            let _later = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

/// What was packed. It says its size, so that no copies are made on the way to it; a size without measure is damage.
fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let size = zstd::zstd_safe::get_frame_content_size(packed).ok()?.unwrap_or(0);
    let mut body = Vec::with_capacity(usize::try_from(size).ok().filter(|_| size <= LARGEST_STATE)?);
    zstd::stream::copy_decode(packed, &mut body).ok()?;
    Some(body)
}

fn schema(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::DroneSpec;

    fn fleet() -> Event {
        Event::FleetDeclared {
            drones: vec![DroneSpec { name: "izar".parse().unwrap(), cores: 8, jobs: Some(1), memory_mib: None }],
        }
    }

    #[test]
    fn a_snapshot_of_a_size_without_measure_or_cut_short_does_not_read() {
        // RFC 8878, section 3.1.1: the magic number, that eight bytes of size follow, the size.
        let claimed = [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &(1_u64 << 60).to_le_bytes()].concat();
        let packed = zstd::bulk::compress(b"a state", 1).unwrap();
        assert_eq!(unpacked(&packed).unwrap(), b"a state");
        for damaged in [&claimed[..], &packed[..packed.len() - 1], b"", b"{}"] {
            assert!(unpacked(damaged).is_none(), "{damaged:?}");
        }
    }

    #[test]
    fn what_was_written_is_read_by_the_next_controller_and_by_a_reader_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Journal::open_to_read(directory.path()).unwrap().is_none());
        let mut journal = Journal::open(directory.path()).unwrap();
        journal.append(&State::default(), &fleet(), Timestamp(1)).unwrap();
        let reader = Journal::open_to_read(directory.path()).unwrap().unwrap();
        assert_eq!(reader.replay().unwrap().drones.len(), 1);
        drop(journal);
        assert_eq!(Journal::open(directory.path()).unwrap().replay().unwrap().drones.len(), 1);
    }

    #[test]
    fn the_file_alone_has_all_that_was_written_by_one_who_has_ended_though_others_look() {
        let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut journal = Journal::open(directory.path()).unwrap();
        let reader = Journal::open_to_read(directory.path()).unwrap().unwrap();
        journal.append(&State::default(), &fleet(), Timestamp(1)).unwrap();
        drop(journal);
        std::fs::copy(directory.path().join(FILES[0]), copy.path().join(FILES[0])).unwrap();
        let copied = Journal::open_to_read(copy.path()).unwrap().unwrap();
        assert_eq!([&reader, &copied].map(|journal| journal.last().unwrap()), [1, 1]);
    }

    #[test]
    fn a_journal_that_is_just_being_made_says_nothing_yet() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("journal.db"), "").unwrap();
        assert!(Journal::open_to_read(directory.path()).unwrap().is_none());
    }

    #[test]
    fn events_that_contradict_those_before_are_named_by_their_number() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(directory.path()).unwrap();
        journal.append(&State::default(), &fleet(), Timestamp(1)).unwrap();
        let drone = "vega".parse().unwrap();
        journal
            .append(
                &State::default(),
                &Event::DroneReady {
                    drone,
                    address: None,
                    rooms: crate::core::event::Rooms::default(),
                    memory_mib: None,
                    configuration: None,
                },
                Timestamp(1),
            )
            .unwrap();
        let message = journal.replay().unwrap_err().to_string();
        assert!(message.contains("damaged at event 2") && message.contains("vega"), "{message}");
    }

    #[test]
    fn a_journal_of_a_newer_program_is_not_guessed_at() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        journal.connection.execute("INSERT INTO events VALUES (1, 0, 0, 999, '{}')", []).unwrap();
        assert!(matches!(journal.replay().unwrap_err(), StoreError::Newer { found: 999, .. }));
        // One that says so itself is not opened at all, neither to write nor to look.
        journal.connection.pragma_update(None, "user_version", 998).unwrap();
        for error in [Journal::open(directory.path()).err(), Journal::open_to_read(directory.path()).err()] {
            let Some(StoreError::Newer { found: 998, .. }) = error else { panic!("{error:?}") };
        }
    }

    #[test]
    fn an_event_of_an_unknown_kind_is_told_from_one_that_is_damaged() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let write = |body: &str| {
            let text = "INSERT OR REPLACE INTO events VALUES (1, 0, 0, ?1, ?2)";
            journal.connection.execute(text, params![SCHEMA, body]).unwrap();
            journal.replay().unwrap_err()
        };
        let unknown = write(r#"{"comet_seen":{"at":1}}"#);
        assert!(matches!(unknown, StoreError::UnknownKind { sequence: 1, .. }), "{unknown}");
        assert!(
            unknown.to_string().contains("comet_seen") && unknown.to_string().contains("a newer swarm"),
            "{unknown}"
        );
        assert!(matches!(write(r#"{"fleet_declared":{"dr"#), StoreError::Unreadable { sequence: 1, .. }));
    }
}
