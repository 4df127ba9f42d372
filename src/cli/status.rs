//! `swarm status`.

use anyhow::Context;
use clap::Args;

use super::exit::Exit;
use crate::controller::now;
use crate::core::names::BuildName;
use crate::core::state::State;
use crate::core::status::Status;
use crate::inventory::Inventory;
use crate::store::Journal;
use crate::{release, ui};

#[derive(Debug, Args)]
pub struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Of this build instead of the open one, or the latest
    #[arg(long, value_name = "ID")]
    build: Option<BuildName>,
}

pub fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let mut state = match Journal::open_to_read(&inventory.swarm.state)? {
        Some(journal) => journal.replay()?,
        None => State::default(),
    };
    state.release = release::releases::live(&inventory.swarm.production)?;
    let build = match &arguments.build {
        Some(name) => Some(state.builds.get(name).with_context(|| {
            let known: Vec<_> = state.builds.keys().map(ToString::to_string).collect();
            format!("there is no build {name}; known are {}", known.join(", "))
        })?),
        None => None,
    };
    let status = Status::of(&state, build, now());
    if arguments.json {
        println!("{}", serde_json::to_string(&status)?);
    } else {
        print!("{}", ui::status::text(&status));
    }
    Ok(Exit::Done)
}
