//! What waits for what, in tables and in random plans.

use proptest::prelude::*;

use super::EdgeKind::{Buildtime, Runtime, RuntimePost, RuntimeSlotOp};
use super::*;
use crate::core::simulation::plan;

type Dependency = (usize, usize, &'static [EdgeKind]);

/// What it is about, the dependencies, what each package waits for, and where cycles are broken.
type Case = (&'static str, &'static [Dependency], &'static [&'static [u32]], &'static [(u32, u32)]);

const BUILD: &[EdgeKind] = &[Buildtime];
const RUN: &[EdgeKind] = &[Runtime];
const BOTH: &[EdgeKind] = &[Buildtime, Runtime];
const LINKED: &[EdgeKind] = &[RuntimeSlotOp];
const LATER: &[EdgeKind] = &[RuntimePost];

fn edges(dependencies: &[Dependency]) -> Vec<Edge> {
    let edge = |(from, to, kinds): &Dependency| Edge {
        from: PackageIndex::at(*from),
        to: PackageIndex::at(*to),
        kinds: kinds.iter().copied().collect(),
    };
    dependencies.iter().map(edge).collect()
}

/// A plan of packages in this merge order, with these dependencies by that.
fn planned(size: usize, dependencies: &[Dependency]) -> Plan {
    Plan { edges: edges(dependencies), ..plan(size, &[]) }.in_order()
}

fn numbers(packages: impl IntoIterator<Item = PackageIndex>) -> Vec<u32> {
    packages.into_iter().map(|package| package.0).collect()
}

#[test]
fn a_package_waits_for_what_it_needs_to_build_and_what_that_needs_to_run() {
    let cases: [Case; 11] = [
        ("to build", &[(1, 0, BUILD)], &[&[], &[0]], &[]),
        ("only to run", &[(1, 0, RUN)], &[&[], &[]], &[]),
        ("only to run, later", &[(0, 1, LATER)], &[&[], &[]], &[]),
        ("linked at run time", &[(1, 0, LINKED)], &[&[], &[0]], &[]),
        ("what a tool runs with", &[(1, 0, RUN), (2, 1, BUILD)], &[&[], &[], &[0, 1]], &[]),
        ("what a tool waited for is there", &[(1, 0, BOTH), (2, 1, BUILD)], &[&[], &[0], &[1]], &[]),
        ("what a tool was built with alone", &[(1, 0, BUILD), (2, 1, BUILD)], &[&[], &[0], &[1]], &[]),
        ("a cycle at run time", &[(0, 1, RUN), (1, 0, RUN)], &[&[], &[]], &[]),
        ("built with one of those", &[(0, 1, RUN), (1, 0, RUN), (2, 0, BUILD)], &[&[], &[], &[0, 1]], &[]),
        ("a cycle", &[(0, 1, BUILD), (1, 0, BUILD)], &[&[], &[0]], &[(0, 1)]),
        (
            "built with the first of a cycle, which runs with the second",
            &[(0, 1, BOTH), (1, 0, BUILD), (2, 0, BUILD)],
            &[&[], &[0], &[0, 1]],
            &[(0, 1)],
        ),
    ];
    for (what, dependencies, direct, broken) in cases {
        let needs = planned(direct.len(), dependencies).needs();
        let found: Vec<_> = needs.direct.into_iter().map(numbers).collect();
        assert_eq!(found, direct, "{what}");
        let found: Vec<_> = needs.broken.iter().map(|(first, later)| (first.0, later.0)).collect();
        assert_eq!(found, broken, "{what}");
    }
}

#[test]
fn what_runs_a_tool_is_merged_with_it_and_what_the_package_itself_runs_with_is_not() {
    let dependencies = [(1, 0, BOTH), (2, 1, RUN), (3, 2, BUILD), (4, 3, BUILD), (4, 2, RUN), (3, 4, LATER)];
    let plan = planned(5, &dependencies);
    for (package, merged) in [(0, vec![]), (1, vec![0]), (2, vec![]), (3, vec![0, 1, 2]), (4, vec![3])] {
        assert_eq!(numbers(plan.merged_for(PackageIndex(package))), merged, "for {package}");
    }
}

#[test]
fn a_plan_in_which_everything_runs_with_everything_is_measured_before_it_is_worked_out() {
    let size = 2000;
    let chain: Vec<Dependency> = (1..size).map(|at| (at, at - 1, BOTH)).collect();
    assert!(is_within(size, &edges(&chain), 10 * size));
    let runs = (1..size).map(|at| (at, at - 1, RUN));
    let all: Vec<Dependency> = (0..size / 2).map(|at| (at, size - 1, BUILD)).chain(runs).collect();
    assert!(!is_within(size, &edges(&all), 10 * size));
}

fn a_kind() -> impl Strategy<Value = &'static [EdgeKind]> {
    prop::sample::select(vec![BUILD, RUN, BOTH, LINKED, LATER])
}

/// All that has been received when a package starts.
fn there(needs: &Needs, package: PackageIndex) -> BTreeSet<PackageIndex> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![package];
    while let Some(next) = waiting.pop() {
        waiting.extend(needs.direct[next.index()].iter().filter(|need| found.insert(**need)));
    }
    found
}

proptest! {
    #[test]
    fn everything_lies_behind_what_it_waits_for_and_finds_there_what_is_merged_for_it(
        size in 1usize..30,
        dependencies in prop::collection::vec((0usize..30, 0usize..30, a_kind()), 0..90),
    ) {
        let fits = |(from, to, _): &Dependency| *from < size && *to < size && from != to;
        let dependencies: Vec<_> = dependencies.into_iter().filter(fits).collect();
        let plan = planned(size, &dependencies);
        prop_assert_eq!(plan.packages.len(), size);
        let needs = plan.needs();
        for package in (0..size).map(PackageIndex::at) {
            prop_assert!(needs.direct[package.index()].iter().all(|need| *need < package));
            let there = there(&needs, package);
            prop_assert!(!there.contains(&package));
            if needs.broken.is_empty() {
                prop_assert!(plan.merged_for(package).is_subset(&there), "{:?}", plan.merged_for(package));
            }
        }
        for (first, later) in &needs.broken {
            // Only where it waits for the first itself.
            prop_assert!(there(&needs, *later).contains(first) || needs.broken.len() > 1);
        }
    }

    #[test]
    fn an_order_without_cycles_that_holds_already_is_left_as_it_is(
        size in 1usize..30,
        dependencies in prop::collection::vec((0usize..30, 0usize..30, a_kind()), 0..90),
    ) {
        let fits = |(from, to, _): &Dependency| *from < size && to < from;
        let dependencies: Vec<_> = dependencies.into_iter().filter(fits).collect();
        let plan = planned(size, &dependencies);
        let again = plan.clone().in_order();
        prop_assert_eq!(&plan, &again);
        prop_assert_eq!(plan.needs().broken, []);
    }
}

#[test]
fn a_dependency_is_written_with_a_list_of_its_kinds_and_nothing_else_is_read() {
    let edge = Edge { from: PackageIndex(1), to: PackageIndex(0), kinds: BOTH.iter().copied().collect() };
    let written = |kinds: &str| format!(r#"{{"from":1,"to":0,"kinds":{kinds}}}"#);
    assert_eq!(serde_json::to_string(&edge).unwrap(), written(r#"["buildtime","runtime"]"#));
    assert_eq!(serde_json::from_str::<Edge>(&written(r#"["runtime","buildtime","runtime"]"#)).unwrap(), edge);
    for kinds in [r#"["later"]"#, "3", "[0]", r#""runtime""#, "{}", "null"] {
        serde_json::from_str::<Edge>(&written(kinds)).unwrap_err();
    }
}
