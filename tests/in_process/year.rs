//! A year of nightly updates, by a clock that is moved: what is kept on the controller's disks levels off.
//!
//! Each night some packages of a small world have new versions. They are built by the real controller on fake drones and
//! released; now and then one fails, its night is released in part, and the next night builds it. Once a week something is
//! left behind, as kills leave it; one drone is gone for a long time in the middle of a build. All files are real; their times are set to those of the moved clock.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use swarm::controller::finalize::{Extent, finalize};
use swarm::controller::housekeeping::{self, Deed};
use swarm::controller::run::Finish;
use swarm::controller::{Session, now, queue};
use swarm::core::decide::End;
use swarm::core::event::{Event, RunEnd, RunStart};
use swarm::core::names::{PlaybookName, RunId};
use swarm::core::plan::{Plan, PlannedPackage};
use tokio::time::sleep;

use crate::support::push::{Fleet, plan, work_off};

/// So many nights unless SWARM_NIGHTS says otherwise: limits of a fortnight have been reached five times by then.
const NIGHTS: usize = 72;
/// The packages of the world.
const WORLD: usize = 12;
/// So many of them have a new version each night.
const NEW: usize = 3;
/// Each night of this number has one that fails.
const FAILS: usize = 9;
/// In this night the last drone goes away in the middle of a build, and in that one it is back.
const AWAY: std::ops::Range<usize> = 12..50;

const LIMITS: &str = "journal = '14d'\nlogs = '14d'\nstaging = '1d'\nsupport = '14d'\npush_log = '200KiB'\nbuilds = 10\n\
                      runs = 14";

/// The package of the world with this number, in the version of a night.
fn version(number: usize, night: usize) -> PlannedPackage {
    let mut package = plan(1, &[]).packages.remove(0);
    package.identity.cpv = format!("app-lab/world{number}x-1.{night}").parse().unwrap();
    package
}

/// What is new in a night.
fn news(night: usize) -> Vec<PlannedPackage> {
    (0..NEW).map(|step| version((night * NEW + step) % WORLD, night)).collect()
}

fn plan_of(packages: Vec<PlannedPackage>) -> Plan {
    Plan { packages, ..plan(0, &[]) }
}

/// What lies in a directory, each file once, however many names it has: how many, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Use {
    files: u64,
    bytes: u64,
}

fn usage(root: &Path) -> Use {
    let (mut seen, mut used, mut waiting) = (BTreeSet::new(), Use::default(), vec![root.to_owned()]);
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let metadata = entry.metadata().unwrap();
            match metadata.is_dir() {
                true => waiting.push(entry.path()),
                false if seen.insert(metadata.ino()) => {
                    used = Use { files: used.files + 1, bytes: used.bytes + metadata.len() };
                }
                false => {}
            }
        }
    }
    used
}

/// Dates what was written since by the moved clock.
fn date(root: &Path, since: SystemTime) {
    let moved = SystemTime::UNIX_EPOCH + Duration::from_secs(now().0.unsigned_abs());
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                waiting.push(entry.path());
            } else if (since..SystemTime::now()).contains(&metadata.modified().unwrap()) {
                std::fs::File::options().write(true).open(entry.path()).unwrap().set_modified(moved).unwrap();
            }
        }
    }
}

fn write(path: PathBuf, size: usize) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, vec![b'x'; size]).unwrap();
}

/// The record that a playbook leaves.
fn record_run(fleet: &Fleet, session: &mut Session) {
    let playbook: PlaybookName = "nightly-world".parse().unwrap();
    let run = RunId::new(&playbook, now(), 1);
    write(fleet.path("state/runs").join(run.as_str()).join("record.json"), 2000);
    let started = Event::RunStarted(RunStart { run: run.clone(), playbook, due: None, deadline: None, at: now() });
    session.record(&started).unwrap();
    session.record(&Event::RunFinished(RunEnd { run, status: 0, reason: "done".to_owned(), at: now() })).unwrap();
}

/// What a kill, a reset or an exchange of disks may leave.
fn leave_behind(fleet: &Fleet, night: usize) {
    let staging = fleet.path("staging");
    write(staging.join(format!("app-lab/gone{night}/gone{night}-1-1.gpkg.tar")), 5000);
    write(staging.join(format!(".incoming/build{night}-1/gone-1-1.gpkg.tar")), 5000);
    write(staging.join(format!(".support/capella/app-lab/tool{night}/tool{night}-1-1.gpkg.tar")), 5000);
}

/// One night; `late` is what the night before could not build.
async fn night(fleet: &Fleet, night: usize, late: &mut Vec<PlannedPackage>) {
    let fails = night % FAILS == FAILS - 1;
    let mut packages = news(night);
    packages.append(late);
    if fails {
        late.push(packages[0].clone());
        for drone in &fleet.drones {
            drone.fail(packages[0].identity.cpv.as_str(), 1, "cc1: error: it does not compile\n");
        }
    }
    for drone in fleet.drones.iter().filter(|_| !fails) {
        packages.iter().for_each(|package| drone.mend(package.identity.cpv.as_str()));
    }
    let mut session: Session = fleet.session().await;
    let name = queue::build_name(&session).unwrap();
    session.record(&fleet.opening(name.as_str(), plan_of(packages))).unwrap();
    let drone = &fleet.drones[fleet.drones.len() - 1];
    let happens = async {
        if night == AWAY.start {
            while drone.jobs().is_empty() {
                sleep(Duration::from_millis(100)).await;
            }
            drone.vanish();
        }
        std::future::pending().await
    };
    if AWAY.contains(&night) && night > AWAY.start {
        // A session has lines of its own.
        drone.vanish();
    }
    if night == AWAY.end {
        assert_eq!(drone.jobs().len(), 1);
        drone.come_back();
    }
    let finish = work_off(&mut session, None, happens).await.unwrap();
    let (end, extent) = match fails {
        true => (End::SomeFailed, Extent::Partial),
        false => (End::Complete, Extent::Whole),
    };
    assert_eq!(finish, Finish::Ended(end), "night {night}");
    finalize(&mut session, extent, None).await.unwrap();
    let log = fleet.path("state/logs/push.log");
    let said = std::fs::metadata(&log).map_or(0, |log| log.len());
    write(log, usize::try_from(said).unwrap() + 10_000);
    if night % 7 == 3 {
        leave_behind(fleet, night);
    }
    record_run(fleet, &mut session);
    housekeeping::after_run(&mut session).await;
    let answer = housekeeping::prune(&mut session, Deed::Do).await.unwrap();
    assert!(!answer.trouble, "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_year_of_nightly_runs_the_disks_hold_no_more_than_after_half_of_it() {
    let begun = SystemTime::now();
    let nights = std::env::var("SWARM_NIGHTS").ok().and_then(|nights| nights.parse().ok()).unwrap_or(NIGHTS);
    let all = plan_of((0..nights).flat_map(news).collect());
    let fleet = Fleet::new(all, 3).forgetful().direct().limits(LIMITS);
    fleet.workshop.all_take(Duration::from_secs(5));
    let mut used: Vec<[Use; 3]> = Vec::new();
    let mut late = Vec::new();
    for number in 0..nights {
        night(&fleet, number, &mut late).await;
        date(&fleet.path("state/logs"), begun);
        used.push(["state", "staging", "production.releases"].map(|name| usage(&fleet.path(name))));
        tokio::time::advance(Duration::from_secs(24 * 3600)).await;
    }
    for (place, name) in ["state", "staging", "production.releases"].iter().enumerate() {
        for (what, of) in [("files", (|used| used.files) as fn(Use) -> u64), ("bytes", |used| used.bytes)] {
            let most = |quarter: usize| {
                let nights = nights * quarter / 4..nights * (quarter + 1) / 4;
                used[nights].iter().map(|used| of(used[place])).max().unwrap()
            };
            let quarters = [0, 1, 2, 3].map(most);
            println!("{name}, {what}, the most of each quarter: {quarters:?}");
            assert!(quarters[3] * 100 <= quarters[1] * 105, "{name} {what}: {quarters:?}");
        }
    }
    assert_eq!(fleet.workshop.complaints(), Vec::<String>::new());
    fleet.assert_clean();
}
