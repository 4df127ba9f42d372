//! How things stand is kept for whoever only looks: while builds are worked off whenever nothing has happened for a
//! moment, and at the end. So it is there after a kill or a power cut as well, unless those came right behind an event.

use std::time::Duration;

use tokio::time::Instant;

use super::{Session, now};
use crate::core::names::Timestamp;

/// After so long without an event how things stand is kept: events come in bursts.
const QUIET: Duration = Duration::from_secs(1);
/// Each keeping writes all of it, which is much where packages are many, and waits for the disk. So many times as long as
/// that took nothing is kept.
const REST: u32 = 100;

/// When how things stand is to be kept next.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// What is not kept yet is to be kept then; nothing where all is.
    due: Option<Instant>,
    /// Not before.
    earliest: Option<Instant>,
    /// What is kept holds until then, whatever does not happen.
    until: Option<Timestamp>,
    /// Whether it could not be kept at last.
    failed: bool,
}

impl Keeping {
    /// Something has happened.
    pub(super) fn saw_event(&mut self) {
        let quiet = Instant::now() + QUIET;
        self.due = Some(self.earliest.map_or(quiet, |earliest| quiet.max(earliest)));
    }

    /// It is kept, or could not be; that began then. The same as now it says until `until`.
    fn tried(&mut self, begun: Instant, until: Option<Timestamp>) {
        let end = Instant::now();
        (self.due, self.until, self.earliest) = (None, until, Some(end + REST * (end - begun)));
    }

    /// Whether what is kept is still so.
    fn holds(&self) -> bool {
        let was_kept = self.earliest.is_some() && !self.failed;
        was_kept && self.due.is_none() && self.until.is_none_or(|until| until > now())
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now()) || self.until.is_some_and(|until| until <= now())
    }
}

impl Session {
    /// How long nothing may happen yet until how things stand is to be kept; nothing where it is kept.
    pub(in crate::controller) fn quiet_in(&self) -> Option<Duration> {
        self.keeping.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// Keeps how things stand where nothing has happened for a moment.
    pub(in crate::controller) fn keep_status_when_quiet(&mut self) {
        if self.keeping.is_due() {
            self.keep_status();
        }
    }

    /// Keeps how things stand, until the next event. Without it whoever looks reads all that has happened, so where that
    /// cannot be done it is only said, and once.
    pub(in crate::controller) fn keep_status(&mut self) {
        if self.is_ahead || self.keeping.holds() {
            return;
        }
        let (begun, at) = (Instant::now(), now());
        let kept = self.journal.keep_status(&self.state, at);
        self.keeping.tried(begun, self.state.first_rested(at));
        let failed_before = std::mem::replace(&mut self.keeping.failed, kept.is_err());
        if let Err(error) = kept
            && !failed_before
        {
            tracing::warn!("{error}; where no controller is at work `swarm status` reads all that has happened");
        }
    }
}
