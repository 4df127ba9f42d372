//! `swarm gateway`: the pointer, as a service.

use std::path::Path;

use super::exit::Exit;
use super::serve;
use crate::gateway;
use crate::inventory::Inventory;

pub async fn run(inventory: Inventory, option: Option<&Path>) -> anyhow::Result<Exit> {
    let stop = serve::until_terminated()?;
    let again = serve::hangups()?;
    gateway::run(&inventory, || Inventory::find(option), again, stop).await?;
    Ok(Exit::Done)
}
