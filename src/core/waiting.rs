//! What waits for what: a part of the graph that is small enough to be looked at.
//!
//! It grows around a package, else around the longest path to the end of the build, else around what failed: first what
//! these need and do not have, then what needs them, and so on until as many are in it as can be looked at. Levels are
//! longest paths within the part, so that every need lies left of what needs it.
//!
//! Cost: linear in the packages and dependencies that are looked at; at most all of them once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::build::{Build, Phase};
use super::overview::{PackageOverview, critical_path};
use super::plan::PackageIndex;

/// So many packages can be looked at.
pub const MOST: usize = 80;
/// Of a path so many are shown, so that there is room beside it.
const PATH: usize = 40;

/// A package that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node<'a> {
    /// Which.
    #[serde(flatten)]
    pub package: &'a PackageOverview,
    /// How many others of the part lie before it at the most.
    pub level: usize,
    /// Those of the part that it waits for directly.
    pub waits_here: Vec<PackageIndex>,
    /// How many it waits for besides.
    pub waits_elsewhere: usize,
}

/// A part of what waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Waiting<'a> {
    /// How many packages are not there yet in all.
    pub total: usize,
    /// The part, in merge order.
    pub nodes: Vec<Node<'a>>,
}

/// The part around a package, or around what matters most; `all` are the build's packages.
pub fn waiting<'a>(build: &Build, all: &'a [PackageOverview], around: Option<PackageIndex>) -> Waiting<'a> {
    let is_here = |package: PackageIndex| matches!(build.packages[package.index()].phase, Phase::Received(_));
    let missing =
        |packages: &[PackageIndex]| packages.iter().copied().filter(|each| !is_here(*each)).collect::<Vec<_>>();
    let part = grow(seeds(build, around), |package| {
        [missing(&build.needs[package.index()]), missing(build.dependents(package))].concat()
    });
    let mut levels: BTreeMap<PackageIndex, usize> = BTreeMap::new();
    let mut nodes = Vec::new();
    // Needs lie before their dependents.
    for package in part.iter().copied() {
        let Some(overview) = all.get(package.index()) else { continue };
        let needs = missing(&build.needs[package.index()]);
        let waits_here: Vec<_> = needs.iter().copied().filter(|need| part.contains(need)).collect();
        let level = waits_here.iter().filter_map(|need| levels.get(need)).max().map_or(0, |level| level + 1);
        levels.insert(package, level);
        nodes.push(Node { package: overview, level, waits_elsewhere: needs.len() - waits_here.len(), waits_here });
    }
    let total = (0..build.packages.len()).map(PackageIndex::at).filter(|package| !is_here(*package)).count();
    Waiting { total, nodes }
}

fn seeds(build: &Build, around: Option<PackageIndex>) -> Vec<PackageIndex> {
    if let Some(package) = around {
        return vec![package];
    }
    let path = critical_path(build);
    if !path.is_empty() {
        return path.into_iter().take(PATH).collect();
    }
    let failed = |package: &PackageIndex| matches!(build.packages[package.index()].phase, Phase::Failed);
    (0..build.packages.len()).map(PackageIndex::at).filter(failed).take(PATH).collect()
}

/// What is reached first from these, as many as can be looked at.
fn grow(seeds: Vec<PackageIndex>, neighbours: impl Fn(PackageIndex) -> Vec<PackageIndex>) -> BTreeSet<PackageIndex> {
    let mut part: BTreeSet<_> = seeds.iter().copied().collect();
    let mut next = VecDeque::from(seeds);
    while let Some(package) = next.pop_front() {
        for neighbour in neighbours(package) {
            if part.len() >= MOST {
                return part;
            }
            if part.insert(neighbour) {
                next.push_back(neighbour);
            }
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::overview::packages;
    use crate::core::simulation::{opened, plan};

    #[test]
    fn around_the_longest_path_is_shown_what_it_waits_for_and_what_waits_for_it() {
        let state = opened(plan(6, &[(1, 0), (2, 1), (3, 1), (5, 4)]), &[(1, 1)]);
        let build = state.open_build().unwrap();
        let all = packages(&state, build);
        let shown = |around: Option<usize>| {
            let waiting = waiting(build, &all, around.map(PackageIndex::at));
            assert_eq!(waiting.total, 6);
            waiting.nodes.iter().map(|node| (node.package.package.index(), node.level)).collect::<Vec<_>>()
        };
        assert_eq!(shown(None), [(0, 0), (1, 1), (2, 2), (3, 2)]);
        assert_eq!(shown(Some(5)), [(4, 0), (5, 1)]);
    }

    proptest! {
        #[test]
        fn the_part_is_bounded_and_every_need_lies_on_a_lower_level(
            size in 1_usize..200, edges in proptest::collection::vec((0_usize..200, 0_usize..200), 0..400)
        ) {
            let edges: Vec<_> = edges.into_iter().filter(|(from, to)| to < from && *from < size).collect();
            let state = opened(plan(size, &edges), &[(1, 1)]);
            let build = state.open_build().unwrap();
            let all = packages(&state, build);
            let waiting = waiting(build, &all, None);
            prop_assert!(!waiting.nodes.is_empty() && waiting.nodes.len() <= MOST);
            let level: BTreeMap<_, _> = waiting.nodes.iter().map(|node| (node.package.package, node.level)).collect();
            for node in &waiting.nodes {
                prop_assert!(node.waits_here.iter().all(|need| level[need] < node.level));
                let needs = build.needs[node.package.package.index()].len();
                prop_assert_eq!(needs, node.waits_here.len() + node.waits_elsewhere);
            }
        }
    }
}
