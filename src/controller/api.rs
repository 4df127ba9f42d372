//! What every controller answers over HTTP, at its socket and as a service: how things stand, and what happens.
//!
//! `GET /status` is what `swarm status --json` prints; `GET /events` follows the events, one JSON a server-sent
//! event: `{"sequence":N,"at":SECONDS,"event":EVENT}` with the event's number in the journal; `{"at":…,"note":TEXT}` for
//! what the operator is told besides; `{"at":…,"over":{"build":ID,"status":N}}` once the controller has done for a build
//! what it can for now. [`Follower`] is the other end of the latter.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use super::promises;
use crate::core::event::Event;
use crate::core::names::{BuildName, Timestamp};
use crate::core::state::State;
use crate::http::contract::Contract;
use crate::http::stop::Stop;

/// A longer event (bytes) than this is none of ours.
const LONGEST_EVENT: usize = 64 << 20;

/// An answer that is none: its status, and why in a sentence.
pub type Refusal = (StatusCode, String);

/// What [`routes`] tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// An event, or something that is none.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// Something that has happened.
    Event {
        /// Its number in the journal.
        sequence: i64,
        /// What.
        event: Box<Event>,
    },
    /// A word for the operator.
    Note(String),
    /// The controller has done for a build what it can for now.
    Over(Over),
}

// The same as it is written. An enum would be read by way of a form that takes no numbers as keys, which events have.
/// What is told: an event with its number, or a note, or that the work on a build is over.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Told")]
struct Line<E> {
    /// When it happened.
    at: Timestamp,
    /// The number of the event in the journal; there with an event. One that is left out was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    /// Something that has happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<E>,
    /// A word for the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The controller has done for a build what it can for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<Over>,
}

impl JsonSchema for Told {
    fn schema_name() -> Cow<'static, str> {
        Line::<Event>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Line::<Event>::json_schema(generator)
    }
}

impl Told {
    /// Reads a line; none where it says nothing that is known here.
    pub fn read(line: &str) -> Option<Self> {
        let line: Line<Event> = serde_json::from_str(line).ok()?;
        let event = line.sequence.zip(line.event).map(|(sequence, event)| (sequence, Box::new(event)));
        let event = event.map(|(sequence, event)| What::Event { sequence, event });
        let what = event.or(line.note.map(What::Note)).or(line.over.map(What::Over))?;
        Some(Self { at: line.at, what })
    }
}

/// How the work on a build ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Over {
    /// The build.
    pub build: BuildName,
    /// The exit status of a `swarm push` that ended so.
    pub status: u8,
}

/// `GET /state`: what is known, and the number of the event that it is known from.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "StateView")]
pub struct StateView<S = State> {
    /// The number; zero where nothing has happened.
    pub sequence: i64,
    /// What is known, as a snapshot of the journal holds it: for another swarm of the same version, not for others.
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub state: S,
}

/// Events were missed, or do not fit: the state has to be fetched anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed;

impl StateView {
    /// Takes in an event that was told; whether it was news.
    ///
    /// # Errors
    /// Others before it were missed, or it does not fit.
    pub fn take_in(&mut self, sequence: i64, event: &Event) -> Result<bool, Missed> {
        if sequence <= self.sequence {
            return Ok(false);
        }
        if sequence > self.sequence + 1 {
            return Err(Missed);
        }
        self.state.apply(event).map_err(|_| Missed)?;
        self.sequence = sequence;
        Ok(true)
    }
}

/// An event, as listeners get it.
///
/// # Errors
/// It has no JSON form.
pub fn told(sequence: i64, at: Timestamp, event: &Event) -> serde_json::Result<String> {
    serde_json::to_string(&Line { at, sequence: Some(sequence), event: Some(event), note: None, over: None })
}

/// A word for the operator, as listeners get it.
///
/// # Errors
/// It has no JSON form.
pub fn noted(at: Timestamp, note: &str) -> serde_json::Result<String> {
    serde_json::to_string(&Line::<Event> { at, sequence: None, event: None, note: Some(note.to_owned()), over: None })
}

/// The end of the work on a build, as listeners get it.
///
/// # Errors
/// It has no JSON form.
pub fn told_over(at: Timestamp, over: Over) -> serde_json::Result<String> {
    serde_json::to_string(&Line::<Event> { at, sequence: None, event: None, note: None, over: Some(over) })
}

/// Whoever can be asked.
pub trait Desk: Clone + Send + Sync + 'static {
    /// How things stand.
    type Status: Serialize + JsonSchema;

    /// How things stand now.
    fn status(&self) -> impl Future<Output = Result<Self::Status, Refusal>> + Send;

    /// What happens from here on.
    fn events(&self) -> broadcast::Receiver<String>;

    /// Says when nothing is told any more.
    fn stop(&self) -> Stop;
}

/// The routes that all have.
pub fn routes<D: Desk>() -> Contract<D> {
    Contract::new().get("/status", promises::status::<D::Status>(), status::<D>).get(
        "/events",
        promises::events(),
        events::<D>,
    )
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::core::names::{BuildId, Epoch};
    use crate::core::plan::PackageIndex;

    #[test]
    fn an_event_is_taken_in_once_and_a_gap_before_it_is_seen() {
        let claim = |epoch| {
            let controller = "izar".parse().unwrap();
            Event::EpochClaimed { epoch: Epoch(epoch), controller, voters: [].into(), at: Timestamp(0) }
        };
        let mut view = StateView { sequence: 4, state: State::default() };
        for (sequence, epoch, taken) in [(4, 9, Ok(false)), (5, 1, Ok(true)), (5, 9, Ok(false)), (7, 9, Err(Missed))] {
            assert_eq!(view.take_in(sequence, &claim(epoch)), taken, "{sequence}");
        }
        assert_eq!((view.sequence, view.state.epoch), (5, Epoch(1)));
        let unfit = Event::JobBack { job: "b1-1".parse().unwrap() };
        assert_eq!((view.take_in(6, &unfit), view.sequence), (Err(Missed), 5));
    }

    #[test]
    fn what_is_told_is_read_as_it_was_meant() {
        let (at, build): (_, BuildName) = (Timestamp(7), "b1".parse().unwrap());
        let event = Event::JobStarted {
            job: "b1-1".parse().unwrap(),
            package: PackageIndex(3),
            drone: "vega".parse().unwrap(),
            build_ids: BTreeMap::from([(PackageIndex(3), BuildId(2))]),
            width: 4,
            why: None,
            at,
        };
        let over = Over { build, status: 3 };
        for (line, what) in [
            (told(5, at, &event), What::Event { sequence: 5, event: Box::new(event.clone()) }),
            (noted(at, "a word"), What::Note("a word".into())),
            (told_over(at, over.clone()), What::Over(over)),
        ] {
            assert_eq!(Told::read(&line.unwrap()), Some(Told { at, what }));
        }
        for line in ["", "{}", r#"{"at":1}"#, r#"{"at":1,"sequence":2,"event":{"something_new":{}}}"#] {
            assert_eq!(Told::read(line), None, "{line}");
        }
    }
}
