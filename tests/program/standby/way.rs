//! A way to a host that counts what comes, and can be told to break off in the middle of a file.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use swarm::core::names::HostName;
use swarm::ssh::{Growth, Host, HostError, Output, Running, Script, Stream};
use tokio::sync::Notify;

/// The way.
pub struct Counted {
    host: Box<dyn Host>,
    /// What each file here has grown to, as far as that is counted.
    files: Mutex<HashMap<PathBuf, u64>>,
    /// Bytes that files here have grown by.
    come: AtomicU64,
    /// So many are enough.
    limit: u64,
    /// Told then.
    enough: Notify,
}

impl Counted {
    pub fn new(host: impl Host + 'static, limit: u64) -> Arc<Self> {
        let (files, come, enough) = (Mutex::default(), AtomicU64::new(0), Notify::new());
        Arc::new(Self { host: Box::new(host), files, come, limit, enough })
    }

    /// Comes back once more has come than is enough.
    pub async fn enough(&self) {
        self.enough.notified().await;
    }

    /// How many bytes have come.
    pub fn come(&self) -> u64 {
        // What was written after a download was given up is counted, too.
        let files: Vec<PathBuf> = self.files.lock().unwrap().keys().cloned().collect();
        files.iter().for_each(|file| self.count(file));
        self.come.load(Ordering::Relaxed)
    }

    fn count(&self, file: &Path) {
        let mut files = self.files.lock().unwrap();
        // One that was moved to its place was counted before.
        let Ok(length) = std::fs::metadata(file).map(|file| file.len()) else { return };
        let counted = files.insert(file.to_owned(), length).unwrap_or(0);
        let grown = length.saturating_sub(counted);
        if self.come.fetch_add(grown, Ordering::Relaxed) + grown >= self.limit {
            self.enough.notify_one();
        }
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host.fmt(formatter)
    }
}

#[async_trait]
impl Host for Counted {
    fn name(&self) -> &HostName {
        self.host.name()
    }

    fn address(&self) -> Option<String> {
        self.host.address()
    }

    async fn connect(&self) -> Result<(), HostError> {
        self.host.connect().await
    }

    async fn run(&self, script: &Script) -> Result<Output, HostError> {
        self.host.run(script).await
    }

    async fn start(&self, script: &Script) -> Result<Running, HostError> {
        self.host.start(script).await
    }

    async fn read(&self, remote: &str, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.host.read(remote, limit).await
    }

    async fn read_from(&self, remote: &str, offset: u64, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.host.read_from(remote, offset, limit).await
    }

    async fn write(&self, remote: &str, content: &[u8], mode: u32) -> Result<(), HostError> {
        self.host.write(remote, content, mode).await
    }

    async fn upload(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError> {
        self.host.upload(local, remote, mode).await
    }

    async fn upload_on(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError> {
        self.host.upload_on(local, remote, mode).await
    }

    async fn bring(&self, remote: &str, local: &Path, growth: Option<&Arc<Growth>>) -> Result<u64, HostError> {
        let present = std::fs::metadata(local).map_or(0, |file| file.len());
        self.files.lock().unwrap().insert(local.to_owned(), present);
        let mut fetched = std::pin::pin!(self.host.bring(remote, local, growth));
        loop {
            tokio::select! {
                fetched = &mut fetched => {
                    self.count(local);
                    self.files.lock().unwrap().remove(local);
                    return fetched;
                }
                // Only to look at how far it is.
                () = tokio::time::sleep(std::time::Duration::from_millis(2)) => self.count(local),
            }
        }
    }

    async fn socket(&self, remote: &str) -> Result<Box<dyn Stream>, HostError> {
        self.host.socket(remote).await
    }
}
