//! A way to a port of this machine that takes a while: bytes come out as they went in, so much later. It limits nothing
//! else; what is under way is in memory.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// What is read at once.
const CHUNK: usize = 64 << 10;

/// The way; dropping it ends it.
pub struct Delay {
    pub port: u16,
    _runtime: Runtime,
}

impl Delay {
    /// A way to `port` that takes half the round trip in each direction.
    pub fn new(port: u16, round_trip: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime for the delay");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let own = listener.local_addr().expect("its address").port();
        runtime.spawn(serve(listener, SocketAddr::from(([127, 0, 0, 1], port)), round_trip / 2));
        Self { port: own, _runtime: runtime }
    }
}

async fn serve(listener: TcpListener, there: SocketAddr, delay: Duration) {
    while let Ok((near, _)) = listener.accept().await {
        let Ok(far) = TcpStream::connect(there).await else { continue };
        // What is delayed is one thing, what Nagle adds to it another.
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        carry(near_in, far_out, delay);
        carry(far_in, near_out, delay);
    }
}

fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            match from.read_buf(&mut chunk).await {
                Ok(count) if count > 0 && sender.send((Instant::now() + delay, chunk)).is_ok() => {}
                _ => return,
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, chunk)) = receiver.recv().await {
            sleep_until(due).await;
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
}
