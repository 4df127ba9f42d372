//! `swarm diff`: how two releases differ.

use clap::Args;

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use crate::core::names::ReleaseName;
use crate::inventory::Inventory;
use crate::release::Shelf;
use crate::release::diff::Between;
use crate::ui;
use crate::ui::table::{tell, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("What changed from one release to a later one", "swarm diff 000001-000007 000001-000008")], ""))]
pub struct Arguments {
    /// The one release
    #[arg(value_name = "A", add = complete::releases())]
    from: ReleaseName,
    /// The other one
    #[arg(value_name = "B", add = complete::releases())]
    to: ReleaseName,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    books::require_here(inventory, "the releases are")?;
    let Arguments { from, to, json } = arguments;
    let shelf = Shelf::look(&inventory.swarm.production)?;
    let between = Between::releases(&shelf, from.clone(), to.clone())?;
    if *json {
        write_out(&(serde_json::to_string(&between)? + "\n"))?;
    } else {
        ui::release::differences(&between.diff).print()?;
        tell(format_args!("{from} to {to}: {}", ui::release::sum(&between.diff)));
    }
    Ok(Exit::Done)
}
