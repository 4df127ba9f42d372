//! Releases as an operator and clients meet them: the real binary, no drones.

mod farm;
mod moto;
#[path = "../../support/package.rs"]
#[expect(dead_code, reason = "its other half is for drones")]
mod package;
mod queue;
mod served;
mod signed;
mod storage;
mod verbs;
