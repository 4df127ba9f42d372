//! The tasks of jobs: begun, taken up from an earlier controller, and ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use super::Run;
use crate::controller::error::ControlError;
use crate::controller::job::{self, Work};
use crate::controller::session::now;
use crate::controller::support::Support;
use crate::controller::work;
use crate::core::decide::Start;
use crate::core::names::{HostName, JobName};
use crate::core::state::{Job, Standing};
use crate::drone::job::JobDirectory;
use crate::drone::watch::Watch;
use crate::ssh::Host;

impl Run<'_> {
    /// Jobs that an earlier controller started are taken up where they are.
    pub(super) fn take_up(&mut self) -> Result<(), ControlError> {
        let jobs: Vec<(JobName, Job)> =
            self.session.state().jobs.iter().map(|(name, job)| (name.clone(), job.clone())).collect();
        for (name, job) in jobs.into_iter().filter(|(_, job)| job.standing != Standing::Unwanted) {
            self.session.note(&format!("job {name} on {} is taken up again", job.drone));
            self.spawn(&name, &job)?;
        }
        Ok(())
    }

    pub(super) fn start(&mut self, start: Start) -> Result<(), ControlError> {
        let job = start.job.clone();
        self.session.record(&start.event(now()))?;
        let Some(state) = self.session.state().jobs.get(&job).cloned() else { return Ok(()) };
        self.spawn(&job, &state)
    }

    pub(super) fn spawn(&mut self, name: &JobName, job: &Job) -> Result<(), ControlError> {
        let host = self.host(&job.drone)?;
        let driver = self.session.state().builds.get(&job.build).map(|build| build.plan.driver.clone());
        let Some(support) = driver.map(|driver| self.support(&driver)) else { return Ok(()) };
        let Some(build) = self.session.state().builds.get(&job.build) else { return Ok(()) };
        let directory = JobDirectory { workdir: self.session.workdir(&job.drone), job: name.clone() };
        let watch = self
            .watches
            .entry(job.drone.clone())
            .or_insert_with(|| Arc::new(Watch::new(Arc::clone(&host), directory.parent())));
        let work = Work {
            host,
            watch: Arc::clone(watch),
            support,
            electorate: self.session.electorate.clone(),
            cache: Arc::clone(self.caches.entry(job.drone.clone()).or_default()),
            directory,
            task: work::task(self.session, build, name, job),
            package: job.package,
            stand_ins: build.stand_ins(job.package).into_iter().collect(),
            planned: Arc::clone(&self.planned),
            needs: work::needs(self.session, build, job.package)?,
            header: build.plan.index_header.clone(),
            staging: Arc::clone(&self.session.staging),
            logs: self.session.logs(),
            keyring: self.session.inventory.swarm.verify_keyring.clone(),
            visitor: self.visitor.subscribe(),
            delivered: build.received_path(job.package).is_some(),
            given_up: job.standing == Standing::GivenUp,
            removals: Arc::clone(&self.removals),
            doubt: self.doubt(&job.drone),
            narrow: Arc::clone(&self.narrow),
            reports: self.reports.clone(),
        };
        self.works.insert(name.clone(), self.tasks.spawn(work.run()));
        self.count_jobs(&job.drone);
        Ok(())
    }

    /// The support packages of a driver.
    pub(super) fn support(&mut self, driver: &HostName) -> Arc<Support> {
        let new = || Arc::new(Support::new(self.session, driver));
        Arc::clone(self.supports.entry(driver.clone()).or_insert_with(new))
    }

    /// What makes a drone's keeper look at once.
    pub(super) fn doubt(&self, drone: &HostName) -> Arc<Notify> {
        self.reins.get(drone).map(|reins| Arc::clone(&reins.doubt)).unwrap_or_default()
    }

    pub(super) fn count_jobs(&self, drone: &HostName) {
        if let Some(reins) = self.reins.get(drone) {
            reins.jobs.store(self.session.state().jobs_on(drone).count(), Ordering::Relaxed);
        }
    }

    pub(super) fn host(&self, name: &HostName) -> Result<Arc<dyn Host>, ControlError> {
        self.session.hosts.get(name).cloned().ok_or_else(|| {
            ControlError::Refused(format!(
                "a job runs on {name}, which the inventory no longer names; put it back until the job is over"
            ))
        })
    }

    /// Ends the jobs that nobody wants any more.
    pub(super) fn discard_unwanted(&mut self) {
        let state = self.session.state();
        let unwanted = state.jobs.iter().filter(|(_, job)| job.standing == Standing::Unwanted);
        let unwanted: Vec<_> = unwanted
            .filter(|(name, _)| !self.discarding.contains(*name))
            .map(|(name, job)| (name.clone(), job.drone.clone()))
            .collect();
        for (name, drone) in unwanted {
            self.discard(name, &drone);
        }
    }

    /// Ends a job and removes it from its drone, once.
    pub(super) fn discard(&mut self, name: JobName, drone: &HostName) {
        if let Some(work) = self.works.remove(&name) {
            work.abort();
        }
        if !self.discarding.insert(name.clone()) {
            return;
        }
        let Some(host) = self.session.hosts.get(drone).map(Arc::clone) else { return };
        let directory = JobDirectory { workdir: self.session.workdir(drone), job: name };
        let (staging, doubt) = (Arc::clone(&self.session.staging), self.doubt(drone));
        self.tasks.spawn(job::discard(host, directory, staging, doubt, self.reports.clone()));
    }
}
