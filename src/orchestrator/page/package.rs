//! One package: why it is where it is, what was tried, what it needs and what needs it, and the logs that are kept.

use std::path::Path;

use serde::Serialize;

use super::answer::Trouble;
use super::log::{self, LogView};
use crate::controller::now;
use crate::core::build::{Attempt, Build};
use crate::core::explain::explain;
use crate::core::failure::FailureClass;
use crate::core::names::{HostName, JobName};
use crate::core::overview::{PackageOverview, Place};
use crate::core::plan::PackageIndex;
use crate::core::state::State;
use crate::core::status::Moment;

/// So many needs and dependents are named; the rest is counted.
const NAMED: usize = 200;

/// An attempt that failed.
#[derive(Debug, Serialize)]
struct AttemptView<'a> {
    job: &'a JobName,
    drone: &'a HostName,
    class: FailureClass,
    reason: &'a str,
    /// When it ended.
    at: Moment,
}

/// A package that this one needs, or that needs it.
#[derive(Debug, Serialize)]
struct Neighbour<'a> {
    package: PackageIndex,
    label: &'a str,
    place: Place,
}

/// Some of them.
#[derive(Debug, Serialize)]
struct Neighbours<'a> {
    total: usize,
    named: Vec<Neighbour<'a>>,
}

/// All that is told of a package.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    #[serde(flatten)]
    package: &'a PackageOverview,
    /// As `swarm explain` says it.
    explanation: Vec<String>,
    attempts_made: Vec<AttemptView<'a>>,
    needs: Neighbours<'a>,
    dependents: Neighbours<'a>,
    /// The latest first.
    logs: Vec<LogView>,
}

/// The package of the latest build that is meant: its number, or a name as `swarm explain` takes it.
///
/// # Errors
/// There is none, or it could be several.
pub(super) fn find<'a>(state: &'a State, wanted: &str) -> Result<(&'a Build, PackageIndex), Trouble> {
    let build = state.latest_build().ok_or_else(|| Trouble::absent("nothing has been asked for yet"))?;
    if let Ok(number) = wanted.parse::<u32>() {
        let package = PackageIndex(number);
        let is_there = package.index() < build.packages.len();
        let absent = || Trouble::absent(format!("build {} has no package of number {number}", build.name));
        return is_there.then_some((build, package)).ok_or_else(absent);
    }
    Ok((build, build.find(wanted).map_err(Trouble::absent)?))
}

impl<'a> Shown<'a> {
    /// The package that is meant; `all` are those of the latest build, and the logs are below this directory.
    ///
    /// # Errors
    /// There is none, or it could be several.
    pub fn of(state: &'a State, all: &'a [PackageOverview], wanted: &str, logs: &Path) -> Result<Self, Trouble> {
        let (build, package) = find(state, wanted)?;
        let own = all.get(package.index()).ok_or_else(|| Trouble::absent("it was not there a moment ago"))?;
        let needs = build.needs[package.index()].iter().copied();
        let dependents = build.dependents(package).iter().copied();
        Ok(Self {
            package: own,
            explanation: explain(state, build, package, now()),
            attempts_made: build.packages[package.index()].attempts.iter().map(AttemptView::of).collect(),
            needs: Neighbours::of(all, needs),
            dependents: Neighbours::of(all, dependents),
            logs: log::list(logs, state, build, package),
        })
    }
}

impl<'a> AttemptView<'a> {
    fn of(attempt: &'a Attempt) -> Self {
        let Attempt { job, drone, failure, at, .. } = attempt;
        Self { job, drone, class: failure.class, reason: &failure.reason, at: Moment(*at) }
    }
}

impl<'a> Neighbours<'a> {
    fn of(all: &'a [PackageOverview], packages: impl Iterator<Item = PackageIndex>) -> Self {
        let mut named: Vec<_> = packages.filter_map(|package| all.get(package.index())).collect();
        named.sort_by_key(|package| (package.place, package.package));
        let total = named.len();
        let view =
            |each: &'a PackageOverview| Neighbour { package: each.package, label: &each.label, place: each.place };
        Self { total, named: named.into_iter().take(NAMED).map(view).collect() }
    }
}
