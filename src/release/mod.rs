//! From a package that came back to a release that clients see: staging, composition, the atomic swap.
//!
//! A received package lies in [`staging`] under the path that it will have at the binhost.

mod directory;
pub mod path;
pub mod staging;
#[cfg(test)]
mod testing;

pub use path::PackagePath;
pub use staging::{Admitted, Staged, Staging, StagingError};
