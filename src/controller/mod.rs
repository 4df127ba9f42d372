//! The loop that joins core, store, drones and staging.
//!
//! [`Session`] owns the truth: the lock, the journal, the state. Every event goes through [`Session::record`], which
//! writes it down before anything follows from it. [`planning`] asks the driver what a selection comes to, one
//! [`keeper`] a drone reaches it, compares it ([`muster`]) and holds our epoch there, [`run`] works the build off with
//! one small state machine a job ([`job`]), [`finalize`] makes it live, [`rollback`] what was before, [`mod@publish`]
//! brings it to the orchestrators. Where there are such the [`electorate`] says who may decide. Whoever watches is an [`Observer`].
//! [`alarms`] has somebody told who does not watch, [`exec`] runs an operator's command on hosts.

pub mod alarms;
pub mod api;
pub mod attend;
pub mod background;
pub mod electorate;
pub mod error;
pub mod exec;
pub mod fetch_back;
pub mod finalize;
pub mod go_live;
pub mod housekeeping;
pub mod install;
pub mod job;
pub mod keeper;
pub mod kept_log;
pub mod log_reader;
pub mod muster;
pub mod parity;
pub mod persist;
pub mod planning;
pub mod promises;
pub mod publish;
pub mod queue;
pub mod remote;
pub mod removals;
pub mod report;
pub mod reuse;
pub mod rollback;
pub mod run;
pub mod session;
pub mod socket;
mod space;
pub mod support;
pub mod sync;
pub mod verb;
pub mod work;

pub use error::ControlError;
pub use session::{Observer, Session, now};
