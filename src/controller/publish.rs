//! The live release goes to every orchestrator, and every object storage, that has another one.
//!
//! Each gets what it lacks, and swaps at the end; they are served side by side. Orchestrators share the limit on
//! bandwidth, each storage has one of the same size of its own. One that is away is named, and is behind until the next
//! command reaches it.

use std::sync::Arc;

use bytesize::ByteSize;
use futures::future::join_all;

use super::electorate::Wish;
use super::error::ControlError;
use super::fetch_back::{Reader, Reading};
use super::session::Session;
use crate::core::event::Event;
use crate::core::names::{HostName, ReleaseName};
use crate::core::text::escaped;
use crate::epoch::Visitor;
use crate::inventory::HttpUrl;
use crate::release::Release;
pub use crate::release::publish::Sent;
use crate::release::publish::{self, Place, Shipment};
use crate::ssh::{Host, HostError, HostErrorKind};
use depot::Depot;

mod depot;

/// How it went with one orchestrator or storage.
#[derive(Debug)]
pub enum Outcome {
    /// It has the release, and its clients can read it.
    Served(Sent),
    /// It has the release; whether its clients can read it could not be found out from here.
    Unread(Sent, String),
    /// Its clients could not read it, so it was swapped back there, if that could be.
    TakenBack(String),
    /// It did not get it, for this reason.
    Missed(String),
}

impl Outcome {
    /// Whether the release is live there.
    fn has_it(&self) -> bool {
        matches!(self, Self::Served(_) | Self::Unread(..))
    }
}

/// A release that went out.
#[derive(Debug)]
pub struct Publication {
    /// What went there.
    pub release: ReleaseName,
    /// Whether clients get it from this machine.
    pub here: bool,
    /// Those that were looked at: orchestrators, then storages.
    pub receivers: Vec<(HostName, Outcome)>,
}

impl Publication {
    /// Whether nothing is to be mended: somebody has it now, and nobody had to be swapped back. One that is away gets it
    /// later.
    pub fn is_good(&self) -> bool {
        let outcomes = || self.receivers.iter().map(|(_, outcome)| outcome);
        (self.here || self.receivers.is_empty() || outcomes().any(Outcome::has_it))
            && !outcomes().any(|outcome| matches!(outcome, Outcome::TakenBack(_)))
    }

    /// What the operator is told: a line for each.
    pub fn lines(&self) -> Vec<String> {
        self.receivers.iter().map(|(name, outcome)| format!("{name}: {}", escaped(&self.line(outcome)))).collect()
    }

    fn line(&self, outcome: &Outcome) -> String {
        let release = &self.release;
        let live = |sent: &Sent| match sent.was_live {
            true => format!("release {release} is live there already"),
            false => {
                let size = ByteSize(sent.bytes).display().iec();
                format!("release {release} is live there; {} files were sent, {size}", sent.files)
            }
        };
        match outcome {
            Outcome::Served(sent) => live(sent),
            Outcome::Unread(sent, why) => format!("{}; its index could not be read back: {why}", live(sent)),
            Outcome::TakenBack(why) => format!("clients cannot read release {release} there: {why}"),
            Outcome::Missed(error) => {
                format!("release {release} did not reach it, the next command that does brings it: {error}")
            }
        }
    }
}

/// Who is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// Those that are not known to have the live release.
    Behind,
    /// All: one may have lost what was brought there, as where a disk of before was put back.
    All,
}

/// What is to be brought to whom. It wants nothing more of the controller until it is done.
pub struct Errand {
    production: String,
    staging: String,
    /// Whether this machine is an orchestrator itself.
    here: bool,
    live: Release,
    kept: Vec<Release>,
    visitor: Visitor,
    receivers: Vec<Receiver>,
    reader: Reader,
}

/// One that gets the release.
struct Receiver {
    name: HostName,
    way: Way,
}

/// How it is reached, and where its clients read it.
enum Way {
    Host { host: Arc<dyn Host>, workdir: String, binhost: HttpUrl },
    Storage { depot: Depot, binhost: Option<HttpUrl> },
}

impl Errand {
    /// Brings the live release to orchestrators and storages; none where there is no release, or nobody to look at.
    ///
    /// # Errors
    /// When the releases here cannot be read.
    pub fn new(session: &Session, whom: Whom) -> Result<Option<Self>, ControlError> {
        let Some(live) = session.releases.current()? else { return Ok(None) };
        let inventory = &session.inventory;
        let behind = |name: &HostName| session.state().orchestrators.get(name) != Some(&Some(live.name.clone()));
        let is_wanted = |name: &HostName| whom == Whom::All || behind(name);
        let hosts = inventory.orchestrators().into_iter();
        let hosts = hosts.filter(|(host, _)| !inventory.is_here(host) && is_wanted(&host.name));
        let mut receivers: Vec<Receiver> = hosts
            .filter_map(|(host, settings)| {
                let way = Way::Host {
                    host: Arc::clone(session.hosts.get(&host.name)?),
                    workdir: session.workdir(&host.name),
                    binhost: settings.binhost.clone(),
                };
                Some(Receiver { name: host.name.clone(), way })
            })
            .collect();
        for storage in inventory.storages().iter().filter(|storage| is_wanted(&storage.name)) {
            let (depot, binhost) = (Depot::of(inventory, storage)?, storage.settings.binhost.clone());
            receivers.push(Receiver { name: storage.name.clone(), way: Way::Storage { depot, binhost } });
        }
        if receivers.is_empty() {
            return Ok(None);
        }
        let production = inventory.swarm.production.display().to_string();
        let staging = inventory.swarm.staging.display().to_string();
        let reader = Reader::new(inventory)?;
        let (kept, visitor) = (session.releases.list()?, session.visitor());
        let here = inventory.orchestrators_here().next().is_some();
        Ok(Some(Self { production, staging, here, live, kept, visitor, receivers, reader }))
    }

    /// Does it. Trouble with one of them is in the answer.
    pub async fn run(&self) -> Publication {
        let shipment = Shipment::read(&self.live, &self.kept);
        let mut publishing = Vec::new();
        for receiver in &self.receivers {
            let shipment = shipment.as_ref();
            publishing.push(async move {
                let outcome = match shipment {
                    Ok(shipment) => self.serve(receiver, shipment).await,
                    Err(error) => Outcome::Missed(publish::unread(&self.live, error)),
                };
                (receiver.name.clone(), outcome)
            });
        }
        Publication { release: self.live.name.clone(), here: self.here, receivers: join_all(publishing).await }
    }

    async fn serve(&self, receiver: &Receiver, shipment: &Shipment) -> Outcome {
        match &receiver.way {
            Way::Storage { depot, binhost } => self.store(shipment, depot, binhost.as_ref()).await,
            Way::Host { host, workdir, binhost } => {
                let outcome = self.publish(shipment, host.as_ref(), workdir, binhost).await;
                outcome.unwrap_or_else(|error| Outcome::Missed(error.to_string()))
            }
        }
    }

    async fn publish(
        &self,
        shipment: &Shipment,
        host: &dyn Host,
        workdir: &str,
        binhost: &HttpUrl,
    ) -> Result<Outcome, HostError> {
        let (production, staging, visitor) = (&self.production, &self.staging, &self.visitor);
        let place = Place { production, staging, workdir, visitor };
        let sent = publish::publish(host, &place, shipment).await?;
        if sent.was_live {
            return Ok(Outcome::Served(sent));
        }
        let index = self.live.index_text();
        let index = index.map_err(|error| HostError::new(host.name(), HostErrorKind::Local, error.to_string()))?;
        match self.reader.read(binhost, &index).await {
            Reading::Same => Ok(Outcome::Served(sent)),
            Reading::Unreachable(why) => Ok(Outcome::Unread(sent, why)),
            Reading::Wrong(why) => Ok(Outcome::TakenBack(self.take_back(host, sent.before, why).await)),
        }
    }

    async fn store(&self, shipment: &Shipment, depot: &Depot, binhost: Option<&HttpUrl>) -> Outcome {
        let (sent, before) = match depot.publish(shipment).await {
            Ok(published) => (published.sent, published.before),
            Err(error) => return Outcome::Missed(error.to_string()),
        };
        let index = match self.live.index_text() {
            _ if sent.was_live => return Outcome::Served(sent),
            Ok(index) => index,
            Err(error) => return Outcome::Unread(sent, error.to_string()),
        };
        let Some(binhost) = binhost else {
            return Outcome::Unread(sent, "no `binhost` is set, so no URL of clients is known".to_owned());
        };
        match self.reader.read(binhost, &index).await {
            Reading::Same => Outcome::Served(sent),
            Reading::Unreachable(why) => Outcome::Unread(sent, why),
            Reading::Wrong(why) => Outcome::TakenBack(depot.take_back(&self.live.name, before.as_ref(), why).await),
        }
    }

    async fn take_back(&self, host: &dyn Host, before: Option<ReleaseName>, why: String) -> String {
        let Some(before) = before else {
            return format!("{why}. No release was live there before, so it stays; mend the web server there");
        };
        match publish::take_back(host, &self.production, &self.live.name, &before).await {
            Ok(()) => format!(
                "{why}. It was swapped back, {before} is live there as before; mend the web server there, and the next \
                 command brings it again"
            ),
            Err(error) => format!("{why}. It could not be swapped back: {error}"),
        }
    }
}

/// Writes down who has the release now.
///
/// # Errors
/// When the journal cannot be written.
pub fn note_down(session: &mut Session, publication: &Publication) -> Result<(), ControlError> {
    for (orchestrator, _) in publication.receivers.iter().filter(|(_, outcome)| outcome.has_it()) {
        let (orchestrator, release) = (orchestrator.clone(), Some(publication.release.clone()));
        session.record(&Event::OrchestratorSeen { orchestrator, release })?;
    }
    Ok(())
}

/// Brings the live release to orchestrators and storages that lack it; none where there is nobody to look at.
///
/// # Errors
/// Another controller may decide, the releases here cannot be read, or the journal cannot be written. Trouble with one of
/// them is in the answer.
pub async fn everywhere(session: &mut Session, whom: Whom) -> Result<Option<Publication>, ControlError> {
    let Some(mut errand) = Errand::new(session, whom)? else { return Ok(None) };
    session.hold(Wish::Hold).await?;
    errand.visitor = session.visitor();
    let publication = errand.run().await;
    note_down(session, &publication)?;
    Ok(Some(publication))
}

/// Removes from each storage what no kept release has. Gives what the operator is told: a line for each.
///
/// # Errors
/// When the releases here cannot be read. Trouble with a storage is in the answer.
pub async fn prune(session: &Session) -> Result<Vec<String>, ControlError> {
    let Some(live) = session.releases.current()? else { return Ok(Vec::new()) };
    let kept = session.releases.list()?;
    let mut pruning = Vec::new();
    for storage in session.inventory.storages() {
        let (live, kept, depot) = (&live, &kept, Depot::of(&session.inventory, storage)?);
        pruning.push(async move { format!("{}: {}", storage.name, escaped(&depot.prune(live, kept).await)) });
    }
    Ok(join_all(pruning).await)
}

#[cfg(test)]
mod tests;
