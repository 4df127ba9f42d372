//! What `object_store` speaks HTTP with: this program's own client and TLS, instead of a second HTTP stack.
//!
//! A connection that has been answered on is kept for the next request. What goes out is cut into pieces, each of which
//! waits for its turn where the bandwidth has a limit; a request of which nothing moves for the stall timeout has
//! failed, whether it is the server that takes nothing or its answer that does not come. Whether it is tried again is
//! `object_store`'s to say.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::{Response, Uri};
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::http::client::{AskError, address_origin, connect};
use crate::ssh::Pace;

/// So much (bytes) waits for its turn as one.
const PIECE: usize = 64 << 10;
/// An answer, an index at the most, is not longer than this (bytes).
const ANSWER_LIMIT: usize = 256 << 20;
/// A connection may take this long.
const CONNECTING: Duration = Duration::from_secs(10);

/// How requests go out.
#[derive(Clone)]
pub struct Courier {
    tls: Option<TlsConnector>,
    stall: Duration,
    pace: Option<Arc<Pace>>,
    idle: Arc<Mutex<Vec<Idle>>>,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Courier").field("stall", &self.stall).finish_non_exhaustive()
    }
}

/// A connection that nothing is asked on.
struct Idle {
    server: String,
    sender: SendRequest<Moving>,
}

impl Courier {
    /// One that gives a request up once nothing has moved for so long; without a connector it knows no `https`.
    pub fn new(tls: Option<TlsConnector>, stall: Duration, pace: Option<Arc<Pace>>) -> Self {
        Self { tls, stall, pace, idle: Arc::default() }
    }

    fn kept(&self, server: &str) -> Option<SendRequest<Moving>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| !kept.sender.is_closed());
        let at = idle.iter().position(|kept| kept.server == server && kept.sender.is_ready())?;
        Some(idle.swap_remove(at).sender)
    }

    fn keep(&self, server: String, sender: SendRequest<Moving>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(Idle { server, sender });
    }

    async fn connection(&self, uri: &Uri) -> Result<SendRequest<Moving>, HttpError> {
        let stream = tokio::time::timeout(CONNECTING, connect(self.tls.as_ref(), uri)).await;
        let stream = stream.map_err(|_| HttpError::new(HttpErrorKind::Connect, AskError::Silent(CONNECTING)))?;
        let stream = stream.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        // Whoever asks is told how it ends.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// The answer, whole.
    async fn exchange(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri().clone();
        let server =
            format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |it| it.as_str()));
        address_origin(&mut request).map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let movement = Movement::default();
        let request = request.map(|body| Moving::new(body, self.pace.clone(), movement.clone()));
        let mut sender = match self.kept(&server) {
            Some(sender) => sender,
            None => self.connection(&uri).await?,
        };
        let answered = async {
            let response = sender.send_request(request).await.map_err(failed)?;
            collect(response, &movement).await
        };
        let response = tokio::select! {
            response = answered => response?,
            () = movement.stalled(self.stall) => {
                return Err(HttpError::new(HttpErrorKind::Timeout, AskError::Silent(self.stall)));
            }
        };
        self.keep(server, sender);
        Ok(response)
    }
}

#[async_trait]
impl HttpService for Courier {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.exchange(request).await
    }
}

impl HttpConnector for Courier {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// Why a request has failed, so that it is known whether to try again.
fn failed(error: hyper::Error) -> HttpError {
    let kind = match &error {
        error if error.is_canceled() || error.is_closed() || error.is_incomplete_message() => HttpErrorKind::Request,
        error if error.is_body_write_aborted() => HttpErrorKind::Request,
        error if error.is_timeout() => HttpErrorKind::Timeout,
        // The line broke: whatever was written or read.
        _ => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error)
}

async fn collect(response: Response<Incoming>, movement: &Movement) -> Result<HttpResponse, HttpError> {
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        movement.moves();
        if let Some(data) = frame.map_err(failed)?.data_ref() {
            if bytes.len() + data.len() > ANSWER_LIMIT {
                return Err(HttpError::new(HttpErrorKind::Decode, AskError::TooMuch(ANSWER_LIMIT)));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(Response::from_parts(head, HttpResponseBody::from(Bytes::from(bytes))))
}

/// When something of a request last moved; nothing while it is we who let it wait.
#[derive(Debug, Clone)]
struct Movement(Arc<Mutex<Option<Instant>>>);

impl Default for Movement {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Instant::now()))))
    }
}

impl Movement {
    fn moves(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn waits(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Comes back once nothing has moved for so long.
    async fn stalled(&self, patience: Duration) {
        loop {
            let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let until = last.unwrap_or_else(Instant::now) + patience;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// A body that goes out in pieces, each in its turn.
struct Moving {
    body: HttpRequestBody,
    rest: Bytes,
    pace: Option<Arc<Pace>>,
    turn: Option<BoxFuture<'static, ()>>,
    movement: Movement,
}

impl Moving {
    fn new(body: HttpRequestBody, pace: Option<Arc<Pace>>, movement: Movement) -> Self {
        Self { body, rest: Bytes::new(), pace, turn: None, movement }
    }
}

impl Body for Moving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
            }
        }
        let piece = self.rest.len().min(PIECE);
        if let Some(pace) = self.pace.clone() {
            let mut turn = self.turn.take().unwrap_or_else(|| async move { pace.take(piece).await }.boxed());
            if turn.poll_unpin(context).is_pending() {
                self.movement.waits();
                self.turn = Some(turn);
                return Poll::Pending;
            }
        }
        self.movement.moves();
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64 + self.body.size_hint().exact().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use axum::Router;
    use axum::http::Request;
    use tokio::net::TcpListener;

    use super::*;

    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn request(url: &str, body: Vec<u8>) -> HttpRequest {
        Request::put(url).body(HttpRequestBody::from(body)).unwrap()
    }

    #[tokio::test]
    async fn requests_go_over_the_same_connection_one_after_the_other_and_come_back_whole() {
        let peers = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
        let seen = peers.clone();
        let answer = move |from: axum::extract::ConnectInfo<std::net::SocketAddr>, body: Bytes| async move {
            seen.lock().unwrap().insert(from.0);
            body
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a/b?c", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).into_make_service_with_connect_info::<std::net::SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let courier = Courier::new(None, Duration::from_secs(5), None);
        for size in [0, 1, PIECE, 3 * PIECE + 1] {
            let sent = vec![7; size];
            let response = courier.call(request(&url, sent.clone())).await.unwrap();
            assert_eq!(response.into_body().bytes().await.unwrap(), sent);
        }
        assert_eq!(peers.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_server_that_falls_silent_is_given_up_but_not_for_what_we_make_it_wait() {
        let url = serve(Router::new().fallback(|body: Bytes| async move {
            if body.is_empty() {
                std::future::pending::<()>().await;
            }
            "taken"
        }))
        .await;
        let stall = Duration::from_millis(200);
        let courier = Courier::new(None, stall, None);
        let error = courier.call(request(&url, Vec::new())).await.unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Timeout);
        // The second piece waits for longer than that.
        let rate = NonZeroU64::new(PIECE as u64 * 2).unwrap();
        let slow = Courier::new(None, stall, Some(Arc::new(Pace::new(rate))));
        let begun = Instant::now();
        slow.call(request(&url, vec![7; PIECE + 1])).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn nobody_there_is_an_error_that_is_tried_again() {
        let courier = Courier::new(None, Duration::from_secs(5), None);
        let error = courier.call(request("http://127.0.0.1:1/x", Vec::new())).await.unwrap_err();
        assert_eq!(error.kind(), HttpErrorKind::Connect);
    }
}
