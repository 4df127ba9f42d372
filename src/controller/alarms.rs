//! Finds out what is wrong, writes it down, and has it told.
//!
//! A [`Session`] looks at its alarms while builds are worked off (after events that matter, and once a minute) and when
//! it ends ([`Session::close`]). Messages go out beside everything else, one at a time for each channel; that one was
//! told is written down once it was. While messages are on their way nothing new is found, so that what is told is what
//! was written down.
//!
//! Where nobody is at work nobody looks: [`are_due`] tells, from the journal alone, whether it is worth opening a
//! session for.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::error::ControlError;
use super::session::{Session, now};
use crate::core::alarm::{Cause, Facts, Listener, Telling, due, look};
use crate::core::event::{Event, JobOutcome};
use crate::core::names::{ChannelName, Timestamp};
use crate::core::state::State;
use crate::failpoint::Failpoint;
use crate::inventory::Inventory;
use crate::notify::{self, Message, Post};
use crate::store::Journal;

/// Between two looks (seconds) where nothing happens that matters.
pub const INTERVAL: u64 = 60;

/// What a session knows of its alarms beside the state.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Since when builds are worked off.
    pub at_work: Option<Timestamp>,
    /// Whether somebody sees what happens.
    pub attended: bool,
    /// When it was looked last.
    looked: Option<Timestamp>,
    /// Whether something has happened since then that matters.
    stirred: bool,
    /// Messages on their way.
    on_the_way: JoinSet<Sent>,
}

/// What came of a message.
#[derive(Debug)]
pub struct Sent {
    channel: ChannelName,
    raised: Vec<Cause>,
    recovered: Vec<Cause>,
    /// An error is why it did not arrive, in words.
    outcome: Result<(), String>,
}

impl Watch {
    /// Takes note of an event.
    pub fn saw(&mut self, event: &Event) {
        self.stirred |= match event {
            Event::JobEnded { outcome, .. } => matches!(outcome, JobOutcome::Failed { .. }),
            Event::RunFinished { .. }
            | Event::DiskLow { .. }
            | Event::DiskWell { .. }
            | Event::BuildFinished { .. }
            | Event::BuildForgotten { .. }
            | Event::BuildReleased { .. }
            | Event::PartReleased { .. }
            | Event::RolledBack { .. } => true,
            _ => false,
        };
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let late = self.looked.is_none_or(|looked| looked > now || now.seconds_since(looked) >= INTERVAL);
        (late || self.stirred) && self.on_the_way.is_empty()
    }

    /// What comes of the next message; never, while none is on its way.
    pub async fn sent(&mut self) -> Sent {
        loop {
            match self.on_the_way.join_next().await {
                Some(Ok(sent)) => return sent,
                // It broke off, and nothing is known of it: it is tried again.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

/// What the state does not know, as far as the inventory does.
fn facts(inventory: &Inventory, at_work: Option<Timestamp>, attended: bool) -> Facts {
    let orchestrators = inventory.orchestrators().into_iter().map(|(host, _)| host.name.clone());
    let storages = inventory.storages().iter().map(|storage| storage.name.clone());
    Facts {
        directory: inventory.swarm.state.display().to_string(),
        publishes_to: orchestrators.chain(storages).collect(),
        at_work,
        attended,
    }
}

fn listeners(inventory: &Inventory) -> Vec<Listener> {
    let listener = |channel: &crate::inventory::Channel| Listener {
        name: channel.name.clone(),
        on: channel.settings.on.clone(),
        attended: channel.settings.attended,
    };
    inventory.channels().iter().map(listener).collect()
}

/// Whether there is anything to write down or to tell, as the journal of this state directory says; nobody is at work
/// on it.
///
/// # Errors
/// The journal cannot be read.
pub fn are_due(inventory: &Inventory) -> Result<bool, ControlError> {
    let state = Journal::state_of(&inventory.swarm.state)?;
    Ok(is_due(&state, inventory, now()))
}

/// The same of a state that was read.
pub fn is_due(state: &State, inventory: &Inventory, now: Timestamp) -> bool {
    !look(state, &facts(inventory, None, false), now).is_empty() || !due(state, &listeners(inventory), now).is_empty()
}

impl Session {
    /// Somebody sees what this session does (true), or nobody does.
    pub fn attend(&mut self, attended: bool) {
        self.alarms.attended = attended;
    }

    /// Looks at what is wrong, where it is time to, and lets messages go.
    ///
    /// # Errors
    /// It cannot be written down.
    pub(super) fn look_at_alarms(&mut self) -> Result<(), ControlError> {
        if self.alarms.is_due(now()) { self.find_alarms() } else { Ok(()) }
    }

    fn find_alarms(&mut self) -> Result<(), ControlError> {
        let at = now();
        let facts = facts(&self.inventory, self.alarms.at_work, self.alarms.attended);
        for event in look(self.state(), &facts, at) {
            self.record(&event)?;
        }
        (self.alarms.looked, self.alarms.stirred) = (Some(at), false);
        let post = Arc::new(Post::of(&self.inventory));
        for telling in due(self.state(), &listeners(&self.inventory), at) {
            let (inventory, post) = (Arc::clone(&self.inventory), Arc::clone(&post));
            self.alarms.on_the_way.spawn(async move { tell(&inventory, &post, telling, at).await });
        }
        Ok(())
    }

    /// Writes down what came of a message.
    ///
    /// # Errors
    /// It cannot be written down.
    pub(super) fn note_sent(&mut self, sent: Sent) -> Result<(), ControlError> {
        let Sent { channel, raised, recovered, outcome } = sent;
        self.record(&match outcome {
            Ok(()) => Event::AlarmTold { causes: raised, recovered, channel, at: now() },
            Err(why) => Event::ChannelFailed { channel, why, at: now() },
        })
    }

    /// Looks at what is wrong, and comes back once whoever is to be told was told, or could not be. Nothing else is to be
    /// done after that.
    ///
    /// # Errors
    /// It cannot be written down.
    async fn settle_alarms(&mut self) -> Result<(), ControlError> {
        self.hear_of_messages().await?;
        self.find_alarms()?;
        if !self.alarms.on_the_way.is_empty() {
            self.only_tells();
        }
        self.hear_of_messages().await
    }

    async fn hear_of_messages(&mut self) -> Result<(), ControlError> {
        while !self.alarms.on_the_way.is_empty() {
            let sent = self.alarms.sent().await;
            self.note_sent(sent)?;
        }
        Ok(())
    }

    /// Ends the session: what is wrong is told, and our leases end, so that whoever comes next need not wait for them.
    /// Where the session was over already ([`Session::is_over_with`]) nothing is written down any more.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn close(&mut self, error: Option<&ControlError>) -> Result<(), ControlError> {
        self.leave_office().await;
        if error.map_or(self.is_ahead(), |error| self.is_over_with(error)) {
            return Ok(());
        }
        let settled = self.settle_alarms().await;
        self.keep_status();
        settled
    }

    /// Ends the session after what was done in it, and gives what came of both.
    ///
    /// # Errors
    /// That of what was done, else that of the end ([`Session::close`]).
    pub async fn close_after<T>(&mut self, done: Result<T, ControlError>) -> Result<T, ControlError> {
        let closed = self.close(done.as_ref().err()).await;
        done.and_then(|done| closed.map(|()| done))
    }
}

async fn tell(inventory: &Inventory, post: &Post, telling: Telling, at: Timestamp) -> Sent {
    let message = Message::of(post, &telling);
    let Telling { channel, raised, recovered } = telling;
    let known = inventory.channels().iter().find(|known| known.name == channel);
    let outcome = match known {
        Some(known) => notify::send(known, post, &message, at).await.map_err(|error| error.to_string()),
        None => Err("is not in the inventory any more".to_owned()),
    };
    if outcome.is_ok() {
        Failpoint::AfterTelling.pass();
    }
    Sent { channel, raised: Telling::causes(&raised), recovered: Telling::causes(&recovered), outcome }
}

/// Tells these channels, all of them where none is named, at once; what came of each, by its name.
pub async fn tell_now(
    inventory: &Inventory,
    chosen: &BTreeSet<ChannelName>,
    message: &Message,
) -> Vec<(ChannelName, Result<(), notify::SendError>)> {
    let post = Post::of(inventory);
    let wanted = inventory.channels().iter().filter(|channel| chosen.is_empty() || chosen.contains(&channel.name));
    let sent =
        wanted.map(|channel| async { (channel.name.clone(), notify::send(channel, &post, message, now()).await) });
    futures::future::join_all(sent).await
}
