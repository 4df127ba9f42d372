//! What is known of a drone.

use serde::{Deserialize, Serialize};

use crate::core::event::{DroneSpec, Rooms, Trouble};
use crate::core::names::{Revision, Timestamp};

/// Whether a drone can take work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Not reached since this controller knows of it.
    Unknown,
    /// Reached and compared.
    Ready {
        /// The address that it was reached at.
        address: Option<String>,
    },
    /// It gets no work.
    Away {
        /// What keeps it out.
        trouble: Trouble,
        /// In words.
        reason: String,
        /// Since when.
        since: Timestamp,
        /// Whether it could take work before, in this run, so that it may be expected back.
        was_ready: bool,
    },
}

/// A drone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drone {
    /// What the inventory says.
    pub spec: DroneSpec,
    /// Whether it can take work.
    pub condition: Condition,
    /// Failures that count against it, since its last success.
    pub failures: u32,
    /// It gets no new work before this moment.
    pub rest_until: Option<Timestamp>,
    /// The operator wants it to get no new work.
    pub draining: bool,
    /// Whether its jobs get roots of their own.
    #[serde(default)]
    pub rooms: Rooms,
    /// Its memory in MiB, where it told.
    #[serde(default)]
    pub memory_mib: Option<u64>,
    /// The revision of the driver's configuration that its jobs build with; none where its own counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Revision>,
}

impl Drone {
    /// The memory (MiB) that jobs may have there: what the inventory says, else what it has.
    pub fn memory(&self) -> Option<u64> {
        self.spec.memory_mib.or(self.memory_mib)
    }
}
