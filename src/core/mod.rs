//! The pure core: what a build is, what has happened to it, and what is to be done next.
//!
//! Nothing here knows a clock, a socket or a file: [`names`], [`package`] and [`plan`] are the words of the whole
//! project, the rest is the state machine.

pub mod failure;
pub mod names;
pub mod package;
pub mod plan;
