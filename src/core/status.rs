//! The view that people and programs get of the state: `swarm status`, and its JSON
//! (`docs/reference/status.schema.json`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::alarm::{Alarm, ChannelTrouble};
use super::build::{Attempt, Build, Phase};
use super::event::{Rooms, Trouble};
use super::failure::FailureClass;
use super::names::{BuildName, ChannelName, Epoch, HostName, JobName, PlaybookName, ReleaseName, Timestamp};
use super::plan::PackageIndex;
use super::standby::{Copies, Following, StandbyView};
use super::state::{Condition, Drone, JobsByDrone, Queued, Run, State};
use super::text::{counted, shell_word};

/// A moment in RFC 3339, as every JSON of ours writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// The moment, or what is nearest to it in the years that RFC 3339 can write.
    fn nearest(self) -> jiff::Timestamp {
        let beyond = if self.0.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        jiff::Timestamp::from_second(self.0.0).unwrap_or(beyond)
    }
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.nearest())
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'_, str>>::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(Timestamp(moment.as_second())))
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_second(self.0.0) {
            Ok(moment) => moment.fmt(formatter),
            Err(_) => formatter.write_str("an unknown moment"),
        }
    }
}

/// The build that the status is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BuildView {
    /// Its id.
    pub id: BuildName,
    /// When it was opened.
    pub started: Moment,
    /// When nothing more could be done for it.
    pub finished: Option<Moment>,
}

/// A package that is being built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DelegatedView {
    /// Where.
    pub drone: HostName,
    /// Its job.
    pub job: JobName,
    /// Since when.
    pub since: Moment,
}

/// A package that is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedView {
    /// The class of its last failure.
    pub class: FailureClass,
    /// That failure in one line.
    pub reason: String,
    /// Where that was.
    pub drone: HostName,
    /// How often it was tried.
    pub attempts: usize,
    /// The log of that attempt, below the state directory.
    pub log: Option<String>,
}

/// What a drone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DroneState {
    /// It could take work.
    Idle,
    /// It builds.
    Building,
    /// The operator wants it to get no new work.
    Draining,
    /// It rests after failures of its own.
    Grounded,
    /// It lacks something, or is busy with something else.
    Unwell,
    /// It cannot be reached.
    Unreachable,
    /// It is left out: its host key, its login, or its configuration is not what it has to be.
    Refused,
}

impl DroneState {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Idle, Self::Building, Self::Draining, Self::Grounded, Self::Unwell, Self::Unreachable, Self::Refused];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Building => "building",
            Self::Draining => "draining",
            Self::Grounded => "grounded",
            Self::Unwell => "unwell",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
        }
    }
}

/// A drone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DroneView {
    /// What it does.
    pub state: DroneState,
    /// Its cores.
    pub cores: u32,
    /// The packages that it builds.
    pub building: Vec<String>,
    /// The address that it was reached at last.
    pub address: Option<String>,
    /// Why it gets no work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why its jobs have no clean rooms though they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_clean_room: Option<String>,
}

impl DroneView {
    /// The view of a drone; `jobs` are those of the state.
    pub fn of(state: &State, jobs: &JobsByDrone<'_>, drone: &Drone, now: Timestamp) -> Self {
        let building: Vec<String> = jobs
            .on(&drone.spec.name)
            .iter()
            .filter_map(|(_, job)| Some(state.builds.get(&job.build)?.label(job.package).to_owned()))
            .collect();
        let rests = drone.rest_until.is_some_and(|until| until > now);
        let (view, address, reason) = match &drone.condition {
            Condition::Away { trouble: Trouble::Unreachable, reason, .. } => {
                (DroneState::Unreachable, None, Some(reason.clone()))
            }
            Condition::Away { trouble: Trouble::Unwell, reason, .. } => {
                (DroneState::Unwell, None, Some(reason.clone()))
            }
            Condition::Away { reason, .. } => (DroneState::Refused, None, Some(reason.clone())),
            Condition::Ready { address } if drone.draining => {
                (DroneState::Draining, address.clone(), Some("gets no new work until `swarm undrain`".to_owned()))
            }
            Condition::Ready { address } if rests => {
                let until = drone.rest_until.map_or_else(String::new, |until| format!(" until {}", Moment(until)));
                let reason = format!("rests after {} of its own{until}", counted(drone.failures, "failure"));
                (DroneState::Grounded, address.clone(), Some(reason))
            }
            Condition::Ready { address } => (DroneState::Idle, address.clone(), None),
            Condition::Unknown => (DroneState::Idle, None, None),
        };
        let state = if view == DroneState::Idle && !building.is_empty() { DroneState::Building } else { view };
        let no_clean_room = match &drone.rooms {
            Rooms::Impossible(why) => Some(why.clone()),
            Rooms::Own | Rooms::Shared => None,
        };
        Self { state, cores: drone.spec.cores, building, address, reason, no_clean_room }
    }
}

/// A record of an unattended run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunView {
    /// The playbook.
    pub name: PlaybookName,
    /// When it began.
    pub started: Moment,
    /// When it ended.
    pub finished: Option<Moment>,
    /// How it ended.
    pub status: Option<u8>,
    /// Why.
    pub reason: Option<String>,
}

impl RunView {
    /// The view of a playbook's run.
    pub fn of((name, run): (&PlaybookName, &Run)) -> Self {
        let finished = run.finished.as_ref();
        Self {
            name: name.clone(),
            started: Moment(run.started),
            finished: finished.map(|end| Moment(end.at)),
            status: finished.map(|end| end.status),
            reason: finished.map(|end| end.reason.clone()),
        }
    }
}

/// What has too little room left to start anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LowDiskView {
    /// The directory.
    pub what: PathBuf,
    /// What was left there when that was found, in bytes.
    pub free: u64,
    /// When that was.
    pub since: Moment,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmView {
    /// What it is about.
    pub cause: String,
    /// Since when.
    pub since: Moment,
    /// What is wrong, in one line.
    pub words: String,
    /// The command to run next.
    pub next: String,
}

/// A channel that could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelView {
    /// Since when.
    pub since: Moment,
    /// How often, one after the other.
    pub failures: u32,
    /// Why not.
    pub why: String,
}

/// A build that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueuedView {
    /// Its id.
    pub id: BuildName,
    /// Whose packages it makes.
    pub driver: HostName,
    /// What was asked for.
    pub selection: String,
    /// How many packages that comes to.
    pub packages: usize,
}

impl AlarmView {
    fn of(alarm: &Alarm) -> Self {
        let Alarm { cause, words, since, .. } = alarm;
        Self {
            cause: cause.to_string(),
            since: Moment(*since),
            words: words.headline.clone(),
            next: words.next.clone(),
        }
    }
}

fn channels(state: &State) -> BTreeMap<ChannelName, ChannelView> {
    let view = |(name, trouble): (&ChannelName, &ChannelTrouble)| {
        let ChannelTrouble { since, failures, why, .. } = trouble;
        (name.clone(), ChannelView { since: Moment(*since), failures: *failures, why: why.clone() })
    };
    state.alarms.channels.iter().map(view).collect()
}

impl QueuedView {
    fn of(queued: &Queued) -> Self {
        Self {
            id: queued.name.clone(),
            driver: queued.plan.driver.clone(),
            selection: queued.selection.to_string(),
            packages: queued.plan.packages.len(),
        }
    }
}

/// The whole view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The build; none where there is none.
    pub build: Option<BuildView>,
    /// What waits for its needs or for a drone.
    pub needed: Vec<String>,
    /// What is being built.
    pub delegated: BTreeMap<String, DelegatedView>,
    /// What is in staging, or was released.
    pub received: Vec<String>,
    /// What is given up.
    pub failed: BTreeMap<String, FailedView>,
    /// What waits for something that is given up, by what.
    pub blocked: BTreeMap<String, Vec<String>>,
    /// What the operator should know of the plan: world members that nothing satisfies, what is to be built locally.
    pub warnings: Vec<String>,
    /// What is wrong, and not over.
    pub alarms: Vec<AlarmView>,
    /// Channels that could not be told of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<ChannelName, ChannelView>,
    /// The drones.
    pub drones: BTreeMap<HostName, DroneView>,
    /// The live release.
    pub release: Option<ReleaseName>,
    /// What is live on each orchestrator and in each object storage that a release was brought to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub orchestrators: BTreeMap<HostName, Option<ReleaseName>>,
    /// The orchestrators that stand by, and how far they are behind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub standbys: BTreeMap<HostName, StandbyView>,
    /// What stays on drones since a standby lacks it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub copies: BTreeMap<HostName, Copies>,
    /// Whom this orchestrator follows as a standby.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follows: Option<Following>,
    /// Builds that wait for their turn, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<QueuedView>,
    /// Builds that are worked off as far as they can be, beside the open one, and not released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<BuildName>,
    /// What has too little room left on the controller; nothing is started meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low_disk: Option<LowDiskView>,
    /// The last unattended run; none where there was none.
    pub last_run: Option<RunView>,
    /// What the operator would do next.
    pub next: String,
}

/// The same with whose it is, as an orchestrator tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnStatus {
    /// The orchestrator's name in the inventory; none where it is not listed there.
    pub name: Option<HostName>,
    /// The highest epoch that is known there.
    pub epoch: Epoch,
    /// How things stand.
    #[serde(flatten)]
    pub status: Status,
}

impl Status {
    /// The view of a build, by default the open one, else the latest.
    pub fn of(state: &State, build: Option<&Build>, now: Timestamp) -> Self {
        let build = build.or_else(|| state.latest_build());
        let jobs = state.jobs_by_drone();
        let view = |(name, drone): (&HostName, &Drone)| (name.clone(), DroneView::of(state, &jobs, drone, now));
        let mut status = Self {
            build: build.map(|build| BuildView {
                id: build.name.clone(),
                started: Moment(build.started),
                finished: build.finished.map(Moment),
            }),
            needed: Vec::new(),
            delegated: BTreeMap::new(),
            received: Vec::new(),
            failed: BTreeMap::new(),
            blocked: BTreeMap::new(),
            warnings: build.map(|build| build.plan.warnings.clone()).unwrap_or_default(),
            alarms: state.alarms.standing().map(AlarmView::of).collect(),
            channels: channels(state),
            drones: state.drones.iter().map(view).collect(),
            release: state.release.clone(),
            orchestrators: state.orchestrators.clone(),
            standbys: BTreeMap::new(),
            copies: BTreeMap::new(),
            follows: None,
            queue: state.queue.iter().map(QueuedView::of).collect(),
            set_aside: state.set_aside().map(|build| build.name.clone()).collect(),
            last_run: state.last_run().map(RunView::of),
            low_disk: state.low_disk.as_ref().map(|low| LowDiskView {
                what: low.what.clone(),
                free: low.free,
                since: Moment(low.since),
            }),
            next: String::new(),
        };
        if let Some(build) = build {
            status.sort_packages(state, build);
        }
        status.next = next_step(state, build, &status);
        status
    }

    fn sort_packages(&mut self, state: &State, build: &Build) {
        let mut blockers = build.blockers();
        for index in 0..build.packages.len() {
            let package = PackageIndex::at(index);
            let label = build.label(package).to_owned();
            match &build.packages[package.index()].phase {
                Phase::Needed if build.is_blocked(package) => {
                    let by = blockers.remove(&package).unwrap_or_default();
                    let by = by.into_iter().map(|by| build.label(by).to_owned()).collect();
                    self.blocked.insert(label, by);
                }
                Phase::Needed => self.needed.push(label),
                Phase::Delegated(name) => {
                    if let Some(job) = state.jobs.get(name) {
                        let (drone, since) = (job.drone.clone(), Moment(job.since));
                        self.delegated.insert(label, DelegatedView { drone, job: name.clone(), since });
                    }
                }
                Phase::Received(_) => self.received.push(label),
                Phase::Failed => {
                    if let Some(view) = failed_view(&build.packages[package.index()].attempts) {
                        self.failed.insert(label, view);
                    }
                }
            }
        }
    }
}

fn failed_view(attempts: &[Attempt]) -> Option<FailedView> {
    let last = attempts.last()?;
    Some(FailedView {
        class: last.failure.class,
        reason: last.failure.reason.clone(),
        drone: last.drone.clone(),
        attempts: attempts.len(),
        log: last.log.clone(),
    })
}

fn next_step(state: &State, build: Option<&Build>, status: &Status) -> String {
    let Some(build) = build else {
        return "nothing is asked for: `swarm push ATOM` or `swarm push --world` begins".to_owned();
    };
    if let Some(release) = &build.released {
        return format!("nothing: the build went live with release {release}");
    }
    if build.is_complete() {
        return "everything is received and nothing of it is live: `swarm finalize` releases it".to_owned();
    }
    if let Some(low) = status.low_disk.as_ref().filter(|_| !build.is_over()) {
        return format!(
            "free some room at {}: nothing new starts until then, and work goes on by itself",
            low.what.display()
        );
    }
    if !build.is_over() && !status.delegated.is_empty() {
        return "packages are being built; `swarm push` follows them and takes what is done".to_owned();
    }
    if !build.is_over() {
        let usable = state.drones.values().any(|drone| matches!(drone.condition, Condition::Ready { .. }));
        return if usable || status.drones.is_empty() {
            "packages wait: `swarm push` goes on with them".to_owned()
        } else {
            "packages wait and no drone can take them: `swarm hosts check` says why, then `swarm push` goes on"
                .to_owned()
        };
    }
    let first = status.failed.keys().next().map_or("PKG".into(), |label| shell_word(label));
    format!("packages failed: `swarm logs {first}` shows why, `swarm push --retry-failed` tries them again")
}
