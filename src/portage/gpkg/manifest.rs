//! The Manifest of a GPKG: size and hashes of each other member, clear-signed where the package is signed.
//!
//! Format: GLEP 74 (`DATA name size HASH value …`) with the clear text signature framework of RFC 9580, section 7.

use std::collections::BTreeMap;

/// What is wrong with a Manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// Not text.
    #[error("read its Manifest: it is no text")]
    NotText,
    /// Not a well-formed clear-signed message.
    #[error("read its Manifest: its signature does not enclose it")]
    Signature,
    /// A line that is none of a Manifest.
    #[error("read line {0} of its Manifest")]
    Line(usize),
    /// A name that is listed twice.
    #[error("read its Manifest: {0:?} is listed twice")]
    Twice(String),
    /// A line without one of the hashes that are relied on.
    #[error("read its Manifest: {0:?} is listed without BLAKE2B or SHA512")]
    Hashes(String),
}

/// What the Manifest says of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub size: u64,
    /// Lower-case hexadecimal, as `sha512`.
    pub blake2b: String,
    pub sha512: String,
}

/// A Manifest as it was read; whether its signature is good is not known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub records: BTreeMap<String, Record>,
    pub signed: bool,
}

const SIGNED_MESSAGE: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
const SIGNATURE_END: &str = "-----END PGP SIGNATURE-----";

impl Manifest {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ManifestFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestFault::NotText)?;
        let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(number, line)| (number + 1, line)).collect();
        let signed = text.contains("-----BEGIN PGP");
        let lines = if signed { enclosed(&lines)? } else { lines };
        let mut records = BTreeMap::new();
        for (number, line) in lines {
            if line.is_empty() {
                continue;
            }
            let (name, record) = parse_line(number, line)?;
            if records.insert(name.to_owned(), record).is_some() {
                return Err(ManifestFault::Twice(name.to_owned()));
            }
        }
        Ok(Self { records, signed })
    }
}

/// The lines that a signature covers; nothing may stand before or behind the signed message, since whoever reads on
/// would take it for signed.
fn enclosed<'a>(lines: &[(usize, &'a str)]) -> Result<Vec<(usize, &'a str)>, ManifestFault> {
    let mut rest = lines.iter();
    if rest.next().map(|(_, line)| *line) != Some(SIGNED_MESSAGE) {
        return Err(ManifestFault::Signature);
    }
    for (_, line) in rest.by_ref() {
        if line.is_empty() {
            break;
        }
        if !line.starts_with("Hash: ") {
            return Err(ManifestFault::Signature);
        }
    }
    let mut covered = Vec::new();
    loop {
        let (number, line) = rest.next().ok_or(ManifestFault::Signature)?;
        if *line == SIGNATURE {
            break;
        }
        match line.strip_prefix("- ") {
            Some(escaped) => covered.push((*number, escaped)),
            None if line.starts_with('-') => return Err(ManifestFault::Signature),
            None => covered.push((*number, *line)),
        }
    }
    let closed = rest.by_ref().any(|(_, line)| *line == SIGNATURE_END);
    if closed && rest.all(|(_, line)| line.is_empty()) { Ok(covered) } else { Err(ManifestFault::Signature) }
}

fn parse_line(number: usize, line: &str) -> Result<(&str, Record), ManifestFault> {
    let bad = || ManifestFault::Line(number);
    let mut words = line.split_ascii_whitespace();
    if words.next() != Some("DATA") {
        return Err(bad());
    }
    // A member's name is a file name; a longer one would only fill messages.
    let name = words.next().filter(|name| name.len() <= 255).ok_or_else(bad)?;
    let size = words.next().and_then(|size| size.parse().ok()).ok_or_else(bad)?;
    let (mut blake2b, mut sha512) = (None, None);
    while let Some(hash) = words.next() {
        let value = words.next().ok_or_else(bad)?.to_owned();
        match hash {
            "BLAKE2B" => blake2b = Some(value),
            "SHA512" => sha512 = Some(value),
            _ => {}
        }
    }
    match (blake2b, sha512) {
        (Some(blake2b), Some(sha512)) => Ok((name, Record { size, blake2b, sha512 })),
        _ => Err(ManifestFault::Hashes(name.to_owned())),
    }
}
