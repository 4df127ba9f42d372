//! In what two hosts build differently: the driver, whose packages are wanted, and a drone.
//!
//! [`script`] asks the Portage of a host (`survey.py`) for its [`Configuration`], [`compare()`] holds a drone's against
//! the driver's, and [`concern`] says which of the differences would change a package of a plan. What matters to a binary
//! and what does not is a table of rules, each with its reason ([`Matter`], `rules.rs`).

pub mod compare;
pub mod concern;
pub mod configuration;
pub mod revision;
mod rules;

use serde::Serialize;

use super::probe;

pub use compare::{Difference, Point, compare};
pub use configuration::{Configuration, Tool, read};
pub use rules::Matter;

const SURVEY: &str = include_str!("survey.py");
/// Tells the revision of a repository: a Python module with the function `revision(location)`.
pub const REVISION: &str = include_str!("revision.py");

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// The configuration root to look at, where it is there; else, and without one, the host's own.
    pub configuration: Option<String>,
    /// Whether to tell the revisions of the repositories. A tree without git and without a Manifest of its own is read
    /// whole for that.
    pub revisions: bool,
}

/// The script that asks; [`read`] reads what it prints.
pub fn script(request: &Request) -> String {
    probe::script_of(SURVEY, &[("revision.py", REVISION)], request)
}
