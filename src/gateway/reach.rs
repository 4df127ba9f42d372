//! Whether a binhost takes a connection at this moment: asked before a client is sent there.
//!
//! Checks are some time apart and one failed check moves nothing; a client that is sent to a dead host meanwhile fails.
//! So a redirect goes to the first of those that could serve which takes a connection now. An answer holds for a moment,
//! and of all who want it at once one asks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Uri;
use tokio::net::TcpStream;

use crate::http::client;
use crate::inventory::HttpUrl;

/// Whoever takes connections is taken to do so for this long: less than a client needs from one download to the next.
const TAKES: Duration = Duration::from_millis(50);
/// Whoever does not is asked again after this long.
const DOES_NOT: Duration = Duration::from_secs(1);
/// A host that has not taken a connection by then is none to send a client to.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of each binhost.
#[derive(Debug, Default)]
pub struct Reach(Mutex<HashMap<String, Arc<Known>>>);

type Known = tokio::sync::Mutex<Option<(Instant, bool)>>;

impl Reach {
    /// Whether it takes connections.
    pub async fn takes_connections(&self, binhost: &HttpUrl) -> bool {
        let known = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(binhost.as_str().to_owned()).or_default().clone()
        };
        let mut known = known.lock().await;
        match *known {
            Some((since, answer)) if since.elapsed() < if answer { TAKES } else { DOES_NOT } => answer,
            _ => known.insert((Instant::now(), connects(binhost).await)).1,
        }
    }
}

async fn connects(binhost: &HttpUrl) -> bool {
    let Ok(uri) = binhost.as_str().parse::<Uri>() else { return false };
    let Some((_, host, port)) = client::place(&uri) else { return false };
    matches!(tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await, Ok(Ok(_)))
}
