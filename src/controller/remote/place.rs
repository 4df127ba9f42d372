//! The controller's place among the orchestrators: which of them has it, and having another one take it.

use axum::http::Method;
use futures::future::join_all;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

use super::{QUICK, Remote, RemoteError, read};
use crate::controller::electorate::LONGEST_VOTE;
use crate::core::names::{Epoch, HostName};
use crate::http::access::Token;
use crate::http::tls;
use crate::inventory::{Inventory, fault};

/// An orchestrator's service, asked itself and not through the gateway.
pub struct Orchestrator {
    /// Its name.
    pub name: HostName,
    remote: Remote,
}

/// What a service says of itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Health {
    epoch: Epoch,
    leads: bool,
    caught_up: bool,
}

/// How one of them stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It has the controller's place, under this epoch.
    Has(Epoch),
    /// It follows another one, and lacked nothing when it last heard of that, or may lack something.
    Follows {
        /// Whether it lacked nothing.
        caught_up: bool,
    },
}

#[derive(Serialize)]
struct Promotion {
    take_over: bool,
}

#[derive(Deserialize)]
struct Promoted {
    epoch: Epoch,
}

impl Orchestrator {
    /// Those of an inventory that have a service, the one with the lowest priority number first.
    ///
    /// # Errors
    /// Token or certificate are of no use.
    pub fn all(inventory: &Inventory) -> Result<Vec<Self>, RemoteError> {
        let swarm = &inventory.swarm;
        let with_api = inventory.orchestrators().into_iter().filter_map(|(host, settings)| {
            let base = settings.api.as_ref()?.to_string();
            Some((host.name.clone(), base))
        });
        let orchestrator = |(name, base): (HostName, String)| {
            let token = swarm.token_file.as_deref().map(Token::read).transpose()?;
            let tls = match base.starts_with("https:") {
                true => Some(tls::connector(swarm.tls_cert.as_deref())?),
                false => None,
            };
            Ok(Self { name, remote: Remote { base, token, tls } })
        };
        with_api.map(orchestrator).collect()
    }

    /// How it stands.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn place(&self) -> Result<Place, RemoteError> {
        let request = self.remote.request(Method::GET, "/health", Bytes::new())?;
        let response = self.remote.ask(request, QUICK).await?;
        let Health { epoch, leads, caught_up } = read(&self.remote.body(response).await?)?;
        Ok(if leads { Place::Has(epoch) } else { Place::Follows { caught_up } })
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
        let nearest = fault::did_you_mean(to.as_str(), names.iter().map(String::as_str));
        let nearest = nearest.map_or_else(String::new, |nearest| format!("; {nearest}"));
        return Err(format!("no orchestrator {to} with an `api` is in the inventory{nearest}"));
    }
    let places = join_all(all.iter().map(Orchestrator::place)).await;
    let highest = places.iter().flatten().filter_map(|place| match place {
        Place::Has(epoch) => Some(*epoch),
        Place::Follows { .. } => None,
    });
    let highest = highest.max();
    let mut silent = Vec::new();
    for (orchestrator, place) in all.into_iter().zip(places) {
        let is_wanted = to.is_none_or(|to| *to == orchestrator.name);
        match place {
            Ok(Place::Has(epoch)) if Some(epoch) == highest && !(take_over && to.is_some()) => {
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
