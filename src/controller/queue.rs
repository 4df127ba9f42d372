//! Builds that wait for their turn: how one comes into the queue, and out of it.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::error::ControlError;
use super::reuse;
use super::session::{Session, now};
use super::verb::Answer;
use crate::core::build::Attempt;
use crate::core::event::{Event, ReceivedFile, Selection};
use crate::core::names::BuildName;
use crate::core::order::Submission;
use crate::core::plan::{PackageIndex, Plan};
use crate::core::text::some;
use crate::portage::index::Stanza;

/// Writes down a build that is asked for, unless the same is under way already; the answer names the one or the other,
/// or none where nothing is to be built.
///
/// # Errors
/// The driver is none of the inventory's, or the journal cannot be written.
pub fn submit(session: &mut Session, submission: &Submission) -> Result<Answer, ControlError> {
    let Submission { selection, plan, finalize, rebuild } = submission;
    if session.inventory.host(&plan.driver).is_none() {
        return Err(ControlError::Refused(format!(
            "the driver {} is no host of this controller's inventory: a `[hosts.{}]` says how it is reached",
            plan.driver, plan.driver
        )));
    }
    if plan.packages.is_empty() {
        return Ok(Answer::of(vec!["nothing is to be built: the driver has all of it".to_owned()]));
    }
    let anew = |name: &BuildName| is_built_anew(session, name);
    if let Some(same) = session.state().same(selection, plan).filter(|name| !rebuild || anew(name)).cloned() {
        if *finalize {
            ask_to_finalize(session, &same)?;
        }
        let line = format!("build {same} of {selection} for {} is under way already", plan.driver);
        return Ok(Answer { build: Some(same), ..Answer::of(vec![line]) });
    }
    let live = reuse::known_live(&session.inventory.swarm.production, session.state(), plan)?;
    if !rebuild && live.len() == plan.packages.len() {
        return Ok(Answer::of(all_live(session, live.len())));
    }
    let build = build_name(session)?;
    let (selection, plan) = (selection.clone(), plan.clone());
    let line = format!("build {build} of {selection} for {} waits for its turn", plan.driver);
    let (finalize, rebuild) = (*finalize, *rebuild);
    session.record(&Event::BuildQueued { build: build.clone(), selection, plan, finalize, rebuild, at: now() })?;
    Ok(Answer { build: Some(build), ..Answer::of(vec![line]) })
}

fn is_built_anew(session: &Session, build: &BuildName) -> bool {
    let state = session.state();
    state.builds.get(build).is_some_and(|build| build.rebuild)
        || state.queue.iter().any(|queued| queued.name == *build && queued.rebuild)
}

fn ask_to_finalize(session: &mut Session, build: &BuildName) -> Result<(), ControlError> {
    let state = session.state();
    let asked = state.builds.get(build).is_some_and(|build| build.finalize)
        || state.queue.iter().any(|queued| queued.name == *build && queued.finalize);
    if asked { Ok(()) } else { session.record(&Event::FinalizeAsked { build: build.clone(), at: now() }) }
}

/// What the operator is told where nothing is to be built.
pub fn all_live(session: &Session, count: usize) -> Vec<String> {
    let release = session.state().release.as_ref().map(ToString::to_string).unwrap_or_default();
    vec![
        format!("nothing is to be built: release {release} has the {count} packages just as wanted"),
        "`--install` installs them on the driver, `--rebuild` builds them anew".to_owned(),
    ]
}

/// Tells the operator how much of a build is live already.
pub fn note_live(session: &mut Session, live: &BTreeMap<PackageIndex, Stanza>, all: usize) {
    if live.is_empty() {
        return;
    }
    let release = session.state().release.as_ref().map(ToString::to_string).unwrap_or_default();
    let names: Vec<_> = live.values().map(|stanza| stanza.cpv().to_string()).collect();
    session.note(&format!(
        "{} of {all} packages are in release {release} just as wanted and count as received (`--rebuild` builds them \
         anew): {}",
        live.len(),
        some(&names)
    ));
}

/// A build of the queue has its turn. Where all of it is live by now it is over at once.
///
/// # Errors
/// The live release cannot be read, or staging or the journal not be written.
pub fn open_next(session: &mut Session, build: &BuildName) -> Result<(), ControlError> {
    let Some(queued) = session.state().queue.iter().find(|queued| queued.name == *build).cloned() else {
        return Err(ControlError::Nothing(format!("build {build} does not wait for its turn any more")));
    };
    let all = queued.plan.packages.len();
    let live = if queued.rebuild { BTreeMap::new() } else { reuse::live(session, &queued.plan)? };
    let release = session.state().release.clone().filter(|_| live.len() == all);
    let names = live.clone();
    let failed = failed_before(session, &queued.plan, queued.rebuild);
    open(session, live, failed, |live| Event::QueuedBuildOpened { build: build.clone(), live, at: now() })?;
    let Some(release) = release else {
        note_live(session, &names, all);
        return Ok(());
    };
    for line in all_live(session, all) {
        session.note(&line);
    }
    let files: Vec<String> = session.state().staged().into_iter().map(str::to_owned).collect();
    session.record(&Event::BuildFinished { build: build.clone(), at: now() })?;
    session.record(&Event::BuildReleased { build: build.clone(), release, at: now() })?;
    reuse::unstage(session, &files)
}

/// What of a plan has failed in just the form that it wants, with the attempts, and so is not to be tried again; nothing
/// where all is to be built anew.
pub fn failed_before(session: &Session, plan: &Plan, rebuild: bool) -> BTreeMap<PackageIndex, Vec<Attempt>> {
    if rebuild { BTreeMap::new() } else { session.state().failed_before(plan, now()) }
}

/// Opens a build: what is live of it is staged again, what has failed in just that form is not tried again, and what
/// nobody wants any more goes.
///
/// # Errors
/// Staging or the journal cannot be written.
pub fn open(
    session: &mut Session,
    live: BTreeMap<PackageIndex, Stanza>,
    failed: BTreeMap<PackageIndex, Vec<Attempt>>,
    event: impl FnOnce(BTreeMap<PackageIndex, ReceivedFile>) -> Event,
) -> Result<(), ControlError> {
    let live = reuse::stage(session, live)?;
    let reused: BTreeSet<String> = live.values().map(|file| file.path.clone()).collect();
    let mut staged: BTreeSet<String> = session.state().staged().into_iter().map(str::to_owned).collect();
    staged.extend(reused.iter().cloned());
    session.record(&event(live))?;
    keep_failures(session, failed)?;
    let received = session.state().open_build().into_iter().flat_map(|build| build.received());
    let received: BTreeSet<String> = received.map(|(_, file)| file.path.clone()).collect();
    let carried: Vec<String> = received.difference(&reused).cloned().collect();
    if !carried.is_empty() {
        session.note(&format!(
            "{} were received for the build before and count for this one: {}",
            carried.len(),
            some(&carried)
        ));
    }
    reuse::unstage(session, &staged)
}

/// Forgets the open build of a selection of which nothing is to be built any more: its failures are of no concern, and
/// all that it has received is live. One that has something to release stays.
///
/// # Errors
/// The live release cannot be read, or the journal not be written.
pub fn let_go(session: &mut Session, selection: &Selection) -> Result<(), ControlError> {
    let Some(build) = session.state().open_build().filter(|build| build.selection.is_resumed_by(selection)) else {
        return Ok(());
    };
    let name = build.name.clone();
    // A path once released never names other content.
    let live = session.releases.base()?.index;
    let live: HashSet<String> = live.stanzas.iter().map(|stanza| stanza.path().to_string()).collect();
    if !build.received().all(|(_, file)| live.contains(&file.path)) {
        return Ok(());
    }
    session.note(&format!("build {name} is over: nothing of it is wanted any more"));
    let files: Vec<String> = session.state().staged().into_iter().map(str::to_owned).collect();
    session.record(&Event::BuildForgotten { build: name, at: now() })?;
    reuse::unstage(session, &files)
}

fn keep_failures(session: &mut Session, failures: BTreeMap<PackageIndex, Vec<Attempt>>) -> Result<(), ControlError> {
    let Some(build) = session.state().open_build().filter(|_| !failures.is_empty()) else { return Ok(()) };
    let names: Vec<String> = failures.keys().map(|package| build.label(*package).to_owned()).collect();
    session.record(&Event::FailuresKept { failures })?;
    session.note(&format!(
        "{} failed before in just this form, with just these needs, and are not tried again (`swarm unblock` does): {}",
        names.len(),
        some(&names)
    ));
    Ok(())
}

/// Ids of builds sort by time: the moment, the controller's own number, so that no two controllers ever give the same
/// id to a job, and a number where two began within one second.
///
/// # Errors
/// The clock says what is no time.
pub fn build_name(session: &Session) -> Result<BuildName, ControlError> {
    let unnamed = |error: &dyn std::fmt::Display| ControlError::Refused(format!("cannot name a build: {error}"));
    let moment = jiff::Timestamp::from_second(now().0).map_err(|error| unnamed(&error))?;
    let controller = session.visitor().controller;
    let own = controller.as_str().rsplit('-').next().unwrap_or_default();
    let moment = format!("{}-{own}", moment.strftime("%Y%m%dT%H%M%SZ"));
    let state = session.state();
    let taken =
        |name: &BuildName| state.builds.contains_key(name) || state.queue.iter().any(|queued| queued.name == *name);
    let mut name: BuildName = moment.parse().map_err(|error| unnamed(&error))?;
    let mut number = 1;
    while taken(&name) {
        number += 1;
        name = format!("{moment}.{number}").parse().map_err(|error| unnamed(&error))?;
    }
    Ok(name)
}
