//! What the processes of steps have put out, read for its reason or its atoms.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;

use crate::core::event::Wanted;
use crate::core::text::printable;

/// So much (bytes) of the end of a log is looked at for the reason of a failure.
const LAST_WORDS: u64 = 16 << 10;

/// What a log says last of what went wrong: where `swarm` says it, the line with which that begins, else the last line
/// that says something.
pub(super) fn last_words(log: &Path) -> Option<String> {
    let mut file = fs_err::File::open(log).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_WORDS))).ok()?;
    let mut text = Vec::new();
    file.take(LAST_WORDS).read_to_end(&mut text).ok()?;
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.clone().find_map(|line| line.strip_prefix("swarm: "));
    error.or_else(|| lines.next()).map(printable)
}

/// The atoms of an output, one a line; that of hosts is JSON as `swarm exec` tells it.
pub(super) fn atoms(text: &str, on_hosts: bool) -> Result<Vec<Wanted>, String> {
    #[derive(Deserialize)]
    struct Said {
        stream: Option<String>,
        line: Option<String>,
    }
    let mut atoms = BTreeSet::new();
    for line in text.lines() {
        let line = if on_hosts {
            let said: Said = serde_json::from_str(line).map_err(|error| error.to_string())?;
            said.line.filter(|_| said.stream.as_deref() == Some("stdout")).unwrap_or_default()
        } else {
            line.to_owned()
        };
        let line = line.trim();
        if !line.is_empty() {
            atoms.insert(line.parse::<Wanted>().map_err(|error| error.to_string())?);
        }
    }
    Ok(atoms.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoms_are_read_one_a_line_and_anything_else_is_refused() {
        let json = "{\"host\":\"capella\",\"stream\":\"stdout\",\"line\":\" =a/b-1 \"}\n\
            {\"host\":\"capella\",\"stream\":\"stderr\",\"line\":\"-rf\"}\n{\"host\":\"capella\",\"status\":0}\n";
        let texts = |atoms: Result<Vec<Wanted>, String>| -> Vec<String> {
            atoms.unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(texts(atoms(json, true)), ["=a/b-1"]);
        assert_eq!(texts(atoms("a/c\n\n=a/b-1\na/c\n", false)), ["=a/b-1", "a/c"]);
        assert_eq!(texts(atoms("", false)), [""; 0]);
        assert!(atoms("--unmerge\n", false).is_err());
        assert!(atoms("no JSON\n", true).is_err());
    }

    #[test]
    fn the_reason_is_where_an_error_begins_else_the_last_line_that_says_something() {
        let room = tempfile::tempdir().unwrap();
        let log = room.path().join("log");
        for (text, words) in [
            ("first\nswarm: it could not be done\n\n", Some("it could not be done")),
            ("swarm: no plan: these are wrong\n- one\nNothing was started.\n", Some("no plan: these are wrong")),
            ("plain\r\n  \n", Some("plain")),
            ("\n", None),
        ] {
            std::fs::write(&log, text).unwrap();
            assert_eq!(last_words(&log).as_deref(), words, "{text:?}");
        }
        assert_eq!(last_words(&room.path().join("none")), None);
    }
}
