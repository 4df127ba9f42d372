//! What the monitor shows of the state at one moment: the overview, and a row a package.

use crate::core::build::Place;
use crate::core::names::{JobName, Timestamp};
use crate::core::overview::{Overview, PackageOverview, packages};
use crate::core::plan::PackageIndex;
use crate::core::state::State;
use crate::core::status::Status;

/// So many of what a package waits for are named.
const NAMED: usize = 3;

/// A package.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Where it is.
    pub view: PackageOverview,
    /// The first of what it waits for: needs that are not there, or what failed.
    pub awaits: Vec<PackageIndex>,
    /// How many it waits for in all.
    pub awaited: usize,
    /// The job that builds it.
    pub job: Option<JobName>,
}

/// The state at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// As the web page has it, too.
    pub overview: Overview,
    /// The packages of its build, by their numbers.
    pub rows: Vec<Row>,
}

impl Look {
    /// As [`Overview::of`].
    pub fn of(state: &State, status: Status, left_s: Option<u64>, now: Timestamp) -> Self {
        let rows = state.latest_build().map_or_else(Vec::new, |build| {
            let mut rows: Vec<Row> = packages(state, build)
                .into_iter()
                .map(|view| Row { awaited: view.waits_for, awaits: Vec::new(), job: None, view })
                .collect();
            let mut blockers = build.blockers();
            for row in &mut rows {
                let is_there = |need: &PackageIndex| build.received_path(*need).is_some();
                match row.view.place {
                    Place::Needed => {
                        let needs = build.needs[row.view.package.index()].iter().copied();
                        row.awaits = needs.filter(|need| !is_there(need)).take(NAMED).collect();
                    }
                    Place::Blocked => {
                        let by = blockers.remove(&row.view.package).unwrap_or_default();
                        row.awaited = by.len();
                        row.awaits = by.into_iter().take(NAMED).collect();
                    }
                    Place::Failed | Place::Delegated | Place::Received => {}
                }
            }
            for (name, job) in state.jobs.iter().filter(|(_, job)| job.build == build.name) {
                if let Some(row) = rows.get_mut(job.package.index()).filter(|row| row.view.place == Place::Delegated) {
                    row.job = Some(name.clone());
                }
            }
            rows
        });
        Self { overview: Overview::of(state, status, left_s, now), rows }
    }

    /// The row of this name.
    pub fn row(&self, label: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.view.label == label)
    }
}
