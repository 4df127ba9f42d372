//! What the gateway answers, each route beside what it promises: `docs/reference/openapi-gateway.json` is made of it.

use std::net::IpAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State as Shared};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, extract};
use hyper::body::Bytes;

use super::board::{ActiveView, Board, StatusView};
use super::forward::forward;
use super::metrics;
use super::promote::Promoting;
use super::reach::Reach;
use crate::controller::promises;
use crate::core::status::OwnStatus;
use crate::http::access::Door;
use crate::http::client::Client;
use crate::http::contract::{Contract, Promise};
use crate::http::path::FilePath;
use crate::http::server::{Peer, Tally};
use crate::http::stop::Stop;
use crate::http::{later, sentence};
use crate::inventory::HttpUrl;

/// The longest order or wish (bytes), and how long it may take to arrive.
const ORDER: (usize, Duration) = (64 << 20, Duration::from_secs(120));
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// What is true now may not be in a moment.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// The gateway.
#[derive(Debug)]
pub struct Gateway {
    /// What checks have come to.
    pub board: Board,
    /// What the inventory says.
    pub settings: RwLock<Arc<Settings>>,
    /// Whether a client can be sent somewhere.
    pub reach: Reach,
    /// How often clients have got another binhost.
    pub switches: AtomicU64,
    /// Whether one is being made the controller.
    pub promoting: Promoting,
    /// What has been done.
    pub tally: Arc<Tally>,
    /// When it ends.
    pub stop: Stop,
}

/// What an inventory comes to for the answers.
pub struct Settings {
    /// Who may ask for a build.
    pub door: Door,
    /// What shows to an orchestrator that we may have it do something; none without a token.
    pub bearer: Option<HeaderValue>,
    /// Has one become the controller.
    pub promoter: Client,
    /// Asks the controller what it knows at once.
    pub quick: Client,
    /// Asks it for a build, which it answers once the driver has made a plan.
    pub slow: Client,
    /// Has it do something, which may take as long as a release is on its way to the last orchestrator.
    pub patient: Client,
    /// After so many seconds the next check is over.
    pub retry_after: u64,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Settings").field("retry_after", &self.retry_after).finish_non_exhaustive()
    }
}

/// All routes.
pub fn router(gateway: Arc<Gateway>) -> Router {
    routes().into_router().with_state(gateway)
}

/// The OpenAPI document of the service.
pub fn document() -> serde_json::Value {
    routes().document(
        "swarm gateway",
        "The pointer to the orchestrator that serves: where clients find packages, and whoever asks for builds the controller.",
    )
}

/// All routes, as their document has them.
pub fn routes() -> Contract<Arc<Gateway>> {
    let file = Promise::to("Sends a client to a file of the live release")
        .head(302, "It is there, at the binhost that takes connections")
        .text(400, "This is no path")
        .text(404, "No binhost has a file of that name")
        .text(503, NO_BINHOST);
    let binhost = Promise::to("Names the binhost that clients get")
        .text_or_json::<ActiveView<'static>>(200, "Its address")
        .text(503, NO_BINHOST);
    let sight = Promise::to("Tells what the checks of each orchestrator have come to");
    let passed_on = |promise: Promise| promise.text(502, "The controller does not answer");
    let told = |promise: Promise| passed_on(promise).text(503, NO_CONTROLLER);
    let page_promise =
        Promise::to("Shows the controller's page").other(200, "*/*", "The page").head(304, "The client has it");
    Contract::new()
        .get("/health", Promise::to("Says that the gateway answers").text(200, "It does"), health)
        .get("/status", sight.json::<StatusView<'static>>(200, "Each of them"), status)
        .get("/binhost", binhost, binhost_of_clients)
        .get("/packages/{*path}", file, packages)
        .post("/build", passed_on(promises::order()), build)
        .post("/verb", passed_on(promises::wish()), verb)
        .get("/state", told(promises::state()), state)
        .get("/swarm", passed_on(promises::status::<OwnStatus>()), swarm)
        .get("/events", told(promises::events()), events)
        .get(
            "/metrics",
            Promise::to("Tells Prometheus what docs/metrics.md lists").text(200, "The metrics"),
            metrics::answer,
        )
        .get("/", told(page_promise), page)
        .beside(Router::new().route("/page/{*path}", get(below_page)))
}

/// Why clients are sent nowhere.
const NO_BINHOST: &str = "No orchestrator is healthy; `Retry-After` says when to come again";
/// Why nothing is passed on.
const NO_CONTROLLER: &str = "No orchestrator with an API answers; `Retry-After` says when to come again";

impl Gateway {
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn no_binhost(&self) -> Response {
        later(self.settings().retry_after, "no orchestrator is healthy; `GET /status` says what is wrong with each")
    }

    /// The first binhost that could serve and takes a connection; where none does, the one that should.
    async fn binhost_for_a_client(&self) -> Option<HttpUrl> {
        let view = self.board.view();
        for binhost in &view.stand_ins {
            if self.reach.takes_connections(binhost).await {
                return Some(binhost.clone());
            }
        }
        view.stand_ins.first().cloned()
    }

    async fn pass_on(&self, path: &str, headers: &HeaderMap) -> Response {
        let settings = self.settings();
        let Some(api) = &self.board.view().controller else { return no_controller(&settings) };
        let url = format!("{api}{path}");
        forward(&settings.quick, Method::GET, &url, headers, Bytes::new(), self.stop.clone()).await
    }

    /// Passes on what changes something, of whoever may.
    async fn pass_wish_on(
        &self,
        path: &str,
        client: &Client,
        from: IpAddr,
        headers: &HeaderMap,
        body: Body,
    ) -> Response {
        let settings = self.settings();
        if let Err(refusal) = settings.door.admit(from, headers) {
            tracing::warn!("refused what {from} asked for: {refusal:?}");
            return refusal.into_response();
        }
        let body = match crate::http::body(body, ORDER.0, ORDER.1).await {
            Ok(body) => body,
            Err(refusal) => return refusal,
        };
        let Some(api) = &self.board.view().controller else { return no_controller(&settings) };
        let url = format!("{api}{path}");
        forward(client, Method::POST, &url, headers, body, self.stop.clone()).await
    }
}

fn no_controller(settings: &Settings) -> Response {
    later(settings.retry_after, "no orchestrator with an API answers; `GET /status` says what is wrong with each")
}

async fn health() -> &'static str {
    "ok\n"
}

fn answer(kind: HeaderValue, body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, NOT_KEPT)], body).into_response()
}

async fn status(Shared(gateway): Shared<Arc<Gateway>>) -> Response {
    answer(JSON, gateway.board.view().status.clone())
}

async fn binhost_of_clients(Shared(gateway): Shared<Arc<Gateway>>, headers: HeaderMap) -> Response {
    let view = gateway.board.view();
    let wanted = headers.get(header::ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
    match &view.active {
        None => gateway.no_binhost(),
        Some(active) if contains(wanted, JSON.as_bytes()) => answer(JSON, active.json.clone()),
        Some(active) => answer(TEXT, active.url.clone()),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// A temporary redirect that every client follows and none keeps (302; Portage's index fetcher and wget both do).
async fn packages(
    Shared(gateway): Shared<Arc<Gateway>>,
    extract::Path(path): extract::Path<String>,
    uri: Uri,
) -> Response {
    if FilePath::parse(&path).is_none() {
        return sentence(StatusCode::NOT_FOUND, "no binhost has a file of that name");
    }
    let Some(binhost) = gateway.binhost_for_a_client().await else { return gateway.no_binhost() };
    // Some object storage takes a plus sign for a blank, and everybody takes this for a plus sign.
    let path = uri.path().strip_prefix("/packages").unwrap_or_default().replace('+', "%2B");
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    match HeaderValue::try_from(format!("{binhost}{path}{query}")) {
        Ok(location) => {
            let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, NOT_KEPT)];
            (StatusCode::FOUND, headers).into_response()
        }
        // What came in a request line can stand in a header.
        Err(_) => sentence(StatusCode::BAD_REQUEST, "no file of a binhost can have this path"),
    }
}

async fn build(
    Shared(gateway): Shared<Arc<Gateway>>,
    Extension(Peer(from)): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let settings = gateway.settings();
    gateway.pass_wish_on("/build", &settings.slow, from, &headers, body).await
}

async fn verb(
    Shared(gateway): Shared<Arc<Gateway>>,
    Extension(Peer(from)): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let settings = gateway.settings();
    gateway.pass_wish_on("/verb", &settings.patient, from, &headers, body).await
}

async fn state(Shared(gateway): Shared<Arc<Gateway>>, headers: HeaderMap) -> Response {
    gateway.pass_on("/state", &headers).await
}

async fn swarm(Shared(gateway): Shared<Arc<Gateway>>, headers: HeaderMap) -> Response {
    gateway.pass_on("/status", &headers).await
}

async fn events(Shared(gateway): Shared<Arc<Gateway>>, headers: HeaderMap) -> Response {
    gateway.pass_on("/events", &headers).await
}

async fn page(Shared(gateway): Shared<Arc<Gateway>>, headers: HeaderMap) -> Response {
    gateway.pass_on("/", &headers).await
}

/// The page's own files, and what it shows.
async fn below_page(
    Shared(gateway): Shared<Arc<Gateway>>,
    extract::Path(path): extract::Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if FilePath::parse(&path).is_none() {
        return sentence(StatusCode::NOT_FOUND, "the page has nothing of that name");
    }
    let wanted = uri.path_and_query().map_or(uri.path(), PathAndQuery::as_str);
    gateway.pass_on(wanted, &headers).await
}
