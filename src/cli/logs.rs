//! `swarm logs`: a package's build log, live or kept.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use crate::controller::log_reader::{self, LogReader};
use crate::core::build::Phase;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::store::Journal;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("The log of the last build of a package", "swarm logs dev-lang/rust"), ("Look on while it builds", "swarm logs -f firefox")], ""))]
pub struct Arguments {
    /// A package: name-version, category/name, or a part of it that fits one only
    #[arg(add = complete::packages())]
    package: String,
    /// Go on while the build goes on
    #[arg(short, long)]
    follow: bool,
}

/// Between two looks at a log that grows.
const LOOK: Duration = Duration::from_millis(200);
/// A log that has not grown for so long may be over: the journal says.
const QUIET: Duration = Duration::from_secs(1);

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let shown = show(arguments, inventory).await;
    let cause = shown.as_ref().err().and_then(|error| error.downcast_ref::<io::Error>());
    if cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // The reader has seen enough.
        return Ok(Exit::Done);
    }
    shown
}

async fn show(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    books::require_here(inventory, "the logs are")?;
    let mut log = LogReader::default();
    loop {
        let journal = Journal::open_to_read(&inventory.swarm.state)?
            .context("nothing has been built yet: `swarm push ATOM` begins")?;
        let state = journal.replay()?;
        let build = state.latest_build().context("nothing has been built yet: `swarm push ATOM` begins")?;
        let package = build.find(&arguments.package)?;
        let running = matches!(build.packages[package.index()].phase, Phase::Delegated(_));
        match log_reader::path_of(&state, build, package, &inventory.swarm.state) {
            Some(path) if path.exists() => {
                if path != log.path() {
                    log = LogReader::new(path);
                }
                print(&mut log)?;
            }
            _ if arguments.follow && running => {}
            _ => bail!("{} has no log yet: {}", build.label(package), log_reader::why_none(build, package)),
        }
        if !arguments.follow || !running {
            return Ok(Exit::Done);
        }
        follow(&mut log).await?;
    }
}

/// Prints what is there beyond what has been printed; says whether that was anything.
fn print(log: &mut LogReader) -> anyhow::Result<bool> {
    let mut printed = false;
    loop {
        let text = log.read_on()?;
        if text.is_empty() {
            return Ok(printed);
        }
        printed = true;
        let mut out = io::stdout().lock();
        out.write_all(escaped(&text).as_bytes())?;
        out.flush()?;
    }
}

/// Prints what comes, until nothing has come for a while.
async fn follow(log: &mut LogReader) -> anyhow::Result<()> {
    let mut grown = Instant::now();
    while grown.elapsed() < QUIET {
        tokio::time::sleep(LOOK).await;
        if print(log)? {
            grown = Instant::now();
        }
    }
    Ok(())
}
