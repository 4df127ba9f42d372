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
use super::plan::PackageIndex;
use super::state::{Drone, Job, State};

/// Where Portage keeps one version at a time: the package's name and its slot.
fn place(build: &Build, package: PackageIndex) -> (&str, &str) {
    let identity = build.identity(package);
    (identity.cpv.package(), &identity.slot.slot)
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
    let had: BTreeMap<_, _> =
        before.plan.merged_for(package).into_iter().map(|index| (place(before, index), index)).collect();
    let held_already: BTreeSet<_> = holds.iter().map(|index| place(before, *index)).collect();
    let needed = now.plan.merged_for(place_now);
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
    /// What these jobs, all that are on a drone, hold of its root, with the open build's packages.
    pub fn of<'a>(state: &State, drone: &Drone, jobs: impl IntoIterator<Item = &'a Job>) -> Self {
        let mut holding = Self::default();
        if drone.rooms != Rooms::Own {
            jobs.into_iter().for_each(|job| holding.add(job, state));
        }
        holding
    }

    fn add(&mut self, job: &Job, state: &State) {
        if job.room {
            return;
        }
        self.other_plan |= state.open.as_ref() != Some(&job.build);
        self.packages.extend(&job.holds);
    }

    /// Whether a job for this package has to wait, or go elsewhere.
    pub fn forbids(&self, build: &Build, package: PackageIndex) -> bool {
        self.other_plan
            || (!self.packages.is_empty()
                && build.plan.merged_for(package).iter().any(|index| self.packages.contains(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decide::decide;
    use crate::core::event::{DroneSpec, Event, JobOutcome, ReceivedFile, Selection};
    use crate::core::explain::explain;
    use crate::core::names::{BuildId, HostName, JobName, Timestamp};
    use crate::core::plan::Plan;
    use crate::core::simulation::plan;
    use crate::core::texts::Fields;

    fn opened(number: u32, plan: Plan) -> Event {
        let build = format!("20261124T14224{number}Z-1f3a9c04").parse().unwrap();
        Event::BuildOpened {
            build,
            selection: Selection::World,
            plan,
            live: BTreeMap::new(),
            rebuild: false,
            at: Timestamp(1),
        }
    }

    /// A drone with such rooms runs package 1, which was started when it needed nothing; by the new plan it needs
    /// package 0, and so does package 2.
    fn replaced(rooms: Rooms) -> State {
        let mut old = plan(2, &[]);
        let new = plan(4, &[(1, 0), (2, 0)]);
        old.packages.remove(0);
        assert_eq!(old.packages[0], new.packages[1]);
        let drone: HostName = "drone0".parse().unwrap();
        let mut state = State::default();
        let mut apply = |event: Event| state.apply(&event).map(|()| state.clone()).unwrap();
        apply(Event::FleetDeclared {
            drones: vec![DroneSpec { name: drone.clone(), cores: 4, jobs: Some(4), memory_mib: None }],
        });
        apply(Event::DroneReady { drone, address: None, rooms, memory_mib: None, configuration: None });
        let before = apply(opened(1, old));
        for start in decide(&before, Timestamp(2)).starts {
            let (job, package, drone, build_ids) = (start.job, start.package, start.drone, start.build_ids);
            apply(Event::JobStarted { job, package, drone, build_ids, width: 1, why: None, at: Timestamp(2) });
        }
        apply(opened(2, new))
    }

    fn started(state: &State) -> Vec<u32> {
        let mut started: Vec<u32> = decide(state, Timestamp(3)).starts.iter().map(|start| start.package.0).collect();
        started.sort_unstable();
        started
    }

    #[test]
    fn what_would_replace_a_librarys_version_under_a_job_waits_where_jobs_share_a_root() {
        let mut state = replaced(Rooms::Shared);
        // Building it replaces nothing; what needs it would merge it.
        assert_eq!(started(&state), [0, 3]);
        let (job, package, drone): (JobName, _, HostName) =
            ("job0".parse().unwrap(), PackageIndex(0), "drone0".parse().unwrap());
        let (build_ids, at) = (BTreeMap::from([(package, BuildId(1))]), Timestamp(3));
        let file =
            ReceivedFile { path: "package0".into(), build_id: BuildId(1), stanza: Fields::default(), imprint: None };
        for event in [
            Event::JobStarted { job: job.clone(), package, drone, build_ids, width: 1, why: None, at },
            Event::PackageReceived { job: job.clone(), package, file, cost: None, at },
            Event::JobEnded { job, outcome: JobOutcome::Delivered, at },
        ] {
            state.apply(&event).unwrap();
        }
        assert_eq!(started(&state), [3]);
        let build = state.open_build().unwrap();
        let why = explain(&state, build, PackageIndex(2), Timestamp(3)).join("\n");
        assert!(why.contains("was linked against what this one would replace"), "{why}");
    }

    #[test]
    fn jobs_with_rooms_wait_for_nobody() {
        assert_eq!(started(&replaced(Rooms::Own)), [0, 3]);
    }

    #[test]
    fn nothing_starts_beside_a_job_that_shares_the_root_and_is_about_to_be_ended() {
        let mut state = replaced(Rooms::Shared);
        state.apply(&opened(3, plan(1, &[]))).unwrap();
        assert_eq!(started(&state), [0; 0]);
    }
}
