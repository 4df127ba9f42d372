//! A release in object storage: packages first, the index last, and never an older one over a newer one.
//!
//! ```text
//! PREFIX/CATEGORY/NAME/PF-BUILDID.gpkg.tar    packages; clients read them by the paths of the index
//! PREFIX/Packages  PREFIX/Packages.gz         the index
//! PREFIX/.swarm/live.json                     which release is live, or is just about to be
//! ```
//!
//! **What is there** is told by the index there, where it lists a file with our sum, by the size in a listing, and for a
//! file that it does not list by the SHA1 that was written down with the object. A path once released never names other
//! content, so nothing that an index lists is ever written over.
//!
//! **Who may** is settled by conditional writes. The versions of `live.json` and of both index files are read first, in
//! that order; then, with all packages there, `live.json` is claimed where it is still that version, and each index file
//! is written where it is still its version. Whoever claims later has read the index later than whoever claimed before:
//! so the writes of the two cannot both succeed, in whatever order they arrive, and whoever is refused looks again and
//! finds a later release there, which it may not replace. What this relies on is said in docs/tasks/releases.md.
//!
//! **Clients** ask whether the index has changed since its TIMESTAMP and five seconds (`TIMESTAMP_TOLERANCE` in Portage's
//! `portage/util/_urlopen.py`); storage answers by its own clock. So the index is written only once that clock is past
//! that of any index that clients may have.
//!
//! Cost: a listing (a request for each thousand objects) before and after the claim, a request for each file that is sent,
//! and one for each that is there and in no index, as after an interruption.

use std::time::Duration;

use futures::stream::{self, StreamExt, TryStreamExt};
use hyper::body::Bytes;
use sha1::{Digest as _, Sha1};

use self::sight::{LIVE, Live, OwnIndex, Sight, live, look};
use super::{Item, Sent, Shipment};
use crate::core::names::{ReleaseName, Timestamp};
use crate::portage::index;
use crate::release::kept::Release;
use crate::release::tree::INDEX;
use crate::s3::upload::{Spool, Upload};
use crate::s3::{Bucket, Condition, Nature, Object, S3Error, Version};

mod prune;
mod sight;

pub use prune::{Pruned, prune};

/// What nobody reads: whether the storage holds to conditions is tried out with it.
const PROBE: &str = ".swarm/probe";
/// So many files go there side by side; each holds a part of itself in memory.
const SIDE_BY_SIDE: usize = 4;
/// So many files are asked about side by side.
const ASKED: usize = 16;
/// Whoever finds that another one was first looks again so often in all: each of the three writes of another one can come
/// in between once.
const ROUNDS: u32 = 5;
/// What Portage's client adds to the TIMESTAMP that it has, and the rounding of dates to seconds (seconds).
const TOLERANCE: i64 = 5 + 1;
/// A clock that is behind by more than this is set by hand (seconds).
const CLOCK: i64 = 60;

/// Why a release did not get there, or nothing was removed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The storage.
    #[error(transparent)]
    Storage(#[from] S3Error),
    /// It is not to be.
    #[error("{0}")]
    Refused(String),
}

/// What was live there before a release, so that it can be again.
#[derive(Debug, Clone)]
pub struct Before {
    live: Live,
    indexes: [Bytes; 2],
}

impl Before {
    /// The release that was live.
    pub fn release(&self) -> &ReleaseName {
        &self.live.release
    }
}

/// What publishing has come to.
#[derive(Debug, Clone)]
pub struct Published {
    /// What was sent.
    pub sent: Sent,
    /// What was live there before; none where nothing was, or nothing of ours.
    pub before: Option<Before>,
}

/// Makes a release live in a bucket.
///
/// # Errors
/// The storage cannot be reached, refuses, or does not do what is relied on; something later is live there, or another
/// controller was first. What was live then still is.
pub async fn publish(bucket: &Bucket, spool: &Spool, shipment: &Shipment) -> Result<Published, StorageError> {
    let ours = OwnIndex::read(shipment)?;
    let mut sent = Sent::default();
    for _ in 0..ROUNDS {
        let sight = look(bucket).await?;
        let lacking = lacking(bucket, shipment, &sight).await?;
        if lacking.is_empty() && ours.is_live(&sight) {
            return Ok(Published { sent: Sent { was_live: sent.files == 0, ..sent }, before: None });
        }
        refuse_to_go_back(bucket, shipment, &ours, &sight)?;
        try_conditions(bucket).await?;
        send(bucket, spool, shipment, &lacking, &mut sent).await?;
        match swap(bucket, spool, shipment, &ours, &sight, &mut sent).await {
            Err(StorageError::Storage(error)) if error.is_condition() => {}
            swapped => {
                swapped?;
                bucket.give_up_uploads(spool).await;
                let before = sight.before();
                sent.before = before.as_ref().map(|before| before.live.release.clone());
                return Ok(Published { sent, before });
            }
        }
    }
    Err(StorageError::Refused(format!(
        "another controller publishes to {} at the same time; the next command looks again",
        bucket.url()
    )))
}

/// Makes what was live before a release live again, where that release is still what is live.
///
/// # Errors
/// As [`publish`].
pub async fn take_back(bucket: &Bucket, release: &ReleaseName, before: &Before) -> Result<(), StorageError> {
    let sight = look(bucket).await?;
    if sight.release() != Some(release) {
        return Err(taken_over(bucket, sight.release()));
    }
    let versions = sight.indexes.each_ref().map(|object| object.as_ref().map(|object| object.version.clone()));
    claim(bucket, &before.live, &sight).await?;
    for ((key, bytes), version) in INDEX.iter().zip(&before.indexes).zip(versions) {
        write_still(bucket, key, bytes.clone(), version).await?;
    }
    Ok(())
}

/// The files that are not there with the content that they have here.
async fn lacking<'a>(
    bucket: &Bucket,
    shipment: &'a Shipment,
    sight: &Sight,
) -> Result<Vec<(&'a String, &'a Item)>, StorageError> {
    let listed = sight.sums();
    let (mut lacking, mut unsure) = (Vec::new(), Vec::new());
    for (path, item) in shipment.items.iter().filter(|(path, _)| !INDEX.contains(&path.as_str())) {
        let is_there = sight.files.get(path).is_some_and(|file| file.size == item.size);
        match (listed.get(path), is_there) {
            (Some(sum), _) if *sum != item.sha1 => return Err(other_content(bucket, path, sight)),
            (Some(_), true) => {}
            (None, true) => unsure.push((path, item)),
            (_, false) => lacking.push((path, item)),
        }
    }
    let mut asked = Vec::new();
    for (path, item) in unsure {
        asked.push(async move {
            let sum = bucket.sha1(path).await?;
            Ok::<_, S3Error>((sum.as_deref() != Some(item.sha1.as_str())).then_some((path, item)))
        });
    }
    let other: Vec<_> = stream::iter(asked).buffer_unordered(ASKED).try_collect().await?;
    lacking.extend(other.into_iter().flatten());
    Ok(lacking)
}

fn other_content(bucket: &Bucket, path: &str, sight: &Sight) -> StorageError {
    let there = sight.release().map_or_else(|| "the index there".to_owned(), |name| format!("release {name} there"));
    StorageError::Refused(format!(
        "{there} has other content under the path {path}, and what clients may be reading is not written over: `swarm \
         push --rebuild` gives the package another build id, or name another prefix than {} as `url`",
        bucket.url()
    ))
}

/// What another controller has released since is not replaced by something from before; nor is an index that clients
/// would take for a newer one.
fn refuse_to_go_back(bucket: &Bucket, shipment: &Shipment, ours: &OwnIndex, sight: &Sight) -> Result<(), StorageError> {
    let own = &shipment.release.name;
    if let Some((there, _)) = &sight.live {
        let is_kept = *there == ours.live || shipment.indexes.get(&there.release) == Some(&there.index);
        if there.release.parts() >= own.parts() && !is_kept {
            return Err(StorageError::Refused(format!(
                "release {} is live there, which was not made here, and {own} is no later one. Release from the \
                 controller that made it; where that is no more, remove {LIVE} in {}, and the next command brings {own}",
                there.release,
                bucket.url()
            )));
        }
    }
    let is_ours = sight.indexes[0].as_ref().is_some_and(|there| there.bytes == ours.files[0]);
    let (there, own) = (sight.timestamp(), index::timestamp(ours.files[0].as_ref()).ok().flatten());
    if !is_ours && there.is_some() && there >= own {
        return Err(StorageError::Refused(format!(
            "the index in {} has a TIMESTAMP that is not before that of {}, so clients would not take the later one: set \
             the clock of this machine and release again",
            bucket.url(),
            shipment.release.name
        )));
    }
    Ok(())
}

/// A storage that does not know conditions, or passes over them, would let an older release replace a newer one.
async fn try_conditions(bucket: &Bucket) -> Result<(), StorageError> {
    let nature = Nature { sha1: "", lasts: false };
    bucket.write(PROBE, Bytes::from_static(b"probe\n"), nature, Condition::Always).await?;
    match bucket.write(PROBE, Bytes::from_static(b"probe\n"), nature, Condition::Still(None)).await {
        Err(error) if error.is_condition() => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Err(StorageError::Refused(format!(
            "the storage at {} does not hold to conditional writes (If-Match, If-None-Match), without which an older \
             release could replace a newer one: nothing is published there",
            bucket.url()
        ))),
    }
}

async fn send(
    bucket: &Bucket,
    spool: &Spool,
    shipment: &Shipment,
    lacking: &[(&String, &Item)],
    sent: &mut Sent,
) -> Result<(), StorageError> {
    let mut uploads = Vec::new();
    for (path, item) in lacking.iter().copied() {
        let file = shipment.release.root.join(path);
        uploads.push(async move {
            let upload = Upload { key: path, file: &file, size: item.size, sha1: &item.sha1 };
            bucket.upload(&upload, spool).await
        });
    }
    stream::iter(uploads).buffer_unordered(SIDE_BY_SIDE).try_collect::<()>().await?;
    sent.files += lacking.len();
    sent.bytes += lacking.iter().map(|(_, item)| item.size).sum::<u64>();
    Ok(())
}

/// Claims, and writes the index; a condition that does not hold is an error as such.
async fn swap(
    bucket: &Bucket,
    spool: &Spool,
    shipment: &Shipment,
    ours: &OwnIndex,
    sight: &Sight,
    sent: &mut Sent,
) -> Result<(), StorageError> {
    let claimed = claim(bucket, &ours.live, sight).await?;
    // Whoever was live until now may have removed meanwhile what none of its own releases has.
    let now = Sight { files: bucket.list().await?, live: None, indexes: sight.indexes.clone() };
    send(bucket, spool, shipment, &lacking(bucket, shipment, &now).await?, sent).await?;
    wait_for_the_clock(bucket, shipment, sight, claimed).await?;
    for ((key, bytes), there) in INDEX.iter().zip(&ours.files).zip(&sight.indexes) {
        let version = there.as_ref().map(|object| object.version.clone());
        write_still(bucket, key, bytes.clone(), version).await?;
    }
    confirm(bucket, &ours.live).await
}

/// Says that this is to be live, where what was found is still what is said; gives when that was, by the storage's clock.
async fn claim(bucket: &Bucket, own: &Live, sight: &Sight) -> Result<Timestamp, StorageError> {
    let text =
        serde_json::to_vec(own).map_err(|error| StorageError::Refused(format!("cannot write {LIVE}: {error}")))?;
    let version = sight.live.as_ref().map(|(_, object)| object.version.clone());
    write_still(bucket, LIVE, Bytes::from(text), version).await?;
    Ok(confirmed(bucket, own).await?.modified)
}

/// Writes an object that is still this version. A first try whose answer was lost may have written it: then it is ours.
async fn write_still(bucket: &Bucket, key: &str, bytes: Bytes, version: Option<Version>) -> Result<(), S3Error> {
    let sha1 = data_encoding::HEXLOWER.encode(&Sha1::digest(&bytes));
    let nature = Nature { sha1: &sha1, lasts: false };
    match bucket.write(key, bytes.clone(), nature, Condition::Still(version)).await {
        Err(error) if error.is_condition() => match bucket.read(key).await? {
            Some(there) if there.bytes == bytes => Ok(()),
            _ => Err(error),
        },
        written => written,
    }
}

/// Our release is still what is said to be live.
async fn confirm(bucket: &Bucket, own: &Live) -> Result<(), StorageError> {
    confirmed(bucket, own).await.map(|_| ())
}

async fn confirmed(bucket: &Bucket, own: &Live) -> Result<Object, StorageError> {
    match live(bucket).await? {
        Some((live, object)) if live == *own => Ok(object),
        other => Err(taken_over(bucket, other.as_ref().map(|(live, _)| &live.release))),
    }
}

fn taken_over(bucket: &Bucket, release: Option<&ReleaseName>) -> StorageError {
    let other = release.map_or_else(|| "nothing".to_owned(), |release| format!("release {release}"));
    StorageError::Refused(format!("another controller has made {other} live in {} meanwhile", bucket.url()))
}

/// Waits until the storage's clock, which said `now` a moment ago, is past what clients may ask it for.
async fn wait_for_the_clock(
    bucket: &Bucket,
    shipment: &Shipment,
    sight: &Sight,
    now: Timestamp,
) -> Result<(), StorageError> {
    let others = shipment.kept.iter().filter(|(release, _)| release.name != shipment.release.name);
    let mut latest = sight.timestamp().filter(|_| !is_the_index_of(sight, shipment));
    for (release, _) in others {
        let timestamp = release.header_timestamp();
        latest = latest.max(timestamp.map_err(|error| StorageError::Refused(error.to_string()))?);
    }
    let Some(latest) = latest else { return Ok(()) };
    let rest = latest.0.saturating_add(TOLERANCE).saturating_sub(now.0);
    if rest > CLOCK {
        return Err(StorageError::Refused(format!(
            "the clock of {} is {rest} s behind the index of an earlier release, so clients would not find the new one: \
             set the clocks there and here",
            bucket.url()
        )));
    }
    tokio::time::sleep(Duration::from_secs(u64::try_from(rest).unwrap_or(0))).await;
    Ok(())
}

fn is_the_index_of(sight: &Sight, shipment: &Shipment) -> bool {
    let there =
        sight.indexes[0].as_ref().map(|object| data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&object.bytes)));
    there.is_some() && there.as_ref() == shipment.indexes.get(&shipment.release.name)
}

fn unread(release: &Release, error: &std::io::Error) -> StorageError {
    StorageError::Refused(super::unread(release, error))
}

#[cfg(test)]
mod tests;
