//! A strict reader of the plain tar archives that a GPKG is made of.
//!
//! General tar readers are lenient: they skip what they do not know, accept an archive that just stops, and follow
//! extension headers of any size. Here everything that Portage never writes is a fault: links and devices, padding
//! that is not zero, a missing end mark, bytes behind it. So each bit of the archive is either content, covered by a
//! header's checksum, or known to be zero. It reads forwards only, in constant memory.
//!
//! Format: POSIX.1-1988 ustar and the GNU one (for sizes from 8 GiB and names that do not fit a ustar header), which
//! are the two that Portage writes (GLEP 78).

use std::io::{self, Read};

use tar::{EntryType, Header};

const BLOCK: usize = 512;

/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// The longest name that is followed.
const NAME_LIMIT: u64 = 4096;

/// Writers fill up to a multiple of their record (10 KiB by default); more zeros than this are none of theirs.
const END_LIMIT: u64 = 1024 * 1024;

/// What is wrong with a tar archive.
#[derive(Debug, thiserror::Error)]
pub enum TarFault {
    /// The bytes could not be had.
    #[error("read it: {0}")]
    Read(#[from] io::Error),
    /// The first block is no header.
    #[error("read it as a tar archive: it is none")]
    NotTar,
    /// It ends in mid-member or without an end mark.
    #[error("read it to its end: it is cut short")]
    Truncated,
    /// There is something behind its end mark.
    #[error("read it as one tar archive: there is more behind its end")]
    Trailing,
    /// A header does not add up.
    #[error("read the tar header at byte {0}: it is damaged")]
    Header(u64),
    /// Something else than a regular file.
    #[error("take {name:?}: {kind} has no place in a package")]
    Kind {
        /// The member.
        name: String,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// Bytes between two members that are not zero.
    #[error("read the padding before byte {0}: it is not empty")]
    Padding(u64),
}

/// A member, as its header says.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name, as it stands.
    pub name: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
}

/// Walks over an archive. After each [`TarReader::next_entry`] the content has to be taken with
/// [`TarReader::content`].
pub(super) struct TarReader<R> {
    source: R,
    offset: u64,
    chunk: Vec<u8>,
}

impl<R: Read> TarReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, offset: 0, chunk: vec![0; CHUNK] }
    }

    /// The next member, or nothing behind the archive's proper end.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, TarFault> {
        let mut long_name = None;
        loop {
            let at = self.offset;
            let mut block = [0; BLOCK];
            self.fill(&mut block)?;
            if block.iter().all(|byte| *byte == 0) {
                return if long_name.is_some() { Err(TarFault::Header(at)) } else { self.end().map(|()| None) };
            }
            let header = Header::from_byte_slice(&block);
            if header.as_ustar().is_none() && header.as_gnu().is_none() {
                return Err(if at == 0 { TarFault::NotTar } else { TarFault::Header(at) });
            }
            if !checksum_holds(&block) {
                return Err(TarFault::Header(at));
            }
            let size = header.entry_size().map_err(|_| TarFault::Header(at))?;
            match header.entry_type() {
                EntryType::GNULongName if long_name.is_none() && size <= NAME_LIMIT => {
                    long_name = Some(self.long_name(size)?);
                }
                EntryType::Regular => {
                    let name = long_name.unwrap_or_else(|| header.path_bytes().into_owned());
                    return Ok(Some(Entry { name, size }));
                }
                other => {
                    let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
                    return Err(TarFault::Kind { name, kind: kind_of(other) });
                }
            }
        }
    }

    /// Hands the content of `size` bytes to `sink`, piece by piece, and steps over the padding behind it.
    pub(super) fn content(&mut self, size: u64, mut sink: impl FnMut(&[u8])) -> Result<(), TarFault> {
        let mut left = size;
        let mut chunk = std::mem::take(&mut self.chunk);
        while left > 0 {
            let want = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
            let (piece, _) = chunk.split_at_mut(want);
            self.fill(piece)?;
            sink(piece);
            left -= want as u64;
        }
        self.chunk = chunk;
        self.padding(size)
    }

    fn padding(&mut self, size: u64) -> Result<(), TarFault> {
        let over = (size % BLOCK as u64) as usize;
        if over == 0 {
            return Ok(());
        }
        let mut block = [0; BLOCK];
        let (padding, _) = block.split_at_mut(BLOCK - over);
        self.fill(padding)?;
        if padding.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(TarFault::Padding(self.offset)) }
    }

    fn long_name(&mut self, size: u64) -> Result<Vec<u8>, TarFault> {
        let mut name = Vec::new();
        self.content(size, |piece| name.extend_from_slice(piece))?;
        if name.pop() == Some(0) { Ok(name) } else { Err(TarFault::Header(self.offset)) }
    }

    /// What follows the first block of zeros: a second one, and nothing but zeros to the end of the file.
    fn end(&mut self) -> Result<(), TarFault> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        let mut zeros = block.iter().all(|byte| *byte == 0);
        let mut behind = 0;
        while zeros {
            let count = match self.source.read(&mut self.chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            behind += count as u64;
            zeros = behind <= END_LIMIT && self.chunk.iter().take(count).all(|byte| *byte == 0);
        }
        if !zeros {
            Err(TarFault::Trailing)
        } else if behind.is_multiple_of(BLOCK as u64) {
            Ok(())
        } else {
            Err(TarFault::Truncated)
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), TarFault> {
        self.source.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof if self.offset == 0 => TarFault::NotTar,
            io::ErrorKind::UnexpectedEof => TarFault::Truncated,
            _ => TarFault::Read(error),
        })?;
        self.offset += buffer.len() as u64;
        Ok(())
    }
}

/// The sum of the header's bytes, its own field taken as blanks, in one of the two forms that writers give it.
fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    let sum: u32 =
        block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    let field = block.get(148..156).unwrap_or_default();
    field == format!("{sum:06o}\0 ").as_bytes() || field == format!("{sum:07o}\0").as_bytes()
}

fn kind_of(entry_type: EntryType) -> &'static str {
    match entry_type {
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::Directory => "a directory",
        _ => "an extension header",
    }
}
