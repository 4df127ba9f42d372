//! What can be wrong with a journal, and what an operator can do.

use std::path::PathBuf;

use crate::core::event::SCHEMA;
use crate::core::state::Inconsistent;

/// What can be wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite could not do it.
    #[error("cannot {doing} the journal {}: {source}", path.display())]
    Database {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The file system of the journal is full, or its quota used up.
    #[error(
        "no space is left for the journal {}: free some there, then go on with `swarm push`; what was received so far is \
         kept, and what runs on the drones goes on", path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// An event is of a kind that this program does not know.
    #[error(
        "event {sequence} of the journal {} is of a kind that this swarm does not know: a newer swarm has worked on it, use \
         that one. ({source})", path.display()
    )]
    UnknownKind {
        /// The event's number.
        sequence: i64,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An event cannot be read.
    #[error("event {sequence} of the journal {} cannot be read: {source}; it is of a newer swarm, or damaged", path.display())]
    Unreadable {
        /// The event's number.
        sequence: i64,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It was written by a newer program.
    #[error(
        "the journal {} has schema {found}, and this swarm knows those up to {SCHEMA}: a newer swarm has worked on it, use \
         that one. Nothing was changed", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema of the journal, or of an event.
        found: u32,
    },
    /// An event or a snapshot has no form in which it can be written.
    #[error("cannot write down what has happened for the journal {}: {source}; this is a fault of swarm, please report it", path.display())]
    Formless {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Old events are gone, and the snapshot that has their sum does not read.
    #[error(
        "the snapshot of the journal {} cannot be read, and the events before {gone} that it sums up are not kept any more: \
         it was written by a newer swarm, or is damaged. Use that swarm, a copy of the state directory, or another \
         orchestrator's", path.display()
    )]
    NoSnapshot {
        /// The file.
        path: PathBuf,
        /// The events up to this number are gone.
        gone: i64,
    },
    /// A snapshot reads otherwise than it was written.
    #[error("the snapshot of the journal {} reads otherwise than it was written, so no event was removed; this is a fault of swarm, please report it", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
    },
    /// The events contradict one another.
    #[error("the journal {} is damaged at event {sequence}: {source}", path.display())]
    Damaged {
        /// The event's number.
        sequence: i64,
        /// The file.
        path: PathBuf,
        /// In what way.
        source: Inconsistent,
    },
    /// Events of another journal that do not follow what is here.
    #[error("the copy of the journal {} has a gap: event {found} came where {expected} was expected", path.display())]
    Gap {
        /// The file.
        path: PathBuf,
        /// The number that would follow.
        expected: i64,
        /// The one that came.
        found: i64,
    },
    /// The directory cannot be made.
    #[error("cannot make the state directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}
