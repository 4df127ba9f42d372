//! The channel of an SFTP session as a stream that is written to before the host says that the server has started.
//!
//! That it has started, what it can do and how much it takes at once would be three round trips, one after the other. A
//! server takes its first requests from the channel whenever it gets to it, so all are sent together.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::StreamReader;

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
    let refusal = Refusal::default();
    let (read, write) = channel.split();
    let answers = stream::unfold((read, refusal.clone()), |(mut read, refusal)| async move {
        loop {
            match read.wait().await? {
                ChannelMsg::Data { data } => return Some((Ok::<_, io::Error>(data), (read, refusal))),
                ChannelMsg::Failure => {
                    refusal.0.store(true, Ordering::Relaxed);
                    return None;
                }
                ChannelMsg::Close | ChannelMsg::Eof => return None,
                _ => {}
            }
        }
    });
    let write = Arc::new(write);
    let requests = Requests { channel: write.clone(), sending: None };
    (tokio::io::join(StreamReader::new(Box::pin(answers)), requests), refusal, Closing(write))
}

/// Writes to a channel. What is written has gone out, as far as the host takes it, when the write is done.
struct Requests {
    channel: Arc<ChannelWriteHalf<Msg>>,
    /// What is on its way, and how many bytes it has.
    sending: Option<(usize, BoxFuture<'static, Result<(), russh::Error>>)>,
}

impl AsyncWrite for Requests {
    /// Whoever is told to wait must come again with the same data.
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let (count, mut sending) = self.sending.take().unwrap_or_else(|| {
            let (channel, data) = (self.channel.clone(), data.to_vec());
            (data.len(), Box::pin(async move { channel.data_bytes(data).await }))
        });
        match sending.poll_unpin(context) {
            Poll::Ready(sent) => Poll::Ready(sent.map(|()| count).map_err(io::Error::other)),
            Poll::Pending => {
                self.sending = Some((count, sending));
                Poll::Pending
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The channel is closed as a whole.
    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
