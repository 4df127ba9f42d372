//! Whether the controller's place is here, and how it comes and goes.
//!
//! The place is taken on request alone ([`Office::promote`]): the gateway's, once the one that had it is gone, or the
//! operator's. One that still answers is asked to stand down first and its journal followed to the end, so that nothing
//! is lost and nothing stands still. Then the voters are asked ([`crate::controller::electorate`]): whatever whoever
//! asked has in mind, two never have it. What runs on drones goes on meanwhile, and is taken up from the journal and the
//! jobs' manifests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use futures::future::join_all;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::wishes::in_session;
use super::worker;
use crate::controller::electorate::Wish;
use crate::controller::{ControlError, Session};
use crate::core::names::{ControllerName, Epoch, HostName};
use crate::core::role::Standing;
use crate::inventory::Inventory;
use crate::standby::peer::Peer;
use crate::standby::serve::{Ground, GroundError, Resigned};
use crate::standby::watch as standby;
use crate::store::name;

/// One that lacks more events than this does not ask the leader to stand down: that would stand still for too long.
const FAR_BEHIND: i64 = 2_000;
/// What the leader wrote last is waited for so long.
const LAST_WORDS: Duration = Duration::from_secs(60);
/// Between two looks whether it is here.
const LOOK: Duration = Duration::from_millis(100);
/// A leader that has stood down and whose place nobody takes has it again after so long.
const STOOD_DOWN: Duration = Duration::from_secs(180);

/// Why the place was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// Its own journal.
    #[error(transparent)]
    Ground(#[from] GroundError),
    /// It would take long.
    #[error("{own} lacks {events} events of {leader}, which leads and can be reached: it catches up first")]
    FarBehind {
        /// Who was asked.
        own: HostName,
        /// Who leads.
        leader: HostName,
        /// How many.
        events: i64,
    },
    /// The leader has stood down, and what it wrote last does not come.
    #[error("{leader} has stood down, and its last events did not come within {} s; it goes on", LAST_WORDS.as_secs())]
    NoLastWords {
        /// Who leads.
        leader: HostName,
    },
    /// The voters say no, or the journal cannot be written.
    #[error(transparent)]
    Refused(#[from] ControlError),
}

impl PromoteError {
    /// The status of the answer that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(error) if error.is_of_another() => StatusCode::LOCKED,
            Self::FarBehind { .. } | Self::NoLastWords { .. } | Self::Refused(_) => StatusCode::CONFLICT,
            Self::Ground(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The orchestrators of a fleet as one of them sees them.
#[derive(Debug)]
pub struct Fellows {
    /// Its own name.
    pub own: HostName,
    /// The others with a service.
    pub peers: Vec<Peer>,
    /// Its own directories.
    pub ground: Ground,
    /// The hold on what follows the leader.
    pub standby: standby::Reins,
}

/// The controller's place.
#[derive(Debug)]
pub struct Office {
    inventory: Arc<Inventory>,
    /// None where no other orchestrator has a service: then the place is always here.
    fellows: Option<Fellows>,
    worker: worker::Reins,
    /// How often it has stood down, and whether it still does.
    stood_down: watch::Sender<(u64, bool)>,
    /// Held by whoever takes the place.
    turn: Mutex<()>,
}

impl Office {
    /// Of an orchestrator among these others.
    pub fn new(inventory: Arc<Inventory>, fellows: Option<Fellows>, worker: worker::Reins) -> Self {
        Self { inventory, fellows, worker, stood_down: watch::Sender::new((0, false)), turn: Mutex::default() }
    }

    /// Whether a controller may begin here.
    pub fn is_here(&self) -> bool {
        let leads = self.fellows.as_ref().is_none_or(|fellows| fellows.standby.leads());
        leads && !self.stood_down.borrow().1
    }

    /// Whether this controller is the one of this host, and its word on builds counts.
    pub fn leads(&self, controller: Option<&ControllerName>) -> bool {
        let own = controller.and_then(|known| name::is_own(&self.inventory.swarm.state, known).ok().flatten());
        own == Some(true) && !self.worker.is_superseded()
    }

    /// Takes the place; the epoch under which it is had.
    ///
    /// # Errors
    /// It is not to be had, or only at a loss.
    pub async fn promote(&self, take_over: bool) -> Result<Epoch, PromoteError> {
        let _turn = self.turn.lock().await;
        let epoch = match &self.fellows {
            Some(fellows) => self.succeed(fellows, take_over).await?,
            None => claim(&self.inventory, take_over).await?,
        };
        self.stood_down.send_modify(|stood_down| stood_down.1 = false);
        self.worker.resume();
        Ok(epoch)
    }

    async fn succeed(&self, fellows: &Fellows, take_over: bool) -> Result<Epoch, PromoteError> {
        let own = fellows.standing().await?;
        let leader = fellows.leader(own.epoch).await;
        if leader.is_none() && own.own && self.is_here() && !take_over && !self.worker.is_superseded() {
            return Ok(own.epoch);
        }
        if let Some((peer, standing)) = leader {
            let events = standing.last - own.last;
            if events > FAR_BEHIND && !take_over {
                let (own, leader) = (fellows.own.clone(), peer.name.clone());
                return Err(PromoteError::FarBehind { own, leader, events });
            }
            match peer.resign().await {
                Ok(standing) => fellows.hear_out(peer, &standing).await?,
                // Whether it still is at work is for the voters to say.
                Err(error) => tracing::warn!("{} was asked to stand down: {error}", peer.name),
            }
        }
        let pause = fellows.standby.pause().await;
        let epoch = claim(&self.inventory, take_over).await?;
        tracing::info!("{} is the controller from here on, epoch {epoch}", fellows.own);
        fellows.standby.lead();
        drop(pause);
        Ok(epoch)
    }

    /// Stands down for another one: comes back once nobody is at work here.
    async fn stand_down(&self) -> Result<(), ControlError> {
        self.stood_down.send_modify(|(times, stands)| (*times, *stands) = (*times + 1, true));
        let this = self.stood_down.borrow().0;
        tracing::info!("another orchestrator is to take the controller's place: this one stands down");
        let (stood_down, worker) = (self.stood_down.clone(), self.worker.clone());
        tokio::spawn(async move {
            tokio::time::sleep(STOOD_DOWN).await;
            // It may have been asked again meanwhile.
            let still = stood_down.send_if_modified(|(times, stands)| *times == this && std::mem::take(stands));
            if still {
                worker.resume();
            }
        });
        self.worker.stand_down().await
    }

    /// Answers those who want the place; never comes back.
    pub async fn answer(&self, mut asked: mpsc::Receiver<oneshot::Sender<Resigned>>) {
        while let Some(answer) = asked.recv().await {
            let resigned = self.stand_down().await.map_err(|error| error.to_string());
            // Whoever asked may have gone.
            let _gone = answer.send(resigned);
        }
    }
}

impl Fellows {
    /// Where this one stands.
    async fn standing(&self) -> Result<Standing, GroundError> {
        let ground = self.ground.clone();
        tokio::task::spawn_blocking(move || ground.standing()).await?
    }

    /// Another one that leads, under no lower epoch than this, and where it stands.
    async fn leader(&self, known: Epoch) -> Option<(&Peer, Standing)> {
        let asked = self.peers.iter().map(|peer| async move { Some((peer, peer.standing().await.ok()?)) });
        let standings = join_all(asked).await.into_iter().flatten();
        let leading = standings.filter(|(_, standing)| standing.own && standing.epoch >= known);
        leading.max_by_key(|(_, standing)| standing.epoch)
    }

    /// Waits until all that a leader has written is here.
    async fn hear_out(&self, leader: &Peer, standing: &Standing) -> Result<(), PromoteError> {
        let begun = Instant::now();
        while self.standing().await?.last < standing.last {
            if begun.elapsed() > LAST_WORDS {
                return Err(PromoteError::NoLastWords { leader: leader.name.clone() });
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

/// Claims an epoch for the controller of this host.
async fn claim(inventory: &Inventory, take_over: bool) -> Result<Epoch, ControlError> {
    let wish = if take_over { Wish::TakeOver } else { Wish::Succeed };
    let claim = async move |session: &mut Session| {
        session.hold(wish).await?;
        Ok(session.state().epoch)
    };
    in_session(inventory, claim).await
}
