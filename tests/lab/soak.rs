//! Builds under random faults: the controller killed, cables pulled, machines switched off, disks filled, jobs frozen,
//! transfers spoilt. In the end all is there, once, and no drone is left dirty.
//!
//! The seed is printed (the short one has always the same); `SWARM_SOAK_SEED` gives one, `SWARM_SOAK_BUILDS` the number
//! of builds: one of all fifteen packages first, then of a few, each released before the next begins.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;
use swarm::core::event::Event;

use super::laboratory::Laboratory;
use super::seeded::Seeded;

/// The soak's own inventory, in the lab's directory.
const INVENTORY: &str = "soak.toml";
const DRONES: [&str; 3] = ["drone-izar", "drone-tarn", "drone-vega"];
/// What is built after the first, which is of everything.
const SELECTIONS: [&[&str]; 6] = [
    &["app-lab/hello"],
    &["app-lab/daemon"],
    &["app-lab/multislot:1", "app-lab/multislot:2"],
    &["app-lab/hello", "dev-lab/libbar"],
    &["app-lab/plugins"],
    &["app-lab/consumer"],
];
/// So often a push may end with packages that failed, or without a drone, and be begun again.
const AGAIN: u32 = 12;

/// What befalls a soak.
struct Chance(Seeded);

impl Chance {
    fn drone(&mut self) -> &'static str {
        DRONES[self.0.below(DRONES.len())]
    }

    /// A time shorter than so many seconds.
    fn less_than(&mut self, seconds: u64) -> Duration {
        Duration::from_millis(self.0.below(1000 * seconds as usize) as u64)
    }

    /// Lets this many seconds pass at most, some at least.
    fn pass(&mut self, least: u64, most: u64) {
        std::thread::sleep(Duration::from_secs(least) + self.less_than(most - least));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Kill,
    Cut,
    PowerOff,
    FillDisk,
    Freeze,
    Spoil,
    RestartSshd,
}

const FAULTS: [Fault; 7] =
    [Fault::Kill, Fault::Cut, Fault::PowerOff, Fault::FillDisk, Fault::Freeze, Fault::Spoil, Fault::RestartSshd];

struct Soak {
    lab: Laboratory,
    chance: Chance,
    faults: BTreeMap<Fault, u32>,
    /// Between two faults, in seconds.
    rest: (u64, u64),
}

impl Soak {
    fn push(&self, arguments: &[&str]) -> Child {
        let inventory = self.lab.file(INVENTORY);
        self.lab.swarm_beside(&[&["--inventory", inventory.to_str().unwrap(), "push"], arguments].concat())
    }

    /// Builds these and what they need, with faults meanwhile, until all is released.
    fn build(&mut self, wanted: &[&str]) {
        let mut push = self.push(&[&["--finalize", "--rebuild"], wanted].concat());
        let mut ends = Vec::new();
        loop {
            let rest = Duration::from_secs(self.rest.0) + self.chance.less_than(self.rest.1 - self.rest.0);
            let until = Instant::now() + rest;
            while Instant::now() < until && push.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(100));
            }
            if push.try_wait().unwrap().is_none() {
                self.fault(&push);
                continue;
            }
            let output = push.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.code() == Some(0) {
                return;
            }
            ends.push((output.status.code(), said.lines().rev().take(12).map(str::to_owned).collect::<Vec<_>>()));
            let bad = ends.iter().filter(|(code, _)| code.is_some()).count();
            assert!(bad < AGAIN as usize, "{ends:#?}\n{}", self.lab.status());
            let failed = output.status.code() == Some(3);
            push = self.push(if failed { &["--finalize", "--retry-failed"] } else { &["--finalize"] });
        }
    }

    fn fault(&mut self, push: &Child) {
        let fault = FAULTS[self.chance.0.below(FAULTS.len())];
        let drone = self.chance.drone();
        eprintln!("{fault:?} {drone}");
        *self.faults.entry(fault).or_default() += 1;
        match fault {
            Fault::Kill => {
                std::process::Command::new("kill").args(["-KILL", &push.id().to_string()]).status().unwrap();
            }
            Fault::Cut => {
                self.lab.lab(&["cut", drone]).gives(0, &[]);
                self.chance.pass(1, 70);
                self.lab.lab(&["heal", drone]).gives(0, &[]);
            }
            Fault::PowerOff => {
                self.lab.lab(&["power-off", drone]).gives(0, &[]);
                self.chance.pass(1, 20);
                self.lab.lab(&["power-on", drone]).gives(0, &[]);
            }
            Fault::FillDisk => {
                self.lab.on(drone, "dd if=/dev/zero of=/var/lib/swarm/filler bs=1M 2>/dev/null");
                self.chance.pass(1, 15);
                self.lab.on(drone, "rm -f /var/lib/swarm/filler").gives(0, &[]);
            }
            Fault::Freeze => {
                // The build's processes and nothing else: whatever has the job's number in its environment.
                let signal = |signal: &str| {
                    let each = "for it in /proc/[0-9]*; do tr '\\0' '\\n' <$it/environ 2>/dev/null | grep -q ^SWARM_JOB= && kill";
                    self.lab.on(drone, &format!("{each} -{signal} ${{it#/proc/}}; done 2>/dev/null; :"))
                };
                signal("STOP");
                self.chance.pass(1, 15);
                signal("CONT");
            }
            Fault::Spoil => self.spoil(),
            Fault::RestartSshd => {
                // All sessions, not the listener.
                self.lab.on(drone, "pkill -KILL -f '^sshd: ' ; :").gives(0, &[]);
            }
        }
    }

    /// What comes of a job that runs will not be what is there.
    fn spoil(&self) {
        let status = self.lab.status();
        let Some((package, job)) = status["delegated"].as_object().and_then(|jobs| jobs.iter().next()) else { return };
        let incoming = self.lab.controller("staging/.incoming").join(job["job"].as_str().unwrap());
        let name = package.split('/').nth(1).unwrap();
        if std::fs::create_dir_all(&incoming).is_ok() {
            for build_id in 1..20 {
                // The job may be over by now.
                let _late = std::fs::write(incoming.join(format!("{name}-{build_id}")), [b'x'; 3000]);
            }
        }
    }

    /// Every package of every build was received exactly once.
    fn received_once(&self) -> usize {
        let journal = rusqlite::Connection::open(self.lab.controller("state/journal.db")).unwrap();
        let mut rows = journal.prepare("SELECT body FROM events ORDER BY sequence").unwrap();
        let bodies = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut build = String::new();
        let mut received: BTreeMap<(String, u32), u32> = BTreeMap::new();
        for body in bodies {
            match serde_json::from_str::<Event>(&body.unwrap()).unwrap() {
                Event::BuildOpened { build: name, .. } => build = name.to_string(),
                Event::PackageReceived { package, .. } => {
                    *received.entry((build.clone(), package.0)).or_default() += 1;
                }
                _ => {}
            }
        }
        assert!(received.values().all(|times| *times == 1), "{received:?}");
        received.len()
    }

    fn drones_are_clean(&self) {
        for drone in DRONES {
            self.lab.on(drone, "ls -A /var/lib/swarm/jobs").gives(0, &[]);
            let left = "ls -A /var/lib/swarm/jobs; grep -lz '^SWARM_JOB=' /proc/[0-9]*/environ 2>/dev/null; grep /jobs/ /proc/mounts; :";
            assert_eq!(self.lab.on(drone, left).said.trim(), "", "{drone} is left dirty");
        }
    }
}

fn soak(name: &str, seed: Option<u64>, builds: usize, rest: (u64, u64)) {
    let chosen = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let seed = chosen("SWARM_SOAK_SEED").or(seed).unwrap_or(clock);
    let builds = chosen("SWARM_SOAK_BUILDS").map_or(builds, |number| number as usize);
    eprintln!("SWARM_SOAK_SEED={seed} SWARM_SOAK_BUILDS={builds}");
    let lab = Laboratory::up(name);
    // Portage itself can hang for ever on a full disk; what ends such a build is its silence. The lab writes its own
    // inventory anew whenever a host is switched on.
    let text = std::fs::read_to_string(lab.inventory()).unwrap();
    let text =
        text.replacen("state = ", "lost_after = \"40s\"\nstate = ", 1) + "\n[packages.\"*/*\"]\nsilence = \"45s\"\n";
    std::fs::write(lab.file(INVENTORY), text).unwrap();
    let mut soak = Soak { lab, chance: Chance(Seeded::new(seed)), faults: BTreeMap::new(), rest };
    let begun = Instant::now();
    for number in 1..=builds {
        let wanted =
            if number == 1 { &["app-lab/suite"][..] } else { SELECTIONS[soak.chance.0.below(SELECTIONS.len())] };
        soak.build(wanted);
        let received = soak.received_once();
        eprintln!("build {number}: {received} received, {} s, {:?}", begun.elapsed().as_secs(), soak.faults);
    }
    // A quiet run at the end sees every drone, and takes away what was left on those that were off.
    let quiet = soak.push(&["--finalize", "--rebuild", "app-lab/hello"]).wait_with_output().unwrap();
    assert_eq!(quiet.status.code(), Some(0), "{}", String::from_utf8_lossy(&quiet.stderr));
    let status: Value = soak.lab.status();
    assert!(status["failed"].as_object().unwrap().is_empty(), "{status}");
    soak.drones_are_clean();
    let compiled: usize = soak.lab.compiled().values().map(Vec::len).sum();
    let received = soak.received_once();
    eprintln!("{received} packages received, {compiled} compilations begun, {builds} builds");
}

#[test]
fn a_build_under_random_faults_ends_complete() {
    soak("soak", Some(7), 2, (5, 15));
}

#[test]
#[ignore = "takes half an hour or more"]
fn a_hundred_builds_under_random_faults_end_complete() {
    soak("soak-long", None, 100, (3, 25));
}
