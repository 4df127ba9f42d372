//! `swarm client-config`: the `binrepos.conf` of a client.

use super::exit::Exit;
use crate::gateway::binrepos::binrepos;
use crate::inventory::Inventory;
use crate::ui::table::write_out;

pub fn run(inventory: &Inventory) -> anyhow::Result<Exit> {
    write_out(&binrepos(inventory)?)?;
    Ok(Exit::Done)
}
