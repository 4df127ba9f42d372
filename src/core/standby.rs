//! How far a standby is behind its leader, and which copies on drones have to wait for it. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{HostName, Timestamp};

/// One that was not heard of for this long (seconds) is taken to be away; it tells every five.
pub const AWAY_AFTER: u64 = 20;

/// So much (bytes) of packages that a standby lacks is kept on a drone in all.
pub const COPIES_BYTES: u64 = 2 << 30;
/// And so many jobs: each has a directory there that is listed again and again.
pub const COPIES_JOBS: usize = 200;

/// What a standby has, as it told its leader: the leader's service keeps that for its controller to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// It has all events up to this one, with all packages that they speak of: in staging, or in a release.
    pub has: i64,
    /// It has all events up to this one, whatever packages it lacks.
    pub events: i64,
    /// When it was heard of last.
    pub heard: Timestamp,
}

impl Progress {
    /// Whether it can be expected to get what it lacks soon.
    pub fn is_near(&self, now: Timestamp) -> bool {
        now.seconds_since(self.heard) < AWAY_AFTER
    }
}

/// How far a standby is behind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lag {
    /// Events that it lacks.
    pub events: u64,
    /// Received packages among them.
    pub packages: u64,
    /// The age of the first of them, in seconds.
    pub seconds: u64,
}

/// A standby, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StandbyView {
    /// How far it is behind.
    #[serde(flatten)]
    pub lag: Lag,
    /// How long ago it was heard of, in seconds; none where it never was.
    pub heard: Option<u64>,
    /// Whether it was not heard of for so long that it is taken to be away.
    pub away: bool,
}

/// What one standby knows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Following {
    /// Whom it follows, or last followed.
    pub leader: HostName,
    /// How far it was behind when it last heard of it.
    #[serde(flatten)]
    pub lag: Lag,
    /// When that was.
    pub heard: Timestamp,
    /// What keeps it from following; none while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Copies that stay on a drone for the sake of a standby.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Copies {
    /// How many jobs have one.
    pub jobs: usize,
    /// The size of their packages, in bytes.
    pub bytes: u64,
}

/// A copy on a drone that waits to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The number of the event after which it may go, once all standbys have it.
    pub until: i64,
    /// The size of its package, in bytes.
    pub bytes: u64,
}

/// How many of the copies on one drone may go, the oldest first: those that every standby has, and those above the
/// limit. `has` is what each listed standby has; none of one that never told.
pub fn due(copies: &[Waiting], has: &[Option<i64>]) -> usize {
    let everybody_has = has.iter().map(|has| has.unwrap_or(0)).min().unwrap_or(i64::MAX);
    let had = copies.iter().take_while(|copy| copy.until <= everybody_has).count();
    let (mut jobs, mut bytes) = (copies.len(), copies.iter().map(|copy| copy.bytes).sum::<u64>());
    let above = copies.iter().take_while(|copy| {
        let is_above = jobs > COPIES_JOBS || bytes > COPIES_BYTES;
        jobs -= 1;
        bytes -= copy.bytes;
        is_above
    });
    had.max(above.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_goes_once_every_standby_has_its_event_or_the_oldest_where_there_are_too_many() {
        let copies = |sizes: &[u64]| -> Vec<Waiting> {
            sizes.iter().zip(1..).map(|(bytes, until)| Waiting { until, bytes: *bytes }).collect()
        };
        let small = copies(&[10, 10, 10]);
        for (has, gone) in
            [(&[Some(0)][..], 0), (&[Some(2)], 2), (&[Some(9), Some(1)], 1), (&[Some(9), None], 0), (&[], 3)]
        {
            assert_eq!(due(&small, has), gone, "{has:?}");
        }
        assert_eq!(due(&copies(&[COPIES_BYTES / 2; 4]), &[None]), 2);
        assert_eq!(due(&copies(&[COPIES_BYTES * 2, 1]), &[None]), 1, "one alone is above the limit");
        assert_eq!(due(&copies(&vec![1; COPIES_JOBS + 7]), &[None]), 7);
        assert_eq!(due(&copies(&vec![1; COPIES_JOBS + 7]), &[Some(20)]), 20);
    }
}
