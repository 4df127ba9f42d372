//! What a controller costs while it has nothing to do: 200 fake drones of this process build one long job each of a
//! build of 20,000 packages, with flags and names as real ones have. Memory (at its highest, and once it is at rest) and
//! processor are those of the whole process, so the fake drones count as well, and their halves of the connections where
//! SWARM_BENCH_SSH is set: without it they are reached without SSH.
//!
//! SWARM_BENCH_SECONDS is how long it is looked at. It ends with status 1 where a figure is beyond its bar.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark may end anywhere")]

mod compare;
#[expect(dead_code, reason = "other benchmarks use more of it")]
mod fleet;
#[path = "../tests/support/mod.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use compare::{Bar, Figure, Row, number, report};
use support::push::Fleet;
use support::script::Call;

const DRONES: usize = 200;
const PACKAGES: usize = 20_000;
const MOST_MEMORY: u64 = 150 << 20;
/// In hundredths of one core.
const MOST_WORK: f64 = 1.0;
/// What the beginning left to be done is over by then.
const SETTLED: Duration = Duration::from_secs(20);

fn main() {
    let seconds = number("SWARM_BENCH_SECONDS", 60) as u64;
    let fleet = Fleet::new(fleet::plan(0, PACKAGES), DRONES).forgetful();
    let fleet = if std::env::var_os("SWARM_BENCH_SSH").is_some() { fleet } else { fleet.direct() };
    fleet.workshop.all_take(Duration::from_secs(100_000));
    let fixture = memory("VmRSS");
    let started = Arc::new(AtomicUsize::new(0));
    for drone in &fleet.drones {
        let started = Arc::clone(&started);
        drone.spoil_by(move |call| {
            started.fetch_add(usize::from(call == Call::Start), Ordering::Relaxed);
            None
        });
    }
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        fleet.push_while(look(&started, Duration::from_secs(seconds), fixture)).await;
    });
}

async fn look(started: &AtomicUsize, time: Duration, fixture: u64) {
    while started.load(Ordering::Relaxed) < DRONES {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(SETTLED).await;
    let before = busy();
    tokio::time::sleep(time).await;
    let share = (busy() - before).as_secs_f64() / time.as_secs_f64() * 100.0;
    let what = |figure: &str| format!("idle, {DRONES} drones that build, {PACKAGES} packages: {figure}");
    let good = report(&[
        Row::new(&what("memory"), Figure::Size(memory("VmRSS")), Bar::Most(Figure::Size(MOST_MEMORY))),
        Row::new(&what("the drones with the plan, before it begins"), Figure::Size(fixture), Bar::None),
        Row::new(&what("memory at its highest"), Figure::Size(memory("VmHWM")), Bar::None),
        Row::new(&what("of one core"), Figure::Percent(share), Bar::Most(Figure::Percent(MOST_WORK))),
    ]);
    // The jobs last for a day, and nobody waits for them.
    std::process::exit(i32::from(!good));
}

/// What this process has had a processor for: proc_pid_stat(5), in hundredths of a second.
fn busy() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the system says");
    let behind_name = stat.rsplit(')').next().unwrap();
    let ticks: u64 = behind_name.split_whitespace().skip(11).take(2).map(|text| text.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// What is resident, now or at its highest: proc_pid_status(5), in bytes.
fn memory(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the system says");
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':')).expect("what is resident");
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}
