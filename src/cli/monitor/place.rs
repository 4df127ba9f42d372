//! Where the state is: in the journal here, or at the controller elsewhere. Both come to the same: the state, the number
//! of its last event, and a line each for what happens after it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::sync::broadcast;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::controller::api::{Follower, StateView};
use crate::controller::remote::Remote;
use crate::core::event::{Event, JobOutcome};
use crate::core::names::Timestamp;
use crate::core::state::State;
use crate::inventory::Inventory;
use crate::orchestrator::feed::Feed;
use crate::store::{Journal, StoreError};
use crate::ui::monitor::{Said, Tone};
use crate::ui::progress::words;

/// So many lines are held for a monitor that is behind before it misses some.
const LINES_HELD: usize = 4096;
/// So many of the events before are shown, as far as they are of the same build.
const RECENT: i64 = 200;
/// Without a sign of life for so long (both ends say something more often) the connection is taken to be dead.
const SILENCE: Duration = Duration::from_secs(60);

/// Where the state is.
pub enum Place {
    /// In this state directory.
    Here(PathBuf),
    /// There.
    There(Arc<Remote>),
}

/// The state at a place, and what follows.
pub struct Attached {
    /// All that is known.
    pub state: State,
    /// The number of its last event.
    pub sequence: i64,
    /// What happened last.
    pub recent: Vec<Said>,
    /// What happens after it.
    pub lines: Lines,
}

/// What happens, a line each.
pub enum Lines {
    /// Told by this task.
    Here(broadcast::Receiver<String>, JoinHandle<()>),
    /// Told through this connection.
    There(Follower),
}

impl Drop for Lines {
    fn drop(&mut self) {
        if let Self::Here(_, feed) = self {
            feed.abort();
        }
    }
}

impl Lines {
    /// The next one.
    ///
    /// # Errors
    /// There will be no more.
    pub async fn next(&mut self) -> anyhow::Result<String> {
        match self {
            Self::Here(lines, _) => loop {
                match lines.recv().await {
                    Ok(line) => return Ok(line),
                    // What is missed is seen by the numbers.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => bail!("the journal is not followed any more"),
                }
            },
            Self::There(follower) => {
                let line = tokio::time::timeout(SILENCE, follower.next()).await.ok().flatten();
                line.context("the controller does not tell any more what happens")
            }
        }
    }
}

impl Place {
    /// The one of an inventory.
    ///
    /// # Errors
    /// There is no way to it.
    pub fn of(inventory: &Inventory) -> anyhow::Result<Self> {
        Ok(match Remote::to_look(inventory)? {
            Some(remote) => Self::There(Arc::new(remote)),
            None => Self::Here(inventory.swarm.state.clone()),
        })
    }

    /// Takes up the state, and what follows.
    ///
    /// # Errors
    /// The journal cannot be read, or nobody answers.
    pub async fn attach(&self) -> anyhow::Result<Attached> {
        match self {
            Self::Here(directory) => {
                let directory = directory.clone();
                let (state, sequence, recent) = spawn_blocking({
                    let directory = directory.clone();
                    move || read(&directory)
                })
                .await??;
                let (sender, lines) = broadcast::channel(LINES_HELD);
                let feed = tokio::spawn(Feed::new(directory, sender).after(sequence).run());
                Ok(Attached { state, sequence, recent, lines: Lines::Here(lines, feed) })
            }
            Self::There(remote) => {
                // Who listens first misses nothing in between.
                let follower = remote.events().await?;
                let StateView { sequence, state } = remote.state().await?;
                Ok(Attached { state, sequence, recent: Vec::new(), lines: Lines::There(follower) })
            }
        }
    }
}

/// What a journal says; nothing where there is none yet.
fn read(directory: &Path) -> Result<(State, i64, Vec<Said>), StoreError> {
    let Some(journal) = Journal::open_to_read(directory)? else { return Ok((State::default(), 0, Vec::new())) };
    let (state, sequence) = journal.replay_numbered()?;
    let recent = recent(&journal, &state, sequence)?;
    Ok((state, sequence, recent))
}

/// What happened last. The words for it are found in the state as it is now, so nothing is told of an earlier build.
fn recent(journal: &Journal, state: &State, sequence: i64) -> Result<Vec<Said>, StoreError> {
    let mut seen = state.clone();
    seen.open = state.latest_build().map(|build| build.name.clone());
    let mut recent = Vec::new();
    journal.each_after((sequence - RECENT).max(0), |_, at, event| {
        if matches!(event, Event::BuildOpened { .. } | Event::QueuedBuildOpened { .. }) {
            recent.clear();
        }
        recent.extend(said(&event, &seen, at));
    })?;
    Ok(recent)
}

/// An event in words, where somebody who looks wants to know of it.
pub fn said(event: &Event, state: &State, at: Timestamp) -> Option<Said> {
    let tone = match event {
        Event::DroneAway { .. }
        | Event::DiskLow { .. }
        | Event::AlarmRaised { .. }
        | Event::ChannelFailed { .. }
        | Event::JobGivenUp { .. }
        | Event::JobEnded { outcome: JobOutcome::Failed { .. }, .. } => Tone::Bad,
        Event::PackageReceived { .. }
        | Event::PartReleased { .. }
        | Event::RolledBack { .. }
        | Event::DiskWell { .. }
        | Event::AlarmCleared { .. }
        | Event::JobBack { .. } => Tone::Good,
        _ => Tone::Plain,
    };
    words(event, state).map(|text| Said { at, text, tone })
}
