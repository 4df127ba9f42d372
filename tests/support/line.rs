//! A stream that a test can cut, or let stand still.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Cut,
    Frozen,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    waiting: Vec<Waker>,
}

/// The switch of a stream.
#[derive(Debug, Default, Clone)]
pub struct Line(Arc<Mutex<Inner>>);

impl Line {
    /// The stream ends; what was written before arrives.
    pub fn cut(&self) {
        self.set(State::Cut);
    }

    /// Nothing moves any more, and nobody is told.
    pub fn freeze(&self) {
        self.set(State::Frozen);
    }

    /// Whether bytes still move.
    pub fn is_open(&self) -> bool {
        self.0.lock().unwrap().state == State::Open
    }

    /// Waits until it is cut (true) or stands still (false).
    pub async fn broken(&self) -> bool {
        std::future::poll_fn(|context| match self.state(context) {
            State::Open => Poll::Pending,
            State::Cut => Poll::Ready(true),
            State::Frozen => Poll::Ready(false),
        })
        .await
    }

    /// Puts the switch into a stream.
    pub fn over(self, stream: DuplexStream) -> Switched {
        Switched { line: self, stream: Some(stream) }
    }

    fn set(&self, state: State) {
        let mut inner = self.0.lock().unwrap();
        inner.state = state;
        inner.waiting.drain(..).for_each(Waker::wake);
    }

    fn state(&self, context: &Context<'_>) -> State {
        let mut inner = self.0.lock().unwrap();
        inner.waiting.retain(|waker| !waker.will_wake(context.waker()));
        inner.waiting.push(context.waker().clone());
        inner.state
    }
}

/// A stream with a switch in it.
pub struct Switched {
    line: Line,
    stream: Option<DuplexStream>,
}

impl Switched {
    /// The stream, if it works; none where it is to look like one that ended.
    fn stream(&mut self, context: &Context<'_>) -> Poll<Option<&mut DuplexStream>> {
        match self.line.state(context) {
            State::Open => Poll::Ready(self.stream.as_mut()),
            State::Frozen => Poll::Pending,
            State::Cut => {
                // Dropped, the other side sees the end.
                self.stream = None;
                Poll::Ready(None)
            }
        }
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.stream(context) {
            Poll::Ready(Some(stream)) => Pin::new(stream).poll_read(context, buffer),
            Poll::Ready(None) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Switched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.stream(context) {
            Poll::Ready(Some(stream)) => Pin::new(stream).poll_write(context, data),
            Poll::Ready(None) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream(context) {
            Poll::Ready(Some(stream)) => Pin::new(stream).poll_flush(context),
            Poll::Ready(None) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream(context) {
            Poll::Ready(Some(stream)) => Pin::new(stream).poll_shutdown(context),
            _ => Poll::Ready(Ok(())),
        }
    }
}
