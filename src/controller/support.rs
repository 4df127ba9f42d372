//! Support packages: what drones lack besides the plan, so that no drone compiles it for itself.
//!
//! The driver has most of it installed, and packs it: nothing is compiled for that. What it has not either is built
//! once: the first job that lacks it builds it beside its own package, all others wait for that and are fed with it.
//! Support packages are kept below staging (`.support/DRIVER`), fed to jobs, and never released.
//!
//! Cost: a question to the driver for each set of packages that a job lacks and nobody has asked for before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::planning;
use super::session::Session;
use crate::core::build::Installed;
use crate::core::names::{HostName, Timestamp};
use crate::core::package::{Cpv, Identity, PackageName};
use crate::drone::job::Need;
use crate::drone::pack;
use crate::inventory::Exclude;
use crate::portage::gpkg::{self, Gpkg};
use crate::portage::index::{PackagePath, Stanza};
use crate::release::accept;
use crate::ssh::{Host, HostError, HostErrorKind};

/// Where they are kept below staging; no category has that name.
pub(super) const DIRECTORY: &str = ".support";
/// So long a job waits for another that builds what both lack.
const LONGEST_TURN: Duration = Duration::from_secs(3600);

/// A package as a drone lacks it: its name and slot. Which version comes is whoever has it to say.
type Place = (PackageName, String);

/// Where a support package comes from.
#[derive(Debug)]
pub enum Source {
    /// It is here.
    Here(Need),
    /// Nobody has it: whoever holds this builds it, and leaves it here before it lets go.
    Build(Turn),
    /// Nobody has it, and the inventory forbids to build it.
    Excluded,
}

/// The right to build a support package.
#[derive(Debug)]
pub struct Turn {
    _held: Option<OwnedMutexGuard<()>>,
}

/// The support packages of one driver.
#[derive(Debug)]
pub struct Support {
    /// The driver; none where it is out of reach of this inventory.
    driver: Option<Arc<dyn Host>>,
    workdir: String,
    /// What is never built here.
    exclude: Exclude,
    /// Where they are kept.
    directory: PathBuf,
    state: Mutex<BTreeMap<Place, Known>>,
    building: Mutex<BTreeMap<Place, Arc<Mutex<()>>>>,
}

#[derive(Debug, Clone)]
enum Known {
    Here(Need),
    /// The driver was asked and has it not.
    Nowhere,
}

fn place(identity: &Identity) -> Place {
    (identity.cpv.package_name(), identity.slot.slot.clone())
}

impl Support {
    /// The support packages for drones that build for this driver.
    pub fn new(session: &Session, name: &HostName) -> Self {
        let inventory = &session.inventory;
        let own = session.hosts.get(name).map(Arc::clone);
        Self {
            driver: own.or_else(|| planning::driver(inventory, name).ok()),
            workdir: inventory.workdir(name),
            exclude: inventory.swarm.exclude.clone(),
            directory: session.staging.root().join(DIRECTORY).join(name.as_str()),
            state: Mutex::default(),
            building: Mutex::default(),
        }
    }

    /// Where these come from, in their order; asks the driver for those that nobody has asked for yet. `vain` was fed
    /// already, and it did not help; for `held` the asker has turns already.
    ///
    /// # Errors
    /// When the driver is lost meanwhile, or this side has no room.
    pub async fn find(&self, lacking: &[Identity], vain: &[Cpv], held: &[&Identity]) -> Result<Vec<Source>, HostError> {
        // Turns are waited for in one order by all, so that no two wait for each other.
        let last = held.iter().copied().map(place).max();
        let mut order: Vec<usize> = (0..lacking.len()).collect();
        order.sort_by_key(|index| place(&lacking[*index]));
        let mut found: BTreeMap<usize, Source> = BTreeMap::new();
        for index in order {
            let source = self.source(&lacking[index], lacking, vain, last.as_ref()).await?;
            found.insert(index, source);
        }
        Ok(found.into_values().collect())
    }

    async fn source(
        &self,
        identity: &Identity,
        lacking: &[Identity],
        vain: &[Cpv],
        last: Option<&Place>,
    ) -> Result<Source, HostError> {
        let helps = |need: &Need| !vain.contains(&need.cpv);
        if let Some(need) = self.here(identity, lacking).await?.filter(helps) {
            return Ok(Source::Here(need));
        }
        if self.exclude.matches(identity.cpv.package()) {
            return Ok(Source::Excluded);
        }
        let own = Arc::clone(self.building.lock().await.entry(place(identity)).or_default());
        // Whoever builds it may be out of reach for long, or wait for a turn of the asker's: once is better than twice,
        // but twice is better than never.
        let out_of_order = last.is_some_and(|last| *last >= place(identity));
        let turn = if out_of_order {
            own.try_lock_owned().ok()
        } else {
            tokio::time::timeout(LONGEST_TURN, own.lock_owned()).await.ok()
        };
        // Whoever had the turn before may have built it.
        Ok(match self.here(identity, lacking).await?.filter(helps) {
            Some(need) => Source::Here(need),
            None => Source::Build(Turn { _held: turn }),
        })
    }

    /// The right to build a package that a job builds already, which an earlier controller had started.
    pub async fn take_up(&self, identity: &Identity) -> Turn {
        let own = Arc::clone(self.building.lock().await.entry(place(identity)).or_default());
        Turn { _held: own.try_lock_owned().ok() }
    }

    /// Has the driver pack these now, as far as it has them.
    ///
    /// # Errors
    /// As [`Support::find`].
    pub async fn fetch(&self, lacking: &[Identity]) -> Result<(), HostError> {
        for identity in lacking {
            self.here(identity, lacking).await?;
        }
        Ok(())
    }

    async fn here(&self, identity: &Identity, lacking: &[Identity]) -> Result<Option<Need>, HostError> {
        let mut state = self.state.lock().await;
        if !state.contains_key(&place(identity)) {
            self.ask_driver(&mut state, lacking.iter().map(place).collect()).await?;
        }
        Ok(match state.get(&place(identity)) {
            Some(Known::Here(need)) => Some(need.clone()),
            _ => self.kept_before(identity),
        })
    }

    /// What of these the driver has installed, in whatever version.
    ///
    /// # Errors
    /// When the driver is lost meanwhile, or this side has no room.
    pub async fn installed(&self, wanted: &[Installed]) -> Result<Vec<Need>, HostError> {
        let places: Vec<Place> = wanted.iter().map(|one| (one.package.clone(), one.slot.clone())).collect();
        let mut state = self.state.lock().await;
        self.ask_driver(&mut state, places.clone()).await?;
        let here = |place: &Place| match state.get(place) {
            Some(Known::Here(need)) => Some(need.clone()),
            Some(Known::Nowhere) | None => None,
        };
        Ok(places.iter().filter_map(here).collect())
    }

    /// Lets the driver pack those of these that it has not been asked for yet.
    async fn ask_driver(&self, state: &mut BTreeMap<Place, Known>, mut places: Vec<Place>) -> Result<(), HostError> {
        places.retain(|place| !state.contains_key(place));
        if places.is_empty() {
            return Ok(());
        }
        let packed = self.pack(&places).await?;
        for place in places {
            let need = packed.iter().find(|need| is_in(need, &place)).cloned();
            state.insert(place, need.map_or(Known::Nowhere, Known::Here));
        }
        Ok(())
    }

    /// What was built for an earlier build and is still what is wanted.
    fn kept_before(&self, identity: &Identity) -> Option<Need> {
        let entries = std::fs::read_dir(self.directory.join(identity.cpv.package())).ok()?;
        entries.flatten().find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let path: PackagePath = format!("{}/{name}", identity.cpv.package()).parse().ok()?;
            let need = need(&gpkg::read(&entry.path()).ok()?, &path, entry.path()).ok()?;
            let known = accept::accept(&need.local, &need.stanza, identity, need.stanza.build_id(), None);
            known.is_ok().then_some(need)
        })
    }

    async fn pack(&self, wanted: &[Place]) -> Result<Vec<Need>, HostError> {
        let Some(driver) = self.driver.as_deref() else { return Ok(Vec::new()) };
        let packed = pack::pack(driver, &self.workdir, wanted).await?;
        let mut needs = Vec::new();
        for stanza in &packed.stanzas {
            let local = self.local(driver, stanza.path())?;
            packed.collect(driver, stanza, &local).await?;
            let refused = |error: String| refused(driver, stanza.path(), &error);
            let gpkg = gpkg::read(&local).map_err(|error| refused(error.to_string()))?;
            needs.push(need(&gpkg, stanza.path(), local).map_err(refused)?);
        }
        packed.remove(driver).await?;
        Ok(needs)
    }

    /// An empty place for a file; support packages are never released, so another one of the same name may go.
    fn local(&self, host: &dyn Host, path: &PackagePath) -> Result<PathBuf, HostError> {
        let local = self.directory.join(path.to_string());
        let made =
            local.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| match std::fs::remove_file(&local) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            });
        match made {
            Ok(()) => Ok(local),
            Err(error) => Err(not_kept(host, &local, &error)),
        }
    }

    /// Keeps what a job has built beside its own package, for all that lack it; whoever holds its turn may let go then.
    ///
    /// # Errors
    /// When it is not what the drone said that it would build, or this side has no room.
    pub async fn built(
        &self,
        host: &dyn Host,
        identity: &Identity,
        stanza: &Stanza,
        file: &Path,
    ) -> Result<(), HostError> {
        let accepted = accept::accept(file, stanza, identity, stanza.build_id(), None)
            .map_err(|error| HostError::new(host.name(), HostErrorKind::Failed, format!("cannot {error}")))?;
        let local = self.local(host, stanza.path())?;
        std::fs::rename(file, &local).map_err(|error| not_kept(host, &local, &error))?;
        let need = need(&accepted.gpkg, stanza.path(), local).map_err(|error| refused(host, stanza.path(), &error))?;
        self.state.lock().await.insert(place(identity), Known::Here(need));
        Ok(())
    }
}

fn is_in(need: &Need, (name, slot): &Place) -> bool {
    need.cpv.package() == name.as_str() && need.stanza.slot().is_some_and(|own| own.slot == *slot)
}

/// What a file that was read is, told by itself.
fn need(gpkg: &Gpkg, path: &PackagePath, local: PathBuf) -> Result<Need, String> {
    let modified = std::fs::metadata(&local).map_err(|error| error.to_string())?;
    let mtime = Timestamp(std::os::unix::fs::MetadataExt::mtime(&modified));
    let stanza = Stanza::derive(gpkg, path, mtime).map_err(|error| error.to_string())?;
    Ok(Need { cpv: stanza.cpv().clone(), local, stanza })
}

fn not_kept(host: &dyn Host, local: &Path, error: &std::io::Error) -> HostError {
    HostError::new(host.name(), HostErrorKind::Local, format!("cannot keep {}: {error}", local.display()))
}

fn refused(host: &dyn Host, path: &PackagePath, error: &str) -> HostError {
    let text = format!("cannot take {path} as a support package: {error}");
    HostError::new(host.name(), HostErrorKind::Failed, text)
}
