//! Runs a playbook, one step after the other, and writes down how far it is before and after each.
//!
//! Each step is a process (`child`). Its exit status says whether it failed, [`super::outcome`] and the status of the
//! swarm before and after it whether it changed something, and what it said last, or which packages failed, is the reason
//! that is kept. A run that was ended before its time is gone on with by [`Start::resume`] at its first step that is not
//! done.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use tokio::process::Command;
use tokio::sync::mpsc;

use super::Playbook;
use super::child::{self, Ran, Stopped};
use super::clock::Hours;
use super::command::{Circumstances, CommandLine, command_line};
use super::condition::{Came, INTERRUPTED, SOME_FAILED, Turn, sum, turn};
use super::herald;
use super::outcome;
use super::record::{Ended, How, Progress, Record, RecordError, StepRecord};
use super::runs::{Office, Runs, RunsError};
use super::shelf::Found;
use super::sight::Sight;
use super::step::{OnFailure, Step, What, When};
use super::value::Given;
use crate::controller::now;
use crate::controller::run::Halt;
use crate::controller::verb::Verb;
use crate::core::event::Wanted;
use crate::core::names::{HostName, Timestamp};
use crate::core::status::Moment;
use crate::core::text::printable;
use crate::ssh::quoted;

/// So much (bytes) of the end of a log is looked at for the reason of a failure.
const LAST_WORDS: u64 = 16 << 10;
/// More atoms (bytes) than this no step names.
const ATOMS_LIMIT: u64 = 4 << 20;

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
    #[error("{0}")]
    Nothing(String),
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
            return Err(RunError::Nothing(format!(
                "the last run of {name} is not unfinished: `swarm play {name}` begins one"
            )));
        };
        if record.digest != self.found.digest() {
            let id = &record.id;
            return Err(RunError::Nothing(format!(
                "the playbook has changed since run {id} began: `swarm play {name}` begins a new one"
            )));
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
    Verb::RunStarted {
        run: record.id.clone(),
        playbook: record.playbook.clone(),
        due: record.due.map(|due| due.0),
        deadline: record.deadline.map(|deadline| deadline.0),
        at: record.started.0,
    }
}

/// Its beginning again, since it may not have been heard of, and its end.
fn finished(record: &Record, ended: &Ended) -> [Verb; 2] {
    let (run, reason) = (record.id.clone(), ended.reason.clone());
    [started(record), Verb::RunFinished { run, status: ended.status, reason, at: ended.at.0 }]
}

fn finished_line(record: &Record, ended: &Ended) -> String {
    let lasted = humantime::format_duration(std::time::Duration::from_secs(record.seconds(ended.at.0)));
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

/// What a process came to.
struct Done {
    status: u8,
    reason: String,
    changed: bool,
    weight: OnFailure,
    interrupted: bool,
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

    /// Runs a step.
    async fn step(
        &mut self,
        index: usize,
        halts: &mut mpsc::Receiver<Halt>,
        tell: &dyn Fn(&str),
    ) -> Result<Done, RunError> {
        let step = &self.start.playbook.steps[index];
        let began = now();
        let log = PathBuf::from(format!("{}-{}.log", index + 1, step.name));
        let line = match self.line(index) {
            Ok(Some(line)) => line,
            Ok(None) => {
                let from = step.what.reads().map_or("it", |from| from.as_str());
                let reason = format!("{from} named nothing");
                self.skip(index, reason.clone())?;
                return Ok(Done { status: 0, reason, changed: false, weight: step.on_failure, interrupted: false });
            }
            Err(reason) => {
                let done = Done { status: 1, reason, changed: false, weight: step.on_failure, interrupted: false };
                return self.done(index, began, Vec::new(), log, done);
            }
        };
        tell(&format!("step {} {}: {}", index + 1, step.name, shown(&line.words)));
        let command = line.words.clone();
        let running = Progress::Running { started: Moment(began), command: command.clone(), log: log.clone() };
        self.record.steps[index].progress = running;
        self.write()?;
        let watched = matches!(step.what, What::Push(_) | What::Finalize(_));
        let before = if watched { self.sight().await } else { None };
        let told = self.directory.join(format!("{}-{}.outcome", index + 1, step.name));
        let ran = self.process(&line, index, &log, &told, halts).await;
        let after = if watched { self.sight().await } else { None };
        let done = match ran {
            Err(error) => Done {
                status: 1,
                reason: format!("{} cannot be run: {error}", line.words[0]),
                changed: false,
                weight: step.on_failure,
                interrupted: false,
            },
            Ok(ran) => {
                let said = outcome::take(&told).unwrap_or(true);
                let differs = before.is_some_and(|before| after.as_ref().is_none_or(|after| before.differs(after)));
                let exec = matches!(&step.what, What::Exec(exec) if exec.changes) && ran.code() == 0;
                self.judge(step, &ran, &log, after.as_ref(), said || differs || exec)
            }
        };
        self.done(index, began, command, log, done)
    }

    /// Writes down what a step came to.
    fn done(
        &mut self,
        index: usize,
        began: Timestamp,
        command: Vec<String>,
        log: PathBuf,
        done: Done,
    ) -> Result<Done, RunError> {
        self.record.steps[index].progress = Progress::Done {
            started: Moment(began),
            finished: Moment(now()),
            command,
            log,
            status: done.status,
            reason: done.reason.clone(),
            changed: done.changed,
        };
        self.write()?;
        Ok(done)
    }

    /// Its command line; none where another step named nothing for it.
    fn line(&self, index: usize) -> Result<Option<CommandLine>, String> {
        let step = &self.start.playbook.steps[index];
        let atoms = match step.what.reads() {
            Some(from) => {
                let at = self.start.playbook.steps.iter().position(|other| other.name == *from).unwrap_or(index);
                let atoms = self.atoms(at)?;
                if atoms.is_empty() {
                    return Ok(None);
                }
                atoms
            }
            None => Vec::new(),
        };
        let circumstances = Circumstances {
            given: &self.start.given,
            driver: &self.start.driver,
            queued: self.start.queued,
            until: self.record.deadline.map(|deadline| deadline.0).filter(|_| !self.start.any_time),
            is_read: self.is_read(step),
            atoms: &atoms,
        };
        command_line(step, &circumstances).map(Some)
    }

    fn is_read(&self, step: &Step) -> bool {
        self.start.playbook.steps.iter().any(|other| other.what.reads() == Some(&step.name))
    }

    /// The atoms that a step has named.
    fn atoms(&self, index: usize) -> Result<Vec<Wanted>, String> {
        let path = self.output(index);
        let step = &self.start.playbook.steps[index];
        let size = match fs_err::metadata(&path) {
            Ok(metadata) => metadata.len(),
            // A step that was not run has named nothing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.to_string()),
        };
        if size > ATOMS_LIMIT {
            return Err(format!("{} has written more than atoms", step.name));
        }
        let text = fs_err::read(&path).map_err(|error| error.to_string())?;
        let on_hosts = !matches!(&step.what, What::Exec(exec) if matches!(exec.on, super::step::Where::Controller));
        atoms(&String::from_utf8_lossy(&text), on_hosts).map_err(|error| format!("what {} named: {error}", step.name))
    }

    /// Where the standard output of a step goes that another one reads.
    fn output(&self, index: usize) -> PathBuf {
        self.directory.join(format!("{}-{}.out", index + 1, self.start.playbook.steps[index].name))
    }

    async fn process(
        &self,
        line: &CommandLine,
        index: usize,
        log: &Path,
        told: &Path,
        halts: &mut mpsc::Receiver<Halt>,
    ) -> std::io::Result<Ran> {
        let step = &self.start.playbook.steps[index];
        let path = self.directory.join(log);
        let stderr: File = fs_err::OpenOptions::new().create(true).append(true).open(path)?.into();
        let stdout = match self.is_read(step) {
            true => fs_err::File::create(self.output(index))?.into(),
            false => stderr.try_clone()?,
        };
        let mut command = self.command(line)?;
        command.env(outcome::VARIABLE, told).env("SWARM_STEP", step.name.as_str());
        child::run(command, (stdout, stderr), line.is_ours, step.timeout, halts).await
    }

    fn command(&self, line: &CommandLine) -> std::io::Result<Command> {
        let mut command = match line.is_ours {
            true => Command::new(std::env::current_exe()?),
            false => Command::new(&line.words[0]),
        };
        command.args(&line.words[1..]);
        command.env(child::PARENT, std::process::id().to_string());
        command.env("SWARM_RUN", self.record.id.as_str()).env("SWARM_PLAYBOOK", self.record.playbook.as_str());
        if let Some(inventory) = &self.start.inventory {
            command.env(crate::inventory::locate::VARIABLE, inventory);
        }
        Ok(command)
    }

    /// How things stand; where that cannot be said, nothing is known to have changed.
    async fn sight(&mut self) -> Option<Sight> {
        let words = ["swarm", "status", "--json"].map(str::to_owned).to_vec();
        let command = self.command(&CommandLine { is_ours: true, words }).map_err(|error| error.to_string());
        let sight = match command {
            Ok(command) => Sight::take(command).await,
            Err(error) => Err(error),
        };
        sight
            .map_err(|why| self.record.troubles.push(format!("how things stand is not known: {}", printable(&why))))
            .ok()
    }

    /// What the end of a process means.
    fn judge(&self, step: &Step, ran: &Ran, log: &Path, after: Option<&Sight>, changed: bool) -> Done {
        let interrupted = ran.stopped == Some(Stopped::Interrupted);
        let status = match ran.stopped {
            Some(Stopped::Interrupted) => INTERRUPTED,
            Some(Stopped::TimedOut) => 1,
            None => ran.code(),
        };
        let is_push = matches!(step.what, What::Push(_));
        let late = self.record.deadline.is_some_and(|deadline| deadline.0 <= now());
        let reason = match (status, after) {
            (0, _) => if changed { "done" } else { "done, nothing has changed" }.to_owned(),
            _ if interrupted => "interrupted".to_owned(),
            _ if ran.stopped.is_some() => {
                let limit =
                    step.timeout.map_or_else(String::new, |limit| humantime::format_duration(limit).to_string());
                format!("it took longer than {limit} and was ended")
            }
            (SOME_FAILED, Some(after)) if is_push => after.failures(),
            (INTERRUPTED, Some(after)) if is_push => {
                let why = if late { "the time was over" } else { "it was interrupted" };
                format!("{why}; {} packages are left for the next push", after.left())
            }
            (status, _) => match last_words(&self.directory.join(log)) {
                Some(words) => words,
                None => format!("it ended with status {status}"),
            },
        };
        Done { status, reason, changed, weight: weight(step, status, late), interrupted }
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

/// What a failure of this step with this status means for the run.
fn weight(step: &Step, status: u8, late: bool) -> OnFailure {
    match &step.what {
        What::Push(push) if status == SOME_FAILED => push.failed_packages,
        // What was received until the time was over is there all the same.
        What::Push(_) if status == INTERRUPTED && late => OnFailure::GoOn,
        _ => step.on_failure,
    }
}

/// The status of a step among those of section 5 of the design. What a stranger's program means by its own, nobody knows.
fn meaning(step: &Step, status: u8) -> u8 {
    match &step.what {
        What::Exec(_) if status != 0 && status != INTERRUPTED => 1,
        _ if matches!(status, 0 | 1 | 3..=6 | INTERRUPTED) => status,
        _ => 1,
    }
}

/// What each step would run, and whether it would be, as things stand before the first one; what is at fault comes as an
/// error.
pub fn dry(start: &Start<'_>) -> Vec<Result<String, String>> {
    let began = now();
    let deadline = start.end_of_time(&zoned(began));
    let closed = start.closed(began, deadline);
    let line = |(index, step): (usize, &Step)| {
        let atoms: Vec<Wanted> =
            step.what.reads().and_then(|from| format!("ATOMS-OF-{from}").parse().ok()).into_iter().collect();
        let circumstances = Circumstances {
            given: &start.given,
            driver: &start.driver,
            queued: start.queued,
            until: deadline,
            is_read: start.playbook.steps.iter().any(|other| other.what.reads() == Some(&step.name)),
            atoms: &atoms,
        };
        let head = format!("{} {}", index + 1, step.name);
        let line = command_line(step, &circumstances).map_err(|fault| format!("{head}: {fault}"))?;
        let now = match turn(step, &[], &start.given, closed.as_deref()) {
            Turn::Run => String::new(),
            Turn::Skip(reason) if step.when == When::Always => format!("  (not run: {reason})"),
            Turn::Skip(_) => format!("  (only {})", only(step.when)),
            Turn::Late(reason) => format!("  (not begun now: {reason})"),
        };
        Ok(format!("{head}: {}{now}", shown(&line.words)))
    };
    start.playbook.steps.iter().enumerate().map(line).collect()
}

fn only(when: When) -> &'static str {
    match when {
        When::Always => "always",
        When::Changed => "where an earlier step has changed something",
        When::Failed => "where an earlier step has failed",
        When::Succeeded => "where no earlier step has failed",
    }
}

/// A command line for people.
fn shown(words: &[String]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@%+=:,./_-{}".contains(&byte);
    let word = |word: &String| match !word.is_empty() && word.bytes().all(plain) {
        true => word.clone(),
        false => quoted(word),
    };
    printable(&words.iter().map(word).collect::<Vec<_>>().join(" ").replace('\n', "⏎"))
}

/// What a log says last of what went wrong: where `swarm` says it, the line with which that begins, else the last line
/// that says something.
fn last_words(log: &Path) -> Option<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs_err::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS))).ok()?;
    let mut text = Vec::new();
    file.take(LAST_WORDS).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().find_map(|line| line.strip_prefix("swarm: "));
    error.or_else(|| lines.next()).map(printable)
}

/// The atoms of an output, one a line; that of hosts is JSON as `swarm exec` tells it.
fn atoms(text: &str, on_hosts: bool) -> Result<Vec<Wanted>, String> {
    #[derive(serde::Deserialize)]
    struct Said {
        stream: Option<String>,
        line: Option<String>,
    }
    let mut atoms = std::collections::BTreeSet::new();
    for line in text.lines() {
        let line = if on_hosts {
            let said: Said = serde_json::from_str(line).map_err(|error| error.to_string())?;
            said.line.filter(|_| said.stream.as_deref() == Some("stdout")).unwrap_or_default()
        } else {
            line.to_owned()
        };
        let line = line.trim();
        if !line.is_empty() {
            atoms.insert(line.parse::<Wanted>().map_err(|error| error.to_string())?);
        }
    }
    Ok(atoms.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoms_are_read_one_a_line_and_anything_else_is_refused() {
        let json = "{\"host\":\"capella\",\"stream\":\"stdout\",\"line\":\" =a/b-1 \"}\n\
            {\"host\":\"capella\",\"stream\":\"stderr\",\"line\":\"-rf\"}\n{\"host\":\"capella\",\"status\":0}\n";
        let texts = |atoms: Result<Vec<Wanted>, String>| -> Vec<String> {
            atoms.unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(texts(atoms(json, true)), ["=a/b-1"]);
        assert_eq!(texts(atoms("a/c\n\n=a/b-1\na/c\n", false)), ["=a/b-1", "a/c"]);
        assert_eq!(texts(atoms("", false)), [""; 0]);
        assert!(atoms("--unmerge\n", false).is_err());
        assert!(atoms("no JSON\n", true).is_err());
    }

    #[test]
    fn the_reason_is_where_an_error_begins_else_the_last_line_that_says_something() {
        let room = tempfile::tempdir().unwrap();
        let log = room.path().join("log");
        for (text, words) in [
            ("first\nswarm: it could not be done\n\n", Some("it could not be done")),
            ("swarm: no plan: these are wrong\n- one\nNothing was started.\n", Some("no plan: these are wrong")),
            ("plain\r\n  \n", Some("plain")),
            ("\n", None),
        ] {
            std::fs::write(&log, text).unwrap();
            assert_eq!(last_words(&log).as_deref(), words, "{text:?}");
        }
        assert_eq!(last_words(&room.path().join("none")), None);
    }
}
