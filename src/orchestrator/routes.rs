//! What the service answers, each route beside what it promises: `docs/reference/openapi-orchestrator.json` is made of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, FromRequest, FromRequestParts, Path, Request, State as Shared};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use hyper::body::Bytes;
use tokio::sync::broadcast;

use super::binhost::Binhost;
use super::books::{Books, BooksError, Read};
use super::builds::{Builds, Outcome};
use super::metrics::{self, Places};
use super::office::Office;
use super::page;
use super::page::assets;
use super::page::looks::Looks;
use super::wishes::Wishes;
use crate::controller::api::{self, Desk, Refusal, StateView};
use crate::controller::now;
use crate::controller::promises::{self, UNREADABLE};
use crate::controller::verb::Verb;
use crate::core::names::HostName;
use crate::core::order::{Form, Receipt};
use crate::core::role::{Health, Promoted, Promotion};
use crate::core::state::Turn;
use crate::core::status::{OwnStatus, Status};
use crate::http::access::Door;
use crate::http::contract::{Contract, Promise};
use crate::http::server::{Peer, Tally};
use crate::http::stop::Stop;
use crate::http::{self, sentence};
use crate::standby::view::View;

/// The longest order or wish (bytes): a plan of some ten thousand packages.
const ORDER_LIMIT: usize = 64 << 20;
/// So long an order may take to arrive.
const ORDER_TIME: Duration = Duration::from_secs(120);

/// The service.
#[derive(Debug)]
pub struct Service {
    /// Its name in the inventory; none where it is not listed there.
    pub name: Option<HostName>,
    /// What clients get.
    pub binhost: Binhost,
    /// What is known.
    pub books: Arc<Books>,
    /// What is known of standbys.
    pub view: View,
    /// Where it keeps things.
    pub places: Places,
    /// What the page shows.
    pub looks: Looks,
    /// The controller's place.
    pub office: Arc<Office>,
    /// Takes orders.
    pub builds: Arc<Builds>,
    /// Takes wishes.
    pub wishes: Arc<Wishes>,
    /// Who may begin something.
    pub door: Door,
    /// What happens, for who listens.
    pub events: broadcast::Sender<String>,
    /// What has been done.
    pub tally: Arc<Tally>,
    /// When it ends.
    pub stop: Stop,
}

/// All routes.
pub fn router(service: Arc<Service>) -> Router {
    routes().into_router().with_state(service)
}

/// The OpenAPI document of the service.
pub fn document() -> serde_json::Value {
    routes().document(
        "swarm orchestrator",
        "A binhost, and the controller as a service: what it tells and what it can be asked.",
    )
}

/// All routes, as their document has them.
pub fn routes() -> Contract<Arc<Service>> {
    let small = Promise::to("Says in short how the service stands, for who asks often");
    let file = Promise::to("Gives a file of the live release: an index, or a package")
        .other(200, "*/*", "The file. `If-Modified-Since` is compared for equality")
        .other(206, "*/*", "The part that one `Range` asks for")
        .head(304, "The file is the one of `If-Modified-Since`")
        .text(404, "The live release has no such file")
        .text(416, "The file ends before that")
        .text(500, "The file is there and cannot be read");
    let place = Promise::to("Makes this orchestrator the controller")
        .takes::<Promotion>()
        .for_who_may()
        .json::<Promoted>(200, "It is, under this epoch")
        .text(400, "The body asks for nothing that there is")
        .text(409, "It cannot be, for now; the text says why")
        .text(423, "Another controller holds a lease that lives")
        .text(500, "It broke off");
    let front = Promise::to("Shows the swarm").other(200, "*/*", "A page for a browser, a few words for others");
    let front = front.head(304, "The page is the one of `If-None-Match`");
    let metrics = Promise::to("Tells Prometheus what docs/metrics.md lists");
    api::routes()
        .get("/health", small.json::<Health>(200, "How it stands").text(500, UNREADABLE), health)
        .get("/packages/{*path}", file, packages)
        .post("/build", promises::order(), build)
        .post("/verb", promises::wish(), verb)
        .post("/promote", place, promote)
        .get("/state", promises::state(), state)
        .get("/metrics", metrics.text(200, "The metrics").text(500, UNREADABLE), metrics::answer)
        .get("/", front, root)
        .beside(page::routes())
}

impl Service {
    pub(super) async fn read(&self) -> Result<Arc<Read>, Refusal> {
        self.books.read().await.map_err(|error: BooksError| unreadable(&error))
    }
}

pub(super) fn unreadable(error: &dyn std::error::Error) -> Refusal {
    tracing::error!("{error}");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
}

impl Desk for Arc<Service> {
    type Status = OwnStatus;

    async fn status(&self) -> Result<OwnStatus, Refusal> {
        let read = self.read().await?;
        let mut status = Status::of(&read.state, None, now());
        status.release = read.release.clone();
        self.view.fill(&mut status, now()).map_err(|error| unreadable(&error))?;
        Ok(OwnStatus { name: self.name.clone(), epoch: read.state.epoch, status })
    }

    fn events(&self) -> broadcast::Receiver<String> {
        self.events.subscribe()
    }

    fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

/// `GET /health`: small, for who asks often.
async fn health(Shared(service): Shared<Arc<Service>>) -> Result<Json<Health>, Refusal> {
    let read = service.read().await?;
    let leads = service.office.leads(read.state.controller.as_ref());
    Ok(Json(Health {
        name: service.name.clone(),
        epoch: Some(read.state.epoch),
        leads,
        builds: read.state.turn(&BTreeSet::new()) != Turn::Rest,
        last: read.sequence(),
        fresh: !leads && service.view.is_fresh(now()),
        caught_up: !leads && service.view.has_caught_up(now()),
        release: read.release.clone(),
    }))
}

async fn packages(
    Shared(service): Shared<Arc<Service>>,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    service.binhost.answer(&method, &path, &headers).await
}

/// The body of a request of whoever may change something.
struct Admitted(Bytes);

impl FromRequest<Arc<Service>> for Admitted {
    type Rejection = Response;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let peer = Extension::from_request_parts(&mut parts, service).await;
        let Extension(Peer(from)) = peer.map_err(IntoResponse::into_response)?;
        service.door.admit(from, &parts.headers).map_err(|refusal| {
            tracing::warn!("refused what {from} asked for: {refusal:?}");
            refusal.into_response()
        })?;
        http::body(body, ORDER_LIMIT, ORDER_TIME).await.map(Self)
    }
}

async fn build(Shared(service): Shared<Arc<Service>>, Admitted(body): Admitted) -> Result<Response, Response> {
    let form: Form = serde_json::from_slice(&body)
        .map_err(|error| sentence(StatusCode::BAD_REQUEST, format!("the body is no order of a build: {error}")))?;
    match service.builds.take(form).await {
        Outcome::Accepted(build, said) => {
            Ok((StatusCode::ACCEPTED, Json(Receipt { build: Some(build), said })).into_response())
        }
        Outcome::Nothing(said) => Ok(Json(Receipt { build: None, said }).into_response()),
        Outcome::Refused(status, why) => Err(sentence(status, why)),
    }
}

/// `POST /verb`: what an operator asks of the controller, as at its own socket.
async fn verb(Shared(service): Shared<Arc<Service>>, Admitted(body): Admitted) -> Result<Response, Response> {
    let verb: Verb = serde_json::from_slice(&body).map_err(|error| {
        sentence(
            StatusCode::BAD_REQUEST,
            format!("the body is nothing that can be asked: {error}; are both swarms of one version?"),
        )
    })?;
    let wishes = Arc::clone(&service.wishes);
    // Whoever asked may go; what was begun is done.
    let granted = tokio::spawn(async move { wishes.grant(&verb).await }).await;
    match granted {
        Ok(Ok(answer)) => Ok(Json(answer).into_response()),
        Ok(Err(error)) => Err(sentence(error.status(), error)),
        Err(error) => Err(sentence(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("what was asked for broke off: {error}; this is a fault of swarm, please report it"),
        )),
    }
}

/// `GET /state`: all that is known, and the number of the event that it is known from: those after it lead on.
async fn state(Shared(service): Shared<Arc<Service>>) -> Result<Response, Refusal> {
    let read = service.books.read_anew().await.map_err(|error| unreadable(&error))?;
    Ok(Json(StateView { sequence: read.sequence(), state: &read.state }).into_response())
}

/// `GET /`: the page for a browser, for others in a few words what there is.
async fn root(Shared(service): Shared<Arc<Service>>, headers: HeaderMap) -> Response {
    if let Some(page) = assets::page(&headers) {
        return page;
    }
    let name = service.name.as_ref().map_or("swarm orchestrator", HostName::as_str);
    format!(
        "{name}\n\n/packages/  the binhost\n/status     how things stand\n/events     what happens\n/metrics    for Prometheus\n\n\
         A browser gets a page here.\n"
    )
    .into_response()
}

/// `POST /promote`: the controller is to be here.
async fn promote(Shared(service): Shared<Arc<Service>>, Admitted(body): Admitted) -> Result<Response, Response> {
    let text = if body.is_empty() { b"{}".as_slice() } else { &body };
    let Promotion { take_over } = serde_json::from_slice(text).map_err(|error| {
        sentence(
            StatusCode::BAD_REQUEST,
            format!("the body of a promotion is empty or {{\"take_over\":true}}: {error}"),
        )
    })?;
    // It goes on to its end, whether or not anybody waits for it.
    let office = service.office.clone();
    match tokio::spawn(async move { office.promote(take_over).await }).await {
        Ok(Ok(epoch)) => Ok(Json(Promoted { epoch }).into_response()),
        Ok(Err(error)) => {
            tracing::warn!("not made the controller: {error}");
            Err(sentence(error.status(), error))
        }
        Err(error) => Err(sentence(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the promotion broke off: {error}; this is a fault of swarm, please report it"),
        )),
    }
}
