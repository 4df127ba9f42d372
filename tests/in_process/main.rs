//! What a real host or drone cannot be made to do, done by fake ones in this process: see `tests/support`.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod drones;
mod luck;
mod order;
mod ssh;
