//! The end of every verb that releases, or could not reach all orchestrators before: each gets the live release.

use bytesize::ByteSize;

use super::exit::Exit;
use crate::controller::publish::{self, Publication};
use crate::controller::{ControlError, Session};
use crate::core::names::HostName;
use crate::core::text::escaped;
use crate::ssh::HostError;

/// Brings the live release to the orchestrators that lack it and says so; not done where it reached none of them.
pub async fn everywhere(session: &mut Session) -> Result<Exit, ControlError> {
    let Some(publication) = publish::everywhere(session).await? else { return Ok(Exit::Done) };
    for line in lines(&publication) {
        session.note(&line);
    }
    Ok(if publication.reached_nobody() { Exit::Impossible } else { Exit::Done })
}

fn lines(publication: &Publication) -> Vec<String> {
    let release = &publication.release;
    let line = |name: &HostName, outcome: &Result<publish::Sent, HostError>| match outcome {
        Ok(publish::Sent { was_live: true, .. }) => format!("{name}: release {release} is live there already"),
        Ok(sent) => {
            let size = ByteSize(sent.bytes).display().iec();
            format!("{name}: release {release} is live there; {} files were sent, {size}", sent.files)
        }
        Err(error) => {
            let error = escaped(&error.to_string());
            format!("{name}: release {release} did not reach it, the next command that does brings it: {error}")
        }
    };
    publication.orchestrators.iter().map(|each| line(&each.orchestrator, &each.outcome)).collect()
}
