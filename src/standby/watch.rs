//! Watches where all orchestrators stand, and follows whoever leads for as long as that is another one.
//!
//! It never makes this one a controller. One whose leader is out of reach goes on trying; meanwhile the state directory
//! is free for whoever wants to lead here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use super::follow::{FollowError, follow};
use super::peer::Peer;
use super::progress;
use super::serve::{Ground, GroundError};
use crate::core::names::HostName;
use crate::core::role::{Candidate, Role, role};
use crate::core::standby::Following;

/// Between two looks at where the others stand.
const LOOK: Duration = Duration::from_secs(5);
/// Between two tries to follow.
const AGAIN: Duration = Duration::from_secs(1);

/// One orchestrator among others.
#[derive(Debug)]
pub struct Watcher {
    ground: Ground,
    own: HostName,
    priority: u32,
    peers: Vec<Peer>,
    reins: Reins,
    /// What was said last, so that the same is said once.
    said: String,
}

/// The hold on a watcher, for whoever wants the state directory for itself.
#[derive(Debug, Clone)]
pub struct Reins {
    pauses: watch::Sender<usize>,
    busy: Arc<Mutex<()>>,
    /// Whether this one led when it was last looked.
    leads: Arc<AtomicBool>,
}

/// As long as it is there nobody is followed, and the watcher does not have the state directory's lock.
#[derive(Debug)]
pub struct Pause {
    _free: OwnedMutexGuard<()>,
    _wanted: Wanted,
}

/// Counts as somebody who wants the state directory, for as long as it is there.
#[derive(Debug)]
struct Wanted(watch::Sender<usize>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Reins {
    /// Whether this one leads, as far as could be seen when it was last looked.
    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed)
    }

    /// It leads from here on, as whoever has just got an epoch knows.
    pub fn lead(&self) {
        self.leads.store(true, Ordering::Relaxed);
    }

    /// Stops following, and comes back once the state directory's lock has been given back. What was on its way is
    /// left for the next time.
    pub async fn pause(&self) -> Pause {
        self.pauses.send_modify(|count| *count += 1);
        let wanted = Wanted(self.pauses.clone());
        Pause { _free: Arc::clone(&self.busy).lock_owned().await, _wanted: wanted }
    }

    /// Waits until so many want the state directory.
    async fn until(&self, holds: impl Fn(usize) -> bool) {
        // It has a sender itself, so it does not end otherwise.
        let mut pauses = self.pauses.subscribe();
        let _count = pauses.wait_for(|count| holds(*count)).await;
    }
}

impl Watcher {
    /// The orchestrator `own` among these others.
    pub fn new(ground: Ground, own: HostName, priority: u32, peers: Vec<Peer>) -> (Self, Reins) {
        let reins = Reins { pauses: watch::Sender::new(0), busy: Arc::default(), leads: Arc::default() };
        (Self { ground, own, priority, peers, reins: reins.clone(), said: String::new() }, reins)
    }

    /// Watches for as long as it is not dropped.
    pub async fn run(mut self) {
        loop {
            self.reins.until(|count| count == 0).await;
            match self.look().await {
                Ok(Role::Follows(leader)) => self.follow(&leader).await,
                Ok(role) => {
                    self.note(&role);
                    self.rest(LOOK).await;
                }
                Err(error) => {
                    self.complain(error.to_string());
                    self.rest(LOOK).await;
                }
            }
        }
    }

    /// Waits, or until somebody wants the state directory.
    async fn rest(&self, time: Duration) {
        let _paused = tokio::time::timeout(time, self.reins.until(|count| count > 0)).await;
    }

    /// What this one is among those that can be reached.
    async fn look(&self) -> Result<Role, GroundError> {
        let asked = self.peers.iter().map(|peer| async move {
            let standing = peer.standing().await;
            if let Err(error) = &standing {
                tracing::debug!("{error}");
            }
            Some(Candidate { name: peer.name.clone(), priority: peer.priority, standing: standing.ok()? })
        });
        let others: Vec<Candidate> = join_all(asked).await.into_iter().flatten().collect();
        // The own one last: this one may have got an epoch while the others were asked.
        let ground = self.ground.clone();
        let standing = tokio::task::spawn_blocking(move || ground.standing()).await??;
        let own = Candidate { name: self.own.clone(), priority: self.priority, standing };
        let role = role(&own, &others);
        self.reins.leads.store(role == Role::Leads, Ordering::Relaxed);
        Ok(role)
    }

    async fn follow(&mut self, leader: &HostName) {
        let Some(peer) = self.peers.iter().find(|peer| peer.name == *leader).cloned() else { return };
        let busy = Arc::clone(&self.reins.busy).lock_owned().await;
        let ended = tokio::select! {
            ended = follow(self.ground.clone(), self.own.clone(), peer) => Some(ended),
            () = self.until_another(leader) => None,
            () = self.reins.until(|count| count > 0) => None,
        };
        drop(busy);
        if let Some(Err(error)) = ended {
            self.note_trouble(leader, &error);
            self.rest(AGAIN).await;
        }
    }

    /// Comes back once somebody else leads.
    async fn until_another(&self, leader: &HostName) {
        loop {
            tokio::time::sleep(LOOK).await;
            match self.look().await {
                Ok(Role::Leads) => return,
                Ok(Role::Follows(other)) if other != *leader => return,
                // That it cannot be reached is noticed by who reads its journal.
                Ok(Role::Follows(_) | Role::Waits) | Err(_) => {}
            }
        }
    }

    /// Says once what this one is; what it was as a standby is kept as long as it is one.
    fn note(&mut self, role: &Role) {
        let said = match role {
            Role::Leads => {
                if let Err(error) = progress::write_own(&self.ground.state, None) {
                    tracing::warn!("cannot write in {}: {error}", self.ground.state.display());
                }
                format!("{} leads: its journal is the one that counts", self.own)
            }
            Role::Waits => {
                let why = "no orchestrator that leads can be reached".to_owned();
                self.keep_trouble(None, &why);
                format!("{why}; what {} has is kept for when one does, or for `swarm failover`", self.own)
            }
            Role::Follows(leader) => format!("{} follows {leader}", self.own),
        };
        if said != self.said {
            tracing::info!("{said}");
            self.said = said;
        }
    }

    fn note_trouble(&mut self, leader: &HostName, error: &FollowError) {
        let why = error.to_string();
        self.keep_trouble(Some(leader), &why);
        self.complain(format!("cannot follow {leader}: {why}"));
    }

    fn keep_trouble(&self, leader: Option<&HostName>, why: &str) {
        let state = &self.ground.state;
        let known = progress::read_own(state);
        let following = match (known, leader) {
            (Some(known), _) => Following { trouble: Some(why.to_owned()), ..known },
            (None, Some(leader)) => Following {
                leader: leader.clone(),
                lag: crate::core::standby::Lag::default(),
                heard: crate::core::names::Timestamp(0),
                trouble: Some(why.to_owned()),
            },
            (None, None) => return,
        };
        // The log says the same.
        let _unwritten = progress::write_own(state, Some(&following));
    }

    fn complain(&mut self, said: String) {
        if said != self.said {
            tracing::warn!("{said}");
            self.said = said;
        }
    }
}
