//! The controller as a service: an HTTP server beside the state directory and the live release.
//!
//! It serves production ([`binhost`]), tells what the journal says ([`books`]) and what happens ([`feed`]), shows both to
//! a browser ([`page`]), takes orders ([`builds`]) and other wishes ([`wishes`]), keeps a controller at work for as long
//! as there is work ([`worker`]), has told what is wrong while no controller is at work ([`alarms`]), and stands by where
//! another one leads ([`company`], [`crate::standby`]) until it is to take that one's place ([`office`]). It holds no
//! state: a controller is a process of its own, which goes on when the service ends, and the service can be started
//! again at any moment.

pub mod alarms;
pub mod binhost;
pub mod books;
pub mod builds;
pub mod company;
pub mod condition;
pub mod feed;
pub mod file;
pub mod metrics;
pub mod office;
pub mod page;
pub mod place;
pub mod routes;
pub mod wishes;
pub mod worker;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};
use tokio_rustls::TlsAcceptor;

use crate::core::names::HostName;
use crate::http::access::{Door, Token, TokenError};
use crate::http::server::{self, Bounds, ListenError, Listener, Tally};
use crate::http::stop::Stop;
use crate::http::supervision::{self, Certificate, Own};
use crate::http::tls::{self, Shown, TlsError};
use crate::inventory::{Inventory, SwarmSettings};
use crate::release::{ReleaseError, keep_staging_apart};
use crate::standby::view::View;
use binhost::Binhost;
use books::Books;
use builds::Builds;
use company::StandingBy;
use feed::Feed;
use metrics::Places;
use office::Office;
use page::looks::Looks;
use place::PlaceError;
use routes::Service;
use wishes::Wishes;
use worker::{MayBegin, Worker};

/// How many events a listener may be behind before it misses some.
const EVENTS_HELD: usize = 1024;

/// What the service is told besides the inventory.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which orchestrator of the inventory it is; left out, the one with an address of this machine.
    pub name: Option<HostName>,
    /// Where it listens; left out, where the inventory says that it is reached.
    pub listen: Vec<SocketAddr>,
    /// Options of this program by which a push finds the same inventory.
    pub inventory: Vec<OsString>,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OrchestratorError {
    /// It is not clear which one it is, or where it listens.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It cannot listen there.
    #[error("{0}; `--listen` names other addresses")]
    Listen(#[from] ListenError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Production.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The socket for other orchestrators.
    #[error("cannot let other orchestrators look here: {0}; the state directory has to be writable for this service")]
    Socket(#[source] std::io::Error),
}

/// What may be renewed while the service runs.
struct Secrets {
    token: Option<Token>,
    acceptor: Option<TlsAcceptor>,
}

impl Secrets {
    fn read(settings: &SwarmSettings) -> Result<Self, OrchestratorError> {
        Ok(Self {
            token: settings.token_file.as_deref().map(Token::read).transpose()?,
            acceptor: tls::acceptor(settings.tls_cert.as_deref(), settings.tls_key.as_deref())?,
        })
    }
}

/// Serves until the word to stop. At each word that comes on `again` the token and the certificate are read again, from
/// the files that the inventory names; where one is of no use those of before stay. What else the inventory says is
/// read by a restart.
///
/// # Errors
/// It cannot start.
pub async fn run(
    inventory: &Inventory,
    options: Options,
    again: mpsc::Receiver<()>,
    stop: Stop,
) -> Result<(), OrchestratorError> {
    let settings = &inventory.swarm;
    keep_staging_apart(&settings.production, &settings.staging)?;
    let Secrets { token, acceptor } = Secrets::read(settings)?;
    let own = place::own(inventory, options.name.as_ref())?;
    let shown = acceptor.map(Shown::new);
    let mut listeners = Vec::new();
    for place in place::places(inventory, own, &options.listen)? {
        let listener = Listener::bind(place.address, shown.clone().filter(|_| place.tls)).await?;
        tracing::info!("listening at {}", listener.url());
        listeners.push(listener);
    }
    if token.is_none() {
        tracing::info!("no `token_file` is set, so builds cannot be asked for over HTTP");
    }
    let books = Arc::new(Books::new(settings.state.clone(), settings.production.clone()));
    let told_of = Arc::new(inventory.clone());
    let (fleet, reins) = (Arc::new(inventory.clone()), worker::Reins::new(settings.state.clone()));
    let company = company::of(inventory, own).map_err(OrchestratorError::Socket)?;
    let (fellows, standing_by) = company.unzip();
    let office = Arc::new(Office::new(fleet.clone(), fellows, reins.clone()));
    let (place, answering) = (office.clone(), office.clone());
    let may_begin: MayBegin = Arc::new(move || place.is_here());
    let standing_by = tokio::spawn(async move {
        if let Some(StandingBy { watcher, resign, socket: _socket }) = standing_by {
            tokio::join!(watcher.run(), answering.answer(resign));
        }
    });
    let wishes = Arc::new(Wishes::new(fleet.clone(), books.clone(), reins.clone(), may_begin.clone()));
    let service = Arc::new(Service {
        name: own.map(|(host, _)| host.name.clone()),
        binhost: Binhost::new(settings.production.clone()),
        books: books.clone(),
        view: View::new(inventory, own.map(|(host, _)| &host.name)),
        places: Places::of(settings),
        looks: Looks::new(&settings.state),
        office,
        builds: Arc::new(Builds::new(fleet, wishes.clone())),
        wishes,
        door: Door::new(token),
        events: broadcast::Sender::new(EVENTS_HELD),
        tally: Arc::new(Tally::default()),
        stop: stop.clone(),
    });
    let feeding = tokio::spawn(Feed::new(settings.state.clone(), service.events.clone()).run());
    let telling = tokio::spawn(alarms::look_after(told_of, books.clone(), may_begin.clone()));
    let working = tokio::spawn(Worker::new(books, options.inventory, reins, may_begin).run());
    let (tally, bounds) = (service.tally.clone(), Bounds::of_this_process());
    let own = Own {
        urls: listeners.iter().map(Listener::own_url).collect(),
        certificate: Certificate::new(settings.tls_cert.clone()),
        tally: tally.clone(),
        bounds,
    };
    let reporting = tokio::spawn(own.report(stop.clone()));
    supervision::status(&format!("serves {}", settings.production.display()));
    tokio::select! {
        () = server::serve(listeners, routes::router(service.clone()), bounds, tally, stop) => {}
        () = renew(settings, &service.door, shown.as_ref(), again) => {}
    }
    for task in [feeding, working, telling, standing_by] {
        task.abort();
    }
    // It ends with the same word.
    let _told = reporting.await;
    Ok(())
}

/// Renews the secrets at each word; never comes back.
async fn renew(settings: &SwarmSettings, door: &Door, shown: Option<&Shown>, mut again: mpsc::Receiver<()>) {
    while again.recv().await.is_some() {
        supervision::reloading();
        match Secrets::read(settings) {
            Ok(Secrets { token, acceptor }) => {
                door.renew(token);
                if let Some(shown) = shown {
                    shown.renew(acceptor);
                }
                tracing::info!("the token and the certificate were read again");
            }
            Err(error) => tracing::error!("the token and the certificate stay what they were: {error}"),
        }
        supervision::reloaded();
    }
    std::future::pending().await
}
