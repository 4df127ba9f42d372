//! What happens on a drone: the job directory, the scripts that run in it, the watch over its jobs.
//!
//! A job is a directory `WORKDIR/jobs/ID`. `mkdir` of it is the claim. It is prepared while we are connected (what its
//! package needs is carried there as binary packages and merged), then the build runs detached and needs nothing
//! from us; its end is a file `status` that appears by rename. What is there tells how far it got, so every step can
//! be repeated after a lost connection or a lost controller.

pub mod brought;
pub mod cache;
pub mod configuration;
pub mod facts;
pub mod job;
pub mod pack;
pub mod processor;
pub mod room;
pub mod strays;
pub mod survey;
pub mod tend;
pub mod verdict;
pub mod watch;

use crate::portage::probe::ProbeError;
use crate::ssh::ask::{ASKED, MARK, ask, failed, run};
use crate::ssh::{Host, HostError, Output, Script};

/// What the scripts that look for a job's processes share.
const ALIVE: &str = include_str!("alive.sh");

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
