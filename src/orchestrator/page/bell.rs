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
use crate::orchestrator::books::FRESH;
use crate::orchestrator::routes::Service;

/// Between two words.
const PAUSE: Duration = Duration::from_secs(1);

/// Rings for as long as the browser listens, the first time at once: what happened before it listened counts, too.
///
/// # Errors
/// As many listen already as can: 503.
pub async fn answer(Shared(service): Shared<Arc<Service>>) -> Result<Response, Trouble> {
    let seat = service.looks.seat().ok_or_else(|| Trouble::later("as many pages listen as can; come again"))?;
    let listening = (service.events(), seat, false);
    let rings = futures::stream::unfold(listening, |(mut events, seat, rang)| async move {
        if rang {
            tokio::time::sleep(PAUSE).await;
            if let Err(RecvError::Closed) = events.recv().await {
                return None;
            }
        }
        // Whoever comes at this word must not get what was read before it.
        tokio::time::sleep(FRESH).await;
        // What has happened until now is told by the same word.
        let events = events.resubscribe();
        Some((Ok::<_, Infallible>(Sent::default().data("changed")), (events, seat, true)))
    });
    let rings = rings.boxed().take_until(service.stop().wait());
    Ok(guarded(Sse::new(rings).keep_alive(KeepAlive::default()).into_response()))
}
