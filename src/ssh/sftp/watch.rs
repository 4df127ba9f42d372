//! Whether bytes move on an SFTP session, and its stream that tells.

use std::any::Any;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// When a byte last moved, and whether the stream has ended.
#[derive(Debug)]
pub(super) struct Activity {
    last: Mutex<Instant>,
    ended: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { last: Mutex::new(Instant::now()), ended: AtomicBool::new(false) }
    }

    pub(super) fn ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Notes that the session must not be used again.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Returns once no byte has moved for `limit`, counted from now at the earliest.
    pub(super) async fn stalled(&self, limit: Duration) {
        let begin = Instant::now();
        loop {
            let last = self.last();
            sleep_until(last.max(begin) + limit).await;
            if self.last() == last {
                return;
            }
        }
    }

    fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// What must live as long as a stream: a place on a connection, or a process.
pub(super) type Keeper = Box<dyn Any + Send>;

/// A stream whose reads and writes count as activity.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    _keeper: Keeper,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>, keeper: Keeper) -> Self {
        Self { stream, activity, _keeper: keeper }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        match &result {
            Poll::Ready(Ok(())) if buffer.filled().len() > before => self.activity.touch(),
            Poll::Ready(_) => self.activity.end(),
            Poll::Pending => {}
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, data);
        match &result {
            // A request alone is no sign of life: the window takes it whether anybody reads it or not. A large piece
            // of a file is, since the window opens only as the host reads.
            Poll::Ready(Ok(count)) if *count >= SIGN_OF_LIFE => self.activity.touch(),
            Poll::Ready(Err(_)) => self.activity.end(),
            _ => {}
        }
        result
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A write of this many bytes is data, not a request.
const SIGN_OF_LIFE: usize = 4096;
