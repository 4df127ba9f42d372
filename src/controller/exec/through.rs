//! Commands through the connections that a controller at work has open.
//!
//! `POST /exec` at its socket. The first line of the body is a [`Wish`]; the body stays open, and its end ends the
//! commands. The first line of the answer names the hosts that are taken, each that follows is what one of them said.
//! Whoever asks sees to the other hosts himself.
//!
//! A host is taken where the controller would reach it just as who asks would, which their imprints say. Who asks must
//! be the controller's own user, whose keys log in. Commands outlive the controller's work: its process ends after them
//! ([`Ways::finish`]). None of this is for other programs: imprints are those of one version.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Method, Response, StatusCode};
use data_encoding::HEXLOWER;
use futures::{StreamExt, channel::mpsc as open_end};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::{Said, attend, script};
use crate::controller::api::Refusal;
use crate::controller::error::ControlError;
use crate::controller::muster::Hosts;
use crate::controller::session::Session;
use crate::controller::socket;
use crate::core::names::HostName;
use crate::http::client;
use crate::inventory::Inventory;
use crate::ssh::{Destination, Host, Script};

/// So many may ask at once; others reach the hosts themselves.
const MOST: u32 = 32;
/// A longer wish (bytes) is none of ours.
const LONGEST_WISH: usize = 1 << 20;
/// A longer line (bytes) of the answer is none of ours; one of output has 64 KiB before it is escaped.
const LONGEST_LINE: usize = 1 << 20;
/// Lines that wait for whoever asked.
const WAITING: usize = 64;
/// The controller has this long to say which hosts it takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be run, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wish {
    /// The hosts, and how they are reached.
    hosts: BTreeMap<HostName, Imprint>,
    /// The command and its arguments.
    command: Vec<String>,
}

impl Wish {
    /// To run this command on these hosts.
    pub fn new<'a>(destinations: impl IntoIterator<Item = &'a Destination>, command: &[String]) -> Self {
        let imprint = |destination: &Destination| (destination.name.clone(), Imprint::of(destination));
        Self { hosts: destinations.into_iter().map(imprint).collect(), command: command.to_owned() }
    }
}

/// Stands for all that is known of how a host is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Imprint(String);

impl Imprint {
    fn of(destination: &Destination) -> Self {
        let text = format!("{} {destination:?}", env!("CARGO_PKG_VERSION"));
        Self(HEXLOWER.encode(&Sha256::digest(text)))
    }
}

/// A controller's ways to its hosts.
#[derive(Debug, Clone)]
pub struct Ways {
    inventory: Arc<Inventory>,
    hosts: Arc<Hosts>,
    free: Arc<Semaphore>,
}

impl Ways {
    /// Those of a session.
    pub fn of(session: &Session) -> Self {
        Self::new(session.inventory.clone(), session.hosts.clone())
    }

    /// To these hosts, as the inventory has them.
    pub fn new(inventory: Arc<Inventory>, hosts: Arc<Hosts>) -> Self {
        Self { inventory, hosts, free: Arc::new(Semaphore::new(MOST as usize)) }
    }

    /// Whether a command still goes by them.
    pub fn are_used(&self) -> bool {
        self.free.available_permits() < MOST as usize
    }

    /// Waits until no command goes by them.
    pub async fn finish(&self) {
        // It is never closed.
        let _all = self.free.acquire_many(MOST).await;
    }

    fn taken(&self, hosts: &BTreeMap<HostName, Imprint>) -> Vec<Arc<dyn Host>> {
        let same = |(name, imprint): (&HostName, &Imprint)| {
            let own = self.inventory.destination_of(self.inventory.host(name)?);
            self.hosts.get(name).filter(|_| Imprint::of(&own) == *imprint).cloned()
        };
        hosts.iter().filter_map(same).collect()
    }

    /// Runs what the body of a request asks for; the body of the answer.
    ///
    /// # Errors
    /// It asks for nothing that can be run.
    pub async fn run(&self, body: Body) -> Result<Body, Refusal> {
        let bad = |why: String| (StatusCode::BAD_REQUEST, why);
        let Ok(permit) = self.free.clone().try_acquire_owned() else {
            return Err((StatusCode::TOO_MANY_REQUESTS, "it runs so many commands already".to_owned()));
        };
        let mut body = body.into_data_stream();
        let wish: Wish = serde_json::from_slice(&first_line(&mut body).await.map_err(bad)?)
            .map_err(|error| bad(error.to_string()))?;
        let script = script(&wish.command).map_err(bad)?;
        let taken = self.taken(&wish.hosts);
        let names: Vec<&HostName> = taken.iter().map(|host| host.name()).collect();
        let head = line(&names).map_err(|error| bad(error.to_string()))?;
        Ok(Body::from_stream(answer(head, start(taken, &script, body), permit)))
    }
}

/// What comes before the first end of a line.
async fn first_line(body: &mut BodyDataStream) -> Result<Vec<u8>, String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\n") {
        let piece = body.next().await.ok_or("the body breaks off")?;
        read.extend_from_slice(&piece.map_err(|error| error.to_string())?);
        if read.len() > LONGEST_WISH {
            return Err("the body is too large".to_owned());
        }
    }
    Ok(read)
}

fn line(what: &impl Serialize) -> serde_json::Result<Bytes> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    Ok(line.into())
}

/// Starts the script on each host; it is ended with the body.
fn start(hosts: Vec<Arc<dyn Host>>, script: &Script, mut body: BodyDataStream) -> mpsc::Receiver<(HostName, Said)> {
    let (sender, said) = mpsc::channel(WAITING);
    let (stop, stopped) = watch::channel(false);
    for host in hosts {
        let (script, sender, mut stopped) = (script.clone(), sender.clone(), stopped.clone());
        tokio::spawn(async move { attend(host.as_ref(), &script, &sender, &mut stopped).await });
    }
    tokio::spawn(async move {
        while let Some(Ok(_)) = body.next().await {}
        // Those who listen may have ended.
        let _over = stop.send(true);
    });
    said
}

/// The lines of the answer; who asked counts as one that runs commands until it is dropped.
fn answer(
    head: Bytes,
    said: mpsc::Receiver<(HostName, Said)>,
    permit: OwnedSemaphorePermit,
) -> impl futures::Stream<Item = serde_json::Result<Bytes>> {
    let rest = futures::stream::unfold((said, permit), |(mut said, permit)| async {
        let line = line(&said.recv().await?);
        Some((line, (said, permit)))
    });
    futures::stream::iter([Ok(head)]).chain(rest)
}

/// Commands that run through a controller.
#[derive(Debug)]
pub struct Through {
    taken: BTreeSet<HostName>,
    answer: Incoming,
    /// What has come and is no whole line yet.
    rest: Vec<u8>,
    /// The end of the request that is still open.
    open: Option<open_end::UnboundedSender<Bytes>>,
}

/// Has the controller that is at work on this state directory run something; none where none is, or it leaves that to
/// us.
///
/// # Errors
/// When it does not answer: it may have begun.
pub async fn begin(directory: &Path, wish: &Wish) -> Result<Option<Through>, ControlError> {
    let stream = match socket::connect(directory).await {
        // A controller of another user's.
        Err(ControlError::Local { source, .. }) if source.kind() == ErrorKind::PermissionDenied => return Ok(None),
        connected => connected?,
    };
    let Some(stream) = stream else { return Ok(None) };
    let silent = |what: String| socket::silent(directory, &what);
    let (open, pieces) = open_end::unbounded();
    // The other end is here.
    let _sent = open.unbounded_send(line(wish).map_err(|error| silent(error.to_string()))?);
    let body = StreamBody::new(pieces.map(|piece: Bytes| Ok::<_, Infallible>(Frame::data(piece))));
    let request = socket::request(Method::POST, "/exec").body(body).map_err(|error| silent(error.to_string()))?;
    let begun = async {
        let response: Response<Incoming> =
            client::exchange(stream, request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Ok(None);
        }
        let (answer, open) = (response.into_body(), Some(open));
        let mut through = Through { taken: BTreeSet::new(), answer, rest: Vec::new(), open };
        through.taken = through.line().await.ok_or("its answer breaks off")?;
        Ok(Some(through))
    };
    tokio::time::timeout(PATIENCE, begun)
        .await
        .unwrap_or_else(|_| Err(format!("nothing within {} s", PATIENCE.as_secs())))
        .map_err(silent)
}

impl Through {
    /// The hosts on which it runs.
    pub fn taken(&self) -> &BTreeSet<HostName> {
        &self.taken
    }

    /// Passes on what the hosts say, each one's end as the last, and ends the commands once `stopped` says so.
    pub async fn attend(mut self, sender: &mpsc::Sender<(HostName, Said)>, stopped: &mut watch::Receiver<bool>) {
        let mut left = self.taken.clone();
        while !left.is_empty() {
            let said: Option<(HostName, Said)> = tokio::select! {
                said = self.line() => said,
                _ = stopped.wait_for(|stopped| *stopped), if self.open.is_some() => {
                    self.open = None;
                    continue;
                }
            };
            let Some((host, said)) = said else { break };
            if !matches!(said, Said::Line { .. }) {
                left.remove(&host);
            }
            let _ = sender.send((host, said)).await;
        }
        for host in left {
            let lost = "the controller, through which it ran, has ended, and the command with it".to_owned();
            let _ = sender.send((host, Said::Error(lost))).await;
        }
    }

    /// The next line; none where there are no more that can be read. What has come of one is kept where this is dropped.
    async fn line<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            if self.rest.len() > LONGEST_LINE {
                return None;
            }
            self.rest.extend_from_slice(self.answer.frame().await?.ok()?.data_ref()?);
        }
    }
}
