//! Which causes hold at a moment.
//!
//! Cost: a pass over the packages of all builds that are remembered, and a decision where work waits and nothing runs.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{self, Failed};
use super::{Cause, Words};
use crate::core::build::{Build, Phase};
use crate::core::decide::{End, decide};
use crate::core::exit::Exit;
use crate::core::names::{HostName, Timestamp};
use crate::core::plan::PackageIndex;
use crate::core::state::{Run, Standing as JobStanding, State};

/// Work may stand still for so long (seconds) before that is a trouble.
const STILL: u64 = 600;
/// A release may be on its way for so long (seconds): it is large, and lines are slow.
const ON_THE_WAY: u64 = 3600;
/// A failed package is held back for so long (seconds) at the most while its build goes on.
const HELD_BACK: u64 = 3600;

/// A run without a deadline is taken to be lost after so long (seconds).
const LONGEST_RUN: i64 = 24 * 3600;
/// What runs at a deadline still comes to its end; after so long (seconds) behind it that is too long.
const BEYOND_DEADLINE: i64 = 3600;

/// What the state does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The state directory, below which logs are kept.
    pub directory: String,
    /// Whom releases are brought to.
    pub publishes_to: BTreeSet<HostName>,
    /// Since when a controller works builds off; none where nobody does.
    pub at_work: Option<Timestamp>,
    /// Whether somebody sees what it does.
    pub attended: bool,
}

/// How a cause stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It holds.
    Holds {
        /// What is to be said of it.
        words: Words,
        /// When the latest of what it is about happened.
        happened: Timestamp,
    },
    /// It is not clear yet, or not to be told yet: an alarm stays as it is.
    Open,
}

/// The causes that hold, or may; all others do not.
pub fn find(state: &State, facts: &Facts, now: Timestamp) -> BTreeMap<Cause, Standing> {
    let mut found = BTreeMap::new();
    packages(state, facts, now, &mut found);
    waiting(state, facts, now, &mut found);
    runs(state, now, &mut found);
    behind(state, facts, now, &mut found);
    if let Some(low) = &state.low_disk {
        let words = words::of_low_disk(low, work_waits(state));
        found.insert(Cause::Disk { what: low.what.clone() }, Standing::Holds { words, happened: low.since });
    }
    found
}

/// Whether anything is still to be built.
pub(super) fn work_waits(state: &State) -> bool {
    !state.queue.is_empty() || state.open_build().is_some_and(|build| !build.is_over())
}

/// Whether a job builds something that is wanted.
fn is_building(state: &State) -> bool {
    state.jobs.values().any(|job| job.standing != JobStanding::Unwanted)
}

/// A package that failed stays a trouble until it is received, or its driver's plans do not have it any more.
fn packages(state: &State, facts: &Facts, now: Timestamp, found: &mut BTreeMap<Cause, Standing>) {
    let mut suspects: BTreeSet<(&HostName, &str)> = BTreeSet::new();
    for build in state.unreleased() {
        let failed = failed_of(build).map(|package| (&build.plan.driver, build.label(package)));
        suspects.extend(failed);
    }
    suspects.extend(state.alarms.standing().filter_map(|alarm| match &alarm.cause {
        Cause::Package { driver, package } => Some((driver, package.as_str())),
        _ => None,
    }));
    let mut failed = Vec::new();
    for (driver, label) in suspects {
        let Some((build, package)) = latest(state, driver, label) else { continue };
        let cause = Cause::Package { driver: driver.clone(), package: label.to_owned() };
        match &build.packages[package.index()].phase {
            Phase::Received(_) => continue,
            Phase::Failed => failed.extend(Failed::of(build, package).map(|failed| (cause.clone(), failed))),
            Phase::Needed | Phase::Delegated(_) => {}
        }
        found.insert(cause, Standing::Open);
    }
    // Where one is to be told, all are: one message tells all.
    let told = failed.iter().any(|(_, failed)| !is_held_back(state, facts, failed, now));
    for (cause, failed) in failed.into_iter().filter(|_| told) {
        let (words, happened) = (words::of_package(&failed, facts), failed.at());
        found.insert(cause, Standing::Holds { words, happened });
    }
}

fn failed_of(build: &Build) -> impl Iterator<Item = PackageIndex> {
    let packages = build.packages.iter().enumerate();
    packages.filter(|(_, package)| matches!(package.phase, Phase::Failed)).map(|(index, _)| PackageIndex::at(index))
}

/// The package of this name in the latest build of this driver that has it.
fn latest<'a>(state: &'a State, driver: &HostName, label: &str) -> Option<(&'a Build, PackageIndex)> {
    let of_driver = state.builds.values().rev().filter(|build| build.plan.driver == *driver);
    of_driver.into_iter().find_map(|build| {
        let index = build.labels.iter().position(|known| known == label)?;
        Some((build, PackageIndex::at(index)))
    })
}

/// Whether more may come that is to be told with it.
fn is_held_back(state: &State, facts: &Facts, failed: &Failed<'_>, now: Timestamp) -> bool {
    if state.runs.values().any(|run| is_under_way(run, now)) {
        return true;
    }
    let is_open = state.open.as_ref() == Some(&failed.build.name) && !failed.build.is_over();
    let goes_on = is_open && (is_building(state) || facts.at_work.is_some());
    goes_on && now.seconds_since(failed.at()) < HELD_BACK
}

/// Whether work waits while nothing is built.
fn stands_still(state: &State) -> bool {
    work_waits(state) && !is_building(state)
}

/// Since when work waits while nothing is built and nothing else that is known explains it; none where that is not so.
/// `at_work` says since when a controller works builds off, where one does.
pub fn still_since(state: &State, at_work: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    // A full disk is told by itself, and keeps it alone; a run may have other steps to do before it builds.
    let run = at_work.is_none() && state.runs.values().any(|run| is_under_way(run, now));
    if !stands_still(state) || state.low_disk.is_some() || run {
        return None;
    }
    // With nobody at work it waits since somebody was; one that has just begun is given time.
    let moved = state.moved.max(at_work);
    Some(moved.or(state.open_build().map(|build| build.started)).unwrap_or(now))
}

fn waiting(state: &State, facts: &Facts, now: Timestamp, found: &mut BTreeMap<Cause, Standing>) {
    let Some(since) = still_since(state, facts.at_work, now) else {
        if stands_still(state) {
            found.insert(Cause::Waiting, Standing::Open);
        }
        return;
    };
    let end = decide(state, now).end.filter(|_| state.open_build().is_some());
    let hopeless = matches!(end, Some(End::NoDrone | End::AllDiffer));
    let standing = if hopeless || now.seconds_since(since) >= STILL {
        Standing::Holds { words: words::of_waiting(state, facts, end, since, now), happened: since }
    } else {
        Standing::Open
    };
    found.insert(Cause::Waiting, standing);
}

fn is_under_way(run: &Run, now: Timestamp) -> bool {
    run.finished.is_none() && now < end_of_patience(run)
}

/// When a run that is not over should be.
fn end_of_patience(run: &Run) -> Timestamp {
    let longest = Timestamp(run.started.0.saturating_add(LONGEST_RUN));
    run.deadline.map_or(longest, |deadline| Timestamp(deadline.0.saturating_add(BEYOND_DEADLINE)))
}

/// Comes after the causes by which a run may have failed: those are told, and that it failed by them is not.
fn runs(state: &State, now: Timestamp, found: &mut BTreeMap<Cause, Standing>) {
    let packages = found.keys().any(Cause::is_package);
    let waiting = found.contains_key(&Cause::Waiting) || state.low_disk.is_some();
    for (playbook, run) in &state.runs {
        let cause = Cause::Run { playbook: playbook.clone() };
        let (words, happened) = match &run.finished {
            Some(finished) => match Exit::of_status(finished.status.into()) {
                Some(Exit::Done) => continue,
                Some(Exit::SomeFailed) if packages => continue,
                Some(Exit::NoDrone | Exit::AllDiffer) if waiting => continue,
                _ => (words::of_failed_run(playbook, run, finished), finished.at),
            },
            None if is_under_way(run, now) => {
                found.insert(cause, Standing::Open);
                continue;
            }
            None => (words::of_lost_run(playbook, run), end_of_patience(run)),
        };
        found.insert(cause, Standing::Holds { words, happened });
    }
}

fn behind(state: &State, facts: &Facts, now: Timestamp, found: &mut BTreeMap<Cause, Standing>) {
    let Some((live, since)) = state.release.as_ref().zip(state.released_at) else { return };
    for (orchestrator, own) in &state.orchestrators {
        if own.as_ref() == Some(live) || !facts.publishes_to.contains(orchestrator) {
            continue;
        }
        let standing = if now.seconds_since(since) < ON_THE_WAY {
            Standing::Open
        } else {
            let words = words::of_behind(orchestrator, own.as_ref(), live, since);
            Standing::Holds { words, happened: since }
        };
        found.insert(Cause::Behind { orchestrator: orchestrator.clone() }, standing);
    }
}
