//! This machine itself as a host: `address = "local"`. One machine alone needs no sshd.
//!
//! Files are read and written directly, but where `become` is set: then by OpenSSH's SFTP server, started through sudo or
//! doas, so that what is true of a host over SSH is true here.

use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use fs_err::os::unix::fs::OpenOptionsExt;
use rustix::fs::Mode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::core::names::HostName;
use crate::failpoint::Failpoint;
use crate::ssh::chance;
use crate::ssh::destination::Destination;
use crate::ssh::dial::Stream;
use crate::ssh::exec;
use crate::ssh::growth::Growth;
use crate::ssh::host::{Chunk, Host, HostError, HostErrorKind, Output, Running, Script};
use crate::ssh::sftp::{self, Leftovers, Sftp};
use crate::ssh::shell;

/// The word that stands for this machine among a host's addresses.
pub const LOCAL: &str = "local";

/// Pieces of output and of input that wait for the other side.
const QUEUE: usize = 16;

/// Bytes of output read at once.
const PIECE: usize = 64 << 10;

/// This machine.
#[derive(Debug, Clone)]
pub struct LocalHost {
    destination: Destination,
    leftovers: Leftovers,
}

impl LocalHost {
    /// This machine under the destination's name.
    pub fn new(destination: &Destination) -> Self {
        Self { destination: destination.clone(), leftovers: Leftovers::default() }
    }

    fn error(&self, kind: HostErrorKind, message: impl Into<String>) -> HostError {
        HostError::new(&self.destination.name, kind, message)
    }

    /// Does file work off the runtime, with its errors as the host's answer.
    async fn files<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, HostError> {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|error| self.error(kind(&error), words(&error))),
            Err(error) => Err(self.error(
                HostErrorKind::Local,
                format!("work on files here broke off: {error}; this is a fault of swarm, please report it"),
            )),
        }
    }

    /// A session that works as root; none where we work as who we are.
    async fn privileged(&self) -> Result<Option<Sftp>, HostError> {
        let Some(become_root) = self.destination.become_root else { return Ok(None) };
        let command = sftp::privileged_command(self, become_root).await?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", &command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| self.error(HostErrorKind::Local, format!("cannot start {command}: {error}")))?;
        match (child.stdout.take(), child.stdin.take()) {
            (Some(stdout), Some(stdin)) => {
                let stream = tokio::io::join(stdout, stdin);
                Sftp::over(&self.destination, stream, Box::new(child), self.leftovers.clone()).await.map(Some)
            }
            _ => Err(self.error(HostErrorKind::Local, format!("{command} has no input and output"))),
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        let words = shell::words(self.destination.become_root);
        let (program, arguments) = words.split_first().unwrap_or((&"/bin/sh", &[]));
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

#[async_trait]
impl Host for LocalHost {
    fn name(&self) -> &HostName {
        &self.destination.name
    }

    fn address(&self) -> Option<String> {
        Some(LOCAL.to_owned())
    }

    async fn connect(&self) -> Result<(), HostError> {
        Ok(())
    }

    async fn run(&self, script: &Script) -> Result<Output, HostError> {
        let output = exec::collect(&self.destination.name, self.start(script).await?).await?;
        match shell::become_fault(self.destination.become_root, output.status, &output.stdout, &output.stderr) {
            Some(fault) => Err(self.error(HostErrorKind::Failed, format!("cannot become root: {fault}"))),
            None => Ok(output),
        }
    }

    async fn start(&self, script: &Script) -> Result<Running, HostError> {
        let child = self.spawn().map_err(|error| {
            let program = shell::words(self.destination.become_root).first().copied().unwrap_or("/bin/sh");
            self.error(HostErrorKind::Local, format!("cannot start {program}: {error}"))
        })?;
        let (output_sender, output) = mpsc::channel(QUEUE);
        let (input, input_receiver) = mpsc::channel(QUEUE);
        tokio::spawn(attend(self.destination.name.clone(), child, shell::line(script), input_receiver, output_sender));
        Ok(Running { output, input })
    }

    async fn read(&self, remote: &str, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        if let Some(sftp) = self.privileged().await? {
            return sftp.read(remote, limit).await;
        }
        match self.read_from(remote, 0, limit.saturating_add(1)).await? {
            Some(content) if content.len() as u64 > limit => {
                let text = format!("cannot read {remote}: it is larger than {limit} bytes");
                Err(self.error(HostErrorKind::Failed, text))
            }
            other => Ok(other),
        }
    }

    async fn read_from(&self, remote: &str, offset: u64, limit: u64) -> Result<Option<Vec<u8>>, HostError> {
        if let Some(sftp) = self.privileged().await? {
            return sftp.read_from(remote, offset, limit).await;
        }
        let path = remote.to_owned();
        self.files(move || {
            let mut file = match fs_err::File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            };
            file.seek(SeekFrom::Start(offset))?;
            let mut content = Vec::new();
            file.take(limit).read_to_end(&mut content)?;
            Ok(Some(content))
        })
        .await
    }

    async fn write(&self, remote: &str, content: &[u8], mode: u32) -> Result<(), HostError> {
        if let Some(sftp) = self.privileged().await? {
            return sftp.write(remote, content, mode).await;
        }
        let (path, content) = (remote.to_owned(), content.to_owned());
        self.files(move || replace(Path::new(&path), &mut content.as_slice(), mode)).await
    }

    async fn upload(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError> {
        if let Some(sftp) = self.privileged().await? {
            return sftp.upload(local, remote, mode).await;
        }
        let mut source = fs_err::File::open(local).map_err(|error| self.error(HostErrorKind::Local, words(&error)))?;
        let path = remote.to_owned();
        self.files(move || replace(Path::new(&path), &mut source, mode)).await
    }

    async fn upload_on(&self, local: &Path, remote: &str, mode: u32) -> Result<(), HostError> {
        if let Some(sftp) = self.privileged().await? {
            return sftp.append(local, remote, mode).await;
        }
        let mut source = fs_err::File::open(local).map_err(|error| self.error(HostErrorKind::Local, words(&error)))?;
        let path = remote.to_owned();
        self.files(move || {
            let mut target = fs_err::OpenOptions::new().create(true).append(true).mode(mode).open(path)?;
            let there = target.metadata()?.len();
            if there > source.metadata()?.len() {
                target.set_len(0)?;
            } else {
                source.seek(SeekFrom::Start(there))?;
            }
            std::io::copy(&mut source, &mut target)?;
            target.sync_all()
        })
        .await
    }

    async fn bring(&self, remote: &str, local: &Path, growth: Option<&Arc<Growth>>) -> Result<u64, HostError> {
        if let Some(sftp) = self.privileged().await? {
            return sftp.download(remote, local, growth).await;
        }
        let (from, to) = (remote.to_owned(), local.to_owned());
        let source = self.files(move || fs_err::File::open(from)).await?;
        let append = move || {
            let mut source = source;
            let mut target = fs_err::OpenOptions::new().create(true).append(true).open(&to)?;
            let (present, size) = (target.metadata()?.len(), source.metadata()?.len());
            if present > size {
                let text = format!("{} is longer than what is fetched: remove it", to.display());
                return Err(std::io::Error::other(text));
            }
            source.seek(SeekFrom::Start(present))?;
            std::io::copy(&mut source.take(size - present), &mut target)
        };
        match tokio::task::spawn_blocking(append).await {
            Ok(result) => result.map_err(|error| self.error(HostErrorKind::Local, words(&error))),
            Err(error) => Err(self.error(
                HostErrorKind::Local,
                format!("work on files here broke off: {error}; this is a fault of swarm, please report it"),
            )),
        }
    }

    async fn socket(&self, remote: &str) -> Result<Box<dyn Stream>, HostError> {
        let connected = UnixStream::connect(remote).await;
        let failed = |error| self.error(HostErrorKind::Failed, format!("nobody answers at {remote}: {error}"));
        Ok(Box::new(connected.map_err(failed)?))
    }
}

/// Feeds a child, passes its output on, and tells its end.
///
/// Other than over SSH there is no connection that a slow consumer could hold up: the child waits, as in a pipe.
async fn attend(
    host: HostName,
    mut child: Child,
    first: Vec<u8>,
    mut input: mpsc::Receiver<Vec<u8>>,
    output: mpsc::Sender<Chunk>,
) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feeding = async {
        let Some(mut stdin) = stdin else { return };
        let mut piece = Some(first);
        while let Some(data) = piece {
            // A child that has closed its input is no fault: the status tells.
            if stdin.write_all(&data).await.is_err() || stdin.flush().await.is_err() {
                return;
            }
            piece = input.recv().await;
        }
    };
    let passing = async {
        tokio::join!(pass(stdout, &output, Chunk::Stdout), pass(stderr, &output, Chunk::Stderr));
        child.wait().await
    };
    let status = tokio::select! {
        status = passing => status,
        status = async { feeding.await; std::future::pending().await } => status,
        // As over SSH: the process is not killed by a consumer that goes, but finds its pipes closed.
        () = output.closed() => return,
    };
    let lost = |text: String| Chunk::Lost(HostError::new(&host, HostErrorKind::Lost, text));
    let end = match status.map(|status| (status.code(), status)) {
        Ok((Some(code), _)) => Chunk::Ended(code.unsigned_abs()),
        Ok((None, status)) => lost(format!("the command was ended: {status}")),
        Err(error) => lost(format!("the command's end is not known: {error}")),
    };
    let _ = output.send(end).await;
}

async fn pass(source: Option<impl AsyncRead + Unpin>, output: &mpsc::Sender<Chunk>, chunk: fn(Vec<u8>) -> Chunk) {
    let Some(mut source) = source else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(count @ 1..) = source.read(&mut buffer).await {
        let piece = buffer.get(..count).unwrap_or_default().to_vec();
        if output.send(chunk(piece)).await.is_err() {
            return;
        }
    }
}

/// Writes a file whole: beside it, synced, renamed over it.
fn replace(path: &Path, content: &mut dyn Read, mode: u32) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kept: String = name.chars().take(32).collect();
    let temporary = path.with_file_name(format!(".{kept}.{:016x}.part", chance::number()));
    let written = (|| {
        let mut file = fs_err::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        std::io::copy(content, &mut file)?;
        file.flush()?;
        // The mode given at the opening was cut by our umask.
        rustix::fs::fchmod(file.file(), Mode::from_raw_mode(mode))?;
        file.sync_all()?;
        Failpoint::BeforeRename.pass();
        fs_err::rename(&temporary, path)?;
        Failpoint::AfterRename.pass();
        Ok(())
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// What kind of trouble this machine has as a host.
fn kind(error: &std::io::Error) -> HostErrorKind {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => HostErrorKind::NoSpace,
        _ => HostErrorKind::Failed,
    }
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("{error}: free some space there"),
        ErrorKind::PermissionDenied => format!("{error}: see the rights there, or run as a user who may"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
impl LocalHost {
    /// This machine as the user that runs the tests.
    pub(crate) fn here() -> Self {
        Self::new(&Destination::of_tests())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;

    #[tokio::test]
    async fn a_script_runs_here_as_it_would_there() {
        let script = Script::new("echo \"$value\"; echo wrong >&2; exit 3").set("value", "it's");
        let output = LocalHost::here().run(&script).await.unwrap();
        assert_eq!(
            (output.stdout.as_slice(), output.stderr.as_slice(), output.status),
            (&b"it's\n"[..], &b"wrong\n"[..], 3)
        );
        assert_eq!(LocalHost::here().run(&Script::new("kill -9 $$")).await.unwrap_err().kind, HostErrorKind::Lost);
        assert_eq!(LocalHost::here().run(&Script::new("cat")).await.unwrap().status, 0, "standard input is empty");
    }

    #[tokio::test]
    async fn input_comes_in_pieces() {
        let mut running =
            LocalHost::here().start(&Script::new("while read -r line; do echo \"got $line\"; done")).await.unwrap();
        running.input.send(b"one\n".to_vec()).await.unwrap();
        assert_eq!(running.output.recv().await, Some(Chunk::Stdout(b"got one\n".to_vec())));
        drop(running.input);
        assert_eq!(running.output.recv().await, Some(Chunk::Ended(0)));
        assert_eq!(running.output.recv().await, None);
    }

    #[tokio::test]
    async fn files_are_read_and_replaced_whole() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("file");
        let name = path.to_str().unwrap();
        assert_eq!(LocalHost::here().read(name, 5).await.unwrap(), None);
        LocalHost::here().write(name, b"first", 0o644).await.unwrap();
        LocalHost::here().write(name, b"second", 0o666).await.unwrap();
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        assert_eq!(LocalHost::here().read(name, 6).await.unwrap().unwrap(), b"second");
        assert_eq!(LocalHost::here().read(name, 5).await.unwrap_err().kind, HostErrorKind::Failed);
        assert_eq!(LocalHost::here().read_from(name, 3, 2).await.unwrap().unwrap(), b"on");
        let error = LocalHost::here().write("/nowhere/file", b"", 0o600).await.unwrap_err();
        assert!(error.kind == HostErrorKind::Failed && error.message.contains("/nowhere"), "{error}");
        assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[tokio::test]
    async fn a_copy_goes_on_from_the_byte_at_which_it_ends() {
        let directory = TempDir::new().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs_err::write(&from, "0123456789").unwrap();
        fs_err::write(&to, "012").unwrap();
        assert_eq!(LocalHost::here().download(from.to_str().unwrap(), &to).await.unwrap(), 7);
        assert_eq!(fs_err::read(&to).unwrap(), b"0123456789");
        fs_err::write(&to, "longer than that").unwrap();
        assert_eq!(
            LocalHost::here().download(from.to_str().unwrap(), &to).await.unwrap_err().kind,
            HostErrorKind::Local
        );
        assert_eq!(LocalHost::here().download("/nonexistent", &to).await.unwrap_err().kind, HostErrorKind::Failed);
        LocalHost::here().upload(&from, to.to_str().unwrap(), 0o600).await.unwrap();
        assert_eq!(fs_err::read(&to).unwrap(), b"0123456789");
    }
}
