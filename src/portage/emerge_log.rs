//! What `emerge.log` says of merges that went through: which package, when, how long, compiled or from a binary.
//!
//! A merge begins with `>>> emerge (I of N) CPV to ROOT` and ends with `::: completed emerge (I of N) CPV to ROOT`, each
//! behind `SECONDS:` since 1970; `=== (I of N) Merging Binary (CPV::FILE)` between them says that nothing was compiled
//! (`emergelog.py`, `EbuildBuild.py` and `Binpkg.py` of Portage). Several emerges write into one log, so an end belongs
//! to the last beginning of the same package with the same numbers; a merge that began again had been interrupted.
//! Where the clock went back, what was under way is dropped. Cost: one pass; memory is bounded whatever the file holds.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::core::names::Timestamp;
use crate::core::package::Cpv;

/// Longer lines (bytes) are none of emerge's about a merge.
const LINE_LIMIT: usize = 4096;
/// So many merges may be under way at once; when there are more, none of them is believed.
const OPEN_LIMIT: usize = 4096;
/// So many merges are read of one log; the rest is left.
const MERGE_LIMIT: usize = 500_000;
/// A longer merge (seconds) is a machine that slept, or a clock that was set.
const LONGEST: u64 = 7 * 24 * 3600;
/// Processes take the time before they get the log's lock, so lines may be out of order by so many seconds.
const DISORDER: i64 = 5;

/// A merge that went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The package.
    pub cpv: Cpv,
    /// When it began.
    pub began: Timestamp,
    /// From its beginning to its end, in seconds.
    pub seconds: u64,
    /// Whether a binary package was merged, so that nothing was compiled.
    pub binary: bool,
}

impl Merge {
    /// When it ended.
    pub fn ended(&self) -> Timestamp {
        Timestamp(self.began.0.saturating_add_unsigned(self.seconds))
    }
}

/// Reads a log, plain or compressed by gzip, whatever bytes it holds; gives the merges in the order of their ends.
///
/// # Errors
/// When the source cannot be read, or its compression is damaged.
pub fn read(source: impl Read) -> io::Result<Vec<Merge>> {
    let mut source = BufReader::new(source);
    if source.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        read_plain(BufReader::new(MultiGzDecoder::new(source)))
    } else {
        read_plain(source)
    }
}

fn read_plain(mut source: impl BufRead) -> io::Result<Vec<Merge>> {
    let mut reader = Reader::default();
    let mut line = Vec::new();
    while reader.merges.len() < MERGE_LIMIT && next_line(&mut source, &mut line)? {
        if let Ok(text) = std::str::from_utf8(&line) {
            reader.take(text);
        }
    }
    Ok(reader.merges)
}

/// The next line, without its end; empty where it is too long. False at the end of the source.
fn next_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let (mut any, mut too_long) = (false, false);
    loop {
        let piece = source.fill_buf()?;
        if piece.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let text = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        too_long |= line.len() + text.len() > LINE_LIMIT;
        if too_long {
            line.clear();
        } else {
            line.extend_from_slice(text);
        }
        let used = end.map_or(piece.len(), |end| end + 1);
        source.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// A merge that is under way.
#[derive(Debug)]
struct Open {
    cpv: Cpv,
    began: Timestamp,
    binary: bool,
}

#[derive(Debug, Default)]
struct Reader {
    /// By `(I of N) CPV`.
    open: HashMap<String, Open>,
    last: Timestamp,
    merges: Vec<Merge>,
}

impl Reader {
    fn take(&mut self, line: &str) {
        let Some((time, words)) = line.split_once(':') else { return };
        let Ok(at) = time.parse::<u32>().map(|seconds| Timestamp(seconds.into())) else { return };
        if at.0.saturating_add(DISORDER) < self.last.0 {
            self.open.clear();
        }
        self.last = at;
        let words = words.trim();
        if let Some(rest) = words.strip_prefix(">>> emerge ") {
            self.begin(rest, at);
        } else if let Some(rest) = words.strip_prefix("::: completed emerge ") {
            self.end(rest, at);
        } else if let Some((place, rest)) = words.strip_prefix("=== ").and_then(split_place)
            && let Some(named) = rest.strip_prefix("Merging Binary (")
        {
            let cpv = named.split("::").next().unwrap_or_default();
            if let Some(open) = self.open.get_mut(&format!("{place} {cpv}")) {
                open.binary = true;
            }
        }
    }

    fn begin(&mut self, rest: &str, at: Timestamp) {
        let Some((key, cpv)) = package(rest) else { return };
        let Ok(cpv) = cpv.parse::<Cpv>() else { return };
        if self.open.len() >= OPEN_LIMIT {
            self.open.clear();
        }
        self.open.insert(key, Open { cpv, began: at, binary: false });
    }

    fn end(&mut self, rest: &str, at: Timestamp) {
        let Some(open) = package(rest).and_then(|(key, _)| self.open.remove(&key)) else { return };
        let seconds = at.seconds_since(open.began);
        if at >= open.began && seconds <= LONGEST {
            self.merges.push(Merge { cpv: open.cpv, began: open.began, seconds, binary: open.binary });
        }
    }
}

/// `(I of N)` and what stands behind it.
fn split_place(text: &str) -> Option<(&str, &str)> {
    let end = text.strip_prefix('(')?.find(") ")? + 2;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

/// The key and the package of `(I of N) CPV to ROOT`.
fn package(text: &str) -> Option<(String, &str)> {
    let (place, rest) = split_place(text)?;
    let (cpv, _root) = rest.split_once(" to ")?;
    Some((format!("{place} {cpv}"), cpv))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    /// Two emerges of Portage 3.0.83 into one log, woven together: one compiles, one merges a binary.
    const WOVEN: &str = "\
1795543858: Started emerge on: Nov 24, 2026 18:10:58
1795543858:  *** emerge --oneshot --buildpkg --quiet --regex-search-auto=y =app-lab/hello-1.0
1795543858:  >>> emerge (1 of 1) app-lab/hello-1.0 to /
1795543858:  === (1 of 1) Compiling/Packaging (app-lab/hello-1.0::/var/db/repos/gentoo/app-lab/hello/hello-1.0.ebuild)
1795543859:  >>> emerge (1 of 1) dev-lab/libfoo-2.0 to /
1795543859:  === (1 of 1) Merging Binary (dev-lab/libfoo-2.0::/var/cache/binpkgs/dev-lab/libfoo/libfoo-2.0-1.gpkg.tar)
1795543860:  === Unmerging... (app-lab/hello-1.0)
1795543861:  ::: completed emerge (1 of 1) dev-lab/libfoo-2.0 to /
1795543864:  ::: completed emerge (1 of 1) app-lab/hello-1.0 to /
1795543864:  *** terminating.
";

    fn told(log: &str) -> Vec<(String, u64, bool)> {
        let merges = read(log.as_bytes()).unwrap();
        merges.into_iter().map(|merge| (merge.cpv.to_string(), merge.seconds, merge.binary)).collect()
    }

    #[test]
    fn merges_that_are_woven_together_are_told_apart_and_binaries_from_compiled_ones() {
        let expected = [("dev-lab/libfoo-2.0".to_owned(), 2, true), ("app-lab/hello-1.0".to_owned(), 6, false)];
        assert_eq!(told(WOVEN), expected);
    }

    #[test]
    fn what_was_interrupted_or_timed_by_a_clock_that_jumped_is_left_out() {
        let begin = |at: u32| format!("{at}:  >>> emerge (1 of 2) a/b-1 to /\n");
        let end = |at: u32| format!("{at}:  ::: completed emerge (1 of 2) a/b-1 to /\n");
        for (log, seconds) in [
            (begin(1000), vec![]),
            (end(1000), vec![]),
            (begin(1000) + &begin(2000) + &end(2010), vec![10]),
            (begin(1000) + &end(900), vec![]),
            (begin(1000) + "500:  *** terminating.\n" + &end(1010), vec![]),
            (begin(1000) + &end(1000 + 8 * 24 * 3600), vec![]),
            (begin(1000) + &end(1010) + &end(1020), vec![10]),
        ] {
            assert_eq!(told(&log).into_iter().map(|(_, seconds, _)| seconds).collect::<Vec<_>>(), seconds, "{log}");
        }
    }

    #[test]
    fn a_compressed_log_reads_as_the_plain_one() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(WOVEN.as_bytes()).unwrap();
        assert_eq!(read(packed.finish().unwrap().as_slice()).unwrap(), read(WOVEN.as_bytes()).unwrap());
    }

    #[test]
    fn a_real_log_of_a_year_is_read_whole() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/emerge-2018.log.gz");
        let Ok(file) = std::fs::File::open(&path) else {
            eprintln!("not tested: {} is not there", path.display());
            return;
        };
        let merges = read(file).unwrap();
        assert!(merges.len() > 540 && merges.iter().all(|merge| merge.seconds < LONGEST), "{}", merges.len());
    }

    proptest! {
        #[test]
        fn whatever_bytes_a_log_holds_it_is_read(noise in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assume!(!noise.starts_with(&[0x1f, 0x8b]));
            let log = [noise.as_slice(), b"\n", WOVEN.as_bytes()].concat();
            prop_assert_eq!(read(log.as_slice()).unwrap().len(), 2);
        }
    }
}
