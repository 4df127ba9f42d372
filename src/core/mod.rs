//! The pure core: what a build is, what has happened to it, and what is to be done next.
//!
//! Nothing here knows a clock, a socket or a file. [`names`], [`package`], [`plan`] and [`failure`] are the words of
//! the whole project, [`text`] makes safe what is shown of a stranger's, [`texts`] keeps many small ones. The state machine is [`event`] (what can
//! happen), [`state`] (what is known, changed by [`state::State::apply`] alone) and [`decide`] (what follows from it).
//! [`status`] is the view that people get, [`overview`] what a screen shows; [`forecast`] plays a plan before it is a build, [`partial`] is what of one
//! could go live without the rest. [`timeline`]
//! is what was built when, [`waiting`] what waits for what, [`accuracy`] how good estimates were. [`alarm`] says what is wrong and who is still to be
//! told. Of several orchestrators
//! [`role`] says who leads, [`standby`] how far the others are behind.

pub mod accuracy;
pub mod alarm;
pub mod build;
pub mod decide;
pub mod election;
pub mod event;
pub mod exit;
pub mod explain;
pub mod failure;
pub mod forecast;
pub mod held;
pub mod moments;
pub mod names;
pub mod nearest;
pub mod order;
pub mod overview;
pub mod package;
pub mod partial;
pub mod plan;
pub mod role;
pub mod selection;
pub mod spread;
pub mod standby;
pub mod state;
pub mod status;
pub mod text;
pub mod texts;
pub mod timeline;
pub mod waiting;

#[cfg(test)]
mod several;
#[cfg(test)]
pub(crate) mod simulation;
#[cfg(test)]
mod thousand;
