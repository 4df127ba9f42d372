//! `swarm parity`: how drones differ from the driver.

use clap::Args;

use super::complete;
use super::exit::Exit;
use super::help;
use super::select;
use crate::controller::parity;
use crate::inventory::{Inventory, Selection};
use crate::ui;
use crate::ui::table::write_out;

#[derive(Debug, Args)]
#[command(
    after_help = help::end(&[("How all drones differ", "swarm parity"), ("Everything about one of them", "swarm parity --on drone-izar --all")], "Status 0 where no drone differs in what matters to a binary; 1 where some do, or one does not \
    answer; 4 where none answers; 5 where all that answer differ. What matters is shown first, then what jobs carry \
    with them anyway, then what changes no binary.")
)]
pub struct Arguments {
    /// These drones alone: names, globs, @tag, %network; `!` excludes
    #[arg(long, value_name = "HOSTS", add = complete::drones())]
    on: Option<Selection>,
    /// All as JSON: {"driver", "drones": {NAME: {"differences": [{"matter": "binary"|"carried"|"harmless", "point",
    /// "driver", "drone", "why"}]} or {"error"}}}
    #[arg(long)]
    json: bool,
    /// Every difference, whole, however many there are and however long
    #[arg(long)]
    all: bool,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let drones = select::drones(arguments.on.as_ref(), inventory)?;
    let compared = parity::parity(inventory, &drones).await?;
    let driver = inventory.driver();
    let shown: Vec<ui::parity::Compared<'_>> =
        compared.iter().map(|each| (&each.drone, each.differences.as_deref())).collect();
    let text = match arguments.json {
        true => ui::parity::json(driver, &shown)?,
        false => ui::parity::text(driver, &shown, arguments.all),
    };
    write_out(&text)?;
    let known: Vec<bool> = compared.iter().filter_map(parity::Compared::differs).collect();
    Ok(match known.iter().filter(|differs| **differs).count() {
        _ if known.is_empty() => Exit::NoDrone,
        0 if known.len() == compared.len() => Exit::Done,
        differing if differing == known.len() => Exit::AllDiffer,
        _ => Exit::Impossible,
    })
}
