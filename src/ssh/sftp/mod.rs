//! Files of a host, over SFTP (version 3, draft-ietf-secsh-filexfer-02, with OpenSSH's extensions).
//!
//! Requests carry no time limit of their own: on a slow line sixteen MiB in flight take minutes, and are well. What
//! counts is that bytes move; see [`watch`].

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join;
use russh::Channel;
use russh::client::Msg;
use russh_sftp::client::error::Error;
use russh_sftp::client::rawsession::SftpResult;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::extensions::Statvfs;
use russh_sftp::protocol::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::core::names::HostName;
use crate::core::text::printable;
use crate::ssh::destination::Destination;
use crate::ssh::host::{HostError, HostErrorKind};
use crate::ssh::pace::Pace;
use crate::ssh::pool::Place;

mod budget;
mod channel;
mod leftovers;
mod reading;
mod server;
mod sessions;
mod watch;
mod writing;

pub(crate) use leftovers::Leftovers;
pub(crate) use server::privileged_command;
pub(crate) use sessions::{Lease, Sessions};
use watch::{Activity, Keeper, Watched};

/// The largest read or write that OpenSSH takes: 256 KiB with room for the packet's head.
const PIECE: u32 = 255 << 10;

/// What every server must take.
const SMALL_PIECE: u32 = 32 << 10;

/// Requests in flight at once. With the largest pieces that is 16 MiB, enough for 1 Gbit/s at 130 ms.
const IN_FLIGHT: usize = 64;

/// Sessions are ended by their channel or by the watch, never by a request's own clock.
const NO_LIMIT: u64 = u64::MAX;

/// An open SFTP session.
pub(crate) struct Sftp {
    host: HostName,
    raw: RawSftpSession,
    activity: Arc<Activity>,
    stall_timeout: Duration,
    features: Features,
    leftovers: Leftovers,
    /// How fast local files go there and come from there; none for as fast as they can.
    pace: Option<Arc<Pace>>,
}

/// What the server can do beyond the protocol.
#[derive(Debug, Clone, Copy)]
struct Features {
    posix_rename: bool,
    fsync: bool,
    statvfs: bool,
    read_piece: u32,
    write_piece: u32,
}

impl fmt::Debug for Sftp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sftp")
            .field("host", &self.host)
            .field("features", &self.features)
            .finish_non_exhaustive()
    }
}

impl Sftp {
    /// Starts the server, as the subsystem or as a command, and agrees on what it can do.
    pub(crate) async fn open(
        destination: &Destination,
        place: Place,
        channel: Channel<Msg>,
        command: Option<String>,
        leftovers: Leftovers,
    ) -> Result<Self, HostError> {
        let host = &destination.name;
        let asked = match command {
            Some(command) => channel.exec(true, command).await,
            None => channel.request_subsystem(true, "sftp").await,
        };
        asked.map_err(|error| {
            let text = format!("SFTP did not start: {}", printable(&error.to_string()));
            HostError::new(host, HostErrorKind::Lost, text)
        })?;
        let (stream, refusal, closing) = channel::stream(channel);
        let opened = Self::over(destination, stream, Box::new((closing, place)), leftovers).await;
        opened.map_err(|error| match refusal.came() {
            true => HostError::new(
                host,
                HostErrorKind::Failed,
                "sshd refuses SFTP: enable `Subsystem sftp` in its sshd_config",
            ),
            false => error,
        })
    }

    /// Agrees with the server at the other end of a stream on what it can do. The keeper lives as long as the session.
    pub(crate) async fn over(
        destination: &Destination,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        keeper: Keeper,
        leftovers: Leftovers,
    ) -> Result<Self, HostError> {
        let activity = Arc::new(Activity::new());
        let config = Config { request_timeout_secs: NO_LIMIT, ..Config::default() };
        let raw = RawSftpSession::new_with_config(Watched::new(stream, activity.clone(), keeper), config);
        let mut sftp = Self {
            host: destination.name.clone(),
            raw,
            activity,
            stall_timeout: destination.stall_timeout,
            features: Features {
                posix_rename: false,
                fsync: false,
                statvfs: false,
                read_piece: SMALL_PIECE,
                write_piece: SMALL_PIECE,
            },
            leftovers,
            pace: None,
        };
        sftp.agree().await?;
        Ok(sftp)
    }

    /// The same, with a limit on how fast local files go there and come from there.
    pub(crate) fn at_pace(self, pace: Option<Arc<Pace>>) -> Self {
        Self { pace, ..self }
    }

    /// Whether the session can still be used, as far as is known.
    pub(crate) fn usable(&self) -> bool {
        !self.activity.ended()
    }

    async fn agree(&mut self) -> Result<(), HostError> {
        let asked = async {
            // Asked before it is known whether there is an answer: a round trip more is worse than a question too many.
            let (version, limits) = join(self.raw.init(), self.raw.limits()).await;
            // A server that does not know the question has its own way to say so.
            Ok((version?, limits.ok()))
        };
        let (version, limits) = self.step("start SFTP", "", asked).await?;
        let has = |name: &str| version.extensions.contains_key(name);
        self.features.posix_rename = has(POSIX_RENAME);
        self.features.fsync = has(russh_sftp::extensions::FSYNC);
        self.features.statvfs = has(russh_sftp::extensions::STATVFS);
        if let Some(limits) = limits {
            self.features.read_piece = piece(limits.max_read_len);
            self.features.write_piece = piece(limits.max_write_len);
        }
        Ok(())
    }

    /// Waits for an answer as long as bytes move.
    async fn step<T>(
        &self,
        doing: &str,
        path: &str,
        answer: impl Future<Output = SftpResult<T>>,
    ) -> Result<T, HostError> {
        self.moving(doing, path, answer).await?.map_err(|error| self.fault(doing, path, &error))
    }

    /// The same, with the session's own errors left to the caller.
    async fn moving<T>(&self, doing: &str, path: &str, answer: impl Future<Output = T>) -> Result<T, HostError> {
        tokio::select! {
            answer = answer => Ok(answer),
            () = self.activity.stalled(self.stall_timeout) => {
                self.activity.end();
                let text = format!("{}: no byte came for {:?}", cannot(doing, path), self.stall_timeout);
                Err(HostError::new(&self.host, HostErrorKind::Lost, text))
            }
        }
    }

    fn fault(&self, doing: &str, path: &str, error: &Error) -> HostError {
        let (kind, text) = match error {
            Error::Status(status) => (HostErrorKind::Failed, refusal(status.status_code, &status.error_message)),
            Error::Limited(text) => (HostErrorKind::Failed, printable(text)),
            Error::IO(_) | Error::Timeout | Error::UnexpectedPacket | Error::UnexpectedBehavior(_) => {
                self.activity.end();
                (HostErrorKind::Lost, format!("the SFTP session was lost: {}", printable(&error.to_string())))
            }
        };
        HostError::new(&self.host, kind, format!("{}: {text}", cannot(doing, path)))
    }

    /// What the file system of a path says of itself, where the server can tell.
    async fn statvfs(&self, path: &str) -> Option<Statvfs> {
        if !self.features.statvfs {
            return None;
        }
        self.moving("ask for the space at", path, self.raw.statvfs(path)).await.ok()?.ok()
    }
}

/// How much is read or written at once where a server takes so much.
fn piece(limit: u64) -> u32 {
    match u32::try_from(limit) {
        // It does not say.
        Ok(0) => SMALL_PIECE,
        Ok(limit) => limit.min(PIECE),
        Err(_) => PIECE,
    }
}

/// What could not be done, to a path or to none.
fn cannot(doing: &str, path: &str) -> String {
    format!("cannot {doing} {path}").trim_end().to_owned()
}

/// Renames over an existing file, which SFTP's own rename refuses to do.
const POSIX_RENAME: &str = "posix-rename@openssh.com";

fn refusal(code: StatusCode, message: &str) -> String {
    match code {
        StatusCode::NoSuchFile => "there is no such file or directory there".to_owned(),
        StatusCode::PermissionDenied => {
            "permission denied: see the rights there, or set `become` in the inventory".to_owned()
        }
        StatusCode::OpUnsupported => "its SFTP server does not support this".to_owned(),
        other => format!("its SFTP server says: {}", printable(&format!("{other} ({message})"))),
    }
}

/// A path's directory.
fn directory(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
        None => ".",
    }
}
