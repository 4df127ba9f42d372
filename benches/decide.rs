//! How long the controller takes to decide what to start: 30,000 packages with 280,000 dependencies, 200 drones of
//! unlike cores, speed and memory that take as many jobs as pay, and estimates that are wrong.
//!
//! A whole build is played on the controller's own state. Measured is what an event costs, from its coming in to the
//! decision that follows: jobs that end, fail and fail for good, drones that go and come back.
//! `just bench` runs it and prints the figures; it ends with status 1 where one is beyond its bar.
#![expect(clippy::expect_used, reason = "a benchmark may end anywhere")]

#[expect(dead_code, reason = "other benchmarks use more of it")]
mod fleet;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use swarm::core::decide::{Start, decide};
use swarm::core::event::{DroneSpec, Event, JobOutcome, ReceivedFile, Rooms, Selection};
use swarm::core::failure::{Failure, FailureClass};
use swarm::core::names::{BuildId, BuildName, ControllerName, Epoch, JobName, Timestamp};
use swarm::core::plan::{PackageIndex, Plan};
use swarm::core::state::State;
use swarm::core::texts::Fields;
use swarm::schedule::estimate::Sample;
use swarm::schedule::generate::generate;
use swarm::schedule::model::noise;

const PACKAGES: usize = 30_000;
/// How wrong estimates are: times are multiplied by exp(S·N(0,1)).
const NOISE: f64 = 0.3;
/// Every so manieth job is lost on its way, and every so manieth fails for good.
const BREAKS: usize = 40;
const FAILS: usize = 2_500;
/// After every so manieth event a drone goes and comes back.
const WEATHER: usize = 100;
const LONGEST_LOAD: Duration = Duration::from_secs(1);
const LONGEST_MEDIAN: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let mut swarm = Swarm::new();
    let (loaded, edges) = swarm.open();
    let mut decisions = swarm.play();
    decisions.sort_unstable();
    let at = |share: f64| decisions[((decisions.len() - 1) as f64 * share) as usize];
    println!(
        "{PACKAGES} packages, {edges} dependencies, {} drones: loaded in {} ms (bar {})",
        fleet::DRONES,
        loaded.as_millis(),
        LONGEST_LOAD.as_millis()
    );
    println!(
        "{} decisions: {} µs at the median (bar {}), {} µs for 99 of 100, {} µs at worst (bar {})",
        decisions.len(),
        at(0.5).as_micros(),
        LONGEST_MEDIAN.as_micros(),
        at(0.99).as_micros(),
        at(1.0).as_micros(),
        LONGEST.as_micros()
    );
    let good = loaded <= LONGEST_LOAD && at(0.5) <= LONGEST_MEDIAN && at(1.0) <= LONGEST;
    println!("{}", if good { "within the bars" } else { "BEYOND A BAR" });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A state, and jobs that end at their time.
struct Swarm {
    state: State,
    now: i64,
    ends: BinaryHeap<Reverse<(i64, JobName, PackageIndex)>>,
    /// By package: seconds that it takes on one core, work that it spreads, and how wrong that is.
    costs: Vec<(f64, f64, f64)>,
}

impl Swarm {
    fn new() -> Self {
        let noise = noise(PACKAGES, NOISE, 1);
        let costs =
            generate(PACKAGES, 1).into_iter().zip(noise).map(|(task, noise)| (task.serial_s, task.cpu_s, noise));
        let mut swarm =
            Self { state: State::default(), now: 1_790_000_000, ends: BinaryHeap::new(), costs: costs.collect() };
        let at = swarm.at();
        let controller: ControllerName = "altair".parse().expect("a name");
        swarm.apply(&Event::EpochClaimed { epoch: Epoch(7), controller, voters: [].into(), at });
        let free = |number| DroneSpec { jobs: None, ..fleet::spec(number) };
        swarm.apply(&Event::FleetDeclared { drones: (0..fleet::DRONES).map(free).collect() });
        swarm.apply(&Event::RunBegun { lost_after: 900, at });
        for number in 0..fleet::DRONES {
            swarm.apply(&ready(number));
        }
        // Three drones have built each package, so that it is known how fast they are.
        let samples = (0..3 * PACKAGES).map(|number| {
            let (package, drone) = (number / 3, number * 7 % fleet::DRONES);
            let (serial, cpu, _) = swarm.costs[package];
            let slower = 0.5 + (drone * 37 % 100) as f64 / 50.0;
            Sample {
                cpv: fleet::cpv(package),
                wall_s: (serial + cpu / 4.0) * slower,
                cpu_s: Some((serial + cpu) * slower),
                width: Some(4),
                memory_mib: Some(300 + (cpu / 8.0).min(8_000.0) as u32),
                drone: Some(fleet::drone(drone)),
                at,
            }
        });
        let samples = samples.collect();
        swarm.apply(&Event::HistoryImported { samples });
        swarm
    }

    fn at(&self) -> Timestamp {
        Timestamp(self.now)
    }

    fn apply(&mut self, event: &Event) {
        self.state.apply(event).expect("the events are sound");
    }

    /// Opens the build. Gives how long the plan took to be read and taken in, and how many dependencies it has.
    fn open(&mut self) -> (Duration, usize) {
        let text = serde_json::to_string(&fleet::plan(0, PACKAGES)).expect("a plan can be written");
        let begun = Instant::now();
        let plan: Plan = serde_json::from_str(&text).expect("a plan can be read");
        let edges = plan.edges.len();
        let build: BuildName = "20270101T000000".parse().expect("a name");
        let at = self.at();
        let (selection, live) = (Selection::World, BTreeMap::new());
        self.apply(&Event::BuildOpened { build, selection, plan, live, rebuild: false, at });
        (begun.elapsed(), edges)
    }

    /// Plays the build to its end. Gives how long each event took, with the decision after it.
    fn play(&mut self) -> Vec<Duration> {
        let mut took = Vec::new();
        let mut begun = Instant::now();
        loop {
            let decision = decide(&self.state, self.at());
            took.push(begun.elapsed());
            if !decision.starts.is_empty() {
                decision.starts.into_iter().for_each(|start| self.start(start));
                begun = Instant::now();
                continue;
            }
            if took.len().is_multiple_of(WEATHER) {
                let drone = took.len() / WEATHER;
                begun = Instant::now();
                self.apply(&fleet::away(drone, self.at()));
                decide(&self.state, self.at());
                took.push(begun.elapsed());
                begun = Instant::now();
                self.apply(&ready(drone));
                continue;
            }
            let Some(Reverse((now, job, package))) = self.ends.pop() else {
                // What has failed on its drone's account rests with it.
                let Some(until) = decision.wake_at else { break };
                self.now = until.0;
                begun = Instant::now();
                continue;
            };
            self.now = now;
            begun = Instant::now();
            self.end(job, package, took.len());
        }
        let received = self.state.open_build().map_or(0, |build| build.received().count());
        assert!(received > PACKAGES / 2, "only {received} packages are received");
        took
    }

    fn start(&mut self, start: Start) {
        let (serial, cpu, noise) = self.costs[start.package.index()];
        let seconds = (serial + cpu / f64::from(start.width)) * noise;
        self.ends.push(Reverse((self.now + seconds as i64 + 1, start.job.clone(), start.package)));
        let at = self.at();
        self.apply(&start.event(at));
    }

    fn end(&mut self, job: JobName, package: PackageIndex, number: usize) {
        let class = match number {
            number if number.is_multiple_of(FAILS) => Some(FailureClass::Build),
            number if number.is_multiple_of(BREAKS) => Some(FailureClass::Transfer),
            _ => None,
        };
        if let Some(class) = class {
            let failure = Failure { class, reason: "of this benchmark".to_owned() };
            let at = self.at();
            return self.apply(&Event::JobEnded { job, outcome: JobOutcome::Failed { failure, log: None }, at });
        }
        let cpv = fleet::cpv(package.index());
        let (build_id, at) = (BuildId(1), self.at());
        let path = format!("{}/{}-1.gpkg.tar", cpv.package(), cpv.pf());
        let file = ReceivedFile { stanza: Fields::default(), path, build_id, imprint: None };
        self.apply(&Event::PackageReceived { job: job.clone(), package, file, cost: None, at });
        self.apply(&Event::JobEnded { job, outcome: JobOutcome::Delivered, at });
    }
}

/// A drone comes into reach.
fn ready(number: usize) -> Event {
    let address = Some(format!("10.42.{number}.7"));
    let memory_mib = Some(8_000 << (number % 4));
    Event::DroneReady { drone: fleet::drone(number), address, rooms: Rooms::Own, memory_mib, configuration: None }
}
