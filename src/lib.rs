//! `swarm`: a build farm for Gentoo that needs nothing on its build hosts but sshd, a shell and Portage.
//!
//! The layers, from the top: [`cli`] uses everything; [`orchestrator`] and [`gateway`] are services on [`http`];
//! [`controller`] joins [`core`], [`store`], [`drone`] and [`release`]; [`drone`] uses [`epoch`], [`ssh`] and
//! [`portage`], [`release`] those and [`s3`]; [`standby`] copies what another controller has; [`timetable`] has the
//! machine start runs; [`core`] does no input or output at all.
//! Arrows run downwards only.

pub mod cli;
pub mod controller;
pub mod core;
mod disk;
mod document;
pub mod drone;
pub mod epoch;
pub mod failpoint;
#[cfg(test)]
mod fuzz;
pub mod gateway;
pub mod http;
pub mod inventory;
pub mod notify;
pub mod orchestrator;
mod pause;
pub mod playbook;
pub mod portage;
pub mod release;
pub mod s3;
pub mod schedule;
mod seeded;
mod side_by_side;
pub mod ssh;
pub mod standby;
pub mod store;
pub mod timetable;
pub mod ui;

/// The system's allocators keep what a moment took: after 200 drones were asked about 20,000 packages that is half a
/// gigabyte with the GNU one. Huge pages would keep more of it than they save time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
