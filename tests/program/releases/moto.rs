//! An S3 server on this machine (moto, as tests/lab/setup installs it), and a line to it that counts and can be cut.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::{http, installed};

/// The bucket that it has.
pub const BUCKET: &str = "argo";

/// The server; it ends with the test.
pub struct Moto {
    process: Child,
    /// Where it listens, without a path.
    pub url: String,
}

impl Moto {
    /// One with an empty bucket that anybody may read; none, and that is said, where it is not installed.
    pub fn start() -> Option<Self> {
        let mut command = Command::new(installed::program("MOTO_VENV", "moto_server")?);
        command.args(["-H", "127.0.0.1", "-p", "0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("Running on ")).unwrap();
        // Whoever does not read on lets it wait.
        std::thread::spawn(move || lines.for_each(drop));
        let url = line.split_once("Running on ").unwrap().1.trim().to_owned();
        http::ask(&url, &format!("PUT /{BUCKET}"), &[AUTHORIZED], b"").gives(200, "");
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
            "Resource":"arn:aws:s3:::{BUCKET}/*"}}]}}"#
        );
        let length = format!("content-length: {}", policy.len());
        let headers = [AUTHORIZED, length.as_str()];
        let set = http::ask(&url, &format!("PUT /{BUCKET}?policy"), &headers, policy.as_bytes());
        assert!((200..300).contains(&set.status), "{set:?}");
        Some(Self { process, url })
    }
}

/// It looks at who asks only to tell the service.
pub const AUTHORIZED: &str = "authorization: AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/s3/aws4_request";

impl Drop for Moto {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

/// What went over the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    pub method: String,
    /// With the query.
    pub path: String,
    pub status: u16,
}

/// A line to a server: requests go over it one a connection.
pub struct Line {
    /// Its near end.
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    exchanges: Mutex<Vec<Exchange>>,
    /// So many writes more, and then nothing.
    left: Mutex<Option<usize>>,
}

impl Line {
    /// To this server.
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let shared = Arc::new(Shared { server, exchanges: Mutex::default(), left: Mutex::default() });
        let far = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let far = far.clone();
                // Whoever hangs up has had his answer, or wants none.
                std::thread::spawn(move || far.carry(stream));
            }
        });
        Self { url, shared }
    }

    /// Cuts it after so many writes; none mends it.
    pub fn cut_after(&self, writes: Option<usize>) {
        *self.shared.left.lock().unwrap() = writes;
    }

    /// What went over it since this was asked last.
    pub fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.shared.exchanges.lock().unwrap())
    }
}

impl Shared {
    fn may_pass(&self, is_write: bool) -> bool {
        match &mut *self.left.lock().unwrap() {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= usize::from(is_write);
                true
            }
        }
    }

    fn carry(&self, mut near: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(near.try_clone()?);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut words = head.split(' ');
        let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
        if !self.may_pass(method == "PUT") {
            return near.shutdown(Shutdown::Both);
        }
        let mut far = TcpStream::connect(&self.server)?;
        far.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
        far.write_all(&body)?;
        let mut answer = Vec::new();
        far.read_to_end(&mut answer)?;
        let status = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).parse().unwrap_or(0);
        self.exchanges.lock().unwrap().push(Exchange { method, path, status });
        near.write_all(&answer)?;
        near.shutdown(Shutdown::Both)
    }
}
