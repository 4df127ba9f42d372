//! From a package that came back to a release that clients see: staging, composition, the atomic swap.
//!
//! A received package lies in [`staging`] under the path that it will have at the binhost. A release is composed of
//! what is live and of what is staged ([`mod@compose`]), made as a tree of hard links beside the others, and becomes live
//! by one rename of a symlink ([`releases`]). Nothing that a client reads is ever changed in place.

pub mod accept;
mod adopt;
pub mod compose;
mod directory;
mod error;
mod file_error;
mod guard;
mod layout;
pub mod publish;
pub mod releases;
pub mod staging;
#[cfg(test)]
mod testing;
mod tree;

pub use compose::{Base, Contents, Incoming, compose};
pub use error::ReleaseError;
pub use file_error::FileError;
pub use releases::{Published, Release, Releases};
pub use staging::{Admitted, Staged, Staging, StagingError};
