//! Alarms: what somebody should know who is not looking, each told once and taken back once.
//!
//! An alarm has a [`Cause`], and there is one a cause however many events speak of it: a package that fails in five
//! nights is one. [`find()`] says which causes hold at a moment, [`look()`] which events follow from that, [`due()`] who is
//! still to be told what. All of it is pure; whoever writes the journal asks, at events that matter and once a minute.
//!
//! **One message tells all.** What is due for a channel at one look is one message. While an unattended run is under
//! way, or a build is worked off, failed packages are held back until that is over (an hour at the most where it is no
//! run); that work stands still is not.
//!
//! **What comes and goes does not flood.** That a trouble is over is told once it has stayed away for a while, and for
//! twice as long each time that it comes back within a day: a trouble that comes and goes all day is told some dozen
//! times, not hundreds. One that is back before its end was told makes no message at all; a package, or a
//! run, that fails again once it was well is another trouble, whoever heard of that.
//!
//! **At least once.** That a channel was told is written down once it was. A channel that fails is asked again after a
//! minute, then twice as long each time, up to an hour.

mod due;
mod find;
mod look;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{ChannelName, HostName, PlaybookName, Timestamp};

pub use due::{Listener, Telling, due};
pub use find::{Facts, Standing, find, still_since};
pub use look::look;

/// What an alarm is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A package that a driver wants cannot be built.
    Package {
        /// The driver.
        driver: HostName,
        /// The name that people see.
        package: String,
    },
    /// The last run of a playbook failed, was lost, or comes to no end.
    Run {
        /// The playbook.
        playbook: PlaybookName,
    },
    /// Work waits and nothing is built.
    Waiting,
    /// A file system of the controller is full, or nearly so.
    Disk {
        /// A directory on it.
        what: PathBuf,
    },
    /// An orchestrator, or an object storage, lacks the live release.
    Behind {
        /// Which.
        orchestrator: HostName,
    },
}

impl Cause {
    /// What kind of trouble it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Package { .. } | Self::Run { .. } => Kind::Failure,
            Self::Waiting => Kind::Stall,
            Self::Disk { .. } => Kind::Disk,
            Self::Behind { .. } => Kind::Release,
        }
    }

    /// Whether it is about a package.
    pub fn is_package(&self) -> bool {
        matches!(self, Self::Package { .. })
    }

    /// Whether its end is certain at once. What comes and goes by itself is over once it has stayed away.
    fn ends_at_once(&self) -> bool {
        matches!(self, Self::Package { .. } | Self::Run { .. })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package { driver, package } => write!(formatter, "package {driver} {package}"),
            Self::Waiting => formatter.write_str("waiting"),
            Self::Disk { what } => write!(formatter, "disk {}", what.display()),
            Self::Run { playbook } => write!(formatter, "run {playbook}"),
            Self::Behind { orchestrator } => write!(formatter, "behind {orchestrator}"),
        }
    }
}

/// The kinds of what is told; a channel may want some of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A package, or an unattended run, has failed.
    Failure,
    /// Work waits and nothing is built.
    Stall,
    /// A disk is full.
    Disk,
    /// A release does not reach everybody.
    Release,
    /// A trouble that was told is over.
    Recovery,
}

impl Kind {
    /// All of them, with their words in the inventory.
    pub const WORDS: [(&str, Self); 5] = [
        ("failure", Self::Failure),
        ("stall", Self::Stall),
        ("disk", Self::Disk),
        ("release", Self::Release),
        ("recovery", Self::Recovery),
    ];
}

/// What the reader is told, so that he can act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "AlarmWords")]
pub struct Words {
    /// What is wrong, in one short line.
    pub headline: String,
    /// What else he should know, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// The command to run next.
    pub next: String,
}

/// A trouble that is there, or is over and not yet told to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What it is about.
    pub cause: Cause,
    /// What is said of it.
    pub words: Words,
    /// Since when it is there.
    pub since: Timestamp,
    /// When it was found last; what has happened since then is news.
    pub at: Timestamp,
    /// Whether it was found in somebody's presence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub attended: bool,
    /// How often it came, within a day of its going.
    pub times: u32,
    /// The channels that were told, and were not told that it is over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub told: BTreeSet<ChannelName>,
    /// When it went; none while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared: Option<Timestamp>,
}

/// A channel that could not be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelTrouble {
    /// So often, one after the other.
    pub failures: u32,
    /// Since when.
    pub since: Timestamp,
    /// When it was tried last.
    pub last: Timestamp,
    /// Why not.
    pub why: String,
}

/// The alarms, and the channels that fail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarms {
    #[serde(default, with = "in_a_list")]
    alarms: BTreeMap<Cause, Alarm>,
    /// Channels that could not be told when they were tried last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<ChannelName, ChannelTrouble>,
}

/// What is over is remembered for so long (seconds), so that what comes back is known.
const REMEMBERED: u64 = 24 * 3600;
/// A channel that is never told of an end is not waited for any longer (seconds).
const FORGOTTEN: u64 = 7 * REMEMBERED;

impl Alarms {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.alarms.is_empty() && self.channels.is_empty()
    }

    /// What is wrong now.
    pub fn standing(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.values().filter(|alarm| alarm.cleared.is_none())
    }

    /// The alarm of a cause, be it over or not.
    pub fn of(&self, cause: &Cause) -> Option<&Alarm> {
        self.alarms.get(cause)
    }

    pub(super) fn raise(&mut self, cause: &Cause, words: &Words, attended: bool, at: Timestamp) {
        self.forget(at);
        match self.alarms.get_mut(cause) {
            Some(alarm) => {
                if let Some(cleared) = alarm.cleared.take() {
                    // Once its end was certain it is another trouble, also to a channel that wants to hear of no ends and
                    // so was never told of this one.
                    let at_once = alarm.cause.ends_at_once();
                    if at_once && at.seconds_since(cleared) >= due::calm(alarm, at_once) {
                        alarm.told.clear();
                    }
                    alarm.times = alarm.times.saturating_add(1);
                    alarm.since = at;
                    alarm.attended = attended;
                }
                alarm.words = words.clone();
                alarm.attended &= attended;
                alarm.at = at;
            }
            None => {
                let (cause, words) = (cause.clone(), words.clone());
                let alarm = Alarm {
                    cause: cause.clone(),
                    words,
                    since: at,
                    at,
                    attended,
                    times: 1,
                    told: BTreeSet::new(),
                    cleared: None,
                };
                self.alarms.insert(cause, alarm);
            }
        }
    }

    pub(super) fn clear(&mut self, cause: &Cause, at: Timestamp) {
        if let Some(alarm) = self.alarms.get_mut(cause) {
            alarm.cleared.get_or_insert(at);
        }
        self.forget(at);
    }

    pub(super) fn tell(&mut self, channel: &ChannelName, raised: &[Cause], recovered: &[Cause]) {
        for cause in raised {
            if let Some(alarm) = self.alarms.get_mut(cause) {
                alarm.told.insert(channel.clone());
            }
        }
        for cause in recovered {
            if let Some(alarm) = self.alarms.get_mut(cause) {
                alarm.told.remove(channel);
            }
        }
        self.channels.remove(channel);
    }

    pub(super) fn fail(&mut self, channel: &ChannelName, why: &str, at: Timestamp) {
        let new = || ChannelTrouble { failures: 0, since: at, last: at, why: String::new() };
        let trouble = self.channels.entry(channel.clone()).or_insert_with(new);
        trouble.failures = trouble.failures.saturating_add(1);
        trouble.last = at;
        why.clone_into(&mut trouble.why);
    }

    fn forget(&mut self, now: Timestamp) {
        self.alarms.retain(|_, alarm| {
            let kept = if alarm.told.is_empty() { REMEMBERED } else { FORGOTTEN };
            alarm.cleared.is_none_or(|cleared| now.seconds_since(cleared) <= kept)
        });
    }
}

/// A map whose keys are no texts, as JSON has it.
mod in_a_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Alarm, Cause};

    pub fn serialize<S: Serializer>(alarms: &BTreeMap<Cause, Alarm>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(alarms.values())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Cause, Alarm>, D::Error> {
        let alarms = Vec::<Alarm>::deserialize(deserializer)?;
        Ok(alarms.into_iter().map(|alarm| (alarm.cause.clone(), alarm)).collect())
    }
}
