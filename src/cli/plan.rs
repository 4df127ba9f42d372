//! `swarm plan`: what would be built, in what order, where, and how long that would take.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use clap::Args;
use serde::Serialize;

use super::exit::Exit;
use super::help;
use super::select::Selected;
use super::simulate::{few, mebibytes};
use crate::controller::planning::{self, Planned};
use crate::controller::reuse;
use crate::controller::session::specs;
use crate::core::event::Selection;
use crate::core::forecast::{self, Forecast, Site};
use crate::core::names::HostName;
use crate::core::plan::{PackageIndex, Plan};
use crate::core::state::State;
use crate::inventory::Inventory;
use crate::playbook::outcome;
use crate::schedule::drone::Drone;
use crate::store::Journal;
use crate::ui;
use crate::ui::table::{tell, write_out};

#[derive(Debug, Args)]
#[command(after_help = help::end(&[("What an update of the driver's world would build, and how long it takes", "swarm plan --world"), ("What one more drone would bring", "swarm plan --world --with-drone cores=32,memory=64GiB")], ""))]
pub struct Arguments {
    #[command(flatten)]
    selected: Selected,
    /// What one more drone would bring; may be given again for each of several
    #[arg(long, value_name = "cores=N[,memory=SIZE][,jobs=N]")]
    with_drone: Vec<Imagined>,
    /// Build anew what the live release has already just as wanted
    #[arg(long)]
    rebuild: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A drone that the fleet has not.
#[derive(Debug, Clone, PartialEq)]
pub struct Imagined {
    text: String,
    drone: Drone,
}

impl FromStr for Imagined {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("{text:?} is no drone; wanted is cores=N, and perhaps memory=SIZE and jobs=N");
        let (mut cores, mut memory, mut jobs) = (None, None, None);
        for setting in text.split(',') {
            let (key, value) = setting.split_once('=').ok_or_else(wanted)?;
            let number = || few(value).ok_or_else(wanted);
            match key.trim() {
                "cores" => cores = Some(number()?),
                "jobs" => jobs = Some(number()?),
                "memory" => memory = Some(mebibytes(value).map_err(|_| wanted())?),
                _ => return Err(wanted()),
            }
        }
        Ok(Self { text: text.to_owned(), drone: Drone { memory, jobs, ..Drone::of_cores(cores.ok_or_else(wanted)?) } })
    }
}

impl fmt::Display for Imagined {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

pub async fn run(arguments: Arguments, inventory: &Inventory) -> anyhow::Result<Exit> {
    let selection = arguments.selected.selection()?.unwrap_or(Selection::World);
    let drones = arguments.selected.drones(inventory)?;
    let planned = planning::plan(inventory, &selection).await?;
    let look = Look { rebuild: arguments.rebuild, json: arguments.json, with: arguments.with_drone };
    look.show(inventory, &planned, &drones)?;
    Ok(Exit::Done)
}

/// How a plan is to be shown.
#[derive(Debug, Default)]
pub struct Look {
    /// As if nothing were live yet.
    pub rebuild: bool,
    /// As JSON.
    pub json: bool,
    /// Beside further drones.
    pub with: Vec<Imagined>,
}

/// A plan as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    forecast: serde_json::Value,
}

impl Look {
    /// Prints a plan, and how it would go on these drones.
    pub fn show(&self, inventory: &Inventory, planned: &Planned, drones: &[HostName]) -> anyhow::Result<()> {
        let plan = &planned.plan;
        let state = Journal::state_of(&inventory.swarm.state)?;
        let live =
            if self.rebuild { BTreeSet::new() } else { reuse::known_live(&inventory.swarm.production, &state, plan)? };
        let chosen = specs(inventory).into_iter().filter(|spec| drones.contains(&spec.name));
        let fleet = forecast::fleet(&state, &state.history.model(), chosen);
        let forecast = forecast::forecast(plan, &live, &state.history, &fleet);
        let with: Vec<(String, Forecast)> =
            self.with.iter().map(|more| (more.to_string(), with(plan, &live, &state, &fleet, more))).collect();
        if self.json {
            let forecast = ui::plan::json(plan, &forecast, &fleet, &with);
            write_out(&format!("{}\n", serde_json::to_string(&Shown { plan, forecast })?))?;
        } else {
            write_out(&ui::plan::table(plan, &forecast, &fleet))?;
        }
        for line in ui::plan::notes(planned).into_iter().chain(ui::plan::outlook(&forecast, fleet.len(), &with)) {
            tell(line);
        }
        let (all, live) = (plan.packages.len(), live.len());
        if all > live {
            outcome::changed(&format!("{} packages would be built", all - live))?;
        }
        tell(format_args!(
            "{all} packages, {live} of them live just as wanted, for {} drones; nothing was started",
            fleet.len()
        ));
        Ok(())
    }
}

/// The same with one more drone.
fn with(plan: &Plan, live: &BTreeSet<PackageIndex>, state: &State, fleet: &[Site], more: &Imagined) -> Forecast {
    let more = Site { name: None, drone: more.drone.clone() };
    let fleet = [fleet, &[more]].concat();
    forecast::forecast(plan, live, &state.history, &fleet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imagined_drone_is_its_cores_and_perhaps_its_memory_and_jobs() {
        for (text, drone) in [
            ("cores=32", Drone::of_cores(32)),
            ("memory=64GiB,cores=8", Drone { memory: Some(65536), ..Drone::of_cores(8) }),
            ("cores=8,jobs=2", Drone { jobs: Some(2), ..Drone::of_cores(8) }),
        ] {
            assert_eq!(text.parse::<Imagined>().unwrap().drone, drone, "{text}");
        }
        for text in
            ["", "32", "cores", "cores=0", "cores=many", "memory=1GiB", "cores=8,memory=lots", "cores=8,speed=2"]
        {
            assert!(text.parse::<Imagined>().unwrap_err().contains("cores=N"), "{text}");
        }
    }
}
