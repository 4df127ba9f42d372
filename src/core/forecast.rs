//! How a plan would go on a fleet that has nothing else to do, if the estimates are true.
//!
//! The build is played by the scheduler and the model that `swarm simulate` uses, with what the history says of its
//! packages. Cost: that of [`model::play`]: 1.5 s for 10,000 packages on 200 drones (`benches/monitor.rs`).

use std::collections::BTreeSet;

use super::build::{Build, cost};
use super::names::HostName;
use super::package::PackageName;
use super::plan::{PackageIndex, Plan};
use super::spread::seen;
use super::state::State;
use crate::core::event::DroneSpec;
use crate::schedule::drone::Drone;
use crate::schedule::estimate::{History, Model};
use crate::schedule::graph::Graph;
use crate::schedule::model;

/// A drone to reckon with.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Its name; none of one that is only imagined.
    pub name: Option<HostName>,
    /// As the scheduler sees it.
    pub drone: Drone,
}

/// One build as it is expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// The package.
    pub package: PackageIndex,
    /// Where: a place in the fleet.
    pub site: usize,
    /// How many processes at once.
    pub width: u32,
    /// When it starts, in seconds from the beginning.
    pub begin_s: f64,
    /// When it ends.
    pub end_s: f64,
}

/// A build as it is expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// Each package that is to be built, in the order of the starts.
    pub expected: Vec<Expected>,
    /// Seconds from the first start to the last end.
    pub makespan_s: f64,
    /// The share of all core seconds that are used.
    pub utilisation: f64,
    /// No way to build it on this fleet is shorter, in seconds.
    pub lower_bound_s: f64,
    /// How many of the packages have been built before, so that their estimates are their own.
    pub known: usize,
}

/// The drones of these specifications, with what is known of their rooms and, by the model, their speed.
pub fn fleet(state: &State, model: &Model<'_>, specs: impl IntoIterator<Item = DroneSpec>) -> Vec<Site> {
    let site = |spec: DroneSpec| {
        let known = state.drones.get(&spec.name);
        let drone = seen(&spec, known, model.speed(&spec.name));
        Site { name: Some(spec.name), drone }
    };
    specs.into_iter().map(site).collect()
}

/// Plays the plan, without what is there already.
pub fn forecast(plan: &Plan, there: &BTreeSet<PackageIndex>, history: &History, fleet: &[Site]) -> Forecast {
    let share = |package| if there.contains(&package) { 0.0 } else { 1.0 };
    let left = Left::new(plan, &plan.needs().direct, share, &history.model());
    let drones = drones(fleet);
    let mut expected: Vec<Expected> = Vec::new();
    let mut places = vec![None; left.packages.len()];
    let outcome = model::play(&left.graph, &drones, &[], |now, package, decision| {
        let at = package as usize;
        match decision {
            Some(decision) => {
                places[at] = Some(expected.len());
                let (site, width) = (decision.drone, decision.width);
                expected.push(Expected { package: left.packages[at], site, width, begin_s: now, end_s: now });
            }
            None => {
                if let Some(entry) = places[at].and_then(|place: usize| expected.get_mut(place)) {
                    entry.end_s = now;
                }
            }
        }
    });
    let is_known = |package: &&PackageIndex| history.of(&name(plan, **package)).next().is_some();
    Forecast {
        expected,
        makespan_s: outcome.makespan,
        utilisation: outcome.utilisation,
        lower_bound_s: model::lower_bound(&left.graph, &drones),
        known: left.packages.iter().filter(is_known).count(),
    }
}

/// Plays what is left of a build: how long that lasts, in seconds; none where nothing is left, or nobody to do it. `left`
/// gives the share of a package's work that is left, from 0 to 1; a package that is begun may move, as nobody would
/// really have it do.
pub fn rest(build: &Build, left: impl Fn(PackageIndex) -> f64, model: &Model<'_>, fleet: &[Site]) -> Option<f64> {
    let left = Left::new(&build.plan, &build.needs, left, model);
    let outcome = model::play(&left.graph, &drones(fleet), &[], |_, _, _| {});
    (!fleet.is_empty() && !left.packages.is_empty()).then_some(outcome.makespan)
}

/// What is left to be built.
struct Left {
    /// The packages, in the order of the plan.
    packages: Vec<PackageIndex>,
    /// What each of them costs and needs, by its place among them.
    graph: Graph,
}

impl Left {
    fn new(plan: &Plan, needs: &[Vec<PackageIndex>], left: impl Fn(PackageIndex) -> f64, model: &Model<'_>) -> Self {
        let all = (0..plan.packages.len()).map(PackageIndex::at);
        let shares = all.map(|package| (package, left(package))).filter(|(_, share)| *share > 0.0);
        let (packages, shares): (Vec<PackageIndex>, Vec<f64>) = shares.unzip();
        let needs = packages.iter().map(|package| {
            let own = needs[package.index()].iter();
            // What is there holds nothing up; `packages` is in ascending order.
            own.filter_map(|need| packages.binary_search(need).ok().and_then(|at| u32::try_from(at).ok())).collect()
        });
        let costs = packages.iter().zip(shares);
        let costs = costs.map(|(package, share)| cost(&model.estimate(&name(plan, *package), None)).times(share));
        // Needs lie before their dependents, so there is no circle.
        let graph = Graph::new(costs.collect(), needs.collect()).unwrap_or_default();
        Self { packages, graph }
    }
}

fn name(plan: &Plan, package: PackageIndex) -> PackageName {
    plan.packages[package.index()].identity.cpv.package_name()
}

fn drones(fleet: &[Site]) -> Vec<Drone> {
    fleet.iter().map(|site| site.drone.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::names::Timestamp;
    use crate::core::simulation::plan;
    use crate::schedule::estimate::Sample;

    fn built(cpv: &str, wall_s: f64) -> Sample {
        Sample {
            cpv: cpv.parse().unwrap(),
            wall_s,
            cpu_s: Some(wall_s),
            width: Some(2),
            memory_mib: None,
            drone: None,
            at: Timestamp(1),
        }
    }

    fn sites(cores: &[u32]) -> Vec<Site> {
        cores.iter().map(|cores| Site { name: None, drone: Drone::of_cores(*cores) }).collect()
    }

    /// The last one needs the two before it, which need nothing.
    fn diamond() -> (Plan, History) {
        let plan = plan(3, &[(2, 0), (2, 1)]);
        let mut history = History::default();
        for (package, seconds) in plan.packages.iter().zip([100.0, 100.0, 50.0]) {
            history.add(built(package.identity.cpv.as_str(), seconds));
        }
        (plan, history)
    }

    #[test]
    fn a_forecast_has_each_package_once_after_its_needs_and_ends_with_the_last_of_them() {
        let (plan, history) = diamond();
        let forecast = forecast(&plan, &BTreeSet::new(), &history, &sites(&[1, 1]));
        let of = |at: usize| forecast.expected.iter().find(|each| each.package == PackageIndex::at(at)).unwrap();
        assert_eq!((forecast.expected.len(), forecast.known), (3, 3));
        assert_eq!((of(0).end_s, of(1).end_s, of(2).begin_s, of(2).end_s), (100.0, 100.0, 100.0, 150.0));
        assert_eq!((forecast.makespan_s, forecast.lower_bound_s), (150.0, 150.0));
    }

    #[test]
    fn another_drone_shortens_what_could_be_built_side_by_side_and_no_more() {
        let (plan, history) = diamond();
        let lasts = |cores: &[u32]| forecast(&plan, &BTreeSet::new(), &history, &sites(cores)).makespan_s;
        assert_eq!((lasts(&[1]), lasts(&[1, 1]), lasts(&[1, 1, 1])), (250.0, 150.0, 150.0));
    }

    #[test]
    fn what_is_there_already_takes_no_time_and_holds_nothing_up() {
        let (plan, history) = diamond();
        let there = BTreeSet::from([PackageIndex::at(0), PackageIndex::at(1)]);
        let forecast = forecast(&plan, &there, &history, &sites(&[1]));
        assert_eq!((forecast.makespan_s, forecast.expected.len()), (50.0, 1));
    }
}
