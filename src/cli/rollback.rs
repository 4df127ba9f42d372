//! `swarm rollback`: what an earlier release held, live again.

use clap::Args;

use super::complete;
use super::exit::Exit;
use super::help;
use super::{ask, books};
use crate::controller::rollback;
use crate::controller::verb::Verb as Wish;
use crate::core::names::ReleaseName;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::release::Shelf;
use crate::ui::table::write_out;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Make live again what was live before", "swarm rollback"), ("Make a certain release's content live again", "swarm rollback 000001-000007")], ""))]
pub struct Arguments {
    /// The release [default: the nearest one before what is live that was not left before]
    #[arg(value_name = "ID", add = complete::releases())]
    release: Option<ReleaseName>,
    /// Show what would come and go; change nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(arguments: Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    if !arguments.dry_run {
        return ask::ask(Wish::Rollback { release: arguments.release }, inventory).await;
    }
    books::require_here(&inventory, "the releases are")?;
    let shelf = Shelf::look(&inventory.swarm.production)?;
    write_out(&(escaped(&rollback::dry_run(&shelf, arguments.release.as_ref())?.join("\n")) + "\n"))?;
    Ok(Exit::Done)
}
