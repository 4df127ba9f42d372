//! How S3-compatible object storage is reached: a bucket, or the part of it below a prefix.
//!
//! It knows nothing of releases. `object_store` signs the requests and tries them again; [`courier`] carries them;
//! [`credentials`] finds the access key. Large files go in parts, and which parts have arrived is kept on the disk, so
//! that an interrupted one goes on where it was ([`upload`]).

pub mod courier;
pub mod credentials;
pub mod upload;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use hyper::body::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, GetOptions, ObjectMeta, ObjectStore, PutMode, PutOptions, PutPayload,
    RetryConfig, UpdateVersion,
};

use crate::core::names::Timestamp;
use crate::inventory::{BucketUrl, StorageSettings};
use courier::Courier;
use credentials::Credentials;

/// A request is tried again so often, within so long.
const RETRIES: (usize, Duration) = (6, Duration::from_secs(60));
/// The metadata that says what is in an object.
const SHA1: &str = "sha1";
/// An error is not told at more length than this (characters): servers answer with pages.
const TOLD: usize = 400;

/// What a bucket's backend has to be able to do.
pub(crate) trait Store: ObjectStore + MultipartStore {}

impl<S: ObjectStore + MultipartStore> Store for S {}

/// A bucket, or the part of it below a prefix.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn Store>,
    prefix: Path,
    url: String,
}

/// Something that could not be done with a storage.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} in {url}: {reason}")]
pub struct S3Error {
    url: String,
    doing: String,
    reason: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Missing,
    /// Somebody else was first.
    Condition,
    Other,
}

impl S3Error {
    /// Whether something else was there than what the request was for.
    pub fn is_condition(&self) -> bool {
        self.kind == Kind::Condition
    }

    /// One that is no server's.
    pub fn local(url: &str, doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { url: url.to_owned(), doing: doing.into(), reason: reason.into(), kind: Kind::Other }
    }
}

/// What a version of an object is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(UpdateVersion);

/// When a write takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Always.
    Always,
    /// Where the object is still this version; none where there is still none.
    Still(Option<Version>),
}

/// What a listing tells of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by the clock of the storage.
    pub modified: Timestamp,
}

/// What is known of an object.
#[derive(Debug, Clone)]
pub struct Object {
    /// What it holds.
    pub bytes: Bytes,
    /// Which version of it that is.
    pub version: Version,
    /// When it was written, by the clock of the storage.
    pub modified: Timestamp,
    /// The SHA1 that was written down with it.
    pub sha1: Option<String>,
}

/// What an object is, for whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nature<'a> {
    /// Its SHA1, in hexadecimal digits.
    pub sha1: &'a str,
    /// Whether it is always the same, so that caches may keep it.
    pub lasts: bool,
}

impl Nature<'_> {
    fn attributes(self) -> Attributes {
        let cache = if self.lasts { "public, max-age=31536000, immutable" } else { "no-cache" };
        Attributes::from_iter([
            (Attribute::Metadata(SHA1.into()), self.sha1.to_owned()),
            (Attribute::CacheControl, cache.to_owned()),
            // What it is called decides for everybody who reads it.
            (Attribute::ContentType, "application/octet-stream".to_owned()),
        ])
    }
}

impl Bucket {
    /// The bucket of these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// There are no credentials, or they are of no use.
    pub fn open(settings: &StorageSettings, courier: Courier) -> Result<Self, S3Error> {
        let url = settings.url.to_string();
        let unfit = |reason: String| S3Error::local(&url, "write", reason);
        let mut builder = match Credentials::find(settings.credentials.as_deref()).map_err(unfit)? {
            Credentials::Key { id, secret, token } => {
                let builder = AmazonS3Builder::new().with_access_key_id(id).with_secret_access_key(secret);
                token.into_iter().fold(builder, AmazonS3Builder::with_token)
            }
            Credentials::Environment => AmazonS3Builder::from_env(),
        };
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint.as_str()).with_allow_http(true);
        }
        let (max_retries, retry_timeout) = RETRIES;
        let store = builder
            .with_bucket_name(settings.url.bucket())
            .with_region(settings.region.as_str())
            .with_retry(RetryConfig { max_retries, retry_timeout, backoff: BackoffConfig::default() })
            .with_http_connector(courier)
            .build()
            .map_err(|error| unfit(error.to_string()))?;
        Self::over(store, &settings.url)
    }

    /// One over any backend.
    pub(crate) fn over(store: impl Store, url: &BucketUrl) -> Result<Self, S3Error> {
        let shown = url.to_string();
        let prefix = Path::parse(url.prefix()).map_err(|error| S3Error::local(&shown, "write", error.to_string()))?;
        Ok(Self { store: Arc::new(store), prefix, url: shown })
    }

    /// One in this process's memory.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        Self::over(object_store::memory::InMemory::new(), &"s3://memory/prefix".parse().unwrap()).unwrap()
    }

    /// Where it is, for people.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All objects by their keys behind the prefix. Cost: a request for each thousand.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn list(&self) -> Result<BTreeMap<String, Listed>, S3Error> {
        let prefix = Some(&self.prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let behind = self.prefix.as_ref();
        let key = |path: &Path| {
            let rest = path.as_ref().strip_prefix(behind)?;
            Some(rest.trim_start_matches('/').to_owned())
        };
        let listed = self.store.list(prefix).try_filter_map(|meta| async move {
            Ok(key(&meta.location).map(|key| (key, Listed { size: meta.size, modified: moment(&meta) })))
        });
        listed.try_collect().await.map_err(|error| self.failed("list what is", error))
    }

    /// An object with all that it holds; none where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn read(&self, key: &str) -> Result<Option<Object>, S3Error> {
        self.get(key, GetOptions::default()).await
    }

    /// The SHA1 that was written down with an object; none where there is no object, or nothing was written down.
    ///
    /// # Errors
    /// It cannot be asked for.
    pub async fn sha1(&self, key: &str) -> Result<Option<String>, S3Error> {
        let head = self.get(key, GetOptions { head: true, ..GetOptions::default() }).await?;
        Ok(head.and_then(|object| object.sha1))
    }

    async fn get(&self, key: &str, options: GetOptions) -> Result<Option<Object>, S3Error> {
        let doing = || format!("read {key}");
        let (path, is_head) = (self.path(key)?, options.head);
        let found = match self.store.get_opts(&path, options).await {
            Err(object_store::Error::NotFound { source, .. }) if !is_about_the_bucket(&source.to_string()) => {
                return Ok(None);
            }
            found => found.map_err(|error| self.failed(doing(), error))?,
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let modified = moment(&found.meta);
        let sha1 = found.attributes.get(&Attribute::Metadata(SHA1.into())).map(|value| value.as_ref().to_owned());
        let bytes = match is_head {
            true => Bytes::new(),
            false => found.bytes().await.map_err(|error| self.failed(doing(), error))?,
        };
        Ok(Some(Object { bytes, version: Version(version), modified, sha1 }))
    }

    /// Writes an object, whole or not at all, where the condition holds.
    ///
    /// # Errors
    /// The condition does not hold ([`S3Error::is_condition`]), or it cannot be written. One that was tried again may
    /// have been written all the same: its condition does not hold then, either.
    pub async fn write(
        &self,
        key: &str,
        bytes: impl Into<PutPayload>,
        nature: Nature<'_>,
        condition: Condition,
    ) -> Result<(), S3Error> {
        let mode = match condition {
            Condition::Always => PutMode::Overwrite,
            Condition::Still(None) => PutMode::Create,
            Condition::Still(Some(Version(version))) => PutMode::Update(version),
        };
        let options = PutOptions { mode, attributes: nature.attributes(), ..PutOptions::default() };
        let written = self.store.put_opts(&self.path(key)?, bytes.into(), options).await;
        written.map(|_| ()).map_err(|error| self.failed(format!("write {key}"), error))
    }

    /// Removes objects; those that are not there are no fault. Cost: a request for each thousand.
    ///
    /// # Errors
    /// One cannot be removed.
    pub async fn remove(&self, keys: &[String]) -> Result<(), S3Error> {
        let paths: Result<Vec<Path>, S3Error> = keys.iter().map(|key| self.path(key)).collect();
        let removed = self.store.delete_stream(stream::iter(paths?.into_iter().map(Ok)).boxed());
        let outcome = removed.try_for_each(|_| async { Ok(()) }).await;
        match outcome {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove files", error)),
        }
    }

    fn path(&self, key: &str) -> Result<Path, S3Error> {
        let whole = match self.prefix.as_ref() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        };
        Path::parse(&whole).map_err(|error| S3Error::local(&self.url, format!("name {key}"), error.to_string()))
    }

    fn failed(&self, doing: impl Into<String>, error: object_store::Error) -> S3Error {
        let kind = match &error {
            object_store::Error::NotFound { .. } => Kind::Missing,
            object_store::Error::Precondition { .. } | object_store::Error::AlreadyExists { .. } => Kind::Condition,
            _ => Kind::Other,
        };
        S3Error { url: self.url.clone(), doing: doing.into(), reason: reason(&error), kind }
    }
}

fn moment(meta: &ObjectMeta) -> Timestamp {
    Timestamp(meta.last_modified.timestamp())
}

/// A server that has no such bucket says that nothing is found there, too.
fn is_about_the_bucket(text: &str) -> bool {
    text.contains("NoSuchBucket")
}

/// What an error says, without what `object_store` puts around it at each layer.
fn reason(error: &object_store::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let said = innermost.to_string();
    let between = |tag: &str| {
        let (_, rest) = said.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(text, _)| text.to_owned())
    };
    let said = match (between("Code"), between("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => said,
    };
    let said: String = said.chars().map(|each| if each.is_control() { ' ' } else { each }).take(TOLD).collect();
    match error {
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            format!("the storage refuses these credentials: {said}")
        }
        _ => said,
    }
}
