//! How long the whole will take as things are, and what the longest path will need of the fastest drone.

use super::Scheduler;
use super::memory;
use super::site::{Opening, Site};
use crate::schedule::load::Load;

/// The part of the time in which all cores would do the work that is left, were they never idle, that counts as the end
/// of all: it makes latest finishes early while work and not a path decides, so that what is long starts early.
const PACE: f64 = 0.8;
/// The share of a drone's cores that a package may hope for if it waits: few, since others wait as well.
const HOPED_FOR: f64 = 0.1;
/// So many packages of the longest path have their place kept on the fastest drone.
const KEPT: usize = 16;

/// What is to come on one drone.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// When the longest path through a job here ends.
    path: f64,
    /// That job, and when it ends.
    first: Option<(u32, f64)>,
    /// When the first job here ends.
    frees: f64,
    /// Work left, in seconds of a middling core.
    work: f64,
}

/// What is kept on the fastest drone for the longest path.
#[derive(Debug, Clone)]
struct Chain {
    /// The drone's load with it.
    load: Load,
    /// When it begins.
    begins: f64,
    /// When it ends, and its last package.
    last: Option<(f64, u32)>,
}

/// What is to come.
#[derive(Debug, Clone)]
pub(super) struct Outlook {
    /// The moment of the decision.
    pub(super) now: f64,
    /// When all is expected to be built.
    pub(super) end: f64,
    shares: Vec<Share>,
    /// The fastest of the drones that take work, on which places are kept for the longest path.
    pub(super) fastest: Option<usize>,
    /// Memory that is kept for a package that lacks it.
    pub(super) memory: Option<memory::Kept>,
    power: f64,
    kept: Option<Chain>,
    next: f64,
}

impl Outlook {
    /// Cost: the jobs of the fleet.
    pub(super) fn new(scheduler: &Scheduler<'_>, now: f64) -> Self {
        let open = || scheduler.fleet.sites().filter(|(_, site)| site.opening == Opening::Open);
        let mut outlook = Self {
            now,
            end: now,
            shares: scheduler.fleet.sites().map(|(_, site)| share(scheduler, site)).collect(),
            fastest: Site::fastest(open()).map(|(drone, _)| drone),
            power: open().map(|(_, site)| site.drone.power()).sum(),
            kept: None,
            memory: None,
            next: now,
        };
        outlook.reckon(scheduler);
        outlook
    }

    /// The same once a job was started on a drone. Cost: its jobs, and the drones.
    pub(super) fn renew(&mut self, scheduler: &Scheduler<'_>, drone: usize) {
        if let (Some(known), Some(site)) = (self.shares.get_mut(drone), scheduler.fleet.get(drone)) {
            *known = share(scheduler, site);
        }
        self.reckon(scheduler);
    }

    /// The latest moment at which a package may end, if nothing is to be late.
    pub(super) fn latest(&self, scheduler: &Scheduler<'_>, package: u32) -> f64 {
        self.end - scheduler.paths.after(package)
    }

    /// What is expected of a drone.
    pub(super) fn expected<'a>(&'a self, drone: usize, site: &'a Site) -> &'a Load {
        self.kept.as_ref().filter(|_| self.fastest == Some(drone)).map_or(&site.load, |chain| &chain.load)
    }

    /// What a job that takes the last place on a drone until `end` holds up there: the last package of the longest path,
    /// when that would end, and by how much later it does.
    pub(super) fn blocks(&self, drone: usize, site: &Site, end: f64) -> Option<(u32, f64, f64)> {
        let chain = self.kept.as_ref().filter(|_| self.fastest == Some(drone) && site.slots() == Some(1))?;
        let (last_end, last) = chain.last?;
        (end > chain.begins).then_some((last, last_end, end - chain.begins))
    }

    /// When a package that waits can begin on a drone, and with what part of its cores, few where others wait as well.
    pub(super) fn hope(&self, drone: usize, site: &Site) -> (f64, f64) {
        match site.slots() {
            // Whoever gets the place that becomes free has the drone much for itself.
            Some(0) => (self.shares.get(drone).map_or(self.next, |share| share.frees), 1.0),
            _ => (self.next, HOPED_FOR),
        }
    }

    fn reckon(&mut self, scheduler: &Scheduler<'_>) {
        let none = Share { path: self.now, first: None, frees: self.now, work: 0.0 };
        let longest = self.shares.iter().fold(none, |most, share| if share.path > most.path { *share } else { most });
        let waiting = scheduler.ready().next().map_or(0.0, |first| self.now + scheduler.paths.tail(first));
        let work = scheduler.work() + self.shares.iter().map(|share| share.work).sum::<f64>();
        let worked_off = if self.power > 0.0 { self.now + work / self.power * PACE } else { self.now };
        self.end = longest.path.max(waiting).max(worked_off);
        self.next = scheduler.fleet.sites().map(|(_, site)| site.load.next()).fold(f64::INFINITY, f64::min);
        // A path that has not begun keeps nothing: its first package is the next to be looked at.
        self.kept = longest.first.filter(|_| longest.path >= waiting).and_then(|(package, end)| {
            let site = scheduler.fleet.get(self.fastest?)?;
            let chain: Vec<u32> = scheduler.paths.chain(scheduler.graph, package).take(KEPT).collect();
            let job = |package: &u32| site.drone.job(*package, scheduler.graph.cost(*package), site.load.cores());
            let load = site.load.with_chain(end, chain.iter().map(job));
            let mut last = None;
            load.ends(|package, end| {
                if chain.last() == Some(&package) {
                    last = Some((end, package));
                }
            });
            Some(Chain { load, begins: end, last })
        });
    }
}

fn share(scheduler: &Scheduler<'_>, site: &Site) -> Share {
    let (mut path, mut first, mut frees) = (f64::NEG_INFINITY, None, f64::INFINITY);
    let work = site.load.ends(|package, end| {
        frees = frees.min(end);
        let whole = end + scheduler.paths.after(package);
        if whole > path {
            (path, first) = (whole, Some((package, end)));
        }
    });
    Share { path, first, frees, work: work * site.drone.speed }
}
