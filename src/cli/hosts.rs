//! `swarm hosts`: the fleet as the inventory has it; `check`, `facts` and `trust` in files of their own.

pub(super) mod check;
mod clean;
mod facts;
mod list;
pub(super) mod trust;

use std::sync::Arc;

use clap::{Args, Subcommand};
use futures::{StreamExt, stream};

use super::complete;
use super::exit::Exit;
use super::help;
use crate::drone::facts::{Facts, gather};
use crate::inventory::{Host, Inventory, Role, Selection};
use crate::ssh::{self, HostError};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("The fleet as the inventory has it", "swarm hosts"), ("Reach all of it, and say what is to be mended", "swarm hosts check")], ""))]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Reach every host and say what is to be mended; status 0 all is well, 1 something is not, 4 no drone is usable
    Check(check::Arguments),
    /// Ask hosts what they are: processors, memory, disk, clock, Portage
    Facts(facts::Arguments),
    /// Record the host keys of hosts that have none yet; never replaces one
    Trust(trust::Arguments),
}

/// Hosts by name.
#[derive(Debug, Args)]
struct Named {
    /// Names, globs, @tag, %network; `!` excludes [default: all]
    #[arg(value_name = "HOSTS", add = complete::hosts())]
    hosts: Vec<Selection>,
}

impl Named {
    fn select<'a>(&self, inventory: &'a Inventory) -> anyhow::Result<Vec<&'a Host>> {
        match Selection::joined(&self.hosts) {
            Some(selection) => Ok(selection.select(inventory, |_| true)?),
            None => Ok(inventory.hosts().collect()),
        }
    }
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    match &arguments.verb {
        None => list::run(inventory),
        Some(Verb::Check(arguments)) => check::run(arguments, inventory).await,
        Some(Verb::Facts(arguments)) => facts::run(arguments, inventory).await,
        Some(Verb::Trust(arguments)) => trust::run(arguments, inventory).await,
    }
}

/// What a host does, in words; one may do several things.
fn roles(host: &Host, inventory: &Inventory) -> String {
    let mut words = match &host.role {
        Role::Plain => vec![],
        Role::Orchestrator(settings) => vec![format!("orchestrator {}", settings.priority)],
        Role::Drone(_) => vec!["drone".to_owned()],
    };
    if *inventory.driver() == host.name {
        words.push("driver".to_owned());
    }
    if inventory.gateway().is_some_and(|gateway| gateway.host == host.name) {
        words.push("gateway".to_owned());
    }
    if inventory.networks().any(|(_, network)| network.jump.as_ref() == Some(&host.name)) {
        words.push("jump".to_owned());
    }
    if words.is_empty() { "host".to_owned() } else { words.join(", ") }
}

/// A host and what it answered.
struct Asked<'a> {
    host: &'a Host,
    /// The connection that was asked through.
    connection: Arc<dyn ssh::Host>,
    facts: Result<Facts, HostError>,
}

/// So many hosts are asked at once; more only wait for this machine's own processors.
const AT_ONCE: usize = 32;

/// Asks hosts for their facts, side by side; the answers are in the order of the hosts.
async fn ask<'a>(hosts: &[&'a Host], inventory: &Inventory) -> Vec<Asked<'a>> {
    let questions = hosts.iter().map(|host| async {
        let connection = ssh::host(&inventory.destination_of(host));
        let facts = gather(Arc::as_ref(&connection), &host.access.workdir).await;
        Asked { host, connection, facts }
    });
    stream::iter(questions).buffered(AT_ONCE).collect().await
}
