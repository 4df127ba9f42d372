//! The job directories that lie on a drone, whoever made them.
//!
//! A job's directory goes when its package has been taken. One that stays is a stray: of a controller that was killed and
//! never came back, of another swarm, of a build that was given up. Whether it is one only the journal of its controller
//! can say; this says what is there.

use std::time::Duration;

use bytesize::ByteSize;

use super::ALIVE;
use super::job::{Manifest, Progress};
use crate::core::names::{ControllerName, JobName};
use crate::inventory::RemoteDirectory;
use crate::ssh::{Host, HostError, HostErrorKind, Script};

/// What begins each line of ours.
const MARK: &str = "SWARM-STRAY:";
/// A manifest holds a package's identity, some KiB; one that is longer (bytes) is not read.
const MANIFEST_LIMIT: usize = 64 << 10;
/// So many are listed; where there are more, there is work enough.
const LISTED: usize = 1000;

/// A job directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Its name.
    pub job: JobName,
    /// Whose it is; none where that cannot be read.
    pub manifest: Option<Manifest>,
    /// How far its job has come.
    pub progress: Progress,
    /// What it holds.
    pub size: ByteSize,
    /// How long it has been there, by the drone's clock.
    pub age: Duration,
}

/// What is to become of a job directory where strays are cleaned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is ours and over.
    Remove,
    /// It stays.
    Keep(Keeper),
}

/// For whose sake a job directory stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// Our journal has its job: a push is at it, or the next one takes it up.
    Books,
    /// A process of it runs.
    Process,
    /// Another controller made it.
    Controller(ControllerName),
    /// Nobody knows whose it is.
    Nobody,
}

impl Stray {
    /// What is to become of it, if we are this controller and have these jobs in our journal.
    pub fn fate(&self, own: Option<&ControllerName>, known: impl Fn(&JobName) -> bool) -> Fate {
        Fate::Keep(match &self.manifest {
            _ if known(&self.job) => Keeper::Books,
            None => Keeper::Nobody,
            Some(manifest) if own != Some(&manifest.controller) => Keeper::Controller(manifest.controller.clone()),
            Some(_) => match self.progress {
                Progress::Running => Keeper::Process,
                Progress::New | Progress::Ended | Progress::Lost => return Fate::Remove,
            },
        })
    }
}

/// Lists the job directories of a drone, by name. Measuring them looks at every file: seconds for a large build; without
/// it their sizes are zero.
///
/// # Errors
/// The drone cannot be reached.
pub async fn list(host: &dyn Host, workdir: &RemoteDirectory, measure: bool) -> Result<Vec<Stray>, HostError> {
    let script = Script::new(format!("{ALIVE}{}", include_str!("strays.sh")))
        .set("mark", MARK)
        .set("jobs", &format!("{}/jobs", workdir.as_str()))
        .set("measure", if measure { "yes" } else { "no" })
        .set("limit", &MANIFEST_LIMIT.to_string());
    let output = host.run(&script).await?;
    if output.status != 0 {
        let said = crate::core::text::printable(&String::from_utf8_lossy(&output.stderr));
        let message = format!("cannot list the job directories in {}: {said}", workdir.as_str());
        return Err(HostError::new(host.name(), HostErrorKind::Failed, message));
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Reads the script's answer; a line that is none of it is passed over, a manifest that is none is none.
pub(crate) fn parse(stdout: &str) -> Vec<Stray> {
    let mut strays: Vec<Stray> = Vec::new();
    for line in stdout.lines().filter_map(|line| line.strip_prefix(MARK)) {
        let words: Vec<&str> = line.trim().splitn(3, ' ').collect();
        match words.as_slice() {
            ["job", name, rest] if strays.len() < LISTED => strays.extend(stray(name, rest)),
            ["manifest", name, json] => {
                // A manifest belongs to the directory in which it lies, or it is not believed.
                let last = strays.last_mut().filter(|stray| stray.job.as_str() == *name);
                if let Some(stray) = last {
                    let manifest = serde_json::from_str::<Manifest>(json).ok();
                    stray.manifest = manifest.filter(|manifest| manifest.job == stray.job);
                }
            }
            _ => {}
        }
    }
    strays
}

/// `PROGRESS KIB SECONDS` of a directory.
fn stray(name: &str, rest: &str) -> Option<Stray> {
    let [progress, size, age] = rest.split(' ').collect::<Vec<_>>().try_into().ok()?;
    Some(Stray {
        job: name.parse().ok()?,
        manifest: None,
        progress: Progress::of_word(progress)?,
        size: ByteSize::b(size.parse::<u64>().ok()?.saturating_mul(1024)),
        // A clock that was set back makes it no older than new.
        age: Duration::from_secs(age.parse::<i64>().ok()?.try_into().unwrap_or(0)),
    })
}

#[cfg(test)]
mod tests;
