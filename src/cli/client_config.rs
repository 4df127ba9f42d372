//! `swarm client-config`: the `binrepos.conf` of a client.

use super::exit::Exit;
use crate::gateway::binrepos::binrepos;
use crate::inventory::Inventory;

pub fn run(inventory: &Inventory) -> anyhow::Result<Exit> {
    print!("{}", binrepos(inventory)?);
    Ok(Exit::Done)
}
