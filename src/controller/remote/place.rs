//! The controller's place among the orchestrators: which of them has it, and having another one take it.

use futures::future::join_all;

use super::{QUICK, Remote, RemoteError, read};
use crate::controller::electorate::LONGEST_VOTE;
use crate::core::names::{Epoch, HostName};
use crate::core::nearest::hint;
use crate::core::role::{Health, Promoted, Promotion};
use crate::inventory::Inventory;

/// An orchestrator's service, asked itself and not through the gateway.
pub struct Orchestrator {
    /// Its name.
    pub name: HostName,
    remote: Remote,
}

impl Orchestrator {
    /// Those of an inventory that have a service, the one with the lowest priority number first.
    ///
    /// # Errors
    /// Token or certificate are of no use.
    pub fn all(inventory: &Inventory) -> Result<Vec<Self>, RemoteError> {
        let with_api = inventory.orchestrators().into_iter().filter_map(|(host, settings)| {
            let base = settings.api.as_ref()?.to_string();
            Some((host.name.clone(), base))
        });
        with_api.map(|(name, base)| Ok(Self { name, remote: Remote::at(inventory, base)? })).collect()
    }

    /// The epoch under which it has the controller's place, as far as it knows; none where it follows another one.
    async fn place(&self) -> Result<Option<Epoch>, RemoteError> {
        let health: Health = read(&self.remote.get("/health").await?)?;
        Ok(health.epoch.filter(|_| health.leads))
    }

    /// Has it take the controller's place, breaking another one's lease where that is wanted; the epoch that it then has.
    ///
    /// # Errors
    /// It does not answer, or does not get the place.
    pub async fn promote(&self, take_over: bool) -> Result<Epoch, RemoteError> {
        let promoted: Promoted =
            self.remote.post("/promote", &Promotion { take_over }, QUICK + 4 * LONGEST_VOTE).await?;
        Ok(promoted.epoch)
    }
}

/// The one that is to take the place: the one of this name, else the first that answers and does not have it. None where
/// it has it already, unless it is named and is to have it in any case.
///
/// # Errors
/// Why there is none, as a sentence.
pub async fn successor(
    all: Vec<Orchestrator>,
    to: Option<&HostName>,
    take_over: bool,
) -> Result<Option<Orchestrator>, String> {
    let names: Vec<String> = all.iter().map(|each| each.name.to_string()).collect();
    if let Some(to) = to.filter(|to| !all.iter().any(|each| each.name == **to)) {
        let nearest = hint(to.as_str(), names.iter().map(String::as_str));
        return Err(format!("no orchestrator {to} with an `api` is in the inventory{nearest}"));
    }
    let places = join_all(all.iter().map(Orchestrator::place)).await;
    let highest = places.iter().flatten().flatten().max().copied();
    let mut silent = Vec::new();
    for (orchestrator, place) in all.into_iter().zip(places) {
        let is_wanted = to.is_none_or(|to| *to == orchestrator.name);
        match place {
            Ok(Some(epoch)) if Some(epoch) == highest && !(take_over && to.is_some()) => {
                if to.is_some() && is_wanted {
                    return Ok(None);
                }
            }
            Ok(_) if is_wanted => return Ok(Some(orchestrator)),
            Ok(_) => {}
            Err(error) => silent.push(format!("{}: {error}", orchestrator.name)),
        }
    }
    Err(match silent.as_slice() {
        [] => "there is no other orchestrator with an `api` that could take the controller's place".to_owned(),
        silent => format!("no other orchestrator answers: {}", silent.join("; ")),
    })
}
