//! `swarm finalize`: staging to production.

use clap::Args;

use super::complete;
use super::help;
use super::{ask, books, exit::Exit};
use crate::controller::finalize::{Extent, dry_run};
use crate::controller::verb::Verb as Wish;
use crate::core::names::BuildName;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::ui::table::write_out;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("What would come, go and change", "swarm finalize --dry-run"), ("Make the build live", "swarm finalize"), ("Make live what can run without the rest, with at most two failures", "swarm finalize --partial --max-failed 2")], ""))]
pub struct Arguments {
    /// Also of a build that is not complete: the packages whose run-time needs are in the release, too
    #[arg(long)]
    partial: bool,
    /// Release nothing where more packages than this have failed
    #[arg(long, value_name = "N", requires = "partial")]
    max_failed: Option<u32>,
    /// With nothing to release all is well
    #[arg(long)]
    if_any: bool,
    /// Show what would come, go and change; change nothing
    #[arg(long)]
    dry_run: bool,
    /// This build instead of the open one
    #[arg(long, value_name = "ID", add = complete::builds())]
    build: Option<BuildName>,
}

pub async fn run(arguments: &Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    if !arguments.dry_run {
        let Arguments { partial, max_failed, if_any, .. } = *arguments;
        let wish = Wish::Finalize { partial, build: arguments.build.clone(), max_failed, if_any };
        return ask::ask(wish, inventory).await;
    }
    books::require_here(&inventory, "staging is")?;
    let extent = if arguments.partial { Extent::Partial } else { Extent::Whole };
    write_out(&escaped(&(dry_run(&inventory, extent, arguments.build.as_ref())?.lines().join("\n") + "\n")))?;
    Ok(Exit::Done)
}
