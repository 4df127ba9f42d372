//! What is known of standbys, in small files of the state directory, each written by rename: one in `standbys/` for each
//! that follows this orchestrator, `following.json` for itself, `copies.json` for what waits on drones.
//!
//! None of them is brought to the disk: one that is lost, or empty after a power cut, says less than there is, and that
//! only keeps copies for longer.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::core::names::{HostName, Timestamp};
use crate::core::standby::{Copies, Following, Lag, Progress, StandbyView};
use crate::store::{Journal, StoreError};

/// Where those of others are.
const STANDBYS: &str = "standbys";
/// The own one.
const FOLLOWING: &str = "following.json";
/// What waits on drones.
const COPIES: &str = "copies.json";

/// Writes down what a standby has.
///
/// # Errors
/// The file cannot be written.
pub fn write(directory: &Path, standby: &HostName, progress: &Progress) -> io::Result<()> {
    let standbys = directory.join(STANDBYS);
    fs_err::create_dir_all(&standbys)?;
    put(&file_of(directory, standby), progress)
}

/// What a standby has; none where it never told, or not since the file can be read.
pub fn read(directory: &Path, standby: &HostName) -> Option<Progress> {
    get(&file_of(directory, standby))
}

/// Forgets what standbys had of a journal that is about to become another one.
///
/// # Errors
/// The files cannot be removed.
pub fn forget(directory: &Path) -> io::Result<()> {
    match fs_err::remove_dir_all(directory.join(STANDBYS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes down what this one is as a standby; none once it is none any more.
///
/// # Errors
/// The file cannot be written.
pub fn write_own(directory: &Path, following: Option<&Following>) -> io::Result<()> {
    let path = directory.join(FOLLOWING);
    match (following, following.is_none().then(|| fs_err::remove_file(&path))) {
        (Some(following), _) => put(&path, following),
        (None, Some(Err(error))) if error.kind() != io::ErrorKind::NotFound => Err(error),
        (None, _) => Ok(()),
    }
}

/// What this one is as a standby.
pub fn read_own(directory: &Path) -> Option<Following> {
    get(&directory.join(FOLLOWING))
}

/// Writes down what waits on drones for standbys.
///
/// # Errors
/// The file cannot be written.
pub fn write_copies(directory: &Path, copies: &BTreeMap<HostName, Copies>) -> io::Result<()> {
    put(&directory.join(COPIES), copies)
}

/// What waits on drones for standbys.
pub fn read_copies(directory: &Path) -> BTreeMap<HostName, Copies> {
    get(&directory.join(COPIES)).unwrap_or_default()
}

/// How far a standby is behind a journal.
///
/// # Errors
/// The journal cannot be read.
pub fn lag(journal: &Journal, progress: &Progress, now: Timestamp) -> Result<Lag, StoreError> {
    let (last, has) = (journal.last()?, progress.has);
    if last <= has {
        return Ok(Lag::default());
    }
    let first = journal.entry(has + 1)?;
    Ok(Lag {
        events: (last - progress.events).max(0).unsigned_abs(),
        packages: journal.received_after(has)?,
        seconds: first.map_or(0, |first| now.seconds_since(first.at)),
    })
}

/// How each of these standbys stands to the journal of a state directory.
///
/// # Errors
/// The journal cannot be read.
pub fn views<'a>(
    directory: &Path,
    standbys: impl IntoIterator<Item = &'a HostName>,
    now: Timestamp,
) -> Result<BTreeMap<HostName, StandbyView>, StoreError> {
    let Some(journal) = Journal::open_to_read(directory)? else { return Ok(BTreeMap::new()) };
    let mut views = BTreeMap::new();
    for standby in standbys {
        let told = read(directory, standby);
        let heard = told.as_ref().map(|progress| now.seconds_since(progress.heard));
        let progress = told.unwrap_or(Progress { has: 0, events: 0, heard: Timestamp(0) });
        let view = StandbyView { lag: lag(&journal, &progress, now)?, heard, away: !progress.is_near(now) };
        views.insert(standby.clone(), view);
    }
    Ok(views)
}

fn file_of(directory: &Path, standby: &HostName) -> PathBuf {
    directory.join(STANDBYS).join(format!("{standby}.json"))
}

fn put(path: &Path, what: &impl Serialize) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, what)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn get<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
