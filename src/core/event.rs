//! What can happen. Events are the journal: the state is what they say, in their order, and nothing else.

mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alarm::{Cause, Words};
use super::build::Attempt;
use super::names::{
    BuildId, BuildName, ChannelName, ControllerName, Epoch, HostName, JobName, ReleaseName, Revision, Timestamp,
};
use super::package::Cpv;
use super::plan::{PackageIndex, Plan};
pub use super::selection::{Selection, Wanted};
use crate::schedule::estimate::Sample;
pub use parts::{Cost, DroneSpec, Imprint, JobOutcome, ReceivedFile, Rooms, RunEnd, RunStart, Trouble, Why};

/// The version of the journal's form: it rises with each release that writes what the one before it cannot read, a new
/// kind of event among them. Every release reads all versions up to its own, events and snapshots alike; a newer one it
/// refuses.
///
/// 1: the first. 2: unattended runs, alarms, full disks, kept failures, configurations of drones; old events may be gone.
pub const SCHEMA: u32 = 2;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A controller works under this epoch from here on.
    EpochClaimed {
        /// The epoch.
        epoch: Epoch,
        /// The controller.
        controller: ControllerName,
        /// The voters that have known of an epoch; none where no majority is asked for.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        voters: BTreeSet<HostName>,
        /// When.
        at: Timestamp,
    },
    /// A controller begins to work builds off: of no drone is it known whether it can be reached.
    RunBegun {
        /// A drone that has been away for this long (seconds) is no longer waited for.
        lost_after: u64,
        /// When.
        at: Timestamp,
    },
    /// The inventory, as it is now. Drones that it no longer names are forgotten.
    FleetDeclared {
        /// The drones.
        drones: Vec<DroneSpec>,
    },
    /// So many builds are remembered from here on; of more the earliest released ones are forgotten.
    BuildsKept {
        /// How many.
        count: u32,
    },
    /// Build ids that are in use in staging or production already.
    BuildIdsSeen {
        /// The highest of each package.
        highest: BTreeMap<Cpv, BuildId>,
    },
    /// What is live on an orchestrator, or in an object storage, as it was found or brought there.
    OrchestratorSeen {
        /// The orchestrator, or the storage: they share no name.
        orchestrator: HostName,
        /// What is live there; none where it is nothing of ours.
        release: Option<ReleaseName>,
    },
    /// The release that is live, as found on disk.
    ReleaseSeen {
        /// Its id; none where nothing is live.
        release: Option<ReleaseName>,
    },
    /// A file system that the controller writes to has less room left than is kept in reserve: nothing new is started.
    DiskLow {
        /// The directory.
        what: PathBuf,
        /// What is left there, in bytes.
        free: u64,
        /// When.
        at: Timestamp,
    },
    /// There is room again on all of them.
    DiskWell {
        /// When.
        at: Timestamp,
    },
    /// Something is wrong that somebody is to be told of, or more is known of what was.
    AlarmRaised {
        /// What it is about.
        cause: Cause,
        /// What is said of it.
        words: Words,
        /// Whether somebody was there to see it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        attended: bool,
        /// When.
        at: Timestamp,
    },
    /// It is over.
    AlarmCleared {
        /// What it was about.
        cause: Cause,
        /// When.
        at: Timestamp,
    },
    /// A channel was told; written once it was.
    AlarmTold {
        /// Of these that they are there.
        causes: Vec<Cause>,
        /// Of these that they are over.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        recovered: Vec<Cause>,
        /// The channel.
        channel: ChannelName,
        /// When.
        at: Timestamp,
    },
    /// A channel could not be told.
    ChannelFailed {
        /// The channel.
        channel: ChannelName,
        /// Why not, in words for the operator.
        why: String,
        /// When.
        at: Timestamp,
    },
    /// A drone has been reached and compared, and can take work.
    DroneReady {
        /// The drone.
        drone: HostName,
        /// The address that it was reached at.
        address: Option<String>,
        /// Whether its jobs get roots of their own.
        #[serde(default)]
        rooms: Rooms,
        /// Its memory in MiB, where it told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory_mib: Option<u64>,
        /// The revision of the driver's configuration that it was compared with; none where its own counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        configuration: Option<Revision>,
    },
    /// A drone gets no work for now.
    DroneAway {
        /// The drone.
        drone: HostName,
        /// What keeps it out.
        trouble: Trouble,
        /// Why, in words for the operator.
        reason: String,
        /// When that was found.
        #[serde(default)]
        at: Timestamp,
    },
    /// The operator wants a drone to get no new work (true), or work again (false).
    DrainAsked {
        /// The drone.
        drone: HostName,
        /// Whether it is to be drained.
        drain: bool,
        /// When.
        at: Timestamp,
    },
    /// A build is to be worked off. An open one is replaced; what it has received and this one wants too is kept.
    BuildOpened {
        /// Its id.
        build: BuildName,
        /// What was asked for.
        selection: Selection,
        /// What that comes to.
        plan: Plan,
        /// Packages of it that need not be built: they are live in just this form, and staged again from there.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        live: BTreeMap<PackageIndex, ReceivedFile>,
        /// Whether all of it is built anew, even what the build before has received.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rebuild: bool,
        /// When.
        at: Timestamp,
    },
    /// A build waits for its turn: it is worked off once those before it are.
    BuildQueued {
        /// Its id.
        build: BuildName,
        /// What was asked for.
        selection: Selection,
        /// What that comes to.
        plan: Plan,
        /// Whether it is released as soon as all of it is received.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        finalize: bool,
        /// Whether all of it is built anew.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rebuild: bool,
        /// When.
        at: Timestamp,
    },
    /// A build of the queue has its turn. The open one is set aside: it can still be released. Unreleased builds of the
    /// same driver and selection are replaced by it.
    QueuedBuildOpened {
        /// The build.
        build: BuildName,
        /// Packages of it that need not be built: they are live in just this form, and staged again from there.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        live: BTreeMap<PackageIndex, ReceivedFile>,
        /// When.
        at: Timestamp,
    },
    /// Packages of the build that has just been opened failed before in just the same form, and are not tried again.
    FailuresKept {
        /// What was tried, by package.
        failures: BTreeMap<PackageIndex, Vec<Attempt>>,
    },
    /// An unreleased build is to be released as soon as all of it is received.
    FinalizeAsked {
        /// The build.
        build: BuildName,
        /// When.
        at: Timestamp,
    },
    /// An unreleased or queued build is given up by the operator; its jobs are ended wherever they run.
    BuildForgotten {
        /// The build.
        build: BuildName,
        /// When.
        at: Timestamp,
    },
    /// Failed packages of the open build are to be tried again, and grounded drones, too.
    RetryAsked {
        /// Which packages; none means all.
        #[serde(default)]
        packages: BTreeSet<PackageIndex>,
        /// When.
        at: Timestamp,
    },
    /// A package has been given to a drone; written before the job is started there.
    JobStarted {
        /// The job.
        job: JobName,
        /// Its package.
        package: PackageIndex,
        /// Where.
        drone: HostName,
        /// The build id that it uses, by its package. Journals of earlier days have those of others in a cycle, too.
        build_ids: BTreeMap<PackageIndex, BuildId>,
        /// How many processes at once (`MAKEOPTS=-jN`).
        #[serde(default)]
        width: u32,
        /// Why there; none in journals of before this was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Why>,
        /// When.
        at: Timestamp,
    },
    /// A job that another controller had started was found on a drone; it builds, or has built, a needed package.
    JobFound {
        /// The job.
        job: JobName,
        /// Its package.
        package: PackageIndex,
        /// Where.
        drone: HostName,
        /// The build id that it uses.
        build_id: BuildId,
        /// When.
        at: Timestamp,
    },
    /// A job's drone has been away for too long: its package may be given to another. The job is looked for when the
    /// drone is back.
    JobGivenUp {
        /// The job.
        job: JobName,
        /// When.
        at: Timestamp,
    },
    /// The drone of a job that was given up is back, and the job still runs or has ended there.
    JobBack {
        /// The job.
        job: JobName,
    },
    /// A verified package is in staging.
    PackageReceived {
        /// The job that brought it.
        job: JobName,
        /// Which package it is.
        package: PackageIndex,
        /// The file.
        file: ReceivedFile,
        /// What its build took; none of one that was built beside another package.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<Cost>,
        /// When.
        at: Timestamp,
    },
    /// Builds of other days, from the logs of the hosts on which they were made.
    HistoryImported {
        /// The builds.
        samples: Vec<Sample>,
    },
    /// A job is over, and nothing of it is left on the drone, or nothing can be known of it.
    JobEnded {
        /// The job.
        job: JobName,
        /// How.
        outcome: JobOutcome,
        /// When.
        at: Timestamp,
    },
    /// Nothing more can be done for the build: all is received, failed or blocked.
    BuildFinished {
        /// The build.
        build: BuildName,
        /// When.
        at: Timestamp,
    },
    /// A build's packages went live.
    BuildReleased {
        /// The build.
        build: BuildName,
        /// The release that holds them.
        release: ReleaseName,
        /// When.
        at: Timestamp,
    },
    /// Some of a build's packages went live; it stays open.
    PartReleased {
        /// The build.
        build: BuildName,
        /// The release that holds them.
        release: ReleaseName,
        /// When.
        at: Timestamp,
    },
    /// What an earlier release held went live again, as a new release.
    RolledBack {
        /// The earlier release.
        to: ReleaseName,
        /// The new one.
        release: ReleaseName,
        /// When.
        at: Timestamp,
    },
    /// An unattended run begins.
    RunStarted(RunStart),
    /// An unattended run is over.
    RunFinished(RunEnd),
}

impl Event {
    /// The packages that it says are in staging.
    pub fn files(&self) -> Vec<&ReceivedFile> {
        match self {
            Self::PackageReceived { file, .. } => vec![file],
            Self::BuildOpened { live, .. } | Self::QueuedBuildOpened { live, .. } => live.values().collect(),
            _ => Vec::new(),
        }
    }
}
