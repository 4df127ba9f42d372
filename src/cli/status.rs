//! `swarm status`.

use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use super::interrupt;
use crate::controller::remote::Remote;
use crate::controller::{now, socket};
use crate::core::names::BuildName;
use crate::core::nearest::hint;
use crate::core::state::State;
use crate::core::status::Status;
use crate::inventory::Inventory;
use crate::release::Shelf;
use crate::standby::view::View;
use crate::store::Journal;
use crate::ui;
use crate::ui::screen::Screen;
use crate::ui::table::write_out;
use crate::ui::terminal::redraws_output;
use crate::ui::time::local;

/// Between two looks.
const REDRAWN: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Look once", "swarm status"), ("Look on, until Ctrl-C", "swarm status --watch"), ("For a program", "swarm status --json")], ""))]
pub struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Redraw it every second, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Of this build instead of the open one, or the latest
    #[arg(long, value_name = "ID", add = complete::builds())]
    build: Option<BuildName>,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    if arguments.watch {
        return watch(arguments, inventory).await;
    }
    if arguments.json
        && arguments.build.is_none()
        && let Some(elsewhere) = Remote::to_look(inventory)?
    {
        write_out(&(elsewhere.status_json().await?.trim_end().to_owned() + "\n"))?;
        return Ok(Exit::Done);
    }
    let status = status(arguments, inventory).await?;
    if arguments.json {
        write_out(&(serde_json::to_string(&status)? + "\n"))?;
    } else {
        write_out(&local(&ui::status::text(&status)))?;
    }
    Ok(Exit::Done)
}

async fn status(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Status> {
    if let Some(elsewhere) = Remote::to_look(inventory)? {
        return status_elsewhere(arguments, inventory, &elsewhere).await;
    }
    let mut status = match &arguments.build {
        Some(build) => of_build(inventory, build).await?,
        None => match at_hand(inventory).await? {
            Some(status) => status,
            None => Status::of(&books::state(inventory).await?.unwrap_or_default(), None, now()),
        },
    };
    status.release = Shelf::look(&inventory.swarm.production)?.live()?;
    View::new(inventory, None).fill(&mut status, now())?;
    Ok(status)
}

async fn status_elsewhere(arguments: &Arguments, inventory: &Inventory, elsewhere: &Remote) -> anyhow::Result<Status> {
    let told = elsewhere.status().await?;
    let Some(build) = &arguments.build else { return Ok(told) };
    let mut status = of_build(inventory, build).await?;
    (status.standbys, status.copies, status.follows) = (told.standbys, told.copies, told.follows);
    Ok(status)
}

/// How things stand, where it can be had without reading all that has happened.
async fn at_hand(inventory: &Inventory) -> anyhow::Result<Option<Status>> {
    let directory = &inventory.swarm.state;
    match socket::status(directory).await {
        Ok(Some(status)) => return Ok(Some(status)),
        Ok(None) => {}
        Err(error) => tracing::debug!("{error}; its journal is read"),
    }
    let journal = Journal::open_to_read(directory)?;
    Ok(journal.map(|journal| journal.kept_status(now())).transpose()?.flatten())
}

async fn of_build(inventory: &Inventory, name: &BuildName) -> anyhow::Result<Status> {
    let state = books::state(inventory).await?.unwrap_or_default();
    let build = state.builds.get(name).with_context(|| unknown(&state, name))?;
    Ok(Status::of(&state, Some(build), now()))
}

fn unknown(state: &State, name: &BuildName) -> String {
    if state.queue.iter().any(|queued| queued.name == *name) {
        return format!("build {name} waits for its turn");
    }
    format!("there is no build {name}{}", hint(name.as_str(), state.builds.keys().map(BuildName::as_str)))
}

/// Shows it again and again, until Ctrl-C or SIGTERM.
async fn watch(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        redraws_output(),
        "--watch redraws a terminal, and standard output is none, or (by TERM) one that cannot be drawn over"
    );
    let mut halts = interrupt::listen()?;
    let mut screen = Screen::open()?;
    loop {
        screen.draw(&local(&ui::status::text(&status(arguments, inventory).await?)))?;
        tokio::select! {
            _ = halts.recv() => return Ok(Exit::Done),
            () = tokio::time::sleep(REDRAWN) => {}
        }
    }
}
