//! The pure core: what a build is, what has happened to it, and what is to be done next.
//!
//! Nothing here knows a clock, a socket or a file.
//!
//! - **Words** of the whole project: [`names`], [`package`], [`plan`], [`selection`], [`order`] and [`failure`]; [`exit`]
//!   is what a command's end means. [`text`] makes safe what is shown of a stranger's, [`moments`] shows times as clocks
//!   do, [`nearest`] offers the right word for a mistyped one, [`texts`] and [`links`] keep many small
//!   texts in little room.
//! - **The state machine**: [`event`] is what can happen, [`state`] what is known, changed by [`state::State::apply`]
//!   alone, [`build`] the part of it that one build is. [`decide`] says what follows, with [`spread`] (which package goes
//!   where) and [`held`] (what running jobs keep from a root that jobs share).
//! - **What is shown**: [`status`] is the view that people and programs get, [`overview`] what a screen shows, [`explain`]
//!   why a package is where it is. [`forecast`] plays a plan before it is a build, [`partial`] is what of one could go live
//!   without the rest, [`timeline`] what was built when, [`waiting`] what waits for what, [`accuracy`] how good estimates
//!   were. [`alarm`] says what is wrong and who is still to be told.
//! - **Several orchestrators**: [`election`] says who may decide, [`role`] who leads, [`standby`] how far the others are
//!   behind.

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
pub mod links;
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
