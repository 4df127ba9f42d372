//! The controller's ear: `control.sock` in the state directory, HTTP over a Unix socket.
//!
//! `POST /verb` takes a [`Verb`] as JSON and answers with the lines for the operator; the rest is what every controller
//! answers ([`api`]). Who may open the socket is whoever may open the state directory; there is no other permission, but
//! that commands on hosts ([`super::exec::through`]) are for the user alone whose controller it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Shared};
use axum::http::{Method, Request, StatusCode};
use axum::routing::post;
use axum::serve::IncomingStream;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::api::{self, Desk, Follower, Refusal};
use super::error::ControlError;
use super::exec::through::Ways;
use super::verb::{Answer, Verb};
use crate::core::names::BuildName;
use crate::core::status::Status;
use crate::http::client;
use crate::http::contract::{Contract, Promise};
use crate::http::stop::{self, Stop, Stopper};

/// The socket's name in the state directory.
const NAME: &str = "control.sock";
/// A longer answer (bytes) than this is none of ours.
const ANSWER_LIMIT: usize = 64 << 20;

/// Between two looks whether somebody listens, and has heard what was told.
const LOOK: Duration = Duration::from_millis(5);
/// A controller that is at work says within this time how things stand.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Listeners are waited for so long.
const LISTENERS: Duration = Duration::from_secs(2);

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
    stopper: Stopper,
    events: broadcast::Sender<String>,
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
    ways: Option<Ways>,
    stop: Stop,
}

/// The user who asks, where the system says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peer(Option<u32>);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|peer| peer.uid()))
    }
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
        Self::open_with(directory, asked, events, None)
    }

    /// The same, where commands can go by the ways that a controller has to its hosts.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open_with(
        directory: &Path,
        asked: mpsc::Sender<Asked>,
        events: broadcast::Sender<String>,
        ways: Option<Ways>,
    ) -> Result<Self, ControlError> {
        let path = directory.join(NAME);
        let local = |source| ControlError::Local { doing: format!("listen at {}", path.display()), source };
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(local(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(local)?;
        let (stopper, stop) = stop::channel();
        let stopped = stop.clone().wait();
        let told = events.clone();
        let router = routes().into_router().layer(DefaultBodyLimit::max(LONGEST_VERB));
        let router = router.with_state(Ear { asked, events, ways, stop });
        let router = router.into_make_service_with_connect_info::<Peer>();
        let served = tokio::spawn(async move {
            // It ends with the task.
            let _ended = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
        });
        Ok(Self { path, served, stopper, events: told })
    }

    /// Waits until somebody listens to what happens, for a while: who begins a controller wants to hear all of it.
    pub async fn heard(&self) {
        let listening = async {
            while self.events.receiver_count() == 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _nobody = tokio::time::timeout(LISTENERS, listening).await;
    }

    /// Ends it once whoever listens has heard all that was told; one that does not listen is not waited for.
    pub async fn close(mut self) {
        let told = async {
            while !self.events.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _late = tokio::time::timeout(LISTENERS, told).await;
        self.stopper.stop();
        let _late = tokio::time::timeout(LISTENERS, &mut self.served).await;
    }
}

/// What is answered at the socket.
fn routes() -> Contract<Ear> {
    let verb_told = Promise::to("Does what an operator asks, as the verb of the same name")
        .takes::<Verb>()
        .json::<Answer>(200, "Done, with what the operator is told")
        .text(400, "The body is no JSON")
        .text(409, "It cannot be done; the text says why")
        .text(413, "The body is too large")
        .text(415, "The body is not said to be JSON")
        .text(422, "The body asks for nothing that there is")
        .text(503, "The controller is just ending");
    api::routes().post("/verb", verb_told, verb).beside(Router::new().route("/exec", post(exec)))
}

/// The OpenAPI document of the socket.
pub fn document() -> serde_json::Value {
    routes().document(
        "swarm: the controller's socket",
        "HTTP over the Unix socket control.sock in the state directory, there while a controller is at work. Whoever may \
         open the state directory may ask.",
    )
}

impl Ear {
    async fn ask(&self, asked: Asked) -> Result<(), Refusal> {
        self.asked.send(asked).await.map_err(|_| ending())
    }
}

impl Desk for Ear {
    type Status = Status;

    async fn status(&self) -> Result<Status, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(Asked::Status(answer)).await?;
        answered.await.map_err(|_| ending())
    }

    fn events(&self) -> broadcast::Receiver<String> {
        self.events.subscribe()
    }

    fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

/// A plan may come with it.
const LONGEST_VERB: usize = 256 << 20;

async fn verb(Shared(ear): Shared<Ear>, Json(verb): Json<Verb>) -> Result<Json<Answer>, Refusal> {
    let (answer, answered) = oneshot::channel();
    ear.ask(Asked::Verb(verb, answer)).await?;
    match answered.await {
        Ok(Ok(told)) => Ok(Json(told)),
        Ok(Err(refusal)) => Err((StatusCode::CONFLICT, refusal)),
        Err(_) => Err(ending()),
    }
}

async fn exec(Shared(ear): Shared<Ear>, ConnectInfo(peer): ConnectInfo<Peer>, body: Body) -> Result<Body, Refusal> {
    let own = Peer(Some(rustix::process::geteuid().as_raw()));
    match ear.ways.filter(|_| peer == own) {
        Some(ways) => ways.run(body).await,
        None => Err((StatusCode::FORBIDDEN, "nothing is run for you here".to_owned())),
    }
}

fn ending() -> Refusal {
    (StatusCode::SERVICE_UNAVAILABLE, "the controller is just ending; try again".to_owned())
}

/// What came of telling a controller.
#[derive(Debug)]
pub enum Reply {
    /// Nobody listens.
    Nobody,
    /// It is just ending, or about to begin its work.
    Ending(String),
    /// It has done so.
    Done(Answer),
}

/// Tells the controller that is at work on this state directory; none where nobody listens.
///
/// # Errors
/// When it refuses, or does not answer.
pub async fn tell(directory: &Path, verb: &Verb) -> Result<Option<Answer>, ControlError> {
    match try_tell(directory, verb).await? {
        Reply::Nobody => Ok(None),
        Reply::Ending(why) => Err(ControlError::Refused(why)),
        Reply::Done(answer) => Ok(Some(answer)),
    }
}

/// The same for whoever can wait for another controller.
///
/// # Errors
/// When it refuses, or does not answer.
pub async fn try_tell(directory: &Path, verb: &Verb) -> Result<Reply, ControlError> {
    let Some(stream) = connect(directory).await? else { return Ok(Reply::Nobody) };
    let body = serde_json::to_vec(verb).map_err(|error| ControlError::Refused(error.to_string()))?;
    let request = request(Method::POST, "/verb").header("content-type", "application/json").body(Bytes::from(body));
    let silent = |what: String| silent(directory, &what);
    let (status, body) = tokio::time::timeout(verb.patience(), exchange(stream, request))
        .await
        .map_err(|_| silent(format!("nothing within {} s", verb.patience().as_secs())))?
        .map_err(silent)?;
    let said = || String::from_utf8_lossy(&body).into_owned();
    match status {
        StatusCode::OK => serde_json::from_slice(&body).map(Reply::Done).map_err(|error| silent(error.to_string())),
        StatusCode::SERVICE_UNAVAILABLE => Ok(Reply::Ending(said())),
        _ => Err(ControlError::Refused(said())),
    }
}

/// The build that this process works off, once it does: until then it holds the answer back. None where it does not
/// listen here (yet, or any more).
///
/// # Errors
/// When the socket cannot be used.
pub async fn open_build(directory: &Path, process: u32) -> Result<Option<BuildName>, ControlError> {
    let Some(stream) = connect(directory).await? else { return Ok(None) };
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid());
    if peer.and_then(|peer| u32::try_from(peer).ok()) != Some(process) {
        return Ok(None);
    }
    let status = status_by(stream, directory).await?;
    Ok(status.and_then(|status| status.build).map(|build| build.id))
}

/// How things stand at the controller that is at work; none where nobody listens, or answers at once: one that is about
/// to begin its work holds the answer back.
///
/// # Errors
/// When the socket cannot be used.
pub async fn status(directory: &Path) -> Result<Option<Status>, ControlError> {
    let Some(stream) = connect(directory).await? else { return Ok(None) };
    let told = tokio::time::timeout(AT_ONCE, status_by(stream, directory)).await;
    told.unwrap_or(Ok(None))
}

async fn status_by(stream: UnixStream, directory: &Path) -> Result<Option<Status>, ControlError> {
    let request = request(Method::GET, "/status").body(Bytes::new());
    // An answer that is none is that of a controller which is just ending.
    let Ok((StatusCode::OK, body)) = exchange(stream, request).await else { return Ok(None) };
    let status = serde_json::from_slice(&body);
    status.map(Some).map_err(|error| silent(directory, &format!("its status is none: {error}")))
}

/// What happens at the controller that is at work, from here on; none where nobody listens.
///
/// # Errors
/// When the socket cannot be used.
pub async fn follow(directory: &Path) -> Result<Option<Follower>, ControlError> {
    let Some(stream) = connect(directory).await? else { return Ok(None) };
    let request = request(Method::GET, "/events").body(Full::default());
    let Ok(request) = request else { return Ok(None) };
    // An answer that is none is that of a controller which is just ending.
    let Ok(response) = client::exchange(stream, request).await else { return Ok(None) };
    Ok((response.status() == StatusCode::OK).then(|| Follower::new(response.into_body())))
}

/// The process of the controller that is at work on this state directory; none where nobody is.
///
/// # Errors
/// When the socket cannot be used, or the system does not say who listens.
pub async fn at_work(directory: &Path) -> Result<Option<u32>, ControlError> {
    let Some(stream) = connect(directory).await? else { return Ok(None) };
    let peer = stream.peer_cred().ok().and_then(|peer| peer.pid()).and_then(|peer| u32::try_from(peer).ok());
    peer.map(Some).ok_or_else(|| silent(directory, "the system does not say which process listens"))
}

/// A connection to whoever listens; none where nobody does.
pub(super) async fn connect(directory: &Path) -> Result<Option<UnixStream>, ControlError> {
    let path = directory.join(NAME);
    match UnixStream::connect(&path).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
            Ok(None)
        }
        Err(source) => Err(ControlError::Local { doing: format!("speak to {}", path.display()), source }),
    }
}

pub(super) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "control")
}

pub(super) fn silent(directory: &Path, what: &str) -> ControlError {
    ControlError::Refused(format!("the controller at {} does not answer: {what}", directory.join(NAME).display()))
}

/// One question and its answer; an error is what went wrong, in words.
async fn exchange(
    stream: UnixStream,
    request: axum::http::Result<Request<Bytes>>,
) -> Result<(StatusCode, Bytes), String> {
    let request = request.map_err(|error| error.to_string())?.map(Full::new);
    let response = match client::exchange(stream, request).await {
        // It closed the line before it was told: whoever can wait for another controller may ask that one.
        Err(error) if error.is_canceled() => {
            let (status, why) = ending();
            return Ok((status, why.into()));
        }
        answered => answered.map_err(|error| error.to_string())?,
    };
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
