//! A server that strangers cannot hold up: HTTP/1.1 over TCP or TLS, with bounds on all that one of them can take.
//!
//! - Connections are counted, in all and by address; one too many of an address is closed, one too many in all waits.
//! - A head must be there within [`Bounds::head`], which is also how long an idle connection is kept; one of more than
//!   32 KiB is refused. Bodies are bounded by whoever reads them.
//! - A client that takes nothing for [`Bounds::stall`] is given up.
//! - At the word to stop no connection is accepted any more, idle ones are closed, and what is being answered has
//!   [`Bounds::grace`] to end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::metrics::Page;
use super::patience::Patient;
use super::stop::Stop;
use super::tls::Shown;

/// The longest head of a request (bytes).
const HEAD_LIMIT: usize = 32 << 10;
/// A pause before the next try where the system would not accept a connection.
const PAUSE: Duration = Duration::from_millis(100);
/// File descriptors that are no connection's.
const OWN_FILES: u64 = 256;
/// A connection has its socket, and a file that is being sent.
const FILES_EACH: u64 = 2;
/// More connections than this are never wanted.
const MOST: u64 = 4096;
/// So many connections one address may always have: all clients may be behind one proxy.
pub const EACH: usize = 256;

/// How much strangers can take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at once.
    pub connections: usize,
    /// Of these, from one address.
    pub each: usize,
    /// Until a request's head is there; also how long an idle connection is kept.
    pub head: Duration,
    /// Until a client has taken something.
    pub stall: Duration,
    /// For what is being answered when the service stops.
    pub grace: Duration,
}

impl Bounds {
    /// As many connections as this process may have files for, a quarter of them for one address, or [`EACH`] where that
    /// is more. Asks the system for as many files as it grants.
    pub fn of_this_process() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // Where it is not granted the limit is what it was.
        let _kept = setrlimit(Resource::Nofile, raised);
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let connections = (files.saturating_sub(OWN_FILES) / FILES_EACH).clamp(16, MOST);
        let connections = usize::try_from(connections).unwrap_or(usize::MAX);
        Self {
            connections,
            each: connections.div_ceil(4).max(EACH).min(connections),
            head: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            grace: Duration::from_secs(30),
        }
    }
}

/// Whoever asks, as an extension of each request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// What has been done, for metrics.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests so far.
    pub requests: AtomicU64,
    /// Connections so far.
    pub connections: AtomicU64,
    /// Connections that were closed since their address had too many.
    pub turned_away: AtomicU64,
    /// Connections that are open now.
    pub open: AtomicU64,
}

impl Tally {
    /// Puts it on a page of metrics.
    pub fn show(&self, page: &mut Page) {
        let so_far = |count: &AtomicU64| count.load(Ordering::Relaxed);
        page.counter("swarm_http_requests_total", "Requests so far.", so_far(&self.requests));
        page.counter("swarm_http_connections_total", "Connections so far.", so_far(&self.connections));
        page.counter(
            "swarm_http_turned_away_total",
            "Connections that were closed at once because their address had too many.",
            so_far(&self.turned_away),
        );
        page.gauge("swarm_http_open_connections", "Connections that are open now.", Some(so_far(&self.open)));
    }
}

/// Where nobody can listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {source}{}", cure(source))]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

fn cure(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "; another program, perhaps a web server in front of this one, has the port",
        io::ErrorKind::PermissionDenied => "; ports below 1024 want root or CAP_NET_BIND_SERVICE",
        _ => "",
    }
}

/// A port on which connections are taken.
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Shown>,
    address: SocketAddr,
}

impl Listener {
    /// Listens; with a certificate to show, for TLS alone.
    ///
    /// # Errors
    /// The address is not this machine's, is taken, or not for us.
    pub async fn bind(address: SocketAddr, tls: Option<Shown>) -> Result<Self, ListenError> {
        let failed = |source| ListenError { address, source };
        let tcp = TcpListener::bind(address).await.map_err(failed)?;
        let address = tcp.local_addr().map_err(failed)?;
        Ok(Self { tcp, tls, address })
    }

    /// Where it listens, as a URL without a path.
    pub fn url(&self) -> String {
        self.url_of(self.address)
    }

    /// Where it is reached from this machine, as a URL without a path.
    pub fn own_url(&self) -> String {
        let ip = match self.address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        self.url_of(SocketAddr::new(ip, self.address.port()))
    }

    fn url_of(&self, address: SocketAddr) -> String {
        format!("{}://{address}", if self.tls.is_some() { "https" } else { "http" })
    }
}

/// What all connections share.
struct Shared {
    router: Router,
    bounds: Bounds,
    room: Arc<Semaphore>,
    guests: Mutex<HashMap<IpAddr, usize>>,
    tally: Arc<Tally>,
    stop: Stop,
}

/// Answers with this router until the word to stop, and then until all is answered or the grace is over.
pub async fn serve(listeners: Vec<Listener>, router: Router, bounds: Bounds, tally: Arc<Tally>, stop: Stop) {
    let shared = Arc::new(Shared {
        router,
        bounds,
        room: Arc::new(Semaphore::new(bounds.connections)),
        guests: Mutex::default(),
        tally,
        stop: stop.clone(),
    });
    // Each connection holds an end of it, so that it closes with the last of them.
    let (alive, mut ended) = mpsc::channel::<Infallible>(1);
    let accepting: Vec<_> =
        listeners.into_iter().map(|listener| tokio::spawn(accept(listener, shared.clone(), alive.clone()))).collect();
    drop(alive);
    stop.wait().await;
    for each in accepting {
        each.abort();
    }
    let _over = tokio::time::timeout(bounds.grace, ended.recv()).await;
}

async fn accept(listener: Listener, shared: Arc<Shared>, alive: mpsc::Sender<Infallible>) {
    loop {
        // It is closed with the last reference to it, which is ours.
        let Ok(room) = shared.room.clone().acquire_owned().await else { return };
        let (stream, from) = match listener.tcp.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // A connection that was given up before it was accepted, or no files left for now.
                tracing::debug!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(guest) = Guest::admit(&shared, from.ip(), room) else { continue };
        let (tls, alive) = (listener.tls.as_ref().map(Shown::now), alive.clone());
        tokio::spawn(async move {
            let ended = greet(stream, tls, &guest).await;
            if let Err(error) = ended {
                tracing::debug!("the connection from {from} ended: {error}");
            }
            drop(alive);
        });
    }
}

/// A connection's place, free again when it is dropped.
struct Guest {
    shared: Arc<Shared>,
    address: IpAddr,
    _room: OwnedSemaphorePermit,
}

impl Guest {
    fn admit(shared: &Arc<Shared>, address: IpAddr, room: OwnedSemaphorePermit) -> Option<Self> {
        let mut guests = shared.guests.lock().unwrap_or_else(PoisonError::into_inner);
        let count = guests.entry(address).or_default();
        if *count >= shared.bounds.each {
            shared.tally.turned_away.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *count += 1;
        shared.tally.connections.fetch_add(1, Ordering::Relaxed);
        shared.tally.open.fetch_add(1, Ordering::Relaxed);
        Some(Self { shared: shared.clone(), address, _room: room })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shared.tally.open.fetch_sub(1, Ordering::Relaxed);
        let mut guests = self.shared.guests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.address);
            }
        }
    }
}

async fn greet(stream: TcpStream, tls: Option<TlsAcceptor>, guest: &Guest) -> io::Result<()> {
    // An answer goes out as soon as it is written.
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return converse(stream, guest).await };
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(guest.shared.bounds.head, tls.accept(stream)) => greeted,
        () = guest.shared.stop.clone().wait() => return Ok(()),
    };
    converse(greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??, guest).await
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, guest: &Guest) -> io::Result<()> {
    let (bounds, shared) = (guest.shared.bounds, &guest.shared);
    let service = hyper::service::service_fn(|mut request: Request<Incoming>| {
        shared.tally.requests.fetch_add(1, Ordering::Relaxed);
        request.extensions_mut().insert(Peer(guest.address));
        let answer: <Router as Service<Request<Body>>>::Future = shared.router.clone().call(request.map(Body::new));
        async { answer.await as Result<Response, Infallible> }
    });
    let stream = TokioIo::new(Patient::new(stream, bounds.stall));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .max_header_size(HEAD_LIMIT)
            .serve_connection(stream, service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.stop.clone().wait() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(io::Error::other)
}
