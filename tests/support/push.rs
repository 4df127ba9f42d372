//! A push of the real controller over fake drones: session, journal, staging and loop are the real ones.
//!
//! With a paused clock (`#[tokio::test(start_paused = true)]`) time passes only while everybody waits for time. Three
//! things about that:
//! - what runs in `spawn_blocking` holds the clock still until it is done, so hashing, syncing and copying cost none;
//! - for the same reason a *download* that stands still never times out there (its writer blocks a thread): a test of
//!   that needs a running clock and a short `stall_timeout`;
//! - the controller dates by [`swarm::controller::now`], which goes with the runtime's clock; file times do not.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use swarm::controller::run::{self, Finish, Halt, Orders, Outside};
use swarm::controller::{ControlError, Observer, Session, now};
use swarm::core::build::Phase;
use swarm::core::decide::End;
use swarm::core::event::{Event, JobOutcome, Selection};
use swarm::core::failure::FailureClass;
use swarm::core::names::Timestamp;
use swarm::core::package::Identity;
use swarm::core::plan::{Edge, EdgeKind, PackageIndex, Plan, PlannedPackage};
use swarm::core::state::State;
use swarm::inventory::{Inventory, Surroundings};
use swarm::ssh::Host;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::drone::FakeDrone;
use super::package::ebuild_digest;
use super::workshop::Workshop;

/// The name of the package with this number.
pub fn cpv(number: usize) -> String {
    format!("app-lab/package{number}x-1.0")
}

/// A plan of `size` packages in which the first of each pair needs the second.
pub fn plan(size: usize, edges: &[(usize, usize)]) -> Plan {
    let identity = |number: usize| Identity {
        cpv: cpv(number).parse().unwrap(),
        slot: "0".parse().unwrap(),
        repository: "gentoo".to_owned(),
        ebuild_digest: ebuild_digest(),
        use_flags: ["amd64", "nls"].into_iter().collect(),
        chost: "x86_64-pc-linux-gnu".to_owned(),
        compiler: [("CFLAGS", "-O2 -march=x86-64-v3")].into_iter().collect(),
        linked: Default::default(),
    };
    let edge = |(from, to): &(usize, usize)| Edge {
        from: PackageIndex::at(*from),
        to: PackageIndex::at(*to),
        kinds: EdgeKind::Buildtime.into(),
    };
    Plan {
        driver: "capella".parse().unwrap(),
        packages: (0..size)
            .map(|number| PlannedPackage { identity: identity(number), requested: true, oddities: BTreeSet::new() })
            .collect(),
        edges: edges.iter().map(edge).collect(),
        index_header: BTreeMap::from([("ARCH".to_owned(), "amd64".to_owned())]),
        warnings: Vec::new(),
    }
    .in_order()
}

/// A fleet with a plan.
pub struct Fleet {
    /// The controller's side; in memory, unless syncing a disk is part of what is measured.
    pub directory: TempDir,
    /// What the drones share.
    pub workshop: Arc<Workshop>,
    /// The drones: `drone0`, `drone1` …
    pub drones: Vec<FakeDrone>,
    plan: Mutex<Plan>,
    jobs: u32,
    lost_after: Duration,
    until: Option<Timestamp>,
    limits: String,
    direct: bool,
    forgetful: bool,
    channels: String,
}

impl Fleet {
    /// So many drones, all well.
    pub fn new(plan: Plan, drones: usize) -> Self {
        let workshop = Arc::new(Workshop::new(&plan));
        let drones = (0..drones).map(|number| FakeDrone::new(&format!("drone{number}"), &workshop)).collect();
        Self {
            directory: super::memory(),
            workshop,
            drones,
            plan: Mutex::new(plan),
            jobs: 1,
            lost_after: Duration::from_secs(600),
            until: None,
            limits: String::new(),
            direct: false,
            forgetful: false,
            channels: String::new(),
        }
    }

    /// Each drone gets so many jobs at once.
    pub fn jobs(mut self, jobs: u32) -> Self {
        self.jobs = jobs;
        self
    }

    /// A drone that is away for so long is no longer waited for.
    pub fn lost_after(mut self, time: Duration) -> Self {
        self.lost_after = time;
        self
    }

    /// What `[limits]` of the inventory has.
    pub fn limits(mut self, limits: &str) -> Self {
        self.limits = limits.to_owned();
        self
    }

    /// Reaches the drones without SSH.
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    /// Keeps neither scripts nor events, nor the plan once it is pushed: where memory is measured, or runs are many, they
    /// would count.
    pub fn forgetful(mut self) -> Self {
        self.forgetful = true;
        self.with_hosts(super::FakeHost::forgetful)
    }

    /// Alarms are told by these channels, as an inventory has them.
    pub fn channels(mut self, channels: &str) -> Self {
        self.channels = channels.to_owned();
        self
    }

    /// Changes the drones' hosts before their first connection.
    pub fn with_hosts(mut self, change: impl Fn(super::FakeHost) -> super::FakeHost) -> Self {
        self.drones = self.drones.into_iter().map(|drone| drone.with_host(&change)).collect();
        self
    }

    /// A path on the controller's side.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn inventory(&self) -> Inventory {
        let path = |name: &str| self.path(name).display().to_string();
        let mut text = format!(
            "[swarm]\nname = \"test\"\ndriver = \"capella\"\nstaging = {:?}\nproduction = {:?}\nstate = {:?}\n\
             lost_after = \"{}s\"\n[limits]\n{}\n[hosts.capella]\naddress = \"10.42.0.100\"\n",
            path("staging"),
            path("production"),
            path("state"),
            self.lost_after.as_secs(),
            self.limits,
        );
        for number in 0..self.drones.len() {
            text +=
                &format!("[drones.drone{number}]\naddress = \"drone{number}.test\"\ncores = 4\njobs = {}\n", self.jobs);
        }
        text += &self.channels;
        let surroundings = Surroundings { home: Some(self.path("home")), ..Surroundings::default() };
        Inventory::parse_at(&[(PathBuf::from("fleet.toml"), text)], surroundings).unwrap()
    }

    /// Nothing is started from this moment on.
    pub fn until(&mut self, until: Option<Timestamp>) {
        self.until = until;
    }

    /// Works the plan off, or goes on with it.
    pub async fn push(&self) -> Pushed {
        self.push_while(std::future::pending()).await
    }

    /// The same while something happens; when that is over the push is interrupted, unless it has ended before.
    pub async fn push_while(&self, happens: impl Future<Output = ()>) -> Pushed {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut session = self.session_seen_by(&seen).await;
        if session.state().open_build().is_none() {
            session.record(&self.opening("build1", self.planned())).unwrap();
        }
        let begun = tokio::time::Instant::now();
        let finish = work_off(&mut session, self.until, happens).await;
        let took = begun.elapsed();
        session.close(finish.as_ref().err()).await.unwrap();
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        Pushed { finish, took, events: seen.events, notes: seen.notes, state: session.state().clone() }
    }

    /// The plan, for the build that is opened with it.
    fn planned(&self) -> Plan {
        let mut kept = self.plan.lock().unwrap();
        if self.forgetful { std::mem::replace(&mut *kept, plan(0, &[])) } else { kept.clone() }
    }

    /// A controller of this fleet.
    pub async fn session(&self) -> Session {
        self.session_seen_by(&Arc::default()).await
    }

    async fn session_seen_by(&self, seen: &Arc<Mutex<Seen>>) -> Session {
        let hosts = self.drones.iter().map(|drone| {
            let host: Arc<dyn Host> = if self.direct { Arc::new(drone.direct()) } else { Arc::new(drone.host()) };
            (host.name().clone(), host)
        });
        let watcher = Box::new(Watcher((!self.forgetful).then(|| Arc::clone(seen))));
        Session::open_on(self.inventory(), hosts.collect(), watcher).await.unwrap()
    }

    /// The event that opens a build of the world.
    pub fn opening(&self, build: &str, plan: Plan) -> Event {
        let (build, live) = (build.parse().unwrap(), BTreeMap::new());
        Event::BuildOpened { build, selection: Selection::World, plan, live, rebuild: false, at: now() }
    }

    /// Checks what holds after every push that is complete: each package is staged once and whole, and was built with
    /// all that it needs.
    #[track_caller]
    pub fn assert_complete(&self, pushed: &Pushed) {
        assert!(matches!(pushed.finish, Ok(Finish::Ended(End::Complete))), "{pushed:#?}");
        assert_eq!(self.workshop.complaints(), Vec::<String>::new());
        let staged = files(&self.path("staging"));
        assert_eq!(staged.len(), self.plan.lock().unwrap().packages.len(), "{staged:?}");
        for (_, file) in pushed.state.open_build().unwrap().received() {
            assert!(staged.contains(&file.path), "{} is not staged", file.path);
            swarm::portage::gpkg::read(&self.path("staging").join(&file.path)).unwrap();
        }
    }

    /// The same, and nothing was built twice, and no drone has anything of ours left.
    #[track_caller]
    pub fn assert_complete_and_compiled_once(&self, pushed: &Pushed) {
        self.assert_complete(pushed);
        let times = self.workshop.compilations();
        assert!(times.values().all(|times| *times == 1), "{times:?}\n{pushed:#?}");
        self.assert_clean();
    }

    /// No drone has a job's directory left.
    #[track_caller]
    pub fn assert_clean(&self) {
        for (number, drone) in self.drones.iter().enumerate() {
            assert_eq!(drone.jobs(), Vec::<String>::new(), "on drone{number}");
        }
    }
}

/// Works off what is open while something happens; when that is over this is interrupted, unless it has ended before.
pub async fn work_off(
    session: &mut Session,
    until: Option<Timestamp>,
    happens: impl Future<Output = ()>,
) -> Result<Finish, ControlError> {
    let drones = session.state().drones.keys().cloned().collect();
    let (halt, halts) = mpsc::channel(1);
    let (_ask, asked) = mpsc::channel(1);
    let mut outside = Outside { halts, asked };
    let orders = Orders { drones, take_over: false, until };
    let running = run::run(session, &orders, &mut outside);
    tokio::pin!(running);
    tokio::select! {
        biased;
        finish = &mut running => finish,
        () = happens => {
            let _over = halt.send(Halt::BySystem).await;
            running.await
        }
    }
}

/// The packages below a directory.
fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => waiting.push(path),
                false => {
                    found.insert(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
    }
    found
}

#[derive(Default)]
struct Seen {
    events: Vec<(Timestamp, Event)>,
    notes: Vec<String>,
}

struct Watcher(Option<Arc<Mutex<Seen>>>);

impl Observer for Watcher {
    fn saw(&mut self, event: &Event, _state: &State, at: Timestamp) {
        if let Some(seen) = &self.0 {
            seen.lock().unwrap().events.push((at, event.clone()));
        }
    }

    fn note(&mut self, text: &str) {
        if let Some(seen) = &self.0 {
            seen.lock().unwrap().notes.push(text.to_owned());
        }
    }
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    pub package: String,
    pub drone: String,
    pub class: FailureClass,
    pub reason: String,
}

/// How a push went.
pub struct Pushed {
    pub finish: Result<Finish, ControlError>,
    /// By the test's clock.
    pub took: Duration,
    pub events: Vec<(Timestamp, Event)>,
    pub notes: Vec<String>,
    pub state: State,
}

impl std::fmt::Debug for Pushed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What goes well is of no interest, and too long to read.
        let brief = |event: &Event| match event {
            Event::BuildOpened { .. } | Event::PackageReceived { .. } | Event::DroneReady { .. } => None,
            Event::JobEnded { outcome: JobOutcome::Delivered, .. } => None,
            Event::JobStarted { job, package, drone, .. } => Some(format!("{job} of {} on {drone}", package.0)),
            other => Some(format!("{other:?}")),
        };
        let events: Vec<_> =
            self.events.iter().filter_map(|(at, event)| Some(format!("{} {}", at.0, brief(event)?))).collect();
        formatter
            .debug_struct("Pushed")
            .field("finish", &self.finish)
            .field("took", &self.took)
            .field("events", &events)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}

impl Pushed {
    /// Every attempt that failed, in order.
    pub fn failures(&self) -> Vec<Failed> {
        let mut jobs = BTreeMap::new();
        let mut found = Vec::new();
        let label = |package: PackageIndex| self.state.latest_build().unwrap().label(package).to_owned();
        for (_, event) in &self.events {
            match event {
                Event::JobStarted { job, package, drone, .. } => {
                    jobs.insert(job.clone(), (label(*package), drone.to_string()));
                }
                Event::JobEnded { job, outcome: JobOutcome::Failed { failure, .. }, .. } => {
                    let (package, drone) = jobs[job].clone();
                    found.push(Failed { package, drone, class: failure.class, reason: failure.reason.clone() });
                }
                _ => {}
            }
        }
        found
    }

    /// The classes of the failures, with their drones.
    pub fn failure_classes(&self) -> Vec<(String, FailureClass)> {
        self.failures().into_iter().map(|failed| (failed.drone, failed.class)).collect()
    }

    /// The packages that were received, in order.
    pub fn received(&self) -> Vec<String> {
        let label = |package: PackageIndex| self.state.latest_build().unwrap().label(package).to_owned();
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::PackageReceived { package, .. } => Some(label(*package)),
                _ => None,
            })
            .collect()
    }

    /// The packages that failed for good.
    pub fn failed(&self) -> Vec<String> {
        let build = self.state.latest_build().unwrap();
        let packages = build.packages.iter().enumerate();
        packages
            .filter(|(_, package)| matches!(package.phase, Phase::Failed))
            .map(|(index, _)| build.label(PackageIndex::at(index)).to_owned())
            .collect()
    }
}
