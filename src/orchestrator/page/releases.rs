//! `GET /page/releases` and `GET /page/releases/A/B`: the kept releases, and how two of them differ, as `swarm releases`
//! and `swarm diff` have it.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;

use super::answer::{self, Trouble};
use super::looks::aside;
use crate::core::names::ReleaseName;
use crate::orchestrator::routes::Service;
use crate::release::diff::Between;
use crate::release::{ReleaseError, Shelf, shown};

fn trouble(error: ReleaseError) -> Trouble {
    match error {
        ReleaseError::Unknown { .. } => Trouble::absent(error),
        error => Trouble::unreadable(error),
    }
}

/// The releases, the latest last.
///
/// # Errors
/// One cannot be read.
pub async fn list(Shared(service): Shared<Arc<Service>>, headers: HeaderMap) -> Result<Response, Trouble> {
    let _turn = service.looks.turn().await;
    let production = service.binhost.production().to_owned();
    let shown = aside(move || shown::shown(&Shelf::look(&production)?)).await?.map_err(trouble)?;
    answer::json(&headers, &shown)
}

/// How two of them differ.
///
/// # Errors
/// One is not there, or cannot be read.
pub async fn differences(
    Shared(service): Shared<Arc<Service>>,
    headers: HeaderMap,
    Path((from, to)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    let parsed = |text: String| text.parse::<ReleaseName>().map_err(Trouble::senseless);
    let (from, to) = (parsed(from)?, parsed(to)?);
    let _turn = service.looks.turn().await;
    let production = service.binhost.production().to_owned();
    let make = move || Between::releases(&Shelf::look(&production)?, from, to);
    answer::json(&headers, &aside(make).await?.map_err(trouble)?)
}
