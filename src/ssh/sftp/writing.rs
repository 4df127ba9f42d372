//! Writing files whole: under a temporary name beside the real one, then renamed over it.
//!
//! A piece of a file is read once there is leave for it in the [`budget`](super::budget), which it has until it is
//! answered.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, FuturesUnordered, StreamExt};
use russh_sftp::client::error::Error;
use russh_sftp::client::rawsession::SftpResult;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};

use super::budget::{Leave, Transfer};
use super::leftovers::Unfinished;
use super::{IN_FLIGHT, POSIX_RENAME, SMALL_PIECE, Sftp, directory};
use crate::core::text::printable;
use crate::failpoint::Failpoint;
use crate::ssh::chance;
use crate::ssh::host::{HostError, HostErrorKind};

/// A file's content, piece by piece.
struct Pieces<'a> {
    pieces: BoxStream<'a, Result<Vec<u8>, HostError>>,
    /// None for what is in memory anyway.
    transfer: Option<Transfer>,
}

/// What a piece has until it is answered.
type Room = Option<Leave>;

impl Pieces<'_> {
    /// Room for another piece beside so many that are on their way; none where there is none just now. It borrows mutably
    /// since a stream may go from thread to thread, but not be looked at by two.
    async fn room(&mut self, in_flight: usize) -> Option<Room> {
        match &self.transfer {
            Some(transfer) => transfer.leave(in_flight).await.map(Some),
            None => (in_flight < IN_FLIGHT).then_some(None),
        }
    }
}

impl Sftp {
    /// Writes a file whole. Its pieces are small, as the session shares its connection with commands.
    pub(crate) async fn write(&self, path: &str, content: &[u8], mode: u32) -> Result<(), HostError> {
        let size = self.features.write_piece.min(SMALL_PIECE) as usize;
        let pieces = stream::iter(content.chunks(size).map(|piece| Ok(piece.to_vec()))).boxed();
        self.store(path, Pieces { pieces, transfer: None }, mode).await
    }

    /// Copies a local file there whole.
    pub(crate) async fn upload(&self, local: &Path, path: &str, mode: u32) -> Result<(), HostError> {
        let file = fs_err::File::open(local).map_err(|error| self.unread(&error))?;
        self.store(path, self.pieces(file), mode).await
    }

    fn unread(&self, error: &std::io::Error) -> HostError {
        HostError::new(&self.host, HostErrorKind::Local, format!("cannot read what is to be sent: {error}"))
    }

    /// What is left of a local file, as fast as it may go.
    fn pieces(&self, file: fs_err::File) -> Pieces<'_> {
        let size = u64::from(self.features.write_piece);
        let pieces = stream::try_unfold(file, move |file| async move {
            let (file, piece) = read_piece(file, size).await.map_err(|error| self.unread(&error))?;
            if let Some(pace) = &self.pace {
                pace.take(piece.len()).await;
            }
            Ok((!piece.is_empty()).then_some((piece, file)))
        });
        Pieces { pieces: pieces.boxed(), transfer: Some(Transfer::begin()) }
    }

    /// Copies a local file there, from the byte on at which the file there ends; one that is longer begins anew.
    pub(crate) async fn append(&self, local: &Path, path: &str, mode: u32) -> Result<(), HostError> {
        let mut file = fs_err::File::open(local).map_err(|error| self.unread(&error))?;
        let size = file.metadata().map_err(|error| self.unread(&error))?.len();
        let attributes = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
        let flags = OpenFlags::WRITE | OpenFlags::CREATE;
        let handle = match self.moving("write", path, self.raw.open(path, flags, attributes.clone())).await? {
            Ok(opened) => opened.handle,
            Err(error) => return Err(self.write_fault(path, &error).await),
        };
        let written = async {
            let there = self.step("look at", path, self.raw.fstat(handle.as_str())).await?.attrs.size.unwrap_or(0);
            let from = if there > size { 0 } else { there };
            if there > size {
                let empty = FileAttributes { size: Some(0), ..FileAttributes::empty() };
                self.step("empty", path, self.raw.fsetstat(handle.as_str(), empty)).await?;
            }
            file.seek(SeekFrom::Start(from)).map_err(|error| self.unread(&error))?;
            self.fill(path, &handle, from, self.pieces(file)).await?;
            self.finish(path, &handle, attributes).await
        };
        let written = written.await;
        self.close_written(path, handle, written).await
    }

    /// Closes a file, however its writing went.
    async fn close_written(&self, path: &str, handle: String, written: Result<(), HostError>) -> Result<(), HostError> {
        if written.is_err() {
            self.close_quietly(handle).await;
            return written;
        }
        // The last refusal may come with the close (quotas and network file systems).
        match self.moving("close", path, self.raw.close(handle)).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(self.write_fault(path, &error).await),
        }
    }

    /// Closes a handle whose fate no longer matters; a lost session has closed it already.
    async fn close_quietly(&self, handle: String) {
        if self.usable() {
            let _ = self.moving("close", "", self.raw.close(handle)).await;
        }
    }

    async fn store(&self, path: &str, pieces: Pieces<'_>, mode: u32) -> Result<(), HostError> {
        for leftover in self.leftovers.take() {
            self.remove(leftover).await;
        }
        let temporary = self.leftovers.begin(&temporary_name(path));
        let stored = match self.store_as(&temporary.path, path, pieces, mode).await {
            Ok(()) => {
                Failpoint::BeforeRename.pass();
                let renamed = self.rename(&temporary.path, path).await;
                Failpoint::AfterRename.pass();
                renamed
            }
            Err(error) => Err(error),
        };
        match stored {
            Ok(()) => temporary.settled(),
            Err(_) => self.remove(temporary).await,
        }
        stored
    }

    /// Removes a temporary file; without an answer it stays a leftover. A refusal says that it is not there, or that
    /// we may do nothing about it.
    async fn remove(&self, temporary: Unfinished) {
        if !self.usable() {
            return;
        }
        if let Ok(Ok(_) | Err(Error::Status(_))) =
            self.moving("remove", &temporary.path, self.raw.remove(temporary.path.as_str())).await
        {
            temporary.settled();
        }
    }

    /// Writes the pieces to a new file. Errors name the path that is meant in the end.
    async fn store_as(&self, temporary: &str, path: &str, pieces: Pieces<'_>, mode: u32) -> Result<(), HostError> {
        let attributes = FileAttributes { permissions: Some(mode), ..FileAttributes::empty() };
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUDE;
        let handle = match self.moving("write", path, self.raw.open(temporary, flags, attributes.clone())).await? {
            Ok(opened) => opened.handle,
            Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => {
                let text = format!("cannot write {path}: there is no directory {}", directory(path));
                return Err(HostError::new(&self.host, HostErrorKind::Failed, text));
            }
            Err(error) => return Err(self.write_fault(path, &error).await),
        };
        let written = self.fill(path, &handle, 0, pieces).await;
        let finished = match written {
            // The mode given at the opening was cut by the host's umask.
            Ok(()) => self.finish(path, &handle, attributes).await,
            Err(error) => Err(error),
        };
        self.close_written(path, handle, finished).await
    }

    async fn fill(&self, path: &str, handle: &str, from: u64, mut source: Pieces<'_>) -> Result<(), HostError> {
        let mut flight: FuturesUnordered<BoxFuture<'_, SftpResult<()>>> = FuturesUnordered::new();
        let mut offset = from;
        let (mut more, mut room) = (true, None);
        while more || !flight.is_empty() {
            if more && room.is_none() {
                room = source.room(flight.len()).await;
            }
            tokio::select! {
                biased;
                // Sends what was read before; and what has been answered gives its room back while more is waited for.
                answer = self.moving("write", path, flight.next()), if !flight.is_empty() => {
                    if let Some(Err(error)) = answer? {
                        return Err(self.write_fault(path, &error).await);
                    }
                }
                piece = source.pieces.next(), if more && room.is_some() => match piece.transpose()? {
                    Some(piece) => {
                        let (at, room) = (offset, room.take());
                        offset += piece.len() as u64;
                        flight.push(Box::pin(async move {
                            let written = self.raw.write(handle, at, piece).await;
                            drop(room);
                            written.map(drop)
                        }));
                    }
                    None => more = false,
                },
            }
        }
        Ok(())
    }

    async fn finish(&self, path: &str, handle: &str, attributes: FileAttributes) -> Result<(), HostError> {
        self.step("set the mode of", path, self.raw.fsetstat(handle, attributes)).await?;
        if self.features.fsync {
            return match self.moving("sync", path, self.raw.fsync(handle)).await? {
                Ok(_) => Ok(()),
                Err(error) => Err(self.write_fault(path, &error).await),
            };
        }
        Ok(())
    }

    /// SFTP has no word for a full disk: the file system is asked after a plain failure.
    async fn write_fault(&self, path: &str, error: &Error) -> HostError {
        let plain = matches!(error, Error::Status(status) if status.status_code == StatusCode::Failure);
        let said_so = matches!(error, Error::Status(status) if status.error_message.contains("No space"));
        let full = plain
            && match self.statvfs(directory(path)).await {
                Some(space) => space.blocks_avail == 0 || space.inodes > 0 && space.inodes_avail == 0,
                None => said_so,
            };
        if full || said_so {
            let text = format!("cannot write {path}: no space left there; free some in {}", directory(path));
            return HostError::new(&self.host, HostErrorKind::NoSpace, text);
        }
        self.fault("write", path, error)
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), HostError> {
        if !self.features.posix_rename {
            // The old file is gone for a moment; without the extension there is no better way.
            let _ = self.moving("replace", to, self.raw.remove(to)).await?;
            return self.step("rename to", to, self.raw.rename(from, to)).await.map(drop);
        }
        match self.step("rename to", to, self.raw.extended(POSIX_RENAME, strings(&[from, to]))).await? {
            Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
            Packet::Status(status) => Err(self.fault("rename to", to, &Error::Status(status))),
            other => {
                let text = format!("an unexpected answer, {}", printable(&format!("{other:?}")));
                Err(self.fault("rename to", to, &Error::UnexpectedBehavior(text)))
            }
        }
    }
}

/// A name in the same directory that nothing else has.
fn temporary_name(path: &str) -> String {
    // Room for the rest within the 255 bytes that a name may have.
    const KEPT: usize = 128;
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let kept: String = name.chars().take(KEPT / 4).collect();
    let directory = path.strip_suffix(name).unwrap_or_default();
    format!("{directory}.{kept}.{:016x}.part", chance::number())
}

/// Strings as SSH writes them, one behind the other.
fn strings(texts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// The next piece of a file, read beside the runtime; an empty one at its end.
async fn read_piece(mut file: fs_err::File, size: u64) -> std::io::Result<(fs_err::File, Vec<u8>)> {
    let read = move || {
        let mut piece = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        (&mut file).take(size).read_to_end(&mut piece)?;
        Ok((file, piece))
    };
    tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_name_lies_beside_the_real_one() {
        let name = temporary_name("/var/cache/foo.gpkg.tar");
        assert!(name.starts_with("/var/cache/.foo.gpkg.tar.") && name.ends_with(".part"), "{name}");
        assert_ne!(name, temporary_name("/var/cache/foo.gpkg.tar"));
        assert!(temporary_name(&format!("/{}", "ü".repeat(127))).len() <= 255);
    }
}
