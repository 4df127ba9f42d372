//! Asks a host what it builds with: its configuration, and its processor where that counts.

use crate::core::names::HostName;
use crate::portage::parity::{self, Configuration, Request};
use crate::ssh::{Host, HostError, HostErrorKind, Output, Script};

/// Where the configuration that a driver has sent to a drone lies there, if it has sent one.
pub fn configuration_root(workdir: &str, driver: &HostName) -> String {
    format!("{workdir}/config/{driver}/current")
}

/// Asks a host for its configuration: the one below this root where there is one, else its own.
///
/// # Errors
/// It cannot be reached, or its Portage does not tell.
pub async fn survey(host: &dyn Host, root: Option<String>, revisions: bool) -> Result<Configuration, HostError> {
    let script = Script::new(parity::script(&Request { configuration: root, revisions }));
    let read = |output: &Output| parity::read(&output.stdout, &output.stderr);
    super::probe(host, &script, read).await?.map_err(|error| {
        let message = format!("asking what it builds with: {error}");
        HostError::new(host.name(), HostErrorKind::Failed, message)
    })
}
