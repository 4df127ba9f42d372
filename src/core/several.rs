//! Builds of several drivers in a queue, played by the core alone: random plans that share packages, luck, releases and
//! resets. What must hold is checked after every event; a run that goes wrong names its seed.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Phase;
use super::decide::{End, decide};
use super::event::{Event, JobOutcome, ReceivedFile, Selection};
use super::failure::{Failure, FailureClass};
use super::names::{BuildName, JobName, ReleaseName, Timestamp};
use super::package::Identity;
use super::plan::{Edge, PackageIndex, Plan};
use super::simulation::{opened, plan};
use super::state::{NotClear, State, Turn};
use super::texts::Fields;
use crate::seeded::Seeded;

const POOL: usize = 8;
const FLEET: &[(u32, u32)] = &[(8, 2), (4, 1)];

/// Some packages of a larger plan, for a driver.
fn some_of(pool: &Plan, driver: &str, wanted: impl Fn(usize) -> bool) -> Plan {
    let kept: Vec<usize> = (0..pool.packages.len()).filter(|index| wanted(*index)).collect();
    let place = |old: PackageIndex| kept.iter().position(|index| *index == old.index()).map(PackageIndex::at);
    let edge = |edge: &Edge| Some(Edge { from: place(edge.from)?, to: place(edge.to)?, kinds: edge.kinds });
    let packages = kept.iter().map(|index| pool.packages[*index].clone()).collect();
    let edges = pool.edges.iter().filter_map(edge).collect();
    Plan { driver: driver.parse().unwrap(), packages, edges, ..pool.clone() }.in_order()
}

fn atoms(text: &str) -> Selection {
    Selection::Atoms(BTreeSet::from([text.parse().unwrap()]))
}

/// A state with drones and no build.
fn idle() -> State {
    let mut state = opened(plan(1, &[]), FLEET);
    state.apply(&Event::BuildForgotten { build: "build1".parse().unwrap(), at: Timestamp(0) }).unwrap();
    state
}

fn queued(name: &str, selection: Selection, plan: Plan) -> Event {
    let build = name.parse().unwrap();
    Event::BuildQueued { build, selection, plan, finalize: false, rebuild: false, at: Timestamp(1) }
}

struct Play {
    state: State,
    chance: Seeded,
    now: Timestamp,
    pool: Plan,
    /// What lies in staging.
    staging: BTreeSet<String>,
    /// What is live.
    live: Vec<(Identity, ReceivedFile)>,
    asked: u32,
    compiled: u32,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut chance = Seeded::new(seed);
        let edges: Vec<_> = (0..chance.below(10))
            .map(|_| (chance.below(POOL), chance.below(POOL)))
            .filter(|(from, to)| from > to)
            .collect();
        let (now, pool) = (Timestamp(1), plan(POOL, &edges));
        let (staging, live) = (BTreeSet::new(), Vec::new());
        Self { state: idle(), chance, now, pool, staging, live, asked: 0, compiled: 0 }
    }

    fn apply(&mut self, event: Event) {
        if let Event::PackageReceived { job, package, file, .. } = &event {
            let build = &self.state.builds[&self.state.jobs[job].build];
            let identity = build.identity(*package);
            let had = |other: &super::build::Build| other.received().any(|(at, _)| other.identity(at) == identity);
            assert!(!self.state.unreleased().any(had), "{identity:?} is compiled though an unreleased build has it");
            assert!(!self.live.iter().any(|(live, _)| live == identity), "{identity:?} is compiled though it is live");
            self.staging.insert(file.path.clone());
            self.compiled += 1;
        }
        if let Event::QueuedBuildOpened { live, .. } = &event {
            self.staging.extend(live.values().map(|file| file.path.clone()));
        }
        let before: BTreeSet<String> = self.state.staged().into_iter().map(str::to_owned).collect();
        self.state.apply(&event).unwrap();
        // As the controller does: what belongs to nobody any more goes.
        let after: BTreeSet<String> = self.state.staged().into_iter().map(str::to_owned).collect();
        for gone in before.difference(&after) {
            assert!(self.staging.remove(gone), "{gone} goes twice");
        }
        assert_eq!(self.staging, after, "what lies in staging, and what builds have");
        if matches!(event, Event::QueuedBuildOpened { .. } | Event::BuildFinished { .. }) {
            self.check();
        }
    }

    fn check(&self) {
        let open = self.state.open.as_ref();
        for (name, job) in &self.state.jobs {
            assert_eq!(Some(&job.build), open, "job {name} of a build that has no turn");
        }
        assert!(self.state.queue.iter().all(|queued| !self.state.builds.contains_key(&queued.name)));
        let again: State = serde_json::from_str(&serde_json::to_string(&self.state).unwrap()).unwrap();
        assert_eq!(again.queue, self.state.queue);
        assert_eq!(decide(&again.settled().unwrap(), self.now), decide(&self.state, self.now));
    }

    fn ask(&mut self) {
        let mask = self.chance.below(1 << POOL) | 1;
        let driver = ["capella", "vega"][self.chance.below(2)];
        let plan = some_of(&self.pool, driver, |index| mask & (1 << index) != 0);
        let selection = if self.chance.below(2) == 0 { Selection::World } else { atoms("app-lab/suite") };
        if let Some(same) = self.state.same(&selection, &plan).cloned() {
            self.apply(Event::FinalizeAsked { build: same, at: self.now });
            return;
        }
        self.asked += 1;
        let build = format!("b{}", self.asked).parse().unwrap();
        let finalize = self.chance.below(3) == 0;
        self.apply(Event::BuildQueued { build, selection, plan, finalize, rebuild: false, at: Timestamp(1) });
    }

    fn open(&mut self, build: BuildName) {
        let waiting = self.state.queue.iter().find(|queued| queued.name == build).unwrap();
        let staged = self.state.staged();
        let mut live = BTreeMap::new();
        for (index, package) in waiting.plan.packages.iter().enumerate() {
            let found = self.live.iter().find(|(identity, _)| *identity == package.identity);
            if let Some((_, file)) = found.filter(|(_, file)| !staged.contains(file.path.as_str())) {
                live.insert(PackageIndex::at(index), file.clone());
            }
        }
        self.apply(Event::QueuedBuildOpened { build, live, at: self.now });
    }

    fn release(&mut self, build: BuildName) {
        let released = &self.state.builds[&build];
        assert!(released.is_complete());
        let files: Vec<_> =
            released.received().map(|(at, file)| (released.identity(at).clone(), file.clone())).collect();
        self.live.extend(files);
        let release: ReleaseName = "000001-000001".parse().unwrap();
        self.apply(Event::BuildReleased { build, release, at: self.now });
    }

    fn end_one(&mut self) {
        let jobs: Vec<JobName> = self.state.jobs.keys().cloned().collect();
        let job = jobs[self.chance.below(jobs.len())].clone();
        let known = self.state.jobs[&job].clone();
        let outcome = if known.standing == super::state::Standing::Unwanted {
            JobOutcome::Discarded
        } else if self.chance.below(5) == 0 {
            JobOutcome::Failed { failure: Failure { class: FailureClass::Build, reason: "luck".into() }, log: None }
        } else {
            let build_id = known.build_ids[&known.package];
            let file = ReceivedFile { path: job.to_string(), build_id, stanza: Fields::default(), imprint: None };
            let (job, package) = (job.clone(), known.package);
            self.apply(Event::PackageReceived { job, package, file, cost: None, at: self.now });
            JobOutcome::Delivered
        };
        self.apply(Event::JobEnded { job, outcome, at: self.now });
    }

    fn work(&mut self) {
        let decision = decide(&self.state, self.now);
        for start in decision.starts {
            let build = self.state.open_build().unwrap();
            for need in &build.needs[start.package.index()] {
                assert!(matches!(build.packages[need.index()].phase, Phase::Received(_)), "started before its needs");
            }
            let (job, package, drone, build_ids) = (start.job, start.package, start.drone, start.build_ids);
            self.apply(Event::JobStarted { job, package, drone, build_ids, width: 1, why: None, at: self.now });
        }
        match decision.end {
            Some(End::Forgotten) => {}
            Some(_) => {
                let build = self.state.open.clone().unwrap();
                self.apply(Event::BuildFinished { build, at: self.now });
            }
            None if self.state.jobs.is_empty() => self.now = decision.wake_at.unwrap(),
            None => self.end_one(),
        }
    }

    /// Something that an operator or a client does.
    fn interfere(&mut self) {
        match self.chance.below(4) {
            0 => {
                if let Ok(build) = self.state.to_release(None)
                    && build.is_complete()
                {
                    self.release(build.name.clone());
                }
            }
            1 => {
                let waiting: Vec<_> = self.state.unreleased().map(|build| build.name.clone()).collect();
                let waiting: Vec<_> =
                    waiting.into_iter().chain(self.state.queue.iter().map(|each| each.name.clone())).collect();
                // A job of a build that is given up is ended before another has its turn: that is the controller's.
                if let Some(build) = waiting.first().filter(|_| self.state.jobs.is_empty()) {
                    self.apply(Event::BuildForgotten { build: build.clone(), at: self.now });
                }
            }
            _ => self.ask(),
        }
    }

    fn run(&mut self) {
        for _ in 0..5_000 {
            self.now = Timestamp(self.now.0 + 1);
            if self.asked < 6 && self.chance.below(8) == 0 {
                self.interfere();
            }
            match self.state.turn(&BTreeSet::new()) {
                Turn::WorkOff => self.work(),
                Turn::Open(build) => self.open(build),
                Turn::Release(build) => self.release(build),
                Turn::Rest if self.asked < 6 => self.ask(),
                Turn::Rest => return,
            }
        }
        panic!("the queue is never worked off");
    }
}

#[test]
fn what_several_builds_want_is_compiled_once_and_lies_in_staging_for_as_long_as_one_of_them_has_it() {
    let first = std::env::var("SWARM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1u64);
    let mut compiled = 0;
    for seed in first..first + 100 {
        eprintln!("seed {seed}");
        let mut play = Play::new(seed);
        play.run();
        compiled += play.compiled;
        for build in play.state.unreleased().map(|build| build.name.clone()).collect::<Vec<_>>() {
            play.apply(Event::BuildForgotten { build, at: play.now });
        }
        assert!(play.staging.is_empty(), "{:?}", play.staging);
    }
    assert!(compiled > 100, "{compiled}");
}

#[test]
fn the_same_selection_of_the_same_driver_is_under_way_once() {
    let mut state = idle();
    let pool = plan(3, &[]);
    let of = |driver: &str, count: usize| some_of(&pool, driver, |index| index < count);
    state.apply(&queued("b1", Selection::World, of("capella", 2))).unwrap();
    let name = |found: Option<&BuildName>| found.map(ToString::to_string);
    assert_eq!(name(state.same(&Selection::World, &of("capella", 3))).as_deref(), Some("b1"));
    assert_eq!(state.same(&Selection::World, &of("vega", 2)), None);
    assert_eq!(state.same(&atoms("app-lab/x"), &of("capella", 2)), None);
    state
        .apply(&Event::QueuedBuildOpened { build: "b1".parse().unwrap(), live: BTreeMap::new(), at: Timestamp(2) })
        .unwrap();
    assert_eq!(name(state.same(&Selection::World, &of("capella", 3))).as_deref(), Some("b1"), "it is worked off");
    let mut play = Play { state, ..Play::new(1) };
    while play.state.turn(&BTreeSet::new()) == Turn::WorkOff {
        play.now = Timestamp(play.now.0 + 1);
        play.work();
    }
    let state = play.state;
    assert_eq!(name(state.same(&Selection::World, &of("capella", 2))).as_deref(), Some("b1"), "it wants the same");
    assert_eq!(state.same(&Selection::World, &of("capella", 3)), None, "the driver's world is another by now");
}

#[test]
fn which_build_is_meant_is_asked_only_where_that_is_not_clear() {
    let mut state = idle();
    assert_eq!(state.to_release(None).unwrap_err(), NotClear::None);
    let pool = plan(2, &[]);
    for (build, driver) in [("b1", "capella"), ("b2", "vega"), ("b3", "tarn")] {
        state.apply(&queued(build, Selection::World, some_of(&pool, driver, |_| true))).unwrap();
    }
    let mut play = Play { state, ..Play::new(1) };
    while play.state.turn(&BTreeSet::new()) != Turn::Open("b3".parse().unwrap()) {
        play.now = Timestamp(play.now.0 + 1);
        match play.state.turn(&BTreeSet::new()) {
            Turn::Open(build) => play.open(build),
            _ => play.work(),
        }
    }
    assert_eq!(play.state.to_release(None).unwrap().name.as_str(), "b2", "the open one");
    let (b1, b4): (BuildName, BuildName) = ("b1".parse().unwrap(), "b4".parse().unwrap());
    assert_eq!(play.state.to_release(Some(&b1)).unwrap().name, b1);
    let unknown = play.state.to_release(Some(&b4)).unwrap_err();
    assert!(matches!(&unknown, NotClear::Unknown { build, .. } if *build == b4), "{unknown}");
    let b2: BuildName = "b2".parse().unwrap();
    play.state.apply(&Event::BuildForgotten { build: b2, at: Timestamp(9) }).unwrap();
    if play.state.builds[&b1].is_complete() {
        assert_eq!(play.state.to_release(None).unwrap().name, b1, "the only one of which all is received");
    }
    assert_eq!(play.state.to_forget(None).unwrap_err(), NotClear::Several { names: "b1, b3".into() });
    play.state.apply(&Event::BuildForgotten { build: b1, at: Timestamp(9) }).unwrap();
    assert_eq!(play.state.to_forget(None).unwrap().as_str(), "b3");
}
