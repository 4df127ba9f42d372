//! Archives with files of the driver: packed there, fetched once for all drones that want the same.
//!
//! An archive is named after what is wanted of it, here, on the driver and on drones: whoever goes on after an interruption
//! finds what there is of it and carries the rest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OnceCell};

use super::SyncError;
use crate::drone::configuration;
use crate::drone::configuration::compose::OwnFile;
use crate::drone::configuration::listing::{Entry, Listing};
use crate::ssh::{Host, HostError, HostErrorKind};

/// So often a download is taken up again after its connection was lost.
const TRIES: u32 = 3;
/// So many digits of a digest name an archive.
const NAME_LENGTH: usize = 32;
const LEVEL: i32 = 3;

/// One archive, here.
#[derive(Debug)]
pub(super) struct Archive {
    /// Its name.
    pub key: String,
    /// Where it lies.
    pub file: PathBuf,
    /// Its length, in bytes.
    pub size: u64,
}

/// The archives of one listing of the driver.
#[derive(Debug)]
pub(super) struct Archives {
    driver: Arc<dyn Host>,
    workdir: String,
    directory: PathBuf,
    known: Mutex<BTreeMap<String, Arc<OnceCell<Arc<Archive>>>>>,
}

impl Archives {
    pub fn new(driver: Arc<dyn Host>, workdir: String, directory: PathBuf) -> Self {
        Self { driver, workdir, directory, known: Mutex::default() }
    }

    /// The archive with these files; whoever wants it first has it made, the others wait for it.
    pub async fn get(&self, wanted: Vec<(String, Entry)>) -> Result<Arc<Archive>, SyncError> {
        let paths = wanted.iter().map(|(path, _)| format!("{path}\0")).collect::<String>();
        let text = Listing { entries: wanted.into_iter().collect() }.to_text();
        let key: String = HEXLOWER.encode(&Sha256::digest(text)).chars().take(NAME_LENGTH).collect();
        let cell = Arc::clone(self.known.lock().await.entry(key.clone()).or_default());
        cell.get_or_try_init(|| self.make(key, paths)).await.map(Arc::clone).map_err(SyncError::Driver)
    }

    async fn make(&self, key: String, paths: String) -> Result<Arc<Archive>, HostError> {
        let host = self.driver.as_ref();
        host.write(&format!("{}/sync/{key}.wanted", self.workdir), paths.as_bytes(), 0o600).await?;
        let size = configuration::pack(host, &self.workdir, &key).await?;
        let file = self.directory.join(format!("{key}.archive"));
        let remote = format!("{}/sync/{key}.archive", self.workdir);
        if std::fs::metadata(&file).is_ok_and(|known| known.len() > size) {
            self.remove_here(&file)?;
        }
        let mut tries = 0..TRIES;
        loop {
            match host.download(&remote, &file).await {
                Ok(_) => return Ok(Arc::new(Archive { key, file, size })),
                Err(error) if error.kind == HostErrorKind::Lost && tries.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn remove_here(&self, file: &PathBuf) -> Result<(), HostError> {
        match fs_err::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(HostError::new(self.driver.name(), HostErrorKind::Local, error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Removes them, here and on the driver, with the listing that they belong to.
    pub async fn remove(self, digest: &str) -> Result<(), HostError> {
        let mut names = vec![format!("{digest}.listing")];
        for key in self.known.lock().await.keys() {
            self.remove_here(&self.directory.join(format!("{key}.archive")))?;
            names.extend([format!("{key}.archive"), format!("{key}.wanted")]);
        }
        configuration::forget(self.driver.as_ref(), &self.workdir, &names).await
    }
}

/// Packs files that do not come from the driver.
pub(super) fn pack_own(files: &BTreeMap<String, OwnFile>) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(zstd::Encoder::new(Vec::new(), LEVEL)?);
    for (path, file) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_username("root")?;
        header.set_groupname("portage")?;
        header.set_uid(0);
        header.set_gid(250);
        archive.append_data(&mut header, path, file.content.as_slice())?;
    }
    archive.into_inner()?.finish()
}
