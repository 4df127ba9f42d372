//! What to start next, where, and how wide.
//!
//! **Idea.** The end of the whole is reckoned anew at each decision, as the later of what the longest path and what the
//! work left allow ([`outlook`]); from it each package has a latest finish. Estimates are wrong, so a job may end
//! anywhere in a span around the moment that they give, and a place costs the seconds by which its job, and those that
//! it slows there, are then expected to be late ([`place`]). Packages are taken by the length of the path that waits for
//! them. One goes to the drone with a free core where that cost is least, unless it is less on one that is full: there
//! it shares the cores. Several jobs thus share a drone, so that its cores are busy in serial phases, and what the
//! longest path will need of the fastest drone is kept for it.
//!
//! **Constants** were chosen on graphs of [`super::generate`], for six fleets, with and without noise. None is sharp: a
//! factor of two in either direction costs less than 0.5%, and 3% at the most (how uncertain the end of the whole is).
//!
//! **Cost** of a decision: the jobs of the fleet, and for each package that is looked at (as many as are started and
//! [`PUT_OFF`]) the jobs of a few drones of each kind, for each width (the powers of two). `benches/decide.rs` measures
//! it.

mod outlook;
mod place;
mod site;

use std::collections::BTreeSet;

use self::outlook::Outlook;
use self::site::{Fleet, Site};
use super::drone::Drone;
use super::graph::Graph;
use super::paths::Paths;
use super::queue::Queue;

/// So many packages are looked at in vain in one decision.
const PUT_OFF: usize = 64;
/// The same while no drone has a free core.
const PUT_OFF_FULL: usize = 5;
/// So many jobs are started by one decision, so that it ends soon.
const STARTED: usize = 32;

/// Why a job goes where it goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// It is expected to end in time there.
    InTime {
        /// Seconds to spare.
        slack: f64,
    },
    /// It is late anywhere; what this costs is least there.
    Late {
        /// By so many seconds.
        by: f64,
    },
    /// Nothing runs anywhere, so it may not wait.
    Alone,
}

/// A job to start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The package.
    pub package: u32,
    /// The drone, by its place in the fleet.
    pub drone: usize,
    /// How many processes at once (`MAKEOPTS=-jN`).
    pub width: u32,
    /// Why.
    pub reason: Reason,
}

/// Decides, and keeps what it needs for that.
#[derive(Debug, Clone)]
pub struct Scheduler<'a> {
    graph: &'a Graph,
    paths: &'a Paths,
    queue: Queue,
    fleet: Fleet,
}

/// Whether a package may go to a drone (by its place in the fleet).
pub type Admits<'a> = &'a dyn Fn(u32, usize) -> bool;

impl<'a> Scheduler<'a> {
    /// A scheduler of what waits, for drones that have no job yet.
    pub fn new(graph: &'a Graph, paths: &'a Paths, queue: Queue, drones: &[Drone]) -> Self {
        Self { graph, paths, queue, fleet: Fleet::new(drones) }
    }

    /// A package can start that could not before.
    pub fn can_start(&mut self, package: u32) {
        self.queue.insert(self.paths.rank(package));
    }

    /// A job runs that was started at `since` and waits no more: for a scheduler that is set up while a build goes on,
    /// for each drone in the order of the starts.
    pub fn running(&mut self, package: u32, drone: usize, width: u32, since: f64) {
        let cost = self.graph.cost(package);
        self.fleet.change(drone, |site| {
            site.load.expect(since);
            site.start(package, cost, width);
        });
    }

    /// A job ended.
    pub fn ended(&mut self, package: u32, drone: usize, now: f64) {
        let cost = self.graph.cost(package);
        self.fleet.change(drone, |site| {
            site.load.expect(now);
            site.end(package, cost);
        });
    }

    /// Whether a drone takes work: not one that is away, drains or rests.
    pub fn open(&mut self, drone: usize, open: bool) {
        self.fleet.change(drone, |site| site.open = open);
    }

    /// What to start now. It counts as started. Where anything is started there may be more to start: ask again.
    pub fn decide(&mut self, now: f64, admits: Admits<'_>) -> Vec<Decision> {
        self.fleet.expect(now);
        let mut decisions = Vec::new();
        let mut put_off = BTreeSet::new();
        let mut outlook = Outlook::new(self, now);
        while decisions.len() < STARTED
            && let Some(decision) = self.next(&outlook, &mut put_off, admits)
        {
            let (package, drone) = (decision.package, decision.drone);
            let cost = self.graph.cost(package);
            self.queue.remove(self.paths.rank(package));
            self.queue.leave(cost);
            self.fleet.change(drone, |site| site.start(package, cost, decision.width));
            outlook.renew(self, drone);
            decisions.push(decision);
        }
        decisions
    }

    fn next(&self, outlook: &Outlook, put_off: &mut BTreeSet<u32>, admits: Admits<'_>) -> Option<Decision> {
        let most = if self.fleet.has_free_core() { PUT_OFF } else { PUT_OFF_FULL };
        for package in self.queue.ready() {
            if put_off.contains(&package) {
                continue;
            }
            if put_off.len() >= most {
                break;
            }
            if let Some(decision) = self.place(package, outlook, admits) {
                return Some(decision);
            }
            put_off.insert(package);
        }
        if self.fleet.is_idle() { self.alone(admits) } else { None }
    }

    /// Nothing runs, so nothing would ever change: the most urgent one that any drone takes.
    fn alone(&self, admits: Admits<'_>) -> Option<Decision> {
        self.queue.ready().find_map(|package| {
            let takes =
                self.fleet.sites().filter(|(drone, _)| self.has_room(package, *drone) && admits(package, *drone));
            let (drone, site) = takes.reduce(|first, other| if other.1.faster(first.1) { other } else { first })?;
            Some(Decision { package, drone, width: site.drone.cores.max(1), reason: Reason::Alone })
        })
    }

    /// Whether a drone can have the package at all: open, with jobs and memory to spare. What is larger than every drone
    /// may run where nothing else does.
    fn has_room(&self, package: u32, drone: usize) -> bool {
        let Some(site) = self.fleet.get(drone) else { return false };
        let wanted = self.graph.cost(package).memory;
        let larger = |memory: u64, other: &Site| {
            other.open && other.drone.memory.is_none_or(|larger| larger >= wanted || larger > memory)
        };
        let holds = site.drone.memory.is_none_or(|memory| {
            site.memory + wanted <= memory
                || (site.load.jobs() == 0 && !self.fleet.sites().any(|(_, other)| larger(memory, other)))
        });
        site.open && site.drone.jobs.is_none_or(|most| site.load.jobs() < most) && holds
    }
}
