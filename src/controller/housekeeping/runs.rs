//! Records of unattended runs: `runs/ID/`, and the line that each has in `runs/runs.log`.
//!
//! Of more than are to be kept the earliest go, but never the last one of a playbook: what `status` says of it leads there.
//! Their ids sort by time.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::{Amount, Deed, Tidied, files};
use crate::controller::background;
use crate::controller::error::ControlError;
use crate::controller::session::{Session, blocking};
use crate::core::names::RunId;

/// Where they are in the state directory.
pub const DIRECTORY: &str = "runs";
/// The log there: a line for each beginning and each end.
pub const LOG: &str = "runs.log";
/// Its size (bytes) at the most, with that of the one before it: thousands of runs.
const LOG_SIZE: u64 = 2 << 20;

/// The runs that have a directory in this one, in the order in which they began; none where it is not there.
///
/// # Errors
/// It cannot be read.
pub fn ids(root: &Path) -> io::Result<Vec<RunId>> {
    let directories = super::below(root)?;
    let names = directories.iter().filter_map(|directory| directory.file_name()?.to_str());
    let mut ids: Vec<RunId> = names.filter_map(|name| name.parse().ok()).collect();
    ids.sort();
    Ok(ids)
}

/// Keeps them to their limit.
pub(super) async fn tidy(session: &Session, deed: Deed) -> Result<Tidied, ControlError> {
    let root = session.directory().join(DIRECTORY);
    let keep = usize::try_from(session.inventory.housekeeping.runs.get()).unwrap_or(usize::MAX);
    let last: BTreeSet<RunId> = session.state().runs.values().map(|run| run.id.clone()).collect();
    let work = move || -> io::Result<Tidied> {
        let ids = ids(&root)?;
        let (mut there, mut went) = (Amount::default(), Amount::default());
        let surplus = ids.len().saturating_sub(keep);
        for (index, id) in ids.iter().enumerate() {
            let directory = root.join(id.as_str());
            let bytes = files(&directory)?.iter().map(|(_, bytes)| bytes).sum();
            there.add(bytes);
            if index < surplus && !last.contains(id) {
                went.add(bytes);
                if deed == Deed::Do {
                    fs_err::remove_dir_all(&directory)?;
                }
            }
        }
        background::rotate(&root.join(LOG), LOG_SIZE, deed)?;
        Ok(Tidied { what: "records of runs", there, went })
    };
    let doing = "keep the records of unattended runs to their limit".to_owned();
    blocking(work).await?.map_err(|source| ControlError::Local { doing, source })
}
