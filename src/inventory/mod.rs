//! The inventory: which machines make up the swarm, how each is reached, and how the swarm is run.
//!
//! It is TOML in one file or in all `*.toml` of a directory. Reading goes in four steps, each a module: [`locate`]
//! finds the files, `crate::document` walks their tables with a place for every fault, `build` puts the parts of all files
//! together, and `check` follows the names from one part to the other. All faults are reported at once, each with
//! file, line, key and the nearest right word. What comes out is parsed throughout: nothing else in the program reads
//! these texts again. [`select`] picks hosts by what `--on` says; [`Inventory::destination`] says how one is reached.

mod build;
mod check;
pub mod exclude;
pub mod fault;
pub mod hosts;
pub mod housekeeping;
pub mod limits;
pub mod locate;
pub mod notify;
mod route;
pub mod select;
pub mod settings;
pub mod storage;
pub mod surroundings;
pub mod values;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::core::names::{HostName, NetworkName};

pub use exclude::Exclude;
pub use fault::{Fault, InventoryError};
pub use hosts::{Access, CleanRoom, DroneSettings, Gateway, Host, Network, OrchestratorSettings, Role};
pub use housekeeping::Housekeeping;
pub use limits::{Limits, PackageLimits};
pub use notify::{Channel, ChannelSettings};
pub use select::{SelectError, Selection};
pub use settings::{ControllerPlace, Failback, NAME, PRODUCTION, STAGING, STATE, SwarmSettings};
pub use storage::{BucketUrl, Storage, StorageSettings};
pub use surroundings::Surroundings;
pub use values::{Address, Addresses, HttpUrl, RemoteDirectory};

/// The whole fleet and its settings, checked: every name in it leads somewhere.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// How the swarm is run.
    pub swarm: SwarmSettings,
    /// How much of what piles up is kept.
    pub housekeeping: Housekeeping,
    networks: BTreeMap<NetworkName, Network>,
    hosts: BTreeMap<HostName, Host>,
    storages: Vec<Storage>,
    gateway: Option<Gateway>,
    channels: Vec<Channel>,
    limits: PackageLimits,
    surroundings: Surroundings,
}

impl Inventory {
    /// Finds the inventory (`option`, then the places of [`locate`]), reads and checks it.
    ///
    /// # Errors
    /// None is there, a file cannot be read, or there are faults in it: all of them.
    pub fn find(option: Option<&Path>) -> Result<Self, InventoryError> {
        Self::parse(&locate::files(option)?)
    }

    /// Reads and checks the texts of these files, as seen from this machine.
    ///
    /// # Errors
    /// All faults of all files.
    pub fn parse(files: &[(PathBuf, String)]) -> Result<Self, InventoryError> {
        Self::parse_at(files, Surroundings::of_this_machine())
    }

    /// [`Inventory::parse`] as seen from another place: pure, it asks nothing of this machine.
    ///
    /// # Errors
    /// All faults of all files.
    pub fn parse_at(files: &[(PathBuf, String)], surroundings: Surroundings) -> Result<Self, InventoryError> {
        build::inventory(files, surroundings)
    }

    /// The host of this name, whatever its role; `local` where the driver is this machine itself.
    pub fn host(&self, name: &HostName) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// The work directory of a host; the usual one of a host that has no entry.
    pub fn workdir(&self, name: &HostName) -> String {
        self.host(name).map_or_else(|| hosts::WORKDIR.to_owned(), |host| host.access.workdir.to_string())
    }

    /// All hosts by name, whatever their role.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// The drones by name.
    pub fn drones(&self) -> impl Iterator<Item = (&Host, &DroneSettings)> {
        self.hosts().filter_map(|host| match &host.role {
            Role::Drone(settings) => Some((host, settings)),
            Role::Plain | Role::Orchestrator(_) => None,
        })
    }

    /// The orchestrators, the one with the lowest priority number first; by name where two share it.
    pub fn orchestrators(&self) -> Vec<(&Host, &OrchestratorSettings)> {
        let mut orchestrators: Vec<_> = self
            .hosts()
            .filter_map(|host| match &host.role {
                Role::Orchestrator(settings) => Some((host, settings)),
                Role::Plain | Role::Drone(_) => None,
            })
            .collect();
        orchestrators.sort_by_key(|(_, settings)| settings.priority);
        orchestrators
    }

    /// Those of them that are this machine.
    pub fn orchestrators_here(&self) -> impl Iterator<Item = (&Host, &OrchestratorSettings)> {
        self.orchestrators().into_iter().filter(|(host, _)| self.is_here(host))
    }

    /// The object storages, the one with the lowest priority number first; by name where two share it.
    pub fn storages(&self) -> &[Storage] {
        &self.storages
    }

    /// The channels by which alarms are told, by name.
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The name of the machine whose packages are wanted; [`Inventory::host`] has it.
    pub fn driver(&self) -> &HostName {
        &self.swarm.driver
    }

    /// The gateway, where there is one.
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_ref()
    }

    /// The URL of the gateway, without a path; none where there is no gateway.
    pub fn gateway_url(&self) -> Option<String> {
        let gateway = self.gateway()?;
        let scheme = if self.swarm.tls_cert.is_some() { "https" } else { "http" };
        let place = match gateway.listen {
            address if !address.ip().is_unspecified() => address.to_string(),
            address => {
                let host = self.host(&gateway.host)?.addresses.first();
                match host.ip() {
                    Some(ip) => SocketAddr::new(ip, address.port()).to_string(),
                    None => format!("{host}:{}", address.port()),
                }
            }
        };
        Some(format!("{scheme}://{place}"))
    }

    /// How long a build of a package (`category/name`) may take, as far as that was set.
    pub fn limits(&self, package: &str) -> Limits {
        self.limits.of(package)
    }

    /// The networks by name.
    pub fn networks(&self) -> impl Iterator<Item = (&NetworkName, &Network)> {
        self.networks.iter()
    }
}

#[cfg(test)]
mod tests;
