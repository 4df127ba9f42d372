//! The command line: one file a verb, with its options and its `run`; no logic.

use std::process::ExitCode;

/// Runs the command line of this process and gives the exit status.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
