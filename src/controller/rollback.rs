//! Back to an earlier release, as a new one.

use super::error::ControlError;
use super::go_live::go_live;
use super::session::{Session, blocking, now};
use crate::core::event::Event;
use crate::core::names::ReleaseName;
use crate::release::{Contents, Origin, Shelf};

/// What a roll-back makes live.
struct Way {
    to: ReleaseName,
    contents: Contents,
    /// What of it cannot be had any more.
    left_out: Vec<String>,
    /// What came and went, in words.
    told: String,
}

impl Way {
    /// The way back: to the release of this name, else to the nearest one that was not left before.
    ///
    /// # Errors
    /// There is none to go to, or it is what is live.
    fn find(shelf: &Shelf, wanted: Option<&ReleaseName>) -> Result<Self, ControlError> {
        let chronicle = shelf.chronicle()?;
        let live = chronicle
            .live()
            .ok_or_else(|| ControlError::Nothing("nothing is live, so there is no way back".to_owned()))?;
        let Some(to) = wanted.or(chronicle.back()) else {
            return Err(ControlError::Nothing(format!(
                "no release before {live} is kept that was not left before; `swarm releases` lists them, and `swarm \
                 rollback ID` goes to any"
            )));
        };
        let to = shelf.find(to)?.name;
        if chronicle.content(&to) == chronicle.content(live) {
            return Err(ControlError::Nothing(format!("what release {to} has is live already, as {live}")));
        }
        let (contents, left_out) = shelf.restored(&to)?;
        let told = format!(
            "it has the {} packages of {to}, {} came and {} went; {live} is left",
            contents.index.stanzas.len(),
            contents.added.len(),
            contents.superseded.len()
        );
        let left_out = left_out.iter().map(|entry| format!("left out: {entry}")).collect();
        Ok(Self { to, contents, left_out, told })
    }
}

/// What a roll-back would come to; nothing is changed.
///
/// # Errors
/// As [`roll_back`], as far as that can be known.
pub fn dry_run(shelf: &Shelf, wanted: Option<&ReleaseName>) -> Result<Vec<String>, ControlError> {
    let Way { left_out: mut lines, told, .. } = Way::find(shelf, wanted)?;
    lines.push(format!("a new release would be live: {told}; nothing was changed"));
    Ok(lines)
}

/// Makes what an earlier release held live again; without a name the nearest one that was not left before. Gives what
/// the operator is told.
///
/// # Errors
/// There is none to go to, it is what is live, or production cannot be written; what was live then still is.
pub async fn roll_back(session: &mut Session, wanted: Option<&ReleaseName>) -> Result<Vec<String>, ControlError> {
    let (releases, wanted) = (session.releases.clone(), wanted.cloned());
    let Way { to, contents, left_out: mut lines, told } =
        blocking(move || Way::find(&releases, wanted.as_ref())).await??;
    let lived = go_live(session, contents, Origin::Rollback(to.clone())).await?;
    let release = lived.published.release.name;
    session.record(&Event::RolledBack { to, release: release.clone(), at: now() })?;
    lines.extend(lived.notes);
    lines.push(format!("release {release} is live: {told}"));
    Ok(lines)
}
