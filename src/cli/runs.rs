//! `swarm runs`: what playbooks have come to.

use std::collections::BTreeSet;

use anyhow::Context;
use clap::Args;

use super::complete;
use super::exit::Exit;
use super::help;
use crate::controller::now;
use crate::core::names::{PlaybookName, RunId};
use crate::core::nearest::hint;
use crate::core::text::{duration, escaped};
use crate::inventory::Inventory;
use crate::playbook::record::{Progress, Record};
use crate::playbook::runs::Runs;
use crate::ui::table::{Cell, Table, Tone, tell, write_out};
use crate::ui::time::local;

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("The last ones", "swarm runs"), ("The steps of one, and where their logs are", "swarm runs 20261126T023000Z-nightly-world")], ""))]
pub struct Arguments {
    /// The runs of this playbook, or the steps of this run
    #[arg(value_name = "PLAYBOOK|ID", add = complete::runs())]
    which: Option<String>,
    /// So many of the last ones
    #[arg(long, value_name = "N", default_value_t = 20)]
    last: usize,
    /// The records as JSON, one a line
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let runs = Runs::of(&inventory.swarm.state);
    if let Some(id) = arguments.which.as_deref().and_then(|which| which.parse::<RunId>().ok())
        && runs.ids()?.contains(&id)
    {
        return one(&runs, &id, arguments.json);
    }
    let playbook: Option<PlaybookName> = arguments.which.as_deref().map(str::parse).transpose()?;
    let mut records = Vec::new();
    let mut good = true;
    for record in runs.all()? {
        match record {
            Ok(record) => records.push(record),
            Err((_, error)) => {
                good = false;
                tell(escaped(&format!("swarm: {error}")));
            }
        }
    }
    let known: BTreeSet<PlaybookName> = records.iter().map(|record| record.playbook.clone()).collect();
    records.retain(|record| playbook.as_ref().is_none_or(|playbook| record.playbook == *playbook));
    if let (Some(playbook), true) = (&playbook, records.is_empty()) {
        let hint = hint(playbook.as_str(), known.iter().map(PlaybookName::as_str));
        anyhow::bail!("there is no run of {playbook}, and no run with this id{hint}; `swarm runs` lists all");
    }
    let records = &records[records.len().saturating_sub(arguments.last)..];
    if arguments.json {
        for record in records {
            write_out(&format!("{}\n", serde_json::to_string(record)?))?;
        }
        return Ok(Exit::done_if(good));
    }
    if records.is_empty() {
        write_out("no run is recorded: `swarm play NAME` begins one\n")?;
        return Ok(Exit::done_if(good));
    }
    let mut table = Table::new(["run", "started", "lasted", "status", "reason"]).numbers("status");
    for record in records {
        table.row([
            Cell::from(&record.id),
            Cell::from(record.started),
            lasted(record.seconds(now())),
            status(record),
            Cell::from(record.ended.as_ref().map_or("is at work, or was lost", |ended| ended.reason.as_str())),
        ]);
    }
    table.print()?;
    Ok(Exit::done_if(good))
}

fn lasted(seconds: u64) -> Cell {
    Cell::from(duration(seconds))
}

fn status(record: &Record) -> Cell {
    match record.ended.as_ref().map(|ended| ended.status) {
        None => Cell::new("-", Tone::Faint),
        Some(0) => Cell::new(0, Tone::Good),
        Some(status @ (3 | 130)) => Cell::new(status, Tone::Warning),
        Some(status) => Cell::new(status, Tone::Bad),
    }
}

/// The steps of one run, and where their logs are.
fn one(runs: &Runs, id: &RunId, json: bool) -> anyhow::Result<Exit> {
    let directory = runs.directory_of(id);
    let record = Record::read(&directory).with_context(|| format!("run {id}"))?;
    if json {
        write_out(&format!("{}\n", serde_json::to_string(&record)?))?;
        return Ok(Exit::Done);
    }
    let mut head = format!("run {id} of {} ({}), started {}", record.playbook, record.source, record.started);
    if let Some(due) = record.due {
        head.push_str(&format!(", due {due}"));
    }
    if let Some(deadline) = record.deadline {
        head.push_str(&format!(", nothing new from {deadline} on"));
    }
    write_out(&local(&escaped(&format!("{head}\n\n"))))?;
    let mut table = Table::new(["step", "state", "lasted", "status", "changed", "reason", "log"]).numbers("status");
    for step in &record.steps {
        let none = || Cell::new("-", Tone::Faint);
        let path = |log: &std::path::Path| Cell::from(directory.join(log).display());
        let name = Cell::from(&step.name);
        table.row(match &step.progress {
            Progress::Waiting => [name, Cell::from("waits"), none(), none(), none(), none(), none()],
            Progress::Running { started, log, .. } => {
                let running = Cell::new("runs, or was lost", Tone::Warning);
                [name, running, lasted(now().seconds_since(started.0)), none(), none(), none(), path(log)]
            }
            Progress::Done { started, finished, log, status, reason, changed, .. } => {
                let tone = if *status == 0 { Tone::Good } else { Tone::Bad };
                let changed = Cell::from(if *changed { "yes" } else { "no" });
                let lasted = lasted(finished.0.seconds_since(started.0));
                [name, Cell::new("done", tone), lasted, Cell::from(status), changed, Cell::from(reason), path(log)]
            }
            Progress::Skipped { reason } => {
                [name, Cell::new("not run", Tone::Faint), none(), none(), none(), Cell::from(reason), none()]
            }
        });
    }
    table.print()?;
    let end = match &record.ended {
        Some(ended) => format!("\nended {} with status {}: {}\n", ended.at, ended.status, ended.reason),
        None => "\nit is at work, or was lost\n".to_owned(),
    };
    write_out(&local(&escaped(&end)))?;
    for trouble in &record.troubles {
        tell(local(&escaped(trouble)));
    }
    Ok(Exit::Done)
}
