//! The operator's yes.
//!
//! A verb asks before it throws away what no other verb brings back, or writes over what is somebody else's: `reset`,
//! `sync --system` and `sync --undo`, `failover --take-over`, and `hosts trust`, which decides whom to believe. Where
//! nobody can be asked it refuses (1) and names `--yes`. What can be taken back (`finalize`, `rollback`, `drain`,
//! `schedule remove`), what is over and of which all that counts is here (`hosts check --clean`), what the inventory has
//! set the limits of (`prune`), and what an option says that a refusal asked for (`--replace`) is done without a question,
//! so that playbooks and cron can. Whatever removes or writes over has `--dry-run`.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, bail};
use clap::Args;

/// The options of a verb that asks.
#[derive(Debug, Clone, Copy, Args)]
pub struct Consent {
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Say what would be done; change nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
}

impl Consent {
    /// Goes on where the operator agrees, here or by `--yes`. `deed` completes "it …", for where nobody can be asked.
    ///
    /// # Errors
    /// The operator does not agree, or cannot be asked.
    pub fn require(self, question: &str, deed: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        match ask(question)? {
            Some(true) => Ok(()),
            Some(false) => bail!("nothing was changed"),
            None => bail!("it {deed}, and nobody can be asked here: say --yes"),
        }
    }
}

/// Asks on the terminal; none where there is none. Anything but a yes is a no.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn ask(question: &str) -> anyhow::Result<Option<bool>> {
    let mut input = std::io::stdin().lock();
    if !input.is_terminal() {
        return Ok(None);
    }
    eprint!("{question} [y/N] ");
    std::io::stderr().flush().context("cannot write to the terminal")?;
    let mut answer = String::new();
    input.read_line(&mut answer).context("cannot read the answer")?;
    Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
}

/// Asks for a line on the terminal; an empty one stands for the default.
///
/// # Errors
/// There is no terminal, or it cannot be read or written.
pub fn line(question: &str, default: &str) -> anyhow::Result<String> {
    let mut input = std::io::stdin().lock();
    anyhow::ensure!(input.is_terminal(), "nobody can be asked here: {question} Say it by options, or --yes");
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    eprint!("{question}{shown} ");
    std::io::stderr().flush().context("cannot write to the terminal")?;
    let mut answer = String::new();
    input.read_line(&mut answer).context("cannot read the answer")?;
    let answer = answer.trim();
    Ok(if answer.is_empty() { default } else { answer }.to_owned())
}
