//! The steps of a playbook, each with its own options.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::value::{ParameterName, Word};
use crate::core::event::Wanted;
use crate::inventory::Selection;

/// The name of a step in its playbook, in the record and in the name of its log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepName(String);

impl StepName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StepName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if (1..=64).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("{text:?} is not the name of a step: letters, digits, '-' and '_'"))
        }
    }
}

impl TryFrom<String> for StepName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<StepName> for String {
    fn from(name: StepName) -> String {
        name.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// One word of a command: any text that a program can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument(pub String);

impl FromStr for Argument {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// Hosts as `--on` takes them; what a parameter that was not given stands for is all of them.
pub type Hosts = Word<Selection>;

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name: its own, else what it does.
    pub name: StepName,
    /// What it does.
    pub what: What,
    /// When it is run.
    pub when: When,
    /// It is run only where this parameter is given.
    pub if_given: Option<ParameterName>,
    /// What a failure means.
    pub on_failure: OnFailure,
    /// After so long it is ended, and has failed.
    pub timeout: Option<Duration>,
}

/// What a step does: each is a verb of `swarm`, or a command on hosts.
#[derive(Debug, Clone)]
pub enum What {
    /// Make drones equal to the driver.
    Sync {
        /// Which drones.
        on: Option<Hosts>,
    },
    /// Compare drones with the driver.
    Parity {
        /// Which drones.
        on: Option<Hosts>,
    },
    /// Say what would be built.
    Plan {
        /// What of.
        wanted: Choice,
        /// On which drones.
        on: Option<Hosts>,
    },
    /// Build.
    Push(Push),
    /// Check every byte of the live release.
    Verify,
    /// Release what was received.
    Finalize(Finalize),
    /// Remove the earliest releases.
    Prune,
    /// Run a command.
    Exec(Exec),
    /// Send a message through the channels.
    Notify(Notify),
}

/// What is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// What is open, else the driver's world.
    Open,
    /// The driver's world.
    World,
    /// These atoms and what they need.
    Atoms(Vec<Word<Wanted>>),
    /// The packages of a list.
    List(PathBuf),
    /// The atoms, one a line, that an earlier step wrote on its standard output. Where there is none nothing is built.
    From(StepName),
}

/// How it is built.
#[derive(Debug, Clone)]
pub struct Push {
    /// What.
    pub wanted: Choice,
    /// On which drones.
    pub on: Option<Hosts>,
    /// Whether failed packages of the open build are tried again.
    pub retry_failed: bool,
    /// Whether what is received or live already is built all the same.
    pub rebuild: bool,
    /// Whether an open build of something else is replaced. Where builds wait for their turn, none has to be.
    pub replace: bool,
    /// What packages that failed mean to the steps after it.
    pub failed_packages: OnFailure,
}

/// What is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finalize {
    /// Whether of an incomplete build what can go live without the rest will do.
    pub partial: bool,
    /// With more failed packages than this nothing is released.
    pub max_failed: Option<u32>,
}

/// A command.
#[derive(Debug, Clone)]
pub struct Exec {
    /// Where.
    pub on: Where,
    /// What.
    pub command: Command,
    /// Whether a success changes something, as far as `when = "changed"` goes.
    pub changes: bool,
}

/// Where a command is run.
#[derive(Debug, Clone)]
pub enum Where {
    /// On this machine, without a shell; `swarm` as the program is this very one.
    Controller,
    /// On the machine whose packages are wanted.
    Driver,
    /// On these hosts.
    Hosts(Hosts),
}

/// A command: words, which are data for whoever runs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A program and its arguments; never empty.
    Words(Vec<Word<Argument>>),
    /// A script for `/bin/sh`, with its arguments as `$1`, `$2` …
    Script {
        /// The script; nothing is put into it.
        text: String,
        /// Its arguments.
        arguments: Vec<Word<Argument>>,
    },
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// What it says.
    pub message: String,
    /// Its subject; none: the channel's own.
    pub subject: Option<String>,
}

/// When a step is run, if the steps before it have not stopped the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Whatever they came to.
    Always,
    /// Only where one of them changed something.
    Changed,
    /// Only where one of them failed; also where that stopped the run.
    Failed,
    /// Only where none of them failed.
    Succeeded,
}

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// No other step is run, but those for failures; the run has failed.
    Stop,
    /// The others are run; the run has failed.
    GoOn,
    /// It is noted, and nothing else follows.
    Note,
}

impl What {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Sync { .. } => "sync",
            Self::Parity { .. } => "parity",
            Self::Plan { .. } => "plan",
            Self::Push(_) => "push",
            Self::Verify => "verify",
            Self::Finalize(_) => "finalize",
            Self::Prune => "prune",
            Self::Exec(_) => "exec",
            Self::Notify(_) => "notify",
        }
    }

    /// Whether it brings a run to its end rather than beginning something: that is done after the deadline, too, or
    /// what was built until then would not go live.
    pub fn concludes(&self) -> bool {
        matches!(self, Self::Finalize(_) | Self::Prune | Self::Notify(_))
    }

    /// The step whose output it reads.
    pub fn reads(&self) -> Option<&StepName> {
        match self {
            Self::Plan { wanted: Choice::From(step), .. } | Self::Push(Push { wanted: Choice::From(step), .. }) => {
                Some(step)
            }
            _ => None,
        }
    }

    /// Parameters without which it cannot be run.
    pub fn depends_on(&self) -> Vec<&ParameterName> {
        match self {
            Self::Plan { wanted: Choice::Atoms(atoms), .. } | Self::Push(Push { wanted: Choice::Atoms(atoms), .. }) => {
                atoms.iter().filter_map(Word::parameter).collect()
            }
            Self::Exec(exec) => {
                let words = match &exec.command {
                    Command::Words(words) | Command::Script { arguments: words, .. } => words,
                };
                let on = match &exec.on {
                    Where::Hosts(hosts) => hosts.parameter(),
                    Where::Controller | Where::Driver => None,
                };
                words.iter().filter_map(Word::parameter).chain(on).collect()
            }
            _ => Vec::new(),
        }
    }

    /// All parameters that it uses.
    pub fn parameters(&self) -> Vec<&ParameterName> {
        let on = match self {
            Self::Sync { on } | Self::Parity { on } | Self::Plan { on, .. } | Self::Push(Push { on, .. }) => {
                on.as_ref()
            }
            _ => None,
        };
        self.depends_on().into_iter().chain(on.and_then(Word::parameter)).collect()
    }
}
