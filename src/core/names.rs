//! Names and numbers that identify things: hosts, builds, jobs, releases, epochs, moments.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text that is not a name of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {kind}: {rule}")]
pub struct NameError {
    /// The text as it was given.
    pub text: String,
    /// What it should have been, with its article.
    pub kind: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
}

/// The longest name that is accepted: it has to fit into a file name with room for a suffix.
const NAME_LIMIT: usize = 128;
/// What [`plain`] asks for, as a regular expression; that no two dots meet is not said.
const PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]*$";

fn plain(text: &str) -> bool {
    let mut characters = text.chars();
    text.len() <= NAME_LIMIT
        && characters.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && characters.all(|other| other.is_ascii_alphanumeric() || matches!(other, '-' | '_' | '.'))
        && !text.contains("..")
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = PATTERN, "maxLength" = NAME_LIMIT))]
        pub struct $name(String);

        impl $name {
            /// The name as text; safe as a file name and as a shell word.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if plain(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(NameError {
                        text: text.to_owned(),
                        kind: $kind,
                        rule: "letters, digits, '-', '_' and single '.', beginning with a letter or digit",
                    })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}

name!(
    /// A host's name in the inventory.
    HostName,
    "a host name"
);
name!(
    /// A network's name in the inventory.
    NetworkName,
    "a network's name"
);
name!(
    /// A tag that the inventory gives to hosts, so that they can be selected together.
    Tag,
    "a tag"
);
name!(
    /// A build: a set of wanted packages of one driver, worked off as one.
    BuildName,
    "a build's id"
);
name!(
    /// A job: one attempt to build one package on one drone; also the name of its directory there.
    JobName,
    "a job's id"
);
name!(
    /// A release: one immutable, complete set of packages with its index. Ids sort by epoch and number.
    ReleaseName,
    "a release's id"
);

name!(
    /// A playbook: the steps of an unattended run.
    PlaybookName,
    "a playbook's name"
);
name!(
    /// An unattended run of a playbook. Ids sort by time and name the playbook.
    RunId,
    "a run's id"
);

name!(
    /// A controller, one for each state directory: who holds an epoch.
    ControllerName,
    "a controller's name"
);

impl RunId {
    /// The id of a playbook's run that began at this moment. Of several in one second the `number`th, counted from 1.
    pub fn new(playbook: &PlaybookName, began: Timestamp, number: u32) -> Self {
        let moment = jiff::Timestamp::from_second(began.0).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ");
        match number {
            0 | 1 => Self(format!("{moment}-{playbook}")),
            later => Self(format!("{moment}.{later}-{playbook}")),
        }
    }
}

name!(
    /// A channel's name in the inventory: a way by which alarms are told.
    ChannelName,
    "a channel's name"
);

name!(
    /// A revision of a driver's configuration as a drone has it: a digest of all that it holds.
    Revision,
    "a configuration's revision"
);

impl ControllerName {
    /// The name of a controller that has not chosen one yet.
    pub fn unnamed() -> Self {
        Self("unnamed".to_owned())
    }
}

impl ReleaseName {
    /// The id of the release with this number in this epoch.
    pub fn new(epoch: Epoch, number: u64) -> Self {
        Self(format!("{:06}-{number:06}", epoch.0))
    }

    /// Epoch and number of an id that [`ReleaseName::new`] made.
    pub fn parts(&self) -> Option<(Epoch, u64)> {
        let (epoch, number) = self.0.split_once('-')?;
        Some((Epoch(epoch.parse().ok()?), number.parse().ok()?))
    }
}

impl JobName {
    /// The id of the `number`th job of a build, given away under this epoch. A controller that succeeds another one may
    /// not know that one's last jobs, and must not give their names again.
    pub fn new(build: &BuildName, epoch: Epoch, number: u64) -> Self {
        match epoch {
            Epoch(0 | 1) => Self(format!("{build}-{number}")),
            Epoch(later) => Self(format!("{build}-{later}.{number}")),
        }
    }
}

/// The term of a controller: a higher one fences all lower ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A moment, in whole seconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds from `earlier` until this moment; zero where `earlier` is later.
    pub fn seconds_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

/// The build id of a binary package (`BUILD_ID`, the last part of `PF-BUILDID.gpkg.tar`); counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct BuildId(pub u32);

impl fmt::Display for BuildId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_directory_or_become_an_option() {
        for text in ["", ".", "..", "a/b", "-x", "a..b", "a b", "a\n", "ä", &"x".repeat(200)] {
            assert!(text.parse::<HostName>().is_err(), "{text:?}");
        }
        for text in ["capella", "drone-izar", "10.42.0.1", "a_b"] {
            assert!(text.parse::<HostName>().is_ok(), "{text:?}");
        }
    }

    #[test]
    fn run_ids_sort_by_time_and_name_the_playbook() {
        let playbook: PlaybookName = "nightly-world".parse().unwrap();
        let id = |second, number| RunId::new(&playbook, Timestamp(second), number);
        assert_eq!(id(0, 1).as_str(), "19700101T000000Z-nightly-world");
        assert_eq!(id(0, 2).as_str(), "19700101T000000Z.2-nightly-world");
        assert!(id(0, 1) < id(0, 2) && id(0, 2) < id(1, 1) && id(59, 1) < id(60, 1));
    }

    #[test]
    fn release_ids_sort_by_epoch_and_then_by_number() {
        let earlier = ReleaseName::new(Epoch(1), 99);
        let later = ReleaseName::new(Epoch(2), 1);
        assert!(earlier < later);
        assert_eq!(later.parts(), Some((Epoch(2), 1)));
    }
}
