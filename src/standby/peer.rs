//! Another orchestrator, asked at its socket through SSH.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::Response;
use hyper::body::{Bytes, Incoming};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lines::Lines;
use crate::core::names::HostName;
use crate::core::role::Standing;
use crate::core::standby::Lag;
use crate::core::text::escaped;
use crate::http::client;
use crate::portage::index::PackagePath;
use crate::ssh::{Host, HostError};
use crate::store::History;
use crate::store::journal::Sum;

/// The socket's name in a state directory.
pub const SOCKET: &str = "orchestrator.sock";
/// So long an answer may take: a look at a large journal, through a slow line.
const PATIENCE: Duration = Duration::from_secs(30);
/// A longer answer (bytes) is none of ours: the longest is the list of a release's files.
const ANSWER_LIMIT: usize = 256 << 20;
/// One that follows is told of a sign of life at least this often.
pub const SIGN_OF_LIFE: Duration = Duration::from_secs(3);
/// Without one for so long it is taken to be gone.
const SILENCE: Duration = Duration::from_secs(15);

/// Another orchestrator of the inventory; all of them have the same directories.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its name.
    pub name: HostName,
    /// The lowest leads where nothing else decides.
    pub priority: u32,
    /// The way there.
    pub host: Arc<dyn Host>,
    /// Its state directory.
    pub state: String,
    /// Its staging directory.
    pub staging: String,
    /// Its production.
    pub production: String,
}

/// Why a peer has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It cannot be reached, or its service does not run.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Its service is silent.
    #[error("the service of {0} does not answer within {patience} s", patience = PATIENCE.as_secs())]
    Silent(HostName),
    /// Its service says something else.
    #[error("the service of {0} does not answer {1}: {2}")]
    Speech(HostName, String, String),
    /// It says that what is told, or asked for, is not what its journal has.
    #[error("the service of {0} refuses {1}: {2}")]
    Refused(HostName, String, String),
}

/// What a standby tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Told {
    /// Who it is.
    pub standby: HostName,
    /// It has all events up to this one, with all packages that they speak of: in staging, or in a release.
    pub has: i64,
    /// The number of its journal's last event.
    pub events: i64,
    /// The digest of the last event; none where it has none.
    pub digest: Option<String>,
}

impl Peer {
    /// Where it stands.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn standing(&self) -> Result<Standing, AskError> {
        self.get("/standing").await
    }

    /// The epochs of its journal.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn history(&self) -> Result<History, AskError> {
        self.get("/history").await
    }

    /// What its journal comes to; none where it has none.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn sum(&self) -> Result<Option<Sum>, AskError> {
        self.get("/sum").await
    }

    /// The digests of its events after this one up to that one.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn digests(&self, after: i64, until: i64) -> Result<Vec<String>, AskError> {
        self.get(&format!("/digests?after={after}&until={until}")).await
    }

    /// The packages in its staging, by their paths.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn staged(&self) -> Result<std::collections::BTreeSet<String>, AskError> {
        self.get("/staged").await
    }

    /// Whether one of its releases has a package, as it was received or signed.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn has_released(&self, path: &PackagePath, sha1: &str) -> Result<bool, AskError> {
        self.get(&format!("/released?path={path}&sha1={sha1}")).await
    }

    /// Its next events after this one, so many, one a line, as they come.
    ///
    /// # Errors
    /// It does not answer, or its journal does not have this event.
    pub async fn journal(&self, after: i64, digest: Option<&str>, limit: usize) -> Result<Lines, AskError> {
        let digest = digest.map_or_else(String::new, |digest| format!("&digest={digest}"));
        let what = format!("/journal?after={after}&limit={limit}{digest}");
        let response = self.ask(Method::GET, &what, Bytes::new()).await?;
        Ok(Lines::new(response.into_body(), SILENCE))
    }

    /// Tells it what this one has; it says how far that is behind.
    ///
    /// # Errors
    /// It does not answer, or its journal does not have this event.
    pub async fn tell(&self, told: &Told) -> Result<Lag, AskError> {
        let what = "/progress";
        let body = serde_json::to_vec(told).map_err(|error| self.speech(what, error.to_string()))?;
        let response = self.ask(Method::POST, what, body.into()).await?;
        self.read(what, response).await
    }

    /// Has its controller stand down, so that this one can take its place; where it stands then.
    ///
    /// # Errors
    /// It does not answer, or does not stand down.
    pub async fn resign(&self) -> Result<Standing, AskError> {
        let what = "/resign";
        let response = self.ask(Method::POST, what, Bytes::new()).await?;
        self.read(what, response).await
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// There is none.
    pub async fn get<T: DeserializeOwned>(&self, what: &str) -> Result<T, AskError> {
        let response = self.ask(Method::GET, what, Bytes::new()).await?;
        self.read(what, response).await
    }

    async fn read<T: DeserializeOwned>(&self, what: &str, response: Response<Incoming>) -> Result<T, AskError> {
        let bytes = self.collect(what, response).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.speech(what, error.to_string()))
    }

    async fn collect(&self, what: &str, response: Response<Incoming>) -> Result<Bytes, AskError> {
        let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect();
        let body = tokio::time::timeout(PATIENCE, body).await.map_err(|_| AskError::Silent(self.name.clone()))?;
        body.map(|body| body.to_bytes()).map_err(|error| self.speech(what, error.to_string()))
    }

    async fn ask(&self, method: Method, what: &str, body: Bytes) -> Result<Response<Incoming>, AskError> {
        let asked = async {
            let stream = self.host.socket(&format!("{}/{SOCKET}", self.state)).await?;
            let request = Request::builder()
                .method(method)
                .uri(what)
                .header("host", "orchestrator")
                .header("content-type", "application/json")
                .body(Full::new(body))
                .map_err(|error| self.speech(what, error.to_string()))?;
            client::exchange(stream, request).await.map_err(|error| self.speech(what, error.to_string()))
        };
        let response =
            tokio::time::timeout(PATIENCE, asked).await.map_err(|_| AskError::Silent(self.name.clone()))??;
        match response.status() {
            StatusCode::OK => Ok(response),
            status => {
                let said = self.collect(what, response).await?;
                let said = escaped(String::from_utf8_lossy(&said).trim());
                match status {
                    StatusCode::CONFLICT => Err(AskError::Refused(self.name.clone(), what.to_owned(), said)),
                    _ => Err(self.speech(what, format!("{status}: {said}"))),
                }
            }
        }
    }

    fn speech(&self, what: &str, why: String) -> AskError {
        AskError::Speech(self.name.clone(), what.to_owned(), why)
    }
}
