//! How a run ends before its time, and what it tells the drones at its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Finish, Halt, Outside, Run};
use crate::controller::error::ControlError;
use crate::controller::report::Report;
use crate::controller::session::FAREWELL;
use crate::core::state::Condition;
use crate::drone::configuration::{self, ConfigurationRoot};
use crate::epoch;

/// A second Ctrl-C within this time means that the builds are to be ended, too.
const SECOND_THOUGHT: Duration = Duration::from_secs(3);
/// So long it may take to end the jobs on all drones that can be reached.
const ENDING: Duration = Duration::from_secs(40);

impl Run<'_> {
    /// Nothing is started any more; whether what runs goes on depends on a second Ctrl-C.
    pub(super) async fn halt(
        &mut self,
        halt: Halt,
        reported: &mut mpsc::Receiver<Report>,
        outside: &mut Outside,
    ) -> Result<Finish, ControlError> {
        let running = self.session.state().jobs.len();
        let next = "the next `swarm push` takes them up";
        if halt == Halt::BySystem || running == 0 {
            self.session.note(&format!("interrupted: {running} builds go on at the drones; {next}"));
            return Ok(Finish::Interrupted);
        }
        let again = SECOND_THOUGHT.as_secs();
        self.session.note(&format!(
            "interrupted: {running} builds go on at the drones; {next}. Ctrl-C again within {again} s ends them"
        ));
        let until = Instant::now() + SECOND_THOUGHT;
        loop {
            tokio::select! {
                // What comes in meanwhile is not lost.
                report = reported.recv() => if let Some(report) = report { self.hear(report)? },
                Some(halt) = outside.halts.recv() => if halt == Halt::ByKey { break },
                () = tokio::time::sleep_until(until) => return Ok(Finish::Interrupted),
            }
        }
        self.end_all(reported).await
    }

    /// Ends every job on every drone that can be reached.
    async fn end_all(&mut self, reported: &mut mpsc::Receiver<Report>) -> Result<Finish, ControlError> {
        self.session.note("the builds on the drones are being ended");
        let jobs: Vec<_> =
            self.session.state().jobs.iter().map(|(name, job)| (name.clone(), job.drone.clone())).collect();
        for (name, drone) in jobs {
            self.discard(name, &drone);
        }
        let until = Instant::now() + ENDING;
        while !self.session.state().jobs.is_empty() {
            tokio::select! {
                report = reported.recv() => if let Some(report) = report { self.hear(report)? },
                () = tokio::time::sleep_until(until) => {
                    let left: Vec<String> = self.session.state().jobs.iter().map(|(name, job)| format!("{name} on {}", job.drone)).collect();
                    self.session.note(&format!("not ended, their drones do not answer: {}", left.join(", ")));
                    break;
                }
            }
        }
        Ok(Finish::Stopped)
    }

    /// What a sync has replaced meanwhile goes on the drones once nobody builds with it; what cannot be told now, the
    /// next sync does.
    async fn leave_configurations(&self) {
        let Some(driver) = self.session.state().open_build().map(|build| build.plan.driver.clone()) else { return };
        let leaves = self.session.state().drones.iter().filter_map(|(name, drone)| {
            let host = self.session.hosts.get(name).filter(|_| self.reins.contains_key(name))?;
            let root = ConfigurationRoot { driver: driver.clone(), revision: drone.configuration.clone()? };
            let workdir = self.session.workdir(name);
            let ready = matches!(drone.condition, Condition::Ready { .. });
            ready.then_some(async move { configuration::leave(host.as_ref(), &workdir, &root).await })
        });
        let _late = tokio::time::timeout(FAREWELL, futures::future::join_all(leaves)).await;
    }

    /// Ends our leases, so that whoever comes next need not wait for them.
    pub(super) async fn say_farewell(&self) {
        self.leave_configurations().await;
        if self.session.electorate.is_some() {
            return self.session.leave_office().await;
        }
        let visitor = self.session.visitor();
        let ready = self.session.state().drones.iter().filter(|(name, drone)| {
            self.reins.contains_key(*name) && matches!(drone.condition, Condition::Ready { .. })
        });
        let leaves = ready.filter_map(|(name, _)| {
            let host = Arc::clone(self.session.hosts.get(name)?);
            let (workdir, visitor) = (self.session.workdir(name), visitor.clone());
            Some(async move { epoch::leave(host.as_ref(), &workdir, &visitor).await })
        });
        // A lease that is not ended ends by itself.
        let _late = tokio::time::timeout(FAREWELL, futures::future::join_all(leaves)).await;
    }
}
