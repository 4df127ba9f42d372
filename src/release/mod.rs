//! From a package that came back to a release that clients see: staging, composition, the atomic swap.
//!
//! A received package lies in [`staging`] under the path that it will have at the binhost. A release is composed of
//! what is live and of what is staged ([`mod@compose`]), made as a tree of hard links beside the others, and becomes live
//! by one rename of a symlink ([`releases`]). Nothing that a client reads is ever changed in place.
//!
//! Beside each release lies its [`record`]: where it comes from, and which files it was made of. From the records follows
//! what was live when, and where a roll-back leads ([`chronicle`]).

pub mod accept;
mod adopt;
pub mod chronicle;
pub mod compose;
pub mod diff;
mod directory;
mod error;
mod file_error;
mod guard;
pub mod imprint;
mod items;
mod kept;
mod layout;
pub mod mirror;
pub mod publish;
pub mod record;
pub mod releases;
pub mod shown;
pub mod sign;
pub mod staging;
#[cfg(test)]
pub(crate) mod testing;
mod tree;
pub mod verify;

pub use chronicle::Chronicle;
pub use compose::{Base, Contents, Incoming, compose};
pub use error::ReleaseError;
pub use file_error::FileError;
pub use guard::keep_staging_apart;
pub use kept::Release;
pub use record::Origin;
pub use releases::{Published, Releases, Shelf};
pub use staging::{Admitted, Staged, Staging, StagingError};
