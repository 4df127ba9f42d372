//! What Portage says and makes: plans, binary packages, package indexes. Nothing here knows how a host is reached.

pub mod blockers;
pub mod emerge_log;
pub mod gpkg;
pub mod index;
pub mod list;
pub mod parity;
pub mod pretend;
pub mod probe;
pub mod terminal;
