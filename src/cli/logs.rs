//! `swarm logs`: a package's build log, live or kept.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::exit::Exit;
use crate::controller::kept_log::KeptLog;
use crate::core::build::{Build, Phase};
use crate::core::plan::PackageIndex;
use crate::core::state::State;
use crate::core::text::escaped;
use crate::inventory::Inventory;
use crate::store::Journal;

#[derive(Debug, Args)]
pub struct Arguments {
    /// A package: name-version, category/name, or a part of it that fits one only
    package: String,
    /// Go on while the build goes on
    #[arg(short, long)]
    follow: bool,
}

/// Between two looks at a log that grows.
const LOOK: std::time::Duration = std::time::Duration::from_millis(200);

pub async fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let mut printed = 0;
    loop {
        let journal = Journal::open_to_read(&inventory.swarm.state)?.context("nothing has been built yet")?;
        let state = journal.replay()?;
        let build = state.latest_build().context("nothing has been built yet")?;
        let package = build.find(&arguments.package)?;
        let running = matches!(build.packages[package.index()].phase, Phase::Delegated(_));
        match log(&state, build, package, inventory) {
            Some(path) if path.exists() => printed = print(&path, printed)?,
            _ if arguments.follow && running => {}
            _ => bail!("{} has no log yet: {}", build.label(package), place(build, package)),
        }
        if !arguments.follow || !running {
            return Ok(Exit::Done);
        }
        tokio::time::sleep(LOOK).await;
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

fn print(path: &std::path::Path, from: u64) -> anyhow::Result<u64> {
    let mut file = fs_err::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = escaped(&String::from_utf8_lossy(&bytes));
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(from + bytes.len() as u64)
}
