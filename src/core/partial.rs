//! What of a build could go live without the rest: packages that were received, and all whose run-time needs are in the
//! release with them.
//!
//! A need is what the driver's resolver chose, so the very package that was planned has to be there: an older one in the
//! live release may not do (a sub-slot, a USE dependency). Left out is thus whatever leads, by run-time needs, to a
//! package that was not received; packages that need each other stand or fall together.
//!
//! Cost: each edge is looked at once.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Build, Phase};
use super::plan::PackageIndex;

/// A build, parted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parted {
    /// What can go live.
    pub released: BTreeSet<PackageIndex>,
    /// What was received and cannot, with those of its needs that are not in the release.
    pub left_out: BTreeMap<PackageIndex, BTreeSet<PackageIndex>>,
}

/// Parts a build into what can go live and what cannot.
pub fn part(build: &Build) -> Parted {
    let is_received = |package: PackageIndex| matches!(build.packages[package.index()].phase, Phase::Received(_));
    let mut needed_by: BTreeMap<PackageIndex, Vec<PackageIndex>> = BTreeMap::new();
    for edge in build.plan.edges.iter().filter(|edge| edge.runs()) {
        needed_by.entry(edge.to).or_default().push(edge.from);
    }
    let mut parted = Parted::default();
    let all = || (0..build.packages.len()).map(PackageIndex::at);
    let mut missing: Vec<PackageIndex> = all().filter(|package| !is_received(*package)).collect();
    while let Some(need) = missing.pop() {
        for package in needed_by.get(&need).into_iter().flatten().filter(|package| is_received(**package)) {
            let needs = parted.left_out.entry(*package).or_insert_with(|| {
                missing.push(*package);
                BTreeSet::new()
            });
            needs.insert(need);
        }
    }
    parted.released = all().filter(|package| is_received(*package) && !parted.left_out.contains_key(package)).collect();
    parted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::core::event::ReceivedFile;
    use crate::core::event::{Event, Selection};
    use crate::core::names::{BuildId, Timestamp};
    use crate::core::plan::EdgeKind;
    use crate::core::simulation;
    use crate::core::state::State;
    use crate::core::texts::Fields;

    const RUN: EdgeKind = EdgeKind::Runtime;

    /// A build of so many packages, of which these are received; every dependency points to an earlier one, or back in a
    /// cycle, so that their numbers are their places.
    fn build(size: usize, received: &[usize], edges: &[(usize, usize, EdgeKind)]) -> Build {
        let pairs: Vec<_> = edges.iter().map(|(from, to, _)| (*from, *to)).collect();
        let mut plan = simulation::plan(size, &pairs);
        for edge in &mut plan.edges {
            let kind =
                edges.iter().find(|(from, to, _)| (*from, *to) == (edge.from.index(), edge.to.index())).unwrap().2;
            edge.kinds = kind.into();
        }
        let file = ReceivedFile { path: String::new(), build_id: BuildId(1), stanza: Fields::default(), imprint: None };
        let live = received.iter().map(|number| (PackageIndex::at(*number), file.clone())).collect();
        let (build, selection, at) = ("build1".parse().unwrap(), Selection::World, Timestamp(0));
        let mut state = State::default();
        state.apply(&Event::BuildOpened { build, selection, plan, live, rebuild: false, at }).unwrap();
        state.open_build().unwrap().clone()
    }

    fn numbers(packages: &BTreeSet<PackageIndex>) -> Vec<usize> {
        packages.iter().map(|package| package.index()).collect()
    }

    #[test]
    fn only_run_time_needs_that_are_not_received_keep_a_package_back() {
        for (why, received, edges, left_out) in [
            ("all is there", &[0, 1, 2][..], &[(1, 0, RUN), (2, 1, RUN)][..], &[][..]),
            (
                "a need is missing, and what needs that, too",
                &[1, 2],
                &[(1, 0, RUN), (2, 1, RUN)],
                &[(1, &[0][..]), (2, &[1])],
            ),
            ("it may come later, but has to come", &[1, 2], &[(1, 0, EdgeKind::RuntimePost)], &[(1, &[0])]),
            ("it is linked against it", &[1, 2], &[(1, 0, EdgeKind::RuntimeSlotOp)], &[(1, &[0])]),
            ("it was needed to build", &[1, 2], &[(1, 0, EdgeKind::Buildtime)], &[]),
            ("two needs are missing", &[2], &[(2, 0, RUN), (2, 1, RUN)], &[(2, &[0, 1])]),
            (
                "a cycle that lacks something falls as one",
                &[1, 2],
                &[(1, 0, RUN), (1, 2, RUN), (2, 1, RUN)],
                &[(1, &[0, 2]), (2, &[1])],
            ),
            ("a cycle that is whole stands", &[1, 2], &[(1, 2, RUN), (2, 1, RUN)], &[]),
        ] {
            let parted = part(&build(3, received, edges));
            let found: Vec<_> =
                parted.left_out.iter().map(|(package, needs)| (package.index(), numbers(needs))).collect();
            let expected: Vec<_> = left_out.iter().map(|(package, needs)| (*package, needs.to_vec())).collect();
            assert_eq!(found, expected, "{why}");
            let released: Vec<_> =
                received.iter().copied().filter(|package| !found.iter().any(|(left, _)| left == package)).collect();
            assert_eq!(numbers(&parted.released), released, "{why}");
        }
    }

    proptest! {
        #[test]
        fn what_can_go_live_needs_nothing_else_to_run_and_nothing_more_could(
            (size, received, edges) in (1..12usize).prop_flat_map(|size| {
                let edge = (0..size, 0..size, prop::bool::ANY);
                (Just(size), prop::collection::vec(prop::bool::ANY, size), prop::collection::vec(edge, 0..20))
            }),
        ) {
            let received: Vec<_> = (0..size).filter(|package| received[*package]).collect();
            let edges: BTreeMap<_, _> = edges
                .into_iter()
                .filter(|(from, to, _)| from > to)
                .map(|(from, to, run)| ((from, to), if run { RUN } else { EdgeKind::Buildtime }))
                .collect();
            let edges: Vec<_> = edges.into_iter().map(|((from, to), kind)| (from, to, kind)).collect();
            let build = build(size, &received, &edges);
            let parted = part(&build);
            let needs = |package: PackageIndex| {
                let edges = build.plan.edges.iter().filter(move |edge| edge.from == package && edge.kinds.contains(RUN));
                edges.map(|edge| edge.to)
            };
            for package in &parted.released {
                prop_assert!(needs(*package).all(|need| parted.released.contains(&need)));
            }
            for (package, missing) in &parted.left_out {
                prop_assert!(!missing.is_empty() && !parted.released.contains(package));
                let absent: BTreeSet<_> = needs(*package).filter(|need| !parted.released.contains(need)).collect();
                prop_assert_eq!(missing, &absent);
            }
            prop_assert_eq!(parted.released.len() + parted.left_out.len(), received.len());
        }
    }
}
