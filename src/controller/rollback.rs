//! Back to an earlier release, as a new one.

use super::error::ControlError;
use super::go_live::go_live;
use super::session::{Session, blocking, now};
use crate::core::event::Event;
use crate::core::names::ReleaseName;
use crate::release::Origin;

/// Makes what an earlier release held live again; without a name the nearest one that was not left before. Gives what
/// the operator is told.
///
/// # Errors
/// There is none to go to, it is what is live, or production cannot be written; what was live then still is.
pub async fn roll_back(session: &mut Session, wanted: Option<&ReleaseName>) -> Result<Vec<String>, ControlError> {
    let chronicle = session.releases.chronicle()?;
    let live = chronicle
        .live()
        .cloned()
        .ok_or_else(|| ControlError::Nothing("nothing is live, so there is no way back".to_owned()))?;
    let to = match wanted.or(chronicle.back()) {
        Some(to) => session.releases.find(to)?.name,
        None => {
            return Err(ControlError::Nothing(format!(
                "no release before {live} is kept that was not left before; `swarm releases` lists them, and `swarm \
                 rollback ID` goes to any"
            )));
        }
    };
    if chronicle.content(&to) == chronicle.content(&live) {
        return Err(ControlError::Nothing(format!("what release {to} has is live already, as {live}")));
    }
    let (releases, target) = (session.releases.clone(), to.clone());
    let (contents, left_out) = blocking(move || releases.restored(&target)).await??;
    let told = format!(
        "it has the {} packages of {to}, {} came and {} went; {live} is left",
        contents.index.stanzas.len(),
        contents.added.len(),
        contents.superseded.len()
    );
    let lived = go_live(session, contents, Origin::Rollback(to.clone())).await?;
    let release = lived.published.release.name;
    session.record(&Event::RolledBack { to, release: release.clone(), at: now() })?;
    let mut lines: Vec<String> = left_out.iter().map(|entry| format!("left out: {entry}")).collect();
    lines.extend(lived.notes);
    lines.push(format!("release {release} is live: {told}"));
    Ok(lines)
}
