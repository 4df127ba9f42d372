//! The live release goes to every orchestrator that has another one.
//!
//! Each gets what it lacks, and swaps at the end; they are served side by side and share the limit on bandwidth. One
//! that is away is named, and is behind until the next command reaches it.

use std::sync::Arc;

use futures::future::join_all;

use super::error::ControlError;
use super::session::Session;
use crate::core::event::Event;
use crate::core::names::{HostName, ReleaseName};
use crate::release::publish;
pub use crate::release::publish::Sent;
use crate::ssh::{Host, HostError};

/// How it went with one orchestrator.
#[derive(Debug)]
pub struct Published {
    /// Which.
    pub orchestrator: HostName,
    /// What it was given, or why it could not be.
    pub outcome: Result<Sent, HostError>,
}

/// A release that went out.
#[derive(Debug)]
pub struct Publication {
    /// What went there.
    pub release: ReleaseName,
    /// Those that were not known to have it.
    pub orchestrators: Vec<Published>,
}

impl Publication {
    /// Whether there are some, and none of them has it now.
    pub fn reached_nobody(&self) -> bool {
        !self.orchestrators.is_empty() && self.orchestrators.iter().all(|each| each.outcome.is_err())
    }
}

/// Brings the live release to the orchestrators that are not known to have it; none where there is no release.
///
/// # Errors
/// When the releases here cannot be read, or the journal cannot be written. Trouble with an orchestrator is in the answer.
pub async fn everywhere(session: &mut Session) -> Result<Option<Publication>, ControlError> {
    let Some(live) = session.releases.current()? else { return Ok(None) };
    let kept = session.releases.list()?;
    let inventory = Arc::clone(&session.inventory);
    let behind = |name: &HostName| session.state().orchestrators.get(name) != Some(&Some(live.name.clone()));
    let names: Vec<(HostName, Arc<dyn Host>)> = inventory
        .orchestrators()
        .into_iter()
        .filter(|(host, _)| !inventory.is_here(host) && behind(&host.name))
        .filter_map(|(host, _)| Some((host.name.clone(), Arc::clone(session.hosts.get(&host.name)?))))
        .collect();
    let production = inventory.swarm.production.display().to_string();
    let (production, live, kept) = (&production, &live, &kept);
    let orchestrators = join_all(names.into_iter().map(|(orchestrator, host)| async move {
        let outcome = publish::publish(host.as_ref(), production, live, kept).await;
        Published { orchestrator, outcome }
    }));
    let orchestrators = orchestrators.await;
    for published in orchestrators.iter().filter(|published| published.outcome.is_ok()) {
        let (orchestrator, release) = (published.orchestrator.clone(), Some(live.name.clone()));
        session.record(&Event::OrchestratorSeen { orchestrator, release })?;
    }
    Ok(Some(Publication { release: live.name.clone(), orchestrators }))
}
