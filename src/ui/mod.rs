//! What people see: tables, progress, words. Tables go to standard output, progress and notes to standard error.

pub mod event_line;
pub mod monitor;
pub mod parity;
pub mod plan;
pub mod progress;
pub mod release;
pub mod screen;
pub mod simulation;
pub mod status;
pub mod table;
pub mod terminal;
pub mod text;
pub mod time;
