//! The epoch file of a host, `WORKDIR/epoch`: the highest epoch that was claimed there, by whom, and until when that is
//! meant to hold, by that host's own clock, so that no two clocks are compared.
//!
//! Every host that a controller works with has one. Of some the controller asks for promises ([`vote`]), and a majority
//! of those makes it the only one; all of them refuse whoever comes with less than they have written down.

pub mod here;
pub mod vote;

use std::time::Duration;

use crate::core::names::{ControllerName, Epoch};
use crate::ssh::ask::run;
use crate::ssh::{Host, HostError, Script};

/// What the scripts that look at the epoch file share.
pub(crate) const EPOCH: &str = include_str!("epoch.sh");

/// A claim that is not renewed holds for so long.
pub const LEASE: Duration = Duration::from_secs(60);

/// Whoever has claimed a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimant {
    /// Under this epoch.
    pub epoch: Epoch,
    /// The controller, as far as it left a name.
    pub controller: Option<ControllerName>,
}

impl Claimant {
    /// Reads what one of our scripts found. What makes no sense counts as the highest epoch: it must not be overruled.
    pub(crate) fn read(epoch: &str, controller: Option<&str>) -> Self {
        let epoch = Epoch(epoch.parse().unwrap_or(u64::MAX));
        Self { epoch, controller: controller.and_then(|name| name.parse().ok()) }
    }
}

/// A controller as it shows itself to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its name.
    pub controller: ControllerName,
    /// Whether it overrules a lease that lives.
    pub take_over: bool,
    /// Whether it has its epoch from a majority of voters. A host that has lost its file is then not to be taken for one
    /// that never had any: it is told by the voting, and until then refuses.
    pub elected: bool,
}

impl Visitor {
    /// What the scripts are to know of it.
    pub(crate) fn introduce(&self, script: Script) -> Script {
        let word = |yes: bool| if yes { "yes" } else { "no" };
        script
            .set("epoch", &self.epoch.to_string())
            .set("controller", self.controller.as_str())
            .set("take_over", word(self.take_over))
            .set("elected", word(self.elected))
    }
}

/// Ends our lease on a host, so that another controller need not wait for it.
///
/// # Errors
/// When the host is lost.
pub async fn leave(host: &dyn Host, workdir: &str, visitor: &Visitor) -> Result<(), HostError> {
    let script = Script::new(format!("{EPOCH}{}", include_str!("leave.sh"))).set("workdir", workdir);
    run(host, &visitor.introduce(script), "ending the lease").await.map(|_| ())
}
