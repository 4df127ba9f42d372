//! What a job is given along: its task, and what it needs.

use super::error::ControlError;
use super::session::Session;
use crate::core::build::{Build, Phase};
use crate::core::event::ReceivedFile;
use crate::core::names::{BuildId, JobName};
use crate::core::plan::PackageIndex;
use crate::core::spread;
use crate::core::state::Job;
use crate::drone::job::{Manifest, Need, Task, TimeLimits};
use crate::inventory::Limits;
use crate::portage::index::Stanza;

/// No build is taken to hang before it has been silent for so long (seconds): some link for a quarter of an hour.
const LEAST_SILENCE: u64 = 30 * 60;

/// What the job is to build, and how.
pub fn task(session: &Session, build: &Build, name: &JobName, job: &Job) -> Task {
    let own = job.build_ids.get(&job.package).copied().unwrap_or(BuildId(1));
    let manifest = Manifest {
        job: name.clone(),
        build: build.name.clone(),
        epoch: session.state().epoch,
        controller: session.visitor().controller,
        driver: build.plan.driver.clone(),
        identity: build.identity(job.package).clone(),
        build_id: own,
    };
    let drone = session.state().drones.get(&job.drone);
    let width = drone.map_or(1, |drone| spread::width(job, drone));
    let cores = drone.map_or(1, |drone| drone.spec.cores);
    let package = manifest.identity.cpv.package_name();
    let expected = session.state().expected_duration(&package);
    let limits = limits(session.inventory.limits(&package.to_string()), expected);
    let signed = session.inventory.swarm.verify_keyring.is_some();
    let configuration = drone.and_then(|drone| drone.configuration.clone());
    Task { manifest, width, cores, room: job.room, configuration, signed, limits }
}

/// When a build is taken to hang: what the operator set, else by what its package took before (seconds).
fn limits(set: Limits, expected: u64) -> TimeLimits {
    // Less than a second is not nothing: zero would mean never.
    let seconds = |duration: std::time::Duration| duration.as_secs().max(1);
    TimeLimits {
        silence: set.silence.map_or((expected / 2).max(LEAST_SILENCE), seconds),
        total: set.total.map_or(0, seconds),
    }
}

/// What its package needs, from staging, in the order in which it is merged.
///
/// # Errors
/// When the journal's entry of one does not read.
pub fn needs(session: &Session, build: &Build, package: PackageIndex) -> Result<Vec<Need>, ControlError> {
    build
        .plan
        .merged_for(package)
        .into_iter()
        .filter_map(|need| match &build.packages[need.index()].phase {
            Phase::Received(file) => Some(file),
            Phase::Needed | Phase::Delegated(_) | Phase::Failed => None,
        })
        .map(|file| {
            let stanza = entry(file)?;
            Ok(Need { cpv: stanza.cpv().clone(), local: session.staging.file(stanza.path()), stanza })
        })
        .collect()
}

/// The index entry of a received file, as the journal has it.
///
/// # Errors
/// When it does not read.
pub fn entry(file: &ReceivedFile) -> Result<Stanza, ControlError> {
    Stanza::of_values(file.stanza.iter())
        .map_err(|error| ControlError::Refused(format!("the journal's entry of {} is bad: {error}", file.path)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_build_may_be_silent_for_as_long_as_was_set_else_for_half_of_what_it_took_before() {
        let set = |silence: Option<u64>, total: Option<u64>| Limits {
            silence: silence.map(Duration::from_millis),
            total: total.map(Duration::from_millis),
        };
        for (limits_set, expected, silence, total) in [
            (set(None, None), 60, LEAST_SILENCE, 0),
            (set(None, None), 4 * LEAST_SILENCE, 2 * LEAST_SILENCE, 0),
            (set(Some(15_000), Some(60_000)), 4 * LEAST_SILENCE, 15, 60),
            (set(Some(10), Some(10)), 60, 1, 1),
        ] {
            assert_eq!(limits(limits_set, expected), TimeLimits { silence, total });
        }
    }
}
