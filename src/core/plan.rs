//! A plan: what is to be built, and what each of it needs.
//!
//! The resolver names the packages in its merge order and the dependencies between them. A build can start a package
//! once everything that it needs has been received, so the needs must be free of cycles. Every edge that runs against
//! the merge order is left out: the resolver puts a package behind all that it needs wherever that can be done, so an
//! edge against its order is part of a cycle, and is broken there just as Portage itself breaks it. Cost: linear in
//! the edges.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::names::HostName;
use super::package::{Cpv, Identity};

/// A package's place in its plan's merge order; indexes [`Plan::packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackageIndex(pub u32);

impl PackageIndex {
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
    /// The packages in Portage's merge order.
    pub packages: Vec<PlannedPackage>,
    /// The dependencies between them, paths through installed packages contracted.
    pub edges: Vec<Edge>,
    /// The header that Portage on the driver gives a package index, by key.
    pub index_header: BTreeMap<String, String>,
    /// What the resolver warned of (for example world members that it cannot satisfy), one a line.
    pub warnings: Vec<String>,
}

impl Plan {
    /// For each package those that must have been received before it starts, without cycles, in ascending order.
    pub fn needs(&self) -> Vec<Vec<PackageIndex>> {
        let mut needs = vec![Vec::new(); self.packages.len()];
        for edge in self.edges.iter().filter(|edge| edge.to < edge.from) {
            if edge.kinds.iter().any(|kind| *kind != EdgeKind::RuntimePost) {
                needs[edge.from.index()].push(edge.to);
            }
        }
        for list in &mut needs {
            list.sort_unstable();
            list.dedup();
        }
        needs
    }

    /// The edges that run against the merge order, where a cycle was broken; those that may come later are none.
    pub fn broken_edges(&self) -> impl Iterator<Item = &Edge> {
        self.edges
            .iter()
            .filter(|edge| edge.to > edge.from && edge.kinds.iter().any(|kind| *kind != EdgeKind::RuntimePost))
    }

    /// The name people see for a package: its CPV, and its USE flags where another identity shares the CPV.
    pub fn label(&self, package: PackageIndex) -> String {
        let identity = &self.packages[package.index()].identity;
        let shared = self.packages.iter().filter(|other| other.identity.cpv == identity.cpv).count() > 1;
        if shared {
            let flags: Vec<_> = identity.use_flags.iter().map(String::as_str).collect();
            format!("{}[{}]", identity.cpv, flags.join(","))
        } else {
            identity.cpv.to_string()
        }
    }

    /// The packages with this CPV.
    pub fn find(&self, cpv: &Cpv) -> impl Iterator<Item = PackageIndex> {
        self.packages
            .iter()
            .enumerate()
            .filter(move |(_, package)| package.identity.cpv == *cpv)
            .filter_map(|(index, _)| u32::try_from(index).ok().map(PackageIndex))
    }
}
