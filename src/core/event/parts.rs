//! What events are made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::failure::Failure;
use crate::core::names::{BuildId, HostName, PlaybookName, RunId, Timestamp};
use crate::core::texts::Fields;

/// What the inventory says of a drone, as far as it is needed to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DroneSpec {
    /// Its name.
    pub name: HostName,
    /// Its processor cores.
    pub cores: u32,
    /// How many jobs it gets at once; none: as many as pay.
    pub jobs: Option<u32>,
    /// Its memory in MiB, where the inventory has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
}

/// Whether a drone's jobs get roots of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rooms {
    /// Each has a clean room.
    Own,
    /// They share the drone's root, as the operator wants it.
    #[default]
    Shared,
    /// They share it, since no clean room can be made there; why.
    Impossible(String),
}

/// Why a package went where it went, as the scheduler saw it then; in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It ends in time there, with so many seconds to spare, and makes nothing else late.
    InTime(u64),
    /// All that waits for it will be late anyway; there it is so least, by so many seconds.
    Late(u64),
    /// Nothing ran anywhere, so it was not to wait.
    Alone,
}

/// What keeps a drone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It cannot be reached.
    Unreachable,
    /// Its host key, its login or its set-up is not what it has to be.
    Refused,
    /// It would build something otherwise than planned.
    Differs,
    /// It lacks disk or memory, is busy with something else, or its clock or file system is not right.
    Unwell,
    /// The operator left it out of this run.
    LeftOut,
}

/// How the file system knew a file when its bytes were last held against their hashes. As long as it knows it so, the
/// bytes are taken to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imprint {
    /// Its inode.
    pub inode: u64,
    /// When it was written last, in nanoseconds since 1970-01-01 UTC.
    pub modified_ns: i64,
}

impl Imprint {
    /// When it was written last, in whole seconds, as an index has it.
    pub fn modified(&self) -> Timestamp {
        Timestamp(self.modified_ns.div_euclid(1_000_000_000))
    }
}

/// A package that has been verified and lies in staging.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedFile {
    /// Where it lies below staging, and later below the binhost: `CAT/PN/PF-BUILDID.gpkg.tar`.
    pub path: String,
    /// Its build id.
    pub build_id: BuildId,
    /// Its stanza of the index, by key, derived from the file itself.
    pub stanza: Fields,
    /// The file as it was when its hashes were taken; none where a journal of earlier days does not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imprint: Option<Imprint>,
}

/// What a build took, measured on its drone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// From its beginning to its end, in milliseconds.
    pub wall_ms: u64,
    /// Processor time of all its processes, user and system, in milliseconds.
    pub cpu_ms: u64,
    /// How many compilers at once it was allowed.
    pub width: u32,
    /// The most memory (MiB) that its processes were seen to have together; none of a short build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobOutcome {
    /// Its package has been received, from it or from another job.
    Delivered,
    /// It brought no package.
    Failed {
        /// Why, and against whom it counts.
        failure: Failure,
        /// The kept log, below the state directory; none where the job never began.
        log: Option<String>,
    },
    /// Nobody wants what it builds any more, or its drone lost it after it had been given to another: it was ended and
    /// removed, and counts against nobody.
    Discarded,
}

/// The beginning of an unattended run, as whoever runs it tells its controller and as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct RunStart {
    /// Its id.
    pub run: RunId,
    /// What is run.
    pub playbook: PlaybookName,
    /// When the schedule wanted it to begin; none where nobody's schedule began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Nothing new starts after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// When it began.
    pub at: Timestamp,
}

/// The end of an unattended run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub struct RunEnd {
    /// Its id.
    pub run: RunId,
    /// Its exit status, one of those of `swarm` itself.
    pub status: u8,
    /// Why it is that, in one line.
    pub reason: String,
    /// When it ended.
    pub at: Timestamp,
}
