//! One controller at work: lock, journal, state and the directories, held together.

mod quiet;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use super::alarms::Watch;
use super::api::{self, Over};
use super::electorate::{Electorate, Tenure, Wish};
use super::error::ControlError;
use super::housekeeping::{Amount, Deed, Tidied};
use super::muster::Hosts;
use crate::core::event::{DroneSpec, Event};
use crate::core::names::{ControllerName, Epoch, HostName, Timestamp};
use crate::core::state::{BUILDS_KEPT, State};
use crate::epoch::Visitor;
use crate::inventory::{self, Inventory};
use crate::notify;
use crate::release::{Releases, Staging};
use crate::ssh::{self, Pace};
use crate::standby::{progress, view};
use crate::store::journal::{Holding, Keep};
use crate::store::{Journal, Lock, LockError, name};

/// Whoever watches a session; it is told of every event once it is in the journal.
pub trait Observer: Send {
    /// An event, and the state that it has led to.
    fn saw(&mut self, event: &Event, state: &State, at: Timestamp);
    /// A word for the operator that is no event.
    fn note(&mut self, text: &str);
}

/// So long it may take to tell the voters and drones that our leases are over.
pub(super) const FAREWELL: Duration = Duration::from_secs(2);
/// What is said of a lock whose holder only tells somebody what is wrong.
const TELLS: &str = ", which tells what is wrong and ends then";
/// Between two tries to get the lock of such a one.
const LOCK_AGAIN: Duration = Duration::from_millis(50);
/// How many events a listener may be behind before it misses some.
const EVENTS_HELD: usize = 1024;

/// This machine's clock, the only place where the controller reads it, as far ahead as the runtime's clock is. That is
/// not at all, but for tests that let hours pass in a moment: what sleeps and what is dated agree there, too.
pub fn now() -> Timestamp {
    let (runtime, machine) = (tokio::time::Instant::now().into_std(), std::time::Instant::now());
    let ahead = runtime.saturating_duration_since(machine);
    let behind = machine.saturating_duration_since(runtime);
    let now = jiff::Timestamp::now();
    let moved = now.checked_add(ahead).and_then(|now| now.checked_sub(behind)).unwrap_or(now);
    Timestamp(moved.as_second())
}

/// A controller at work.
pub struct Session {
    /// The fleet.
    pub inventory: Arc<Inventory>,
    /// The ways to the fleet's hosts.
    pub hosts: Arc<Hosts>,
    /// Where received packages wait.
    pub staging: Arc<Staging>,
    /// What clients get.
    pub releases: Releases,
    /// Whose promises make us the only controller; none where no orchestrator is listed.
    pub electorate: Option<Arc<Electorate>>,
    /// Who we are.
    name: ControllerName,
    state: State,
    journal: Journal,
    /// What is looked for and told beside the builds.
    pub(super) alarms: Watch,
    observer: Box<dyn Observer>,
    events: broadcast::Sender<String>,
    /// Whether an event changed the state, and it is not known to be in the journal: it has not happened.
    is_ahead: bool,
    /// When how things stand is to be kept.
    keeping: quiet::Keeping,
    /// Whether drones are at work for it just now.
    is_running: bool,
    lock: Lock,
}

impl Session {
    /// Takes the lock, replays the journal and opens staging and production.
    ///
    /// # Errors
    /// When another controller is at work, or something of these cannot be used; the message says which and why.
    pub async fn open(inventory: Inventory, observer: Box<dyn Observer>) -> Result<Self, ControlError> {
        // Releases are what goes out in bulk: the limit is for those that get them.
        let pace = inventory.swarm.bandwidth_limit.map(|rate| Arc::new(Pace::new(rate)));
        let way = |host: &inventory::Host| {
            let pace = pace.clone().filter(|_| matches!(host.role, inventory::Role::Orchestrator(_)));
            (host.name.clone(), ssh::host_at_pace(&inventory.destination_of(host), pace))
        };
        let hosts: Hosts = inventory.hosts().map(way).collect();
        Self::open_on(inventory, hosts, observer).await
    }

    /// The same with other ways to the hosts than the inventory's addresses.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_on(
        inventory: Inventory,
        hosts: Hosts,
        observer: Box<dyn Observer>,
    ) -> Result<Self, ControlError> {
        let settings = &inventory.swarm;
        let lock = take_lock(&settings.state).await?;
        let journal = Journal::open(&settings.state)?;
        let state = journal.replay()?;
        let name = name::own(&settings.state, state.controller.as_ref())?;
        let electorate = Electorate::new(&inventory, &hosts, &state, &name).map(Arc::new);
        let releases = Releases::open(&settings.production, own_pkgdir().await.as_deref())?;
        let staging = Staging::open(&settings.staging)?;
        releases.refuse_staging(&staging)?;
        let inventory = Arc::new(inventory);
        let mut session = Self {
            inventory,
            hosts: Arc::new(hosts),
            staging: Arc::new(staging),
            releases,
            electorate,
            name,
            state,
            journal,
            alarms: Watch::default(),
            observer,
            events: broadcast::Sender::new(EVENTS_HELD),
            is_ahead: false,
            keeping: quiet::Keeping::default(),
            is_running: false,
            lock,
        };
        session.declare()?;
        Ok(session)
    }

    /// Says that nothing is done any more but to tell what is wrong: whoever wants the lock waits for it.
    pub(super) fn only_tells(&mut self) {
        if let Err(error) = self.lock.describe(TELLS) {
            tracing::debug!("who wants the lock is not told that it is free soon: {error}");
        }
    }

    /// Claims this epoch for ourselves, where no majority is asked for.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn claim(&mut self, epoch: Epoch) -> Result<(), ControlError> {
        self.take_office(Tenure { epoch, counted: [].into() })
    }

    /// Makes sure that we are the only controller, as far as that takes others' promises: an epoch is held at a majority
    /// of the voters from here on, for [`crate::epoch::LEASE`].
    ///
    /// # Errors
    /// Another controller holds one, too few voters answer, or it cannot be written down.
    pub async fn hold(&mut self, wish: Wish) -> Result<(), ControlError> {
        let Some(electorate) = self.electorate.clone() else { return Ok(()) };
        let wish = match (wish, self.inventory.swarm.controller) {
            // Nobody brings the journals of local controllers together: each goes on from its own.
            (Wish::Hold, inventory::ControllerPlace::Local) => Wish::Succeed,
            (wish, _) => wish,
        };
        let tenure = electorate.hold(wish).await?;
        self.take_office(tenure)
    }

    /// Writes down that this epoch is ours, where that is news.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn take_office(&mut self, tenure: Tenure) -> Result<(), ControlError> {
        let Tenure { epoch, counted } = tenure;
        let known = self.state.epoch == epoch && self.state.controller.as_ref() == Some(&self.name);
        if known && counted.is_subset(&self.state.voters) {
            return Ok(());
        }
        let controller = self.name.clone();
        self.record(&Event::EpochClaimed { epoch, controller, voters: counted, at: now() })
    }

    /// Ends our leases at the voters, so that whoever comes next need not wait for them; those that do not answer soon
    /// are left to end by themselves.
    pub async fn leave_office(&self) {
        if let Some(electorate) = self.electorate.as_ref().filter(|electorate| electorate.was_held()) {
            // What is not ended in time ends by itself.
            let _late = tokio::time::timeout(FAREWELL, electorate.leave(&self.visitor())).await;
        }
    }

    /// Begins to work the open build off: nothing is known of the drones yet.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn begin_run(&mut self) -> Result<(), ControlError> {
        self.is_running = true;
        self.record(&Event::RunBegun { lost_after: self.inventory.swarm.lost_after.as_secs(), at: now() })
    }

    /// No drone works for it any more.
    pub fn end_run(&mut self) {
        self.is_running = false;
    }

    /// Whether drones are at work for it just now.
    pub fn is_running(&self) -> bool {
        self.is_running
    }

    /// Lets old events go, but those that a standby which keeps up still lacks.
    ///
    /// # Errors
    /// The journal cannot be read or written; nothing is lost then.
    pub fn prune_journal(&mut self, deed: Deed) -> Result<Tidied, ControlError> {
        let (limits, at) = (self.inventory.housekeeping, now());
        let within = Keep::within(limits.journal, limits.journal_size.as_u64(), at);
        let keep = Keep { wanted: self.wanted_by_standbys(at), ..within };
        let amount = |holding: Holding| Amount { count: holding.events, bytes: holding.bytes };
        let there = self.journal.holding()?;
        let went = match deed {
            Deed::Look => self.journal.surplus(&keep)?,
            Deed::Do => self.journal.prune(&self.state, &keep)?,
        };
        Ok(Tidied { what: "events of the journal", there: amount(there), went: amount(went) })
    }

    /// The earliest event that a standby which can be heard has last; one that is away gets a sum of what has gone.
    fn wanted_by_standbys(&self, at: Timestamp) -> Option<i64> {
        let standbys = view::standbys(&self.inventory, None);
        let told = standbys.iter().filter_map(|standby| progress::read(self.directory(), standby));
        told.filter(|progress| progress.is_near(at)).map(|progress| progress.events).min()
    }

    /// Who we are to the drones.
    pub fn visitor(&self) -> Visitor {
        Visitor {
            epoch: self.state.epoch,
            controller: self.name.clone(),
            take_over: false,
            elected: self.electorate.is_some(),
        }
    }

    /// The work directory of a host.
    pub fn workdir(&self, host: &HostName) -> String {
        self.inventory.workdir(host)
    }

    /// What is known.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state directory.
    pub fn directory(&self) -> &Path {
        &self.inventory.swarm.state
    }

    /// The directory of kept logs.
    pub fn logs(&self) -> PathBuf {
        self.directory().join("logs")
    }

    /// Writes an event down, lets it change the state, and tells the observer.
    ///
    /// # Errors
    /// When it does not fit or cannot be written; it has then not happened, and the session must not go on.
    pub fn record(&mut self, event: &Event) -> Result<(), ControlError> {
        let at = now();
        // What does not fit must not reach the journal. Nothing follows from the state before the event is written:
        // where that fails the session is over, and its state with it.
        self.is_ahead = true;
        self.state.apply(event)?;
        self.journal.append(&self.state, event, at)?;
        self.is_ahead = false;
        self.alarms.saw(event);
        self.keeping.saw_event();
        self.observer.saw(event, &self.state, at);
        self.tell(|| api::told(self.journal.last_written(), at, event));
        Ok(())
    }

    /// Whether an event could not be written: the session is over, since its state says what has not happened.
    pub fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// Whether nothing may be written down any more after this error: an event could not be, or another controller has
    /// our place.
    pub fn is_over_with(&self, error: &ControlError) -> bool {
        self.is_ahead || error.is_of_another()
    }

    /// The events from here on, as JSON, for whoever subscribes.
    pub fn events(&self) -> broadcast::Sender<String> {
        self.events.clone()
    }

    /// Tells the operator something that is no event.
    pub fn note(&mut self, text: &str) {
        self.observer.note(text);
        self.tell(|| api::noted(now(), text));
    }

    /// Tells whoever follows a build that nothing more is done for it now.
    pub fn over(&self, over: Over) {
        self.tell(|| api::told_over(now(), over));
    }

    fn tell(&self, line: impl FnOnce() -> serde_json::Result<String>) {
        if self.events.receiver_count() > 0
            && let Ok(line) = line()
        {
            // Whoever listened may just have gone.
            let _gone = self.events.send(line);
        }
    }

    fn declare(&mut self) -> Result<(), ControlError> {
        if self.electorate.is_none() && self.state.controller.as_ref() != Some(&self.name) {
            // A journal that was another controller's goes on above what that one had.
            let Epoch(known) = self.state.epoch;
            let above = if self.state.controller.is_none() { known.max(1) } else { known.saturating_add(1) };
            self.claim(Epoch(above))?;
        }
        let drones = specs(&self.inventory);
        let known: Vec<DroneSpec> = self.state.drones.values().map(|drone| drone.spec.clone()).collect();
        if drones != known {
            self.record(&Event::FleetDeclared { drones })?;
        }
        let count = self.inventory.housekeeping.builds.get();
        if self.state.builds_kept.unwrap_or(BUILDS_KEPT) != count {
            self.record(&Event::BuildsKept { count })?;
        }
        if let Some(adopted) = self.releases.adopted().map(|release| release.name.clone()) {
            let path = self.inventory.swarm.production.display().to_string();
            self.note(&format!("{path} was there already: it is now release {adopted}, and the base of the next one"));
        }
        let release = self.releases.current()?.map(|release| release.name);
        if release != self.state.release {
            self.record(&Event::ReleaseSeen { release })?;
        }
        Ok(())
    }
}

/// Takes the lock; one that is held only for somebody to be told what is wrong is waited for.
async fn take_lock(directory: &Path) -> Result<Lock, LockError> {
    let until = tokio::time::Instant::now() + notify::PATIENCE + FAREWELL;
    loop {
        match Lock::take(directory) {
            Err(LockError::Busy { holder, .. }) if holder.ends_with(TELLS) && tokio::time::Instant::now() < until => {
                tokio::time::sleep(LOCK_AGAIN).await;
            }
            taken => return taken,
        }
    }
}

/// The drones of an inventory, as far as is needed to decide.
pub fn specs(inventory: &Inventory) -> Vec<DroneSpec> {
    let spec = |(host, settings): (&inventory::Host, &inventory::DroneSettings)| DroneSpec {
        name: host.name.clone(),
        cores: settings.cores.map_or(1, std::num::NonZeroU32::get),
        jobs: settings.jobs.map(std::num::NonZeroU32::get),
        memory_mib: settings.memory.map(|memory| memory.as_u64() >> 20),
    };
    inventory.drones().map(spec).collect()
}

/// Does what waits for disks or processors on a thread where it holds nobody up.
///
/// # Errors
/// It broke off, which is a fault of this program.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ControlError> {
    let broke = |error| {
        ControlError::Refused(format!(
            "work on files here broke off: {error}; this is a fault of swarm, please report it"
        ))
    };
    tokio::task::spawn_blocking(work).await.map_err(broke)
}

/// The PKGDIR of this machine's own Portage; none where it has no Portage.
async fn own_pkgdir() -> Option<PathBuf> {
    let output = tokio::process::Command::new("portageq").args(["envvar", "PKGDIR"]).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim())).filter(|path| path.is_absolute())
}
