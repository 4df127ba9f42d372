//! `/packages/…`: the live release, as Portage's client and any other fetch it.
//!
//! Only regular files of the release that production points to are served; what waits in staging has no name here. An
//! index is asked for anew each time; a package may be kept for ever, since a path once released never names other
//! content.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::condition::{Share, share};
use super::file::Found;
use crate::http::path::FilePath;
use crate::http::sentence;

/// Serves production.
#[derive(Debug, Clone)]
pub struct Binhost {
    production: PathBuf,
    sent: Arc<AtomicU64>,
}

impl Binhost {
    /// One that serves what this path is at each moment.
    pub fn new(production: PathBuf) -> Self {
        Self { production, sent: Arc::default() }
    }

    /// The path of production.
    pub fn production(&self) -> &Path {
        &self.production
    }

    /// How many bytes of files have been sent.
    pub fn sent(&self) -> &AtomicU64 {
        &self.sent
    }

    /// Answers `GET` or `HEAD` of a file; `path` is decoded.
    pub async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response {
        let Some(path) = FilePath::parse(path) else { return absent() };
        let (production, wanted) = (self.production.clone(), path.clone());
        let found = match tokio::task::spawn_blocking(move || Found::open(&production, &wanted)).await {
            Ok(Ok(Some(found))) => found,
            Ok(Ok(None)) => return absent(),
            Ok(Err(error)) => return unreadable(&path, &error),
            Err(error) => return unreadable(&path, &error),
        };
        let (length, modified) = (found.length, httpdate::fmt_http_date(found.modified));
        let (status, range) = match share(headers, length, found.modified) {
            Share::Known => (StatusCode::NOT_MODIFIED, 0..0),
            Share::Whole => (StatusCode::OK, 0..length),
            Share::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
            Share::Beyond => return beyond(length),
        };
        let mut answer = status.into_response();
        let headers = answer.headers_mut();
        let mut say = |name, value: String| {
            // None of these can hold what has no place in a header.
            HeaderValue::try_from(value).map(|value| headers.insert(name, value)).is_ok()
        };
        say(header::LAST_MODIFIED, modified);
        say(header::CACHE_CONTROL, freshness(&path).to_owned());
        say(header::ACCEPT_RANGES, "bytes".to_owned());
        if status == StatusCode::NOT_MODIFIED {
            return answer;
        }
        say(header::CONTENT_TYPE, kind(&path).to_owned());
        say(header::CONTENT_LENGTH, (range.end - range.start).to_string());
        if status == StatusCode::PARTIAL_CONTENT {
            say(header::CONTENT_RANGE, format!("bytes {}-{}/{length}", range.start, range.end - 1));
        }
        if method != Method::HEAD {
            *answer.body_mut() = Body::from_stream(found.bytes(range, self.sent.clone()));
        }
        answer
    }
}

fn absent() -> Response {
    sentence(StatusCode::NOT_FOUND, "the live release has no such file")
}

fn unreadable(path: &FilePath, error: &dyn std::fmt::Display) -> Response {
    tracing::error!("cannot serve {:?}: {error}", path.as_str());
    sentence(StatusCode::INTERNAL_SERVER_ERROR, "the file is there and cannot be read; the service's log says why")
}

fn beyond(length: u64) -> Response {
    let mut answer = sentence(StatusCode::RANGE_NOT_SATISFIABLE, "the file ends before that");
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
        answer.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    answer
}

fn is_package(path: &FilePath) -> bool {
    path.as_str().ends_with(".gpkg.tar")
}

/// How long a cache may keep it.
fn freshness(path: &FilePath) -> &'static str {
    if is_package(path) { "public, max-age=31536000, immutable" } else { "no-cache" }
}

/// What it is. A packed index is not a packed form of something else: clients unpack it themselves.
fn kind(path: &FilePath) -> &'static str {
    match path.as_str() {
        "Packages" => "text/plain; charset=utf-8",
        "Packages.gz" => "application/gzip",
        _ if is_package(path) => "application/x-tar",
        _ => "application/octet-stream",
    }
}
