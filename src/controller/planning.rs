//! What a selection comes to: the driver's own resolver says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::ControlError;
use crate::core::event::Selection;
use crate::core::plan::{Edge, PackageIndex, Plan};
use crate::inventory::Inventory;
use crate::portage::probe::{self, Request};
use crate::ssh::{self, Host, HostError, HostErrorKind, Script};

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

/// The host of the driver.
///
/// # Errors
/// When the inventory has no such host.
pub fn driver(inventory: &Inventory) -> Result<Arc<dyn Host>, ControlError> {
    let name = inventory.driver();
    let destination = inventory.destination(name).ok_or_else(|| {
        ControlError::Driver(HostError {
            host: name.clone(),
            kind: HostErrorKind::Unreachable,
            message: "the inventory has no host of this name".to_owned(),
        })
    })?;
    Ok(ssh::host(&destination))
}

/// Asks the driver.
///
/// # Errors
/// When it cannot be reached, its resolver finds no solution (in its own words), or nothing would be built.
pub async fn plan(inventory: &Inventory, selection: &Selection) -> Result<Planned, ControlError> {
    let host = driver(inventory)?;
    let request = Request::Plan { arguments: probe::plan_arguments(selection) };
    let output = host.run(&Script::new(probe::script(&request))).await.map_err(ControlError::Driver)?;
    let resolution = probe::read_resolution(&output.stdout, &output.stderr).map_err(|source| ControlError::Plan {
        driver: inventory.driver().clone(),
        what: selection.to_string(),
        source,
    })?;
    let plan = resolution.into_plan(inventory.driver().clone());
    let (plan, build_locally) = without_excluded(plan, inventory);
    let (plan, left_out) = match selection {
        Selection::Exactly(cpvs) => {
            keep(plan, |plan, package| cpvs.contains(&plan.packages[package.index()].identity.cpv))
        }
        Selection::World | Selection::Atoms(_) | Selection::Packages(_) => (plan, Vec::new()),
    };
    Ok(Planned { plan, build_locally, left_out })
}

fn without_excluded(plan: Plan, inventory: &Inventory) -> (Plan, Vec<String>) {
    let mut excluded: BTreeSet<PackageIndex> = (0..plan.packages.len())
        .map(PackageIndex::at)
        .filter(|package| inventory.swarm.exclude.matches(plan.packages[package.index()].identity.cpv.package()))
        .collect();
    if excluded.is_empty() {
        return (plan, Vec::new());
    }
    for (index, needs) in plan.needs().direct.iter().enumerate() {
        if needs.iter().any(|need| excluded.contains(need)) {
            excluded.insert(PackageIndex::at(index));
        }
    }
    keep(plan, |_, package| !excluded.contains(&package))
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
                        edges.push(Edge { from: *new, to: *target, kinds: first.kinds.clone() });
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
