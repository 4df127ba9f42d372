//! Reads the build log of a package as it grows, on the controller's own disk.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::kept_log::KeptLog;
use crate::core::build::{Build, Phase};
use crate::core::plan::PackageIndex;
use crate::core::state::State;
use crate::core::text::whole_characters;

/// So much (bytes) is read at once.
const PIECE: u64 = 1 << 20;

/// Where the log of a package is, below a state directory: of the job that builds it, else the latest that is kept. None
/// where there is none; one that is named need not have been begun.
pub fn path_of(state: &State, build: &Build, package: PackageIndex, directory: &Path) -> Option<PathBuf> {
    let root = directory.join("logs");
    let cpv = &build.identity(package).cpv;
    if let Phase::Delegated(job) = &build.packages[package.index()].phase {
        return state.jobs.get(job).map(|_| KeptLog::new(&root, cpv, job).path());
    }
    // The latest of the kept ones: job numbers grow, and so do the times.
    let logs = fs_err::read_dir(root.join(KeptLog::directory(cpv))).ok()?.filter_map(Result::ok);
    logs.max_by_key(|entry| entry.metadata().and_then(|metadata| metadata.modified()).ok()).map(|entry| entry.path())
}

/// Why a package may have no log.
pub fn why_none(build: &Build, package: PackageIndex) -> &'static str {
    match build.packages[package.index()].phase {
        Phase::Needed => "it waits for its needs or for a drone",
        Phase::Delegated(_) => "it is being prepared on its drone",
        Phase::Received(_) => "it came with another package, or from an earlier build",
        Phase::Failed => "it failed before its build began; `swarm status` says why",
    }
}

/// A log, and how much of it has been read.
#[derive(Debug, Default)]
pub struct LogReader {
    path: PathBuf,
    until: u64,
}

impl LogReader {
    /// From its beginning.
    pub fn new(path: PathBuf) -> Self {
        Self { path, until: 0 }
    }

    /// From a line of which so much (bytes) follows at the most.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn of_end(path: PathBuf, most: u64) -> io::Result<Self> {
        let length = if path.exists() { fs_err::metadata(&path)?.len() } else { 0 };
        let mut reader = Self { path, until: length.saturating_sub(most) };
        if reader.until > 0 {
            let text = reader.read_on()?;
            let line = text.find('\n').map_or(text.len(), |end| end + 1);
            reader.until = length.saturating_sub(most) + line as u64;
        }
        Ok(reader)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next piece of what is there; nothing where all of it was read, or nothing is there.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read_on(&mut self) -> io::Result<String> {
        if !self.path.exists() {
            return Ok(String::new());
        }
        let mut file = fs_err::File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.until))?;
        let mut bytes = Vec::new();
        file.take(PIECE).read_to_end(&mut bytes)?;
        bytes.truncate(whole_characters(&bytes));
        self.until += bytes.len() as u64;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_on_as_it_grows_and_its_end_begins_with_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut reader = LogReader::of_end(path.clone(), 10).unwrap();
        assert_eq!(reader.read_on().unwrap(), "", "nothing is there yet");
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(reader.read_on().unwrap(), "one\ntwo\nthree\n");
        assert_eq!(reader.read_on().unwrap(), "");
        std::fs::write(&path, "one\ntwo\nthree\nfour").unwrap();
        assert_eq!(reader.read_on().unwrap(), "four");
        assert_eq!(LogReader::of_end(path.clone(), 12).unwrap().read_on().unwrap(), "three\nfour");
        assert_eq!(LogReader::of_end(path, 100).unwrap().read_on().unwrap(), "one\ntwo\nthree\nfour");
    }
}
