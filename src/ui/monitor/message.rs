//! What the monitor is told, and what it may come to want.

use ratatui::crossterm::event::KeyEvent;

use super::look::Look;
use crate::core::names::{BuildName, HostName, Timestamp};

/// Something that the monitor is told.
#[derive(Debug, Clone)]
pub enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// The screen has so many columns and lines.
    Resized(u16, u16),
    /// It is this late.
    Now(Timestamp),
    /// The state.
    Look(Box<Look>),
    /// Things have happened.
    Happened(Vec<Said>),
    /// How the state is reached.
    Link(Link),
    /// A wish was carried out, or not.
    Done {
        /// Which.
        deed: Deed,
        /// What was said to it.
        lines: Vec<String>,
        /// Whether it could be done.
        good: bool,
    },
    /// Why a package is where it is.
    Explained {
        /// The package.
        label: String,
        /// A line each.
        lines: Vec<String>,
    },
    /// A piece of the log of a package.
    Log {
        /// The package.
        label: String,
        /// What follows what came before.
        text: String,
        /// Whether it is the first piece of a log.
        begins: bool,
    },
    /// There is no log of a package, and why.
    NoLog {
        /// The package.
        label: String,
        /// Why.
        why: String,
    },
}

/// How good something is that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular.
    Plain,
    /// It is well.
    Good,
    /// It is not.
    Bad,
}

/// A line of what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: Timestamp,
    /// What, in one line.
    pub text: String,
    /// Whether that is well.
    pub tone: Tone,
}

/// How the state is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// Not yet.
    Opening,
    /// It is read here; whether a controller is at work.
    Here {
        /// Whether one is.
        at_work: bool,
    },
    /// It is told by an orchestrator through this address.
    There(String),
    /// Not any more.
    Away {
        /// Since when.
        since: Timestamp,
        /// Why.
        why: String,
    },
}

/// What can be asked of the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// Spread the waiting work anew.
    Balance,
    /// Try this package again, or all that failed.
    Unblock(Option<String>),
    /// Forget this build.
    Reset(BuildName),
    /// Give this drone no new work.
    Drain(HostName),
    /// Give it work again.
    Undrain(HostName),
    /// Release this build; of an incomplete one what can go live.
    Finalize {
        /// Which.
        build: BuildName,
        /// Whether it is incomplete.
        partial: bool,
    },
}

impl Deed {
    /// The command that does it, as a shell would have it.
    pub fn arguments(&self) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::Balance => words(&["balance"]),
            Self::Unblock(None) => words(&["unblock"]),
            Self::Unblock(Some(package)) => words(&["unblock", package]),
            Self::Reset(build) => words(&["reset", "--yes", "--build", build.as_str()]),
            Self::Drain(drone) => words(&["drain", drone.as_str()]),
            Self::Undrain(drone) => words(&["undrain", drone.as_str()]),
            Self::Finalize { build, partial: false } => words(&["finalize", "--build", build.as_str()]),
            Self::Finalize { build, partial: true } => words(&["finalize", "--partial", "--build", build.as_str()]),
        }
    }
}

/// What the monitor wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// To end.
    Quit,
    /// To be stopped until the shell lets it go on.
    Suspend,
    /// The screen painted anew.
    Repaint,
    /// Something of the controller.
    Do(Deed),
    /// To know why this package is where it is.
    Explain(String),
    /// The log of this package from here on.
    Log(String),
    /// No log any more.
    NoLog,
}
