//! How things stand is kept for whoever only looks: at a controller's end, and whenever nothing has happened for a moment.
//! So it is there after a kill or a power cut as well, unless those came right behind an event.

use std::time::Duration;

use tokio::time::Instant;

use super::{Session, now};

/// After so long without an event how things stand is kept. Events come in bursts, and each keeping costs a write that
/// waits for the disk, and with 20,000 packages some milliseconds.
const QUIET: Duration = Duration::from_secs(1);

/// What is not kept yet.
#[derive(Debug, Default)]
pub(super) struct Unkept(Option<Instant>);

impl Unkept {
    /// Something has happened.
    pub(super) fn saw_event(&mut self) {
        self.0 = Some(Instant::now());
    }
}

impl Session {
    /// How long nothing may happen yet until how things stand is to be kept; nothing where it is kept.
    pub(in crate::controller) fn quiet_in(&self) -> Option<Duration> {
        Some(QUIET.saturating_sub(self.unkept.0?.elapsed()))
    }

    /// Keeps how things stand where nothing has happened for a moment.
    pub(in crate::controller) fn keep_status_when_quiet(&mut self) {
        if self.quiet_in().is_some_and(|rest| rest.is_zero()) {
            self.keep_status();
        }
    }

    /// Keeps how things stand, until the next event. Without it whoever looks reads all that has happened, so where that
    /// cannot be done it is only said.
    pub(in crate::controller) fn keep_status(&mut self) {
        self.unkept = Unkept::default();
        if let Err(error) = self.journal.keep_status(&self.state, now()) {
            tracing::warn!("{error}; where no controller is at work `swarm status` reads all that has happened");
        }
    }
}
