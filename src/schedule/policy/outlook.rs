//! How long the whole will take as things are, and what the longest path will need of the fastest drone.

use super::Scheduler;
use super::site::Site;
use crate::schedule::load::Load;

/// The part of the reckoned time that the work left is expected to take, else all packages would seem to have time when
/// there is none to lose.
const PACE: f64 = 0.8;
/// So many packages of the longest path have their place kept on the fastest drone.
const KEPT: usize = 16;

/// What is to come on one drone.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// When the longest path through a job here ends.
    path: f64,
    /// That job, and when it ends.
    first: Option<(u32, f64)>,
    /// Work left, in seconds of a middling core.
    work: f64,
}

/// What is to come.
#[derive(Debug, Clone)]
pub(super) struct Outlook {
    /// The moment of the decision.
    pub(super) now: f64,
    /// When all is expected to be built.
    pub(super) end: f64,
    shares: Vec<Share>,
    fastest: Option<usize>,
    power: f64,
    kept: Option<Load>,
    next: f64,
}

impl Outlook {
    /// Cost: the jobs of the fleet.
    pub(super) fn new(scheduler: &Scheduler<'_>, now: f64) -> Self {
        let open = || scheduler.fleet.sites().filter(|(_, site)| site.open);
        let mut outlook = Self {
            now,
            end: now,
            shares: scheduler.fleet.sites().map(|(_, site)| share(scheduler, site)).collect(),
            fastest: open()
                .reduce(|first, other| if other.1.faster(first.1) { other } else { first })
                .map(|most| most.0),
            power: open().map(|(_, site)| site.drone.power()).sum(),
            kept: None,
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
        self.kept.as_ref().filter(|_| self.fastest == Some(drone)).unwrap_or(&site.load)
    }

    /// The fastest of the drones that take work.
    pub(super) fn fastest<'a>(&self, scheduler: &'a Scheduler<'_>) -> Option<&'a Site> {
        scheduler.fleet.get(self.fastest?)
    }

    /// When the next job changes its demand.
    pub(super) fn next(&self) -> f64 {
        self.next
    }

    fn reckon(&mut self, scheduler: &Scheduler<'_>) {
        let none = Share { path: self.now, first: None, work: 0.0 };
        let longest = self.shares.iter().fold(none, |most, share| if share.path > most.path { *share } else { most });
        let waiting = scheduler.queue.ready().next().map_or(0.0, |first| self.now + scheduler.paths.tail(first));
        let work = scheduler.queue.work() + self.shares.iter().map(|share| share.work).sum::<f64>();
        let worked_off = if self.power > 0.0 { self.now + work / self.power * PACE } else { self.now };
        self.end = longest.path.max(waiting).max(worked_off);
        self.next = scheduler.fleet.sites().map(|(_, site)| site.load.next()).fold(f64::INFINITY, f64::min);
        // A path that has not begun keeps nothing: its first package is the next to be looked at.
        self.kept = longest.first.filter(|_| longest.path >= waiting).and_then(|(package, end)| {
            let site = self.fastest(scheduler)?;
            let chain = scheduler.paths.chain(scheduler.graph, package).take(KEPT);
            let jobs = chain.map(|package| site.job(package, scheduler.graph.cost(package), site.load.cores()));
            Some(site.load.with_chain(end, jobs))
        });
    }
}

fn share(scheduler: &Scheduler<'_>, site: &Site) -> Share {
    let (mut path, mut first) = (f64::NEG_INFINITY, None);
    let work = site.load.ends(|package, end| {
        let whole = end + scheduler.paths.after(package);
        if whole > path {
            (path, first) = (whole, Some((package, end)));
        }
    });
    Share { path, first, work: work * site.drone.speed }
}
