//! `swarm exec --on HOSTS -- CMD`: one command on many hosts, side by side.

use std::io::Write;

use anyhow::Context;
use clap::Args;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::exit::Exit;
use crate::inventory::{self, Inventory};
use crate::ssh::{self, Script};
use crate::ui;

#[derive(Debug, Args)]
pub struct Arguments {
    /// On these hosts: names, globs, @tag, %network; `!` excludes
    #[arg(long, value_name = "HOSTS")]
    on: inventory::Selection,
    /// The command and its arguments; they are data, no shell reads them again
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let words = shlex::try_join(arguments.command.iter().map(String::as_str))
        .context("the command holds a zero byte, which no command can take")?;
    let script = Script::new(format!("exec {words}\n"));
    let hosts = arguments.on.select(inventory, |_| true)?;
    let mut running: FuturesUnordered<_> = hosts
        .into_iter()
        .map(|host| {
            let (script, destination) = (&script, inventory.destination_of(host));
            async move { (destination.name.clone(), ssh::host(&destination).run(script).await) }
        })
        .collect();
    let mut exit = Exit::Done;
    while let Some((name, ended)) = running.next().await {
        match ended {
            Ok(output) => {
                show(&mut std::io::stdout(), name.as_str(), &output.stdout)?;
                show(&mut std::io::stderr(), name.as_str(), &output.stderr)?;
                if output.status != 0 {
                    eprintln!("{name}: exit status {}", output.status);
                    exit = Exit::Impossible;
                }
            }
            Err(error) => {
                eprintln!("{}", ui::text::printable(&error.to_string()));
                exit = Exit::Impossible;
            }
        }
    }
    Ok(exit)
}

fn show(to: &mut impl Write, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    for line in ui::text::printable(&String::from_utf8_lossy(bytes)).lines() {
        writeln!(to, "{name}: {line}")?;
    }
    Ok(())
}
