//! `gpg`, run for one thing: what it works on is handed over as it is read.

use std::io::{self, Write};
use std::process::{Child, Command, Output, Stdio};

/// `gpg` while it reads.
pub(super) struct Fed {
    child: Child,
}

impl Fed {
    /// Starts a command that reads standard input to its end before it has anything to say.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        Ok(Self { child })
    }

    pub(super) fn update(&mut self, piece: &[u8]) {
        let Some(stdin) = &mut self.child.stdin else { return };
        if stdin.write_all(piece).is_err() {
            // It has ended before its time; what it has to say comes out in `finish`.
            self.child.stdin = None;
        }
    }

    pub(super) fn finish(self) -> io::Result<Output> {
        self.child.wait_with_output()
    }
}

/// The last line of what gpg says, fit for a terminal.
pub(super) fn last_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("gpg gave no reason");
    line.chars().filter(|each| !each.is_control()).take(300).collect()
}
