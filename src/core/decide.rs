//! What is to be done next, as far as it follows from what is known.
//!
//! Which package goes where, and how wide, the scheduler says ([`super::spread`]); a drone that has seen a package fail
//! gets it again only where no other is left.

use std::collections::BTreeMap;

use super::build::Build;
use super::event::{Event, Trouble, Why};
use super::names::{BuildId, BuildName, HostName, JobName, Timestamp};
use super::package::Cpv;
use super::plan::PackageIndex;
use super::spread::{Placement, spread};
use super::state::{Condition, Drone, Standing, State};

/// So long (seconds) packages that could start wait at the most before it is decided anew.
const LOOK_AGAIN: i64 = 60;
/// Between two looks (seconds) whether a full disk has room again.
const LOOK_FOR_ROOM: i64 = 10;

/// A job to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its id.
    pub job: JobName,
    /// Its package.
    pub package: PackageIndex,
    /// Where.
    pub drone: HostName,
    /// How many processes at once.
    pub width: u32,
    /// Why there.
    pub why: Why,
    /// The build id that it uses, by its package.
    pub build_ids: BTreeMap<PackageIndex, BuildId>,
}

impl Start {
    /// What is written down of it before it is carried out.
    pub fn event(self, at: Timestamp) -> Event {
        let Self { job, package, drone, width, why, build_ids } = self;
        Event::JobStarted { job, package, drone, build_ids, width, why: Some(why), at }
    }
}

/// How the work on a build ends, for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every package is received.
    Complete,
    /// All that can be done is done, some packages failed.
    SomeFailed,
    /// Work waits and no drone can take it.
    NoDrone,
    /// Work waits and every drone differs from the driver.
    AllDiffer,
    /// No build is open any more: it was given up.
    Forgotten,
}

/// What to do now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Jobs whose drones have been away for too long.
    pub given_up: Vec<JobName>,
    /// Jobs to start, in this order.
    pub starts: Vec<Start>,
    /// Decide again at this moment at the latest.
    pub wake_at: Option<Timestamp>,
    /// Nothing is left to wait for.
    pub end: Option<End>,
    /// A build of which this is to be written down for the first time: nothing more can be done for it.
    pub finished: Option<BuildName>,
}

/// What follows from the state at this moment. Pure: the same state and moment give the same answer.
///
/// Jobs that are given up come alone: once that is written down, decide again.
pub fn decide(state: &State, now: Timestamp) -> Decision {
    let mut decision = give_up(state, now);
    if !decision.given_up.is_empty() {
        return decision;
    }
    let Some(build) = state.open_build() else {
        if is_at_rest(state) {
            decision.end = Some(End::Forgotten);
        }
        return decision;
    };
    if state.low_disk.is_some() && !build.is_over() {
        // What runs goes on, and there is room again some time.
        let again = Some(Timestamp(now.0.saturating_add(LOOK_FOR_ROOM)));
        decision.wake_at = earliest(decision.wake_at, again);
        return decision;
    }
    let mut number = state.last_job;
    let mut allotted = BTreeMap::new();
    for Placement { package, drone, width, why } in spread(state, build, now) {
        number += 1;
        let build_ids = allot(state, build, package, &mut allotted);
        let job = JobName::new(&build.name, state.epoch, number);
        decision.starts.push(Start { job, package, drone, width, why, build_ids });
    }
    // A job that nobody waits for is still to be removed from a drone that can be reached.
    let running = state.jobs.values().any(|job| job.standing == Standing::Active || reachable(state, &job.drone));
    if decision.starts.is_empty() && !running {
        settle(state, build, now, &mut decision);
    } else if build.ready().next().is_some() {
        // A job that takes longer than was reckoned changes what is best for those that wait, as does a drone that has
        // rested.
        let again = earliest(state.first_rested(now), Some(Timestamp(now.0.saturating_add(LOOK_AGAIN))));
        decision.wake_at = earliest(decision.wake_at, again);
    }
    decision
}

/// Whether no job runs that could be waited for: there is none, or their drones do not answer.
pub fn is_at_rest(state: &State) -> bool {
    state.jobs.values().all(|job| !reachable(state, &job.drone))
}

fn reachable(state: &State, drone: &HostName) -> bool {
    state.drones.get(drone).is_some_and(|drone| match &drone.condition {
        Condition::Ready { .. } => true,
        Condition::Away { trouble, .. } => matches!(trouble, Trouble::Differs | Trouble::Unwell),
        Condition::Unknown => false,
    })
}

/// The jobs that are no longer waited for, else the moment at which the next one is not.
fn give_up(state: &State, now: Timestamp) -> Decision {
    let mut decision = Decision::default();
    for (name, job) in state.jobs.iter().filter(|(_, job)| job.standing == Standing::Active) {
        let Some(Condition::Away { trouble: Trouble::Unreachable | Trouble::Refused, since, .. }) =
            state.drones.get(&job.drone).map(|drone| &drone.condition)
        else {
            continue;
        };
        let patience = i64::try_from(state.patience(job, *since)).unwrap_or(i64::MAX);
        let until = Timestamp(since.0.saturating_add(patience));
        if until <= now {
            decision.given_up.push(name.clone());
        } else {
            decision.wake_at = earliest(decision.wake_at, Some(until));
        }
    }
    decision
}

fn earliest(left: Option<Timestamp>, right: Option<Timestamp>) -> Option<Timestamp> {
    left.into_iter().chain(right).min()
}

/// `allotted` has what this decision has given away already, on top of what the state knows.
fn allot(
    state: &State,
    build: &Build,
    package: PackageIndex,
    allotted: &mut BTreeMap<Cpv, BuildId>,
) -> BTreeMap<PackageIndex, BuildId> {
    let cpv = &build.identity(package).cpv;
    let highest = allotted.get(cpv).or_else(|| state.build_ids.get(cpv)).map_or(0, |highest| highest.0);
    let next = BuildId(highest.saturating_add(1));
    allotted.insert(cpv.clone(), next);
    BTreeMap::from([(package, next)])
}

fn settle(state: &State, build: &Build, now: Timestamp, decision: &mut Decision) {
    if build.is_over() {
        decision.end = Some(if build.is_complete() { End::Complete } else { End::SomeFailed });
        if build.finished.is_none() {
            decision.finished = Some(build.name.clone());
        }
        return;
    }
    let hopes = state.drones.values().filter(|drone| !drone.draining).filter_map(|drone| hope(state, drone, now));
    decision.wake_at = earliest(decision.wake_at, hopes.min());
    if decision.wake_at.is_none() {
        let mut troubles = state.drones.values().filter_map(|drone| match drone.condition {
            Condition::Away { trouble, .. } => Some(trouble),
            Condition::Unknown | Condition::Ready { .. } => None,
        });
        let differs = troubles.clone().any(|trouble| trouble == Trouble::Differs);
        let all_differ = differs && troubles.all(|trouble| matches!(trouble, Trouble::Differs | Trouble::LeftOut));
        decision.end = Some(if all_differ { End::AllDiffer } else { End::NoDrone });
    }
}

/// Until when it is worth waiting for a drone that takes no work now.
fn hope(state: &State, drone: &Drone, now: Timestamp) -> Option<Timestamp> {
    let until = match &drone.condition {
        Condition::Ready { .. } => drone.rest_until?,
        // It is being reached; that ends by itself.
        Condition::Unknown => Timestamp(now.0.saturating_add(1)),
        Condition::Away { trouble: Trouble::Unreachable | Trouble::Unwell, since, was_ready: true, .. } => {
            Timestamp(since.0.saturating_add(i64::try_from(state.lost_after).unwrap_or(i64::MAX)))
        }
        Condition::Away { .. } => return None,
    };
    (until > now).then_some(until)
}
