//! How much waits for each package: the longest path from it to the end of the whole.
//!
//! Paths are reckoned on a part of the fastest drone, since a job there seldom has it for itself. Cost: linear in
//! packages and dependencies, once for a graph and a fastest drone.

use super::drone::Drone;
use super::graph::Graph;
use super::queue::Rank;

/// The share of the fastest drone's cores that a package of a path is reckoned to have.
const SHARE: f64 = 0.7;

/// The paths of a graph.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paths {
    tails: Vec<f64>,
    after: Vec<f64>,
}

impl Paths {
    /// The paths where this drone is the fastest.
    pub fn new(graph: &Graph, fastest: &Drone) -> Self {
        let cores = (f64::from(fastest.cores) * SHARE).max(1.0);
        let tails = graph.tails(|cost| fastest.takes(cost, cores));
        let after = (0..graph.len() as u32).map(|package| graph.after(&tails, package)).collect();
        Self { tails, after }
    }

    /// Seconds from a package's start to the end of all that waits for it.
    pub fn tail(&self, package: u32) -> f64 {
        self.tails.get(package as usize).copied().unwrap_or_default()
    }

    /// Seconds from a package's end to the end of all that waits for it.
    pub fn after(&self, package: u32) -> f64 {
        self.after.get(package as usize).copied().unwrap_or_default()
    }

    /// Where a package stands among those that can start.
    pub fn rank(&self, package: u32) -> Rank {
        Rank::new(self.tail(package), package)
    }

    /// What follows a package on its path, and what follows that, and so on.
    pub fn chain<'a>(&'a self, graph: &'a Graph, package: u32) -> impl Iterator<Item = u32> {
        let follows = move |package: &u32| {
            let dependents = graph.dependents(*package).iter().copied();
            dependents.max_by(|left, right| self.tail(*left).total_cmp(&self.tail(*right)).then(right.cmp(left)))
        };
        std::iter::successors(follows(&package), follows)
    }
}
