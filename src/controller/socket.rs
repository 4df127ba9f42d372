//! The controller's ear: `control.sock` in the state directory, HTTP over a Unix socket.
//!
//! `POST /verb` takes a [`Verb`] as JSON and answers with the lines for the operator; `GET /status` is the status of
//! section 5 of the design; `GET /events` follows the events, one JSON a server-sent event. Who may open the socket is
//! whoever may open the state directory; there is no other permission.

use std::path::{Path, PathBuf};

use axum::extract::State as Shared;
use axum::http::{Method, Request, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{Stream, StreamExt};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::error::ControlError;
use super::verb::{Answer, Verb};
use crate::core::status::Status;

/// The socket's name in the state directory.
const NAME: &str = "control.sock";
/// A longer answer (bytes) than this is none of ours.
const ANSWER_LIMIT: usize = 64 << 20;

/// What is asked of the loop.
#[derive(Debug)]
pub enum Asked {
    /// A wish, answered with what the operator is told.
    Verb(Verb, oneshot::Sender<Result<Answer, String>>),
    /// How things stand.
    Status(oneshot::Sender<Status>),
}

/// The socket, served until it is dropped.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    served: tokio::task::JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.served.abort();
        // Where it is gone already nobody misses it.
        let _gone = fs_err::remove_file(&self.path);
    }
}

#[derive(Clone)]
struct Ear {
    asked: mpsc::Sender<Asked>,
    events: broadcast::Sender<String>,
}

impl Socket {
    /// Listens in a state directory; whoever calls holds its lock, so that a socket that is there is a dead one's.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(
        directory: &Path,
        asked: mpsc::Sender<Asked>,
        events: broadcast::Sender<String>,
    ) -> Result<Self, ControlError> {
        let path = directory.join(NAME);
        let local = |source| ControlError::Local { doing: format!("listen at {}", path.display()), source };
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(local(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(local)?;
        let router = Router::new()
            .route("/verb", post(verb))
            .route("/status", get(status))
            .route("/events", get(events_as_they_come))
            .with_state(Ear { asked, events });
        let served = tokio::spawn(async move {
            // It ends with the task.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { path, served })
    }
}

async fn verb(Shared(ear): Shared<Ear>, Json(verb): Json<Verb>) -> Result<Json<Answer>, (StatusCode, String)> {
    let (answer, answered) = oneshot::channel();
    ask(&ear, Asked::Verb(verb, answer)).await?;
    match answered.await {
        Ok(Ok(told)) => Ok(Json(told)),
        Ok(Err(refusal)) => Err((StatusCode::CONFLICT, refusal)),
        Err(_) => Err(ending()),
    }
}

async fn status(Shared(ear): Shared<Ear>) -> Result<Json<Status>, (StatusCode, String)> {
    let (answer, answered) = oneshot::channel();
    ask(&ear, Asked::Status(answer)).await?;
    answered.await.map(Json).map_err(|_| ending())
}

async fn ask(ear: &Ear, asked: Asked) -> Result<(), (StatusCode, String)> {
    ear.asked.send(asked).await.map_err(|_| ending())
}

fn ending() -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, "the controller is just ending; try again".to_owned())
}

async fn events_as_they_come(
    Shared(ear): Shared<Ear>,
) -> Sse<impl Stream<Item = Result<Sent, std::convert::Infallible>>> {
    let events = futures::stream::unfold(ear.events.subscribe(), |mut events| async move {
        loop {
            match events.recv().await {
                Ok(event) => return Some((Ok(Sent::default().data(event)), events)),
                // Whoever reads too slowly misses some, and is told so by their numbers.
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    Sse::new(events.boxed()).keep_alive(KeepAlive::default())
}

/// Tells the controller that is at work on this state directory; none where nobody listens.
///
/// # Errors
/// When it refuses, or does not answer.
pub async fn tell(directory: &Path, verb: &Verb) -> Result<Option<Answer>, ControlError> {
    let Some(stream) = connect(directory).await? else { return Ok(None) };
    let body = serde_json::to_vec(verb).map_err(|error| ControlError::Refused(error.to_string()))?;
    let request = request(Method::POST, "/verb").header("content-type", "application/json").body(Bytes::from(body));
    let silent = |what: String| silent(directory, &what);
    let (status, body) = tokio::time::timeout(verb.patience(), exchange(stream, request))
        .await
        .map_err(|_| silent(format!("nothing within {} s", verb.patience().as_secs())))?
        .map_err(silent)?;
    if status != StatusCode::OK {
        return Err(ControlError::Refused(String::from_utf8_lossy(&body).into_owned()));
    }
    serde_json::from_slice(&body).map(Some).map_err(|error| silent(error.to_string()))
}

/// What is read of a status here.
#[derive(Deserialize)]
struct OpenBuild {
    build: Option<OpenBuildId>,
}

#[derive(Deserialize)]
struct OpenBuildId {
    id: String,
}

/// The build that this process works off, once it does: until then it holds the answer back. None where it does not
/// listen here (yet, or any more).
///
/// # Errors
/// When the socket cannot be used.
pub async fn open_build(directory: &Path, process: u32) -> Result<Option<String>, ControlError> {
    let Some(stream) = connect(directory).await? else { return Ok(None) };
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    if peer.and_then(|peer| u32::try_from(peer).ok()) != Some(process) {
        return Ok(None);
    }
    let request = request(Method::GET, "/status").body(Bytes::new());
    // An answer that is none is that of a controller which is just ending.
    let Ok((StatusCode::OK, body)) = exchange(stream, request).await else { return Ok(None) };
    let status: OpenBuild =
        serde_json::from_slice(&body).map_err(|error| silent(directory, &format!("its status is none: {error}")))?;
    Ok(status.build.map(|build| build.id))
}

/// A connection to whoever listens; none where nobody does.
async fn connect(directory: &Path) -> Result<Option<UnixStream>, ControlError> {
    let path = directory.join(NAME);
    match UnixStream::connect(&path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(source) => Err(ControlError::Local { doing: format!("speak to {}", path.display()), source }),
    }
}

fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "control")
}

fn silent(directory: &Path, what: &str) -> ControlError {
    ControlError::Refused(format!("the controller at {} does not answer: {what}", directory.join(NAME).display()))
}

/// One question and its answer; an error is what went wrong, in words.
async fn exchange(
    stream: UnixStream,
    request: axum::http::Result<Request<Bytes>>,
) -> Result<(StatusCode, Bytes), String> {
    let request = request.map_err(|error| error.to_string())?.map(Full::new);
    let exchange = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        sender.send_request(request).await
    };
    let response = exchange.await.map_err(|error: hyper::Error| error.to_string())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
    Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::state::State;

    #[tokio::test]
    async fn a_build_is_open_once_the_asked_process_itself_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let own = std::process::id();
        assert_eq!(open_build(directory.path(), own).await.unwrap(), None, "nobody listens");
        let (asked, mut asks) = mpsc::channel(1);
        let socket = Socket::open(directory.path(), asked, broadcast::Sender::new(1)).unwrap();
        assert_eq!(open_build(directory.path(), own + 1).await.unwrap(), None, "another process listens");
        let answer = async {
            let Some(Asked::Status(answer)) = asks.recv().await else { panic!("not asked for the status") };
            answer.send(Status::of(&State::default(), None, crate::controller::now())).unwrap();
        };
        let (opened, ()) = tokio::join!(open_build(directory.path(), own), answer);
        assert_eq!(opened.unwrap(), None, "no build is open");
        drop(asks);
        assert_eq!(open_build(directory.path(), own).await.unwrap(), None, "it is ending");
        drop(socket);
        assert_eq!(open_build(directory.path(), own).await.unwrap(), None, "it has ended");
    }
}
