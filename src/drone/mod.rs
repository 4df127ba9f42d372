//! What happens on a drone.

pub mod facts;
