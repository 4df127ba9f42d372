//! One job, from its claim on the drone to its package in staging: a small state machine of its own.
//!
//! 1. *Claim*: what is in the job's directory says how far an earlier controller, or an earlier connection, came.
//! 2. *Feed*: what the package needs is carried there as far as the drone has not merged it already.
//! 3. *Prepare*: the needs are merged.
//! 4. *Compare*: the drone's own resolver is asked, which now sees them and no older ones in their place; an answer unlike
//!    the plan is `parity`. A failure up to here is hardly ever the package's.
//! 5. *Build*: detached, not merged; the watch reports its end, the log is kept as it grows.
//! 6. *Collect*: fetched, verified, staged, written down; only then is the drone's copy removed, and where an
//!    orchestrator stands by, not before that has it as well ([`super::removals`]).
//!
//! A lost connection repeats the step that it hit, for as long as the loop lets the job be.

mod begin;
mod fetching;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};

use begin::Besides;

use super::electorate::Electorate;
use super::error::ControlError;
use super::kept_log::KeptLog;
use super::persist::persist;
use super::removals::{self, Removals};
use super::report::Report;
use super::session;
use super::space;
use super::support::Support;
use crate::core::build::Installed;
use crate::core::event::{Cost, JobOutcome, ReceivedFile};
use crate::core::failure::{Failure, FailureClass};
use crate::core::names::BuildId;
use crate::core::package::{Cpv, Identity};
use crate::core::plan::PackageIndex;
use crate::drone::brought::Brought;
use crate::drone::cache::Cache;
use crate::drone::job::{self, Ending, JobDirectory, Manifest, Need, Progress, Started, Task};
use crate::drone::verdict;
use crate::drone::watch::Watch;
use crate::epoch::Visitor;
use crate::failpoint::Failpoint;
use crate::pause::Pauses;
use crate::portage::index::Stanza;
use crate::release::accept::Fault;
use crate::release::{Staging, StagingError};
use crate::ssh::{Host, HostError, HostErrorKind};

/// A damaged copy is fetched so often in all.
const FETCHES: u32 = 3;

/// Between two tries to start on a drone that does not know yet that it is ours.
const START_AGAIN: Duration = Duration::from_secs(1);

/// The first pause before what there was no room for here is tried again; it doubles.
const ROOM_AGAIN: Duration = Duration::from_secs(10);
/// The longest such pause.
const ROOM_AGAIN_LATEST: Duration = Duration::from_secs(120);

/// All that a job needs to know.
#[derive(Debug)]
pub struct Work {
    /// Its drone.
    pub host: Arc<dyn Host>,
    /// The watch over that drone's jobs.
    pub watch: Arc<Watch>,
    /// What drones lack besides the plan.
    pub support: Arc<Support>,
    /// Whose promises let anything start.
    pub electorate: Option<Arc<Electorate>>,
    /// That drone's cache.
    pub cache: Arc<Cache>,
    /// Its directory there.
    pub directory: JobDirectory,
    /// What to build.
    pub task: Task,
    /// Its package.
    pub package: PackageIndex,
    /// What has to be installed there besides what it needs from staging; the driver has it installed.
    pub stand_ins: Vec<Installed>,
    /// All planned packages, by name: what a drone may not build by itself.
    pub planned: Arc<BTreeMap<Cpv, PackageIndex>>,
    /// What it needs, in the order in which it is merged.
    pub needs: Vec<Need>,
    /// The header of the job's own package index.
    pub header: BTreeMap<String, String>,
    /// Where packages go.
    pub staging: Arc<Staging>,
    /// Where logs go.
    pub logs: PathBuf,
    /// The keyring for signed packages.
    pub keyring: Option<PathBuf>,
    /// Under which epoch it is started.
    pub visitor: watch::Receiver<Visitor>,
    /// Whether its package is in staging already.
    pub delivered: bool,
    /// Whether its drone was away for so long that the package may have been given to another.
    pub given_up: bool,
    /// What stays on drones for the sake of standbys.
    pub removals: Arc<Removals>,
    /// Makes the drone's keeper look.
    pub doubt: Arc<Notify>,
    /// Held while a package is fetched that there was no room for before, so that several do not take it from each other.
    pub narrow: Arc<Mutex<()>>,
    /// The way to the loop.
    pub reports: mpsc::Sender<Report>,
}

const VANISHED: &str = "the build vanished without a status: the drone lost power, or somebody killed it";

enum Stop {
    Failed(Failure),
    Local(ControlError),
}

impl From<StagingError> for Stop {
    fn from(error: StagingError) -> Self {
        Self::Local(error.into())
    }
}

fn failure(class: FailureClass, reason: impl Into<String>) -> Stop {
    Stop::Failed(Failure { class, reason: reason.into() })
}

/// Trouble that no repetition cures: here it stops everything, there it counts against the drone.
fn settled(error: HostError) -> Stop {
    match error.kind {
        HostErrorKind::Local => Stop::Local(ControlError::Refused(error.to_string())),
        HostErrorKind::Lost | HostErrorKind::Unreachable => failure(FailureClass::Lost, error.message),
        HostErrorKind::NoSpace => failure(FailureClass::Resource, error.message),
        HostErrorKind::Refused | HostErrorKind::Authentication | HostErrorKind::Failed => {
            failure(FailureClass::Transfer, error.message)
        }
    }
}

impl Work {
    /// Does the job and reports.
    pub async fn run(self) {
        let log = KeptLog::new(&self.logs, &self.task.manifest.identity.cpv, &self.directory.job);
        let job = self.directory.job.clone();
        let report = match self.steps_with_room(&log).await {
            Ok(()) => Report::Ended { job, outcome: JobOutcome::Delivered },
            Err(Stop::Failed(failure)) => {
                let log = log.path().exists().then(|| log.name());
                Report::Ended { job, outcome: JobOutcome::Failed { failure, log } }
            }
            Err(Stop::Local(error)) => Report::Stopped(error),
        };
        // The loop may have been interrupted; the job then stays where it is for the next one.
        let _gone = self.reports.send(report).await;
    }

    /// Goes through the steps again and again where this side has no room: what was done is found done.
    async fn steps_with_room(&self, log: &KeptLog) -> Result<(), Stop> {
        let mut pauses = Pauses::new(ROOM_AGAIN, ROOM_AGAIN_LATEST);
        let mut was_full = false;
        loop {
            let error = match self.steps(log, was_full).await {
                Err(Stop::Local(error)) => error,
                done => return done,
            };
            let Some(what) = self.full() else { return Err(Stop::Local(error)) };
            // What has come in part is of no use here, and keeps others from being whole.
            let _stays = self.staging.discard(&self.directory.job);
            let _gone = self.reports.send(Report::Full { what, error }).await;
            was_full = true;
            tokio::time::sleep(pauses.next()).await;
        }
    }

    /// The directory that takes nothing any more, if one does not.
    fn full(&self) -> Option<PathBuf> {
        if matches!(self.staging.require_room(&self.directory.job), Err(StagingError::Full { .. })) {
            return Some(self.staging.root().to_owned());
        }
        Some(self.logs.clone()).filter(|logs| space::refuses(logs))
    }

    async fn steps(&self, log: &KeptLog, was_full: bool) -> Result<(), Stop> {
        let host = self.host.as_ref();
        let names = self.asked_for();
        let claim = self.persist(|| job::claim(host, &self.directory, &self.needs, &names)).await?;
        let worked = match claim.progress {
            // What it could bring has come, and its directory is gone.
            Progress::New | Progress::Lost if self.delivered => Ok(()),
            // Nothing of it is left there, and it is not to begin again.
            Progress::New if self.given_up => Err(failure(FailureClass::Lost, VANISHED)),
            Progress::New => match self.begin(&claim).await {
                Ok(besides) => self.wait(log, besides, was_full).await,
                Err(stop) => Err(stop),
            },
            Progress::Running | Progress::Ended => match self.besides().await {
                Ok(besides) => self.wait(log, besides, was_full).await,
                Err(stop) => Err(stop),
            },
            Progress::Lost => Err(failure(FailureClass::Lost, VANISHED)),
        };
        if matches!(worked, Err(Stop::Local(_))) {
            return worked;
        }
        if worked.is_err() {
            // The log is wanted most where something failed, but a drone that is gone has none to give.
            let _kept = log.complete(host, &self.directory).await;
        }
        self.clear(worked.is_ok()).await;
        worked
    }

    async fn start(&self) -> Result<(), Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        let mut visitor = self.visitor.clone();
        loop {
            if let Some(electorate) = &self.electorate {
                electorate.held().await;
            }
            let current = visitor.borrow_and_update().clone();
            Failpoint::BeforeStart.pass();
            match self.persist(|| job::start(host, directory, &current)).await? {
                Started::Running => {
                    Failpoint::AfterStart.pass();
                    return Ok(());
                }
                // Our own claim has risen meanwhile.
                Started::Outranked(by) if by.controller.as_ref() == Some(&current.controller) => {
                    if visitor.changed().await.is_err() {
                        return Err(Stop::Local(ControlError::Outranked { drone: host.name().clone(), by }));
                    }
                }
                Started::Outranked(by) if !current.elected => {
                    return Err(Stop::Local(ControlError::Outranked { drone: host.name().clone(), by }));
                }
                // Its keeper has it told, or finds out who has claimed it.
                Started::Outranked(_) | Started::Unknown => {
                    self.doubt.notify_one();
                    let _changed = tokio::time::timeout(START_AGAIN, visitor.changed()).await;
                }
            }
        }
    }

    async fn wait(&self, log: &KeptLog, besides: Besides, was_full: bool) -> Result<(), Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        self.persist(|| self.ended(log)).await?;
        self.persist(|| log.complete(host, directory)).await?;
        let ending = self.persist(|| job::outcome(host, directory)).await?;
        match ending.status {
            None => Err(failure(FailureClass::Lost, VANISHED)),
            Some(0) if ending.stopped.is_none() => {
                let _turn = if was_full { Some(self.narrow.lock().await) } else { None };
                self.collect(besides, self.cost(&ending)).await
            }
            Some(status) => Err(Stop::Failed(verdict::of_build(status, &ending, &log.tail()))),
        }
    }

    /// Waits for the build's end and keeps its log meanwhile. Asked again after a loss it first looks how far the job
    /// has come: the drone may have been off.
    async fn ended(&self, log: &KeptLog) -> Result<(), HostError> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        let claim = job::claim(host, directory, &[], &BTreeSet::new()).await?;
        match claim.progress {
            // Nothing of it is there: it has no outcome either.
            Progress::New | Progress::Lost => return Ok(()),
            Progress::Running | Progress::Ended => {}
        }
        let _gone = self.reports.send(Report::Back(directory.job.clone())).await;
        if claim.progress == Progress::Ended {
            return Ok(());
        }
        let log_trouble = async {
            match log.follow(host, directory).await {
                Err(error) if error.kind == HostErrorKind::Local => error,
                // What is missing of it comes at the end.
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = self.watch.ended(&directory.job) => ended,
            error = log_trouble => Err(error),
        }
    }

    /// What the build took, as far as its drone has measured it.
    fn cost(&self, ending: &Ending) -> Option<Cost> {
        let memory_mib = ending.peak_kib.and_then(|kib| u32::try_from(kib / 1024).ok());
        Some(Cost { wall_ms: ending.wall_ms?, cpu_ms: ending.cpu_ms?, width: self.task.width, memory_mib })
    }

    async fn collect(&self, besides: Besides, cost: Option<Cost>) -> Result<(), Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        let index = self.persist(|| job::packages(host, directory)).await?;
        let brought = self.persist(|| Brought::read(host, directory)).await?;
        let built: Vec<&Stanza> = index.stanzas.iter().filter(|stanza| brought.is_built(stanza)).collect();
        // Before the own package: others may wait for these.
        for (identity, turn) in besides.0 {
            if let Some(stanza) = built.iter().find(|stanza| *stanza.cpv() == identity.cpv) {
                self.keep(&identity, stanza).await?;
            }
            drop(turn);
        }
        if self.delivered {
            return Ok(());
        }
        let Manifest { identity, build_id, .. } = &self.task.manifest;
        let is_own = |stanza: &&Stanza| *stanza.cpv() == identity.cpv && stanza.build_id() == Some(*build_id);
        match built.into_iter().find(is_own) {
            Some(stanza) => self.take(identity, *build_id, stanza, cost).await,
            None => Err(self.missing(identity, &index.rejected)),
        }
    }

    /// Keeps what the job built beside its own package, for whoever lacks it next; where that cannot be, it is built again.
    async fn keep(&self, identity: &Identity, stanza: &Stanza) -> Result<(), Stop> {
        let (host, directory) = (self.host.as_ref(), &self.directory);
        let incoming = self.staging.incoming(&directory.job)?.join(stanza.path().basename());
        self.persist(|| job::collect(host, directory, stanza, &incoming, None)).await?;
        if let Err(error) = self.support.built(host, identity, stanza, &incoming).await {
            let note = format!("{} is not kept as a support package: {error}", identity.cpv);
            let _gone = self.reports.send(Report::Note(note)).await;
        }
        Ok(())
    }

    fn missing(&self, identity: &Identity, rejected: &[crate::portage::index::Rejected]) -> Stop {
        let own = rejected.iter().find(|rejected| rejected.cpv.as_deref() == Some(identity.cpv.as_str()));
        let reason = own.map_or_else(
            || "emerge ended well, but its package index does not list the package".to_owned(),
            |rejected| format!("the package cannot be taken: {}", rejected.reason),
        );
        failure(FailureClass::Transfer, reason)
    }

    async fn take(
        &self,
        identity: &Identity,
        build_id: BuildId,
        stanza: &Stanza,
        cost: Option<Cost>,
    ) -> Result<(), Stop> {
        let incoming = self.staging.incoming(&self.directory.job)?.join(stanza.path().basename());
        // What is longer than the whole cannot be the beginning of it.
        if let (Ok(copy), Some(size)) = (fs_err::metadata(&incoming), stanza.size())
            && copy.len() > size
        {
            fs_err::remove_file(&incoming).map_err(local("remove a damaged copy"))?;
        }
        let mut fetches = 0;
        let accepted = loop {
            fetches += 1;
            let error = match self.fetch(identity, build_id, stanza, &incoming).await? {
                Ok(accepted) => break accepted,
                Err(error) => error,
            };
            match error.fault() {
                Fault::Way if fetches < FETCHES => {
                    let (cpv, drone) = (&identity.cpv, self.host.name());
                    let note = format!("{cpv} came damaged from {drone} and is fetched again: cannot {error}");
                    let _gone = self.reports.send(Report::Note(note)).await;
                    fs_err::remove_file(&incoming).map_err(local("remove a damaged copy"))?;
                }
                Fault::Way | Fault::File => return Err(failure(FailureClass::Transfer, format!("cannot {error}"))),
                Fault::Settings => return Err(failure(FailureClass::Parity, format!("cannot {error}"))),
                Fault::Here => {
                    let reason = format!("cannot receive {}: cannot {error}", identity.cpv);
                    return Err(Stop::Local(ControlError::Refused(reason)));
                }
            }
        };
        let (staging, path, file) = (Arc::clone(&self.staging), accepted.path.clone(), incoming.clone());
        blocking(move || staging.admit(&file, &path)).await?.map_err(Stop::from)?;
        let gone = || {
            Stop::Local(ControlError::Refused(format!(
                "{} was taken out of staging while it was received; leave that directory to swarm, then `swarm push` goes on",
                accepted.path
            )))
        };
        let imprint = self.staging.imprint(&accepted.path)?.ok_or_else(gone)?;
        let own = Stanza::derive(&accepted.gpkg, &accepted.path, imprint.modified())
            .map_err(|error| failure(FailureClass::Transfer, error.to_string()))?;
        let (path, stanza) = (accepted.path.to_string(), own.values().collect());
        let file = ReceivedFile { path, build_id, stanza, imprint: Some(imprint) };
        let (taken, answer) = oneshot::channel();
        let (job, package) = (self.directory.job.clone(), self.package);
        let report = Report::Received { job, package, file, cost, taken };
        let sent = self.reports.send(report).await;
        if sent.is_err() || answer.await.is_err() {
            let reason =
                "the controller stopped before it wrote the package down; the next `swarm push` takes it".to_owned();
            return Err(Stop::Local(ControlError::Refused(reason)));
        }
        Ok(())
    }

    /// Removes what is left of the job, on both sides; what it brought stays on the drone until standbys have it.
    async fn clear(&self, brought: bool) {
        if let Err(error) = self.staging.discard(&self.directory.job) {
            let _gone = self.reports.send(Report::Note(error.to_string())).await;
        }
        Failpoint::BeforeRemove.pass();
        let removed = match brought {
            true => self.removals.remove(&self.host, &self.directory).await,
            false => removals::remove(self.host.as_ref(), &self.directory).await,
        };
        Failpoint::AfterRemove.pass();
        if let Err(error) = removed {
            let note = format!("job {} stays on its drone: {error}", self.directory.job);
            let _gone = self.reports.send(Report::Note(note)).await;
        }
    }

    async fn persist<T, Step, Answer>(&self, step: Step) -> Result<T, Stop>
    where
        Step: FnMut() -> Answer,
        Answer: Future<Output = Result<T, HostError>>,
    {
        persist(&self.doubt, step).await.map_err(settled)
    }
}

/// Ends a job that nobody wants any more, and removes it from its drone.
pub async fn discard(
    host: Arc<dyn Host>,
    directory: JobDirectory,
    staging: Arc<Staging>,
    doubt: Arc<Notify>,
    reports: mpsc::Sender<Report>,
) {
    let removal = async {
        persist(&doubt, || job::kill(host.as_ref(), &directory, "nobody wants it any more")).await?;
        persist(&doubt, || job::remove(host.as_ref(), &directory)).await
    };
    let removed = removal.await;
    let discarded = staging.discard(&directory.job);
    let faults =
        removed.err().map(|error| error.to_string()).into_iter().chain(discarded.err().map(|error| error.to_string()));
    for fault in faults {
        let note = format!("job {} is not wanted any more, but something of it stays: {fault}", directory.job);
        let _gone = reports.send(Report::Note(note)).await;
    }
    let _gone = reports.send(Report::Ended { job: directory.job, outcome: JobOutcome::Discarded }).await;
}

fn local(doing: &'static str) -> impl Fn(std::io::Error) -> Stop {
    move |source| Stop::Local(ControlError::Local { doing: doing.to_owned(), source })
}

/// Hashing and syncing take their time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stop> {
    session::blocking(work).await.map_err(Stop::Local)
}
