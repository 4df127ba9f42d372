//! Asks a server over HTTP/1.1: one connection a question, and a bound on every step of it.

use std::io;
use std::time::Duration;

use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Asks servers.
#[derive(Clone)]
pub struct Client {
    tls: Option<TlsConnector>,
    /// How long may pass until the head of the answer is there, and between two pieces of its body.
    patience: Duration,
}

/// Why there is no answer. Completes the sentence "it …".
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// What was asked is no address of a server.
    #[error("cannot be asked: {0} is no address of a server")]
    Address(String),
    /// Nobody answers there.
    #[error("cannot be reached: {0}")]
    Connect(io::Error),
    /// It answers, and then no more.
    #[error("does not answer within {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// What it says is no HTTP, or ends in the middle.
    #[error("does not speak HTTP: {0}")]
    Speech(#[from] hyper::Error),
    /// Its answer is longer than anybody wants it.
    #[error("answers with more than {0} bytes")]
    TooMuch(usize),
}

impl Client {
    /// One that waits so long for each step; without a connector it knows no `https`.
    pub fn new(tls: Option<TlsConnector>, patience: Duration) -> Self {
        Self { tls, patience }
    }

    /// Asks the server that the request's address names; gives the head of its answer, the body comes after.
    ///
    /// # Errors
    /// There is no answer within the patience.
    pub async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, AskError> {
        tokio::time::timeout(self.patience, self.ask_at_leisure(request))
            .await
            .map_err(|_| AskError::Silent(self.patience))?
    }

    async fn ask_at_leisure(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, AskError> {
        let uri = request.uri().clone();
        address_origin(&mut request)?;
        Ok(exchange(connect(self.tls.as_ref(), &uri).await?, request).await?)
    }

    /// The whole body, where it is not longer than `limit` bytes.
    ///
    /// # Errors
    /// It is longer, breaks off, or stands still.
    pub async fn read(&self, mut body: Incoming, limit: usize) -> Result<Vec<u8>, AskError> {
        let expected = body.size_hint().lower();
        if usize::try_from(expected).is_ok_and(|expected| expected > limit) {
            return Err(AskError::TooMuch(limit));
        }
        let mut bytes = Vec::new();
        while let Some(frame) = self.next_frame(&mut body).await? {
            if let Some(data) = frame.data_ref() {
                if bytes.len() + data.len() > limit {
                    return Err(AskError::TooMuch(limit));
                }
                bytes.extend_from_slice(data);
            }
        }
        Ok(bytes)
    }

    async fn next_frame(&self, body: &mut Incoming) -> Result<Option<hyper::body::Frame<Bytes>>, AskError> {
        let frame = tokio::time::timeout(self.patience, body.frame());
        Ok(frame.await.map_err(|_| AskError::Silent(self.patience))?.transpose()?)
    }
}

/// Host and port that an address names, and whether it wants TLS.
pub fn place(uri: &Uri) -> Option<(bool, &str, u16)> {
    let secure = match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        _ => return None,
    };
    // A number of IPv6 stands in brackets in an address, and nowhere else.
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    Some((secure, host, uri.port_u16().unwrap_or(if secure { 443 } else { 80 })))
}

/// A connection to a server, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<I: AsyncRead + AsyncWrite + Send + Unpin> Stream for I {}

/// Connects to the server that an address names; without a connector `https` is unknown.
///
/// # Errors
/// It is no address of a server, or nobody answers there.
pub async fn connect(tls: Option<&TlsConnector>, uri: &Uri) -> Result<Box<dyn Stream>, AskError> {
    let wrong = || AskError::Address(uri.to_string());
    let (secure, host, port) = place(uri).ok_or_else(wrong)?;
    let stream = TcpStream::connect((host, port)).await.map_err(AskError::Connect)?;
    stream.set_nodelay(true).map_err(AskError::Connect)?;
    if !secure {
        return Ok(Box::new(stream));
    }
    let tls = tls.ok_or_else(wrong)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong())?;
    Ok(Box::new(tls.connect(name, stream).await.map_err(AskError::Connect)?))
}

/// Makes of a request to an address one that its server takes: the path alone, and the server's name in a header.
///
/// # Errors
/// It is no address of a server.
pub fn address_origin<B>(request: &mut Request<B>) -> Result<(), AskError> {
    let uri = request.uri().clone();
    let wrong = || AskError::Address(uri.to_string());
    let authority = uri.authority().ok_or_else(wrong)?.as_str();
    request.headers_mut().insert(header::HOST, HeaderValue::from_str(authority).map_err(|_| wrong())?);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| wrong())?;
    Ok(())
}

/// One question and the head of its answer, on a stream that is there already.
///
/// # Errors
/// What comes is no HTTP.
pub async fn exchange<I, B>(stream: I, request: Request<B>) -> hyper::Result<Response<Incoming>>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the answer's body; how is told to whoever reads that.
    tokio::spawn(connection);
    sender.send_request(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_server_follows_from_its_address() {
        for (uri, found) in [
            ("http://10.42.0.201/packages", Some((false, "10.42.0.201", 80))),
            ("https://binhost.example.net/x?y", Some((true, "binhost.example.net", 443))),
            ("http://[fd00::1]:8091/a", Some((false, "fd00::1", 8091))),
            ("ftp://example.net/", None),
            ("/packages", None),
        ] {
            assert_eq!(place(&uri.parse().unwrap()), found, "{uri}");
        }
    }
}
