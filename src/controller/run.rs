//! The loop: one place that puts everything that happens in one order, writes it down and decides.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::error::ControlError;
use super::job::{Report, Work};
use super::muster;
use super::session::{Session, now};
use crate::core::build::{Build, Phase};
use crate::core::decide::{End, Start, decide};
use crate::core::event::{Event, JobOutcome, Trouble};
use crate::core::failure::FailureClass;
use crate::core::names::{BuildId, HostName, JobName};
use crate::core::package::Cpv;
use crate::core::plan::PackageIndex;
use crate::core::state::Job;
use crate::drone::job::{JobDirectory, Manifest, Need, Task};
use crate::drone::watch::Watch;
use crate::portage::index::Stanza;
use crate::ssh::Host;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// By itself.
    Ended(End),
    /// The operator stopped it; what runs on the drones goes on.
    Interrupted,
}

struct Run<'a> {
    session: &'a mut Session,
    watches: BTreeMap<HostName, Arc<Watch>>,
    planned: Arc<BTreeMap<Cpv, PackageIndex>>,
    reports: mpsc::Sender<Report>,
    tasks: JoinSet<()>,
}

/// Works off the open build on these drones until nothing more can be done or `interrupt` is ready.
///
/// # Errors
/// When something on this side keeps it from going on; what runs on the drones goes on.
pub async fn run(
    session: &mut Session,
    drones: &[HostName],
    interrupt: impl Future<Output = ()>,
) -> Result<Finish, ControlError> {
    let Some(build) = session.state().open_build() else {
        return Err(ControlError::Nothing("no build is open: `swarm push ATOM` begins one".to_owned()));
    };
    let plan = build.plan.clone();
    let planned = build.plan.packages.iter().enumerate();
    let planned = planned.map(|(index, package)| (package.identity.cpv.clone(), PackageIndex::at(index))).collect();
    tokio::pin!(interrupt);
    leave_out(session, drones)?;
    raise_build_ids(session)?;
    let events = tokio::select! {
        found = muster::muster(&session.hosts, drones, &plan) => found,
        () = &mut interrupt => return Ok(Finish::Interrupted),
    };
    for event in events {
        session.record(&event)?;
    }
    let (reports, mut reported) = mpsc::channel(64);
    let tasks = JoinSet::new();
    let mut run = Run { session, watches: BTreeMap::new(), planned: Arc::new(planned), reports, tasks };
    run.take_up()?;
    loop {
        let decision = decide(run.session.state(), now());
        for start in decision.starts {
            run.start(start)?;
        }
        if let Some(build) = decision.finished {
            run.session.record(&Event::BuildFinished { build, at: now() })?;
        }
        if let Some(end) = decision.end {
            return Ok(Finish::Ended(end));
        }
        let wake =
            decision.wake_at.map_or(Duration::from_secs(3600), |at| Duration::from_secs(at.seconds_since(now())));
        tokio::select! {
            report = reported.recv() => if let Some(report) = report { run.hear(report)? },
            () = &mut interrupt => return Ok(Finish::Interrupted),
            () = tokio::time::sleep(wake) => {}
        }
    }
}

/// Drones that the operator did not choose get nothing.
fn leave_out(session: &mut Session, drones: &[HostName]) -> Result<(), ControlError> {
    let others: Vec<HostName> = session.state().drones.keys().filter(|name| !drones.contains(name)).cloned().collect();
    for drone in others {
        let reason = "left out by --on".to_owned();
        session.record(&Event::DroneAway { drone, trouble: Trouble::LeftOut, reason })?;
    }
    Ok(())
}

/// No path that staging or production has may ever name other content.
fn raise_build_ids(session: &mut Session) -> Result<(), ControlError> {
    let state = session.state();
    let mut highest: BTreeMap<Cpv, BuildId> = BTreeMap::new();
    for package in state.open_build().map(|build| build.plan.packages.as_slice()).unwrap_or_default() {
        let cpv = &package.identity.cpv;
        let found = session.staging.largest_build_id(cpv)?.max(session.releases.largest_build_id(cpv)?);
        if let Some(found) = found.filter(|found| state.build_ids.get(cpv).is_none_or(|known| known < found)) {
            highest.insert(cpv.clone(), found);
        }
    }
    if highest.is_empty() { Ok(()) } else { session.record(&Event::BuildIdsSeen { highest }) }
}

impl Run<'_> {
    /// Jobs that an earlier controller started are taken up where they are.
    fn take_up(&mut self) -> Result<(), ControlError> {
        let jobs: Vec<(JobName, Job)> =
            self.session.state().jobs.iter().map(|(name, job)| (name.clone(), job.clone())).collect();
        for (name, job) in jobs {
            self.session.note(&format!("job {name} on {} is taken up again", job.drone));
            self.spawn(&name, &job)?;
        }
        Ok(())
    }

    fn start(&mut self, start: Start) -> Result<(), ControlError> {
        let Start { job, package, drone, build_ids } = start;
        self.session.record(&Event::JobStarted { job: job.clone(), package, drone, build_ids, at: now() })?;
        let Some(state) = self.session.state().jobs.get(&job).cloned() else { return Ok(()) };
        self.spawn(&job, &state)
    }

    fn spawn(&mut self, name: &JobName, job: &Job) -> Result<(), ControlError> {
        let host = self.host(&job.drone)?;
        let workdir = self
            .session
            .inventory
            .host(&job.drone)
            .map(|host| host.access.workdir.as_str().to_owned())
            .unwrap_or_default();
        let directory = JobDirectory { workdir, job: name.clone() };
        let watch = self
            .watches
            .entry(job.drone.clone())
            .or_insert_with(|| Arc::new(Watch::new(Arc::clone(&host), directory.parent())));
        let watch = Arc::clone(watch);
        let Some(build) = self.session.state().builds.get(&job.build) else { return Ok(()) };
        let drone = self.session.state().drones.get(&job.drone);
        let width = drone.map_or(1, |drone| (drone.spec.cores / drone.spec.jobs.max(1)).max(1));
        let work = Work {
            host,
            watch,
            directory,
            task: task(self.session, build, name, job, width),
            wanted: wanted(build, job),
            planned: Arc::clone(&self.planned),
            needs: needs(self.session, build, job.package)?,
            header: build.plan.index_header.clone(),
            staging: Arc::clone(&self.session.staging),
            logs: self.session.logs(),
            keyring: self.session.inventory.swarm.verify_keyring.clone(),
            lost_after: self.session.inventory.swarm.lost_after,
            reports: self.reports.clone(),
        };
        self.tasks.spawn(work.run());
        Ok(())
    }

    fn host(&self, name: &HostName) -> Result<Arc<dyn Host>, ControlError> {
        self.session.hosts.get(name).cloned().ok_or_else(|| {
            ControlError::Refused(format!(
                "a job runs on {name}, which the inventory no longer names; put it back until the job is over"
            ))
        })
    }

    fn hear(&mut self, report: Report) -> Result<(), ControlError> {
        match report {
            Report::Received { job, package, file, taken } => {
                self.session.record(&Event::PackageReceived { job, package, file, at: now() })?;
                // Nobody waits for the answer when the job was given up meanwhile.
                let _gone = taken.send(());
                Ok(())
            }
            Report::Ended { job, outcome } => self.end(job, outcome),
            Report::Stopped { error } => Err(error),
            Report::Note(text) => {
                self.session.note(&text);
                Ok(())
            }
        }
    }

    fn end(&mut self, job: JobName, outcome: JobOutcome) -> Result<(), ControlError> {
        if let JobOutcome::Failed { failure, .. } = &outcome
            && failure.class == FailureClass::Parity
            && let Some(drone) = self.session.state().jobs.get(&job).map(|job| job.drone.clone())
        {
            let reason = failure.reason.clone();
            self.session.record(&Event::DroneAway { drone, trouble: Trouble::Differs, reason })?;
        }
        self.session.record(&Event::JobEnded { job, outcome, at: now() })
    }
}

fn task(session: &Session, build: &Build, name: &JobName, job: &Job, width: u32) -> Task {
    let own = job.build_ids.get(&job.package).copied().unwrap_or(BuildId(1));
    let mates = job
        .build_ids
        .iter()
        .filter(|(package, _)| **package != job.package)
        .map(|(package, build_id)| (build.identity(*package).cpv.clone(), *build_id))
        .collect();
    let manifest = Manifest {
        job: name.clone(),
        build: build.name.clone(),
        epoch: session.state().epoch,
        driver: build.plan.driver.clone(),
        identity: build.identity(job.package).clone(),
        build_id: own,
    };
    Task { manifest, mates, width }
}

fn wanted(build: &Build, job: &Job) -> Vec<(PackageIndex, crate::core::package::Identity, BuildId)> {
    let entry = |package: PackageIndex, build_id: BuildId| (package, build.identity(package).clone(), build_id);
    let own = job.build_ids.iter().filter(|(package, _)| **package == job.package);
    let mates = job.build_ids.iter().filter(|(package, _)| **package != job.package);
    own.chain(mates).map(|(package, build_id)| entry(*package, *build_id)).collect()
}

fn needs(session: &Session, build: &Build, package: PackageIndex) -> Result<Vec<Need>, ControlError> {
    build
        .all_needs(package)
        .into_iter()
        .filter_map(|need| match &build.packages[need.index()].phase {
            Phase::Received(file) => Some(file),
            Phase::Needed | Phase::Delegated(_) | Phase::Failed => None,
        })
        .map(|file| {
            let stanza = Stanza::of_values(file.stanza.clone()).map_err(|error| {
                ControlError::Refused(format!("the journal's entry of {} is bad: {error}", file.path))
            })?;
            Ok(Need { cpv: stanza.cpv().clone(), local: session.staging.file(stanza.path()), stanza })
        })
        .collect()
}
