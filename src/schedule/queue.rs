//! What waits to be started: the packages that can start, the most urgent first, and the work of all that wait.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::graph::{Cost, Graph};
use super::paths::Paths;

/// The order of what can start: the longest path first, ties in the order of the packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    tail: Reverse<u64>,
    /// The package.
    pub package: u32,
}

impl Rank {
    pub(super) fn new(tail: f64, package: u32) -> Self {
        Self { tail: Reverse(milliseconds(tail)), package }
    }
}

/// What waits. Work is kept in whole milliseconds, so that its sum does not depend on the order of what happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Queue {
    ready: BTreeSet<Rank>,
    work: u64,
}

impl Queue {
    /// Everything waits, and what needs nothing can start.
    pub fn whole(graph: &Graph, paths: &Paths) -> Self {
        let mut queue = Self::default();
        for package in 0..graph.len() as u32 {
            queue.wait(graph.cost(package));
            if graph.needs(package).is_empty() {
                queue.insert(paths.rank(package));
            }
        }
        queue
    }

    /// A package is to be built some day.
    pub fn wait(&mut self, cost: Cost) {
        self.work = self.work.saturating_add(milliseconds(cost.work()));
    }

    /// A package waits no longer.
    pub fn leave(&mut self, cost: Cost) {
        self.work = self.work.saturating_sub(milliseconds(cost.work()));
    }

    /// A package can start.
    pub fn insert(&mut self, rank: Rank) {
        self.ready.insert(rank);
    }

    /// A package cannot start any more. Gives whether it could.
    pub fn remove(&mut self, rank: Rank) -> bool {
        self.ready.remove(&rank)
    }

    /// The work of all that wait, in seconds of one core.
    pub fn work(&self) -> f64 {
        self.work as f64 / 1000.0
    }

    /// What can start, the most urgent first.
    pub fn ready(&self) -> impl Iterator<Item = u32> {
        self.ready.iter().map(|rank| rank.package)
    }

    /// Whether none can.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}
