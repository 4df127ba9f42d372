//! A POST of JSON: `{"swarm","host","at","subject","text","raised":[…],"cleared":[…]}`.
//!
//! Each of `raised` and `cleared` is `{"cause","since","headline","lines":[…],"next"}`, of `cleared` with `"cleared"`;
//! moments are RFC 3339. `text` is all of it for people, which is what chat servers show. Any status from 200 to 299
//! means that it was taken; a redirect is not followed, as a token would go astray.

use std::path::Path;

use axum::http::{HeaderValue, Request, header};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Serialize;

use super::{Message, PATIENCE, Post, SendError, reason};
use crate::core::alarm::Alarm;
use crate::core::names::Timestamp;
use crate::core::status::Moment;
use crate::http::client::{AskError, Client};
use crate::http::tls;
use crate::inventory::notify::WebhookUrl;

/// More (bytes) of an answer is not read.
const ANSWER: usize = 4096;

#[derive(Serialize)]
struct Body<'a> {
    swarm: &'a str,
    host: &'a str,
    at: Moment,
    subject: &'a str,
    text: &'a str,
    raised: Vec<Item<'a>>,
    cleared: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    cause: String,
    since: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    cleared: Option<Moment>,
    headline: &'a str,
    lines: &'a [String],
    next: &'a str,
}

impl<'a> Item<'a> {
    fn of(alarm: &'a Alarm) -> Self {
        Self {
            cause: alarm.cause.to_string(),
            since: Moment(alarm.since),
            cleared: alarm.cleared.map(Moment),
            headline: &alarm.words.headline,
            lines: &alarm.words.lines,
            next: &alarm.words.next,
        }
    }
}

/// The body of the request.
fn body(post: &Post, message: &Message, at: Timestamp) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Body {
        swarm: &post.swarm,
        host: &post.host,
        at: Moment(at),
        subject: &message.subject,
        text: &message.text,
        raised: message.raised.iter().map(Item::of).collect(),
        cleared: message.recovered.iter().map(Item::of).collect(),
    })
}

pub(super) async fn send(
    url: &WebhookUrl,
    token_file: Option<&Path>,
    post: &Post,
    message: &Message,
    at: Timestamp,
) -> Result<(), SendError> {
    let address = || SendError::Address(url.host().to_owned());
    let mut request = Request::post(url.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("swarm/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(body(post, message, at).map_err(|_| address())?)))
        .map_err(|_| address())?;
    if let Some(file) = token_file {
        let unread = |source| SendError::Token { path: file.to_owned(), source };
        let token = tokio::fs::read_to_string(file).await.map_err(unread)?;
        let no_token = |_| SendError::NoToken(file.display().to_string());
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim())).map_err(no_token)?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    let secure = url.as_str().starts_with("https:");
    let tls = secure.then(|| tls::connector(post.certificate.as_deref())).transpose()?;
    let client = Client::new(tls, PATIENCE);
    let host = url.host().to_owned();
    let answer = client.ask(request).await;
    let answer = answer.map_err(|source| match source {
        // It would show the whole address.
        AskError::Address(_) => address(),
        source => SendError::Ask { host: host.clone(), source },
    })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let said = client.read(answer.into_body(), ANSWER).await.unwrap_or_default();
    Err(SendError::Refused { host, status: status.as_u16(), said: reason(&said) })
}
