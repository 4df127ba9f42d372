//! What the journal of this host says, read beside the controller that writes it.
//!
//! It is read only when something was written, and for whoever does not need the very latest five times a second at most;
//! of what was read before only what came since. Whoever asks over and over costs one look ([`Lookout`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::core::names::{ReleaseName, Timestamp};
use crate::core::state::State;
use crate::release::{ReleaseError, Shelf};
use crate::store::StoreError;
use crate::store::journal::{Known, Lookout, News, Until};

/// What was read so long ago is taken as it is.
pub const FRESH: Duration = Duration::from_millis(200);

/// The journal and the releases of this host.
#[derive(Debug)]
pub struct Books {
    /// Held by whoever reads, until that is done: also where who asked for it has gone.
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug)]
struct Kept {
    state: PathBuf,
    production: PathBuf,
    lookout: Lookout,
    /// When was looked last; none where that is known to be old.
    looked: Option<Instant>,
    read: Arc<Read>,
}

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// What the journal says; the state of the beginning where there is none.
    pub state: State,
    /// The events that led to it.
    pub until: Until,
    /// The live release.
    pub release: Option<ReleaseName>,
    /// The TIMESTAMP of its index, where that has one.
    pub release_timestamp: Option<Timestamp>,
}

impl Read {
    /// The number of the last event that led to the state; zero where there is none.
    pub fn sequence(&self) -> i64 {
        self.until.sequence
    }

    fn known(self) -> Known<State> {
        Known { value: self.state, until: self.until }
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
        let lookout = Lookout::new(state.clone());
        let kept = Kept { state, production, lookout, looked: None, read: Arc::default() };
        Self { kept: Arc::new(Mutex::new(kept)) }
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
        self.kept.lock().await.looked = None;
    }

    async fn read_within(&self, fresh: Duration) -> Result<Arc<Read>, BooksError> {
        // Who comes while somebody reads waits for the same answer.
        let mut kept = Arc::clone(&self.kept).lock_owned().await;
        if kept.looked.is_some_and(|looked| looked.elapsed() < fresh) {
            return Ok(kept.read.clone());
        }
        tokio::task::spawn_blocking(move || {
            kept.look()?;
            Ok(kept.read.clone())
        })
        .await?
    }
}

impl Kept {
    fn look(&mut self) -> Result<(), BooksError> {
        // What comes from here on may not be in what is read.
        let begun = Instant::now();
        self.looked = None;
        let shelf = Shelf::look(&self.production)?;
        let release = shelf.live()?;
        let news = self.lookout.look()?;
        if self.read.release != release || self.says_more(news)? {
            let before = std::mem::take(&mut self.read);
            let before = match news {
                News::Anew => Known::default(),
                // Whoever asked before may still be about to answer with it.
                News::None | News::More => Arc::unwrap_or_clone(before).known(),
            };
            let Known { value: state, until } = self.go_on_reading(before)?;
            // An index that cannot be read is told by whoever asks for it.
            let live = shelf.current().ok().flatten();
            let release_timestamp = live.and_then(|live| live.timestamp().ok().flatten());
            self.read = Arc::new(Read { state, until, release, release_timestamp });
        }
        self.looked = Some(begun);
        Ok(())
    }

    /// Whether the journal says other than what is read. A controller also writes down how things stand, which is no event.
    fn says_more(&mut self, news: News) -> Result<bool, StoreError> {
        let says_more = match (news, self.lookout.journal()) {
            (News::None, _) => Ok(false),
            (News::More, Some(journal)) => journal.ends_at(&self.read.until).map(std::ops::Not::not),
            (News::More | News::Anew, _) => Ok(true),
        };
        self.or_look_anew(says_more)
    }

    fn go_on_reading(&mut self, before: Known<State>) -> Result<Known<State>, StoreError> {
        let read = self.lookout.journal().map(|journal| journal.go_on_replaying(before)).transpose();
        Ok(self.or_look_anew(read)?.unwrap_or_default())
    }

    /// What does not read now has been looked out for and would be no news the next time: so that look is the first one.
    fn or_look_anew<T>(&mut self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        if read.is_err() {
            self.lookout = Lookout::new(self.state.clone());
        }
        read
    }
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
        assert!(looking.await.unwrap_err().is_cancelled(), "whoever looked has always read something");
    }

    #[tokio::test]
    async fn how_things_stand_is_no_news_when_a_controller_keeps_it() {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(directory.path()).unwrap();
        journal.append(&State::default(), &Event::BuildsKept { count: 3 }, Timestamp(1)).unwrap();
        let books = Books::new(directory.path().to_owned(), directory.path().join("production"));
        let read = books.read_anew().await.unwrap();
        assert_eq!(read.sequence(), 1);
        journal.keep_status(&read.state, Timestamp(2)).unwrap();
        assert!(Arc::ptr_eq(&read, &books.read_anew().await.unwrap()));
        journal.append(&State::default(), &Event::BuildsKept { count: 4 }, Timestamp(3)).unwrap();
        assert_eq!(books.read_anew().await.unwrap().sequence(), 2);
    }
}
