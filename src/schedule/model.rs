//! A build on an imagined fleet.
//!
//! A drone has C cores. A job needs one core for its serial seconds, then works on up to its width; where demand
//! exceeds C, cores are shared in proportion to it ([`super::load`]). Noise S multiplies a job's true time by
//! exp(S·N(0,1)), which the scheduler does not see. Event-driven: each change of a demand costs the drones.

use super::graph::Graph;
use super::load::Load;
use super::policy::{Decision, Drone, Scheduler, Settings};
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

/// The least time (seconds) that any schedule takes without noise: the critical path on the fastest drone's cores, or
/// all work divided by all cores.
pub fn lower_bound(graph: &Graph, fleet: &[Drone]) -> f64 {
    let fastest = fleet.iter().map(|drone| drone.cores).max().unwrap_or(1);
    let cores: f64 = fleet.iter().map(|drone| f64::from(drone.cores)).sum();
    graph.tails(f64::from(fastest)).into_iter().fold(0.0, f64::max).max(graph.work() / cores.max(1.0))
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
    settings: &Settings,
    noise: &[f64],
    mut seen: impl FnMut(f64, u32, Option<&Decision>),
) -> Outcome {
    let mut scheduler = Scheduler::new(graph, fleet, settings.clone());
    let mut truth: Vec<Load> = fleet.iter().map(|drone| Load::new(drone.cores)).collect();
    let (mut now, mut work) = (0.0, 0.0);
    loop {
        for decision in scheduler.decide(now) {
            let cost = graph.cost(decision.package);
            let factor = noise.get(decision.package as usize).copied().unwrap_or(1.0);
            work += cost.work() * factor;
            let load = &mut truth[decision.drone];
            load.run_to(now);
            load.start(decision.package, cost.serial * factor, cost.cpu * factor, decision.width);
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
                if let Some(package) = load.step() {
                    scheduler.ended(package, drone, now, true);
                    seen(now, package, None);
                }
            }
        }
    }
    let cores: f64 = fleet.iter().map(|drone| f64::from(drone.cores)).sum();
    Outcome { makespan: now, utilisation: if now > 0.0 { work / (cores * now) } else { 1.0 } }
}
