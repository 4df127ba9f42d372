//! Alarms over hours and nights on an imagined clock: what each channel is told, and what it is not.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::core::event::{Event, JobOutcome, ReceivedFile, Rooms, RunEnd, RunStart, Selection, Trouble};
use crate::core::failure::{Failure, FailureClass};
use crate::core::names::{BuildId, JobName};
use crate::core::plan::{PackageIndex, Plan};
use crate::core::simulation::{opened, plan};
use crate::core::state::State;
use crate::core::texts::Fields;

mod channels;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A state and a clock, looked at as a controller does.
struct Scene {
    state: State,
    now: i64,
    facts: Facts,
    listeners: Vec<Listener>,
    /// What each channel was told, in order.
    told: Vec<Telling>,
}

fn listener(name: &str) -> Listener {
    let on = Kind::WORDS.map(|(_, kind)| kind).into_iter().collect();
    Listener { name: name.parse().unwrap(), on, attended: false }
}

fn job(number: u32) -> JobName {
    format!("job{number}").parse().unwrap()
}

impl Scene {
    fn new(plan: Plan, drones: &[(u32, u32)]) -> Self {
        let facts = Facts { directory: "/state".to_owned(), ..Facts::default() };
        Self { state: opened(plan, drones), now: 0, facts, listeners: vec![listener("mail")], told: Vec::new() }
    }

    fn at(&self) -> Timestamp {
        Timestamp(self.now)
    }

    fn apply(&mut self, event: Event) {
        self.state.apply(&event).unwrap();
        // Whatever happens, a snapshot says the same.
        let read: Alarms = serde_json::from_slice(&serde_json::to_vec(&self.state.alarms).unwrap()).unwrap();
        assert_eq!(read, self.state.alarms);
    }

    fn start(&mut self, number: u32, package: u32, drone: &str) {
        let event = Event::JobStarted {
            job: job(number),
            package: PackageIndex(package),
            drone: drone.parse().unwrap(),
            build_ids: BTreeMap::from([(PackageIndex(package), BuildId(number))]),
            width: 1,
            why: None,
            at: self.at(),
        };
        self.apply(event);
    }

    fn end(&mut self, number: u32, reason: Option<&str>) {
        let outcome = match reason {
            Some(reason) => JobOutcome::Failed {
                failure: Failure { class: FailureClass::Build, reason: reason.to_owned() },
                log: Some(format!("logs/app-lab/job{number}.log")),
            },
            None => JobOutcome::Delivered,
        };
        let event = Event::JobEnded { job: job(number), outcome, at: self.at() };
        self.apply(event);
    }

    fn fail(&mut self, number: u32, package: u32, drone: &str) {
        self.start(number, package, drone);
        self.end(number, Some("compile phase: emake failed"));
    }

    fn receive(&mut self, number: u32, package: u32, drone: &str) {
        self.start(number, package, drone);
        let file =
            ReceivedFile { path: "x".to_owned(), build_id: BuildId(number), stanza: Fields::default(), imprint: None };
        let package = PackageIndex(package);
        let event = Event::PackageReceived { job: job(number), package, file, cost: None, at: self.at() };
        self.apply(event);
        self.end(number, None);
    }

    fn drone(&mut self, drone: &str, trouble: Option<Trouble>) {
        let (drone, at) = (drone.parse().unwrap(), self.at());
        let event = match trouble {
            Some(trouble) => Event::DroneAway { drone, trouble, reason: "luck".to_owned(), at },
            None => {
                Event::DroneReady { drone, address: None, rooms: Rooms::Shared, memory_mib: None, configuration: None }
            }
        };
        self.apply(event);
    }

    /// A look that reaches every channel; what was said.
    fn look(&mut self) -> Vec<Telling> {
        for event in look(&self.state, &self.facts, self.at()) {
            self.apply(event);
        }
        assert_eq!(look(&self.state, &self.facts, self.at()), [], "nothing is left to be found");
        let due = due(&self.state, &self.listeners, self.at());
        for telling in &due {
            let event = Event::AlarmTold {
                causes: Telling::causes(&telling.raised),
                recovered: Telling::causes(&telling.recovered),
                channel: telling.channel.clone(),
                at: self.at(),
            };
            self.apply(event);
        }
        self.told.extend(due.clone());
        due
    }

    /// Looks once a minute for so many seconds.
    fn pass(&mut self, seconds: i64) {
        let until = self.now + seconds;
        while self.now < until {
            self.now += MINUTE;
            self.look();
        }
    }

    /// The headlines that the only channel was told at this look: those of troubles, and those of their ends.
    fn headlines(&mut self) -> (Vec<String>, Vec<String>) {
        let told = self.look();
        let lines = |alarms: &[Alarm]| alarms.iter().map(|alarm| alarm.words.headline.clone()).collect();
        assert!(told.len() <= 1, "one message tells all: {told:?}");
        told.first().map_or_else(Default::default, |told| (lines(&told.raised), lines(&told.recovered)))
    }
}

fn none() -> (Vec<String>, Vec<String>) {
    Default::default()
}

#[test]
fn a_package_that_fails_is_told_once_when_its_build_is_over_with_all_that_lets_one_act() {
    let mut scene = Scene::new(plan(3, &[(1, 0)]), &[(4, 1), (4, 1)]);
    scene.facts.at_work = Some(scene.at());
    scene.start(9, 2, "drone0");
    scene.fail(1, 0, "drone1");
    scene.end(9, Some("no luck"));
    scene.fail(2, 0, "drone0");
    assert_eq!(scene.headlines(), none(), "the other package goes on");
    scene.now += MINUTE;
    scene.fail(3, 2, "drone1");
    let told = scene.look();
    let [telling] = told.as_slice() else { panic!("one message tells all: {told:?}") };
    let words: Vec<&Words> = telling.raised.iter().map(|alarm| &alarm.words).collect();
    assert_eq!(words.len(), 2);
    let label = scene.state.open_build().unwrap().label(PackageIndex(0)).to_owned();
    assert_eq!(words[0].headline, format!("{label} failed: build"));
    assert_eq!(words[0].next, format!("swarm logs {label}"));
    let text = words[0].lines.join("\n");
    for part in [
        "compile phase: emake failed",
        "tried 2 times on drone0 drone1, last on drone0 at 1970-01-01T00:00:00Z",
        "log: /state/logs/app-lab/job2.log",
        "blocks 1: ",
        &format!("`swarm unblock {label}`"),
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    scene.pass(2 * HOUR);
    assert_eq!(scene.told.len(), 1, "{:?}", scene.told);
}

#[test]
fn a_long_build_holds_a_failure_back_for_an_hour_and_no_longer() {
    let mut scene = Scene::new(plan(3, &[]), &[(4, 1), (4, 1), (4, 1)]);
    scene.start(9, 2, "drone2");
    scene.fail(1, 0, "drone0");
    scene.fail(2, 0, "drone1");
    scene.now += 50 * MINUTE;
    scene.fail(3, 1, "drone0");
    scene.fail(4, 1, "drone1");
    assert_eq!(scene.headlines(), none());
    scene.now += 10 * MINUTE;
    assert_eq!(scene.headlines().0.len(), 2, "what is told takes the rest along");
}

#[test]
fn a_package_is_one_trouble_over_many_nights_until_it_is_received_or_no_longer_planned() {
    for ends in ["received", "dropped"] {
        let mut scene = Scene::new(plan(2, &[]), &[(4, 1), (4, 1)]);
        scene.receive(9, 1, "drone0");
        for night in 0..4 {
            scene.fail(10 * night + 1, 0, "drone0");
            scene.fail(10 * night + 2, 0, "drone1");
            scene.pass(HOUR);
            scene.now += 23 * HOUR;
            let at = scene.at();
            scene.apply(Event::RetryAsked { packages: BTreeSet::new(), at });
            assert_eq!(scene.headlines(), none(), "it is tried again, so nothing is known");
        }
        assert_eq!(scene.told.len(), 1, "{:?}", scene.told);
        match ends {
            "received" => scene.receive(99, 0, "drone0"),
            _ => {
                let (build, selection, at) = ("build2".parse().unwrap(), Selection::World, scene.at());
                let (plan, live) = (plan(0, &[]), BTreeMap::new());
                scene.apply(Event::BuildOpened { build, selection, plan, live, rebuild: false, at });
            }
        }
        let (raised, recovered) = scene.headlines();
        assert_eq!((raised.len(), recovered.len()), (0, 1), "{ends}");
        scene.pass(48 * HOUR);
        assert_eq!(scene.told.len(), 2);
    }
}

#[test]
fn work_that_waits_is_told_after_ten_minutes_and_at_once_where_no_drone_can_take_it() {
    let mut scene = Scene::new(plan(2, &[]), &[(4, 1), (4, 1)]);
    scene.pass(9 * MINUTE);
    assert_eq!(scene.told, []);
    scene.pass(MINUTE);
    let words = &scene.told[0].raised[0].words;
    assert_eq!(words.headline, "2 packages wait, and nothing is built: no controller is at work");
    assert_eq!(words.next, "swarm push");
    assert!(words.lines.contains(&"nothing was built since 1970-01-01T00:00:00Z".to_owned()), "{words:?}");

    for (trouble, why) in
        [(Trouble::Differs, "all drones differ from the driver"), (Trouble::Refused, "no drone can take them")]
    {
        let mut scene = Scene::new(plan(2, &[]), &[(4, 1), (4, 1)]);
        scene.drone("drone0", Some(trouble));
        scene.drone("drone1", Some(trouble));
        let (raised, _) = scene.headlines();
        assert_eq!(raised, [format!("2 packages wait, and nothing is built: {why}")]);
        let lines = &scene.told[0].raised[0].words.lines;
        assert!(lines.contains(&"drone1: since 1970-01-01T00:00:00Z: luck".to_owned()), "{lines:?}");
    }
}

#[test]
fn a_controller_that_has_just_begun_is_given_time() {
    let mut scene = Scene::new(plan(2, &[]), &[(4, 1)]);
    scene.now = 5 * HOUR;
    scene.facts.at_work = Some(scene.at());
    scene.pass(9 * MINUTE);
    assert_eq!(scene.told, []);
    scene.pass(MINUTE);
    assert_eq!(scene.told.len(), 1);
    scene.start(1, 0, "drone0");
    scene.pass(MINUTE);
    assert_eq!(scene.told.len(), 1, "it is over once it has stayed away");
    scene.pass(9 * MINUTE);
    assert_eq!(scene.told.len(), 1);
    scene.pass(MINUTE);
    assert_eq!(scene.told[1].recovered.len(), 1);
}

#[test]
fn a_trouble_that_comes_and_goes_all_day_is_told_a_dozen_times_at_the_most() {
    for period in [2, 7, 12, 25] {
        let mut scene = Scene::new(plan(2, &[]), &[(4, 1)]);
        let mut number = 0;
        while scene.now < 24 * HOUR {
            scene.drone("drone0", Some(Trouble::Refused));
            scene.pass(period * MINUTE);
            scene.drone("drone0", None);
            number += 1;
            scene.start(number, 0, "drone0");
            scene.pass(period * MINUTE);
            let event = Event::JobEnded { job: job(number), outcome: JobOutcome::Discarded, at: scene.at() };
            scene.apply(event);
        }
        assert!((1..=12).contains(&scene.told.len()), "each {period} minutes: {} messages", scene.told.len());
    }
}

#[test]
fn an_orchestrator_that_lacks_the_live_release_is_told_after_an_hour() {
    let mut scene = Scene::new(plan(0, &[]), &[]);
    let name = |text: &str| text.parse().unwrap();
    scene.facts.publishes_to = [name("izar"), name("tarn")].into();
    let seen = |orchestrator: &str, release: Option<&str>| Event::OrchestratorSeen {
        orchestrator: name(orchestrator),
        release: release.map(|release| release.parse().unwrap()),
    };
    let (to, release, at) = ("000001-000001".parse().unwrap(), "000001-000002".parse().unwrap(), scene.at());
    scene.apply(Event::RolledBack { to, release, at });
    scene.apply(seen("izar", Some("000001-000002")));
    scene.apply(seen("tarn", Some("000001-000001")));
    scene.apply(seen("gone", None));
    scene.pass(59 * MINUTE);
    assert_eq!(scene.told, []);
    scene.pass(MINUTE);
    let words = &scene.told[0].raised[0].words;
    assert_eq!((words.headline.as_str(), words.next.as_str()), ("tarn lacks the live release", "swarm finalize"));
    scene.apply(seen("tarn", Some("000001-000002")));
    scene.pass(11 * MINUTE);
    assert_eq!(scene.told[1].recovered.len(), 1);
}

#[test]
fn a_run_holds_failed_packages_back_and_is_told_itself_where_nothing_else_says_why() {
    let playbook: PlaybookName = "nightly-world".parse().unwrap();
    let begin = |scene: &mut Scene| {
        let (at, deadline) = (scene.at(), Some(Timestamp(scene.now + 5 * HOUR)));
        let run = crate::core::names::RunId::new(&playbook, at, 1);
        let (started, playbook) = (run.clone(), playbook.clone());
        scene.apply(Event::RunStarted(RunStart { run: started, playbook, due: None, deadline, at }));
        run
    };
    let end = |scene: &mut Scene, run: &crate::core::names::RunId, status: u8| {
        let (run, at) = (run.clone(), scene.at());
        scene.apply(Event::RunFinished(RunEnd { run, status, reason: "step 2 (push) failed".into(), at }));
    };
    let mut scene = Scene::new(plan(1, &[]), &[(4, 1), (4, 1)]);
    scene.now = HOUR;
    let run = begin(&mut scene);
    scene.pass(HOUR);
    assert_eq!(scene.told, [], "it may have other steps to do before it builds");
    scene.fail(1, 0, "drone0");
    scene.fail(2, 0, "drone1");
    scene.pass(3 * HOUR);
    assert_eq!(scene.told, [], "more may come");
    end(&mut scene, &run, 3);
    let (raised, _) = scene.headlines();
    assert_eq!(raised, ["app-lab/package0x-1.0 failed: build"], "the run failed by that alone");

    scene.now += 20 * HOUR;
    let run = begin(&mut scene);
    end(&mut scene, &run, 1);
    assert_eq!(scene.headlines().0, ["nightly-world failed: step 2 (push) failed"]);
    assert_eq!(
        scene.state.alarms.of(&Cause::Run { playbook: playbook.clone() }).unwrap().words.next,
        format!("swarm runs {run}")
    );
    scene.now += 24 * HOUR;
    let _lost = begin(&mut scene);
    scene.pass(6 * HOUR - MINUTE);
    assert_eq!(scene.told.len(), 2);
    scene.pass(MINUTE);
    assert_eq!(scene.told.len(), 2, "a run that is lost is the same trouble");
    let words = &scene.state.alarms.of(&Cause::Run { playbook: playbook.clone() }).unwrap().words;
    assert_eq!(words.headline, "nightly-world has come to no end");
    let run = begin(&mut scene);
    end(&mut scene, &run, 0);
    assert_eq!(scene.headlines().1, ["nightly-world has come to no end"]);
}

#[test]
fn a_full_disk_is_the_only_trouble_told_of_what_it_keeps_from_going_on() {
    let mut scene = Scene::new(plan(1, &[]), &[(4, 1)]);
    let (what, at) = ("/var/cache/swarm/staging".into(), scene.at());
    scene.apply(Event::DiskLow { what, free: 300 << 20, at });
    scene.pass(HOUR);
    assert_eq!(scene.told.len(), 1);
    let words = &scene.told[0].raised[0].words;
    assert_eq!(words.headline, "the disk of /var/cache/swarm/staging is nearly full");
    assert!(words.lines[0].starts_with("300 MiB were left at 1970-01-01"), "{words:?}");
    let at = scene.at();
    scene.apply(Event::DiskWell { at });
    let told = scene.headlines();
    assert_eq!(told.1, none().1, "it may be full again in a moment");
}

#[test]
fn a_snapshot_of_before_there_were_alarms_is_read_and_what_waits_in_it_is_found() {
    let mut body = serde_json::to_value(Scene::new(plan(1, &[]), &[(4, 1)]).state).unwrap();
    for key in ["alarms", "moved", "released_at"] {
        body.as_object_mut().unwrap().remove(key);
    }
    let state = State::of_snapshot(&serde_json::to_vec(&body).unwrap()).unwrap();
    assert!(state.alarms.is_empty());
    assert!(!look(&state, &Facts::default(), Timestamp(HOUR)).is_empty(), "it waits since its build was opened");
}

/// Something that happens, as far as it can.
#[derive(Debug, Clone, Copy)]
enum Luck {
    Fail(u32),
    Receive(u32),
    Retry,
    Pass(i64),
}

fn luck() -> impl Strategy<Value = Luck> {
    prop_oneof![
        (0..3u32).prop_map(Luck::Fail),
        (0..3u32).prop_map(Luck::Receive),
        Just(Luck::Retry),
        (1..100i64).prop_map(Luck::Pass),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_package_is_told_to_have_failed_at_most_once_more_than_to_be_well(
        lucks in proptest::collection::vec(luck(), 0..40)
    ) {
        let mut scene = Scene::new(plan(3, &[]), &[(4, 4), (4, 4)]);
        let mut number = 0;
        let mut balance: BTreeMap<Cause, i32> = BTreeMap::new();
        for luck in lucks {
            let phase = |scene: &Scene, package: u32| {
                scene.state.open_build().unwrap().packages[package as usize].phase.clone()
            };
            let needed = |scene: &Scene, package: u32| {
                matches!(phase(scene, package), crate::core::build::Phase::Needed)
            };
            match luck {
                Luck::Fail(package) if needed(&scene, package) => {
                    scene.fail(number + 1, package, "drone0");
                    if needed(&scene, package) {
                        scene.fail(number + 2, package, "drone1");
                    }
                    number += 2;
                }
                Luck::Receive(package) if needed(&scene, package) => {
                    number += 1;
                    scene.receive(number, package, "drone0");
                }
                Luck::Retry => {
                    let at = scene.at();
                    scene.apply(Event::RetryAsked { packages: BTreeSet::new(), at });
                }
                Luck::Pass(minutes) => scene.now += minutes * MINUTE,
                Luck::Fail(_) | Luck::Receive(_) => {}
            }
            for telling in scene.look() {
                for alarm in &telling.raised {
                    let told = balance.entry(alarm.cause.clone()).or_default();
                    *told += 1;
                    prop_assert_eq!(*told, 1, "{:?}", alarm.cause);
                }
                for alarm in &telling.recovered {
                    let told = balance.entry(alarm.cause.clone()).or_default();
                    *told -= 1;
                    prop_assert_eq!(*told, 0, "{:?}", alarm.cause);
                }
            }
        }
        // In the end what is told is what is.
        scene.now += 26 * HOUR;
        scene.look();
        let failed = scene.state.open_build().unwrap().packages.iter();
        let failed = failed.filter(|package| matches!(package.phase, crate::core::build::Phase::Failed)).count();
        let standing = scene.state.alarms.standing().filter(|alarm| alarm.cause.is_package());
        let told = standing.filter(|alarm| !alarm.told.is_empty()).count();
        prop_assert!(told >= failed);
    }
}
