//! Takes over a production directory that is already there as the first release.
//!
//! Clients must find it all the time, under the path that they know, which has to become a symlink. So:
//!
//! 1. a tree of hard links to the same files is made beside it, as a stand-in;
//! 2. a symlink to that and the directory exchange their names in one step (`RENAME_EXCHANGE`);
//! 3. the directory itself is moved to where the release belongs;
//! 4. the symlink is pointed there in one step; the stand-in is removed when production is opened the next time.
//!
//! What is no file, directory or symlink is not in the stand-in, but in the release as it was.
//!
//! Not one file of the operator's is copied, changed or removed, what was written meanwhile is there too, and a web
//! server that sits in the old directory goes on serving the release. Interrupted after 2 or 3 it is taken up there by
//! [`resume`]; before that the stand-in is of no use and made anew.

use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::error::ReleaseError;
use super::file_error::FileError;
use super::layout::{Layout, sync_directory};
use super::tree;
use crate::core::names::ReleaseName;

/// Makes the directory that production is the release of this name.
///
/// # Errors
/// It is no binhost, or cannot be exchanged; then nothing has changed.
pub(super) fn adopt(layout: &Layout, name: &ReleaseName) -> Result<(), ReleaseError> {
    refuse_unfit(layout)?;
    stand_in(layout, name)?;
    exchange(layout, name)?;
    // A client may be on its way through the stand-in at this very moment: it goes when production is opened again.
    settle(layout, name)
}

/// An empty directory will do, and one with an index. A mount point would be told by the kernel too, but later.
fn refuse_unfit(layout: &Layout) -> Result<(), ReleaseError> {
    let production = layout.production();
    let reading = || ReleaseError::doing::<io::Error>("read", &production);
    let index = tree::INDEX.iter().any(|name| production.join(name).is_file());
    if !index && std::fs::read_dir(&production).map_err(reading())?.next().is_some() {
        return Err(ReleaseError::NoBinhost { production });
    }
    let own = std::fs::metadata(&production).map_err(reading())?.dev();
    let beside = std::fs::metadata(layout.releases()).map_err(reading())?.dev();
    if own != beside {
        return Err(not_exchangeable(layout, "it is a file system of its own"));
    }
    Ok(())
}

fn not_exchangeable(layout: &Layout, reason: impl Into<String>) -> ReleaseError {
    let production = layout.production();
    let instead = production.join("packages");
    ReleaseError::NotExchangeable { production, reason: reason.into(), instead }
}

/// Step 1.
pub(super) fn stand_in(layout: &Layout, name: &ReleaseName) -> Result<(), ReleaseError> {
    let stand_in = layout.stand_in(name);
    match tree::mirror(&layout.production(), &stand_in) {
        Ok(()) => tree::sync(&stand_in),
        Err(error) => {
            layout.clean()?;
            Err(match error {
                ReleaseError::Io(FileError { action: "link", source, .. }) => {
                    not_exchangeable(layout, format!("its files cannot be linked ({source})"))
                }
                other => other,
            })
        }
    }
}

/// Step 2.
pub(super) fn exchange(layout: &Layout, name: &ReleaseName) -> Result<(), ReleaseError> {
    let next = layout.make_next(&layout.stand_in(name))?;
    let production = layout.production();
    match rustix::fs::renameat_with(CWD, &next, CWD, &production, RenameFlags::EXCHANGE) {
        Ok(()) => layout.sync_parent(),
        Err(error) => {
            layout.clean()?;
            Err(match error {
                Errno::BUSY => not_exchangeable(layout, "something is mounted there"),
                Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::XDEV => {
                    not_exchangeable(layout, "its file system cannot exchange two names")
                }
                other => ReleaseError::io("exchange", production, other),
            })
        }
    }
}

/// Step 3: the directory that was production becomes the release, unless it has already.
pub(super) fn move_to_release(layout: &Layout, name: &ReleaseName) -> Result<(), ReleaseError> {
    let (next, release) = (layout.next(), layout.release(name));
    if !release.exists() {
        std::fs::rename(&next, &release).map_err(ReleaseError::doing("rename", next))?;
        sync_directory(&layout.releases())?;
        layout.sync_parent()?;
    }
    Ok(())
}

/// Steps 3 and 4, from wherever they were interrupted.
pub(super) fn resume(layout: &Layout, name: &ReleaseName) -> Result<(), ReleaseError> {
    settle(layout, name)?;
    layout.clean()
}

fn settle(layout: &Layout, name: &ReleaseName) -> Result<(), ReleaseError> {
    move_to_release(layout, name)?;
    layout.point_to(&layout.release(name)).map(|_| ())
}
