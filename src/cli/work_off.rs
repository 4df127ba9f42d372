//! `swarm push` as an orchestrator's service starts it: the open build, then one after the other those that wait.

use std::collections::BTreeSet;

use super::exit::Exit;
use crate::controller::api::Over;
use crate::controller::attend::{Attended, attend};
use crate::controller::finalize::{Extent, finalize};
use crate::controller::publish::{Errand, Whom, note_down};
use crate::controller::run::{self, Finish, Orders, Outside};
use crate::controller::{ControlError, Session, now, queue};
use crate::core::decide::End;
use crate::core::event::Event;
use crate::core::names::BuildName;
use crate::core::state::Turn;
use crate::ui;

/// Works off everything; ends once nothing is left that can be done now.
pub async fn everything(session: &mut Session, orders: &Orders, outside: &mut Outside) -> anyhow::Result<Exit> {
    let mut passed_over = BTreeSet::new();
    let mut exit = Exit::Done;
    loop {
        match session.state().turn(&passed_over) {
            Turn::Open(build) => {
                queue::open_next(session, &build)?;
                if session.state().open_build().is_none_or(|open| open.is_over()) {
                    finished(session, build, &passed_over)?;
                }
            }
            Turn::Release(build) => match release(session, &build).await {
                Ok(()) => {
                    let Some(published) = publish(session, outside).await? else { return Ok(Exit::Interrupted) };
                    over(session, build, published);
                }
                Err(error) if session.is_over_with(&error) => return Err(error.into()),
                Err(error) => {
                    session.note(&format!("build {build} is not released: {error}"));
                    over(session, build.clone(), Exit::Impossible);
                    passed_over.insert(build);
                    exit = Exit::Impossible;
                }
            },
            Turn::WorkOff => {
                let build = session.state().open.clone();
                match run::run(session, orders, outside).await? {
                    Finish::Interrupted | Finish::Stopped | Finish::OutOfTime => return Ok(Exit::Interrupted),
                    Finish::Ended(end) => {
                        summarize(session, end);
                        exit = end.into();
                        // What is to be released is not over yet.
                        let due =
                            |build: &BuildName| session.state().turn(&passed_over) == Turn::Release(build.clone());
                        if let Some(build) = build.filter(|build| !due(build)) {
                            over(session, build, exit);
                        }
                        if !goes_on(session, end)? {
                            break;
                        }
                    }
                }
            }
            Turn::Rest => break,
        }
    }
    Ok(match publish(session, outside).await? {
        Some(Exit::Done) => exit,
        Some(published) if exit == Exit::Done => published,
        Some(_) => exit,
        None => Exit::Interrupted,
    })
}

/// Tells who follows a build that nothing more is done for it now.
fn over(session: &Session, build: BuildName, exit: Exit) {
    session.over(Over { build, status: exit as u8 });
}

/// A build of which all was there when it had its turn is over without a run.
fn finished(session: &mut Session, build: BuildName, passed_over: &BTreeSet<BuildName>) -> Result<(), ControlError> {
    if session.state().open.as_ref() == Some(&build) {
        session.record(&Event::BuildFinished { build: build.clone(), at: now() })?;
        summarize(session, End::Complete);
    }
    if session.state().turn(passed_over) != Turn::Release(build.clone()) {
        over(session, build, Exit::Done);
    }
    Ok(())
}

fn summarize(session: &mut Session, end: End) {
    for line in ui::progress::summary(session.state().open_build(), end) {
        session.note(&line);
    }
}

/// Whether something else can be done. A build that no drone may build does not hold up those behind it.
fn goes_on(session: &mut Session, end: End) -> Result<bool, ControlError> {
    let waits = !session.state().queue.is_empty();
    match (end, session.state().open.clone()) {
        (End::Complete | End::SomeFailed, _) => Ok(true),
        (End::AllDiffer, Some(build)) if waits => {
            session.record(&Event::BuildFinished { build, at: now() })?;
            Ok(true)
        }
        (End::Forgotten, _) => Ok(waits),
        (End::AllDiffer | End::NoDrone, _) => Ok(false),
    }
}

async fn release(session: &mut Session, build: &BuildName) -> Result<(), ControlError> {
    for line in finalize(session, Extent::Whole, Some(build)).await?.lines() {
        session.note(&line);
    }
    Ok(())
}

/// Brings what is live to the orchestrators that lack it; none where somebody wants the end.
async fn publish(session: &mut Session, outside: &mut Outside) -> Result<Option<Exit>, ControlError> {
    let Some(errand) = Errand::new(session, Whom::Behind)? else { return Ok(Some(Exit::Done)) };
    match attend(session, outside, errand.run()).await? {
        Attended::Halted(_) => Ok(None),
        Attended::Done(publication) => {
            note_down(session, &publication)?;
            for line in publication.lines() {
                session.note(&line);
            }
            Ok(Some(Exit::done_if(publication.is_good())))
        }
    }
}
