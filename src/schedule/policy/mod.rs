//! What to start next, where, and how wide.
//!
//! **Idea.** The end of the whole is reckoned anew at each decision, as the later of what the longest path and what the
//! work left allow (`outlook`); from it each package has a latest finish. Estimates are wrong, so a job may end
//! anywhere in a span around the moment that they give, and a place costs the seconds by which its job, and those that
//! it slows there, are then expected to be late (`place`). Packages are taken by the length of the path that waits for
//! them. One goes to the drone with a free core where that cost is least, unless it is less on one that is full: there
//! it shares the cores. Several jobs thus share a drone, so that its cores are busy in serial phases, and what the
//! longest path will need of the fastest drone is kept for it.
//!
//! **Constants** were chosen on graphs of [`super::generate`], for six fleets, with and without noise. None is sharp: a
//! factor of two in either direction costs less than 0.5%, and 3% at the most (how uncertain the end of the whole is).
//!
//! A decision follows from what waits and what runs alone, so a controller that was killed decides as it would have
//! otherwise. What has ended is forgotten, although it slowed others; the result is the same within 1% (measured on the
//! real graph, with whole seconds as the journal has them).
//!
//! **Cost** of a decision: the jobs of the fleet, and for each package that is looked at (as many as are started and
//! `WAIT`) the jobs of a few drones of each kind, for each width (the powers of two). `benches/decide.rs` measures it.

mod memory;
mod outlook;
mod place;
mod site;

use std::collections::BTreeSet;

use self::outlook::Outlook;
use self::place::Place;
pub use self::site::Opening;
use self::site::{Fleet, Site};
use super::drone::Drone;
use super::graph::Graph;
use super::paths::Paths;
use super::queue::Queue;

/// So many packages are looked at in one decision that had better wait.
const WAIT: usize = 64;
/// The same while no drone has a free core.
const WAIT_WHERE_FULL: usize = 5;
/// So many are looked at in vain, those counted that no drone can take now.
const PUT_OFF: usize = 1_000;
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

/// What is known at the moment of a decision: what waits, and what runs where.
#[derive(Debug, Clone)]
pub struct Scheduler<'a> {
    graph: &'a Graph,
    paths: &'a Paths,
    queue: &'a Queue,
    fleet: Fleet,
    started: BTreeSet<u32>,
}

/// Whether a package may go to a drone (by its place in the fleet).
pub type Admits<'a> = &'a dyn Fn(u32, usize) -> bool;

impl<'a> Scheduler<'a> {
    /// What waits, and drones that have no job yet.
    pub fn new(graph: &'a Graph, paths: &'a Paths, queue: &'a Queue, drones: &[Drone]) -> Self {
        Self { graph, paths, queue, fleet: Fleet::new(drones), started: BTreeSet::new() }
    }

    /// A job runs that was started at `since` and waits no more; for each drone in the order of the starts.
    pub fn running(&mut self, package: u32, drone: usize, width: u32, since: f64) {
        let cost = self.graph.cost(package);
        self.fleet.change(drone, |site| {
            site.load.expect(since);
            site.start(package, cost, width);
        });
    }

    /// Whether a drone takes work, and if not whether it soon will.
    pub fn set(&mut self, drone: usize, opening: Opening) {
        self.fleet.change(drone, |site| site.opening = opening);
    }

    /// What to start now; where that is anything, there may be more to start.
    pub fn decide(mut self, now: f64, admits: Admits<'_>) -> Vec<Decision> {
        self.fleet.expect(now);
        let mut decisions = Vec::new();
        let mut put_off = PutOff::default();
        let mut outlook = Outlook::new(&self, now);
        while decisions.len() < STARTED
            && self.fleet.takes_jobs()
            && let Some(decision) = self.next(&mut outlook, &mut put_off, admits)
        {
            let (package, drone) = (decision.package, decision.drone);
            let cost = self.graph.cost(package);
            self.started.insert(package);
            self.fleet.change(drone, |site| site.start(package, cost, decision.width));
            outlook.renew(&self, drone);
            decisions.push(decision);
        }
        decisions
    }

    /// What can start and was not started yet, the most urgent first.
    fn ready(&self) -> impl Iterator<Item = u32> {
        self.queue.ready().filter(|package| !self.started.contains(package))
    }

    /// The work of all that wait, in seconds of one core.
    fn work(&self) -> f64 {
        let started: f64 = self.started.iter().map(|package| self.graph.cost(*package).work()).sum();
        (self.queue.work() - started).max(0.0)
    }

    fn next(&self, outlook: &mut Outlook, put_off: &mut PutOff, admits: Admits<'_>) -> Option<Decision> {
        let most = if self.fleet.has_free_core() { WAIT } else { WAIT_WHERE_FULL };
        for package in self.ready() {
            if put_off.packages.contains(&package) {
                continue;
            }
            if put_off.wait >= most || put_off.packages.len() >= PUT_OFF {
                break;
            }
            match self.place(package, outlook, admits) {
                Place::Here(decision) => return Some(decision),
                Place::Later => put_off.wait += 1,
                Place::Nowhere => self.keep_memory(package, outlook, admits),
            }
            put_off.packages.insert(package);
        }
        if self.fleet.is_idle() { self.alone(admits) } else { None }
    }

    /// Nothing runs, so nothing would ever change: the most urgent one that any drone takes.
    fn alone(&self, admits: Admits<'_>) -> Option<Decision> {
        self.ready().find_map(|package| {
            let takes =
                self.fleet.sites().filter(|(drone, _)| self.has_room(package, *drone) && admits(package, *drone));
            let (drone, site) = Site::fastest(takes)?;
            Some(Decision { package, drone, width: site.drone.cores.max(1), reason: Reason::Alone })
        })
    }

    /// Whether a drone can have the package now: open, with jobs and memory to spare.
    fn has_room(&self, package: u32, drone: usize) -> bool {
        let wanted = self.graph.cost(package).memory;
        self.fleet.get(drone).is_some_and(|site| {
            let holds = site.has_memory(wanted) || (site.load.jobs() == 0 && self.is_largest(site, wanted));
            site.opening == Opening::Open && site.slots() != Some(0) && holds
        })
    }

    /// What is larger than every drone may run on the largest, where nothing else does.
    fn is_largest(&self, site: &Site, wanted: u64) -> bool {
        let larger = |other: &Site| match (other.drone.memory, site.drone.memory) {
            (None, Some(_)) => true,
            (Some(other), Some(own)) => other >= wanted || other > own,
            (_, None) => false,
        };
        !self.fleet.sites().any(|(_, other)| other.opening != Opening::Closed && larger(other))
    }
}

/// What was looked at in vain.
#[derive(Debug, Default)]
struct PutOff {
    packages: BTreeSet<u32>,
    /// So many of them had better wait; the others can go nowhere now.
    wait: usize,
}
