//! The services as clients meet them: the real binary, real sockets on the loopback.

mod binhost;
mod builds;
mod gateway;
mod metrics;
mod monitoring;
mod nginx;
mod packaging;
mod page;
pub mod place;
pub mod production;
mod queue;
mod schedule;
mod strangers;
mod supervised;
mod tls;
mod unprivileged;
