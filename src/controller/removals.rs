//! Jobs that are over and whose copy on their drone has to stay until every standby has what they brought.
//!
//! Where no orchestrator stands by a job is removed at once. Else the number of the journal's last event is noted, the
//! job's directory is rid of all but its package, and it goes once each standby has told that it has everything up to
//! there (a small file that the service writes, [`crate::standby::progress`]); of too many on one drone the oldest go
//! before ([`crate::core::standby::due`]). None of that holds up anything: the job itself is over.
//!
//! What is still waiting when a run ends stays on its drone, and the next run finds it there.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{Notify, mpsc};

use super::report::Report;
use super::session::{Session, now};
use crate::core::names::HostName;
use crate::core::standby::{Copies, Waiting, due};
use crate::drone::job::{self, JobDirectory};
use crate::ssh::{Host, HostError, HostErrorKind};
use crate::standby::{progress, view};
use crate::store::Journal;

/// Between two looks at what standbys have, while something waits for them.
const LOOK: Duration = Duration::from_millis(500);
/// At the end of a run standbys that can be reached have so long to get the last packages.
const LAST: Duration = Duration::from_secs(3);

/// The jobs that wait to be removed.
#[derive(Debug)]
pub struct Removals {
    state: PathBuf,
    standbys: Vec<HostName>,
    /// By drone, the oldest first.
    waiting: Mutex<BTreeMap<HostName, VecDeque<Copy>>>,
    more: Notify,
}

/// One of them.
#[derive(Debug)]
struct Copy {
    host: Arc<dyn Host>,
    directory: JobDirectory,
    waiting: Waiting,
}

impl Removals {
    /// For the standbys of the inventory.
    pub fn new(session: &Session) -> Self {
        let removals = Self {
            state: session.directory().to_owned(),
            standbys: view::standbys(&session.inventory, None),
            waiting: Mutex::default(),
            more: Notify::new(),
        };
        removals.write_down();
        removals
    }

    /// Whether copies have to stay at all.
    pub fn wait_for_somebody(&self) -> bool {
        !self.standbys.is_empty()
    }

    /// Removes a job that is over and has brought its package, now or later.
    ///
    /// # Errors
    /// When the drone is lost or something of the job still lives.
    pub async fn remove(&self, host: &Arc<dyn Host>, directory: &JobDirectory) -> Result<(), HostError> {
        if !self.wait_for_somebody() {
            return remove(host.as_ref(), directory).await;
        }
        if self.has(host.name(), directory) {
            return Ok(());
        }
        let local = |text: String| HostError::new(host.name(), HostErrorKind::Local, text);
        let state = self.state.clone();
        let last = move || Journal::open_to_read(&state)?.map_or(Ok(0), |journal| journal.last());
        let until = tokio::task::spawn_blocking(last).await.map_err(|error| local(error.to_string()))?;
        let until = until.map_err(|error| local(error.to_string()))?;
        let bytes = job::shed(host.as_ref(), directory).await?;
        let copy = Copy { host: Arc::clone(host), directory: directory.clone(), waiting: Waiting { until, bytes } };
        self.waiting().entry(host.name().clone()).or_default().push_back(copy);
        self.write_down();
        self.more.notify_one();
        Ok(())
    }

    /// Removes what may go, for as long as anybody listens.
    pub async fn run(&self, reports: mpsc::Sender<Report>) {
        while !reports.is_closed() {
            if self.waiting().is_empty() {
                self.more.notified().await;
            }
            for note in self.round().await {
                let _gone = reports.send(Report::Note(note)).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Gives standbys that can be reached a moment to get what was received last.
    pub async fn finish(&self) {
        let all_gone = async {
            while !self.waiting().is_empty() && self.is_near() {
                // What cannot be removed now is found by the next run.
                let _noted = self.round().await;
                tokio::time::sleep(LOOK / 5).await;
            }
        };
        let _late = tokio::time::timeout(LAST, all_gone).await;
    }

    /// Removes what may go now; gives what stays all the same.
    async fn round(&self) -> Vec<String> {
        let has: Vec<Option<i64>> =
            self.standbys.iter().map(|standby| Some(progress::read(&self.state, standby)?.has)).collect();
        let mut going = Vec::new();
        for copies in self.waiting().values_mut() {
            let count = due(&copies.iter().map(|copy| copy.waiting).collect::<Vec<_>>(), &has);
            going.push(copies.drain(..count).collect::<Vec<_>>());
        }
        if going.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        self.waiting().retain(|_, copies| !copies.is_empty());
        self.write_down();
        // A drone that does not answer holds up its own alone.
        let removed = join_all(going.into_iter().map(|copies| async move {
            let mut notes = Vec::new();
            for Copy { host, directory, .. } in copies {
                if let Err(error) = remove(host.as_ref(), &directory).await {
                    notes.push(format!("job {} stays on its drone: {error}", directory.job));
                }
            }
            notes
        }));
        removed.await.into_iter().flatten().collect()
    }

    fn is_near(&self) -> bool {
        let near = |standby| progress::read(&self.state, standby).is_some_and(|progress| progress.is_near(now()));
        self.standbys.iter().all(near)
    }

    fn has(&self, drone: &HostName, directory: &JobDirectory) -> bool {
        self.waiting().get(drone).is_some_and(|copies| copies.iter().any(|copy| copy.directory == *directory))
    }

    /// For whoever asks for the status.
    fn write_down(&self) {
        let copies = |copies: &VecDeque<Copy>| Copies {
            jobs: copies.len(),
            bytes: copies.iter().map(|copy| copy.waiting.bytes).sum(),
        };
        let all = self.waiting().iter().map(|(drone, waiting)| (drone.clone(), copies(waiting))).collect();
        // A status that cannot be told holds nothing up.
        if self.wait_for_somebody()
            && let Err(error) = progress::write_copies(&self.state, &all)
        {
            tracing::warn!("cannot write in {}: {error}", self.state.display());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<HostName, VecDeque<Copy>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a job now.
///
/// # Errors
/// When the drone is lost or something of the job still lives.
pub(super) async fn remove(host: &dyn Host, directory: &JobDirectory) -> Result<(), HostError> {
    match job::remove(host, directory).await {
        // The connection broke in the middle; a drone that is gone is not waited for, since nobody waits for this.
        Err(error) if error.kind == HostErrorKind::Lost => job::remove(host, directory).await,
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::core::event::Event;
    use crate::core::names::{Epoch, Timestamp};
    use crate::core::standby::Progress;
    use crate::core::state::State;
    use crate::ssh::LocalHost;

    /// A job that is over, on this machine as a drone, with a package of its own and one that it was fed.
    fn job(root: &Path, name: &str) -> JobDirectory {
        let directory = JobDirectory { workdir: root.display().to_string(), job: name.parse().unwrap() };
        let path = PathBuf::from(directory.path());
        for below in ["pkgs/app-misc/foo", "pkgs/app-misc/need", "room/layers/+/upper", "tmp/log"] {
            std::fs::create_dir_all(path.join(below)).unwrap();
        }
        std::fs::create_dir_all(root.join("cache")).unwrap();
        std::fs::write(root.join("cache").join(name), "fed").unwrap();
        std::fs::hard_link(root.join("cache").join(name), path.join("pkgs/app-misc/need/need-1.gpkg.tar")).unwrap();
        std::fs::write(path.join("pkgs/app-misc/foo/foo-1.gpkg.tar"), "built").unwrap();
        std::fs::write(path.join("status"), "0\n").unwrap();
        directory
    }

    fn removals(state: &Path, standbys: &[&str]) -> Removals {
        let standbys = standbys.iter().map(|name| name.parse().unwrap()).collect();
        Removals { state: state.to_owned(), standbys, waiting: Mutex::default(), more: Notify::new() }
    }

    fn has(state: &Path, standby: &str, has: i64) {
        progress::write(state, &standby.parse().unwrap(), &Progress { has, events: has, heard: now() }).unwrap();
    }

    #[tokio::test]
    async fn a_jobs_package_stays_on_its_drone_until_every_standby_has_it() {
        let (state, drone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut journal = Journal::open(state.path()).unwrap();
        let mut event = |epoch| {
            let controller = "izar".parse().unwrap();
            let event = Event::EpochClaimed { epoch: Epoch(epoch), controller, voters: [].into(), at: Timestamp(0) };
            journal.append(&State::default(), &event, Timestamp(0)).unwrap();
        };
        (1..=3).for_each(&mut event);
        let host: Arc<dyn Host> = Arc::new(LocalHost::here());
        let removals = removals(state.path(), &["tarn", "vega"]);
        let first = job(drone.path(), "build1-1");
        removals.remove(&host, &first).await.unwrap();
        let left = PathBuf::from(first.path());
        assert!(left.join("pkgs/app-misc/foo/foo-1.gpkg.tar").exists() && left.join("status").exists());
        assert!(!left.join("room").exists() && !left.join("pkgs/app-misc/need/need-1.gpkg.tar").exists());
        assert!(drone.path().join("cache/build1-1").exists());
        // One that is found again waits once.
        removals.remove(&host, &first).await.unwrap();
        event(4);
        let second = job(drone.path(), "build1-2");
        removals.remove(&host, &second).await.unwrap();
        let waiting = || progress::read_copies(state.path()).values().map(|copies| copies.jobs).sum::<usize>();
        let there = |job: &JobDirectory| Path::new(&job.path()).exists();
        for (tarn, vega, left) in [(9, 0, 2), (9, 2, 2), (2, 4, 2), (3, 4, 1), (4, 4, 0)] {
            has(state.path(), "tarn", tarn);
            has(state.path(), "vega", vega);
            assert_eq!(removals.round().await, Vec::<String>::new());
            assert_eq!(waiting(), left, "{tarn} {vega}");
            assert_eq!(usize::from(there(&first)) + usize::from(there(&second)), left, "{tarn} {vega}");
        }
    }

    #[tokio::test]
    async fn with_nobody_standing_by_a_job_goes_at_once() {
        let (state, drone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let job = job(drone.path(), "build1-1");
        let host: Arc<dyn Host> = Arc::new(LocalHost::here());
        removals(state.path(), &[]).remove(&host, &job).await.unwrap();
        assert!(!Path::new(&job.path()).exists());
    }

    #[tokio::test]
    async fn at_the_end_only_a_standby_that_can_be_reached_is_waited_for() {
        let (state, drone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let host: Arc<dyn Host> = Arc::new(LocalHost::here());
        let removals = removals(state.path(), &["tarn"]);
        let job = job(drone.path(), "build1-1");
        Journal::open(state.path()).unwrap();
        removals.remove(&host, &job).await.unwrap();
        // It never told anything.
        removals.waiting().values_mut().for_each(|copies| copies[0].waiting.until = 7);
        removals.finish().await;
        assert!(Path::new(&job.path()).exists());
        has(state.path(), "tarn", 6);
        let late = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            has(state.path(), "tarn", 7);
        };
        tokio::join!(removals.finish(), late);
        assert!(!Path::new(&job.path()).exists());
    }
}
