//! The drones with what runs on them, and which of them are worth a look.

use std::collections::BTreeSet;

use crate::schedule::drone::Drone;
use crate::schedule::graph::Cost;
use crate::schedule::load::{Job, Load};

/// A drone and what is expected of it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) drone: Drone,
    pub(super) load: Load,
    /// What its jobs take of its memory, in MiB.
    pub(super) memory: u64,
    pub(super) open: bool,
}

impl Site {
    /// A package as a job here.
    pub(super) fn job(&self, package: u32, cost: Cost, width: u32) -> Job {
        let (serial, cpu) = (cost.serial / self.drone.speed, cost.cpu / self.drone.speed);
        Job { package, serial, cpu, width }
    }

    pub(super) fn start(&mut self, package: u32, cost: Cost, width: u32) {
        self.load.start(&self.job(package, cost, width));
        self.memory += cost.memory;
    }

    pub(super) fn end(&mut self, package: u32, cost: Cost) {
        self.load.remove(package);
        self.memory = self.memory.saturating_sub(cost.memory);
    }

    pub(super) fn has_free_core(&self) -> bool {
        self.open && self.free_cores() > 0
    }

    pub(super) fn free_cores(&self) -> u32 {
        self.load.cores().saturating_sub(self.load.demand())
    }

    pub(super) fn faster(&self, other: &Self) -> bool {
        self.drone.power() > other.drone.power()
    }
}

/// Drones that differ in nothing but their jobs, the one with the least demand first.
#[derive(Debug, Clone)]
struct Kind {
    drone: Drone,
    by_demand: BTreeSet<(u32, usize)>,
}

/// All drones.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    sites: Vec<Site>,
    kinds: Vec<Kind>,
    kind_of: Vec<usize>,
    free: usize,
    jobs: u64,
}

impl Fleet {
    pub(super) fn new(drones: &[Drone]) -> Self {
        let site = |drone: &Drone| Site { drone: drone.clone(), load: Load::new(drone.cores), memory: 0, open: true };
        let sites: Vec<Site> = drones.iter().map(site).collect();
        let mut kinds: Vec<Kind> = Vec::new();
        let mut kind_of = Vec::with_capacity(drones.len());
        for (place, drone) in drones.iter().enumerate() {
            let known = kinds.iter().position(|kind| kind.drone == *drone).unwrap_or_else(|| {
                kinds.push(Kind { drone: drone.clone(), by_demand: BTreeSet::new() });
                kinds.len() - 1
            });
            kinds[known].by_demand.insert((0, place));
            kind_of.push(known);
        }
        let free = sites.iter().filter(|site| site.has_free_core()).count();
        Self { sites, kinds, kind_of, free, jobs: 0 }
    }

    pub(super) fn sites(&self) -> impl Iterator<Item = (usize, &Site)> {
        self.sites.iter().enumerate()
    }

    pub(super) fn get(&self, drone: usize) -> Option<&Site> {
        self.sites.get(drone)
    }

    /// Whether a drone that takes work has a core to spare.
    pub(super) fn has_free_core(&self) -> bool {
        self.free > 0
    }

    /// Whether nothing runs.
    pub(super) fn is_idle(&self) -> bool {
        self.jobs == 0
    }

    /// Lets time go on as far as estimates tell.
    pub(super) fn expect(&mut self, now: f64) {
        for drone in 0..self.sites.len() {
            self.change(drone, |site| site.load.expect(now));
        }
    }

    /// Changes a drone; one that is not there is left alone.
    pub(super) fn change(&mut self, drone: usize, change: impl FnOnce(&mut Site)) {
        let (Some(site), Some(kind)) = (self.sites.get_mut(drone), self.kind_of.get(drone)) else { return };
        let before = (site.load.demand(), site.has_free_core(), site.load.jobs());
        change(site);
        let after = (site.load.demand(), site.has_free_core(), site.load.jobs());
        self.free = self.free + usize::from(after.1) - usize::from(before.1);
        self.jobs = self.jobs + u64::from(after.2) - u64::from(before.2);
        if let Some(kind) = self.kinds.get_mut(*kind).filter(|_| after.0 != before.0) {
            kind.by_demand.remove(&(before.0, drone));
            kind.by_demand.insert((after.0, drone));
        }
    }

    /// Of each kind of drone the ones with the least demand that pass: `most` of them, and of those without a job only
    /// one. Demand is at the most `crowd` times the cores.
    pub(super) fn candidates(
        &self,
        crowd: f64,
        most: usize,
        passes: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = (usize, &Site)> {
        self.kinds.iter().flat_map(move |kind| {
            let bearable = crowd * f64::from(kind.drone.cores);
            let mut empty = false;
            let in_order = kind.by_demand.iter().take_while(move |(demand, _)| f64::from(*demand) < bearable);
            let passing: Vec<_> = in_order
                .filter(|(demand, drone)| {
                    // What runs nothing is like any other that runs nothing.
                    let again = *demand == 0 && empty;
                    let passes = !again && passes(*drone);
                    empty |= passes && *demand == 0;
                    passes
                })
                .filter_map(|(_, drone)| Some((*drone, self.sites.get(*drone)?)))
                .take(most)
                .collect();
            passing
        })
    }
}
