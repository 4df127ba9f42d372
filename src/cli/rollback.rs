//! `swarm rollback`: what an earlier release held, live again.

use clap::Args;

use super::complete;
use super::help;
use crate::core::names::ReleaseName;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("Make live again what was live before", "swarm rollback"), ("Make a certain release's content live again", "swarm rollback 000001-000007")], ""))]
pub struct Arguments {
    /// The release [default: the nearest one before what is live that was not left before]
    #[arg(value_name = "ID", add = complete::releases())]
    pub release: Option<ReleaseName>,
}
