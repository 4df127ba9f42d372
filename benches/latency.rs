//! How long a drone has nothing to do between two jobs: from the end of one to the start of the next.
//!
//! A real push of the real controller, with its journal on the disk, over fifty fake drones of this process, each
//! behind an SSH connection, by the real clock. A job takes up to a second; it has ended when its status is there, and
//! the next has begun when its start reaches the drone. In between lie the word that it has ended, its outcome, and
//! claim, resolution and preparation of the next job; Portage's own part of those takes no time at a fake drone.
//!
//! Beside it stands the predecessor's poll, every 10 s: a fixed figure, nothing measured. SWARM_BENCH_JOBS takes another
//! number of jobs for each drone. It ends with status 1 where a figure is beyond its bar.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark may end anywhere")]

mod compare;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod support;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use compare::{Bar, Figure, Row, number, report};
use support::drone::FakeDrone;
use support::push::{Fleet, cpv, plan};
use support::script::Call;

/// The drones, one job at a time each.
const DRONES: usize = 50;
/// So many jobs has each of them unless SWARM_BENCH_JOBS says otherwise.
const JOBS: usize = 20;
/// The predecessor looked for ended jobs once in this time.
const POLL: Duration = Duration::from_secs(10);
const MEDIAN: Duration = Duration::from_millis(100);
const LAST_PERCENT: Duration = Duration::from_millis(250);

fn main() -> ExitCode {
    let jobs = number("SWARM_BENCH_JOBS", JOBS);
    let packages = DRONES * jobs;
    let mut fleet = Fleet::new(plan(packages, &[]), DRONES);
    fleet.directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory on the disk");
    // No two in step: from half a second to a second.
    (0..packages).for_each(|number| fleet.workshop.takes(&cpv(number), job_takes(number)));
    let diaries: Vec<Diary> = fleet.drones.iter().map(Diary::of).collect();
    let pushed = tokio::runtime::Runtime::new().expect("a runtime").block_on(fleet.push());
    fleet.assert_complete_and_compiled_once(&pushed);
    println!("{packages} jobs on {DRONES} drones in {:.1} s", pushed.took.as_secs_f64());
    let gaps: Vec<Gap> = diaries.iter().flat_map(Diary::gaps).collect();
    assert!(gaps.len() * 10 >= (packages - DRONES) * 9, "{} gaps between {packages} jobs", gaps.len());
    for call in [Call::Outcome, Call::Claim, Call::Resolve, Call::Prepare, Call::Start] {
        let after: Vec<Duration> = gaps.iter().filter_map(|gap| gap.until(call)).collect();
        if !after.is_empty() {
            println!("{call:?}, after the end: {:?} at the median, {:?} for 99 of 100", at(&after, 50), at(&after, 99));
        }
    }
    let whole: Vec<Duration> = gaps.iter().filter_map(|gap| gap.until(Call::Start)).collect();
    let row = |share: &str, figure, bar| {
        let what = format!("from a job's end to the next one's start, {DRONES} drones, {share}");
        Row::new(&what, Figure::Time(figure), Bar::Most(Figure::Time(bar)))
            .beside("the predecessor's poll (fixed, not measured)", Some(Figure::Time(POLL)))
    };
    let rows = [row("median", at(&whole, 50), MEDIAN), row("99 of 100", at(&whole, 99), LAST_PERCENT)];
    if report(&rows) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn job_takes(number: usize) -> Duration {
    Duration::from_millis(500 + (number * 7_919 % 500) as u64)
}

/// What this share (of 100) of the times does not exceed.
fn at(times: &[Duration], share: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[(times.len() * share).div_ceil(100) - 1]
}

/// What a drone has seen, in its order.
struct Diary(Arc<Mutex<Vec<(Instant, Seen)>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// A job's build is through; its status is written with this.
    Ended,
    /// A script came.
    Asked(Call),
}

impl Diary {
    fn of(drone: &FakeDrone) -> Self {
        let seen: Arc<Mutex<Vec<(Instant, Seen)>>> = Arc::default();
        let (ends, calls) = (Arc::clone(&seen), Arc::clone(&seen));
        drone.litter(move |_| ends.lock().unwrap().push((Instant::now(), Seen::Ended)));
        drone.spoil_by(move |call| {
            calls.lock().unwrap().push((Instant::now(), Seen::Asked(call)));
            None
        });
        Self(seen)
    }

    /// The times between two jobs.
    fn gaps(&self) -> Vec<Gap> {
        let seen = self.0.lock().unwrap();
        let parts: Vec<_> = seen.split(|(_, what)| *what == Seen::Ended).skip(1).collect();
        let ends = seen.iter().filter(|(_, what)| *what == Seen::Ended);
        let gaps = ends.zip(parts).map(|((end, _), calls)| Gap { end: *end, calls: calls.to_vec() });
        gaps.filter(|gap| gap.until(Call::Start).is_some()).collect()
    }
}

/// What came to a drone between the end of a job and that of the next.
struct Gap {
    end: Instant,
    calls: Vec<(Instant, Seen)>,
}

impl Gap {
    /// How long after the end the first script of this kind came.
    fn until(&self, call: Call) -> Option<Duration> {
        let first = self.calls.iter().find(|(_, what)| *what == Seen::Asked(call));
        first.map(|(moment, _)| moment.duration_since(self.end))
    }
}
