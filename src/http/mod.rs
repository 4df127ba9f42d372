//! HTTP as the services share it.
//!
//! It knows nothing of a swarm. [`client`] asks others, with a bound on every step; [`tls`] is both ends of TLS.

pub mod client;
pub mod tls;
