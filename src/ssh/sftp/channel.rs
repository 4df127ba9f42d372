//! The channel of an SFTP session as a stream that is written to before the host says that the server has started.
//!
//! That it has started, what it can do and how much it takes at once would be three round trips, one after the other. A
//! server takes its first requests from the channel whenever it gets to it, so all are sent together.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::StreamReader;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A larger write (bytes) goes out in parts, each of which tells that bytes move.
const PART: usize = 64 << 10;

/// Whether the host said no to the server that it was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusal(Arc<AtomicBool>);

impl Refusal {
    pub(super) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Closes a channel when it is dropped.
pub(super) struct Closing(Arc<ChannelWriteHalf<Msg>>);

impl Drop for Closing {
    fn drop(&mut self) {
        let channel = self.0.clone();
        // Where the connection is gone, the channel is.
        tokio::spawn(async move { channel.close().await });
    }
}

/// The two directions of a channel, which is open until the last part is dropped. The stream ends where the host says no.
pub(super) fn stream(
    channel: Channel<Msg>,
) -> (impl AsyncRead + AsyncWrite + Unpin + Send + 'static, Refusal, Closing) {
    let (read, write) = channel.split();
    let (refusal, over, write) = (Refusal::default(), CancellationToken::new(), Arc::new(write));
    let answers = Answers { channel: read, refusal: refusal.clone(), _over: over.clone().drop_guard() };
    let answers = stream::unfold(answers, |mut answers| async {
        let data = answers.next().await?;
        Some((Ok::<_, io::Error>(data), answers))
    });
    let requests = Requests { channel: write.clone(), over, sending: None };
    (tokio::io::join(StreamReader::new(Box::pin(answers)), requests), refusal, Closing(write))
}

/// Reads from a channel.
struct Answers {
    channel: ChannelReadHalf,
    refusal: Refusal,
    /// Nothing can be written any more once nothing can be read.
    _over: DropGuard,
}

impl Answers {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.channel.wait().await? {
                ChannelMsg::Data { data } => return Some(data),
                ChannelMsg::Failure => {
                    self.refusal.0.store(true, Ordering::Relaxed);
                    return None;
                }
                ChannelMsg::Close | ChannelMsg::Eof => return None,
                _ => {}
            }
        }
    }
}

/// Writes to a channel. What is written has gone out, as far as the host takes it, when the write is done.
struct Requests {
    channel: Arc<ChannelWriteHalf<Msg>>,
    /// Told when the channel has ended: a write that waits for the host to take more would not hear of it.
    over: CancellationToken,
    /// What is on its way, and how many bytes it has.
    sending: Option<(usize, BoxFuture<'static, io::Result<()>>)>,
}

impl AsyncWrite for Requests {
    /// Whoever is told to wait must come again with the same data.
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let (count, mut sending) = self.sending.take().unwrap_or_else(|| {
            let data = data[..data.len().min(PART)].to_vec();
            (data.len(), send(self.channel.clone(), self.over.clone(), data).boxed())
        });
        let sent = sending.poll_unpin(context);
        if sent.is_pending() {
            self.sending = Some((count, sending));
        }
        sent.map_ok(|()| count)
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The channel is closed as a whole.
    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn send(channel: Arc<ChannelWriteHalf<Msg>>, over: CancellationToken, data: Vec<u8>) -> io::Result<()> {
    tokio::select! {
        sent = channel.data_bytes(data) => sent.map_err(io::Error::other),
        () = over.cancelled() => Err(io::ErrorKind::BrokenPipe.into()),
    }
}
