//! The simple ways to compare with: one build at a time on each drone, as wide as the drone.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::graph::Graph;

/// What is taken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The graph's order.
    Merge,
    /// The longest path to the end.
    CriticalPath,
}

/// How long (seconds) a build lasts so; `noise` multiplies each package's time.
pub fn one_a_drone(graph: &Graph, cores: &[u32], order: Order, noise: &[f64]) -> f64 {
    let fastest = cores.iter().copied().max().unwrap_or(1);
    let tails = graph.tails(|cost| cost.alone(f64::from(fastest)));
    let rank = |package: u32| match order {
        Order::Merge => Reverse(0),
        Order::CriticalPath => Reverse((tails[package as usize] * 1000.0) as u64),
    };
    let packages = 0..graph.len() as u32;
    let mut missing: Vec<usize> = packages.clone().map(|package| graph.needs(package).len()).collect();
    let mut ready: BTreeSet<_> =
        packages.filter(|p| missing[*p as usize] == 0).map(|package| (rank(package), package)).collect();
    let mut busy: Vec<Option<(f64, u32)>> = vec![None; cores.len()];
    let mut now = 0.0;
    loop {
        while let Some(first) = ready.first().copied() {
            let idle = (0..cores.len()).filter(|drone| busy[*drone].is_none());
            let Some(drone) = idle.max_by_key(|drone| (cores[*drone], Reverse(*drone))) else { break };
            ready.remove(&first);
            let alone = graph.cost(first.1).alone(f64::from(cores[drone]));
            busy[drone] = Some((now + alone * noise.get(first.1 as usize).copied().unwrap_or(1.0), first.1));
        }
        let next = (0..cores.len()).filter_map(|drone| Some((busy[drone]?, drone)));
        let Some(((end, package), drone)) = next.min_by(|left, right| left.0.0.total_cmp(&right.0.0)) else {
            return now;
        };
        now = end;
        busy[drone] = None;
        for dependent in graph.dependents(package) {
            missing[*dependent as usize] -= 1;
            if missing[*dependent as usize] == 0 {
                ready.insert((rank(*dependent), *dependent));
            }
        }
    }
}
