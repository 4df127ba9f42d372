//! `GET /metrics`: what Prometheus draws and alerts on; `docs/metrics.md` lists the families.
//!
//! A page is made of what was read ([`Sight`]) and of nothing else. Its cost is a look at each package of the latest build
//! and at each job; no label has more values than there are hosts, playbooks, states or classes, and none names a package.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State as Shared;

use super::books::Read;
use super::routes::{Service, unreadable};
use crate::controller::api::Refusal;
use crate::controller::now;
use crate::core::alarm::{Kind, still_since};
use crate::core::build::{Build, Counts};
use crate::core::failure::FailureClass;
use crate::core::names::{HostName, PlaybookName, Timestamp};
use crate::core::standby::{Following, StandbyView};
use crate::core::state::{Run, State};
use crate::core::status::{DroneState, DroneView};
use crate::disk::Room;
use crate::http::metrics::Page;
use crate::inventory::SwarmSettings;
use crate::store::journal::FILES;

/// The directories whose file systems are measured, by what they are for.
#[derive(Debug, Clone)]
pub struct Places([(&'static str, PathBuf); 3]);

impl Places {
    /// Those of an inventory.
    pub fn of(settings: &SwarmSettings) -> Self {
        Self([
            ("state", settings.state.clone()),
            ("staging", settings.staging.clone()),
            ("production", settings.production.clone()),
        ])
    }

    /// What is found there; what cannot be asked has no sample.
    fn look(&self) -> Disks {
        let [(_, state), ..] = &self.0;
        let rooms = self.0.iter().filter_map(|(name, path)| Some((*name, Room::of(path).ok()?)));
        Disks { rooms: rooms.collect(), journal: journal_size(state) }
    }
}

/// The journal's files, in bytes.
fn journal_size(state: &Path) -> u64 {
    let files = FILES.map(|name| state.join(name));
    files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}

/// What is on the disks.
#[derive(Debug, Clone, Default)]
pub struct Disks {
    /// The file systems, by what they are for.
    pub rooms: Vec<(&'static str, Room)>,
    /// The size of the journal in bytes.
    pub journal: u64,
}

/// What is told of.
#[derive(Debug)]
pub struct Sight<'a> {
    /// What the journal says, and what is live.
    pub read: &'a Read,
    /// Whether the controller's place is here.
    pub leads: bool,
    /// How far those that follow this one are behind.
    pub standbys: BTreeMap<HostName, StandbyView>,
    /// Whom this one follows.
    pub follows: Option<Following>,
    /// What is on the disks.
    pub disks: Disks,
    /// Bytes that the binhost has sent since the service began.
    pub sent: u64,
    /// This moment.
    pub now: Timestamp,
}

/// The route.
pub(super) async fn answer(Shared(service): Shared<Arc<Service>>) -> Result<Page, Refusal> {
    let read = service.read().await?;
    let looking = Arc::clone(&service);
    // A disk that is elsewhere may take its time.
    let looked = tokio::task::spawn_blocking(move || {
        let standbys = looking.view.standbys(now())?;
        Ok::<_, crate::store::StoreError>((standbys, looking.view.follows(), looking.places.look()))
    });
    let looked = looked.await.map_err(|error| unreadable(&error))?;
    let (standbys, follows, disks) = looked.map_err(|error| unreadable(&error))?;
    let leads = service.office.leads(read.state.controller.as_ref());
    let sent = service.binhost.sent().load(Ordering::Relaxed);
    let mut page = Sight { read: &read, leads, standbys, follows, disks, sent, now: now() }.page();
    service.tally.show(&mut page);
    Ok(page)
}

impl Sight<'_> {
    /// The page, without what the service as such counts.
    pub fn page(&self) -> Page {
        let (state, mut page) = (&self.read.state, Page::default());
        let version = ([env!("CARGO_PKG_VERSION")], 1);
        page.gauges("swarm_info", "The program, always 1.", ["version"], [version]);
        page.gauge("swarm_epoch", "The highest epoch known here.", Some(state.epoch));
        let help = "Whether the controller of that epoch is this one (1), or another (0).";
        page.gauge("swarm_leads", help, Some(u8::from(self.leads)));
        builds(state, self.now, &mut page);
        drones(state, self.now, &mut page);
        totals(state, &mut page);
        self.releases(&mut page);
        runs(state, &mut page);
        self.standbys(&mut page);
        alarms(state, &mut page);
        self.disks(&mut page);
        page
    }

    fn releases(&self, page: &mut Page) {
        let (read, state) = (self.read, &self.read.state);
        let live = read.release.as_ref().map(|release| ([release.as_str()], 1));
        page.gauges("swarm_release_info", "The live release, always 1.", ["release"], live);
        let help = "The TIMESTAMP of the live release's index.";
        page.gauge("swarm_release_timestamp_seconds", help, read.release_timestamp.map(|at| at.0));
        let help = "Whether an orchestrator, or an object storage, has the live release, as far as is known.";
        let has = |own| u8::from(own == &state.release);
        let orchestrators = state.orchestrators.iter().map(|(name, own)| ([name.as_str()], has(own)));
        page.gauges("swarm_orchestrator_up_to_date", help, ["orchestrator"], orchestrators);
        let help = "Bytes of packages and indices that the binhost has sent since this service began.";
        page.counter("swarm_binhost_sent_bytes_total", help, self.sent);
    }

    fn standbys(&self, page: &mut Page) {
        let mut gauges = |name, help, value: fn(&StandbyView) -> u64| {
            let samples = self.standbys.iter().map(|(standby, view)| ([standby.as_str()], value(view)));
            page.gauges(name, help, ["standby"], samples);
        };
        gauges("swarm_standby_lag_events", "Events that a standby lacks.", |view| view.lag.events);
        gauges("swarm_standby_lag_packages", "Received packages that it lacks.", |view| view.lag.packages);
        let help = "The age of the oldest event that it lacks.";
        gauges("swarm_standby_lag_seconds", help, |view| view.lag.seconds);
        gauges("swarm_standby_away", "Whether it was not heard of for 20 seconds.", |view| view.away.into());
        let mut gauges = |name, help, value: fn(&Following) -> i64| {
            let following = self.follows.as_ref();
            page.gauges(name, help, ["leader"], following.map(|own| ([own.leader.as_str()], value(own))));
        };
        let help = "The age of the oldest event that this standby lacked when it last heard of whom it follows.";
        gauges("swarm_following_lag_seconds", help, |own| i64::try_from(own.lag.seconds).unwrap_or(i64::MAX));
        gauges("swarm_following_heard_timestamp_seconds", "When that was.", |own| own.heard.0);
        let help = "Whether something keeps this standby from following.";
        gauges("swarm_following_troubled", help, |own| own.trouble.is_some().into());
    }

    fn disks(&self, page: &mut Page) {
        let Disks { rooms, journal } = &self.disks;
        let low = u8::from(self.read.state.low_disk.is_some());
        let help = "Whether a disk of the controller has less than its reserve free, so that nothing new starts.";
        page.gauge("swarm_disk_low", help, Some(low));
        let help = "Free bytes on the file system of a directory of this host.";
        page.gauges(
            "swarm_disk_free_bytes",
            help,
            ["directory"],
            rooms.iter().map(|(name, room)| ([*name], room.free)),
        );
        let help = "Size in bytes of that file system.";
        page.gauges(
            "swarm_disk_size_bytes",
            help,
            ["directory"],
            rooms.iter().map(|(name, room)| ([*name], room.size)),
        );
        page.gauge("swarm_journal_size_bytes", "Size of the journal's files.", Some(journal));
        let help = "Events that the journal has had so far, those that are not kept any more among them.";
        page.counter("swarm_journal_events_total", help, self.read.sequence());
    }
}

fn builds(state: &State, now: Timestamp, page: &mut Page) {
    let Counts { needed, delegated, received, failed, blocked } =
        state.latest_build().map(Build::counts).unwrap_or_default();
    let packages = [
        (["needed"], needed),
        (["delegated"], delegated),
        (["received"], received),
        (["failed"], failed),
        (["blocked"], blocked),
    ];
    page.gauges("swarm_packages", "Packages of the open build, else of the latest one.", ["state"], packages);
    let open = state.open_build();
    page.gauge("swarm_build_open", "Whether a build is open.", Some(u8::from(open.is_some())));
    let help = "When the open build was begun.";
    page.gauge("swarm_build_started_timestamp_seconds", help, open.map(|build| build.started.0));
    page.gauge("swarm_queue_builds", "Builds that wait for their turn.", Some(state.queue.len()));
    let oldest = state.queue.iter().map(|queued| queued.at.0).min();
    let help = "When the build was asked for that has waited for its turn for the longest.";
    page.gauge("swarm_queue_oldest_timestamp_seconds", help, oldest);
    let help = "Builds that are worked off as far as they can be and wait for their release.";
    page.gauge("swarm_builds_set_aside", help, Some(state.set_aside().count()));
    let still = still_since(state, None, now);
    let help = "Whether work waits while nothing is built, and neither a full disk nor an unattended run explains it.";
    page.gauge("swarm_work_stands_still", help, Some(u8::from(still.is_some())));
    page.gauge("swarm_work_stands_still_since_timestamp_seconds", "Since when it does.", still.map(|since| since.0));
    let help = "When a build was asked for, a job began or ended, or a package came, last.";
    page.gauge("swarm_work_moved_timestamp_seconds", help, state.moved.map(|moved| moved.0));
}

fn drones(state: &State, now: Timestamp, page: &mut Page) {
    let jobs = state.jobs_by_drone();
    let drones = state.drones.iter().map(|(name, drone)| (name.as_str(), DroneView::of(state, &jobs, drone, now)));
    let drones: Vec<(&str, DroneView)> = drones.collect();
    let states = drones
        .iter()
        .flat_map(|(name, view)| DroneState::ALL.map(|each| ([*name, each.as_str()], u8::from(view.state == each))));
    page.gauges("swarm_drone_state", "Whether a drone is in this state.", ["drone", "state"], states);
    let cores = drones.iter().map(|(name, view)| ([*name], view.cores));
    page.gauges("swarm_drone_cores", "Its processor cores.", ["drone"], cores);
    let jobs = drones.iter().map(|(name, view)| ([*name], view.building.len()));
    page.gauges("swarm_drone_jobs", "Jobs that are on it.", ["drone"], jobs);
}

/// What only grows.
fn totals(state: &State, page: &mut Page) {
    let totals = &state.totals;
    let ended = [
        (["delivered"], totals.delivered),
        (["failed"], totals.failed.values().sum()),
        (["discarded"], totals.discarded),
    ];
    page.counters("swarm_jobs_ended_total", "Jobs that are over.", ["outcome"], ended);
    let failures = FailureClass::ALL.map(|class| ([class.as_str()], totals.failures(class)));
    page.counters("swarm_job_failures_total", "Jobs that brought no package, by why.", ["class"], failures);
    page.counter("swarm_received_packages_total", "Packages received from drones and verified.", totals.packages);
    page.counter("swarm_received_bytes_total", "Size of the packages received from drones.", totals.bytes);
    let seconds = totals.cpu_ms as f64 / 1000.0;
    page.counter("swarm_job_cpu_seconds_total", "Processor time that received builds took on drones.", seconds);
}

fn runs(state: &State, page: &mut Page) {
    let mut gauges = |name, help, value: fn(&Run) -> Option<i64>| {
        let sample = |(playbook, run)| Some(([PlaybookName::as_str(playbook)], value(run)?));
        page.gauges(name, help, ["playbook"], state.runs.iter().filter_map(sample));
    };
    let help = "When a playbook's last run began.";
    gauges("swarm_run_started_timestamp_seconds", help, |run| Some(run.started.0));
    let help = "When it ended; not there while it is at work, or where nobody could say its end.";
    gauges("swarm_run_finished_timestamp_seconds", help, |run| Some(run.finished.as_ref()?.at.0));
    let help = "Its exit status: 0 done, 3 some packages failed, and so on; there with its end.";
    gauges("swarm_run_exit_status", help, |run| Some(run.finished.as_ref()?.status.into()));
    let help = "The moment after which nothing new starts in it; not there without a deadline.";
    gauges("swarm_run_deadline_timestamp_seconds", help, |run| Some(run.deadline?.0));
}

fn alarms(state: &State, page: &mut Page) {
    let standing = |kind: Kind| state.alarms.standing().filter(|alarm| alarm.cause.kind() == kind).count();
    let kinds = Kind::WORDS.into_iter().filter(|(_, kind)| *kind != Kind::Recovery);
    let counts = kinds.map(|(word, kind)| ([word], standing(kind)));
    page.gauges(
        "swarm_alarms",
        "What is wrong and not over, by its kind; `swarm status` names each.",
        ["kind"],
        counts,
    );
    let help = "How often in a row a channel of notifications could not be told; not there once it could.";
    let channels = state.alarms.channels.iter().map(|(name, trouble)| ([name.as_str()], trouble.failures));
    page.gauges("swarm_channel_failures", help, ["channel"], channels);
}
