//! Reads an index back as clients do: over HTTP, from the binhost's own URL.
//!
//! What is on a disk is not yet what clients get: a web server may serve another directory, may not follow the symlink,
//! may be down. So whatever has just become live is asked for, packed and plain, and has to be the same bytes. A server
//! that keeps files open for some seconds shows the one before for as long, so one that gives another index is asked
//! again.

use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;

use super::error::ControlError;
use crate::http::client::{AskError, Client};
use crate::http::tls;
use crate::inventory::{HttpUrl, Inventory};
use crate::portage::index;

/// Before each time that a binhost with another index is asked again.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];
/// How long a connection may take, an answer, or a piece of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The packed index is never longer than the plain one by more than this (bytes).
const PACKED_MORE: usize = 64 << 10;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// What was released.
    Same,
    /// Nothing: it cannot be reached from here. Whether clients can is not known.
    Unreachable(String),
    /// Something else.
    Wrong(String),
}

/// Asks binhosts.
pub struct Reader {
    client: Client,
}

impl Reader {
    /// One that knows the swarm's own certificate, too.
    ///
    /// # Errors
    /// The certificate cannot be read.
    pub fn new(inventory: &Inventory) -> Result<Self, ControlError> {
        let tls = tls::connector(inventory.swarm.tls_cert.as_deref());
        let tls = tls.map_err(|error| ControlError::Refused(error.to_string()))?;
        Ok(Self::with(Client::new(Some(tls), PATIENCE)))
    }

    /// One that asks through this client.
    pub(super) fn with(client: Client) -> Self {
        Self { client }
    }

    /// Whether a binhost gives this text as its index.
    pub async fn read(&self, binhost: &HttpUrl, expected: &[u8]) -> Reading {
        for pause in PAUSES {
            match self.read_once(binhost, expected).await {
                Reading::Wrong(_) => tokio::time::sleep(pause).await,
                reading => return reading,
            }
        }
        self.read_once(binhost, expected).await
    }

    async fn read_once(&self, binhost: &HttpUrl, expected: &[u8]) -> Reading {
        // Clients ask for the packed one first.
        for (name, packed) in [("Packages.gz", true), ("Packages", false)] {
            let url = format!("{binhost}/{name}");
            let came = match self.fetch(&url, expected.len() + PACKED_MORE).await {
                Ok(came) => came,
                Err(Trouble::Unreachable(why)) => return Reading::Unreachable(format!("{url} {why}")),
                Err(Trouble::Unread(why)) => return Reading::Wrong(format!("{url} {why}")),
            };
            let text = if packed { index::unpacked(&came, expected.len()) } else { Ok(came) };
            match text {
                Ok(text) if text == expected => {}
                Ok(text) => {
                    return Reading::Wrong(format!("{url} gives another index, {}", timestamps(&text, expected)));
                }
                Err(error) => return Reading::Wrong(format!("{url} gives what is no packed index: {error}")),
            }
        }
        Reading::Same
    }

    async fn fetch(&self, url: &str, limit: usize) -> Result<Vec<u8>, Trouble> {
        let request = Request::get(url)
            .header(header::USER_AGENT, concat!("swarm/", env!("CARGO_PKG_VERSION")))
            .header(header::CACHE_CONTROL, "no-cache")
            .body(Full::<Bytes>::default())
            .map_err(|_| {
                Trouble::Unread("is no URL that can be asked: correct `binhost` in the inventory".to_owned())
            })?;
        let response = self.client.ask(request).await?;
        if response.status() != StatusCode::OK {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let to = to.map_or_else(String::new, |to| format!(", which leads to {to}: name that as `binhost`"));
            return Err(Trouble::Unread(format!("answers {}{to}", response.status())));
        }
        Ok(self.client.read(response.into_body(), limit).await?)
    }
}

enum Trouble {
    Unreachable(String),
    Unread(String),
}

impl From<AskError> for Trouble {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Connect(_) => Self::Unreachable(error.to_string()),
            AskError::Address(_) | AskError::Silent(_) | AskError::Speech(_) | AskError::TooMuch(_) => {
                Self::Unread(error.to_string())
            }
        }
    }
}

fn timestamps(found: &[u8], expected: &[u8]) -> String {
    let of = |text: &[u8]| {
        let said = index::timestamp(text).ok().flatten();
        said.map_or_else(|| "none".to_owned(), |timestamp| timestamp.0.to_string())
    };
    format!("of TIMESTAMP {} and not {}", of(found), of(expected))
}
