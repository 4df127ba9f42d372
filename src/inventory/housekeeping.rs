//! `[limits]`: how much of what piles up is kept, and how much room is left free on the controller.

use std::num::NonZeroU32;
use std::time::Duration;

use bytesize::ByteSize;

use super::settings::at_least_one;
use super::values;
use crate::core::state::BUILDS_KEPT;
use crate::document::{Reading, Section};

/// The limits. Releases have theirs in `[swarm] keep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Housekeeping {
    /// Nothing new starts while less than this is free where the controller writes; none: see [`Housekeeping::reserve`].
    reserve: Option<ByteSize>,
    /// Events of the journal that are older, and in its snapshot, go.
    pub journal: Duration,
    /// Of those that are younger the oldest go above this size.
    pub journal_size: ByteSize,
    /// Build logs that are older go, but for those of builds that anybody may still ask about.
    pub logs: Duration,
    /// All build logs together.
    pub logs_size: ByteSize,
    /// What pushes in the background have said.
    pub push_log: ByteSize,
    /// Records of unattended runs.
    pub runs: NonZeroU32,
    /// Released builds that status and explain know of.
    pub builds: NonZeroU32,
    /// What lies in staging and belongs to nothing goes once it is older.
    pub staging: Duration,
    /// Support packages that are older go; where they are wanted again they are made again.
    pub support: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const BUILDS: NonZeroU32 = NonZeroU32::new(BUILDS_KEPT).unwrap();
const RUNS: NonZeroU32 = NonZeroU32::new(100).unwrap();
/// The reserve unless one is set, where the file system is large.
const RESERVE: u64 = 1 << 30;
/// And on a small one this part of it.
const RESERVE_PART: u64 = 20;

impl Default for Housekeeping {
    fn default() -> Self {
        Self {
            reserve: None,
            journal: 90 * DAY,
            journal_size: ByteSize::mib(256),
            logs: 90 * DAY,
            logs_size: ByteSize::gib(4),
            push_log: ByteSize::mib(64),
            runs: RUNS,
            builds: BUILDS,
            staging: DAY,
            support: 60 * DAY,
        }
    }
}

impl Housekeeping {
    pub(super) fn read(mut section: Section<'_>, reading: &mut Reading<'_>) -> Option<Self> {
        let usual = Self::default();
        let limits = Self {
            reserve: section.text("reserve", reading, values::size),
            journal: section.text("journal", reading, values::duration).unwrap_or(usual.journal),
            journal_size: section.text("journal_size", reading, values::size).unwrap_or(usual.journal_size),
            logs: section.text("logs", reading, values::duration).unwrap_or(usual.logs),
            logs_size: section.text("logs_size", reading, values::size).unwrap_or(usual.logs_size),
            push_log: section.text("push_log", reading, values::size).unwrap_or(usual.push_log),
            runs: at_least_one(&mut section, "runs", reading).unwrap_or(usual.runs),
            builds: at_least_one(&mut section, "builds", reading).unwrap_or(usual.builds),
            staging: section.text("staging", reading, values::duration).unwrap_or(usual.staging),
            support: section.text("support", reading, values::duration).unwrap_or(usual.support),
        };
        section.finish(reading);
        Some(limits)
    }

    /// So many bytes are to stay free on a file system of this size; unless it is set, a gibibyte or a twentieth of the
    /// whole, whichever is less.
    pub fn reserve(&self, size: u64) -> u64 {
        self.reserve.map_or_else(|| RESERVE.min(size / RESERVE_PART), |reserve| reserve.as_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_system_is_not_full_from_the_beginning() {
        let usual = Housekeeping::default();
        assert_eq!(usual.reserve(100 << 30), 1 << 30);
        assert_eq!(usual.reserve(64 << 20), (64 << 20) / 20);
        let set = Housekeeping { reserve: Some(ByteSize::mib(100)), ..usual };
        assert_eq!(set.reserve(64 << 20), 100 << 20);
    }
}
