//! `swarm orchestrator`: the controller and the binhost, as a service.

use std::net::SocketAddr;
use std::path::Path;

use clap::Args;

use super::complete;
use super::exit::Exit;
use super::help;
use super::serve;
use crate::core::names::HostName;
use crate::inventory::Inventory;
use crate::orchestrator::{self, Options};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Serve as the orchestrator whose address this machine has", "swarm orchestrator"), ("Serve as a certain one, on another port", "swarm orchestrator tarn --listen 0.0.0.0:8100")], ""))]
pub struct Arguments {
    /// Which orchestrator of the inventory this is; left out, the one with an address of this machine
    #[arg(add = complete::orchestrators())]
    name: Option<HostName>,
    /// Listen here instead of where the inventory says that it is reached; may be given more than once
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
}

pub async fn run(arguments: Arguments, inventory: Inventory, option: Option<&Path>) -> anyhow::Result<Exit> {
    let inventory_options = option.into_iter().flat_map(|path| ["--inventory".into(), path.into()]).collect();
    let options = Options { name: arguments.name, listen: arguments.listen, inventory: inventory_options };
    let stop = serve::until_terminated()?;
    orchestrator::run(&inventory, options, serve::hangups()?, stop).await?;
    Ok(Exit::Done)
}
