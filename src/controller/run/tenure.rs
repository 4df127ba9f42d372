//! A run in a swarm whose hosts vote: it begins with an epoch held at a majority, keeps that, and stands down where
//! another controller has a higher one.
//!
//! Without a majority everything that runs goes on and is received; nothing starts. A single drone that another
//! controller has claimed is no reason to stand down: the voters are asked for an epoch above that claim.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Orders, Outside, Run};
use crate::controller::attend;
use crate::controller::electorate::{Tenure, Wish};
use crate::controller::error::ControlError;
use crate::controller::report::{Report, Sighting};
use crate::controller::session::Session;
use crate::core::event::Trouble;
use crate::core::names::HostName;
use crate::epoch::{Claimant, LEASE, Visitor};

/// Between two rounds of votes: a third of the lease, so that two may fail.
const INTERVAL: Duration = Duration::from_secs(LEASE.as_secs() / 3);
/// Between two tries to get a majority that is not there.
const AGAIN: Duration = Duration::from_secs(3);

/// What came of the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// An epoch is held, or none is needed.
    Held,
    /// Somebody wanted it to end.
    Interrupted,
}

/// Gets an epoch, waiting for voters as long as for a lost drone.
pub(super) async fn begin(
    session: &mut Session,
    orders: &Orders,
    outside: &mut Outside,
) -> Result<Begun, ControlError> {
    let wish = if orders.take_over { Wish::TakeOver } else { Wish::Hold };
    let until = Instant::now() + session.inventory.swarm.lost_after;
    let mut told = false;
    loop {
        let held = tokio::select! {
            held = session.hold(wish) => held,
            _ = outside.halts.recv() => return Ok(Begun::Interrupted),
        };
        match held {
            Ok(()) => return Ok(Begun::Held),
            Err(error @ ControlError::NoMajority { .. }) if Instant::now() < until => {
                if !told {
                    session.note(&format!("{error}. It is tried again"));
                }
                told = true;
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            _ = outside.halts.recv() => return Ok(Begun::Interrupted),
            Some(asked) = outside.asked.recv() => attend::answer(session, asked).await?,
        }
    }
}

impl Run<'_> {
    /// Has the voters asked again and again for as long as it lasts.
    pub(super) fn stay_in_office(&mut self) {
        let Some(electorate) = self.session.electorate.clone() else { return };
        let reports = self.reports.clone();
        self.tasks.spawn(async move {
            loop {
                let wish = electorate.called(if electorate.is_held() { INTERVAL } else { AGAIN }).await;
                let mut held = electorate.hold(wish).await;
                // A higher epoch that cannot be had leaves us with the one that we have, as long as that is confirmed.
                if matches!(wish, Wish::Above(_)) && held.is_err() {
                    held = electorate.hold(Wish::Hold).await;
                }
                if reports.send(Report::Voted(held)).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Whether anything may be started.
    pub(super) fn is_in_office(&self) -> bool {
        self.session.electorate.as_ref().is_none_or(|electorate| electorate.is_held())
    }

    /// What follows from a vote.
    pub(super) fn count(&mut self, voted: Result<Tenure, ControlError>) -> Result<(), ControlError> {
        match voted {
            Ok(tenure) => {
                self.session.take_office(tenure)?;
                let visitor = self.session.visitor();
                self.visitor.send_if_modified(|old| {
                    let new = Visitor { take_over: old.take_over, ..visitor };
                    std::mem::replace(old, new.clone()) != new
                });
                if std::mem::take(&mut self.told_of_no_majority) {
                    self.session.note("a majority of the voters answers again");
                }
                Ok(())
            }
            Err(ControlError::HeldByMajority { by, .. } | ControlError::Behind { by }) => {
                Err(ControlError::Superseded { by })
            }
            Err(error @ ControlError::NoMajority { .. }) => {
                if !self.is_in_office() && !std::mem::replace(&mut self.told_of_no_majority, true) {
                    self.session.note(&error.to_string());
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// A drone that is not ours by its own word, though the voters are for us.
    pub(super) fn call_voters(&mut self, drone: HostName, sighting: Sighting) -> Result<(), ControlError> {
        let Some(electorate) = self.session.electorate.as_ref().map(Arc::clone) else { return Ok(()) };
        let named = |by: &Claimant| by.controller.as_ref().map_or("of no name".to_owned(), ToString::to_string);
        let reason = match &sighting {
            Sighting::Held { by, .. } => {
                format!("another controller ({}, epoch {}) claims it, without a majority", named(by), by.epoch)
            }
            Sighting::Outranked { by } => {
                electorate.rise_above(by.epoch);
                self.succeeds = true;
                format!(
                    "another controller ({}) has claimed it under epoch {}: ours is to rise above",
                    named(by),
                    by.epoch
                )
            }
            Sighting::Unknown => {
                electorate.nudge();
                "it has lost its record of who may use it, and is being told".to_owned()
            }
            Sighting::Ready { .. } | Sighting::Away { .. } => return Ok(()),
        };
        self.see(drone, Sighting::Away { trouble: Trouble::Refused, reason })
    }
}
