//! Streams through another host, as `ssh -J` makes them.
//!
//! Hosts behind the same jump host share its connections: thirty drones must not log in there thirty times at once.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use async_trait::async_trait;
use russh::client::Msg;
use russh::{Channel, ChannelStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::ssh::destination::Destination;
use crate::ssh::dial::{DialError, Dialer, Lane, Stream};
use crate::ssh::pool::Place;
use crate::ssh::remote::RemoteHost;

/// The jump hosts in use. Process-wide, since those who share one know nothing of each other.
static SHARED: LazyLock<Shared> = LazyLock::new(Mutex::default);

type Shared = Mutex<Vec<(Destination, Weak<RemoteHost>)>>;

/// Connects through another host.
#[derive(Debug)]
pub(crate) struct Jump {
    host: Arc<RemoteHost>,
}

impl Jump {
    /// Through this host; its connections are those of all who go through it.
    pub(crate) fn through(destination: &Destination) -> Self {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|(_, host)| host.strong_count() > 0);
        let known = shared.iter().find(|(other, _)| other == destination).and_then(|(_, host)| host.upgrade());
        if let Some(host) = known {
            return Self { host };
        }
        // A jump host may have a jump host: the list must be free while it is made.
        drop(shared);
        let host = Arc::new(RemoteHost::new(destination));
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.push((destination.clone(), Arc::downgrade(&host)));
        Self { host }
    }
}

#[async_trait]
impl Dialer for Jump {
    async fn dial(&self, address: &str, port: u16, lane: Lane) -> Result<Box<dyn Stream>, DialError> {
        let (place, channel) = self.host.tunnel(lane, address, port).await.map_err(DialError::Jump)?;
        Ok(Box::new(Tunnel::new(channel, place)))
    }
}

/// A stream through a host, with its place there.
pub(crate) struct Tunnel {
    stream: ChannelStream<Msg>,
    _place: Place,
}

impl Tunnel {
    /// The stream of a channel that was opened on this place.
    pub(crate) fn new(channel: Channel<Msg>, place: Place) -> Self {
        Self { stream: channel.into_stream(), _place: place }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
