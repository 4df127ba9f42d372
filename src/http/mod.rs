//! HTTP as the services share it: listening, asking, who may change something, how much each may take.
//!
//! It knows nothing of a swarm. [`server`] answers with a router of the caller's: connections are counted, each in all
//! and by address, and whoever does not read or write loses his ([`patience`]). [`client`] asks others, with a bound on
//! every step. [`tls`] is both ends of TLS. [`access`] says who may change something; [`contract`] has routes with what
//! each promises; [`metrics`] writes Prometheus' text; [`supervision`] tells whoever started a service how it stands.

pub mod access;
pub mod client;
pub mod contract;
pub mod metrics;
pub mod path;
pub mod patience;
pub mod server;
pub mod stop;
pub mod supervision;
pub mod tls;

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Bytes;

/// An answer of one sentence, as text.
pub fn sentence(status: StatusCode, text: impl std::fmt::Display) -> Response {
    (status, format!("{text}\n")).into_response()
}

/// [`sentence`] for what may be there later: 503, with the seconds after which to ask again.
pub fn later(seconds: u64, text: impl std::fmt::Display) -> Response {
    retry_after(sentence(StatusCode::SERVICE_UNAVAILABLE, text), seconds)
}

/// Says when to ask again.
pub fn retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// The body of a request, where it has come within `time` and has at most `limit` bytes; else the answer that says so.
///
/// # Errors
/// It is longer, takes longer, or breaks off.
pub async fn body(body: Body, limit: usize, time: Duration) -> Result<Bytes, Response> {
    let late = || sentence(StatusCode::REQUEST_TIMEOUT, "the body of the request did not arrive in time");
    let large =
        || sentence(StatusCode::PAYLOAD_TOO_LARGE, format!("the body of the request has at most {limit} bytes"));
    let read = tokio::time::timeout(time, axum::body::to_bytes(body, limit));
    read.await.map_err(|_| late())?.map_err(|_| large())
}
