//! The full screen of `swarm monitor`: what runs, what waits and why, how long it takes, what to do next.
//!
//! Three pure parts: the `model` of what is shown, [`update()`] which takes in a [`Message`] and may come to a
//! [`Wish`], and [`draw()`] which puts a model on a screen. Terminal, state and wishes are joined to them by the command.
//!
//! Cost: a new [`Look`] is taken in at a cost linear in packages (filter and order), a key and a drawing at the cost of
//! what fits the screen.

mod draw;
mod layout;
mod list;
mod look;
mod message;
mod model;
mod style;
#[cfg(test)]
mod tests;
mod text;
mod update;

pub use draw::draw;
pub use look::{Look, Row};
pub use message::{Deed, Link, Message, Said, Tone, Wish};
pub use model::{Model, Pane, Section};
pub use style::{Marks, Palette};
pub use update::update;
