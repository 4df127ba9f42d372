//! What is wished at the screen, done by the verb itself: a process of this same program, so that it goes where the verb
//! goes (the controller at work, an orchestrator, or nobody), and ends well though the monitor may end before it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::ui::monitor::{Deed, Message};

/// Has deeds done.
pub struct Deeds {
    program: PathBuf,
    /// Options by which the verb finds the same inventory.
    options: Vec<OsString>,
}

impl Deeds {
    /// With the inventory as it was given; none: the verb finds it where this process did.
    ///
    /// # Errors
    /// Where this program is cannot be said.
    pub fn new(given: Option<&Path>) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot say where this program is")?;
        let options = given.map_or_else(Vec::new, |path| vec!["--inventory".into(), path.into()]);
        Ok(Self { program, options })
    }

    /// Begins one; what comes of it is told.
    pub fn begin(&self, deed: Deed, told: mpsc::UnboundedSender<Message>) {
        let mut command = Command::new(&self.program);
        command.args(&self.options).args(deed.arguments());
        // A group of its own: what the terminal sends to the monitor is not meant for it.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        tokio::spawn(async move {
            let (lines, good) = match command.output().await {
                Ok(output) => {
                    // What was said to it comes last.
                    let said = match output.status.success() {
                        true => [output.stderr, output.stdout],
                        false => [output.stdout, output.stderr],
                    };
                    let lines = String::from_utf8_lossy(&said.concat()).lines().map(str::to_owned).collect();
                    (lines, output.status.success())
                }
                Err(error) => (vec![format!("cannot start: {error}")], false),
            };
            // The monitor may have ended meanwhile.
            let _ended = told.send(Message::Done { deed, lines, good });
        });
    }
}
