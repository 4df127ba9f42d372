//! What lies in staging and belongs to nothing: after a kill, a reset, an exchange of disks.
//!
//! A package that no unreleased build has received, a job's downloads without the job, and support packages that are so
//! old that they are made anew where they are wanted. Only what is older than its limit goes: what has just come may be
//! about to be written down.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use super::{Amount, Deed, Tidied, files};
use crate::controller::error::ControlError;
use crate::controller::session::{Session, now};
use crate::controller::support;
use crate::core::names::Timestamp;

/// Packages in staging.
pub(super) fn packages(session: &Session, deed: Deed) -> Result<Tidied, ControlError> {
    let (staging, age) = (&session.staging, session.inventory.housekeeping.staging);
    let staged = session.state().staged();
    let all = staging.list()?;
    let is_left = |path: &str| !staged.contains(path);
    let gone: Vec<_> = all
        .iter()
        .filter(|package| is_left(&package.path.to_string()) && is_older(&staging.file(&package.path), age))
        .collect();
    if deed == Deed::Do {
        staging.remove_all(&gone.iter().map(|package| &package.path).collect::<Vec<_>>())?;
    }
    let sizes = |package: &&crate::release::staging::Staged| package.size;
    Ok(Tidied {
        what: "staged packages",
        there: Amount::of(all.iter().map(|package| package.size)),
        went: Amount::of(gone.iter().map(sizes)),
    })
}

/// Downloads of jobs that are over.
pub(super) fn downloads(session: &Session, deed: Deed) -> Result<Tidied, ControlError> {
    let (staging, age) = (&session.staging, session.inventory.housekeeping.staging);
    let (mut there, mut went) = (Amount::default(), Amount::default());
    for job in staging.incoming_jobs()? {
        let directory = staging.incoming(&job)?;
        let files = files(&directory).map_err(cannot("look at downloads"))?;
        let bytes = files.iter().map(|(_, bytes)| bytes).sum();
        there.add(bytes);
        let is_over = !session.state().jobs.contains_key(&job);
        if is_over && is_older(&directory, age) && files.iter().all(|(file, _)| is_older(file, age)) {
            went.add(bytes);
            if deed == Deed::Do {
                staging.discard(&job)?;
            }
        }
    }
    Ok(Tidied { what: "downloads", there, went })
}

/// Support packages, unless jobs may be about to be fed with them.
pub(super) fn support(session: &Session, deed: Deed) -> Result<Tidied, ControlError> {
    let age = session.inventory.housekeeping.support;
    let root = session.staging.root().join(support::DIRECTORY);
    let files = files(&root).map_err(cannot("look at support packages"))?;
    let is_gone = |file: &Path| !session.is_running() && is_older(file, age);
    let gone: Vec<_> = files.iter().filter(|(file, _)| is_gone(file)).collect();
    if deed == Deed::Do {
        for (file, _) in &gone {
            fs_err::remove_file(file).map_err(cannot("remove a support package"))?;
            remove_empty(file, &root);
        }
    }
    let went = Amount::of(gone.iter().map(|(_, bytes)| *bytes));
    Ok(Tidied { what: "support packages", there: Amount::of(files.iter().map(|(_, bytes)| *bytes)), went })
}

fn cannot(doing: &'static str) -> impl Fn(io::Error) -> ControlError {
    move |source| ControlError::Local { doing: doing.to_owned(), source }
}

/// Whether it was neither written nor moved for so long; not where that cannot be told.
fn is_older(path: &Path, age: Duration) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| {
        // What is linked or moved keeps its time of writing.
        let touched = Timestamp(metadata.mtime().max(metadata.ctime()));
        now().seconds_since(touched) > age.as_secs()
    })
}

/// Removes the directories above a file that are empty, up to the root.
fn remove_empty(file: &Path, root: &Path) {
    let parents = file.ancestors().skip(1).take_while(|parent| *parent != root);
    for parent in parents {
        if std::fs::remove_dir(parent).is_err() {
            return;
        }
    }
}
