//! The other orchestrators that a controller may be at: what lets them look here, and what looks at them.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::office::Fellows;
use super::place::Own;
use crate::controller::now;
use crate::core::names::HostName;
use crate::inventory::{self, ControllerPlace, Inventory};
use crate::ssh::{self, Pace};
use crate::standby::peer::Peer;
use crate::standby::serve::{Ground, Resigned, Socket};
use crate::standby::watch::Watcher;

/// What goes on for as long as the service does.
#[derive(Debug)]
pub struct StandingBy {
    /// Follows whoever leads.
    pub watcher: Watcher,
    /// Those who want the controller's place.
    pub resign: mpsc::Receiver<oneshot::Sender<Resigned>>,
    /// Where they ask.
    pub socket: Socket,
}

/// That of an orchestrator; none where it has no API, is the only one that has, or builds are nobody's there.
///
/// # Errors
/// It cannot listen in its state directory.
pub fn of(inventory: &Inventory, own: Option<Own<'_>>) -> std::io::Result<Option<(Fellows, StandingBy)>> {
    let settings = &inventory.swarm;
    let Some((host, own)) = own.filter(|(_, own)| own.api.is_some()) else { return Ok(None) };
    let peers = peers(inventory, &host.name);
    if peers.is_empty() || settings.controller == ControllerPlace::Local {
        return Ok(None);
    }
    let ground = Ground {
        state: settings.state.clone(),
        staging: settings.staging.clone(),
        production: settings.production.clone(),
        limits: inventory.housekeeping,
        now,
    };
    let (asks, resign) = mpsc::channel(1);
    let socket = Socket::open(ground.clone(), asks)?;
    let (watcher, standby) = Watcher::new(ground.clone(), host.name.clone(), own.priority, peers.clone());
    let fellows = Fellows { own: host.name.clone(), peers, ground, standby };
    Ok(Some((fellows, StandingBy { watcher, resign, socket })))
}

/// The other orchestrators with a service. What comes from them shares one limit.
fn peers(inventory: &Inventory, own: &HostName) -> Vec<Peer> {
    let settings = &inventory.swarm;
    let pace = settings.bandwidth_limit.map(|rate| Arc::new(Pace::new(rate)));
    let text = |path: &Path| path.display().to_string();
    let others =
        inventory.orchestrators().into_iter().filter(|(host, settings)| host.name != *own && settings.api.is_some());
    let peer = |(host, orchestrator): (&inventory::Host, &inventory::OrchestratorSettings)| Peer {
        name: host.name.clone(),
        priority: orchestrator.priority,
        host: ssh::host_at_pace(&inventory.destination_of(host), pace.clone()),
        state: text(&settings.state),
        staging: text(&settings.staging),
        production: text(&settings.production),
    };
    others.map(peer).collect()
}
