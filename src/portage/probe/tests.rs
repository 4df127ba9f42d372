//! What real Portage answered (`recorded/`, made by the lab test `oddities`), read.

use serde_json::Value;

use super::*;

macro_rules! recorded {
    ($name:literal) => {
        read(include_str!(concat!("recorded/", $name, ".json")))
    };
}

fn read(recorded: &str) -> Result<Resolution, ProbeError> {
    let answer: Value = serde_json::from_str(recorded).unwrap();
    let words = answer["words"].as_str().unwrap_or_default();
    read_resolution(format!("{MARK}\n{answer}\n{MARK}\n").as_bytes(), words.as_bytes())
}

fn plan(resolution: Result<Resolution, ProbeError>) -> Plan {
    resolution.unwrap().into_plan("capella".parse().unwrap())
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.packages.iter().map(|package| package.identity.cpv.as_str()).collect()
}

#[test]
fn a_cycle_is_broken_where_the_driver_has_an_older_version_installed() {
    let plan = plan(recorded!("cycle"));
    assert_eq!(names(&plan), ["dev-lab/crt-2", "dev-lab/compiler-2"]);
    let needs = plan.needs();
    assert_eq!(needs.broken, [(PackageIndex(0), PackageIndex(1))]);
    assert_eq!(needs.direct, [vec![], vec![PackageIndex(0)]]);
}

#[test]
fn a_package_in_a_broken_cycle_is_not_bound_to_what_comes_behind_it() {
    let mut resolution = recorded!("cycle").unwrap();
    let slot: Slot = "0/2".parse().unwrap();
    let linked: Links = [("dev-lab/compiler", slot.clone()), ("dev-lab/other", slot)].into_iter().collect();
    for merge in &mut resolution.merges {
        merge.identity.linked = linked.clone();
    }
    let plan = plan(Ok(resolution));
    let bound = |index: usize| plan.packages[index].identity.linked.iter().map(|(name, _)| name);
    assert_eq!(bound(0).collect::<Vec<_>>(), ["dev-lab/other"]);
    assert_eq!(bound(1).collect::<Vec<_>>(), ["dev-lab/compiler", "dev-lab/other"]);
}

#[test]
fn packages_that_block_each_other_or_what_is_installed_are_planned_with_a_word() {
    let plan = plan(recorded!("blocked"));
    assert_eq!(names(&plan), ["app-lab/cat-1.0", "app-lab/dog-1.0", "app-lab/purist-1"]);
    let said = [
        "app-lab/cat-1.0 and app-lab/dog-1.0 block each other: each is built, but they cannot be installed together",
        "app-lab/oldtool-1 (installed on capella) and app-lab/purist-1 block each other: what is planned of them is \
         built, but they cannot be installed together",
    ];
    assert_eq!(plan.warnings, said);
}

#[test]
fn what_has_to_go_from_the_driver_is_named_and_planned_nowhere() {
    let plan = plan(recorded!("uninstall"));
    assert_eq!(names(&plan), ["app-lab/newtool-1"]);
    let said = ["installing this on capella removes app-lab/oldtool-1 there; building it does not touch that"];
    assert_eq!(plan.warnings, said);
}

#[test]
fn holes_in_the_world_are_named_whatever_else_is_odd_in_it() {
    let plan = plan(recorded!("world"));
    assert_eq!(plan.packages.len(), 15);
    let holes: Vec<_> = plan.warnings.iter().filter(|warning| warning.contains("nothing satisfies it")).collect();
    assert!(holes[0].starts_with("app-lab/gone is wanted") && holes[1].starts_with("app-lab/unsatisfied is wanted"));
    assert_eq!(holes.len(), 2);
    let oddities: BTreeMap<&str, Vec<Oddity>> = plan
        .packages
        .iter()
        .filter(|package| !package.oddities.is_empty())
        .map(|package| (package.identity.cpv.as_str(), package.oddities.iter().cloned().collect()))
        .collect();
    let with = ["sys-kernel/sources", "virtual/kernel"].map(|name| name.parse().unwrap()).into();
    let expected = BTreeMap::from([
        ("app-lab/module-1", vec![Oddity::KernelModule { with }]),
        ("app-lab/private-1", vec![Oddity::NotToBePassedOn]),
        ("app-lab/tip-9999", vec![Oddity::Live { by_name: false }]),
    ]);
    assert_eq!(oddities, expected);
}

#[test]
fn an_unsolved_slot_conflict_is_refused_in_portages_words_and_a_solved_one_goes_on() {
    let Err(ProbeError::Unresolved { said }) = recorded!("slots") else { panic!("it is resolved") };
    assert!(said.contains("resulting in a slot conflict:\n\napp-lab/hello:0\n"), "{said}");
    assert!(!said.contains("Calculating") && !said.contains('\u{1b}'), "{said}");
    let plan = plan(recorded!("slots-solved"));
    let expected = ["dev-lab/libfoo-1.0", "dev-lab/libbar-1.0", "app-lab/conservative-1", "dev-lab/libbaz-1.3_p2"];
    assert_eq!(names(&plan), expected);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}
