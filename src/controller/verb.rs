//! What an operator can ask of a build while it goes on, or between two pushes: the same whether a controller is at
//! work and told through its socket, or the verb itself takes the lock.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::ControlError;
use super::finalize::{Extent, finalize};
use super::housekeeping::{self, Deed};
use super::publish::{Errand, Whom};
use super::session::{Session, now};
use super::{queue, reuse, rollback};
use crate::core::build::{Build, Phase};
use crate::core::decide::decide;
use crate::core::event::{Event, RunEnd, RunStart};
use crate::core::names::{BuildName, HostName, ReleaseName};
use crate::core::order::Submission;
use crate::core::plan::PackageIndex;
use crate::core::spread::most_jobs;
use crate::core::state::{Condition, NotClear};
use crate::schedule::estimate::Sample;

/// A wish.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Verb {
    /// Spread the waiting work anew.
    Balance,
    /// Try failed packages, and what they block, again; all where none is named. Grounded drones may work again.
    Unblock {
        /// Packages as people name them.
        packages: Vec<String>,
    },
    /// Forget the open build, or another that is not released; its jobs are ended.
    Reset {
        /// Which.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        build: Option<BuildName>,
    },
    /// Give these drones no new work.
    Drain {
        /// The drones.
        drones: Vec<HostName>,
    },
    /// Let these drones work again.
    Undrain {
        /// The drones.
        drones: Vec<HostName>,
    },
    /// Release the open build, or of an incomplete one what can go live.
    Finalize {
        /// Whether a part of it will do.
        partial: bool,
        /// Which build, where it is not the open one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        build: Option<BuildName>,
        /// With more failed packages than this nothing is released.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_failed: Option<u32>,
        /// Whether it is well that there is nothing to release.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        if_any: bool,
    },
    /// Work this off once those before it are.
    Submit(Box<Submission>),
    /// Make what an earlier release held live again.
    Rollback {
        /// Which; none is the nearest one that was not left before.
        release: Option<ReleaseName>,
    },
    /// Keep what piles up to the limits of the inventory, releases among it.
    Prune {
        /// Whether it is only told what would go.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
    },
    /// Learn from builds of other days.
    Import {
        /// The builds.
        samples: Vec<Sample>,
    },
    /// Write down that an unattended run begins.
    RunStarted(RunStart),
    /// Write down that one is over.
    RunFinished(RunEnd),
}

/// What a wish came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// What the operator is told, a line each.
    pub lines: Vec<String>,
    /// The build that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildName>,
    /// Whether it could be done here, and yet not all of what it is for.
    #[serde(default)]
    pub trouble: bool,
}

impl Answer {
    /// One of nothing but these lines.
    pub fn of(lines: Vec<String>) -> Self {
        Self { lines, ..Self::default() }
    }
}

impl Verb {
    /// Whether what is live may be another release after it, which is then to be brought to the orchestrators.
    pub fn releases(&self) -> bool {
        matches!(self, Self::Finalize { .. } | Self::Rollback { .. })
    }

    /// How long it may take to carry it out, at the most.
    pub fn patience(&self) -> Duration {
        match self {
            // To an orchestrator behind a slow line a release may be on its way for hours.
            Self::Finalize { .. } | Self::Rollback { .. } => Duration::from_secs(24 * 3600),
            Self::Prune { .. } => Duration::from_secs(600),
            Self::Balance
            | Self::Unblock { .. }
            | Self::Reset { .. }
            | Self::Submit(_)
            | Self::Drain { .. }
            | Self::Undrain { .. }
            | Self::Import { .. }
            | Self::RunStarted { .. }
            | Self::RunFinished { .. } => Duration::from_secs(30),
        }
    }
}

/// Carries a wish out, as far as the books go.
///
/// # Errors
/// When it does not fit what is there.
pub async fn carry_out(session: &mut Session, verb: &Verb) -> Result<Answer, ControlError> {
    let lines = match verb {
        Verb::Submit(submission) => return queue::submit(session, submission),
        Verb::Prune { dry_run } => {
            let deed = if *dry_run { Deed::Look } else { Deed::Do };
            return housekeeping::prune(session, deed).await;
        }
        Verb::Finalize { partial, build, max_failed, if_any } => {
            if let Some(most) = max_failed {
                refuse_failures(session, build.as_ref(), *most)?;
            }
            match release(session, *partial, build.as_ref()).await {
                Err(ControlError::Nothing(why)) if *if_any => Ok(vec![why]),
                released => released,
            }
        }
        Verb::Rollback { release } => rollback::roll_back(session, release.as_ref()).await,
        Verb::Balance => Ok(balance(session)),
        Verb::Unblock { packages } => unblock(session, packages),
        Verb::Reset { build } => reset(session, build.as_ref()),
        Verb::Drain { drones } => drain(session, drones, true),
        Verb::Undrain { drones } => drain(session, drones, false),
        Verb::Import { samples } => {
            session.record(&Event::HistoryImported { samples: samples.clone() }).map(|()| Vec::new())
        }
        Verb::RunStarted(start) => {
            if !session.state().is_at_work(&start.run) {
                session.record(&Event::RunStarted(start.clone()))?;
            }
            Ok(Vec::new())
        }
        Verb::RunFinished(end) => {
            if session.state().is_at_work(&end.run) {
                session.record(&Event::RunFinished(end.clone()))?;
            }
            Ok(Vec::new())
        }
    };
    lines.map(Answer::of)
}

async fn release(session: &mut Session, partial: bool, build: Option<&BuildName>) -> Result<Vec<String>, ControlError> {
    let extent = if partial { Extent::Partial } else { Extent::Whole };
    // With nothing to release, what is live is still to be on every orchestrator.
    let nothing = matches!(session.state().to_release(build), Err(NotClear::None));
    if nothing && Errand::new(session, Whom::All)?.is_some() {
        return Ok(vec!["nothing waits for its release; each orchestrator is looked at".to_owned()]);
    }
    Ok(finalize(session, extent, build).await?.lines())
}

/// So many failures may mean that something is wrong with all of it.
fn refuse_failures(session: &Session, build: Option<&BuildName>, most: u32) -> Result<(), ControlError> {
    let Ok(build) = session.state().to_release(build) else { return Ok(()) };
    let failed = build.packages.iter().filter(|package| matches!(package.phase, Phase::Failed)).count();
    if failed <= usize::try_from(most).unwrap_or(usize::MAX) {
        return Ok(());
    }
    Err(ControlError::Refused(format!(
        "{failed} packages of build {} have failed, more than {most}: nothing was released. `swarm status` names them, \
         `swarm finalize --partial` releases what can do without them all the same",
        build.name
    )))
}

fn no_build() -> ControlError {
    ControlError::Nothing("no build is open: `swarm push ATOM` begins one".to_owned())
}

/// Work waits in no drone's queue: each package is given away when the scheduler has a place for it. So nothing has
/// to be taken from anybody; what would be given away now is told.
fn balance(session: &Session) -> Vec<String> {
    let state = session.state();
    let Some(build) = state.open_build() else { return vec!["no build is open, so nothing waits".to_owned()] };
    let waiting = build.packages.iter().filter(|package| matches!(package.phase, Phase::Needed)).count();
    let mut lines = vec![format!("{waiting} packages wait, {} of them can start", build.ready().count())];
    for start in decide(state, now()).starts {
        lines.push(format!("  {} goes to {}", build.label(start.package), start.drone));
    }
    for (name, drone) in &state.drones {
        let (busy, jobs) = (state.jobs_on(name).count(), most_jobs(drone));
        let jobs = jobs.map_or_else(String::new, |most| format!(" of {most}"));
        let ready = matches!(drone.condition, Condition::Ready { .. });
        let note = if ready { "" } else { ", and cannot take work now: `swarm status` says why" };
        lines.push(format!("  {name}: {busy}{jobs} jobs on {} cores{note}", drone.spec.cores));
    }
    lines
}

fn unblock(session: &mut Session, names: &[String]) -> Result<Vec<String>, ControlError> {
    let build = session.state().open_build().ok_or_else(no_build)?;
    let mut packages = BTreeSet::new();
    for name in names {
        let package = build.find(name).map_err(|error| ControlError::Refused(error.to_string()))?;
        match &build.packages[package.index()].phase {
            Phase::Failed => packages.extend([package]),
            Phase::Needed if build.is_blocked(package) => packages.extend(build.blocked_by(package)),
            Phase::Needed | Phase::Delegated(_) | Phase::Received(_) => {
                let label = build.label(package);
                return Err(ControlError::Refused(format!(
                    "{label} has neither failed nor is it blocked: `swarm explain {label}` says what it waits for"
                )));
            }
        }
    }
    let failed = |package: &PackageIndex| matches!(build.packages[package.index()].phase, Phase::Failed);
    let retried = (0..build.packages.len()).map(PackageIndex::at).filter(failed);
    let retried: Vec<String> = retried
        .filter(|package| packages.is_empty() || packages.contains(package))
        .map(|package| build.label(package).to_owned())
        .collect();
    session.record(&Event::RetryAsked { packages, at: now() })?;
    if retried.is_empty() {
        return Ok(vec!["no package has failed; grounded drones may work again".to_owned()]);
    }
    Ok(vec![format!("needed again: {}", retried.join(", "))])
}

fn reset(session: &mut Session, build: Option<&BuildName>) -> Result<Vec<String>, ControlError> {
    let name = session.state().to_forget(build)?.clone();
    let received = session.state().builds.get(&name).into_iter().flat_map(Build::received);
    let files: Vec<String> = received.map(|(_, file)| file.path.clone()).collect();
    session.record(&Event::BuildForgotten { build: name.clone(), at: now() })?;
    reuse::unstage(session, &files)?;
    Ok(vec![format!("build {name} is forgotten, with {} received packages; what is live stays as it is", files.len())])
}

fn drain(session: &mut Session, drones: &[HostName], drain: bool) -> Result<Vec<String>, ControlError> {
    let mut lines = Vec::new();
    for drone in drones {
        let Some(known) = session.state().drones.get(drone) else {
            return Err(ControlError::Refused(format!("{drone} is no drone of the inventory")));
        };
        if known.draining != drain {
            session.record(&Event::DrainAsked { drone: drone.clone(), drain, at: now() })?;
        }
        let running = session.state().jobs_on(drone).count();
        lines.push(match (drain, running) {
            (true, 0) => format!("{drone} gets no new work and has none"),
            (true, running) => format!("{drone} gets no new work; {running} of its jobs go on to their end"),
            (false, _) => format!("{drone} may work again"),
        });
    }
    Ok(lines)
}
