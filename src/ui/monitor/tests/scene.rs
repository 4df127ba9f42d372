//! A build of ten packages in the middle: something of everything that there is to be seen.

use jiff::tz::TimeZone;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::core::alarm::{Cause, Words};
use crate::core::event::{DroneSpec, Event, JobOutcome, ReceivedFile, Rooms, RunEnd, RunStart, Selection, Trouble};
use crate::core::explain::explain;
use crate::core::failure::{Failure, FailureClass};
use crate::core::names::{BuildId, BuildName, Epoch, HostName, JobName, Timestamp};
use crate::core::overview::rest;
use crate::core::plan::{PackageIndex, Plan};
use crate::core::simulation::plan;
use crate::core::state::State;
use crate::core::status::Status;
use crate::core::texts::Fields;
use crate::schedule::estimate::Sample;
use crate::ui::monitor::{Link, Look, Marks, Message, Model, Palette, Said, Tone, Wish, update};
use crate::ui::progress::words;

/// When the build began: 2026-11-26 20:00:00 UTC.
pub const BEGAN: i64 = 1_795_723_200;
/// The moment that is shown.
pub const NOW: i64 = BEGAN + 5400;

const PACKAGES: [(&str, &[usize], f64); 10] = [
    ("dev-libs/openssl-3.3.2", &[], 300.0),
    ("dev-lang/python-3.13.1", &[0], 600.0),
    ("sys-devel/llvm-19.1.4", &[], 5400.0),
    ("dev-qt/qtbase-6.8.1", &[0], 900.0),
    ("media-libs/mesa-24.3.1", &[2], 400.0),
    ("dev-qt/qtwebengine-6.8.1", &[1, 3], 9000.0),
    ("net-libs/nodejs-22.12.0", &[0], 1500.0),
    ("www-client/firefox-133.0", &[2, 6], 4000.0),
    ("kde-plasma/kwin-6.2.4", &[3, 4, 5], 200.0),
    ("app-misc/tmux-3.5a", &[], 20.0),
];

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

fn build() -> BuildName {
    "20261126T200000".parse().unwrap()
}

fn job(number: u64) -> JobName {
    JobName::new(&build(), Epoch(3), number)
}

/// The plan of the scene.
fn scene_plan() -> Plan {
    let edges: Vec<(usize, usize)> =
        PACKAGES.iter().enumerate().flat_map(|(at, (_, needs, _))| needs.iter().map(move |need| (at, *need))).collect();
    let mut plan = plan(PACKAGES.len(), &edges);
    for package in &mut plan.packages {
        // Made as `package3x-1.0`: whatever order they are in, each gets the name that goes with its needs.
        let name = package.identity.cpv.to_string();
        let number: usize = name.trim_start_matches("app-lab/package").trim_end_matches("x-1.0").parse().unwrap();
        package.identity.cpv = PACKAGES[number].0.parse().unwrap();
    }
    plan.warnings.push("virtual/foo of the world is satisfied by nothing".to_owned());
    plan
}

/// What happened.
fn events() -> Vec<Event> {
    let at = |minutes: i64| Timestamp(BEGAN + 60 * minutes);
    let drone = |name: &str, cores| DroneSpec { name: host(name), cores, jobs: None, memory_mib: None };
    let ready = |name: &str| Event::DroneReady {
        drone: host(name),
        address: Some("10.0.0.7".to_owned()),
        rooms: Rooms::Own,
        memory_mib: None,
        configuration: None,
    };
    let index = |number: usize| {
        let plan = scene_plan();
        let wanted = PACKAGES[number].0;
        PackageIndex::at(plan.packages.iter().position(|own| own.identity.cpv.to_string() == wanted).unwrap())
    };
    let started = |number: u64, package: usize, drone: &str, minutes: i64| Event::JobStarted {
        job: job(number),
        package: index(package),
        drone: host(drone),
        build_ids: [(index(package), BuildId(1))].into(),
        width: 4,
        why: None,
        at: at(minutes),
    };
    let received = |number: u64, package: usize, minutes: i64| Event::PackageReceived {
        job: job(number),
        package: index(package),
        file: ReceivedFile {
            path: format!("{}-1.gpkg.tar", PACKAGES[package].0),
            build_id: BuildId(1),
            stanza: Fields::default(),
            imprint: None,
        },
        cost: None,
        at: at(minutes),
    };
    let delivered = |number: u64, minutes: i64| Event::JobEnded {
        job: job(number),
        outcome: JobOutcome::Delivered,
        at: at(minutes),
    };
    let reason = "unsatisfied \u{1b}[2Jdependency: >=net-dns/c-ares-1.34".to_owned();
    let failure = Failure { class: FailureClass::Config, reason };
    let failed = |number: u64, minutes: i64| Event::JobEnded {
        job: job(number),
        outcome: JobOutcome::Failed { failure: failure.clone(), log: None },
        at: at(minutes),
    };
    let controller = "altair".parse().unwrap();
    let samples = PACKAGES.iter().map(|(cpv, _, seconds)| Sample {
        cpv: cpv.parse().unwrap(),
        wall_s: *seconds,
        cpu_s: Some(*seconds * 4.0),
        width: Some(4),
        memory_mib: None,
        drone: None,
        at: Timestamp(0),
    });
    vec![
        Event::EpochClaimed { epoch: Epoch(3), controller, voters: [].into(), at: at(0) },
        Event::HistoryImported { samples: samples.collect() },
        Event::FleetDeclared { drones: vec![drone("izar", 16), drone("tarn", 8), drone("vega", 4)] },
        Event::ReleaseSeen { release: Some("20261125T030000".parse().unwrap()) },
        Event::RunStarted(RunStart {
            run: "r-night".parse().unwrap(),
            playbook: "nightly-world".parse().unwrap(),
            due: None,
            deadline: None,
            at: at(-1000),
        }),
        Event::RunFinished(RunEnd {
            run: "r-night".parse().unwrap(),
            status: 3,
            reason: "1 package failed".to_owned(),
            at: at(-900),
        }),
        Event::BuildOpened {
            build: build(),
            selection: Selection::World,
            plan: scene_plan(),
            live: [].into(),
            rebuild: false,
            at: at(0),
        },
        ready("izar"),
        ready("tarn"),
        started(1, 0, "izar", 0),
        started(2, 2, "izar", 1),
        received(1, 0, 5),
        delivered(1, 5),
        started(3, 1, "tarn", 6),
        received(3, 1, 17),
        delivered(3, 17),
        started(4, 6, "tarn", 18),
        failed(4, 20),
        started(5, 6, "izar", 20),
        failed(5, 22),
        Event::DroneAway {
            drone: host("vega"),
            trouble: Trouble::Unreachable,
            reason: "no route to\u{1b}]0;gone\u{7} host".to_owned(),
            at: at(30),
        },
        Event::DrainAsked { drone: host("tarn"), drain: true, at: at(40) },
        started(6, 3, "izar", 80),
        Event::AlarmRaised {
            cause: Cause::Package { driver: host("capella"), package: "nodejs-22.12.0".to_owned() },
            words: Words {
                headline: "net-libs/nodejs-22.12.0 cannot be built".to_owned(),
                lines: Vec::new(),
                next: "swarm explain nodejs".to_owned(),
            },
            attended: false,
            at: at(85),
        },
    ]
}

/// The state to which all that leads.
pub fn state() -> State {
    events().iter().fold(State::default(), |mut state, event| {
        state.apply(event).unwrap();
        state
    })
}

/// How it looks so many seconds after what the scene shows.
pub fn look(state: &State, later: i64) -> Look {
    let now = Timestamp(NOW + later);
    Look::of(state, Status::of(state, None, now), rest(state, now), now)
}

/// What is shown of it, and keys pressed.
pub struct Scene {
    /// What is shown.
    pub model: Model,
    /// What was wanted.
    pub wishes: Vec<Wish>,
    state: State,
}

impl Scene {
    /// Before anything is known.
    pub fn empty(size: (u16, u16), coloured: bool) -> Self {
        let palette = Palette { coloured, marks: if coloured { Marks::UNICODE } else { Marks::ASCII } };
        let model = Model::new("argo".to_owned(), TimeZone::UTC, palette, Timestamp(NOW));
        let mut scene = Self { model, wishes: Vec::new(), state: State::default() };
        scene.tell(Message::Resized(size.0, size.1));
        scene
    }

    /// In the middle of the build.
    pub fn new(size: (u16, u16), coloured: bool) -> Self {
        let mut scene = Self::empty(size, coloured);
        let mut state = State::default();
        let mut said = Vec::new();
        for event in events() {
            state.apply(&event).unwrap();
            let tone = if matches!(event, Event::PackageReceived { .. }) { Tone::Good } else { Tone::Plain };
            let at = Timestamp(BEGAN + 60 * i64::try_from(said.len()).unwrap());
            said.extend(words(&event, &state).map(|text| Said { at, text, tone }));
        }
        scene.tell(Message::Link(Link::Here { at_work: true }));
        scene.tell(Message::Happened(said));
        scene.tell(Message::Look(Box::new(look(&state, 0))));
        scene.state = state;
        scene
    }

    /// Tells it something.
    pub fn tell(&mut self, message: Message) {
        let wish = update(&mut self.model, message);
        if let Some(Wish::Explain(label)) = &wish {
            let build = self.state.latest_build().unwrap();
            let lines = explain(&self.state, build, build.find(label).unwrap(), Timestamp(NOW));
            update(&mut self.model, Message::Explained { label: label.clone(), lines });
        }
        self.wishes.extend(wish);
    }

    /// Presses these keys.
    pub fn press(&mut self, keys: &str) {
        for character in keys.chars() {
            self.key(match character {
                '\t' => KeyCode::Tab,
                '\n' => KeyCode::Enter,
                '\u{1b}' => KeyCode::Esc,
                '\u{8}' => KeyCode::Backspace,
                character => KeyCode::Char(character),
            });
        }
    }

    /// Presses a key.
    pub fn key(&mut self, code: KeyCode) {
        self.tell(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    /// Presses a key together with Ctrl.
    pub fn control(&mut self, character: char) {
        self.tell(Message::Key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::CONTROL)));
    }
}
