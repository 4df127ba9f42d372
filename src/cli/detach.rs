//! `swarm push --detach`: the controller in the background, in a session of its own.
//!
//! The binary executes itself again with [`FLAG`] in the place of `--detach` and waits until that process answers at
//! its control socket, which it does once its build is open, or has ended.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use crate::controller::background::{Background, Begun, Ended, FLAG};
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::ui::table::{tell, tell_lines, write_out};

/// The flag that the operator gives.
const ASKED: &str = "--detach";

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
    let mut key = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut push = Background::start(&inventory.swarm.state, arguments(std::env::args_os().skip(1)))?;
    let process = push.process();
    tokio::select! {
        biased;
        begun = push.begun() => match begun? {
            Begun::Ended(ended) => pass_on(&ended, &push),
            Begun::Open(build) => {
                let log = push.log().display();
                write_out(&format!(
                    "build {} goes on in the background, by process {process}\n\
                     `swarm status` says how it stands, `swarm logs -f PKG` follows a package's build\n\
                     what it says goes to {log}; `kill {process}` interrupts it as Ctrl-C does\n",
                    build.as_str()
                ))?;
                Ok(Exit::Done)
            }
        },
        _ = key.recv() => end(&mut push).await,
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

/// A controller that has ended early ends this command as it has ended, with its own words.
fn pass_on(ended: &Ended, push: &Background) -> anyhow::Result<Exit> {
    tell_lines(&escaped(&ended.said));
    match (ended.status.code().and_then(Exit::of_status), ended.status.signal()) {
        (Some(exit), _) => Ok(exit),
        (None, Some(signal)) => bail!("the controller in the background was ended by signal {signal}"),
        (None, None) => {
            bail!("the controller in the background ended with {}; see {}", ended.status, push.log().display())
        }
    }
}

/// As long as this command waits, what the operator interrupts is the controller.
async fn end(push: &mut Background) -> anyhow::Result<Exit> {
    let pid = i32::try_from(push.process()).ok().and_then(rustix::process::Pid::from_raw);
    // One that has just ended needs no signal.
    let _gone = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
    push.ended().await?;
    tell("interrupted: the controller in the background has ended, too; what it began, `swarm push` takes up");
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
