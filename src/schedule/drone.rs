//! A drone as the scheduler sees it.

use super::graph::Cost;
use super::load::Job;

/// What a drone can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Drone {
    /// Its cores.
    pub cores: u32,
    /// How fast they are: a job takes its seconds divided by this.
    pub speed: f64,
    /// Its memory in MiB, where known.
    pub memory: Option<u64>,
    /// How many jobs it may have at once; none: as many as pay.
    pub jobs: Option<u32>,
}

impl Drone {
    /// A drone of middling speed of which only the cores are known.
    pub fn of_cores(cores: u32) -> Self {
        Self { cores, speed: 1.0, memory: None, jobs: None }
    }

    /// How long (seconds) a package takes there on so many cores of its own.
    pub fn takes(&self, cost: Cost, cores: f64) -> f64 {
        cost.alone(cores) / self.speed
    }

    /// A package as a job there.
    pub fn job(&self, package: u32, cost: Cost, width: u32) -> Job {
        Job { package, serial: cost.serial / self.speed, cpu: cost.cpu / self.speed, width }
    }

    /// The work (seconds of one middling core) that it does in a second.
    pub fn power(&self) -> f64 {
        f64::from(self.cores) * self.speed
    }

    /// The one that works most in a second; of equals the first.
    pub fn fastest<'a>(fleet: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        fleet.into_iter().reduce(|first, other| if other.power() > first.power() { other } else { first })
    }
}
