//! Where the packages of a build stand, as people see it, and how many of them where. Cost of counting: a look at each.

use serde::Serialize;

use super::{Build, Phase};
use crate::core::plan::PackageIndex;

/// Where a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// It is given up.
    Failed,
    /// It is being built.
    Delegated,
    /// It waits for its needs or for a drone.
    Needed,
    /// It waits for something that is given up.
    Blocked,
    /// It is in staging, or was released.
    Received,
}

/// How many packages are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// They wait for their needs, or for a drone.
    pub needed: usize,
    /// Jobs build them.
    pub delegated: usize,
    /// They are in staging, or were released.
    pub received: usize,
    /// They are given up.
    pub failed: usize,
    /// They wait for something that is given up.
    pub blocked: usize,
}

impl Counts {
    /// All of them.
    pub fn all(self) -> usize {
        self.needed + self.delegated + self.received + self.failed + self.blocked
    }

    /// Those that are neither there nor given up.
    pub fn left(self) -> usize {
        self.needed + self.delegated + self.blocked
    }
}

impl Build {
    /// Where a package is.
    pub fn place(&self, package: PackageIndex) -> Place {
        match &self.packages[package.index()].phase {
            Phase::Needed if self.is_blocked(package) => Place::Blocked,
            Phase::Needed => Place::Needed,
            Phase::Delegated(_) => Place::Delegated,
            Phase::Received(_) => Place::Received,
            Phase::Failed => Place::Failed,
        }
    }

    /// How many of its packages are where.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for index in 0..self.packages.len() {
            let count = match self.place(PackageIndex::at(index)) {
                Place::Failed => &mut counts.failed,
                Place::Delegated => &mut counts.delegated,
                Place::Needed => &mut counts.needed,
                Place::Blocked => &mut counts.blocked,
                Place::Received => &mut counts.received,
            };
            *count += 1;
        }
        counts
    }
}
