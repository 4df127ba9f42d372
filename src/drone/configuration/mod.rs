//! A driver's configuration on a drone: what `/etc/portage` and the repositories of the one are to the jobs of the other.
//!
//! It lies in `WORKDIR/config/DRIVER/REVISION`, whole and never changed: `etc/portage`, `repos/NAME`, and `revisions`, a line
//! `NAME REVISION` for each repository. `current` beside it leads to the revision that counts for whoever begins
//! something; a job keeps the one that its drone was compared with. Where there is no `current` the drone's own
//! `/etc/portage` counts. What a drone is to have is [`compose`]d out of the driver's tree ([`listing`]), the drone's overlay
//! in the inventory and those of its own settings that are the host's concern; scripts in Python carry it out there.

pub mod compose;
pub mod listing;
mod scripts;

pub use scripts::{
    Applied, DriverTree, Look, Patch, Profile, Repository, System, apply, forget, leave, list, look, pack, system,
};

use crate::core::names::{HostName, Revision};

/// One revision of a driver's configuration on a drone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationRoot {
    /// The driver.
    pub driver: HostName,
    /// The revision.
    pub revision: Revision,
}

impl ConfigurationRoot {
    /// Below `WORKDIR/config`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.driver, self.revision)
    }

    /// The value of PORTAGE_CONFIGROOT.
    pub fn path(&self, workdir: &str) -> String {
        format!("{workdir}/config/{}", self.name())
    }
}

/// Where revisions of a driver's configuration lie on a drone.
pub fn parent(workdir: &str, driver: &HostName) -> String {
    format!("{workdir}/config/{driver}")
}
