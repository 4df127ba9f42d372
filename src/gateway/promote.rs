//! Has an orchestrator take the controller's place, where the fleet says that it is time ([`super::role`]).
//!
//! One is asked at a time. It answers once it is the controller, or why it is not; as long as the fleet says so it is
//! asked again after the next look.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;

use super::routes::{Gateway, Settings};
use crate::core::names::HostName;
use crate::inventory::HttpUrl;

/// To hear the voters, and to have the one before hand everything over, may take so long.
pub const PATIENCE: Duration = Duration::from_secs(240);
/// More (bytes) of an answer is not read.
const ANSWER_LIMIT: usize = 64 << 10;

/// Whether somebody is being asked, and what was said last, so that the same is logged once.
#[derive(Debug, Default)]
pub struct Promoting(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    asks: bool,
    said: String,
}

impl Promoting {
    /// Whether nobody was being asked; from here on somebody is.
    fn begin(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut state.asks, true)
    }

    /// Nobody is being asked any more; whether what came of it is news.
    fn end(&self, said: &str) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.asks = false;
        let news = state.said != said;
        said.clone_into(&mut state.said);
        news
    }
}

impl Gateway {
    /// Asks whoever is to be the controller to become it.
    pub(super) fn promote(self: &Arc<Self>) {
        let Some((name, api)) = self.board.promotion() else { return };
        if !self.promoting.begin() {
            return;
        }
        let gateway = Arc::clone(self);
        tokio::spawn(async move {
            let settings = gateway.settings();
            let (told, good) = match ask(&settings, &api).await {
                Ok(()) => {
                    gateway.board.has_promoted(name.clone());
                    (format!("{name} is made the controller"), true)
                }
                Err(why) => (refused(&name, &why), false),
            };
            // What the reason counts down to is no news.
            let news = told.replace(|each: char| each.is_ascii_digit(), "");
            match (gateway.promoting.end(&news), good) {
                (true, true) => tracing::info!("{told}"),
                (true, false) => tracing::warn!("{told}"),
                (false, _) => {}
            }
        });
    }
}

fn refused(name: &HostName, why: &str) -> String {
    format!("{name} was to be made the controller, and {why}; it is asked again")
}

/// The error completes the sentence "it …".
async fn ask(settings: &Settings, api: &HttpUrl) -> Result<(), String> {
    let Some(bearer) = settings.bearer.clone() else {
        return Err("cannot be asked without a `token_file` in the inventory".to_owned());
    };
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{api}/promote"))
        .header(header::AUTHORIZATION, bearer)
        .body(Full::new(Bytes::new()))
        .map_err(|error| format!("cannot be asked: {error}"))?;
    let client = &settings.promoter;
    let answer = client.ask(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = client.read(answer.into_body(), ANSWER_LIMIT).await.map_err(|error| error.to_string())?;
    match status {
        StatusCode::OK => Ok(()),
        other => Err(format!("answers {other}: {}", String::from_utf8_lossy(&body).trim())),
    }
}
