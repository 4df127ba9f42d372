//! Which package goes where and how wide, and a model to try it on: pure.
//!
//! [`estimate`] says what a package will cost, from what builds took. A [`graph::Graph`] says what packages cost and
//! need. [`policy::Scheduler`] is told what happens and says what to start; [`tune`] chooses its settings by playing the
//! build through on the estimates; [`model`] plays a build on an imagined fleet.

pub mod baseline;
pub mod estimate;
pub mod generate;
pub mod graph;
pub mod load;
pub mod model;
pub mod policy;
mod random;
pub mod tune;

#[cfg(test)]
mod tests;
