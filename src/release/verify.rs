//! Checks a whole release: every byte of every package is hashed, on all processors.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::ReleaseError;
use super::imprint;
use super::kept::Release;
use super::tree::INDEX;
use crate::portage::index::{self, Stanza};
use crate::side_by_side::{processors, side_by_side};

/// What a check of a release found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many packages its index has.
    pub packages: usize,
    /// Their size together in bytes, as the index says.
    pub bytes: u64,
    /// What is wrong, by file.
    pub bad: BTreeMap<String, String>,
}

/// Checks a release. `all` is told how many bytes there are in all, `done` of each package's once it has been looked at.
///
/// # Errors
/// It has no index that can be read at all; what is wrong with single files is no error but an answer.
pub fn verify(release: &Release, all: impl FnOnce(u64), done: impl Fn(u64) + Sync) -> Result<Verified, ReleaseError> {
    let index = release.index()?;
    let mut bad = BTreeMap::new();
    for rejected in &index.rejected {
        let entry = rejected.cpv.as_deref().unwrap_or("an entry");
        bad.insert(format!("{}: {entry}", INDEX[0]), rejected.reason.to_string());
    }
    if let Some(flaw) = unlike_its_packed_form(release) {
        bad.insert(INDEX[1].to_owned(), flaw);
    }
    let mut stanzas: Vec<&Stanza> = index.stanzas.iter().collect();
    // The largest first, so that no thread begins one when the others are done.
    stanzas.sort_by_key(|stanza| std::cmp::Reverse(stanza.size()));
    let bytes = stanzas.iter().filter_map(|stanza| stanza.size()).sum();
    all(bytes);
    let checked = side_by_side(&stanzas, processors(), |stanza| {
        let file = release.root.join(stanza.path().to_string());
        let held = imprint::hold(stanza, &file, None).and_then(|_| imprint::hash(stanza, &file));
        done(stanza.size().unwrap_or_default());
        held.err()
    });
    let flaws = stanzas.iter().zip(checked).filter_map(|(stanza, flaw)| Some((stanza, flaw?)));
    bad.extend(flaws.map(|(stanza, flaw)| (stanza.path().to_string(), flaw.to_string())));
    for stanza in stanzas.iter().filter(|stanza| stanza.sha1().is_none() && stanza.md5().is_none()) {
        bad.entry(stanza.path().to_string()).or_insert_with(|| "the index has neither MD5 nor SHA1 of it".to_owned());
    }
    Ok(Verified { packages: stanzas.len(), bytes, bad })
}

/// Clients ask for the packed form first; both have to be the same text.
fn unlike_its_packed_form(release: &Release) -> Option<String> {
    let read = |name: &str| std::fs::read(release.root.join(name));
    let compare = || -> std::io::Result<bool> {
        let text = read(INDEX[0])?;
        Ok(index::unpacked(&read(INDEX[1])?, text.len())? == text)
    };
    match compare() {
        Ok(true) => None,
        Ok(false) => Some(format!("it is not the packed form of {}", INDEX[0])),
        Err(error) => Some(error.to_string()),
    }
}
