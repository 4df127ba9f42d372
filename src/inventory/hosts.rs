//! Hosts, drones, orchestrators, networks and the gateway: what each is, and how its table is read.
//!
//! `[defaults]` and a host's own table have the same keys: both are read into a `Layer`, and the host's lies over
//! the defaults.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;

use crate::core::names::{HostName, Tag};
use crate::ssh::{Become, SshConfig, Written};

use super::settings::at_least_one;
use super::values::{self, Addresses, HttpUrl, RemoteDirectory, ValueError};
use crate::document::{Reading, Section};

/// One machine of the inventory.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name, one among all hosts, orchestrators and drones.
    pub name: HostName,
    /// Where it is.
    pub addresses: Addresses,
    /// How one gets in, and where one may work.
    pub access: Access,
    /// What `--on @TAG` selects it by.
    pub tags: BTreeSet<Tag>,
    /// What it does besides.
    pub role: Role,
}

/// What a host does in the swarm.
#[derive(Debug, Clone)]
pub enum Role {
    /// Nothing by itself; it may be the driver, the gateway's machine or one to go through.
    Plain,
    /// It serves a binhost, and may run a controller.
    Orchestrator(OrchestratorSettings),
    /// It builds.
    Drone(DroneSettings),
}

/// How one gets into a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The user to log in as.
    pub user: String,
    /// The port of its sshd.
    pub port: u16,
    /// How that user becomes root; none where it is root, or need not be.
    pub become_root: Option<Become>,
    /// The private key; none for the SSH agent, then the usual files.
    pub identity: Option<PathBuf>,
    /// The file that pins host keys.
    pub known_hosts: PathBuf,
    /// OpenSSH's configuration, which is asked for what is not written here; none where it is not.
    pub ssh_config: Option<SshConfig>,
    /// Where jobs live there.
    pub workdir: RemoteDirectory,
}

/// What an orchestrator has besides a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrchestratorSettings {
    /// The lowest healthy number is active.
    pub priority: u32,
    /// What clients fetch packages from.
    pub binhost: HttpUrl,
    /// Its API; none where only a web server with the files runs.
    pub api: Option<HttpUrl>,
}

/// What a drone has besides a host. What is left out follows from the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroneSettings {
    /// How many processors may be used.
    pub cores: Option<NonZeroU32>,
    /// How much memory may be used.
    pub memory: Option<ByteSize>,
    /// How many emerges at once; none leaves it to the scheduler.
    pub jobs: Option<NonZeroU32>,
    /// Whether jobs get roots of their own.
    pub clean_room: CleanRoom,
    /// The directory here that `swarm sync` lays over the driver's `/etc/portage` there.
    pub portage_overlay: Option<PathBuf>,
}

/// Whether jobs get roots of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CleanRoom {
    /// Where the drone's kernel allows it.
    #[default]
    Auto,
    /// A drone that cannot is not used.
    Always,
    /// Never.
    Never,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The addresses in it.
    pub cidr: IpNet,
    /// The host to go through from elsewhere; none where it is routed.
    pub jump: Option<HostName>,
}

/// The always-on pointer to the active orchestrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The host it runs on.
    pub host: HostName,
    /// Where it listens.
    pub listen: SocketAddr,
    /// How often it looks at the orchestrators.
    pub check_interval: Duration,
}

const USER: &str = "root";
const PORT: u16 = 22;
pub(super) const WORKDIR: &str = "/var/lib/swarm";
const KNOWN_HOSTS: &str = ".ssh/known_hosts";
const PRIORITY: u32 = 100;
const GATEWAY_PORT: u16 = 8090;
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// The keys that a host and the defaults share, as far as they are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    user: Option<String>,
    port: Option<u16>,
    become_root: Option<Option<Become>>,
    identity: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
    ssh_config: Option<Option<PathBuf>>,
    workdir: Option<RemoteDirectory>,
    tags: Option<BTreeSet<Tag>>,
}

impl Layer {
    pub fn read(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Self {
        let words = [("sudo", Some(Become::Sudo)), ("doas", Some(Become::Doas)), ("none", None)];
        Self {
            user: section.text("user", reading, values::user),
            port: section.number("port", 1, reading),
            become_root: section.word("become", reading, &words),
            identity: section.path("identity", reading),
            known_hosts: section.path("known_hosts", reading),
            ssh_config: section.path_or_false("ssh_config", reading),
            workdir: section.text("workdir", reading, str::parse),
            tags: section.texts("tags", reading, str::parse).map(BTreeSet::from_iter),
        }
    }

    fn over(self, below: &Self) -> Self {
        Self {
            user: self.user.or_else(|| below.user.clone()),
            port: self.port.or(below.port),
            become_root: self.become_root.or(below.become_root),
            identity: self.identity.or_else(|| below.identity.clone()),
            known_hosts: self.known_hosts.or_else(|| below.known_hosts.clone()),
            ssh_config: self.ssh_config.or_else(|| below.ssh_config.clone()),
            workdir: self.workdir.or_else(|| below.workdir.clone()),
            tags: self.tags.or_else(|| below.tags.clone()),
        }
    }

    /// What holds where this layer lies on top of the usual values.
    fn access(self, home: Option<&Path>) -> Result<(Access, BTreeSet<Tag>), ValueError> {
        let written = Written {
            user: self.user.is_some(),
            port: self.port.is_some(),
            identity: self.identity.is_some(),
            known_hosts: self.known_hosts.is_some(),
        };
        // Left out it is the user's own; `false` is none.
        let ssh_config = self.ssh_config.map_or(Some(None), |file| file.map(Some));
        let user = self.user.unwrap_or_else(|| USER.to_owned());
        let known_hosts = self.known_hosts.or_else(|| home.map(|home| home.join(KNOWN_HOSTS)));
        let access = Access {
            // Where ssh's configuration may name another user, that is seen to once it was asked.
            become_root: self.become_root.flatten().filter(|_| user != USER || (!written.user && ssh_config.is_some())),
            user,
            port: self.port.unwrap_or(PORT),
            identity: self.identity,
            ssh_config: ssh_config.map(|file| SshConfig { file, written }),
            known_hosts: known_hosts.ok_or_else(|| ValueError("there is no home here: set known_hosts".to_owned()))?,
            workdir: self.workdir.map_or_else(|| WORKDIR.parse(), Ok)?,
        };
        Ok((access, self.tags.unwrap_or_default()))
    }
}

/// The keys that drones and the defaults share.
#[derive(Debug, Clone, Default)]
pub(super) struct DroneLayer {
    cores: Option<NonZeroU32>,
    memory: Option<ByteSize>,
    jobs: Option<NonZeroU32>,
    clean_room: Option<CleanRoom>,
    portage_overlay: Option<PathBuf>,
}

impl DroneLayer {
    pub fn read(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Self {
        let words = [("auto", CleanRoom::Auto), ("always", CleanRoom::Always), ("never", CleanRoom::Never)];
        Self {
            cores: at_least_one(section, "cores", reading),
            memory: section.text("memory", reading, values::size),
            jobs: at_least_one(section, "jobs", reading),
            clean_room: section.word("clean_room", reading, &words),
            portage_overlay: section.path_beside("portage_overlay", reading),
        }
    }

    fn settings(self, defaults: &Self) -> DroneSettings {
        DroneSettings {
            cores: self.cores.or(defaults.cores),
            memory: self.memory.or(defaults.memory),
            jobs: self.jobs.or(defaults.jobs),
            clean_room: self.clean_room.or(defaults.clean_room).unwrap_or_default(),
            portage_overlay: self.portage_overlay.or_else(|| defaults.portage_overlay.clone()),
        }
    }
}

/// What `[defaults]` says.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    host: Layer,
    drone: DroneLayer,
}

impl Defaults {
    pub fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Self {
        let defaults =
            Self { host: Layer::read(&mut section, reading), drone: DroneLayer::read(&mut section, reading) };
        section.finish(reading);
        defaults
    }
}

/// A host's table as it is written, before the defaults are known.
#[derive(Debug)]
pub(super) struct WrittenHost {
    addresses: Addresses,
    layer: Layer,
    role: WrittenRole,
}

/// The kind of table that a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Orchestrator,
    Drone,
}

#[derive(Debug)]
enum WrittenRole {
    Plain,
    Orchestrator(OrchestratorSettings),
    Drone(DroneLayer),
}

impl WrittenHost {
    /// This machine itself, where the driver is `local`.
    pub fn local() -> Self {
        Self { addresses: Addresses::local(), layer: Layer::default(), role: WrittenRole::Plain }
    }

    /// Reads a table; none where it has a fault without which there is no host.
    pub fn read(mut section: Section<'_>, kind: Kind, reading: &mut Reading<'_>) -> Option<Self> {
        let addresses = section.texts("address", reading, str::parse);
        section.require("address", "where the host is: an address, a name, or a list of them");
        let addresses = addresses.and_then(|list| {
            Addresses::new(list)
                .map_err(|problem| reading.faults.push(section.site_of("address").fault(problem.to_string(), None)))
                .ok()
        });
        let layer = Layer::read(&mut section, reading);
        let role = match kind {
            Kind::Plain => Some(WrittenRole::Plain),
            Kind::Orchestrator => orchestrator(&mut section, reading).map(WrittenRole::Orchestrator),
            Kind::Drone => Some(WrittenRole::Drone(DroneLayer::read(&mut section, reading))),
        };
        section.finish(reading);
        Some(Self { addresses: addresses?, layer, role: role? })
    }

    /// Where it is.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The host, over the defaults.
    pub fn host(self, name: HostName, defaults: &Defaults, home: Option<&Path>) -> Result<Host, ValueError> {
        let (access, tags) = self.layer.over(&defaults.host).access(home)?;
        let role = match self.role {
            WrittenRole::Plain => Role::Plain,
            WrittenRole::Orchestrator(settings) => Role::Orchestrator(settings),
            WrittenRole::Drone(layer) => Role::Drone(layer.settings(&defaults.drone)),
        };
        Ok(Host { name, addresses: self.addresses, access, tags, role })
    }
}

fn orchestrator(section: &mut Section<'_>, reading: &mut Reading<'_>) -> Option<OrchestratorSettings> {
    let priority = section.number("priority", 0, reading).unwrap_or(PRIORITY);
    let binhost = section.text("binhost", reading, str::parse);
    section.require("binhost", "the URL from which clients fetch packages");
    let api = section.text("api", reading, str::parse);
    Some(OrchestratorSettings { priority, binhost: binhost?, api })
}

impl Network {
    /// Reads `[networks.X]`; none where its range is missing or at fault.
    pub(super) fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let cidr = section.text("cidr", reading, values::network);
        section.require("cidr", "the network's addresses, such as 10.42.0.0/24");
        let jump = section.text("jump", reading, str::parse);
        section.finish(reading);
        Some(Self { cidr: cidr?, jump })
    }
}

impl Gateway {
    /// Reads `[gateway]`; none where its host is missing or at fault.
    pub(super) fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let host = section.text("host", reading, str::parse);
        section.require("host", "the name of the machine on which it runs");
        let listen = section.text("listen", reading, |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| ValueError(format!("{text:?} is not an address with a port such as 10.42.0.199:8090")))
        });
        let check_interval = section.text("check_interval", reading, values::duration);
        section.finish(reading);
        Some(Self {
            host: host?,
            listen: listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, GATEWAY_PORT))),
            check_interval: check_interval.unwrap_or(CHECK_INTERVAL),
        })
    }
}
