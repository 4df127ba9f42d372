//! What every controller answers over HTTP, at its socket and as a service: how things stand, and what happens.
//!
//! `GET /status` is the status of section 5 of the design; `GET /events` follows the events, one JSON a server-sent
//! event. [`Follower`] is the other end of the latter.

use std::convert::Infallible;
use std::future::Future;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::routing::get;
use axum::{Json, Router};
use futures::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::http::stop::Stop;

/// A longer event (bytes) than this is none of ours.
const LONGEST_EVENT: usize = 64 << 20;

/// An answer that is none: its status, and why in a sentence.
pub type Refusal = (StatusCode, String);

/// Whoever can be asked.
pub trait Desk: Clone + Send + Sync + 'static {
    /// How things stand.
    type Status: Serialize;

    /// How things stand now.
    fn status(&self) -> impl Future<Output = Result<Self::Status, Refusal>> + Send;

    /// What happens from here on.
    fn events(&self) -> broadcast::Receiver<String>;

    /// Says when nothing is told any more.
    fn stop(&self) -> Stop;
}

/// The routes that all have.
pub fn routes<D: Desk>() -> Router<D> {
    Router::new().route("/status", get(status::<D>)).route("/events", get(events::<D>))
}

async fn status<D: Desk>(Shared(desk): Shared<D>) -> Result<Json<D::Status>, Refusal> {
    desk.status().await.map(Json)
}

async fn events<D: Desk>(Shared(desk): Shared<D>) -> Sse<impl Stream<Item = Result<Sent, Infallible>>> {
    let events = futures::stream::unfold(desk.events(), |mut events| async move {
        loop {
            match events.recv().await {
                Ok(event) => return Some((Ok(Sent::default().data(event)), events)),
                // Whoever reads too slowly misses some, and is told so by their numbers.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    Sse::new(events.boxed().take_until(desk.stop().wait())).keep_alive(KeepAlive::default())
}

/// Reads the events that [`routes`] tells.
#[derive(Debug)]
pub struct Follower {
    body: Incoming,
    /// What has come and is not a whole line yet.
    rest: Vec<u8>,
}

impl Follower {
    /// Of the body of an answer to `GET /events`.
    pub fn new(body: Incoming) -> Self {
        Self { body, rest: Vec::new() }
    }

    /// The next event; none once there are no more.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                if let Some(event) = line.strip_prefix(b"data: ") {
                    return Some(String::from_utf8_lossy(event.trim_ascii_end()).into_owned());
                }
            }
            let frame = self.body.frame().await?.ok()?;
            self.rest.extend_from_slice(frame.data_ref()?);
            if self.rest.len() > LONGEST_EVENT {
                return None;
            }
        }
    }
}
