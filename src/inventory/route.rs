//! The way to a host: the network it is in, whether one has to go through another host, and what SSH needs to know.
//!
//! A host is in the network of its first address that lies in one; of several networks around an address the
//! narrowest counts. One goes through a network's jump host when the host's *first* address is in that network and
//! this machine is not. A jump host may need one itself; `check` has seen to it that this ends.

use crate::core::names::{HostName, NetworkName};
use crate::ssh::Destination;

use super::values::Address;
use super::{Host, Inventory, Network};

/// The narrowest of the networks in which an address lies.
pub(super) fn network_of<'a>(
    address: &Address,
    networks: impl Iterator<Item = (&'a NetworkName, &'a Network)>,
) -> Option<(&'a NetworkName, &'a Network)> {
    let ip = address.ip()?;
    networks.filter(|(_, network)| network.cidr.contains(&ip)).max_by_key(|(_, network)| network.cidr.prefix_len())
}

impl Inventory {
    /// The network that a host is in.
    pub fn network_of(&self, host: &Host) -> Option<&NetworkName> {
        host.addresses.iter().find_map(|address| network_of(address, self.networks.iter())).map(|(name, _)| name)
    }

    /// Whether this machine is in that network.
    pub fn is_in(&self, network: &Network) -> bool {
        self.surroundings.addresses.iter().any(|address| network.cidr.contains(address))
    }

    /// The host that one goes through to reach this one from here.
    pub fn jump_of(&self, host: &Host) -> Option<&Host> {
        let (_, network) = network_of(host.addresses.first(), self.networks.iter())?;
        let jump = self.host(network.jump.as_ref()?)?;
        let needless = self.is_in(network) || jump.name == host.name || *jump.addresses.first() == Address::Local;
        (!needless).then_some(jump)
    }

    /// How SSH reaches the host of this name from here; none where there is no such host.
    pub fn destination(&self, name: &HostName) -> Option<Destination> {
        self.host(name).map(|host| self.destination_of(host))
    }

    /// How SSH reaches this host from here.
    pub fn destination_of(&self, host: &Host) -> Destination {
        Destination {
            name: host.name.clone(),
            addresses: self.addresses_in_order(host),
            port: host.access.port,
            user: host.access.user.clone(),
            become_root: host.access.become_root,
            identity: host.access.identity.clone(),
            known_hosts: host.access.known_hosts.clone(),
            jump: self.jump_of(host).map(|jump| Box::new(self.destination_of(jump))),
            stall_timeout: self.swarm.stall_timeout,
        }
    }

    /// The addresses as they are written. Only those of a jump host that lie in the network behind it go last: seen
    /// from elsewhere such a number may well be another machine's.
    fn addresses_in_order(&self, host: &Host) -> Vec<String> {
        let behind = |address: &&Address| {
            network_of(address, self.networks.iter())
                .is_some_and(|(_, network)| network.jump.as_ref() == Some(&host.name) && !self.is_in(network))
        };
        let (last, first): (Vec<&Address>, Vec<&Address>) = host.addresses.iter().partition(behind);
        first.iter().chain(&last).map(ToString::to_string).collect()
    }
}
