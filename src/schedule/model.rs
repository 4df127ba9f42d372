//! A build on an imagined fleet.
//!
//! A drone has C cores. A job needs one core for its serial seconds, then works on up to its width; where demand
//! exceeds C, cores are shared in proportion to it ([`super::load`]). Noise S multiplies a job's true time by
//! exp(S·N(0,1)), which the scheduler does not see. Event-driven: each change of a demand costs the drones.

use super::drone::Drone;
use super::graph::{Cost, Graph};
use super::load::Load;
use super::paths::Paths;
use super::policy::{Decision, Scheduler};
use super::queue::Queue;
use super::random::normal;
use crate::seeded::Seeded;

/// How a build went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Seconds from the first start to the last end.
    pub makespan: f64,
    /// The share of all core seconds until then that were used.
    pub utilisation: f64,
}

/// The least time (seconds) that any schedule takes without noise: the critical path with each package alone on the
/// drone that is fastest for it, or all work divided by what all drones do.
pub fn lower_bound(graph: &Graph, fleet: &[Drone]) -> f64 {
    let alone = |cost: Cost| {
        let each = fleet.iter().map(|drone| drone.takes(cost, f64::from(drone.cores)));
        each.fold(f64::INFINITY, f64::min)
    };
    let power: f64 = fleet.iter().map(Drone::power).sum();
    if power > 0.0 { graph.tails(alone).into_iter().fold(graph.work() / power, f64::max) } else { f64::INFINITY }
}

/// By package: the factor of its true time.
pub fn noise(size: usize, deviation: f64, seed: u64) -> Vec<f64> {
    let mut chance = Seeded::new(seed);
    (0..size).map(|_| (deviation * normal(&mut chance)).exp()).collect()
}

/// Plays a build, deciding at each event from what waits and what runs, as the controller does. `seen` is told each
/// decision with its moment, and each end (`None`).
pub fn play(
    graph: &Graph,
    fleet: &[Drone],
    noise: &[f64],
    mut seen: impl FnMut(f64, u32, Option<&Decision>),
) -> Outcome {
    let paths = Drone::fastest(fleet).map(|fastest| Paths::new(graph, fastest)).unwrap_or_default();
    let mut build = Played {
        graph,
        fleet,
        noise,
        queue: Queue::whole(graph, &paths),
        paths: &paths,
        missing: (0..graph.len() as u32).map(|package| graph.needs(package).len()).collect(),
        sites: fleet.iter().map(|drone| Site { truth: Load::new(drone.cores), running: Vec::new() }).collect(),
        now: 0.0,
        work: 0.0,
    };
    loop {
        while build.start(&mut seen) {}
        let next = build.sites.iter().map(|site| site.truth.next()).fold(f64::INFINITY, f64::min);
        if next.is_infinite() {
            break;
        }
        build.now = next.max(build.now);
        for drone in 0..build.sites.len() {
            // What falls on one moment but for rounding is one event.
            while build.sites[drone].truth.next() <= build.now + 1e-9 {
                build.step(drone, &mut seen);
            }
        }
    }
    let power: f64 = fleet.iter().map(Drone::power).sum();
    let (now, work) = (build.now, build.work);
    Outcome { makespan: now, utilisation: if now > 0.0 { work / (power * now) } else { 1.0 } }
}

/// A drone in truth, and what the scheduler knows of it: package, width and start of what runs.
struct Site {
    truth: Load,
    running: Vec<(u32, u32, f64)>,
}

/// A build that is being played.
struct Played<'a> {
    graph: &'a Graph,
    fleet: &'a [Drone],
    noise: &'a [f64],
    paths: &'a Paths,
    queue: Queue,
    missing: Vec<usize>,
    sites: Vec<Site>,
    now: f64,
    work: f64,
}

impl Played<'_> {
    /// Starts what is decided; whether there was anything.
    fn start(&mut self, seen: &mut impl FnMut(f64, u32, Option<&Decision>)) -> bool {
        let mut scheduler = Scheduler::new(self.graph, self.paths, &self.queue, self.fleet);
        for (drone, site) in self.sites.iter().enumerate() {
            for (package, width, since) in &site.running {
                scheduler.running(*package, drone, *width, *since);
            }
        }
        let decisions = scheduler.decide(self.now, &|_, _| true);
        for decision in &decisions {
            let (package, width) = (decision.package, decision.width);
            let (cost, drone) = (self.graph.cost(package), &self.fleet[decision.drone]);
            let factor = self.noise.get(package as usize).copied().unwrap_or(1.0);
            self.work += cost.work() * factor;
            self.queue.remove(self.paths.rank(package));
            self.queue.leave(cost);
            let site = &mut self.sites[decision.drone];
            site.truth.run_to(self.now);
            site.truth.start(&drone.job(package, cost.times(factor), width));
            site.running.push((package, width, self.now));
            seen(self.now, package, Some(decision));
        }
        !decisions.is_empty()
    }

    /// The next change on a drone comes about.
    fn step(&mut self, drone: usize, seen: &mut impl FnMut(f64, u32, Option<&Decision>)) {
        let site = &mut self.sites[drone];
        site.truth.run_to(self.now);
        let Some(package) = site.truth.step() else { return };
        site.running.retain(|(running, ..)| *running != package);
        for dependent in self.graph.dependents(package) {
            let missing = &mut self.missing[*dependent as usize];
            *missing -= 1;
            if *missing == 0 {
                self.queue.insert(self.paths.rank(*dependent));
            }
        }
        seen(self.now, package, None);
    }
}
