//! `swarm explain`: why a package is where it is.

use anyhow::Context;
use clap::Args;

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use crate::controller::now;
use crate::core::explain::explain;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::ui::table::write_out;
use crate::ui::time::local;

const NOTHING: &str = "nothing has been asked for yet: `swarm push ATOM` begins";

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Why it is not built yet", "swarm explain firefox")], ""))]
pub struct Arguments {
    /// A package: name-version, category/name, or a part of it that fits one only
    #[arg(add = complete::packages())]
    package: String,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let state = books::state(inventory).await?.context(NOTHING)?;
    let build = state.latest_build().context(NOTHING)?;
    let package = build.find(&arguments.package)?;
    for line in explain(&state, build, package, now()) {
        write_out(&(local(&escaped(&line)) + "\n"))?;
    }
    Ok(Exit::Done)
}
