//! One controller at a time on a state directory: an exclusive `flock` on `controller.lock`, gone with its process.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// More (bytes) is not read of what a holder wrote of itself.
const HOLDER: u64 = 300;

/// The lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// Why the lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error(
        "another controller is at work on {} ({holder}); `swarm status` shows what it does",
        directory.display()
    )]
    Busy {
        /// The state directory.
        directory: PathBuf,
        /// What the holder wrote of itself.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("cannot lock the state directory {}: {source}; it must be writable for the controller's user", directory.display())]
    Io {
        /// The state directory.
        directory: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
}

impl Lock {
    /// Takes the lock of a state directory, which is made where it is missing.
    ///
    /// # Errors
    /// [`LockError::Busy`] while another process holds it.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        Self::take_as(directory, "")
    }

    /// The same; others are told what it is taken for, behind the number of the process.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn take_as(directory: &Path, purpose: &str) -> Result<Self, LockError> {
        let io = |source| LockError::Io { directory: directory.to_owned(), source };
        fs_err::create_dir_all(directory).map_err(io)?;
        let words = format!("process {}{purpose}", std::process::id());
        Self::of_file(&directory.join("controller.lock"), &words)
    }

    /// Takes the lock that a file is; others are told these words.
    ///
    /// # Errors
    /// As [`Lock::take`]; the directory is that of the file.
    pub fn of_file(path: &Path, words: &str) -> Result<Self, LockError> {
        let directory = || path.parent().unwrap_or(path).to_owned();
        let io = |source| LockError::Io { directory: directory(), source };
        let mut file = File::options().create(true).truncate(false).read(true).write(true).open(path).map_err(io)?;
        if flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            file.take(HOLDER).read_to_string(&mut holder).map_err(io)?;
            return Err(LockError::Busy { directory: directory(), holder: holder.trim().to_owned() });
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        writeln!(file, "{words}").map_err(io)?;
        Ok(Self { file })
    }

    /// Others are told from here on that this is what it is held for.
    ///
    /// # Errors
    /// It cannot be written; they are told what they were told before.
    pub fn describe(&mut self, purpose: &str) -> std::io::Result<()> {
        self.file.rewind()?;
        let words = format!("process {}{purpose}\n", std::process::id());
        self.file.set_len(0)?;
        self.file.write_all(words.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::take_as(directory.path(), ", which follows tarn").unwrap();
        let second = Lock::take(directory.path()).unwrap_err().to_string();
        assert!(second.contains(&format!("process {}, which follows tarn", std::process::id())), "{second}");
        drop(first);
        Lock::take(directory.path()).unwrap();
    }
}
