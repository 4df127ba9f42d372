//! A storage in memory that several use at once: each request waits for some turns of the others, as the seed says, and
//! an index that lists what is not there is found out in the moment in which it is written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::*;
use crate::portage::index::{Index, Limits};
use crate::seeded::Seeded;

/// A request waits for so many turns at the most,
const TURNS: usize = 12;
/// and one of so many for so many: others do all that they have to do meanwhile.
const LATE: (usize, usize) = (6, 400);

/// The storage.
#[derive(Clone)]
pub struct Shared {
    inner: InMemory,
    chance: Arc<Mutex<Seeded>>,
    unconditional: Arc<AtomicBool>,
    interference: Arc<Mutex<Option<Interference>>>,
}

/// What somebody else does in the moment before a write.
struct Interference {
    /// The key that is written.
    at: &'static str,
    /// The key that somebody else writes, or removes.
    key: String,
    content: Option<Bytes>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Shared")
    }
}

impl std::fmt::Display for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Shared")
    }
}

impl Shared {
    /// An empty one.
    pub fn new(seed: u64) -> Self {
        Self {
            inner: InMemory::new(),
            chance: Arc::new(Mutex::new(Seeded::new(seed))),
            unconditional: Arc::default(),
            interference: Arc::default(),
        }
    }

    /// A way to it.
    pub fn bucket(&self) -> Bucket {
        Bucket::over(self.clone(), &"s3://shared/prefix".parse().unwrap()).unwrap()
    }

    /// From here on it writes whatever comes.
    pub fn pass_over_conditions(&self) {
        self.unconditional.store(true, Ordering::Relaxed);
    }

    /// At the next write of one key somebody else has just written this to another, or removed it.
    pub fn interfere(&self, at: &'static str, key: String, content: Option<Bytes>) {
        *self.interference.lock().unwrap() = Some(Interference { at, key, content });
    }

    async fn be_interfered_with(&self, location: &Path) {
        let is_it = |other: &mut Interference| location.as_ref() == format!("prefix/{}", other.at);
        let Some(Interference { key, content, .. }) = self.interference.lock().unwrap().take_if(is_it) else { return };
        let path = Path::parse(format!("prefix/{key}")).unwrap();
        match content {
            Some(content) => drop(self.inner.put(&path, content.into()).await.unwrap()),
            None => self.inner.delete(&path).await.unwrap(),
        }
    }

    async fn turn(&self) {
        let turns = {
            let mut chance = self.chance.lock().unwrap();
            let most = if chance.below(LATE.0) == 0 { LATE.1 } else { TURNS };
            chance.below(most)
        };
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    async fn hold_against_files(&self, payload: &PutPayload) {
        let text: Vec<u8> = payload.iter().flat_map(|bytes| bytes.to_vec()).collect();
        for stanza in Index::parse(&text, Limits::default()).unwrap().stanzas {
            let path = Path::parse(format!("prefix/{}", stanza.path())).unwrap();
            assert!(self.inner.head(&path).await.is_ok(), "an index lists {path}, which is not there");
        }
    }
}

#[async_trait]
impl ObjectStore for Shared {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        self.turn().await;
        if location.as_ref() == "prefix/Packages" {
            self.hold_against_files(&payload).await;
        }
        self.be_interfered_with(location).await;
        if self.unconditional.load(Ordering::Relaxed) {
            options.mode = PutMode::Overwrite;
        }
        let put = self.inner.put_opts(location, payload, options).await;
        // The answer takes its time as well.
        self.turn().await;
        put
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.turn().await;
        let got = self.inner.get_opts(location, options).await;
        self.turn().await;
        got
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (shared, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            shared.turn().await;
            let listed = shared.inner.list(prefix.as_ref()).collect::<Vec<_>>().await;
            shared.turn().await;
            stream::iter(listed)
        };
        stream::once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for Shared {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.inner.create_multipart(path).await
    }

    async fn put_part(&self, path: &Path, id: &MultipartId, part: usize, data: PutPayload) -> Result<PartId> {
        self.inner.put_part(path, id, part, data).await
    }

    async fn complete_multipart(&self, path: &Path, id: &MultipartId, parts: Vec<PartId>) -> Result<PutResult> {
        self.inner.complete_multipart(path, id, parts).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.inner.abort_multipart(path, id).await
    }
}
