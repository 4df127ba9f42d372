//! What is known, and how an event changes it. What follows within a build is that build's own ([`super::build`]).

mod drone;
mod jobs;
mod kept_failures;
mod queue;
mod runs;
mod succession;
mod totals;

pub use drone::{Condition, Drone};
pub use jobs::{Job, JobsByDrone, Standing};
pub use queue::{NotClear, Queued, Turn};
pub use runs::{Finished, Run};
pub use totals::Totals;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::alarm::Alarms;
use super::build::Build;
use super::event::{DroneSpec, Event, Rooms};
use super::names::{
    BuildId, BuildName, ControllerName, Epoch, HostName, JobName, PlaybookName, ReleaseName, Timestamp,
};
use super::package::{Cpv, PackageName};
use super::plan::PackageIndex;
use super::spread::fastest;
use crate::schedule::estimate::History;

/// What a build is taken to last, in seconds, as long as nothing is known of its package.
const UNKNOWN_DURATION: u64 = 600;
/// So many builds are remembered unless somebody says otherwise.
pub const BUILDS_KEPT: u32 = 20;

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

/// A file system that the controller writes to and that has too little room left to start anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowDisk {
    /// The directory.
    pub what: PathBuf,
    /// What was left there when that was found, in bytes.
    pub free: u64,
    /// When that was.
    pub since: Timestamp,
}

/// All that is known.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The controller's epoch.
    pub epoch: Epoch,
    /// Which controller holds, or held, that epoch; none until one has claimed its first.
    pub controller: Option<ControllerName>,
    /// Whether another controller began what is being built, so that jobs of it may lie on any drone that are in no
    /// journal of ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub succeeds: bool,
    /// Voters that have known of an epoch: one that knows of none any more has lost it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub voters: BTreeSet<HostName>,
    /// A drone that has been away for this long (seconds) is no longer waited for.
    pub lost_after: u64,
    /// The drones of the inventory.
    pub drones: BTreeMap<HostName, Drone>,
    /// Builds by id; ids sort by time.
    pub builds: BTreeMap<BuildName, Build>,
    /// The build that is being worked off or waits for its release. Others that are not released are set aside.
    pub open: Option<BuildName>,
    /// Builds that wait for their turn, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<Queued>,
    /// Jobs that are not known to be over.
    pub jobs: BTreeMap<JobName, Job>,
    /// The highest number that a job of the open build has had.
    pub last_job: u64,
    /// The live release.
    pub release: Option<ReleaseName>,
    /// When the live release went live, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// When work moved last: a build was asked for, a job began or ended, a package came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Timestamp>,
    /// What is wrong, and who was told.
    #[serde(default, skip_serializing_if = "Alarms::is_empty")]
    pub alarms: Alarms,
    /// What is live on each orchestrator and in each object storage, as far as is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub orchestrators: BTreeMap<HostName, Option<ReleaseName>>,
    /// The highest build id in use or allotted, by CPV.
    pub build_ids: BTreeMap<Cpv, BuildId>,
    /// What each package's latest builds took.
    #[serde(default)]
    pub history: History,
    /// The last unattended run of each playbook.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<PlaybookName, Run>,
    /// How many builds are remembered, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builds_kept: Option<u32>,
    /// What has too little room left; nothing is started meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_disk: Option<LowDisk>,
    /// How often things have happened so far.
    #[serde(default, skip_serializing_if = "Totals::is_empty")]
    pub totals: Totals,
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

    /// The jobs on a drone; of many drones [`State::jobs_by_drone`] knows them at once.
    pub fn jobs_on<'a>(&'a self, drone: &'a HostName) -> impl Iterator<Item = (&'a JobName, &'a Job)> {
        self.jobs.iter().filter(move |(_, job)| job.drone == *drone)
    }

    /// How long a build of this package is taken to last, in seconds: the median of its latest ones.
    pub fn expected_duration(&self, package: &PackageName) -> u64 {
        let mut known: Vec<u64> = self.history.of(package).map(|sample| sample.wall_s.max(0.0) as u64).collect();
        known.sort_unstable();
        known.get(known.len() / 2).copied().unwrap_or(UNKNOWN_DURATION)
    }

    /// How long a job's drone may be away, in seconds, before the job's package is given to another. A build that has
    /// much left when its drone goes away is started elsewhere sooner than one that is nearly done there: what would
    /// be lost is what it has done.
    pub fn patience(&self, job: &Job, since: Timestamp) -> u64 {
        let build = self.builds.get(&job.build);
        let package = build.map(|build| build.identity(job.package).cpv.package_name());
        let expected = package.map_or(UNKNOWN_DURATION, |package| self.expected_duration(&package));
        let done = since.seconds_since(job.since).min(expected);
        self.lost_after.max(done / 2)
    }

    /// Whether all that its jobs speak of is there; what was read from elsewhere may be damaged.
    fn hangs_together(&self) -> bool {
        self.queue.iter().all(|queued| queued.plan.hangs_together())
            && self.jobs.values().all(|job| {
                let Some(build) = self.builds.get(&job.build) else { return true };
                job.build_ids
                    .keys()
                    .chain([&job.package])
                    .chain(&job.holds)
                    .all(|package| package.index() < build.packages.len())
            })
    }

    /// The state that a snapshot holds, where it hangs together.
    pub fn of_snapshot(body: &[u8]) -> Option<Self> {
        // As a text it is looked at once, as bytes each string in it would be.
        serde_json::from_str::<Self>(std::str::from_utf8(body).ok()?).ok()?.settled()
    }

    /// This state as it came from elsewhere, where it hangs together, with what is not written down of it.
    pub fn settled(mut self) -> Option<Self> {
        self.hangs_together().then(|| self.aim())?;
        Some(self)
    }

    /// Estimates anew what the open build's packages will cost.
    fn reckon(&mut self) {
        let model = self.history.model();
        if let Some(build) = self.open.as_ref().and_then(|open| self.builds.get_mut(open)) {
            build.reckon(&model);
        }
        self.aim();
    }

    /// Lets the open build know which drone is the fastest.
    fn aim(&mut self) {
        let Some(fastest) = self.open_build().and_then(|build| fastest(self, build)) else { return };
        if let Some(build) = self.open.as_ref().and_then(|open| self.builds.get_mut(open)) {
            build.aim_at(fastest);
        }
    }

    /// Takes in what happened.
    ///
    /// # Errors
    /// When the event does not fit what is known; the state is then of no further use.
    pub fn apply(&mut self, event: &Event) -> Result<(), Inconsistent> {
        self.take_note(event);
        self.totals.count(event);
        match event {
            Event::EpochClaimed { epoch, controller, voters, .. } => {
                self.succeeds |= self.controller.as_ref().is_some_and(|before| before != controller);
                self.epoch = *epoch;
                self.controller = Some(controller.clone());
                self.voters.extend(voters.iter().cloned());
            }
            Event::RunBegun { lost_after, .. } => {
                self.lost_after = *lost_after;
                for drone in self.drones.values_mut() {
                    drone.condition = Condition::Unknown;
                }
                // What was learned meanwhile counts from here on.
                self.reckon();
            }
            Event::AlarmRaised { cause, words, attended, at } => self.alarms.raise(cause, words, *attended, *at),
            Event::AlarmCleared { cause, at } => self.alarms.clear(cause, *at),
            Event::AlarmTold { causes, recovered, channel, .. } => self.alarms.tell(channel, causes, recovered),
            Event::ChannelFailed { channel, why, at } => self.alarms.fail(channel, why, *at),
            Event::FleetDeclared { drones } => {
                self.declare_fleet(drones);
                self.aim();
            }
            Event::BuildIdsSeen { highest } => {
                for (cpv, build_id) in highest {
                    self.raise_build_id(cpv, *build_id);
                }
            }
            Event::ReleaseSeen { release } => self.release.clone_from(release),
            Event::OrchestratorSeen { orchestrator, release } => {
                self.orchestrators.insert(orchestrator.clone(), release.clone());
            }
            Event::PartReleased { build, release, .. } => {
                self.build_mut(build)?;
                self.release = Some(release.clone());
            }
            Event::RolledBack { release, .. } => self.release = Some(release.clone()),
            Event::RunStarted(start) => self.start_run(start),
            Event::RunFinished(end) => self.finish_run(end),
            Event::BuildsKept { count } => {
                self.builds_kept = Some(*count);
                self.forget_oldest();
            }
            Event::DiskLow { what, free, at } => {
                self.low_disk = Some(LowDisk { what: what.clone(), free: *free, since: *at });
            }
            Event::DiskWell { .. } => self.low_disk = None,
            Event::DroneReady { drone, address, rooms, memory_mib, configuration } => {
                let drone = self.drone_mut(drone)?;
                drone.condition = Condition::Ready { address: address.clone() };
                drone.rooms.clone_from(rooms);
                drone.memory_mib = *memory_mib;
                drone.configuration.clone_from(configuration);
                self.aim();
            }
            Event::DroneAway { drone, trouble, reason, at } => {
                let drone = self.drone_mut(drone)?;
                let (since, was_ready) = match &drone.condition {
                    Condition::Away { trouble: before, since, was_ready, .. } if before == trouble => {
                        (*since, *was_ready)
                    }
                    Condition::Away { was_ready, .. } => (*at, *was_ready),
                    Condition::Ready { .. } => (*at, true),
                    Condition::Unknown => (*at, false),
                };
                drone.condition = Condition::Away { trouble: *trouble, reason: reason.clone(), since, was_ready };
                self.aim();
            }
            Event::DrainAsked { drone, drain, .. } => self.drone_mut(drone)?.draining = *drain,
            Event::BuildOpened { plan, .. } if !plan.hangs_together() => {
                return Err(inconsistent("a plan whose dependencies lead outside of it"));
            }
            Event::BuildOpened { plan, live, .. } if live.keys().any(|at| at.index() >= plan.packages.len()) => {
                return Err(inconsistent("a package that is live already and outside of the plan"));
            }
            Event::BuildOpened { build, selection, plan, live, rebuild, at } => {
                self.open_new(build, selection, plan, live, *rebuild, *at);
            }
            Event::BuildQueued { build, selection, plan, finalize, rebuild, at } => {
                if !plan.hangs_together() {
                    return Err(inconsistent("a plan whose dependencies lead outside of it"));
                }
                let (name, selection, plan) = (build.clone(), selection.clone(), plan.clone());
                self.enqueue(Queued { name, selection, plan, finalize: *finalize, rebuild: *rebuild, at: *at })?;
            }
            Event::QueuedBuildOpened { build, live, at } => self.open_queued(build, live, *at)?,
            Event::FailuresKept { failures } => self.keep_failures(failures)?,
            Event::FinalizeAsked { build, .. } => self.ask_to_finalize(build)?,
            Event::BuildForgotten { build, .. } => self.forget(build)?,
            Event::RetryAsked { packages, .. } => self.retry(packages)?,
            Event::JobStarted { job, package, drone, build_ids, width, why, at } => {
                self.start_job(job, *package, drone, build_ids, *at)?;
                if let Some(job) = self.jobs.get_mut(job) {
                    job.width = *width;
                    job.why = *why;
                }
            }
            Event::JobFound { job, package, drone, build_id, at } => {
                self.find_job(job, *package, drone, *build_id, *at)?;
            }
            Event::JobGivenUp { job, at } => self.give_up(job, *at)?,
            Event::JobBack { job } => self.bring_back(job)?,
            Event::PackageReceived { job, package, file, cost, at } => self.receive(job, *package, file, *cost, *at)?,
            Event::HistoryImported { samples } => {
                samples.iter().for_each(|sample| self.history.add(sample.clone()));
                self.reckon();
            }
            Event::JobEnded { job, outcome, at } => self.end_job(job, outcome, *at)?,
            Event::BuildFinished { build, at } => {
                self.build_mut(build)?.finished = Some(*at);
                self.succeeds = false;
            }
            Event::BuildReleased { build, release, .. } => {
                let released = self.build_mut(build)?;
                released.released = Some(release.clone());
                released.forget_entries();
                self.release = Some(release.clone());
                if self.open.as_ref() == Some(build) {
                    self.open = None;
                }
                self.forget_oldest();
            }
        }
        Ok(())
    }

    /// When things happened, as far as it decides what is told.
    fn take_note(&mut self, event: &Event) {
        match event {
            Event::BuildOpened { at, .. }
            | Event::BuildQueued { at, .. }
            | Event::QueuedBuildOpened { at, .. }
            | Event::RetryAsked { at, .. }
            | Event::JobStarted { at, .. }
            | Event::JobFound { at, .. }
            | Event::PackageReceived { at, .. }
            | Event::JobEnded { at, .. } => self.moved = self.moved.max(Some(*at)),
            Event::BuildReleased { at, .. } | Event::PartReleased { at, .. } | Event::RolledBack { at, .. } => {
                self.released_at = Some(*at);
            }
            Event::ReleaseSeen { release } if *release != self.release => self.released_at = None,
            _ => {}
        }
    }

    fn declare_fleet(&mut self, drones: &[DroneSpec]) {
        let mut before = std::mem::take(&mut self.drones);
        for spec in drones {
            let mut drone = before.remove(&spec.name).unwrap_or_else(|| Drone {
                spec: spec.clone(),
                condition: Condition::Unknown,
                failures: 0,
                rest_until: None,
                draining: false,
                rooms: Rooms::default(),
                memory_mib: None,
                configuration: None,
            });
            drone.spec = spec.clone();
            self.drones.insert(spec.name.clone(), drone);
        }
    }

    fn raise_build_id(&mut self, cpv: &Cpv, build_id: BuildId) {
        let highest = self.build_ids.entry(cpv.clone()).or_insert(build_id);
        *highest = (*highest).max(build_id);
    }

    fn forget(&mut self, name: &BuildName) -> Result<(), Inconsistent> {
        if self.unqueue(name).is_some() {
            return Ok(());
        }
        self.builds
            .remove(name)
            .ok_or_else(|| inconsistent(format!("something of build {name}, which is not there")))?;
        if self.open.as_ref() == Some(name) {
            self.open = None;
        }
        for job in self.jobs.values_mut().filter(|job| job.build == *name) {
            job.standing = Standing::Unwanted;
        }
        Ok(())
    }

    /// Builds that are released fill memory and are only there to be looked at.
    fn forget_oldest(&mut self) {
        let kept = usize::try_from(self.builds_kept.unwrap_or(BUILDS_KEPT)).unwrap_or(usize::MAX);
        while self.builds.len() > kept {
            let Some(oldest) = self.builds.values().find(|build| build.released.is_some()) else { return };
            let oldest = oldest.name.clone();
            // A build that is over has no job that anybody waits for.
            let _known = self.forget(&oldest);
        }
    }

    fn retry(&mut self, packages: &BTreeSet<PackageIndex>) -> Result<(), Inconsistent> {
        self.open_mut()?.retry_failed(packages);
        for drone in self.drones.values_mut() {
            drone.failures = 0;
            drone.rest_until = None;
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
