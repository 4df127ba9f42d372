//! `GET /page/waiting`: what waits for what, as much of it as can be looked at.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

use super::answer::{self, Asked, Trouble};
use super::package;
use crate::core::waiting::{Waiting, waiting};
use crate::orchestrator::routes::Service;

/// `?around=`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// A package's number or name; left out, what matters most.
    around: Option<String>,
}

/// Answers with it.
///
/// # Errors
/// There is no such package.
pub async fn answer(
    Shared(service): Shared<Arc<Service>>,
    headers: HeaderMap,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Trouble> {
    let read = service.read().await?;
    let all = service.looks.packages(&read).await?;
    let Some(build) = read.state.latest_build() else { return answer::json(&headers, &Waiting::default()) };
    let around = wanted.around.map(|name| package::find(&read.state, &name)).transpose()?;
    answer::json(&headers, &waiting(build, &all, around.map(|(_, package)| package)))
}
