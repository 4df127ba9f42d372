//! Builds of several clients: one is open, others wait for their turn or, worked off, for their release.
//!
//! A build is worked off alone, until nothing more can be done for it; so drivers that differ in configuration never
//! share a drone's root at one time. Then it is *set aside* with what it has received, and the next has its turn. What
//! lies in staging belongs to all unreleased builds that have it.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::{Inconsistent, State, inconsistent};
use crate::core::build::Build;
use crate::core::event::Selection;
use crate::core::names::{BuildName, HostName, Timestamp};
use crate::core::nearest::hint;
use crate::core::package::Identity;
use crate::core::plan::Plan;

/// A build that waits for its turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Its id.
    pub name: BuildName,
    /// What was asked for.
    pub selection: Selection,
    /// What that comes to.
    pub plan: Plan,
    /// Whether it is released as soon as all of it is received.
    #[serde(default)]
    pub finalize: bool,
    /// Whether all of it is built anew.
    #[serde(default)]
    pub rebuild: bool,
    /// When it was asked for.
    pub at: Timestamp,
}

/// What a controller that works everything off does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Work off the open build, or end the jobs that a forgotten one has left.
    WorkOff,
    /// Release this build, of which all is received.
    Release(BuildName),
    /// Open this one, which waits.
    Open(BuildName),
    /// Nothing is left to do.
    Rest,
}

/// It is not clear which build is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotClear {
    /// There is none of this name that is not released.
    #[error("no build {build} waits for its turn or its release{}", hint(build.as_str(), waiting.iter().map(BuildName::as_str)))]
    Unknown {
        /// The name.
        build: BuildName,
        /// Those that wait.
        waiting: Vec<BuildName>,
    },
    /// There is none at all.
    #[error("no build is open: `swarm push ATOM` begins one")]
    None,
    /// No build is open, and several could be meant.
    #[error("no build is open, and several wait: {names}; `--build ID` says which is meant")]
    Several {
        /// Those that wait.
        names: String,
    },
}

impl State {
    /// The builds that are not released: the open one and those that were set aside.
    pub fn unreleased(&self) -> impl Iterator<Item = &Build> {
        self.builds.values().filter(|build| build.released.is_none())
    }

    /// The builds that are worked off as far as they can be and were not released.
    pub fn set_aside(&self) -> impl Iterator<Item = &Build> {
        self.unreleased().filter(|build| self.open.as_ref() != Some(&build.name))
    }

    /// Where the received packages of all unreleased builds lie below staging.
    pub fn staged(&self) -> BTreeSet<&str> {
        self.unreleased().flat_map(Build::received).map(|(_, file)| file.path.as_str()).collect()
    }

    /// The build of this driver and selection that is worked off or waits for its turn.
    pub fn under_way(&self, driver: &HostName, selection: &Selection) -> Option<&BuildName> {
        let open = self.open_build().filter(|build| !build.is_over());
        let open = open.filter(|build| build.plan.driver == *driver && build.selection.is_resumed_by(selection));
        let waits = |queued: &&Queued| queued.plan.driver == *driver && queued.selection.is_resumed_by(selection);
        open.map(|build| &build.name).or_else(|| self.queue.iter().find(waits).map(|queued| &queued.name))
    }

    /// The build that asks for the same as this: it is under way, or it is the open one and wants the very same packages.
    pub fn same(&self, selection: &Selection, plan: &Plan) -> Option<&BuildName> {
        let open = self.open_build().filter(|build| {
            build.plan.driver == plan.driver
                && build.selection.is_resumed_by(selection)
                && identities(&build.plan) == identities(plan)
        });
        self.under_way(&plan.driver, selection).or(open.map(|build| &build.name))
    }

    /// What is to be done next by a controller that works everything off; these builds could not be released just now.
    pub fn turn(&self, passed_over: &BTreeSet<BuildName>) -> Turn {
        match self.open_build() {
            Some(build) if !build.is_over() && build.finished.is_none() => return Turn::WorkOff,
            None if !self.jobs.is_empty() && self.queue.is_empty() => return Turn::WorkOff,
            _ => {}
        }
        let due = |build: &&Build| build.finalize && build.is_complete() && !passed_over.contains(&build.name);
        if let Some(build) = self.unreleased().find(due) {
            return Turn::Release(build.name.clone());
        }
        match self.queue.first() {
            Some(queued) => Turn::Open(queued.name.clone()),
            // Where nothing else waits, what was passed over is tried again.
            None if self.open_build().is_some_and(|build| !build.is_over()) => Turn::WorkOff,
            None => Turn::Rest,
        }
    }

    /// The unreleased build that is meant: the named one; else the open one, else the only one of which all is received.
    ///
    /// # Errors
    /// There is none, or it is not clear which.
    pub fn to_release(&self, named: Option<&BuildName>) -> Result<&Build, NotClear> {
        if let Some(name) = named {
            let build = self.unreleased().find(|build| build.name == *name);
            let waiting = || self.unreleased().map(|build| build.name.clone()).collect();
            return build.ok_or_else(|| NotClear::Unknown { build: name.clone(), waiting: waiting() });
        }
        if let Some(build) = self.open_build() {
            return Ok(build);
        }
        let complete: Vec<&Build> = self.unreleased().filter(|build| build.is_complete()).collect();
        match complete.as_slice() {
            [] => Err(NotClear::None),
            [build] => Ok(build),
            several => Err(NotClear::Several { names: names(several.iter().map(|build| &build.name)) }),
        }
    }

    /// The build that is meant to be forgotten: the named one; else the open one, else the only one that waits, be it for
    /// its turn or its release.
    ///
    /// # Errors
    /// There is none, or it is not clear which.
    pub fn to_forget(&self, named: Option<&BuildName>) -> Result<&BuildName, NotClear> {
        let waiting = self.queue.iter().map(|queued| &queued.name);
        let all: Vec<&BuildName> = self.unreleased().map(|build| &build.name).chain(waiting).collect();
        if let Some(name) = named {
            let found = all.iter().find(|each| **each == name).copied();
            let waiting = || all.iter().map(|each| (*each).clone()).collect();
            return found.ok_or_else(|| NotClear::Unknown { build: name.clone(), waiting: waiting() });
        }
        match (&self.open, all.as_slice()) {
            (Some(open), _) => Ok(open),
            (None, []) => Err(NotClear::None),
            (None, [one]) => Ok(one),
            (None, several) => Err(NotClear::Several { names: names(several.iter().copied()) }),
        }
    }

    pub(super) fn enqueue(&mut self, queued: Queued) -> Result<(), Inconsistent> {
        if self.builds.contains_key(&queued.name) || self.queue.iter().any(|other| other.name == queued.name) {
            return Err(inconsistent(format!("that build {} is asked for, again", queued.name)));
        }
        self.queue.push(queued);
        Ok(())
    }

    pub(super) fn unqueue(&mut self, name: &BuildName) -> Option<Queued> {
        let place = self.queue.iter().position(|queued| queued.name == *name)?;
        Some(self.queue.remove(place))
    }

    pub(super) fn ask_to_finalize(&mut self, name: &BuildName) -> Result<(), Inconsistent> {
        if let Some(queued) = self.queue.iter_mut().find(|queued| queued.name == *name) {
            queued.finalize = true;
            return Ok(());
        }
        self.build_mut(name)?.finalize = true;
        Ok(())
    }
}

fn names<'a>(builds: impl Iterator<Item = &'a BuildName>) -> String {
    builds.map(BuildName::as_str).collect::<Vec<_>>().join(", ")
}

fn identities(plan: &Plan) -> HashSet<&Identity> {
    plan.packages.iter().map(|package| &package.identity).collect()
}
