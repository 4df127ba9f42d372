//! The releases of the leader that are lacking here.
//!
//! A new one is brought by the controller that made it: that goes on as soon as it is live there. So one that is lacking
//! is waited for, as long as something comes, and only then fetched from here. What staging has of it is not sent, by
//! either.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use futures::future::try_join_all;
use tokio::sync::{Notify, mpsc};

use super::peer::{AskError, Peer};
use super::serve::Ground;
use crate::core::names::ReleaseName;
use crate::release::mirror::{self, Draft, Kept, Manifest};
use crate::release::{ReleaseError, Shelf};
use crate::ssh::{HostError, Turns};

/// Whoever publishes here has so long between two files, and to begin.
const PUBLISHER_FIRST: Duration = Duration::from_secs(15);
/// Between two looks while somebody publishes.
const LOOK: Duration = Duration::from_secs(1);
/// After trouble it is tried again.
const AGAIN: Duration = Duration::from_secs(30);
/// One that is not what its release says is fetched so often in all.
const FETCHES: u32 = 3;

/// Why a release is not here.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Leader(#[from] AskError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error("work on files here broke off: {0}; this is a fault of swarm, please report it")]
    Lost(#[from] tokio::task::JoinError),
    #[error("{0} files of release {1} are not what {2} says that they are; `swarm verify {1}` there")]
    Flawed(usize, ReleaseName, String),
}

/// Brings what is lacking at each word that something may have changed; says so each time that nothing is lacking.
pub async fn keep(ground: &Ground, leader: &Peer, changed: &Notify, even: &mpsc::Sender<()>) -> Infallible {
    let mut complained = String::new();
    // What was made before this began nobody is about to bring, unless something comes.
    let mut first = true;
    loop {
        changed.notified().await;
        let news = (!first).then(SystemTime::now);
        loop {
            match bring_all(ground, leader, news).await {
                Ok(()) => break,
                Err(error) => {
                    if complained != error.to_string() {
                        tracing::warn!("a release of {} is not here yet: {error}", leader.name);
                        complained = error.to_string();
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        complained.clear();
        first = false;
        // Whoever listens ends together with this.
        let _gone = even.send(()).await;
    }
}

async fn bring_all(ground: &Ground, leader: &Peer, news: Option<SystemTime>) -> Result<(), KeepError> {
    loop {
        let there: Kept = leader.get("/releases").await?;
        let here = look(ground).await?;
        let lacking = there.lacking(&here);
        // The earlier ones nobody else brings.
        let Some(name) = lacking.iter().find(|name| Some(*name) != there.live.as_ref()).or(lacking.first()) else {
            return Ok(());
        };
        let is_live = there.live.as_ref() == Some(name);
        if is_live && is_expected(ground, news)? {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        if here.live.as_ref() == Some(name) {
            // It is another one of the same name: only its publisher takes that away from clients.
            return Ok(());
        }
        bring(ground, leader, name, is_live).await?;
    }
}

async fn look(ground: &Ground) -> Result<Kept, KeepError> {
    let production = ground.production.clone();
    Ok(tokio::task::spawn_blocking(move || Kept::of(&Shelf::look(&production)?)).await??)
}

/// Whether the live release may still be brought by whoever made it.
fn is_expected(ground: &Ground, news: Option<SystemTime>) -> Result<bool, KeepError> {
    let recent = |moment: SystemTime| moment.elapsed().is_ok_and(|elapsed| elapsed < PUBLISHER_FIRST);
    Ok(news.is_some_and(recent) || mirror::sent_last(&ground.production)?.is_some_and(recent))
}

/// Brings a release; what has come of it stays for the next try.
async fn bring(ground: &Ground, leader: &Peer, name: &ReleaseName, live: bool) -> Result<(), KeepError> {
    let manifest: Manifest = leader.get(&format!("/releases/{name}")).await?;
    let (production, staging) = (ground.production.clone(), ground.staging.clone());
    let draft = tokio::task::spawn_blocking(move || Draft::new(&production, &staging, manifest));
    let mut draft = draft.await??;
    let mut fetches = 0;
    let (mut files, mut bytes) = (0, 0);
    loop {
        let lacking = draft.lacking();
        if lacking.is_empty() {
            break;
        }
        if fetches == FETCHES {
            return Err(KeepError::Flawed(lacking.len(), name.clone(), leader.name.to_string()));
        }
        fetches += 1;
        let turns = &Turns::default();
        let downloads = lacking.iter().map(|(path, item)| {
            let part = draft.part(item);
            let remote = format!("{}.releases/{name}/{path}", leader.production);
            async move {
                let _turn = turns.of(item.size).await;
                let whole = std::fs::metadata(&part).is_ok_and(|part| part.len() == item.size);
                if whole { Ok(0) } else { leader.host.download(&remote, &part).await }
            }
        });
        let come: Vec<u64> = try_join_all(downloads).await?;
        (files, bytes) = (files + come.len(), bytes + come.iter().sum::<u64>());
        draft = tokio::task::spawn_blocking(move || {
            for (_, item) in &lacking {
                draft.take_in(item)?;
            }
            Ok::<_, ReleaseError>(draft)
        })
        .await??;
    }
    tokio::task::spawn_blocking(move || draft.finish(live)).await??;
    tracing::info!("release {name} is here as at {}; {files} files of it came, {bytes} bytes", leader.name);
    Ok(())
}
