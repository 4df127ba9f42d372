//! Which of the packages that can start go to which drone, and how wide: the state as the scheduler sees it.
//!
//! The scheduler ([`crate::schedule::policy`]) is set up from the state at each decision, so that it says the same
//! whether or not a controller was killed meanwhile. Cost besides that of the decision: the packages that can start and
//! the jobs that run.

use super::build::{Build, Phase};
use super::event::{DroneSpec, Rooms, Why};
use super::failure::FailureClass;
use super::held::Holding;
use super::names::{HostName, Timestamp};
use super::plan::PackageIndex;
use super::state::{Condition, Drone, Job, Standing, State};
use crate::schedule::drone::Drone as Site;
use crate::schedule::policy::{self, Opening, Reason, Scheduler};

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
pub(super) fn seen(spec: &DroneSpec, known: Option<&Drone>, speed: f64) -> Site {
    let memory = spec.memory_mib.or(known.and_then(|known| known.memory_mib));
    Site { cores: spec.cores, speed, memory, jobs: jobs_at_once(spec, known.map(|known| &known.rooms)) }
}

/// The fastest of the drones that take work, as the scheduler sees it; while there is none, of all.
pub(super) fn fastest(state: &State, build: &Build) -> Option<Site> {
    let sites = |ready: bool| {
        let drones = state.drones.iter().filter(move |(_, drone)| is_ready(drone) || !ready);
        drones.map(|(name, drone)| seen(&drone.spec, Some(drone), build.speed(name))).collect::<Vec<_>>()
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
    let jobs = state.jobs_by_drone();
    let jobs_on = |name: &HostName| jobs.on(name).iter().map(|(_, job)| *job);
    let sites: Vec<Site> = ready.iter().map(|(name, drone)| left(drone, jobs_on(name), build.speed(name))).collect();
    let mut scheduler = Scheduler::new(build.graph(), build.paths(), build.queue(), &sites);
    let begun = state.jobs.values().map(|job| job.since.0).min().unwrap_or(now.0).min(now.0);
    let since = |at: Timestamp| at.0.saturating_sub(begun) as f64;
    for (at, (name, drone)) in ready.iter().enumerate() {
        // What is received is over for the scheduler: its job only cleans up.
        let builds = |job: &&Job| matches!(build.packages[job.package.index()].phase, Phase::Delegated(_));
        let active = jobs_on(name);
        let active = active.filter(|job| job.standing == Standing::Active && job.build == build.name);
        let mut running: Vec<&Job> = active.filter(builds).collect();
        running.sort_by_key(|job| (job.since, job.package));
        for job in running {
            scheduler.running(job.package.0, at, width(job, drone), since(job.since));
        }
        let rests = drone.rest_until.is_some_and(|until| until > now);
        scheduler.set(at, opening(drone.draining, rests));
    }
    let holding = |(name, drone): &(&HostName, &Drone)| Holding::of(state, drone, jobs_on(name));
    let holdings: Vec<Holding> = ready.iter().map(holding).collect();
    let admits = |package: u32, at: usize| {
        let package = PackageIndex(package);
        let forbids = holdings.get(at).is_some_and(|holding| holding.forbids(build, package));
        !forbids && !ready.get(at).is_some_and(|(name, _)| is_refused(state, build, package, name))
    };
    let decisions = scheduler.decide(since(now), &admits);
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
fn left<'a>(drone: &Drone, jobs: impl Iterator<Item = &'a Job>, speed: f64) -> Site {
    let others = jobs.filter(|job| job.standing != Standing::Active).count();
    let others = u32::try_from(others).unwrap_or(u32::MAX);
    let seen = seen(&drone.spec, Some(drone), speed);
    Site { jobs: seen.jobs.map(|most| most.saturating_sub(others)), ..seen }
}

fn opening(drained: bool, rests: bool) -> Opening {
    match (drained, rests) {
        (true, _) => Opening::Closed,
        (false, true) => Opening::Rests,
        (false, false) => Opening::Open,
    }
}

/// Whether a drone is not to get a package since it has failed there, or on one that has no less memory, as long as
/// there is another to try: one that takes work and has memory for it. What broke off on its way says nothing of the
/// package, and the drone rests for it.
pub(super) fn is_refused(state: &State, build: &Build, package: PackageIndex, drone: &HostName) -> bool {
    let attempts = build.packages[package.index()].attempts.iter();
    let tried: Vec<_> = attempts
        .filter(|attempt| !matches!(attempt.failure.class, FailureClass::Transfer | FailureClass::Lost))
        .collect();
    if tried.is_empty() {
        return false;
    }
    let memory = |name: &HostName| state.drones.get(name).and_then(Drone::memory);
    let too_small = tried
        .iter()
        .filter(|attempt| attempt.failure.class == FailureClass::Resource)
        .filter_map(|attempt| memory(&attempt.drone))
        .max();
    let wanted = build.graph().cost(package.0).memory;
    let promising = |name: &HostName| {
        let large = memory(name).is_none_or(|own| own >= wanted && too_small.is_none_or(|small| own > small));
        large && !tried.iter().any(|attempt| attempt.drone == *name)
    };
    let takes_work = |known: &Drone| is_ready(known) && !known.draining;
    !promising(drone) && state.drones.iter().any(|(name, known)| takes_work(known) && promising(name))
}
