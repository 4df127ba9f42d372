//! Why a package is where it is: a definite answer, down to what each drone has against it, and what can be done.

use super::build::{Build, Phase};
use super::event::{Trouble, Why};
use super::held::Holding;
use super::names::{HostName, Timestamp};
use super::plan::PackageIndex;
use super::spread::{is_refused, most_jobs, spread};
use super::state::{Condition, Drone, Job, State};
use super::status::Moment;
use super::text::{counted, duration, shell_word};

/// So many of a kind are named; the rest is counted.
const NAMED: usize = 10;

/// The answer, a line each, the most important one first; the last one says what the operator can do.
pub fn explain(state: &State, build: &Build, package: PackageIndex, now: Timestamp) -> Vec<String> {
    let label = build.label(package);
    let mut lines = match &build.packages[package.index()].phase {
        Phase::Received(file) => received(build, label, &file.path),
        Phase::Delegated(name) => match state.jobs.get(name) {
            Some(job) => delegated(state, label, job, now),
            None => vec![format!("{label} is delegated to job {name}")],
        },
        Phase::Failed => vec![format!("{label} failed and is not tried again by itself")],
        Phase::Needed if build.is_blocked(package) => blocked(build, package),
        Phase::Needed => needed(state, build, package, now),
    };
    let attempts = &build.packages[package.index()].attempts;
    let at = if lines.len() > 1 { lines.len() - 1 } else { lines.len() };
    let told = attempts.iter().map(|attempt| {
        let log = attempt.log.as_ref().map_or_else(String::new, |log| format!(" ({log})"));
        format!("  tried on {} until {}: {}{log}", attempt.drone, Moment(attempt.at), attempt.failure)
    });
    lines.splice(at..at, told);
    let cycle = build.broken.iter().filter(|(first, later)| [first, later].contains(&&package));
    lines.splice(at..at, cycle.map(|(first, later)| broken(build, *first, *later)));
    if matches!(build.packages[package.index()].phase, Phase::Failed) {
        lines.push(format!("mend the cause, then `swarm unblock {}` tries it again", shell_word(label)));
    }
    lines
}

fn broken(build: &Build, first: PackageIndex, later: PackageIndex) -> String {
    format!(
        "  {} is built before {}, which it needs to build, since they need each other: with what {} has installed of {}",
        build.label(first),
        build.label(later),
        build.plan.driver,
        build.identity(later).cpv.package()
    )
}

fn received(build: &Build, label: &str, path: &str) -> Vec<String> {
    match &build.released {
        Some(release) => vec![format!("{label} is received, as {path}; it went live with release {release}")],
        None if build.is_complete() => {
            vec![format!("{label} is received, as {path}"), "`swarm finalize` makes it live".to_owned()]
        }
        None => vec![
            format!("{label} is received, as {path}"),
            "it goes live with its whole build; `swarm status` says what that still waits for".to_owned(),
        ],
    }
}

fn delegated(state: &State, label: &str, job: &Job, now: Timestamp) -> Vec<String> {
    let lasted = now.seconds_since(job.since);
    let mut lines =
        vec![format!("{label} is delegated to {} since {} ({})", job.drone, Moment(job.since), duration(lasted))];
    lines.extend(job.why.map(|why| format!("  {}, {} wide", reason(why), counted(job.width, "process"))));
    if let Some(Condition::Away { reason, since, .. }) = state.drones.get(&job.drone).map(|drone| &drone.condition) {
        let until = since.0.saturating_add(i64::try_from(state.patience(job, *since)).unwrap_or(i64::MAX));
        lines.push(format!("  {} is away since {}: {reason}", job.drone, Moment(*since)));
        lines.push(format!("another drone gets it where that one is not back by {}", Moment(Timestamp(until))));
    } else {
        lines.push(format!("nothing is to be done; `swarm logs -f {}` shows how it goes", shell_word(label)));
    }
    lines
}

fn reason(why: Why) -> String {
    match why {
        Why::InTime(spare) => {
            format!("it is expected to end in time there, with {} to spare", duration(spare))
        }
        Why::Late(by) => format!("it is late by {} there, which delays the whole least, others counted", duration(by)),
        Why::Alone => "nothing else runs, so it is not to wait".to_owned(),
    }
}

fn blocked(build: &Build, package: PackageIndex) -> Vec<String> {
    let by: Vec<&str> = build.blocked_by(package).into_iter().map(|by| build.label(by)).collect();
    vec![
        format!("{} is blocked: it needs {}, which failed", build.label(package), by.join(", ")),
        format!(
            "`swarm explain {}` says why, `swarm unblock` tries it again",
            shell_word(by.first().copied().unwrap_or("PKG"))
        ),
    ]
}

fn needed(state: &State, build: &Build, package: PackageIndex, now: Timestamp) -> Vec<String> {
    let label = build.label(package);
    let missing: Vec<PackageIndex> =
        build.needs[package.index()].iter().copied().filter(|need| build.received_path(*need).is_none()).collect();
    if !missing.is_empty() {
        return waiting(state, build, label, &missing);
    }
    let mut lines = vec![format!("{label} has all that it needs and waits for a drone")];
    let placement = spread(state, build, now).into_iter().find(|placement| placement.package == package);
    let mut able = false;
    for (name, drone) in &state.drones {
        let against = objection(state, build, package, name, drone, now);
        able |= against.is_none();
        let chosen = placement.as_ref().filter(|placement| placement.drone == *name);
        let stands = against.unwrap_or_else(|| match (chosen, &placement) {
            (Some(chosen), _) => format!("gets it now: {}", reason(chosen.why)),
            (None, Some(_)) => "could take it, another place is better".to_owned(),
            (None, None) => "has room, but a place that is busy now, or what is more urgent, is waited for".to_owned(),
        });
        lines.push(format!("  {name}: {stands}"));
    }
    lines.push(match (state.drones.is_empty(), able) {
        (true, _) => "no drone is in the inventory: add one".to_owned(),
        (false, true) => "`swarm push` gives it away, where none is at work".to_owned(),
        (false, false) => {
            "it is given away by itself once a drone can take it; `swarm hosts check` looks at them".to_owned()
        }
    });
    lines
}

fn waiting(state: &State, build: &Build, label: &str, missing: &[PackageIndex]) -> Vec<String> {
    let mut lines = vec![format!("{label} waits for {} of what it needs", missing.len())];
    lines.extend(missing.iter().take(NAMED).map(|need| {
        let stands = match &build.packages[need.index()].phase {
            Phase::Delegated(job) => {
                let drone = state.jobs.get(job).map_or_else(String::new, |job| format!(" to {}", job.drone));
                format!("delegated{drone}")
            }
            Phase::Needed | Phase::Failed | Phase::Received(_) => "needed".to_owned(),
        };
        format!("  {} is {stands}", build.label(*need))
    }));
    if missing.len() > NAMED {
        lines.push(format!("  and {} more", missing.len() - NAMED));
    }
    let first = shell_word(missing.first().map_or("", |need| build.label(*need)));
    lines.push(format!("nothing is to be done for it; `swarm explain {first}` says what that waits for"));
    lines
}

/// What keeps this drone from taking the package now.
fn objection(
    state: &State,
    build: &Build,
    package: PackageIndex,
    name: &HostName,
    drone: &Drone,
    now: Timestamp,
) -> Option<String> {
    match &drone.condition {
        Condition::Unknown => return Some("has not been reached yet".to_owned()),
        Condition::Away { trouble, reason, .. } => {
            let word = match trouble {
                Trouble::Unreachable => "cannot be reached",
                Trouble::Refused => "is refused",
                Trouble::Differs => "would build something otherwise than planned",
                Trouble::Unwell => "is not well",
                Trouble::LeftOut => "is left out",
            };
            return Some(format!("{word}: {reason}"));
        }
        Condition::Ready { .. } => {}
    }
    if drone.draining {
        return Some("is drained: `swarm undrain` lets it work".to_owned());
    }
    if let Some(until) = drone.rest_until.filter(|until| *until > now) {
        return Some(format!(
            "is grounded until {} after {} of its own",
            Moment(until),
            counted(drone.failures, "failure")
        ));
    }
    if Holding::of(state, drone, state.jobs_on(name).map(|(_, job)| job)).forbids(build, package) {
        let why = "has a job that was linked against what this one would replace there (it has no clean rooms)";
        return Some(why.to_owned());
    }
    let busy = state.jobs_on(name).count();
    if let Some(most) = most_jobs(drone).filter(|most| busy >= *most as usize) {
        return Some(format!("has no room: {busy} of {}", counted(most, "job")));
    }
    if let Some(own) = drone.memory() {
        let of = |package: PackageIndex| build.graph().cost(package.0).memory;
        let used: u64 = state.jobs_on(name).map(|(_, job)| of(job.package)).sum();
        let (wanted, free) = (of(package), own.saturating_sub(used));
        if wanted > free && (busy > 0 || wanted > own) {
            return Some(format!(
                "has too little memory: it is taken to need {wanted} MiB, and {free} of {own} are free"
            ));
        }
    }
    let refused = is_refused(state, build, package, name);
    refused.then(|| "has failed at it, or has no more memory than one that has; another is tried first".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::decide::{Start, decide};
    use crate::core::event::{Event, Rooms};
    use crate::core::simulation::{opened, plan};

    #[test]
    fn a_place_is_explained_as_the_scheduler_saw_it_before_and_after_the_start() {
        let mut state = opened(plan(2, &[(1, 0)]), &[(8, 1), (2, 1)]);
        let of =
            |state: &State, package| explain(state, state.open_build().unwrap(), PackageIndex(package), Timestamp(2));
        let before = of(&state, 0).join("\n");
        assert!(before.contains("drone0: gets it now: "), "{before}");
        assert!(before.contains("drone1: could take it, another place is better"), "{before}");
        let start = decide(&state, Timestamp(2)).starts.remove(0);
        let event = Start { why: Why::Late(7), ..start }.event(Timestamp(2));
        state.apply(&event).unwrap();
        let after = of(&state, 0).join("\n");
        assert!(
            after.contains("is delegated to drone0")
                && after.contains("late by 7 s there")
                && after.contains(", 8 processes wide"),
            "{after}"
        );
        assert!(of(&state, 1).join("\n").contains("waits for 1 of what it needs"));
    }

    #[test]
    fn want_of_memory_is_explained_with_what_it_needs_and_what_is_free() {
        let mut state = opened(plan(1, &[]), &[(8, 1)]);
        let (drone, rooms) = ("drone0".parse().unwrap(), Rooms::Own);
        state
            .apply(&Event::DroneReady { drone, address: None, rooms, memory_mib: Some(600), configuration: None })
            .unwrap();
        let told = explain(&state, state.open_build().unwrap(), PackageIndex(0), Timestamp(2)).join("\n");
        assert!(told.contains("taken to need 1024 MiB, and 600 of 600 are free"), "{told}");
    }
}
