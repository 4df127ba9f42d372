//! What happens, for those who follow it: every event of the journal in its order, whoever wrote it, and what a
//! controller at work tells besides.
//!
//! A controller tells events as it writes them. Those of before one is connected, and those of commands that write
//! without listening, are read from the journal. So a follower finds no number missing, as long as it reads on.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::broadcast;

use crate::controller::{ControlError, api, socket};
use crate::store::StoreError;
use crate::store::journal::{Lookout, News};

/// Between two looks for a controller that listens, and for what others have written.
const LOOK: Duration = Duration::from_millis(50);

/// What a line says of its place in the journal.
#[derive(Deserialize)]
struct Numbered {
    #[serde(default)]
    sequence: Option<i64>,
}

/// Follows what happens on a state directory.
pub struct Feed {
    state: PathBuf,
    events: broadcast::Sender<String>,
    /// The last event that was told; none before the journal was first looked at.
    last: Option<i64>,
    /// Looks at the journal; none where a look broke off.
    lookout: Option<Lookout>,
    complained: String,
}

#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error(transparent)]
    Journal(#[from] StoreError),
    #[error("cannot read the journal: {0}")]
    Lost(#[from] tokio::task::JoinError),
}

impl Feed {
    /// One that tells these listeners.
    pub fn new(state: PathBuf, events: broadcast::Sender<String>) -> Self {
        Self { state, events, last: None, lookout: None, complained: String::new() }
    }

    /// The same from the event after this one on, whenever that was.
    pub fn after(mut self, sequence: i64) -> Self {
        self.last = Some(sequence);
        self
    }

    /// Tells for as long as it is not dropped.
    pub async fn run(mut self) {
        loop {
            match self.follow().await {
                Ok(()) => self.complained.clear(),
                // The same is said once, not each time.
                Err(error) if error.to_string() == self.complained => {}
                Err(error) => {
                    tracing::error!("{error}");
                    self.complained = error.to_string();
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells what was written, and while a controller is at work what it tells.
    async fn follow(&mut self) -> Result<(), FeedError> {
        let follower = socket::follow(&self.state).await?;
        self.catch_up().await?;
        let Some(mut follower) = follower else { return Ok(()) };
        while let Some(line) = follower.next().await {
            let sequence = serde_json::from_str::<Numbered>(&line).ok().and_then(|numbered| numbered.sequence);
            match (sequence, self.last) {
                (Some(sequence), Some(last)) if sequence <= last => continue,
                (Some(sequence), Some(last)) if sequence > last + 1 => self.catch_up().await?,
                (Some(sequence), _) => {
                    self.last = Some(sequence);
                    self.tell(line);
                }
                (None, _) => self.tell(line),
            }
        }
        Ok(())
    }

    fn tell(&self, line: String) {
        // Nobody may be listening.
        let _unheard = self.events.send(line);
    }

    /// Tells what the journal has beyond what was told.
    async fn catch_up(&mut self) -> Result<(), FeedError> {
        let lookout = self.lookout.take().unwrap_or_else(|| Lookout::new(self.state.clone()));
        let last = self.last;
        let (lookout, last, lines) = tokio::task::spawn_blocking(move || read(lookout, last)).await??;
        (self.lookout, self.last) = (Some(lookout), last);
        lines.into_iter().for_each(|line| self.tell(line));
        Ok(())
    }
}

/// The events after this one, and the number of the last; at first only the latter.
fn read(mut lookout: Lookout, last: Option<i64>) -> Result<(Lookout, Option<i64>, Vec<String>), StoreError> {
    if lookout.look()? == News::None {
        return Ok((lookout, last, Vec::new()));
    }
    let Some(journal) = lookout.journal() else { return Ok((lookout, last.or(Some(0)), Vec::new())) };
    let there = journal.last()?;
    // Where a journal was cut off at what another one has, other events follow under the same numbers.
    let Some(mut last) = last.map(|last| last.min(there)) else { return Ok((lookout, Some(there), Vec::new())) };
    let mut lines = Vec::new();
    journal.each_after(last, |sequence, at, event| {
        last = sequence;
        lines.extend(api::told(sequence, at, &event));
    })?;
    Ok((lookout, Some(last), lines))
}
