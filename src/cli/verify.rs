//! `swarm verify`: every byte of a release.

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use crate::core::names::ReleaseName;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::release::Shelf;
use crate::release::verify::{Verified, verify};
use crate::ui;
use crate::ui::table::{tell, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Check every file of the live release", "swarm verify"), ("Check another one, for a program", "swarm verify 000001-000007 --json")], ""))]
pub struct Arguments {
    /// The release [default: the live one]
    #[arg(value_name = "ID", add = complete::releases())]
    release: Option<ReleaseName>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Told<'a> {
    release: &'a ReleaseName,
    #[serde(flatten)]
    verified: &'a Verified,
}

pub fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    books::require_here(inventory, "the releases are")?;
    let shelf = Shelf::look(&inventory.swarm.production)?;
    let release = match &arguments.release {
        Some(name) => shelf.find(name)?,
        None => shelf.current()?.context("nothing is live: `swarm finalize` makes the first release")?,
    };
    let bar = ui::release::Hashing::new();
    let verified = verify(&release, |bytes| bar.begin(bytes), |bytes| bar.advance(bytes))?;
    bar.end();
    let name = &release.name;
    if arguments.json {
        write_out(&(serde_json::to_string(&Told { release: name, verified: &verified })? + "\n"))?;
    } else {
        ui::release::bad(&verified).print()?;
        tell(format_args!("release {name}: {}", escaped(&ui::release::verdict(name, &verified))));
    }
    Ok(Exit::done_if(verified.bad.is_empty()))
}
