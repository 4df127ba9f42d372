//! Property tests of the core: random plans, fleets and luck, played to their end. [`plan`] and [`opened`] make plans and
//! states for the tests of others, too.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::build::Phase;
use super::decide::{End, decide};
use super::event::{DroneSpec, Event, JobOutcome, ReceivedFile, Rooms, Selection, Trouble};
use super::explain::explain;
use super::failure::{Failure, FailureClass};
use super::names::{BuildId, HostName, JobName, Timestamp};
use super::package::{Identity, Slot};
use super::plan::{Edge, EdgeKind, PackageIndex, Plan, PlannedPackage};
use super::state::State;
use super::texts::{Fields, Words};

/// A plan of `size` packages with these edges, all at build time.
pub(crate) fn plan(size: usize, edges: &[(usize, usize)]) -> Plan {
    let packages = (0..size)
        .map(|index| PlannedPackage {
            identity: Identity {
                cpv: format!("app-lab/package{index}x-1.0").parse().unwrap(),
                slot: Slot { slot: "0".into(), sub_slot: "0".into() },
                repository: "gentoo".into(),
                ebuild_digest: String::new(),
                use_flags: Words::default(),
                chost: String::new(),
                compiler: Fields::default(),
                linked: Default::default(),
            },
            requested: true,
            oddities: BTreeSet::new(),
        })
        .collect();
    let edges = edges
        .iter()
        .map(|(from, to)| Edge {
            from: PackageIndex(u32::try_from(*from).unwrap()),
            to: PackageIndex(u32::try_from(*to).unwrap()),
            kinds: EdgeKind::Buildtime.into(),
        })
        .collect();
    Plan { driver: host("capella"), packages, edges, index_header: BTreeMap::new(), warnings: Vec::new() }.in_order()
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

/// A state in which a build of this plan is open and these drones (cores, jobs) are ready.
pub(crate) fn opened(plan: Plan, drones: &[(u32, u32)]) -> State {
    let mut state = State::default();
    let specs: Vec<_> = drones
        .iter()
        .enumerate()
        .map(|(index, (cores, jobs))| DroneSpec {
            name: host(&format!("drone{index}")),
            cores: *cores,
            jobs: Some(*jobs),
            memory_mib: None,
        })
        .collect();
    state.apply(&Event::FleetDeclared { drones: specs.clone() }).unwrap();
    for spec in specs {
        state
            .apply(&Event::DroneReady {
                drone: spec.name,
                address: None,
                rooms: Rooms::default(),
                memory_mib: None,
                configuration: None,
            })
            .unwrap();
    }
    let build = "build1".parse().unwrap();
    state
        .apply(&Event::BuildOpened {
            build,
            selection: Selection::World,
            plan,
            live: BTreeMap::new(),
            rebuild: false,
            at: Timestamp(0),
        })
        .unwrap();
    state
}

fn received(state: &State, job: &JobName) -> Event {
    let job_state = &state.jobs[job];
    let build_id = job_state.build_ids[&job_state.package];
    let file = ReceivedFile { path: format!("{job}"), build_id, stanza: Fields::default(), imprint: None };
    Event::PackageReceived { job: job.clone(), package: job_state.package, file, cost: None, at: Timestamp(1) }
}

fn failed(job: &JobName, class: FailureClass, at: Timestamp) -> Event {
    let outcome = JobOutcome::Failed { failure: Failure { class, reason: "luck".into() }, log: None };
    Event::JobEnded { job: job.clone(), outcome, at }
}

/// Starts all that is decided, checking that nothing starts before what it needs and no drone has more than its jobs.
fn start_all(state: &mut State, now: Timestamp) {
    for start in decide(state, now).starts {
        let build = state.open_build().unwrap();
        for need in &build.needs[start.package.index()] {
            assert!(matches!(build.packages[need.index()].phase, Phase::Received(_)), "started before its needs");
        }
        let name = start.drone.clone();
        state.apply(&start.event(now)).unwrap();
        let drone = &state.drones[&name];
        assert!(
            state.jobs_on(&name).count() <= drone.spec.jobs.unwrap_or(u32::MAX) as usize,
            "more jobs than the drone has room for"
        );
    }
}

/// Every delegated package has a job of its own, and what is derived of the others is as if it were derived anew.
fn check_places(state: &State) {
    let build = state.open_build().unwrap();
    let mut delegated = BTreeSet::new();
    for package in &build.packages {
        if let Phase::Delegated(job) = &package.phase {
            assert!(state.jobs.contains_key(job), "delegated to a job that is not there");
            assert!(delegated.insert(job.clone()), "one job builds two packages");
        }
    }
    let mut looked_through = build.clone();
    looked_through.mark_blocked();
    looked_through.line_up();
    assert_eq!(build.queue(), looked_through.queue(), "the queue as it came to be, and as it is made anew");
    for package in (0..build.packages.len()).map(PackageIndex::at) {
        assert_eq!(build.is_blocked(package), looked_through.is_blocked(package), "{}", build.label(package));
    }
    let all = || (0..build.packages.len()).map(PackageIndex::at);
    let one_by_one = all().filter(|package| build.is_blocked(*package));
    let one_by_one: BTreeMap<_, _> = one_by_one.map(|package| (package, build.blocked_by(package))).collect();
    assert_eq!(build.blockers(), one_by_one);
    for failed in all().filter(|package| matches!(build.packages[package.index()].phase, Phase::Failed)) {
        let waits = one_by_one.iter().filter(|(_, by)| by.contains(&failed)).map(|(package, _)| *package);
        assert_eq!(build.blocks(failed), waits.collect(), "what waits for {}", build.label(failed));
    }
}

/// Plays a build to its end; `luck` says what happens to each job in turn. Gives the end and how it came there.
fn play(mut state: State, luck: &[u8]) -> (End, State) {
    let mut now = Timestamp(0);
    let mut luck = luck.iter().copied().chain(std::iter::repeat(0));
    for _ in 0..10_000 {
        start_all(&mut state, now);
        check_places(&state);
        let Some(job) = state.jobs.keys().next().cloned() else {
            let decision = decide(&state, now);
            if let Some(end) = decision.end {
                return (end, state);
            }
            now = decision.wake_at.expect("neither an end nor a time to wake");
            continue;
        };
        now = Timestamp(now.0 + 1);
        match luck.next().unwrap() % 8 {
            0..=4 => {
                state.apply(&received(&state, &job)).unwrap();
                state.apply(&Event::JobEnded { job, outcome: JobOutcome::Delivered, at: now }).unwrap();
            }
            5 => state.apply(&failed(&job, FailureClass::Build, now)).unwrap(),
            6 => state.apply(&failed(&job, FailureClass::Lost, now)).unwrap(),
            _ => {
                let drone = state.jobs[&job].drone.clone();
                state.apply(&failed(&job, FailureClass::Parity, now)).unwrap();
                let (trouble, reason) = (Trouble::Differs, "luck".to_owned());
                state.apply(&Event::DroneAway { drone, trouble, reason, at: now }).unwrap();
            }
        }
    }
    panic!("the run does not end");
}

proptest! {
    #[test]
    fn every_run_ends_and_nothing_starts_before_what_it_needs(
        size in 1usize..24,
        edges in prop::collection::vec((0usize..24, 0usize..24), 0..60),
        drones in prop::collection::vec((1u32..32, 1u32..4), 1..5),
        luck in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let edges: Vec<_> = edges.into_iter().filter(|(from, to)| *from < size && *to < size && from != to).collect();
        let (end, state) = play(opened(plan(size, &edges), &drones), &luck);
        let build = state.open_build().unwrap();
        prop_assert_eq!(end == End::Complete, build.is_complete());
        if end == End::SomeFailed {
            prop_assert!(build.is_over() && !build.is_complete());
        }
    }

    #[test]
    fn an_event_reads_back_from_the_journal_as_it_was_written(
        size in 1usize..12,
        edges in prop::collection::vec((0usize..12, 0usize..12), 0..30),
    ) {
        let edges: Vec<_> = edges.into_iter().filter(|(from, to)| *from < size && *to < size && from != to).collect();
        let event = Event::BuildOpened {
            build: "build1".parse().unwrap(),
            selection: Selection::World,
            plan: plan(size, &edges),
            live: BTreeMap::new(),
            rebuild: false,
            at: Timestamp(5),
        };
        let mut state = State::default();
        let fleet = vec![DroneSpec { name: host("drone0"), cores: 4, jobs: Some(4), memory_mib: None }];
        let mut events = vec![
            Event::FleetDeclared { drones: fleet },
            Event::DroneReady { drone: host("drone0"), address: Some("10.42.0.203".into()), rooms: Rooms::Impossible("no".into()), memory_mib: Some(16_000), configuration: None },
            event,
        ];
        for event in &events {
            state.apply(event).unwrap();
        }
        for start in decide(&state, Timestamp(6)).starts {
            events.push(start.event(Timestamp(6)));
        }
        for event in events {
            let text = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }
}

#[test]
fn with_good_luck_everything_is_received_in_any_fleet() {
    let edges = [(1, 0), (2, 0), (3, 1), (3, 2), (4, 3)];
    for drones in [&[(1, 1)][..], &[(16, 1), (8, 1)], &[(64, 4), (4, 2), (1, 1)]] {
        let (end, state) = play(opened(plan(5, &edges), drones), &[]);
        assert_eq!(end, End::Complete);
        assert_eq!(state.last_job, 5, "each package is built once");
    }
}

#[test]
fn a_package_that_failed_on_two_drones_is_failed_and_blocks_what_needs_it() {
    let mut state = opened(plan(3, &[(1, 0)]), &[(8, 1), (4, 1), (2, 1)]);
    let mut tried = BTreeSet::new();
    for now in 0..2 {
        start_all(&mut state, Timestamp(now));
        let build = state.open_build().unwrap();
        let Phase::Delegated(job) = build.packages[0].phase.clone() else { panic!("not given away") };
        tried.insert(state.jobs[&job].drone.clone());
        state.apply(&failed(&job, FailureClass::Build, Timestamp(now))).unwrap();
    }
    assert_eq!(tried.len(), 2, "the second attempt is made elsewhere");
    let build = state.open_build().unwrap();
    assert!(matches!(build.packages[0].phase, Phase::Failed));
    assert!(build.is_blocked(PackageIndex(1)) && !build.is_blocked(PackageIndex(2)));
    assert_eq!(build.blocked_by(PackageIndex(1)), BTreeSet::from([PackageIndex(0)]));
}

#[test]
fn a_package_goes_back_to_a_drone_that_failed_at_it_where_no_other_can_take_it() {
    let small = |state: &mut State, drone: &str| {
        let (drone, rooms) = (host(drone), Rooms::default());
        state
            .apply(&Event::DroneReady { drone, address: None, rooms, memory_mib: Some(512), configuration: None })
            .unwrap();
    };
    let drained = |state: &mut State, drone: &str| {
        state.apply(&Event::DrainAsked { drone: host(drone), drain: true, at: Timestamp(0) }).unwrap();
    };
    for hinder in [&small as &dyn Fn(&mut State, &str), &drained] {
        for class in [FailureClass::Build, FailureClass::Transfer, FailureClass::Resource] {
            let mut state = opened(plan(1, &[]), &[(8, 1), (4, 1)]);
            start_all(&mut state, Timestamp(0));
            let first = state.jobs.keys().next().unwrap().clone();
            assert_eq!(state.jobs[&first].drone, host("drone0"));
            state.apply(&failed(&first, class, Timestamp(1))).unwrap();
            hinder(&mut state, "drone1");
            let later = state.drones[&host("drone0")].rest_until.unwrap_or(Timestamp(1));
            let starts = decide(&state, later).starts;
            assert_eq!(starts.first().map(|start| &start.drone), Some(&host("drone0")), "{class:?}");
        }
    }
}

#[test]
fn a_job_that_only_cleans_up_after_its_package_was_received_takes_no_place() {
    let mut state = opened(plan(2, &[(1, 0)]), &[(8, 1), (2, 1)]);
    start_all(&mut state, Timestamp(0));
    let first = state.jobs.keys().next().unwrap().clone();
    assert_eq!(state.jobs[&first].drone, host("drone0"));
    state.apply(&received(&state, &first)).unwrap();
    let starts = decide(&state, Timestamp(1)).starts;
    assert_eq!(starts.first().map(|start| &start.drone), Some(&host("drone0")));
}

#[test]
fn what_ran_out_of_memory_goes_to_a_drone_that_has_more() {
    let mut state = opened(plan(1, &[]), &[(8, 1), (4, 1), (4, 1)]);
    for (drone, memory) in [("drone0", 4_000), ("drone1", 2_000), ("drone2", 8_000)] {
        let (drone, rooms) = (host(drone), Rooms::default());
        state
            .apply(&Event::DroneReady { drone, address: None, rooms, memory_mib: Some(memory), configuration: None })
            .unwrap();
    }
    start_all(&mut state, Timestamp(0));
    let first = state.jobs.keys().next().unwrap().clone();
    assert_eq!(state.jobs[&first].drone, host("drone0"));
    state.apply(&failed(&first, FailureClass::Resource, Timestamp(1))).unwrap();
    let starts = decide(&state, Timestamp(2)).starts;
    assert_eq!(starts.first().map(|start| &start.drone), Some(&host("drone2")));
}

#[test]
fn a_job_that_was_found_for_a_blocked_package_may_fail_and_the_package_is_blocked_as_before() {
    let mut state = opened(plan(3, &[(1, 0), (2, 1)]), &[(8, 1)]);
    start_all(&mut state, Timestamp(0));
    let first = state.jobs.keys().next().unwrap().clone();
    state.apply(&failed(&first, FailureClass::Build, Timestamp(1))).unwrap();
    let found: JobName = "found".parse().unwrap();
    let (package, build_id, at) = (PackageIndex(1), BuildId(1), Timestamp(2));
    state.apply(&Event::JobFound { job: found.clone(), package, drone: host("drone0"), build_id, at }).unwrap();
    check_places(&state);
    assert!(!state.open_build().unwrap().is_blocked(PackageIndex(2)));
    state.apply(&failed(&found, FailureClass::Lost, Timestamp(3))).unwrap();
    check_places(&state);
    assert!(state.open_build().unwrap().is_blocked(PackageIndex(2)));
}

#[test]
fn with_every_drone_unlike_the_driver_the_run_ends_with_that() {
    let mut state = opened(plan(1, &[]), &[(8, 1)]);
    let away = |trouble| Event::DroneAway { drone: host("drone0"), trouble, reason: "USE".into(), at: Timestamp(0) };
    state.apply(&away(Trouble::Differs)).unwrap();
    assert_eq!(decide(&state, Timestamp(0)).end, Some(End::AllDiffer));
    state.apply(&away(Trouble::Unreachable)).unwrap();
    assert_eq!(decide(&state, Timestamp(0)).end, Some(End::NoDrone));
}

#[test]
fn a_drone_that_fails_by_itself_rests_longer_each_time() {
    let mut state = opened(plan(8, &[]), &[(8, 1)]);
    let mut rests = Vec::new();
    let mut now = Timestamp(0);
    for _ in 0..4 {
        start_all(&mut state, now);
        let job = state.jobs.keys().next().unwrap().clone();
        state.apply(&failed(&job, FailureClass::Transfer, now)).unwrap();
        let wake = decide(&state, now).wake_at.unwrap();
        rests.push(wake.seconds_since(now));
        now = wake;
    }
    assert_eq!(rests, [30, 60, 120, 240]);
}

#[test]
fn a_build_that_replaces_another_has_what_that_received_unless_all_is_to_be_built_anew() {
    for (rebuild, received_again) in [(false, 1), (true, 0)] {
        let mut state = opened(plan(1, &[]), &[(4, 1)]);
        start_all(&mut state, Timestamp(1));
        let job = state.jobs.keys().next().unwrap().clone();
        state.apply(&received(&state, &job)).unwrap();
        state.apply(&Event::JobEnded { job, outcome: JobOutcome::Delivered, at: Timestamp(2) }).unwrap();
        let (build, selection, live) = ("build2".parse().unwrap(), Selection::World, BTreeMap::new());
        let at = Timestamp(3);
        state.apply(&Event::BuildOpened { build, selection, plan: plan(1, &[]), live, rebuild, at }).unwrap();
        assert_eq!(state.open_build().unwrap().received().count(), received_again);
    }
}

#[test]
fn packages_that_need_each_other_to_build_are_built_one_after_the_other_in_merge_order() {
    // 0 and 2 need each other, 2 needs 1.
    let mut state = opened(plan(3, &[(0, 2), (2, 0), (2, 1)]), &[(8, 4)]);
    let building = |state: &State| -> Vec<String> {
        let build = state.open_build().unwrap();
        state.jobs.values().map(|job| build.label(job.package).to_owned()).collect()
    };
    start_all(&mut state, Timestamp(0));
    assert_eq!(building(&state), ["app-lab/package0x-1.0", "app-lab/package1x-1.0"]);
    let build = state.open_build().unwrap();
    for (package, words) in [(0, "is built before app-lab/package2x-1.0"), (2, "app-lab/package0x-1.0 is built before")]
    {
        let said = explain(&state, build, PackageIndex(package), Timestamp(0)).join("\n");
        assert!(
            said.contains(words) && said.contains("with what capella has installed of app-lab/package2x"),
            "{said}"
        );
    }
    for job in state.jobs.keys().cloned().collect::<Vec<_>>() {
        state.apply(&received(&state, &job)).unwrap();
        state.apply(&Event::JobEnded { job, outcome: JobOutcome::Delivered, at: Timestamp(1) }).unwrap();
    }
    start_all(&mut state, Timestamp(1));
    assert_eq!(building(&state), ["app-lab/package2x-1.0"]);
}

#[test]
fn a_package_alone_goes_to_the_drone_that_has_done_with_it_first() {
    let state = opened(plan(1, &[]), &[(14, 1), (16, 1), (8, 1)]);
    let starts = decide(&state, Timestamp(0)).starts;
    assert_eq!(starts[0].drone, host("drone1"), "{starts:?}");
}
