//! What is in a bucket, and what a release here is held against it by.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::{Before, StorageError, unread};
use crate::core::names::{ReleaseName, Timestamp};
use crate::portage::index::{self, Index, Limits};
use crate::release::publish::Shipment;
use crate::release::tree::INDEX;
use crate::s3::{Bucket, Listed, Object};

/// What says which release is live.
pub(super) const LIVE: &str = ".swarm/live.json";
/// What `live.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Live {
    /// The release.
    pub release: ReleaseName,
    /// The SHA256 of its `Packages`.
    pub index: String,
}

/// What is there.
pub(super) struct Sight {
    /// What is said to be live.
    pub live: Option<(Live, Object)>,
    /// `Packages` and `Packages.gz`.
    pub indexes: [Option<Object>; 2],
    /// All files, by their keys.
    pub files: BTreeMap<String, Listed>,
}

/// The index of a release here.
pub(super) struct OwnIndex {
    pub live: Live,
    /// `Packages` and `Packages.gz`.
    pub files: [Bytes; 2],
}

impl OwnIndex {
    pub fn read(shipment: &Shipment) -> Result<Self, StorageError> {
        let release = &shipment.release;
        let read = |name: &str| std::fs::read(release.root.join(name)).map(Bytes::from);
        let files = INDEX.map(read);
        let [text, packed] = files.map(|file| file.map_err(|error| unread(release, &error)));
        let files = [text?, packed?];
        let sum = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&files[0]));
        Ok(Self { live: Live { release: release.name.clone(), index: sum }, files })
    }

    /// Whether this is what clients read there.
    pub fn is_live(&self, sight: &Sight) -> bool {
        sight.live.as_ref().is_some_and(|(live, _)| *live == self.live)
            && sight
                .indexes
                .iter()
                .zip(&self.files)
                .all(|(there, own)| there.as_ref().is_some_and(|there| there.bytes == *own))
    }
}

impl Sight {
    pub fn release(&self) -> Option<&ReleaseName> {
        self.live.as_ref().map(|(live, _)| &live.release)
    }

    /// The sums of what the index there lists, by path.
    pub fn sums(&self) -> BTreeMap<String, String> {
        let text = self.indexes[0].as_ref().map(|object| object.bytes.as_ref()).unwrap_or_default();
        // One that cannot be read tells nothing.
        let index = Index::parse(text, Limits::default()).unwrap_or_default();
        let sum = |stanza: &index::Stanza| Some((stanza.path().to_string(), stanza.sha1()?.to_ascii_lowercase()));
        index.stanzas.iter().filter_map(sum).collect()
    }

    pub fn timestamp(&self) -> Option<Timestamp> {
        index::timestamp(self.indexes[0].as_ref()?.bytes.as_ref()).ok().flatten()
    }

    pub fn before(&self) -> Option<Before> {
        let (live, _) = self.live.clone()?;
        let [Some(text), Some(packed)] = &self.indexes else { return None };
        Some(Before { live, indexes: [text.bytes.clone(), packed.bytes.clone()] })
    }
}

/// First what is live, then the index, then the files: see the top.
pub(super) async fn look(bucket: &Bucket) -> Result<Sight, StorageError> {
    let live = live(bucket).await?;
    let [text, packed] = INDEX;
    let indexes = [bucket.read(text).await?, bucket.read(packed).await?];
    Ok(Sight { live, indexes, files: bucket.list().await? })
}

pub(super) async fn live(bucket: &Bucket) -> Result<Option<(Live, Object)>, StorageError> {
    let Some(object) = bucket.read(LIVE).await? else { return Ok(None) };
    match serde_json::from_slice(&object.bytes) {
        Ok(live) => Ok(Some((live, object))),
        Err(error) => Err(StorageError::Refused(format!(
            "{LIVE} in {} does not say which release is live ({error}): remove it, and the next command writes it anew",
            bucket.url()
        ))),
    }
}
