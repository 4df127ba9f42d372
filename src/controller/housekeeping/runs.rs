//! Records of unattended runs: `runs/ID/`, and the line that each has in `runs/runs.log`.
//!
//! Of more than are to be kept the earliest go, but never the last one of a playbook: what `status` says of it leads there.
//! Their ids sort by time.

use std::collections::BTreeSet;
use std::io;

use super::{Amount, Deed, Tidied, files};
use crate::controller::background;
use crate::controller::error::ControlError;
use crate::controller::session::{Session, blocking};
use crate::core::names::RunId;

/// Where they are in the state directory.
const DIRECTORY: &str = "runs";
/// A line for each that ever was.
const LOG: &str = "runs.log";
/// Its size (bytes) at the most, with that of the one before it: thousands of runs.
const LOG_SIZE: u64 = 2 << 20;

/// Keeps them to their limit.
pub(super) async fn tidy(session: &Session, deed: Deed) -> Result<Tidied, ControlError> {
    let root = session.directory().join(DIRECTORY);
    let keep = usize::try_from(session.inventory.housekeeping.runs.get()).unwrap_or(usize::MAX);
    let last: BTreeSet<RunId> = session.state().runs.values().map(|run| run.id.clone()).collect();
    let work = move || -> io::Result<Tidied> {
        let mut ids: Vec<RunId> = Vec::new();
        for directory in super::below(&root)? {
            let name = directory.file_name().and_then(|name| name.to_str());
            ids.extend(name.and_then(|name| name.parse::<RunId>().ok()));
        }
        ids.sort();
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
