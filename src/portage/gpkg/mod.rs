//! GPKG, Portage's binary package format (GLEP 78): reading one is verifying it.
//!
//! A GPKG is a plain tar of one directory: `gpkg-1`, `metadata.tar.zst`, `image.tar.zst` and `Manifest`, which holds
//! size and hashes of the other three. [`read`] goes once over the file, in a few megabytes of memory besides the
//! metadata: it hashes the whole file (MD5 and SHA1, for the index) and each member (BLAKE2B and SHA512, for the
//! Manifest) as they pass, and only what holds in every point comes out of it. The image is hashed, not unpacked.

mod gpg;
mod linked;
mod manifest;
mod metadata;
mod sign;
mod signature;
mod tar_reader;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;

use blake2::Blake2b512;
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha512;

use crate::core::names::BuildId;
use crate::core::package::{Cpv, Slot};

pub use manifest::ManifestFault;
pub use metadata::{Metadata, MetadataError};
pub use sign::{SignError, Signer};
pub use signature::{SignatureError, verify_signature};
pub use tar_reader::TarFault;

use manifest::Manifest;
use tar_reader::{Entry, TarReader};

/// The most members that a package may have; Portage makes four, with signatures six.
const MEMBER_LIMIT: usize = 32;

/// The largest Manifest that is read; real ones have two kilobytes.
const MANIFEST_LIMIT: u64 = 1024 * 1024;

/// How much is read at once where it is only hashed.
const PIECE: usize = 256 * 1024;

const MARK: &str = "gpkg-1";
const MANIFEST: &str = "Manifest";

/// A binary package that holds what its own Manifest promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpkg {
    /// The directory that its members lie in: `PF-BUILDID`, or `PF` without multi-instance.
    pub basename: String,
    /// Its text metadata.
    pub metadata: Metadata,
    /// MD5 (hexadecimal) of the ebuild that it carries.
    pub ebuild_md5: Option<String>,
    /// Size of the whole file in bytes.
    pub size: u64,
    /// MD5 of the whole file, hexadecimal.
    pub md5: String,
    /// SHA1 of the whole file, hexadecimal.
    pub sha1: String,
    /// Whether it carries signatures; that they are good is not said.
    pub signed: bool,
}

impl Gpkg {
    /// The package that its metadata says it is.
    ///
    /// # Errors
    /// A key is missing, or together they are no package with a version.
    pub fn cpv(&self) -> Result<Cpv, MetadataError> {
        let text = format!("{}/{}", self.required("CATEGORY")?, self.required("PF")?);
        text.parse().map_err(|_| MetadataError::Odd { key: "PF", value: text })
    }

    /// Its build id; none where it was made without multi-instance.
    ///
    /// # Errors
    /// What it says is no number from 1.
    pub fn build_id(&self) -> Result<Option<BuildId>, MetadataError> {
        let Some(text) = self.metadata.get("BUILD_ID") else { return Ok(None) };
        match text.parse() {
            Ok(number) if number > 0 => Ok(Some(BuildId(number))),
            _ => Err(MetadataError::Odd { key: "BUILD_ID", value: text.to_owned() }),
        }
    }

    /// Its slot and sub-slot.
    ///
    /// # Errors
    /// It says none, or what is no slot.
    pub fn slot(&self) -> Result<Slot, MetadataError> {
        let text = self.required("SLOT")?;
        text.parse().map_err(|_| MetadataError::Odd { key: "SLOT", value: text.to_owned() })
    }

    fn required(&self, key: &'static str) -> Result<&str, MetadataError> {
        self.metadata.get(key).ok_or(MetadataError::Missing(key))
    }
}

/// Why a file is not a package that can be used.
#[derive(Debug, thiserror::Error)]
pub enum GpkgError {
    /// The file could not be read.
    #[error("read the package: {0}")]
    Read(#[from] io::Error),
    /// An xpak package.
    #[error("use an xpak package, the swarm takes GPKG only: set BINPKG_FORMAT=\"gpkg\" in the make.conf that made it")]
    Xpak,
    /// The container is no proper tar archive.
    #[error("{0}")]
    Container(#[source] TarFault),
    /// The archive of the metadata is no proper tar archive.
    #[error("read its metadata: {0}")]
    MetadataArchive(#[source] TarFault),
    /// The first member is not the mark of a GPKG.
    #[error("read it as a GPKG: its first member is not gpkg-1")]
    NoMark,
    /// A name that Portage does not make.
    #[error("take {0:?}: that is no name of a member of a GPKG")]
    Name(String),
    /// Two members of one name.
    #[error("take {0:?}: there are two of that name")]
    Twice(String),
    /// More members than any package has.
    #[error("read it as a GPKG: it has more than {MEMBER_LIMIT} members")]
    TooMany,
    /// Metadata or Manifest beyond any sensible size.
    #[error("unpack its {0}: it is too large")]
    TooLarge(String),
    /// A member that a GPKG has to have.
    #[error("read it as a GPKG: it has no {0}")]
    Missing(&'static str),
    /// The Manifest cannot be read.
    #[error("{0}")]
    Manifest(#[from] ManifestFault),
    /// A member that the Manifest does not list.
    #[error("verify {0:?}: its Manifest does not list it")]
    Unlisted(String),
    /// A member that is listed but not there.
    #[error("verify {0:?}: its Manifest lists it, but it is not there")]
    Absent(String),
    /// A member that is not what the Manifest says.
    #[error("verify {member:?}: its {what} is not what its Manifest says")]
    Mismatch {
        /// The member.
        member: String,
        /// Size, BLAKE2B or SHA512.
        what: &'static str,
    },
    /// The metadata cannot be decompressed.
    #[error("decompress its {member}: {source}")]
    Compression {
        /// The member.
        member: String,
        /// What the decompressor says.
        source: io::Error,
    },
    /// No compression at all.
    #[error(
        "use an uncompressed package, Portage itself reads it only where BINPKG_COMPRESS is empty too: set \
         BINPKG_COMPRESS=\"zstd\" in the make.conf that made it"
    )]
    Uncompressed,
    /// A compression that is not supported.
    #[error(
        "decompress its metadata.tar{0}: set BINPKG_COMPRESS=\"zstd\" in the make.conf that made it (gzip, bzip2 and xz \
         work too)"
    )]
    UnknownCompression(String),
}

/// Verifies the package at `path` and yields what an index needs to know of it, in one pass.
///
/// # Errors
/// The file cannot be read, or is in some point no package as Portage makes it.
pub fn read(path: &Path) -> Result<Gpkg, GpkgError> {
    read_through(fs_err::File::open(path)?, path)
}

/// The same through a reader of that file, which may wait for what is still to come of it.
pub fn read_through(mut source: impl Read, path: &Path) -> Result<Gpkg, GpkgError> {
    let is_xpak_by_name = path.extension().is_some_and(|extension| extension == "tbz2" || extension == "xpak");
    let result = read_from(&mut source);
    if result.is_err() {
        // What tells the old format stands at the end, so it has to be there.
        io::copy(&mut source, &mut io::sink())?;
    }
    match result {
        _ if is_xpak_by_name => Err(GpkgError::Xpak),
        Err(_) if ends_like_xpak(path) => Err(GpkgError::Xpak),
        result => result,
    }
}

/// MD5 and SHA1 (hexadecimal) of a whole file, whatever it holds.
///
/// # Errors
/// The file cannot be read.
pub fn hashes(path: &Path) -> io::Result<(String, String)> {
    let mut hashing = Hashing::new(fs_err::File::open(path)?);
    // In large pieces: each is handed to another thread.
    let mut piece = vec![0; PIECE];
    loop {
        match hashing.read(&mut piece) {
            Ok(0) => break,
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    let (_, md5, sha1) = hashing.finish()?;
    Ok((md5, sha1))
}

/// An xpak has its metadata behind an archive, closed by `XPAKSTOP`, a length and `STOP` (xpak(5)).
fn ends_like_xpak(path: &Path) -> bool {
    let Ok(mut file) = fs_err::File::open(path) else { return false };
    let mut tail = [0; 16];
    file.seek(SeekFrom::End(-16)).is_ok()
        && file.read_exact(&mut tail).is_ok()
        && tail.starts_with(b"XPAKSTOP")
        && tail.ends_with(b"STOP")
}

/// What is computed of a member as it passes.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    size: u64,
    blake2b: String,
    sha512: String,
}

/// The hashes of a member in the making.
#[derive(Default)]
struct MemberHash {
    size: u64,
    blake2b: Blake2b512,
    sha512: Sha512,
}

impl MemberHash {
    fn of(content: &[u8]) -> Seen {
        let mut hash = Self::default();
        hash.update(content);
        hash.finish()
    }

    fn update(&mut self, piece: &[u8]) {
        self.size += piece.len() as u64;
        self.blake2b.update(piece);
        self.sha512.update(piece);
    }

    fn finish(self) -> Seen {
        let (blake2b, sha512) = (hexadecimal(&self.blake2b.finalize()), hexadecimal(&self.sha512.finalize()));
        Seen { size: self.size, blake2b, sha512 }
    }
}

/// The members that are kept for the end, and the hashes of all.
#[derive(Default)]
struct Members {
    directory: Option<String>,
    seen: BTreeMap<String, Seen>,
    manifest: Option<Vec<u8>>,
    metadata: Option<(String, Vec<u8>)>,
    image: bool,
}

pub(crate) fn read_from(source: impl Read) -> Result<Gpkg, GpkgError> {
    let mut hashing = Hashing::new(source);
    let mut members = Members::default();
    let mut reader = TarReader::new(&mut hashing);
    while let Some(entry) = reader.next_entry().map_err(GpkgError::Container)? {
        members.take(&mut reader, &entry)?;
    }
    let basename = members.directory.take().ok_or(GpkgError::NoMark)?;
    let manifest = Manifest::parse(members.manifest.as_deref().ok_or(GpkgError::Missing(MANIFEST))?)?;
    members.verify(&manifest)?;
    if !members.image {
        return Err(GpkgError::Missing("image.tar"));
    }
    let (name, packed) = members.metadata.take().ok_or(GpkgError::Missing("metadata.tar"))?;
    let unpacked = metadata::unpack(&name, &packed)?;
    let signed = manifest.signed || members.seen.keys().any(|name| name.ends_with(".sig"));
    let (size, md5, sha1) = hashing.finish()?;
    Ok(Gpkg { basename, metadata: unpacked.metadata, ebuild_md5: unpacked.ebuild_md5, size, md5, sha1, signed })
}

impl Members {
    fn take<R: Read>(&mut self, reader: &mut TarReader<R>, entry: &Entry) -> Result<(), GpkgError> {
        let name = self.name_of(entry)?;
        if self.seen.len() >= MEMBER_LIMIT {
            return Err(GpkgError::TooMany);
        }
        let limit = match name.as_str() {
            MANIFEST => Some(MANIFEST_LIMIT),
            _ if is_archive(&name, "metadata.tar") => Some(metadata::METADATA_LIMIT as u64),
            _ => None,
        };
        if limit.is_some_and(|limit| entry.size > limit) {
            return Err(GpkgError::TooLarge(name));
        }
        let mut kept = Vec::new();
        let mut hash = MemberHash::default();
        let sink = |piece: &[u8]| {
            hash.update(piece);
            if limit.is_some() {
                kept.extend_from_slice(piece);
            }
        };
        reader.content(entry.size, sink).map_err(GpkgError::Container)?;
        self.keep(name, kept, hash.finish())
    }

    fn keep(&mut self, name: String, content: Vec<u8>, seen: Seen) -> Result<(), GpkgError> {
        if self.seen.contains_key(&name) || (name == MANIFEST && self.manifest.is_some()) {
            return Err(GpkgError::Twice(name));
        }
        if name == MANIFEST {
            self.manifest = Some(content);
            return Ok(());
        }
        if is_archive(&name, "metadata.tar") {
            if self.metadata.is_some() {
                return Err(GpkgError::Twice(name));
            }
            self.metadata = Some((name.clone(), content));
        }
        self.image |= is_archive(&name, "image.tar");
        self.seen.insert(name, seen);
        Ok(())
    }

    /// The name of a member without the directory, which has to be the same for all.
    fn name_of(&mut self, entry: &Entry) -> Result<String, GpkgError> {
        let shown = String::from_utf8_lossy(&entry.name).into_owned();
        let Some((directory, name)) = shown.split_once('/') else { return Err(GpkgError::Name(shown)) };
        if !is_plain(directory) || !is_plain(name) {
            return Err(GpkgError::Name(shown));
        }
        match &self.directory {
            None if name == MARK => self.directory = Some(directory.to_owned()),
            None => return Err(GpkgError::NoMark),
            Some(first) if first == directory => {}
            Some(_) => return Err(GpkgError::Name(shown)),
        }
        Ok(name.to_owned())
    }

    /// Holds what was seen against what is listed; both have to be the same set.
    fn verify(&self, manifest: &Manifest) -> Result<(), GpkgError> {
        for (name, seen) in &self.seen {
            let record = manifest.records.get(name).ok_or_else(|| GpkgError::Unlisted(name.clone()))?;
            let what = if record.size != seen.size {
                "size"
            } else if record.blake2b != seen.blake2b {
                "BLAKE2B"
            } else if record.sha512 != seen.sha512 {
                "SHA512"
            } else {
                continue;
            };
            return Err(GpkgError::Mismatch { member: name.clone(), what });
        }
        match manifest.records.keys().find(|name| !self.seen.contains_key(*name)) {
            Some(absent) => Err(GpkgError::Absent(absent.clone())),
            None => Ok(()),
        }
    }
}

/// Whether `name` is the archive `stem`, compressed or not, rather than the signature of it.
fn is_archive(name: &str, stem: &str) -> bool {
    name.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) && !name.ends_with(".sig")
}

/// Whether a part of a member's name is one that package names are made of.
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= 255
        && !part.starts_with(['.', '-'])
        && part.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '+' | '_' | '.' | '-'))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Counts and hashes the whole file on its way; the hashing is done by a thread of its own, since that of the members
/// takes as long.
struct Hashing<R> {
    source: R,
    size: u64,
    feed: SyncSender<Vec<u8>>,
    worker: JoinHandle<(Md5, Sha1)>,
}

/// How many pieces may wait to be hashed; a few megabytes.
const WAITING: usize = 16;

impl<R: Read> Hashing<R> {
    fn new(source: R) -> Self {
        let (feed, pieces) = mpsc::sync_channel::<Vec<u8>>(WAITING);
        let worker = std::thread::spawn(move || {
            let (mut md5, mut sha1) = (Md5::new(), Sha1::new());
            for piece in pieces {
                md5.update(&piece);
                sha1.update(&piece);
            }
            (md5, sha1)
        });
        Self { source, size: 0, feed, worker }
    }

    /// Size, MD5 and SHA1.
    fn finish(self) -> io::Result<(u64, String, String)> {
        drop(self.feed);
        let (md5, sha1) = self.worker.join().map_err(|_| io::Error::other("the hashing thread broke down"))?;
        Ok((self.size, hexadecimal(&md5.finalize()), hexadecimal(&sha1.finalize())))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let read = buffer.get(..count).unwrap_or_default();
        self.feed.send(read.to_vec()).map_err(io::Error::other)?;
        self.size += count as u64;
        Ok(count)
    }
}
