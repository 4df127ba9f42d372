//! One stretch of following: from finding the leader until it is lost, or somebody wants this to end.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{self, Stream, StreamExt};
use tokio::sync::{Notify, mpsc, watch};

use super::fetch::{Brought, FetchError, Fetcher};
use super::lines::LinesError;
use super::peer::{AskError, Peer, Told};
use super::serve::Ground;
use super::{progress, releases};
use crate::core::build::Build;
use crate::core::event::{Event, ReceivedFile};
use crate::core::names::{HostName, ReleaseName, Timestamp};
use crate::core::standby::Following;
use crate::core::state::{Inconsistent, State};
use crate::portage::index::PackagePath;
use crate::release::mirror::Kept;
use crate::release::{ReleaseError, Shelf, Staging, StagingError};
use crate::store::journal::{FILES, Keep};
use crate::store::name::{self, OwnNameError};
use crate::store::{Entry, Journal, Lock, LockError, StoreError};

/// So many events may be on their way into the journal: while one waits for its package those of the next come.
const AHEAD: usize = 64;
/// So many events are asked for at once, and have room here: what comes over a connection has to be taken from it at
/// once, or all that goes over it stands still.
const ASKED: usize = 1000;
/// Between two looks whether a release is here.
const RELEASE_LOOK: Duration = Duration::from_millis(500);
/// So many events are written down in one go.
const CHUNK: usize = 256;
/// Between two looks for events that are too old, in seconds.
const PRUNED_EVERY: u64 = 24 * 3600;
/// Between two words to the leader about what has come, at least.
const TOLD_SOONEST: Duration = Duration::from_millis(200);
/// And at most.
const TOLD_LATEST: Duration = Duration::from_secs(5);

/// Why it does not follow any more.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// Somebody else has the state directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The own journal.
    #[error(transparent)]
    Journal(#[from] StoreError),
    /// The own name.
    #[error(transparent)]
    Name(#[from] OwnNameError),
    /// The leader does not answer.
    #[error(transparent)]
    Leader(#[from] AskError),
    /// The leader's journal comes no more.
    #[error("the journal of {0} comes no more: {1}")]
    Lines(HostName, #[source] LinesError),
    /// What comes is no event.
    #[error("what {0} sends is no event: {1}")]
    Speech(HostName, String),
    /// An event that does not fit.
    #[error("event {0} of {1}: {2}")]
    Inconsistent(i64, HostName, #[source] Inconsistent),
    /// A package.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The own staging.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The own releases.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// A small file of the state directory.
    #[error("cannot write in {path}: {1}", path = .0.display())]
    Local(PathBuf, #[source] std::io::Error),
}

/// An event that has come, with its packages.
struct Come {
    entry: Entry,
    event: Event,
}

/// What comes in.
struct Inflow {
    leader: HostName,
    peer: Peer,
    fetcher: Fetcher,
    /// Where releases lie here.
    production: PathBuf,
    /// Has those that lack be brought.
    changed: Arc<Notify>,
    /// The number of the leader's last event when this began.
    tip: i64,
    /// What was in its staging after that: of what it had received until then nobody wants the rest any more.
    staged: BTreeSet<String>,
    /// Packages of events that are not in the journal yet.
    ahead: Mutex<BTreeSet<String>>,
}

/// One that follows.
struct Follower {
    ground: Ground,
    leader: Peer,
    journal: Journal,
    state: State,
    staging: Arc<Staging>,
    inflow: Arc<Inflow>,
    /// What the journal has, for whoever tells the leader.
    has: watch::Sender<Has>,
    /// Something may have changed what releases there are, or which packages anybody wants.
    changed: Arc<Notify>,
    /// When its old events went last.
    pruned: Timestamp,
}

/// The last event that is here with all packages, and its digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Has {
    sequence: i64,
    digest: Option<String>,
}

/// Follows a leader, with the lock of the state directory, until that is lost. Dropped at any moment it leaves what the
/// next one goes on from.
///
/// # Errors
/// Always, at last: the leader is lost, or something here cannot be used.
pub async fn follow(ground: Ground, own: HostName, leader: Peer) -> Result<Infallible, FollowError> {
    let purpose = format!(", the service, which follows {}", leader.name);
    let _lock = Lock::take_as(&ground.state, &purpose)?;
    let mut journal = Journal::open(&ground.state)?;
    // Before anything of another controller comes in: a name is never taken from a copy.
    let known = journal.latest_claim()?.map(|(_, controller)| controller);
    name::own(&ground.state, known.as_ref())?;
    let local = |error| FollowError::Local(ground.state.clone(), error);
    progress::forget(&ground.state).map_err(local)?;
    let tip = agree(&ground, &leader, &mut journal).await?;
    let staged = leader.staged().await?;
    let state = journal.replay()?;
    let staging = Arc::new(Staging::open(&ground.staging)?);
    let changed = Arc::new(Notify::new());
    let fetcher = Fetcher::new(leader.clone(), Arc::clone(&staging), ground.clone(), Arc::clone(&changed));
    let inflow = Inflow {
        leader: leader.name.clone(),
        peer: leader.clone(),
        fetcher,
        production: ground.production.clone(),
        changed: Arc::clone(&changed),
        tip,
        staged,
        ahead: Mutex::default(),
    };
    let last = journal.last()?;
    let digest = journal.entry(last)?.map(|entry| entry.digest());
    let (has, inflow) = (watch::Sender::new(Has { sequence: last, digest }), Arc::new(inflow));
    let follower = Follower { ground, leader, journal, state, staging, inflow, has, changed, pruned: Timestamp(0) };
    tracing::info!("following {} from event {last} on; it has {tip}", follower.leader.name);
    follower.run(own).await
}

/// Cuts off what the own journal has behind the last event that both have; the number of the leader's last one.
async fn agree(ground: &Ground, leader: &Peer, journal: &mut Journal) -> Result<i64, FollowError> {
    let (own, theirs) = (journal.history()?, leader.history().await?);
    let gone = own.gone.max(theirs.gone);
    let mut common = own.common(&theirs);
    if let Some(entry) = journal.entry(common)?.filter(|_| common > gone) {
        // An epoch has one writer, so this is equal. Where somebody wrote under another's all the same (a verb, without a
        // claim) the place where that began is found event by event.
        let begin = own.before_epoch_of(common).max(gone);
        let last = leader.digests(common - 1, common).await?;
        if last.first() != Some(&entry.digest()) {
            let there = leader.digests(begin, common).await?;
            let here = journal.after(begin, there.len())?;
            let equal = here.iter().zip(&there).take_while(|(here, there)| here.digest() == **there).count();
            // Where not even the first is equal it began in what is gone.
            common = if equal == 0 { own.before_epoch_of(common) } else { begin + i64::try_from(equal).unwrap_or(0) };
        }
    }
    if let Some(cut) = journal.cut(common, (ground.now)())? {
        let epochs: Vec<String> = cut.epochs.iter().map(ToString::to_string).collect();
        tracing::warn!(
            "{} events after event {common}, of epoch {}, are not in the journal of {}, which leads: they are cut off \
             here, and kept in the table cut_off of {}",
            cut.events,
            epochs.join(", "),
            leader.name,
            ground.state.join(FILES[0]).display()
        );
    }
    if gone > 0 && common <= gone {
        catch_up(leader, journal, common).await?;
    }
    Ok(theirs.last)
}

/// What lies between is not kept any more: the leader's sum has to do for it.
async fn catch_up(leader: &Peer, journal: &mut Journal, common: i64) -> Result<(), FollowError> {
    let Some(mut sum) = leader.sum().await? else { return Ok(()) };
    sum.state = sum.state.settled().ok_or_else(|| {
        FollowError::Speech(leader.name.clone(), "the sum of its journal does not hang together".to_owned())
    })?;
    journal.go_on_from(&sum)?;
    tracing::info!(
        "what {} did after event {common} is not kept there event by event any more: this journal goes on from its sum",
        leader.name
    );
    Ok(())
}

impl Follower {
    async fn run(mut self, own: HostName) -> Result<Infallible, FollowError> {
        let (ground, leader) = (self.ground.clone(), self.leader.clone());
        let (whole, is_whole) = watch::channel(false);
        let has = self.has.subscribe();
        let teller = Teller { ground: ground.clone(), own, leader: leader.clone(), has, is_whole };
        let (even, mut sweeps) = mpsc::channel(1);
        let changed = Arc::clone(&self.changed);
        let mut keeping = pin!(releases::keep(&ground, &leader, &changed, &even));
        let mut telling = pin!(teller.run());
        let inflow = Arc::clone(&self.inflow);
        let entries = entries(leader.clone(), self.has.borrow().clone());
        let mut come = pin!(entries.map(|entry| inflow.take(entry)).buffered(AHEAD).ready_chunks(CHUNK));
        // One look in any case.
        self.changed.notify_one();
        let mut completing = pin!(inflow.complete(self.missing()?));
        let (mut untidy, mut is_complete, mut is_even) = (false, false, false);
        loop {
            tokio::select! {
                chunk = come.next() => match chunk {
                    Some(chunk) => self.take_in(chunk)?,
                    None => return Err(FollowError::Lines(leader.name.clone(), LinesError::Ended)),
                },
                Some(()) = sweeps.recv() => (untidy, is_even) = (true, true),
                completed = &mut completing, if !is_complete => {
                    completed?;
                    is_complete = true;
                }
                never = &mut keeping => match never {},
                told = &mut telling => match told? {},
            }
            whole.send_if_modified(|whole| !std::mem::replace(whole, is_complete && is_even) && *whole);
            // Until then there are packages of events that came in another life, and are yet to be read in this one.
            if untidy && self.has.borrow().sequence >= inflow.tip {
                self.sweep()?;
                untidy = false;
            }
        }
    }

    /// What was received, is in no release, and is not here.
    fn missing(&self) -> Result<Vec<ReceivedFile>, FollowError> {
        let unreleased = self.state.builds.values().filter(|build| build.released.is_none());
        let mut missing = Vec::new();
        for (_, file) in unreleased.flat_map(Build::received) {
            let path: Result<PackagePath, _> = file.path.parse();
            if let Ok(path) = path
                && self.staging.size(&path)?.is_none()
            {
                missing.push(file.clone());
            }
        }
        Ok(missing)
    }

    /// Writes down what has come, and what that changes.
    fn take_in(&mut self, chunk: Vec<Result<Come, FollowError>>) -> Result<(), FollowError> {
        let mut entries = Vec::new();
        let mut trouble = None;
        let mut changes = false;
        for come in chunk {
            let Come { entry, event } = match come {
                Ok(come) => come,
                Err(error) => {
                    trouble = Some(error);
                    break;
                }
            };
            // The version of its form is checked here.
            self.journal.event_of(&entry)?;
            let wrong = |error| FollowError::Inconsistent(entry.sequence, self.leader.name.clone(), error);
            self.state.apply(&event).map_err(wrong)?;
            changes |= changes_what_is_wanted(&event);
            for file in event.files() {
                self.inflow.ahead().remove(&file.path);
            }
            entries.push(entry);
        }
        if let Some(last) = entries.last() {
            self.journal.copy(&entries, &self.state)?;
            self.prune()?;
            let (sequence, digest) = (last.sequence, Some(last.digest()));
            self.has.send_replace(Has { sequence, digest });
        }
        if changes {
            self.changed.notify_one();
        }
        trouble.map_or(Ok(()), Err)
    }

    /// Lets old events go, now and then: nobody else does it here.
    fn prune(&mut self) -> Result<(), FollowError> {
        let (now, limits) = ((self.ground.now)(), self.ground.limits);
        if now.seconds_since(self.pruned) >= PRUNED_EVERY {
            self.pruned = now;
            self.journal.prune(&self.state, &Keep::within(limits.journal, limits.journal_size.as_u64(), now))?;
        }
        Ok(())
    }

    /// Removes staged packages that nobody wants any more, as the leader does. What was released stays until its release
    /// is here: it is made of these files.
    fn sweep(&self) -> Result<(), FollowError> {
        let here: BTreeSet<ReleaseName> =
            Shelf::look(&self.ground.production)?.list()?.into_iter().map(|release| release.name).collect();
        let is_to_come = |release: &Option<ReleaseName>| release.as_ref().is_none_or(|name| !here.contains(name));
        let builds = self.state.builds.values().filter(|build| is_to_come(&build.released));
        let mut wanted: BTreeSet<String> =
            builds.flat_map(|build| build.received().map(|(_, file)| file.path.clone())).collect();
        wanted.extend(self.inflow.ahead().iter().cloned());
        let list = self.staging.list()?;
        let paths = list.iter().map(|staged| &staged.path);
        let gone: Vec<&PackagePath> = paths.filter(|path| !wanted.contains(&path.to_string())).collect();
        Ok(self.staging.remove_all(&gone)?)
    }
}

impl Inflow {
    /// Fetches what the journal has received and is not here: somebody took it out of staging.
    async fn complete(&self, missing: Vec<ReceivedFile>) -> Result<(), FollowError> {
        for file in missing {
            if self.fetcher.bring(&file).await? == Brought::Gone {
                tracing::warn!("{} was received, and is neither here nor at {}", file.path, self.leader);
            }
        }
        Ok(())
    }

    /// An event with its packages, once they are here.
    async fn take(&self, entry: Result<Entry, FollowError>) -> Result<Come, FollowError> {
        let entry = entry?;
        let speech = |error: serde_json::Error| FollowError::Speech(self.leader.clone(), error.to_string());
        let event: Event = serde_json::from_str(&entry.body).map_err(speech)?;
        for file in event.files() {
            if entry.sequence > self.tip || self.staged.contains(&file.path) {
                self.ahead().insert(file.path.clone());
                self.fetcher.bring(file).await?;
            }
        }
        if let Some(release) = released(&event).filter(|_| entry.sequence > self.tip) {
            self.await_release(release).await?;
        }
        Ok(Come { entry, event })
    }

    /// Waits until a release is here, or is not at the leader any more: what has been released is in no staging.
    async fn await_release(&self, release: &ReleaseName) -> Result<(), FollowError> {
        loop {
            let there: Kept = self.peer.get("/releases").await?;
            let here = Kept::of(&Shelf::look(&self.production)?)?;
            if !there.lacking(&here).contains(release) {
                return Ok(());
            }
            self.changed.notify_one();
            tokio::time::sleep(RELEASE_LOOK).await;
        }
    }

    fn ahead(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The leader's events behind those that are here; they end with an error.
fn entries(leader: Peer, from: Has) -> impl Stream<Item = Result<Entry, FollowError>> {
    let (told, heard) = mpsc::channel(2 * ASKED);
    tokio::spawn(async move {
        tokio::select! {
            Err(error) = read(&leader, from, &told) => drop(told.send(Err(error)).await),
            () = told.closed() => {}
        }
    });
    stream::unfold(heard, |mut heard| async move { Some((heard.recv().await?, heard)) })
}

/// Reads the leader's events, as far as there is room for them.
async fn read(
    leader: &Peer,
    mut from: Has,
    told: &mpsc::Sender<Result<Entry, FollowError>>,
) -> Result<Infallible, FollowError> {
    let lost = |error| FollowError::Lines(leader.name.clone(), error);
    loop {
        // Where nobody hears it this is ended from outside.
        let Ok(room) = told.reserve_many(ASKED).await else { return std::future::pending().await };
        let mut lines = leader.journal(from.sequence, from.digest.as_deref(), ASKED).await?;
        for place in room {
            let line = lines.next().await.map_err(lost)?;
            let entry: Entry = serde_json::from_slice(&line)
                .map_err(|error| FollowError::Speech(leader.name.clone(), error.to_string()))?;
            from = Has { sequence: entry.sequence, digest: Some(entry.digest()) };
            place.send(Ok(entry));
        }
    }
}

/// The release that an event speaks of as made.
fn released(event: &Event) -> Option<&ReleaseName> {
    match event {
        Event::BuildReleased { release, .. }
        | Event::PartReleased { release, .. }
        | Event::RolledBack { release, .. } => Some(release),
        _ => None,
    }
}

/// Whether an event may make packages unwanted, or speaks of a release.
fn changes_what_is_wanted(event: &Event) -> bool {
    matches!(
        event,
        Event::BuildReleased { .. }
            | Event::PartReleased { .. }
            | Event::RolledBack { .. }
            | Event::ReleaseSeen { .. }
            | Event::BuildForgotten { .. }
            | Event::BuildOpened { .. }
            | Event::QueuedBuildOpened { .. }
    )
}

/// Tells the leader what is here, and hears how far that is behind.
struct Teller {
    ground: Ground,
    own: HostName,
    leader: Peer,
    has: watch::Receiver<Has>,
    /// Whether the releases are here that have what was received before this began.
    is_whole: watch::Receiver<bool>,
}

impl Teller {
    async fn run(mut self) -> Result<Infallible, FollowError> {
        loop {
            let Has { sequence, digest } = self.has.borrow_and_update().clone();
            let has = if *self.is_whole.borrow_and_update() { sequence } else { 0 };
            let told = Told { standby: self.own.clone(), has, events: sequence, digest };
            let lag = self.leader.tell(&told).await?;
            let (leader, heard) = (self.leader.name.clone(), (self.ground.now)());
            let following = Following { leader, lag, heard, trouble: None };
            let state = &self.ground.state;
            progress::write_own(state, Some(&following)).map_err(|error| FollowError::Local(state.clone(), error))?;
            tokio::time::sleep(TOLD_SOONEST).await;
            // That nobody changes them any more ends the whole.
            let news = async {
                tokio::select! { _ = self.has.changed() => {}, _ = self.is_whole.changed() => {} }
            };
            let _same = tokio::time::timeout(TOLD_LATEST, news).await;
        }
    }
}
