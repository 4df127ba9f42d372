//! How a host is reached: sessions, host keys, commands, files. The same trait serves this machine itself.
//!
//! Nothing here knows Portage. A [`Host`] runs scripts and moves files; what they mean is the caller's business.

pub mod destination;
pub mod host;

pub use destination::{Become, Destination};
pub use host::{Chunk, Host, HostError, HostErrorKind, Output, Running, Script};
