//! Which of the packages that can start go to which drone, and how wide: the state as the scheduler sees it.
//!
//! The scheduler ([`crate::schedule::policy`]) is set up from the state at each decision, so that it says the same
//! whether or not a controller was killed meanwhile. Cost besides that of the decision: the packages that can start and
//! the jobs that run.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use super::event::{DroneSpec, Rooms, Why};
use super::held::Holding;
use super::names::{HostName, Timestamp};
use super::plan::PackageIndex;
use super::state::{Condition, Drone, Job, Standing, State};
use crate::schedule::drone::Drone as Site;
use crate::schedule::policy::{self, Reason, Scheduler};

/// A package that is to be given away.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// The package.
    pub package: PackageIndex,
    /// Where.
    pub drone: HostName,
    /// How many processes at once.
    pub width: u32,
    /// Why there.
    pub why: Why,
}

/// How many jobs a drone gets at once; none: as many as pay. Jobs that share a root wait for each other's locks, so one
/// there unless the operator wants more.
pub fn most_jobs(drone: &Drone) -> Option<u32> {
    jobs_at_once(&drone.spec, Some(&drone.rooms))
}

fn jobs_at_once(spec: &DroneSpec, rooms: Option<&Rooms>) -> Option<u32> {
    let share_a_root = rooms.is_some_and(|rooms| *rooms != Rooms::Own);
    spec.jobs.or(share_a_root.then_some(1))
}

/// A drone with nothing to do, as the scheduler sees it; one of which nobody knows yet is taken to have clean rooms.
pub(super) fn seen(spec: &DroneSpec, rooms: Option<&Rooms>, speed: f64) -> Site {
    Site { cores: spec.cores, speed, memory: spec.memory_mib, jobs: jobs_at_once(spec, rooms) }
}

/// The fastest of the drones that take work, as the scheduler sees it; while there is none, of all.
pub(super) fn fastest(state: &State, build: &Build) -> Option<Site> {
    let sites = |ready: bool| {
        let drones = state.drones.iter().filter(move |(_, drone)| is_ready(drone) || !ready);
        drones.map(|(name, drone)| seen(&drone.spec, Some(&drone.rooms), build.speed(name))).collect::<Vec<_>>()
    };
    Site::fastest(&sites(true)).or(Site::fastest(&sites(false))).cloned()
}

fn is_ready(drone: &Drone) -> bool {
    matches!(drone.condition, Condition::Ready { .. })
}

/// How wide a job runs.
pub fn width(job: &Job, drone: &Drone) -> u32 {
    match job.width {
        0 => (drone.spec.cores / drone.spec.jobs.unwrap_or(1).max(1)).max(1),
        width => width,
    }
}

/// Spreads what can start over the drones that take work; where that is much, a part of it.
pub fn spread(state: &State, build: &Build, now: Timestamp) -> Vec<Placement> {
    let ready: Vec<(&HostName, &Drone)> = state.drones.iter().filter(|(_, drone)| is_ready(drone)).collect();
    if ready.is_empty() || build.queue().is_empty() {
        return Vec::new();
    }
    let mut jobs: BTreeMap<&HostName, Vec<&Job>> = BTreeMap::new();
    for job in state.jobs.values() {
        jobs.entry(&job.drone).or_default().push(job);
    }
    let jobs_on = |name: &HostName| jobs.get(name).map(Vec::as_slice).unwrap_or_default();
    let sites: Vec<Site> = ready.iter().map(|(name, drone)| left(drone, jobs_on(name), build.speed(name))).collect();
    let mut scheduler = Scheduler::new(build.graph(), build.paths(), build.queue().clone(), &sites);
    let begun = state.jobs.values().map(|job| job.since.0).min().unwrap_or(now.0).min(now.0);
    let since = |at: Timestamp| at.0.saturating_sub(begun) as f64;
    for (at, (name, drone)) in ready.iter().enumerate() {
        let mut running: Vec<&Job> =
            jobs_on(name).iter().copied().filter(|job| job.standing == Standing::Active).collect();
        running.sort_by_key(|job| (job.since, job.package));
        for job in running {
            scheduler.running(job.package.0, at, width(job, drone), since(job.since));
        }
        let rests = drone.rest_until.is_some_and(|until| until > now);
        scheduler.open(at, !rests && !drone.draining);
    }
    let refusals = Refusals::new(state, build, &ready, jobs_on);
    let decisions = scheduler.decide(since(now), &|package, drone| !refusals.refuse(PackageIndex(package), drone));
    let placed = |decision: policy::Decision| {
        let (name, _) = ready.get(decision.drone)?;
        let (package, width) = (PackageIndex(decision.package), decision.width);
        Some(Placement { package, drone: (*name).clone(), width, why: why(decision.reason) })
    };
    decisions.into_iter().filter_map(placed).collect()
}

fn why(reason: Reason) -> Why {
    match reason {
        Reason::InTime { slack } => Why::InTime(slack.max(0.0) as u64),
        Reason::Late { by } => Why::Late(by.max(0.0) as u64),
        Reason::Alone => Why::Alone,
    }
}

/// A drone without the room that jobs take which are none of this build.
fn left(drone: &Drone, jobs: &[&Job], speed: f64) -> Site {
    let others = jobs.iter().filter(|job| job.standing != Standing::Active).count();
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    let seen = seen(&drone.spec, Some(&drone.rooms), speed);
    Site { jobs: seen.jobs.map(|most| most.saturating_sub(others)), ..seen }
}

/// Which drones (by their place) are not to get a package: they have seen it fail and another has not, or a job there
/// uses what would be replaced.
struct Refusals<'a> {
    build: &'a Build,
    ready: &'a [(&'a HostName, &'a Drone)],
    holdings: Vec<Holding>,
}

impl<'a> Refusals<'a> {
    fn new<'j>(
        state: &State,
        build: &'a Build,
        ready: &'a [(&'a HostName, &'a Drone)],
        jobs_on: impl Fn(&HostName) -> &'j [&'j Job],
    ) -> Self {
        let holding = |(name, drone): &(&HostName, &Drone)| Holding::of(state, drone, jobs_on(name).iter().copied());
        Self { build, ready, holdings: ready.iter().map(holding).collect() }
    }

    fn refuse(&self, package: PackageIndex, drone: usize) -> bool {
        self.has_failed(package, drone)
            || self.holdings.get(drone).is_some_and(|holding| holding.forbids(self.build, package))
    }

    fn has_failed(&self, package: PackageIndex, drone: usize) -> bool {
        let attempts = &self.build.packages[package.index()].attempts;
        if attempts.is_empty() {
            return false;
        }
        let tried: BTreeSet<&HostName> = attempts.iter().map(|attempt| &attempt.drone).collect();
        let untried_exists = self.ready.iter().any(|(name, _)| !tried.contains(*name));
        untried_exists && self.ready.get(drone).is_some_and(|(name, _)| tried.contains(*name))
    }
}
