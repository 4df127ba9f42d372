//! Why a job did not bring its package.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The class of a failure; it decides against whom it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailureClass {
    /// The package's own build failed.
    Build,
    /// A source could not be fetched or did not match its digest.
    Fetch,
    /// Masked, or unsatisfied on the driver too.
    Config,
    /// The drone resolves the package otherwise than planned.
    Parity,
    /// Out of memory or out of disk.
    Resource,
    /// No output for too long.
    Timeout,
    /// What the job needs, or what it made, could not be carried there or back.
    Transfer,
    /// The drone went away with the job.
    Lost,
}

impl FailureClass {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Build,
        Self::Fetch,
        Self::Config,
        Self::Parity,
        Self::Resource,
        Self::Timeout,
        Self::Transfer,
        Self::Lost,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Fetch => "fetch",
            Self::Config => "config",
            Self::Parity => "parity",
            Self::Resource => "resource",
            Self::Timeout => "timeout",
            Self::Transfer => "transfer",
            Self::Lost => "lost",
        }
    }

    /// Whether it counts against the package; otherwise it counts against the drone.
    pub fn is_the_packages(self) -> bool {
        match self {
            Self::Build | Self::Fetch | Self::Config => true,
            Self::Parity | Self::Resource | Self::Timeout | Self::Transfer | Self::Lost => false,
        }
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A failure: its class and the reason in one line, as an operator would quote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// Against whom it counts.
    pub class: FailureClass,
    /// One line.
    pub reason: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.class, self.reason)
    }
}
