//! The live release goes to every orchestrator that has another one.
//!
//! Each gets what it lacks, and swaps at the end; they are served side by side and share the limit on bandwidth. One
//! that is away is named, and is behind until the next command reaches it.

use std::sync::Arc;

use bytesize::ByteSize;
use futures::future::join_all;

use super::error::ControlError;
use super::session::Session;
use crate::core::event::Event;
use crate::core::names::{HostName, ReleaseName};
use crate::core::text::escaped;
use crate::release::Release;
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
    /// Whether it did not come to nothing: nobody lacked it, or somebody has it now.
    pub fn is_good(&self) -> bool {
        self.orchestrators.is_empty() || self.orchestrators.iter().any(|each| each.outcome.is_ok())
    }

    /// What the operator is told: a line an orchestrator.
    pub fn lines(&self) -> Vec<String> {
        let release = &self.release;
        let line = |name: &HostName, outcome: &Result<Sent, HostError>| match outcome {
            Ok(Sent { was_live: true, .. }) => format!("{name}: release {release} is live there already"),
            Ok(sent) => {
                let size = ByteSize(sent.bytes).display().iec();
                format!("{name}: release {release} is live there; {} files were sent, {size}", sent.files)
            }
            Err(error) => {
                let error = escaped(&error.to_string());
                format!("{name}: release {release} did not reach it, the next command that does brings it: {error}")
            }
        };
        self.orchestrators.iter().map(|each| line(&each.orchestrator, &each.outcome)).collect()
    }
}

/// What is to be brought to whom. It wants nothing more of the controller until it is done.
pub struct Errand {
    production: String,
    live: Release,
    kept: Vec<Release>,
    hosts: Vec<(HostName, Arc<dyn Host>)>,
}

impl Errand {
    /// Brings the live release to the orchestrators that are not known to have it; none where there is no release, or
    /// nobody lacks it.
    ///
    /// # Errors
    /// When the releases here cannot be read.
    pub fn new(session: &Session) -> Result<Option<Self>, ControlError> {
        let Some(live) = session.releases.current()? else { return Ok(None) };
        let inventory = &session.inventory;
        let behind = |name: &HostName| session.state().orchestrators.get(name) != Some(&Some(live.name.clone()));
        let hosts: Vec<_> = inventory
            .orchestrators()
            .into_iter()
            .filter(|(host, _)| !inventory.is_here(host) && behind(&host.name))
            .filter_map(|(host, _)| Some((host.name.clone(), Arc::clone(session.hosts.get(&host.name)?))))
            .collect();
        if hosts.is_empty() {
            return Ok(None);
        }
        let production = inventory.swarm.production.display().to_string();
        Ok(Some(Self { production, live, kept: session.releases.list()?, hosts }))
    }

    /// Does it. Trouble with an orchestrator is in the answer.
    pub async fn run(self) -> Publication {
        let Self { production, live, kept, hosts } = self;
        let mut publishing = Vec::new();
        for (orchestrator, host) in hosts {
            let (production, live, kept) = (&production, &live, &kept);
            publishing.push(async move {
                let outcome = publish::publish(host.as_ref(), production, live, kept).await;
                Published { orchestrator, outcome }
            });
        }
        let orchestrators = join_all(publishing).await;
        Publication { release: live.name, orchestrators }
    }
}

/// Writes down who has the release now.
///
/// # Errors
/// When the journal cannot be written.
pub fn note_down(session: &mut Session, publication: &Publication) -> Result<(), ControlError> {
    for published in publication.orchestrators.iter().filter(|published| published.outcome.is_ok()) {
        let (orchestrator, release) = (published.orchestrator.clone(), Some(publication.release.clone()));
        session.record(&Event::OrchestratorSeen { orchestrator, release })?;
    }
    Ok(())
}

/// Brings the live release to the orchestrators that are not known to have it; none where nobody lacks it.
///
/// # Errors
/// When the releases here cannot be read, or the journal cannot be written. Trouble with an orchestrator is in the answer.
pub async fn everywhere(session: &mut Session) -> Result<Option<Publication>, ControlError> {
    let Some(errand) = Errand::new(session)? else { return Ok(None) };
    let publication = errand.run().await;
    note_down(session, &publication)?;
    Ok(Some(publication))
}
