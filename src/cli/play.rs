//! `swarm play`: an unattended run.

use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;
use jiff::tz::TimeZone;

use super::complete;
use super::exit::Exit;
use super::help;
use super::interrupt;
use crate::controller::now;
use crate::controller::remote::Remote;
use crate::core::names::Timestamp;
use crate::core::text::escaped;
use crate::inventory::{Inventory, locate};
use crate::playbook::clock::TimeOfDay;
use crate::playbook::run::{Start, dry};
use crate::playbook::runs::{Runs, RunsError};
use crate::playbook::shelf::{Found, Shelf};
use crate::playbook::value::{Given, Need, ParameterName};
use crate::playbook::{Playbook, run::RunError};
use crate::ui::table::{Cell, Table, tell, write_out};

/// The parameter that `--on` gives.
const ON: &str = "on";

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("The playbooks that there are", "swarm play"), ("What a run would do now", "swarm play nightly-world --dry-run"), ("Prepare a bare Gentoo host", "swarm play bootstrap-drone --on drone-izar")], "Playbooks are looked for in ./playbooks, in playbooks beside the inventory, in \
    /etc/build-swarm/playbooks, and among those shipped. Exit status: that of the run; 6 where another one is at work. \
    Ctrl-C or SIGTERM ends the step that runs as it would end that command (130); --resume goes on."))]
pub struct Arguments {
    /// The playbook: its name, or a file; without one all are listed
    #[arg(value_name = "NAME|FILE", add = complete::playbooks())]
    playbook: Option<String>,
    /// The hosts; short for --set on=HOSTS
    #[arg(long, value_name = "HOSTS", add = complete::hosts())]
    on: Option<String>,
    /// A parameter of the playbook
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(ParameterName, String)>,
    /// Say what each step would run, and what its conditions say now; start nothing
    #[arg(long)]
    dry_run: bool,
    /// Read it and say what is wrong with it
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Go on with its last run, which was ended before its time
    #[arg(long, conflicts_with_all = ["dry_run", "check", "on", "set", "due"])]
    resume: bool,
    /// Whatever its window and its deadline say
    #[arg(long)]
    any_time: bool,
    /// When the schedule wanted it to begin: HH:MM of today or yesterday, or a moment (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = due)]
    due: Option<Timestamp>,
}

fn pair(text: &str) -> Result<(ParameterName, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    Ok((name.parse()?, value.to_owned()))
}

/// A moment, or the last one at which clocks showed a time of the day.
fn due(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(moment.as_second()));
    }
    let time: TimeOfDay = text.parse()?;
    let now = jiff::Timestamp::from_second(now().0).map_err(|error| error.to_string())?;
    time.before(&now.to_zoned_datetime(TimeZone::system())).ok_or_else(|| {
        format!("{text:?} was at no moment of today or yesterday; give one such as 2026-11-26T06:00:00Z")
    })
}

pub async fn run(arguments: &Arguments, inventory: &Inventory, option: Option<&Path>) -> anyhow::Result<Exit> {
    let place = std::path::absolute(locate::place(option)?).context("cannot find the inventory")?;
    let shelf = Shelf::new(Some(&place));
    let Some(name) = &arguments.playbook else { return list(&shelf) };
    let found = shelf.find(name)?;
    let playbook = found.read()?;
    if arguments.check {
        return described(&playbook, &found);
    }
    // What is resumed was given its parameters when it began.
    let given = match arguments.resume {
        true => Given::default(),
        false => given(&playbook, arguments)?,
    };
    let start = Start {
        playbook: &playbook,
        found: &found,
        given,
        due: arguments.due,
        any_time: arguments.any_time,
        runs: Runs::of(&inventory.swarm.state),
        inventory: Some(place),
        driver: inventory.driver().clone(),
        queued: Remote::of(inventory)?.is_some(),
    };
    if arguments.dry_run {
        return shown(&start);
    }
    let mut halts = interrupt::listen()?;
    let say = |text: &str| tell(escaped(text));
    let ended = match arguments.resume {
        true => start.resume(&mut halts, &say).await,
        false => start.run(&mut halts, &say).await,
    };
    match ended {
        Ok(ended) => Ok(Exit::of_status(i32::from(ended.status)).unwrap_or(Exit::Impossible)),
        Err(error @ RunError::Runs(RunsError::Busy { .. })) => {
            tell(format_args!("swarm: {}", escaped(&error.to_string())));
            Ok(Exit::Busy)
        }
        Err(error) => Err(error.into()),
    }
}

fn given(playbook: &Playbook, arguments: &Arguments) -> anyhow::Result<Given> {
    let mut pairs = arguments.set.clone();
    if let Some(on) = &arguments.on {
        let name: ParameterName = ON.parse().map_err(anyhow::Error::msg)?;
        if !playbook.parameters.contains_key(&name) {
            bail!("the playbook {} takes no --on: it has no parameter {ON}", playbook.name);
        }
        pairs.push((name, on.clone()));
    }
    Given::new(&playbook.parameters, pairs).map_err(anyhow::Error::msg)
}

fn list(shelf: &Shelf) -> anyhow::Result<Exit> {
    let mut table = Table::new(["playbook", "what it does", "where it is"]);
    let mut faults = false;
    for (name, found) in shelf.all()? {
        let description = match found.read() {
            Ok(playbook) => playbook.description,
            Err(error) => {
                faults = true;
                error.to_string()
            }
        };
        table.row([Cell::from(name), Cell::from(description), Cell::from(&found.source)]);
    }
    table.print()?;
    Ok(Exit::done_if(!faults))
}

fn described(playbook: &Playbook, found: &Found) -> anyhow::Result<Exit> {
    let mut text = format!("{}: {} ({})\n", playbook.name, playbook.description, found.source);
    for (name, parameter) in &playbook.parameters {
        let need = match &parameter.need {
            Need::Required => "required".to_owned(),
            Need::Optional => "may be left out".to_owned(),
            Need::Default(value) => format!("{value:?} where it is left out"),
        };
        text.push_str(&format!("  {name}: {} ({need})\n", parameter.help));
    }
    text.push_str(&format!("{} steps, without fault\n", playbook.steps.len()));
    write_out(&escaped(&text))?;
    Ok(Exit::Done)
}

fn shown(start: &Start<'_>) -> anyhow::Result<Exit> {
    let mut good = true;
    for line in dry(start) {
        let line = line.unwrap_or_else(|fault| {
            good = false;
            fault
        });
        write_out(&format!("{}\n", escaped(&line)))?;
    }
    tell("nothing was started");
    Ok(Exit::done_if(good))
}
