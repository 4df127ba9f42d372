//! `swarm plan`: what would be built, in what order.

use clap::Args;

use super::exit::Exit;
use super::select::Selected;
use crate::controller::planning::{self, Planned};
use crate::core::event::Selection;
use crate::inventory::Inventory;
use crate::ui;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    selected: Selected,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let selection = arguments.selected.selection()?.unwrap_or(Selection::World);
    let drones = arguments.selected.drones(inventory)?;
    let planned = planning::plan(inventory, &selection).await?;
    show(&planned, drones.len(), arguments.json)?;
    Ok(Exit::Done)
}

/// Prints a plan.
pub fn show(planned: &Planned, drones: usize, json: bool) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(&planned.plan)?);
    } else {
        print!("{}", ui::plan::table(&planned.plan));
    }
    for note in ui::plan::notes(planned) {
        eprintln!("{note}");
    }
    eprintln!("{} packages for {drones} drones; nothing was started", planned.plan.packages.len());
    Ok(())
}
