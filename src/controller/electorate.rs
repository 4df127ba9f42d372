//! The voters of a swarm with orchestrators, and this controller's standing with them ([`crate::core::election`]).
//!
//! Voters are the drones, the orchestrators and the gateway's host. Each round goes to all of them side by side; it is
//! over when all have answered, or some time after a majority has. Where no orchestrator is listed there are no voters:
//! each drone then fences for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::error::ControlError;
use super::muster::Hosts;
use crate::core::election::{Answer, Candidate, Outcome, Promise, majority};
use crate::core::names::{ControllerName, Epoch, HostName};
use crate::core::state::State;
use crate::epoch::{self, LEASE, Visitor, vote};
use crate::inventory::{Inventory, Role};
use crate::ssh::{Host, LocalHost, chance};

/// A voter is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// An attempt to hold an epoch takes no longer than this.
pub const LONGEST_VOTE: Duration = Duration::from_secs(60);
/// Once a majority has answered the others get so long.
const GRACE: Duration = Duration::from_secs(1);
/// So many rounds one attempt has at the most: asking twice, a claim, its confirmation, and the same again where two
/// controllers were in each other's way; then teaching.
const ROUNDS: u32 = 12;
/// So often it is tried again where enough voters answer and too few promise.
const TRIES: u32 = 4;
/// So many rounds more are made at once for voters that have lost what they knew: one in which that is heard of, one
/// that makes sure of what they are taught, one that teaches.
const LESSONS: u32 = 3;
/// Those in each other's way try again after up to so long.
const STEP_ASIDE: Duration = Duration::from_millis(800);

/// A voter.
#[derive(Debug)]
struct Voter {
    host: Arc<dyn Host>,
    workdir: String,
}

/// What is wanted of the voters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// An epoch, the one that is held where there is one.
    Hold,
    /// The same, by one who is to go on where another controller fell silent, whatever that one did last.
    Succeed,
    /// The same, and a living lease of another controller is broken for it.
    TakeOver,
    /// An epoch above this one.
    Above(Epoch),
}

/// An epoch that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The epoch.
    pub epoch: Epoch,
    /// The voters that have known of an epoch.
    pub counted: BTreeSet<HostName>,
}

/// How an epoch is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// It never was.
    Never,
    /// A majority has promised it until then.
    Until(Instant),
    /// It was, and the last round found no majority: the promises may live, but another may be about to get some.
    InDoubt,
}

impl Hold {
    fn is_good(&self) -> bool {
        matches!(self, Self::Until(until) if Instant::now() < *until)
    }
}

/// The voters, and what they have promised us.
#[derive(Debug)]
pub struct Electorate {
    voters: BTreeMap<HostName, Voter>,
    /// All that have a vote, also those to which there is no way.
    all: usize,
    candidate: tokio::sync::Mutex<Candidate>,
    held: watch::Sender<Hold>,
    wanted: Mutex<Option<Epoch>>,
    nudge: Notify,
}

impl Electorate {
    /// The voters of an inventory; none where it lists no orchestrator.
    pub fn new(inventory: &Inventory, hosts: &Hosts, state: &State, controller: &ControllerName) -> Option<Self> {
        if inventory.orchestrators().is_empty() {
            return None;
        }
        let gateway = inventory.gateway().map(|gateway| &gateway.host);
        let votes = |host: &&crate::inventory::Host| {
            !matches!(host.role, Role::Plain) || gateway.is_some_and(|gateway| *gateway == host.name)
        };
        let voter = |host: &crate::inventory::Host| {
            let local = !matches!(host.role, Role::Drone(_)) && inventory.is_here(host);
            let way: Arc<dyn Host> = match local {
                true => Arc::new(LocalHost::new(&inventory.destination_of(host))),
                false => Arc::clone(hosts.get(&host.name)?),
            };
            Some((host.name.clone(), Voter { host: way, workdir: host.access.workdir.to_string() }))
        };
        let voters: BTreeMap<HostName, Voter> = inventory.hosts().filter(votes).filter_map(voter).collect();
        let names: BTreeSet<HostName> = inventory.hosts().filter(votes).map(|host| host.name.clone()).collect();
        let all = names.len();
        let counted = state.voters.intersection(&names).cloned().collect();
        let candidate = Candidate::new(controller.clone(), names, counted, LEASE.as_secs(), state.epoch);
        let candidate = match &state.controller {
            Some(holder) if holder == controller => candidate.resuming(),
            _ => candidate,
        };
        Some(Self {
            voters,
            all,
            candidate: tokio::sync::Mutex::new(candidate),
            held: watch::Sender::new(Hold::Never),
            wanted: Mutex::default(),
            nudge: Notify::new(),
        })
    }

    /// Whether our epoch is held at this moment.
    pub fn is_held(&self) -> bool {
        self.held.borrow().is_good()
    }

    /// Whether it ever was, so that promises of it may live.
    pub fn was_held(&self) -> bool {
        *self.held.borrow() != Hold::Never
    }

    /// Waits until our epoch is held.
    pub async fn held(&self) {
        let mut held = self.held.subscribe();
        // The sender is ours.
        let _held = held.wait_for(Hold::is_good).await;
    }

    /// Has [`Electorate::called`] come back at once: a voter is to be told what it has lost.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// The same, for an epoch above one that was met somewhere.
    pub fn rise_above(&self, epoch: Epoch) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        *wanted = (*wanted).max(Some(epoch));
        self.nudge.notify_one();
    }

    /// Waits until the voters are to be asked again, at most so long; what for.
    pub async fn called(&self, at_most: Duration) -> Wish {
        let _in_time = tokio::time::timeout(at_most, self.nudge.notified()).await;
        let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
        wanted.map_or(Wish::Hold, Wish::Above)
    }

    /// Holds an epoch: where there is one it is confirmed, else one is claimed.
    ///
    /// # Errors
    /// Another controller holds one, or too few voters answer.
    pub async fn hold(&self, wish: Wish) -> Result<Tenure, ControlError> {
        let mut candidate = self.candidate.lock().await;
        let trial = match wish {
            Wish::Hold => candidate.clone(),
            Wish::Succeed => candidate.clone().succeeding(),
            Wish::TakeOver => candidate.clone().taking_over(),
            Wish::Above(epoch) => candidate.clone().above(epoch),
        };
        let given_up = (trial.clone(), Err(self.no_majority(None, &[])));
        let (trial, held) = tokio::time::timeout(LONGEST_VOTE, self.attempt(trial)).await.unwrap_or(given_up);
        // What is held is not given up for a higher one that could not be had.
        if held.is_ok() || !matches!(wish, Wish::Above(_)) {
            *candidate = trial;
            if held.is_err() && self.was_held() {
                self.held.send_replace(Hold::InDoubt);
            }
        }
        held
    }

    /// Rounds until something is decided; the candidate as it is then.
    async fn attempt(&self, mut candidate: Candidate) -> (Candidate, Result<Tenure, ControlError>) {
        let (mut lessons, mut tries) = (0, 0);
        let mut held = None;
        let mut silent = Vec::new();
        let mut last = None;
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let round = self.round(&candidate).await;
            silent = round.silent;
            match candidate.settle(&round.answers) {
                Outcome::Goes => {}
                Outcome::Holds(epoch) => {
                    self.held.send_replace(Hold::Until(begun + LEASE));
                    held = Some(epoch);
                    if !candidate.teaches() || lessons == LESSONS {
                        break;
                    }
                    lessons += 1;
                }
                Outcome::Held(by) => return (candidate, Err(held_elsewhere(by))),
                Outcome::Behind(term) => {
                    let by = epoch::Claimant { epoch: term.epoch, controller: Some(term.controller) };
                    return (candidate, Err(ControlError::Behind { by }));
                }
                // Ourselves, from before: it is claimed anew.
                Outcome::Outranked(by) if by.holder.as_ref() == Some(candidate.controller()) => {}
                // What was held before this process began is claimed anew where it can be had.
                Outcome::Outranked(_) if *self.held.borrow() == Hold::Never => {}
                Outcome::Outranked(by) => return (candidate, Err(superseded(by))),
                Outcome::TooFew { know, lost, wanted } => {
                    last = Some((know, lost, wanted));
                    tries += 1;
                    if round.answers.len() < majority(self.all) || tries == TRIES {
                        break;
                    }
                    step_aside().await;
                }
            }
        }
        let answer = match (held, last) {
            (Some(epoch), _) => Ok(Tenure { epoch, counted: candidate.counted().clone() }),
            (None, too_few) => Err(self.no_majority(too_few, &silent)),
        };
        (candidate, answer)
    }

    fn no_majority(&self, too_few: Option<(usize, usize, usize)>, silent: &[String]) -> ControlError {
        let (know, lost, wanted) = too_few.unwrap_or((0, 0, majority(self.all)));
        let silent = if silent.is_empty() { String::new() } else { format!("; {}", silent.join("; ")) };
        ControlError::NoMajority { know, lost, wanted, voters: self.all, silent }
    }

    async fn round(&self, candidate: &Candidate) -> Round {
        let mut asked: FuturesUnordered<_> = self
            .voters
            .iter()
            .map(|(name, voter)| {
                let request = candidate.request(name);
                async move { (name, vote::put(voter.host.as_ref(), &voter.workdir, &request).await) }
            })
            .collect();
        let mut round = Round::default();
        let mut waiting: BTreeSet<&HostName> = self.voters.keys().collect();
        let mut until = Instant::now() + PATIENCE;
        while let Ok(Some((name, answer))) = tokio::time::timeout_at(until, asked.next()).await {
            waiting.remove(name);
            match answer {
                Ok(answer) => drop(round.answers.insert(name.clone(), answer)),
                // The first line says what; the rest is the cure.
                Err(error) => round.silent.extend(error.to_string().lines().next().map(str::to_owned)),
            }
            if round.answers.len() == majority(self.all) {
                until = until.min(Instant::now() + GRACE);
            }
        }
        round.silent.extend(waiting.iter().map(|name| format!("{name} did not answer in time")));
        round
    }

    /// Ends our leases, so that whoever comes next need not wait for them.
    pub async fn leave(&self, visitor: &Visitor) {
        let leaves = self.voters.values().map(|voter| epoch::leave(voter.host.as_ref(), &voter.workdir, visitor));
        self.held.send_replace(Hold::InDoubt);
        futures::future::join_all(leaves).await;
    }
}

/// What a round brought.
#[derive(Debug, Default)]
struct Round {
    answers: BTreeMap<HostName, Answer>,
    /// Why the others are not among them.
    silent: Vec<String>,
}

fn held_elsewhere(by: Promise) -> ControlError {
    let (seconds, by) = (by.left, epoch::Claimant { epoch: by.epoch, controller: by.holder });
    ControlError::HeldByMajority { by, seconds }
}

fn superseded(by: Promise) -> ControlError {
    ControlError::Superseded { by: epoch::Claimant { epoch: by.epoch, controller: by.holder } }
}

/// Two controllers that claim at one time are not to do so again in step.
async fn step_aside() {
    let span = u64::try_from(STEP_ASIDE.as_millis()).unwrap_or(u64::MAX);
    tokio::time::sleep(Duration::from_millis(chance::number() % span)).await;
}
