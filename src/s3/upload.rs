//! A file becomes an object: at once where it is small, in parts where it is large.
//!
//! Nobody sees an object before its last part is there. Which parts have arrived is written down beside the journal after
//! each of them, `DIRECTORY/SHA1.json`, so that an interrupted upload goes on with the next one; the storage keeps them
//! until the upload is completed or given up.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path as File, PathBuf};

use hyper::body::Bytes;
use object_store::PutMultipartOptions;
use object_store::multipart::PartId;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::{Bucket, Condition, Kind, Nature, S3Error};

/// A part (bytes); the last one may be shorter. A storage takes ten thousand parts, none but the last below 5 MiB.
const PART: u64 = 8 << 20;
/// What is not longer than this (bytes) goes at once.
const WHOLE: u64 = 2 * PART;

/// A file that is to become an object.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// What the object is called.
    pub key: &'a str,
    /// The file.
    pub file: &'a File,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA1.
    pub sha1: &'a str,
}

/// An upload that is going on.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    key: String,
    id: String,
    size: u64,
    parts: Vec<String>,
}

/// The directory in which uploads are written down.
#[derive(Debug, Clone)]
pub struct Spool(PathBuf);

impl Spool {
    /// This directory; it is made when it is needed.
    pub fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    fn path(&self, sha1: &str) -> PathBuf {
        self.0.join(format!("{sha1}.json"))
    }

    /// What has arrived of an upload; one that cannot be read has not begun.
    fn begun(&self, upload: &Upload<'_>) -> Option<Begun> {
        let begun: Begun = serde_json::from_slice(&std::fs::read(self.path(upload.sha1)).ok()?).ok()?;
        (begun.key == upload.key && begun.size == upload.size).then_some(begun)
    }

    fn write(&self, sha1: &str, begun: &Begun) -> std::io::Result<()> {
        fs_err::create_dir_all(&self.0)?;
        let next = self.0.join(format!(".{sha1}"));
        fs_err::write(&next, serde_json::to_vec(begun)?)?;
        fs_err::rename(next, self.path(sha1))
    }

    fn forget(&self, sha1: &str) -> std::io::Result<()> {
        match fs_err::remove_file(self.path(sha1)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// All that are written down, by their SHA1.
    fn all(&self) -> Vec<(String, Begun)> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let read = |path: PathBuf| {
            let sha1 = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
            Some((sha1, serde_json::from_slice(&std::fs::read(path).ok()?).ok()?))
        };
        entries.filter_map(|entry| read(entry.path())).collect()
    }
}

impl Bucket {
    /// Makes an object of a file, in place of whatever had its key; an interrupted upload of it goes on.
    ///
    /// # Errors
    /// The file cannot be read, or not be sent.
    pub async fn upload(&self, upload: &Upload<'_>, spool: &Spool) -> Result<(), S3Error> {
        let nature = Nature { sha1: upload.sha1, lasts: true };
        if upload.size <= WHOLE {
            let bytes = self.piece(upload, 0, upload.size).await?;
            return self.write(upload.key, bytes, nature, Condition::Always).await;
        }
        let path = self.path(upload.key)?;
        if let Some(begun) = spool.begun(upload) {
            match self.send_parts(upload, &path, begun, spool).await {
                // The storage has given it up.
                Err(error) if error.kind == Kind::Missing => {}
                sent => return sent,
            }
        }
        let options = PutMultipartOptions { attributes: nature.attributes(), ..PutMultipartOptions::default() };
        let id = self.store.create_multipart_opts(&path, options).await;
        let id = id.map_err(|error| self.failed(format!("begin to write {}", upload.key), error))?;
        let begun = Begun { key: upload.key.to_owned(), id, size: upload.size, parts: Vec::new() };
        self.send_parts(upload, &path, begun, spool).await
    }

    async fn send_parts(
        &self,
        upload: &Upload<'_>,
        path: &Path,
        mut begun: Begun,
        spool: &Spool,
    ) -> Result<(), S3Error> {
        let written = |error: std::io::Error| {
            S3Error::local(&self.url, format!("write down what has arrived of {}", upload.key), error.to_string())
        };
        spool.write(upload.sha1, &begun).map_err(written)?;
        let count = upload.size.div_ceil(PART);
        for part in begun.parts.len() as u64..count {
            let from = part * PART;
            let bytes = self.piece(upload, from, PART.min(upload.size - from)).await?;
            let index = usize::try_from(part).unwrap_or(usize::MAX);
            let sent = self.store.put_part(path, &begun.id, index, bytes.into()).await;
            let sent = sent.map_err(|error| self.failed(format!("write a part of {}", upload.key), error))?;
            begun.parts.push(sent.content_id);
            spool.write(upload.sha1, &begun).map_err(written)?;
        }
        let parts = begun.parts.iter().map(|part| PartId { content_id: part.clone() }).collect();
        let completed = self.store.complete_multipart(path, &begun.id, parts).await;
        completed.map_err(|error| self.failed(format!("complete {}", upload.key), error))?;
        spool.forget(upload.sha1).map_err(written)
    }

    /// Gives up the uploads that are written down: their parts would be kept, and paid for, for nothing. What cannot be
    /// given up now is tried again the next time.
    pub async fn give_up_uploads(&self, spool: &Spool) {
        for (sha1, begun) in spool.all() {
            let Ok(path) = self.path(&begun.key) else { continue };
            match self.store.abort_multipart(&path, &begun.id).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {
                    // One that stays is given up once more.
                    let _stays = spool.forget(&sha1);
                }
                Err(error) => tracing::debug!("an upload of {} cannot be given up: {error}", begun.key),
            }
        }
    }

    async fn piece(&self, upload: &Upload<'_>, from: u64, length: u64) -> Result<Bytes, S3Error> {
        let file = upload.file.to_owned();
        let read = move || {
            let mut file = fs_err::File::open(file)?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            match bytes.len() as u64 == length {
                true => Ok(Bytes::from(bytes)),
                false => Err(std::io::Error::other("the file has become shorter")),
            }
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other);
        read.and_then(|read| read)
            .map_err(|error| S3Error::local(&self.url, format!("send {}", upload.key), error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_large_file_goes_in_parts_and_an_interrupted_one_goes_on_with_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let (file, spool) = (directory.path().join("file"), Spool::new(directory.path().join("uploads")));
        let bytes: Vec<u8> = (0..WHOLE + 7).map(|number| (number % 251) as u8).collect();
        std::fs::write(&file, &bytes).unwrap();
        let bucket = Bucket::in_memory();
        let upload = Upload { key: "a/b+c", file: &file, size: bytes.len() as u64, sha1: "00ff" };

        // It broke off behind the first part: only the others are read again.
        let path = bucket.path(upload.key).unwrap();
        let id = bucket.store.create_multipart(&path).await.unwrap();
        let first = bytes[..usize::try_from(PART).unwrap()].to_vec();
        let sent = bucket.store.put_part(&path, &id, 0, first.into()).await.unwrap();
        let begun = Begun { key: upload.key.to_owned(), id, size: upload.size, parts: vec![sent.content_id] };
        spool.write(upload.sha1, &begun).unwrap();
        let mut damaged = bytes.clone();
        damaged[0] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        bucket.upload(&upload, &spool).await.unwrap();
        assert!(bucket.read("a/b+c").await.unwrap().unwrap().bytes == bytes);
        assert!(spool.all().is_empty());

        // One that is given up begins anew.
        let id = bucket.store.create_multipart(&path).await.unwrap();
        spool.write(upload.sha1, &Begun { id: id.clone(), ..begun }).unwrap();
        bucket.give_up_uploads(&spool).await;
        assert!(spool.all().is_empty() && bucket.store.abort_multipart(&path, &id).await.is_err());
        bucket.upload(&upload, &spool).await.unwrap();
        let object = bucket.read("a/b+c").await.unwrap().unwrap();
        assert!(object.bytes == damaged);
        assert_eq!(bucket.sha1("a/b+c").await.unwrap().as_deref(), Some("00ff"));
    }

    #[tokio::test]
    async fn a_file_that_is_not_as_long_as_it_was_is_not_sent() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "short").unwrap();
        let upload = Upload { key: "a", file: &file, size: 6, sha1: "00" };
        let bucket = Bucket::in_memory();
        let error = bucket.upload(&upload, &Spool::new(directory.path().join("uploads"))).await.unwrap_err();
        assert!(
            error.to_string().contains("cannot send a in s3://memory/prefix: the file has become shorter"),
            "{error}"
        );
        assert!(bucket.read("a").await.unwrap().is_none());
    }
}
