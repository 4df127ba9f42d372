//! From staging to production, all or nothing.

use super::error::ControlError;
use super::session::{Session, now};
use crate::core::build::{Build, Phase};
use crate::core::event::Event;
use crate::core::names::ReleaseName;
use crate::portage::index::Stanza;
use crate::release::{Contents, Incoming, compose};

/// What went live, or would.
#[derive(Debug)]
pub struct Released {
    /// The release; none of a dry run.
    pub release: Option<ReleaseName>,
    /// Its contents.
    pub contents: Contents,
    /// Packages that had to be copied because staging lies on another file system.
    pub copied: usize,
    /// Entries of the old production that cannot be carried on, with the reason.
    pub left_out: Vec<String>,
}

/// Releases the open build.
///
/// # Errors
/// When it is incomplete, or production cannot be written; the old release is then live as before.
pub fn finalize(session: &mut Session, dry_run: bool) -> Result<Released, ControlError> {
    let build = session
        .state()
        .open_build()
        .ok_or_else(|| ControlError::Nothing("no build waits for its release: `swarm push` makes one".to_owned()))?;
    refuse_incomplete(build)?;
    let name = build.name.clone();
    let incoming: Result<Vec<Incoming>, ControlError> = build
        .received()
        .map(|(_, file)| {
            let stanza = Stanza::of_values(file.stanza.to_map()).map_err(|error| {
                ControlError::Refused(format!("the journal's entry of {} is bad: {error}", file.path))
            })?;
            let file = session.staging.file(stanza.path());
            Ok(Incoming { stanza, file })
        })
        .collect();
    let base = session.releases.base()?;
    let left_out = base.left_out.iter().map(ToString::to_string).collect();
    let contents = compose(&base, &incoming?, &build.plan.index_header, |_| false)?;
    if dry_run {
        return Ok(Released { release: None, contents, copied: 0, left_out });
    }
    let release = session.releases.next_name(session.state().epoch)?;
    let published = session.releases.publish(&contents, &release, now())?;
    session.record(&Event::BuildReleased { build: name, release: release.clone(), at: now() })?;
    clear_staging(session, &contents)?;
    Ok(Released { release: Some(release), contents, copied: published.copied, left_out })
}

fn refuse_incomplete(build: &Build) -> Result<(), ControlError> {
    if build.is_complete() {
        return Ok(());
    }
    let count = |wanted: fn(&Phase) -> bool| build.packages.iter().filter(|package| wanted(&package.phase)).count();
    let failed = count(|phase| matches!(phase, Phase::Failed));
    let waiting = count(|phase| matches!(phase, Phase::Needed | Phase::Delegated(_)));
    let cure = if failed > 0 {
        "`swarm status` names them, `swarm push --retry-failed` tries them again"
    } else {
        "`swarm push` goes on with it"
    };
    Err(ControlError::Refused(format!(
        "build {} is not complete: {failed} failed, {waiting} not built; nothing was released. A release is all or \
         nothing: {cure}",
        build.name
    )))
}

/// What is live has its own links; staging's go.
fn clear_staging(session: &Session, contents: &Contents) -> Result<(), ControlError> {
    for stanza in &contents.index.stanzas {
        session.staging.remove(stanza.path())?;
    }
    Ok(())
}
