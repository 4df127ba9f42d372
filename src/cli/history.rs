//! `swarm history`: what builds took; `import` learns from emerge's own logs, `accuracy` tells how good estimates were.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use super::books;
use super::complete;
use super::exit::Exit;
use super::help;
use crate::controller::remote::{self, Remote};
use crate::controller::verb::Verb as Wish;
use crate::controller::{Session, socket, verb};
use crate::core::accuracy::{Accuracy, factor_at};
use crate::core::names::HostName;
use crate::core::nearest::hint;
use crate::core::package::PackageName;
use crate::core::status::Moment;
use crate::core::text::escaped;
use crate::inventory::{Inventory, Selection};
use crate::portage::emerge_log;
use crate::schedule::estimate::{Estimate, Sample};
use crate::ssh::{self, Host};
use crate::store::Journal;
use crate::ui;
use crate::ui::table::{tell, write_out};
use crate::ui::text::seconds;

/// Where emerge writes what it has done.
const LOG: &str = "/var/log/emerge.log";
/// A longer log (bytes) is not fetched whole: give a part of it as a file.
const LOG_LIMIT: u64 = 256 << 20;
/// So many builds go into one event.
const BATCH: usize = 2000;
/// So many of the worst estimates are shown.
const WORST: usize = 10;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = help::end(&[("What builds of a package took, and what the next one is taken to need", "swarm history dev-lang/rust")], ""))]
pub struct Arguments {
    /// A package: category/name, or a part of it [default: all]
    #[arg(add = complete::built_packages())]
    package: Option<String>,
    /// Builds as JSON, one a line
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Learn from emerge.log of the driver and the drones, or from files
    #[command(after_help = help::end(&[("From the driver and all drones", "swarm history import"), ("From old logs", "swarm history import /var/log/emerge.log.1.gz")], ""))]
    Import {
        /// Hosts: names, globs, @tags, %networks, ! excludes [default: the driver and all drones]
        #[arg(long, value_name = "HOSTS", conflicts_with = "files", add = complete::hosts())]
        on: Vec<Selection>,
        /// Logs, plain or .gz
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// How far the estimates were from what builds then took
    #[command(after_help = help::end(&[("Over all builds that are known", "swarm history accuracy")], ""))]
    Accuracy,
}

pub async fn run(arguments: Arguments, inventory: Inventory) -> anyhow::Result<Exit> {
    match arguments.verb {
        None => show(arguments.package.as_deref(), arguments.json, &inventory).await,
        Some(Verb::Accuracy) => accuracy(&inventory),
        Some(Verb::Import { on, files }) => {
            let (samples, trouble) = if files.is_empty() {
                of_hosts(Selection::joined(&on), &inventory).await?
            } else {
                (of_files(&files)?, false)
            };
            import(samples, inventory).await?;
            Ok(Exit::done_if(!trouble))
        }
    }
}

fn journal(inventory: &Inventory) -> anyhow::Result<Journal> {
    books::require_here(inventory, "the journal is")?;
    Journal::open_to_read(&inventory.swarm.state)?.with_context(nothing)
}

fn nothing() -> &'static str {
    "nothing is known yet: `swarm history import` learns from logs"
}

async fn show(wanted: Option<&str>, json: bool, inventory: &Inventory) -> anyhow::Result<Exit> {
    let history = books::state(inventory).await?.with_context(nothing)?.history;
    let names: Vec<&PackageName> =
        history.packages().filter(|name| wanted.is_none_or(|wanted| name.as_str().contains(wanted))).collect();
    if names.is_empty() {
        let known = history.packages().map(PackageName::as_str);
        let hint = wanted.map_or_else(String::new, |wanted| hint(wanted, known));
        bail!(
            "no build of {} is known{hint}: `swarm history` lists those that are, `swarm history import` learns from logs",
            wanted.unwrap_or("anything")
        );
    }
    if json {
        let samples = names.iter().flat_map(|name| history.of(name));
        let lines: Result<Vec<_>, _> = samples.map(serde_json::to_string).collect();
        write_out(&(lines?.join("\n") + "\n"))?;
        return Ok(Exit::Done);
    }
    let model = history.model();
    let mut rows = Vec::new();
    for name in names {
        rows.extend(history.of(name).map(row));
        rows.push(estimated(name, &model.estimate(name, None)));
    }
    let table = ui::text::table(&["PACKAGE", "TOOK", "PROCESSOR", "WIDTH", "MEMORY", "ON", "WHEN"], rows);
    write_out(&format!("{table}\n"))?;
    Ok(Exit::Done)
}

fn row(sample: &Sample) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        sample.cpv.to_string(),
        seconds(sample.wall_s),
        or_dash(sample.cpu_s.map(seconds)),
        or_dash(sample.width.map(|width| width.to_string())),
        or_dash(sample.memory_mib.map(memory)),
        or_dash(sample.drone.as_ref().map(ToString::to_string)),
        Moment(sample.at).to_string(),
    ]
}

fn estimated(name: &PackageName, estimate: &Estimate) -> Vec<String> {
    let work = format!("{} on one core, then {} of work", seconds(estimate.serial_s), seconds(estimate.cpu_s));
    let memory = estimate.memory_mib.map_or_else(|| "-".to_owned(), memory);
    let blank = String::new;
    vec![format!("  next {name}"), work, blank(), blank(), memory, blank(), blank()]
}

fn memory(mib: u32) -> String {
    format!("{mib} MiB")
}

fn of_files(files: &[PathBuf]) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for path in files {
        let merges = emerge_log::read(fs_err::File::open(path)?)
            .with_context(|| format!("cannot read {} as a log of emerge", path.display()))?;
        samples.extend(merges.into_iter().filter_map(|merge| sample(merge, None)));
    }
    Ok(samples)
}

/// Of hosts that do not answer it is told, and the others' logs are taken all the same.
async fn of_hosts(selection: Option<Selection>, inventory: &Inventory) -> anyhow::Result<(Vec<Sample>, bool)> {
    let hosts: Vec<HostName> = match selection {
        Some(selection) => selection.select(inventory, |_| true)?.into_iter().map(|host| host.name.clone()).collect(),
        None => {
            let drones = inventory.drones().map(|(host, _)| host.name.clone());
            std::iter::once(inventory.driver().clone()).chain(drones).collect()
        }
    };
    let (mut samples, mut trouble) = (Vec::new(), false);
    for name in hosts {
        let Some(destination) = inventory.destination(&name) else { continue };
        match log_of(ssh::host(&destination).as_ref()).await {
            Ok(merges) => {
                let builds = merges.iter().filter(|merge| !merge.binary).count();
                write_out(&format!("{name}: {builds} builds\n"))?;
                samples.extend(merges.into_iter().filter_map(|merge| sample(merge, Some(&name))));
            }
            Err(error) => {
                tell(format_args!("swarm: {}", escaped(&format!("{error:#}"))));
                trouble = true;
            }
        }
    }
    Ok((samples, trouble))
}

async fn log_of(host: &dyn Host) -> anyhow::Result<Vec<emerge_log::Merge>> {
    let log = host.read(LOG, LOG_LIMIT).await?.unwrap_or_default();
    emerge_log::read(log.as_slice()).with_context(|| format!("cannot read {LOG} of {}", host.name()))
}

/// What was merged from a binary says nothing of how long it takes to build.
fn sample(merge: emerge_log::Merge, drone: Option<&HostName>) -> Option<Sample> {
    let at = merge.ended();
    (!merge.binary).then(|| Sample {
        cpv: merge.cpv,
        wall_s: merge.seconds as f64,
        cpu_s: None,
        width: None,
        memory_mib: None,
        drone: drone.cloned(),
        at,
    })
}

/// Tells the controller, or takes its place for a moment.
async fn import(samples: Vec<Sample>, inventory: Inventory) -> anyhow::Result<()> {
    let count = samples.len();
    let elsewhere = Remote::of(&inventory)?;
    let mut session = None;
    let directory = inventory.swarm.state.clone();
    let mut inventory = Some(inventory);
    for batch in samples.chunks(BATCH) {
        let wish = Wish::Import { samples: batch.to_vec() };
        if let Some(elsewhere) = &elsewhere {
            remote::tell(elsewhere, &wish, |text| tell(text)).await?;
            continue;
        }
        if session.is_none() && socket::tell(&directory, &wish).await?.is_some() {
            continue;
        }
        if let Some(inventory) = inventory.take() {
            session = Some(Session::open(inventory, ui::progress::observer(false)).await?);
        }
        if let Some(session) = &mut session {
            verb::carry_out(session, &wish).await?;
        }
    }
    write_out(&format!("{count} builds are known from there; the latest of each package count\n"))?;
    Ok(())
}

/// What each build was taken to need when all before it was known, beside what it took.
fn accuracy(inventory: &Inventory) -> anyhow::Result<Exit> {
    let mut accuracy = Accuracy::default();
    journal(inventory)?.events(|event| accuracy.take(event))?;
    let judged = accuracy.judged();
    if judged.is_empty() {
        write_out("no package has been built twice yet, so no estimate can be held against what a build took\n")?;
        return Ok(Exit::Done);
    }
    let (middle, bad) = (factor_at(&judged, 0.5), factor_at(&judged, 0.9));
    let worst = judged.iter().rev().take(WORST).map(|each| format!("  {:6.2}  {}\n", each.factor(), each.cpv));
    write_out(&format!(
        "{} estimates, off by a factor of {middle:.2} at the median, {bad:.2} at the 90th percentile\n{}",
        judged.len(),
        worst.collect::<String>()
    ))?;
    Ok(Exit::Done)
}
