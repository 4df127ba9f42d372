//! What was built where and when: a bar for each job of a build, folded from events in their order.
//!
//! On its drone a job has a lane for as long as it is there: the lowest that is free when it comes. So bars never move,
//! and whoever has drawn some can be told of the others alone ([`Bar::changed`]). Journals are pruned: what happened
//! before the first event that is kept has no bars, and [`Timeline::since`] says when that was.
//!
//! Cost: a step for each event, besides the logarithm of the jobs at work; a bar's memory for each job.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::build::Build;
use super::event::{Event, JobOutcome};
use super::failure::FailureClass;
use super::names::{BuildName, HostName, JobName, Timestamp};
use super::plan::PackageIndex;

/// How a job ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It is at work.
    Running,
    /// Its package came from it, or from another job.
    Received,
    /// It brought no package.
    Failed(FailureClass),
    /// Its drone was away for too long.
    GivenUp,
    /// Nobody wanted it any more.
    Discarded,
}

/// A job on a drone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// The job.
    pub job: JobName,
    /// Its package.
    pub package: PackageIndex,
    /// Where.
    pub drone: HostName,
    /// Its lane on that drone, counted from 0.
    pub lane: usize,
    /// When it was given away.
    pub begin: Timestamp,
    /// When it was over; none while it is there.
    pub over: Option<Timestamp>,
    /// How it ended.
    pub end: End,
    /// The number of the last event that changed it.
    pub changed: i64,
}

/// The bars of all builds.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    since: Option<Timestamp>,
    open: Option<BuildName>,
    bars: BTreeMap<BuildName, Vec<Bar>>,
    /// Where the bar of each job is that is not over.
    places: HashMap<JobName, (BuildName, usize)>,
    /// By drone, which lanes are taken.
    lanes: BTreeMap<HostName, Vec<bool>>,
}

impl Timeline {
    /// Takes in the next event, of this number and moment.
    pub fn take(&mut self, sequence: i64, at: Timestamp, event: &Event) {
        self.since.get_or_insert(at);
        match event {
            Event::BuildOpened { build, .. } | Event::QueuedBuildOpened { build, .. } => {
                self.open = Some(build.clone())
            }
            Event::JobStarted { job, package, drone, at, .. } | Event::JobFound { job, package, drone, at, .. } => {
                self.begin(sequence, job, *package, drone, *at);
            }
            Event::JobGivenUp { job, .. } => self.change(sequence, job, End::GivenUp),
            Event::JobBack { job } => self.change(sequence, job, End::Running),
            Event::JobEnded { job, outcome, at } => {
                self.change(
                    sequence,
                    job,
                    match outcome {
                        JobOutcome::Delivered => End::Received,
                        JobOutcome::Failed { failure, .. } => End::Failed(failure.class),
                        JobOutcome::Discarded => End::Discarded,
                    },
                );
                self.finish(job, *at);
            }
            _ => {}
        }
    }

    fn begin(&mut self, sequence: i64, job: &JobName, package: PackageIndex, drone: &HostName, at: Timestamp) {
        // Where the event that opened the build is gone, the job's own name tells.
        let Some(build) = self.open.clone().or_else(|| build_of(job)) else { return };
        let lanes = self.lanes.entry(drone.clone()).or_default();
        let lane = lanes.iter().position(|taken| !taken).unwrap_or(lanes.len());
        lanes.resize(lanes.len().max(lane + 1), false);
        lanes[lane] = true;
        let bars = self.bars.entry(build.clone()).or_default();
        self.places.insert(job.clone(), (build, bars.len()));
        let (job, drone) = (job.clone(), drone.clone());
        bars.push(Bar { job, package, drone, lane, begin: at, over: None, end: End::Running, changed: sequence });
    }

    fn bar_of(&mut self, job: &JobName) -> Option<&mut Bar> {
        let (build, index) = self.places.get(job)?;
        self.bars.get_mut(build)?.get_mut(*index)
    }

    fn change(&mut self, sequence: i64, job: &JobName, end: End) {
        if let Some(bar) = self.bar_of(job) {
            (bar.end, bar.changed) = (end, sequence);
        }
    }

    fn finish(&mut self, job: &JobName, at: Timestamp) {
        let Some(bar) = self.bar_of(job) else { return };
        bar.over = Some(at);
        let (drone, lane) = (bar.drone.clone(), bar.lane);
        self.places.remove(job);
        if let Some(taken) = self.lanes.get_mut(&drone).and_then(|lanes| lanes.get_mut(lane)) {
            *taken = false;
        }
    }

    /// Forgets the bars of builds that are not among these, and of which no job is at work.
    pub fn retain(&mut self, is_known: impl Fn(&BuildName) -> bool) {
        let at_work: Vec<&BuildName> = self.places.values().map(|(build, _)| build).collect();
        self.bars.retain(|build, _| is_known(build) || at_work.contains(&build));
    }

    /// From when on it is known what happened; none where nothing is known to have happened.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// The builds that have bars, in the order of their ids.
    pub fn builds(&self) -> impl Iterator<Item = &BuildName> {
        self.bars.keys()
    }

    /// A build's bars, in the order in which they began.
    pub fn bars(&self, build: &BuildName) -> &[Bar] {
        self.bars.get(build).map(Vec::as_slice).unwrap_or_default()
    }
}

fn build_of(job: &JobName) -> Option<BuildName> {
    job.as_str().rsplit_once('-')?.0.parse().ok()
}

/// What held a build up: the package that came last, of what it needs the one that came last, and so on; the first one
/// first. Only what was built counts.
pub fn longest_chain(build: &Build, bars: &[Bar]) -> Vec<PackageIndex> {
    let mut came: HashMap<PackageIndex, Timestamp> = HashMap::new();
    for bar in bars.iter().filter(|bar| bar.end == End::Received && bar.package.index() < build.packages.len()) {
        if let Some(over) = bar.over {
            came.entry(bar.package).and_modify(|first| *first = over.min(*first)).or_insert(over);
        }
    }
    // Of several at the same moment the first in merge order, so that it is always the same.
    let last = |packages: &mut dyn Iterator<Item = PackageIndex>| {
        let came = packages.filter_map(|package| Some((*came.get(&package)?, std::cmp::Reverse(package))));
        came.max().map(|(_, std::cmp::Reverse(package))| package)
    };
    let end = last(&mut came.keys().copied());
    let before = |package: &PackageIndex| last(&mut build.needs[package.index()].iter().copied());
    let mut chain: Vec<_> = std::iter::successors(end, before).collect();
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::core::failure::Failure;
    use crate::core::names::BuildId;
    use crate::core::simulation::{opened, plan};

    fn job(number: usize) -> JobName {
        format!("build1-{number}").parse().unwrap()
    }

    fn started(number: usize, drone: &str, at: i64) -> Event {
        Event::JobStarted {
            job: job(number),
            package: PackageIndex::at(number),
            drone: drone.parse().unwrap(),
            build_ids: BTreeMap::from([(PackageIndex::at(number), BuildId(1))]),
            width: 1,
            why: None,
            at: Timestamp(at),
        }
    }

    fn ended(number: usize, outcome: JobOutcome, at: i64) -> Event {
        Event::JobEnded { job: job(number), outcome, at: Timestamp(at) }
    }

    fn folded(events: &[Event]) -> Timeline {
        let mut timeline = Timeline::default();
        for (sequence, event) in (1..).zip(events) {
            timeline.take(sequence, Timestamp(sequence * 10), event);
        }
        timeline
    }

    fn bars(timeline: &Timeline) -> Vec<(usize, &str, usize, Option<i64>, End)> {
        let bars = timeline.bars(&"build1".parse().unwrap());
        let told = |bar: &'_ Bar| (bar.package.index(), bar.lane, bar.over.map(|over| over.0), bar.end);
        let drone = |bar: &Bar| if bar.drone.as_str() == "a" { "a" } else { "b" };
        bars.iter()
            .map(|bar| (told(bar), drone(bar)))
            .map(|((package, lane, over, end), drone)| (package, drone, lane, over, end))
            .collect()
    }

    #[test]
    fn a_job_has_the_lowest_lane_that_is_free_on_its_drone_until_it_is_over() {
        let failure = || Failure { class: FailureClass::Build, reason: "x".into() };
        let timeline = folded(&[
            started(0, "a", 1),
            started(1, "a", 2),
            started(2, "b", 3),
            ended(0, JobOutcome::Delivered, 4),
            started(3, "a", 5),
            ended(1, JobOutcome::Failed { failure: failure(), log: None }, 6),
            Event::JobGivenUp { job: job(2), at: Timestamp(7) },
            started(4, "b", 8),
            ended(4, JobOutcome::Discarded, 9),
        ]);
        let expected = [
            (0, "a", 0, Some(4), End::Received),
            (1, "a", 1, Some(6), End::Failed(FailureClass::Build)),
            (2, "b", 0, None, End::GivenUp),
            (3, "a", 0, None, End::Running),
            (4, "b", 1, Some(9), End::Discarded),
        ];
        assert_eq!(bars(&timeline), expected);
        assert_eq!(timeline.since(), Some(Timestamp(10)));
        let changed: Vec<_> = timeline.bars(&"build1".parse().unwrap()).iter().map(|bar| bar.changed).collect();
        assert_eq!(changed, [4, 6, 7, 5, 9]);
    }

    #[test]
    fn a_job_that_comes_back_is_at_work_again() {
        let given_up = Event::JobGivenUp { job: job(0), at: Timestamp(2) };
        let timeline = folded(&[started(0, "a", 1), given_up, Event::JobBack { job: job(0) }]);
        assert_eq!(bars(&timeline), [(0, "a", 0, None, End::Running)]);
    }

    #[test]
    fn a_build_that_is_forgotten_keeps_its_bars_until_its_jobs_are_over() {
        let mut timeline = folded(&[started(0, "a", 1)]);
        timeline.retain(|_| false);
        assert_eq!(timeline.builds().count(), 1);
        timeline.take(2, Timestamp(2), &ended(0, JobOutcome::Discarded, 2));
        timeline.retain(|_| false);
        assert_eq!(timeline.builds().count(), 0);
    }

    #[test]
    fn what_held_a_build_up_is_the_chain_of_what_came_last() {
        let state = opened(plan(5, &[(1, 0), (2, 0), (3, 1), (3, 2), (4, 0)]), &[]);
        let build = state.open_build().unwrap();
        let events = [(0, 0, 10), (1, 10, 20), (2, 10, 40), (4, 10, 70), (3, 40, 90)];
        let mut timeline = Timeline::default();
        for (package, begin, end) in events {
            timeline.take(1, Timestamp(begin), &started(package, "a", begin));
            timeline.take(1, Timestamp(end), &ended(package, JobOutcome::Delivered, end));
        }
        let chain = longest_chain(build, timeline.bars(&build.name));
        assert_eq!(chain.iter().map(|package| package.index()).collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!(longest_chain(build, &[]), []);
    }

    proptest! {
        #[test]
        fn no_two_jobs_share_a_lane_at_a_time(steps in proptest::collection::vec((0_usize..12, 0_u8..2), 1..80)) {
            let (mut timeline, mut there, mut number) = (Timeline::default(), Vec::new(), 0);
            for (sequence, (which, drone)) in (1_i64..).zip(steps) {
                if which < there.len() {
                    timeline.take(sequence, Timestamp(sequence), &ended(there.remove(which), JobOutcome::Delivered, sequence));
                } else {
                    timeline.take(sequence, Timestamp(sequence), &started(number, ["a", "b"][usize::from(drone)], sequence));
                    there.push(number);
                    number += 1;
                }
            }
            let bars = timeline.bars(&"build1".parse().unwrap());
            for (index, bar) in bars.iter().enumerate() {
                for other in &bars[index + 1..] {
                    let apart = bar.over.is_some_and(|over| over <= other.begin);
                    prop_assert!(apart || bar.drone != other.drone || bar.lane != other.lane, "{bar:?} {other:?}");
                }
            }
        }
    }
}
