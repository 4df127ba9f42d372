//! A controller's regular look at a drone: it claims or renews its epoch there, and sees whether the drone is well.
//!
//! A claim is refused while another controller's lease lives; once it is over, a claim above its epoch is good.

use super::configuration::parent;
use super::{MARK, ask};
use crate::core::names::{HostName, Revision};
use crate::epoch::{Claimant, EPOCH, LEASE, Visitor};
use crate::ssh::{Host, HostError, Script};

/// With less free space (KiB) than this no build can end well.
const LEAST_SPACE_KIB: u64 = 512 << 10;
/// With less memory to be had (KiB) than this every compiler is in danger.
const LEAST_MEMORY_KIB: u64 = 256 << 10;
/// Clocks so far apart (seconds) make timestamps of sources and objects lie.
const MOST_CLOCK_SKEW: u64 = 120;
/// More runnable processes than so many for each core and these besides, while nothing of ours runs, are somebody
/// else's work. Both the mean of the last minute and this moment count: the mean still knows what we did ourselves.
const MOST_FOREIGN_LOAD: f64 = 3.0;
const SOME_FOREIGN_LOAD: f64 = 4.0;

/// What came of the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The drone is ours; before, it was this claimant's, where anybody had claimed it.
    Ours(Option<Claimant>),
    /// A lease of another controller lives, for so many seconds more.
    Held(Claimant, u64),
    /// Another controller has claimed an epoch that is not below ours, and its lease is over.
    Outranked(Claimant),
    /// It has lost its record of who may use it, and whoever is elected must not take it before it has been told.
    Unknown,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sight {
    /// What came of the claim; none where the drone's file system takes no writes.
    pub claimed: Option<Claimed>,
    /// Its clock, in seconds since 1970.
    clock: Option<i64>,
    load: Option<f64>,
    memory_kib: Option<u64>,
    whole_memory_kib: Option<u64>,
    space_kib: Option<u64>,
    read_only: bool,
    foreign_emerge: Option<u32>,
    /// The revision of the driver's configuration that counts there, where that was asked and one was brought.
    pub configuration: Option<Revision>,
}

/// The driver's configuration on a drone, as far as it concerns a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Brought<'a> {
    /// The driver; none where nothing is to be built.
    pub driver: Option<&'a HostName>,
    /// The revision that jobs are given; none asks which one counts.
    pub revision: Option<&'a Revision>,
}

/// Looks at a drone, and keeps the driver's configuration that its jobs build with from being cleared away.
///
/// # Errors
/// When it is lost, or its epoch file cannot be used.
pub async fn look(host: &dyn Host, workdir: &str, visitor: &Visitor, brought: Brought<'_>) -> Result<Sight, HostError> {
    let script = Script::new(format!("{EPOCH}{}", include_str!("tend.sh")))
        .set("mark", MARK)
        .set("workdir", workdir)
        .set("configurations", &brought.driver.map(|driver| parent(workdir, driver)).unwrap_or_default())
        .set("configuration", brought.revision.map_or("", Revision::as_str))
        .set("lease_seconds", &LEASE.as_secs().to_string());
    let (script, doing) = (visitor.introduce(script), format!("looking at {workdir}"));
    ask(host, &script, &doing, |lines| Some(read(lines)).filter(|sight| sight.claimed.is_some() || sight.read_only))
        .await
}

pub(crate) fn read(lines: &[Vec<String>]) -> Sight {
    let mut sight = Sight {
        claimed: None,
        clock: None,
        load: None,
        memory_kib: None,
        whole_memory_kib: None,
        space_kib: None,
        read_only: false,
        foreign_emerge: None,
        configuration: None,
    };
    for line in lines {
        match line.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["clock", value] => sight.clock = value.parse().ok(),
            ["load", mean, now] => sight.load = lower(mean, now),
            ["memory", value] => sight.memory_kib = value.parse().ok(),
            ["whole", value] => sight.whole_memory_kib = value.parse().ok(),
            ["space", value] => sight.space_kib = value.parse().ok(),
            ["configuration", revision] => sight.configuration = revision.parse().ok(),
            ["readonly"] => sight.read_only = true,
            ["unknown"] => sight.claimed = Some(Claimed::Unknown),
            ["emerge", pid] => sight.foreign_emerge = pid.parse().ok(),
            ["ours"] | ["ours", _] => sight.claimed = Some(Claimed::Ours(None)),
            ["ours", epoch, controller] => {
                sight.claimed = Some(Claimed::Ours(Some(Claimant::read(epoch, Some(controller)))));
            }
            ["held", epoch, controller, seconds] => {
                let claimant = Claimant::read(epoch, Some(controller));
                sight.claimed = Some(Claimed::Held(claimant, seconds.parse().unwrap_or(LEASE.as_secs())));
            }
            ["outranked", epoch, controller @ ..] => {
                let claimant = Claimant::read(epoch, controller.first().copied());
                sight.claimed = Some(Claimed::Outranked(claimant));
            }
            _ => {}
        }
    }
    sight
}

fn lower(mean: &str, now: &str) -> Option<f64> {
    Some(mean.parse::<f64>().ok()?.min(now.parse().ok()?))
}

/// What is needed to judge what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circumstances {
    /// This side's clock right before the look, in seconds since 1970.
    pub before: i64,
    /// And right after it.
    pub after: i64,
    /// The drone's cores.
    pub cores: u32,
    /// How many jobs of ours run there.
    pub jobs: usize,
}

impl Sight {
    /// The memory that the drone has, in MiB.
    pub fn whole_memory_mib(&self) -> Option<u64> {
        self.whole_memory_kib.map(|memory| memory >> 10)
    }

    /// What keeps the drone from taking work; none where it is well.
    pub fn trouble(&self, circumstances: &Circumstances) -> Option<String> {
        if let Some(free) = self.space_kib.filter(|free| *free < LEAST_SPACE_KIB) {
            return Some(format!(
                "only {} MiB are free in its work directory, {} are wanted",
                free >> 10,
                LEAST_SPACE_KIB >> 10
            ));
        }
        if self.read_only {
            return Some("its work directory takes no writes: is the file system read-only?".to_owned());
        }
        if let Some(free) = self.memory_kib.filter(|free| *free < LEAST_MEMORY_KIB) {
            return Some(format!(
                "only {} MiB of memory are to be had, {} are wanted",
                free >> 10,
                LEAST_MEMORY_KIB >> 10
            ));
        }
        if let Some(skew) = self.clock.map(|clock| skew(clock, circumstances)).filter(|skew| *skew > MOST_CLOCK_SKEW) {
            return Some(format!("its clock is off by {skew} s: set it, best by NTP"));
        }
        if let Some(pid) = self.foreign_emerge {
            return Some(format!("somebody else's emerge (process {pid}) is at work there"));
        }
        let most = MOST_FOREIGN_LOAD.mul_add(f64::from(circumstances.cores), SOME_FOREIGN_LOAD);
        if let Some(load) = self.load.filter(|load| circumstances.jobs == 0 && *load > most) {
            return Some(format!("its load is {load} and nothing of it is ours"));
        }
        None
    }
}

/// The least distance of a clock from an interval, in seconds.
fn skew(clock: i64, circumstances: &Circumstances) -> u64 {
    if clock < circumstances.before {
        clock.abs_diff(circumstances.before)
    } else if clock > circumstances.after {
        clock.abs_diff(circumstances.after)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::names::Epoch;

    fn lines(text: &str) -> Vec<Vec<String>> {
        text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn a_drone_is_unwell_by_the_first_thing_that_an_operator_would_mend() {
        let cases = [
            ("clock 1000\nload 99.0 2\nmemory 4000000\nspace 9000000\nours", None),
            ("readonly", Some("read-only")),
            ("space 12\nreadonly", Some("free in its work directory")),
            ("space 1000\nours", Some("free in its work directory")),
            ("memory 1000\nours", Some("memory")),
            ("clock 1300\nours", Some("clock is off by 290 s")),
            ("clock 700\nours", Some("clock is off by 300 s")),
            ("emerge 77\nours", Some("process 77")),
            ("load 99.5 120\nours", Some("load is 99.5")),
            ("nonsense\nload x\nclock\nours", None),
        ];
        let circumstances = Circumstances { before: 1000, after: 1010, cores: 8, jobs: 0 };
        for (text, expected) in cases {
            let trouble = read(&lines(text)).trouble(&circumstances);
            match expected {
                None => assert_eq!(trouble, None, "{text}"),
                Some(words) => assert!(trouble.clone().is_some_and(|said| said.contains(words)), "{text}: {trouble:?}"),
            }
        }
    }

    #[test]
    fn a_claim_that_makes_no_sense_is_not_overruled() {
        let sight = read(&lines("outranked many someone"));
        let Some(Claimed::Outranked(claimant)) = sight.claimed else { panic!("{sight:?}") };
        assert_eq!(claimant.epoch, Epoch(u64::MAX));
    }
}
