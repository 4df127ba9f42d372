//! A program that is given a text and says by its exit status whether it took it.

use std::io::{Read, Seek};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::core::text::printable;

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

/// Runs it with this text on its standard input, and waits for its end; dropped, it is killed.
pub(super) async fn run(mut command: Command, program: &Path, text: &[u8]) -> Result<(), ProgramError> {
    let failed = |source| ProgramError::Start { program: program.display().to_string(), source };
    // A file, no pipe: what the program leaves behind in the background may keep it open for as long as it wants.
    let mut said = tempfile::tempfile().map_err(failed)?;
    let stderr = said.try_clone().map_err(failed)?;
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr).kill_on_drop(true);
    let mut child = command.spawn().map_err(failed)?;
    let stdin = child.stdin.take();
    let give = async {
        if let Some(mut stdin) = stdin {
            // One that does not want to read all of it may be content all the same: its status says so.
            let _unread = stdin.write_all(text).await;
        }
    };
    let ended = child.wait();
    tokio::pin!(ended);
    let status = tokio::select! {
        status = &mut ended => status,
        () = give => ended.await,
    };
    let status = status.map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let mut words = Vec::new();
    // What it says only explains its status.
    let _unread = said.rewind().and_then(|()| said.take(SAID).read_to_end(&mut words));
    let said = match printable(&String::from_utf8_lossy(&words)) {
        said if said.is_empty() => said,
        said => format!(": {}", said.replace('\n', "; ")),
    };
    Err(ProgramError::Status { program: program.display().to_string(), status, said })
}
