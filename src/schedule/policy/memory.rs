//! Memory that is kept for a package that no drone has free for it now.
//!
//! Without that, whatever is small would take what becomes free, and a giant would start last of all and alone. The most
//! urgent package that only lacks memory gets a drone: the one that would have it free first. What is less urgent starts
//! there only where it is over by then, or leaves enough.

use super::outlook::Outlook;
use super::site::{Opening, Site};
use super::{Admits, Scheduler};

/// Memory kept on one drone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    drone: usize,
    /// So much, in MiB.
    memory: u64,
    /// When it will be free.
    free: f64,
}

impl Kept {
    /// Whether a job of this size that would end then is in the way.
    pub(super) fn forbids(&self, drone: usize, site: &Site, memory: u64, end: f64) -> bool {
        drone == self.drone && end > self.free && !site.has_memory(memory.saturating_add(self.memory))
    }
}

impl Scheduler<'_> {
    /// Keeps memory for a package that can go nowhere now, where that is for want of memory and nothing is kept yet.
    pub(super) fn keep_memory(&self, package: u32, outlook: &mut Outlook, admits: Admits<'_>) {
        let memory = self.graph.cost(package).memory;
        let large = |site: &Site| {
            // All drones are looked at for this.
            site.drone.memory.is_some_and(|own| own >= memory) || self.is_largest(site, memory)
        };
        let able = self.fleet.sites().filter(|(drone, site)| {
            site.opening == Opening::Open && !site.has_memory(memory) && large(site) && admits(package, *drone)
        });
        let first = able
            .map(|(drone, site)| Kept { drone, memory, free: self.free_at(site, memory) })
            .min_by(|left, right| left.free.total_cmp(&right.free));
        if let (None, Some(first)) = (outlook.memory, first) {
            outlook.memory = Some(first);
        }
    }

    /// When a drone will have so much memory free, as its jobs are expected to end.
    fn free_at(&self, site: &Site, wanted: u64) -> f64 {
        let (mut used, mut at) = (site.memory, f64::NEG_INFINITY);
        let own = site.drone.memory.unwrap_or(u64::MAX);
        site.load.ends(|package, end| {
            if used > 0 && used.saturating_add(wanted) > own {
                used = used.saturating_sub(self.graph.cost(package).memory);
                at = end;
            }
        });
        at
    }
}
