//! `swarm exec`: one command on several hosts, side by side.
//!
//! The command and its arguments are data: each arrives as the word that it was here. Lines come as they are written,
//! each behind the name of its host. What a login shell says before the command begins is left out, unless the command
//! never begins: then it may say why.
//!
//! A command ends with us: `exec.sh` holds on to its standard input and ends the command, and all that it started, when
//! that ends, as it does on Ctrl-C, with a lost connection and with a killed `swarm`.

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
use crate::core::names::HostName;
use crate::core::text::escaped;
use crate::inventory::{Inventory, SelectError, Selection};
use crate::ssh::{self, Chunk, Destination, HostError, HostErrorKind, Running, Script};
use crate::ui::table::{tell, tell_lines, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("How long all hosts have been up", "swarm exec --on '*' -- uptime"), ("With a pipe, on the drones of one tag", "swarm exec --on @lan -- sh -c 'df -h | tail -1'")], "Arguments arrive as they are; for a pipe or a variable: -- sh -c 'COMMAND | COMMAND'. \
    Status 0 where all hosts end with 0, else 1; 130 after Ctrl-C. The command is ended on a host when it is \
    interrupted here or its connection is lost."))]
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
    let script = script(&arguments.command)?;
    if arguments.dry_run {
        let words = shlex::try_join(arguments.command.iter().map(String::as_str))?;
        let lines = hosts.iter().map(|host| format!("{}: {}\n", host.name, escaped(&words)));
        write_out(&lines.collect::<String>())?;
        return Ok(Exit::Done);
    }
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let (stop, stopped) = watch::channel(false);
    let mut halts = interrupt::listen()?;
    for host in hosts {
        let (destination, script, sender) = (inventory.destination_of(host), script.clone(), sender.clone());
        let mut stopped = stopped.clone();
        tokio::spawn(async move { attend(&destination, &script, &sender, &mut stopped).await });
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

/// A longer line (bytes) comes in pieces.
const LINE_LIMIT: usize = 64 << 10;

/// The line, on standard output and on standard error, behind which the command's own lines come.
const BEGIN: &str = "swarm-exec-begins-here";

/// So many lines before that may be a login shell's; more are shown.
const NOISE_LIMIT: usize = 1000;

/// The command in its script, each word quoted for the shell.
fn script(command: &[String]) -> anyhow::Result<Script> {
    anyhow::ensure!(!command.iter().any(|word| word.contains('\0')), "an argument cannot hold a zero byte");
    let words: Vec<String> = command.iter().map(|word| ssh::quoted(word)).collect();
    Ok(Script::new(include_str!("exec.sh")).set("begin", BEGIN).set("command", &words.join(" ")))
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
async fn attend(
    destination: &Destination,
    script: &Script,
    sender: &mpsc::Sender<(HostName, Said)>,
    stopped: &mut watch::Receiver<bool>,
) {
    let end = match pass_lines(destination, script, sender, stopped).await {
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
    stopped: &mut watch::Receiver<bool>,
) -> Result<u32, HostError> {
    let host = ssh::host(destination);
    let fault = |kind, message: &str| HostError::new(&destination.name, kind, message);
    let Running { mut output, input } = tokio::select! {
        running = host.start(script) => running?,
        _ = stopped.wait_for(|stopped| *stopped) => {
            return Err(fault(HostErrorKind::Local, "interrupted before the command began"));
        }
    };
    let mut input = Some(input);
    let (mut stdout, mut stderr) = (Lines::default(), Lines::default());
    let mut end = None;
    while end.is_none() {
        let chunk = tokio::select! {
            chunk = output.recv() => chunk,
            _ = stopped.wait_for(|stopped| *stopped), if input.is_some() => {
                input = None;
                continue;
            }
        };
        let (stream, lines) = match chunk {
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
    end.unwrap_or_else(|| Err(fault(HostErrorKind::Lost, "the command's output ended without an exit status")))
}

async fn pass(destination: &Destination, stream: Stream, lines: Vec<String>, sender: &mpsc::Sender<(HostName, Said)>) {
    for line in lines {
        let _ = sender.send((destination.name.clone(), Said::Line { stream, line })).await;
    }
}

/// Makes lines of pieces, and leaves out what comes before the command.
#[derive(Debug, Default)]
struct Lines {
    unfinished: Vec<u8>,
    begun: bool,
    before: Vec<String>,
}

impl Lines {
    /// The lines that end with this piece.
    fn add(&mut self, data: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            if self.unfinished.ends_with(b"\n") || self.unfinished.len() >= LINE_LIMIT {
                lines.extend(self.line());
            }
        }
        self.own(lines)
    }

    /// What is left at the end, if anything.
    fn rest(&mut self) -> Vec<String> {
        let last = self.line().into_iter().collect();
        let own = self.own(last);
        if self.begun { own } else { std::mem::take(&mut self.before) }
    }

    fn line(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.unfinished);
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
    }

    /// Those of the lines that are the command's.
    fn own(&mut self, lines: Vec<String>) -> Vec<String> {
        if self.begun {
            return lines;
        }
        self.before.extend(lines);
        // A shell's greeting may not end its last line.
        if let Some(begin) = self.before.iter().position(|line| line.ends_with(BEGIN)) {
            self.begun = true;
            let own = self.before.split_off(begin + 1);
            self.before.clear();
            return own;
        }
        if self.before.len() > NOISE_LIMIT {
            self.begun = true;
            return std::mem::take(&mut self.before);
        }
        Vec::new()
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
        let mut lines = Lines { begun: true, ..Lines::default() };
        assert_eq!(lines.add(b"one\ntw"), ["one"]);
        assert_eq!(lines.add(b"o\n\nth"), ["two", ""]);
        assert_eq!(lines.rest(), ["th"]);
        assert_eq!(lines.rest(), [""; 0]);
        let endless = vec![b'x'; LINE_LIMIT - 1];
        assert_eq!((lines.add(&endless).len(), lines.add(&endless).len(), lines.rest().len()), (0, 1, 0));
        assert_eq!(lines.add(b"\xff\n"), ["\u{fffd}"]);
    }

    #[test]
    fn a_login_shells_noise_is_left_out_unless_the_command_never_begins() {
        let mut lines = Lines::default();
        assert_eq!(lines.add(b"Welcome!\nlast login: "), [""; 0]);
        assert_eq!(lines.add(format!("{BEGIN}\nmine\n").as_bytes()), ["mine"]);
        assert_eq!(lines.add(format!("{BEGIN}\n").as_bytes()), [BEGIN]);

        let mut refused = Lines::default();
        assert_eq!(refused.add(b"sudo: no\nreally"), [""; 0]);
        assert_eq!(refused.rest(), ["sudo: no", "really"]);

        let mut endless = Lines::default();
        assert_eq!(endless.add("x\n".repeat(NOISE_LIMIT + 1).as_bytes()).len(), NOISE_LIMIT + 1);
        assert_eq!(endless.add(b"y\n"), ["y"]);
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
