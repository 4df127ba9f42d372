//! What the tasks beside the loop tell it: those of jobs, and the drones' keepers.

use std::path::PathBuf;

use tokio::sync::oneshot;

use super::electorate::Tenure;
use super::error::ControlError;
use super::publish::Publication;
use super::verb::Answer;
use crate::core::event::{Cost, JobOutcome, ReceivedFile, Rooms, Trouble};
use crate::core::names::{HostName, JobName, Revision};
use crate::core::package::Identity;
use crate::core::plan::PackageIndex;
use crate::drone::strays::Stray;
use crate::epoch::Claimant;

/// Something that the loop has to know.
#[derive(Debug)]
pub enum Report {
    /// A verified package is in staging. The drone's copy goes once this is answered.
    Received {
        /// The job.
        job: JobName,
        /// Which package.
        package: PackageIndex,
        /// The file.
        file: ReceivedFile,
        /// What its build took.
        cost: Option<Cost>,
        /// Answered when it is in the journal.
        taken: oneshot::Sender<()>,
    },
    /// The job has been found on its drone, running or ended, after the drone had been away.
    Back(JobName),
    /// It is over.
    Ended {
        /// The job.
        job: JobName,
        /// How.
        outcome: JobOutcome,
    },
    /// A drone that has become ours was another controller's before, so that jobs of that one may lie on any drone.
    Succeeds,
    /// The voters have been asked again.
    Voted(Result<Tenure, ControlError>),
    /// A keeper has looked at its drone.
    Drone {
        /// The drone.
        drone: HostName,
        /// What it saw.
        sighting: Sighting,
    },
    /// A release went out to the orchestrators, for an operator who waits for it.
    Published {
        /// How it went.
        publication: Publication,
        /// What the operator is told besides.
        lines: Vec<String>,
        /// Who waits.
        answer: oneshot::Sender<Result<Answer, String>>,
    },
    /// Something could not be written here for want of room. What met that tries again; it counts against nobody.
    Full {
        /// The directory.
        what: PathBuf,
        /// What was being done.
        error: ControlError,
    },
    /// Something on this side keeps it from going on; jobs stay where they are.
    Stopped(ControlError),
    /// A word for the operator.
    Note(String),
}

/// How a keeper finds its drone.
#[derive(Debug)]
pub enum Sighting {
    /// It can take work.
    Ready {
        /// The address in use.
        address: Option<String>,
        /// Whether it has just been compared with the plan.
        compared: bool,
        /// Whether its jobs get roots of their own.
        rooms: Rooms,
        /// Its memory, in MiB.
        memory_mib: Option<u64>,
        /// The revision of the driver's configuration that it was compared with.
        configuration: Option<Revision>,
        /// What lies in its directory of jobs; looked at only when the drone comes into reach.
        jobs: Vec<Stray>,
        /// What it lacks besides the plan; asked when it is compared.
        lacking: Vec<Identity>,
    },
    /// It takes no work.
    Away {
        /// What keeps it out.
        trouble: Trouble,
        /// In words.
        reason: String,
    },
    /// Another controller holds it, for so many seconds more.
    Held {
        /// Who.
        by: Claimant,
        /// How long.
        seconds: u64,
    },
    /// Another controller held it under an epoch that is not below ours; it can be had with a higher one.
    Outranked {
        /// Who.
        by: Claimant,
    },
    /// It has lost its record of who may use it.
    Unknown,
}
