//! What a build will take, from what builds took: the median of a package's recent ones.
//!
//! **Split.** A build needs one core for `s` seconds, then does `p` seconds of work on its width `w`. So its wall time is
//! `W = s + p/w` and its processor time `C = s + p`; from these `p = (C - W)·w/(w - 1)` and `s = W - p/w`. Where `C` is
//! not above `W`, all of it is serial (waiting counts). With `w = 1`, or `C` unknown, the share of `p` in `s + p` is the
//! median share of the samples that have both, else `USUAL_SHARE`.
//!
//! **Speed.** Drones that built the same versions tell how fast they are to each other: alternately each version's work
//! is the median over drones of (work × speed), and each drone's speed the median over versions of (work there ÷ that
//! work); medians, so that a few odd builds do no harm. A drone with fewer than `LEAST_COMMON` such versions counts as 1.
//!
//! **Unknown packages** take the median of their category, then of all, then `UNKNOWN`.
//! Cost: learning is linear in the samples, times a fixed number of rounds; an estimate of a known package looks at
//! [`REMEMBERED`] samples.

use std::collections::{BTreeMap, HashMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::names::{HostName, Timestamp};
use crate::core::package::{Cpv, PackageName};

/// So many of a package's latest builds are remembered.
pub const REMEMBERED: usize = 5;
/// The share of parallel work in all of it where nothing is known: half.
const USUAL_SHARE: f64 = 0.5;
/// The width of a build where it is not known.
pub const USUAL_WIDTH: u32 = 4;
/// What a build takes where nothing is known at all.
const UNKNOWN: Estimate = Estimate { serial_s: 200.0, cpu_s: 400.0, memory_mib: None };
/// A drone's speed is believed from so many versions on that another one has built, too.
const LEAST_COMMON: usize = 3;
/// Speeds settle within a few rounds.
const ROUNDS: usize = 8;

/// One build that went through; what failed says nothing of how long a whole build takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// The package.
    pub cpv: Cpv,
    /// From beginning to end, in seconds.
    pub wall_s: f64,
    /// Processor time, user and system, in seconds; none where it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// How many compilers at once it was allowed; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Peak memory, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// Where it was built; none for a file of an unknown host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drone: Option<HostName>,
    /// When it ended.
    pub at: Timestamp,
}

/// What a build is taken to need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// On one core, in seconds.
    pub serial_s: f64,
    /// Then so much work, in processor seconds, on up to its width.
    pub cpu_s: f64,
    /// Peak memory, in MiB; none where nothing is known.
    pub memory_mib: Option<u32>,
}

impl Estimate {
    /// How long it lasts on so many cores of its own, in seconds.
    pub fn wall_s(&self, width: u32) -> f64 {
        self.serial_s + self.cpu_s / f64::from(width.max(1))
    }
}

/// The latest builds of each package.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    packages: BTreeMap<PackageName, VecDeque<Sample>>,
}

impl History {
    /// Takes a build in; the oldest of too many is forgotten. What holds no sound times is left out.
    pub fn add(&mut self, sample: Sample) {
        let sound = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        if !sound(sample.wall_s) || !sample.cpu_s.is_none_or(sound) {
            return;
        }
        let known = self.packages.entry(sample.cpv.package_name()).or_default();
        // The same log may be imported again.
        if known.iter().any(|other| other.at == sample.at && other.drone == sample.drone && other.cpv == sample.cpv) {
            return;
        }
        // An import may bring builds older than those that are known.
        let place = known.partition_point(|other| other.at <= sample.at);
        known.insert(place, sample);
        if known.len() > REMEMBERED {
            known.pop_front();
        }
    }

    /// The builds of a package that are remembered, the latest at the end.
    pub fn of(&self, package: &PackageName) -> impl Iterator<Item = &Sample> {
        self.packages.get(package).into_iter().flatten()
    }

    /// The packages that are known.
    pub fn packages(&self) -> impl Iterator<Item = &PackageName> {
        self.packages.keys()
    }

    fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.packages.values().flatten()
    }

    /// Learns from all that is remembered.
    pub fn model(&self) -> Model<'_> {
        let share = median(self.samples().filter_map(measured).map(|(s, p)| p / (s + p))).unwrap_or(USUAL_SHARE);
        let mut model = Model {
            history: self,
            share,
            speeds: speeds(self.samples(), share),
            categories: HashMap::new(),
            overall: UNKNOWN,
        };
        let mut by_category: BTreeMap<&str, Vec<Estimate>> = BTreeMap::new();
        for (name, samples) in &self.packages {
            let category = name.as_str().split('/').next().unwrap_or_default();
            by_category.entry(category).or_default().extend(model.middle(samples));
        }
        model.overall = joined(by_category.values().flatten().copied()).unwrap_or(UNKNOWN);
        model.categories = by_category
            .into_iter()
            .filter_map(|(category, estimates)| Some((category.to_owned(), joined(estimates.into_iter())?)))
            .collect();
        model
    }
}

/// What was learned from a history.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    history: &'a History,
    share: f64,
    speeds: HashMap<HostName, f64>,
    categories: HashMap<String, Estimate>,
    overall: Estimate,
}

impl Model<'_> {
    /// The drones whose speed is known, with it.
    pub fn speeds(&self) -> impl Iterator<Item = (&HostName, f64)> {
        self.speeds.iter().map(|(drone, speed)| (drone, *speed))
    }

    /// What a build of this package is taken to need on this drone, or on one of middling speed.
    pub fn estimate(&self, package: &PackageName, drone: Option<&HostName>) -> Estimate {
        let own = self.history.packages.get(package).and_then(|samples| self.middle(samples));
        let category = || self.categories.get(package.as_str().split('/').next().unwrap_or_default()).copied();
        let known = own.or_else(category).unwrap_or(self.overall);
        let others = || category().and_then(|category| category.memory_mib).or(self.overall.memory_mib);
        // A log of emerge's tells no memory.
        let memory_mib = known.memory_mib.or_else(others);
        let speed = drone.map_or(1.0, |drone| self.speed(drone));
        Estimate { serial_s: known.serial_s / speed, cpu_s: known.cpu_s / speed, memory_mib }
    }

    /// How fast a drone is; 1 is middling.
    pub fn speed(&self, drone: &HostName) -> f64 {
        self.speeds.get(drone).copied().unwrap_or(1.0)
    }

    fn middle(&self, samples: &VecDeque<Sample>) -> Option<Estimate> {
        joined(samples.iter().map(|sample| {
            let (serial, parallel) = split(sample, self.share);
            let speed = sample.drone.as_ref().map_or(1.0, |drone| self.speed(drone));
            Estimate { serial_s: serial * speed, cpu_s: parallel * speed, memory_mib: sample.memory_mib }
        }))
    }
}

/// Serial and parallel part of a build of which wall and processor time and a width above one are known.
fn measured(sample: &Sample) -> Option<(f64, f64)> {
    let width = f64::from(sample.width.filter(|width| *width > 1)?);
    let cpu = sample.cpu_s.filter(|cpu| *cpu > 0.0)?;
    let parallel = ((cpu - sample.wall_s) * width / (width - 1.0)).clamp(0.0, sample.wall_s * width);
    Some((sample.wall_s - parallel / width, parallel)).filter(|(serial, parallel)| serial + parallel > 0.0)
}

fn split(sample: &Sample, share: f64) -> (f64, f64) {
    measured(sample).unwrap_or_else(|| {
        let width = f64::from(sample.width.unwrap_or(USUAL_WIDTH).max(1));
        let work = sample.wall_s / (1.0 - share + share / width);
        ((1.0 - share) * work, share * work)
    })
}

fn speeds<'a>(samples: impl Iterator<Item = &'a Sample>, share: f64) -> HashMap<HostName, f64> {
    let mut versions: BTreeMap<&Cpv, BTreeMap<&HostName, Vec<f64>>> = BTreeMap::new();
    for sample in samples {
        let (serial, parallel) = split(sample, share);
        if let Some(drone) = sample.drone.as_ref().filter(|_| serial + parallel > 0.0) {
            versions.entry(&sample.cpv).or_default().entry(drone).or_default().push(serial + parallel);
        }
    }
    let versions: Vec<Vec<(&HostName, f64)>> = versions
        .into_values()
        .map(|drones| drones.into_iter().filter_map(|(name, work)| Some((name, median(work.into_iter())?))).collect())
        .filter(|drones: &Vec<_>| drones.len() > 1)
        .collect();
    let mut speeds: HashMap<HostName, f64> = HashMap::new();
    for _ in 0..ROUNDS {
        let speed = |drone: &HostName| speeds.get(drone).copied().unwrap_or(1.0);
        let mut found: BTreeMap<&HostName, Vec<f64>> = BTreeMap::new();
        for drones in &versions {
            let Some(work) = median(drones.iter().map(|(name, work)| work * speed(name))) else { continue };
            for (name, took) in drones {
                found.entry(name).or_default().push(work / took);
            }
        }
        found.retain(|_, ratios| ratios.len() >= LEAST_COMMON);
        speeds = found
            .into_iter()
            .filter_map(|(name, ratios)| Some((name.clone(), median(ratios.into_iter())?.clamp(0.05, 20.0))))
            .collect();
    }
    speeds
}

fn joined(estimates: impl Iterator<Item = Estimate>) -> Option<Estimate> {
    let estimates: Vec<Estimate> = estimates.collect();
    let memory = median(estimates.iter().filter_map(|each| each.memory_mib).map(f64::from));
    Some(Estimate {
        serial_s: median(estimates.iter().map(|each| each.serial_s))?,
        cpu_s: median(estimates.iter().map(|each| each.cpu_s))?,
        memory_mib: estimates.iter().filter_map(|each| each.memory_mib).find(|each| Some(f64::from(*each)) == memory),
    })
}

/// The upper of the middle ones; none of nothing.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample(cpv: &str, wall_s: f64, at: i64) -> Sample {
        let cpv = cpv.parse().unwrap();
        Sample { cpv, wall_s, cpu_s: None, width: None, memory_mib: None, drone: None, at: Timestamp(at) }
    }

    fn of(samples: Vec<Sample>) -> History {
        let mut history = History::default();
        samples.into_iter().for_each(|sample| history.add(sample));
        history
    }

    #[test]
    fn an_unknown_package_takes_its_category_then_all_then_a_constant() {
        let history = of(vec![sample("a/b-1", 60.0, 1), sample("c/d-1", 600.0, 2), sample("c/e-1", 600.0, 2)]);
        let model = history.model();
        let wall = |name: &str| model.estimate(&name.parse().unwrap(), None).wall_s(USUAL_WIDTH).round();
        assert_eq!((wall("a/b"), wall("a/new"), wall("x/new")), (60.0, 60.0, 600.0));
        assert_eq!(History::default().model().estimate(&"a/b".parse().unwrap(), None), UNKNOWN);
    }

    #[test]
    fn a_slow_drone_is_known_by_what_others_built_too() {
        let (fast, slow): (HostName, HostName) = ("izar".parse().unwrap(), "tarn".parse().unwrap());
        let on = |drone: &HostName, cpv: &str, wall: f64| Sample { drone: Some(drone.clone()), ..sample(cpv, wall, 1) };
        let names = ["a/b-1", "a/c-1", "a/d-1", "a/e-1"];
        let history = of(names.iter().flat_map(|cpv| [on(&fast, cpv, 10.0), on(&slow, cpv, 30.0)]).collect());
        let model = history.model();
        assert!((model.speed(&fast) / model.speed(&slow) - 3.0).abs() < 0.01, "{:?}", model.speeds);
        let wall = |drone| model.estimate(&"a/b".parse().unwrap(), Some(drone)).wall_s(USUAL_WIDTH).round();
        assert_eq!((wall(&fast), wall(&slow)), (10.0, 30.0));
    }

    #[test]
    fn only_the_latest_builds_are_remembered() {
        let mut history = of((0..9).rev().map(|at| sample("a/b-1", 1.0, at)).collect());
        history.add(sample("a/b-1", f64::NAN, 99));
        let times: Vec<i64> = history.of(&"a/b".parse().unwrap()).map(|sample| sample.at.0).collect();
        assert_eq!(times, [4, 5, 6, 7, 8]);
    }

    proptest! {
        #[test]
        fn a_split_gives_the_parts_that_a_build_had(serial in 0.0..1e4_f64, parallel in 0.1..1e5_f64, width in 2_u32..64) {
            let wall_s = serial + parallel / f64::from(width);
            let built = Sample { cpu_s: Some(serial + parallel), width: Some(width), ..sample("a/b-1", wall_s, 1) };
            let (s, p) = measured(&built).unwrap();
            prop_assert!((s - serial).abs() < 1e-3 && (p - parallel).abs() < 1e-3, "{s} {p}");
        }

        #[test]
        fn whatever_was_measured_the_estimate_is_sound_and_lasts_as_long_as_the_build(
            wall in 0.0..1e6_f64, cpu in prop::option::of(0.0..1e7_f64), width in prop::option::of(0_u32..256),
        ) {
            let history = of(vec![Sample { cpu_s: cpu, width, ..sample("a/b-1", wall, 1) }]);
            let estimate = history.model().estimate(&"a/b".parse().unwrap(), None);
            prop_assert!(estimate.serial_s >= -1e-6 && estimate.cpu_s >= 0.0);
            let lasts = estimate.wall_s(width.unwrap_or(USUAL_WIDTH));
            prop_assert!((lasts - wall).abs() <= 1e-6 * wall.max(1.0), "{lasts} {wall}");
        }
    }
}
