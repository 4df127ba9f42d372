//! What a selection comes to: the driver's own resolver says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::ControlError;
use crate::core::event::Selection;
use crate::core::names::HostName;
use crate::core::plan::{Edge, Oddity, PackageIndex, Plan};
use crate::inventory::{Exclude, Inventory};
use crate::portage::probe::{self, Request};
use crate::ssh::{self, Host, HostError, HostErrorKind, LocalHost, Script};

/// A plan and what was left out of it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What the swarm builds.
    pub plan: Plan,
    /// Excluded packages, and those that need them to build: to be built on the driver itself.
    pub build_locally: Vec<String>,
    /// Packages that the selection needs and that were not asked for, where nothing else was wanted.
    pub left_out: Vec<String>,
}

impl Planned {
    /// What the operator is told of an empty plan.
    pub fn nothing(&self) -> &'static str {
        if self.build_locally.is_empty() {
            "nothing is to be built: the driver has all of it"
        } else {
            "nothing is left for the swarm to build"
        }
    }
}

/// The host of a driver.
///
/// # Errors
/// When the inventory has no such host.
pub fn driver(inventory: &Inventory, name: &HostName) -> Result<Arc<dyn Host>, ControlError> {
    let destination = inventory.destination(name).ok_or_else(|| {
        ControlError::Driver(HostError {
            host: name.clone(),
            kind: HostErrorKind::Unreachable,
            message: "the inventory has no host of this name".to_owned(),
        })
    })?;
    Ok(ssh::host(&destination))
}

/// Asks the inventory's driver.
///
/// # Errors
/// As [`plan_for`].
pub async fn plan(inventory: &Inventory, selection: &Selection) -> Result<Planned, ControlError> {
    plan_for(inventory, inventory.driver(), selection).await
}

/// Asks the inventory's driver from where the operator is, which may be the driver itself: then without SSH.
///
/// # Errors
/// As [`plan_for`].
pub async fn plan_here(inventory: &Inventory, selection: &Selection) -> Result<Planned, ControlError> {
    let name = inventory.driver();
    plan_on(driver_here(inventory)?.as_ref(), inventory, name, selection).await
}

/// The host of the inventory's driver, as it is reached from where the operator is.
///
/// # Errors
/// When the inventory has no such host.
pub fn driver_here(inventory: &Inventory) -> Result<Arc<dyn Host>, ControlError> {
    let name = inventory.driver();
    match (inventory.host(name), inventory.destination(name)) {
        (Some(host), Some(destination)) if inventory.is_here(host) => Ok(Arc::new(LocalHost::new(&destination))),
        _ => driver(inventory, name),
    }
}

/// Asks a driver.
///
/// # Errors
/// When it cannot be reached, its resolver finds no solution (in its own words), or nothing would be built.
pub async fn plan_for(inventory: &Inventory, name: &HostName, selection: &Selection) -> Result<Planned, ControlError> {
    plan_on(driver(inventory, name)?.as_ref(), inventory, name, selection).await
}

async fn plan_on(
    host: &dyn Host,
    inventory: &Inventory,
    name: &HostName,
    selection: &Selection,
) -> Result<Planned, ControlError> {
    let request = Request::Plan { arguments: probe::plan_arguments(selection) };
    let output = host.run(&Script::new(probe::script(&request))).await.map_err(ControlError::Driver)?;
    let resolution = probe::read_resolution(&output.stdout, &output.stderr).map_err(|source| ControlError::Plan {
        driver: name.clone(),
        what: selection.to_string(),
        source,
    })?;
    let mut plan = resolution.into_plan(name.clone());
    if *selection != Selection::World {
        note_live_by_name(&mut plan);
    }
    let (plan, build_locally) = without_excluded(plan, &inventory.swarm.exclude);
    let (plan, left_out) = match selection {
        Selection::Exactly(cpvs) => {
            keep(plan, |plan, package| cpvs.contains(&plan.packages[package.index()].identity.cpv))
        }
        Selection::World | Selection::Atoms(_) | Selection::Packages(_) => (plan, Vec::new()),
    };
    Ok(Planned { plan, build_locally, left_out })
}

/// Notes of live versions that they were asked for by name.
fn note_live_by_name(plan: &mut Plan) {
    for package in plan.packages.iter_mut().filter(|package| package.requested) {
        if package.oddities.remove(&Oddity::Live { by_name: false }) {
            package.oddities.insert(Oddity::Live { by_name: true });
        }
    }
}

/// Takes out what is excluded and what needs that to build. What only runs with it stays: building merges it nowhere.
fn without_excluded(mut plan: Plan, exclude: &Exclude) -> (Plan, Vec<String>) {
    let packages = || (0..plan.packages.len()).map(PackageIndex::at);
    let needs = plan.needs().direct;
    let mut local: BTreeSet<PackageIndex> = BTreeSet::new();
    // Each lies behind what it needs.
    for package in packages() {
        let planned = &plan.packages[package.index()];
        if exclude.matches(planned.identity.cpv.package())
            || planned.oddities.iter().any(|oddity| is_excluded_module(oddity, exclude))
            || needs[package.index()].iter().any(|need| local.contains(need))
        {
            local.insert(package);
        }
    }
    if local.is_empty() {
        return (plan, Vec::new());
    }
    let name = |package: PackageIndex| plan.packages[package.index()].identity.cpv.as_str();
    let mut warnings = vec![format!(
        "build locally (`exclude` in the inventory, or needs that to build): {}",
        local.iter().map(|package| name(*package)).collect::<Vec<_>>().join(" ")
    )];
    for package in packages().filter(|package| !local.contains(package)) {
        let with: BTreeSet<&str> = plan
            .edges
            .iter()
            .filter(|edge| edge.from == package && local.contains(&edge.to))
            .map(|edge| name(edge.to))
            .collect();
        if !with.is_empty() {
            let with = with.into_iter().collect::<Vec<_>>().join(" ");
            warnings.push(format!("{} is built here, and runs with what is built locally: {with}", name(package)));
        }
    }
    plan.warnings.append(&mut warnings);
    keep(plan, |_, package| !local.contains(&package))
}

/// A module is built against the kernel of the machine that it is for, whether or not that kernel is planned, too.
fn is_excluded_module(oddity: &Oddity, exclude: &Exclude) -> bool {
    match oddity {
        Oddity::KernelModule { with } => with.iter().any(|package| exclude.matches(package.as_str())),
        Oddity::Live { .. } | Oddity::NotToBePassedOn => false,
    }
}

/// The plan without some packages; paths through them become edges, so that no order is lost.
fn keep(plan: Plan, wanted: impl Fn(&Plan, PackageIndex) -> bool) -> (Plan, Vec<String>) {
    let size = plan.packages.len();
    let kept: Vec<bool> = (0..size).map(|index| wanted(&plan, PackageIndex::at(index))).collect();
    let mut targets: BTreeMap<PackageIndex, Vec<&Edge>> = BTreeMap::new();
    for edge in &plan.edges {
        targets.entry(edge.from).or_default().push(edge);
    }
    let mut place = BTreeMap::new();
    for index in (0..size).filter(|index| kept[*index]) {
        place.insert(PackageIndex::at(index), PackageIndex::at(place.len()));
    }
    let mut edges = Vec::new();
    for (old, new) in &place {
        for first in targets.get(old).into_iter().flatten() {
            let mut waiting = vec![first.to];
            let mut seen = BTreeSet::new();
            while let Some(next) = waiting.pop() {
                match place.get(&next) {
                    Some(target) if target != new => {
                        edges.push(Edge { from: *new, to: *target, kinds: first.kinds });
                    }
                    Some(_) => {}
                    None if seen.insert(next) => {
                        waiting.extend(targets.get(&next).into_iter().flatten().map(|edge| edge.to));
                    }
                    None => {}
                }
            }
        }
    }
    let left_out =
        (0..size).filter(|index| !kept[*index]).map(|index| plan.packages[index].identity.cpv.to_string()).collect();
    let Plan { driver, packages, index_header, warnings, .. } = plan;
    let packages = packages.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(package, _)| package).collect();
    (Plan { driver, packages, edges, index_header, warnings }.in_order(), left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::plan::EdgeKind::{self, Buildtime, Runtime};
    use crate::core::simulation;
    use crate::inventory::Surroundings;

    const BUILD: &[EdgeKind] = &[Buildtime];
    const RUN: &[EdgeKind] = &[Runtime];

    fn exclude(pattern: &str) -> Exclude {
        let text = format!("[swarm]\nname = 'a'\ndriver = 'local'\nexclude = ['{pattern}']\n");
        let surroundings = Surroundings { home: Some("/root".into()), ..Surroundings::default() };
        Inventory::parse_at(&[("a.toml".into(), text)], surroundings).unwrap().swarm.exclude
    }

    fn plan(size: usize, edges: &[(usize, usize, &[EdgeKind])]) -> Plan {
        let edge = |(from, to, kinds): &(usize, usize, &[EdgeKind])| Edge {
            from: PackageIndex::at(*from),
            to: PackageIndex::at(*to),
            kinds: kinds.iter().copied().collect(),
        };
        Plan { edges: edges.iter().map(edge).collect(), ..simulation::plan(size, &[]) }.in_order()
    }

    /// The numbers of these packages.
    fn numbers<'a>(cpvs: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        cpvs.into_iter().map(|cpv| &cpv["app-lab/package".len()..cpv.len() - "x-1.0".len()]).collect()
    }

    #[test]
    fn what_needs_an_excluded_package_to_build_is_left_to_the_driver_and_what_runs_with_it_is_not() {
        type Case = (&'static str, &'static [(usize, usize, &'static [EdgeKind])], &'static [&'static str]);
        let cases: [Case; 6] = [
            ("nothing needs it", &[], &["0"]),
            ("to build", &[(1, 0, BUILD)], &["0", "1"]),
            ("to run", &[(1, 0, RUN)], &["0"]),
            ("a tool runs with it", &[(1, 0, RUN), (2, 1, BUILD)], &["0", "2"]),
            ("what is left to the driver is needed to build", &[(1, 0, BUILD), (2, 1, BUILD)], &["0", "1", "2"]),
            ("what is left to the driver is needed to run", &[(1, 0, BUILD), (2, 1, RUN)], &["0", "1"]),
        ];
        for (what, edges, local) in cases {
            let (kept, build_locally) = without_excluded(plan(3, edges), &exclude("app-lab/package0x"));
            assert_eq!(numbers(build_locally.iter().map(String::as_str)), local, "{what}");
            assert_eq!(kept.packages.len(), 3 - local.len(), "{what}");
            assert!(kept.warnings[0].ends_with(&build_locally.join(" ")), "{what}: {:?}", kept.warnings);
        }
        let (kept, _) = without_excluded(plan(2, &[(1, 0, RUN)]), &exclude("app-lab/package0x"));
        let word = "app-lab/package1x-1.0 is built here, and runs with what is built locally: app-lab/package0x-1.0";
        assert_eq!(kept.warnings[1], word);
    }

    #[test]
    fn a_module_is_left_to_the_driver_where_the_kernel_that_it_has_installed_is_excluded() {
        let mut planned = plan(2, &[(1, 0, RUN)]);
        let with = BTreeSet::from(["sys-kernel/sources".parse().unwrap()]);
        planned.packages[0].oddities.insert(Oddity::KernelModule { with });
        for (pattern, local) in [("sys-kernel/*", vec!["0"]), ("sys-apps/*", vec![])] {
            let (_, build_locally) = without_excluded(planned.clone(), &exclude(pattern));
            assert_eq!(numbers(build_locally.iter().map(String::as_str)), local, "{pattern}");
        }
    }
}
