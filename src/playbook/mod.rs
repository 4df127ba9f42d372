//! Playbooks: the steps of an unattended run, read from TOML, run one after the other, each written down.
//!
//! [`shelf`] finds a playbook, [`read`] makes a [`Playbook`] of its text ([`step`], [`value`], [`clock`] are its parts),
//! [`condition`] says what becomes of a step, [`command`] which command line it is, [`run`] has it run as a process of
//! its own (`child`) and keeps the [`record`]; [`herald`] tells the controller. Nothing of a step is done in this
//! process, so that a step can be ended, outlived and looked at as any command can.

pub mod clock;
pub mod command;
pub mod condition;
pub mod herald;
pub mod outcome;
pub mod read;
pub mod record;
pub mod run;
pub mod runs;
pub mod shelf;
pub mod step;
pub mod value;

mod child;
mod sight;

pub use child::end_with_the_run;

use clock::{Deadline, Window};
use step::{Step, StepName, What};
use value::Parameters;

use crate::core::names::PlaybookName;

/// A playbook.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// Its name.
    pub name: PlaybookName,
    /// What it does, in a line.
    pub description: String,
    /// What whoever runs it gives.
    pub parameters: Parameters,
    /// The hours in which something new may start; none: all.
    pub window: Option<Window>,
    /// After it nothing new starts.
    pub deadline: Option<Deadline>,
    /// What is done, in this order; never empty.
    pub steps: Vec<Step>,
}

impl Playbook {
    /// Where the step is whose output others read by this name: a command. A step of another kind may be called the same,
    /// as its name may be no more than what it does.
    pub fn place_of(&self, name: &StepName) -> Option<usize> {
        self.steps.iter().position(|step| step.name == *name && matches!(step.what, What::Exec(_)))
    }

    /// Whether another step reads what this one puts out.
    pub fn is_read(&self, step: &Step) -> bool {
        matches!(step.what, What::Exec(_)) && self.steps.iter().any(|other| other.what.reads() == Some(&step.name))
    }
}
