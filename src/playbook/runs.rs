//! The runs of a state directory: `runs/ID/` each, `runs/lock` for the one that is at work, `runs/runs.log` with a line
//! for each beginning and end.
//!
//! Whoever has the lock knows that no other run is at work; what has no end then has lost its process.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::record::{Ended, FILE, How, Record, RecordError};
use crate::controller::housekeeping::runs;
use crate::core::names::{PlaybookName, RunId, Timestamp};
use crate::core::status::Moment;
use crate::store::{Lock, LockError};

/// A moment has so many runs of a playbook at the most.
const IN_A_SECOND: u32 = 100;

/// Where the runs of a state directory are.
#[derive(Debug, Clone)]
pub struct Runs {
    directory: PathBuf,
}

/// Runs, of which no other one can be begun.
#[derive(Debug)]
pub struct Office {
    runs: Runs,
    _lock: Lock,
}

/// A record, or the run of which it cannot be read.
pub type Kept = Result<Record, (RunId, RecordError)>;

/// Why runs cannot be begun or looked at.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// Another run is at work.
    #[error("another run is at work ({holder}): one at a time; `swarm runs` shows it")]
    Busy {
        /// Which, since when.
        holder: String,
    },
    /// A record is of no use.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The directory cannot be used.
    #[error("cannot use the records of runs in {}: {source}", directory.display())]
    Io {
        /// The directory.
        directory: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Runs {
    /// The runs of a state directory.
    pub fn of(state: &Path) -> Self {
        Self { directory: state.join(runs::DIRECTORY) }
    }

    /// The directory of a run.
    pub fn directory_of(&self, run: &RunId) -> PathBuf {
        self.directory.join(run.as_str())
    }

    fn io(&self) -> impl Fn(std::io::Error) -> RunsError {
        |source| RunsError::Io { directory: self.directory.clone(), source }
    }

    /// The ids of all runs, in the order in which they began.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn ids(&self) -> Result<Vec<RunId>, RunsError> {
        let mut ids = runs::ids(&self.directory).map_err(self.io())?;
        ids.retain(|id| self.directory_of(id).join(FILE).is_file());
        Ok(ids)
    }

    /// The records of all runs, in the order in which they began; each that cannot be read by its id.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn all(&self) -> Result<Vec<Kept>, RunsError> {
        let read = |id: RunId| Record::read(&self.directory_of(&id)).map_err(|error| (id, error));
        Ok(self.ids()?.into_iter().map(read).collect())
    }

    /// The last run of a playbook.
    ///
    /// # Errors
    /// The directory, or that record, cannot be read.
    pub fn last(&self, playbook: &PlaybookName) -> Result<Option<Record>, RunsError> {
        for id in self.ids()?.into_iter().rev().filter(|id| id.as_str().ends_with(playbook.as_str())) {
            let record = Record::read(&self.directory_of(&id))?;
            if record.playbook == *playbook {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// Lets no other run begin as long as the answer lives.
    ///
    /// # Errors
    /// Another run is at work, or the directory cannot be used.
    pub fn enter(&self, what: &str) -> Result<Office, RunsError> {
        fs_err::create_dir_all(&self.directory).map_err(self.io())?;
        let path = self.directory.join("lock");
        let lock = Lock::of_file(&path, what).map_err(|error| match error {
            LockError::Busy { holder, .. } => RunsError::Busy { holder },
            LockError::Io { source, .. } => RunsError::Io { directory: self.directory.clone(), source },
        })?;
        Ok(Office { runs: self.clone(), _lock: lock })
    }
}

impl Office {
    /// The runs.
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// Runs that have no end and no process: from here on they are lost. They come in the order in which they began.
    ///
    /// # Errors
    /// The directory cannot be read, or a record not be written.
    pub fn find_lost(&self, now: Timestamp) -> Result<Vec<Record>, RunsError> {
        let mut lost = Vec::new();
        for mut record in self.runs.all()?.into_iter().flatten().filter(|record| record.ended.is_none()) {
            let reason =
                format!("lost: its process {} was gone without a word, as after a loss of power", record.process);
            record.ended = Some(Ended { how: How::Lost, at: Moment(now), status: 1, reason });
            record.write(&self.runs.directory_of(&record.id))?;
            lost.push(record);
        }
        Ok(lost)
    }

    /// Makes the directory of a new run and gives its id.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(&self, playbook: &PlaybookName, now: Timestamp) -> Result<RunId, RunsError> {
        for number in 1..=IN_A_SECOND {
            let id = RunId::new(playbook, now, number);
            match fs_err::create_dir(self.runs.directory_of(&id)) {
                Ok(()) => return Ok(id),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(self.runs.io()(error)),
            }
        }
        Err(self.runs.io()(std::io::Error::other("too many runs within one second")))
    }

    /// Adds a line to the log of all runs.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn log(&self, line: &str) -> Result<(), RunsError> {
        let path = self.runs.directory.join(runs::LOG);
        let written = || {
            let mut log = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
            log.write_all(format!("{line}\n").as_bytes())
        };
        written().map_err(self.runs.io())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::value::Given;

    fn record(office: &Office, playbook: &str, at: i64, ended: Option<How>) -> Record {
        let playbook: PlaybookName = playbook.parse().unwrap();
        let id = office.begin(&playbook, Timestamp(at)).unwrap();
        let ended = ended.map(|how| Ended { how, at: Moment(Timestamp(at + 60)), status: 0, reason: "done".into() });
        let record = Record {
            id,
            playbook,
            source: "here".into(),
            digest: String::new(),
            given: Given::default(),
            started: Moment(Timestamp(at)),
            due: None,
            deadline: None,
            process: 7,
            ended,
            troubles: Vec::new(),
            steps: Vec::new(),
        };
        record.write(&office.runs().directory_of(&record.id)).unwrap();
        record
    }

    #[test]
    fn one_run_at_a_time_and_what_has_no_end_then_is_lost() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::of(state.path());
        assert!(runs.ids().unwrap().is_empty());
        let office = runs.enter("the run X since noon").unwrap();
        let busy = runs.enter("another").unwrap_err().to_string();
        assert!(busy.contains("the run X since noon"), "{busy}");

        record(&office, "night", 10, Some(How::Finished));
        let gone = record(&office, "night", 20, None);
        record(&office, "security", 30, Some(How::Finished));
        let lost = office.find_lost(Timestamp(99)).unwrap();
        assert_eq!(lost.iter().map(|record| &record.id).collect::<Vec<_>>(), [&gone.id]);
        let read = runs.last(&gone.playbook).unwrap().unwrap();
        assert_eq!((read.id.clone(), read.is_unfinished()), (gone.id, true));
        assert_eq!(read.ended.unwrap().how, How::Lost);
        assert!(office.find_lost(Timestamp(99)).unwrap().is_empty());
        let id = |at| record(&office, "night", at, None).id.to_string();
        assert_eq!([id(40), id(40)], ["19700101T000040Z-night", "19700101T000040Z.2-night"]);
        drop(office);
        runs.enter("another").unwrap();
    }
}
