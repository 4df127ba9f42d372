//! The main job on real hosts: real sshd, real Portage, the binary as an operator runs it. Needs root.
#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod access;
mod bad_input;
mod bootstrap;
mod damage;
mod documents;
mod failover;
#[cfg(feature = "failpoints")]
mod failpoints;
mod gateway;
mod history;
mod laboratory;
mod lost;
mod main_job;
mod nights;
mod oddities;
mod packaging;
mod pair;
mod parity;
mod publish;
mod queue;
mod refused;
#[cfg(feature = "failpoints")]
mod releases;
mod reuse;
mod rooms;
#[path = "../../src/seeded.rs"]
mod seeded;
mod selection;
mod signing;
mod soak;
mod support;
mod sync;
mod unwell;
mod verbs;
