//! `GET /page/events`: tells a browser that something has happened, once a second at most.
//!
//! `/events` has the events themselves, which can be long: a plan of ten thousand packages is one. The page needs none of
//! that, since it fetches what it shows.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as Shared;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::sync::broadcast::error::RecvError;

use super::answer::{Trouble, guarded};
use crate::controller::api::Desk;
use crate::orchestrator::routes::Service;

/// Between two words.
const PAUSE: Duration = Duration::from_secs(1);

/// Rings for as long as the browser listens.
///
/// # Errors
/// As many listen already as can.
pub async fn answer(Shared(service): Shared<Arc<Service>>) -> Result<Response, Trouble> {
    let rings = futures::stream::unfold((service.listen()?, false), |(mut listening, rang)| async move {
        if rang {
            tokio::time::sleep(PAUSE).await;
        }
        match listening.events.recv().await {
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
        // What has happened until now is told by the same word.
        listening.events = listening.events.resubscribe();
        Some((Ok::<_, Infallible>(Sent::default().data("changed")), (listening, true)))
    });
    let rings = rings.boxed().take_until(service.stop().wait());
    Ok(guarded(Sse::new(rings).keep_alive(KeepAlive::default()).into_response()))
}
