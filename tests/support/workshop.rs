//! What all fake drones of a test share: the tree of ebuilds, how long each builds, and who has built what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use swarm::core::package::{Cpv, Identity};
use swarm::core::plan::Plan;

/// The tree and the record of builds.
pub struct Workshop {
    tree: BTreeMap<Cpv, Identity>,
    needs: BTreeMap<Cpv, Vec<Cpv>>,
    record: Mutex<Record>,
}

struct Record {
    usual: Duration,
    takes: BTreeMap<Cpv, Duration>,
    image_size: usize,
    builds: Vec<(Cpv, String)>,
    complaints: Vec<String>,
}

impl Workshop {
    /// One in which a plan can be built; each package takes ten minutes.
    pub fn new(plan: &Plan) -> Self {
        let cpv = |index: usize| plan.packages[index].identity.cpv.clone();
        let needs = plan.needs().direct.into_iter().enumerate();
        let record = Record {
            usual: Duration::from_secs(600),
            takes: BTreeMap::new(),
            image_size: 700,
            builds: Vec::new(),
            complaints: Vec::new(),
        };
        Self {
            tree: plan
                .packages
                .iter()
                .map(|planned| (planned.identity.cpv.clone(), planned.identity.clone()))
                .collect(),
            needs: needs
                .map(|(index, list)| (cpv(index), list.into_iter().map(|need| cpv(need.index())).collect()))
                .collect(),
            record: Mutex::new(record),
        }
    }

    /// The package as the tree has it.
    pub fn identity(&self, cpv: &Cpv) -> Option<&Identity> {
        self.tree.get(cpv)
    }

    /// Lets all packages take so long.
    pub fn all_take(&self, time: Duration) {
        self.record.lock().unwrap().usual = time;
    }

    /// Lets one package take so long.
    pub fn takes(&self, cpv: &str, time: Duration) {
        self.record.lock().unwrap().takes.insert(cpv.parse().unwrap(), time);
    }

    /// Gives packages so many bytes of image.
    pub fn set_image_size(&self, size: usize) {
        self.record.lock().unwrap().image_size = size;
    }

    /// Notes that a drone compiles a package with these installed; how long it will take. What it needs and is not
    /// there a real emerge would build a second time: that is a complaint.
    pub fn compile(&self, cpv: &Cpv, drone: &str, installed: &BTreeSet<Cpv>) -> Duration {
        let mut record = self.record.lock().unwrap();
        record.builds.push((cpv.clone(), drone.to_owned()));
        for need in self.needs.get(cpv).into_iter().flatten().filter(|need| !installed.contains(*need)) {
            record.complaints.push(format!("{cpv} is built on {drone}, where {need} is not installed"));
        }
        record.takes.get(cpv).copied().unwrap_or(record.usual)
    }

    /// A BUILD_TIME that no other build has.
    pub fn build_time(&self) -> u64 {
        1_795_000_000 + self.record.lock().unwrap().builds.len() as u64
    }

    /// The bytes of an image, no two pieces alike.
    pub fn image(&self) -> Vec<u8> {
        let size = self.record.lock().unwrap().image_size;
        (0..size).map(|index| (index / 3 % 251) as u8).collect()
    }

    /// Each build that was begun, in order: what, and on which drone.
    pub fn builds(&self) -> Vec<(String, String)> {
        let record = self.record.lock().unwrap();
        record.builds.iter().map(|(cpv, drone)| (cpv.to_string(), drone.clone())).collect()
    }

    /// How often each package was compiled.
    pub fn compilations(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for (cpv, _) in self.builds() {
            *times.entry(cpv).or_insert(0) += 1;
        }
        times
    }

    /// What a real Portage would not have put up with.
    pub fn complaints(&self) -> Vec<String> {
        self.record.lock().unwrap().complaints.clone()
    }
}
