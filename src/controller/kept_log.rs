//! A build's log, kept on this side while it grows: `state/logs/CAT/PF/JOB.log`.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::core::names::JobName;
use crate::core::package::Cpv;
use crate::drone::job::JobDirectory;
use crate::ssh::{Chunk, Host, HostError, HostErrorKind, Script};

/// So much of a log (bytes) is read in one piece once its job is over.
const PIECE: u64 = 4 << 20;
/// A log that grows beyond this (bytes) is kept up to here.
const LIMIT: u64 = 1 << 30;
/// The end of a log that is looked at for the cause of a failure, in bytes.
const TAIL: u64 = 256 << 10;

/// A kept log.
#[derive(Debug, Clone)]
pub struct KeptLog {
    root: PathBuf,
    relative: PathBuf,
}

impl KeptLog {
    /// The log of a job, below the directory of logs.
    pub fn new(root: &Path, cpv: &Cpv, job: &JobName) -> Self {
        let relative = Self::directory(cpv).join(format!("{job}.log"));
        Self { root: root.to_owned(), relative }
    }

    /// Where the logs of a package are, below the directory of logs.
    pub fn directory(cpv: &Cpv) -> PathBuf {
        Path::new(cpv.category()).join(cpv.pf())
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.root.join(&self.relative)
    }

    /// Where it is below the state directory, as status shows it.
    pub fn name(&self) -> String {
        format!("logs/{}", self.relative.display())
    }

    fn length(&self) -> u64 {
        fs_err::metadata(self.path()).map_or(0, |metadata| metadata.len())
    }

    fn append(&self, bytes: &[u8], host: &dyn Host) -> Result<(), HostError> {
        let local = |error: std::io::Error| HostError {
            host: host.name().clone(),
            kind: HostErrorKind::Local,
            message: format!("keep the build log: {error}"),
        };
        let path = self.path();
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent).map_err(local)?;
        }
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(path).map_err(local)?;
        file.write_all(bytes).map_err(local)
    }

    /// Follows the log on the drone while its job runs. Ends when the job ends, the connection is lost, or it is dropped.
    ///
    /// # Errors
    /// When the drone is lost or the log cannot be kept.
    pub async fn follow(&self, host: &dyn Host, directory: &JobDirectory) -> Result<(), HostError> {
        let script = Script::new(r#"read -r pid rest <"$pid_file" && exec tail -c +"$from" -f --pid="$pid" "$log""#)
            .set("pid_file", &directory.file("pid"))
            .set("log", &directory.file("log"))
            .set("from", &(self.length() + 1).to_string());
        let mut running = host.start(&script).await?;
        while let Some(chunk) = running.output.recv().await {
            match chunk {
                Chunk::Stdout(bytes) if self.length() < LIMIT => self.append(&bytes, host)?,
                Chunk::Stdout(_) | Chunk::Stderr(_) => {}
                Chunk::Ended(_) => break,
                Chunk::Lost(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Brings what is still missing of it, once nothing writes to it any more.
    ///
    /// # Errors
    /// When the drone is lost or the log cannot be kept.
    pub async fn complete(&self, host: &dyn Host, directory: &JobDirectory) -> Result<(), HostError> {
        loop {
            let from = self.length();
            let piece = host.read_from(&directory.file("log"), from, PIECE).await?.unwrap_or_default();
            if piece.is_empty() || from >= LIMIT {
                return Ok(());
            }
            self.append(&piece, host)?;
        }
    }

    /// The end of it, as text.
    pub fn tail(&self) -> String {
        use std::io::{Read, Seek, SeekFrom};
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = fs_err::File::open(self.path())?;
            file.seek(SeekFrom::Start(self.length().saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        // A job that failed before it wrote a line has no log.
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }
}
