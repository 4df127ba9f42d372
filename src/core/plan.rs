//! A plan: what is to be built, and what each of it needs.
//!
//! The resolver names the packages in its merge order and the dependencies between them. A build can start a package
//! once everything that it needs to build has been received (`waits.rs` says what that is), so that must be free of
//! cycles: where packages need each other to build, Portage's own order says which goes first. That one is built with
//! what the driver has installed of the others, as Portage itself would build it there.

#[cfg(test)]
mod tests;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use enumset::{EnumSet, EnumSetType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::HostName;
use super::package::{Identity, PackageName, Slot};

/// A package's place in its plan; indexes [`Plan::packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, EnumSetType, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[enumset(no_ops, serialize_repr = "list")]
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

impl EdgeKind {
    /// Whether the package cannot be built without. What it is linked against while it runs counts, too: the sub-slot
    /// is written down when it is built.
    fn builds(self) -> bool {
        matches!(self, Self::Buildtime | Self::BuildtimeSlotOp | Self::RuntimeSlotOp)
    }

    /// Whether the package does not run without.
    fn runs(self) -> bool {
        matches!(self, Self::Runtime | Self::RuntimeSlotOp | Self::RuntimePost)
    }
}

/// One dependency between two planned packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// The package that needs the other.
    pub from: PackageIndex,
    /// What it needs.
    pub to: PackageIndex,
    /// When it needs it; never empty.
    #[schemars(with = "BTreeSet<EdgeKind>")]
    pub kinds: EnumSet<EdgeKind>,
}

impl Edge {
    /// Whether the package cannot be built without.
    pub fn builds(&self) -> bool {
        self.kinds.iter().any(EdgeKind::builds)
    }

    /// Whether the package does not run without.
    pub fn runs(&self) -> bool {
        self.kinds.iter().any(EdgeKind::runs)
    }
}

/// What is odd about a package, so that an operator should know of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// Its source is whatever it is on the day (PROPERTIES=live): its identity does not tell whether that has changed.
    Live {
        /// Whether it was asked for by name: whoever does that wants today's source. Where it only belongs to what is
        /// wanted it would else be built anew each time.
        by_name: bool,
    },
    /// It may not be passed on to others once it is built (RESTRICT=bindist).
    NotToBePassedOn,
    /// It is built against a kernel's sources (it inherits linux-mod-r1 or linux-mod).
    KernelModule {
        /// Packages that it needs to build and that the driver has installed already.
        with: BTreeSet<PackageName>,
    },
}

/// One package to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedPackage {
    /// What exactly is wanted.
    pub identity: Identity,
    /// Whether it was asked for by name; otherwise something asked for needs it.
    pub requested: bool,
    /// What is odd about it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub oddities: BTreeSet<Oddity>,
}

impl PlannedPackage {
    /// Whether it is built anew though a release may have it in just this form.
    pub fn is_built_anew(&self) -> bool {
        self.oddities.contains(&Oddity::Live { by_name: true })
    }
}

/// The resolver's answer on the driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What has to be received before each package starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// By package: what it needs to build, in ascending order; every one of them lies before it. What one of these has
    /// waited for is left out.
    pub direct: Vec<Vec<PackageIndex>>,
    /// Where a cycle at build time is broken: a package, and one behind it that it needs to build as well.
    pub broken: Vec<(PackageIndex, PackageIndex)>,
}

impl Plan {
    /// Whether all its dependencies lie within it; what was read from elsewhere may be damaged.
    pub fn hangs_together(&self) -> bool {
        self.edges.iter().all(|edge| edge.from.index().max(edge.to.index()) < self.packages.len())
    }

    /// Puts packages that the resolver names in merge order, with edges by that order, into the order of a plan.
    pub fn in_order(mut self) -> Self {
        let order = waits::order(&waits_of(self.packages.len(), &self.edges));
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

    /// Where a cycle is broken a package is linked against what is installed, not against what is planned behind it.
    pub fn bind_to_what_is_there(&mut self) {
        for (package, later) in self.needs().broken {
            let other = self.packages[later.index()].identity.clone();
            let same = |(name, slot): &(&str, Slot)| *name == other.cpv.package() && slot.slot == other.slot.slot;
            let linked = &mut self.packages[package.index()].identity.linked;
            *linked = linked.iter().filter(|link| !same(link)).collect();
        }
    }

    /// What has to be received before each package starts.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs { direct: Vec::with_capacity(self.packages.len()), broken: Vec::new() };
        for (package, list) in waits_of(self.packages.len(), &self.edges).into_iter().enumerate() {
            let (before, behind): (Vec<_>, Vec<_>) = list.into_iter().partition(|need| *need < package);
            needs.direct.push(before.into_iter().map(PackageIndex::at).collect());
            let package = PackageIndex::at(package);
            needs.broken.extend(behind.into_iter().map(|need| (package, PackageIndex::at(need))));
        }
        needs
    }

    /// All that is merged to build a package: what it needs to build, and all that this needs to run.
    pub fn merged_for(&self, package: PackageIndex) -> BTreeSet<PackageIndex> {
        let mut found: BTreeSet<_> = self.edges_of(package).filter(|edge| edge.builds()).map(|edge| edge.to).collect();
        let mut waiting: Vec<_> = found.iter().copied().collect();
        while let Some(need) = waiting.pop() {
            let runs = self.edges_of(need).filter(|edge| edge.runs() && edge.to != package).map(|edge| edge.to);
            waiting.extend(runs.filter(|target| found.insert(*target)));
        }
        found
    }

    /// The dependencies of one package.
    fn edges_of(&self, package: PackageIndex) -> impl Iterator<Item = &Edge> {
        let begin = self.edges.partition_point(|edge| edge.from < package);
        self.edges[begin..].iter().take_while(move |edge| edge.from == package)
    }
}

fn waits_of(size: usize, edges: &[Edge]) -> Vec<Vec<usize>> {
    // Without a limit there is always an answer.
    waits::waits(size, edges, usize::MAX).unwrap_or_default()
}

/// Whether what so many packages with these dependencies wait for is found by looking at so many dependencies at the
/// most; nothing else is asked of them, so that a plan without measure is never worked out.
pub fn is_within(size: usize, edges: &[Edge], limit: usize) -> bool {
    waits::waits(size, edges, limit).is_some()
}
