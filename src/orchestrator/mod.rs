//! The controller as a service: an HTTP server beside the state directory and the live release.
//!
//! It serves production ([`binhost`]), tells what the journal says ([`books`]) and what a controller on this host tells
//! at its socket, and begins builds ([`builds`]). It holds no state: a controller is a push of its own, which goes on
//! when the service ends, and the service can be started again at any moment.

pub mod binhost;
pub mod books;
pub mod builds;
pub mod condition;
pub mod file;
pub mod place;
pub mod routes;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;

use crate::controller::socket;
use crate::core::names::HostName;
use crate::http::access::{Door, Token, TokenError};
use crate::http::server::{self, Bounds, ListenError, Listener, Tally};
use crate::http::stop::Stop;
use crate::http::tls::{self, TlsError};
use crate::inventory::Inventory;
use crate::release::{ReleaseError, keep_staging_apart};
use binhost::Binhost;
use books::Books;
use builds::Builds;
use place::PlaceError;
use routes::Service;

/// How many events a listener may be behind before it misses some.
const EVENTS_HELD: usize = 1024;
/// Between two looks for a controller that listens.
const LOOK: Duration = Duration::from_secs(1);

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
}

/// Serves until the word to stop.
///
/// # Errors
/// It cannot start.
pub async fn run(inventory: &Inventory, options: Options, stop: Stop) -> Result<(), OrchestratorError> {
    let settings = &inventory.swarm;
    keep_staging_apart(&settings.production, &settings.staging)?;
    let token = settings.token_file.as_deref().map(Token::read).transpose()?;
    let own = place::own(inventory, options.name.as_ref())?;
    let acceptor = tls::acceptor(settings.tls_cert.as_deref(), settings.tls_key.as_deref())?;
    let mut listeners = Vec::new();
    for place in place::places(inventory, own, &options.listen)? {
        let listener = Listener::bind(place.address, acceptor.clone().filter(|_| place.tls)).await?;
        tracing::info!("listening at {}", listener.url());
        listeners.push(listener);
    }
    if token.is_none() {
        tracing::info!("no `token_file` is set, so builds cannot be asked for over HTTP");
    }
    let service = Arc::new(Service {
        name: own.map(|(host, _)| host.name.clone()),
        binhost: Binhost::new(settings.production.clone()),
        books: Books::new(settings.state.clone(), settings.production.clone()),
        builds: Builds::new(options.inventory, settings.state.clone(), settings.driver.clone()),
        door: Door::new(token),
        events: broadcast::Sender::new(EVENTS_HELD),
        tally: Arc::new(Tally::default()),
        stop: stop.clone(),
    });
    let relaying = tokio::spawn(relay(settings.state.clone(), service.events.clone()));
    let tally = service.tally.clone();
    server::serve(listeners, routes::router(service), Bounds::of_this_process(), tally, stop).await;
    relaying.abort();
    Ok(())
}

/// Passes on what a controller on this host tells, whenever there is one.
async fn relay(state: PathBuf, events: broadcast::Sender<String>) {
    let mut complained = String::new();
    loop {
        match socket::follow(&state).await {
            Ok(Some(mut follower)) => {
                while let Some(event) = follower.next().await {
                    // Nobody may be listening.
                    let _unheard = events.send(event);
                }
            }
            Ok(None) => {}
            // The same is said once, not each second.
            Err(error) if error.to_string() == complained => {}
            Err(error) => {
                tracing::error!("{error}");
                complained = error.to_string();
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
