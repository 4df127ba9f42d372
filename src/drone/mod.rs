//! What happens on a drone: the job directory, the scripts that run in it, the watch over its jobs.
//!
//! A job is a directory `WORKDIR/jobs/ID`. `mkdir` of it is the claim. It is prepared while we are connected (what its
//! package needs is carried there as binary packages and merged), then the build runs detached and needs nothing
//! from us; its end is a file `status` that appears by rename. What is there tells how far it got, so every step can
//! be repeated after a lost connection or a lost controller.

pub mod facts;
pub mod found;
pub mod job;
pub mod tend;
pub mod verdict;
pub mod watch;

use crate::ssh::{Host, HostError, HostErrorKind, Script};

/// Lines of a script that are ours begin with this; anything else is some shell's noise.
const MARK: &str = "SWARM:";
/// What the scripts that look for a job's processes share.
const ALIVE: &str = include_str!("alive.sh");
/// What the scripts that look at the drone's epoch share.
const EPOCH: &str = include_str!("epoch.sh");

/// The words behind our mark, a list a line.
pub(crate) fn marked(stdout: &[u8]) -> Vec<Vec<String>> {
    String::from_utf8_lossy(stdout)
        .lines()
        .filter_map(|line| line.strip_prefix(MARK))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
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

/// One of our scripts: the common head (the job's environment) and its own part.
pub(crate) fn job_script(own: &str) -> String {
    format!("{}\n{own}", include_str!("environment.sh"))
}
