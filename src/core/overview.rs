//! What a screenful says of the swarm: how far the build is and how long it has left, what each drone builds and how far
//! that is, what is given up, and what an operator would do next. The terminal monitor and the web page show it.
//!
//! Cost: linear in packages and jobs; the forecast of the rest ([`rest`]) is played by the scheduler's model and is made
//! seldom, the others at each look.

use std::collections::BTreeMap;

use serde::Serialize;

use super::build::{Build, Counts, Phase, Place};
use super::forecast;
use super::names::{BuildName, ChannelName, ControllerName, Epoch, HostName, JobName, ReleaseName, Timestamp};
use super::plan::PackageIndex;
use super::spread;
use super::standby::{Following, StandbyView};
use super::state::{Condition, Drone, Job, JobsByDrone, State};
use super::status::{AlarmView, ChannelView, DroneView, FailedView, LowDiskView, Moment, QueuedView, RunView, Status};
use crate::schedule::estimate::Model;

/// The build that is looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BuildOverview {
    /// Its id.
    pub id: BuildName,
    /// Whose packages it makes.
    pub driver: HostName,
    /// What was asked for.
    pub selection: String,
    /// When it was opened.
    pub started: Moment,
    /// When nothing more could be done for it.
    pub finished: Option<Moment>,
    /// The release that it went live with.
    pub released: Option<ReleaseName>,
    /// Where its packages are.
    pub packages: Counts,
    /// How much of the work is done, from 0 to 1, by what its packages are taken to cost.
    pub done: f64,
    /// How long the rest is taken to last from now, in seconds; none where that is unknown, or nothing is left.
    pub left_s: Option<u64>,
}

/// A job at work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobOverview {
    /// Its name.
    pub job: JobName,
    /// What it builds.
    pub package: String,
    /// Since when.
    pub since: Moment,
    /// How many processes at once.
    pub width: u32,
    /// So long it lasts already, in seconds.
    pub lasted_s: u64,
    /// So long it is taken to last in all, in seconds.
    pub expected_s: u64,
}

impl JobOverview {
    /// How far it is, from 0 to 1. What lasts longer than expected comes closer to its end and never reaches it.
    pub fn share(&self) -> f64 {
        let (lasted, expected) = (self.lasted_s as f64, self.expected_s.max(1) as f64);
        let line = lasted / expected;
        if line < 0.9 { line } else { 1.0 - 0.1 * (-(line - 0.9) / 0.1).exp().min(1.0) }
    }

    /// How long it has left, in seconds; none where it lasts longer than was expected.
    pub fn left_s(&self) -> Option<u64> {
        self.expected_s.checked_sub(self.lasted_s).filter(|left| *left > 0)
    }
}

/// A drone and its jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DroneOverview {
    /// As `swarm status` has it.
    #[serde(flatten)]
    pub view: DroneView,
    /// Whether the operator wants it to get no new work, whatever else keeps it from that.
    pub draining: bool,
    /// What it is at, the oldest first.
    pub jobs: Vec<JobOverview>,
}

/// A package that is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedOverview {
    /// As `swarm status` has it.
    #[serde(flatten)]
    pub view: FailedView,
    /// How many packages wait for it.
    pub blocks: usize,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// The moment that it is of.
    pub at: Moment,
    /// The epoch.
    pub epoch: Epoch,
    /// Who decides.
    pub controller: Option<ControllerName>,
    /// The open build, or the latest; none where there was none.
    pub build: Option<BuildOverview>,
    /// The drones.
    pub drones: BTreeMap<HostName, DroneOverview>,
    /// What is given up.
    pub failed: BTreeMap<String, FailedOverview>,
    /// What the operator should know of the plan.
    pub warnings: Vec<String>,
    /// What is wrong, and not over.
    pub alarms: Vec<AlarmView>,
    /// Channels that could not be told of it.
    pub channels: BTreeMap<ChannelName, ChannelView>,
    /// The live release.
    pub release: Option<ReleaseName>,
    /// When it went live.
    pub released: Option<Moment>,
    /// What is live on each orchestrator and in each object storage that a release was brought to.
    pub orchestrators: BTreeMap<HostName, Option<ReleaseName>>,
    /// The orchestrators that stand by, and how far they are behind.
    pub standbys: BTreeMap<HostName, StandbyView>,
    /// Whom this orchestrator follows as a standby.
    pub follows: Option<Following>,
    /// Builds that wait for their turn, in its order.
    pub queue: Vec<QueuedView>,
    /// Builds that are worked off as far as they can be, beside the open one, and not released.
    pub set_aside: Vec<BuildName>,
    /// What has too little room left on the controller.
    pub low_disk: Option<LowDiskView>,
    /// The last unattended run.
    pub last_run: Option<RunView>,
    /// What the operator would do next.
    pub next: String,
}

impl Overview {
    /// Of the open build, else the latest; `status` is of the same moment and the same build, `left_s` from [`rest`].
    pub fn of(state: &State, status: Status, left_s: Option<u64>, now: Timestamp) -> Self {
        let model = state.history.model();
        let build = state.latest_build();
        let blocks = waiters(&status.blocked);
        let failed = status.failed.into_iter().map(|(label, view)| {
            let blocks = blocks.get(&label).copied().unwrap_or_default();
            (label, FailedOverview { view, blocks })
        });
        let by_drone = state.jobs_by_drone();
        let drones = status.drones.into_iter().map(|(name, view)| {
            let known = state.drones.get(&name);
            let jobs = known.map(|drone| jobs(state, &by_drone, &model, drone, now)).unwrap_or_default();
            let draining = known.is_some_and(|drone| drone.draining);
            (name, DroneOverview { view, draining, jobs })
        });
        Self {
            at: Moment(now),
            epoch: state.epoch,
            controller: state.controller.clone(),
            build: build.map(|build| BuildOverview {
                id: build.name.clone(),
                driver: build.plan.driver.clone(),
                selection: build.selection.to_string(),
                started: Moment(build.started),
                finished: build.finished.map(Moment),
                released: build.released.clone(),
                packages: build.counts(),
                done: done(state, &model, build, now),
                left_s,
            }),
            drones: drones.collect(),
            failed: failed.collect(),
            warnings: status.warnings,
            alarms: status.alarms,
            channels: status.channels,
            release: status.release,
            released: state.released_at.map(Moment),
            orchestrators: status.orchestrators,
            standbys: status.standbys,
            follows: status.follows,
            queue: status.queue,
            set_aside: status.set_aside,
            low_disk: status.low_disk,
            last_run: status.last_run,
            next: status.next,
        }
    }
}

/// By label of what failed: how many packages wait for it.
fn waiters(blocked: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, usize> {
    let mut waiters = BTreeMap::new();
    for by in blocked.values().flatten() {
        *waiters.entry(by.clone()).or_default() += 1;
    }
    waiters
}

fn jobs(
    state: &State,
    by_drone: &JobsByDrone<'_>,
    model: &Model<'_>,
    drone: &Drone,
    now: Timestamp,
) -> Vec<JobOverview> {
    let mut jobs: Vec<JobOverview> = by_drone
        .on(&drone.spec.name)
        .iter()
        .filter_map(|&(name, job)| {
            let build = state.builds.get(&job.build)?;
            Some(JobOverview {
                job: name.clone(),
                package: build.label(job.package).to_owned(),
                since: Moment(job.since),
                width: spread::width(job, drone),
                lasted_s: now.seconds_since(job.since),
                expected_s: expected(model, build, job, drone),
            })
        })
        .collect();
    jobs.sort_by(|left, right| (left.since.0, &left.job).cmp(&(right.since.0, &right.job)));
    jobs
}

/// Seconds that a job is taken to last.
fn expected(model: &Model<'_>, build: &Build, job: &Job, drone: &Drone) -> u64 {
    let name = build.identity(job.package).cpv.package_name();
    let estimate = model.estimate(&name, Some(&drone.spec.name));
    estimate.wall_s(spread::width(job, drone)).max(0.0) as u64
}

/// How much of a running job is left, from 0 to 1.
fn left_of(state: &State, model: &Model<'_>, build: &Build, job: &Job, now: Timestamp) -> f64 {
    let Some(drone) = state.drones.get(&job.drone) else { return 1.0 };
    let expected = expected(model, build, job, drone).max(1) as f64;
    (1.0 - now.seconds_since(job.since) as f64 / expected).clamp(0.05, 1.0)
}

/// How much of a package's work is left, from 0 to 1.
fn left_of_package(state: &State, model: &Model<'_>, build: &Build, package: PackageIndex, now: Timestamp) -> f64 {
    match &build.packages[package.index()].phase {
        Phase::Received(_) => 0.0,
        Phase::Delegated(job) => state.jobs.get(job).map_or(1.0, |job| left_of(state, model, build, job, now)),
        Phase::Needed | Phase::Failed => 1.0,
    }
}

/// How much of a build's work is done, from 0 to 1.
fn done(state: &State, model: &Model<'_>, build: &Build, now: Timestamp) -> f64 {
    let (mut all, mut left) = (0.0, 0.0);
    for index in 0..build.packages.len() {
        let package = PackageIndex::at(index);
        let estimate = model.estimate(&build.identity(package).cpv.package_name(), None);
        let work = (estimate.serial_s + estimate.cpu_s).max(f64::MIN_POSITIVE);
        all += work;
        left += work * left_of_package(state, model, build, package, now);
    }
    if all > 0.0 { 1.0 - left / all } else { 1.0 }
}

/// How long the rest of the open build is taken to last on the drones that take work, in seconds, if the estimates are
/// true and nothing more fails; none where no drone takes work or nothing is left.
///
/// Played by the scheduler's model: 1.5 s for 10,000 packages on 200 drones (`benches/monitor.rs`).
pub fn rest(state: &State, now: Timestamp) -> Option<u64> {
    let build = state.open_build()?;
    let model = state.history.model();
    let takes_work = |drone: &&Drone| matches!(drone.condition, Condition::Ready { .. }) && !drone.draining;
    let fleet =
        forecast::fleet(state, &model, state.drones.values().filter(takes_work).map(|drone| drone.spec.clone()));
    let left = |package: PackageIndex| {
        let given_up = matches!(build.place(package), Place::Failed | Place::Blocked);
        if given_up { 0.0 } else { left_of_package(state, &model, build, package, now) }
    };
    let left_s = forecast::rest(build, left, &model, &fleet)?;
    Some(left_s.ceil() as u64)
}

/// A package of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageOverview {
    /// Its number in the build.
    pub package: PackageIndex,
    /// Its name.
    pub label: String,
    /// Where it is.
    pub place: Place,
    /// How often it was tried in vain.
    pub attempts: usize,
    /// How many of its direct needs are not there yet.
    pub waits_for: usize,
    /// How many packages need it directly.
    pub needed_by: usize,
    /// So long it is taken to last with a middling drone for itself, in seconds.
    pub expected_s: u64,
    /// Whether it is on the longest path to the end of the build; only of an open one.
    pub critical: bool,
}

/// Every package of a build, in merge order.
pub fn packages(state: &State, build: &Build) -> Vec<PackageOverview> {
    let model = state.history.model();
    let cores = state.drones.values().map(|drone| drone.spec.cores).max().unwrap_or(1);
    let mut critical = vec![false; build.packages.len()];
    critical_path(build).into_iter().for_each(|package| critical[package.index()] = true);
    let view = |index: usize| {
        let package = PackageIndex::at(index);
        let own = &build.packages[index];
        let estimate = model.estimate(&build.identity(package).cpv.package_name(), None);
        PackageOverview {
            package,
            label: build.labels[index].clone(),
            place: build.place(package),
            attempts: own.attempts.len(),
            waits_for: own.missing,
            needed_by: build.dependents(package).len(),
            expected_s: estimate.wall_s(cores).max(0.0) as u64,
            critical: critical[index],
        }
    };
    (0..build.packages.len()).map(view).collect()
}

/// The longest path from what can be built now to the end of an open build.
pub fn critical_path(build: &Build) -> Vec<PackageIndex> {
    let (graph, paths) = (build.graph(), build.paths());
    let waits = |package: u32| matches!(build.place(PackageIndex(package)), Place::Needed | Place::Delegated);
    let count = graph.len().min(build.packages.len()) as u32;
    let longest = (0..count).filter(|package| waits(*package));
    let first = longest.max_by(|left, right| paths.tail(*left).total_cmp(&paths.tail(*right)).then(right.cmp(left)));
    let chain = first.into_iter().flat_map(|first| std::iter::once(first).chain(paths.chain(graph, first)));
    chain.map(PackageIndex).filter(|package| waits(package.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decide::{Start, decide};
    use crate::core::event::{Event, JobOutcome};
    use crate::core::failure::{Failure, FailureClass};
    use crate::core::simulation::{opened, plan};
    use crate::schedule::estimate::Sample;

    fn look(state: &State, now: i64) -> Overview {
        let now = Timestamp(now);
        Overview::of(state, Status::of(state, None, now), rest(state, now), now)
    }

    /// A build in which each package was once built in 100 seconds; what can start has started at zero.
    fn begun(size: usize, edges: &[(usize, usize)], drones: &[(u32, u32)]) -> State {
        let plan = plan(size, edges);
        let cpvs: Vec<_> = plan.packages.iter().map(|package| package.identity.cpv.clone()).collect();
        let mut state = opened(plan, drones);
        for cpv in cpvs {
            let (wall_s, cpu_s, width) = (100.0, Some(100.0), Some(1));
            let at = Timestamp(-1000);
            state.history.add(Sample { cpv, wall_s, cpu_s, width, memory_mib: None, drone: None, at });
        }
        start(&mut state, Timestamp(0));
        state
    }

    /// Starts what can start.
    fn start(state: &mut State, at: Timestamp) {
        for start in decide(state, at).starts {
            state.apply(&Start { width: 1, ..start }.event(at)).unwrap();
        }
    }

    /// Ends the job that is at work.
    fn fail(state: &mut State, at: Timestamp) {
        let job = state.jobs.keys().next().unwrap().clone();
        let failure = Failure { class: FailureClass::Config, reason: "masked".into() };
        state.apply(&Event::JobEnded { job, outcome: JobOutcome::Failed { failure, log: None }, at }).unwrap();
    }

    #[test]
    fn a_build_is_as_far_as_the_work_that_its_packages_are_taken_to_cost() {
        let state = begun(4, &[(1, 0), (2, 1), (3, 2)], &[(1, 1)]);
        for (now, done, left_s) in [(0, 0.0, 400), (50, 0.125, 350), (100_000, 0.2375, 305)] {
            let build = look(&state, now).build.unwrap();
            assert!((build.done - done).abs() < 1e-9, "{} after {now} s", build.done);
            assert_eq!(build.left_s, Some(left_s), "after {now} s");
            assert_eq!(build.packages, Counts { needed: 3, delegated: 1, ..Counts::default() });
        }
    }

    #[test]
    fn a_job_comes_ever_closer_to_its_end_and_says_no_time_where_it_is_late() {
        let state = begun(1, &[], &[(1, 1)]);
        let mut before = -1.0;
        for (now, left) in [(0, Some(100)), (50, Some(50)), (99, Some(1)), (100, None), (130, None)] {
            let jobs = look(&state, now).drones.into_values().next().unwrap().jobs;
            assert_eq!((jobs.len(), jobs[0].left_s()), (1, left), "after {now} s");
            let share = jobs[0].share();
            assert!(share > before && share < 1.0, "{share} after {now} s");
            before = share;
        }
    }

    #[test]
    fn nothing_is_left_where_nobody_takes_work_or_all_is_there() {
        assert_eq!(rest(&begun(2, &[], &[]), Timestamp(0)), None);
        assert_eq!(rest(&State::default(), Timestamp(0)), None);
    }

    #[test]
    fn what_failed_says_how_many_wait_for_it_and_is_off_the_critical_path() {
        let mut state = begun(5, &[(1, 0), (2, 0), (3, 1), (4, 3)], &[(4, 2)]);
        let build = state.open_build().unwrap();
        let path: Vec<_> = critical_path(build).into_iter().map(|package| package.index()).collect();
        assert_eq!(path, [0, 1, 3, 4]);
        let critical: Vec<_> = packages(&state, build).iter().map(|package| package.critical).collect();
        assert_eq!(critical, [true, true, false, true, true]);
        while !state.jobs.is_empty() {
            fail(&mut state, Timestamp(9));
            start(&mut state, Timestamp(9));
        }
        let overview = look(&state, 10);
        let failed: Vec<_> = overview.failed.values().map(|failed| failed.blocks).collect();
        assert_eq!(failed, [4]);
        let places: Vec<_> =
            packages(&state, state.latest_build().unwrap()).iter().map(|package| package.place).collect();
        assert_eq!(places[0], Place::Failed);
        assert!(places[1..].iter().all(|place| *place == Place::Blocked), "{places:?}");
        assert_eq!(critical_path(state.latest_build().unwrap()), []);
    }
}
