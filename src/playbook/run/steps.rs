//! One step: its command line, its process, and what the end of that means.

use std::fs::File;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::mpsc;

use super::dry::shown;
use super::said::{atoms, last_words};
use super::{RunError, Running};
use crate::controller::now;
use crate::controller::run::Halt;
use crate::core::event::Wanted;
use crate::core::exit::Exit;
use crate::core::names::Timestamp;
use crate::core::status::Moment;
use crate::core::text::{duration, printable};
use crate::playbook::child::{self, Ran, Stopped};
use crate::playbook::command::{Circumstances, CommandLine, command_line};
use crate::playbook::condition::{INTERRUPTED, SOME_FAILED};
use crate::playbook::outcome;
use crate::playbook::record::Progress;
use crate::playbook::sight::Sight;
use crate::playbook::step::{OnFailure, Step, What, Where};

/// More atoms (bytes) than this no step names.
const ATOMS_LIMIT: u64 = 4 << 20;

/// What a process came to.
pub(super) struct Done {
    pub(super) status: u8,
    pub(super) reason: String,
    pub(super) changed: bool,
    pub(super) weight: OnFailure,
    pub(super) interrupted: bool,
}

impl Running<'_> {
    /// Runs a step.
    pub(super) async fn step(
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
                // What cannot be read may well have told of a change.
                let said = outcome::take(&told).unwrap_or_else(|error| {
                    self.record.troubles.push(format!("whether {} changed something is not known: {error}", step.name));
                    true
                });
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
                let at = self.start.playbook.place_of(from).unwrap_or(index);
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
            is_read: self.start.playbook.is_read(step),
            atoms: &atoms,
        };
        command_line(step, &circumstances).map(Some)
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
            return Err(format!(
                "{} has written more than {} KiB, so this is no list of atoms",
                step.name,
                ATOMS_LIMIT >> 10
            ));
        }
        let text = fs_err::read(&path).map_err(|error| error.to_string())?;
        let on_hosts = !matches!(&step.what, What::Exec(exec) if matches!(exec.on, Where::Controller));
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
        let stdout = match self.start.playbook.is_read(step) {
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
                let limit = step.timeout.map_or_else(String::new, |limit| duration(limit.as_secs()));
                format!("it took longer than {limit} and was ended")
            }
            (SOME_FAILED, Some(after)) if is_push => after.failures(),
            (INTERRUPTED, Some(after)) if is_push => {
                let why = if late { "the time was over" } else { "it was interrupted" };
                format!("{why}; {}", after.left())
            }
            (status, _) => match last_words(&self.directory.join(log)) {
                Some(words) => words,
                None => format!("it ended with status {status}"),
            },
        };
        Done { status, reason, changed, weight: weight(step, status, late), interrupted }
    }
}

/// What a failure of this step with this status means for the run.
pub(super) fn weight(step: &Step, status: u8, late: bool) -> OnFailure {
    match &step.what {
        What::Push(push) if status == SOME_FAILED => push.failed_packages,
        // What was received until the time was over is there all the same.
        What::Push(_) if status == INTERRUPTED && late => OnFailure::GoOn,
        _ => step.on_failure,
    }
}

/// The status of a step among those of `swarm` itself. What a stranger's program means by its own, nobody knows.
pub(super) fn meaning(step: &Step, status: u8) -> u8 {
    match &step.what {
        What::Exec(_) if status != 0 && status != INTERRUPTED => 1,
        _ => Exit::of_status(status.into()).unwrap_or(Exit::Impossible) as u8,
    }
}
