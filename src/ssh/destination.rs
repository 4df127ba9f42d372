//! Where a host is and how one gets in: plain data, filled in from the inventory.

use std::path::PathBuf;
use std::time::Duration;

use crate::core::names::HostName;
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
    /// The private key file; none for the SSH agent, then the usual files.
    pub identity: Option<PathBuf>,
    /// The known_hosts file that pins host keys.
    pub known_hosts: PathBuf,
    /// A step that moves no byte for this long has failed.
    pub stall_timeout: Duration,
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
    /// Its addresses, in the order in which they are tried.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.ways.iter().map(|way| way.address.as_str())
    }

    /// Whether it is this machine itself, which needs no connection.
    pub fn is_local(&self) -> bool {
        self.addresses().eq([LOCAL])
    }

    /// How many hosts lie between, on the longest of its ways.
    pub fn jumps(&self) -> usize {
        let jumps = self.ways.iter().filter_map(|way| way.jump.as_ref());
        jumps.map(|jump| 1 + jump.jumps()).max().unwrap_or(0)
    }
}
