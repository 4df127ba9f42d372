//! How far a standby is behind its leader, over a real sshd on the loopback.
//!
//! 1. Ten packages of 1 MB a second for a minute: of each, how long after its event was in the leader's journal the
//!    standby had told that it has event and package.
//! 2. A standby that was away catches up on 1,000 packages, and is killed in the middle of it: how long that takes, and
//!    how many bytes of packages come in all. The bytes are those by which its files grow.
//!
//! It ends with status 1 where a figure is beyond its bar. Needs sshd, and /run/sshd, as the tests of SSH do.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a benchmark may end anywhere")]

#[path = "../tests/program/standby/site.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod site;
#[path = "../tests/program/sshd.rs"]
#[expect(dead_code, reason = "its other half is for the tests")]
mod sshd;
#[path = "../tests/program/standby/way.rs"]
mod way;

use std::collections::VecDeque;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use swarm::core::names::HostName;
use swarm::ssh::RemoteHost;
use swarm::standby::follow::follow;
use swarm::standby::peer::Peer;
use swarm::standby::progress;
use swarm::standby::serve::{Resign, Socket};
use swarm::store::Journal;

use site::{Controller, Site};
use sshd::Sshd;
use way::Counted;

/// How long packages come.
const MINUTE: Duration = Duration::from_secs(60);
/// So many in a second.
const RATE: usize = 10;
/// The size of each.
const SIZE: usize = 1_000_000;
/// The longest that a standby may be behind.
const LONGEST: Duration = Duration::from_secs(2);
/// So many packages a standby that was away has missed.
const MISSED: usize = 1_000;
/// The size of each.
const SMALL: usize = 100_000;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// No controller is asked to stand down here.
fn nobody() -> Resign {
    tokio::sync::mpsc::channel(1).0
}

fn own() -> HostName {
    "tarn".parse().expect("a name")
}

fn begin_to_follow(standby: &Site, leader: Peer) {
    let ground = standby.ground();
    tokio::spawn(async move {
        let Err(error) = follow(ground, own(), leader).await;
        eprintln!("it follows no more: {error}");
    });
}

fn last(site: &Site) -> i64 {
    let journal = Journal::open_to_read(&site.path("state")).expect("a journal").expect("a journal");
    journal.last().expect("it can be read")
}

/// What the standby has told.
fn has(leader: &Site) -> i64 {
    progress::read(&leader.path("state"), &own()).map_or(0, |progress| progress.has)
}

/// Receives packages at the rate; how long the standby took for each.
async fn stream(leader: &Site, controller: &mut Controller) -> Vec<Duration> {
    let (mut lags, mut waiting) = (Vec::new(), VecDeque::new());
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed() < MINUTE || !waiting.is_empty() {
        let next = begun + Duration::from_secs(1) / RATE as u32 * number as u32;
        if begun.elapsed() < MINUTE && Instant::now() >= next {
            controller.receive(number, SIZE);
            number += 1;
            waiting.push_back((last(leader), Instant::now()));
        }
        let has = has(leader);
        while let Some((_, since)) = waiting.front().copied().filter(|(event, _)| *event <= has) {
            waiting.pop_front();
            lags.push(since.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("{number} packages of {SIZE} bytes in {:.1} s", begun.elapsed().as_secs_f64());
    lags
}

fn lag() -> bool {
    let sshd = Sshd::start();
    let (leader, standby) = (Site::new(), Site::new());
    let mut lags = runtime().block_on(async {
        let _socket = Socket::open(leader.ground(), nobody()).expect("a socket");
        let mut controller = leader.controller().await;
        controller.open(RATE * MINUTE.as_secs() as usize + 1);
        let way = Counted::new(RemoteHost::new(&sshd.destination()), u64::MAX);
        begin_to_follow(&standby, leader.peer("izar", 100, way));
        while has(&leader) < last(&leader) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stream(&leader, &mut controller).await
    });
    lags.sort_unstable();
    let at = |share: usize| lags[(lags.len() - 1) * share / 100].as_millis();
    println!(
        "the standby had each after {} ms at the median, {} ms at the 99th percentile, {} ms at the latest",
        at(50),
        at(99),
        at(100)
    );
    lags.last().is_some_and(|worst| *worst < LONGEST)
}

fn catch_up() -> bool {
    let sshd = Sshd::start();
    let (leader, standby) = (Site::new(), Site::new());
    let leading = runtime();
    let _socket = leading.block_on(async {
        let socket = Socket::open(leader.ground(), nobody()).expect("a socket");
        let mut controller = leader.controller().await;
        controller.open(MISSED);
        (0..MISSED).for_each(|number| drop(controller.receive(number, SMALL)));
        socket
    });
    let whole = (MISSED * SMALL) as u64;
    let (mut come, mut took) = (0, Duration::ZERO);
    for limit in [whole / 3, whole / 3, u64::MAX] {
        // Each life has a runtime of its own, and with that threads, connections and an end, as a process has.
        let life = runtime();
        let way = Counted::new(RemoteHost::new(&sshd.destination()), limit);
        let begun = Instant::now();
        life.block_on(async {
            begin_to_follow(&standby, leader.peer("izar", 100, way.clone()));
            let even = async {
                while last(&standby) < last(&leader) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            // There is no journal in the first moment.
            tokio::time::sleep(Duration::from_millis(200)).await;
            tokio::select! {
                () = way.enough() => {}
                () = even => {}
            }
        });
        took += begun.elapsed();
        drop(life);
        come += way.come();
    }
    println!(
        "{MISSED} packages of {SMALL} bytes caught up in {:.1} s, killed twice: {come} bytes came for {whole}",
        took.as_secs_f64()
    );
    come == whole && leader.events() == standby.events() && leader.staged() == standby.staged()
}

fn main() -> ExitCode {
    let good = [lag(), catch_up()].into_iter().all(|good| good);
    println!("{}", if good { "within the bars" } else { "BEYOND A BAR" });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
