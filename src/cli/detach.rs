//! `swarm push --detach`: the controller in the background, in a session of its own.
//!
//! The binary executes itself again with [`FLAG`] in the place of `--detach` and waits until that process answers at
//! its control socket, which it does once its build is open, or has ended.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use crate::controller::socket;
use crate::core::text::escaped;
use crate::inventory::Inventory;

/// The flag that the operator gives.
const ASKED: &str = "--detach";
/// The flag of the process in the background; nobody is told of it.
pub const FLAG: &str = "detached";
/// Between two tries to reach a socket that is not there yet.
const PAUSE: Duration = Duration::from_millis(100);
/// So much (bytes) is passed on of what a controller said before it ended early.
const PASSED_ON: u64 = 64 << 10;

/// Leaves the operator's session: neither its end nor a Ctrl-C in it reaches this process any more.
///
/// # Errors
/// When the system does not let us.
pub fn leave_session() -> anyhow::Result<()> {
    rustix::process::setsid().context("cannot begin a session of its own")?;
    // From the first time that somebody listens for it on, the signal ends nothing by itself.
    let _unheard = signal(SignalKind::hangup()).context("cannot ignore SIGHUP")?;
    Ok(())
}

/// Starts the controller in the background and waits until its build is open.
pub async fn run(inventory: &Inventory) -> anyhow::Result<Exit> {
    let state = &inventory.swarm.state;
    let path = state.join("logs/push.log");
    let (log, said_before) = open_log(&path)?;
    let program = std::env::current_exe().context("cannot find the program of this process")?;
    let mut key = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut child = Command::new(program)
        .args(arguments(std::env::args_os().skip(1)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start the controller in the background")?;
    let process = child.id().context("the controller in the background is gone")?;
    tokio::select! {
        // One that has ended is told of as that, whatever it answered before.
        biased;
        ended = child.wait() => pass_on(ended?, &path, said_before),
        build = opened(state, process) => {
            println!("build {} goes on in the background, by process {process}", escaped(&build?));
            println!("`swarm status` says how it stands, `swarm logs -f PKG` follows a package's build");
            println!("what it says goes to {}; `kill {process}` interrupts it as Ctrl-C does", path.display());
            Ok(Exit::Done)
        }
        _ = key.recv() => end(&mut child, process).await,
    }
}

/// The command line of the process in the background.
fn arguments(own: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut options = true;
    own.map(|argument| {
        options &= argument != "--";
        if options && argument == ASKED { OsString::from(format!("--{FLAG}")) } else { argument }
    })
    .collect()
}

fn open_log(path: &Path) -> anyhow::Result<(File, u64)> {
    if let Some(directory) = path.parent() {
        fs_err::create_dir_all(directory)?;
    }
    let log = fs_err::OpenOptions::new().create(true).append(true).open(path)?;
    let length = log.metadata()?.len();
    Ok((log.into(), length))
}

/// The build that this process has open.
async fn opened(state: &Path, process: u32) -> anyhow::Result<String> {
    loop {
        if let Some(build) = socket::open_build(state, process).await? {
            return Ok(build);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A controller that has ended early ends this command as it has ended, with its own words.
fn pass_on(ended: std::process::ExitStatus, path: &PathBuf, from: u64) -> anyhow::Result<Exit> {
    let mut log = fs_err::File::open(path)?;
    log.seek(SeekFrom::Start(from))?;
    let mut said = Vec::new();
    log.take(PASSED_ON).read_to_end(&mut said)?;
    eprint!("{}", escaped(&String::from_utf8_lossy(&said)));
    match (ended.code().and_then(Exit::of_status), ended.signal()) {
        (Some(exit), _) => Ok(exit),
        (None, Some(signal)) => bail!("the controller in the background was ended by signal {signal}"),
        (None, None) => bail!("the controller in the background ended with {ended}; see {}", path.display()),
    }
}

/// As long as this command waits, what the operator interrupts is the controller.
async fn end(child: &mut Child, process: u32) -> anyhow::Result<Exit> {
    let pid = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    // One that has just ended needs no signal.
    let _gone = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
    child.wait().await?;
    eprintln!("interrupted: the controller in the background has ended, too; what it began, `swarm push` takes up");
    Ok(Exit::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_in_the_background_gets_the_same_arguments_but_that_one() {
        for (own, other) in [
            ("push --detach app-misc/foo", "push --detached app-misc/foo"),
            ("--inventory x push --on izar --detach", "--inventory x push --on izar --detached"),
            ("push --detach -- --detach", "push --detached -- --detach"),
        ] {
            let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
            assert_eq!(arguments(words(own).into_iter()), words(other));
        }
    }
}
