//! What a standard stream can show, and what of that the operator wants: the one place that decides it.
//!
//! Colours follow the usual variables, just as clap does for its own help and errors, by the same crate: `NO_COLOR`
//! (<https://no-color.org>: set and not empty) switches them off, `CLICOLOR_FORCE` on wherever the output goes,
//! `CLICOLOR=0` off (<https://bixense.com/clicolors>), and otherwise they go to a terminal, unless its `TERM` is `dumb`
//! or not set.

use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice};

/// Whether standard output is to be coloured.
pub fn colours_output() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Whether standard error is to be coloured.
pub fn colours_errors() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Whether what stands on standard output can be drawn over.
pub fn redraws_output() -> bool {
    io::stdout().is_terminal() && moves_its_cursor()
}

/// Whether what stands on standard error can be drawn over.
pub fn redraws_errors() -> bool {
    io::stderr().is_terminal() && moves_its_cursor()
}

/// A terminal of which nothing is known can write lines, no more.
fn moves_its_cursor() -> bool {
    std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}
