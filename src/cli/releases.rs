//! `swarm releases`: the kept ones.

use clap::Args;

use super::books;
use super::exit::Exit;
use super::help;
use crate::inventory::Inventory;
use crate::release::{Shelf, shown};
use crate::ui;
use crate::ui::table::{tell, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("The kept releases, the latest last", "swarm releases")], ""))]
pub struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    books::require_here(inventory, "the releases are")?;
    let shown = shown::shown(&Shelf::look(&inventory.swarm.production)?)?;
    if arguments.json {
        write_out(&(serde_json::to_string(&shown)? + "\n"))?;
    } else if shown.is_empty() {
        tell("there is no release yet: `swarm finalize` makes the first one");
    } else {
        ui::release::table(&shown).print()?;
    }
    Ok(Exit::Done)
}
