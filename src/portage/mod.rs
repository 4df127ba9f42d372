//! What Portage says and makes. Nothing here knows how a host is reached.
//!
//! [`probe`] asks a host's own Portage for a plan, or how it would build one, and reads the answer; [`parity`] says in what
//! two hosts build differently. [`pretend`] and [`list`] read what operators give in a plan's place. [`gpkg`] reads and
//! signs binary packages, [`index`] lists them as a binhost does, [`blockers`] says what one cannot be installed beside.
//! [`emerge_log`] is what hosts built on other days, [`terminal`] takes out of a text what only a terminal wants.

pub mod blockers;
pub mod emerge_log;
pub mod gpkg;
pub mod index;
pub mod list;
pub mod parity;
pub mod pretend;
pub mod probe;
pub mod terminal;
