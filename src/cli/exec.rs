//! `swarm exec`: one command on several hosts, side by side.
//!
//! The command and its arguments are data: each arrives as the word that it was here. Lines come as they are written,
//! each behind the name of its host.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use tokio::sync::mpsc;

use super::exit::Exit;
use crate::core::names::HostName;
use crate::inventory::{Inventory, Selection};
use crate::ssh::{self, Chunk, Destination, HostError, Script};
use crate::ui::table::{escaped, write_out};

#[derive(Debug, Args)]
#[command(after_help = "Arguments arrive as they are; for a pipe or a variable: -- sh -c 'COMMAND | COMMAND'. \
    Status 0 where all hosts end with 0, else 1. An interrupted command may go on there.")]
pub struct Arguments {
    /// The hosts: names, globs, @tag, %network; `!` excludes
    #[arg(long, value_name = "HOSTS", required = true)]
    on: Vec<Selection>,
    /// One JSON object a line: {"host","stream","line"}, at the end {"host","status"} or {"host","error"}
    #[arg(long)]
    json: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<String>,
}

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let selection = Selection::joined(&arguments.on).context("no host is selected")?;
    let hosts = selection.select(inventory, |_| true)?;
    let script = script(&arguments.command)?;
    let (sender, mut receiver) = mpsc::channel(WAITING);
    for host in hosts {
        let (destination, script, sender) = (inventory.destination_of(host), script.clone(), sender.clone());
        tokio::spawn(async move { attend(&destination, &script, &sender).await });
    }
    drop(sender);
    let mut ends = BTreeMap::new();
    while let Some((host, said)) = receiver.recv().await {
        show(&host, &said, arguments.json).context("cannot write the output")?;
        match said {
            Said::Line { .. } => {}
            Said::Status(status) => drop(ends.insert(host, Ok(status))),
            Said::Error(error) => drop(ends.insert(host, Err(error))),
        }
    }
    if !arguments.json {
        eprint!("{}", summary(&ends));
    }
    Ok(if ends.values().all(|end| *end == Ok(0)) { Exit::Done } else { Exit::Impossible })
}

/// Pieces of output that wait for the terminal.
const WAITING: usize = 64;

/// A longer line (bytes) comes in pieces.
const LINE_LIMIT: usize = 64 << 10;

/// The command as a script: each word quoted for the shell.
fn script(command: &[String]) -> anyhow::Result<Script> {
    anyhow::ensure!(!command.iter().any(|word| word.contains('\0')), "an argument cannot hold a zero byte");
    let words: Vec<String> = command.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    Ok(Script::new(format!("{}\n", words.join(" "))))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Stream {
    Stdout,
    Stderr,
}

/// Something from a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Status(u32),
    Error(String),
    #[serde(untagged)]
    Line {
        stream: Stream,
        line: String,
    },
}

/// Runs the script on one host and passes on what it says; the last is always its end.
async fn attend(destination: &Destination, script: &Script, sender: &mpsc::Sender<(HostName, Said)>) {
    let end = match pass_lines(destination, script, sender).await {
        Ok(status) => Said::Status(status),
        Err(error) => Said::Error(error.message),
    };
    // Where nobody listens any more the command is of no more interest.
    let _ = sender.send((destination.name.clone(), end)).await;
}

async fn pass_lines(
    destination: &Destination,
    script: &Script,
    sender: &mpsc::Sender<(HostName, Said)>,
) -> Result<u32, HostError> {
    let host = ssh::host(destination);
    let mut running = host.start(script).await?;
    // Nothing more is to be read there.
    let (closed, _) = mpsc::channel(1);
    running.input = closed;
    let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
    let mut end = None;
    while end.is_none() {
        let (stream, lines) = match running.output.recv().await {
            Some(Chunk::Stdout(data)) => (Stream::Stdout, stdout.add(&data)),
            Some(Chunk::Stderr(data)) => (Stream::Stderr, stderr.add(&data)),
            Some(Chunk::Ended(status)) => {
                end = Some(Ok(status));
                continue;
            }
            Some(Chunk::Lost(error)) => {
                end = Some(Err(error));
                continue;
            }
            None => break,
        };
        pass(destination, stream, lines, sender).await;
    }
    pass(destination, Stream::Stdout, stdout.rest(), sender).await;
    pass(destination, Stream::Stderr, stderr.rest(), sender).await;
    end.unwrap_or_else(|| {
        let message = "the command's output ended without an exit status".to_owned();
        Err(HostError { host: destination.name.clone(), kind: ssh::HostErrorKind::Lost, message })
    })
}

async fn pass(destination: &Destination, stream: Stream, lines: Vec<String>, sender: &mpsc::Sender<(HostName, Said)>) {
    for line in lines {
        let _ = sender.send((destination.name.clone(), Said::Line { stream, line })).await;
    }
}

/// Makes lines of pieces.
#[derive(Debug, Default)]
struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// The lines that end with this piece.
    fn add(&mut self, data: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            if self.unfinished.ends_with(b"\n") || self.unfinished.len() >= LINE_LIMIT {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// What is left without a line end, if anything.
    fn rest(&mut self) -> Vec<String> {
        let bytes = std::mem::take(&mut self.unfinished);
        if bytes.is_empty() {
            return Vec::new();
        }
        vec![String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned()]
    }
}

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
    fn lines_are_put_together_from_pieces_and_cut_where_they_never_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.add(b"one\ntw"), ["one"]);
        assert_eq!(lines.add(b"o\n\nth"), ["two", ""]);
        assert_eq!(lines.rest(), ["th"]);
        assert_eq!(lines.rest(), [""; 0]);
        let endless = vec![b'x'; LINE_LIMIT - 1];
        assert_eq!((lines.add(&endless).len(), lines.add(&endless).len(), lines.rest().len()), (0, 1, 0));
        assert_eq!(lines.add(b"\xff\n"), ["\u{fffd}"]);
    }

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
