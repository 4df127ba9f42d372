//! `swarm failover`: another orchestrator takes the controller's place.

use anyhow::bail;
use clap::Args;

use super::complete;
use super::consent::Consent;
use super::exit::Exit;
use super::help;
use crate::controller::remote::place::{Orchestrator, successor};
use crate::core::names::HostName;
use crate::inventory::{ControllerPlace, Inventory};
use crate::ui::table::write_out;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Have the next orchestrator that answers take over", "swarm failover"), ("Have a certain one take over from one that is gone", "swarm failover --to tarn --take-over")], ""))]
pub struct Arguments {
    /// Which one takes it [default: the first that answers and does not have it]
    #[arg(long, value_name = "NAME", add = complete::orchestrators())]
    to: Option<HostName>,
    /// Do not wait for the lease of one that is gone, and go on without what only that one knows
    #[arg(long)]
    take_over: bool,
    #[command(flatten)]
    consent: Consent,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    if inventory.swarm.controller == ControllerPlace::Local {
        bail!("`controller` is \"local\" in the inventory: no orchestrator has its place");
    }
    let all = Orchestrator::all(inventory)?;
    match successor(all, arguments.to.as_ref(), arguments.take_over).await.map_err(anyhow::Error::msg)? {
        None => write_out("it is the controller already\n")?,
        Some(successor) => {
            let name = &successor.name;
            if arguments.consent.dry_run {
                write_out(&format!("{name} would become the controller; nothing was changed\n"))?;
                return Ok(Exit::Done);
            }
            if arguments.take_over {
                let question = format!("Go on at {name} without what only the last controller knows?");
                let deed = "goes on without what only the last controller knows";
                arguments.consent.require(&question, deed)?;
            }
            let epoch = successor.promote(arguments.take_over).await?;
            write_out(&format!("{} is the controller from here on, epoch {epoch}\n", successor.name))?;
        }
    }
    Ok(Exit::Done)
}
