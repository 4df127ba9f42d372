//! `swarm sync`: drones get the driver's configuration and repositories, all through this machine.
//!
//! The driver lists what it has. For each drone, side by side: what it is to have is composed of that, its overlay and its
//! own settings; what it has as its base is known from its listing; what differs goes there in archives, of which those of
//! the driver's files are packed and fetched once for all drones that want the same. There the new revision is made beside
//! the others, held against its digest, and counts by one rename. Nothing here is needed to go on: broken off anywhere, the
//! same again finishes it, and what was carried is not carried again.

mod archives;
mod overlay;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use archives::Archives;
use store::Store;

use super::error::ControlError;
use super::planning;
use super::session::blocking;
use crate::core::names::{HostName, Revision};
use crate::drone::configuration::compose::{Composed, OverlayError, OwnFile, Steps, compose};
use crate::drone::configuration::listing::{Changes, Listing};
use crate::drone::configuration::{self, Applied, DriverTree, Look, System};
use crate::inventory::{Inventory, Role};
use crate::ssh::{self, Host, HostError, HostErrorKind, Pace};

/// So many drones at once; each only waits for its own line and disk.
const AT_ONCE: usize = 32;
/// So many listings are compared at once: one of 200,000 files takes some 50 MB of memory.
const COMPARED_AT_ONCE: usize = 2;
/// A driver whose files change while they are carried is listed anew so often in all.
const ROUNDS: u32 = 3;

/// What a sync did, or would do, for a drone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    /// What counted there before.
    pub before: Option<Revision>,
    /// What counts there now.
    pub revision: Revision,
    /// How what counted before and now differ; all is new where nothing counted.
    pub changes: Changes,
    /// What was sent, in bytes.
    pub sent: u64,
}

/// What keeps a drone from getting the driver's configuration.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The drone is out of reach, or cannot do it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The driver is out of reach, or has what no drone can have.
    #[error("the driver: {0}")]
    Driver(HostError),
    /// Its overlay cannot be laid over the driver's configuration.
    #[error(transparent)]
    Overlay(#[from] OverlayError),
    /// Something on this side failed.
    #[error(transparent)]
    Here(#[from] ControlError),
    /// The driver's files changed again and again.
    #[error("the driver's files change while they are carried: try again once its `emerge --sync` is over")]
    Restless,
}

/// One sync of some drones.
pub struct Sync {
    inventory: Arc<Inventory>,
    driver: HostName,
    driver_host: Arc<dyn Host>,
    store: Store,
    pace: Option<Arc<Pace>>,
    comparing: Semaphore,
}

/// The driver as it was listed.
struct Listed {
    tree: DriverTree,
    listing: Listing,
}

impl Sync {
    /// For the inventory's driver, from where the operator is.
    ///
    /// # Errors
    /// When the inventory has no such host, or nothing can be kept here.
    pub fn new(inventory: Arc<Inventory>) -> Result<Self, ControlError> {
        let driver = inventory.driver().clone();
        Ok(Self {
            driver_host: planning::driver_here(&inventory)?,
            store: Store::open(&inventory.swarm.state)?,
            pace: inventory.swarm.bandwidth_limit.map(|rate| Arc::new(Pace::new(rate))),
            comparing: Semaphore::new(COMPARED_AT_ONCE),
            inventory,
            driver,
        })
    }

    /// Brings these drones what the driver has, or only says what that would change; calls `done` as each of them ends.
    ///
    /// # Errors
    /// When the driver cannot be listed: nothing has been changed then.
    pub async fn run(
        &self,
        drones: &[HostName],
        dry_run: bool,
        mut done: impl FnMut(&HostName, Result<Synced, SyncError>),
    ) -> Result<(), SyncError> {
        let mut waiting = drones.to_vec();
        for round in 1..=ROUNDS {
            let listed = self.list().await?;
            let archives = Archives::new(Arc::clone(&self.driver_host), self.driver_workdir(), self.store.directory());
            let one = |drone: HostName| async {
                let result = self.sync_one(&drone, &listed, &archives, dry_run).await;
                (drone, result)
            };
            let mut again = Vec::new();
            let mut results = stream::iter(waiting.into_iter().map(one)).buffer_unordered(AT_ONCE);
            while let Some((drone, result)) = results.next().await {
                match result {
                    Err(SyncError::Restless) if round < ROUNDS => again.push(drone),
                    result => done(&drone, result),
                }
            }
            drop(results);
            archives.remove(&listed.tree.digest).await.map_err(SyncError::Driver)?;
            waiting = again;
            if waiting.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Changes the own `/etc/portage` of these drones, side by side.
    pub async fn change_system(&self, drones: Vec<HostName>, system: System) -> Vec<(HostName, Result<(), SyncError>)> {
        let one = |drone: HostName| async {
            let workdir = self.inventory.workdir(&drone);
            let changed = match self.way(&drone) {
                Ok(host) => configuration::system(host.as_ref(), &workdir, &self.driver, system).await,
                Err(error) => Err(error),
            };
            (drone, changed.map_err(SyncError::from))
        };
        stream::iter(drones.into_iter().map(one)).buffer_unordered(AT_ONCE).collect().await
    }

    fn way(&self, drone: &HostName) -> Result<Arc<dyn Host>, HostError> {
        let destination = self
            .inventory
            .destination(drone)
            .ok_or_else(|| HostError::new(drone, HostErrorKind::Local, "the inventory has no host of this name"))?;
        Ok(ssh::host_at_pace(&destination, self.pace.clone()))
    }

    fn driver_workdir(&self) -> String {
        self.inventory.workdir(&self.driver)
    }

    async fn list(&self) -> Result<Listed, SyncError> {
        let known = self.store.of_driver(&self.driver)?;
        let digest = known.as_ref().map_or("", |(digest, _)| digest.as_str());
        let host = self.driver_host.as_ref();
        let workdir = self.driver_workdir();
        let tree = configuration::list(host, &workdir, digest).await.map_err(SyncError::Driver)?;
        let listing = match known {
            Some((known, listing)) if known == tree.digest => listing,
            _ => {
                let remote = format!("{workdir}/sync/{}.listing", tree.digest);
                let file = self.store.fetched(&self.driver, host, &remote).await.map_err(SyncError::Driver)?;
                let (_, listing) = self.store.read(&file)?.ok_or_else(|| unreadable(host))?;
                listing
            }
        };
        Ok(Listed { tree, listing })
    }

    async fn sync_one(
        &self,
        drone: &HostName,
        listed: &Listed,
        archives: &Archives,
        dry_run: bool,
    ) -> Result<Synced, SyncError> {
        let host = self.way(drone)?;
        let workdir = self.inventory.workdir(drone);
        let overlay = overlay::read(self.overlay_of(drone))?;
        let mut tries = 0..ROUNDS;
        loop {
            let look = configuration::look(host.as_ref(), &workdir, &self.driver).await?;
            let way = Way { host: host.as_ref(), workdir: &workdir, look: &look };
            let composed = self.compose(&way, listed, &overlay).await?;
            let before = look.current.clone();
            if before.as_ref() == Some(&composed.revision) {
                let changes = Changes::default();
                return Ok(Synced { before, revision: composed.revision, changes, sent: 0 });
            }
            let counted = match &look.current {
                Some(current) => self.base(&way, current).await?,
                None => None,
            };
            let changes = self.changes(counted.as_ref(), &composed).await;
            let synced = Synced { before, revision: composed.revision.clone(), changes, sent: 0 };
            if dry_run {
                return Ok(synced);
            }
            match self.bring(&way, &composed, counted, archives).await? {
                (Applied::Done, sent) => return Ok(Synced { sent, ..synced }),
                (Applied::Other, _) => return Err(SyncError::Restless),
                (Applied::Gone, _) if tries.next().is_none() => return Err(SyncError::Restless),
                (Applied::Gone, _) => {}
            }
        }
    }

    async fn compose(
        &self,
        way: &Way<'_>,
        listed: &Listed,
        overlay: &BTreeMap<String, OwnFile>,
    ) -> Result<Composed, SyncError> {
        let _turn = self.comparing.acquire().await;
        Ok(compose(&listed.tree, listed.listing.clone(), overlay, way.look)?)
    }

    /// How what counts there and what is to count differ.
    async fn changes(&self, counted: Option<&Listing>, composed: &Composed) -> Changes {
        let _turn = self.comparing.acquire().await;
        match counted {
            Some(counted) => Changes::between(counted, &composed.listing),
            None => Changes::between(&Listing::default(), &composed.listing),
        }
    }

    /// The listing of a revision that a drone has; none where it has none.
    async fn base(&self, way: &Way<'_>, revision: &Revision) -> Result<Option<Listing>, SyncError> {
        if let Some(listing) = self.store.of_revision(revision)? {
            return Ok(Some(listing));
        }
        let remote = format!("{}/{revision}/listing", configuration::parent(way.workdir, &self.driver));
        let file = match self.store.fetched(revision, way.host, &remote).await {
            Ok(file) => file,
            // One whose listing is gone is as good as none: all of it is brought anew.
            Err(error) if error.kind == HostErrorKind::Failed => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(self.store.read(&file)?.map(|(_, listing)| listing))
    }

    /// Carries there what is lacking, and lets the drone make it its own: of a revision that nothing uses, else of what
    /// counts there.
    async fn bring(
        &self,
        way: &Way<'_>,
        composed: &Composed,
        counted: Option<Listing>,
        archives: &Archives,
    ) -> Result<(Applied, u64), SyncError> {
        let listing = match way.look.free.first() {
            Some(free) => self.base(way, free).await?.map(|listing| (free, listing)),
            None => way.look.current.as_ref().zip(counted),
        };
        let Steps { mut patch, from_driver, own } =
            composed.steps_from(listing.as_ref().map(|(revision, listing)| (*revision, listing)));
        let incoming = format!("{}/incoming", configuration::parent(way.workdir, &self.driver));
        let mut sent = 0;
        if !from_driver.is_empty() {
            let wanted: Vec<(String, _)> = from_driver
                .into_iter()
                .filter_map(|path| composed.listing.entries.get(&path).cloned().map(|entry| (path, entry)))
                .collect();
            let archive = archives.get(wanted).await?;
            way.host.upload_on(&archive.file, &format!("{incoming}/{}", archive.key), 0o600).await?;
            patch.archives.push(archive.key.clone());
            sent += archive.size;
        }
        if !own.is_empty() {
            let packed = blocking(move || archives::pack_own(&own)).await?;
            let packed = packed.map_err(|source| local("pack a drone's own files", source))?;
            let name = format!("{}.own", composed.revision);
            way.host.write(&format!("{incoming}/{name}"), &packed, 0o600).await?;
            patch.archives.push(name);
            sent += packed.len() as u64;
        }
        let applied = configuration::apply(way.host, way.workdir, &self.driver, &patch).await?;
        if applied == Applied::Done {
            self.store.keep(&composed.revision, &composed.listing)?;
        }
        Ok((applied, sent))
    }

    fn overlay_of(&self, drone: &HostName) -> Option<PathBuf> {
        match &self.inventory.host(drone)?.role {
            Role::Drone(settings) => settings.portage_overlay.clone(),
            Role::Plain | Role::Orchestrator(_) => None,
        }
    }
}

/// A drone within reach.
struct Way<'a> {
    host: &'a dyn Host,
    workdir: &'a str,
    look: &'a Look,
}

fn unreadable(host: &dyn Host) -> SyncError {
    SyncError::Driver(HostError::new(host.name(), HostErrorKind::Failed, "its listing came and is gone"))
}

fn local(doing: &str, source: std::io::Error) -> ControlError {
    ControlError::Local { doing: doing.to_owned(), source }
}
