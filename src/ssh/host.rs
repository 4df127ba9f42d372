//! The trait that every reachable machine has, over SSH or as this machine itself.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::core::names::HostName;
use crate::ssh::dial::Stream;
use crate::ssh::growth::Growth;

/// A POSIX shell script: it is sent to `/bin/sh` on standard input, whole before any of it runs, so that no login
/// shell's noise or quoting is in its way. What it reads itself is what follows: nothing with [`Host::run`], the
/// [`Running::input`] with [`Host::start`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    settings: String,
    /// Shared: one that many hosts are asked with may hold a plan of megabytes.
    body: Arc<str>,
}

impl Script {
    /// A script of this text. Values go in through [`Script::set`], never by pasting.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self { settings: String::new(), body: text.into() }
    }

    /// Puts `name='value'`, quoted, before the script.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert_str(0, &format!("{name}={}\n", quoted(value)));
        self
    }

    /// What is run, in two parts.
    pub(crate) fn parts(&self) -> [&str; 2] {
        [&self.settings, &self.body]
    }

    /// What is run.
    pub fn text(&self) -> String {
        self.parts().concat()
    }
}

/// A value as one word of a POSIX shell, whatever it holds.
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// What a finished command left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output, up to [`OUTPUT_LIMIT`].
    pub stdout: Vec<u8>,
    /// Standard error, up to [`OUTPUT_LIMIT`].
    pub stderr: Vec<u8>,
    /// The exit status; a command that ended without one is an error instead.
    pub status: u32,
}

/// More than this (bytes) of a command's output is an error: nothing read from a host may fill our memory.
pub const OUTPUT_LIMIT: usize = 64 << 20;

/// A piece of a running command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Standard output.
    Stdout(Vec<u8>),
    /// Standard error.
    Stderr(Vec<u8>),
    /// It ended, with its exit status; always the last.
    Ended(u32),
    /// The connection or the process was lost before a status came; always the last.
    Lost(HostError),
}

/// A command that runs, its output as it comes and its standard input still open.
///
/// Dropping it closes the channel; the remote process is not killed by that.
#[derive(Debug)]
pub struct Running {
    /// Output; a task of its own drains the channel into it.
    pub output: mpsc::Receiver<Chunk>,
    /// More standard input, behind the script's own; dropping it sends end of file.
    pub input: mpsc::Sender<Vec<u8>>,
}

/// What kind of trouble a host made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostErrorKind {
    /// No address answers.
    Unreachable,
    /// The host key is unknown, changed, or revoked, or known_hosts cannot be read: this host must not be used.
    Refused,
    /// No key that we have is accepted.
    Authentication,
    /// The connection was there and is gone, or stalls.
    Lost,
    /// The host answered that it cannot do it (a missing file, no SFTP).
    Failed,
    /// The host has no space left where something was to be written.
    NoSpace,
    /// Something on this side failed (a local file).
    Local,
}

/// Trouble with a host; the message names host, step and cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostError {
    /// The host.
    pub host: HostName,
    /// What kind.
    pub kind: HostErrorKind,
    /// What was being done, what went wrong, and what the operator can do; one or more lines.
    pub message: String,
}

impl HostError {
    /// Trouble of this kind with this host.
    pub fn new(host: &HostName, kind: HostErrorKind, message: impl Into<String>) -> Self {
        Self { host: host.clone(), kind, message: message.into() }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.host, self.message)
    }
}

impl std::error::Error for HostError {}

/// A machine on which scripts run and files lie. All remote paths are absolute.
///
/// Methods reconnect by themselves where the connection is gone, once; [`HostErrorKind::Lost`] says that it was lost
/// in the middle of the call, and the caller decides whether to repeat it.
#[async_trait]
pub trait Host: Send + Sync + fmt::Debug {
    /// Its name in the inventory.
    fn name(&self) -> &HostName;

    /// The address in use, for display; none while there is no connection.
    fn address(&self) -> Option<String>;

    /// Makes sure that the host can be reached and lets us in.
    async fn connect(&self) -> Result<(), HostError>;

    /// Runs a script to its end (as root where `become` is set) and collects its output.
    async fn run(&self, script: &Script) -> Result<Output, HostError>;

    /// Starts a script whose output is wanted while it runs, or whose input comes in pieces.
    async fn start(&self, script: &Script) -> Result<Running, HostError>;

    /// The whole of a file; `None` where it does not exist; an error where it is larger than `limit` bytes.
    async fn read(&self, remote: &str, limit: u64) -> Result<Option<Vec<u8>>, HostError>;

    /// At most `limit` bytes of a file from `offset` on; `None` where it does not exist.
    async fn read_from(&self, remote: &str, offset: u64, limit: u64) -> Result<Option<Vec<u8>>, HostError>;

    /// Writes a file whole: under a temporary name beside it, then renamed over it.
    async fn write(&self, remote: &str, content: &[u8], mode: u32) -> Result<(), HostError>;

    /// Copies a local file there; written whole as [`Host::write`] does.
    async fn upload(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError>;

    /// Copies a local file there from the byte on at which the file there ends, in place: until it has come to its end
    /// the file there is a part, and what it holds is for the caller to check. One that is longer begins anew.
    async fn upload_on(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError>;

    /// Copies a file from there to the local path, from the byte on at which the local file ends, with reads in
    /// flight to fill the line. Gives the number of bytes that came. Does not sync. Where the file is to be read while
    /// it comes, `growth` is told how far it is; an implementation may leave that to the end.
    async fn bring(&self, remote: &str, local: &Path, growth: Option<&Arc<Growth>>) -> Result<u64, HostError>;

    /// The same where nobody reads along.
    async fn download(&self, remote: &str, local: &Path) -> Result<u64, HostError> {
        self.bring(remote, local, None).await
    }

    /// Connects to a Unix socket there, as the user who logs in: `become` does not reach so far.
    async fn socket(&self, remote: &str) -> Result<Box<dyn Stream>, HostError>;
}
