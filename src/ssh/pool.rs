//! The connections to one host for one purpose, and the places for channels on them.
//!
//! A channel takes a place on the first connection that has one free; where none has, a connection is opened, by one
//! caller at a time, so that never more than one login per purpose is under way (sshd's MaxStartups) and callers who
//! wait get the places that come free meanwhile. A connection beyond the first that has been idle for a while closes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::ssh::destination::Destination;
use crate::ssh::dial::{Dialer, Lane};
use crate::ssh::host::HostError;
use crate::ssh::link::{self, Link};
use crate::ssh::{config, remote};

/// Channels on one connection. sshd's MaxSessions is 10, but a closed one is counted for a moment longer: with 10 of
/// 10 in use, 37 of 100 were refused; with 8, none.
const CHANNELS: usize = 8;

/// Connections for one purpose: enough for 128 channels at once. Who wants more waits.
const CONNECTIONS: usize = 16;

/// A connection that is not the only one and has carried nothing for this long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// An open connection with its places.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) link: Link,
    places: Arc<Semaphore>,
    /// The host refused a channel although there was a place; no more until one is given back.
    full: AtomicBool,
}

impl Connection {
    fn usable(&self) -> bool {
        !self.link.handle.is_closed()
    }

    fn idle(&self) -> bool {
        self.places.available_permits() == CHANNELS
    }
}

/// How connections come about.
#[derive(Debug)]
pub(crate) struct Opener {
    /// As the inventory has it.
    written: Destination,
    /// What makes streams; none for TCP and jump hosts.
    dialer: Option<Arc<dyn Dialer>>,
    /// The same as OpenSSH's configuration completes it, and what makes streams there; known once it is first wanted.
    complete: OnceCell<(Destination, Arc<dyn Dialer>)>,
    /// The address that answered last, tried first next time.
    best: Mutex<Option<String>>,
}

impl Opener {
    pub(crate) fn new(written: Destination, dialer: Option<Arc<dyn Dialer>>) -> Self {
        Self { written, dialer, complete: OnceCell::new(), best: Mutex::new(None) }
    }

    /// The destination as it is reached.
    pub(crate) async fn destination(&self) -> Result<&Destination, HostError> {
        self.complete().await.map(|(destination, _)| destination)
    }

    async fn complete(&self) -> Result<&(Destination, Arc<dyn Dialer>), HostError> {
        let complete = || async {
            let destination = config::resolved(&self.written).await?;
            let dialer = self.dialer.clone().unwrap_or_else(|| remote::dialer(&destination));
            Ok((destination, dialer))
        };
        self.complete.get_or_try_init(complete).await
    }

    async fn open(&self, lane: Lane) -> Result<Link, HostError> {
        let best = self.best.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (destination, dialer) = self.complete().await?;
        let link = link::open(destination, dialer.as_ref(), lane, best.as_deref()).await?;
        *self.best.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.address.clone());
        Ok(link)
    }
}

/// The connections for one purpose.
#[derive(Debug)]
pub(crate) struct Pool {
    opener: Arc<Opener>,
    lane: Lane,
    connections: Mutex<Vec<Arc<Connection>>>,
    opening: tokio::sync::Mutex<Option<(Instant, HostError)>>,
    freed: Notify,
}

/// A place for one channel; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) connection: Arc<Connection>,
    permit: Option<OwnedSemaphorePermit>,
    /// A channel was, or may have been, open here: giving the place back makes room at the host.
    taken: bool,
    pool: Arc<Pool>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.permit.take();
        if self.taken {
            self.connection.full.store(false, Ordering::Relaxed);
        }
        self.pool.freed.notify_one();
        if self.connection.idle() {
            self.pool.close_when_idle(&self.connection);
        }
    }
}

impl Place {
    /// Gives the place back because the host refused a channel here. True where others are open on this connection, so
    /// that it is full, and room comes when one of them is given back.
    pub(crate) fn refused(mut self) -> bool {
        self.taken = false;
        // Ours is one of those in use.
        let others = self.connection.places.available_permits() + 1 < CHANNELS;
        if others {
            self.connection.full.store(true, Ordering::Relaxed);
        } else {
            self.discard();
        }
        others
    }

    /// Takes the connection out of use: it does not answer any more.
    pub(crate) fn discard(&self) {
        self.pool.lock().retain(|other| !Arc::ptr_eq(other, &self.connection));
    }
}

impl Pool {
    pub(crate) fn new(opener: Arc<Opener>, lane: Lane) -> Self {
        Self {
            opener,
            lane,
            connections: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// A place, on a new connection where it must be.
    ///
    /// An attempt that fails while others wait for it fails for them too: a hundred callers must not try a dead host
    /// one after another.
    pub(crate) async fn place(self: &Arc<Self>) -> Result<Place, HostError> {
        let asked = Instant::now();
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.free_place() {
                return Ok(place);
            }
            if self.lock().len() >= CONNECTIONS {
                freed.await;
                continue;
            }
            tokio::select! {
                () = freed => {}
                mut last_failure = self.opening.lock() => {
                    if let Some(place) = self.free_place() {
                        return Ok(place);
                    }
                    if let Some((failed, error)) = last_failure.as_ref() && *failed > asked {
                        return Err(error.clone());
                    }
                    if self.lock().len() < CONNECTIONS {
                        match self.opener.open(self.lane).await {
                            Ok(link) => self.add(link),
                            Err(error) => {
                                *last_failure = Some((Instant::now(), error.clone()));
                                return Err(error);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The address of an open connection.
    pub(crate) fn address(&self) -> Option<String> {
        self.lock().iter().find(|connection| connection.usable()).map(|connection| connection.link.address.clone())
    }

    fn add(self: &Arc<Self>, link: Link) {
        let connection = Connection { link, places: Arc::new(Semaphore::new(CHANNELS)), full: AtomicBool::new(false) };
        self.lock().push(Arc::new(connection));
        // All who wait can look again; those who find no place go on waiting.
        self.freed.notify_waiters();
    }

    fn free_place(self: &Arc<Self>) -> Option<Place> {
        let mut connections = self.lock();
        connections.retain(|connection| connection.usable());
        connections.iter().filter(|connection| !connection.full.load(Ordering::Relaxed)).find_map(|connection| {
            let permit = connection.places.clone().try_acquire_owned().ok()?;
            Some(Place { connection: connection.clone(), permit: Some(permit), taken: true, pool: self.clone() })
        })
    }

    fn close_when_idle(self: &Arc<Self>, connection: &Arc<Connection>) {
        let is_only_one = self.lock().len() <= 1;
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if is_only_one {
            return;
        }
        let (pool, connection) = (Arc::downgrade(self), Arc::downgrade(connection));
        runtime.spawn(async move {
            tokio::time::sleep(IDLE_LIMIT).await;
            let (Some(pool), Some(connection)) = (pool.upgrade(), connection.upgrade()) else { return };
            let mut connections = pool.lock();
            if connections.len() > 1 && connection.idle() {
                connections.retain(|other| !Arc::ptr_eq(other, &connection));
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
