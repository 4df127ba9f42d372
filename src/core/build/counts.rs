//! How many packages of a build stand where. Cost: a look at each.

use super::{Build, Phase};

/// How many packages stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// They wait for their needs, or for a drone.
    pub needed: u64,
    /// Jobs build them.
    pub delegated: u64,
    /// They are in staging, or were released.
    pub received: u64,
    /// They are given up.
    pub failed: u64,
    /// They wait for something that is given up.
    pub blocked: u64,
}

impl Build {
    /// How many of its packages stand where.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for package in &self.packages {
            let place = match &package.phase {
                Phase::Needed if package.blocked => &mut counts.blocked,
                Phase::Needed => &mut counts.needed,
                Phase::Delegated(_) => &mut counts.delegated,
                Phase::Received(_) => &mut counts.received,
                Phase::Failed => &mut counts.failed,
            };
            *place += 1;
        }
        counts
    }
}
