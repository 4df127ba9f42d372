//! What a job is given along: its task, what it may bring, what it needs.

use super::error::ControlError;
use super::session::Session;
use crate::core::build::{Build, Phase};
use crate::core::names::{BuildId, JobName};
use crate::core::plan::PackageIndex;
use crate::core::state::Job;
use crate::drone::job::{Manifest, Need, Task, TimeLimits};
use crate::portage::index::Stanza;

/// No build is taken to hang before it has been silent for so long (seconds): some link for a quarter of an hour.
const LEAST_SILENCE: u64 = 30 * 60;

/// What the job is to build, and how.
pub fn task(session: &Session, build: &Build, name: &JobName, job: &Job) -> Task {
    let own = job.build_ids.get(&job.package).copied().unwrap_or(BuildId(1));
    let mates = job
        .build_ids
        .iter()
        .filter(|(package, _)| **package != job.package)
        .map(|(package, build_id)| (build.identity(*package).cpv.clone(), *build_id))
        .collect();
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
    let width = drone.map_or(1, |drone| (drone.spec.cores / drone.spec.jobs.max(1)).max(1));
    let expected = session.state().expected_duration(&manifest.identity.cpv.package_name());
    let limits = TimeLimits { silence: (expected / 2).max(LEAST_SILENCE), total: 0 };
    let signed = session.inventory.swarm.verify_keyring.is_some();
    Task { manifest, mates, width, signed, limits }
}

/// The packages that it may still bring, its own first, with what each has to be and its build id.
pub fn wanted(build: &Build, job: &Job) -> Vec<(PackageIndex, crate::core::package::Identity, BuildId)> {
    let entry = |package: PackageIndex, build_id: BuildId| (package, build.identity(package).clone(), build_id);
    let own = job.build_ids.iter().filter(|(package, _)| **package == job.package);
    let mates = job.build_ids.iter().filter(|(package, _)| **package != job.package);
    let missing = |(package, _): &(&PackageIndex, &BuildId)| build.received_path(**package).is_none();
    own.chain(mates).filter(missing).map(|(package, build_id)| entry(*package, *build_id)).collect()
}

/// What its package needs, from staging, in the order in which it is merged.
///
/// # Errors
/// When the journal's entry of one does not read.
pub fn needs(session: &Session, build: &Build, package: PackageIndex) -> Result<Vec<Need>, ControlError> {
    build
        .all_needs(package)
        .into_iter()
        .filter_map(|need| match &build.packages[need.index()].phase {
            Phase::Received(file) => Some(file),
            Phase::Needed | Phase::Delegated(_) | Phase::Failed => None,
        })
        .map(|file| {
            let stanza = Stanza::of_values(file.stanza.to_map()).map_err(|error| {
                ControlError::Refused(format!("the journal's entry of {} is bad: {error}", file.path))
            })?;
            Ok(Need { cpv: stanza.cpv().clone(), local: session.staging.file(stanza.path()), stanza })
        })
        .collect()
}
