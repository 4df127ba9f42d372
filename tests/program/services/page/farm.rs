//! A build that was never there: a journal as a controller writes it, played on drones that only count the seconds.
//!
//! All of it follows from numbers, so that each run shows the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use swarm::core::alarm::{Cause, Words};
use swarm::core::build::Phase;
use swarm::core::event::{
    Cost, DroneSpec, Event, JobOutcome, ReceivedFile, Rooms, RunEnd, RunStart, Selection, Trouble, Why,
};
use swarm::core::failure::{Failure, FailureClass};
use swarm::core::names::{BuildId, BuildName, Epoch, HostName, JobName, Timestamp};
use swarm::core::plan::{Edge, EdgeKind, PackageIndex, Plan};
use swarm::core::state::State;
use swarm::schedule::estimate::Sample;
use swarm::store::{Journal, Lock};

use crate::plans::planned;
use crate::services::place::wait;

const WORDS: [&str; 24] = [
    "dev-libs/openssl",
    "dev-lang/python",
    "sys-apps/dbus",
    "media-libs/mesa",
    "x11-libs/cairo",
    "dev-qt/qtbase",
    "net-misc/curl",
    "app-editors/vim",
    "sys-devel/gcc",
    "dev-db/sqlite",
    "media-video/ffmpeg",
    "www-client/firefox",
    "kde-frameworks/kio",
    "sys-libs/ncurses",
    "dev-vcs/git",
    "app-arch/zstd",
    "x11-libs/gtk+",
    "dev-util/cmake",
    "media-gfx/imagemagick",
    "sys-fs/btrfs-progs",
    "net-print/cups",
    "dev-perl/XML-Parser",
    "app-text/poppler",
    "gui-libs/wlroots",
];
const DRONES: [(&str, u32); 5] = [("izar", 16), ("mizar", 8), ("alcor", 8), ("tarazed", 4), ("vega", 32)];
/// What a build log ends with, and what must not run.
pub const REASON: &str = "compile phase: <img src=x onerror=\"document.title='ran'\"> </script><script>document.title='ran'</script> \
                          \u{1b}]0;ran\u{7}\u{1b}[31merror\u{1b}[0m: \u{202e}desrever\u{202c} 'x' undeclared";

/// A journal that is being written. As long as it is there no controller can begin to work on it.
pub struct Farm {
    directory: PathBuf,
    _lock: Lock,
    journal: Journal,
    /// What it says.
    pub state: State,
    seconds: Vec<u64>,
    /// Jobs at work, with their end.
    at_work: HashMap<JobName, i64>,
    now: i64,
    fails: BTreeSet<usize>,
}

/// A number that looks as if by chance.
fn luck(of: u64, below: u64) -> u64 {
    let mixed = (of + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) % below
}

/// The label of a package.
pub fn label(number: usize) -> String {
    match number / WORDS.len() {
        0 => format!("{}-1.2", WORDS[number]),
        round => format!("{}{round}x-1.{}", WORDS[number % WORDS.len()], number % 7),
    }
}

fn drone(number: usize) -> HostName {
    DRONES[number].0.parse().unwrap()
}

fn plan(size: usize) -> Plan {
    // Each needs some of those not far before it.
    let mut edges = BTreeSet::new();
    for from in 1..size {
        for nth in 0..luck(from as u64, 4) {
            let back = 1 + luck(from as u64 * 31 + nth, 24.min(from as u64)) as usize;
            edges.insert((from, from - back));
        }
    }
    let edge =
        |(from, to)| Edge { from: PackageIndex::at(from), to: PackageIndex::at(to), kinds: EdgeKind::Buildtime.into() };
    Plan {
        driver: "capella".parse().unwrap(),
        packages: (0..size).map(|number| planned(&label(number), number % 3 == 0)).collect(),
        edges: edges.into_iter().map(edge).collect(),
        index_header: [].into(),
        warnings: vec!["app-misc/<b>bold</b> is in @world and nothing provides it".to_owned()],
    }
}

impl Farm {
    /// A build of so many packages, opened at that moment, on drones one of which is away.
    pub fn open(state: &Path, size: usize, at: i64) -> Self {
        let directory = state.to_owned();
        // An orchestrator that looks whether there is work has it for a moment.
        let mut lock = None;
        wait("nobody has the state directory", || {
            lock = Lock::take(state).ok();
            lock.is_some()
        });
        let lock = lock.unwrap();
        let journal = Journal::open(state).unwrap();
        let seconds = (0..size as u64).map(|number| 20 + luck(number, 300) * luck(number + 7, 6)).collect();
        let (at_work, fails) = Default::default();
        let mut farm =
            Self { directory, _lock: lock, journal, state: State::default(), seconds, at_work, now: at, fails };
        let at = Timestamp(at);
        farm.tell(Event::EpochClaimed {
            epoch: Epoch(3),
            controller: "altair".parse().unwrap(),
            voters: [].into(),
            at,
        });
        let spec =
            |number: usize| DroneSpec { name: drone(number), cores: DRONES[number].1, jobs: None, memory_mib: None };
        farm.tell(Event::FleetDeclared { drones: (0..DRONES.len()).map(spec).collect() });
        farm.tell(Event::RunBegun { lost_after: 900, at });
        for number in 0..DRONES.len() - 1 {
            farm.tell(Event::DroneReady {
                drone: drone(number),
                address: Some(format!("10.42.0.{number}")),
                rooms: Rooms::Own,
                memory_mib: None,
                configuration: None,
            });
        }
        let reason = "cannot be reached: connection refused".to_owned();
        farm.tell(Event::DroneAway { drone: drone(DRONES.len() - 1), trouble: Trouble::Unreachable, reason, at });
        let plan = plan(size);
        let samples = plan.packages.iter().enumerate().map(|(number, package)| Sample {
            cpv: package.identity.cpv.clone(),
            // The estimates are not quite right.
            wall_s: farm.seconds[number] as f64 * (0.7 + luck(number as u64 + 3, 60) as f64 / 100.0),
            cpu_s: None,
            width: None,
            memory_mib: None,
            drone: None,
            at: Timestamp(at.0 - 86_400),
        });
        let samples = samples.collect();
        farm.tell(Event::HistoryImported { samples });
        let build: BuildName = "20261126-210000".parse().unwrap();
        let live = BTreeMap::new();
        farm.tell(Event::BuildOpened { build, selection: Selection::World, plan, live, rebuild: false, at });
        farm
    }

    /// Besides, a disk is low, a run has failed, another build waits, and an orchestrator lacks the release.
    pub fn in_trouble(mut self) -> Self {
        let at = Timestamp(self.now);
        let words = Words {
            headline: "work waits and nothing is built".to_owned(),
            lines: Vec::new(),
            next: "swarm push".to_owned(),
        };
        let (playbook, run) = ("nightly-world", "20261126T010000Z-nightly-world");
        for event in [
            Event::DiskLow { what: "/var/lib/swarm".into(), free: 123 << 20, at },
            Event::AlarmRaised { cause: Cause::Waiting, words, attended: false, at },
            Event::OrchestratorSeen { orchestrator: "deneb".parse().unwrap(), release: None },
            Event::RunStarted(RunStart {
                run: run.parse().unwrap(),
                playbook: playbook.parse().unwrap(),
                due: None,
                deadline: None,
                at,
            }),
            Event::RunFinished(RunEnd {
                run: run.parse().unwrap(),
                status: 3,
                reason: "two packages failed".to_owned(),
                at,
            }),
            Event::BuildQueued {
                build: "20261126-220000".parse().unwrap(),
                selection: Selection::World,
                plan: plan(5),
                finalize: false,
                rebuild: false,
                at,
            },
        ] {
            self.tell(event);
        }
        self
    }

    /// These packages fail whenever they are built.
    pub fn failing(mut self, packages: impl IntoIterator<Item = usize>) -> Self {
        self.fails.extend(packages);
        self
    }

    /// Writes an event.
    pub fn tell(&mut self, event: Event) {
        self.state.apply(&event).unwrap();
        self.journal.append(&self.state, &event, Timestamp(self.now)).unwrap();
    }

    /// Lets the clock run up to this moment.
    pub fn play(mut self, until: i64) -> Self {
        loop {
            self.start_what_can();
            let next = self.at_work.iter().min_by_key(|(job, end)| (**end, (*job).clone()));
            let Some((job, end)) = next.map(|(job, end)| (job.clone(), *end)).filter(|(_, end)| *end <= until) else {
                self.now = until;
                return self;
            };
            self.now = end;
            self.end(&job);
        }
    }

    fn start_what_can(&mut self) {
        // The last one is away.
        for (number, (_, cores)) in DRONES.iter().enumerate().take(DRONES.len() - 1) {
            let name = drone(number);
            while self.state.jobs_on(&name).count() < *cores as usize / 4 {
                let build = self.state.open_build().unwrap();
                let tried = |package: &PackageIndex| {
                    build.packages[package.index()].attempts.iter().any(|attempt| attempt.drone == name)
                };
                let Some(package) = build.ready().find(|package| !tried(package)) else { break };
                self.start(package, number);
            }
        }
    }

    /// Starts a package on a drone.
    fn start(&mut self, package: PackageIndex, number: usize) {
        let build = &self.state.open_build().unwrap().name;
        let job = JobName::new(build, self.state.epoch, self.state.last_job + 1);
        let speed = u64::from(DRONES[number].1).clamp(4, 12);
        let took = self.seconds[package.index()] * 10 / speed + luck(package.index() as u64, 20);
        self.at_work.insert(job.clone(), self.now + took as i64);
        let build_ids = BTreeMap::from([(package, BuildId(1))]);
        let (drone, width, why, at) = (drone(number), 4, Some(Why::InTime(30)), Timestamp(self.now));
        self.tell(Event::JobStarted { job, package, drone, build_ids, width, why, at });
    }

    /// Ends a job.
    pub fn end(&mut self, job: &JobName) {
        self.at_work.remove(job);
        let at_work = self.state.jobs[job].clone();
        let (package, at) = (at_work.package, Timestamp(self.now));
        if self.fails.contains(&package.index()) {
            let failure = Failure { class: FailureClass::Build, reason: REASON.to_owned() };
            let cpv = &self.state.open_build().unwrap().identity(package).cpv;
            let log = Some(format!("logs/{}/{}/{job}.log", cpv.category(), cpv.pf()));
            return self.tell(Event::JobEnded { job: job.clone(), outcome: JobOutcome::Failed { failure, log }, at });
        }
        let cpv = self.state.open_build().unwrap().identity(package).cpv.clone();
        let path = format!("{}/{}-1.gpkg.tar", cpv.package(), cpv.pf());
        let stanza = std::iter::empty::<(&str, &str)>().collect();
        let file = ReceivedFile { path, build_id: BuildId(1), stanza, imprint: None };
        let wall_ms = 1000 * at.seconds_since(at_work.since);
        let cost = Some(Cost { wall_ms, cpu_ms: 2 * wall_ms, width: 4, memory_mib: None });
        self.tell(Event::PackageReceived { job: job.clone(), package, file, cost, at });
        self.tell(Event::JobEnded { job: job.clone(), outcome: JobOutcome::Delivered, at });
    }

    /// A job that is at work, the first by name.
    pub fn job(&self) -> JobName {
        self.at_work.keys().min().unwrap().clone()
    }

    /// Has a package fail for good: on the drone that builds it, and on another one.
    pub fn fail(&mut self) {
        let job = self.job();
        let (package, first) = (self.state.jobs[&job].package, self.state.jobs[&job].drone.clone());
        self.fails.insert(package.index());
        self.end(&job);
        let other = (0..DRONES.len() - 1).find(|number| drone(*number) != first).unwrap();
        self.start(package, other);
        let again = self.state.jobs.iter().find(|(_, job)| job.package == package);
        let again = again.map(|(job, _)| job.clone()).unwrap();
        self.end(&again);
    }

    /// Writes the logs of a package's jobs: the one that builds it, and those that were in vain.
    pub fn write_logs(&self, package: usize, text: &str) {
        let build = self.state.open_build().unwrap();
        let cpv = &build.identity(PackageIndex::at(package)).cpv;
        let directory = self.directory.join("logs").join(cpv.category()).join(cpv.pf());
        std::fs::create_dir_all(&directory).unwrap();
        let package = &build.packages[package];
        let at_work = match &package.phase {
            Phase::Delegated(job) => Some(job),
            _ => None,
        };
        for job in package.attempts.iter().map(|attempt| &attempt.job).chain(at_work) {
            std::fs::write(directory.join(format!("{job}.log")), text).unwrap();
        }
    }
}
