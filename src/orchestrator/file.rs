//! A file of the live release, opened so that nothing else can be reached, and its bytes as the body of an answer.
//!
//! The release's directory is opened anew for each request, and the file below that directory (openat2(2),
//! `RESOLVE_BENEATH`): no `..` and no symlink leads out of it, and a swap in between changes nothing for who has begun.
//!
//! Bytes are read in pieces by threads that may wait for a disk, the next piece while the one before it is being sent,
//! so a download holds two pieces. They begin small and double, so only who takes them fast gets large ones: a piece of
//! a mebibyte costs a hundredth of the trips between threads, and a slow client no more memory than a small one.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures::Stream;
use hyper::body::Bytes;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use tokio::task::JoinHandle;

use crate::http::path::FilePath;

/// The first piece (bytes).
const FIRST_PIECE: u64 = 64 << 10;
/// The largest piece.
const LARGEST_PIECE: u64 = 1 << 20;
/// Whoever takes longer than this for a piece gets small ones.
const PROMPT: Duration = Duration::from_millis(200);

/// An open file of a release.
#[derive(Debug)]
pub struct Found {
    file: Arc<File>,
    /// Its length in bytes.
    pub length: u64,
    /// When it was modified, in whole seconds.
    pub modified: SystemTime,
}

impl Found {
    /// Opens a file of what production is at this moment; none where there is no such regular file. May wait for a disk.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn open(production: &Path, path: &FilePath) -> io::Result<Option<Self>> {
        match Self::open_beneath(production, path) {
            Ok(file) => Self::of(file),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO) => Ok(None),
            // It leads out of the release.
            Err(Errno::XDEV) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn open_beneath(production: &Path, path: &FilePath) -> rustix::io::Result<File> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let release = rustix::fs::open(production, directory, Mode::empty())?;
        // Without NONBLOCK a FIFO of that name would wait for its writer.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        openat2(&release, path.as_str(), flags, Mode::empty(), resolve).map(File::from)
    }

    fn of(file: File) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let since = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs());
        Ok(Some(Self { file: Arc::new(file), length: metadata.len(), modified }))
    }

    /// These bytes of it, which `sent` counts.
    pub fn bytes(self, range: Range<u64>, sent: Arc<AtomicU64>) -> impl Stream<Item = io::Result<Bytes>> + Send {
        let reading = Reading { file: self.file, rest: range, piece: FIRST_PIECE, next: None, handed: None, sent };
        futures::stream::try_unfold(reading, |mut reading| async move {
            let piece = reading.piece().await?;
            Ok(piece.map(|piece| (piece, reading)))
        })
    }
}

/// A download.
struct Reading {
    file: Arc<File>,
    /// What has not been asked of the disk yet.
    rest: Range<u64>,
    piece: u64,
    next: Option<JoinHandle<io::Result<Vec<u8>>>>,
    /// When the last piece was handed over.
    handed: Option<Instant>,
    sent: Arc<AtomicU64>,
}

impl Reading {
    async fn piece(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(handed) = self.handed {
            let prompt = handed.elapsed() < PROMPT;
            self.piece = if prompt { (self.piece * 2).min(LARGEST_PIECE) } else { FIRST_PIECE };
        }
        let Some(reading) = self.next.take().or_else(|| self.read_ahead()) else { return Ok(None) };
        self.next = self.read_ahead();
        let piece = reading.await.map_err(io::Error::other)??;
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        self.handed = Some(Instant::now());
        Ok(Some(Bytes::from(piece)))
    }

    fn read_ahead(&mut self) -> Option<JoinHandle<io::Result<Vec<u8>>>> {
        let from = self.rest.start;
        let length = self.piece.min(self.rest.end.saturating_sub(from));
        self.rest.start += length;
        let file = self.file.clone();
        (length > 0).then(|| tokio::task::spawn_blocking(move || read(&file, from, length)))
    }
}

/// Reads all of these bytes; a file of a release never changes, so an end before them is an error.
fn read(file: &File, from: u64, length: u64) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(length).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(wanted);
    while bytes.len() < wanted {
        let at = from + bytes.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The allocator may have given more room than was asked for.
    bytes.truncate(wanted);
    Ok(bytes)
}
