//! A plan: what is to be built, and what each of it needs.
//!
//! The resolver names the packages in its merge order and the dependencies between them. A build can start a package
//! once everything that it needs has been received, so the needs must be free of cycles. Packages that need each
//! other (in whatever way: a job merges its package, so what that needs to run has to be there, too) are worked off as
//! one: none of them starts before all that any of them needs from outside, and then they follow one another in
//! Portage's merge order, which is how Portage itself breaks the cycle. The first of them builds what it lacks of the
//! others beside itself, and the others are then received with it.
//!
//! Cost: linear in packages and edges (Tarjan's strongly connected components, without recursion), but for cycles:
//! each member of one carries the needs of all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use serde::{Deserialize, Serialize};

use super::names::HostName;
use super::package::Identity;

/// A package's place in its plan; indexes [`Plan::packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackageIndex(pub u32);

impl PackageIndex {
    /// The place at this index; plans are far smaller than four thousand million packages.
    pub fn at(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// As an index into a slice.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// When a dependency is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// To build (DEPEND, BDEPEND).
    Buildtime,
    /// To run (RDEPEND).
    Runtime,
    /// To run, but may come later (PDEPEND).
    RuntimePost,
    /// To build, and linked against its sub-slot.
    BuildtimeSlotOp,
    /// To run, and linked against its sub-slot.
    RuntimeSlotOp,
}

/// One dependency between two planned packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// The package that needs the other.
    pub from: PackageIndex,
    /// What it needs.
    pub to: PackageIndex,
    /// When it needs it; never empty.
    pub kinds: BTreeSet<EdgeKind>,
}

/// One package to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPackage {
    /// What exactly is wanted.
    pub identity: Identity,
    /// Whether it was asked for by name; otherwise something asked for needs it.
    pub requested: bool,
}

/// The resolver's answer on the driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The driver whose configuration it follows.
    pub driver: HostName,
    /// The packages, each behind all that it needs, cycles apart; otherwise in Portage's merge order.
    pub packages: Vec<PlannedPackage>,
    /// The dependencies between them, paths through installed packages contracted.
    pub edges: Vec<Edge>,
    /// The header that Portage on the driver gives a package index, by key.
    pub index_header: BTreeMap<String, String>,
    /// What the resolver warned of (for example world members that it cannot satisfy), one a line.
    pub warnings: Vec<String>,
}

/// What has to be received before each package starts, and which packages are in a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// By package: what it needs directly, in ascending order; every one of them lies before it.
    pub direct: Vec<Vec<PackageIndex>>,
    /// The cycles, their members in merge order.
    pub cycles: Vec<Vec<PackageIndex>>,
}

impl Plan {
    /// Whether all its dependencies lie within it; what was read from elsewhere may be damaged.
    pub fn hangs_together(&self) -> bool {
        self.edges.iter().all(|edge| edge.from.index().max(edge.to.index()) < self.packages.len())
    }

    /// Puts packages that the resolver names in merge order, with edges by that order, into the order of a plan.
    pub fn in_order(mut self) -> Self {
        let components = components(self.packages.len(), &self.edges);
        let order = order(&components, &self.edges);
        let mut place = vec![PackageIndex(0); order.len()];
        for (new, old) in order.iter().enumerate() {
            place[*old] = PackageIndex::at(new);
        }
        let mut packages: Vec<_> = self.packages.into_iter().map(Some).collect();
        self.packages = order.iter().filter_map(|old| packages[*old].take()).collect();
        for edge in &mut self.edges {
            edge.from = place[edge.from.index()];
            edge.to = place[edge.to.index()];
        }
        self.edges.sort_by_key(|edge| (edge.from, edge.to));
        self
    }

    /// What has to be received before each package starts.
    pub fn needs(&self) -> Needs {
        let components = components(self.packages.len(), &self.edges);
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (package, component) in components.iter().enumerate() {
            members.entry(*component).or_default().push(package);
        }
        let mut direct = vec![Vec::new(); self.packages.len()];
        let between = self.edges.iter().map(|edge| (components[edge.from.index()], components[edge.to.index()]));
        // Each pair counts once, however many edges lie between the members of two cycles.
        for (component, target) in between.collect::<BTreeSet<_>>() {
            if component != target {
                // Who needs one of a cycle needs all of it: none of them is complete without the others.
                let targets = members.get(&target).into_iter().flatten();
                for target in targets.map(|target| PackageIndex::at(*target)) {
                    for member in members.get(&component).into_iter().flatten() {
                        direct[*member].push(target);
                    }
                }
            }
        }
        let cycles: Vec<Vec<PackageIndex>> = members
            .into_values()
            .filter(|members| members.len() > 1)
            .map(|members| members.into_iter().map(PackageIndex::at).collect())
            .collect();
        for cycle in &cycles {
            for pair in cycle.windows(2) {
                direct[pair[1].index()].push(pair[0]);
            }
        }
        for list in &mut direct {
            list.sort_unstable();
            list.dedup();
        }
        Needs { direct, cycles }
    }
}

/// How many needs a plan of so many packages with these edges comes to, at the most; nothing is allocated for them.
pub fn number_of_needs(size: usize, edges: &[Edge]) -> usize {
    let components = components(size, edges);
    let mut members = vec![0_usize; size];
    for component in &components {
        members[*component] += 1;
    }
    let pairs: BTreeSet<_> = edges
        .iter()
        .map(|edge| (components[edge.from.index()], components[edge.to.index()]))
        .filter(|(from, to)| from != to)
        .collect();
    let between = pairs.iter().map(|(from, to)| members[*from].saturating_mul(members[*to]));
    between.fold(size, usize::saturating_add)
}

/// By package the number of its strongly connected component.
fn components(size: usize, edges: &[Edge]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut targets = vec![Vec::new(); size];
    for edge in edges {
        targets[edge.from.index()].push(edge.to.index());
    }
    let mut component = vec![UNSEEN; size];
    let mut entered = vec![UNSEEN; size];
    let mut lowest = vec![UNSEEN; size];
    let mut stack = Vec::new();
    let (mut clock, mut found) = (0, 0);
    for root in 0..size {
        // Each frame is a package and how many of its targets have been looked at.
        let mut frames = vec![(root, 0)];
        while let Some((package, next)) = frames.pop() {
            if next == 0 {
                if entered[package] != UNSEEN {
                    continue;
                }
                entered[package] = clock;
                lowest[package] = clock;
                clock += 1;
                stack.push(package);
            } else {
                let done = targets[package][next - 1];
                if component[done] == UNSEEN {
                    lowest[package] = lowest[package].min(lowest[done]);
                }
            }
            if let Some(target) = targets[package].get(next) {
                frames.push((package, next + 1));
                frames.push((*target, 0));
            } else if lowest[package] == entered[package] {
                while let Some(member) = stack.pop() {
                    component[member] = found;
                    if member == package {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}

/// The packages so that each lies behind what it needs, the one that comes first in the given order first.
fn order(components: &[usize], edges: &[Edge]) -> Vec<usize> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (package, component) in components.iter().enumerate() {
        members.entry(*component).or_default().push(package);
    }
    let mut waits_for: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut wanted_by: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for edge in edges {
        let (from, to) = (components[edge.from.index()], components[edge.to.index()]);
        if from != to && waits_for.entry(from).or_default().insert(to) {
            wanted_by.entry(to).or_default().insert(from);
        }
    }
    let first = |component: &usize| members.get(component).and_then(|members| members.first().copied());
    let mut ready: BinaryHeap<_> = members
        .keys()
        .filter(|component| !waits_for.contains_key(component))
        .map(|component| Reverse((first(component), *component)))
        .collect();
    let mut sorted = Vec::with_capacity(components.len());
    while let Some(Reverse((_, component))) = ready.pop() {
        sorted.extend(members.get(&component).into_iter().flatten().copied());
        for waiting in wanted_by.remove(&component).into_iter().flatten() {
            if let Some(left) = waits_for.get_mut(&waiting)
                && left.remove(&component)
                && left.is_empty()
            {
                ready.push(Reverse((first(&waiting), waiting)));
            }
        }
    }
    sorted
}
