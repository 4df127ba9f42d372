//! A job, and what the events about jobs change: who builds a package, who brings it, and against whom a failure counts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Condition, Inconsistent, State, inconsistent};
use crate::core::build::{Attempt, Package, Phase};
use crate::core::event::{Cost, JobOutcome, ReceivedFile, Rooms, Why};
use crate::core::failure::{Failure, FailureClass};
use crate::core::names::{BuildId, BuildName, HostName, JobName, Timestamp};
use crate::core::package::Cpv;
use crate::core::plan::PackageIndex;
use crate::schedule::estimate::Sample;

/// A package that failed in its own right on so many different drones is failed, not tried again.
const OWN_FAILURE_LIMIT: usize = 2;
/// So many attempts in all, whoever is to blame, and the package is failed: every run ends.
const ATTEMPT_LIMIT: usize = 12;
/// A drone's first rest after a failure of its own, in seconds; it doubles with each further one.
const FIRST_REST: i64 = 30;
/// The longest rest, in seconds.
const LONGEST_REST: i64 = 3600;

/// What a build took, measured or else from its start to its end as this side saw it.
fn sample(cpv: Cpv, job: &Job, cost: Option<Cost>, at: Timestamp) -> Sample {
    let seen = at.seconds_since(job.since) as f64;
    Sample {
        cpv,
        wall_s: cost.map_or(seen, |cost| cost.wall_ms as f64 / 1000.0),
        cpu_s: cost.map(|cost| cost.cpu_ms as f64 / 1000.0),
        width: cost.map(|cost| cost.width),
        memory_mib: cost.and_then(|cost| cost.memory_mib),
        drone: Some(job.drone.clone()),
        at,
    }
}

/// How a job stands to its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It is the one that its package waits for.
    Active,
    /// Its drone was away for too long; if it finishes before another one it is welcome.
    GivenUp,
    /// Nobody wants what it builds: its build was given up, or another job was first.
    Unwanted,
}

/// A job that is not known to be over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The build that it belongs to.
    pub build: BuildName,
    /// Its package.
    pub package: PackageIndex,
    /// Where it is.
    pub drone: HostName,
    /// The build id that it uses, by its package.
    pub build_ids: BTreeMap<PackageIndex, BuildId>,
    /// When it was given away.
    pub since: Timestamp,
    /// How it stands to its package.
    pub standing: Standing,
    /// How many processes at once; zero where nobody said.
    #[serde(default)]
    pub width: u32,
    /// Why it is there; none of one that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Whether it has a root of its own.
    #[serde(default)]
    pub room: bool,
    /// Packages of its build that would replace what it was linked against, where it shares its drone's root.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub holds: BTreeSet<PackageIndex>,
}

/// The jobs by the drone that they are on: for whoever looks at many drones, as each look at one goes through all jobs.
#[derive(Debug, Clone, Default)]
pub struct JobsByDrone<'a>(BTreeMap<&'a HostName, Vec<(&'a JobName, &'a Job)>>);

impl<'a> JobsByDrone<'a> {
    /// Those on this drone, by name.
    pub fn on(&self, drone: &HostName) -> &[(&'a JobName, &'a Job)] {
        self.0.get(drone).map(Vec::as_slice).unwrap_or_default()
    }
}

impl State {
    /// When the first of the drones that rest is done with it; nothing else changes here without an event.
    pub fn first_rested(&self, now: Timestamp) -> Option<Timestamp> {
        self.drones.values().filter_map(|drone| drone.rest_until.filter(|until| *until > now)).min()
    }

    /// All jobs by drone. Cost: a pass over them.
    pub fn jobs_by_drone(&self) -> JobsByDrone<'_> {
        let mut jobs = JobsByDrone::default();
        for (name, job) in &self.jobs {
            jobs.0.entry(&job.drone).or_default().push((name, job));
        }
        jobs
    }

    pub(super) fn find_job(
        &mut self,
        job: &JobName,
        package: PackageIndex,
        drone: &HostName,
        build_id: BuildId,
        at: Timestamp,
    ) -> Result<(), Inconsistent> {
        match self.open_mut()?.packages.get(package.index()) {
            Some(Package { phase: Phase::Needed, .. }) => {}
            _ => return Err(inconsistent(format!("that job {job} was found for a package that is not needed"))),
        }
        self.delegate(job, package, drone, &BTreeMap::from([(package, build_id)]), at)
    }

    pub(super) fn start_job(
        &mut self,
        job: &JobName,
        package: PackageIndex,
        drone: &HostName,
        build_ids: &BTreeMap<PackageIndex, BuildId>,
        at: Timestamp,
    ) -> Result<(), Inconsistent> {
        let build = self.open_mut()?;
        match build.packages.get(package.index()) {
            Some(Package { phase: Phase::Needed, missing: 0, .. }) => {}
            _ => return Err(inconsistent(format!("that job {job} starts a package that cannot start"))),
        }
        if build_ids.keys().any(|package| package.index() >= build.packages.len()) {
            return Err(inconsistent(format!("that job {job} may build what is outside of its plan")));
        }
        self.delegate(job, package, drone, build_ids, at)?;
        self.last_job += 1;
        Ok(())
    }

    /// A needed package of the open build is this job's from here on.
    fn delegate(
        &mut self,
        name: &JobName,
        package: PackageIndex,
        drone: &HostName,
        build_ids: &BTreeMap<PackageIndex, BuildId>,
        at: Timestamp,
    ) -> Result<(), Inconsistent> {
        let room = self.drone_mut(drone)?.rooms == Rooms::Own;
        let build = self.open_mut()?;
        build.change_phase(package, Phase::Delegated(name.clone()));
        build.finished = None;
        let job = Job {
            build: build.name.clone(),
            package,
            drone: drone.clone(),
            build_ids: build_ids.clone(),
            since: at,
            standing: Standing::Active,
            width: 0,
            why: None,
            room,
            holds: BTreeSet::new(),
        };
        let allotted: Vec<_> =
            build_ids.iter().map(|(package, build_id)| (build.identity(*package).cpv.clone(), *build_id)).collect();
        for (cpv, build_id) in &allotted {
            self.raise_build_id(cpv, *build_id);
        }
        self.jobs.insert(name.clone(), job);
        Ok(())
    }

    pub(super) fn give_up(&mut self, name: &JobName, at: Timestamp) -> Result<(), Inconsistent> {
        let job = self
            .jobs
            .get_mut(name)
            .ok_or_else(|| inconsistent(format!("that job {name}, which is over, is given up")))?;
        if job.standing != Standing::Active {
            return Err(inconsistent(format!("that job {name} is given up, again")));
        }
        job.standing = Standing::GivenUp;
        let job = job.clone();
        let reason = match self.drones.get(&job.drone).map(|drone| &drone.condition) {
            Some(Condition::Away { reason, .. }) => format!("its drone was away for too long: {reason}"),
            _ => "its drone was away for too long".to_owned(),
        };
        let failure = Failure { class: FailureClass::Lost, reason };
        self.count_failure(name, &job, failure, None, at)
    }

    pub(super) fn bring_back(&mut self, name: &JobName) -> Result<(), Inconsistent> {
        let job =
            self.jobs.get_mut(name).ok_or_else(|| inconsistent(format!("that job {name}, which is over, is back")))?;
        // Of a build that was set aside nothing is waited for any more; what the job brings is welcome all the same.
        if self.open.as_ref() != Some(&job.build) {
            return Ok(());
        }
        let Some(build) = self.builds.get_mut(&job.build) else { return Ok(()) };
        if job.standing == Standing::GivenUp && matches!(build.packages[job.package.index()].phase, Phase::Needed) {
            job.standing = Standing::Active;
            build.change_phase(job.package, Phase::Delegated(name.clone()));
        }
        Ok(())
    }

    pub(super) fn receive(
        &mut self,
        name: &JobName,
        package: PackageIndex,
        file: &ReceivedFile,
        cost: Option<Cost>,
        at: Timestamp,
    ) -> Result<(), Inconsistent> {
        let job = self.jobs.get(name).cloned();
        let job = job.ok_or_else(|| inconsistent(format!("that job {name}, which nobody started, delivered")))?;
        let build = self.build_mut(&job.build)?;
        match build.packages.get(package.index()).map(|package| &package.phase) {
            None => return Err(inconsistent(format!("that job {name} delivered a package outside its plan"))),
            // The first is taken; a second one does no harm.
            Some(Phase::Received(_)) => return Ok(()),
            Some(Phase::Needed | Phase::Delegated(_) | Phase::Failed) => {}
        }
        build.change_phase(package, Phase::Received(file.clone()));
        let cpv = build.identity(package).cpv.clone();
        if package == job.package {
            self.history.add(sample(cpv, &job, cost, at));
        }
        // Whoever else builds it does so for nobody.
        let rivals = self.jobs.iter_mut().filter(|(other, _)| *other != name).map(|(_, rival)| rival);
        for rival in rivals.filter(|rival| rival.build == job.build && rival.package == package) {
            rival.standing = Standing::Unwanted;
        }
        Ok(())
    }

    pub(super) fn end_job(&mut self, name: &JobName, outcome: &JobOutcome, at: Timestamp) -> Result<(), Inconsistent> {
        let job = self.jobs.remove(name).ok_or_else(|| inconsistent(format!("that job {name} ended, again")))?;
        match outcome {
            JobOutcome::Delivered => {
                if let Some(drone) = self.drones.get_mut(&job.drone) {
                    drone.failures = 0;
                    drone.rest_until = None;
                }
                Ok(())
            }
            JobOutcome::Failed { failure, log } => self.count_failure(name, &job, failure.clone(), log.clone(), at),
            JobOutcome::Discarded => {
                self.release(name, &job);
                Ok(())
            }
        }
    }

    /// The package of a job that is over waits again, if it was this job that it waited for.
    fn release(&mut self, name: &JobName, job: &Job) {
        let Some(build) = self.builds.get_mut(&job.build) else { return };
        if matches!(&build.packages[job.package.index()].phase, Phase::Delegated(other) if other == name) {
            build.change_phase(job.package, Phase::Needed);
        }
    }

    fn count_failure(
        &mut self,
        name: &JobName,
        job: &Job,
        failure: Failure,
        log: Option<String>,
        at: Timestamp,
    ) -> Result<(), Inconsistent> {
        let own = failure.class.is_the_packages();
        if !own && let Some(drone) = self.drones.get_mut(&job.drone) {
            let rest = FIRST_REST.saturating_mul(1 << drone.failures.min(10)).min(LONGEST_REST);
            drone.failures += 1;
            drone.rest_until = Some(Timestamp(at.0.saturating_add(rest)));
        }
        let usable: BTreeSet<_> = self
            .drones
            .values()
            .filter(|drone| matches!(drone.condition, Condition::Ready { .. }))
            .map(|drone| drone.spec.name.clone())
            .collect();
        let Some(build) = self.builds.get_mut(&job.build) else { return Ok(()) };
        let package = build
            .packages
            .get_mut(job.package.index())
            .ok_or_else(|| inconsistent("a job for a package outside its plan"))?;
        package.attempts.push(Attempt { job: name.clone(), drone: job.drone.clone(), failure, log, at });
        match &package.phase {
            // Another job has brought it, or is about to.
            Phase::Received(_) | Phase::Failed => return Ok(()),
            Phase::Delegated(other) if other != name => return Ok(()),
            Phase::Needed | Phase::Delegated(_) => {}
        }
        let failed_on: BTreeSet<_> = package
            .attempts
            .iter()
            .filter(|attempt| attempt.failure.class.is_the_packages())
            .map(|attempt| attempt.drone.clone())
            .collect();
        let others = usable.difference(&failed_on).count();
        let hopeless = failed_on.len() >= OWN_FAILURE_LIMIT || (own && others == 0);
        if hopeless || package.attempts.len() >= ATTEMPT_LIMIT {
            build.change_phase(job.package, Phase::Failed);
        } else {
            build.change_phase(job.package, Phase::Needed);
        }
        Ok(())
    }
}
