//! The controller where that is an orchestrator: asked through the gateway, which knows the one that leads.
//!
//! What only asks is repeated for as long as nobody answers (an orchestrator takes another's place within a few checks of
//! the gateway), as is an order, which means the same however often it is given. Other wishes are repeated only where it
//! is certain that nobody has heard them. The operator is told once, and ends the waiting with Ctrl-C.

pub mod follow;
pub mod place;

use std::time::Duration;

use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::api::{Follower, StateView};
use super::verb::{Answer, Verb};
use crate::core::order::{Form, Receipt};
use crate::core::state::State;
use crate::core::status::Status;
use crate::core::text::escaped;
use crate::http::access::{Token, TokenError};
use crate::http::client::{AskError, Client};
use crate::http::tls::{self, TlsError};
use crate::inventory::{ControllerPlace, Inventory};
use crate::pause::Pauses;
use crate::store::{Journal, name};

/// What can be told at once is told within this time.
const QUICK: Duration = Duration::from_secs(30);
/// The longest answer (bytes).
const ANSWER_LIMIT: usize = 1 << 30;
/// The first pause before nobody's answer is waited for again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What keeps a command from the controller elsewhere.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There is no way to it.
    #[error(
        "`controller` is \"orchestrator\" and the inventory has no `[gateway]`, through which it is asked: add one, or set \
         `controller = \"local\"`"
    )]
    NoGateway,
    /// It would not do anything.
    #[error("the controller is an orchestrator, which does this for whoever has the token: set `token_file`")]
    NoToken,
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody is there; it was not heard.
    #[error("the controller, asked through {gateway}, {why}")]
    Nobody {
        /// Where.
        gateway: String,
        /// What happened.
        why: String,
    },
    /// Whether it was heard is not known.
    #[error("the controller, asked through {gateway}, {why}")]
    Lost {
        /// Where.
        gateway: String,
        /// What happened.
        why: String,
    },
    /// Something else holds the controller's place.
    #[error("{0}")]
    Busy(String),
    /// It says no.
    #[error("{0}")]
    Refused(String),
    /// It says what is none of ours.
    #[error("what the controller answers cannot be read: {0}; are both swarms of one version?")]
    Strange(String),
}

/// A piece of a log there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogPiece {
    /// The job that wrote it.
    pub job: String,
    /// The byte after its last one.
    pub next: u64,
    /// What it says.
    pub text: String,
}

/// The controller elsewhere.
pub struct Remote {
    base: String,
    token: Option<Token>,
    tls: Option<tokio_rustls::TlsConnector>,
}

impl Remote {
    /// The controller of this inventory, where it is not this machine: the orchestrator that leads decides what is asked
    /// there.
    ///
    /// # Errors
    /// There is no gateway, or token or certificate are of no use.
    pub fn of(inventory: &Inventory) -> Result<Option<Self>, RemoteError> {
        if inventory.swarm.controller == ControllerPlace::Local || decides_here(inventory) {
            return Ok(None);
        }
        Self::through_gateway(inventory).map(Some)
    }

    /// The same for whoever only looks: every orchestrator has the books.
    ///
    /// # Errors
    /// As [`Remote::of`].
    pub fn to_look(inventory: &Inventory) -> Result<Option<Self>, RemoteError> {
        if inventory.swarm.controller == ControllerPlace::Local || has_books(inventory) {
            return Ok(None);
        }
        Self::through_gateway(inventory).map(Some)
    }

    fn through_gateway(inventory: &Inventory) -> Result<Self, RemoteError> {
        Self::at(inventory, inventory.gateway_url().ok_or(RemoteError::NoGateway)?)
    }

    /// What is reached at this address, with the token and the certificates of an inventory.
    fn at(inventory: &Inventory, base: String) -> Result<Self, RemoteError> {
        let swarm = &inventory.swarm;
        let token = swarm.token_file.as_deref().map(Token::read).transpose()?;
        let tls = match base.starts_with("https:") {
            true => Some(tls::connector(swarm.tls_cert.as_deref())?),
            false => None,
        };
        Ok(Self { base, token, tls })
    }

    /// The gateway's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// All that is known there.
    ///
    /// # Errors
    /// It does not answer, or not with that.
    pub async fn state(&self) -> Result<StateView, RemoteError> {
        let bytes = self.get("/state").await?;
        let view: StateView = read(&bytes)?;
        let state = view.state.settled().ok_or_else(|| RemoteError::Strange("its state is damaged".to_owned()))?;
        Ok(StateView { sequence: view.sequence, state })
    }

    /// How things stand there.
    ///
    /// # Errors
    /// It does not answer, or with something else.
    pub async fn status(&self) -> Result<Status, RemoteError> {
        read(&self.get("/swarm").await?)
    }

    /// The same, the JSON as it stands.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status_json(&self) -> Result<String, RemoteError> {
        let bytes = self.get("/swarm").await?;
        String::from_utf8(bytes).map_err(|error| RemoteError::Strange(error.to_string()))
    }

    /// What follows in the log of a package after so many bytes of what this job wrote; at first the end of the latest.
    ///
    /// # Errors
    /// It does not answer, or has no such log.
    pub async fn log(&self, package: &str, after: Option<(&str, u64)>) -> Result<LogPiece, RemoteError> {
        let mut path = format!("/page/log?package={}", in_query(package));
        if let Some((job, offset)) = after {
            path.push_str(&format!("&job={}&offset={offset}", in_query(job)));
        }
        read(&self.get(&path).await?)
    }

    /// What happens there from here on.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn events(&self) -> Result<Follower, RemoteError> {
        let request = self.request(Method::GET, "/events", Bytes::new())?;
        let response = self.ask(request, QUICK).await?;
        Ok(Follower::new(response.into_body()))
    }

    /// Has it do something.
    ///
    /// # Errors
    /// It does not answer, or says no.
    pub async fn tell(&self, verb: &Verb) -> Result<Answer, RemoteError> {
        self.post("/verb", verb, verb.patience()).await
    }

    /// Asks for a build.
    ///
    /// # Errors
    /// It does not answer, or says no.
    pub async fn submit(&self, form: &Form) -> Result<Receipt, RemoteError> {
        self.post("/build", form, 10 * QUICK).await
    }

    async fn get(&self, path: &str) -> Result<Vec<u8>, RemoteError> {
        let request = self.request(Method::GET, path, Bytes::new())?;
        self.body(self.ask(request, QUICK).await?).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &impl Serialize,
        patience: Duration,
    ) -> Result<T, RemoteError> {
        let token = self.token.as_ref().ok_or(RemoteError::NoToken)?;
        let body = serde_json::to_vec(what).map_err(|error| RemoteError::Strange(error.to_string()))?;
        let mut request = self.request(Method::POST, path, body.into())?;
        request.headers_mut().insert(header::AUTHORIZATION, token.bearer());
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        read(&self.body(self.ask(request, patience).await?).await?)
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, RemoteError> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base)).body(Full::new(body));
        request.map_err(|error| RemoteError::Strange(error.to_string()))
    }

    async fn ask(&self, request: Request<Full<Bytes>>, patience: Duration) -> Result<Response<Incoming>, RemoteError> {
        let client = Client::new(self.tls.clone(), patience);
        let response = client.ask(request).await.map_err(|error| self.unanswered(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let words = client.read(response.into_body(), 1 << 20).await.unwrap_or_default();
        let words = escaped(String::from_utf8_lossy(&words).trim());
        let gateway = self.base.clone();
        Err(match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                RemoteError::Nobody { gateway, why: format!("answers {status}: {words}") }
            }
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
                RemoteError::Lost { gateway, why: format!("does not answer: {words}") }
            }
            StatusCode::LOCKED => RemoteError::Busy(words),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                RemoteError::Refused(format!("the controller refuses the token of `token_file`: {words}"))
            }
            _ => RemoteError::Refused(words),
        })
    }

    async fn body(&self, response: Response<Incoming>) -> Result<Vec<u8>, RemoteError> {
        let client = Client::new(self.tls.clone(), QUICK);
        client.read(response.into_body(), ANSWER_LIMIT).await.map_err(|error| self.unanswered(&error))
    }

    fn unanswered(&self, error: &AskError) -> RemoteError {
        let (gateway, why) = (self.base.clone(), error.to_string());
        match error {
            AskError::Address(_) => RemoteError::Strange(why),
            AskError::Connect(_) => RemoteError::Nobody { gateway, why },
            AskError::Silent(_) | AskError::Speech(_) | AskError::TooMuch(_) => RemoteError::Lost { gateway, why },
        }
    }
}

/// Whether this machine is an orchestrator with a service.
fn has_books(inventory: &Inventory) -> bool {
    inventory.orchestrators_here().any(|(_, settings)| settings.api.is_some())
}

/// Whether this machine is the orchestrator that decides: the only one, or as far as its journal knows the one that leads.
/// Where the journal cannot be read, whoever uses it says so.
fn decides_here(inventory: &Inventory) -> bool {
    if !has_books(inventory) {
        return false;
    }
    if inventory.orchestrators().iter().filter(|(_, settings)| settings.api.is_some()).count() == 1 {
        return true;
    }
    let directory = &inventory.swarm.state;
    let journal = Journal::open_to_read(directory).ok().flatten();
    let claim = journal.and_then(|journal| journal.latest_claim().ok().flatten());
    let own = claim.and_then(|(_, controller)| name::is_own(directory, &controller).ok().flatten());
    own.unwrap_or(true)
}

/// A text as a value in a query (RFC 3986, section 2.1).
fn in_query(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RemoteError> {
    serde_json::from_slice(bytes).map_err(|error| RemoteError::Strange(error.to_string()))
}

impl RemoteError {
    /// Whether somebody may answer later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Nobody { .. } | Self::Lost { .. })
    }

    /// Whether it is certain that nobody has heard what was said.
    pub fn unheard(&self) -> bool {
        matches!(self, Self::Nobody { .. })
    }
}

/// How long nobody has answered, and whether the operator knows.
#[derive(Debug)]
pub struct Waiting {
    pauses: Pauses,
    told: bool,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { pauses: Pauses::new(FIRST_PAUSE, LONGEST_PAUSE), told: false }
    }
}

impl Waiting {
    /// Waits a moment; tells the operator the first time.
    pub async fn pause(&mut self, error: &RemoteError, mut tell: impl FnMut(&str)) {
        if !std::mem::replace(&mut self.told, true) {
            tell(&format!("{error}; it is asked again until another answers (Ctrl-C ends that)"));
        }
        tokio::time::sleep(self.pauses.next()).await;
    }

    /// Somebody answers.
    pub fn over(&mut self) {
        self.pauses.reset();
        self.told = false;
    }
}

/// What is known there, asked for until somebody answers.
///
/// # Errors
/// What does not pass by waiting.
pub async fn state(remote: &Remote, mut tell: impl FnMut(&str)) -> Result<State, RemoteError> {
    let mut waiting = Waiting::default();
    loop {
        match remote.state().await {
            Ok(view) => return Ok(view.state),
            Err(error) if error.may_pass() => waiting.pause(&error, &mut tell).await,
            Err(error) => return Err(error),
        }
    }
}

/// A build, asked for until somebody answers.
///
/// # Errors
/// What does not pass by waiting.
pub async fn submit(remote: &Remote, form: &Form, mut tell: impl FnMut(&str)) -> Result<Receipt, RemoteError> {
    let mut waiting = Waiting::default();
    loop {
        match remote.submit(form).await {
            Err(error) if error.may_pass() => waiting.pause(&error, &mut tell).await,
            done => return done,
        }
    }
}

/// Another wish, told until somebody hears it.
///
/// # Errors
/// What does not pass by waiting, or may have been heard.
pub async fn tell(remote: &Remote, verb: &Verb, mut tell: impl FnMut(&str)) -> Result<Answer, RemoteError> {
    let mut waiting = Waiting::default();
    loop {
        match remote.tell(verb).await {
            Err(error) if error.unheard() => waiting.pause(&error, &mut tell).await,
            done => return done,
        }
    }
}
