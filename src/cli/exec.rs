//! `swarm exec`: one command on several hosts, side by side. Lines come as they are written, each behind the name of its
//! host. Where a controller is at work here its open connections are used ([`through`]); other hosts are connected to.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::complete;
use super::exit::Exit;
use super::help;
use super::interrupt;
use crate::controller::exec::through::{self, Wish};
use crate::controller::exec::{Said, Stream, attend, script};
use crate::core::names::HostName;
use crate::core::text::escaped;
use crate::inventory::{Inventory, SelectError, Selection};
use crate::ssh::{self, Destination};
use crate::ui::table::{tell, tell_lines, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("How long all hosts have been up", "swarm exec --on '*' -- uptime"), ("With a pipe, on the drones of one tag", "swarm exec --on @lan -- sh -c 'df -h | tail -1'")], "Arguments arrive as they are; for a pipe or a variable: -- sh -c 'COMMAND | COMMAND'. \
    Status 0 where all hosts end with 0, else 1; 130 after Ctrl-C. The command is ended on a host when it is \
    interrupted here or its connection is lost. Beside a push at work its open connections are used."))]
pub struct Arguments {
    /// The hosts: names, globs, @tag, %network; `!` excludes
    #[arg(long, value_name = "HOSTS", required = true, add = complete::hosts())]
    on: Vec<Selection>,
    /// One JSON object a line: {"host","stream","line"}, at the end {"host","status"} or {"host","error"}
    #[arg(long)]
    json: bool,
    /// Say where it would run, as which words; run nothing
    #[arg(long, conflicts_with = "json")]
    dry_run: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let selection = Selection::joined(&arguments.on).ok_or(SelectError::Empty)?;
    let hosts = selection.select(inventory, |_| true)?;
    let script = script(&arguments.command).map_err(anyhow::Error::msg)?;
    if arguments.dry_run {
        let words = shlex::try_join(arguments.command.iter().map(String::as_str))?;
        let lines = hosts.iter().map(|host| format!("{}: {}\n", host.name, escaped(&words)));
        write_out(&lines.collect::<String>())?;
        return Ok(Exit::Done);
    }
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let (stop, stopped) = watch::channel(false);
    let mut halts = interrupt::listen()?;
    let mut destinations: Vec<Destination> = hosts.iter().map(|host| inventory.destination_of(host)).collect();
    let wish = Wish::new(&destinations, &arguments.command);
    if let Some(through) = through::begin(&inventory.swarm.state, &wish).await? {
        destinations.retain(|destination| !through.taken().contains(&destination.name));
        let (sender, mut stopped) = (sender.clone(), stopped.clone());
        tokio::spawn(async move { through.attend(&sender, &mut stopped).await });
    }
    for destination in destinations {
        let (host, script, sender) = (ssh::host(&destination), script.clone(), sender.clone());
        let mut stopped = stopped.clone();
        tokio::spawn(async move { attend(host.as_ref(), &script, &sender, &mut stopped).await });
    }
    drop(sender);
    let mut ends = BTreeMap::new();
    let mut listen = async || -> anyhow::Result<()> {
        while let Some((host, said)) = receiver.recv().await {
            show(&host, &said, arguments.json).context("cannot write the output")?;
            match said {
                Said::Line { .. } => {}
                Said::Status(status) => drop(ends.insert(host, Ok(status))),
                Said::Error(error) => drop(ends.insert(host, Err(error))),
            }
        }
        Ok(())
    };
    let interrupted = tokio::select! {
        result = listen() => result.map(|()| false)?,
        _ = halts.recv() => true,
    };
    if interrupted {
        tell("swarm: ending the commands on their hosts");
        // Those who listen have the channel's other end as long as this function runs.
        let _ = stop.send(true);
        tokio::select! {
            result = timeout(LAST_WORDS, listen()) => result.unwrap_or(Ok(()))?,
            _ = halts.recv() => {}
        }
    }
    if !arguments.json {
        tell_lines(&summary(&ends));
    }
    Ok(if interrupted {
        Exit::Interrupted
    } else if ends.values().all(|end| *end == Ok(0)) {
        Exit::Done
    } else {
        Exit::Impossible
    })
}

/// An interrupted command has this long to end: a little more than `exec.sh` gives it.
const LAST_WORDS: Duration = Duration::from_secs(8);

/// Pieces of output that wait for the terminal.
const WAITING: usize = 64;

/// One line of the JSON form.
#[derive(Serialize)]
struct Event<'a> {
    host: &'a HostName,
    #[serde(flatten)]
    said: &'a Said,
}

fn show(host: &HostName, said: &Said, json: bool) -> io::Result<()> {
    if json {
        return write_out(&format!("{}\n", serde_json::to_string(&Event { host, said })?));
    }
    match said {
        Said::Line { stream: Stream::Stdout, line } => write_out(&format!("{host}: {}\n", escaped(line))),
        Said::Line { stream: Stream::Stderr, line } => writeln!(io::stderr(), "{host}: {}", escaped(line)),
        Said::Status(_) | Said::Error(_) => Ok(()),
    }
}

/// Names those that did not end well; nothing where all did.
fn summary(ends: &BTreeMap<HostName, Result<u32, String>>) -> String {
    ends.iter()
        .filter_map(|(host, end)| match end {
            Ok(0) => None,
            Ok(status) => Some(format!("swarm: {host} ended with status {status}\n")),
            Err(error) => Some(format!("swarm: {host} did not run it to its end: {}\n", escaped(error))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_flat_objects() {
        let host: HostName = "tarn".parse().unwrap();
        for (said, json) in [
            (
                Said::Line { stream: Stream::Stderr, line: "a\"b".to_owned() },
                r#"{"host":"tarn","stream":"stderr","line":"a\"b"}"#,
            ),
            (Said::Status(3), r#"{"host":"tarn","status":3}"#),
            (Said::Error("gone".to_owned()), r#"{"host":"tarn","error":"gone"}"#),
        ] {
            assert_eq!(serde_json::to_string(&Event { host: &host, said: &said }).unwrap(), json);
        }
    }
}
