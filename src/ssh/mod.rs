//! How a host is reached: sessions, host keys, commands, files. The same trait serves this machine itself.
//!
//! Nothing here knows Portage. A [`Host`] runs scripts and moves files; what they mean is the caller's business.
//!
//! From the bottom: `config` asks OpenSSH's own configuration what the inventory leaves open; [`dial`] makes a stream to
//! one of a host's addresses, by TCP or through a jump host; `link` makes it an SSH connection with a trusted host key
//! (`trust`, [`known_hosts`]) that has let us in (`login`); `pool` keeps a host's connections, those for commands apart
//! from those for transfers; `exec` and `sftp` use channels on them; [`remote`] joins all that behind [`Host`]. [`local`]
//! has the same for this machine. `ask` reads what our scripts answer, `turns` say how many files are under way at once.

use std::sync::Arc;

use russh::keys::PublicKey;

pub(crate) mod ask;
pub(crate) mod chance;
mod config;
pub mod destination;
pub mod dial;
mod exec;
mod growth;
pub mod host;
mod jump;
pub mod known_hosts;
mod link;
pub mod local;
mod login;
pub mod pace;
mod pool;
pub mod remote;
mod sftp;
mod shell;
mod target;
mod trust;
mod turns;

pub use config::resolved;
pub use destination::{Become, Destination, Keys, SshConfig, Way, Written};
pub use dial::Stream;
pub use growth::{Ending, Following, Growth};
pub use host::{Chunk, Host, HostError, HostErrorKind, Output, Running, Script, quoted};
pub use local::{LOCAL, LocalHost};
pub use pace::Pace;
pub use remote::RemoteHost;
pub use target::Target;
pub use turns::Turns;

/// The host of a destination: this machine where its only address is [`LOCAL`]. Nothing is connected yet.
pub fn host(destination: &Destination) -> Arc<dyn Host> {
    host_at_pace(destination, None)
}

/// The same, with a limit on how fast files go to another machine and come from there.
pub fn host_at_pace(destination: &Destination, pace: Option<Arc<Pace>>) -> Arc<dyn Host> {
    if destination.is_local() {
        Arc::new(LocalHost::new(destination))
    } else {
        Arc::new(RemoteHost::new(destination).at_pace(pace))
    }
}

/// A host key as a host shows it, to be pinned once the operator has compared it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedKey {
    /// The address that showed it.
    pub address: String,
    /// The key.
    pub key: PublicKey,
}

/// The host keys of the address that answers first, one of each type that it has; nothing is checked and nobody logs
/// in there (only at a jump host, where there is one).
pub async fn host_keys(destination: &Destination) -> Result<Vec<OfferedKey>, HostError> {
    let destination = &resolved(destination).await?;
    let dialer = remote::dialer(destination);
    let keys = link::host_keys(destination, dialer.as_ref()).await?;
    Ok(keys.into_iter().map(|(address, key)| OfferedKey { address, key }).collect())
}
