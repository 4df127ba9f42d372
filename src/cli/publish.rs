//! The end of every verb that releases, or could not reach all orchestrators before: each gets the live release.

use super::exit::Exit;
use crate::controller::publish::{self, Whom};
use crate::controller::{ControlError, Session};

/// Brings the live release to the orchestrators that lack it and says so; not done where it reached none of them.
pub async fn everywhere(session: &mut Session) -> Result<Exit, ControlError> {
    let Some(publication) = publish::everywhere(session, Whom::Behind).await? else { return Ok(Exit::Done) };
    for line in publication.lines() {
        session.note(&line);
    }
    Ok(Exit::done_if(publication.is_good()))
}
