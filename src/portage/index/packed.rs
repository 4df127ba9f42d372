//! `Packages.gz` in pieces, so that one package more costs no more than what it changes.
//!
//! A gzip file may be several members one behind the other, which a reader unpacks as one text (RFC 1952, 2.2). The text
//! of the index is cut behind some of its entries: behind which ones follows from the entry alone, so that one more or
//! less moves no other cut. Each member says in its extra field (2.3.1.1) how long it is, the digest of its text and that
//! of all its own bytes; those of the index before whose text is wanted again, and which are whole, are copied.
//!
//! Cost: a checksum and a digest of all of the text, and packing what is new of it, on all processors.

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::{Compression, Crc, GzBuilder};
use sha2::{Digest as _, Sha256};

use crate::side_by_side::{processors, side_by_side};

/// Behind one of so many entries there is a cut: pieces of some 64 KiB lose a hundredth of what packing all at once
/// saves.
const CUTS: u32 = 32;
/// What stands before the value of our extra field: fixed fields, flags that say it is there, its length, its name and
/// the value's length.
const BEFORE_FIELD: usize = 16;
const MAGIC: [u8; 4] = [0x1f, 0x8b, 8, 4];
const NAME: [u8; 2] = *b"SW";
/// The member's length, and the digests.
const FIELD: usize = 4 + 2 * DIGEST;
/// Checksum and length of the text.
const TRAILER: usize = 8;

const DIGEST: usize = 16;
type Digest = [u8; DIGEST];

/// Packs a text whose entries end at these places; `before` is the `Packages.gz` from which pieces are taken again, empty
/// where there is none. `seconds` is the time that the file says.
///
/// # Errors
/// It cannot be packed.
pub(super) fn packed(text: &str, ends: &[usize], seconds: u32, before: &[u8]) -> io::Result<Vec<u8>> {
    let there = members(before);
    let pieces = pieces(text, ends);
    let member = |(place, piece): &(usize, &str)| {
        let digest = digest(&[piece.as_bytes()]);
        match there.get(&digest) {
            // The first one has the time.
            Some(member) if *place > 0 => Ok(member.to_vec()),
            _ => pack(piece, digest, if *place == 0 { seconds } else { 0 }),
        }
    };
    let pieces: Vec<(usize, &str)> = pieces.into_iter().enumerate().collect();
    let members: io::Result<Vec<Vec<u8>>> = side_by_side(&pieces, processors(), member).into_iter().collect();
    Ok(members?.concat())
}

fn pieces<'a>(text: &'a str, ends: &[usize]) -> Vec<&'a str> {
    let (mut pieces, mut from, mut entry) = (Vec::new(), 0, 0);
    for (number, end) in ends.iter().enumerate() {
        let mut checksum = Crc::new();
        checksum.update(text.get(entry..*end).unwrap_or_default().as_bytes());
        entry = *end;
        // The first block is the header, which is never the same again.
        if number == 0 || checksum.sum().is_multiple_of(CUTS) {
            pieces.extend(text.get(from..*end));
            from = *end;
        }
    }
    pieces.extend(text.get(from..).filter(|rest| !rest.is_empty()));
    pieces
}

fn pack(piece: &str, digest: Digest, seconds: u32) -> io::Result<Vec<u8>> {
    let field = [NAME.as_slice(), &(FIELD as u16).to_le_bytes(), &[0; 4], &digest, &[0; DIGEST]].concat();
    let mut member = GzBuilder::new().mtime(seconds).extra(field).write(Vec::new(), Compression::best());
    member.write_all(piece.as_bytes())?;
    let mut member = member.finish()?;
    let length = u32::try_from(member.len()).map_err(io::Error::other)?.to_le_bytes();
    let (head, rest) = member.split_at_mut(BEFORE_FIELD + FIELD);
    head[BEFORE_FIELD..][..4].copy_from_slice(&length);
    let (said, own) = head.split_at_mut(BEFORE_FIELD + FIELD - DIGEST);
    own.copy_from_slice(&self::digest(&[said, rest]));
    Ok(member)
}

/// The members of a packed index by the digest of their text, as far as they are ours and whole.
fn members(mut packed: &[u8]) -> BTreeMap<Digest, &[u8]> {
    let mut members = BTreeMap::new();
    while let Some((digest, member, rest)) = first(packed) {
        members.insert(digest, member);
        packed = rest;
    }
    members
}

/// The first member with the digest of its text, and what is behind it.
fn first(packed: &[u8]) -> Option<(Digest, &[u8], &[u8])> {
    let (head, _) = packed.split_at_checked(BEFORE_FIELD + FIELD)?;
    let is_ours = head.starts_with(&MAGIC) && head[12..14] == NAME && head[14..16] == (FIELD as u16).to_le_bytes();
    let (length, digests) = head[BEFORE_FIELD..].split_first_chunk::<4>()?;
    let (text, own) = digests.split_first_chunk::<DIGEST>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length >= head.len() + TRAILER)?;
    let (member, behind) = packed.split_at_checked(length)?;
    let is_whole = digest(&[&head[..head.len() - DIGEST], &member[head.len()..]]) == own;
    (is_ours && is_whole).then_some((*text, member, behind))
}

fn digest(parts: &[&[u8]]) -> Digest {
    let whole = parts.iter().fold(Sha256::new(), |whole, part| whole.chain_update(part)).finalize();
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(&whole[..DIGEST]);
    digest
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::MultiGzDecoder;
    use proptest::prelude::*;

    use super::*;

    /// A text of entries with these numbers behind a header, and where they end.
    fn text(header: &str, entries: impl IntoIterator<Item = usize>) -> (String, Vec<usize>) {
        let (mut text, mut ends) = (format!("{header}\n\n"), Vec::new());
        ends.push(text.len());
        for number in entries {
            text.push_str(&format!("CPV: app-lab/p-{number}\nSIZE: {}\n\n", number * 7));
            ends.push(text.len());
        }
        (text, ends)
    }

    fn pack((text, ends): &(String, Vec<usize>), before: &[u8]) -> Vec<u8> {
        packed(text, ends, 7, before).unwrap()
    }

    fn unpacked(packed: &[u8]) -> String {
        let mut text = String::new();
        MultiGzDecoder::new(packed).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn one_entry_more_leaves_most_pieces_as_they_were() {
        let before = pack(&text("TIMESTAMP: 1", (0..1_000).filter(|number| *number != 500)), b"");
        let (known, now) = (members(&before), pack(&text("TIMESTAMP: 2", 0..1_000), &before));
        let new = members(&now).into_keys().filter(|digest| !known.contains_key(digest)).count();
        assert!(known.len() > 20 && (2..=3).contains(&new), "{new} of {} are new", known.len());
    }

    #[test]
    fn a_piece_that_is_damaged_is_packed_anew() {
        let whole = text("TIMESTAMP: 1", 0..1_000);
        let before = pack(&whole, b"");
        for place in (0..before.len()).step_by(11) {
            let mut damaged = before.clone();
            damaged[place] ^= 0x10;
            assert!(unpacked(&pack(&whole, &damaged)) == whole.0, "{place}");
        }
    }

    proptest! {
        #[test]
        fn whatever_was_before_unpacks_to_the_text(
            old in prop::collection::btree_set(0..400_usize, 0..300),
            new in prop::collection::btree_set(0..400_usize, 0..300),
            cut in 0..2_000_usize,
        ) {
            let mut before = pack(&text("TIMESTAMP: 1", old), b"");
            before.truncate(before.len().saturating_sub(cut));
            let new = text("TIMESTAMP: 2", new);
            prop_assert_eq!(unpacked(&pack(&new, &before)), new.0);
        }
    }
}
