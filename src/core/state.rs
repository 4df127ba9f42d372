//! What is known, and how an event changes it. What follows within a build is that build's own ([`super::build`]).

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Attempt, Build, Package, Phase};
use super::event::{DroneSpec, Event, JobOutcome, ReceivedFile, Selection, Trouble};
use super::names::{BuildId, BuildName, Epoch, HostName, JobName, ReleaseName, Timestamp};
use super::package::Cpv;
use super::plan::{PackageIndex, Plan};

/// A package that failed in its own right on so many different drones is failed, not tried again.
const OWN_FAILURE_LIMIT: usize = 2;
/// So many attempts in all, whoever is to blame, and the package is failed: every run ends.
const ATTEMPT_LIMIT: usize = 6;
/// A drone's first rest after a failure of its own, in seconds; it doubles with each further one.
const FIRST_REST: i64 = 30;
/// The longest rest, in seconds.
const LONGEST_REST: i64 = 3600;

/// An event that does not fit what is known: the journal is damaged, or written by something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal says {what}, which does not fit what it said before")]
pub struct Inconsistent {
    /// What the event says.
    pub what: String,
}

fn inconsistent(what: impl Into<String>) -> Inconsistent {
    Inconsistent { what: what.into() }
}

/// Whether a drone can take work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Not reached since this controller knows of it.
    Unknown,
    /// Reached and compared.
    Ready {
        /// The address that it was reached at.
        address: Option<String>,
    },
    /// It gets no work.
    Away {
        /// What keeps it out.
        trouble: Trouble,
        /// In words.
        reason: String,
    },
}

/// A drone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drone {
    /// What the inventory says.
    pub spec: DroneSpec,
    /// Whether it can take work.
    pub condition: Condition,
    /// Failures that count against it, since its last success.
    pub failures: u32,
    /// It gets no new work before this moment.
    pub rest_until: Option<Timestamp>,
}

/// A job that is not known to be over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The build that it belongs to.
    pub build: BuildName,
    /// Its package.
    pub package: PackageIndex,
    /// Where it is.
    pub drone: HostName,
    /// The build ids that it may use.
    pub build_ids: BTreeMap<PackageIndex, BuildId>,
    /// When it was given away.
    pub since: Timestamp,
}

/// All that is known.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The controller's epoch.
    pub epoch: Epoch,
    /// The drones of the inventory.
    pub drones: BTreeMap<HostName, Drone>,
    /// Builds by id; ids sort by time.
    pub builds: BTreeMap<BuildName, Build>,
    /// The build that is being worked off or waits for its release.
    pub open: Option<BuildName>,
    /// Jobs that are not known to be over.
    pub jobs: BTreeMap<JobName, Job>,
    /// The highest number that a job of the open build has had.
    pub last_job: u64,
    /// The live release.
    pub release: Option<ReleaseName>,
    /// The highest build id in use or allotted, by CPV.
    pub build_ids: BTreeMap<Cpv, BuildId>,
}

impl State {
    /// The build that is being worked off or waits for its release.
    pub fn open_build(&self) -> Option<&Build> {
        self.builds.get(self.open.as_ref()?)
    }

    /// The open build, else the latest one.
    pub fn latest_build(&self) -> Option<&Build> {
        self.open_build().or_else(|| self.builds.values().next_back())
    }

    /// The jobs on a drone.
    pub fn jobs_on<'a>(&'a self, drone: &'a HostName) -> impl Iterator<Item = (&'a JobName, &'a Job)> {
        self.jobs.iter().filter(move |(_, job)| job.drone == *drone)
    }

    /// Takes in what happened.
    ///
    /// # Errors
    /// When the event does not fit what is known; the state is then of no further use.
    pub fn apply(&mut self, event: &Event) -> Result<(), Inconsistent> {
        match event {
            Event::FleetDeclared { drones } => self.declare_fleet(drones),
            Event::BuildIdsSeen { highest } => {
                for (cpv, build_id) in highest {
                    self.raise_build_id(cpv, *build_id);
                }
            }
            Event::ReleaseSeen { release } => self.release.clone_from(release),
            Event::DroneReady { drone, address } => {
                self.drone_mut(drone)?.condition = Condition::Ready { address: address.clone() };
            }
            Event::DroneAway { drone, trouble, reason } => {
                self.drone_mut(drone)?.condition = Condition::Away { trouble: *trouble, reason: reason.clone() };
            }
            Event::BuildOpened { build, selection, plan, at } => self.open_new(build, selection, plan, *at),
            Event::RetryAsked { .. } => self.open_mut()?.retry_failed(),
            Event::JobStarted { job, package, drone, build_ids, at } => {
                self.start_job(job, *package, drone, build_ids, *at)?;
            }
            Event::PackageReceived { job, package, file, .. } => self.receive(job, *package, file)?,
            Event::JobEnded { job, outcome, at } => self.end_job(job, outcome, *at)?,
            Event::BuildFinished { build, at } => self.build_mut(build)?.finished = Some(*at),
            Event::BuildReleased { build, release, .. } => {
                self.build_mut(build)?.released = Some(release.clone());
                self.release = Some(release.clone());
                if self.open.as_ref() == Some(build) {
                    self.open = None;
                }
            }
        }
        Ok(())
    }

    fn declare_fleet(&mut self, drones: &[DroneSpec]) {
        let mut before = std::mem::take(&mut self.drones);
        for spec in drones {
            let mut drone = before.remove(&spec.name).unwrap_or_else(|| Drone {
                spec: spec.clone(),
                condition: Condition::Unknown,
                failures: 0,
                rest_until: None,
            });
            drone.spec = spec.clone();
            self.drones.insert(spec.name.clone(), drone);
        }
    }

    fn raise_build_id(&mut self, cpv: &Cpv, build_id: BuildId) {
        let highest = self.build_ids.entry(cpv.clone()).or_insert(build_id);
        *highest = (*highest).max(build_id);
    }

    fn open_new(&mut self, name: &BuildName, selection: &Selection, plan: &Plan, at: Timestamp) {
        let mut build = Build::new(name.clone(), selection.clone(), plan.clone(), at);
        if let Some(replaced) = self.open.take().and_then(|open| self.builds.remove(&open)) {
            let kept: Vec<_> = replaced.received().map(|(index, file)| (replaced.identity(index), file)).collect();
            for index in 0..build.packages.len() {
                let package = PackageIndex::at(index);
                if let Some((_, file)) = kept.iter().find(|(identity, _)| **identity == *build.identity(package)) {
                    build.set_phase(package, Phase::Received((*file).clone()));
                }
            }
            self.jobs.retain(|_, job| job.build != replaced.name);
        }
        self.open = Some(name.clone());
        self.last_job = 0;
        self.builds.insert(name.clone(), build);
    }

    fn start_job(
        &mut self,
        job: &JobName,
        package: PackageIndex,
        drone: &HostName,
        build_ids: &BTreeMap<PackageIndex, BuildId>,
        at: Timestamp,
    ) -> Result<(), Inconsistent> {
        self.drone_mut(drone)?;
        let build = self.open_mut()?;
        let name = build.name.clone();
        match build.packages.get(package.index()) {
            Some(Package { phase: Phase::Needed, missing: 0, .. }) => {}
            _ => return Err(inconsistent(format!("that job {job} starts a package that cannot start"))),
        }
        let cpvs: Vec<_> = build_ids
            .iter()
            .filter(|(package, _)| package.index() < build.packages.len())
            .map(|(package, build_id)| (build.identity(*package).cpv.clone(), *build_id))
            .collect();
        build.set_phase(package, Phase::Delegated(job.clone()));
        build.finished = None;
        for (cpv, build_id) in &cpvs {
            self.raise_build_id(cpv, *build_id);
        }
        self.last_job += 1;
        let job_state = Job { build: name, package, drone: drone.clone(), build_ids: build_ids.clone(), since: at };
        self.jobs.insert(job.clone(), job_state);
        Ok(())
    }

    fn receive(&mut self, job: &JobName, package: PackageIndex, file: &ReceivedFile) -> Result<(), Inconsistent> {
        let build = self.jobs.get(job).map(|job| job.build.clone());
        let build = build.ok_or_else(|| inconsistent(format!("that job {job}, which nobody started, delivered")))?;
        let build = self.build_mut(&build)?;
        match build.packages.get(package.index()) {
            None => return Err(inconsistent(format!("that job {job} delivered a package outside its plan"))),
            // The first is taken; a second one does no harm.
            Some(Package { phase: Phase::Received(_), .. }) => {}
            Some(_) => {
                build.set_phase(package, Phase::Received(file.clone()));
                build.mark_blocked();
            }
        }
        Ok(())
    }

    fn end_job(&mut self, name: &JobName, outcome: &JobOutcome, at: Timestamp) -> Result<(), Inconsistent> {
        let job = self.jobs.remove(name).ok_or_else(|| inconsistent(format!("that job {name} ended, again")))?;
        match outcome {
            JobOutcome::Delivered => {
                if let Some(drone) = self.drones.get_mut(&job.drone) {
                    drone.failures = 0;
                    drone.rest_until = None;
                }
            }
            JobOutcome::Failed { failure, log } => {
                let attempt = Attempt {
                    job: name.clone(),
                    drone: job.drone.clone(),
                    failure: failure.clone(),
                    log: log.clone(),
                    at,
                };
                self.count_failure(&job, attempt)?;
            }
        }
        Ok(())
    }

    fn count_failure(&mut self, job: &Job, attempt: Attempt) -> Result<(), Inconsistent> {
        let own = attempt.failure.class.is_the_packages();
        if !own && let Some(drone) = self.drones.get_mut(&job.drone) {
            let rest = FIRST_REST.saturating_mul(1 << drone.failures.min(10)).min(LONGEST_REST);
            drone.failures += 1;
            drone.rest_until = Some(Timestamp(attempt.at.0.saturating_add(rest)));
        }
        let usable: BTreeSet<_> = self
            .drones
            .values()
            .filter(|drone| matches!(drone.condition, Condition::Ready { .. }))
            .map(|drone| drone.spec.name.clone())
            .collect();
        let build = self.build_mut(&job.build)?;
        let package = build
            .packages
            .get_mut(job.package.index())
            .ok_or_else(|| inconsistent("a job for a package outside its plan"))?;
        package.attempts.push(attempt);
        if matches!(&package.phase, Phase::Received(_)) {
            return Ok(());
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
            build.set_phase(job.package, Phase::Failed);
            build.mark_blocked();
        } else {
            build.set_phase(job.package, Phase::Needed);
        }
        Ok(())
    }

    fn drone_mut(&mut self, name: &HostName) -> Result<&mut Drone, Inconsistent> {
        self.drones.get_mut(name).ok_or_else(|| inconsistent(format!("something of {name}, which is no drone")))
    }

    fn build_mut(&mut self, name: &BuildName) -> Result<&mut Build, Inconsistent> {
        self.builds.get_mut(name).ok_or_else(|| inconsistent(format!("something of build {name}, which is not there")))
    }

    fn open_mut(&mut self) -> Result<&mut Build, Inconsistent> {
        let open = self.open.clone().ok_or_else(|| inconsistent("something of the open build, and none is open"))?;
        self.build_mut(&open)
    }
}
