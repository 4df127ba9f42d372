//! The text of an index, as far as it can be used without reading its entries.

use std::io::{self, BufRead, Read};

use flate2::read::MultiGzDecoder;

use crate::core::names::Timestamp;

/// The TIMESTAMP that a header says; none where it says none, or no number. The entries are not read.
///
/// # Errors
/// It cannot be read.
pub fn timestamp(text: impl BufRead) -> io::Result<Option<Timestamp>> {
    for line in text.split(b'\n') {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(seconds) = line.strip_prefix(b"TIMESTAMP: ") {
            return Ok(String::from_utf8_lossy(seconds).trim().parse().ok().map(Timestamp));
        }
    }
    Ok(None)
}

/// The text of a `Packages.gz`; of a longer one than `limit` bytes no more than one byte beyond, which tells that it is.
///
/// # Errors
/// It does not unpack.
pub fn unpacked(packed: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = Vec::new();
    MultiGzDecoder::new(packed).take(limit).read_to_end(&mut text)?;
    Ok(text)
}
