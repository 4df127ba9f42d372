//! What running jobs hold of a root that jobs share.
//!
//! On a drone without clean rooms what a job needs is merged into the drone's own root, and stays there. Within one plan
//! that harms nobody: a job that needs a package of the plan, in whatever version, has waited for just that one. But a
//! plan can be replaced under a running job that both want. What the job was linked against is then what the old plan
//! had, or what the drone had before; a package of the new plan that would replace it there is *held*: on that drone
//! nothing starts that would merge it, until the job is over. A job of another plan than the open one may itself replace
//! what a new one needs: it is about to be ended, and nothing new begins beside it.
//!
//! Cost: a pass over what the job needs in both plans when a plan is replaced; nothing where none is.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Build;
use super::event::Rooms;
use super::names::HostName;
use super::plan::PackageIndex;
use super::state::{Job, State};

/// Where Portage keeps one version at a time: the package's name and its slot.
fn place(build: &Build, package: PackageIndex) -> (&str, &str) {
    let identity = build.identity(package);
    (identity.cpv.package(), &identity.slot.slot)
}

/// All that a job for this package merges: what it needs, and itself.
fn merged(build: &Build, package: PackageIndex) -> impl Iterator<Item = PackageIndex> + use<> {
    build.all_needs(package).into_iter().chain([package])
}

/// The packages of the new build that would replace what a job was linked against, which was started for `package` of
/// the build before, held these of it, and now stands for `place_now` of the new one.
pub(super) fn held(
    before: &Build,
    package: PackageIndex,
    holds: &BTreeSet<PackageIndex>,
    now: &Build,
    place_now: PackageIndex,
) -> BTreeSet<PackageIndex> {
    let had: BTreeMap<_, _> = merged(before, package).map(|index| (place(before, index), index)).collect();
    let held_already: BTreeSet<_> = holds.iter().map(|index| place(before, *index)).collect();
    let needed: BTreeSet<PackageIndex> = merged(now, place_now).collect();
    let all = (0..now.packages.len()).map(PackageIndex::at);
    all.filter(|index| {
        let key = place(now, *index);
        match had.get(&key) {
            _ if held_already.contains(&key) => true,
            Some(old) => before.identity(*old) != now.identity(*index),
            // It had then what the drone had; the new plan says that it is something that the job uses.
            None => needed.contains(index),
        }
    })
    .collect()
}

/// What keeps jobs from starting on one drone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// These may not be merged there.
    packages: BTreeSet<PackageIndex>,
    /// Nothing may start there: a job of another plan is being ended.
    other_plan: bool,
}

impl Holding {
    /// What the jobs on a drone hold of its root, with the open build's packages.
    pub fn of(state: &State, drone: &HostName) -> Self {
        let mut holding = Self::default();
        if state.drones.get(drone).is_some_and(|drone| drone.rooms == Rooms::Own) {
            return holding;
        }
        for (_, job) in state.jobs_on(drone) {
            holding.add(job, state);
        }
        holding
    }

    /// Counts one of its jobs.
    pub fn add(&mut self, job: &Job, state: &State) {
        if job.room {
            return;
        }
        self.other_plan |= state.open.as_ref() != Some(&job.build);
        self.packages.extend(&job.holds);
    }

    /// Whether a job for this package has to wait, or go elsewhere.
    pub fn forbids(&self, build: &Build, package: PackageIndex) -> bool {
        self.other_plan
            || (!self.packages.is_empty() && merged(build, package).any(|index| self.packages.contains(&index)))
    }
}
