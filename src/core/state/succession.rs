//! A build that is opened takes over what is there already of what it wants.
//!
//! What is wanted in the very same form counts as received where an unreleased build has it; of a build whose place is
//! taken the jobs that still build something wanted go over, too. Cost: a pass over the packages of each unreleased
//! build.

use std::collections::{BTreeMap, HashMap};

use super::{Inconsistent, Standing, State, inconsistent};
use crate::core::build::{Build, Phase};
use crate::core::event::{ReceivedFile, Selection};
use crate::core::held::held;
use crate::core::names::{BuildName, Timestamp};
use crate::core::package::Identity;
use crate::core::plan::{PackageIndex, Plan};

/// What is live already of a plan, by package.
type Live = BTreeMap<PackageIndex, ReceivedFile>;

impl State {
    /// A build in the place of the open one.
    pub(super) fn open_new(
        &mut self,
        name: &BuildName,
        selection: &Selection,
        plan: &Plan,
        live: &Live,
        rebuild: bool,
        at: Timestamp,
    ) {
        let mut build = Build::new(name.clone(), selection.clone(), plan.clone(), at);
        build.rebuild = rebuild;
        let replaced = self.open.take().and_then(|open| self.builds.remove(&open));
        self.begin(build, replaced.into_iter().collect(), live);
    }

    /// The build of the queue has its turn; the open one is set aside, unless this one is of the same selection.
    pub(super) fn open_queued(&mut self, name: &BuildName, live: &Live, at: Timestamp) -> Result<(), Inconsistent> {
        let is_open = |build: &BuildName| self.open.as_ref() == Some(build);
        if self.jobs.values().any(|job| job.standing == Standing::Active && is_open(&job.build)) {
            return Err(inconsistent(format!("that build {name} has its turn while the one before is worked off")));
        }
        let queued = self
            .unqueue(name)
            .ok_or_else(|| inconsistent(format!("that build {name}, which does not wait, has its turn")))?;
        if live.keys().any(|package| package.index() >= queued.plan.packages.len()) {
            return Err(inconsistent("a package that is live already and outside of the plan"));
        }
        self.open = None;
        let same = |build: &&Build| {
            build.plan.driver == queued.plan.driver && build.selection.is_resumed_by(&queued.selection)
        };
        let superseded: Vec<BuildName> = self.unreleased().filter(same).map(|build| build.name.clone()).collect();
        let superseded = superseded.iter().filter_map(|name| self.builds.remove(name)).collect();
        let mut build = Build::new(queued.name, queued.selection, queued.plan, at);
        build.rebuild = queued.rebuild;
        build.finalize = queued.finalize;
        self.begin(build, superseded, live);
        Ok(())
    }

    fn begin(&mut self, mut build: Build, replaced: Vec<Build>, live: &Live) {
        for before in &replaced {
            self.succeed(&mut build, before);
        }
        let aside = self.unreleased().filter(|_| !build.rebuild);
        let there: Vec<_> = aside.flat_map(|before| received_of(&build, before)).collect();
        for (package, file) in there {
            build.bring(package, &file);
        }
        for (package, file) in live {
            // What a job is building goes on; it delivers the same.
            build.bring(*package, file);
        }
        build.reckon(&self.history.model());
        self.open = Some(build.name.clone());
        self.last_job = 0;
        self.builds.insert(build.name.clone(), build);
        self.aim();
        self.forget_oldest();
    }

    /// What the build before has received or is building, and this one wants in the very same form, is carried over.
    fn succeed(&mut self, build: &mut Build, replaced: &Build) {
        let wanted: HashMap<&Identity, PackageIndex> = build.by_identity();
        let place = |index: PackageIndex| wanted.get(replaced.identity(index)).copied();
        let mut delegated = Vec::new();
        let received = if build.rebuild { Vec::new() } else { received_of(build, replaced) };
        for (job_name, job) in self.jobs.iter_mut().filter(|(_, job)| job.build == replaced.name) {
            let Some(package) = place(job.package) else {
                job.standing = Standing::Unwanted;
                continue;
            };
            if !job.room {
                job.holds = held(replaced, job.package, &job.holds, build, package);
            }
            job.build = build.name.clone();
            job.package = package;
            job.build_ids = job.build_ids.iter().filter_map(|(old, id)| Some((place(*old)?, *id))).collect();
            if job.standing == Standing::Active {
                delegated.push((package, job_name.clone()));
            }
        }
        for (package, file) in received {
            build.bring(package, &file);
        }
        for (package, job) in delegated {
            // One that has delivered only cleans up.
            if matches!(build.packages[package.index()].phase, Phase::Needed) {
                build.set_phase(package, Phase::Delegated(job));
            }
        }
    }
}

/// What one build has received and another wants in the same form, by the other's package.
fn received_of(wanting: &Build, having: &Build) -> Vec<(PackageIndex, ReceivedFile)> {
    let wanted = wanting.by_identity();
    let here = having.received().filter_map(|(index, file)| Some((*wanted.get(having.identity(index))?, file.clone())));
    here.collect()
}
