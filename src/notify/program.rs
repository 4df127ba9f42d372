//! A program that is given a text and says by its exit status whether it took it.

use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use wait_timeout::ChildExt;

use super::{PATIENCE, SendError, reason};

/// More (bytes) of what a program says of its failure is not read.
const SAID: u64 = 4096;

/// Why a program did not take it; completes the sentence "it …".
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started, or given anything.
    #[error("cannot be told: {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It said no.
    #[error("was not told: {program} ended with {status}{said}")]
    Status {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said, if anything.
        said: String,
    },
}

/// Runs it with this text on its standard input, and waits for its end; one that takes too long is killed.
pub(super) async fn run(command: Command, program: &Path, text: &[u8]) -> Result<(), SendError> {
    let (program, text) = (program.display().to_string(), text.to_vec());
    let name = program.clone();
    match tokio::task::spawn_blocking(move || give(command, program, &text)).await {
        Ok(given) => given,
        Err(broke) => Err(ProgramError::Start { program: name, source: std::io::Error::other(broke) }.into()),
    }
}

fn give(mut command: Command, program: String, text: &[u8]) -> Result<(), SendError> {
    let failed = |source| ProgramError::Start { program: program.clone(), source };
    // Files, no pipes: one that does not read all of it may be content all the same, and what it leaves behind in the
    // background may keep its output open for as long as it wants.
    let mut given = tempfile::tempfile().map_err(failed)?;
    given.write_all(text).and_then(|()| given.rewind()).map_err(failed)?;
    let mut said = tempfile::tempfile().map_err(failed)?;
    let stderr = said.try_clone().map_err(failed)?;
    let mut child = command.stdin(given).stdout(Stdio::null()).stderr(stderr).spawn().map_err(failed)?;
    let Some(status) = child.wait_timeout(PATIENCE).map_err(failed)? else {
        // It may have ended just now.
        let _ended = child.kill();
        child.wait().map_err(failed)?;
        return Err(SendError::Late);
    };
    if status.success() {
        return Ok(());
    }
    let mut words = Vec::new();
    // What it says only explains its status.
    let _unread = said.rewind().and_then(|()| said.take(SAID).read_to_end(&mut words));
    Err(ProgramError::Status { program, status, said: reason(&words) }.into())
}
