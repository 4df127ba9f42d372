//! A small SFTP server over a directory, with faults.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use russh_sftp::extensions::{FSYNC, LIMITS, STATVFS};
use russh_sftp::protocol::{
    Attrs, Data, ExtendedReply, FileAttributes, Handle, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::Handler;

use super::{Line, Occupied, Shared};

/// A fault of the SFTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Breaks the connection when a read would pass this offset. Once.
    CutAt(u64),
    /// Answers no more on this session when a read would pass this offset. Once.
    FreezeAt(u64),
    /// Turns the byte at this offset around. Once.
    CorruptAt(u64),
    /// Gives an end of file at this offset, though the file is longer.
    EndAt(u64),
    /// Gives at most this many bytes with one read.
    Short(usize),
    /// Has space for this many bytes only.
    Full(u64),
    /// Knows no extensions.
    Plain,
    /// Starts no SFTP server.
    NoServer,
    /// Breaks the connection when a file is opened whose path has this in it. Once.
    CutOpening(&'static str),
}

/// One session of the server.
pub struct Server {
    shared: Arc<Shared>,
    line: Line,
    connection: usize,
    _occupied: Occupied,
    open: HashMap<String, Opened>,
    next: u32,
}

struct Opened {
    path: String,
    file: File,
}

/// A piece of a file that a client asked for and got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Which connection it went over, counted from 0.
    pub connection: usize,
    /// The file.
    pub path: String,
    /// Where in the file.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

impl Server {
    pub(super) fn new(shared: Arc<Shared>, line: Line, connection: usize, occupied: Occupied) -> Self {
        Self { shared, line, connection, _occupied: occupied, open: HashMap::new(), next: 0 }
    }

    fn path(&self, path: &str) -> Result<PathBuf, StatusCode> {
        let relative = Path::new(path.trim_start_matches('/'));
        let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
        plain.then(|| self.shared.root.join(relative)).ok_or(StatusCode::PermissionDenied)
    }

    fn file(&self, handle: &str) -> Result<&File, StatusCode> {
        self.open.get(handle).map(|opened| &opened.file).ok_or(StatusCode::Failure)
    }

    /// Takes the first armed fault that meets the condition.
    fn once(&self, meets: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut faults = self.shared.faults.lock().unwrap();
        let index = faults.iter().position(meets)?;
        Some(faults.remove(index))
    }

    fn lasting<T>(&self, part: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.shared.faults.lock().unwrap().iter().find_map(part)
    }

    fn is_plain(&self) -> bool {
        self.lasting(|fault| matches!(fault, Fault::Plain).then_some(())).is_some()
    }

    fn is_full(&self, end: u64) -> bool {
        self.lasting(|fault| if let Fault::Full(space) = fault { Some(*space) } else { None })
            .is_some_and(|space| end > space)
    }
}

fn code(error: &std::io::Error) -> StatusCode {
    match error.kind() {
        std::io::ErrorKind::NotFound => StatusCode::NoSuchFile,
        std::io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        _ => StatusCode::Failure,
    }
}

fn done(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: String::new(), language_tag: String::new() }
}

fn attributes(metadata: &std::fs::Metadata) -> FileAttributes {
    FileAttributes {
        size: Some(metadata.len()),
        permissions: Some(metadata.permissions().mode()),
        ..FileAttributes::empty()
    }
}

/// The strings of an extension's data.
fn strings(mut data: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let (text, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        texts.push(String::from_utf8_lossy(text).into_owned());
        data = rest;
    }
    texts
}

fn numbers(values: &[u64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

impl Handler for Server {
    type Error = StatusCode;

    fn unimplemented(&self) -> StatusCode {
        StatusCode::OpUnsupported
    }

    async fn init(&mut self, _version: u32, _extensions: HashMap<String, String>) -> Result<Version, StatusCode> {
        let mut version = Version::new();
        if self.is_plain() {
            return Ok(version);
        }
        for name in [FSYNC, LIMITS, STATVFS, "posix-rename@openssh.com"] {
            version.extensions.insert(name.to_owned(), "1".to_owned());
        }
        Ok(version)
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        flags: OpenFlags,
        _attributes: FileAttributes,
    ) -> Result<Handle, StatusCode> {
        let path = self.path(&filename)?;
        if self.once(|fault| matches!(fault, Fault::CutOpening(part) if filename.contains(part))).is_some() {
            self.line.cut();
            return std::future::pending().await;
        }
        let file = OpenOptions::new()
            .read(flags.contains(OpenFlags::READ))
            .write(flags.contains(OpenFlags::WRITE))
            .create(flags.contains(OpenFlags::CREATE))
            .create_new(flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUDE))
            .open(path)
            .map_err(|error| code(&error))?;
        self.next += 1;
        let handle = self.next.to_string();
        self.open.insert(handle.clone(), Opened { path: filename, file });
        Ok(Handle { id, handle })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusCode> {
        self.open.remove(&handle).map(|_| done(id)).ok_or(StatusCode::Failure)
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, length: u32) -> Result<Data, StatusCode> {
        let short = self.lasting(|fault| if let Fault::Short(most) = fault { Some(*most) } else { None });
        let length = (length as usize).min(short.unwrap_or(usize::MAX));
        // A read may ask for more than there is.
        let size = self.file(&handle)?.metadata().map_err(|error| code(&error))?.len();
        let end = size.min(offset + length as u64);
        let covers = |at: u64| offset <= at && at < end;
        if self.once(|fault| matches!(fault, Fault::CutAt(at) if covers(*at))).is_some() {
            self.line.cut();
        }
        if self.once(|fault| matches!(fault, Fault::FreezeAt(at) if covers(*at))).is_some() {
            return std::future::pending().await;
        }
        let mut data = vec![0; length];
        let count = self.file(&handle)?.read_at(&mut data, offset).map_err(|error| code(&error))?;
        data.truncate(count);
        if let Some(at) = self.lasting(|fault| if let Fault::EndAt(at) = fault { Some(*at) } else { None }) {
            data.truncate(at.saturating_sub(offset) as usize);
        }
        if let Some(Fault::CorruptAt(at)) = self.once(|fault| matches!(fault, Fault::CorruptAt(at) if covers(*at)))
            && let Some(byte) = data.get_mut((at - offset) as usize)
        {
            *byte = !*byte;
        }
        if let Some(Opened { path, .. }) = self.open.get(&handle).filter(|_| self.line.is_open()) {
            let sent = Sent { connection: self.connection, path: path.clone(), offset, length: data.len() as u64 };
            self.shared.sent.lock().unwrap().push(sent);
        }
        if data.is_empty() { Err(StatusCode::Eof) } else { Ok(Data { id, data }) }
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, StatusCode> {
        if self.is_full(offset + data.len() as u64) {
            return Err(StatusCode::Failure);
        }
        self.file(&handle)?.write_all_at(&data, offset).map_err(|error| code(&error))?;
        Ok(done(id))
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusCode> {
        let metadata = self.file(&handle)?.metadata().map_err(|error| code(&error))?;
        Ok(Attrs { id, attrs: attributes(&metadata) })
    }

    async fn fsetstat(&mut self, id: u32, handle: String, wanted: FileAttributes) -> Result<Status, StatusCode> {
        if let Some(mode) = wanted.permissions {
            let permissions = std::fs::Permissions::from_mode(mode);
            self.file(&handle)?.set_permissions(permissions).map_err(|error| code(&error))?;
        }
        Ok(done(id))
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusCode> {
        let metadata = self.path(&path)?.metadata().map_err(|error| code(&error))?;
        Ok(Attrs { id, attrs: attributes(&metadata) })
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, StatusCode> {
        std::fs::remove_file(self.path(&filename)?).map_err(|error| code(&error))?;
        Ok(done(id))
    }

    async fn rename(&mut self, id: u32, oldpath: String, newpath: String) -> Result<Status, StatusCode> {
        let (from, to) = (self.path(&oldpath)?, self.path(&newpath)?);
        if to.exists() {
            return Err(StatusCode::Failure);
        }
        std::fs::rename(from, to).map_err(|error| code(&error))?;
        Ok(done(id))
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, StatusCode> {
        match (request.as_str(), strings(&data).as_slice()) {
            _ if self.is_plain() => Err(StatusCode::OpUnsupported),
            ("posix-rename@openssh.com", [from, to]) => {
                std::fs::rename(self.path(from)?, self.path(to)?).map_err(|error| code(&error))?;
                Ok(Packet::Status(done(id)))
            }
            (FSYNC, [_]) => Ok(Packet::Status(done(id))),
            (LIMITS, _) => {
                Ok(Packet::ExtendedReply(ExtendedReply { id, data: numbers(&[256 << 10, 255 << 10, 255 << 10, 100]) }))
            }
            (STATVFS, _) => {
                let free = if self.is_full(u64::MAX) { 0 } else { 1000 };
                let space = [4096, 4096, 1000, free, free, 1000, 1000, 1000, 1, 0, 255];
                Ok(Packet::ExtendedReply(ExtendedReply { id, data: numbers(&space) }))
            }
            _ => Err(StatusCode::OpUnsupported),
        }
    }
}
