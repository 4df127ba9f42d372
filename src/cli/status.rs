//! `swarm status`.

use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use super::interrupt;
use crate::controller::now;
use crate::controller::remote::Remote;
use crate::core::names::BuildName;
use crate::core::nearest::hint;
use crate::core::state::State;
use crate::core::status::Status;
use crate::inventory::Inventory;
use crate::release::Shelf;
use crate::standby::view::View;
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
        write_out(&(elsewhere.status().await?.trim_end().to_owned() + "\n"))?;
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
    let elsewhere = Remote::to_look(inventory)?;
    let mut state = books::state(inventory).await?.unwrap_or_default();
    if elsewhere.is_none() {
        state.release = Shelf::look(&inventory.swarm.production)?.live()?;
    }
    let build = match &arguments.build {
        Some(name) => Some(state.builds.get(name).with_context(|| unknown(&state, name))?),
        None => None,
    };
    let mut status = Status::of(&state, build, now());
    match elsewhere {
        Some(elsewhere) => elsewhere.fill(&mut status).await?,
        None => View::new(inventory, None).fill(&mut status, now())?,
    }
    Ok(status)
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
