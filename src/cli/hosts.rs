//! `swarm hosts`: the fleet, whether it is well, what it is made of, and its first host keys.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use clap::{Args, Subcommand};
use futures::future::join_all;

use super::exit::Exit;
use crate::core::names::HostName;
use crate::drone::facts::check::{Duty, check};
use crate::drone::facts::{Facts, gather};
use crate::inventory::{Host, Inventory, Role};
use crate::ssh::known_hosts::{self, KnownHosts, Verdict};
use crate::ssh::{self, HostError, HostErrorKind};
use crate::ui::text;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Reach every host and say what has to be mended
    Check,
    /// What every host is made of
    Facts {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Record the first host keys of hosts, once you have compared the fingerprints
    Trust {
        /// The hosts
        #[arg(required = true)]
        names: Vec<HostName>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    match &arguments.verb {
        None => {
            list(inventory);
            Ok(Exit::Done)
        }
        Some(Verb::Check) => Ok(check_all(inventory).await),
        Some(Verb::Facts { json }) => facts(inventory, *json).await,
        Some(Verb::Trust { names, yes }) => trust(inventory, names, *yes).await,
    }
}

fn role(host: &Host) -> &'static str {
    match host.role {
        Role::Plain => "host",
        Role::Orchestrator(_) => "orchestrator",
        Role::Drone(_) => "drone",
    }
}

fn list(inventory: &Inventory) {
    let rows = inventory.hosts().map(|host| {
        let cores = match &host.role {
            Role::Drone(settings) => settings.cores.map_or_else(String::new, |cores| cores.to_string()),
            Role::Plain | Role::Orchestrator(_) => String::new(),
        };
        let network = inventory.network_of(host).map_or_else(String::new, ToString::to_string);
        vec![host.name.to_string(), role(host).to_owned(), host.addresses.first().to_string(), network, cores]
    });
    print!("{}", text::table(&["NAME", "ROLE", "ADDRESS", "NETWORK", "CORES"], rows.collect()));
}

async fn gather_all(inventory: &Inventory) -> Vec<(&Host, Result<Facts, HostError>)> {
    join_all(inventory.hosts().map(|host| async move {
        let reached = ssh::host(&inventory.destination_of(host));
        (host, gather(reached.as_ref(), &host.access.workdir).await)
    }))
    .await
}

async fn check_all(inventory: &Inventory) -> Exit {
    let (mut rows, mut drones, mut well) = (Vec::new(), 0, 0);
    let mut exit = Exit::Done;
    for (host, found) in gather_all(inventory).await {
        let is_drone = matches!(host.role, Role::Drone(_));
        let duty = match host.role {
            Role::Drone(_) => Duty::Build,
            _ if host.name == *inventory.driver() => Duty::Plan,
            Role::Plain | Role::Orchestrator(_) => Duty::Other,
        };
        let (state, words) = match &found {
            Ok(facts) => {
                let cures: Vec<String> = check(facts, duty).iter().map(|finding| finding.cure()).collect();
                (if cures.is_empty() { "ok" } else { "unwell" }, cures.join("; "))
            }
            Err(error) => {
                let state = match error.kind {
                    HostErrorKind::Refused | HostErrorKind::Authentication => "refused",
                    HostErrorKind::Unreachable | HostErrorKind::Lost => "unreachable",
                    HostErrorKind::Failed | HostErrorKind::Local => "unwell",
                };
                (state, error.message.clone())
            }
        };
        drones += u32::from(is_drone);
        well += u32::from(is_drone && state == "ok");
        if state != "ok" {
            exit = Exit::Impossible;
        }
        rows.push(vec![host.name.to_string(), role(host).to_owned(), state.to_owned(), words]);
    }
    print!("{}", text::table(&["NAME", "ROLE", "STATE", "WHAT TO DO"], rows));
    if drones > 0 && well == 0 { Exit::NoDrone } else { exit }
}

async fn facts(inventory: &Inventory, json: bool) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for (host, found) in gather_all(inventory).await {
        match found {
            Ok(facts) if json => println!("{}", serde_json::json!({ "host": host.name, "facts": facts })),
            Ok(facts) => println!("{}: {}", host.name, text::printable(&serde_json::to_string_pretty(&facts)?)),
            Err(error) => {
                eprintln!("{}: {}", host.name, text::printable(&error.to_string()));
                exit = Exit::Impossible;
            }
        }
    }
    Ok(exit)
}

async fn trust(inventory: &Inventory, names: &[HostName], yes: bool) -> anyhow::Result<Exit> {
    for name in names {
        let Some(destination) = inventory.destination(name) else { bail!("the inventory has no host {name}") };
        for offered in ssh::host_keys(&destination).await? {
            let known = KnownHosts::read(&destination.known_hosts)?;
            let shown = known_hosts::fingerprint(&offered.key);
            match known.check(&offered.address, destination.port, &offered.key) {
                Verdict::Known => {
                    println!("{name}: {shown} is known already");
                    continue;
                }
                Verdict::Unknown { .. } => {}
                Verdict::Changed { .. } | Verdict::Revoked { .. } => bail!(
                    "{name} shows {shown}, but {} pins another key or revokes this one: find out why; only then remove \
                     the old one with `ssh-keygen -R`",
                    destination.known_hosts.display()
                ),
            }
            if !yes && !agreed(name, &shown)? {
                bail!("{name} was not trusted");
            }
            known_hosts::record(&destination.known_hosts, &offered.address, destination.port, &offered.key)?;
            println!("{name}: {shown} is trusted from now on");
        }
    }
    Ok(Exit::Done)
}

fn agreed(name: &HostName, fingerprint: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("{name} shows {fingerprint}; compare it, then say --yes (there is no terminal to ask on)");
    }
    eprint!("{name} shows {fingerprint}; trust it? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
