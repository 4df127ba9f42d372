//! Where a host is and how one gets in: plain data, filled in from the inventory.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::core::names::HostName;
use crate::ssh::known_hosts::DEFAULT_PORT;
use crate::ssh::local::LOCAL;

/// How an ordinary user becomes root there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Become {
    /// `sudo -n`.
    Sudo,
    /// `doas -n`.
    Doas,
}

/// One host to reach over SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its name in the inventory.
    pub name: HostName,
    /// The ways to it, tried in turn; never empty.
    pub ways: Vec<Way>,
    /// Its port.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// How that user becomes root; none where it is root, or need not be.
    pub become_root: Option<Become>,
    /// The keys to log in with.
    pub keys: Keys,
    /// The known_hosts file that pins host keys.
    pub known_hosts: PathBuf,
    /// The name under which its host keys are pinned, in place of its addresses and port.
    pub host_key_alias: Option<String>,
    /// OpenSSH's configuration, which is asked for what the inventory leaves open; none where it is not, or was.
    pub ssh_config: Option<SshConfig>,
    /// A step that moves no byte for this long has failed.
    pub stall_timeout: Duration,
}

/// The keys to log in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// The SSH agent's, then the usual files.
    Usual,
    /// The SSH agent's, then these files.
    AgentAnd(Vec<PathBuf>),
    /// These files alone; the agent signs where one is encrypted.
    Only(Vec<PathBuf>),
}

/// Where OpenSSH's configuration is, and what goes before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshConfig {
    /// This file alone; none for the user's own and that of all users.
    pub file: Option<PathBuf>,
    /// What the inventory says itself.
    pub written: Written,
}

/// What of a destination the inventory says itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// The user.
    pub user: bool,
    /// The port.
    pub port: bool,
    /// The keys.
    pub identity: bool,
    /// The file that pins host keys.
    pub known_hosts: bool,
}

/// One of a host's addresses, and how one gets there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// A name or number, or [`LOCAL`].
    pub address: String,
    /// The host to go through.
    pub jump: Option<Box<Destination>>,
}

impl Way {
    /// An address that is reached from here.
    pub fn direct(address: impl Into<String>) -> Self {
        Self { address: address.into(), jump: None }
    }
}

impl Destination {
    /// Its addresses, in the order in which they are tried; one to which several ways lead once.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let mut seen = BTreeSet::new();
        self.ways.iter().map(|way| way.address.as_str()).filter(move |address| seen.insert(*address))
    }

    /// Whether it is this machine itself, which needs no connection.
    pub fn is_local(&self) -> bool {
        self.addresses().eq([LOCAL])
    }

    /// The names under which its host keys may be pinned, with their ports; new ones are pinned under the first: its
    /// addresses, the one in use first, then its name in the inventory. Where it has an alias, that in place of all
    /// addresses: one that needs an alias is not the machine's alone (the end of a tunnel, say), so what is pinned for it
    /// may be another machine's key.
    pub(crate) fn pinned_as<'a>(&'a self, in_use: &'a str) -> impl Iterator<Item = (&'a str, u16)> {
        // OpenSSH writes a HostKeyAlias without a port.
        let alias = self.host_key_alias.as_deref().map(|alias| (alias, DEFAULT_PORT));
        let others = self.addresses().filter(move |other| *other != in_use);
        let addresses = std::iter::once(in_use).chain(others).filter(move |_| alias.is_none());
        let own = addresses.chain([self.name.as_str()]);
        alias.into_iter().chain(own.map(|name| (name, self.port)))
    }

    /// How many hosts lie between, on the longest of its ways.
    pub fn jumps(&self) -> usize {
        let jumps = self.ways.iter().filter_map(|way| way.jump.as_ref());
        jumps.map(|jump| 1 + jump.jumps()).max().unwrap_or(0)
    }
}

#[cfg(test)]
impl Destination {
    /// This machine as the user that runs the tests.
    pub(crate) fn of_tests() -> Self {
        Self {
            name: "here".parse().unwrap(),
            ways: vec![Way::direct(LOCAL)],
            port: 22,
            user: "root".to_owned(),
            become_root: None,
            keys: Keys::Usual,
            known_hosts: "/nonexistent".into(),
            host_key_alias: None,
            ssh_config: None,
            stall_timeout: Duration::from_secs(60),
        }
    }
}
