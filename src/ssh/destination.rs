//! Where a host is and how one gets in: plain data, filled in from the inventory.

use std::path::PathBuf;
use std::time::Duration;

use crate::core::names::HostName;

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
    /// Its addresses (names or numbers), tried in turn; never empty.
    pub addresses: Vec<String>,
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
    /// The host to go through.
    pub jump: Option<Box<Destination>>,
    /// A step that moves no byte for this long has failed.
    pub stall_timeout: Duration,
}
