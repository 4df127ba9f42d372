//! How a stream of bytes to a host's sshd comes about.
//!
//! Where there is a choice, ways are tried as in RFC 8305 ("happy eyeballs"): the next starts when one has failed or has
//! not answered for a while, and the first that answers is taken (`first_success`). So a dead one costs a moment, not
//! a TCP timeout.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use crate::ssh::host::HostError;

/// The next number of a name is tried after this long without an answer (RFC 8305 recommends 250 ms; a VPN may need a
/// little more for its first packet).
const NEXT_NUMBER_AFTER: Duration = Duration::from_millis(300);

/// One address has this long to accept a TCP connection: three tries of a lost first packet (1, 2 and 4 seconds).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a connection is used for. Bulk data goes over connections of its own, so that it delays no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Commands and small files.
    Control,
    /// Transfers.
    Bulk,
}

/// A two-way stream of bytes.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Why an address could not be reached.
#[derive(Debug)]
pub enum DialError {
    /// Name lookup or connecting failed.
    Io(io::Error),
    /// The host in between made trouble.
    Jump(HostError),
}

impl fmt::Display for DialError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(formatter, "{error}"),
            Self::Jump(error) => write!(formatter, "through {error}"),
        }
    }
}

/// Makes streams to addresses; tests put their own in place of TCP.
#[async_trait]
pub trait Dialer: Send + Sync + fmt::Debug {
    /// Connects to one address.
    async fn dial(&self, address: &str, port: u16, lane: Lane) -> Result<Box<dyn Stream>, DialError>;
}

/// Connects by TCP from this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

#[async_trait]
impl Dialer for Tcp {
    async fn dial(&self, address: &str, port: u16, _lane: Lane) -> Result<Box<dyn Stream>, DialError> {
        let found: Vec<SocketAddr> = timeout(CONNECT_TIMEOUT, lookup_host((address, port)))
            .await
            .map_err(|_| DialError::Io(io::Error::new(io::ErrorKind::TimedOut, "the name lookup takes too long")))?
            .map_err(DialError::Io)?
            .collect();
        let attempts = found.into_iter().map(|socket| Box::pin(connect(socket)) as BoxFuture<'_, _>);
        match first_success(attempts.collect(), NEXT_NUMBER_AFTER, |_| false).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(mut errors) => {
                Err(DialError::Io(errors.pop().unwrap_or_else(|| io::Error::other("the name has no address"))))
            }
        }
    }
}

async fn connect(socket: SocketAddr) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(socket))
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer"))??;
    // Without it each command waits 45 ms for a delayed acknowledgement.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The first of the attempts that succeeds. They start one after another, each when the one before has failed or has
/// gone without an answer for `patience`; after an error that is `final_one` no more are started. All errors, in the
/// attempts' order of failing, where none succeeds.
pub(crate) async fn first_success<T, E>(
    attempts: Vec<BoxFuture<'_, Result<T, E>>>,
    patience: Duration,
    final_one: impl Fn(&E) -> bool,
) -> Result<T, Vec<E>> {
    let mut waiting = attempts.into_iter();
    let mut running = FuturesUnordered::new();
    let mut errors = Vec::new();
    running.extend(waiting.next());
    loop {
        let more = waiting.len() > 0;
        tokio::select! {
            Some(result) = running.next() => match result {
                Ok(success) => return Ok(success),
                Err(error) => {
                    if final_one(&error) {
                        waiting = Vec::new().into_iter();
                    }
                    errors.push(error);
                    running.extend(waiting.next());
                }
            },
            () = sleep(patience), if more => running.extend(waiting.next()),
            else => return Err(errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_delays_the_next_by_a_moment_only() {
        let begin = tokio::time::Instant::now();
        let attempts: Vec<BoxFuture<'_, Result<u8, ()>>> =
            vec![Box::pin(std::future::pending()), Box::pin(async { Err(()) }), Box::pin(async { Ok(3) })];
        assert_eq!(first_success(attempts, NEXT_NUMBER_AFTER, |_| false).await, Ok(3));
        assert_eq!(begin.elapsed(), NEXT_NUMBER_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn every_failure_is_told() {
        let attempts: Vec<BoxFuture<'_, Result<(), u8>>> = vec![Box::pin(async { Err(1) }), Box::pin(async { Err(2) })];
        assert_eq!(first_success(attempts, NEXT_NUMBER_AFTER, |_| false).await, Err(vec![1, 2]));
        assert_eq!(first_success::<(), u8>(vec![], NEXT_NUMBER_AFTER, |_| false).await, Err(vec![]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_final_failure_lets_none_start_and_those_under_way_finish() {
        let late = || -> BoxFuture<'_, Result<(), u8>> {
            Box::pin(async {
                sleep(NEXT_NUMBER_AFTER * 3).await;
                Ok(())
            })
        };
        let (fails, never) = (|| Box::pin(async { Err(9) }), || Box::pin(async { panic!("started") }));
        let race = |attempts| first_success(attempts, NEXT_NUMBER_AFTER, |error| *error == 9);
        assert_eq!(race(vec![fails(), never()]).await, Err(vec![9]));
        assert_eq!(race(vec![late(), fails(), never()]).await, Ok(()));
    }
}
