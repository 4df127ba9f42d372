//! The way to a host: the network it is in, whether one has to go through another host, and what SSH needs to know.
//!
//! A host is in the network of its first address that lies in one; of several networks around an address the
//! narrowest counts. Each address has a way of its own: one goes through a network's jump host to the addresses in that
//! network when this machine is not in it, and straight to all others. A jump host may need one itself; `check` has
//! seen to it that this ends for the first addresses, and a way that would lead through a host on it already is none.

use crate::core::names::{HostName, NetworkName};
use crate::ssh::{Destination, Keys, Way};

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

    /// Whether this host is this machine.
    pub fn is_here(&self, host: &Host) -> bool {
        host.addresses.iter().any(|address| match address {
            Address::Local => true,
            Address::Ip(ip) => self.has_here(*ip),
            Address::Name(_) => false,
        })
    }

    /// Whether this is an address of this machine.
    pub fn has_here(&self, address: std::net::IpAddr) -> bool {
        address.is_loopback() || self.surroundings.addresses.contains(&address)
    }

    /// The host that one goes through to reach this one from here in [its network](Self::network_of).
    pub fn jump_of(&self, host: &Host) -> Option<&Host> {
        let in_network = |address: &&Address| network_of(address, self.networks.iter()).is_some();
        self.jump_to(host, host.addresses.iter().find(in_network)?)
    }

    /// The host that one goes through to reach this one from here at this address.
    fn jump_to(&self, host: &Host, address: &Address) -> Option<&Host> {
        let (_, network) = network_of(address, self.networks.iter())?;
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
        self.destination_behind(host, &[])
    }

    /// How SSH reaches a host that is gone through to others.
    fn destination_behind<'a>(&'a self, host: &'a Host, others: &[&'a HostName]) -> Destination {
        let on_the_way = [others, &[&host.name]].concat();
        let ways = self.in_order(host).into_iter().filter_map(|address| {
            let jump = match self.jump_to(host, address) {
                Some(jump) if on_the_way.contains(&&jump.name) => return None,
                Some(jump) => Some(Box::new(self.destination_behind(jump, &on_the_way))),
                None => None,
            };
            Some(Way { address: address.to_string(), jump })
        });
        Destination {
            name: host.name.clone(),
            ways: ways.filter(|way| way.jump.as_ref().is_none_or(|jump| !jump.ways.is_empty())).collect(),
            port: host.access.port,
            user: host.access.user.clone(),
            become_root: host.access.become_root,
            keys: host.access.identity.clone().map_or(Keys::Usual, |file| Keys::Only(vec![file])),
            known_hosts: host.access.known_hosts.clone(),
            host_key_alias: None,
            ssh_config: host.access.ssh_config.clone(),
            stall_timeout: self.swarm.stall_timeout,
        }
    }

    /// The addresses as they are written. Only those of a jump host that lie in the network behind it go last: seen
    /// from elsewhere such a number may well be another machine's.
    fn in_order<'a>(&self, host: &'a Host) -> Vec<&'a Address> {
        let behind = |address: &&Address| {
            network_of(address, self.networks.iter())
                .is_some_and(|(_, network)| network.jump.as_ref() == Some(&host.name) && !self.is_in(network))
        };
        let (last, first): (Vec<&Address>, Vec<&Address>) = host.addresses.iter().partition(behind);
        [first, last].concat()
    }
}
