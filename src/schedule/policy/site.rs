//! The drones with what runs on them, and which of them are worth a look.

use std::collections::BTreeSet;

use crate::schedule::drone::Drone;
use crate::schedule::graph::Cost;
use crate::schedule::load::Load;

/// Whether a drone takes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It does.
    Open,
    /// It rests after failures of its own, and soon will.
    Rests,
    /// It is drained.
    Closed,
}

/// A drone and what is expected of it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) drone: Drone,
    pub(super) load: Load,
    /// What its jobs take of its memory, in MiB.
    pub(super) memory: u64,
    pub(super) opening: Opening,
}

impl Site {
    pub(super) fn start(&mut self, package: u32, cost: Cost, width: u32) {
        self.load.start(&self.drone.job(package, cost, width));
        self.memory = self.memory.saturating_add(cost.memory);
    }

    pub(super) fn has_free_core(&self) -> bool {
        self.opening == Opening::Open && self.free_cores() > 0
    }

    /// Whether so much memory (MiB) is free.
    pub(super) fn has_memory(&self, wanted: u64) -> bool {
        self.drone.memory.is_none_or(|memory| self.memory.saturating_add(wanted) <= memory)
    }

    /// How many more jobs it may have, where that is limited.
    pub(super) fn slots(&self) -> Option<u32> {
        self.drone.jobs.map(|most| most.saturating_sub(self.load.jobs()))
    }

    /// The narrowest that a job of this memory may be, if all free cores are to be of use although the number of jobs
    /// or the memory allows only few more.
    pub(super) fn least_width(&self, memory: u64) -> u32 {
        let slots = self.slots().unwrap_or(u32::MAX);
        let fit = self.drone.memory.and_then(|own| own.saturating_sub(self.memory).checked_div(memory));
        let fit = fit.map_or(u32::MAX, |fit| u32::try_from(fit).unwrap_or(u32::MAX));
        (self.free_cores() / slots.min(fit).max(1)).max(1)
    }

    pub(super) fn free_cores(&self) -> u32 {
        self.load.cores().saturating_sub(self.load.demand())
    }

    /// The one that works most in a second; of equals the first.
    pub(super) fn fastest<'a>(sites: impl Iterator<Item = (usize, &'a Self)>) -> Option<(usize, &'a Self)> {
        let power = |(_, site): &(usize, &Self)| site.drone.power();
        sites.reduce(|first, other| if power(&other) > power(&first) { other } else { first })
    }
}

/// Drones of the same cores that are about as fast, the one with the least demand first.
#[derive(Debug, Clone)]
struct Kind {
    cores: u32,
    speed: i32,
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
        let site = |drone: &Drone| Site {
            drone: drone.clone(),
            load: Load::new(drone.cores),
            memory: 0,
            opening: Opening::Open,
        };
        let sites: Vec<Site> = drones.iter().map(site).collect();
        let mut kinds: Vec<Kind> = Vec::new();
        let mut kind_of = Vec::with_capacity(drones.len());
        for (place, drone) in drones.iter().enumerate() {
            // Within a factor of 1.4 of each other: learned speeds are never just the same.
            let (cores, speed) = (drone.cores, (2.0 * drone.speed.log2()).round() as i32);
            let known = kinds.iter().position(|kind| (kind.cores, kind.speed) == (cores, speed)).unwrap_or_else(|| {
                kinds.push(Kind { cores, speed, by_demand: BTreeSet::new() });
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

    /// Whether any drone may have one more job.
    pub(super) fn takes_jobs(&self) -> bool {
        self.sites.iter().any(|site| site.opening == Opening::Open && site.slots() != Some(0))
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
    /// one, besides `other`, of which more is expected. A drone whose demand is `crowd` times its cores is no candidate.
    pub(super) fn candidates(
        &self,
        crowd: f64,
        most: usize,
        other: Option<usize>,
        passes: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = (usize, &Site)> {
        self.kinds.iter().flat_map(move |kind| {
            let bearable = crowd * f64::from(kind.cores);
            let mut empty = false;
            let in_order = kind.by_demand.iter().take_while(move |(demand, _)| f64::from(*demand) < bearable);
            let passing: Vec<_> = in_order
                .filter(|(demand, drone)| {
                    // What runs nothing is like any other that runs nothing.
                    let alike = *demand == 0 && other != Some(*drone);
                    let passes = !(alike && empty) && passes(*drone);
                    empty |= passes && alike;
                    passes
                })
                .filter_map(|(_, drone)| Some((*drone, self.sites.get(*drone)?)))
                .take(most)
                .collect();
            passing
        })
    }
}
