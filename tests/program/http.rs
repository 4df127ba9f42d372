//! A client that says what it is told to, byte for byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A test that waits for longer than this would wait for ever.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Each header as `name: value`, the name in small letters.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|header| header.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// Checks the status, and that this is in the body.
    pub fn gives(&self, status: u16, part: &str) -> &Self {
        assert!(self.status == status && self.text().contains(part), "{} {}", self.status, self.text());
        self
    }
}

/// Connects to a service by its URL.
pub fn connect(url: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(url.strip_prefix("http://").unwrap().split('/').next().unwrap())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a request: its first line without the version, its headers, its body.
pub fn send(stream: &mut TcpStream, line: &str, headers: &[&str], body: &[u8]) {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!("{line} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // One that refuses a body may be gone before all of it is sent.
    let _refused = stream.write_all(body);
}

/// Reads a head up to its empty line.
pub fn head(stream: &mut TcpStream) -> (u16, Vec<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter(|line| !line.is_empty()).map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        format!("{}: {value}", name.to_lowercase())
    });
    (status, headers.collect())
}

/// Asks; the body ends with the connection.
pub fn try_ask(url: &str, line: &str, headers: &[&str], body: &[u8]) -> std::io::Result<Answer> {
    let mut stream = connect(url)?;
    send(&mut stream, line, headers, body);
    let (status, headers) = head(&mut stream);
    let mut body = Vec::new();
    stream.read_to_end(&mut body)?;
    let chunked = headers.iter().any(|header| header == "transfer-encoding: chunked");
    Ok(Answer { status, headers, body: if chunked { whole(&body) } else { body } })
}

/// The body without the sizes of its chunks.
fn whole(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|pair| pair == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&chunks[end + 2..end + 2 + size]);
        chunks = &chunks[end + 4 + size..];
    }
    body
}

/// [`try_ask`] of a service that is there.
pub fn ask(url: &str, line: &str, headers: &[&str], body: &[u8]) -> Answer {
    try_ask(url, line, headers, body).unwrap()
}

/// `GET` of a path; none where the connection is closed instead of answered.
pub fn try_get(url: &str, path: &str) -> Option<Answer> {
    let mut stream = connect(url).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let status = text.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    let body = text.split_once("\r\n\r\n")?.1.as_bytes().to_vec();
    Some(Answer { status, headers: Vec::new(), body })
}

/// `GET` of a path.
pub fn get(url: &str, path: &str) -> Answer {
    ask(url, &format!("GET {path}"), &[], b"")
}
