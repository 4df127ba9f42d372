//! In what two hosts build differently: the driver, whose packages are wanted, and a drone.
//!
//! A host's Portage tells its [`Configuration`] (`survey.py`, run by the probe), [`compare()`] holds a drone's against the
//! driver's, and [`concern`] says which of the differences would change a package of a plan. What matters to a binary and
//! what does not is a table of rules, each with its reason (`rules.rs`).

mod compare;
pub mod concern;
mod configuration;
pub mod revision;
mod rules;
#[cfg(test)]
mod tests;

pub use compare::{Difference, Point, compare};
pub use configuration::{Configuration, Tool, Version};
pub use rules::Matter;

/// Tells the revision of a repository: a Python module with the function `revision(location)`.
pub const REVISION: &str = include_str!("revision.py");
/// The Python modules that tell a configuration, by the names under which they want to lie beside the probe.
pub(super) const MODULES: [(&str, &str); 2] = [("survey.py", include_str!("survey.py")), ("revision.py", REVISION)];
