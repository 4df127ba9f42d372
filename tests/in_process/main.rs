//! What a real host or drone cannot be made to do, done by fake ones in this process: see `tests/support`.

#[path = "../support/mod.rs"]
mod support;

mod order;
mod ssh;
