//! `swarm init-from-list`: queue exactly these, start nothing.

use std::path::PathBuf;

use std::collections::BTreeMap;

use anyhow::bail;
use clap::Args;

use super::books;
use super::exit::Exit;
use super::help;
use super::{push, select};
use crate::controller::{Session, planning};
use crate::core::event::Selection;
use crate::inventory::Inventory;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Queue the packages of a file; `swarm push` then begins", "swarm init-from-list packages.txt")], ""))]
pub struct Arguments {
    /// A file of `category/name-version` lines
    file: PathBuf,
    /// Put it in the place of the open build
    #[arg(long)]
    replace: bool,
}

pub async fn run(arguments: Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    books::require_here(
        &inventory,
        "an orchestrator begins what it is given (`swarm push --list FILE`); the queue is",
    )?;
    let selection = Selection::Exactly(select::read_list(&arguments.file)?);
    let mut session = Session::open(inventory, ui::progress::observer(false)).await?;
    if let Some(open) = session.state().open_build().filter(|_| !arguments.replace) {
        bail!("build {} of {} is open; `--replace` puts the list in its place", open.name, open.selection);
    }
    let planned = planning::plan(&session.inventory, &selection).await?;
    if push::begin(&mut session, selection, planned, BTreeMap::new(), false)? {
        session.note("nothing was started: `swarm push` begins");
    }
    Ok(Exit::Done)
}
