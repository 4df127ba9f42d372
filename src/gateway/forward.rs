//! Passes a request on to the controller, and its answer back as it comes.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use futures::{Stream, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};

use crate::http::client::{AskError, Client};
use crate::http::sentence;
use crate::http::stop::Stop;

/// An answer that has begun and then stands still for so long is over. Event streams say something more often.
const STILL: Duration = Duration::from_secs(60);
/// Headers of a request that the controller gets to see.
const PASSED: [HeaderName; 4] = [header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_NONE_MATCH];
/// Headers that are between two neighbours (RFC 9110, section 7.6.1).
const OURS: [HeaderName; 5] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::TE, header::TRAILER, header::UPGRADE];

/// Asks `url` and passes the answer on.
pub async fn forward(
    client: &Client,
    method: Method,
    url: &str,
    headers: &HeaderMap,
    body: Bytes,
    stop: Stop,
) -> axum::response::Response {
    match ask(client, method, url, headers, body).await {
        Ok(answer) => passed_back(answer, stop),
        Err(error) => {
            tracing::warn!("the controller, asked for {url}, {error}");
            sentence(StatusCode::BAD_GATEWAY, format!("the controller {error}"))
        }
    }
}

async fn ask(
    client: &Client,
    method: Method,
    url: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response<Incoming>, AskError> {
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .body(Full::new(body))
        .map_err(|_| AskError::Address(url.to_owned()))?;
    for name in PASSED {
        let value = headers.get(&name).cloned();
        request.headers_mut().extend(value.map(|value| (name, value)));
    }
    client.ask(request).await
}

fn passed_back(answer: Response<Incoming>, stop: Stop) -> axum::response::Response {
    let (mut head, body) = answer.into_parts();
    for name in &OURS {
        head.headers.remove(name);
    }
    let body = Body::from_stream(pieces(body).take_until(stop.wait()));
    axum::response::Response::from_parts(head, body)
}

fn pieces(body: Incoming) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
    futures::stream::try_unfold(body, |mut body| async move {
        loop {
            let frame = tokio::time::timeout(STILL, body.frame()).await;
            let frame = frame.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?;
            match frame.transpose().map_err(std::io::Error::other)?.map(hyper::body::Frame::into_data) {
                None => return Ok(None),
                Some(Ok(data)) => return Ok(Some((data, body))),
                // Trailers, which nobody of ours sends.
                Some(Err(_)) => {}
            }
        }
    })
}
