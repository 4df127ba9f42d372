//! What happens on a drone: the job directory, the scripts that run in it, the watch over its jobs.
//!
//! A job is a directory `WORKDIR/jobs/ID`. `mkdir` of it is the claim. It is prepared while we are connected (what its
//! package needs is carried there as binary packages and merged), then the build runs detached and needs nothing
//! from us; its end is a file `status` that appears by rename. What is there tells how far it got, so every step can
//! be repeated after a lost connection or a lost controller.

pub mod brought;
pub mod cache;
pub mod facts;
pub mod job;
pub mod pack;
pub mod processor;
pub mod room;
pub mod strays;
pub mod tend;
pub mod verdict;
pub mod watch;

use crate::portage::probe::ProbeError;
use crate::ssh::{Host, HostError, HostErrorKind, Output, Script};

/// What stands behind this in a line is ours; anything else is some shell's noise, which may end without a line end.
const MARK: &str = "SWARM:";
/// What the scripts that look for a job's processes share.
const ALIVE: &str = include_str!("alive.sh");
/// What the scripts that look at the drone's epoch share.
const EPOCH: &str = include_str!("epoch.sh");

/// The words behind our mark, a list a line.
pub(crate) fn marked(stdout: &[u8]) -> Vec<Vec<String>> {
    String::from_utf8_lossy(stdout)
        .lines()
        .filter_map(|line| line.split_once(MARK))
        .map(|(_noise, line)| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

fn failed(host: &dyn Host, doing: &str, said: &[u8]) -> HostError {
    let said: String = String::from_utf8_lossy(said).chars().take(2000).collect();
    // A shell's programs tell a full disk in these words alone; our scripts set LC_ALL.
    let full = said.contains("No space left on device") || said.contains("Disk quota exceeded");
    let kind = if full { HostErrorKind::NoSpace } else { HostErrorKind::Failed };
    HostError::new(host.name(), kind, format!("{doing}: {}", said.trim()))
}

/// Runs a script that must end well, and gives its marked lines.
async fn run(host: &dyn Host, script: &Script, doing: &str) -> Result<Vec<Vec<String>>, HostError> {
    let output = host.run(script).await?;
    if output.status == 0 { Ok(marked(&output.stdout)) } else { Err(failed(host, doing, &output.stderr)) }
}

/// So often a script is run in all whose answer makes no sense.
const ASKED: u32 = 3;

/// Runs a script that may be repeated until its answer makes sense: what garbled it once may have passed.
async fn ask<T>(
    host: &dyn Host,
    script: &Script,
    doing: &str,
    read: impl Fn(&[Vec<String>]) -> Option<T>,
) -> Result<T, HostError> {
    for _ in 0..ASKED {
        if let Some(answer) = read(&run(host, script, doing).await?) {
            return Ok(answer);
        }
    }
    Err(failed(host, doing, b"the answer makes no sense"))
}

/// Runs a probe, again where it ended well and yet has no answer that can be read.
pub(crate) async fn probe<T>(
    host: &dyn Host,
    script: &Script,
    read: impl Fn(&Output) -> Result<T, ProbeError>,
) -> Result<Result<T, ProbeError>, HostError> {
    let mut asked = 0;
    loop {
        asked += 1;
        let output = host.run(script).await?;
        match read(&output) {
            Err(ProbeError::NoAnswer { .. } | ProbeError::Unreadable { .. }) if output.status == 0 && asked < ASKED => {
            }
            answer => return Ok(answer),
        }
    }
}

/// One of our scripts: the common head (the job's environment) and its own part.
pub(crate) fn job_script(own: &str) -> String {
    format!("{}\n{own}", include_str!("environment.sh"))
}
