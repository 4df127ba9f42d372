//! The step in which clients come to see another release: the swap here, and a look whether they can read it.
//!
//! Where this machine is an orchestrator itself, the index is fetched back from its binhost's URL; what cannot be read
//! there, or is another index, is swapped back. Where it is none, nobody is served from here: other orchestrators are
//! read back once they have the release ([`super::publish`]).

use std::path::PathBuf;

use super::electorate::Wish;
use super::error::ControlError;
use super::fetch_back::{Reader, Reading};
use super::session::{Session, blocking, now};
use crate::core::event::Event;
use crate::core::names::{HostName, ReleaseName};
use crate::epoch::here;
use crate::inventory::HttpUrl;
use crate::release::{Contents, Origin, Published};

/// A release that is live.
#[derive(Debug)]
pub struct Lived {
    /// The release.
    pub published: Published,
    /// What the operator is told of how it can be read.
    pub notes: Vec<String>,
}

/// Makes a release of these contents live, under the next id.
///
/// # Errors
/// Another controller may decide, production cannot be written, or clients could not read it; the release before is live
/// then.
pub async fn go_live(session: &mut Session, contents: Contents, origin: Origin) -> Result<Lived, ControlError> {
    session.hold(Wish::Hold).await?;
    let name = session.releases.next_name(session.state().epoch)?;
    let (releases, visitor) = (session.releases.clone(), session.visitor());
    let workdir =
        session.inventory.orchestrators_here().next().map(|(host, _)| PathBuf::from(session.workdir(&host.name)));
    let electorate = session.electorate.clone();
    let may_be = move || electorate.is_none_or(|electorate| electorate.is_held());
    let swap = move || releases.publish_while(&contents, &name, origin, now(), may_be);
    let published = match workdir {
        // As at the other orchestrators the file of this one has the last word.
        Some(workdir) => blocking(move || here::unless_outranked(&workdir, &visitor, swap)).await??,
        None => blocking(swap).await?,
    }?;
    match read_back(session, &published).await? {
        Ok(notes) => Ok(Lived { published, notes }),
        Err(why) => Err(swap_back(session, published, &why).await),
    }
}

/// Reads the index back from the binhosts that this machine serves; the inner error says why clients cannot read it.
async fn read_back(session: &Session, published: &Published) -> Result<Result<Vec<String>, String>, ControlError> {
    if session.inventory.orchestrators().is_empty() {
        let note =
            "the index was not read back over HTTP: the inventory lists no orchestrator, so no URL of clients is known";
        return Ok(Ok(vec![note.to_owned()]));
    }
    let here = session.inventory.orchestrators_here();
    let here: Vec<(&HostName, &HttpUrl)> = here.map(|(host, settings)| (&host.name, &settings.binhost)).collect();
    let mut notes = Vec::new();
    if here.is_empty() {
        return Ok(Ok(notes));
    }
    let index = published.release.index_text()?;
    let reader = Reader::new(&session.inventory)?;
    for (name, binhost) in here {
        match reader.read(binhost, &index).await {
            Reading::Same => notes.push(format!("{name}: the index was read back from {binhost}")),
            Reading::Unreachable(why) | Reading::Wrong(why) => return Ok(Err(format!("{name}: {why}"))),
        }
    }
    Ok(Ok(notes))
}

/// Makes what was live before live again; the error says how that went.
async fn swap_back(session: &mut Session, published: Published, why: &str) -> ControlError {
    let bad = published.release.name.clone();
    let releases = session.releases.clone();
    let taken_back = blocking(move || releases.take_back(&published)).await;
    let live: Result<Option<ReleaseName>, ControlError> = match taken_back {
        Ok(Ok(())) => session.releases.live().map_err(ControlError::from),
        Ok(Err(error)) => Err(error.into()),
        Err(error) => Err(error),
    };
    let noted = live.and_then(|release| {
        session.record(&Event::ReleaseSeen { release: release.clone() })?;
        Ok(release)
    });
    ControlError::Refused(match noted {
        Ok(Some(before)) => format!(
            "release {bad} was swapped back, {before} is live as before: {why}. Once clients can read {} there, the same \
             command makes it live",
            session.inventory.swarm.production.display()
        ),
        Ok(None) => format!(
            "release {bad} was taken back, nothing is live as before: {why}. Once clients can read {} there, the same \
             command makes it live",
            session.inventory.swarm.production.display()
        ),
        Err(error) => format!("clients cannot read release {bad}: {why}; and it could not be swapped back: {error}"),
    })
}
