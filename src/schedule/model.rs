//! A build on an imagined fleet.
//!
//! A drone has C cores. A job needs one core for its serial seconds, then works on up to its width; where demand
//! exceeds C, cores are shared in proportion to it ([`super::load`]). Noise S multiplies a job's true time by
//! exp(S·N(0,1)), which the scheduler does not see. Event-driven: each change of a demand costs the drones.

use super::drone::Drone;
use super::graph::{Cost, Graph};
use super::load::{Job, Load};
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
        let each = fleet.iter().map(|drone| cost.alone(f64::from(drone.cores)) / drone.speed);
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

/// Plays a build. `seen` is told each decision with its moment, and each end (`None`).
pub fn play(
    graph: &Graph,
    fleet: &[Drone],
    noise: &[f64],
    mut seen: impl FnMut(f64, u32, Option<&Decision>),
) -> Outcome {
    let paths = Drone::fastest(fleet).map(|fastest| Paths::new(graph, fastest)).unwrap_or_default();
    let mut scheduler = Scheduler::new(graph, &paths, Queue::whole(graph, &paths), fleet);
    let mut missing: Vec<usize> = (0..graph.len() as u32).map(|package| graph.needs(package).len()).collect();
    let mut truth: Vec<Load> = fleet.iter().map(|drone| Load::new(drone.cores)).collect();
    let (mut now, mut work) = (0.0, 0.0);
    loop {
        for decision in all_decisions(&mut scheduler, now) {
            let (cost, drone) = (graph.cost(decision.package), &fleet[decision.drone]);
            let factor = noise.get(decision.package as usize).copied().unwrap_or(1.0);
            work += cost.work() * factor;
            let load = &mut truth[decision.drone];
            load.run_to(now);
            let (serial, cpu) = (cost.serial * factor / drone.speed, cost.cpu * factor / drone.speed);
            load.start(&Job { package: decision.package, serial, cpu, width: decision.width });
            seen(now, decision.package, Some(&decision));
        }
        let next = truth.iter().map(Load::next).fold(f64::INFINITY, f64::min);
        if next.is_infinite() {
            break;
        }
        now = next.max(now);
        for (drone, load) in truth.iter_mut().enumerate() {
            // What falls on one moment but for rounding is one event.
            while load.next() <= now + 1e-9 {
                load.run_to(now);
                let Some(package) = load.step() else { continue };
                scheduler.ended(package, drone, now);
                for dependent in graph.dependents(package) {
                    missing[*dependent as usize] -= 1;
                    if missing[*dependent as usize] == 0 {
                        scheduler.can_start(*dependent);
                    }
                }
                seen(now, package, None);
            }
        }
    }
    let power: f64 = fleet.iter().map(Drone::power).sum();
    Outcome { makespan: now, utilisation: if now > 0.0 { work / (power * now) } else { 1.0 } }
}

fn all_decisions(scheduler: &mut Scheduler<'_>, now: f64) -> Vec<Decision> {
    let mut all = Vec::new();
    loop {
        let more = scheduler.decide(now, &|_, _| true);
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}
