//! Packages that came back: accepted, indexed, released.
pub mod accept;
