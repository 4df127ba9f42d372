//! A push in the background: this program again, as a process of its own that outlives whoever began it.
//!
//! It is begun with [`FLAG`], leaves the session by itself, and answers at its control socket once its build is open;
//! until then it may still end, and what it said is passed on. What it says goes to `logs/push.log` of the state
//! directory.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use super::error::ControlError;
use super::housekeeping::{Amount, Deed, Tidied};
use super::socket;
use crate::core::names::BuildName;

/// The option of `swarm push` that says so; nobody is told of it.
pub const FLAG: &str = "detached";
/// The option that lets it work off all that waits, as an orchestrator's service wants it.
pub const ALL: &str = "work-off";
/// The log's name below that of the build logs.
pub(super) const LOG: &str = "push.log";
/// Between two tries to reach a socket that is not there yet.
const PAUSE: Duration = Duration::from_millis(100);
/// So much (bytes) is passed on of what a push said before it ended early.
const PASSED_ON: u64 = 64 << 10;

/// A push that has been begun.
#[derive(Debug)]
pub struct Background {
    child: Child,
    process: u32,
    state: PathBuf,
    log: PathBuf,
    said_before: u64,
}

/// What came of it.
#[derive(Debug)]
pub enum Begun {
    /// It works off the build of this id.
    Open(BuildName),
    /// It has ended already.
    Ended(Ended),
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it said, as it stands; bounded.
    pub said: String,
}

fn local(doing: &str) -> impl FnOnce(std::io::Error) -> ControlError {
    let doing = doing.to_owned();
    move |source| ControlError::Local { doing, source }
}

impl Background {
    /// Begins a push with these arguments of this program; its state directory is this.
    ///
    /// # Errors
    /// No process can be started, or its log not be written.
    pub fn start(state: &Path, arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ControlError> {
        let path = state.join("logs").join(LOG);
        let (log, said_before) = open_log(&path).map_err(local("open the log of a push"))?;
        let log_too = log.try_clone().map_err(local("open the log of a push"))?;
        let program = std::env::current_exe().map_err(local("find the program of this process"))?;
        let child = Command::new(program)
            .args(arguments)
            // It is none of the service's whose words its supervisor hears.
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .stdin(Stdio::null())
            .stdout(log_too)
            .stderr(log)
            .spawn()
            .map_err(local("start a push in the background"))?;
        let process = child.id().ok_or_else(|| {
            ControlError::Refused(format!("the push in the background ended at once; {} may say why", path.display()))
        })?;
        Ok(Self { child, process, state: state.to_owned(), log: path, said_before })
    }

    /// The id of its process.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// Where it says what it says.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until its build is open or it has ended.
    ///
    /// # Errors
    /// Its socket or its log cannot be read.
    pub async fn begun(&mut self) -> Result<Begun, ControlError> {
        tokio::select! {
            // One that has ended is told of as that, whatever it answered before.
            biased;
            ended = self.child.wait() => {
                let status = ended.map_err(local("wait for the push in the background"))?;
                Ok(Begun::Ended(Ended { status, said: self.said().map_err(local("read the log of a push"))? }))
            }
            build = opened(&self.state, self.process) => build.map(Begun::Open),
        }
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// The system does not say.
    pub async fn ended(&mut self) -> Result<ExitStatus, ControlError> {
        self.child.wait().await.map_err(local("wait for the push in the background"))
    }

    fn said(&self) -> std::io::Result<String> {
        let mut log = fs_err::File::open(&self.log)?;
        log.seek(SeekFrom::Start(self.said_before))?;
        let mut said = Vec::new();
        log.take(PASSED_ON).read_to_end(&mut said)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

/// Keeps the log of pushes to its limit.
pub(super) fn keep_to(path: &Path, limit: u64, deed: Deed) -> Result<Tidied, ControlError> {
    let (there, went) = rotate(path, limit, deed).map_err(local("keep the log of pushes to its limit"))?;
    Ok(Tidied { what: "logs of pushes", there, went })
}

/// Keeps a log to its limit: one that has half of it becomes the one before, whose place it takes. Whoever writes to it
/// goes on doing so. What was there, and what went.
pub(super) fn rotate(path: &Path, limit: u64, deed: Deed) -> std::io::Result<(Amount, Amount)> {
    let before = path.with_extension("log.1");
    let size = |path: &Path| fs_err::metadata(path).map_or(0, |metadata| metadata.len());
    let (own, old) = (size(path), size(&before));
    let is_due = own > limit / 2;
    if is_due && deed == Deed::Do {
        fs_err::rename(path, &before)?;
    }
    let amount = |sizes: &[u64]| Amount::of(sizes.iter().copied().filter(|size| *size > 0));
    Ok((amount(&[own, old]), if is_due { amount(&[old]) } else { Amount::default() }))
}

fn open_log(path: &Path) -> std::io::Result<(File, u64)> {
    if let Some(directory) = path.parent() {
        fs_err::create_dir_all(directory)?;
    }
    let log = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
    let length = log.metadata()?.len();
    Ok((log.into(), length))
}

/// The build that this process has open.
async fn opened(state: &Path, process: u32) -> Result<BuildName, ControlError> {
    loop {
        if let Some(build) = socket::open_build(state, process).await? {
            return Ok(build);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
