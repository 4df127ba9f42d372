//! What an orchestrator tells others of its kind: `orchestrator.sock` in its state directory, HTTP over a Unix socket.
//!
//! | | |
//! |---|---|
//! | `GET /standing` | where it stands: [`Standing`] |
//! | `GET /history` | the epochs of its journal: [`History`] |
//! | `GET /sum` | what its journal comes to, for one to which its events do not reach back: [`Sum`], or null |
//! | `GET /digests?after=N&until=M` | the digests of its events, an array |
//! | `GET /journal?after=N&digest=D&limit=M` | its next M events after N, an [`Entry`] a line, and on as they come; an empty line is a sign of life. 409 where its event N is another one |
//! | `POST /progress` | what a standby has: [`Told`]; answers with its [`Lag`]. 409 where that is of another history |
//! | `POST /resign` | its controller is to stand down; where it stands once nobody is at work there |
//! | `GET /staged` | the paths of the packages in staging, an array |
//! | `GET /released?path=P&sha1=S` | whether a kept release has this package, as it was received or signed: a boolean |
//! | `GET /releases` | the kept releases: [`Kept`] |
//! | `GET /releases/ID` | what one of them consists of: [`Manifest`] |
//!
//! Files are fetched by SFTP. Who may open the socket is whoever may open the state directory.
//!
//! [`Entry`]: crate::store::Entry
//! [`Kept`]: crate::release::mirror::Kept
//! [`Manifest`]: crate::release::mirror::Manifest

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Path as Named, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures::StreamExt;
use hyper::body::Bytes;
use serde::Deserialize;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::peer::{SIGN_OF_LIFE, SOCKET, Told};
use super::progress;
use crate::core::names::{Epoch, ReleaseName, Timestamp};
use crate::core::role::Standing;
use crate::core::standby::{Lag, Progress};
use crate::inventory::Housekeeping;
use crate::portage::index::PackagePath;
use crate::release::mirror::{Kept, Manifest};
use crate::release::{ReleaseError, Shelf, Staging, StagingError};
use crate::store::journal::Sum;
use crate::store::name::{self, OwnNameError};
use crate::store::{History, Journal, StoreError};

/// Between two looks at the journal for those who follow it.
const LOOK: Duration = Duration::from_millis(100);
/// So many events are read at once.
const PIECE: usize = 500;
/// Pieces that may wait for the line.
const QUEUE: usize = 4;

/// What an orchestrator has to tell of.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Its state directory.
    pub state: PathBuf,
    /// Its staging directory.
    pub staging: PathBuf,
    /// Its production.
    pub production: PathBuf,
    /// What its journal is kept to.
    pub limits: Housekeeping,
    /// Its clock.
    pub now: fn() -> Timestamp,
}

/// Why something cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] StoreError),
    /// The own name.
    #[error(transparent)]
    Name(#[from] OwnNameError),
    /// Production.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// Staging.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// A small file.
    #[error("cannot write down what a standby has: {0}")]
    Progress(#[source] io::Error),
    /// It does not fit.
    #[error("{0}")]
    Conflict(String),
    /// The task that read was lost.
    #[error("work on files here broke off: {0}; this is a fault of swarm, please report it")]
    Lost(#[from] tokio::task::JoinError),
}

impl IntoResponse for GroundError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Release(ReleaseError::Unknown { .. }) => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, format!("{self}\n")).into_response()
    }
}

impl Ground {
    /// Where this orchestrator stands.
    ///
    /// # Errors
    /// Its journal or its name cannot be read.
    pub fn standing(&self) -> Result<Standing, GroundError> {
        let release = Shelf::look(&self.production)?.live()?;
        let Some(journal) = self.journal()? else {
            return Ok(Standing { epoch: Epoch::default(), controller: None, own: false, last: 0, release });
        };
        let (epoch, controller) = match journal.latest_claim()? {
            Some((epoch, controller)) => (epoch, Some(controller)),
            None => (Epoch::default(), None),
        };
        // A journal from before names had a file is this controller's own: none was copied then.
        let own = match &controller {
            Some(known) => name::own(&self.state, Some(known))? == *known,
            None => false,
        };
        Ok(Standing { epoch, controller, own, last: journal.last()?, release })
    }

    fn journal(&self) -> Result<Option<Journal>, StoreError> {
        Journal::open_to_read(&self.state)
    }

    fn history(&self) -> Result<History, GroundError> {
        Ok(self.journal()?.map(|journal| journal.history()).transpose()?.unwrap_or_default())
    }

    fn sum(&self) -> Result<Option<Sum>, GroundError> {
        Ok(self.journal()?.map(|journal| journal.sum()).transpose()?)
    }

    fn digests(&self, range: &Range) -> Result<Vec<String>, GroundError> {
        let Some(journal) = self.journal()? else { return Ok(Vec::new()) };
        let count = usize::try_from(range.until.unwrap_or(range.after) - range.after).unwrap_or(0);
        Ok(journal.after(range.after, count)?.iter().map(crate::store::Entry::digest).collect())
    }

    /// Whether this event, or none, is the one that the journal has under its number.
    fn hold(journal: Option<&Journal>, sequence: i64, digest: Option<&str>) -> Result<(), GroundError> {
        let gone = journal.map(|journal| journal.gone()).transpose()?.unwrap_or(0);
        if gone > 0 && sequence <= gone {
            return Err(GroundError::Conflict(format!("the events up to {gone} are not kept here any more")));
        }
        let (0, None) = (sequence, digest) else {
            let entry = journal.map(|journal| journal.entry(sequence)).transpose()?.flatten();
            return match entry {
                Some(entry) if digest.is_none_or(|digest| entry.digest() == digest) => Ok(()),
                Some(_) => Err(GroundError::Conflict(format!("event {sequence} is another one here"))),
                None => Err(GroundError::Conflict(format!("there is no event {sequence} here"))),
            };
        };
        Ok(())
    }

    fn staged(&self) -> Result<BTreeSet<String>, GroundError> {
        let staged = Staging::open(&self.staging)?.list()?;
        Ok(staged.into_iter().map(|staged| staged.path.to_string()).collect())
    }

    fn take_note(&self, told: &Told) -> Result<Lag, GroundError> {
        let journal = self.journal()?;
        Self::hold(journal.as_ref(), told.events, told.digest.as_deref())?;
        let now = (self.now)();
        let progress = Progress { has: told.has.min(told.events), events: told.events, heard: now };
        progress::write(&self.state, &told.standby, &progress).map_err(GroundError::Progress)?;
        Ok(match journal {
            Some(journal) => progress::lag(&journal, &progress, now)?,
            None => Lag::default(),
        })
    }

    /// Whether a kept release has a package that was received with this sum.
    ///
    /// # Errors
    /// A release cannot be read.
    pub fn has_released(&self, path: &PackagePath, sha1: &str) -> Result<bool, ReleaseError> {
        let known = Shelf::look(&self.production)?.known(&[(path, sha1)].into())?;
        Ok(known.as_received.contains(path) || known.signed.contains_key(path))
    }
}

/// Whether nobody is at work here any more; why not.
pub type Resigned = Result<(), String>;
/// The way to whoever can have the controller here stand down.
pub type Resign = mpsc::Sender<oneshot::Sender<Resigned>>;

/// The socket, served until it is dropped.
#[derive(Debug)]
pub struct Socket {
    served: tokio::task::JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Its name stays, and nobody answers there.
        self.served.abort();
    }
}

impl Socket {
    /// Listens in the state directory, which is made where it is missing. One of before is replaced in one step.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn open(ground: Ground, resign: Resign) -> io::Result<Self> {
        fs_err::create_dir_all(&ground.state)?;
        let path = ground.state.join(SOCKET);
        let new = ground.state.join(format!(".{SOCKET}.{}", std::process::id()));
        match fs_err::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&new)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen at {}: {error}", new.display())))?;
        fs_err::rename(&new, &path)?;
        let router = router(ground).layer(Extension(resign));
        let served = tokio::spawn(async move {
            // It ends with the task.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { served })
    }
}

fn router(ground: Ground) -> Router {
    Router::new()
        .route("/standing", get(|ground| look(ground, |ground| ground.standing())))
        .route("/history", get(|ground| look(ground, |ground| ground.history())))
        .route("/sum", get(|ground| look(ground, |ground| ground.sum())))
        .route("/staged", get(|ground| look(ground, |ground| ground.staged())))
        .route("/digests", get(digests))
        .route("/journal", get(journal))
        .route("/progress", post(take_note))
        .route("/resign", post(stand_down))
        .route("/released", get(released))
        .route("/releases", get(|ground| look(ground, |ground| Ok(Kept::of(&Shelf::look(&ground.production)?)?))))
        .route("/releases/{name}", get(release))
        .with_state(Arc::new(ground))
}

type Grounds = Shared<Arc<Ground>>;

/// Looks at files beside the runtime.
async fn look<T: Send + 'static>(
    Shared(ground): Grounds,
    work: impl FnOnce(&Ground) -> Result<T, GroundError> + Send + 'static,
) -> Result<Json<T>, GroundError> {
    Ok(Json(tokio::task::spawn_blocking(move || work(&ground)).await??))
}

/// A part of the journal.
#[derive(Debug, Deserialize)]
struct Range {
    after: i64,
    until: Option<i64>,
    digest: Option<String>,
    limit: Option<usize>,
}

async fn digests(ground: Grounds, Query(range): Query<Range>) -> Result<Json<Vec<String>>, GroundError> {
    look(ground, move |ground| ground.digests(&range)).await
}

async fn take_note(ground: Grounds, Json(told): Json<Told>) -> Result<Json<Lag>, GroundError> {
    look(ground, move |ground| ground.take_note(&told)).await
}

/// Has the controller here stand down, and then tells where this one stands.
async fn stand_down(ground: Grounds, Extension(resign): Extension<Resign>) -> Result<Json<Standing>, GroundError> {
    let (answer, answered) = oneshot::channel();
    let ending = || GroundError::Conflict("the service is just ending".to_owned());
    resign.send(answer).await.map_err(|_| ending())?;
    answered.await.map_err(|_| ending())?.map_err(GroundError::Conflict)?;
    look(ground, |ground| ground.standing()).await
}

/// A package as it was received.
#[derive(Debug, Deserialize)]
struct Received {
    path: PackagePath,
    sha1: String,
}

async fn released(ground: Grounds, Query(received): Query<Received>) -> Result<Json<bool>, GroundError> {
    look(ground, move |ground| Ok(ground.has_released(&received.path, &received.sha1)?)).await
}

async fn release(ground: Grounds, Named(name): Named<ReleaseName>) -> Result<Json<Manifest>, GroundError> {
    look(ground, move |ground| Ok(Manifest::of(&Shelf::look(&ground.production)?, &name)?)).await
}

async fn journal(Shared(ground): Grounds, Query(range): Query<Range>) -> Result<Response, GroundError> {
    let (lines, told) = mpsc::channel(QUEUE);
    let (state, after, limit) = (ground.state.clone(), range.after, range.limit.unwrap_or(usize::MAX));
    let held = move || Ground::hold(ground.journal()?.as_ref(), range.after, range.digest.as_deref());
    tokio::task::spawn_blocking(held).await??;
    tokio::task::spawn_blocking(move || {
        if let Err(error) = tell(&state, after, limit, &lines) {
            tracing::error!("cannot tell a standby what happens: {error}");
        }
    });
    let told = futures::stream::unfold(told, |mut told| async move { Some((told.recv().await?, told)) });
    Ok(Body::from_stream(told.map(Ok::<Bytes, io::Error>)).into_response())
}

/// Tells so many events after this one, until nobody listens any more or the journal is not what it was.
fn tell(state: &Path, after: i64, limit: usize, lines: &mpsc::Sender<Bytes>) -> Result<(), StoreError> {
    let mut journal = None;
    let (mut last, mut left) = (after, limit);
    let mut epoch = None;
    let mut spoken = Instant::now();
    while left > 0 && !lines.is_closed() {
        if journal.is_none() {
            journal = Journal::open_to_read(state)?;
        }
        if let Some(journal) = &journal {
            if last > 0 {
                let now = journal.epoch_at(last)?;
                if now.is_none() || epoch.is_some_and(|epoch| now != Some(epoch)) {
                    // What was told is not in it any more: it is a copy of another one now.
                    return Ok(());
                }
                epoch = now;
            }
            let entries = journal.after(last, PIECE.min(left))?;
            if let Some(newest) = entries.last() {
                left -= entries.len();
                (last, epoch) = (newest.sequence, Some(newest.epoch));
                let text = entries.iter().filter_map(|entry| serde_json::to_string(entry).ok());
                let text: String = text.flat_map(|line| [line, "\n".to_owned()]).collect();
                if lines.blocking_send(text.into()).is_err() {
                    return Ok(());
                }
                spoken = Instant::now();
                continue;
            }
        }
        if spoken.elapsed() >= SIGN_OF_LIFE {
            if lines.blocking_send(Bytes::from_static(b"\n")).is_err() {
                return Ok(());
            }
            spoken = Instant::now();
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
