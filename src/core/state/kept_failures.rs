//! What failed before in just the same form is not tried again without a cause: a nightly build of the world would else
//! compile what does not compile every night.
//!
//! That it failed counts for a build that takes the earlier one's place where the package, and all that is merged to
//! build it, is wanted in the very same form; and only what speaks against the package for good: a source that could not
//! be fetched may be there by now. After a week it is tried all the same, since drones change, too.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Inconsistent, State};
use crate::core::build::{Attempt, Build, Phase};
use crate::core::failure::FailureClass;
use crate::core::names::Timestamp;
use crate::core::package::Identity;
use crate::core::plan::{PackageIndex, Plan};

/// So long (seconds) a failure counts.
const COUNTS_FOR: i64 = 7 * 24 * 3600;

impl State {
    /// The packages of a plan that failed for good in an unreleased build of its driver, with what was tried there.
    ///
    /// Cost: a pass over each unreleased build, and over what is merged for what failed there.
    pub fn failed_before(&self, plan: &Plan, now: Timestamp) -> BTreeMap<PackageIndex, Vec<Attempt>> {
        let wanted: HashMap<&Identity, PackageIndex> =
            (0..plan.packages.len()).map(|index| (&plan.packages[index].identity, PackageIndex::at(index))).collect();
        let mut found = BTreeMap::new();
        for build in self.unreleased().filter(|build| build.plan.driver == plan.driver) {
            for failed in build.failed_for_good(now) {
                let Some(package) = wanted.get(build.identity(failed)).copied() else { continue };
                if merged(&build.plan, failed) == merged(plan, package) {
                    found.insert(package, build.packages[failed.index()].attempts.clone());
                }
            }
        }
        found
    }

    pub(super) fn keep_failures(
        &mut self,
        failures: &BTreeMap<PackageIndex, Vec<Attempt>>,
    ) -> Result<(), Inconsistent> {
        let build = self.open_mut()?;
        for (package, attempts) in failures {
            let known = build.packages.get_mut(package.index());
            let known = known.ok_or_else(|| super::inconsistent("a failure of no package of the open build"))?;
            if matches!(known.phase, Phase::Needed) {
                known.attempts.clone_from(attempts);
                build.set_phase(*package, Phase::Failed);
            }
        }
        build.mark_blocked();
        Ok(())
    }
}

/// All that is installed to build it.
fn merged(plan: &Plan, package: PackageIndex) -> HashSet<&Identity> {
    plan.merged_for(package).into_iter().map(|need| &plan.packages[need.index()].identity).collect()
}

impl Build {
    fn failed_for_good(&self, now: Timestamp) -> impl Iterator<Item = PackageIndex> {
        let failed = self.packages.iter().enumerate().filter(move |(_, package)| {
            matches!(package.phase, Phase::Failed)
                && package.attempts.last().is_some_and(|last| {
                    matches!(last.failure.class, FailureClass::Build | FailureClass::Config)
                        && now.0 - last.at.0 < COUNTS_FOR
                })
        });
        failed.map(|(index, _)| PackageIndex::at(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decide::decide;
    use crate::core::event::{Event, JobOutcome, Selection};
    use crate::core::failure::Failure;
    use crate::core::simulation::{opened, plan};

    /// A package that failed with this class on two drones; another one that needs it.
    fn failed(class: FailureClass) -> State {
        let mut state = opened(plan(2, &[(1, 0)]), &[(8, 1), (4, 1)]);
        for at in [1, 2].map(Timestamp) {
            let start = decide(&state, at).starts.remove(0);
            let job = start.job.clone();
            state.apply(&start.event(at)).unwrap();
            let outcome = JobOutcome::Failed { failure: Failure { class, reason: "oops".into() }, log: None };
            state.apply(&Event::JobEnded { job, outcome, at }).unwrap();
        }
        state
    }

    /// The plan of the next night: the same, with a change.
    fn next(change: impl FnOnce(&mut Plan)) -> Plan {
        let mut plan = plan(2, &[(1, 0)]);
        change(&mut plan);
        plan
    }

    #[test]
    fn a_failure_counts_as_long_as_nothing_that_it_may_lie_in_has_changed() {
        use FailureClass::{Build, Config, Fetch};
        let same = |_: &mut Plan| {};
        type Change = fn(&mut Plan);
        let cases: [(&str, FailureClass, Change, i64, &[usize]); 7] = [
            ("nothing has changed", Build, same, 100, &[0]),
            ("what is not satisfied", Config, same, 100, &[0]),
            ("a mirror may be back", Fetch, same, 100, &[]),
            ("another driver", Build, |plan| plan.driver = "altair".parse().unwrap(), 100, &[]),
            ("another ebuild", Build, |plan| plan.packages[0].identity.ebuild_digest = "2".into(), 100, &[]),
            ("its dependent is another", Build, |plan| plan.packages[1].identity.ebuild_digest = "2".into(), 100, &[0]),
            ("a week has gone by", Build, same, COUNTS_FOR + 2, &[]),
        ];
        for (what, class, change, at, kept) in cases {
            let found = failed(class).failed_before(&next(change), Timestamp(at));
            assert_eq!(found.keys().map(|package| package.index()).collect::<Vec<_>>(), kept, "{what}");
        }
    }

    #[test]
    fn what_is_merged_to_build_it_is_part_of_the_form_in_which_it_failed() {
        let mut state = opened(plan(2, &[(1, 0)]), &[(8, 1)]);
        let attempts = failed(FailureClass::Build).open_build().unwrap().packages[0].attempts.clone();
        state.keep_failures(&BTreeMap::from([(PackageIndex(1), attempts)])).unwrap();
        assert_eq!(state.failed_before(&next(|_| {}), Timestamp(9)).len(), 1);
        let another = next(|plan| plan.packages[0].identity.ebuild_digest = "2".into());
        assert_eq!(state.failed_before(&another, Timestamp(9)).len(), 0);
    }

    #[test]
    fn a_build_in_which_all_failed_before_is_over_at_once_and_a_retry_opens_it() {
        let mut state = failed(FailureClass::Build);
        let failures = state.failed_before(&next(|_| {}), Timestamp(9));
        let opened = Event::BuildOpened {
            build: "build2".parse().unwrap(),
            selection: Selection::World,
            plan: next(|_| {}),
            live: BTreeMap::new(),
            rebuild: false,
            at: Timestamp(9),
        };
        state.apply(&opened).unwrap();
        state.apply(&Event::FailuresKept { failures }).unwrap();
        let build = state.open_build().unwrap();
        assert!(build.is_over() && build.is_blocked(PackageIndex(1)), "{:?}", build.packages);
        assert_eq!(build.packages[0].attempts.len(), 2);
        assert!(decide(&state, Timestamp(9)).starts.is_empty());
        state.apply(&Event::RetryAsked { packages: [].into(), at: Timestamp(9) }).unwrap();
        assert_eq!(decide(&state, Timestamp(9)).starts.len(), 1);
    }
}
