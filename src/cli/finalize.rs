//! `swarm finalize`: staging to production, all or nothing.

use clap::Args;

use super::exit::Exit;
use super::publish;
use crate::controller::{Session, finalize};
use crate::inventory::Inventory;
use crate::ui;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Show what would come and go, change nothing
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(arguments: &Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    let mut session = Session::open(inventory, ui::progress::observer(false)).await?;
    let released = finalize::finalize(&mut session, arguments.dry_run)?;
    for line in ui::release::lines(&released) {
        println!("{line}");
    }
    if arguments.dry_run { Ok(Exit::Done) } else { Ok(publish::everywhere(&mut session).await?) }
}
