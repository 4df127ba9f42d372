//! What the tasks beside the loop tell it, and what follows from that.

use super::Run;
use crate::controller::error::ControlError;
use crate::controller::publish::note_down;
use crate::controller::report::Report;
use crate::controller::session::now;
use crate::controller::space::Space;
use crate::controller::verb::Answer;
use crate::core::event::{Cost, Event, JobOutcome, ReceivedFile, Trouble};
use crate::core::failure::FailureClass;
use crate::core::names::JobName;
use crate::core::plan::PackageIndex;
use crate::core::state::Standing;
use crate::portage::index::PackagePath;

impl Run<'_> {
    pub(super) fn hear(&mut self, report: Report) -> Result<(), ControlError> {
        match report {
            Report::Received { job, package, file, cost, taken } => {
                self.receive(job, package, file, cost)?;
                // Nobody waits for the answer when the job was given up meanwhile.
                let _gone = taken.send(());
                Ok(())
            }
            Report::Back(job) => {
                if self.session.state().jobs.get(&job).is_some_and(|job| job.standing == Standing::GivenUp) {
                    self.session.record(&Event::JobBack { job })?;
                }
                Ok(())
            }
            Report::Ended { job, outcome } => self.end(job, outcome),
            Report::Succeeds => {
                self.succeeds = true;
                Ok(())
            }
            Report::Voted(voted) => self.count(voted),
            Report::Drone { drone, sighting } => self.see(drone, sighting),
            Report::Published { publication, mut lines, answer } => {
                note_down(self.session, &publication)?;
                lines.extend(publication.lines());
                let _gone = answer.send(Ok(Answer { trouble: !publication.is_good(), ..Answer::of(lines) }));
                Ok(())
            }
            Report::Full { what, error } => {
                if self.session.state().low_disk.is_none() {
                    self.session.note(&format!("{error}. The package waits on its drone until there is room"));
                }
                Space::is_full(self.session, what)
            }
            Report::Stopped(error) => Err(error),
            Report::Note(text) => {
                self.session.note(&text);
                Ok(())
            }
        }
    }

    fn receive(
        &mut self,
        job: JobName,
        package: PackageIndex,
        file: ReceivedFile,
        cost: Option<Cost>,
    ) -> Result<(), ControlError> {
        let path = file.path.clone();
        self.session.record(&Event::PackageReceived { job: job.clone(), package, file, cost, at: now() })?;
        let state = self.session.state();
        let build = state.jobs.get(&job).and_then(|job| state.builds.get(&job.build));
        if build.is_some_and(|build| build.received_path(package) != Some(path.as_str()))
            && let Ok(path) = path.parse::<PackagePath>()
        {
            // Another job was first; this one's file is of no use to anybody.
            self.session.staging.remove(&path)?;
        }
        Ok(())
    }

    fn end(&mut self, job: JobName, outcome: JobOutcome) -> Result<(), ControlError> {
        let Some(drone) = self.session.state().jobs.get(&job).map(|job| job.drone.clone()) else { return Ok(()) };
        if let JobOutcome::Failed { failure, .. } = &outcome
            && failure.class == FailureClass::Parity
        {
            let (drone, reason) = (drone.clone(), failure.reason.clone());
            self.session.record(&Event::DroneAway { drone, trouble: Trouble::Differs, reason, at: now() })?;
        }
        self.works.remove(&job);
        self.session.record(&Event::JobEnded { job, outcome, at: now() })?;
        self.count_jobs(&drone);
        Ok(())
    }
}
