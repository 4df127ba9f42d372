//! What the journal of this host says, read beside the controller that writes it.
//!
//! It is read only when something was written, and then five times a second at most, and of what was read before only
//! what came since: whoever asks over and over costs one look ([`Lookout`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::core::names::{ReleaseName, Timestamp};
use crate::core::state::State;
use crate::release::{ReleaseError, Shelf};
use crate::store::journal::{Lookout, News, Said};
use crate::store::{History, StoreError};

/// What was read so long ago is taken as it is.
pub const FRESH: Duration = Duration::from_millis(200);

/// The journal and the releases of this host.
#[derive(Debug)]
pub struct Books {
    state: PathBuf,
    production: PathBuf,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    /// None where it is known to be old.
    looked: Option<Instant>,
    lookout: Lookout,
    read: Arc<Read>,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// What the journal says; the state of the beginning where there is none.
    pub state: State,
    /// The events that led to it.
    pub history: History,
    /// The live release.
    pub release: Option<ReleaseName>,
    /// The TIMESTAMP of its index, where that has one.
    pub release_timestamp: Option<Timestamp>,
}

impl Read {
    /// The number of the last event that led to the state; zero where there is none.
    pub fn sequence(&self) -> i64 {
        self.history.last
    }

    fn said(self) -> Said {
        Said { state: self.state, history: self.history }
    }
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] StoreError),
    /// Production.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The task that read was lost.
    #[error("cannot read the journal: {0}")]
    Lost(#[from] tokio::task::JoinError),
}

impl Books {
    /// Those of this state directory and this production. Nothing is read yet.
    pub fn new(state: PathBuf, production: PathBuf) -> Self {
        Self { state, production, kept: Mutex::default() }
    }

    /// What they say now.
    ///
    /// # Errors
    /// Something is there and cannot be read.
    pub async fn read(&self) -> Result<Arc<Read>, BooksError> {
        self.read_within(FRESH).await
    }

    /// The same, with all that has been written until now.
    ///
    /// # Errors
    /// As [`Books::read`].
    pub async fn read_anew(&self) -> Result<Arc<Read>, BooksError> {
        self.read_within(Duration::ZERO).await
    }

    /// Something has been written: what was read before is not taken as it is any more.
    pub async fn expire(&self) {
        if let Some(kept) = self.kept.lock().await.as_mut() {
            kept.looked = None;
        }
    }

    async fn read_within(&self, fresh: Duration) -> Result<Arc<Read>, BooksError> {
        // Who comes while somebody reads waits for the same answer.
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.looked.is_some_and(|looked| looked.elapsed() < fresh)) {
            return Ok(kept.read.clone());
        }
        let (state, production, before) = (self.state.clone(), self.production.clone(), kept.take());
        let read = tokio::task::spawn_blocking(move || look(&state, &production, before)).await??;
        Ok(kept.insert(read).read.clone())
    }
}

fn look(state: &Path, production: &Path, before: Option<Kept>) -> Result<Kept, BooksError> {
    let shelf = Shelf::look(production)?;
    let release = shelf.live()?;
    let (mut lookout, before) = match before {
        Some(kept) => (kept.lookout, kept.read),
        None => (Lookout::new(state.to_owned()), Arc::default()),
    };
    let news = lookout.look()?;
    if news == News::None && before.release == release {
        return Ok(Kept { looked: Some(Instant::now()), lookout, read: before });
    }
    let before = match news {
        News::Anew => Said::default(),
        // Whoever asked before may still be about to answer with it.
        News::None | News::More => Arc::unwrap_or_clone(before).said(),
    };
    let journal = lookout.journal();
    let Said { state, history } = journal.map(|journal| journal.go_on_reading(before)).transpose()?.unwrap_or_default();
    // An index that cannot be read is told by whoever asks for it.
    let live = shelf.current().ok().flatten();
    let release_timestamp = live.and_then(|live| live.timestamp().ok().flatten());
    let read = Arc::new(Read { state, history, release, release_timestamp });
    Ok(Kept { looked: Some(Instant::now()), lookout, read })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{DroneSpec, Event};
    use crate::store::Journal;

    /// Others look all the time, and so also while an event is on its way to the disk.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_has_been_written_is_read_whoever_looked_while_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(directory.path()).unwrap();
        let books = Arc::new(Books::new(directory.path().to_owned(), directory.path().join("production")));
        let looking = tokio::spawn({
            let books = Arc::clone(&books);
            async move {
                loop {
                    books.read_anew().await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        for cores in 1..=50 {
            let name = "izar".parse().unwrap();
            let fleet = Event::FleetDeclared { drones: vec![DroneSpec { name, cores, jobs: None, memory_mib: None }] };
            let written = move || journal.append(&State::default(), &fleet, Timestamp(1)).map(|()| journal);
            journal = tokio::task::spawn_blocking(written).await.unwrap().unwrap();
            assert_eq!(books.read_anew().await.unwrap().sequence(), i64::from(cores));
        }
        looking.abort();
    }
}
