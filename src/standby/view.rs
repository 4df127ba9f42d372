//! What a status says of standbys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::progress;
use crate::core::names::{HostName, Timestamp};
use crate::core::standby::{AWAY_AFTER, Following, Lag, StandbyView};
use crate::core::status::Status;
use crate::inventory::Inventory;
use crate::store::StoreError;

/// What was heard so long ago (seconds) says nothing of what the leader did since.
const FRESH: u64 = 15 * 60;
/// With what is younger (seconds) on its way a standby has as good as all.
const NEARLY: u64 = 60;

/// What an orchestrator knows of those that stand by.
#[derive(Debug, Clone)]
pub struct View {
    state: PathBuf,
    /// The others that can be standbys.
    others: Vec<HostName>,
}

/// The orchestrators that stand by while the controller is at work on this one: all others with an `api`. None where
/// this one has none itself, or is none: then nobody could follow it.
pub fn standbys(inventory: &Inventory, own: Option<&HostName>) -> Vec<HostName> {
    let serving: Vec<_> = inventory
        .orchestrators()
        .into_iter()
        .filter(|(_, settings)| settings.api.is_some())
        .map(|(host, _)| host)
        .collect();
    let is_own = |name: &HostName| match own {
        Some(own) => name == own,
        None => inventory.host(name).is_some_and(|host| inventory.is_here(host)),
    };
    if !serving.iter().any(|host| is_own(&host.name)) {
        return Vec::new();
    }
    serving.into_iter().filter(|host| !is_own(&host.name)).map(|host| host.name.clone()).collect()
}

impl View {
    /// Of the orchestrator of this name, or else of the one with an address of this machine.
    pub fn new(inventory: &Inventory, own: Option<&HostName>) -> Self {
        Self { state: inventory.swarm.state.clone(), others: standbys(inventory, own) }
    }

    /// Whether this one follows another, heard of it lately, and lacked nothing then.
    pub fn has_caught_up(&self, now: Timestamp) -> bool {
        self.follows().is_some_and(|following| {
            let near = now.seconds_since(following.heard) < AWAY_AFTER;
            near && following.trouble.is_none() && following.lag == Lag::default()
        })
    }

    /// Whether this one has heard of another so lately, and lacked so little then, that it can be asked to go on where
    /// that one is gone without anybody looking at what is lost.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.follows()
            .is_some_and(|following| now.seconds_since(following.heard) < FRESH && following.lag.seconds < NEARLY)
    }

    /// Whether a standby lacks something that was received, so that a job which is over may be wanted for its package.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn is_awaited(&self, now: Timestamp) -> Result<bool, StoreError> {
        let views = progress::views(&self.state, &self.others, now)?;
        Ok(views.values().any(|view| view.lag != Lag::default()))
    }

    /// Whom this one follows; none where it leads, or is alone.
    pub fn follows(&self) -> Option<Following> {
        progress::read_own(&self.state).filter(|_| !self.others.is_empty())
    }

    /// How far those that follow this one are behind; none where it follows another itself, or is alone.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn standbys(&self, now: Timestamp) -> Result<BTreeMap<HostName, StandbyView>, StoreError> {
        if self.others.is_empty() || self.follows().is_some() {
            return Ok(BTreeMap::new());
        }
        progress::views(&self.state, &self.others, now)
    }

    /// Says in a status how far standbys are behind, what stays on drones for their sake, and whom this one follows.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn fill(&self, status: &mut Status, now: Timestamp) -> Result<(), StoreError> {
        status.follows = self.follows();
        if status.follows.is_none() {
            status.standbys = self.standbys(now)?;
            // What a run has left behind after they had it is no more than a leftover.
            let lacks = status.standbys.values().any(|view| view.away || view.lag != Lag::default());
            status.copies = if lacks { progress::read_copies(&self.state) } else { BTreeMap::new() };
        }
        Ok(())
    }
}
