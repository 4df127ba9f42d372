//! `swarm rollback`: what an earlier release held, live again.

use clap::Args;

use crate::core::names::ReleaseName;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The release [default: the nearest one before what is live that was not left before]
    #[arg(value_name = "ID")]
    pub release: Option<ReleaseName>,
}
