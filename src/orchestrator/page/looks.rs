//! What the page shows, each view made at most once for a state of the journal, whoever asks how often.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::task::JoinHandle;

use super::answer::{Tagged, Trouble};
use super::past::Past;
use crate::controller::now;
use crate::core::names::{HostName, Timestamp};
use crate::core::overview::{self, Overview, PackageOverview};
use crate::core::status::Status;
use crate::orchestrator::books::Read;
use crate::orchestrator::routes::Service;

/// How long the rest of a build lasts is played anew after so long: that costs 1.5 s for 10,000 packages on 200 drones.
const REST: Duration = Duration::from_secs(10);
/// An overview waits for that so long at the most, and then goes out with what was known before.
const PLAYED: Duration = Duration::from_millis(400);
/// So many failed packages are in an overview, those first that most wait for. The list of packages has them all.
const FAILED: usize = 50;
/// What reads files is done for so many at once.
const TURNS: usize = 2;
/// So many pages listen at once; others are told to come again. Each has a connection for as long as it likes, and those
/// of a gateway all come from one address, by which the gateway also asks whether we are there.
const LISTENERS: usize = 128;

/// The views that were made.
#[derive(Debug)]
pub struct Looks {
    logs: PathBuf,
    overview: Kept<(Weak<Read>, Timestamp, Arc<Tagged>)>,
    rest: Mutex<Rest>,
    packages: Kept<(Weak<Read>, Arc<Vec<PackageOverview>>)>,
    pub(super) past: Past,
    turns: Semaphore,
    seats: Arc<Semaphore>,
}

/// How long the rest of the open build lasts.
#[derive(Debug, Default)]
struct Rest {
    /// When that was played last, and what came of it.
    made: Option<(Instant, Option<u64>)>,
    /// It is being played.
    playing: Option<JoinHandle<Option<u64>>>,
}

/// What was made last; who comes while it is being made waits for it.
type Kept<T> = Mutex<Option<T>>;

#[derive(Serialize)]
struct Named<'a> {
    /// Of the orchestrator that tells; none where the inventory does not list it.
    name: Option<&'a HostName>,
    /// The number of the last event that it is told from.
    sequence: i64,
    #[serde(flatten)]
    overview: Overview,
}

/// Whether this was made of what was read.
fn is_of(made: &Weak<Read>, read: &Arc<Read>) -> bool {
    std::ptr::eq(made.as_ptr(), Arc::as_ptr(read))
}

/// Does what costs time away from the threads that answer.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(Trouble::unreadable)
}

impl Looks {
    /// At what this state directory holds. Nothing is made yet.
    pub fn new(state: &std::path::Path) -> Self {
        let (overview, rest, packages) = Default::default();
        Self {
            logs: state.join("logs"),
            overview,
            rest,
            packages,
            past: Past::new(state),
            turns: Semaphore::new(TURNS),
            seats: Arc::new(Semaphore::new(LISTENERS)),
        }
    }

    /// A place among those who listen; none where all are taken.
    pub(super) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        self.seats.clone().try_acquire_owned().ok()
    }

    /// Waits for a turn at what reads files.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.turns.acquire().await.ok()
    }

    /// Where the logs of builds are.
    pub fn logs(&self) -> &std::path::Path {
        &self.logs
    }

    /// How things stand at this second.
    ///
    /// # Errors
    /// It cannot be told.
    pub async fn overview(&self, service: &Service, read: &Arc<Read>) -> Result<Arc<Tagged>, Trouble> {
        let left_s = self.rest(read).await?;
        let mut kept = self.overview.lock().await;
        let now = now();
        if let Some((_, _, made)) = kept.as_ref().filter(|(of, at, _)| is_of(of, read) && *at == now) {
            return Ok(made.clone());
        }
        let (of, view, name) = (read.clone(), service.view.clone(), service.name.clone());
        let made = aside(move || {
            let mut status = Status::of(&of.state, None, now);
            status.release.clone_from(&of.release);
            view.fill(&mut status, now).map_err(Trouble::unreadable)?;
            let mut overview = Overview::of(&of.state, status, left_s, now);
            bound(&mut overview);
            Tagged::json(&Named { name: name.as_ref(), sequence: of.sequence(), overview })
        });
        let made = Arc::new(made.await??);
        *kept = Some((Arc::downgrade(read), now, made.clone()));
        Ok(made)
    }

    /// How long the rest lasts, in seconds; none as long as nobody knows.
    async fn rest(&self, read: &Arc<Read>) -> Result<Option<u64>, Trouble> {
        if read.state.open_build().is_none_or(|build| build.is_over()) {
            return Ok(None);
        }
        let mut rest = self.rest.lock().await;
        if rest.made.is_none_or(|(made, _)| made.elapsed() >= REST) {
            // Whoever has it played waits for a moment; others take what is there.
            let (of, patience) = (read.clone(), if rest.playing.is_none() { PLAYED } else { Duration::ZERO });
            let play = move || overview::rest(&of.state, now());
            let playing = rest.playing.get_or_insert_with(|| tokio::task::spawn_blocking(play));
            if let Ok(played) = tokio::time::timeout(patience, playing).await {
                rest.playing = None;
                rest.made = Some((Instant::now(), played.map_err(Trouble::unreadable)?));
            }
        }
        let left = |(made, left_s): (Instant, Option<u64>)| Some(left_s?.saturating_sub(made.elapsed().as_secs()));
        Ok(rest.made.and_then(left))
    }

    /// Every package of the open build, else of the latest.
    ///
    /// # Errors
    /// It cannot be told.
    pub async fn packages(&self, read: &Arc<Read>) -> Result<Arc<Vec<PackageOverview>>, Trouble> {
        let mut kept = self.packages.lock().await;
        if let Some((_, made)) = kept.as_ref().filter(|(of, _)| is_of(of, read)) {
            return Ok(made.clone());
        }
        let of = read.clone();
        let make =
            move || of.state.latest_build().map(|build| overview::packages(&of.state, build)).unwrap_or_default();
        let made = Arc::new(aside(make).await?);
        *kept = Some((Arc::downgrade(read), made.clone()));
        Ok(made)
    }
}

/// Leaves out failed packages beyond the first ones.
fn bound(overview: &mut Overview) {
    if overview.failed.len() > FAILED {
        let mut failed: Vec<_> = std::mem::take(&mut overview.failed).into_iter().collect();
        failed.sort_by(|left, right| (right.1.blocks, &left.0).cmp(&(left.1.blocks, &right.0)));
        overview.failed = failed.into_iter().take(FAILED).collect();
    }
}
