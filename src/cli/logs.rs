//! `swarm logs`: a package's build log, live or kept.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use crate::controller::kept_log::KeptLog;
use crate::core::build::{Build, Phase};
use crate::core::plan::PackageIndex;
use crate::core::state::State;
use crate::core::text::{escaped, whole_characters};
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
/// So much (bytes) is printed at once.
const PIECE: u64 = 1 << 20;

/// A log, and how much of it has been printed.
#[derive(Default)]
struct Printed {
    path: PathBuf,
    until: u64,
}

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
    let mut printed = Printed::default();
    loop {
        let journal = Journal::open_to_read(&inventory.swarm.state)?
            .context("nothing has been built yet: `swarm push ATOM` begins")?;
        let state = journal.replay()?;
        let build = state.latest_build().context("nothing has been built yet: `swarm push ATOM` begins")?;
        let package = build.find(&arguments.package)?;
        let running = matches!(build.packages[package.index()].phase, Phase::Delegated(_));
        match log(&state, build, package, inventory) {
            Some(path) if path.exists() => {
                if path != printed.path {
                    printed = Printed { path, until: 0 };
                }
                printed.go_on()?;
            }
            _ if arguments.follow && running => {}
            _ => bail!("{} has no log yet: {}", build.label(package), place(build, package)),
        }
        if !arguments.follow || !running {
            return Ok(Exit::Done);
        }
        printed.follow().await?;
    }
}

fn place(build: &Build, package: PackageIndex) -> &'static str {
    match build.packages[package.index()].phase {
        Phase::Needed => "it waits for its needs or for a drone",
        Phase::Delegated(_) => "it is being prepared on its drone",
        Phase::Received(_) => "it came with another package, or from an earlier build",
        Phase::Failed => "it failed before its build began; `swarm status` says why",
    }
}

fn log(state: &State, build: &Build, package: PackageIndex, inventory: &Inventory) -> Option<PathBuf> {
    let root = inventory.swarm.state.join("logs");
    let cpv = &build.identity(package).cpv;
    if let Phase::Delegated(job) = &build.packages[package.index()].phase {
        return state.jobs.get(job).map(|_| KeptLog::new(&root, cpv, job).path());
    }
    // The latest of the kept ones: job numbers grow, and so do the times.
    let logs = fs_err::read_dir(root.join(KeptLog::directory(cpv))).ok()?.filter_map(Result::ok);
    logs.max_by_key(|entry| entry.metadata().and_then(|metadata| metadata.modified()).ok()).map(|entry| entry.path())
}

impl Printed {
    /// Prints what is there beyond what has been printed; says whether that was anything.
    fn go_on(&mut self) -> anyhow::Result<bool> {
        let before = self.until;
        let mut file = fs_err::File::open(&self.path)?;
        loop {
            file.seek(SeekFrom::Start(self.until))?;
            let mut bytes = Vec::new();
            Read::by_ref(&mut file).take(PIECE).read_to_end(&mut bytes)?;
            bytes.truncate(whole_characters(&bytes));
            if bytes.is_empty() {
                return Ok(self.until > before);
            }
            let mut out = io::stdout().lock();
            out.write_all(escaped(&String::from_utf8_lossy(&bytes)).as_bytes())?;
            out.flush()?;
            self.until += bytes.len() as u64;
        }
    }

    /// Prints what comes, until nothing has come for a while.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let mut grown = Instant::now();
        while grown.elapsed() < QUIET {
            tokio::time::sleep(LOOK).await;
            if self.path.exists() && self.go_on()? {
                grown = Instant::now();
            }
        }
        Ok(())
    }
}
