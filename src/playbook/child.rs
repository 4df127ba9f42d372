//! A step's process: what it says goes to its log, it can be ended, and it ends when the run does.
//!
//! It has a process group of its own, so that a Ctrl-C at a terminal reaches the run alone, which passes it on in its
//! own way. A run that is killed leaves no `swarm` behind: each asks the kernel to be ended with its parent.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, kill_process, kill_process_group, set_parent_process_death_signal};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::controller::run::Halt;

/// The variable that tells a step's process the number of the process that runs it.
pub const PARENT: &str = "SWARM_RUN_PROCESS";
/// A process that was asked to end has so long before it is killed.
const GRACE: Duration = Duration::from_secs(60);

/// How a step's process ended.
#[derive(Debug)]
pub struct Ran {
    /// As the system says.
    pub status: ExitStatus,
    /// Why it was ended from here; none where it ended by itself.
    pub stopped: Option<Stopped>,
}

/// Why a process was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The run was interrupted.
    Interrupted,
    /// It took too long.
    TimedOut,
}

impl Ran {
    /// Its exit status; 128 and the number of the signal that ended it, as shells have it.
    pub fn code(&self) -> u8 {
        let signal = self.status.signal().map(|signal| signal.saturating_add(128));
        let code = self.status.code().or(signal).unwrap_or(1);
        u8::try_from(code).unwrap_or(1)
    }
}

/// Lets this process end with the run that it is a step of, if it is one.
///
/// # Errors
/// The system does not let us.
pub fn end_with_the_run() -> std::io::Result<()> {
    let named = std::env::var(PARENT).ok().and_then(|text| text.parse::<i32>().ok()).and_then(Pid::from_raw);
    if named.is_some() && named == getppid() {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        if named != getppid() {
            return Err(std::io::Error::other("the run that this is a step of is gone"));
        }
    }
    Ok(())
}

/// Runs a command to its end; `is_ours` says whether it knows itself how to end what it has begun.
///
/// # Errors
/// It cannot be started or waited for.
pub async fn run(
    mut command: Command,
    (stdout, stderr): (File, File),
    is_ours: bool,
    timeout: Option<Duration>,
    halts: &mut mpsc::Receiver<Halt>,
) -> std::io::Result<Ran> {
    let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0).spawn()?;
    let limit = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let stopped = tokio::select! {
        status = child.wait() => return Ok(Ran { status: status?, stopped: None }),
        Some(_) = halts.recv() => Stopped::Interrupted,
        () = limit => Stopped::TimedOut,
    };
    let status = end(&mut child, is_ours).await?;
    Ok(Ran { status, stopped: Some(stopped) })
}

async fn end(child: &mut Child, is_ours: bool) -> std::io::Result<ExitStatus> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // One that has just ended needs no signal.
    let _gone = pid.map(|pid| match is_ours {
        true => kill_process(pid, Signal::TERM),
        false => kill_process_group(pid, Signal::TERM),
    });
    match tokio::time::timeout(GRACE, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            let _gone = pid.map(|pid| kill_process_group(pid, Signal::KILL));
            child.wait().await
        }
    }
}

/// What a command says on its standard output, where it ends well and in time.
///
/// # Errors
/// In words.
pub async fn answer(mut command: Command, patience: Duration) -> Result<Vec<u8>, String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).output();
    let output = tokio::time::timeout(patience, output).await.map_err(|_| "it did not answer in time".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
