//! This machine's own epoch file, held while something is done here that whoever has a higher epoch forbids.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Claimant, Visitor};
use crate::core::names::Epoch;

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub enum HereError {
    /// Another controller has been here.
    #[error(
        "another controller ({}, epoch {}) has taken over on this machine; nothing was changed",
        by.controller.as_ref().map_or("of no name", |name| name.as_str()),
        by.epoch
    )]
    Outranked {
        /// Who.
        by: Claimant,
    },
    /// It has lost its record, and we are to have been elected.
    #[error("this machine has lost its record of who may release, in {}, and is told by the next votes: try again", workdir.display())]
    Unknown {
        /// The work directory.
        workdir: PathBuf,
    },
    /// The file, or its lock, cannot be used.
    #[error("cannot use the epoch file in {}: {source}; the work directory has to be writable for us", workdir.display())]
    Io {
        /// The work directory.
        workdir: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}

/// Does something unless another controller has claimed this machine under an epoch that is not below ours; nobody claims
/// it meanwhile. May wait for disks, and for whoever else has the lock.
///
/// # Errors
/// It is not done: another one has, or the file cannot be used.
pub fn unless_outranked<T>(workdir: &Path, visitor: &Visitor, work: impl FnOnce() -> T) -> Result<T, HereError> {
    let io = |source| HereError::Io { workdir: workdir.to_owned(), source };
    fs_err::create_dir_all(workdir).map_err(io)?;
    // The scripts lock the same file in the same way.
    let lock = File::options().create(true).append(true).open(workdir.join("epoch.lock")).map_err(io)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| io(error.into()))?;
    let text = match fs_err::read_to_string(workdir.join("epoch")) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text.map_err(io)?,
    };
    match claimant(&text) {
        Some(by) if outranks(&by, visitor) => Err(HereError::Outranked { by }),
        None if visitor.elected => Err(HereError::Unknown { workdir: workdir.to_owned() }),
        _ => Ok(work()),
    }
}

/// Who has claimed it; none where nobody has, or that has been lost.
fn claimant(text: &str) -> Option<Claimant> {
    let mut words = text.split_whitespace();
    let epoch = Epoch(words.next()?.parse().ok()?);
    Some(Claimant { epoch, controller: words.next().and_then(|name| name.parse().ok()) })
}

fn outranks(by: &Claimant, visitor: &Visitor) -> bool {
    let other = by.controller.as_ref().is_some_and(|controller| *controller != visitor.controller);
    by.epoch > visitor.epoch || (by.epoch == visitor.epoch && other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_done_here_once_another_controller_has_claimed_no_lower_an_epoch() {
        let directory = tempfile::tempdir().unwrap();
        let workdir = directory.path().join("work");
        let visitor =
            Visitor { epoch: Epoch(3), controller: "izar-1".parse().unwrap(), take_over: false, elected: true };
        let unelected = Visitor { elected: false, ..visitor.clone() };
        assert_eq!(unless_outranked(&workdir, &unelected, || 7).unwrap(), 7, "nobody has ever claimed it");
        for (text, done) in [
            ("3 izar-1 99 3 izar-1\n", true),
            ("2 tarn-2 99 2 tarn-2\n", true),
            ("3 - 0 0 -\n", true),
            ("lost 4711\n", false),
            ("3 tarn-2 0 2 izar-1\n", false),
            ("4 tarn-2 0 3 izar-1\n", false),
            ("4 - 0 0 -\n", false),
        ] {
            std::fs::write(workdir.join("epoch"), text).unwrap();
            let outcome = unless_outranked(&workdir, &visitor, || ());
            assert_eq!(outcome.is_ok(), done, "{text}: {outcome:?}");
        }
    }
}
