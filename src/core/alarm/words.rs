//! What is said of each cause: what is wrong, what lets the reader judge it, and the command to run next.
//!
//! What hosts and logs say is made safe and kept short; how long something has lasted is said as a moment, so that the
//! words stay the same while nothing changes.

use super::{Facts, Words};
use crate::core::build::{Attempt, Build, Phase};
use crate::core::decide::End;
use crate::core::names::{HostName, PlaybookName, ReleaseName, Timestamp};
use crate::core::plan::PackageIndex;
use crate::core::state::{Condition, Drone, Finished, LowDisk, Run, State};
use crate::core::status::Moment;
use crate::core::text::{agreeing, counted, printable, shell_word, some};

/// More drones than this are not told one by one.
const DRONES: usize = 12;

/// A package that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed<'a> {
    /// Its build.
    pub build: &'a Build,
    package: PackageIndex,
    attempts: &'a [Attempt],
    last: &'a Attempt,
}

impl<'a> Failed<'a> {
    /// The package, where something was tried in vain.
    pub fn of(build: &'a Build, package: PackageIndex) -> Option<Self> {
        let attempts = build.packages.get(package.index())?.attempts.as_slice();
        Some(Self { build, package, attempts, last: attempts.last()? })
    }

    /// When it failed last, or a build began that does not try it again.
    pub fn at(&self) -> Timestamp {
        self.last.at.max(self.build.started)
    }
}

/// Of a package that cannot be built.
pub(super) fn of_package(failed: &Failed<'_>, facts: &Facts) -> Words {
    let Failed { build, package, attempts, last } = *failed;
    let label = build.label(package);
    let word = shell_word(label);
    let mut drones: Vec<&str> = attempts.iter().map(|attempt| attempt.drone.as_str()).collect();
    drones.sort_unstable();
    drones.dedup();
    let mut lines = vec![
        printable(&last.failure.reason),
        format!("tried {} on {}, last on {} at {}", times(attempts.len()), some(&drones), last.drone, Moment(last.at)),
    ];
    lines.extend(last.log.as_ref().map(|log| format!("log: {}/{log}", facts.directory)));
    let blocked: Vec<&str> = build.blocks(package).into_iter().map(|blocked| build.label(blocked)).collect();
    if !blocked.is_empty() {
        lines.push(format!("blocks {}: {}", blocked.len(), some(&blocked)));
    }
    lines.push(format!("wanted by {}, build {}", build.plan.driver, build.name));
    lines.push(format!("once it is mended: `swarm unblock {word}`, then `swarm push`"));
    Words { headline: format!("{label} failed: {}", last.failure.class), lines, next: format!("swarm logs {word}") }
}

fn times(number: usize) -> String {
    match number {
        1 => "once".to_owned(),
        more => counted(more, "time"),
    }
}

/// Of work that waits while nothing is built.
pub(super) fn of_waiting(state: &State, facts: &Facts, end: Option<End>, since: Timestamp, now: Timestamp) -> Words {
    let waits = what_waits(state);
    let why = match end {
        Some(End::AllDiffer) => "all drones differ from the driver".to_owned(),
        Some(End::NoDrone) => "no drone can take them".to_owned(),
        _ if facts.at_work.is_none() => "no controller is at work".to_owned(),
        _ => "no drone takes what waits".to_owned(),
    };
    let mut lines = vec![format!("nothing was built since {}", Moment(since))];
    if facts.at_work.is_none() {
        lines.push("no controller is at work".to_owned());
    }
    lines.extend(state.drones.iter().take(DRONES).map(|(name, drone)| format!("{name}: {}", stands(drone, now))));
    lines.extend(
        (state.drones.len() > DRONES).then(|| format!("and {}", counted(state.drones.len() - DRONES, "more drone"))),
    );
    lines.extend(state.drones.is_empty().then(|| "no drone is in the inventory".to_owned()));
    let next = match end {
        Some(End::AllDiffer) => "swarm parity",
        Some(End::NoDrone) => "swarm hosts check",
        _ if facts.at_work.is_none() => "swarm push",
        _ => "swarm status",
    };
    Words { headline: format!("{waits}, and nothing is built: {why}"), lines, next: next.to_owned() }
}

fn what_waits(state: &State) -> String {
    let waits = |build: &Build| build.packages.iter().filter(|package| matches!(package.phase, Phase::Needed)).count();
    let queued = state.queue.len();
    match (state.open_build().filter(|build| !build.is_over()).map(waits), queued) {
        (Some(1), 0) => "1 package waits".to_owned(),
        (Some(packages), 0) => format!("{packages} packages wait"),
        (Some(packages), more) => {
            format!("{} and {more} more {} wait", counted(packages, "package"), agreeing(more, "build", "builds"))
        }
        (None, 1) => "1 build waits".to_owned(),
        (None, queued) => format!("{queued} builds wait"),
    }
}

fn stands(drone: &Drone, now: Timestamp) -> String {
    match &drone.condition {
        Condition::Away { reason, since, .. } => format!("since {}: {}", Moment(*since), printable(reason)),
        _ if drone.draining => "drained: `swarm undrain` lets it work".to_owned(),
        Condition::Ready { .. } => match drone.rest_until.filter(|until| *until > now) {
            Some(until) => {
                format!("rests until {} after {} of its own", Moment(until), counted(drone.failures, "failure"))
            }
            None => "could work when it was seen last".to_owned(),
        },
        Condition::Unknown => "not reached yet".to_owned(),
    }
}

/// Of an orchestrator that lacks what is live.
pub(super) fn of_behind(
    orchestrator: &HostName,
    own: Option<&ReleaseName>,
    live: &ReleaseName,
    since: Timestamp,
) -> Words {
    let own = own.map_or("no release of ours", |own| own.as_str());
    Words {
        headline: format!("{orchestrator} lacks the live release"),
        lines: vec![format!("it has {own}; {live} is live since {}", Moment(since))],
        next: "swarm finalize".to_owned(),
    }
}

/// Of a run of a playbook that came to a bad end.
pub(super) fn of_failed_run(playbook: &PlaybookName, run: &Run, finished: &Finished) -> Words {
    Words {
        headline: format!("{playbook} failed: {}", printable(&finished.reason)),
        lines: vec![format!(
            "run {} began at {} and ended at {} with status {}",
            run.id,
            Moment(run.started),
            Moment(finished.at),
            finished.status
        )],
        next: format!("swarm runs {}", run.id),
    }
}

/// Of a run of a playbook that should be over.
pub(super) fn of_lost_run(playbook: &PlaybookName, run: &Run) -> Words {
    let mut lines = vec![format!("run {} began at {}", run.id, Moment(run.started))];
    lines.extend(run.deadline.map(|deadline| format!("its deadline was {}", Moment(deadline))));
    lines.push("it is still at work, or was ended by force".to_owned());
    Words { headline: format!("{playbook} has come to no end"), lines, next: format!("swarm runs {}", run.id) }
}

/// Of a file system of the controller that has too little room.
pub(super) fn of_low_disk(low: &LowDisk, work_waits: bool) -> Words {
    let waits = if work_waits { "; nothing new is built until there is room" } else { "" };
    Words {
        headline: format!("the disk of {} is nearly full", low.what.display()),
        lines: vec![format!("{} MiB were left at {}{waits}", low.free >> 20, Moment(low.since))],
        next: format!("df -h {}", low.what.display()),
    }
}
