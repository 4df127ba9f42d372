//! The web page, as a browser gets it from an orchestrator and by way of a gateway.

mod browser;
mod farm;
mod looks;
mod routes;
