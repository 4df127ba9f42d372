//! Runs a playbook, one step after the other, and writes down how far it is before and after each.
//!
//! Each step is a process (`child`). Its exit status says whether it failed, [`super::outcome`] and the status of the
//! swarm before and after it whether it changed something, and what it said last, or which packages failed, is the reason
//! that is kept. A run that was ended before its time is gone on with by [`Start::resume`] at its first step that is not
//! done.

mod dry;
mod said;
mod steps;

pub use dry::dry;

use std::path::PathBuf;

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::Playbook;
use super::clock::Hours;
use super::condition::{Came, INTERRUPTED, Turn, sum, turn};
use super::herald;
use super::record::{Ended, How, Progress, Record, RecordError, StepRecord};
use super::runs::{Office, Runs, RunsError};
use super::shelf::Found;
use super::value::Given;
use crate::controller::now;
use crate::controller::run::Halt;
use crate::controller::verb::Verb;
use crate::core::event::{RunEnd, RunStart};
use crate::core::names::{HostName, PlaybookName, RunId, Timestamp};
use crate::core::status::Moment;
use crate::core::text::{duration, printable};
use steps::{meaning, weight};

/// What is to be run, and how.
#[derive(Debug)]
pub struct Start<'a> {
    /// The playbook.
    pub playbook: &'a Playbook,
    /// As it was found.
    pub found: &'a Found,
    /// What was given for its parameters.
    pub given: Given,
    /// When the schedule wanted it to begin.
    pub due: Option<Timestamp>,
    /// Whether window and deadline do not hold.
    pub any_time: bool,
    /// Where the runs are written down.
    pub runs: Runs,
    /// Where the inventory is, for the steps.
    pub inventory: Option<PathBuf>,
    /// The machine whose packages are wanted.
    pub driver: HostName,
    /// Whether builds wait for their turn at a controller elsewhere.
    pub queued: bool,
}

/// Why a run did not begin, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Runs cannot be begun.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// Its record cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is nothing to go on with.
    #[error("the last run of {0} is not unfinished: `swarm play {0}` begins one")]
    NotUnfinished(PlaybookName),
    /// What is to be gone on with is not what was begun.
    #[error("the playbook has changed since run {run} began: `swarm play {playbook}` begins a new one")]
    Changed {
        /// The run.
        run: RunId,
        /// The playbook.
        playbook: PlaybookName,
    },
}

impl Start<'_> {
    /// Runs it from its beginning; `tell` is told what begins and ends.
    ///
    /// # Errors
    /// Another run is at work, or it cannot be written down.
    pub async fn run(self, halts: &mut mpsc::Receiver<Halt>, tell: &dyn Fn(&str)) -> Result<Ended, RunError> {
        let began = now();
        let (office, troubles) = self.enter(began).await?;
        let id = office.begin(&self.playbook.name, began)?;
        let steps = self.playbook.steps.iter().map(|step| StepRecord {
            name: step.name.clone(),
            what: step.what.word().to_owned(),
            progress: Progress::Waiting,
        });
        let record = Record {
            id,
            playbook: self.playbook.name.clone(),
            source: self.found.source.to_string(),
            digest: self.found.digest(),
            given: self.given.clone(),
            started: Moment(began),
            due: self.due.map(Moment),
            deadline: self.end_of_time(&zoned(began)).map(Moment),
            process: std::process::id(),
            ended: None,
            troubles,
            steps: steps.collect(),
        };
        Running { directory: office.runs().directory_of(&record.id), start: self, office, record }
            .work(halts, tell)
            .await
    }

    /// Goes on with the last run of this playbook, which was ended before its time; what was given for its parameters
    /// then counts.
    ///
    /// # Errors
    /// There is none, it has changed since, another run is at work, or it cannot be written down.
    pub async fn resume(mut self, halts: &mut mpsc::Receiver<Halt>, tell: &dyn Fn(&str)) -> Result<Ended, RunError> {
        let (office, troubles) = self.enter(now()).await?;
        let name = &self.playbook.name;
        let record = self.runs.last(name)?.filter(Record::is_unfinished);
        let Some(mut record) = record else {
            return Err(RunError::NotUnfinished(name.clone()));
        };
        if record.digest != self.found.digest() {
            return Err(RunError::Changed { run: record.id, playbook: name.clone() });
        }
        self.given = record.given.clone();
        record.troubles.extend(troubles);
        record.ended = None;
        record.process = std::process::id();
        for step in record.steps.iter_mut().filter(|step| !step.is_done()) {
            step.progress = Progress::Waiting;
        }
        Running { directory: office.runs().directory_of(&record.id), start: self, office, record }
            .work(halts, tell)
            .await
    }

    /// Lets no other run begin, and says of those that are gone that they are; also what went wrong with that.
    async fn enter(&self, now: Timestamp) -> Result<(Office, Vec<String>), RunError> {
        let what = format!("{}, process {}, since {}", self.playbook.name, std::process::id(), Moment(now));
        let office = self.runs.enter(&what)?;
        let mut troubles = Vec::new();
        for lost in office.find_lost(now)? {
            let Some(ended) = &lost.ended else { continue };
            office.log(&finished_line(&lost, ended))?;
            if let Err(why) = herald::tell(self.inventory.as_deref(), &finished(&lost, ended)).await {
                troubles.push(printable(&format!("the controller could not be told that {} was lost: {why}", lost.id)));
            }
        }
        Ok((office, troubles))
    }

    /// The moment from which on nothing new starts in a run that began then.
    fn end_of_time(&self, began: &ZonedDateTime) -> Option<Timestamp> {
        if self.any_time {
            return None;
        }
        let deadline = self.playbook.deadline.and_then(|deadline| deadline.of(began));
        let window = match self.playbook.window.and_then(|window| window.at(began)) {
            Some(Hours::Inside(until)) => Some(until),
            Some(Hours::Outside(_)) | None => None,
        };
        [deadline, window].into_iter().flatten().min()
    }

    /// Why nothing new may start at this moment in a run that had this deadline.
    fn closed(&self, at: Timestamp, deadline: Option<Timestamp>) -> Option<String> {
        if self.any_time {
            return None;
        }
        if let Some(window) = self.playbook.window
            && let Some(Hours::Outside(_)) = window.at(&zoned(at))
        {
            return Some(format!("it is outside of its window, {window}"));
        }
        let deadline = deadline.filter(|deadline| *deadline <= at)?;
        Some(format!("its deadline, {}, has passed", local(deadline)))
    }
}

/// A moment by the clock of this machine.
fn zoned(at: Timestamp) -> ZonedDateTime {
    jiff::Timestamp::from_second(at.0).unwrap_or_default().to_zoned_datetime(TimeZone::system())
}

/// The same for people.
fn local(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn started(record: &Record) -> Verb {
    Verb::RunStarted(RunStart {
        run: record.id.clone(),
        playbook: record.playbook.clone(),
        due: record.due.map(|due| due.0),
        deadline: record.deadline.map(|deadline| deadline.0),
        at: record.started.0,
    })
}

/// Its beginning again, since it may not have been heard of, and its end.
fn finished(record: &Record, ended: &Ended) -> [Verb; 2] {
    let (run, reason) = (record.id.clone(), ended.reason.clone());
    [started(record), Verb::RunFinished(RunEnd { run, status: ended.status, reason, at: ended.at.0 })]
}

fn finished_line(record: &Record, ended: &Ended) -> String {
    let lasted = duration(record.seconds(ended.at.0));
    let (at, id, status, reason) = (local(ended.at.0), &record.id, ended.status, &ended.reason);
    format!("{at} FINISHED {id} status {status} after {lasted}: {reason}")
}

impl StepRecord {
    fn is_done(&self) -> bool {
        // What a signal ended is done again.
        matches!(&self.progress, Progress::Done { status, .. } if *status != INTERRUPTED)
    }
}

/// A run at work.
struct Running<'a> {
    start: Start<'a>,
    office: Office,
    record: Record,
    directory: PathBuf,
}

impl Running<'_> {
    async fn work(mut self, halts: &mut mpsc::Receiver<Halt>, tell: &dyn Fn(&str)) -> Result<Ended, RunError> {
        self.write()?;
        let deadline = self.record.deadline.filter(|_| !self.start.any_time);
        let deadline = deadline.map_or_else(String::new, |at| format!(", nothing new from {} on", local(at.0)));
        let due = self.record.due.map_or_else(String::new, |due| format!(", due {}", local(due.0)));
        self.say(&format!("{} STARTED {}{due}{deadline}", local(now()), self.record.id), tell)?;
        let wish = started(&self.record);
        self.herald(&[wish]).await;
        // Outside of the window nothing is begun; not even what would conclude it.
        let shut = self.start.closed(now(), None);
        let (came, late, how) = match &shut {
            Some(shut) => self.leave_all(shut)?,
            None => self.steps(halts, tell).await?,
        };
        let (mut status, mut reason) = match shut {
            Some(shut) => (1, format!("{shut}: nothing was begun; --any-time begins it all the same")),
            None => sum(&came, late.as_deref()),
        };
        if how == How::Interrupted {
            let before = if came.is_empty() { String::new() } else { format!("; before that: {reason}") };
            (status, reason) =
                (INTERRUPTED, format!("interrupted: `swarm play {} --resume` goes on{before}", self.record.playbook));
        }
        let ended = Ended { how, at: Moment(now()), status, reason: printable(&reason) };
        self.record.ended = Some(ended.clone());
        self.write()?;
        self.say(&finished_line(&self.record, &ended), tell)?;
        let wishes = finished(&self.record, &ended);
        self.herald(&wishes).await;
        self.write()?;
        for trouble in &self.record.troubles {
            tell(trouble);
        }
        Ok(ended)
    }

    /// All steps that are not done; what they came to, why some were not begun, and how it ended.
    async fn steps(
        &mut self,
        halts: &mut mpsc::Receiver<Halt>,
        tell: &dyn Fn(&str),
    ) -> Result<(Vec<Came>, Option<String>, How), RunError> {
        let mut came = Vec::new();
        let mut late = None;
        for index in 0..self.record.steps.len() {
            let step = &self.start.playbook.steps[index];
            if let Progress::Done { status, reason, changed, .. } = &self.record.steps[index].progress
                && self.record.steps[index].is_done()
            {
                let (status, reason, changed) = (*status, reason.clone(), *changed);
                let weight = weight(step, status, false);
                came.push(Came { step: step.name.clone(), status: meaning(step, status), weight, reason, changed });
                continue;
            }
            if halts.try_recv().is_ok() {
                return Ok((came, late, How::Interrupted));
            }
            let closed = self.start.closed(now(), self.record.deadline.map(|deadline| deadline.0));
            let number = index + 1;
            match turn(step, &came, &self.start.given, closed.as_deref()) {
                Turn::Skip(reason) => self.skip(index, reason)?,
                Turn::Late(reason) => {
                    tell(&format!("step {number} {} is not begun: {reason}", step.name));
                    self.skip(index, reason.clone())?;
                    late.get_or_insert(reason);
                }
                Turn::Run => {
                    let done = self.step(index, halts, tell).await?;
                    let word = if done.status == 0 { "done" } else { "ended" };
                    tell(&format!("step {number} {} {word}: {}", step.name, done.reason));
                    let (status, weight) = (meaning(step, done.status), done.weight);
                    let (reason, changed) = (done.reason, done.changed);
                    came.push(Came { step: step.name.clone(), status, weight, reason, changed });
                    if done.interrupted {
                        return Ok((came, late, How::Interrupted));
                    }
                }
            }
        }
        Ok((came, late, How::Finished))
    }

    /// Begins none of the steps.
    fn leave_all(&mut self, reason: &str) -> Result<(Vec<Came>, Option<String>, How), RunError> {
        for index in 0..self.record.steps.len() {
            if !self.record.steps[index].is_done() {
                self.skip(index, reason.to_owned())?;
            }
        }
        Ok((Vec::new(), None, How::Finished))
    }

    fn skip(&mut self, index: usize, reason: String) -> Result<(), RunError> {
        self.record.steps[index].progress = Progress::Skipped { reason };
        self.write()
    }

    async fn herald(&mut self, wishes: &[Verb]) {
        if let Err(why) = herald::tell(self.start.inventory.as_deref(), wishes).await {
            self.record.troubles.push(printable(&format!("the controller could not be told of this run: {why}")));
        }
    }

    fn say(&self, line: &str, tell: &dyn Fn(&str)) -> Result<(), RunError> {
        tell(line);
        Ok(self.office.log(line)?)
    }

    fn write(&self) -> Result<(), RunError> {
        Ok(self.record.write(&self.directory)?)
    }
}
