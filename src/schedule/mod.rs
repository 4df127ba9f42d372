//! Which package goes where and how wide, and a model to try it on: pure.
//!
//! [`estimate`] says what a package will cost, from what builds took. A [`graph::Graph`] says what packages cost and
//! need, [`paths::Paths`] how much waits for each, [`queue::Queue`] what can start. A [`drone::Drone`] shares its cores
//! between jobs, which is a [`load::Load`]. [`policy::Scheduler`] is told what happens and says what to start; [`model`]
//! plays a build on an imagined fleet, [`generate`] makes graphs up for it, [`baseline`] is what it has to be better than.

pub mod baseline;
pub mod drone;
pub mod estimate;
pub mod generate;
pub mod graph;
pub mod load;
pub mod model;
pub mod paths;
pub mod policy;
pub mod queue;
mod random;

#[cfg(test)]
mod tests;
