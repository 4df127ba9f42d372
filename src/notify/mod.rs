//! How alarms are told: by mail, webhook or a command of the operator's, each a [`Channel`] of the inventory.
//!
//! `message` writes what is said, once for all channels; `mail`, `webhook` and `command` carry it. A channel
//! that has not taken a message after [`PATIENCE`] has failed. What is to be told to whom, and when again, is decided
//! elsewhere ([`crate::core::alarm`]); nothing here knows of a journal.

mod command;
mod mail;
mod message;
mod program;
mod webhook;

use std::path::PathBuf;
use std::time::Duration;

pub use message::{Message, Post};
pub use program::ProgramError;

use crate::core::names::Timestamp;
use crate::core::text::printable;
use crate::http::client::AskError;
use crate::http::tls::TlsError;
use crate::inventory::notify::{Channel, Way};

/// A channel that has not taken a message after this time has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why a channel was not told; completes the sentence "it …". Nothing secret is in it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The program failed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The file of the token cannot be read.
    #[error("cannot be told without its token: {}: {source}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// What is in it is no token.
    #[error("cannot be told without its token: {0} is not one line of plain characters")]
    NoToken(String),
    /// TLS cannot be set up.
    #[error("cannot be told over TLS: {0}")]
    Tls(#[from] TlsError),
    /// The address is none that can be asked.
    #[error("cannot be asked: the address with the host {0} is none")]
    Address(String),
    /// It does not answer.
    #[error("(at {host}) {source}")]
    Ask {
        /// Where.
        host: String,
        /// Why not.
        source: AskError,
    },
    /// It answers that it does not want it.
    #[error("(at {host}) answers {status}{said}")]
    Refused {
        /// Where.
        host: String,
        /// The status.
        status: u16,
        /// What it says, if anything.
        said: String,
    },
    /// It took longer than anybody waits.
    #[error("did not take the message within {} s", PATIENCE.as_secs())]
    Late,
}

/// Tells a channel.
///
/// # Errors
/// It was not told, or it is not known whether it was.
pub async fn send(channel: &Channel, post: &Post, message: &Message, at: Timestamp) -> Result<(), SendError> {
    let sent = async {
        match &channel.settings.way {
            Way::Mail { to, from, sendmail } => mail::send(to, from.as_ref(), sendmail, post, message, at).await,
            Way::Webhook { url, token_file } => webhook::send(url, token_file.as_deref(), post, message, at).await,
            Way::Command(words) => command::send(words, post, message).await,
        }
    };
    tokio::time::timeout(PATIENCE, sent).await.map_err(|_| SendError::Late)?
}

/// What whoever refused said of it, in one line behind a colon; nothing where it said nothing.
fn reason(said: &[u8]) -> String {
    match printable(&String::from_utf8_lossy(said)) {
        said if said.is_empty() => said,
        said => format!(": {}", said.replace('\n', "; ")),
    }
}
