//! What the inventory has to know of the machine that reads it: its addresses and the operator's home.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

/// The place from which the fleet is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// What `~` stands for; none where there is no home.
    pub home: Option<PathBuf>,
    /// The addresses of this machine's interfaces, those of the loopback left out.
    pub addresses: Vec<IpAddr>,
}

impl Surroundings {
    /// Those of this machine and user. Where the kernel does not tell its addresses (no /proc) the machine is taken
    /// to be in none of the networks, so that jump hosts are used.
    pub fn of_this_machine() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            addresses: interface_addresses(&text("/proc/net/fib_trie"), &text("/proc/net/if_inet6")),
        }
    }
}

/// The addresses in the kernel's route tables (proc(5)): in `fib_trie` an own IPv4 address is a leaf, `|-- ADDRESS`,
/// followed by a line `/32 host LOCAL`; `if_inet6` begins each line with one in 32 hexadecimal digits.
fn interface_addresses(fib_trie: &str, if_inet6: &str) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    let mut leaf = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line.starts_with("/32 host LOCAL") {
            addresses.extend(leaf.map(IpAddr::V4));
        }
    }
    let inet6 = if_inet6.lines().filter_map(|line| u128::from_str_radix(line.split_whitespace().next()?, 16).ok());
    addresses.extend(inet6.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))));
    addresses.retain(|address| !address.is_loopback());
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIB_TRIE: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
     +-- 10.42.0.0/24 2 0 2
        |-- 10.42.0.0
           /24 link UNICAST
        |-- 10.42.0.100
           /32 host LOCAL
        |-- 10.42.0.255
           /32 link BROADCAST
Local:
        |-- 10.42.0.100
           /32 host LOCAL
";

    #[test]
    fn own_addresses_are_read_from_the_route_tables() {
        let if_inet6 = "fd000000000000000000000000000002 04 40 00 82     eth0\n\
                        00000000000000000000000000000001 01 80 10 80       lo\n";
        let addresses = interface_addresses(FIB_TRIE, if_inet6);
        assert_eq!(addresses, ["10.42.0.100".parse::<IpAddr>().unwrap(), "fd00::2".parse().unwrap()]);
        assert!(interface_addresses("|-- x\n/32 host LOCAL\n/32 host LOCAL", "\nzz\n").is_empty());
    }
}
