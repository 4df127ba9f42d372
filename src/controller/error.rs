//! What stops a controller. Each message says what was being done and what the operator can do.

use crate::core::names::HostName;
use crate::core::state::{Inconsistent, NotClear};
use crate::epoch::Claimant;
use crate::epoch::here::HereError;
use crate::portage::probe::ProbeError;
use crate::release::{ReleaseError, StagingError};
use crate::ssh::HostError;
use crate::store::{LockError, OwnNameError, StoreError};

fn named(claimant: &Claimant) -> String {
    let name = claimant.controller.as_ref().map_or("of no name", |name| name.as_str());
    format!("{name}, epoch {}", claimant.epoch)
}

fn lost_words(lost: usize) -> String {
    if lost == 0 { String::new() } else { format!(", {lost} have lost their record of it") }
}

impl ControlError {
    /// Whether another controller is at work.
    pub fn is_of_another(&self) -> bool {
        match self {
            Self::Lock(LockError::Busy { .. })
            | Self::Held { .. }
            | Self::Outranked { .. }
            | Self::HeldByMajority { .. }
            | Self::Behind { .. }
            | Self::Here(HereError::Outranked { .. })
            | Self::Superseded { .. } => true,
            Self::Lock(LockError::Io { .. })
            | Self::Store(_)
            | Self::Name(_)
            | Self::Here(HereError::Io { .. } | HereError::Unknown { .. })
            | Self::Inconsistent(_)
            | Self::Staging(_)
            | Self::Release(_)
            | Self::Driver(_)
            | Self::Plan { .. }
            | Self::Nothing(_)
            | Self::NotClear(_)
            | Self::Local { .. }
            | Self::NoMajority { .. }
            | Self::Refused(_) => false,
        }
    }
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
    /// Our own name cannot be read or written.
    #[error(transparent)]
    Name(#[from] OwnNameError),
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
    /// Another controller holds an epoch at the voters, and its lease lives.
    #[error(
        "another controller ({}) is at work, for {seconds} s more unless it goes on; wait for it, or overrule it with \
         `--take-over` of `swarm push`, or of `swarm failover` where an orchestrator is the controller",
        named(by)
    )]
    HeldByMajority {
        /// Who.
        by: Claimant,
        /// Its lease, in seconds.
        seconds: u64,
    },
    /// Another controller has an epoch above ours at the voters.
    #[error(
        "another controller ({}) has taken over: the voters refuse ours. What we started goes on and is the other one's; \
         `swarm push --take-over` takes it back",
        named(by)
    )]
    Superseded {
        /// Who.
        by: Claimant,
    },
    /// Another controller has decided under a later epoch, and our journal does not know what.
    #[error(
        "another controller ({}) has been at work since, and what it did is not in the journal here: go on there. Where \
         that one is no more, `swarm push --take-over` goes on here without what it did",
        named(by)
    )]
    Behind {
        /// Who.
        by: Claimant,
    },
    /// This machine itself is another controller's by now, or does not say whose it is.
    #[error(transparent)]
    Here(#[from] HereError),
    /// Too few voters answer to know that no other controller is at work.
    #[error(
        "no majority of the {voters} voters (drones, orchestrators, the gateway's host): {know} of the {wanted} that it \
         takes answer and know the epoch{}, so nothing is started or released{silent}{}",
        lost_words(*lost),
        if *lost > 0 { ". Where no other controller is at work, `swarm push --take-over` goes on without what was lost" } else { "" }
    )]
    NoMajority {
        /// So many answered and know something.
        know: usize,
        /// So many have lost what they knew.
        lost: usize,
        /// So many it takes.
        wanted: usize,
        /// So many there are.
        voters: usize,
        /// Why the others did not answer, with what stands before it; or nothing.
        silent: String,
    },
    /// Something else, in words with its cure.
    #[error("{0}")]
    Refused(String),
}
