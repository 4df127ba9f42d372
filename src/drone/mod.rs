//! What happens on a drone: the job directory, the scripts that run in it, the watch over its jobs.
//!
//! A job is a directory `WORKDIR/jobs/ID`. `mkdir` of it is the claim. It is prepared while we are connected (what its
//! package needs is carried there as binary packages and merged), then the build runs detached and needs nothing
//! from us; its end is a file `status` that appears by rename. What is there tells how far it got, so every step can
//! be repeated after a lost connection or a lost controller.

pub mod facts;
pub mod job;
pub mod processor;
pub mod strays;
pub mod verdict;
pub mod watch;

/// One of our scripts: the common head (the job's environment) and its own part.
pub(crate) fn job_script(own: &str) -> String {
    format!("{}\n{own}", include_str!("environment.sh"))
}
