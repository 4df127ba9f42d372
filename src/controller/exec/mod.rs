//! One command on a host: its lines as they are written, and how it ended.
//!
//! The command and its arguments are data: each arrives as the word that it was here. What a login shell says before the
//! command begins is left out, unless the command never begins: then it may say why.
//!
//! A command ends with whoever wanted it: `exec.sh` holds on to its standard input and ends the command, and all that it
//! started, when that ends, as it does on Ctrl-C, with a lost connection and with a killed `swarm`.

mod lines;
pub mod through;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

use crate::core::names::HostName;
use crate::ssh::{self, Chunk, Host, HostError, HostErrorKind, Running, Script};
use lines::Lines;

/// The line, on standard output and on standard error, behind which the command's own lines come.
const BEGIN: &str = "swarm-exec-begins-here";

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Something from a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// It ended, with this status.
    Status(u32),
    /// It did not run to its end.
    Error(String),
    /// It wrote a line.
    #[serde(untagged)]
    Line {
        /// Where to.
        stream: Stream,
        /// The line, without its end.
        line: String,
    },
}

/// The command in its script, each word quoted for the shell.
///
/// # Errors
/// A word cannot be one of a command.
pub fn script(command: &[String]) -> Result<Script, String> {
    if command.iter().any(|word| word.contains('\0')) {
        return Err("an argument cannot hold a zero byte".to_owned());
    }
    let words: Vec<String> = command.iter().map(|word| ssh::quoted(word)).collect();
    Ok(Script::new(include_str!("exec.sh")).set("begin", BEGIN).set("command", &words.join(" ")))
}

/// Runs the script on one host and passes on what it says; the last is always its end. It is ended on the host once
/// `stopped` says so, or whoever says that is gone.
pub async fn attend(
    host: &dyn Host,
    script: &Script,
    sender: &mpsc::Sender<(HostName, Said)>,
    stopped: &mut watch::Receiver<bool>,
) {
    let end = match pass_lines(host, script, sender, stopped).await {
        Ok(status) => Said::Status(status),
        Err(error) => Said::Error(error.message),
    };
    // Where nobody listens any more the command is of no more interest.
    let _ = sender.send((host.name().clone(), end)).await;
}

async fn pass_lines(
    host: &dyn Host,
    script: &Script,
    sender: &mpsc::Sender<(HostName, Said)>,
    stopped: &mut watch::Receiver<bool>,
) -> Result<u32, HostError> {
    let fault = |kind, message: &str| HostError::new(host.name(), kind, message);
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
        pass(host, stream, lines, sender).await;
    }
    pass(host, Stream::Stdout, stdout.rest(), sender).await;
    pass(host, Stream::Stderr, stderr.rest(), sender).await;
    end.unwrap_or_else(|| Err(fault(HostErrorKind::Lost, "the command's output ended without an exit status")))
}

async fn pass(host: &dyn Host, stream: Stream, lines: Vec<String>, sender: &mpsc::Sender<(HostName, Said)>) {
    for line in lines {
        let _ = sender.send((host.name().clone(), Said::Line { stream, line })).await;
    }
}
