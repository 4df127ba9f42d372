//! What follows from a keeper's look at its drone.

use std::sync::Arc;

use tokio::time::Instant;

use super::Run;
use crate::controller::error::ControlError;
use crate::controller::report::{Report, Sighting};
use crate::controller::session::now;
use crate::core::event::{Event, Trouble};
use crate::core::names::{Epoch, HostName, JobName};
use crate::core::package::Identity;
use crate::core::state::Condition;
use crate::core::text::some;
use crate::drone::job::{JobDirectory, Manifest, Progress};
use crate::drone::strays::Stray;
use crate::epoch::{Claimant, Visitor};

impl Run<'_> {
    pub(super) fn see(&mut self, drone: HostName, sighting: Sighting) -> Result<(), ControlError> {
        self.unseen.remove(&drone);
        let Some(before) = self.session.state().drones.get(&drone).map(|drone| drone.condition.clone()) else {
            return Ok(());
        };
        match &before {
            // The operator left it out of this run; it is only kept for the jobs that it has.
            Condition::Away { trouble: Trouble::LeftOut, .. } => return Ok(()),
            // A job found it unlike the driver: only a comparison changes that.
            Condition::Away { trouble: Trouble::Differs, .. }
                if matches!(sighting, Sighting::Ready { compared: false, .. }) =>
            {
                return Ok(());
            }
            _ => {}
        }
        match sighting {
            Sighting::Ready { address, rooms, memory_mib, configuration, jobs, lacking, .. } => {
                self.looked.get_or_insert_with(Instant::now);
                self.fetch_support(&drone, lacking);
                self.find(&drone, jobs)?;
                let known = self.session.state().drones.get(&drone);
                let known = known.map(|drone| (&drone.rooms, drone.memory_mib, &drone.configuration));
                let seen = (&rooms, memory_mib, &configuration);
                if before == (Condition::Ready { address: address.clone() }) && known == Some(seen) {
                    return Ok(());
                }
                self.session.record(&Event::DroneReady { drone, address, rooms, memory_mib, configuration })
            }
            Sighting::Away { trouble, reason } => {
                if let (Trouble::Unreachable, Some(electorate)) = (trouble, &self.session.electorate) {
                    // Where more than the drone is out of reach, nothing is to be started any more.
                    electorate.nudge();
                }
                if let Condition::Away { trouble: known, reason: said, .. } = &before
                    && (*known, said) == (trouble, &reason)
                {
                    return Ok(());
                }
                self.session.record(&Event::DroneAway { drone, trouble, reason, at: now() })
            }
            Sighting::Held { by, seconds } if self.session.electorate.is_none() => {
                Err(ControlError::Held { drone, by, seconds })
            }
            Sighting::Outranked { by } if self.session.electorate.is_none() => self.claim_above(drone, by),
            Sighting::Held { .. } | Sighting::Outranked { .. } | Sighting::Unknown => self.call_voters(drone, sighting),
        }
    }

    /// What a drone lacks besides the plan is packed by the driver at once, all of it together; its jobs find it there.
    fn fetch_support(&mut self, drone: &HostName, lacking: Vec<Identity>) {
        let Some(driver) = self.session.state().open_build().map(|build| build.plan.driver.clone()) else { return };
        if lacking.is_empty() {
            return;
        }
        let names: Vec<&str> = lacking.iter().map(|identity| identity.cpv.as_str()).collect();
        self.session.note(&format!("{drone} lacks {} besides the plan", some(&names)));
        let support = self.support(&driver);
        let (reports, drone) = (self.reports.clone(), drone.clone());
        self.fetches.spawn(async move {
            if let Err(error) = support.fetch(&lacking).await {
                let note = format!("what {drone} lacks is asked for again by the first job that needs it: {error}");
                let _gone = reports.send(Report::Note(note)).await;
            }
        });
    }

    /// A controller whose lease is over had a higher epoch: ours has to rise above it. Where that is one that has
    /// taken over from us, we stand down.
    fn claim_above(&mut self, drone: HostName, by: Claimant) -> Result<(), ControlError> {
        self.succeeds = true;
        if by.epoch < self.session.state().epoch {
            // Our claim has risen since that look; the keeper looks again by itself.
            self.unseen.insert(drone);
            return Ok(());
        }
        if self.session.state().drones.values().any(|drone| matches!(drone.condition, Condition::Ready { .. })) {
            return Err(ControlError::Outranked { drone, by });
        }
        let Some(above) = by.epoch.0.checked_add(1) else { return Err(ControlError::Outranked { drone, by }) };
        self.session.claim(Epoch(above))?;
        let visitor = self.session.visitor();
        self.visitor.send_modify(|old| *old = Visitor { take_over: old.take_over, ..visitor });
        self.unseen.insert(drone);
        Ok(())
    }

    /// Whether what this job brought has been received.
    fn is_had(&self, manifest: &Manifest) -> bool {
        let build = self.session.state().builds.get(&manifest.build);
        build.is_some_and(|build| build.has(&manifest.identity))
    }

    /// Removes a job that has brought its package from its drone, once standbys have that, too.
    fn let_go(&mut self, job: JobName, drone: &HostName) {
        let Some(host) = self.session.hosts.get(drone).map(Arc::clone) else { return };
        let directory = JobDirectory { workdir: self.session.workdir(drone), job };
        let (removals, reports) = (Arc::clone(&self.removals), self.reports.clone());
        self.tasks.spawn(async move {
            if let Err(error) = removals.remove(&host, &directory).await {
                let note = format!("job {} stays on its drone: {error}", directory.job);
                let _gone = reports.send(Report::Note(note)).await;
            }
        });
    }

    /// Removes what has waited for standbys, as they get it.
    pub(super) fn tidy_up(&mut self) {
        if self.removals.wait_for_somebody() {
            let (removals, reports) = (Arc::clone(&self.removals), self.reports.clone());
            self.tasks.spawn(async move { removals.run(reports).await });
        }
    }

    /// Jobs that lie on a drone and are not in our books: another controller's that build what we need are taken in.
    /// Our own that are over are leftovers of a lost answer.
    fn find(&mut self, drone: &HostName, jobs: Vec<Stray>) -> Result<(), ControlError> {
        for found in jobs {
            let Some(manifest) = found.manifest else { continue };
            if self.session.state().jobs.contains_key(&manifest.job) {
                continue;
            }
            let ours = self.session.visitor().controller == manifest.controller;
            if found.progress == Progress::Ended
                && self.is_had(&manifest)
                && (!ours || self.removals.wait_for_somebody())
            {
                // Its package came, to us or to whom we succeed, and a standby may still lack it.
                self.let_go(manifest.job, drone);
                continue;
            }
            if ours {
                // The journal knows that it is over; only the drone does not.
                self.discard(manifest.job, drone);
                continue;
            }
            let wanted = self.session.state().open_build().and_then(|build| build.needs_job_for(&manifest.identity));
            let Some(package) = wanted.filter(|_| found.progress != Progress::New) else {
                // Of whoever was the only controller before us nobody is left who would end it.
                if self.session.electorate.is_some() && manifest.epoch < self.session.state().epoch {
                    self.discard(manifest.job, drone);
                }
                continue;
            };
            let cpv = &manifest.identity.cpv;
            if self.session.state().build_ids.get(cpv).is_some_and(|used| *used >= manifest.build_id) {
                continue;
            }
            let (job, build_id) = (manifest.job, manifest.build_id);
            let event = Event::JobFound { job: job.clone(), package, drone: drone.clone(), build_id, at: now() };
            self.session.record(&event)?;
            if let Some(state) = self.session.state().jobs.get(&job).cloned() {
                self.spawn(&job, &state)?;
            }
        }
        Ok(())
    }
}
