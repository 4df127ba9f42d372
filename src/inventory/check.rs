//! Follows the names from one part of the inventory to another.

use std::collections::BTreeSet;

use crate::core::names::{HostName, NetworkName};

use super::build::Parts;
use super::fault::Fault;
use super::hosts::Network;
use super::route::network_of;
use crate::core::nearest::did_you_mean;
use crate::document::Site;

/// Every host that is named must be there.
pub(super) fn references(parts: &Parts, faults: &mut Vec<Fault>) {
    let mut named: Vec<(&Site, &HostName, &str)> = Vec::new();
    if let Some(part) = &parts.swarm {
        named.extend(part.content.iter().map(|swarm| (&part.points_at, &swarm.driver, "")));
    }
    if let Some(part) = &parts.gateway {
        named.extend(part.content.iter().map(|gateway| (&part.points_at, &gateway.host, "")));
    }
    for part in parts.networks.values() {
        let jump = part.content.iter().filter_map(|network| network.jump.as_ref());
        named.extend(jump.map(|jump| (&part.points_at, jump, " to go through")));
    }
    let known = || parts.hosts.keys().map(HostName::as_str);
    for (site, name, purpose) in named {
        if !parts.hosts.contains_key(name) {
            let problem = format!("there is no host {:?}{purpose}", name.as_str());
            faults.push(site.fault(problem, did_you_mean(name.as_str(), known().collect::<Vec<_>>())));
        }
    }
    overlaps(parts, faults);
}

/// A storage stands beside hosts in all that is said of it, so it has a name of its own.
pub(super) fn storage_names(parts: &Parts, faults: &mut Vec<Fault>) {
    for (name, storage) in &parts.storages {
        if let Some(host) = parts.hosts.get(name) {
            let problem = format!("a host has this name: it is {} in {}", host.site.key, host.site.place());
            faults.push(storage.site.fault(problem, None));
        }
    }
}

/// A network inside another is legal (the narrower one counts); the same one twice is not.
fn overlaps(parts: &Parts, faults: &mut Vec<Fault>) {
    let mut seen: Vec<(&NetworkName, &Network)> = Vec::new();
    for (name, part) in &parts.networks {
        let Some(network) = &part.content else { continue };
        if let Some((other, _)) = seen.iter().find(|(_, other)| other.cidr == network.cidr) {
            faults.push(part.site.fault(format!("it has the same addresses as the network {other}"), None));
        }
        seen.push((name, network));
    }
}

/// From a network over its jump host to that host's network and on: this must come to an end. A jump host inside the
/// network it leads into is such an end, since it is reached without itself. Each circle is reported once. Cost: the
/// square of the number of networks.
pub(super) fn circles(parts: &Parts, faults: &mut Vec<Fault>) {
    let mut reported: BTreeSet<&NetworkName> = BTreeSet::new();
    for (start, part) in &parts.networks {
        let mut path = vec![start];
        let mut way = Vec::new();
        while let Some((jump, next)) = path.last().and_then(|last| step(parts, last)) {
            way.extend(path.last().map(|network| format!("{network} is behind {jump}, which is in {next}")));
            if next == start && !path.iter().any(|network| reported.contains(network)) {
                let problem = format!("the jump goes round in a circle: {}", way.join("; "));
                faults.push(part.points_at.fault(problem, None));
                reported.extend(&path);
            }
            if path.contains(&next) {
                break;
            }
            path.push(next);
        }
    }
}

/// The jump host of a network and the other network in which it is.
fn step<'a>(parts: &'a Parts, network: &NetworkName) -> Option<(&'a HostName, &'a NetworkName)> {
    let jump = parts.networks.get(network)?.content.as_ref()?.jump.as_ref()?;
    let host = parts.hosts.get(jump)?.content.as_ref()?;
    let networks = parts.networks.iter().filter_map(|(name, part)| Some((name, part.content.as_ref()?)));
    let (next, _) = network_of(host.addresses().first(), networks)?;
    (next != network).then_some((jump, next))
}
