//! Which of the packages that can start go to which drone, and how wide: the state as the scheduler sees it.
//!
//! The scheduler ([`crate::schedule::policy`]) is set up from the state at each decision, so that it says the same
//! whether or not a controller was killed meanwhile. Cost: the packages and needs of the build once for each decision.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Build, Phase};
use super::event::{DroneSpec, Rooms, Why};
use super::held::Holding;
use super::names::{HostName, Timestamp};
use super::plan::PackageIndex;
use super::state::{Condition, Drone, Job, Standing, State};
use crate::schedule::policy::{self, Reason, Scheduler, Settings};

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
    seen(&drone.spec, Some(&drone.rooms)).jobs
}

/// A drone with nothing to do, as the scheduler sees it; one of which nobody knows yet is taken to have clean rooms.
pub(super) fn seen(spec: &DroneSpec, rooms: Option<&Rooms>) -> policy::Drone {
    let share_a_root = rooms.is_some_and(|rooms| *rooms != Rooms::Own);
    policy::Drone { cores: spec.cores, memory: spec.memory_mib, jobs: spec.jobs.or(share_a_root.then_some(1)) }
}

/// How wide a job runs.
pub fn width(job: &Job, drone: &Drone) -> u32 {
    match job.width {
        0 => (drone.spec.cores / drone.spec.jobs.unwrap_or(1).max(1)).max(1),
        width => width,
    }
}

/// Spreads what can start over the drones that take work.
pub fn spread(state: &State, build: &Build, now: Timestamp) -> Vec<Placement> {
    let ready: Vec<(&HostName, &Drone)> =
        state.drones.iter().filter(|(_, drone)| matches!(drone.condition, Condition::Ready { .. })).collect();
    if ready.is_empty() || build.ready().next().is_none() {
        return Vec::new();
    }
    let mut jobs: BTreeMap<&HostName, Vec<&Job>> = BTreeMap::new();
    for job in state.jobs.values() {
        jobs.entry(&job.drone).or_default().push(job);
    }
    let jobs_on = |name: &HostName| jobs.get(name).map(Vec::as_slice).unwrap_or_default();
    let place: BTreeMap<&HostName, usize> = ready.iter().enumerate().map(|(at, (name, _))| (*name, at)).collect();
    let fleet: Vec<policy::Drone> = ready.iter().map(|(name, drone)| left(drone, jobs_on(name))).collect();
    let mut scheduler = Scheduler::new(build.graph(), &fleet, Settings::default());
    let begun = state.jobs.values().map(|job| job.since.0).min().unwrap_or(now.0).min(now.0);
    let since = |at: Timestamp| at.0.saturating_sub(begun) as f64;
    for (package, _) in build.received() {
        scheduler.received(package.0);
    }
    let mut running: Vec<&Job> = Vec::new();
    for (index, package) in build.packages.iter().enumerate() {
        match &package.phase {
            Phase::Needed | Phase::Received(_) => {}
            Phase::Failed => scheduler.withdraw(PackageIndex::at(index).0),
            Phase::Delegated(name) => match state.jobs.get(name).filter(|job| place.contains_key(&job.drone)) {
                Some(job) => running.push(job),
                None => scheduler.withdraw(PackageIndex::at(index).0),
            },
        }
    }
    running.sort_by_key(|job| (job.since, job.package));
    for job in running {
        if let Some(at) = place.get(&job.drone) {
            scheduler.running(job.package.0, *at, width(job, ready[*at].1), since(job.since));
        }
    }
    for (at, (_, drone)) in ready.iter().enumerate() {
        let rests = drone.rest_until.is_some_and(|until| until > now);
        scheduler.open(at, !rests && !drone.draining);
    }
    let holdings: Vec<Holding> =
        ready.iter().map(|(name, drone)| Holding::of(state, drone, jobs_on(name).iter().copied())).collect();
    for (package, drone) in refusals(build, &ready, &holdings) {
        scheduler.refuse(package.0, drone);
    }
    let decisions = scheduler.decide(since(now));
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
fn left(drone: &Drone, jobs: &[&Job]) -> policy::Drone {
    let others = jobs.iter().filter(|job| job.standing != Standing::Active).count();
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    let seen = seen(&drone.spec, Some(&drone.rooms));
    policy::Drone { jobs: seen.jobs.map(|most| most.saturating_sub(others)), ..seen }
}

/// The packages that can start and the drones (by their place) that are not to get them: they have seen it fail and
/// another has not, or a job there uses what would be replaced.
fn refusals(build: &Build, ready: &[(&HostName, &Drone)], holdings: &[Holding]) -> Vec<(PackageIndex, usize)> {
    let held = holdings.iter().any(|holding| *holding != Holding::default());
    let mut refused = Vec::new();
    for package in build.ready() {
        let attempts = &build.packages[package.index()].attempts;
        if attempts.is_empty() && !held {
            continue;
        }
        let tried: BTreeSet<&HostName> = attempts.iter().map(|attempt| &attempt.drone).collect();
        let untried_exists = ready.iter().any(|(name, _)| !tried.contains(*name));
        for (at, (name, _)) in ready.iter().enumerate() {
            let failed = untried_exists && tried.contains(*name);
            if failed || holdings.get(at).is_some_and(|holding| holding.forbids(build, package)) {
                refused.push((package, at));
            }
        }
    }
    refused
}
