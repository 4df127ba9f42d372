//! What stops a controller. Each message says what was being done and what the operator can do.

use crate::core::names::HostName;
use crate::core::state::{Inconsistent, NotClear};
use crate::drone::tend::Claimant;
use crate::portage::probe::ProbeError;
use crate::release::{ReleaseError, StagingError};
use crate::ssh::HostError;
use crate::store::{LockError, StoreError};

impl ControlError {
    /// Whether it is another controller at work that is in the way.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Lock(LockError::Busy { .. }) | Self::Held { .. } | Self::Outranked { .. })
    }
}

fn named(claimant: &Claimant) -> String {
    let name = claimant.controller.as_ref().map_or("of no name", |name| name.as_str());
    format!("{name}, epoch {}", claimant.epoch)
}

/// What stops a controller.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another controller is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An event does not fit: a fault of this program.
    #[error("cannot go on: {0}; this is a fault of swarm, please report it")]
    Inconsistent(#[from] Inconsistent),
    /// Staging cannot be used.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// Production cannot be used.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The driver cannot be reached.
    #[error("cannot ask the driver for its plan: {0}")]
    Driver(HostError),
    /// The driver's Portage has no answer.
    #[error("the driver {driver} has no plan for {what}. {source}\nNothing was started.")]
    Plan {
        /// The driver.
        driver: HostName,
        /// What was asked for.
        what: String,
        /// Why.
        source: ProbeError,
    },
    /// Nothing would be built.
    #[error("{0}")]
    Nothing(String),
    /// It is not clear which build is meant.
    #[error(transparent)]
    NotClear(#[from] NotClear),
    /// A file of our own cannot be read or written.
    #[error("cannot {doing}: {source}")]
    Local {
        /// What was being done.
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Another controller holds a drone, and its lease lives.
    #[error(
        "another controller ({}) is at work on {drone}, for {seconds} s more unless it goes on; wait for it, or overrule \
         it with `swarm push --take-over`",
        named(by)
    )]
    Held {
        /// The drone.
        drone: HostName,
        /// Who.
        by: Claimant,
        /// Its lease, in seconds.
        seconds: u64,
    },
    /// Another controller has taken over.
    #[error(
        "another controller ({}) has taken over: {drone} refuses ours. What we started there goes on and is the other \
         one's; `swarm push --take-over` takes it back",
        named(by)
    )]
    Outranked {
        /// The drone that says so.
        drone: HostName,
        /// Who.
        by: Claimant,
    },
    /// Something else, in words with its cure.
    #[error("{0}")]
    Refused(String),
}
