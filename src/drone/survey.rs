//! Asks a host what it builds with: its configuration, and its processor where that counts.

use crate::portage::parity::Configuration;
use crate::portage::probe::{self, Request};
use crate::ssh::{Host, HostError, HostErrorKind, Output, Script};

/// Asks a host for its configuration: the one below this root where there is one, else its own.
///
/// # Errors
/// It cannot be reached, or its Portage does not tell.
pub async fn survey(host: &dyn Host, root: Option<&str>, revisions: bool) -> Result<Configuration, HostError> {
    let mut script = Script::new(probe::script(&Request::Survey { revisions }));
    if let Some(root) = root {
        script = script.set("configuration", root);
    }
    let read = |output: &Output| probe::read_survey(&output.stdout, &output.stderr);
    super::probe(host, &script, read).await?.map_err(|error| {
        let message = format!("asking what it builds with: {error}");
        HostError::new(host.name(), HostErrorKind::Failed, message)
    })
}
