//! `swarm simulate`: a build of a recorded graph on an imagined fleet.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use bytesize::ByteSize;
use clap::{ArgGroup, Args};

use super::exit::Exit;
use super::help;
use crate::schedule::baseline::{self, Order};
use crate::schedule::drone::Drone;
use crate::schedule::generate::generate;
use crate::schedule::graph::Graph;
use crate::schedule::model::{self, Outcome};
use crate::ui;
use crate::ui::table::{tell, write_out};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
#[command(after_help = help::end(&[("A made-up build of 500 packages on three drones, beside simpler ways", "swarm simulate --generate 500 --fleet 32,16:64GiB,8 --compare")], ""))]
pub struct Arguments {
    /// A graph: a line of JSON for each package: name, serial_s, cpu_s, deps, and memory_mib where it is known
    #[arg(long, value_name = "FILE", group = "source", requires = "fleet")]
    graph: Option<PathBuf>,
    /// Make a graph of so many packages; without a fleet it is printed
    #[arg(long, value_name = "N", group = "source", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    generate: Option<u32>,
    /// Of chance: the same seed gives the same graph and the same noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The cores of each drone, with its memory where that counts: 32,16:64GiB,8
    #[arg(long, value_name = "CORES[:MEMORY],…", value_delimiter = ',')]
    fleet: Vec<Site>,
    /// How wrong estimates are: times are multiplied by exp(S·N(0,1))
    #[arg(long, value_name = "S", default_value_t = 0.0, value_parser = deviation, requires = "fleet")]
    noise: f64,
    /// Put simpler ways beside it: one build a drone, in merge order and by critical path
    #[arg(long, requires = "fleet")]
    compare: bool,
    /// As JSON
    #[arg(long, requires = "fleet", conflicts_with = "compare")]
    json: bool,
}

/// A drone of the imagined fleet.
#[derive(Debug, Clone)]
struct Site(Drone);

impl FromStr for Site {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (cores, memory) = text.split_once(':').map_or((text, None), |(cores, memory)| (cores, Some(memory)));
        let cores = few(cores.trim())
            .ok_or_else(|| format!("{text:?} is no drone: wanted are its cores, 1 to 4096, as in 32,16:64GiB"))?;
        let memory = memory.map(mebibytes).transpose()?;
        Ok(Self(Drone { memory, ..Drone::of_cores(cores) }))
    }
}

/// A number of cores or jobs that an imagined drone may have.
pub(super) fn few(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| (1..=4096).contains(number))
}

/// A drone's memory.
pub(super) fn mebibytes(text: &str) -> Result<u64, String> {
    text.parse::<ByteSize>().map(|size| size.as_u64() >> 20)
}

fn deviation(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=3.0).contains(number));
    number.ok_or_else(|| "wanted is a number from 0 to 3".to_owned())
}

pub fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let text = match (&arguments.graph, arguments.generate) {
        (Some(path), _) => fs_err::read_to_string(path).context("the graph cannot be read")?,
        (None, size) => {
            let tasks = generate(size.unwrap_or(1) as usize, arguments.seed);
            let lines: Result<Vec<_>, _> = tasks.iter().map(serde_json::to_string).collect();
            lines?.join("\n") + "\n"
        }
    };
    let fleet: Vec<Drone> = arguments.fleet.iter().map(|site| site.0.clone()).collect();
    if fleet.is_empty() {
        write_out(&text)?;
        return Ok(Exit::Done);
    }
    let (graph, _names) = Graph::read(&text).with_context(|| match &arguments.graph {
        Some(path) => format!("{} is no graph", path.display()),
        None => "the graph that was made is none".to_owned(),
    })?;
    let noise = model::noise(graph.len(), arguments.noise, arguments.seed);
    let ours = model::play(&graph, &fleet, &noise, |_, _, _| {});
    let bound = model::lower_bound(&graph, &fleet);
    if arguments.json {
        write_out(&format!("{}\n", ui::simulation::json(ours, bound, graph.len())))?;
        return Ok(Exit::Done);
    }
    let mut rows = vec![("ours", ours)];
    if arguments.compare {
        let cores: Vec<u32> = fleet.iter().map(|drone| drone.cores).collect();
        let total: f64 = cores.iter().copied().map(f64::from).sum();
        let work: f64 = (0..graph.len() as u32)
            .map(|package| graph.cost(package).work() * noise.get(package as usize).copied().unwrap_or(1.0))
            .sum();
        for (name, order) in [
            ("one build a drone, by critical path", Order::CriticalPath),
            ("one build a drone, in merge order", Order::Merge),
        ] {
            let makespan = baseline::one_a_drone(&graph, &cores, order, &noise);
            rows.insert(0, (name, Outcome { makespan, utilisation: work / (total * makespan).max(1e-9) }));
        }
    }
    write_out(&ui::simulation::table(&rows, bound))?;
    tell(format_args!("{} packages; no schedule is shorter than {bound:.0} s without noise", graph.len()));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drone_is_its_cores_and_perhaps_its_memory() {
        for (text, cores, memory) in [("32", 32, None), ("16:64GiB", 16, Some(65536)), ("4:512MiB", 4, Some(512))] {
            let site: Site = text.parse().unwrap();
            assert_eq!((site.0.cores, site.0.memory), (cores, memory), "{text}");
        }
        for text in ["", "0", "-1", "many", "8:", "8:lots", "9999999"] {
            assert!(text.parse::<Site>().is_err(), "{text}");
        }
    }
}
