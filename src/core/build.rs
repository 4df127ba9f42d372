//! A build: its packages, how each stands, and what follows from that for the others.
//!
//! Besides what the events say it carries derived tables, so that a decision need not look at all packages: how many
//! needs of each are still missing, which are blocked, and what waits to be started ([`Queue`]). A change of
//! one package costs its dependents (times the logarithm of what is ready); only a failure looks at the whole build.

mod find;
mod place;
mod record;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::find::NotOne;
pub use self::place::{Counts, Place};
use self::record::Record;

use super::event::{ReceivedFile, Selection};
use super::failure::Failure;
use super::names::{BuildName, HostName, JobName, ReleaseName, Timestamp};
use super::package::{Identity, PackageName};
use super::plan::{Needs, PackageIndex, Plan};
use super::texts::Fields;
use crate::schedule::drone::Drone;
use crate::schedule::estimate::{Estimate, Model};
use crate::schedule::graph::{Cost, Graph};
use crate::schedule::paths::Paths;
use crate::schedule::queue::Queue;

/// What a build is taken to have in memory (MiB) where nobody has looked: a compiler or two.
const UNKNOWN_MEMORY_MIB: u32 = 1024;

/// One attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// The job.
    pub job: JobName,
    /// Where.
    pub drone: HostName,
    /// Why.
    pub failure: Failure,
    /// Its log.
    pub log: Option<String>,
    /// When it ended.
    pub at: Timestamp,
}

/// Where a package stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It waits for its needs, or for a drone.
    Needed,
    /// A job builds it.
    Delegated(JobName),
    /// It is in staging.
    Received(ReceivedFile),
    /// It is given up; its last attempt says why.
    Failed,
}

/// Something that is to be installed where a package is built, in whatever version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Installed {
    /// Category and name.
    pub package: PackageName,
    /// Its slot.
    pub slot: String,
    /// Its sub-slot, where it has to be a certain one.
    pub sub_slot: Option<String>,
}

/// One package of a build.
#[derive(Debug, Clone)]
pub struct Package {
    /// Where it stands.
    pub phase: Phase,
    /// What was tried in vain.
    pub attempts: Vec<Attempt>,
    pub(super) missing: usize,
    blocked: bool,
}

/// A set of wanted packages of one driver, worked off as one.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Record")]
pub struct Build {
    /// Its id.
    pub name: BuildName,
    /// What was asked for.
    pub selection: Selection,
    /// What that came to; shared with whoever compares drones with it.
    pub plan: Arc<Plan>,
    /// The names that people see, by package.
    pub labels: Vec<String>,
    /// By package: what has to be received before it starts.
    pub needs: Vec<Vec<PackageIndex>>,
    /// Where cycles at build time are broken: a package, and one behind it that it needs to build as well.
    pub broken: Vec<(PackageIndex, PackageIndex)>,
    /// By package: how it stands.
    pub packages: Vec<Package>,
    /// When it was opened.
    pub started: Timestamp,
    /// When nothing more could be done.
    pub finished: Option<Timestamp>,
    /// The release that it went into.
    pub released: Option<ReleaseName>,
    /// Nothing that was there counted for it.
    pub rebuild: bool,
    /// It is to be released as soon as all of it is received.
    pub finalize: bool,
    dependents: Vec<Vec<PackageIndex>>,
    graph: Arc<Graph>,
    speeds: BTreeMap<HostName, f64>,
    fastest: Drone,
    paths: Arc<Paths>,
    queue: Queue,
}

impl Build {
    pub(super) fn new(name: BuildName, selection: Selection, plan: Plan, at: Timestamp) -> Self {
        let Needs { direct: needs, broken } = plan.needs();
        let mut dependents = vec![Vec::new(); needs.len()];
        for (index, list) in needs.iter().enumerate() {
            for need in list {
                dependents[need.index()].push(PackageIndex::at(index));
            }
        }
        let labels = labels(&plan);
        let packages = needs
            .iter()
            .map(|list| Package { phase: Phase::Needed, attempts: Vec::new(), missing: list.len(), blocked: false })
            .collect();
        let mut build = Self {
            name,
            selection,
            plan: Arc::new(plan),
            labels,
            needs,
            broken,
            packages,
            started: at,
            finished: None,
            released: None,
            rebuild: false,
            finalize: false,
            dependents,
            graph: Arc::default(),
            speeds: BTreeMap::new(),
            fastest: Drone::of_cores(1),
            paths: Arc::default(),
            queue: Queue::default(),
        };
        build.line_up();
        build
    }

    /// Estimates what its packages will cost, those that are there already nothing, and how fast drones are.
    pub(super) fn reckon(&mut self, model: &Model<'_>) {
        let estimate = |index| model.estimate(&self.identity(PackageIndex::at(index)).cpv.package_name(), None);
        let there = |index: usize| matches!(self.packages[index].phase, Phase::Received(_));
        let costs = (0..self.packages.len())
            .map(|index| if there(index) { Cost::default() } else { cost(&estimate(index)) })
            .collect();
        self.speeds = model.speeds().map(|(drone, speed)| (drone.clone(), thousandths(speed))).collect();
        self.set_costs(costs);
    }

    fn set_costs(&mut self, costs: Vec<Cost>) {
        let needs = self.needs.iter().map(|list| list.iter().map(|need| need.0).collect()).collect();
        // Needs lie before their dependents, so there is no circle.
        self.graph = Arc::new(Graph::new(costs, needs).unwrap_or_default());
        self.find_paths();
    }

    /// The fastest of the drones that take work is this one.
    pub(super) fn aim_at(&mut self, fastest: Drone) {
        if self.fastest != fastest {
            self.fastest = fastest;
            self.find_paths();
        }
    }

    fn find_paths(&mut self) {
        self.paths = Arc::new(Paths::new(&self.graph, &self.fastest));
        self.line_up();
    }

    /// What its packages are taken to cost, and what they need; of the open build alone, nobody asks of another.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// How much waits for each package, as long as the build is open.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// What waits to be started.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// How fast a drone is, a middling one being 1.
    pub fn speed(&self, drone: &HostName) -> f64 {
        self.speeds.get(drone).copied().unwrap_or(1.0)
    }

    /// The package's exact form.
    pub fn identity(&self, package: PackageIndex) -> &Identity {
        &self.plan.packages[package.index()].identity
    }

    /// The name people see.
    pub fn label(&self, package: PackageIndex) -> &str {
        &self.labels[package.index()]
    }

    /// The packages that can start now, the one that most waits for first; ties in merge order.
    pub fn ready(&self) -> impl Iterator<Item = PackageIndex> {
        self.queue.ready().map(PackageIndex)
    }

    /// Whether something that it needs, directly or not, has failed.
    pub fn is_blocked(&self, package: PackageIndex) -> bool {
        self.packages[package.index()].blocked
    }

    /// The failed packages that it waits for, directly or not.
    pub fn blocked_by(&self, package: PackageIndex) -> BTreeSet<PackageIndex> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([package]);
        let mut waiting = vec![package];
        while let Some(next) = waiting.pop() {
            for need in &self.needs[next.index()] {
                if matches!(self.packages[need.index()].phase, Phase::Failed) {
                    found.insert(*need);
                } else if self.is_blocked(*need) && seen.insert(*need) {
                    waiting.push(*need);
                }
            }
        }
        found
    }

    /// The same of all blocked packages, in one pass: needs lie before their dependents. Cost: the needs of what is
    /// blocked, times what failed.
    pub fn blockers(&self) -> BTreeMap<PackageIndex, BTreeSet<PackageIndex>> {
        let mut blockers: BTreeMap<PackageIndex, BTreeSet<PackageIndex>> = BTreeMap::new();
        for package in (0..self.packages.len()).map(PackageIndex::at).filter(|package| self.is_blocked(*package)) {
            let mut by = BTreeSet::new();
            for need in &self.needs[package.index()] {
                if matches!(self.packages[need.index()].phase, Phase::Failed) {
                    by.insert(*need);
                }
                by.extend(blockers.get(need).into_iter().flatten());
            }
            blockers.insert(package, by);
        }
        blockers
    }

    /// The blocked packages that wait for this one, which failed. Cost: what needs them.
    pub fn blocks(&self, package: PackageIndex) -> BTreeSet<PackageIndex> {
        let mut found = BTreeSet::new();
        let mut waiting = vec![package];
        while let Some(next) = waiting.pop() {
            let blocked = self.dependents(next).iter().copied().filter(|other| self.is_blocked(*other));
            waiting.extend(blocked.filter(|other| found.insert(*other)));
        }
        found
    }

    /// What it needs to build and what comes behind it all the same, since they need each other.
    pub fn built_before(&self, package: PackageIndex) -> impl Iterator<Item = PackageIndex> {
        self.broken.iter().filter(move |(first, _)| *first == package).map(|(_, later)| *later)
    }

    /// What it needs to build that the driver has installed and nobody builds before it: what it is linked against, and
    /// an older version of what comes behind it in a cycle.
    pub fn stand_ins(&self, package: PackageIndex) -> BTreeSet<Installed> {
        let merged = self.plan.merged_for(package);
        let behind: Vec<_> = self.built_before(package).collect();
        let place = |index: PackageIndex| (self.identity(index).cpv.package(), self.identity(index).slot.slot.as_str());
        let here: BTreeSet<_> = merged.into_iter().filter(|need| !behind.contains(need)).map(place).collect();
        let older = behind.iter().map(|later| Installed {
            package: self.identity(*later).cpv.package_name(),
            slot: self.identity(*later).slot.slot.clone(),
            sub_slot: None,
        });
        let linked = self.identity(package).linked.iter().filter_map(|(name, slot)| {
            let (package, sub_slot) = (name.parse().ok()?, Some(slot.sub_slot.clone()));
            Some(Installed { package, slot: slot.slot.clone(), sub_slot })
        });
        let is_here = |wanted: &Installed| here.contains(&(wanted.package.as_str(), wanted.slot.as_str()));
        older.chain(linked).filter(|wanted| !is_here(wanted)).collect()
    }

    /// Whether each package is received, failed or blocked.
    pub fn is_over(&self) -> bool {
        self.packages.iter().all(|package| match package.phase {
            Phase::Received(_) | Phase::Failed => true,
            Phase::Needed => package.blocked,
            Phase::Delegated(_) => false,
        })
    }

    /// Whether every package is received.
    pub fn is_complete(&self) -> bool {
        self.packages.iter().all(|package| matches!(package.phase, Phase::Received(_)))
    }

    /// The received files.
    pub fn received(&self) -> impl Iterator<Item = (PackageIndex, &ReceivedFile)> {
        self.packages.iter().enumerate().filter_map(|(index, package)| match &package.phase {
            Phase::Received(file) => Some((PackageIndex::at(index), file)),
            _ => None,
        })
    }

    /// What needs it directly.
    pub fn dependents(&self, package: PackageIndex) -> &[PackageIndex] {
        &self.dependents[package.index()]
    }

    /// Whether it is still to be started, now or later.
    fn waits(&self, package: PackageIndex) -> bool {
        let state = &self.packages[package.index()];
        matches!(state.phase, Phase::Needed) && !state.blocked
    }

    fn set_ready(&mut self, package: PackageIndex) {
        let state = &self.packages[package.index()];
        let rank = self.paths.rank(package.0);
        if matches!(state.phase, Phase::Needed) && state.missing == 0 {
            self.queue.insert(rank);
        } else {
            self.queue.remove(rank);
        }
    }

    /// Keeps the queue's work right: `waited` says whether the package did so before it changed.
    fn set_work(&mut self, package: PackageIndex, waited: bool) {
        let cost = self.graph.cost(package.0);
        match (waited, self.waits(package)) {
            (false, true) => self.queue.wait(cost),
            (true, false) => self.queue.leave(cost),
            (true, true) | (false, false) => {}
        }
    }

    /// Makes the queue anew.
    pub(super) fn line_up(&mut self) {
        self.queue = Queue::default();
        for package in (0..self.packages.len()).map(PackageIndex::at) {
            self.set_ready(package);
            self.set_work(package, false);
        }
    }

    pub(super) fn set_phase(&mut self, package: PackageIndex, phase: Phase) {
        let was_received = matches!(self.packages[package.index()].phase, Phase::Received(_));
        let is_received = matches!(phase, Phase::Received(_));
        let waited = self.waits(package);
        self.packages[package.index()].phase = phase;
        if is_received && !was_received {
            for dependent in self.dependents[package.index()].clone() {
                self.packages[dependent.index()].missing -= 1;
                self.set_ready(dependent);
            }
        }
        self.set_ready(package);
        self.set_work(package, waited);
    }

    /// It need not be built: this file is there. Whatever is under way for it goes on.
    pub(super) fn bring(&mut self, package: PackageIndex, file: &ReceivedFile) {
        if matches!(self.packages[package.index()].phase, Phase::Needed) {
            self.set_phase(package, Phase::Received(file.clone()));
        }
    }

    /// Sets a phase where the package may block others or be blocked; only then is the whole build looked at.
    pub(super) fn change_phase(&mut self, package: PackageIndex, phase: Phase) {
        let state = &self.packages[package.index()];
        let may_be_blocked = state.blocked || (matches!(phase, Phase::Needed) && state.missing > 0);
        let may_block = [&state.phase, &phase].iter().any(|each| matches!(each, Phase::Failed));
        self.set_phase(package, phase);
        if may_be_blocked || may_block {
            self.mark_blocked();
        }
    }

    /// Needs lie before their dependents, so one pass suffices.
    pub(super) fn mark_blocked(&mut self) {
        for index in 0..self.packages.len() {
            let blocked = self.needs[index].iter().any(|need| {
                let need = &self.packages[need.index()];
                matches!(need.phase, Phase::Failed) || need.blocked
            });
            let waited = self.waits(PackageIndex::at(index));
            self.packages[index].blocked = blocked && matches!(self.packages[index].phase, Phase::Needed);
            self.set_work(PackageIndex::at(index), waited);
        }
    }

    /// The path of a package that is received.
    pub fn received_path(&self, package: PackageIndex) -> Option<&str> {
        match &self.packages.get(package.index())?.phase {
            Phase::Received(file) => Some(&file.path),
            Phase::Needed | Phase::Delegated(_) | Phase::Failed => None,
        }
    }

    /// Drops the index entries of what is received, which the release has, and what its packages were taken to cost.
    pub(super) fn forget_entries(&mut self) {
        self.graph = Arc::default();
        self.find_paths();
        for package in &mut self.packages {
            if let Phase::Received(file) = &mut package.phase {
                file.stanza = Fields::default();
            }
        }
    }

    /// The package of this form, if it waits for somebody to build it.
    pub fn needs_job_for(&self, identity: &Identity) -> Option<PackageIndex> {
        let index = self.plan.packages.iter().position(|package| package.identity == *identity)?;
        matches!(self.packages[index].phase, Phase::Needed).then(|| PackageIndex::at(index))
    }

    /// Whether the package of this form has been received.
    pub fn has(&self, identity: &Identity) -> bool {
        let index = self.plan.packages.iter().position(|package| package.identity == *identity);
        index.is_some_and(|index| matches!(self.packages[index].phase, Phase::Received(_)))
    }

    /// The packages by their exact form.
    pub fn by_identity(&self) -> HashMap<&Identity, PackageIndex> {
        let entry = |index| (self.identity(PackageIndex::at(index)), PackageIndex::at(index));
        (0..self.packages.len()).map(entry).collect()
    }

    /// Failed ones of these packages are needed again, and what was tried in vain is forgotten; none named means all.
    pub(super) fn retry_failed(&mut self, packages: &BTreeSet<PackageIndex>) {
        for index in 0..self.packages.len() {
            if !packages.is_empty() && !packages.contains(&PackageIndex::at(index)) {
                continue;
            }
            match self.packages[index].phase {
                Phase::Failed => {
                    self.packages[index].attempts.clear();
                    self.set_phase(PackageIndex::at(index), Phase::Needed);
                }
                // It may go again to drones that failed at it.
                Phase::Needed => self.packages[index].attempts.clear(),
                Phase::Delegated(_) | Phase::Received(_) => {}
            }
        }
        self.mark_blocked();
        self.finished = None;
    }
}

/// What the scheduler reckons with.
pub(super) fn cost(estimate: &Estimate) -> Cost {
    let memory = estimate.memory_mib.unwrap_or(UNKNOWN_MEMORY_MIB);
    Cost { serial: thousandths(estimate.serial_s), cpu: thousandths(estimate.cpu_s), memory: u64::from(memory) }
}

/// A number that reads back from a snapshot as the same one.
fn thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

fn labels(plan: &Plan) -> Vec<String> {
    let mut times = BTreeMap::new();
    for package in &plan.packages {
        *times.entry(package.identity.cpv.as_str()).or_insert(0) += 1;
    }
    plan.packages
        .iter()
        .map(|package| {
            let cpv = package.identity.cpv.as_str();
            if times.get(cpv) == Some(&1) {
                return cpv.to_owned();
            }
            let flags: Vec<_> = package.identity.use_flags.iter().collect();
            format!("{cpv}[{}]", flags.join(","))
        })
        .collect()
}
