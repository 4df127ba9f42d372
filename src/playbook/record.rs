//! What is written down of a run: `runs/ID/record.json` of the state directory, with the logs of its steps beside it.
//!
//! It is written anew at each turn, to the disk and by a rename, so that whatever ends the run finds it whole.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::step::StepName;
use super::value::Given;
use crate::core::names::{PlaybookName, RunId, Timestamp};
use crate::core::status::Moment;

/// The file in a run's directory.
pub(super) const FILE: &str = "record.json";

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id, and the name of its directory.
    pub id: RunId,
    /// What is run.
    pub playbook: PlaybookName,
    /// Where that was found.
    pub source: String,
    /// SHA-256 of its text.
    pub digest: String,
    /// What was given for its parameters.
    pub given: Given,
    /// When it began.
    pub started: Moment,
    /// When the schedule wanted it to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Moment>,
    /// Nothing new starts after this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Moment>,
    /// The process that runs it.
    pub process: u32,
    /// How it ended; none while it is at work, or where its process is gone and nobody has looked since.
    pub ended: Option<Ended>,
    /// What went wrong beside its steps: the controller that could not be told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<String>,
    /// Its steps, in their order.
    pub steps: Vec<StepRecord>,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub how: How,
    /// When; of a lost one when that was found.
    pub at: Moment,
    /// Its exit status, one of those of `swarm` itself.
    pub status: u8,
    /// Why it is that, in one line.
    pub reason: String,
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// By itself.
    Finished,
    /// By a signal.
    Interrupted,
    /// Its process was gone without a word.
    Lost,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its name.
    pub name: StepName,
    /// What it does.
    #[serde(rename = "do")]
    pub what: String,
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Progress {
    /// Its turn has not come.
    Waiting,
    /// It is at work.
    Running {
        /// Since when.
        started: Moment,
        /// The command line.
        command: Vec<String>,
        /// What it says, a file in the run's directory.
        log: PathBuf,
    },
    /// It was run.
    Done {
        /// When it began.
        started: Moment,
        /// When it ended.
        finished: Moment,
        /// The command line.
        command: Vec<String>,
        /// What it said, a file in the run's directory.
        log: PathBuf,
        /// Its exit status.
        status: u8,
        /// What that means, in one line.
        reason: String,
        /// Whether it changed something.
        changed: bool,
    },
    /// It was not to be run.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Record {
    /// Whether it can be gone on with: it ended before its time.
    pub fn is_unfinished(&self) -> bool {
        !matches!(self.ended, Some(Ended { how: How::Finished, .. }))
    }

    /// How long it lasted, in seconds; up to now where it has not ended.
    pub fn seconds(&self, now: Timestamp) -> u64 {
        self.ended.as_ref().map_or(now, |ended| ended.at.0).seconds_since(self.started.0)
    }

    /// Reads the record in a run's directory.
    ///
    /// # Errors
    /// It cannot be read, or is none of ours.
    pub fn read(directory: &Path) -> Result<Self, RecordError> {
        let path = directory.join(FILE);
        let text = fs_err::read(&path).map_err(RecordError::Io)?;
        serde_json::from_slice(&text).map_err(|source| RecordError::Strange { path, source })
    }

    /// Writes it to the disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), RecordError> {
        let path = directory.join(FILE);
        let strange = |source| RecordError::Strange { path: path.clone(), source };
        let mut text = serde_json::to_vec_pretty(self).map_err(strange)?;
        text.push(b'\n');
        let written = || {
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            fs_err::File::open(directory)?.sync_all()
        };
        written().map_err(|source| RecordError::Unwritten { path: path.clone(), source })
    }
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read.
    #[error("cannot read the record of a run: {0}")]
    Io(std::io::Error),
    /// It cannot be written.
    #[error("cannot write the record of a run, {}: {source}", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is none of ours, or of a later version.
    #[error("{} is no record of a run, or of another version of swarm: {source}", path.display())]
    Strange {
        /// The file.
        path: PathBuf,
        /// What is odd.
        source: serde_json::Error,
    },
}
