//! Which orchestrator of the inventory this machine is, and where it listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::http::Uri;

use crate::core::names::HostName;
use crate::core::nearest::hint;
use crate::http::client;
use crate::inventory::{Host, HttpUrl, Inventory, OrchestratorSettings};

/// Where it listens when it is not listed.
pub const PORT: u16 = 8091;
/// Where the binhost lies below the service's address.
const PACKAGES: &str = "/packages";

/// An orchestrator of the inventory.
pub type Own<'a> = (&'a Host, &'a OrchestratorSettings);

/// A place to listen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Address and port.
    pub address: SocketAddr,
    /// Whether TLS is spoken there.
    pub tls: bool,
}

/// The inventory does not say where this is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// There is no orchestrator of that name.
    #[error("the inventory has no orchestrator {name}{hint}")]
    Unknown {
        /// The name.
        name: HostName,
        /// The nearest right name, or those that there are.
        hint: String,
    },
    /// There is none at all.
    #[error(
        "the inventory has no orchestrator {name}, and no other: add `[orchestrators.{name}]`, or leave the name out \
         to serve `production` all the same"
    )]
    NoneListed {
        /// The name.
        name: HostName,
    },
    /// None of them, or several, have an address of this machine.
    #[error(
        "{count} of the orchestrators of the inventory have an address of this machine: say which one this is, as in `swarm orchestrator {example}`"
    )]
    Unclear {
        /// How many.
        count: usize,
        /// One that could be meant.
        example: HostName,
    },
    /// A URL of the inventory wants TLS.
    #[error(
        "{url} is https, and no `tls_cert` is set; where a web server in front has the certificate, `--listen ADDRESS:PORT` says where it finds this service"
    )]
    NoCertificate {
        /// The URL.
        url: HttpUrl,
    },
    /// A URL of the inventory leads elsewhere.
    #[error(
        "{url} is not what this service would answer to: it serves the packages below {PACKAGES}; where a web server in front does otherwise, `--listen ADDRESS:PORT` says where it finds this service"
    )]
    OtherPath {
        /// The URL.
        url: HttpUrl,
    },
}

/// The orchestrator of this name, or else the one with an address of this machine; none where none is listed at all.
///
/// # Errors
/// There is no such one, or it is not clear which.
pub fn own<'a>(inventory: &'a Inventory, name: Option<&HostName>) -> Result<Option<Own<'a>>, PlaceError> {
    let all = inventory.orchestrators();
    if let Some(name) = name {
        if all.is_empty() {
            return Err(PlaceError::NoneListed { name: name.clone() });
        }
        let found = all.iter().find(|(host, _)| host.name == *name).copied();
        let hint = || hint(name.as_str(), all.iter().map(|(host, _)| host.name.as_str()));
        return found.map(Some).ok_or_else(|| PlaceError::Unknown { name: name.clone(), hint: hint() });
    }
    let here: Vec<Own<'a>> = all.iter().copied().filter(|(host, _)| inventory.is_here(host)).collect();
    match (here.as_slice(), all.first()) {
        ([one], _) => Ok(Some(*one)),
        (_, None) => Ok(None),
        (_, Some((first, _))) => {
            let example = here.first().map_or(&first.name, |(host, _)| &host.name).clone();
            Err(PlaceError::Unclear { count: here.len(), example })
        }
    }
}

/// Where this one listens: where it is told to, else where the inventory says that it is reached.
///
/// # Errors
/// That cannot be done without a web server in front.
pub fn places(inventory: &Inventory, own: Option<Own<'_>>, told: &[SocketAddr]) -> Result<Vec<Place>, PlaceError> {
    let certificate = inventory.swarm.tls_cert.is_some();
    if !told.is_empty() {
        return Ok(told.iter().map(|address| Place { address: *address, tls: certificate }).collect());
    }
    let Some((_, settings)) = own else {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        return Ok(vec![Place { address, tls: certificate }]);
    };
    if uri_of(&settings.binhost).path() != PACKAGES {
        return Err(PlaceError::OtherPath { url: settings.binhost.clone() });
    }
    let mut places = Vec::new();
    for url in [Some(&settings.binhost), settings.api.as_ref()].into_iter().flatten() {
        let place = place_of(inventory, url)?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

/// The address of a URL where it is this machine's own, and otherwise all of this machine's, at its port.
fn place_of(inventory: &Inventory, url: &HttpUrl) -> Result<Place, PlaceError> {
    let uri = uri_of(url);
    // The inventory's URLs are http or https and have a host.
    let (tls, host, port) = client::place(&uri).unwrap_or((false, "", PORT));
    if tls && inventory.swarm.tls_cert.is_none() {
        return Err(PlaceError::NoCertificate { url: url.clone() });
    }
    let own = host.parse::<IpAddr>().ok().filter(|address| inventory.has_here(*address));
    let address = SocketAddr::new(own.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), port);
    Ok(Place { address, tls })
}

fn uri_of(url: &HttpUrl) -> Uri {
    // Whatever the inventory takes is a URI.
    url.as_str().parse().unwrap_or_default()
}
