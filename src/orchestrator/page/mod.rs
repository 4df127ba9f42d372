//! The web page at `/`: how things stand, for whoever looks with a browser. It only reads.
//!
//! What a browser runs are the files in [`assets`], compiled in; what they show they fetch as JSON from the routes below
//! `/page/`, one a view, and again when `/page/events` says that something has happened. Every view is bounded whatever
//! the build's size, is made at most once for each state of the journal ([`looks`]), and away from the threads that
//! answer.
//!
//! What costs more than a look at what is in memory (a journal read again, two indexes compared) is done for few at once:
//! others wait for their turn.

pub mod answer;
pub mod assets;
pub mod bell;
pub mod log;
pub mod looks;
pub mod package;
pub mod packages;
pub mod past;
pub mod releases;
pub mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;

use super::routes::Service;
use answer::{Asked, Trouble};
use packages::Wanted;

/// All below `/page/`.
pub fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/page/overview", get(overview))
        .route("/page/packages", get(packages))
        .route("/page/package/{*wanted}", get(package))
        .route("/page/events", get(bell::answer))
        .route("/page/log", get(log::answer))
        .route("/page/waiting", get(waiting::answer))
        .route("/page/timeline", get(past::timeline))
        .route("/page/history", get(past::history))
        .route("/page/releases", get(releases::list))
        .route("/page/releases/{from}/{to}", get(releases::differences))
        .route("/page/{file}", get(assets::answer))
}

async fn overview(Shared(service): Shared<Arc<Service>>, headers: HeaderMap) -> Result<Response, Trouble> {
    let read = service.read().await?;
    let overview = service.looks.overview(&service, &read).await?;
    Ok(overview.answer(&headers))
}

async fn packages(
    Shared(service): Shared<Arc<Service>>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Trouble> {
    let read = service.read().await?;
    let all = service.looks.packages(&read).await?;
    answer::json(&headers, &wanted.of(&all)?)
}

async fn package(
    Shared(service): Shared<Arc<Service>>,
    headers: HeaderMap,
    Path(wanted): Path<String>,
) -> Result<Response, Trouble> {
    let read = service.read().await?;
    let all = service.looks.packages(&read).await?;
    let shown = package::Shown::of(&read.state, &all, &wanted, service.looks.logs())?;
    answer::json(&headers, &shown)
}
