//! `swarm hosts` alone: the inventory as a table.

use super::roles;
use crate::cli::exit::Exit;
use crate::inventory::{Host, Inventory, Role};
use crate::ui::table::{Cell, Table};

pub fn run(inventory: &Inventory) -> anyhow::Result<Exit> {
    let mut table = Table::new(["name", "role", "address", "network", "cores", "tags"]).numbers("cores");
    for host in inventory.hosts() {
        let cores = match &host.role {
            Role::Drone(settings) => settings.cores,
            Role::Plain | Role::Orchestrator(_) => None,
        };
        let tags: Vec<&str> = host.tags.iter().map(|tag| tag.as_str()).collect();
        table.row([
            Cell::from(&host.name),
            Cell::from(roles(host, inventory)),
            Cell::from(&host.addresses),
            Cell::optional(network(host, inventory)),
            Cell::optional(cores),
            Cell::from(tags.join(", ")),
        ]);
    }
    table.print()?;
    Ok(Exit::Done)
}

/// The network, and the host that is gone through to it from here.
fn network(host: &Host, inventory: &Inventory) -> Option<String> {
    let network = inventory.network_of(host)?;
    Some(match inventory.jump_of(host) {
        Some(jump) => format!("{network} via {}", jump.name),
        None => network.to_string(),
    })
}
