//! A build as a snapshot holds it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::{Attempt, Build, Phase};
use crate::core::event::Selection;
use crate::core::names::{BuildName, HostName, ReleaseName, Timestamp};
use crate::core::plan::{PackageIndex, Plan};
use crate::schedule::graph::Cost;

/// What a snapshot holds of a build: the rest is derived.
#[derive(Deserialize)]
pub(super) struct Record {
    name: BuildName,
    selection: Selection,
    plan: Plan,
    started: Timestamp,
    finished: Option<Timestamp>,
    released: Option<ReleaseName>,
    #[serde(default)]
    rebuild: bool,
    #[serde(default)]
    finalize: bool,
    phases: Vec<Phase>,
    attempts: BTreeMap<PackageIndex, Vec<Attempt>>,
    /// What the packages were taken to cost, while the build is open: a controller that goes on decides as the one
    /// before it would have.
    #[serde(default)]
    costs: Vec<Cost>,
    #[serde(default)]
    speeds: BTreeMap<HostName, f64>,
}

/// The same as it is written: nothing is copied for it.
#[derive(Serialize)]
struct RecordOf<'a> {
    name: &'a BuildName,
    selection: &'a Selection,
    plan: &'a Plan,
    started: Timestamp,
    finished: Option<Timestamp>,
    released: &'a Option<ReleaseName>,
    rebuild: bool,
    finalize: bool,
    phases: Vec<&'a Phase>,
    attempts: BTreeMap<PackageIndex, &'a [Attempt]>,
    costs: &'a [Cost],
    speeds: &'a BTreeMap<HostName, f64>,
}

impl Serialize for Build {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tried = self.packages.iter().enumerate().filter(|(_, package)| !package.attempts.is_empty());
        RecordOf {
            name: &self.name,
            selection: &self.selection,
            plan: &self.plan,
            started: self.started,
            finished: self.finished,
            released: &self.released,
            rebuild: self.rebuild,
            finalize: self.finalize,
            phases: self.packages.iter().map(|package| &package.phase).collect(),
            attempts: tried.map(|(index, package)| (PackageIndex::at(index), package.attempts.as_slice())).collect(),
            costs: self.graph.costs(),
            speeds: &self.speeds,
        }
        .serialize(serializer)
    }
}

impl TryFrom<Record> for Build {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, Self::Error> {
        if !record.plan.hangs_together() {
            return Err("a plan's dependencies lead outside of it");
        }
        let mut build = Self::new(record.name, record.selection, record.plan, record.started);
        for (index, phase) in record.phases.into_iter().enumerate().take(build.packages.len()) {
            build.set_phase(PackageIndex::at(index), phase);
        }
        for (package, attempts) in record.attempts {
            if let Some(package) = build.packages.get_mut(package.index()) {
                package.attempts = attempts;
            }
        }
        build.finished = record.finished;
        build.released = record.released;
        build.rebuild = record.rebuild;
        build.finalize = record.finalize;
        build.speeds = record.speeds;
        build.mark_blocked();
        if record.costs.len() == build.packages.len() {
            build.set_costs(record.costs);
        }
        Ok(build)
    }
}
