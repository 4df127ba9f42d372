//! Packages that came to the leader's staging, brought to the staging here.
//!
//! What lies here already, in staging or in a release, is not sent. What the leader has released in the meantime comes
//! with its release ([`super::releases`]), which is waited for. A download goes on from the byte at which its file
//! in `staging/.incoming/standby/SHA1` ends; once it is whole it is held against size and hashes of its event, and
//! admitted as a job's would be.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::peer::{AskError, Peer};
use super::serve::Ground;
use crate::core::event::ReceivedFile;
use crate::core::names::{JobName, NameError};
use crate::portage::index::{PackagePath, Stanza};
use crate::release::imprint::{self, Flaw};
use crate::release::{ReleaseError, Shelf, Staging, StagingError};
use crate::ssh::{HostError, HostErrorKind, Turns};

/// One that comes to its end and is not what its event says is fetched so often in all.
const FETCHES: u32 = 3;
/// Between two looks for a release that is to have come.
const LOOK: Duration = Duration::from_millis(500);
/// Whose downloads they are in staging; no job has that name, for a job's begins with its build's.
const OWN: &str = "standby";

/// Why a package is not here.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The leader, or the way there.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The leader's service.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The own staging.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The own releases.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// What comes is never what its event says.
    #[error(
        "{path} comes from {leader} otherwise than its journal says: {flaw}; `swarm verify` there, or build it anew"
    )]
    Flawed {
        /// The package.
        path: String,
        /// From where.
        leader: String,
        /// In what.
        flaw: Flaw,
    },
    /// An event that speaks of no package.
    #[error("the journal's entry of {0} is bad: {1}")]
    Entry(String, String),
    /// A file here.
    #[error("cannot fetch {0}: {1}")]
    Local(String, #[source] std::io::Error),
    /// The task that read was lost.
    #[error("work on files here broke off: {0}; this is a fault of swarm, please report it")]
    Lost(#[from] tokio::task::JoinError),
    /// It has no name to fetch under.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Whether a package is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// It was.
    WasHere,
    /// It came.
    Came,
    /// A release here has it.
    Released,
    /// The leader has it no more: nobody wants it any more.
    Gone,
}

/// Brings packages.
#[derive(Debug)]
pub struct Fetcher {
    leader: Peer,
    staging: Arc<Staging>,
    ground: Ground,
    turns: Turns,
    /// Told where a release is waited for.
    wanted: Arc<Notify>,
}

impl Fetcher {
    /// From this leader to this staging, which is that of the ground; `wanted` makes whoever brings releases look.
    pub fn new(leader: Peer, staging: Arc<Staging>, ground: Ground, wanted: Arc<Notify>) -> Self {
        Self { leader, staging, ground, turns: Turns::default(), wanted }
    }

    /// Brings a package, if it is not here.
    ///
    /// # Errors
    /// The leader is lost, or something here cannot be used.
    pub async fn bring(&self, file: &ReceivedFile) -> Result<Brought, FetchError> {
        let bad = |why: String| FetchError::Entry(file.path.clone(), why);
        let path: PackagePath = file.path.parse().map_err(|_| bad("its path is none".to_owned()))?;
        let stanza = Stanza::of_values(file.stanza.iter()).map_err(|error| bad(error.to_string()))?;
        let sha1 = stanza.sha1().filter(|sum| sum.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let sha1 = sha1.ok_or_else(|| bad("it has no SHA1".to_owned()))?.to_ascii_lowercase();
        let turn = self.turns.of(stanza.size().unwrap_or(u64::MAX)).await;
        if self.is_here(&path, &stanza).await? {
            return Ok(Brought::WasHere);
        }
        let part = self.staging.incoming(&OWN.parse::<JobName>()?)?.join(&sha1);
        let mut fetches = 0;
        loop {
            fetches += 1;
            if !self.download(&path, &part, stanza.size()).await? {
                drop(turn);
                return self.wait_for_release(&path, &sha1).await;
            }
            let (held, whole) = (part.clone(), stanza.clone());
            let Err(flaw) = tokio::task::spawn_blocking(move || imprint::verify(&whole, &held)).await? else { break };
            remove(&part)?;
            if fetches == FETCHES {
                let leader = self.leader.name.to_string();
                return Err(FetchError::Flawed { path: file.path.clone(), leader, flaw });
            }
        }
        let modified = file.imprint.map_or(0, |imprint| imprint.modified_ns);
        let (staging, local) = (Arc::clone(&self.staging), |error| FetchError::Local(file.path.clone(), error));
        date(&part, modified).map_err(local)?;
        tokio::task::spawn_blocking(move || staging.admit(&part, &path)).await??;
        Ok(Brought::Came)
    }

    /// Whether it is here. Another file of its name in staging, of a history that was cut off, goes.
    async fn is_here(&self, path: &PackagePath, stanza: &Stanza) -> Result<bool, FetchError> {
        let (staging, production) = (Arc::clone(&self.staging), self.ground.production.clone());
        let (path, stanza) = (path.clone(), stanza.clone());
        let look = move || -> Result<bool, FetchError> {
            if staging.size(&path)?.is_some() {
                match imprint::verify(&stanza, &staging.file(&path)) {
                    Ok(()) => return Ok(true),
                    Err(_) => staging.remove(&path)?,
                };
            }
            for release in Shelf::look(&production)?.list()?.iter().rev() {
                let there = release.root.join(path.to_string());
                if imprint::verify(&stanza, &there).is_ok() {
                    staging.admit_copy(&there, &path)?;
                    return Ok(true);
                }
            }
            Ok(false)
        };
        tokio::task::spawn_blocking(look).await?
    }

    /// What left the leader's staging since its event came is in a release, or wanted by nobody.
    async fn wait_for_release(&self, path: &PackagePath, sha1: &str) -> Result<Brought, FetchError> {
        loop {
            let (ground, path_here, sum) = (self.ground.clone(), path.clone(), sha1.to_owned());
            if tokio::task::spawn_blocking(move || ground.has_released(&path_here, &sum)).await?? {
                return Ok(Brought::Released);
            }
            if !self.leader.has_released(path, sha1).await? {
                return Ok(Brought::Gone);
            }
            self.wanted.notify_one();
            tokio::time::sleep(LOOK).await;
        }
    }

    /// False where the leader does not have it.
    async fn download(&self, path: &PackagePath, part: &Path, size: Option<u64>) -> Result<bool, FetchError> {
        let before = std::fs::metadata(part).map_or(0, |part| part.len());
        // What is longer than the whole cannot be the beginning of it.
        if size.is_some_and(|size| before > size) {
            remove(part)?;
        } else if size == Some(before) {
            return Ok(true);
        }
        let remote = format!("{}/{path}", self.leader.staging);
        let fetched = self.leader.host.download(&remote, part).await;
        match fetched {
            Ok(_) => Ok(true),
            Err(error) if error.kind == HostErrorKind::Failed => {
                match self.leader.host.read_from(&remote, 0, 1).await? {
                    Some(_) => Err(error.into()),
                    None => {
                        remove(part)?;
                        Ok(false)
                    }
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn remove(part: &Path) -> Result<(), FetchError> {
    match std::fs::remove_file(part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(FetchError::Local(part.display().to_string(), error))
        }
        _ => Ok(()),
    }
}

/// Gives a file the time that its entry in the index speaks of.
fn date(file: &Path, modified_ns: i64) -> std::io::Result<()> {
    let since = Duration::from_nanos(modified_ns.max(0).unsigned_abs());
    fs_err::OpenOptions::new().write(true).open(file)?.into_file().set_modified(SystemTime::UNIX_EPOCH + since)
}
