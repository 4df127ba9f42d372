//! The metadata of a package: what Portage kept in its `build-info` directory, a file a key.

use std::collections::BTreeMap;
use std::io::Read;

use liblzma::stream::Stream;
use md5::{Digest, Md5};

use super::GpkgError;
use super::tar_reader::TarReader;

/// The most that a package's metadata may take, packed or unpacked. Real ones stay below 10 MiB, most of it the list
/// of installed files of a `quickpkg`.
pub(super) const METADATA_LIMIT: usize = 64 * 1024 * 1024;

/// Keys that hold long lists of files, of no use to an index.
const FILE_LISTS: [&str; 2] = ["CONTENTS", "NEEDED"];

/// The text keys of a package's metadata (`CATEGORY`, `USE`, `RDEPEND` …, and `repository`), each value with its white
/// space collapsed to single blanks, as Portage reads it. The saved environment, the ebuild and lists of files are left
/// out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// The value of a key; nothing where it is absent or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The words of a key's value.
    pub fn words(&self, key: &str) -> impl Iterator<Item = &str> {
        self.get(key).unwrap_or_default().split(' ').filter(|word| !word.is_empty())
    }

    /// All keys with their values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<K: Into<String>, V: AsRef<str>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), collapse(value.as_ref()))).collect())
    }
}

/// Metadata that does not say what every package's does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A key that every package has.
    #[error("find {0} in its metadata")]
    Missing(&'static str),
    /// A value that is none of its kind.
    #[error("read {key} in its metadata: {value:?} is none")]
    Odd {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

/// What the metadata archive holds.
pub(super) struct Unpacked {
    pub metadata: Metadata,
    /// MD5 of the ebuild that the package was built from.
    pub ebuild_md5: Option<String>,
}

/// Unpacks the member `name` (`metadata.tar.zst` …).
pub(super) fn unpack(name: &str, packed: &[u8]) -> Result<Unpacked, GpkgError> {
    let archive = decompress(name, packed)?;
    let mut reader = TarReader::new(archive.as_slice());
    let mut values = BTreeMap::new();
    let mut ebuild_md5 = None;
    let mut seen = std::collections::BTreeSet::new();
    while let Some(entry) = reader.next_entry().map_err(GpkgError::MetadataArchive)? {
        let key = key_of(&entry.name)?;
        if !seen.insert(key.clone()) {
            return Err(GpkgError::Twice(key));
        }
        let mut content = Vec::new();
        reader.content(entry.size, |piece| content.extend_from_slice(piece)).map_err(GpkgError::MetadataArchive)?;
        if key.ends_with(".ebuild") {
            ebuild_md5 = Some(super::hexadecimal(&Md5::digest(&content)));
        } else if is_text_key(&key) {
            values.insert(key, collapse(&String::from_utf8_lossy(&content)));
        }
    }
    Ok(Unpacked { metadata: Metadata(values), ebuild_md5 })
}

fn key_of(name: &[u8]) -> Result<String, GpkgError> {
    let shown = String::from_utf8_lossy(name).into_owned();
    let key = shown.strip_prefix("metadata/").unwrap_or_default();
    let good = !key.is_empty()
        && key.len() <= 255
        && !key.starts_with('.')
        && key.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '.' | '_' | '+' | '-'));
    if good { Ok(key.to_owned()) } else { Err(GpkgError::Name(shown)) }
}

fn is_text_key(key: &str) -> bool {
    let named_like_a_variable =
        key.chars().all(|each| each.is_ascii_uppercase() || each.is_ascii_digit() || each == '_');
    (named_like_a_variable && !FILE_LISTS.contains(&key)) || key == "repository"
}

/// Joins the words of `text` with single blanks. Python, which reads these values for Portage, also takes the four
/// ASCII separators for white space.
fn collapse(text: &str) -> String {
    let words = text.split(|each: char| each.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&each));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The most memory that an xz stream may ask for; its largest preset asks for 65 MiB.
const XZ_MEMORY: u64 = 128 * 1024 * 1024;

fn decompress(name: &str, packed: &[u8]) -> Result<Vec<u8>, GpkgError> {
    let damaged = |source| GpkgError::Compression { member: name.to_owned(), source };
    let reader: Box<dyn Read + '_> = match name.strip_prefix("metadata.tar").unwrap_or_default() {
        "" => return Err(GpkgError::Uncompressed),
        // At one go into a bounded buffer: that needs no window, however long a one the compressor was told to use.
        ".zst" => return zstd::bulk::decompress(packed, METADATA_LIMIT).map_err(damaged),
        ".gz" => Box::new(flate2::read::MultiGzDecoder::new(packed)),
        ".bz2" => Box::new(bzip2::read::MultiBzDecoder::new(packed)),
        ".xz" => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, liblzma::stream::CONCATENATED);
            let stream = stream.map_err(|error| damaged(error.into()))?;
            Box::new(liblzma::read::XzDecoder::new_stream(packed, stream))
        }
        other => return Err(GpkgError::UnknownCompression(other.to_owned())),
    };
    let mut unpacked = Vec::new();
    reader.take(METADATA_LIMIT as u64 + 1).read_to_end(&mut unpacked).map_err(damaged)?;
    if unpacked.len() > METADATA_LIMIT { Err(GpkgError::TooLarge(name.to_owned())) } else { Ok(unpacked) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_what_python_takes_for_it() {
        assert_eq!(collapse(" a\tb\n\n c\u{1c}d\u{a0}e\r\n"), "a b c d e");
        assert_eq!(collapse("\n"), "");
    }
}
