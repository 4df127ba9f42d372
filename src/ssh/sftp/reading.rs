//! Reading files: pieces asked for ahead and taken in order.
//!
//! [`IN_FLIGHT`] requests are under way at once, so that the line is full whatever its delay; their answers are handed
//! on in the file's order, so that a local copy is complete up to its length at any moment and a broken transfer goes
//! on from there. A short answer is legal and is asked for again; an empty one or the end-of-file status is the end.
//!
//! A small file takes two round trips: its first piece is asked for together with its size, and nobody waits for its
//! closing. The memory that all this takes is in the [`budget`](super::budget).

use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::join;
use futures::stream::{FuturesOrdered, StreamExt};
use russh_sftp::client::error::Error;
use russh_sftp::client::rawsession::SftpResult;
use russh_sftp::protocol::{FileAttributes, OpenFlags, StatusCode};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::budget::{self, Leave, Transfer};
use super::{IN_FLIGHT, Sftp};
use crate::ssh::growth::Growth;
use crate::ssh::host::{HostError, HostErrorKind};

/// Pieces that may wait for the local disk, above those in flight.
const DISK_QUEUE: usize = 8;

impl Sftp {
    /// The whole of a file of at most `limit` bytes; none where there is no such file.
    pub(crate) async fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        let Some(content) = self.read_range(path, 0, limit.saturating_add(1)).await? else { return Ok(None) };
        if content.len() as u64 > limit {
            let text = format!("cannot read {path}: it is larger than {limit} bytes");
            return Err(HostError::new(&self.host, HostErrorKind::Failed, text));
        }
        Ok(Some(content))
    }

    /// At most `limit` bytes from `offset` on; none where there is no such file.
    pub(crate) async fn read_from(&self, path: &str, offset: u64, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.read_range(path, offset, limit).await
    }

    async fn read_range(&self, path: &str, offset: u64, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        let Some(opened) = self.open_to_read(path).await? else { return Ok(None) };
        let begun = self.begin(path, &opened, offset, limit).await?;
        // A size of zero may be that of a file in /proc: such ones end where they end.
        let end = offset.saturating_add(limit).min(if begun.size == 0 { u64::MAX } else { begun.size });
        let ahead = if begun.size == 0 { 1 } else { IN_FLIGHT };
        // What is held here must not be waited for below.
        drop(begun.leave);
        let mut content = begun.first;
        if !begun.ended {
            let rest = offset + content.len() as u64..end;
            self.fetch(path, &opened, rest, ahead, &mut Sink::Memory(&mut content)).await?;
        }
        Ok(Some(content))
    }

    /// Appends to a local file what it lacks of a file there. Gives the number of bytes that came.
    pub(crate) async fn download(
        &self,
        path: &str,
        local: &Path,
        growth: Option<&Arc<Growth>>,
    ) -> Result<u64, HostError> {
        let local_fault = |error: std::io::Error| {
            HostError::new(&self.host, HostErrorKind::Local, format!("cannot fetch {path} here: {error}"))
        };
        let file = fs_err::OpenOptions::new().create(true).append(true).open(local).map_err(local_fault)?;
        let present = file.metadata().map_err(local_fault)?.len();
        let Some(opened) = self.open_to_read(path).await? else {
            let text = format!("cannot fetch {path}: there is no such file there");
            return Err(HostError::new(&self.host, HostErrorKind::Failed, text));
        };
        let begun = self.begin(path, &opened, present, u64::MAX).await?;
        let size = begun.size;
        if present > size {
            let text = format!(
                "cannot fetch {path}: {} has {present} bytes already, the file there only {size}; remove it",
                local.display()
            );
            return Err(HostError::new(&self.host, HostErrorKind::Local, text));
        }
        let (pieces, writer) = write_behind(file, present, growth.cloned());
        let mut pieces = Sink::Disk(pieces);
        let first = begun.first.len() as u64;
        if let Some(pace) = &self.pace {
            pace.take(begun.first.len()).await;
        }
        let fetched = if pieces.take(begun.first, begun.leave).await && !begun.ended {
            self.fetch(path, &opened, present + first..size, IN_FLIGHT, &mut pieces).await
        } else {
            Ok(0)
        };
        drop(pieces);
        // What came before a break is on the disk before the break is told: the next try goes on from there.
        let written = writer.await.map_err(|error| local_fault(std::io::Error::other(error)))?;
        written.map_err(local_fault)?;
        fetched.map(|rest| first + rest)
    }

    /// The size of a file and its first piece from the offset on, of at most `limit` bytes, in one round trip.
    async fn begin(&self, path: &str, opened: &Opened<'_>, offset: u64, limit: u64) -> Result<Begun, HostError> {
        let leave = budget::leave().await;
        let length = self.piece_length(limit);
        let handle = opened.handle.as_str();
        let asked = join(self.raw.fstat(handle), self.piece(handle, offset, length));
        let (attributes, first) = self.moving("read", path, asked).await?;
        let size = attributes.map_err(|error| self.fault("examine", path, &error))?.attrs.size.unwrap_or(0);
        let (first, length) = first.map_err(|error| self.fault("read", path, &error))?;
        Ok(Begun { size, ended: first.len() < length as usize, first, leave })
    }

    /// A file that is open there; none where it does not exist.
    async fn open_to_read(&self, path: &str) -> Result<Option<Opened<'_>>, HostError> {
        let opening = self.raw.open(path, OpenFlags::READ, FileAttributes::empty());
        match self.moving("open", path, opening).await? {
            Ok(opened) => Ok(Some(Opened { sftp: self, handle: opened.handle })),
            Err(Error::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
            Err(error) => Err(self.fault("open", path, &error)),
        }
    }

    /// Hands the bytes of a range to the sink in order, up to the end of the file. Gives their number.
    async fn fetch(
        &self,
        path: &str,
        opened: &Opened<'_>,
        range: Range<u64>,
        ahead: usize,
        sink: &mut Sink<'_>,
    ) -> Result<u64, HostError> {
        let transfer = Transfer::begin();
        let mut flight = FuturesOrdered::new();
        let mut next = range.start;
        let mut count = 0;
        loop {
            while flight.len() < ahead && next < range.end {
                let Some(leave) = transfer.leave(flight.len()).await else { break };
                let length = self.piece_length(range.end - next);
                if let (Some(pace), Sink::Disk(_)) = (&self.pace, &*sink) {
                    pace.take(length as usize).await;
                }
                flight.push_back(self.piece(&opened.handle, next, length).map(|piece| (piece, leave)));
                next += u64::from(length);
            }
            let Some((piece, leave)) = self.moving("read", path, flight.next()).await? else { return Ok(count) };
            let (piece, length) = piece.map_err(|error| self.fault("read", path, &error))?;
            let ended = piece.len() < length as usize;
            count += piece.len() as u64;
            if !sink.take(piece, Some(leave)).await || ended {
                return Ok(count);
            }
        }
    }

    /// How much of what is wanted is asked for at once.
    fn piece_length(&self, wanted: u64) -> u32 {
        u32::try_from(wanted).map_or(self.features.read_piece, |wanted| wanted.min(self.features.read_piece))
    }

    /// One piece, shorter than asked for only at the end of the file. Gives the length asked for, too.
    async fn piece(&self, handle: &str, offset: u64, length: u32) -> SftpResult<(Vec<u8>, u32)> {
        let mut piece: Vec<u8> = Vec::new();
        loop {
            let have = piece.len() as u32;
            match self.raw.read(handle, offset + u64::from(have), length - have).await {
                Ok(data) if data.data.len() > (length - have) as usize => {
                    return Err(Error::UnexpectedBehavior("more bytes than were asked for".to_owned()));
                }
                Ok(data) if data.data.is_empty() => return Ok((piece, length)),
                Ok(data) if piece.is_empty() => piece = data.data,
                Ok(mut data) => piece.append(&mut data.data),
                Err(Error::Status(status)) if status.status_code == StatusCode::Eof => return Ok((piece, length)),
                Err(error) => return Err(error),
            }
            if piece.len() == length as usize {
                return Ok((piece, length));
            }
        }
    }
}

/// A file that is open there. Dropping it has it closed, without waiting for an answer: nothing depends on it, and a
/// lost session has closed it already.
struct Opened<'a> {
    sftp: &'a Sftp,
    handle: String,
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if self.sftp.usable() {
            // The first poll sends it.
            let _ = self.sftp.raw.close(self.handle.as_str()).now_or_never();
        }
    }
}

/// What a file begins with.
struct Begun {
    size: u64,
    first: Vec<u8>,
    /// There is no more behind the first piece.
    ended: bool,
    leave: Option<Leave>,
}

/// A piece that came, with its leave to be in memory.
type Piece = (Vec<u8>, Option<Leave>);

/// Where the bytes go.
enum Sink<'a> {
    Memory(&'a mut Vec<u8>),
    Disk(mpsc::Sender<Piece>),
}

impl Sink<'_> {
    /// False where it takes no more: the disk's writer has failed, and says so when it is asked.
    async fn take(&mut self, mut piece: Vec<u8>, leave: Option<Leave>) -> bool {
        match self {
            Self::Memory(content) => {
                content.append(&mut piece);
                true
            }
            Self::Disk(writer) => writer.send((piece, leave)).await.is_ok(),
        }
    }
}

type Writer = JoinHandle<std::io::Result<()>>;

/// A task that writes pieces to a file in the order in which they are sent, beside the runtime.
fn write_behind(mut file: fs_err::File, present: u64, growth: Option<Arc<Growth>>) -> (mpsc::Sender<Piece>, Writer) {
    let (sender, mut receiver) = mpsc::channel::<Piece>(DISK_QUEUE);
    let writer = tokio::task::spawn_blocking(move || {
        let mut length = present;
        while let Some((piece, _leave)) = receiver.blocking_recv() {
            file.write_all(&piece)?;
            length += piece.len() as u64;
            if let Some(growth) = &growth {
                growth.to(length);
            }
        }
        Ok(())
    });
    (sender, writer)
}
