//! Removes from a bucket what no kept release has.

use super::sight::{OwnIndex, look};
use super::{StorageError, confirm, unread};
use crate::core::names::Timestamp;
use crate::portage::index::PackagePath;
use crate::release::kept::Release;
use crate::release::publish::Shipment;
use crate::s3::Bucket;

/// So many files are removed before it is looked whether our release is still live.
const REMOVED: usize = 1000;
/// What was sent within this time (seconds) is not removed: it may be another controller's, whose claim is yet to come.
const YOUNG: u64 = 24 * 3600;
/// What a prune has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Packages that were removed.
    pub removed: usize,
    /// Those that would have been, and were sent within the last day.
    pub young: usize,
}

/// Removes the packages that none of these releases has, nor the index there. What is no package stays, and what was sent
/// less than a day before `now`.
///
/// # Errors
/// What is live there is not the live release of these, or it cannot be reached.
pub async fn prune(bucket: &Bucket, live: &Release, kept: &[Release], now: Timestamp) -> Result<Pruned, StorageError> {
    let shipment = Shipment::read(live, kept).map_err(|error| unread(live, &error))?;
    let ours = OwnIndex::read(&shipment)?;
    let sight = look(bucket).await?;
    if !ours.is_live(&sight) {
        let there = sight.release().map_or_else(|| "nothing of ours".to_owned(), ToString::to_string);
        return Err(StorageError::Refused(format!(
            "nothing was removed from {}: {there} is live there and {} here; `swarm finalize` brings it there",
            bucket.url(),
            live.name
        )));
    }
    let listed = sight.sums();
    let has = |key: &str| {
        let releases = || shipment.kept.iter().map(|(_, items)| items).chain([&shipment.items]);
        listed.contains_key(key) || releases().any(|items| items.contains_key(key))
    };
    let surplus = sight.files.iter().filter(|(key, _)| key.parse::<PackagePath>().is_ok() && !has(key));
    let (old, young): (Vec<_>, Vec<_>) = surplus.partition(|(_, file)| now.seconds_since(file.modified) >= YOUNG);
    let old: Vec<String> = old.into_iter().map(|(key, _)| key.clone()).collect();
    for some in old.chunks(REMOVED) {
        confirm(bucket, &ours.live).await?;
        bucket.remove(some).await?;
    }
    Ok(Pruned { removed: old.len(), young: young.len() })
}
