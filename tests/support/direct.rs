//! A way to a fake host without SSH: the same programs, files and lines, a thousand times cheaper.
//!
//! For tests of what the controller makes of losses, not of how the SSH layer notices them. A line that stands still
//! is lost after [`SILENCE`], a host that does not answer unreachable after [`HANDSHAKE`], as with SSH. Of the faults of
//! files only [`Fault::CutOpening`] counts here.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use swarm::core::names::HostName;
use swarm::ssh::{Chunk, Growth, Host, HostError, HostErrorKind, Output, Running, Script, Stream};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::{Console, Fault, Line, Shared};

/// After so long without a byte a line is lost.
const SILENCE: Duration = Duration::from_secs(48);
/// So long a host may take to answer at all.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// What each call takes.
const LATENCY: Duration = Duration::from_millis(5);

/// The way.
pub struct Direct {
    pub(super) shared: Arc<Shared>,
    pub(super) name: HostName,
    pub(super) line: Mutex<Line>,
}

impl fmt::Debug for Direct {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Direct").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Direct {
    fn error(&self, kind: HostErrorKind, message: impl Into<String>) -> HostError {
        HostError { host: self.name.clone(), kind, message: message.into() }
    }

    fn lost(&self) -> HostError {
        self.error(HostErrorKind::Lost, "the line broke")
    }

    /// The line in use; a new one where the last is broken and is known to be.
    async fn line(&self) -> Result<Line, HostError> {
        let line = self.line.lock().unwrap().clone();
        if line.is_open() {
            return Ok(line);
        }
        if self.shared.dead.load(Ordering::Relaxed) {
            sleep(HANDSHAKE).await;
            return Err(self.error(HostErrorKind::Unreachable, "nobody answers"));
        }
        let line = Line::default();
        self.shared.lines.lock().unwrap().push(line.clone());
        *self.line.lock().unwrap() = line.clone();
        Ok(line)
    }

    /// Does something while the line holds.
    async fn guarded<T>(&self, work: impl Future<Output = Result<T, HostError>>) -> Result<T, HostError> {
        let line = self.line().await?;
        tokio::select! {
            biased;
            cut = line.broken() => {
                if !cut {
                    sleep(SILENCE).await;
                }
                Err(self.lost())
            }
            done = async { sleep(LATENCY).await; work.await } => done,
        }
    }

    /// The file of a path there; where the opening is to break the line, it is broken.
    fn path(&self, remote: &str) -> PathBuf {
        let mut faults = self.shared.faults.lock().unwrap();
        let meets = |fault: &Fault| matches!(fault, Fault::CutOpening(part) if remote.contains(part));
        if let Some(index) = faults.iter().position(meets) {
            faults.remove(index);
            self.shared.each_line(Line::cut);
        }
        self.shared.root.join(remote.trim_start_matches('/'))
    }

    async fn file<T>(&self, remote: &str, work: impl FnOnce(&Path) -> std::io::Result<T>) -> Result<T, HostError> {
        self.guarded(async {
            let path = self.path(remote);
            if !self.line.lock().unwrap().is_open() {
                return Err(self.lost());
            }
            work(&path).map_err(|error| self.error(HostErrorKind::Failed, format!("{remote}: {error}")))
        })
        .await
    }
}

#[async_trait]
impl Host for Direct {
    fn name(&self) -> &HostName {
        &self.name
    }

    fn address(&self) -> Option<String> {
        Some(format!("{}.test", self.name))
    }

    async fn connect(&self) -> Result<(), HostError> {
        self.guarded(async { Ok(()) }).await
    }

    async fn run(&self, script: &Script) -> Result<Output, HostError> {
        let Running { output: mut chunks, input } = self.start(script).await?;
        drop(input);
        let mut output = Output::default();
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Chunk::Stdout(mut data) => output.stdout.append(&mut data),
                Chunk::Stderr(mut data) => output.stderr.append(&mut data),
                Chunk::Ended(status) => return Ok(Output { status, ..output }),
                Chunk::Lost(error) => return Err(error),
            }
        }
        Err(self.lost())
    }

    async fn start(&self, script: &Script) -> Result<Running, HostError> {
        let line = self.line().await?;
        let (input, typed) = mpsc::channel(4);
        let (written, mut printed) = mpsc::channel(4);
        let (tell, output) = mpsc::channel(4);
        let mut console = Console::over(self.shared.clone(), typed, written);
        let (program, text, lost) = (self.shared.program.clone(), script.text(), self.lost());
        self.shared.remember(&text);
        // What runs there goes on where the line breaks.
        tokio::spawn(async move { program.run(&text, &mut console).await });
        tokio::spawn(async move {
            sleep(LATENCY).await;
            loop {
                let chunk = tokio::select! {
                    biased;
                    cut = line.broken() => {
                        if !cut {
                            sleep(SILENCE).await;
                        }
                        None
                    }
                    chunk = printed.recv() => chunk,
                };
                let chunk = chunk.unwrap_or_else(|| Chunk::Lost(lost.clone()));
                let last = matches!(chunk, Chunk::Ended(_) | Chunk::Lost(_));
                if tell.send(chunk).await.is_err() || last {
                    return;
                }
            }
        });
        Ok(Running { output, input })
    }

    async fn read(&self, remote: &str, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.read_from(remote, 0, limit).await
    }

    async fn read_from(&self, remote: &str, offset: u64, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        self.file(remote, |path| {
            let Ok(content) = std::fs::read(path) else { return Ok(None) };
            let offset = content.len().min(offset as usize);
            let end = content.len().min(offset.saturating_add(limit as usize));
            Ok(Some(content[offset..end].to_vec()))
        })
        .await
    }

    async fn write(&self, remote: &str, content: &[u8], _mode: u32) -> Result<(), HostError> {
        self.file(remote, |path| std::fs::write(path, content)).await
    }

    async fn upload(&self, local: &Path, remote: &str, _mode: u32) -> Result<(), HostError> {
        self.file(remote, |path| std::fs::copy(local, path).map(drop)).await
    }

    async fn upload_on(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError> {
        self.upload(local, remote, mode).await
    }

    async fn bring(&self, remote: &str, local: &Path, _growth: Option<&Arc<Growth>>) -> Result<u64, HostError> {
        self.file(remote, |path| std::fs::copy(path, local)).await
    }

    async fn socket(&self, remote: &str) -> Result<Box<dyn Stream>, HostError> {
        self.line().await?;
        Err(self.error(HostErrorKind::Failed, format!("nobody answers at {remote}")))
    }
}
