//! The gateway: the always-on pointer to the orchestrator that serves.
//!
//! It looks at each orchestrator ([`check`]), lets what it sees come to a choice ([`fleet`] and [`role`], pure), answers
//! with that ([`routes`], [`board`]), and has an orchestrator take the controller's place ([`promote`]). It holds no
//! packages, and nothing that a restart would lose but its memory of how the last checks went.

pub mod binrepos;
pub mod board;
pub mod check;
pub mod fleet;
pub mod forward;
pub mod level;
pub mod metrics;
pub mod promote;
pub mod reach;
pub mod role;
pub mod routes;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::controller::now;
use crate::http::access::{Door, Token, TokenError};
use crate::http::client::Client;
use crate::http::server::{self, Bounds, ListenError, Listener, Tally};
use crate::http::stop::Stop;
use crate::http::supervision::{self, Certificate, Own};
use crate::http::tls::{self, Shown, TlsError};
use crate::inventory::{self, Inventory, InventoryError};
use board::Board;
use check::Checker;
use fleet::{Change, Fleet, Orchestrator};
use promote::Promoting;
use reach::Reach;
use routes::{Gateway, Settings};

/// A driver may take so long for its plan.
const PLANNING: Duration = Duration::from_secs(15 * 60);

/// To an orchestrator behind a slow line a release may be on its way for so long.
const RELEASING: Duration = Duration::from_secs(24 * 3600);

/// What keeps the gateway from starting, or an inventory from being taken.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// There is none.
    #[error("the inventory has no `[gateway]`, so it does not say where to listen")]
    NoGateway,
    /// There is nothing to point to.
    #[error(
        "the inventory has neither `[orchestrators.NAME]` nor `[storage.NAME]` with a `binhost`, so there is nothing to point to"
    )]
    NoOrchestrator,
    /// The inventory itself.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// It cannot listen there.
    #[error("{0}; `listen` in `[gateway]` names another address")]
    Listen(#[from] ListenError),
    /// The token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What an inventory says to a gateway.
struct Plan {
    place: inventory::Gateway,
    fleet: Fleet,
    settings: Arc<Settings>,
    tls: Option<TlsConnector>,
    /// The file of its own certificate.
    certificate: Option<PathBuf>,
    /// Its own end of TLS, where it speaks that.
    acceptor: Option<TlsAcceptor>,
}

impl Plan {
    fn of(inventory: &Inventory) -> Result<Self, GatewayError> {
        let place = inventory.gateway().ok_or(GatewayError::NoGateway)?.clone();
        let fleet = Fleet::new(inventory);
        if fleet.members().is_empty() {
            return Err(GatewayError::NoOrchestrator);
        }
        let token = inventory.swarm.token_file.as_deref().map(Token::read).transpose()?;
        let bearer = token.as_ref().map(Token::bearer);
        // Reading the system's certificates takes a moment, and few need it.
        let tls = match fleet.members().iter().any(|member| member.orchestrator.speaks_tls()) {
            true => Some(tls::connector(inventory.swarm.tls_cert.as_deref())?),
            false => None,
        };
        let patience = check::patience(place.check_interval);
        let settings = Arc::new(Settings {
            door: Door::new(token),
            bearer,
            promoter: Client::new(tls.clone(), promote::PATIENCE),
            quick: Client::new(tls.clone(), patience),
            slow: Client::new(tls.clone(), PLANNING),
            patient: Client::new(tls.clone(), RELEASING),
            retry_after: place.check_interval.as_secs().max(1),
        });
        let swarm = &inventory.swarm;
        let acceptor = tls::acceptor(swarm.tls_cert.as_deref(), swarm.tls_key.as_deref())?;
        Ok(Self { place, fleet, settings, tls, certificate: swarm.tls_cert.clone(), acceptor })
    }

    /// One task for each orchestrator, which looks at it again and again.
    fn watchers(&self, gateway: &Arc<Gateway>) -> JoinSet<()> {
        let client = Client::new(self.tls.clone(), check::patience(self.place.check_interval));
        let watcher = |orchestrator: &Orchestrator| {
            let (name, interval) = (orchestrator.name.clone(), self.place.check_interval);
            let mut checker = Checker::new(client.clone(), orchestrator.clone());
            let gateway = gateway.clone();
            async move {
                loop {
                    let begun = Instant::now();
                    let (changes, doubt) = gateway.board.saw(&name, checker.look().await, now());
                    gateway.tell(&changes);
                    gateway.promote();
                    tokio::time::sleep_until(begun + if doubt { interval / 2 } else { interval }).await;
                }
            }
        };
        self.fleet.members().iter().map(|member| watcher(&member.orchestrator)).collect()
    }
}

impl Gateway {
    fn new(plan: &Plan, stop: Stop) -> Self {
        Self {
            board: Board::new(plan.fleet.clone()),
            settings: RwLock::new(plan.settings.clone()),
            reach: Reach::default(),
            switches: AtomicU64::new(0),
            promoting: Promoting::default(),
            tally: Arc::new(Tally::default()),
            stop,
        }
    }

    fn tell(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Binhost(name, Ok(())) => tracing::info!("{name} is healthy"),
                Change::Binhost(name, Err(why)) => tracing::warn!("{name} is not healthy: it {why}"),
                Change::Active(active) => {
                    self.switches.fetch_add(1, Ordering::Relaxed);
                    match active {
                        Some(name) => {
                            tracing::info!("clients get {name}");
                            supervision::status(&format!("clients get {name}"));
                        }
                        None => {
                            tracing::error!("no orchestrator is healthy: clients get none");
                            supervision::status("no orchestrator is healthy: clients get none");
                        }
                    }
                }
                Change::Controller(Some(name)) => tracing::info!("{name} is asked about builds"),
                Change::Controller(None) => tracing::warn!("no API answers: nobody can be asked about builds"),
            }
        }
    }

    /// Puts another inventory in the place of the one that was.
    fn take(self: &Arc<Self>, plan: &Plan) -> JoinSet<()> {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = plan.settings.clone();
        self.tell(&self.board.replace(plan.fleet.clone()));
        plan.watchers(self)
    }
}

/// What the inventory says now.
fn reread(read: impl Fn() -> Result<Inventory, InventoryError>) -> Result<Plan, GatewayError> {
    supervision::reloading();
    Plan::of(&read()?)
}

/// Points until the word to stop. At each word that comes on `again` the inventory is read again with `read`, with its
/// token and certificate; one that is of no use is refused, and the old one kept.
///
/// # Errors
/// It cannot start.
pub async fn run(
    inventory: &Inventory,
    read: impl Fn() -> Result<Inventory, InventoryError>,
    mut again: mpsc::Receiver<()>,
    stop: Stop,
) -> Result<(), GatewayError> {
    let plan = Plan::of(inventory)?;
    let shown = plan.acceptor.clone().map(Shown::new);
    let listener = Listener::bind(plan.place.listen, shown.clone()).await?;
    tracing::info!("listening at {}", listener.url());
    let gateway = Arc::new(Gateway::new(&plan, stop.clone()));
    let (router, tally, bounds) = (routes::router(gateway.clone()), gateway.tally.clone(), Bounds::of_this_process());
    let certificate = Certificate::new(plan.certificate.clone());
    let own = Own { urls: vec![listener.own_url()], certificate: certificate.clone(), tally: tally.clone(), bounds };
    let reporting = tokio::spawn(own.report(stop.clone()));
    let mut serving = tokio::spawn(server::serve(vec![listener], router, bounds, tally, stop));
    let mut watching = plan.watchers(&gateway);
    let listen = plan.place.listen;
    loop {
        tokio::select! {
            _served = &mut serving => {
                watching.shutdown().await;
                // It ends with the same word.
                let _told = reporting.await;
                return Ok(());
            }
            Some(()) = again.recv() => match reread(&read) {
                Ok(plan) => {
                    // The old watchers end first: what they see is of another fleet.
                    watching.shutdown().await;
                    watching = gateway.take(&plan);
                    tracing::info!("the inventory was read again; it has {} orchestrators", plan.fleet.members().len());
                    if plan.place.listen != listen {
                        tracing::warn!("`listen` is another address now: that takes a restart");
                    }
                    if plan.acceptor.is_some() != shown.is_some() {
                        tracing::warn!("to begin or to end TLS takes a restart");
                    }
                    if let Some(shown) = &shown {
                        shown.renew(plan.acceptor);
                        certificate.renew(plan.certificate);
                    }
                    supervision::reloaded();
                }
                Err(error) => {
                    tracing::error!("the inventory was not taken, the one before stays: {error}");
                    supervision::reloaded();
                }
            },
        }
    }
}
