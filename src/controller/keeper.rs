//! One keeper a drone: it brings the drone into reach, holds its epoch, and sees when it is lost, unwell, or back.
//!
//! A round is a look (`drone::tend`): one short script. The first round after the drone came into reach also lists the
//! jobs that lie there and compares the drone with the plan, since nobody knows what has happened to it meanwhile. A
//! drone that cannot be reached costs nobody but its keeper anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OnceCell, mpsc, watch};

use super::muster::{self, Hosts, Measure};
use super::report::{Report, Sighting};
use super::session::now;
use crate::core::event::{Rooms, Trouble};
use crate::core::names::{HostName, Revision};
use crate::core::plan::Plan;
use crate::drone::configuration::ConfigurationRoot;
use crate::drone::tend::{self, Brought, Circumstances, Claimed};
use crate::drone::{room, strays};
use crate::epoch::Visitor;
use crate::inventory::{CleanRoom, RemoteDirectory};
use crate::pause::Pauses;
use crate::ssh::{Host, HostError, HostErrorKind};

/// Between two looks at a drone that is well: a third of the lease, so that two looks may fail.
const INTERVAL: Duration = Duration::from_secs(20);
/// The first pause before a drone that is away is tried again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A drone that is unlike the driver is compared again after so long: somebody may have mended it.
const COMPARE_AGAIN: Duration = Duration::from_secs(300);

/// What the loop holds of a keeper.
#[derive(Debug, Clone, Default)]
pub struct Reins {
    /// Makes it look at once.
    pub doubt: Arc<Notify>,
    /// How many jobs of ours run there.
    pub jobs: Arc<AtomicUsize>,
}

/// What is known of a drone since it came into reach.
#[derive(Debug, Default)]
struct Reached {
    /// Whether a first look has come to its end.
    whole: bool,
    /// Whether its jobs get roots of their own, once that has been tried.
    rooms: Option<Rooms>,
    /// The revision of the driver's configuration that it was compared with, where it has one.
    configuration: Option<Revision>,
}

/// One drone's keeper.
#[derive(Debug)]
pub struct Keeper {
    /// The drone.
    pub drone: HostName,
    /// The way there.
    pub host: Arc<dyn Host>,
    /// Its work directory.
    pub workdir: RemoteDirectory,
    /// Whether its jobs are to have clean rooms.
    pub clean_room: CleanRoom,
    /// Its cores.
    pub cores: u32,
    /// What it is compared with; none where nothing is to be built.
    pub plan: Option<Arc<Plan>>,
    /// What it is compared with besides; all keepers share the driver's answer, and the first who asks gets it.
    pub measure: Arc<OnceCell<Measure>>,
    /// The ways to all hosts, the driver's among them.
    pub hosts: Arc<Hosts>,
    /// Under which epoch it looks.
    pub visitor: watch::Receiver<Visitor>,
    /// The loop's hold on it.
    pub reins: Reins,
    /// The way to the loop.
    pub reports: mpsc::Sender<Report>,
}

impl Keeper {
    /// Looks for as long as anybody listens.
    pub async fn run(mut self) {
        let mut reached = Reached::default();
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let sighting = self.look(&mut reached).await;
            if !matches!(sighting, Sighting::Away { .. } | Sighting::Unknown) {
                pauses.reset();
            }
            let rest = match &sighting {
                Sighting::Ready { .. } => INTERVAL,
                Sighting::Held { seconds, .. } => INTERVAL.min(Duration::from_secs(seconds + 1)),
                // The loop answers with a higher epoch, or ends.
                Sighting::Outranked { .. } => INTERVAL,
                // It is told by the next rounds of votes.
                Sighting::Unknown => pauses.next(),
                Sighting::Away { trouble: Trouble::Differs, .. } => COMPARE_AGAIN,
                Sighting::Away { .. } => pauses.next(),
            };
            if self.reports.send(Report::Drone { drone: self.drone.clone(), sighting }).await.is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = self.reins.doubt.notified() => {}
                changed = self.visitor.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn look(&mut self, reached: &mut Reached) -> Sighting {
        let mut looked = self.try_look(reached).await;
        if looked.as_ref().is_err_and(|error| error.kind == HostErrorKind::Lost) {
            // One broken connection says little: a drone that cannot be reached again is away.
            looked = self.try_look(reached).await;
        }
        match looked {
            Ok(sighting) => sighting,
            Err(error) => {
                *reached = Reached::default();
                away(&error)
            }
        }
    }

    async fn measure(&self, plan: &Plan) -> &Measure {
        self.measure.get_or_init(|| Measure::of(&self.hosts, plan)).await
    }

    /// Whether its jobs get clean rooms; the inner error says why they cannot, where they have to.
    async fn rooms(&self) -> Result<Result<Rooms, String>, HostError> {
        if self.clean_room == CleanRoom::Never {
            return Ok(Ok(Rooms::Shared));
        }
        Ok(match room::attempt(self.host.as_ref(), self.workdir.as_str()).await? {
            Ok(()) => Ok(Rooms::Own),
            Err(why) if self.clean_room == CleanRoom::Always => {
                Err(format!("its inventory entry wants clean rooms always, and none can be made there: {why}"))
            }
            Err(why) => Ok(Rooms::Impossible(why)),
        })
    }

    async fn try_look(&mut self, reached: &mut Reached) -> Result<Sighting, HostError> {
        let visitor = self.visitor.borrow_and_update().clone();
        self.host.connect().await?;
        let before = now().0;
        let driver = self.plan.as_ref().map(|plan| &plan.driver);
        let brought = Brought { driver, revision: reached.configuration.as_ref().filter(|_| reached.whole) };
        let sight = tend::look(self.host.as_ref(), self.workdir.as_str(), &visitor, brought).await?;
        match sight.claimed.clone() {
            Some(Claimed::Held(by, seconds)) => return Ok(Sighting::Held { by, seconds }),
            Some(Claimed::Outranked(by)) => return Ok(Sighting::Outranked { by }),
            Some(Claimed::Unknown) => return Ok(Sighting::Unknown),
            Some(Claimed::Ours(before)) if !reached.whole => {
                if before.and_then(|before| before.controller).is_some_and(|name| name != visitor.controller) {
                    // Nobody listens any more: the next report says so, too.
                    let _gone = self.reports.send(Report::Succeeds).await;
                }
            }
            Some(Claimed::Ours(_)) | None => {}
        }
        let jobs = self.reins.jobs.load(Ordering::Relaxed);
        let circumstances = Circumstances { before, after: now().0, cores: self.cores, jobs };
        if let Some(reason) = sight.trouble(&circumstances) {
            return Ok(Sighting::Away { trouble: Trouble::Unwell, reason });
        }
        let (mut jobs, mut lacking) = (Vec::new(), Vec::new());
        let compared = !reached.whole;
        if compared {
            if reached.rooms.is_none() {
                match self.rooms().await? {
                    Ok(rooms) => reached.rooms = Some(rooms),
                    Err(reason) => return Ok(Sighting::Away { trouble: Trouble::Unwell, reason }),
                }
            }
            if let Some(plan) = &self.plan {
                let (host, workdir) = (self.host.as_ref(), self.workdir.as_str());
                reached.configuration = sight.configuration.clone();
                let root = reached
                    .configuration
                    .clone()
                    .map(|revision| ConfigurationRoot { driver: plan.driver.clone(), revision }.path(workdir));
                match muster::check(host, plan, self.measure(plan).await, root.as_deref()).await? {
                    Ok(besides) => lacking = besides,
                    Err((trouble, reason)) => return Ok(Sighting::Away { trouble, reason }),
                }
            }
            jobs = strays::list(self.host.as_ref(), &self.workdir, false).await?;
            reached.whole = true;
        }
        let rooms = reached.rooms.clone().unwrap_or_default();
        let memory_mib = sight.whole_memory_mib();
        let configuration = reached.configuration.clone();
        let address = self.host.address();
        Ok(Sighting::Ready { address, compared, rooms, memory_mib, configuration, jobs, lacking })
    }
}

fn away(error: &HostError) -> Sighting {
    let trouble = match error.kind {
        HostErrorKind::Refused | HostErrorKind::Authentication => Trouble::Refused,
        HostErrorKind::Unreachable | HostErrorKind::Lost | HostErrorKind::Local => Trouble::Unreachable,
        HostErrorKind::Failed | HostErrorKind::NoSpace => Trouble::Unwell,
    };
    Sighting::Away { trouble, reason: error.message.clone() }
}
