//! Where a package goes, and how wide: where the least lateness is expected.
//!
//! A job that is to end `d` seconds from now may end anywhere between `d - s` and `d + s` (`s`: [`DOUBT`] of `d`, and
//! [`BLUR`] of the time until the end of all, which is no more certain), each moment being as likely as another. So
//! where it has `x` seconds to spare its expected lateness is none from `x = s` on, `(s - x)²/4s` within the span, and
//! `-x` behind it. A job that is nearly late thus costs something already, and one that could go anywhere goes where a
//! wrong estimate does the least harm.

use std::collections::BTreeSet;

use super::outlook::Outlook;
use super::site::{Opening, Site};
use super::{Admits, Decision, Reason, Scheduler};

/// How far from its estimate a job may end, as a share of the time that it takes.
const DOUBT: f64 = 0.2;
/// How far the end of all may be from what was reckoned, as a share of the time until then.
const BLUR: f64 = 0.4;
/// A drone whose jobs demand this many times its cores takes no other.
const CROWD: f64 = 3.0;
/// A full drone, or waiting, has to be better than a free core by this share of the time until the end of all.
const WORTH: f64 = 0.0005;
/// So many drones of each kind are tried, those with the least demand.
const TRIED: usize = 4;

/// What is to become of a package.
pub(super) enum Place {
    /// It starts there.
    Here(Decision),
    /// It had better wait.
    Later,
    /// No drone can take it now.
    Nowhere,
}

/// A place that was tried, and what it costs.
struct Tried {
    late: f64,
    decision: Decision,
}

impl Scheduler<'_> {
    /// Where to start a package now.
    pub(super) fn place(&self, package: u32, outlook: &Outlook, admits: Admits<'_>) -> Place {
        let passes = |drone| self.has_room(package, drone) && admits(package, drone);
        let (mut free, mut full) = (None, None);
        for (drone, site) in self.fleet.candidates(CROWD, TRIED, outlook.fastest, passes) {
            let least: &mut Option<Tried> = if site.has_free_core() { &mut free } else { &mut full };
            for width in self.widths(site, package) {
                let tried = self.try_place(package, drone, site, width, outlook);
                if let Some(tried) = tried.filter(|tried| least.as_ref().is_none_or(|known| tried.late < known.late)) {
                    *least = Some(tried);
                }
            }
        }
        if free.is_none() && full.is_none() {
            return Place::Nowhere;
        }
        let worth = WORTH * (outlook.end - outlook.now);
        let waits = self.lateness_of_waiting(package, outlook, admits);
        let elsewhere = full.as_ref().map_or(f64::INFINITY, |place| place.late).min(waits);
        let free = free.filter(|place| place.late <= elsewhere + worth);
        let best = free.or(full.filter(|place| place.late + worth < waits));
        best.map_or(Place::Later, |place| Place::Here(place.decision))
    }

    fn try_place(&self, package: u32, drone: usize, site: &Site, width: u32, outlook: &Outlook) -> Option<Tried> {
        let mut harm = 0.0;
        let job = site.drone.job(package, self.graph.cost(package), width);
        let end = outlook.expected(drone, site).try_job(&job, |other, before, after| {
            if after > before {
                harm += self.harm(other, before, after - before, outlook);
            }
        });
        let memory = self.graph.cost(package).memory;
        if outlook.memory.is_some_and(|kept| kept.forbids(drone, site, memory, end)) {
            return None;
        }
        if let Some((other, before, by)) = outlook.blocks(drone, site, end) {
            harm += self.harm(other, before, by, outlook);
        }
        let slack = outlook.latest(self, package) - end;
        let late = lateness(slack, span(end, outlook)) + harm;
        let reason = if slack >= 0.0 { Reason::InTime { slack } } else { Reason::Late { by: -slack } };
        Some(Tried { late, decision: Decision { package, drone, width, reason } })
    }

    /// The lateness that is expected of a job more, where it ends so many seconds later than at `before`.
    fn harm(&self, package: u32, before: f64, by: f64, outlook: &Outlook) -> f64 {
        let (spare, span) = (outlook.latest(self, package) - before, span(before, outlook));
        lateness(spare - by, span) - lateness(spare, span)
    }

    /// The lateness that is expected if the package waits for the best of the drones that could ever take it.
    fn lateness_of_waiting(&self, package: u32, outlook: &Outlook, admits: Admits<'_>) -> f64 {
        let cost = self.graph.cost(package);
        let latest = outlook.latest(self, package);
        let takes = |drone: usize, site: &Site| {
            let large = site.drone.memory.is_none_or(|own| own >= cost.memory);
            site.opening == Opening::Open && large && admits(package, drone)
        };
        let able = self.fleet.sites().filter(|(drone, site)| takes(*drone, site));
        let ends = able.map(|(drone, site)| {
            let (begins, share) = outlook.hope(drone, site);
            begins + site.drone.takes(cost, f64::from(site.drone.cores) * share)
        });
        let end = ends.fold(f64::INFINITY, f64::min);
        if end.is_finite() { lateness(latest - end, span(end, outlook)) } else { f64::INFINITY }
    }

    /// Powers of two up to the cores, and the free cores, from the narrowest that leaves no core without use.
    fn widths(&self, site: &Site, package: u32) -> BTreeSet<u32> {
        let cores = site.load.cores();
        if self.graph.cost(package).cpu <= 0.0 {
            return BTreeSet::from([1]);
        }
        let powers = std::iter::successors(Some(1u32), |width| width.checked_mul(2)).take_while(|width| *width < cores);
        let least = site.least_width(self.graph.cost(package).memory);
        powers.chain([cores, site.free_cores().max(1), least]).filter(|width| *width >= least).collect()
    }
}

/// How far from `end` a job may end in truth.
fn span(end: f64, outlook: &Outlook) -> f64 {
    DOUBT * (end - outlook.now) + BLUR * (outlook.end - outlook.now)
}

/// The expected lateness of a job that has `spare` seconds to spare and may end anywhere within `span` of its estimate.
fn lateness(spare: f64, span: f64) -> f64 {
    if spare >= span {
        0.0
    } else if spare <= -span {
        -spare
    } else {
        (span - spare) * (span - spare) / (4.0 * span)
    }
}

#[cfg(test)]
mod tests {
    use super::lateness;

    #[test]
    fn lateness_is_none_with_time_to_spare_and_all_of_it_where_there_is_none() {
        for (spare, span, late) in [
            (10.0, 10.0, 0.0),
            (11.0, 10.0, 0.0),
            (0.0, 10.0, 2.5),
            (-10.0, 10.0, 10.0),
            (-25.0, 10.0, 25.0),
            (0.0, 0.0, 0.0),
        ] {
            assert_eq!(lateness(spare, span), late, "{spare} of {span}");
        }
    }
}
